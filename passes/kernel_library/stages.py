"""What conversions build with: stages from reads, domains and bodies, at the place and location of the samba op.

    k.map([k.broadcast(x, shape), k.broadcast(w, shape)], Shaped(shape, bf16), body)

An operand that is one constant everywhere (`samba.full`, a splat) becomes a constant of the body instead of an input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeAlias, cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, IntegerType, f32, i1, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.dialects import kernel, samba
from sambaflow.dialects.kernel import Body, BodyFunction, Domain, Stage, element_type
from sambaflow.dialects.kernel.analysis import BLOCK
from sambaflow.dialects.samba.inference import Shape, Shaped, is_float
from sambaflow.passes.rewriting.driver import LocatedBuilder

Coordinates = Callable[..., Sequence[AffineExpr | int]]
"""The element coordinates of a domain point: a function of the dimensions, then of the symbols."""

Merge: TypeAlias = Callable[[Body, SSAValue, SSAValue], SSAValue]
"""Two partial results to one."""


def added(b: Body, x: SSAValue, y: SSAValue) -> SSAValue:
    return b.add(x, y)


def multiplied(b: Body, x: SSAValue, y: SSAValue) -> SSAValue:
    return b.mul(x, y)


def larger(b: Body, x: SSAValue, y: SSAValue) -> SSAValue:
    return b.max(x, y)


def smaller(b: Body, x: SSAValue, y: SSAValue) -> SSAValue:
    return b.min(x, y)


def either(b: Body, x: SSAValue, y: SSAValue) -> SSAValue:
    return b.or_(x, y)


def both(b: Body, x: SSAValue, y: SSAValue) -> SSAValue:
    return b.and_(x, y)


LOWEST = -3.4028234663852886e38
"""The most negative finite f32: below every finite score, and exp(-inf - LOWEST) is 0 where exp(-inf + inf) is NaN."""


@dataclass(frozen=True)
class Read:
    """One input of a stage: a tensor, where a point reads it, and what lies outside."""

    value: SSAValue
    at: Coordinates
    pad: Attribute | None = None


def wide(dtype: Attribute) -> Attribute:
    """The type that bodies compute in: f32 for floats, i32 for bools, others stay."""
    return f32 if is_float(dtype) else i32 if dtype == i1 else dtype


def dtype_of(value: SSAValue) -> Attribute:
    """The element type of a tensor."""
    return element_type(value.type)


def shape_of(value: SSAValue) -> Shape:
    """The shape of a tensor."""
    return samba.shaped_of(value).shape


def count_of(shape: Shape, dims: Sequence[int]) -> int:
    """How many elements are reduced to one; PyTorch lets a number have the dimension 0."""
    return math.prod(shape[dim] for dim in dims) if shape else 1


def identity(*dims: AffineExpr) -> Sequence[AffineExpr]:
    """Coordinates equal to the domain's dimensions."""
    return dims


def aligned(shape: Shape) -> Coordinates:
    """Coordinates of a tensor of `shape` that is broadcast to the domain, aligned at the last dimension."""

    def at(*dims: AffineExpr) -> Sequence[AffineExpr | int]:
        last = dims[len(dims) - len(shape) :]
        return [0 if size == 1 else dim for size, dim in zip(shape, last, strict=True)]

    return at


def without(dropped: Sequence[int]) -> Coordinates:
    """Coordinates of a tensor that lacks the dimensions `dropped` of the domain."""
    return lambda *dims: [dim for i, dim in enumerate(dims) if i not in dropped]


def flattened(dropped: Sequence[int]) -> Coordinates:
    """Coordinates of a tensor that has size 1 in the dimensions `dropped`."""
    return lambda *dims: [0 if i in dropped else dim for i, dim in enumerate(dims)]


def only(*selected: int) -> Coordinates:
    """Coordinates made of the dimensions `selected`."""
    return lambda *dims: [dims[i] for i in selected]


def scalar(*dims: AffineExpr) -> Sequence[AffineExpr]:
    """Coordinates of a tensor of rank 0."""
    return []


def parallel(shape: Shape) -> Domain:
    """A domain of parallel dimensions; one of extent 1 for rank 0."""
    return Domain.of(shape or (1,))


def folding(shape: Shape, dims: Sequence[int]) -> Domain:
    """A domain over `shape` whose dimensions `dims` are reduced."""
    if not shape:
        return Domain((1,), ("reduction",))
    return Domain(shape, tuple("reduction" if i in dims else "parallel" for i in range(len(shape))))


def minimum_of(dtype: Attribute) -> float:
    """What every element is at least."""
    return float("-inf") if is_float(dtype) else -(1 << (cast(IntegerType, dtype).width.data - 1))


def maximum_of(dtype: Attribute) -> float:
    """What every element is at most."""
    return float("inf") if is_float(dtype) else (1 << (cast(IntegerType, dtype).width.data - 1)) - 1


