"""Elementwise operators: one map each. The formulas are scalar functions in a table.

Operands are brought to the type that the row computes in, the result is rounded once to the op's dtype. Composites
(silu, gelu, sigmoid) are made of exp, tanh and erf, as the numeric contract asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from xdsl.dialects import arith
from xdsl.dialects import math as scalar_math
from xdsl.dialects.builtin import AnyFloat, f32, i1
from xdsl.ir import Attribute, SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects.kernel import Body
from sambaflow.dialects.samba import SambaOp, shaped_of
from sambaflow.dialects.samba.inference import is_float, result_dtype
from sambaflow.errors import InputError
from sambaflow.passes.kernel_library.registry import converts
from sambaflow.passes.kernel_library.stages import StageBuilder

Scalars: TypeAlias = Sequence[SSAValue]
Settings: TypeAlias = Mapping[str, Any]
Formula: TypeAlias = Callable[[Body, Scalars, Settings], SSAValue]

Compute = Literal["float", "result", "promoted", "own"]
"""The type of the operands in a formula: f32; the result's; that of the promoted operands; each its own."""


@dataclass(frozen=True)
class Elementwise:
    formula: Formula
    compute: Compute = "result"


def _emit(op: type[Any]) -> Formula:
    return lambda b, x, a: b.emit(op(*x))


def _is_float(x: SSAValue) -> bool:
    return isinstance(x.type, AnyFloat)


def _sigmoid(b: Body, x: Scalars, a: Settings) -> SSAValue:
    return b.div(b.const(1.0), b.add(b.const(1.0), b.exp(b.neg(x[0]))))


def _silu(b: Body, x: Scalars, a: Settings) -> SSAValue:
    return b.div(x[0], b.add(b.const(1.0), b.exp(b.neg(x[0]))))


def _gelu(b: Body, x: Scalars, a: Settings) -> SSAValue:
    half = b.mul(x[0], b.const(0.5))
    if a["approximate"] == "none":
        return b.mul(half, b.add(b.const(1.0), b.erf(b.mul(x[0], b.const(math.sqrt(0.5))))))
    cube = b.mul(b.mul(x[0], x[0]), x[0])
    inner = b.mul(b.const(math.sqrt(2 / math.pi)), b.add(x[0], b.mul(b.const(0.044715), cube)))
    return b.mul(half, b.add(b.const(1.0), b.tanh(inner)))


def _softplus(b: Body, x: Scalars, a: Settings) -> SSAValue:
    scaled = b.mul(x[0], b.const(a["beta"]))
    soft = b.div(b.emit(scalar_math.Log1pOp(b.exp(scaled))), b.const(a["beta"]))
    return b.select(b.cmp("gt", scaled, b.const(a["threshold"])), x[0], soft)


def _leaky_relu(b: Body, x: Scalars, a: Settings) -> SSAValue:
    return b.select(b.cmp("gt", x[0], b.const(0.0)), x[0], b.mul(x[0], b.const(a["negative_slope"])))


def _elu(b: Body, x: Scalars, a: Settings) -> SSAValue:
    grown = _times(b, x[0], a["input_scale"])
    below = b.mul(b.emit(scalar_math.ExpM1Op(grown)), b.const(a["alpha"] * a["scale"]))
    return b.select(b.cmp("gt", x[0], b.const(0.0)), _times(b, x[0], a["scale"]), below)


def _times(b: Body, x: SSAValue, factor: float) -> SSAValue:
    return x if factor == 1 else b.mul(x, b.const(factor))


def _relu(b: Body, x: Scalars, a: Settings) -> SSAValue:
    return b.max(x[0], b.const(0, x[0].type))


def _sign(b: Body, x: Scalars, a: Settings) -> SSAValue:
    zero, one, minus = (b.const(number, x[0].type) for number in (0, 1, -1))
    return b.select(b.cmp("gt", x[0], zero), one, b.select(b.cmp("lt", x[0], zero), minus, zero))


def _rounding(op: type[Any]) -> Formula:
    return lambda b, x, a: b.emit(op(x[0])) if _is_float(x[0]) else x[0]


def _clamp(b: Body, x: Scalars, a: Settings) -> SSAValue:
    value = x[0]
    if a["min"] is not None:
        value = b.max(value, b.const(a["min"], value.type))
    return value if a["max"] is None else b.min(value, b.const(a["max"], value.type))


