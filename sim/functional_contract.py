"""Contractions and sums in the order of the numeric contract, at the speed of a matrix product.

The contract: the flattened reduction space is cut at absolute multiples of 128, each block adds ascending from zero in
fp32, blocks add in ascending order. torch's `mm` adds one block in that order, with fused multiply-adds, as long as
its right operand is packed, at least 16 columns wide, and its left has at least 4 rows; `matrix_product_is_strict`
checks that on this machine once, and a strict loop stands in where it fails.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import torch

BLOCK = 128
MIN_ROWS, MIN_COLUMNS, MIN_DEPTH = 4, 16, 8


@functools.cache
def _blocks(extents: tuple[int, ...], part: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    flat = torch.zeros((), dtype=torch.int64)
    for extent, (start, end) in zip(extents, part, strict=True):
        flat = flat[..., None] * extent + torch.arange(start, end)
    number = flat.reshape(-1) // BLOCK
    if not number.numel():
        return []
    cuts = [0, *(torch.nonzero(number[1:] != number[:-1]).reshape(-1) + 1).tolist(), number.numel()]
    return list(itertools.pairwise(cuts))


def blocks(extents: Sequence[int], part: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The runs of a box of the reduction space that fold together, as (start, end) of its own flattened points.

    `extents` is the whole reduction space, `part` the box as (start, end) per dimension: two neighbours of the box fold
    together iff their absolute flat positions lie between the same multiples of 128.
    """
    return _blocks(tuple(extents), tuple(part))


def block_products(left: torch.Tensor, right: torch.Tensor, runs: Sequence[tuple[int, int]]) -> torch.Tensor:
    """sum over k of left[b, m, k] * right[b, n, k], one fp32 sum a run, runs added in order; shape [b, m, n].

    The larger side is the left operand of the product, which `mm` takes with any stride; the other one is packed.
    """
    if left.shape[1] < right.shape[1]:
        return block_products(right, left, runs).transpose(1, 2)
    rows, columns = left.shape[1], right.shape[1]
    left = _at_least(left.float(), 1, MIN_ROWS)
    right = _at_least(right.float(), 1, MIN_COLUMNS)
    total: torch.Tensor | None = None
    for start, end in runs:
        a, b = left[:, :, start:end], right[:, :, start:end].transpose(1, 2)
        if end - start < MIN_DEPTH:
            a, b = _at_least(a, 2, MIN_DEPTH), _at_least(b, 1, MIN_DEPTH)
        product = _product(a, b.contiguous())
        total = product if total is None else total.add_(product)
    if total is None:
        return left.new_zeros((left.shape[0], rows, columns))
    return total[:, :rows, :columns]


def contract(
    a: torch.Tensor,
    b: torch.Tensor,
    parallel: Sequence[int],
    reduction: Sequence[int],
    runs: Sequence[tuple[int, int]],
    extents: Sequence[int],
) -> torch.Tensor:
    """sum over the reduction dimensions of a * b, both given over the domain (broadcast dimensions of size 1).

    `parallel` and `reduction` are dimension numbers. Returns fp32 over the parallel dimensions, in their order, compact
    too. A dimension that only a has is a row of the product, one that only b has a column, one that both have a batch.
    """
    batch = [d for d in parallel if a.shape[d] > 1 and b.shape[d] > 1]
    rows = [d for d in parallel if a.shape[d] > 1 and b.shape[d] == 1]
    columns = [d for d in parallel if a.shape[d] == 1]
    depth = [extents[d] for d in reduction]

    def matrix(value: torch.Tensor, own: list[int]) -> torch.Tensor:
        other = [d for d in parallel if d not in batch and d not in own]
        ordered = value.permute(*batch, *own, *reduction, *other)
        ordered = ordered.reshape(ordered.shape[: len(batch) + len(own) + len(reduction)])
        ordered = ordered.expand(*ordered.shape[: len(batch) + len(own)], *depth)
        return ordered.reshape(_size(value, batch), _size(value, own), math.prod(depth))

    product = block_products(matrix(a, rows), matrix(b, columns), runs)
    order = batch + rows + columns
    sizes = [max(a.shape[d], b.shape[d]) for d in order]
    return product.reshape(sizes).permute([order.index(d) for d in parallel])


def strict_sum(values: torch.Tensor, runs: Sequence[tuple[int, int]]) -> torch.Tensor:
    """Sum of the last dimension in the order of the contract, as a product with ones (x * 1 is exact)."""
    flat = values.reshape(1, -1, values.shape[-1])
    ones = torch.ones((1, 1, values.shape[-1]))
    if flat.shape[1] < MIN_COLUMNS:
        flat = _at_least(flat, 1, MIN_COLUMNS)
    return block_products(flat, ones, runs)[0, :, 0][: math.prod(values.shape[:-1])].reshape(values.shape[:-1])


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if not matrix_product_is_strict():
        return strict_product(a, b)
    return torch.mm(a[0], b[0])[None] if a.shape[0] == 1 else torch.bmm(a, b)


def strict_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a[b, m, k] @ b[b, k, n], ascending in k with fused multiply-adds, one k at a time.

    A product of two fp32 values is exact in fp64; the sum is rounded to odd there, so the rounding to fp32 is the only
    one (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
    """
    total = torch.zeros((a.shape[0], a.shape[1], b.shape[2]))
    for k in range(a.shape[2]):
        total = fused_multiply_add(a[:, :, k, None], b[:, None, k, :], total)
    return total


def fused_multiply_add(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """a * b + c in fp32 with one rounding."""
    product, addend = a.double() * b.double(), c.double()
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = total.view(torch.int64)
    toward = torch.where((error > 0) == (total > 0), 1, -1)
    odd = torch.where((error != 0) & (bits & 1 == 0) & torch.isfinite(total), bits + toward, bits)
    return odd.view(torch.float64).float()


@functools.cache
def matrix_product_is_strict() -> bool:
    """Does torch's matrix product on this machine add in ascending order with fused multiply-adds?"""
    generator = torch.Generator().manual_seed(0)
    for batch, m, n, k in ((1, 4, 16, 128), (1, 37, 16, 128), (1, 65, 40, 100), (2, 5, 17, 128), (3, 33, 31, 8)):
        a = torch.randn((batch, m, 3 * k), generator=generator)[:, :, k : 2 * k]
        b = torch.randn((batch, k, n), generator=generator)
        fast = torch.mm(a[0], b[0])[None] if batch == 1 else torch.bmm(a, b)
        if not torch.equal(fast, strict_product(a, b)):
            return False
    return True


def _at_least(value: torch.Tensor, dim: int, size: int) -> torch.Tensor:
    """Pads a dimension with zeros up to `size`."""
    if value.shape[dim] >= size:
        return value
    shape = list(value.shape)
    shape[dim] = size
    padded = value.new_zeros(shape)
    padded.narrow(dim, 0, value.shape[dim]).copy_(value)
    return padded


def _size(value: torch.Tensor, dims: Sequence[int]) -> int:
    return math.prod(value.shape[d] for d in dims)
