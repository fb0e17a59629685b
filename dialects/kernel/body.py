"""A small builder for stage bodies, so that library code reads as the formula.

    def silu(b: Body, x: SSAValue) -> SSAValue:
        x = b.ext(x)
        return b.trunc(b.div(x, b.add(b.const(1.0), b.exp(b.neg(x)))), bf16)

Operations pick the float or the integer op by the type of their operands; constants are made once per block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import AnyFloat, Float32Type, FloatAttr, IntegerAttr, IntegerType, f32, i1
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.kernel.body_ops import IndexOp, InsertSortedOp, RandomBitsOp, RemOp, YieldOp

Yielded = SSAValue | Sequence[SSAValue]
BodyFunction = Callable[..., Yielded]
"""Called with a `Body` and the block's arguments; returns what the region yields."""

_BINARY: dict[str, tuple[Any, Any]] = {
    "add": (arith.AddfOp, arith.AddiOp),
    "sub": (arith.SubfOp, arith.SubiOp),
    "mul": (arith.MulfOp, arith.MuliOp),
    "div": (arith.DivfOp, arith.DivSIOp),
    "rem": (RemOp, arith.RemSIOp),
    "max": (arith.MaximumfOp, arith.MaxSIOp),
    "min": (arith.MinimumfOp, arith.MinSIOp),
}
_FLOAT_PREDICATES = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}
_INTEGER_PREDICATES = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}


def number(value: float, dtype: Attribute) -> FloatAttr | IntegerAttr:
    """A number of a scalar type; of bools, whether it is not 0. VerifyException when the type has no such number."""
    try:
        if isinstance(dtype, AnyFloat):
            return FloatAttr(float(value), cast(Float32Type, dtype))
        return IntegerAttr(int(value != 0 if dtype == i1 else value), cast(IntegerType, dtype))
    except (OverflowError, ValueError):
        raise VerifyException(f"{value} is no number of type {dtype}") from None


