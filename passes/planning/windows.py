"""In how many windows a tensor is handed over: what the plan counts with is what the conversion to rdu emits."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

from sambaflow.passes.planning.tiling import Walk


def load_tile(shape: Sequence[int], tokens: int, walks: Sequence[Walk]) -> tuple[tuple[int, ...], int]:
    """The part of a tensor that one window of its load holds, and how many windows there are.

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
    return tuple(tile), prod(ceil(e / t) for e, t in zip(shape or (1,), tile, strict=True))
