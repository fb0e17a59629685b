"""Random kernel stages of every kind, built against the stage interface alone: domains, maps, bodies, predicates, pads.

An access is chosen coordinate by coordinate, so that it stays in range or gets a pad; result maps are permutations with
strides and offsets, so that no element is written twice. What is made here verifies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, StringAttr, UnitAttr, bf16, f32, i1, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel import Body, Domain
from sambaflow.dialects.kernel.analysis import BLOCK
from sambaflow.dialects.kernel.attributes import IteratorKind
from sambaflow.dialects.samba import Shaped, shaped_of, tensor_type
from sambaflow.dialects.samba.inference import is_float
from sambaflow.testing.scope import MOST_ELEMENTS, Chooser, Scope


class KernelScope(Scope):
    """A block that random stages are added to."""

    def constant(self, shaped: Shaped) -> SSAValue:
        count = math.prod(shaped.shape)
        numbers: list[Any] = [self.choose.below(2 if shaped.dtype == i1 else 4) for _ in range(count)]
        numbers = [number - 1.5 for number in numbers] if is_float(shaped.dtype) else numbers
        value = DenseIntOrFPElementsAttr.from_list(tensor_type(shaped), numbers)  # pyright: ignore
        return self.append(arith.ConstantOp(value))

    def append(self, op: kernel.Stage | arith.ConstantOp) -> SSAValue:
        self.block.add_op(op)
        self.values.extend(op.results)
        return op.results[0]


# -- accesses


@dataclass(frozen=True)
class Access:
    """Where the points of a domain read an input, and what lies outside of it."""

    map: AffineMap
    pad: Attribute | None = None


def access(
    choose: Chooser, shaped: Shaped, extents: Sequence[int], *, pads: bool = True, plain: bool = False
) -> Access:
    """A random access of a tensor; the first choice of each coordinate is the domain's own dimension where it fits.

    `pads`: may leave the tensor. `plain`: neither floordiv nor mod.
    """
    rank, shape = len(extents), shaped.shape
    leaves = False
    coordinates: list[AffineExpr] = []
    for place, size in enumerate(shape):
        expr, out = _coordinate(choose, size, extents, place + rank - len(shape), pads, plain)
        coordinates.append(expr)
        leaves = leaves or out
    pad = kernel.constant(choose.one_of((0, 1)), shaped.dtype) if leaves else None
    return Access(AffineMap(rank, 0, tuple(coordinates)), pad)


def _coordinate(
    choose: Chooser, size: int, extents: Sequence[int], aligned: int, pads: bool, plain: bool
) -> tuple[AffineExpr, bool]:
    """One coordinate of a tensor of extent `size`, and whether it may lie outside."""
    fitting = [d for d, extent in enumerate(extents) if extent <= size]
    if aligned in fitting:
        fitting.remove(aligned)
        fitting.insert(0, aligned)
    way = choose.below(10)
    if not fitting or way == 9:
        whole = [d for d, extent in enumerate(extents) if extent % size == 0 or choose.chance(5)]
        if not plain and way < 5 and whole:
            return AffineExpr.dimension(choose.one_of(whole)) % size, False
        if pads and extents and choose.chance(40):
            return AffineExpr.dimension(choose.below(len(extents))) + choose.between(-1, 1), True
        return AffineExpr.constant(choose.below(size)), False
    dim = fitting[0] if way < 5 else choose.one_of(fitting)
    expr, extent = AffineExpr.dimension(dim), extents[dim]
    match way:
        case 5 if extent > 1:  # a stride
            stride = choose.between(1, (size - 1) // (extent - 1))
            return expr * stride + choose.below(size - stride * (extent - 1)), False
        case 6:  # backwards
            return expr * -1 + (extent - 1), False
        case 7 if pads:  # a window that leaves the tensor
            return expr + choose.between(-2, 2), True
        case 8 if not plain:
            return expr // choose.one_of([k for k in (2, 3, 4) if extent % k == 0 or choose.chance(5)] or [1]), False
        case _:
            return expr + (choose.below(size - extent + 1) if way == 3 else 0), False


def written(choose: Chooser, extents: Sequence[int], dims: Sequence[int]) -> tuple[AffineMap, tuple[int, ...]]:
    """A map that writes every point of `dims` once, and the shape that it fills."""
    order = choose.order_of(dims) if choose.chance(30) else list(dims)
    coordinates: list[AffineExpr] = []
    shape: list[int] = []
    for dim in order:
        step, first = (choose.between(1, 2), choose.below(2)) if choose.chance(10) else (1, 0)
        coordinates.append(AffineExpr.dimension(dim) * step + first)
        shape.append(step * (extents[dim] - 1) + first + 1)
    return AffineMap(len(extents), 0, tuple(coordinates)), tuple(shape)


# -- bodies


def wide(dtype: Attribute) -> Attribute:
    """What bodies compute in."""
    return f32 if is_float(dtype) else dtype


class Expression:
    """A random scalar expression over the arguments of a body."""

    def __init__(self, choose: Chooser, b: Body, arguments: Sequence[SSAValue], rank: int = 0) -> None:
        self.choose, self.b = choose, b
        self.values = [b.ext(a) if is_float(a.type) else a for a in arguments]
        if rank and choose.chance(15):
            self.values.append(b.index(choose.below(rank)))

    def of(self, dtype: Attribute, steps: int = 3) -> SSAValue:
        """A value of the type, after up to `steps` operations."""
        for _ in range(self.choose.below(steps + 1)):
            self.values.append(self._step())
        fitting = [v for v in self.values if v.type == wide(dtype)]
        value = self.choose.one_of(list(reversed(fitting or self.values))) if self.values else self.b.const(1, f32)
        return self.b.cast(value, dtype)

    def _step(self) -> SSAValue:
        b, x = self.b, self.choose.one_of(list(reversed(self.values)) or [self.b.const(0.5)])
        y = self.choose.one_of([*(v for v in self.values if v.type == x.type and v is not x), x, b.const(1, x.type)])
        if x.type == i1:
            steps: list[Callable[[], SSAValue]] = [lambda: b.and_(x, y), lambda: b.xor(x, y), lambda: b.not_(x)]
        elif x.type == f32:
            steps = [
                lambda: b.add(x, y), lambda: b.mul(x, y), lambda: b.max(x, y), lambda: b.sub(x, y), lambda: b.neg(x),
                lambda: b.abs(x), lambda: b.tanh(x), lambda: b.exp(b.min(x, b.const(2.0))), lambda: b.floor(x),
                lambda: b.select(b.cmp("lt", x, y), x, y), lambda: b.cast(b.cmp("ge", x, y), f32),
                lambda: b.div(x, b.add(b.abs(y), b.const(0.5))), lambda: b.sqrt(b.abs(x)),
            ]  # fmt: skip
        else:
            steps = [
                lambda: b.add(x, y), lambda: b.sub(x, y), lambda: b.max(x, y), lambda: b.min(x, y), lambda: b.mul(x, y),
                lambda: b.and_(x, y), lambda: b.cast(x, f32), lambda: b.cmp("lt", x, y), lambda: b.abs(x),
            ]  # fmt: skip
        return self.choose.one_of(steps)()


# -- stages


def _inputs(scope: KernelScope, first: SSAValue, most: int) -> list[SSAValue]:
    return [first, *(scope.any() for _ in range(scope.choose.below(most)))]


def _predicate(scope: KernelScope, extents: Sequence[int]) -> Any:
    if not extents or not scope.choose.chance(15):
        return None
    a, b = scope.choose.below(len(extents)), scope.choose.below(len(extents))
    bound = scope.choose.between(0, extents[a])
    forms = (lambda *d: (d[a] - d[b],)) if a != b else (lambda *d: (bound - d[a],))
    return kernel.nonnegative(len(extents), forms)


def _domain(extents: Sequence[int], dims: Sequence[int], kind: IteratorKind) -> Domain:
    """The dimensions `dims` of a kind, the rest parallel."""
    return Domain(tuple(extents), tuple(kind if d in dims else "parallel" for d in range(len(extents))))


def _extents(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape) or (1,)


def add_map(scope: KernelScope, dtype: Attribute) -> None:
    """An elementwise stage of up to three inputs and two results."""
    values = _inputs(scope, scope.any(), 3)
    extents = _extents(shaped_of(values[0]).shape)
    reads = [access(scope.choose, shaped_of(value), extents) for value in values]
    dtypes = [dtype, *([scope.choose.one_of((f32, i1, i64))] if scope.choose.chance(15) else [])]
    writes = [written(scope.choose, extents, range(len(extents))) for _ in dtypes]

    def body(b: Body, *arguments: SSAValue) -> list[SSAValue]:
        expression = Expression(scope.choose, b, arguments, len(extents))
        return [expression.of(t) for t in dtypes]

    types = [tensor_type(Shaped(shape, t)) for (_, shape), t in zip(writes, dtypes, strict=True)]
    tied = [next((i for i, v in enumerate(values) if v.type == types[0]), -1)] + [-1] * (len(types) - 1)
    predicate = _predicate(scope, extents)
    scope.append(
        kernel.MapOp.make(
            values, Domain.of(extents), [*(r.map for r in reads), *(out_map for out_map, _ in writes)], types, body,
            pads=[r.pad for r in reads], predicate=predicate,
            tied=tied if predicate is not None and scope.choose.chance(50) else (),
        )
    )  # fmt: skip


@dataclass(frozen=True)
class Folding:
    """How a reduction folds: accumulators, what one point does to them, and how two partial results merge (None: they
    do not, it is ordered)."""

    inits: Sequence[tuple[float, Attribute]]
    body: Callable[[Body, SSAValue, Sequence[SSAValue]], Sequence[SSAValue]]
    combine: Callable[[Body, Sequence[SSAValue], Sequence[SSAValue]], Sequence[SSAValue]] | None


def _moments(b: Body, x: SSAValue, acc: Sequence[SSAValue]) -> Sequence[SSAValue]:
    return [b.add(acc[0], x), b.add(acc[1], b.mul(x, x))]


def _first_largest(b: Body, x: SSAValue, acc: Sequence[SSAValue]) -> Sequence[SSAValue]:
    better = b.cmp("gt", x, acc[0])
    return [b.select(better, x, acc[0]), b.select(better, b.add(acc[1], b.const(1, i64)), acc[1])]


FOLDINGS = (
    Folding([(0, f32)], lambda b, x, acc: [b.add(acc[0], x)], lambda b, p, q: [b.add(p[0], q[0])]),
    Folding([(-1e30, f32)], lambda b, x, acc: [b.max(acc[0], x)], lambda b, p, q: [b.max(p[0], q[0])]),
    Folding([(1e30, f32)], lambda b, x, acc: [b.min(acc[0], x)], lambda b, p, q: [b.min(p[0], q[0])]),
    Folding([(1, f32)], lambda b, x, acc: [b.mul(acc[0], x)], lambda b, p, q: [b.mul(p[0], q[0])]),
    Folding([(0, f32), (0, f32)], _moments, lambda b, p, q: [b.add(p[0], q[0]), b.add(p[1], q[1])]),
    Folding([(-1e30, f32), (0, i64)], _first_largest, None),
)


def add_reduce(scope: KernelScope, dtype: Attribute) -> None:
    """A fold over some dimensions of a float: with predicate, pads, finish and split."""
    values = [scope.float(1, 3), *([scope.float(0, 1)] if scope.choose.chance(30) else [])]
    shape, _ = shaped_of(values[0])
    folded = scope.choose.some_of(range(len(shape)), least=1)
    unfolded = [d for d in range(len(shape)) if d not in folded]
    domain = _domain(shape, folded, "reduction")
    read = access(scope.choose, shaped_of(values[0]), shape, plain=True)
    reads = [read] + [_outer_access(scope.choose, shaped_of(v), shape, unfolded) for v in values[1:]]
    folding = scope.choose.one_of(FOLDINGS)
    finish = scope.choose.chance(50) or len(folding.inits) > 1 or len(values) > 1
    out_map, out = written(scope.choose, shape, unfolded)
    count = len(values)

    def body(b: Body, *arguments: SSAValue) -> Sequence[SSAValue]:
        return folding.body(b, b.ext(arguments[0]), arguments[count:])

    def finished(b: Body, *arguments: SSAValue) -> SSAValue:
        return Expression(scope.choose, b, arguments[1:]).of(dtype, 2)

    combine = folding.combine
    accumulators = len(folding.inits)
    points = math.prod(shape[d] for d in folded)
    split = [scope.choose.one_of((2, 1)) if d in folded and e % 2 == 0 else 1 for d, e in enumerate(shape)]
    scope.append(
        kernel.ReduceOp.make(
            values, domain, [*(r.map for r in reads), out_map],
            [tensor_type(Shaped(out, dtype if finish else folding.inits[0][1]))], body,
            inits=[kernel.constant(value, element) for value, element in folding.inits],
            finish=finished if finish else None,
            combine=None if combine is None else lambda b, *a: combine(b, a[:accumulators], a[accumulators:]),
            ordered=combine is None and (points > BLOCK or scope.choose.chance(50)),
            pads=[r.pad for r in reads], predicate=_predicate(scope, shape),
            split=split if combine is not None and scope.choose.chance(70) else (),
        )
    )  # fmt: skip


def _outer_access(choose: Chooser, shaped: Shaped, extents: Sequence[int], unfolded: Sequence[int]) -> Access:
    """An access by dimensions that are not folded, for `finish`."""
    inner = access(choose, shaped, [extents[d] for d in unfolded], plain=True)
    dims = [AffineExpr.dimension(d) for d in unfolded]
    results = tuple(expr.replace_dims_and_symbols(dims, []) for expr in inner.map.results)
    return Access(AffineMap(len(extents), 0, results), inner.pad)


def add_contract(scope: KernelScope, dtype: Attribute) -> None:
    """A matrix product or a convolution of one dimension, with a bias, of operands with random accesses."""
    x = scope.float(1, 3)
    (*rows, k), element = shaped_of(x)
    n = scope.size(8)
    extents = (*rows, n, k)
    rank = len(extents)
    w = scope.like(Shaped((n, k), element))
    operands = [x, w, *([scope.like(Shaped((n,), scope.dtype))] if scope.choose.chance(40) else [])]
    last, column = AffineExpr.dimension(rank - 1), AffineExpr.dimension(rank - 2)
    leaves = bool(rows) and scope.choose.chance(30)
    window = AffineExpr.dimension(rank - 3) + last - 1 if leaves else None
    left = [AffineExpr.dimension(d) for d in range(len(rows))]
    if window is not None:
        left[-1] = window
    maps = [
        AffineMap(rank, 0, (*left, last)),
        AffineMap(rank, 0, (column, last)),
        *[AffineMap(rank, 0, (column,))] * (len(operands) - 2),
    ]
    out_map, out = written(scope.choose, extents, range(rank - 1))

    def finished(b: Body, *arguments: SSAValue) -> SSAValue:
        return Expression(scope.choose, b, arguments[2:]).of(dtype, 2)

    scope.append(
        kernel.ContractOp.make(
            operands, Domain.of(extents[:-1], extents[-1:]), [*maps, out_map], [tensor_type(Shaped(out, dtype))],
            lambda b, *a: b.add(a[-1], b.mul(b.ext(a[0]), b.ext(a[1]))),
            inits=[kernel.constant(0, f32)], finish=finished,
            combine=(lambda b, x, y: b.add(x, y)) if k > BLOCK or scope.choose.chance(10) else None,
            pads=[kernel.constant(0, element), *[None] * (len(operands) - 1)] if leaves else (),
            predicate=_predicate(scope, extents),
        )
    )  # fmt: skip


def add_move(scope: KernelScope, dtype: Attribute) -> None:
    """A change of layout: one input with any access, or two one after the other."""
    value = scope.any(lambda s: s.dtype == dtype)
    shaped = shaped_of(value)
    if shaped.shape and scope.choose.chance(30):
        other = scope.like(shaped)
        dim = scope.choose.below(len(shaped.shape))
        extents = tuple(2 * e if d == dim else e for d, e in enumerate(shaped.shape))
        if math.prod(extents) <= MOST_ELEMENTS:
            size = shaped.shape[dim]
            first = AffineMap.identity(len(extents))
            second = kernel.affine_map(len(extents), lambda *d: [x - size if i == dim else x for i, x in enumerate(d)])
            out_map, out = written(scope.choose, extents, range(len(extents)))
            types = [tensor_type(Shaped(out, shaped.dtype))]
            scope.append(kernel.MoveOp.make([value, other], Domain.of(extents), [first, second, out_map], types))
            return
    extents = _extents(scope.choose.order_of(shaped.shape) if scope.choose.chance(50) else scope.shape(0, 3))
    read = access(scope.choose, shaped, extents)
    out_map, out = written(scope.choose, extents, range(len(extents)))
    types = [tensor_type(Shaped(out, shaped.dtype))]
    scope.append(kernel.MoveOp.make([value], Domain.of(extents), [read.map, out_map], types, pads=[read.pad]))


def add_gather(scope: KernelScope, dtype: Attribute) -> None:
    """Rows of a table at indices."""
    table = scope.any(lambda s: s.dtype == dtype, 1, 3)
    shape, element = shaped_of(table)
    dim = scope.choose.below(len(shape))
    index = scope.argument(Shaped((scope.size(8),), i64), "input")
    extents = (shaped_of(index).shape[0], *(e for i, e in enumerate(shape) if i != dim))
    rest = list(range(1, len(extents)))

    def at(*d: AffineExpr) -> Sequence[AffineExpr]:
        others = iter(rest)
        return [d[-1] if i == dim else d[next(others)] for i in range(len(shape))]

    scope.append(
        kernel.GatherOp.make(
            [index, table], Domain.of(extents),
            [lambda *d: (d[0],), at, lambda *d: d[: len(extents)]], [tensor_type(Shaped(extents, element))],
            lambda b, i, x: x, bindings=[0],
        )
    )  # fmt: skip


def add_scatter(scope: KernelScope, dtype: Attribute) -> None:
    """Rows written into a copy of a tensor at indices, or added to it."""
    old = scope.any(lambda s: s.dtype == dtype, 1, 3)
    shape, element = shaped_of(old)
    index = scope.argument(Shaped((scope.size(4),), i64), "input")
    extents = (shaped_of(index).shape[0], *shape[1:])
    rank = len(extents)
    new = scope.like(Shaped(extents, element))
    adds = is_float(element) and scope.choose.chance(15)
    scope.append(
        kernel.ScatterOp.make(
            [old, index, new], Domain.of(extents),
            [lambda *d: (0, *d[1:rank]), lambda *d: (d[0],), lambda *d: d[:rank], lambda *d: (d[-1], *d[1:rank])],
            [old.type], lambda b, old, i, x: x, bindings=[1], tied=[0],
            conflict=StringAttr("add" if adds else "overwrite"),
        )
    )  # fmt: skip


def add_scan(scope: KernelScope, dtype: Attribute) -> None:
    """A running sum or maximum, and its last value."""
    value = scope.float(1, 3)
    shape, _ = shaped_of(value)
    dim = scope.choose.below(len(shape))
    domain = _domain(shape, [dim], "sequential")
    unscanned = [d for d in range(len(shape)) if d != dim]
    largest = scope.choose.chance(40)
    init = kernel.constant(-1e30 if largest else 0, f32)
    last = scope.choose.chance(40)

    def body(b: Body, x: SSAValue, acc: SSAValue) -> Sequence[SSAValue]:
        total = b.max(acc, b.ext(x)) if largest else b.add(acc, b.ext(x))
        return [total, b.trunc(total, dtype) if is_float(dtype) else b.cast(total, dtype)]

    results = [tensor_type(Shaped(shape, dtype))]
    maps = [AffineMap.identity(len(shape)), AffineMap.identity(len(shape))]
    if last:
        out_map, out = written(scope.choose, shape, unscanned)
        results.append(tensor_type(Shaped(out, f32)))
        maps.append(out_map)
    finish = (lambda b, x, acc: acc) if last else None
    scope.append(kernel.ScanOp.make([value], domain, maps, results, body, inits=[init], finish=finish))


def add_sort(scope: KernelScope, dtype: Attribute) -> None:
    """A sort along one dimension, with a second tensor that moves along."""
    value = scope.number(1, 3)
    shape, _ = shaped_of(value)
    dim = scope.choose.below(len(shape))
    domain = _domain(shape, [dim], "sequential")
    values = [value, *([scope.like(Shaped(shape, i64))] if scope.choose.chance(50) else [])]
    identity = AffineMap.identity(len(shape))
    types = [v.type for v in values]
    op = kernel.SortOp.make(values, domain, [identity] * 2 * len(values), types)
    if scope.choose.chance(50):
        op.descending = UnitAttr()
    scope.append(op)


def add_random(scope: KernelScope, dtype: Attribute) -> None:
    """Random numbers of a seed, scaled to [-1, 1)."""
    seed = scope.argument(Shaped((), i64), "input")
    extents = _extents(scope.shape(1, 2))

    def body(b: Body, s: SSAValue) -> SSAValue:
        bits = b.random_bits(s, b.index(0))
        return b.cast(b.mul(b.cast(bits, f32), b.const(2.0**-31)), dtype)

    nothing = AffineMap(len(extents), 0, ())
    types = [tensor_type(Shaped(extents, dtype))]
    maps = [nothing, AffineMap.identity(len(extents))]
    scope.append(kernel.RandomOp.make([seed], Domain.of(extents), maps, types, body))


KINDS: dict[str, Callable[[KernelScope, Attribute], None]] = {
    "map": add_map,
    "reduce": add_reduce,
    "contract": add_contract,
    "move": add_move,
    "gather": add_gather,
    "scatter": add_scatter,
    "scan": add_scan,
    "sort": add_sort,
    "random": add_random,
}
"""Every kind of stage but the collective, which needs several chips: `samba-partition` makes those."""


def add_stage(scope: KernelScope) -> None:
    """Append a random stage; maps, moves and reductions are the most frequent."""
    frequent = ("map", "map", "reduce", "contract", "move", "move", *KINDS)
    dtype = scope.choose.one_of((scope.dtype, f32, bf16, i64, i1) if scope.choose.chance(40) else (scope.dtype,))
    KINDS[scope.choose.one_of(frequent)](scope, dtype)
