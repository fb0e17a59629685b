"""Placing: which unit of a section stands where on the grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from random import Random
from typing import ClassVar

from sambaflow.dialects.rdu.grid import Grid, Place, partners
from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution
from sambaflow.passes.physical.swaps import Search
from sambaflow.passes.physical.units import Group


@dataclass(frozen=True)
class Placement:
    """Where the units of a section stand."""

    coordinates: tuple[tuple[Place, ...], ...]
    """Per group, the place of each unit."""
    facts: tuple[tuple[str, int], ...] = ()
    """What the solver says of its search, for the remark: names and figures."""


@dataclass(frozen=True)
class PlacementProblem(Problem[Placement]):
    """The groups of a section, which feeds which, and the grid. Short wires are better; how short is no rule.

    A solution is one place of its kind for every unit, where no other unit stands. AGCUs carry several streams: groups
    that share one stand together, and so may groups that are fixed there.
    """

    kind: ClassVar[str] = "placement"

    groups: tuple[Group, ...]
    edges: tuple[tuple[int, int], ...]
    """Numbers of two groups, of which the first feeds the second."""
    grid: Grid = field(hash=False)
    moves: int = 4000
    """Trials that a search may make."""
    seed: int = 0
    """Of random trials."""

    @classmethod
    def solvers(cls) -> tuple[Solver, ...]:
        return SWAPS, ROWS

    def verify(self, solution: Placement) -> None:
        """Raise WrongSolution unless every unit has a place of its own, of its kind, and what is fixed stays."""
        coordinates = solution.coordinates
        if len(coordinates) != len(self.groups):
            raise WrongSolution(f"places {len(coordinates)} groups, of {len(self.groups)}")
        if () in coordinates:
            raise WrongSolution(f"group {coordinates.index(())} has no places")
        for number, why in self.broken(coordinates):
            raise WrongSolution(f"group {number} {why}")
        for number, (group, places) in enumerate(zip(self.groups, coordinates, strict=True)):
            if group.places and group.places != places:
                unit = _first_difference(group.places, places)
                fixed, there = group.places[unit], places[unit]
                raise WrongSolution(f"unit {unit} of group {number} is fixed at {fixed}, not at {there}")

    def broken(self, coordinates: Sequence[tuple[Place, ...]]) -> Iterator[tuple[int, str]]:
        """What stands against the places of a group: its number, and why. Groups without places are left out.

        With what is fixed alone, `[group.places for group in groups]`, it says what no solution can keep.
        """
        taken: set[Place] = set()
        open_agcus: set[Place] = set()
        """AGCUs of groups that are not fixed: two that are may stand together."""
        shared: dict[int, int] = {}
        for number, (group, places) in enumerate(zip(self.groups, coordinates, strict=True)):
            if not places:
                continue
            if len(places) != group.count:
                yield number, f"has {len(places)} places for {group.count} units"
                continue
            if not self.grid.sites[group.kind].issuperset(places):
                stray = next(place for place in places if place not in self.grid.sites[group.kind])
                yield number, f"stands at {stray}, where no {group.kind.upper()} is"
                continue
            if len(set(places)) != len(places):
                yield number, f"has two units at {_twice(places)}"
            first = shared.setdefault(group.agcu, number) if group.agcu >= 0 else number
            if first != number:
                if places != (there := coordinates[first]):
                    yield number, f"stands at {places[0]}, but shares the AGCU of group {first}, at {there[0]}"
                continue
            others = open_agcus if group.kind == "agcu" and group.places else taken
            if not others.isdisjoint(places):
                place = next(place for place in places if place in others)
                yield number, f"stands at {place}, where group {_at(place, coordinates[:number])} is"
            taken.update(places)
            if not group.places:
                open_agcus.update(places)

    def length(self, solution: Placement) -> int:
        """Of all wires, in hops: from every unit to its partners in the groups that its group feeds."""
        import numpy as np

        counts = [group.count for group in self.groups]
        flat = chain.from_iterable(chain.from_iterable(solution.coordinates))
        at = np.fromiter(flat, np.int64, 2 * sum(counts)).reshape(-1, 2)
        first = [0, *np.cumsum(counts).tolist()]
        ends = [(first[a] + i, first[b] + j) for a, b in self.edges for i, j in partners(counts[a], counts[b])]
        sources, targets = np.array(ends, np.int64).reshape(-1, 2).T
        return int(np.abs(at[sources] - at[targets]).sum())


@lru_cache(maxsize=1024)
def by_swaps(problem: PlacementProblem) -> Placement:
    """What `moves` trials make of a start; models compiled one after the other share sections, too.

    Two starts: groups in the order of the streams, each unit on the free place nearest to the units that feed it; and
    all groups at once along a curve through the grid. The one with the shorter wires is kept. Then sweeps over the
    units, those with the most wires first: a unit and what stands near the middle of its partners (a seeded choice)
    swap if wires get shorter, until a sweep gains little or `moves` trials are made.
    """
    search = Search(problem.groups, problem.edges, problem.grid)
    start = search.length
    search.improve(problem.moves, Random(problem.seed))
    return Placement(search.coordinates(), (("start", start), ("end", search.length)))


def in_rows(problem: PlacementProblem) -> Placement:
    """Every unit on the first free place of its kind, row by row: no search, and places that are easy to foresee."""
    taken = {place for group in problem.groups for place in group.places}
    free = {kind: (place for place in problem.grid.places(kind) if place not in taken) for kind in problem.grid.sites}
    shared = {group.agcu: group.places for group in problem.groups if group.places and group.agcu >= 0}
    coordinates: list[tuple[Place, ...]] = []
    for group in problem.groups:
        places = group.places or shared.get(group.agcu, ())
        if not places:
            places = tuple(next(free[group.kind]) for _ in range(group.count))
            if group.agcu >= 0:
                shared[group.agcu] = places
        coordinates.append(places)
    placement = Placement(tuple(coordinates))
    return replace(placement, facts=(("end", problem.length(placement)),))


SWAPS = Solver("swaps", PlacementProblem, by_swaps)
ROWS = Solver("rows", PlacementProblem, in_rows)


def _first_difference(fixed: Sequence[Place], places: Sequence[Place]) -> int:
    return next(i for i, (fixed_place, place) in enumerate(zip(fixed, places, strict=True)) if fixed_place != place)


def _twice(places: Sequence[Place]) -> Place:
    return next(place for i, place in enumerate(places) if place in places[:i])


def _at(place: Place, coordinates: Sequence[Sequence[Place]]) -> int:
    """The last group of some that has a unit at `place`."""
    return max(number for number, places in enumerate(coordinates) if place in places)
