"""A search for short wires: a start that swaps of units improve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

from sambaflow.dialects.rdu.grid import Grid, Place, partners
from sambaflow.passes.physical.units import Group

if TYPE_CHECKING:
    from sambaflow.dialects.rdu.attributes import Numbers


class Search:
    """Places of all units of a section; wires are Manhattan distances between partners.

    Units are numbered in the order in which they get their first place: core groups as they stand, then AGCUs. Those
    that are fixed never move, and nothing is tried where they stand.
    """

    def __init__(self, groups: Sequence[Group], edges: Sequence[tuple[int, int]], grid: Grid) -> None:
        self.groups, self.grid = groups, grid
        self.kinds: list[str] = []
        self.first: dict[int, int] = {}
        """The number of each group's first unit."""
        shared: dict[int, int] = {}
        for sides in (False, True):
            for number, group in enumerate(self.groups):
                if (group.kind == "agcu") == sides:
                    self.first[number] = shared.get(group.agcu, len(self.kinds))
                    if group.agcu >= 0:
                        shared[group.agcu] = self.first[number]
                    if self.first[number] == len(self.kinds):
                        self.kinds += [group.kind] * group.count
        self.wires: list[list[int]] = [[] for _ in self.kinds]
        for a, b in edges:
            first, second = self.first[a], self.first[b]
            for i, j in partners(self.groups[a].count, self.groups[b].count):
                self.wires[first + i].append(second + j)
                self.wires[second + j].append(first + i)
        self.fixed: dict[int, Place] = {}
        """The places of units that are fixed."""
        for number, group in enumerate(self.groups):
            self.fixed |= {self.first[number] + i: place for i, place in enumerate(group.places)}
        self.sites = self._open_sites()
        self.at: list[Place] = []
        self.length = 0
        """Of all wires, in hops."""
        self._start()

    def _open_sites(self) -> Mapping[str, tuple[Sequence[Place], frozenset[Place]]]:
        """By kind, all places where no unit is fixed, in order and as a set."""
        grid, taken = self.grid, frozenset(self.fixed.values())
        if not taken:
            return {kind: (grid.places(kind), sites) for kind, sites in grid.sites.items()}
        return {
            kind: ([place for place in grid.places(kind) if place not in taken], sites - taken)
            for kind, sites in grid.sites.items()
        }

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
        free = {kind: FreePlaces(places) for kind, (places, _) in self.sites.items()}
        near: Place = (0, self.grid.rows // 2)
        for number, first in self.first.items():
            group = self.groups[number]
            if first < len(self.at):  # an AGCU that another group has, too
                continue
            near = self._start_group(range(first, first + group.count), free[group.kind], near)

    def _start_along_curve(self) -> None:
        """Units of every core group in their order along one curve through all of the grid, then AGCUs at the sides.

        Partners stand at the same fraction of their groups (`partners`), so they come to stand side by side, where the
        other start would put a large group around the one that feeds it. The curve is as long as the kind of units that
        is scarcest needs it; the other is spread along it.
        """
        counts = {first: self.groups[number].count for number, first in self.first.items()}
        fractions = {first + i: (2 * i + 1) / (2 * count) for first, count in counts.items() for i in range(count)}
        order = sorted(fractions, key=lambda unit: (fractions[unit], unit))
        groups = [
            (
                [unit for unit in order if self.kinds[unit] == kind and unit not in self.fixed],
                along_curve(self.sites[kind][0], self.grid.rows),
            )
            for kind in ("pcu", "pmu")
        ]
        full = max((Fraction(len(units), len(places)) for units, places in groups if units), default=Fraction())
        sides = sum(kind != "agcu" for kind in self.kinds)
        self.at = [self.fixed.get(unit, (0, 0)) for unit in range(sides)]
        for units, places in groups:
            for number, unit in enumerate(units):
                self.at[unit] = places[number * full.numerator * len(places) // (full.denominator * len(units))]
        self._start_group(range(sides, len(self.kinds)), FreePlaces(self.sites["agcu"][0]), (0, 0))

    def _start_group(self, units: range, free: FreePlaces, near: Place) -> Place:
        for unit in units:
            there = [self.at[other] for other in self.wires[unit] if other < unit]
            if there:
                near = sum(x for x, _ in there) // len(there), sum(y for _, y in there) // len(there)
            elif unit > units.start:
                near = self.at[unit - 1]
            self.at.append(self.fixed[unit] if unit in self.fixed else free.take(near))
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
        wired = [unit for unit, wires in enumerate(self.wires) if wires and unit not in self.fixed]
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

    def coordinates(self) -> tuple[tuple[Place, ...], ...]:
        """Per group, the place of each unit."""
        firsts = [self.first[number] for number in range(len(self.groups))]
        return tuple(
            tuple(self.at[first : first + group.count]) for first, group in zip(firsts, self.groups, strict=True)
        )


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
