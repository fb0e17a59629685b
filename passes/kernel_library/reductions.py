"""Reductions, scans, sorts and pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32, i1, i32, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel
from sambaflow.dialects.kernel import Body, Domain
from sambaflow.dialects.samba import SambaOp, shaped_of, tensor_type
from sambaflow.dialects.samba.inference import Shape, Shaped, dim_index, dim_indices, is_float, pair
from sambaflow.errors import InputError
from sambaflow.passes.kernel_library.indexing import gathered, picked_along
from sambaflow.passes.kernel_library.movement import permuted
from sambaflow.passes.kernel_library.norms import mean_of, squares_of
from sambaflow.passes.kernel_library.registry import converts
from sambaflow.passes.kernel_library.stages import (
    Coordinates,
    Merge,
    Read,
    StageBuilder,
    added,
    both,
    count_of,
    dtype_of,
    either,
    flattened,
    folding,
    identity,
    larger,
    maximum_of,
    minimum_of,
    multiplied,
    scalar,
    shape_of,
    smaller,
    wide,
    without,
)


def _dims(op: SambaOp) -> list[int]:
    dim, rank = op.attr("dim"), len(shape_of(op.operands[0]))
    return [dim_index(dim, rank)] if isinstance(dim, int) else dim_indices(dim, rank)


def _simple(
    op: SambaOp,
    k: StageBuilder,
    accumulator: Attribute,
    init: float,
    merge: Merge,
) -> SSAValue:
    """One accumulator of a type of its own, which `merge`s with every element and with others; rounded once."""
    out, keepdim = shaped_of(op.results[0]), op.attr("keepdim")

    def body(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        return merge(b, acc, b.cast(x, accumulator))

    def finish(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        return b.cast(acc, out.dtype)

    ending = None if out.dtype == accumulator or is_float(out.dtype) else finish
    read, shape = k.broadcast(op.operands[0]), shape_of(op.operands[0])
    return k.fold(
        [read], shape, _dims(op), out.dtype, init, body, merge, finish=ending, keepdim=keepdim, accumulator=accumulator
    )


@converts("sum")
def sum_(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    accumulator = wide(shaped_of(op.results[0]).dtype)
    return [_simple(op, k, accumulator, 0, added)]


@converts("prod")
def prod(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    return [_simple(op, k, wide(shaped_of(op.results[0]).dtype), 1, multiplied)]


@converts("mean")
def mean(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    out, shape, dims = shaped_of(op.results[0]), shape_of(op.operands[0]), _dims(op)
    count = float(count_of(shape, dims))

    def finish(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        return b.trunc(b.div(acc, b.const(count)), out.dtype)

    def body(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        return b.add(acc, b.cast(x, f32))

    read = k.broadcast(op.operands[0])
    return [k.fold([read], shape, dims, out.dtype, 0, body, added, finish=finish, keepdim=op.attr("keepdim"))]


@converts("var")
def var(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """The mean, then the squares about it divided by n - correction."""
    out, shape, dims = shaped_of(op.results[0]), shape_of(op.operands[0]), _dims(op)
    count = float(max(0, count_of(shape, dims) - op.attr("correction")))
    read = k.broadcast(op.operands[0])
    centre = Read(mean_of(k, read, shape, dims), without(dims))
    flat = squares_of(k, [read, centre], shape, dims, lambda b, total: b.div(total, b.const(count)))
    at = flattened_again(dims, len(shape)) if op.attr("keepdim") else identity
    return [k.map([Read(flat, at)], out, lambda b, x: b.trunc(x, out.dtype))]


def flattened_again(dims: Sequence[int], rank: int) -> Coordinates:
    """Coordinates of a reduced tensor in one that kept the dimensions as 1."""
    return lambda *d: [d[i] for i in range(rank) if i not in dims]


@converts("amax amin")
def extremum(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    dtype = dtype_of(op.operands[0])
    largest = op.row.name == "amax"
    init = minimum_of(wide(dtype)) if largest else maximum_of(wide(dtype))
    return [_simple(op, k, wide(dtype), init, larger if largest else smaller)]


@converts("any all")
def quantifier(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    exists = op.row.name == "any"
    return [_simple(op, k, i1, 0 if exists else 1, either if exists else both)]


# Extrema with their index


def _with_index(
    k: StageBuilder, x: SSAValue, dims: Sequence[int], largest: bool, results: Sequence[tuple[Shaped, Coordinates]],
    values: bool,
) -> Sequence[SSAValue]:  # fmt: skip
    """The first extremum and its index, flattened over `dims`; `values`: the extremum is a result too."""
    shape, dtype = shape_of(x), dtype_of(x)
    compute = wide(dtype)

    def better(b: Body, x: SSAValue, best: SSAValue) -> SSAValue:
        beats = b.cmp("gt" if largest else "lt", x, best)
        if not is_float(compute):
            return beats
        fresh = b.and_(b.cmp("ne", x, x), b.cmp("eq", best, best))  # NaN beats every number
        return b.or_(beats, fresh)

    def position(b: Body) -> SSAValue:
        place = b.const(0, i64)
        for dim in dims if shape else ():
            place = b.add(b.mul(place, b.const(shape[dim], i64)), b.index(dim))
        return place

    def body(b: Body, x: SSAValue, best: SSAValue, at: SSAValue) -> Sequence[SSAValue]:
        x = b.cast(x, compute)
        wins = better(b, x, best)
        return [b.select(wins, x, best), b.select(wins, position(b), at)]

    def combine(b: Body, best: SSAValue, at: SSAValue, x: SSAValue, place: SSAValue) -> Sequence[SSAValue]:
        wins = better(b, x, best)
        return [b.select(wins, x, best), b.select(wins, place, at)]

    def finish(b: Body, x: SSAValue, best: SSAValue, at: SSAValue) -> Sequence[SSAValue]:
        return [b.cast(best, dtype), at] if values else [at]

    start = minimum_of(compute) if largest else maximum_of(compute)
    inits = [kernel.constant(start, compute), kernel.constant(0, i64)]
    return k.stage(
        kernel.ReduceOp, [k.broadcast(x)], folding(shape, dims), results, body, finish=finish, combine=combine,
        inits=inits, fold=False,
    )  # fmt: skip


def _placed(shape: Shape, dims: Sequence[int], keepdim: bool) -> Coordinates:
    return scalar if not shape else flattened(dims) if keepdim else without(dims)


@converts("max min")
def extremum_with_index(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    x = op.operands[0]
    dims = [dim_index(op.attr("dim"), len(shape_of(x)))]
    at = _placed(shape_of(x), dims, op.attr("keepdim"))
    results = [(shaped_of(result), at) for result in op.results]
    return _with_index(k, x, dims, op.row.name == "max", results, values=True)


@converts("argmax argmin")
def arg_extremum(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    x, dim = op.operands[0], op.attr("dim")
    rank = len(shape_of(x))
    dims = list(range(rank)) if dim is None else [dim_index(dim, rank)]
    result = (shaped_of(op.results[0]), _placed(shape_of(x), dims, op.attr("keepdim")))
    return _with_index(k, x, dims, op.row.name == "argmax", [result], values=False)


# Scans, top k, sorting


@converts("cumsum")
def cumsum(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """A scan along the dimension whose step result is the running sum."""
    x, out = op.operands[0], shaped_of(op.results[0])
    shape = out.shape or (1,)
    dim = dim_index(op.attr("dim"), len(out.shape))
    accumulator = wide(out.dtype)
    domain = Domain(shape, tuple("sequential" if i == dim else "parallel" for i in range(len(shape))))

    def body(b: Body, x: SSAValue, acc: SSAValue) -> Sequence[SSAValue]:
        total = b.add(acc, b.cast(x, accumulator))
        return [total, b.cast(total, out.dtype)]

    inits = [kernel.constant(0, accumulator)]
    return k.stage(kernel.ScanOp, [Read(x, identity)], domain, [(out, identity)], body, inits=inits, fold=False)


@converts("topk")
def topk(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """The k smallest have the greatest keys: the complement of integers (no number overflows), for floats that
    of integers that order as they do; their values are then read at the indices."""
    x, count, smallest = op.operands[0], op.attr("k"), not op.attr("largest")
    shape, dtype = shape_of(x), dtype_of(x)
    dim, compute = dim_index(op.attr("dim"), len(shape)), wide(dtype)
    if smallest and is_float(dtype):
        _, indices = _best(k, x, dim, count, i32, lambda b, value: _complement(b, _ordinal(b, b.cast(value, f32))))
        return [picked_along(k, x, indices, dim), indices]

    def key(b: Body, value: SSAValue) -> SSAValue:
        value = b.cast(value, compute)
        return _complement(b, value) if smallest else value

    def value_of(b: Body, key: SSAValue) -> SSAValue:
        return b.cast(_complement(b, key) if smallest else key, dtype)

    keys, indices = _best(k, x, dim, count, compute, key)
    plain = Shaped(shape_of(keys), dtype)
    values = keys if not smallest and dtype == compute else k.map([Read(keys, identity)], plain, value_of)
    return [values, indices]


MOST_SORTED = 2048
"""Elements of a sort: so many pairs are kept beside each other."""


@converts("sort")
def sort(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """The best of all by keys that no two elements share: the value above, the position below."""
    x, descending = op.operands[0], op.attr("descending")
    shape, dtype = shape_of(x), dtype_of(x)
    if not shape:
        return [x, k.fill(0, shaped_of(op.results[1]))]
    dim = dim_index(op.attr("dim"), len(shape))
    if dtype == i64:
        raise error_at(op, "does not sort i64", InputError, levers=["cast to i32 or f32 first"])
    if shape[dim] > MOST_SORTED:
        demand, limit = f"{shape[dim]} elements", f"{MOST_SORTED} elements"
        raise error_at(op, "is too long", InputError, demand=demand, limit=limit, levers=["use topk"])

    def key(b: Body, value: SSAValue) -> SSAValue:
        order = _ordinal(b, b.cast(value, f32)) if is_float(dtype) else b.cast(value, i32)
        above = b.cast(order if descending else _complement(b, order), i64)
        return b.add(b.mul(above, b.const(1 << 32, i64)), b.sub(b.const(1 << 31, i64), b.index(dim)))

    _, indices = _best(k, x, dim, shape[dim], i64, key)
    return [picked_along(k, x, indices, dim), indices]


def _best(
    k: StageBuilder, x: SSAValue, dim: int, count: int, kind: Attribute, key: Callable[[Body, SSAValue], SSAValue]
) -> tuple[SSAValue, SSAValue]:
    """The `count` greatest keys along a dimension and their indices: a reduction with pairs as accumulators, which are
    made last and moved to their dimension."""
    shape = shape_of(x)
    reduced_shape = (*shape[:dim], *shape[dim + 1 :])

    def body(b: Body, x: SSAValue, keys: SSAValue, indices: SSAValue) -> Sequence[SSAValue]:
        return b.insert_sorted(keys, indices, key(b, x), b.index(dim))

    def block(*d: AffineExpr) -> Sequence[AffineExpr | int]:
        return [*without([dim])(*d), 0]

    pairs = [Shaped((count,), kind), Shaped((count,), i64)]
    inits = [kernel.constant(number, tensor_type(p)) for number, p in zip((minimum_of(kind), -1), pairs, strict=True)]
    results = [(Shaped((*reduced_shape, count), p.dtype), block) for p in pairs]
    domain = folding(shape, [dim])
    stage_results = k.stage(
        kernel.ReduceOp, [Read(x, identity)], domain, results, body, ordered=True, inits=inits, fold=False
    )
    order = [*range(dim), len(shape) - 1, *range(dim, len(shape) - 1)]
    keys, indices = (permuted(k, value, order) for value in stage_results)
    return keys, indices


def _complement(b: Body, x: SSAValue) -> SSAValue:
    """-1 - x: the integers in the opposite order."""
    return b.xor(x, b.const(-1, x.type))


def _ordinal(b: Body, x: SSAValue) -> SSAValue:
    """An i32 that orders as the f32 does: its bits, those below the sign flipped where it is negative. Zeros have one
    sign and NaN one pattern, that of the greatest."""
    plain = b.select(b.cmp("eq", x, x), b.add(x, b.const(0.0)), b.const(math.nan))
    bits = b.emit(arith.BitcastOp(plain, i32))
    negative = b.cmp("lt", bits, b.const(0, i32))
    return b.select(negative, b.xor(bits, b.const(0x7FFFFFFF, i32)), bits)


# Pooling


def _windows(
    op: SambaOp, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], pad: Attribute
) -> Read:
    """The input at output * stride + tap * dilation - padding; the domain ends with (oh, ow, kh, kw)."""

    def at(*d: AffineExpr) -> Sequence[AffineExpr]:
        places = [d[-4 + i] * stride[i] + d[-2 + i] * dilation[i] - padding[i] for i in range(2)]
        return [*d[:-4], *places]

    return Read(op.operands[0], at, pad)


def _pooling_settings(op: SambaOp) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    kernel_size = pair(op.attr("kernel_size"))
    return kernel_size, pair(op.attr("stride") or kernel_size), pair(op.attr("padding"))


@converts("max_pool2d")
def max_pool2d(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    out, compute = shaped_of(op.results[0]), wide(dtype_of(op.operands[0]))
    window, stride, padding = _pooling_settings(op)
    pad = kernel.constant(minimum_of(out.dtype), out.dtype)
    read = _windows(op, stride, padding, pair(op.attr("dilation")), pad)
    rank = len(out.shape)
    return [
        k.fold(
            [read], (*out.shape, *window), [rank, rank + 1], out.dtype, minimum_of(compute),
            lambda b, x, acc: b.max(acc, b.cast(x, compute)), larger, accumulator=compute,
        )
    ]  # fmt: skip


@converts("avg_pool2d")
def avg_pool2d(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """The sum over the window divided by its size, of which positions outside count only with count_include_pad."""
    out, (window, stride, padding) = shaped_of(op.results[0]), _pooling_settings(op)
    image, rank = shape_of(op.operands[0])[-2:], len(out.shape)
    counts_pad = op.attr("count_include_pad")

    def span(b: Body, i: int) -> SSAValue:
        """The window's extent along one dimension, cut at the padded image, then (if asked) at the image."""
        first = b.sub(b.mul(b.index(rank - 2 + i), b.const(stride[i], i64)), b.const(padding[i], i64))
        end = b.min(b.add(first, b.const(window[i], i64)), b.const(image[i] + padding[i], i64))
        if not counts_pad:
            first, end = b.max(first, b.const(0, i64)), b.min(end, b.const(image[i], i64))
        return b.sub(end, first)

    def finish(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        plain = (counts_pad or not any(padding)) and not op.attr("ceil_mode")
        size = b.const(float(window[0] * window[1])) if plain else b.cast(b.mul(span(b, 0), span(b, 1)), f32)
        return b.trunc(b.div(acc, size), out.dtype)

    read = _windows(op, stride, padding, (1, 1), kernel.constant(0, out.dtype))
    shape, dims = (*out.shape, *window), [rank, rank + 1]
    return [k.fold([read], shape, dims, out.dtype, 0, lambda b, x, acc: b.add(acc, b.ext(x)), added, finish=finish)]


@converts("adaptive_avg_pool2d")
def adaptive_avg_pool2d(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """Window i of a dimension runs from floor(i * size / parts) to ceil((i + 1) * size / parts).

    Windows of one size are an access pattern; others are gathered first, each as large as the largest.
    """
    x, out = op.operands[0], shaped_of(op.results[0])
    rank, image, parts = len(out.shape), shape_of(x)[-2:], out.shape[-2:]
    edges = [[(i * s // p, -(-(i + 1) * s // p)) for i in range(p)] for s, p in zip(image, parts, strict=True)]
    window = tuple(max((end - first for first, end in e), default=1) for e in edges)
    shape, dims = (*out.shape, *window), [rank, rank + 1]
    if all(s % p == 0 for s, p in zip(image, parts, strict=True)):
        steps = [s // p for s, p in zip(image, parts, strict=True)]
        read = Read(x, lambda *d: [*d[:-4], *(d[-4 + i] * steps[i] + d[-2 + i] for i in range(2))])
        count = float(window[0] * window[1])
        return [
            k.fold(
                [read], shape, dims, out.dtype, 0, lambda b, x, acc: b.add(acc, b.ext(x)), added,
                finish=lambda b, x, acc: b.trunc(b.div(acc, b.const(count)), out.dtype),
            )
        ]  # fmt: skip

    def bounds(b: Body, i: int, place: SSAValue) -> tuple[SSAValue, SSAValue]:
        size, count = b.const(image[i], i64), b.const(parts[i], i64)
        following = b.mul(b.add(place, b.const(1, i64)), size)
        return b.div(b.mul(place, size), count), b.div(b.add(following, b.const(parts[i] - 1, i64)), count)

    def places(i: int) -> SSAValue:
        """Where each window reads along a dimension: [parts, window], cut at the image."""

        def body(b: Body) -> SSAValue:
            first, _ = bounds(b, i, b.index(0))
            return b.min(b.add(first, b.index(1)), b.const(image[i] - 1, i64))

        return k.map([], Shaped((parts[i], window[i]), i64), body)

    def body(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        value = b.ext(x)
        for i in range(2):
            first, end = bounds(b, i, b.index(rank - 2 + i))
            value = b.select(b.cmp("lt", b.add(first, b.index(rank + i)), end), value, b.const(0.0))
        return b.add(acc, value)

    def finish(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        spans = [b.sub(end, first) for first, end in (bounds(b, i, b.index(rank - 2 + i)) for i in range(2))]
        return b.trunc(b.div(acc, b.cast(b.mul(*spans), f32)), out.dtype)

    rows = Read(places(0), lambda *d: [d[rank - 2], d[rank]])
    columns = Read(places(1), lambda *d: [d[rank - 1], d[rank + 1]])
    source = Read(x, lambda *d: [*d[: rank - 2], d[rank + 2], d[rank + 3]])
    windows = gathered(k, [rows, columns], source, Shaped(shape, dtype_of(x)))
    return [k.fold([Read(windows, identity)], shape, dims, out.dtype, 0, body, added, finish=finish)]
