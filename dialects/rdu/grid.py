"""Where units can stand on a chip, and what the mesh of switches looks like.

PCUs and PMUs form a checkerboard of `machine.rows` x `machine.cols` places; a part of a chip (some of its tiles)
is its first
rows. Every place has a switch. AGCUs stand in columns left (x < 0) and right (x >= cols) of it and enter at the
switch of
their row. (Places on real chips are not published: `hardware.md`.)

       x  -1   0   1   2   3   4
    y 0  AGCU PCU PMU PCU PMU AGCU
    y 1       PMU PCU PMU PCU
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from sambaflow.machine import Budget, Machine

Place = tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """`pcu`, `pmu`, `agcu`: the places of each kind, row by row, as (x, y)."""

    cols: int
    rows: int
    pcu: tuple[Place, ...]
    pmu: tuple[Place, ...]
    agcu: tuple[Place, ...]

    def places(self, resource: str) -> tuple[Place, ...]:
        """The places of "pcu", "pmu" or "agcu"."""
        return {"pcu": self.pcu, "pmu": self.pmu, "agcu": self.agcu}[resource]

    @cached_property
    def sites(self) -> Mapping[str, frozenset[Place]]:
        """The same places as sets, by kind."""
        return {"pcu": frozenset(self.pcu), "pmu": frozenset(self.pmu), "agcu": frozenset(self.agcu)}

    def switch(self, place: Place) -> Place:
        """The switch at which a unit enters the network."""
        return min(max(place[0], 0), self.cols - 1), place[1]


def partners(sources: int, targets: int) -> list[tuple[int, int]]:
    """Who sends to whom when a group of `sources` units feeds one of `targets`: every unit of both has a partner, work
    that lies side by side stays side by side (4 to 2: 00 10 21 31, 1 to n is a broadcast)."""
    most = max(sources, targets)
    return [(k * sources // most, k * targets // most) for k in range(most)]


def grid_of(machine: Machine, budget: Budget) -> Grid:
    """The part of the machine's grid that `budget` covers."""
    return _grid(machine.cols, budget.pcus, budget.pmus, budget.agcus)


@lru_cache(maxsize=16)
def _grid(cols: int, pcus: int, pmus: int, agcus: int) -> Grid:
    units = pcus + pmus
    rows = -(-units // cols)
    places = [(i % cols, i // cols) for i in range(units)]
    even = pcus == pmus and cols % 2 == 0
    is_pcu = [
        (x + y) % 2 == 0 if even else (i + 1) * pcus // units > i * pcus // units for i, (x, y) in enumerate(places)
    ]
    sides = [(i // (2 * rows), i % (2 * rows)) for i in range(agcus)]
    shared = min(agcus, 2 * rows)
    agcu = tuple(
        (-1 - layer if i % 2 == 0 else cols + layer, i // 2 * rows // max(1, -(-shared // 2))) for layer, i in sides
    )
    return Grid(
        cols,
        rows,
        tuple(place for place, pcu in zip(places, is_pcu, strict=True) if pcu),
        tuple(place for place, pcu in zip(places, is_pcu, strict=True) if not pcu),
        agcu,
    )