class Body:
    """Appends arith and math ops to one block."""

    def __init__(self, block: Block):
        self.block = block
        self._constants: dict[tuple[Attribute, str], SSAValue] = {}

    def emit(self, op: Operation) -> SSAValue:
        """Append an op; its first result."""
        self.block.add_op(op)
        return op.results[0]

    def const(self, value: float, dtype: Attribute = f32) -> SSAValue:
        """A constant; of f32 unless another type is given."""
        key = (dtype, repr(value))
        if key not in self._constants:
            self._constants[key] = self.emit(arith.ConstantOp(number(value, dtype)))
        return self._constants[key]

    def _binary(self, name: str, x: SSAValue, y: SSAValue) -> SSAValue:
        floats, integers = _BINARY[name]
        return self.emit((floats if isinstance(x.type, AnyFloat) else integers)(x, y))

    def add(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """x + y."""
        return self._binary("add", x, y)

    def sub(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """x - y."""
        return self._binary("sub", x, y)

    def mul(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """x * y."""
        return self._binary("mul", x, y)

    def div(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """x / y (integers: toward zero)."""
        return self._binary("div", x, y)

    def max(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """The greater one; NaN wins."""
        return self._binary("max", x, y)

    def min(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """The smaller one; NaN wins."""
        return self._binary("min", x, y)

    def rem(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """The rest of x / y toward zero."""
        return self._binary("rem", x, y)

    def fma(self, x: SSAValue, y: SSAValue, z: SSAValue) -> SSAValue:
        """x * y + z, rounded once."""
        return self.emit(math.FmaOp(x, y, z))

    def neg(self, x: SSAValue) -> SSAValue:
        """-x."""
        return self.emit(arith.NegfOp(x)) if isinstance(x.type, AnyFloat) else self.sub(self.const(0, x.type), x)

    def abs(self, x: SSAValue) -> SSAValue:
        """|x|."""
        return self.emit(math.AbsFOp(x) if isinstance(x.type, AnyFloat) else math.AbsIOp(x))

    def exp(self, x: SSAValue) -> SSAValue:
        """e to the x."""
        return self.emit(math.ExpOp(x))

    def log(self, x: SSAValue) -> SSAValue:
        """Natural logarithm."""
        return self.emit(math.LogOp(x))

    def tanh(self, x: SSAValue) -> SSAValue:
        """Hyperbolic tangent."""
        return self.emit(math.TanhOp(x))

    def erf(self, x: SSAValue) -> SSAValue:
        """Error function."""
        return self.emit(math.ErfOp(x))

    def sqrt(self, x: SSAValue) -> SSAValue:
        """Square root."""
        return self.emit(math.SqrtOp(x))

    def rsqrt(self, x: SSAValue) -> SSAValue:
        """1 / sqrt(x)."""
        return self.emit(math.RsqrtOp(x))

    def sin(self, x: SSAValue) -> SSAValue:
        """Sine."""
        return self.emit(math.SinOp(x))

    def cos(self, x: SSAValue) -> SSAValue:
        """Cosine."""
        return self.emit(math.CosOp(x))

    def floor(self, x: SSAValue) -> SSAValue:
        """Round down."""
        return self.emit(math.FloorOp(x))

    def cmp(self, predicate: str, x: SSAValue, y: SSAValue) -> SSAValue:
        """eq, ne, lt, le, gt or ge; ordered on floats (but ne), signed on integers."""
        if isinstance(x.type, AnyFloat):
            return self.emit(arith.CmpfOp(x, y, _FLOAT_PREDICATES[predicate]))
        return self.emit(arith.CmpiOp(x, y, _INTEGER_PREDICATES[predicate]))

    def select(self, condition: SSAValue, x: SSAValue, y: SSAValue) -> SSAValue:
        """x where the condition holds, else y."""
        return self.emit(arith.SelectOp(condition, x, y))

    def and_(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """Bitwise and."""
        return self.emit(arith.AndIOp(x, y))

    def or_(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """Bitwise or."""
        return self.emit(arith.OrIOp(x, y))

    def xor(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """Bitwise exclusive or."""
        return self.emit(arith.XOrIOp(x, y))

    def not_(self, x: SSAValue) -> SSAValue:
        """Logical not of an i1."""
        return self.xor(x, self.const(1, i1))

    def ext(self, x: SSAValue, to: AnyFloat = f32) -> SSAValue:
        """Extend a float to f32 (nothing if it is one)."""
        return x if x.type == to else self.emit(arith.ExtFOp(x, to))

    def trunc(self, x: SSAValue, to: Attribute) -> SSAValue:
        """Round a float to a narrower one, nearest even (nothing if it is one)."""
        return x if x.type == to else self.emit(arith.TruncFOp(x, cast(AnyFloat, to)))

    def cast(self, x: SSAValue, to: Attribute) -> SSAValue:
        """Any scalar to any scalar type: floats round to nearest even, floats to integers toward zero."""
        source = x.type
        if source == to:
            return x
        if isinstance(source, AnyFloat) and isinstance(to, AnyFloat):
            if source.bitwidth == to.bitwidth:  # f16 and bf16 meet in f32
                return self.trunc(self.ext(x), to)
            return self.emit(arith.ExtFOp(x, to) if to.bitwidth > source.bitwidth else arith.TruncFOp(x, to))
        if to == i1:
            return self.cmp("ne", x, self.const(0, source))
        if isinstance(source, AnyFloat):
            return self.emit(arith.FPToSIOp(x, cast(IntegerType, to)))
        if isinstance(to, AnyFloat):
            return self.emit((arith.UIToFPOp if source == i1 else arith.SIToFPOp)(x, to))
        assert isinstance(source, IntegerType) and isinstance(to, IntegerType), f"no conversion from {source} to {to}"
        if source.width.data > to.width.data:
            return self.emit(arith.TruncIOp(x, to))
        return self.emit((arith.ExtUIOp if source == i1 else arith.ExtSIOp)(x, to))

    def index(self, dim: int, shard: tuple[int, int] | None = None) -> SSAValue:
        """The point's index (i64) along a dimension; with (chips, inner), its index before sharding."""
        return self.emit(IndexOp(dim, *(shard or ())))

    def random_bits(self, seed: SSAValue, index: SSAValue) -> SSAValue:
        """32 random bits (i32) of a seed and an index (both i64)."""
        return self.emit(RandomBitsOp(seed, index))

    def insert_sorted(
        self, values: SSAValue, indices: SSAValue, value: SSAValue, index: SSAValue
    ) -> tuple[SSAValue, SSAValue]:
        """Insert a pair into pairs sorted descending."""
        op = InsertSortedOp(values, indices, value, index)
        self.block.add_op(op)
        return op.new_values, op.new_indices


def build_region(arguments: Sequence[Attribute], function: BodyFunction | None) -> Region:
    """A region of one block with arguments of these types; the empty region without a function."""
    if function is None:
        return Region()
    block = Block(arg_types=arguments)
    yielded = function(Body(block), *block.args)
    block.add_op(YieldOp(*([yielded] if isinstance(yielded, SSAValue) else yielded)))
    return Region(block)
