"""What every instruction computes: one table from opcode names (`machine.opcodes`) to torch functions.

The kernel reference interpreter and the functional engine both evaluate bodies with `apply`, so they cannot disagree
about an instruction. Floats compute in f32 (f64 in f64) and round once to the instruction's dtype; transcendentals
run on contiguous buffers, where torch gives the same bits whatever the shape.

    apply("add", "f32", [x, y])            # arith.addf on f32
    apply("lt", "bf16", [x, y])            # arith.cmpf olt: dtype is that of the sources, the result is bool
    apply("truncf", "bf16", [x])           # conversions: dtype is that of the result
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from sambaflow.errors import InputError
from sambaflow.machine.opcodes import BY_NAME, FLOATS
from sambaflow.sim.functional.contract import fused_multiply_add
from sambaflow.sim.functional.dtypes import TORCH_DTYPES

Tensor = torch.Tensor
Function = Callable[..., Tensor]

_SIGN = -(1 << 63)
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX = (0xBF58476D1CE4E5B9 - (1 << 64), 0x94D049BB133111EB - (1 << 64))


def apply(name: str, dtype: str, operands: Sequence[Tensor]) -> Tensor:
    """The result of an instruction over broadcastable operands. `dtype` is the instruction's dtype field: of sources
    and result, of the sources (comparisons), of the values (select), of the result (conversions)."""
    row = BY_NAME.get(name)
    if row is None or (name not in FUNCTIONS and name not in _CONVERSIONS):
        raise InputError(f"no function for the instruction '{name}'")
    target = TORCH_DTYPES[dtype]
    if row.op_class == "convert":
        return _CONVERSIONS[name](operands[0], target)
    function = FUNCTIONS[name]
    if name == "mov":
        return operands[0].to(target)
    if name == "select":
        return function(operands[0], *(value.to(target) for value in operands[1:]))
    compute = _compute_dtype(dtype)
    values = [value.to(compute) for value in operands]
    if row.op_class == "transcendental":
        values = [value.contiguous() for value in values]
    result = function(*values)
    return result if row.op_class == "compare" or name == "random_bits" else result.to(target)


def _compute_dtype(dtype: str) -> torch.dtype:
    if dtype in FLOATS:
        return torch.float64 if dtype == "f64" else torch.float32
    return TORCH_DTYPES[dtype]


# ---- integers


def _divide(x: Tensor, y: Tensor, rounding: str) -> Tensor:
    if bool((y == 0).any()):
        raise InputError("an integer division by zero")
    return torch.div(x, y, rounding_mode=rounding)


def _ceil_divide(x: Tensor, y: Tensor) -> Tensor:
    down = _divide(x, y, "floor")
    return down + (down * y != x).to(x.dtype)


def _remainder(x: Tensor, y: Tensor) -> Tensor:
    return x - _divide(x, y, "trunc") * y


def _unsigned(x: Tensor) -> Tensor:
    """The value of the bits as an unsigned number, in i64; 64-bit values must be below 2^63."""
    if x.dtype in (torch.bool, torch.uint8):
        return x.to(torch.int64)
    if x.dtype != torch.int64:
        return x.to(torch.int64) & ((1 << 8 * x.element_size()) - 1)
    if bool((x < 0).any()):
        raise InputError("an unsigned operation on a 64-bit integer above 2^63")
    return x


def _ordinal(x: Tensor) -> Tensor:
    """A signed number that orders as the bits do unsigned."""
    return x ^ _SIGN if x.dtype == torch.int64 else _unsigned(x)


def _shift_right_unsigned(x: Tensor, y: Tensor) -> Tensor:
    if x.dtype != torch.int64:
        return (_unsigned(x) >> y).to(x.dtype)
    low_bits = torch.where(y == 0, torch.full_like(x, -1), (torch.ones_like(x) << (64 - y).clamp(max=63)) - 1)
    return torch.where(y == 0, x, (x >> y) & low_bits)


def _wrap(function: Function) -> Function:
    """Integer arithmetic; bools compute in i64 and keep the lowest bit."""

    def wrapped(x: Tensor, y: Tensor) -> Tensor:
        if x.dtype == torch.bool:
            return (function(x.to(torch.int64), y.to(torch.int64)) & 1).to(torch.bool)
        return function(x, y)

    return wrapped


# ---- floats


def _each(function: Function) -> Function:
    """One scalar call for each element: torch's vector loops of these functions give other bits than the scalar calls
    that finish what their length does not divide, so a tile would differ from the whole. Views with gaps have none."""

    def wrapped(*operands: Tensor) -> Tensor:
        spaced = (torch.stack([x, x], -1)[..., 0] for x in torch.broadcast_tensors(*operands))
        return function(*spaced).contiguous()

    return wrapped


def _round_away(x: Tensor) -> Tensor:
    """Nearest integer, ties away from zero."""
    whole = torch.trunc(x)
    return torch.where((x - whole).abs() >= 0.5, whole + torch.sign(x), whole)


def _unordered(x: Tensor, y: Tensor) -> Tensor:
    return torch.isnan(x) | torch.isnan(y)


def _either(function: Function) -> Function:
    """The unordered form of a comparison: also true when an operand is NaN."""

    def either(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y) | _unordered(x, y)

    return either


def _cube_root(x: Tensor) -> Tensor:
    return torch.sign(x) * _each(torch.pow)(x.abs(), torch.tensor(1.0 / 3.0, dtype=x.dtype))


# ---- random numbers and sorted lists


def _mixed(x: Tensor) -> Tensor:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014)."""
    for shift, factor in ((30, _MIX[0]), (27, _MIX[1])):
        x = (x ^ ((x >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return x ^ ((x >> 31) & ((1 << 33) - 1))


def random_bits(seed: Tensor, index: Tensor) -> Tensor:
    """32 random bits (i32) of a seed and an index (i64): SplitMix64 as a counter-based generator."""
    state = _mixed(seed.to(torch.int64)) + (index.to(torch.int64) + 1) * _GOLDEN
    return (_mixed(state) >> 32).to(torch.int32)


def insert_sorted(value: Tensor, index: Tensor, values: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Insert a pair into pairs sorted descending (their last dimension); behind equal values, the last pair falls
    out. Pairs with a negative index are places still free: every pair goes before them."""
    value, index = (x.unsqueeze(-1).to(like.dtype) for x, like in ((value, values), (index, indices)))
    before = (values >= value) | torch.isnan(values)  # a NaN is the greatest value
    before = before & ~(torch.isnan(value) & ~torch.isnan(values)) & (indices >= 0)
    rank = before.sum(-1, keepdim=True)
    place = torch.arange(values.shape[-1])

    def inserted(new: Tensor, old: Tensor) -> Tensor:
        shifted = torch.cat([old[..., :1], old[..., :-1]], -1)
        return torch.where(place < rank, old, torch.where(place == rank, new, shifted))

    return inserted(value, values), inserted(index, indices)


def largest_pairs(value: Tensor, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` greatest pairs along the last dimension, descending: what inserting all of them gives, but among
    equal values those, in the order, that torch.topk picks."""
    best = torch.topk(value, count, -1)
    return best.values, index.expand_as(value).gather(-1, best.indices)


# ---- the tables


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Function:
    return function


FUNCTIONS: Mapping[str, Function] = {
    "mov": torch.clone,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "rem": _each(torch.fmod),  # torch's vector loop gives NaN for denormal divisors, its scalar calls do not
    "neg": torch.neg,
    "max": torch.maximum,
    "min": torch.minimum,
    "maxnum": torch.fmax,
    "minnum": torch.fmin,
    "fma": fused_multiply_add,
    "abs": torch.abs,
    "copysign": torch.copysign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": _round_away,
    "roundeven": torch.round,
    "trunc": torch.trunc,
    "select": torch.where,
    "addi": _wrap(torch.add),
    "subi": _wrap(torch.sub),
    "muli": _wrap(torch.mul),
    "divi": _binary(lambda x, y: _divide(x, y, "trunc")),
    "divui": _binary(lambda x, y: _divide(_unsigned(x), _unsigned(y), "trunc")),
    "floordivi": _binary(lambda x, y: _divide(x, y, "floor")),
    "ceildivi": _ceil_divide,
    "remi": _remainder,
    "remui": _binary(lambda x, y: _remainder(_unsigned(x), _unsigned(y))),
    "and": torch.bitwise_and,
    "or": torch.bitwise_or,
    "xor": torch.bitwise_xor,
    "shl": torch.bitwise_left_shift,
    "shr": torch.bitwise_right_shift,
    "shrui": _shift_right_unsigned,
    "maxi": torch.maximum,
    "mini": torch.minimum,
    "maxui": _binary(lambda x, y: torch.where(_ordinal(x) >= _ordinal(y), x, y)),
    "minui": _binary(lambda x, y: torch.where(_ordinal(x) <= _ordinal(y), x, y)),
    "absi": torch.abs,
    "eq": torch.eq,
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
    "one": _binary(lambda x, y: torch.ne(x, y) & ~_unordered(x, y)),
    "ord": _binary(lambda x, y: ~_unordered(x, y)),
    "ueq": _either(torch.eq),
    "ugt": _either(torch.gt),
    "uge": _either(torch.ge),
    "ult": _either(torch.lt),
    "ule": _either(torch.le),
    "ne": torch.ne,
    "uno": _unordered,
    "eqi": torch.eq,
    "nei": torch.ne,
    "slti": torch.lt,
    "slei": torch.le,
    "sgti": torch.gt,
    "sgei": torch.ge,
    "ulti": _binary(lambda x, y: _ordinal(x) < _ordinal(y)),
    "ulei": _binary(lambda x, y: _ordinal(x) <= _ordinal(y)),
    "ugti": _binary(lambda x, y: _ordinal(x) > _ordinal(y)),
    "ugei": _binary(lambda x, y: _ordinal(x) >= _ordinal(y)),
    "exp": torch.exp,
    "exp2": _each(torch.exp2),
    "expm1": torch.expm1,
    "log": torch.log,
    "log2": torch.log2,
    "log10": torch.log10,
    "log1p": torch.log1p,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "sinh": _each(torch.sinh),
    "cosh": _each(torch.cosh),
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "atan2": _each(torch.atan2),
    "pow": _each(torch.pow),
    "fpowi": _each(torch.pow),
    "cbrt": _cube_root,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": _each(torch.atanh),
    "random_bits": random_bits,
}
"""Every instruction but the conversions and `insert_sorted` (which has two results)."""


def _truncate(x: Tensor, target: torch.dtype) -> Tensor:
    """Toward zero; NaN and values out of range are refused."""
    limits = torch.iinfo(target) if target != torch.bool else None
    if limits is not None and not bool(((x >= limits.min) & (x <= limits.max)).all()):
        raise InputError(f"a float does not fit into {target}")
    return x.to(target)


_CONVERSIONS: Mapping[str, Callable[[Tensor, torch.dtype], Tensor]] = {
    "extf": lambda x, target: x.to(target),
    "truncf": lambda x, target: x.to(target),
    "sitofp": lambda x, target: x.to(target),
    "uitofp": lambda x, target: _unsigned(x).to(target),
    "fptosi": _truncate,
    "fptoui": _truncate,
    "extsi": lambda x, target: -x.to(target) if x.dtype == torch.bool else x.to(target),
    "extui": lambda x, target: _unsigned(x).to(target),
    "trunci": lambda x, target: (x & 1).to(target) if target == torch.bool else x.to(target),
    "index_cast": lambda x, target: x.to(target),
    "bitcast": lambda x, target: x.contiguous().view(target),
}
