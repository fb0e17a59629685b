"""The memory of the chips that a program runs on, as far as symbols lie in it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import torch

from sambaflow.backends.rdu.image import Symbol
from sambaflow.errors import PefError
from sambaflow.sim.functional.dtypes import TORCH_DTYPES

ALIGNMENT = 8
"""No element is wider: a symbol at a multiple of it can be viewed in its dtype."""


class Memory:
    """Bytes of every chip and tier; a symbol is a window of them, so a wrong address or lifetime gives wrong numbers.

    Only the blocks of addresses exist in which symbols lie: tiers are larger than the machine that simulates them.
    Raises PefError when this machine has not that much memory.
    """

    def __init__(self, symbols: Sequence[Symbol], chips: int) -> None:
        self.symbols = symbols
        self._blocks = {tier: _blocks([s for s in symbols if s.tier == tier]) for tier in {s.tier for s in symbols}}
        needed = chips * sum(size for blocks in self._blocks.values() for size in blocks.values())
        try:
            self._bytes = [
                {
                    (tier, start): torch.zeros(size, dtype=torch.uint8)
                    for tier, blocks in self._blocks.items()
                    for start, size in blocks.items()
                }
                for _ in range(chips)
            ]
        except (RuntimeError, MemoryError):
            raise PefError(
                "the memory of its chips does not fit the memory of this machine",
                demand=f"{needed} bytes",
                levers=["only simulate the time (samba-run without inputs)", "compile a smaller model"],
            ) from None
        self._starts = {tier: sorted(blocks) for tier, blocks in self._blocks.items()}
        self._windows: dict[tuple[int, int], torch.Tensor] = {}

    def of(self, number: int, chip: int) -> torch.Tensor:
        """The flat storage of a symbol on a chip: a view, so writing it writes the chip's memory."""
        window = self._windows.get((number, chip))
        if window is None:
            symbol = self.symbols[number]
            starts = self._starts[symbol.tier]
            block = starts[bisect_right(starts, symbol.address) - 1]
            first = symbol.address - block
            dtype = TORCH_DTYPES[symbol.dtype]
            if first % dtype.itemsize:
                raise PefError(f"symbol '{symbol.name}' stands at the unaligned address {symbol.address:#x}")
            size = math.prod(int(n) for n in symbol.shape) * dtype.itemsize
            window = self._bytes[chip][symbol.tier, block][first : first + size].view(dtype)
            self._windows[number, chip] = window
        return window


def _blocks(symbols: Sequence[Symbol]) -> Mapping[int, int]:
    """Start and size of the blocks that symbols of one tier lie in; symbols that touch lie in one."""
    blocks: dict[int, int] = {}
    start = end = -1
    for symbol in sorted(symbols, key=lambda symbol: symbol.address):
        if symbol.address > end:
            start = end = symbol.address // ALIGNMENT * ALIGNMENT
        end = max(end, symbol.address + symbol.bytes)
        blocks[start] = end - start
    return blocks
