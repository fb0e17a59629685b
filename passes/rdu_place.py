"""rdu-place: give every unit of every section a place on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, ClassVar

from xdsl.context import Context

from sambaflow.diagnostics import location_of
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.capacity import demand_of
from sambaflow.dialects.rdu.grid import Grid, Place, grid_of, partners
from sambaflow.dialects.rdu.units import stream
from sambaflow.machine import require, shared_agcus
from sambaflow.passes.framework.base import OperationPass

if TYPE_CHECKING:
    from sambaflow.dialects.rdu.attributes import Numbers


@dataclass(frozen=True)
class RduPlacePass(OperationPass[rdu.ProgramOp]):
    """Choose coordinates: PCUs and PMUs on the checkerboard, AGCUs at its sides.

        %y = rdu.pcu(%x) {count = 2 : i64, ...}
        // becomes
        %y = rdu.pcu(%x) {count = 2 : i64, coordinates = dense<[[4, 20], [6, 20]]> : tensor<2x2xi64>, ...}

    Two starts: groups in the order of the streams, each unit on the free place nearest to the units that feed it; and
    all groups at once along a curve through the grid. The one with the shorter wires is kept. Then sweeps over the
    units, those with the most wires first: a unit and what stands near the middle of its partners (a seeded choice)
    swap if wires get shorter, until a sweep gains little or `moves` trials are made. A unit's wires run to its partners
    in the groups that it feeds and reads. Sections of equal structure are placed once. Where loads, stores and
    collectives are more than the AGCUs, those of one AGCU share them, by bytes: they stand at the same place.

    Needs nothing but unit counts. Raises CapacityError when the target has fewer units than a section takes.
    """

    name: ClassVar[str] = "rdu-place"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program",)
    leaves = ("placement",)

    moves: int = 4000
    """Trials of the improvement, a section, at most."""
    seed: int = 0
    """Of the random trials."""

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        machine = rdu.machine_of(op)
        budget = machine.target(chips=op.target.chips.data, tiles=op.target.tiles.data)
        grid = grid_of(machine, budget)
        known: dict[Netlist, Placed] = {}
        for section in op.sections:
            require(demand_of(section, budget), budget, op=section.name, location=location_of(section))
            netlist = netlist_of(section, budget.agcus)
            if netlist not in known:
                known[netlist] = placed(netlist, grid, self.moves, self.seed)
                self.found(ctx, section, "wire length in hops", start=known[netlist].start, end=known[netlist].end)
            for unit, places in zip(section.units, known[netlist].coordinates, strict=True):
                unit.properties["coordinates"] = rdu.table(places, 2)


@dataclass(frozen=True)
class Netlist:
    """What placement depends on: resource and count of each group, which group feeds which, and which groups share an
    AGCU: `shared` has its number, or -1, of each group."""

    groups: tuple[tuple[str, int], ...]
    edges: tuple[tuple[int, int], ...]
    shared: tuple[int, ...]


def netlist_of(section: rdu.SectionOp, agcus: int) -> Netlist:
    """The groups of a section, numbered as they stand, and its streams without doubles."""
    units = section.units
    numbers = {unit: i for i, unit in enumerate(units)}
    edges: dict[tuple[int, int], None] = {}
    for unit in units:
        for value in unit.ports:
            if isinstance(value.owner, rdu.UnitOp):
                edges[numbers[value.owner], numbers[unit]] = None
    return Netlist(tuple((unit.RESOURCE, unit.units) for unit in units), tuple(edges), tuple(_shared(units, agcus)))


def _shared(units: Sequence[rdu.UnitOp], agcus: int) -> list[int]:
    """The AGCU of each group that shares one, -1 of the others: groups of one AGCU share what the others leave, by
    bytes, when there are more groups than AGCUs."""
    found = [-1] * len(units)
    streams = [unit for unit in units if unit.RESOURCE == "agcu"]
    if sum(unit.units for unit in streams) > agcus:
        single = {i: _bytes(unit) for i, unit in enumerate(units) if unit.RESOURCE == "agcu" and unit.units == 1}
        left = agcus - sum(unit.units for unit in streams if unit.units > 1)
        for i, agcu in zip(single, shared_agcus(list(single.values()), left), strict=True):
            found[i] = agcu
    return found


def _bytes(unit: rdu.UnitOp) -> int:
    """What goes over an AGCU in one execution: the widest of its streams."""
    types = [stream(value) for value in (*unit.ports, *unit.results)]
    return max((type.tile_bytes * type.count.data for type in types), default=0)


@dataclass(frozen=True)
class Placed:
    """Per group, the place of each unit; the length of all wires before and after the improvement, in hops."""

    coordinates: tuple[tuple[Place, ...], ...]
    start: int
    end: int


@lru_cache(maxsize=1024)
def placed(netlist: Netlist, grid: Grid, moves: int, seed: int) -> Placed:
    """What `moves` trials make of a netlist; models compiled one after the other share sections, too."""
    placement = Placement(netlist, grid)
    start = placement.length
    placement.improve(moves, Random(seed))
    return Placed(tuple(map(tuple, placement.coordinates())), start, placement.length)


class Placement:
    """Places of all units of a section; wires are Manhattan distances between the switches of partners.

    Units are numbered in the order in which they get their first place: core groups as they stand, then AGCUs.
    """

    def __init__(self, netlist: Netlist, grid: Grid) -> None:
        self.netlist, self.grid = netlist, grid
        self.kinds: list[str] = []
        self.first: dict[int, int] = {}
        """The number of each group's first unit."""
        shared: dict[int, int] = {}
        for sides in (False, True):
            for group, (resource, count) in enumerate(netlist.groups):
                if (resource == "agcu") == sides:
                    agcu = netlist.shared[group]
                    self.first[group] = shared.get(agcu, len(self.kinds))
                    if agcu >= 0:
                        shared[agcu] = self.first[group]
                    if self.first[group] == len(self.kinds):
                        self.kinds += [resource] * count
        self.wires: list[list[int]] = [[] for _ in self.kinds]
        for a, b in netlist.edges:
            first, second = self.first[a], self.first[b]
            for i, j in partners(netlist.groups[a][1], netlist.groups[b][1]):
                self.wires[first + i].append(second + j)
                self.wires[second + j].append(first + i)
        self.sites = {kind: (places := grid.places(kind), frozenset(places)) for kind in ("pcu", "pmu", "agcu")}
        """All places of a kind, in order and as a set."""
        self.at: list[Place] = []
        self.length = 0
        """Of all wires, in hops."""
        self._start()

    def _start(self) -> None:
        """The shorter of the two starts. Trials bring broadcasts together better after the first: the second has to be
        shorter by a quarter."""
        self._start_by_groups()
        packed, self.length = self.at, self._length()
        self._start_along_curve()
        if 4 * (length := self._length()) < 3 * self.length:
            self.length = length
        else:
            self.at = packed

    def _start_by_groups(self) -> None:
        """Core groups in order, then AGCUs at the sides: what is broadcast in a group stays in a small region."""
        self.at = []
        free = {kind: FreePlaces(self.grid.places(kind)) for kind in ("pcu", "pmu", "agcu")}
        near: Place = (0, self.grid.rows // 2)
        for group, first in self.first.items():
            resource, count = self.netlist.groups[group]
            if first < len(self.at):  # an AGCU that another group has, too
                continue
            near = self._start_group(range(first, first + count), free[resource], near)

    def _start_along_curve(self) -> None:
        """Units of every core group in their order along one curve through all of the grid, then AGCUs at the sides.

        Partners stand at the same fraction of their groups (`partners`), so they come to stand side by side, where the
        other start would put a large group around the one that feeds it. The curve is as long as the kind of units that
        is scarcest needs it; the other is spread along it.
        """
        counts = {first: self.netlist.groups[group][1] for group, first in self.first.items()}
        fractions = {first + i: (2 * i + 1) / (2 * count) for first, count in counts.items() for i in range(count)}
        order = sorted(fractions, key=lambda unit: (fractions[unit], unit))
        groups = [
            ([unit for unit in order if self.kinds[unit] == kind], along_curve(self.grid.places(kind), self.grid.rows))
            for kind in ("pcu", "pmu")
        ]
        full = max((Fraction(len(units), len(places)) for units, places in groups if units), default=Fraction())
        sides = sum(len(units) for units, _ in groups)
        self.at = [(0, 0)] * sides
        for units, places in groups:
            for number, unit in enumerate(units):
                self.at[unit] = places[number * full.numerator * len(places) // (full.denominator * len(units))]
        self._start_group(range(sides, len(self.kinds)), FreePlaces(self.grid.places("agcu")), (0, 0))

    def _start_group(self, units: range, free: FreePlaces, near: Place) -> Place:
        for unit in units:
            fixed = [self.at[other] for other in self.wires[unit] if other < unit]
            if fixed:
                near = sum(x for x, _ in fixed) // len(fixed), sum(y for _, y in fixed) // len(fixed)
            elif unit > units.start:
                near = self.at[unit - 1]
            self.at.append(free.take(near))
        return self.at[units.start] if units else near

    def _length(self) -> int:
        import numpy as np

        wires = [len(wires) for wires in self.wires]
        at = np.array(self.at, np.int64).reshape(-1, 2)
        others = at[np.fromiter(chain.from_iterable(self.wires), np.int64, sum(wires))]
        return int(np.abs(np.repeat(at, wires, axis=0) - others).sum()) // 2

    def improve(self, moves: int, random: Random) -> None:
        """Sweeps over the units, those with the most wires first; a swap is kept when it shortens the wires.

        A sweep ends at the eighth of the units that shortens them by less than one in 256 (those with fewer wires gain
        less), the sweeps after one that shortens them by less than one in 16; all of them when `moves` trials are made,
        or when so many wires were looked at as `moves` trials of units with 100 wires each would look at.
        """
        wired = [unit for unit, wires in enumerate(self.wires) if wires]
        units = sorted(wired, key=lambda unit: -len(self.wires[unit]))
        standing: dict[Place, int] = {place: unit for unit, place in enumerate(self.at)}
        size, looks = max(1, -(-len(units) // 8)), 100 * moves
        while True:
            start = self.length
            for first in range(0, len(units), size):
                before = self.length
                for unit in units[first : first + size]:
                    if moves == 0 or looks < 0:
                        return
                    moves, looks = moves - 1, looks - self._try(unit, standing, random)
                if 256 * (before - self.length) < before:
                    break
            if 16 * (start - self.length) <= start:
                return

    def _try(self, unit: int, standing: dict[Place, int], random: Random) -> int:
        """Move a unit to the place that it wishes for if that shortens the wires; how many wires were looked at."""
        at, here = self.at, self.at[unit]
        if (there := self._wish(unit, random)) == here:
            return 0
        other = standing.get(there)
        looked, gain = len(self.wires[unit]), self._gain(unit, here, there, other)
        if other is not None:
            looked, gain = looked + len(self.wires[other]), gain + self._gain(other, there, here, unit)
        if gain > 0:
            self.length -= gain
            at[unit], standing[there] = there, unit
            del standing[here]
            if other is not None:
                at[other], standing[here] = here, other
        return looked

    def _gain(self, unit: int, here: Place, there: Place, partner: int | None) -> int:
        """By how much a unit's wires get shorter when it moves; one to the unit with which it changes places stays."""
        (x0, y0), (x1, y1), at, gain = here, there, self.at, 0
        for other in self.wires[unit]:
            if other != partner:
                a, b = at[other]
                gain += (x0 - a if x0 > a else a - x0) - (x1 - a if x1 > a else a - x1)
                gain += (y0 - b if y0 > b else b - y0) - (y1 - b if y1 > b else b - y1)
        return gain

    def _wish(self, unit: int, random: Random) -> Place:
        """A place near the middle of a unit's partners, else any of its kind."""
        at, wires, (sites, index) = self.at, self.wires[unit], self.sites[self.kinds[unit]]
        middle = len(wires) // 2
        x = sorted([at[other][0] for other in wires])[middle] + int(random.random() * 5) - 2
        y = sorted([at[other][1] for other in wires])[middle] + int(random.random() * 5) - 2
        for place in ((x, y), (x + 1, y), (x, y + 1)):
            if place in index:
                return place
        return sites[int(random.random() * len(sites))]

    def coordinates(self) -> list[list[Place]]:
        """Per group, the place of each unit."""
        counts = [count for _, count in self.netlist.groups]
        return [self.at[self.first[group] : self.first[group] + count] for group, count in enumerate(counts)]


TAKEN = 1 << 20
"""More than columns and rows of a grid."""

BAND = 8
"""Rows of a band of the curve: units that one of a hundred partners feeds stand in a region that is nearly square."""


def along_curve(places: Sequence[Place], rows: int) -> list[Place]:
    """Places in the order of a curve that leads through bands of the grid, there and back."""
    bands = max(1, round(rows / BAND))

    def key(place: Place) -> tuple[int, int, int]:
        x, y = place
        band = y * bands // rows
        return band, -x if band % 2 else x, y

    return sorted(places, key=key)


class FreePlaces:
    """The free places of one kind."""

    def __init__(self, places: Sequence[Place]) -> None:
        import numpy as np

        self.places = sorted(places)
        self.x, self.y = np.array(self.places, np.int64).reshape(-1, 2).T
        self.taken = np.zeros(len(self.places), np.int64)
        """What makes a place that is taken further away than any other."""
        self.near: Place | None = None
        """Of the last wish."""
        self.nearest: list[int] = []
        """The numbers of all that is free by distance from `near`, the nearest last; none before `near` was wished for
        twice."""

    def take(self, near: Place) -> Place:
        """Remove and return the nearest free place; of equally near ones the leftmost, then the topmost."""
        if near != self.near:
            self.near, self.nearest = near, []
            number = int(self._distances(near).argmin())
        else:  # a group around one unit: its places are put in order once
            self.nearest = self.nearest or self._in_order(near)
            number = self.nearest.pop()
        self.taken[number] = TAKEN
        return self.places[number]

    def _in_order(self, near: Place) -> list[int]:
        free = len(self.places) - self.taken.nonzero()[0].size
        return self._distances(near).argsort(kind="stable")[:free][::-1].tolist()

    def _distances(self, near: Place) -> Numbers:
        return abs(self.x - near[0]) + abs(self.y - near[1]) + self.taken
