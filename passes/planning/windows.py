"""In how many windows a tensor is handed over, and what one of them holds."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

from sambaflow.passes.planning.facts import StageFacts
from sambaflow.passes.planning.tiling import Walk


def load_tile(shape: Sequence[int], tokens: int, walks: Sequence[Walk]) -> tuple[int, ...]:
    """The part of a tensor that one window of its load holds.

    `walks`: the loops of the reader that takes it in the most parts, `tokens`; a window is what it takes at a time.
    """
    tile = list(shape) or [1]
    left = tokens
    for step, count in ((walk.step, walk.count) for walk in walks):
        if left % count or left == 1:
            break
        left //= count
        stride = 1
        for dim in range(len(shape) - 1, -1, -1):
            if stride <= step < stride * shape[dim]:
                tile[dim] = min(tile[dim], step // stride)
            stride *= shape[dim]
    return tuple(tile)


def store_tile(stage: StageFacts, result: int, tile: Sequence[int]) -> tuple[int, ...]:
    """What one firing stores of a result that its stage, in tiles of `tile`, hands to the store directly."""
    facts = stage.results[result]
    if stage.transfer_picoseconds:  # a collective's result has other extents than its domain, in as many tiles
        return tuple(ceil(t * size / e) for t, e, size in zip(tile, stage.extents, facts.shape, strict=True)) or (1,)
    return (*(tuple(tile[dim] for dim in facts.over) or (1,)), *facts.block)


def tiles(extents: Sequence[int], tile: Sequence[int]) -> int:
    """How many tiles cover `extents`."""
    return prod(ceil(extent / part) for extent, part in zip(extents, tile, strict=True))
