"""rdu-place: give every unit of every section a place on the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import ClassVar

from xdsl.context import Context

from sambaflow.diagnostics import error_at, location_of
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.capacity import demand_of
from sambaflow.dialects.rdu.grid import Grid, Place, grid_of
from sambaflow.dialects.rdu.units import stream
from sambaflow.errors import CapacityError
from sambaflow.machine import require, shared_agcus
from sambaflow.passes.framework.base import OperationPass
from sambaflow.passes.framework.decisions import decide, is_fixed
from sambaflow.passes.physical.placement import Placement, PlacementProblem
from sambaflow.passes.physical.solving import solve_for
from sambaflow.passes.physical.units import Group


@dataclass(frozen=True)
class RduPlacePass(OperationPass[rdu.ProgramOp]):
    """Choose coordinates: PCUs and PMUs on the checkerboard, AGCUs at its sides.

        %y = rdu.pcu(%x) {count = 2 : i64, ...}
        // becomes
        %y = rdu.pcu(%x) {count = 2 : i64, coordinates = dense<[[4, 20], [6, 20]]> : tensor<2x2xi64>, ...}

    The wires of a unit run to its partners in the groups that it feeds and reads. `swaps` makes them short: of two
    starts it takes the better, then units and what stands near the middle of their partners change places while that
    shortens wires. `rows` puts units on the first free places, row by row. Sections of equal structure are placed once.
    Where loads, stores and collectives are more than the AGCUs, those of one AGCU share them, by bytes: they stand at
    the same place.

    Coordinates that stand are kept; units without any are placed around them. Coordinates that cannot be kept are
    refused.

    Needs nothing but unit counts. Raises CapacityError when the target has fewer units than a section takes, or than
    what is fixed leaves.
    """

    name: ClassVar[str] = "rdu-place"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program",)
    leaves = ("placement",)

    moves: int = 4000
    """Trials of the improvement, a section, at most."""
    seed: int = 0
    """Of the random trials."""
    solver: str | None = None
    """`swaps` (the default), `rows`, or one that a package adds."""

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        machine = rdu.machine_of(op)
        budget = machine.target(chips=op.target.chips.data, tiles=op.target.tiles.data)
        grid = grid_of(machine, budget)
        known: dict[PlacementProblem, Placement] = {}
        for section in op.sections:
            require(demand_of(section, budget), budget, op=section.name, location=location_of(section))
            problem = problem_of(section, grid, self.moves, self.seed)
            placement = known.get(problem)
            if placement is None:
                placement = known[problem] = solve_for(section, problem, self.solver)
                self.found(ctx, section, "wire length in hops", **dict(placement.facts))
            for unit, places in zip(section.units, placement.coordinates, strict=True):
                decide(unit, "coordinates", rdu.table(places, 2), "search")


def problem_of(section: rdu.SectionOp, grid: Grid, moves: int = 4000, seed: int = 0) -> PlacementProblem:
    """The groups of a section, numbered as they stand, its streams without doubles, and what stands.

    Raises PassError about a unit whose coordinates cannot be kept, CapacityError about one for which those leave no
    AGCU.
    """
    units = section.units
    numbers = {unit: i for i, unit in enumerate(units)}
    edges: dict[tuple[int, int], None] = {}
    for unit in units:
        for value in unit.ports:
            if isinstance(value.owner, rdu.UnitOp):
                edges[numbers[value.owner], numbers[unit]] = None
    groups = [Group(unit.RESOURCE, unit.units, -1, _standing(unit)) for unit in units]
    problem = PlacementProblem(tuple(groups), tuple(edges), grid, moves, seed)
    for number, why in problem.broken([group.places for group in groups]):
        raise error_at(units[number], why, levers=["leave its coordinates out"])
    shared = _shared(units, groups, len(grid.agcu))
    if not shared:
        return problem
    return replace(problem, groups=tuple(replace(group, agcu=shared.get(i, -1)) for i, group in enumerate(groups)))


def _standing(unit: rdu.UnitOp) -> tuple[Place, ...]:
    """The places that stand on a unit, and stay."""
    if unit.coordinates is None or not is_fixed(unit, "coordinates"):
        return ()
    return tuple((x, y) for x, y in unit.places)


def _shared(units: Sequence[rdu.UnitOp], groups: Sequence[Group], agcus: int) -> Mapping[int, int]:
    """The AGCU of each group that shares one: groups of one AGCU share what the others leave, by bytes, when there are
    more groups than AGCUs; where the others leave none, they join groups that are fixed."""
    standing = {place for group in groups if group.kind == "agcu" for place in group.places}
    streams = [number for number, group in enumerate(groups) if group.kind == "agcu" and not group.places]
    left = agcus - len(standing)
    if sum(groups[number].count for number in streams) <= left:
        return {}
    single = {number: _bytes(units[number]) for number in streams if groups[number].count == 1}
    larger = [number for number in streams if number not in single]
    alone = sum(groups[number].count for number in larger)
    if alone > left:
        raise error_at(
            units[larger[-1]],
            "finds no AGCU beside those that are fixed",
            CapacityError,
            demand=f"{alone} AGCUs",
            limit=f"{left} AGCUs",
            shortfall=f"{alone - left} AGCUs",
            levers=["leave coordinates of AGCUs out"],
        )
    if alone == left:
        return _joined(units, groups, single)
    return dict(zip(single, shared_agcus(list(single.values()), left - alone), strict=True))


def _joined(units: Sequence[rdu.UnitOp], groups: Sequence[Group], single: Mapping[int, int]) -> Mapping[int, int]:
    """The AGCU of each group of `single`, with its bytes, and of those that are fixed there: the largest first, to the
    one that carries least."""
    agcus: dict[int, int] = {}
    carriers = _carriers(groups)
    held = [(sum(_bytes(units[number]) for number in those), agcu) for agcu, those in enumerate(carriers)]
    heapify(held)
    for number, size in sorted(single.items(), key=lambda item: (-item[1], item[0])):
        carried, agcu = heappop(held)
        heappush(held, (carried + size, agcu))
        agcus |= dict.fromkeys((number, *carriers[agcu]), agcu)
    return agcus


def _carriers(groups: Sequence[Group]) -> list[list[int]]:
    """The groups of one AGCU that are fixed, those at one place together; not where a larger group stands, too."""
    fixed = [(number, group) for number, group in enumerate(groups) if group.kind == "agcu" and group.places]
    larger = {place for _, group in fixed if group.count > 1 for place in group.places}
    carriers: dict[Place, list[int]] = {}
    for number, group in fixed:
        if group.places[0] not in larger:
            carriers.setdefault(group.places[0], []).append(number)
    return list(carriers.values())


def _bytes(unit: rdu.UnitOp) -> int:
    """What goes over an AGCU in one execution: the widest of its streams."""
    types = [stream(value) for value in (*unit.ports, *unit.results)]
    return max((stream_type.tile_bytes * stream_type.count.data for stream_type in types), default=0)
