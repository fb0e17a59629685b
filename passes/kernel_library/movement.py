"""Data movement: every view is one `kernel.move` with the map from result coordinates to operand coordinates.

Pure no-ops build nothing. Updates in place (slice_scatter) are tied scatters: elements that are not written are not
moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.affine import simplify_map
from sambaflow.dialects.samba import SambaOp, shaped_of
from sambaflow.dialects.samba.inference import Shape, Shaped, dim_index
from sambaflow.dialects.samba.movement import permutation, slice_range, split_sizes
from sambaflow.passes.kernel_library.registry import converts
from sambaflow.passes.kernel_library.stages import Coordinates, Read, StageBuilder, aligned, parallel, shape_of


@converts("view reshape flatten unflatten unsqueeze squeeze contiguous clone alias detach dropout")
def reshape(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    return [reshaped(k, op.operands[0], shaped_of(op.results[0]).shape)]


def reshaped(k: StageBuilder, value: SSAValue, shape: Shape) -> SSAValue:
    """The same elements in row-major order under another shape."""
    source = shaped_of(value)
    if source.shape == shape:
        return value
    rank = max(len(shape), 1)
    dims = [AffineExpr.dimension(d) for d in range(len(shape))]
    coordinates = reshape_map(shape, source.shape, dims)
    simple = simplify_map(AffineMap(rank, 0, tuple(coordinates)), shape or (1,))
    return k.move([Read(value, lambda *_: simple.results)], Shaped(shape, source.dtype))


def reshape_map(shape: Shape, source: Shape, dims: Sequence[AffineExpr]) -> list[AffineExpr]:
    """Coordinates in `source` of a point of `shape`, group by group: dimensions with equal products belong together."""
    coordinates: list[AffineExpr] = []
    for outer, inner in _groups(shape, source):
        flat: AffineExpr = AffineExpr.constant(0)
        for d in outer:
            flat = flat * shape[d] + dims[d]
        strides = list(accumulate((source[d] for d in reversed(inner)), lambda a, b: a * b, initial=1))[-2::-1]
        for place, (d, stride) in enumerate(zip(inner, strides, strict=True)):
            part = flat // stride if stride > 1 else flat
            coordinates.append(part % source[d] if place else part)
    return coordinates


def _groups(shape: Shape, source: Shape) -> list[tuple[list[int], list[int]]]:
    """Runs of dimensions of both shapes with the same number of elements."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(shape) or j < len(source):
        outer, inner, left, right = [], [], 1, 1
        while left != right or not (outer or inner):
            if (left <= right and i < len(shape)) or j == len(source):
                outer.append(i)
                left *= shape[i]
                i += 1
            else:
                inner.append(j)
                right *= source[j]
                j += 1
        groups.append((outer, inner))
    return groups