def _scaled(b: Body, x: SSAValue, a: Settings) -> SSAValue:
    return x if a["alpha"] == 1 else b.mul(x, b.const(a["alpha"], x.type))


def _add(b: Body, x: Scalars, a: Settings) -> SSAValue:
    if x[0].type == i1:
        return b.or_(x[0], x[1])
    return b.add(x[0], _scaled(b, x[1], a))


def _mul(b: Body, x: Scalars, a: Settings) -> SSAValue:
    return b.and_(x[0], x[1]) if x[0].type == i1 else b.mul(x[0], x[1])


def _modulo(b: Body, x: SSAValue, y: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(what floor division leaves, whether that is a y more than what division toward zero leaves) of floats."""
    rest = b.rem(x, y)
    zero = b.const(0.0)
    apart = b.and_(b.cmp("ne", rest, zero), b.xor(b.cmp("lt", y, zero), b.cmp("lt", rest, zero)))
    return b.select(apart, b.add(rest, y), rest), apart


def _remainder(b: Body, x: Scalars, a: Settings) -> SSAValue:
    if _is_float(x[0]):
        return _modulo(b, *x)[0]
    return b.sub(x[0], b.mul(b.emit(arith.FloorDivSIOp(x[0], x[1])), x[1]))


def _fmod(b: Body, x: Scalars, a: Settings) -> SSAValue:
    return b.rem(x[0], x[1])


def _floor_divide(b: Body, x: Scalars, a: Settings) -> SSAValue:
    """floor(x / y) as PyTorch computes it (`c10::div_floor_floating`, after CPython's float division): from the exact
    rest, so that no rounded quotient steps over a whole number; x / y where y is 0, NaN for infinite x."""
    if not _is_float(x[0]):
        return b.emit(arith.FloorDivSIOp(x[0], x[1]))
    zero, one, quotient = b.const(0.0), b.const(1.0), b.div(*x)
    rest = b.rem(x[0], x[1])
    _, apart = _modulo(b, *x)
    whole = b.div(b.sub(x[0], rest), x[1])
    whole = b.select(apart, b.sub(whole, one), whole)
    down = b.floor(whole)
    near = b.select(b.cmp("gt", b.sub(whole, down), b.const(0.5)), b.add(down, one), down)
    signed_zero = b.emit(scalar_math.CopySignOp(zero, quotient))
    result = b.select(b.cmp("eq", whole, zero), signed_zero, near)
    return b.select(b.cmp("eq", x[1], zero), quotient, result)


def _div(b: Body, x: Scalars, a: Settings) -> SSAValue:
    if a["rounding_mode"] == "floor":
        return _floor_divide(b, x, a)
    quotient = b.div(*x)
    return b.emit(scalar_math.TruncOp(quotient)) if a["rounding_mode"] and _is_float(quotient) else quotient


def _power_of(b: Body, x: SSAValue, exponent: float) -> SSAValue | None:
    """Powers that PyTorch computes without pow: products, roots and their reciprocals."""
    one = b.const(1, x.type)
    powers: dict[float, Callable[[], SSAValue]] = {
        0: lambda: one,
        1: lambda: x,
        2: lambda: b.mul(x, x),
        3: lambda: b.mul(b.mul(x, x), x),
        4: lambda: b.mul(b.mul(x, x), b.mul(x, x)),
    }
    roots: dict[float, Callable[[], SSAValue]] = {
        0.5: lambda: b.sqrt(x),
        -0.5: lambda: b.rsqrt(x),
        -1: lambda: b.div(one, x),
        -2: lambda: b.div(one, b.mul(x, x)),
    }
    formula = powers.get(exponent) or (roots.get(exponent) if _is_float(x) else None)
    return formula() if formula else None


def _pow(b: Body, x: Scalars, a: Settings) -> SSAValue:
    exponent = a["exponent"]
    if exponent is not None:
        simple = _power_of(b, x[0], exponent)
        if simple is not None:
            return simple
        if not _is_float(x[0]):
            return _whole_power(b, x[0], exponent)
    return b.emit(scalar_math.PowFOp(x[0], x[1]))


def _whole_power(b: Body, x: SSAValue, exponent: int) -> SSAValue:
    """x to a whole power by squaring; integers wrap around, whatever the order of the products."""
    half = x if exponent < 4 else _whole_power(b, x, exponent // 2)
    square = b.mul(half, half)
    return b.mul(square, x) if exponent % 2 else square


def _bitwise_not(b: Body, x: Scalars, a: Settings) -> SSAValue:
    return b.xor(x[0], b.const(1 if x[0].type == i1 else -1, x[0].type))


def _compare(predicate: str) -> Elementwise:
    return Elementwise(lambda b, x, a: b.cmp(predicate, x[0], x[1]), "promoted")


def _logical(name: str) -> Elementwise:
    return Elementwise(lambda b, x, a: getattr(b, name)(b.cast(x[0], i1), b.cast(x[1], i1)), "own")


def _floating(formula: Formula) -> Elementwise:
    return Elementwise(formula, "float")


ELEMENTWISE: dict[str, Elementwise] = {
    "tanh": _floating(lambda b, x, a: b.tanh(x[0])),
    "sigmoid": _floating(_sigmoid),
    "exp": _floating(lambda b, x, a: b.exp(x[0])),
    "exp2": _floating(_emit(scalar_math.Exp2Op)),
    "expm1": _floating(_emit(scalar_math.ExpM1Op)),
    "log": _floating(lambda b, x, a: b.log(x[0])),
    "log1p": _floating(_emit(scalar_math.Log1pOp)),
    "log2": _floating(_emit(scalar_math.Log2Op)),
    "sqrt": _floating(lambda b, x, a: b.sqrt(x[0])),
    "rsqrt": _floating(lambda b, x, a: b.rsqrt(x[0])),
    "sin": _floating(lambda b, x, a: b.sin(x[0])),
    "cos": _floating(lambda b, x, a: b.cos(x[0])),
    "erf": _floating(lambda b, x, a: b.erf(x[0])),
    "reciprocal": _floating(lambda b, x, a: b.div(b.const(1.0), x[0])),
    "silu": _floating(_silu),
    "gelu": _floating(_gelu),
    "softplus": _floating(_softplus),
    "leaky_relu": _floating(_leaky_relu),
    "elu": _floating(_elu),
    "relu": Elementwise(_relu),
    "neg": Elementwise(lambda b, x, a: b.neg(x[0])),
    "abs": Elementwise(lambda b, x, a: b.abs(x[0])),
    "sign": Elementwise(_sign),
    "floor": Elementwise(_rounding(scalar_math.FloorOp)),
    "ceil": Elementwise(_rounding(scalar_math.CeilOp)),
    "round": Elementwise(_rounding(scalar_math.RoundEvenOp)),
    "trunc": Elementwise(_rounding(scalar_math.TruncOp)),
    "square": Elementwise(lambda b, x, a: b.mul(x[0], x[0])),
    "clamp": Elementwise(_clamp),
    "hardtanh": Elementwise(_clamp),
    "logical_not": Elementwise(lambda b, x, a: b.not_(b.cast(x[0], i1)), "own"),
    "isnan": Elementwise(lambda b, x, a: b.cmp("ne", x[0], x[0]), "promoted"),
    "bitwise_not": Elementwise(_bitwise_not),
    "add": Elementwise(_add),
    "sub": Elementwise(lambda b, x, a: b.sub(x[0], _scaled(b, x[1], a))),
    "rsub": Elementwise(lambda b, x, a: b.sub(x[1], _scaled(b, x[0], a))),
    "mul": Elementwise(_mul),
    "div": Elementwise(_div),
    "floor_divide": Elementwise(_floor_divide),
    "remainder": Elementwise(_remainder),
    "fmod": Elementwise(_fmod),
    "maximum": Elementwise(lambda b, x, a: b.max(x[0], x[1])),
    "minimum": Elementwise(lambda b, x, a: b.min(x[0], x[1])),
    "pow": Elementwise(_pow),
    "bitwise_and": Elementwise(lambda b, x, a: b.and_(x[0], x[1])),
    "bitwise_or": Elementwise(lambda b, x, a: b.or_(x[0], x[1])),
    "bitwise_xor": Elementwise(lambda b, x, a: b.xor(x[0], x[1])),
    **{predicate: _compare(predicate) for predicate in ("eq", "ne", "lt", "le", "gt", "ge")},
    "logical_and": _logical("and_"),
    "logical_or": _logical("or_"),
    "logical_xor": _logical("xor"),
    "to": Elementwise(lambda b, x, a: x[0], "own"),
}

_SCALARS = ("other", "exponent")
"""Attributes that stand for a second operand."""


@converts(" ".join(ELEMENTWISE))
def elementwise(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    row, settings, out = ELEMENTWISE[op.row.name], op.settings(), shaped_of(op.results[0])
    scalars = [settings[name] for name in _SCALARS if settings.get(name) is not None]
    _check_supported(op, scalars)
    through, compute = _types(row.compute, op, scalars)

    def body(b: Body, *elements: SSAValue) -> SSAValue:
        values = [*elements, *(b.const(s, through or _scalar_type(elements[0].type, s)) for s in scalars)]
        if through is not None and compute is not None:
            values = [b.cast(b.cast(value, through), compute) for value in values]
        return b.cast(row.formula(b, values, settings), out.dtype)

    return [k.map([k.broadcast(value) for value in op.operands], out, body)]


def _scalar_type(own: Attribute, scalar: float) -> Attribute:
    return f32 if isinstance(scalar, float) else own


def _types(compute: Compute, op: SambaOp, scalars: Sequence[Any]) -> tuple[Attribute | None, Attribute | None]:
    """(first, then) types that operands are cast to; comparisons round to the promoted dtype before they compute."""
    if compute == "float":
        return f32, f32
    if compute == "own":
        return None, None
    out = shaped_of(op.results[0]).dtype
    if compute == "result":
        return (f32, f32) if is_float(out) else (out, out)
    promoted = result_dtype([shaped_of(value) for value in op.operands], scalars)
    return promoted, f32 if is_float(promoted) else promoted


def _check_supported(op: SambaOp, scalars: Sequence[Any]) -> None:
    integers = not is_float(shaped_of(op.results[0]).dtype)
    if op.row.name == "pow" and integers and (not scalars or scalars[0] < 0):
        raise error_at(
            op, "takes a constant exponent of 0 or more on integers", InputError, levers=["cast to f32 first"]
        )


@converts("where")
def where(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    out = shaped_of(op.results[0])

    def body(b: Body, condition: SSAValue, x: SSAValue, y: SSAValue) -> SSAValue:
        return b.select(condition, b.cast(x, out.dtype), b.cast(y, out.dtype))

    return [k.map([k.broadcast(value) for value in op.operands], out, body)]


@converts("masked_fill")
def masked_fill(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    out, number = shaped_of(op.results[0]), op.attr("value")

    def body(b: Body, x: SSAValue, mask: SSAValue, *value: SSAValue) -> SSAValue:
        filling = b.cast(value[0], out.dtype) if value else b.const(number, out.dtype)
        return b.select(mask, filling, x)

    return [k.map([k.broadcast(value) for value in op.operands], out, body)]


@converts("tril triu")
def triangle(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """Keeps the elements whose column - row is at most (tril) or at least (triu) the diagonal."""
    out, diagonal = shaped_of(op.results[0]), op.attr("diagonal")
    predicate, rank = "le" if op.row.name == "tril" else "ge", len(out.shape)

    def body(b: Body, x: SSAValue) -> SSAValue:
        offset = b.sub(b.index(rank - 1), b.index(rank - 2))
        inside = b.cmp(predicate, offset, b.const(diagonal, offset.type))
        return b.select(inside, x, b.const(0, out.dtype))

    return [k.map([k.broadcast(op.operands[0])], out, body)]


@converts("full")
def full(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    return [k.fill(op.attr("fill_value"), shaped_of(op.results[0]))]


@converts("zeros ones")
def filled(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    return [k.fill(int(op.row.name == "ones"), shaped_of(op.results[0]))]


@converts("arange")
def arange(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    out, start, step = shaped_of(op.results[0]), op.attr("start"), op.attr("step")

    def body(b: Body) -> SSAValue:
        index = b.index(0)
        if is_float(out.dtype) or isinstance(start, float) or isinstance(step, float):
            place = b.fma(b.cast(index, f32), b.const(float(step)), b.const(float(start)))
        else:
            place = b.add(b.mul(index, b.const(step, index.type)), b.const(start, index.type))
        return b.cast(place, out.dtype)

    return [k.map([], out, body)]
