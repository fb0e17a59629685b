"""Off-chip memory: what share of a tier's bandwidth an access pattern reaches."""

from math import ceil, sqrt

from sambaflow.machine.model import PICOSECONDS, Tier

TURNAROUND = 0.09
"""Share of the bandwidth lost to read-write turnarounds at equal shares (fit to a DRAM simulator)."""


def efficiency(tier: Tier, contiguous: int | None = None, write_share: float = 0.0) -> float:
    """Share of peak bandwidth: eta * x / sqrt(1 + x^2) * (1 - 0.09 * 4 w (1 - w)).

    x = contiguous bytes per channel visit / (channel bandwidth * tFAW / 4); None: long streams, x is infinite.
    w = write share. Fitted to a DRAM simulator, not to silicon: on HBM2 80-91 % from 512 B contiguous on, 24 % at 64 B.
    """
    turnaround = 1 - TURNAROUND * 4 * write_share * (1 - write_share)
    return tier.efficiency * _activation(tier, contiguous) * turnaround


def _activation(tier: Tier, contiguous: int | None) -> float:
    row = tier.channel_bandwidth * tier.activate_window / 4
    if contiguous is None or row == 0:
        return 1.0
    x = contiguous / row
    return x / sqrt(1 + x * x)


def accessed_bytes(tier: Tier, size: int, contiguous: int | None = None) -> int:
    """Bytes that the memory moves for `size` wanted: every contiguous piece is rounded up to whole accesses."""
    access = tier.access_bytes
    if not contiguous or contiguous >= size:
        return ceil(size / access) * access
    return ceil(size / contiguous) * ceil(contiguous / access) * access


def service_picoseconds(
    tier: Tier, bandwidth: float, size: int, contiguous: int | None = None, write_share: float = 0.0
) -> int:
    """How long the tier is busy with a transfer, in whole picoseconds, rounded up.

    `bandwidth` is the share of the tier that the target has (`Budget.tier_bandwidth`), in bytes a second.
    """
    moved = accessed_bytes(tier, size, contiguous)
    return ceil(moved * PICOSECONDS / (bandwidth * efficiency(tier, contiguous, write_share)))