@converts("transpose permute t")
def permute(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value = op.operands[0]
    return [permuted(k, value, permutation(shape_of(value), op.row.name, op.settings()))]


def permuted(k: StageBuilder, value: SSAValue, order: Sequence[int]) -> SSAValue:
    """The tensor with dimension order[i] as dimension i."""
    source = shaped_of(value)

    def at(*dims: AffineExpr) -> Sequence[AffineExpr]:
        return [dims[order.index(d)] for d in range(len(order))]

    out = Shaped(tuple(source.shape[d] for d in order), source.dtype)
    return value if list(order) == sorted(order) else k.move([Read(value, at)], out)


@converts("expand")
def expand(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, out = op.operands[0], shaped_of(op.results[0])
    return [value] if shape_of(value) == out.shape else [k.move([Read(value, aligned(shape_of(value)))], out)]


def window(dim: int, start: int, step: int = 1) -> Coordinates:
    """Coordinates shifted and strided along one dimension."""
    return lambda *dims: [d * step + start if i == dim else d for i, d in enumerate(dims)]


@converts("slice")
def slice_(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, out, a = op.operands[0], shaped_of(op.results[0]), op.settings()
    dim = dim_index(a["dim"], len(out.shape))
    taken = slice_range(shape_of(value)[dim], a["start"], a["end"], a["step"])
    if shape_of(value) == out.shape:
        return [value]
    return [k.move([Read(value, window(dim, taken.start, taken.step))], out)]


def element(dim: int, index: int) -> Coordinates:
    """Coordinates with a fixed index inserted at `dim`."""
    return lambda *dims: [*dims[:dim], index, *dims[dim:]]


def _at_element(value: SSAValue, dim: int, index: int) -> Read:
    rank = len(shape_of(value)) - 1
    return Read(value, lambda *dims: element(dim, index)(*dims[:rank]))


@converts("select")
def select(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value = op.operands[0]
    dim = dim_index(op.attr("dim"), len(shape_of(value)))
    return [k.move([_at_element(value, dim, op.attr("index") % shape_of(value)[dim])], shaped_of(op.results[0]))]


@converts("split chunk")
def split(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, a = op.operands[0], op.settings()
    dim = dim_index(a["dim"], len(shape_of(value)))
    sizes = split_sizes(shape_of(value)[dim], op.row.name, a)
    if len(sizes) == 1:
        return [value]
    starts = accumulate(sizes, initial=0)
    outs = [shaped_of(result) for result in op.results]
    return [k.move([Read(value, window(dim, start))], out) for start, out in zip(starts, outs, strict=False)]


@converts("unbind")
def unbind(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value = op.operands[0]
    dim = dim_index(op.attr("dim"), len(shape_of(value)))
    return [k.move([_at_element(value, dim, i)], shaped_of(result)) for i, result in enumerate(op.results)]


@converts("cat")
def cat(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    out = shaped_of(op.results[0])
    dim = dim_index(op.attr("dim"), len(out.shape))
    return [concatenated(k, [k.cast(value, out.dtype) for value in op.operands], dim, out)]


def concatenated(k: StageBuilder, values: Sequence[SSAValue], dim: int, out: Shaped) -> SSAValue:
    """Tensors one after the other: each is in range on its own part of the dimension."""
    parts = [value for value in values if shape_of(value)[dim]]
    starts = accumulate((shape_of(value)[dim] for value in parts), initial=0)
    if len(parts) == 1:
        return parts[0]
    return k.move([Read(value, window(dim, -start)) for value, start in zip(parts, starts, strict=False)], out)


@converts("stack")
def stack(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    out = shaped_of(op.results[0])
    dim = dim_index(op.attr("dim"), len(out.shape))
    single = (*out.shape[:dim], 1, *out.shape[dim + 1 :])
    values = [reshaped(k, k.cast(value, out.dtype), single) for value in op.operands]
    return [concatenated(k, values, dim, out)]


@converts("repeat")
def repeat(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, out = op.operands[0], shaped_of(op.results[0])
    shape = shape_of(value)
    lead = len(out.shape) - len(shape)

    def at(*dims: AffineExpr) -> Sequence[AffineExpr]:
        pairs = zip(dims[lead : len(out.shape)], shape, out.shape[lead:], strict=True)
        return [d if size == total else d % size for d, size, total in pairs]

    return [value] if shape == out.shape else [k.move([Read(value, at)], out)]


@converts("repeat_interleave")
def repeat_interleave(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, out, count = op.operands[0], shaped_of(op.results[0]), op.attr("repeats")
    dim = dim_index(op.attr("dim"), len(out.shape))

    def at(*dims: AffineExpr) -> Sequence[AffineExpr]:
        return [d // count if i == dim else d for i, d in enumerate(dims)]

    return [value] if count == 1 else [k.move([Read(value, at)], out)]


@converts("constant_pad_nd")
def constant_pad(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, out, pad = op.operands[0], shaped_of(op.results[0]), op.attr("pad")
    rank = len(out.shape)
    before = {rank - 1 - i: pad[2 * i] for i in range(len(pad) // 2)}

    def at(*dims: AffineExpr) -> Sequence[AffineExpr]:
        return [d - before.get(i, 0) for i, d in enumerate(dims)]

    return [k.move([Read(value, at, kernel.constant(op.attr("value"), out.dtype))], out)]


@converts("flip")
def flip(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, out = op.operands[0], shaped_of(op.results[0])
    flipped = [dim_index(dim, len(out.shape)) for dim in op.attr("dims")]

    def at(*dims: AffineExpr) -> Sequence[AffineExpr]:
        return [d * -1 + (out.shape[i] - 1) if i in flipped else d for i, d in enumerate(dims)]

    return [k.move([Read(value, at)], out)]


def updated(k: StageBuilder, value: SSAValue, source: SSAValue, at: Coordinates) -> SSAValue:
    """`value` with the elements of `source` at the coordinates `at`, in place."""
    shape = shape_of(source)
    origin = [0] * len(shape_of(value))
    reads = [Read(value, lambda *_: origin), Read(source, lambda *dims: dims[: len(shape)])]
    return k.stage(
        kernel.ScatterOp,
        reads,
        parallel(shape),
        [(shaped_of(value), at)],
        lambda b, old, new: new,
        fold=False,
        tied=[0],
        conflict=StringAttr("overwrite"),
    )[0]


@converts("slice_scatter")
def slice_scatter(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, source = op.operands
    a = op.settings()
    dim = dim_index(a["dim"], len(shape_of(value)))
    taken = slice_range(shape_of(value)[dim], a["start"], a["end"], a["step"])
    if len(taken) == shape_of(value)[dim]:
        return [source]
    return [updated(k, value, source, window(dim, taken.start, taken.step)) if taken else value]


@converts("select_scatter")
def select_scatter(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, source = op.operands
    rank = len(shape_of(source))
    dim = dim_index(op.attr("dim"), len(shape_of(value)))
    place = element(dim, op.attr("index") % shape_of(value)[dim])
    return [updated(k, value, source, lambda *dims: place(*dims[:rank]))]
