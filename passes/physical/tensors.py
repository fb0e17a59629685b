"""Symbols and tiers, as memory planning sees them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tensor:
    """A symbol as memory planning sees it: alive from launch `first` to launch `last`, inclusive."""

    name: str
    bytes: int
    first: int
    last: int
    transfer: int = 0
    """Bytes that all launches read and write of it."""
    is_resident: bool = False
    """Whether it lives as long as the program."""
    is_weight: bool = False
    """Whether it is the last to leave a fast tier."""
    tier: int | None = None
    """The tier in which it is fixed; None where that is open."""
    address: int | None = None
    """The address at which it is fixed, in that tier."""


@dataclass(frozen=True)
class Tier:
    """A memory of a chip and its bytes."""

    name: str
    bytes: int


def aligned(tensor: Tensor, align: int) -> int:
    """The bytes that a tensor takes: at least one unit of alignment."""
    return max(1, -(-tensor.bytes // align)) * align