def splat_of(value: SSAValue) -> bool | int | float | None:
    """The number that fills a tensor, when a stage without inputs made it so."""
    owner = value.owner
    if not isinstance(owner, kernel.MapOp) or owner.operands:
        return None
    constant = owner.yielded[0].owner
    if isinstance(constant, arith.ConstantOp) and isinstance(constant.value, FloatAttr | IntegerAttr):
        return constant.value.value.data
    return None


class StageBuilder:
    """Appends the stages of one samba op."""

    def __init__(self, builder: LocatedBuilder) -> None:
        self.builder = builder

    def stage(
        self,
        kind: type[Stage],
        reads: Sequence[Read],
        domain: Domain,
        results: Sequence[tuple[Shaped, Coordinates]],
        body: BodyFunction | None,
        *,
        finish: BodyFunction | None = None,
        combine: BodyFunction | None = None,
        fold: bool = True,
        **fields: Any,
    ) -> Sequence[SSAValue]:
        """A stage of any kind; splat inputs become constants of the bodies unless `fold` is off.

        `combine` merges partial results: it stands in the stage where there are several blocks.
        """
        numbers = [splat_of(read.value) if fold and body is not None else None for read in reads]
        tensor_reads = [read for read, number in zip(reads, numbers, strict=True) if number is None]
        if len(tensor_reads) < len(reads):
            types = [dtype_of(read.value) for read in reads]
            body, finish = (_with_constants(f, numbers, types, len(tensor_reads)) for f in (body, finish))
        pads = [read.pad for read in tensor_reads]
        places = [(shape_of(read.value), read.at) for read in tensor_reads] + [
            (shaped.shape, at) for shaped, at in results
        ]
        op = kind.make(
            [read.value for read in tensor_reads],
            domain,
            [at if shape else scalar for shape, at in places],  # the domain of a number has a dimension all the same
            [samba.tensor_type(shaped) for shaped, _ in results],
            body,
            finish=finish,
            combine=combine if _points(domain) > BLOCK else None,
            pads=pads,
            **fields,
        )
        return self.builder.insert(op).results

    def map(self, reads: Sequence[Read], out: Shaped, body: BodyFunction) -> SSAValue:
        """An elementwise stage over the result's shape."""
        return self.stage(kernel.MapOp, reads, parallel(out.shape), [(out, identity)], body)[0]

    def fill(self, value: bool | int | float, out: Shaped) -> SSAValue:
        """One number everywhere."""
        return self.map([], out, lambda b: b.const(value, out.dtype))

    def broadcast(self, value: SSAValue) -> Read:
        """A tensor read with broadcast."""
        return Read(value, aligned(shape_of(value)))

    def fold(
        self,
        reads: Sequence[Read],
        shape: Shape,
        dims: Sequence[int],
        out: Attribute,
        init: float,
        body: BodyFunction,
        combine: Merge,
        *,
        finish: BodyFunction | None = None,
        keepdim: bool = False,
        accumulator: Attribute = f32,
    ) -> SSAValue:
        """A reduction of a domain `shape` over `dims` with one accumulator, whose partial results `combine` merges."""
        reduced_shape = tuple(1 if i in dims else s for i, s in enumerate(shape) if keepdim or i not in dims)
        at = flattened(dims) if keepdim else without(dims)
        inits = [kernel.constant(init, accumulator)]
        result = [(Shaped(reduced_shape, out), at)]
        domain = folding(shape, dims)
        return self.stage(kernel.ReduceOp, reads, domain, result, body, finish=finish, inits=inits, combine=combine)[0]

    def move(self, reads: Sequence[Read], out: Shaped) -> SSAValue:
        """A change of layout over the result's shape."""
        return self.stage(kernel.MoveOp, reads, parallel(out.shape), [(out, identity)], None)[0]

    def cast(self, value: SSAValue, dtype: Attribute) -> SSAValue:
        """The tensor in another element type."""
        if dtype_of(value) == dtype:
            return value
        shape = shape_of(value)
        return self.map([self.broadcast(value)], Shaped(shape, dtype), lambda b, x: b.cast(x, dtype))


def _points(domain: Domain) -> int:
    """Points that are reduced to one."""
    return math.prod(domain.extents[d] for d in domain.dims("reduction"))


def _with_constants(
    function: BodyFunction | None, numbers: Sequence[Any], types: Sequence[Attribute], input_count: int
) -> BodyFunction | None:
    """The body function with constants in the places of the inputs that were dropped."""
    if function is None:
        return None

    @wraps(function)
    def wrapped(b: Body, *arguments: SSAValue) -> Any:
        elements = iter(arguments[:input_count])
        filled = [
            next(elements) if number is None else b.const(number, dtype)
            for number, dtype in zip(numbers, types, strict=True)
        ]
        return function(b, *filled, *arguments[input_count:])

    return wrapped
