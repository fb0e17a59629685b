"""The machine and the part of it that one section may use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

from sambaflow.machine import PICOSECONDS, Budget, Machine, efficiency


@dataclass(frozen=True)
class Resources:
    """The machine and the part of it that one section may use; off-chip values stand in `tier`."""

    machine: Machine
    budget: Budget
    tier: str

    @staticmethod
    def of(machine: Machine, chips: int = 1, tiles: int | None = None) -> Resources:
        """The target's budget, with the machine's fastest tier."""
        return Resources(machine, machine.target(chips=chips, tiles=tiles), next(iter(machine.tiers)))

    def transfer(self, size: int) -> int:
        """Picoseconds that the tier is busy with `size` bytes."""
        return -(-size * self._picoseconds_per_mebibyte >> 20)

    @cached_property
    def _picoseconds_per_mebibyte(self) -> int:
        rate = self.budget.tier_bandwidth[self.tier] * efficiency(self.machine.tiers[self.tier])
        return ceil((1 << 20) * PICOSECONDS / rate)
