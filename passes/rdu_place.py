"""rdu-place: give every unit of every section a place on the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from xdsl.context import Context

from sambaflow.diagnostics import location_of
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.capacity import demand_of
from sambaflow.dialects.rdu.grid import Grid, Place, grid_of, partners
from sambaflow.machine import require
from sambaflow.passes.base import OperationPass

Unit = tuple[int, int]
"""Group number, number in the group."""


@dataclass(frozen=True)
class RduPlacePass(OperationPass[rdu.ProgramOp]):
    """Choose coordinates: PCUs and PMUs on the checkerboard, AGCUs at its sides.

        %y = rdu.pcu(%x) {count = 2 : i64, ...}
        // becomes
        %y = rdu.pcu(%x) {count = 2 : i64, coordinates = dense<[[4, 20], [6, 20]]> : tensor<2x2xi64>, ...}

    Start: groups in the order of the streams, each unit on the free place nearest to the units that feed it. Then
    `moves` counted random trials (seeded): two units of a kind, or a unit and a free place, swap if wires get
    shorter. A unit's wires run to its partners in the groups that it feeds and reads. Sections of equal structure are
    placed once.

    Needs nothing but unit counts. Raises CapacityError when the target has fewer units than a section takes.
    """

    name: ClassVar[str] = "rdu-place"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program",)
    leaves = ("placement",)

    moves: int = 4000
    """Trials of the improvement, a section."""
    seed: int = 0
    """Of the random trials."""

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        machine = rdu.machine_of(op)
        budget = machine.target(chips=op.target.chips.data, tiles=op.target.tiles.data)
        grid = grid_of(machine, budget)
        known: dict[Netlist, list[list[Place]]] = {}
        for section in op.sections:
            require(demand_of(section), budget, op=section.name, location=location_of(section))
            netlist = netlist_of(section)
            if netlist not in known:
                placement = Placement(netlist, grid)
                start = placement.length()
                placement.improve(self.moves, Random(self.seed))
                known[netlist] = placement.coordinates()
                self.found(ctx, section, "wire length in hops", start=start, end=placement.length())
            for unit, places in zip(section.units, known[netlist], strict=True):
                unit.properties["coordinates"] = rdu.table(places, 2)


@dataclass(frozen=True)
class Netlist:
    """What placement depends on: resource and count of each group, and which group feeds which."""

    groups: tuple[tuple[str, int], ...]
    edges: tuple[tuple[int, int], ...]


def netlist_of(section: rdu.SectionOp) -> Netlist:
    """The groups of a section, numbered as they stand, and its streams without doubles."""
    units = section.units
    numbers = {unit: i for i, unit in enumerate(units)}
    edges: dict[tuple[int, int], None] = {}
    for unit in units:
        for value in unit.ports:
            if isinstance(value.owner, rdu.UnitOp):
                edges[numbers[value.owner], numbers[unit]] = None
    return Netlist(tuple((unit.RESOURCE, unit.units) for unit in units), tuple(edges))


class Placement:
    """Places of all units of a section; wires are Manhattan distances between the switches of partners."""

    def __init__(self, netlist: Netlist, grid: Grid) -> None:
        self.netlist, self.grid = netlist, grid
        self.wires: dict[Unit, list[Unit]] = {
            (group, i): [] for group, (_, count) in enumerate(netlist.groups) for i in range(count)
        }
        for a, b in netlist.edges:
            for i, j in partners(netlist.groups[a][1], netlist.groups[b][1]):
                self.wires[a, i].append((b, j))
                self.wires[b, j].append((a, i))
        self.at: dict[Unit, Place] = {}
        self._start()

    def _start(self) -> None:
        """Core groups in order, then AGCUs at the sides."""
        groups = list(enumerate(self.netlist.groups))
        free = {kind: _Free(self.grid.places(kind)) for kind in ("pcu", "pmu", "agcu")}
        near: Place = (0, self.grid.rows // 2)
        for sides in (False, True):
            for group, (resource, count) in groups:
                if (resource == "agcu") == sides:
                    near = self._start_group(group, count, free[resource], near)
        self.free = free

    def _start_group(self, group: int, count: int, free: _Free, near: Place) -> Place:
        for i in range(count):
            fixed = [self.at[other] for other in self.wires[group, i] if other in self.at]
            if fixed:
                near = sum(x for x, _ in fixed) // len(fixed), sum(y for _, y in fixed) // len(fixed)
            elif i:
                near = self.at[group, i - 1]
            self.at[group, i] = free.take(near)
        return self.at[group, 0]

    def cost(self, unit: Unit, place: Place) -> int:
        """Length of a unit's wires if it stood at `place`."""
        x, y = place
        at, length = self.at, 0
        for other in self.wires[unit]:
            a, b = at[other]
            length += abs(x - a) + abs(y - b)
        return length

    def length(self) -> int:
        """Length of all wires, in hops."""
        return sum(self.cost(unit, place) for unit, place in self.at.items()) // 2

    def improve(self, moves: int, random: Random) -> None:
        """Counted trials; a swap is kept when it shortens the wires (ties are not moves)."""
        units = [unit for unit in self.at if self.wires[unit]]
        if not units:
            return
        standing: dict[Place, Unit] = {place: unit for unit, place in self.at.items()}
        sites = {kind: self.grid.places(kind) for kind in ("pcu", "pmu", "agcu")}
        index = {kind: {place: i for i, place in enumerate(places)} for kind, places in sites.items()}
        for _ in range(moves):
            unit = units[int(random.random() * len(units))]
            kind = self.netlist.groups[unit[0]][0]
            here, there = self.at[unit], self._wish(unit, sites[kind], index[kind], random)
            if there == here:
                continue
            other = standing.get(there)
            before = self.cost(unit, here) + (self.cost(other, there) if other else 0)
            self.at[unit] = there
            if other:
                self.at[other] = here
            after = self.cost(unit, there) + (self.cost(other, here) if other else 0)
            if after < before:
                standing[there] = unit
                standing.pop(here)
                if other:
                    standing[here] = other
            else:
                self.at[unit] = here
                if other:
                    self.at[other] = there

    def _wish(self, unit: Unit, sites: Sequence[Place], index: Mapping[Place, int], random: Random) -> Place:
        """A place near the middle of a unit's partners, else any of its kind."""
        partners_at = [self.at[other] for other in self.wires[unit]]
        x = sorted(place[0] for place in partners_at)[len(partners_at) // 2] + int(random.random() * 5) - 2
        y = sorted(place[1] for place in partners_at)[len(partners_at) // 2] + int(random.random() * 5) - 2
        for place in ((x, y), (x + 1, y), (x, y + 1)):
            if place in index:
                return place
        return sites[int(random.random() * len(sites))]

    def coordinates(self) -> list[list[Place]]:
        """Per group, the place of each unit."""
        return [[self.at[group, i] for i in range(count)] for group, (_, count) in enumerate(self.netlist.groups)]


class _Free:
    """The free places of one kind, found by rings of growing distance around a wish."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = dict.fromkeys(places)

    def take(self, near: Place) -> Place:
        """Remove and return the nearest free place; equally near ones in the order left to right, top to bottom."""
        place = self._nearest(near)
        del self.places[place]
        return place

    def _nearest(self, near: Place) -> Place:
        x, y = near
        free = self.places
        if len(free) > 64:
            for distance in range(12):
                for dx in range(-distance, distance + 1):
                    rest = distance - abs(dx)
                    for dy in (-rest, rest) if rest else (0,):
                        if (x + dx, y + dy) in free:
                            return x + dx, y + dy
        return min(free, key=lambda place: (abs(place[0] - x) + abs(place[1] - y), place))
