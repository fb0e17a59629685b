"""Operators with index tensors: gathers bind a symbol to the index, scatters write at it, tied to what they update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IntegerAttr, StringAttr, f32, i1, i32, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import BlockArgument, SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel import Body
from sambaflow.dialects.samba import SambaOp, shaped_of
from sambaflow.dialects.samba.conventions import result_attributes
from sambaflow.dialects.samba.inference import Shape, Shaped, broadcast, dim_index, is_float
from sambaflow.passes.kernel_library.registry import converts
from sambaflow.passes.kernel_library.stages import (
    Coordinates,
    Read,
    StageBuilder,
    added,
    dtype_of,
    parallel,
    shape_of,
)


def gathered(k: StageBuilder, indices: Sequence[Read], value: Read, out: Shaped) -> SSAValue:
    """Elements of `value`, whose coordinates use one symbol for each index."""
    result: Coordinates = lambda *d: d[: len(out.shape)]  # noqa: E731
    bindings = range(len(indices))
    return k.stage(
        kernel.GatherOp, [*indices, value], parallel(out.shape), [(out, result)], lambda b, *e: e[-1],
        bindings=bindings, fold=False,
    )[0]  # fmt: skip


@converts("embedding")
def embedding(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    table, ids = op.operands
    out, n = shaped_of(op.results[0]), len(shape_of(ids))
    return [gathered(k, [Read(ids, lambda *d: d[:n])], Read(table, lambda *d: [d[-1], d[n]]), out)]


def at_symbol(dim: int, rank: int) -> Coordinates:
    """Coordinates of the domain with the last symbol at `dim`."""
    return lambda *d: [d[-1] if i == dim else d[i] for i in range(rank)]


@converts("index_select")
def index_select(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, ids = op.operands
    out = shaped_of(op.results[0])
    dim = dim_index(op.attr("dim"), len(out.shape))
    return [gathered(k, [Read(ids, lambda *d: [d[dim]])], Read(value, at_symbol(dim, len(out.shape))), out)]


@converts("gather")
def gather(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, ids = op.operands
    out = shaped_of(op.results[0])
    rank = len(out.shape)
    dim = dim_index(op.attr("dim"), rank)
    if not rank:
        return [value]
    return [picked_along(k, value, ids, dim)]


def picked_along(k: StageBuilder, value: SSAValue, ids: SSAValue, dim: int) -> SSAValue:
    """Elements of `value` at indices along one dimension, of the shape of the indices."""
    shape = shape_of(ids)
    reads = [Read(ids, lambda *d: d[: len(shape)])]
    return gathered(k, reads, Read(value, at_symbol(dim, len(shape))), Shaped(shape, dtype_of(value)))


class _Picked:
    """How self[...] with index tensors at `dims` maps to a domain: neighbouring dims keep their place, others lead."""

    def __init__(self, shape: Shape, indices: Sequence[Shape], dims: Sequence[int]) -> None:
        self.shape, self.dims = shape, list(dims)
        self.picks = broadcast(*indices)
        together = dims[-1] - dims[0] + 1 == len(dims)
        self.first = dims[0] if together else 0
        others = [size for i, size in enumerate(shape) if i not in self.dims]
        self.domain: Shape = (*others[: self.first], *self.picks, *others[self.first :])

    def value(self, d: Sequence[AffineExpr]) -> list[AffineExpr]:
        """Coordinates of self; symbols follow the dimensions."""
        rank, picks = max(len(self.domain), 1), len(self.picks)
        places = iter([*d[: self.first], *d[self.first + picks : rank]])
        symbols = iter(d[rank:])
        return [next(symbols) if i in self.dims else next(places) for i in range(len(self.shape))]

    def index(self, shape: Shape) -> Coordinates:
        """Coordinates of one index tensor, broadcast to the picks."""
        lead = self.first + len(self.picks) - len(shape)

        def at(*d: AffineExpr) -> Sequence[AffineExpr | int]:
            return [0 if size == 1 else d[lead + i] for i, size in enumerate(shape)]

        return at


def _from_the_front(k: StageBuilder, index: SSAValue, size: int) -> SSAValue:
    """Negative indices counted from the front; nothing to do for constants without them."""
    owner = index.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, DenseIntOrFPElementsAttr):
        values = owner.value.get_values()
        if all(isinstance(v, int) and v >= 0 for v in values):
            return index
    shaped = shaped_of(index)

    def body(b: Body, i: SSAValue) -> SSAValue:
        from_the_back = b.and_(b.cmp("lt", i, b.const(0, shaped.dtype)), b.cmp("ge", i, b.const(-size, shaped.dtype)))
        return b.select(from_the_back, b.add(i, b.const(size, shaped.dtype)), i)

    return k.map([k.broadcast(index)], shaped, body)


def _picked_reads(op: SambaOp, k: StageBuilder, indices: Sequence[SSAValue]) -> tuple[_Picked, list[Read]]:
    shape, dims = shape_of(op.operands[0]), op.attr("dims")
    picked = _Picked(shape, [shape_of(index) for index in indices], dims)
    wrapped = [_from_the_front(k, index, shape[dim]) for index, dim in zip(indices, dims, strict=True)]
    return picked, [Read(index, picked.index(shape_of(index))) for index in wrapped]


@converts("index")
def index(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, *indices = op.operands
    picked, reads = _picked_reads(op, k, indices)
    return [gathered(k, reads, Read(value, lambda *d: picked.value(d)), shaped_of(op.results[0]))]


def _scattered(
    k: StageBuilder, value: SSAValue, source: Read, indices: Sequence[Read], shape: Shape, at: Coordinates,
    conflict: str = "overwrite",
) -> SSAValue:  # fmt: skip
    """`value` with the elements of the source written at indexed coordinates, in place."""
    origin = [0] * len(shape_of(value))
    adds = conflict == "add" and is_float(dtype_of(value))
    return k.stage(
        kernel.ScatterOp,
        [Read(value, lambda *_: origin), *indices, source],
        parallel(shape),
        [(shaped_of(value), at)],
        lambda b, *e: b.cast(e[-1], f32) if adds else e[-1],
        fold=False,
        bindings=range(1, len(indices) + 1),
        tied=[0],
        conflict=StringAttr(conflict),
    )[0]


@converts("index_put")
def index_put(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, source, *indices = op.operands
    picked, reads = _picked_reads(op, k, indices)
    shape, lead = shape_of(source), len(picked.domain) - len(shape_of(source))

    def at_source(*d: AffineExpr) -> Sequence[AffineExpr | int]:
        return [0 if size == 1 else d[lead + i] for i, size in enumerate(shape)]

    if op.attr("accumulate") and not _stays_in_memory(op):
        return [_accumulated(op, k, picked, reads, at_source)]
    conflict = "add" if op.attr("accumulate") else "overwrite"
    at: Coordinates = lambda *d: picked.value(d)  # noqa: E731
    return [_scattered(k, value, Read(source, at_source), reads, picked.domain, at, conflict)]


def _stays_in_memory(op: SambaOp) -> bool:
    """Whether an update is of an argument and becomes its new value: memory adds what is written to it."""
    argument = op.operands[0]
    if not isinstance(argument, BlockArgument) or len(list(argument.uses)) > 1:
        return False
    ends = [(use.operation, use.index) for use in op.results[0].uses]
    return bool(ends) and all(
        isinstance(end, ReturnOp)
        and isinstance(function := end.parent_op(), FuncOp)
        and result_attributes(function)[i].get("samba.tied") == IntegerAttr(argument.index, i64)
        for end, i in ends
    )


def _accumulated(
    op: SambaOp, k: StageBuilder, picked: _Picked, indices: Sequence[Read], at_source: Coordinates
) -> SSAValue:
    """self + the sum over all picks of the values at the picks that name the element: a reduction, as buffers between
    stages keep the last of several writes."""
    value, source = op.operands[:2]
    shaped, picks = shaped_of(value), len(picked.picks)
    floats, rank = is_float(shaped.dtype), len(shaped.shape)
    compute = f32 if floats else i32 if shaped.dtype == i1 else shaped.dtype
    dims = picked.dims

    def in_picks(*d: AffineExpr) -> list[AffineExpr]:
        """The point of the picks' domain that a point (element of self, pick) stands for."""
        others = [d[i] for i in range(rank) if i not in dims]
        return [*others[: picked.first], *d[rank:], *others[picked.first :]]

    def moved(at: Coordinates) -> Coordinates:
        return lambda *d: at(*in_picks(*d))

    def body(b: Body, x: SSAValue, new: SSAValue, *rest: SSAValue) -> SSAValue:
        *places, acc = rest
        here = [b.cmp("eq", place, b.cast(b.index(dim), place.type)) for place, dim in zip(places, dims, strict=True)]
        named = here[0]
        for condition in here[1:]:
            named = b.and_(named, condition)
        return b.add(acc, b.select(named, b.cast(new, compute), b.const(0, compute)))

    def finish(b: Body, x: SSAValue, new: SSAValue, *rest: SSAValue) -> SSAValue:
        return b.cast(b.add(b.cast(x, compute), rest[-1]), shaped.dtype)

    reads = [Read(value, lambda *d: d[:rank]), Read(source, moved(at_source))]
    reads += [Read(index.value, moved(index.at)) for index in indices]
    shape = (*shaped.shape, *(picked.picks or (1,)))
    if not picks:
        reads = [replace(read, at=_leaving_out_last(read.at)) for read in reads]
    return k.fold(
        reads, shape, range(rank, len(shape)), shaped.dtype, 0, body, added, finish=finish, accumulator=compute
    )


def _leaving_out_last(at: Coordinates) -> Coordinates:
    return lambda *d: at(*d[:-1])


@converts("scatter")
def scatter(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, ids, source = op.operands
    shape = shape_of(ids)
    rank = len(shape)
    if not rank:
        return [source]
    dim = dim_index(op.attr("dim"), rank)
    whole: Coordinates = lambda *d: d[:rank]  # noqa: E731
    return [_scattered(k, value, Read(source, whole), [Read(ids, whole)], shape, at_symbol(dim, rank))]


@converts("index_copy")
def index_copy(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """The update of a KV cache: rows of the source written at their positions, the rest of the cache stays."""
    value, ids, source = op.operands
    shape = shape_of(source)
    rank = len(shape)
    dim = dim_index(op.attr("dim"), rank)
    reads = [Read(ids, lambda *d: [d[dim]])]
    return [_scattered(k, value, Read(source, lambda *d: d[:rank]), reads, shape, at_symbol(dim, rank))]
