"""Contractions and sums in the order of the numeric contract, at the speed of a matrix product.

The contract: the flattened reduction space is cut at absolute multiples of 128, each block adds ascending from zero in
fp32, blocks add in ascending order. The kernel that torch takes for a product depends on shape, layout and number of
threads, and not all of them add in that order. So `is_strict` tries each (layout, threads) once, on values that tell
the order of every element; where it fails, one thread is tried, and then `strict_product` stands in.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import torch

BLOCK = 128
MIN_ROWS, MIN_COLUMNS, MIN_DEPTH = 4, 16, 8
"""Smaller operands are padded: no kernel that torch takes for vectors adds in ascending order."""
LINE = 64
"""Bytes of a cache line: what kernels know of an address."""


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
    ones = torch.ones((1, 1, values.shape[-1]), dtype=torch.float32)
    if flat.shape[1] < MIN_COLUMNS:
        flat = _at_least(flat, 1, MIN_COLUMNS)
    return block_products(flat, ones, runs)[0, :, 0][: math.prod(values.shape[:-1])].reshape(values.shape[:-1])


class Layout(NamedTuple):
    """What the choice of a kernel for `a[batch, rows, depth] @ b[batch, depth, columns]` may depend on."""

    batch: int
    rows: int
    columns: int
    depth: int
    strides: tuple[int, int, int]
    places: tuple[int, int]
    """Of the first element of a and b, in bytes from the start of a cache line."""
    precision: str
    """What torch may round f32 operands of a product to."""

    @classmethod
    def of(cls, a: torch.Tensor, b: torch.Tensor) -> Self:
        """The layout of a product of f32 tensors; b is compact."""
        batch, rows, depth = a.shape
        places = (a.data_ptr() % LINE, b.data_ptr() % LINE)
        return cls(batch, rows, b.shape[2], depth, a.stride(), places, torch.get_float32_matmul_precision())  # pyright: ignore[reportArgumentType]


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a @ b in the order of the contract, b compact."""
    if not _is_nested(a):
        a = a.contiguous()
    layout, threads = Layout.of(a, b), torch.get_num_threads()
    if is_strict(layout, threads):
        return _torch_product(a, b)
    if threads > 1:
        torch.set_num_threads(1)  # of this thread alone: the others keep theirs
        try:
            if is_strict(layout, 1):
                return _torch_product(a, b)
        finally:
            torch.set_num_threads(threads)
    return strict_product(a, b)


def _torch_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.mm(a[0], b[0])[None] if a.shape[0] == 1 else torch.bmm(a, b)


def _is_nested(a: torch.Tensor) -> bool:
    """Do the elements stand apart, the rows or the columns of each matrix without gaps? torch copies others itself."""
    if 1 not in a.stride()[1:]:
        return False
    reach = 0
    for stride, size in sorted(zip(a.stride(), a.shape, strict=True)):
        if size > 1:
            if stride <= reach:
                return False
            reach += stride * (size - 1)
    return True


def strict_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a[b, m, k] @ b[b, k, n], ascending in k with fused multiply-adds, one k at a time.

    A product of two fp32 values is exact in fp64; the sum is rounded to odd there, so the rounding to fp32 is the only
    one (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
    """
    total = torch.zeros((a.shape[0], a.shape[1], b.shape[2]), dtype=torch.float32)
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


PATTERNS = 7, 5
"""Different rows of a and columns of b in a trial: primes, so that no tile of a kernel meets one pair alone."""
MOST_TRIED = 1 << 22
"""Elements of an operand up to which a trial keeps the stride between rows, not only its place in a cache line."""


@functools.cache
def _trial(depth: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, columns and their strict products by depth: [depth + 1, rows, columns]. Magnitudes and signs vary, so
    that any other order of the sums rounds otherwise."""
    generator = torch.Generator().manual_seed(0)
    a, b = (
        torch.randn((count, depth), generator=generator, dtype=torch.float32)
        * torch.exp2(torch.randint(-4, 5, (count, depth), generator=generator).float())
        for count in PATTERNS
    )
    sums = [torch.zeros(PATTERNS, dtype=torch.float32)]
    for k in range(depth):
        sums.append(fused_multiply_add(a[:, None, k], b[None, :, k], sums[-1]))
    return a, b, torch.stack(sums)


@functools.lru_cache(maxsize=1 << 14)
def is_strict(layout: Layout, threads: int) -> bool:
    """Does torch's product of this layout, with the threads it has now (`threads`), add every element in ascending
    order with fused multiply-adds? All rows and columns are copies of a few, so a few sums say what each must be."""
    batch, rows, columns, depth, strides, places, _ = layout
    left, right, sums = _trial(-(-depth // BLOCK) * BLOCK)
    a = _placed((batch, rows, depth), _shortened(layout, strides), places[0])
    b = _placed((batch, depth, columns), (depth * columns, columns, 1), places[1])
    a.copy_(left[torch.arange(rows) % PATTERNS[0], :depth])
    b.copy_(right[torch.arange(columns) % PATTERNS[1], :depth].T)
    product, expected = _torch_product(a, b), sums[depth][:, torch.arange(columns) % PATTERNS[1]]
    parts = ((product[:, row :: PATTERNS[0]], expected[row]) for row in range(min(rows, PATTERNS[0])))
    return product.dtype == torch.float32 and all(torch.equal(part, row.expand_as(part)) for part, row in parts)


def _shortened(layout: Layout, strides: tuple[int, int, int]) -> tuple[int, int, int]:
    """The strides for a trial of few bytes: a large matrix keeps the place of its rows in a cache line."""
    batch, rows, _, depth = layout[:4]
    if sum(stride * (size - 1) for stride, size in zip(strides, (batch, rows, depth), strict=True)) <= MOST_TRIED:
        return strides
    by_rows = strides[2] == 1
    inner, outer = (depth, rows) if by_rows else (rows, depth)
    between = inner + (max(strides[1:]) - inner) % LINE
    apart = between * outer + (strides[0] - between * outer) % LINE
    return (apart, between, 1) if by_rows else (apart, 1, between)


def _placed(shape: tuple[int, int, int], strides: tuple[int, int, int], place: int) -> torch.Tensor:
    """A tensor of fp32 whose first element stands `place` bytes behind the start of a cache line."""
    span = 1 + sum(stride * (size - 1) for stride, size in zip(strides, shape, strict=True))
    memory = torch.empty(span + 2 * LINE, dtype=torch.float32)
    offset = (place - memory.data_ptr()) % LINE // memory.element_size()
    return memory.as_strided(shape, strides, offset)


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
