"""A random use of every operator of the table: operands from a scope, and attributes that fit them.

A recipe stands for the result rule of a row, so operators of one rule share it; the few that need more care have one
of their own name. An operator without any is used as in its sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import bf16, f32, i1, i32, i64
from xdsl.ir import SSAValue

from sambaflow.dialects.samba import OPERATORS, Row, Shaped, Trait, shaped_of
from sambaflow.dialects.samba import inference as infer
from sambaflow.dialects.samba import movement as move
from sambaflow.dialects.samba.inference import Rule, is_float
from sambaflow.dialects.samba.table import shaped
from sambaflow.testing.scope import Scope

Use = tuple[Sequence[SSAValue], Mapping[str, Any]]
"""Operands and attributes."""
Recipe = Callable[[Scope, Row], Use]

RECIPES: dict[str, Recipe] = {}
"""By the operator's name."""
BY_RULE: dict[Rule, Recipe] = {}

NAMES: tuple[str, ...] = tuple(name for name, row in OPERATORS.items() if Trait.COLLECTIVE not in row.traits)
"""The operators that stand in a model; collectives come from samba-partition."""


def add_operator(scope: Scope, name: str) -> bool:
    """Append a random use of the operator, and of what prepares its operands; False if none was found."""
    row = OPERATORS[name]
    recipe = RECIPES.get(name) or BY_RULE.get(row.rule, _sample)
    operands, attributes = recipe(scope, row)
    return scope.try_build(name, operands, attributes)


def _sample(scope: Scope, row: Row) -> Use:
    return [scope.like(shaped(text)) for text in row.sample], row.settings


def recipe(*rules: Rule, names: str = "") -> Callable[[Recipe], Recipe]:
    """Registers a recipe for result rules, or for operators by name."""

    def register(function: Recipe) -> Recipe:
        BY_RULE.update(dict.fromkeys(rules, function))
        RECIPES.update(dict.fromkeys(names.split(), function))
        return function

    return register


# -- operands that stay in the domain of a function: most of the time, for numbers say more than NaN does


def _shape(value: SSAValue) -> tuple[int, ...]:
    return shaped_of(value).shape


def _dim(scope: Scope, value: SSAValue) -> int:
    """A dimension, counted from the front or the back."""
    rank = max(1, len(_shape(value)))
    return scope.choose.below(2 * rank) - rank


def _bounded(scope: Scope, value: SSAValue) -> SSAValue:
    return scope.build("clamp", [value], min=-4, max=4) if scope.choose.chance(80) else value


def _positive(scope: Scope, value: SSAValue, least: float | int = 0.25) -> SSAValue:
    if not scope.choose.chance(90):
        return value
    least = least if is_float(shaped_of(value).dtype) else 1
    return scope.build("clamp", [scope.build("abs", [value])], min=least)


def _divisor(scope: Scope, value: SSAValue) -> SSAValue:
    """Integers and bools that are not 0; floats that mostly are not."""
    dtype = shaped_of(value).dtype
    if is_float(dtype):
        return _positive(scope, value)
    value = scope.build("to", [value], dtype=i64) if dtype == i1 else value
    return scope.build("clamp", [scope.build("abs", [value])], min=1)


_PREPARED: Mapping[str, Callable[[Scope, SSAValue], SSAValue]] = {
    **dict.fromkeys(("exp", "exp2", "expm1"), _bounded),
    **dict.fromkeys(("log", "log2", "log1p", "sqrt", "rsqrt", "reciprocal"), _positive),
}


# -- elementwise


@recipe(infer.float_unary)
def _float_unary(scope: Scope, row: Row) -> Use:
    value = scope.any() if scope.choose.chance(20) else scope.float()
    if shaped_of(value).dtype == i1:
        return [value], {}
    return [_PREPARED.get(row.name, lambda scope, value: value)(scope, value)], {}


FLOAT_OPTIONS: Mapping[str, Sequence[Any]] = {
    "approximate": ("none", "tanh"),
    "beta": (1, 2.0, 0.5),
    "threshold": (20, 1.0),
    "negative_slope": (0.01, 0.25),
    "alpha": (1, 0.5),
    "scale": (1, 1.25),
    "input_scale": (1, 0.5),
}
"""Values of the attributes of float operators of one operand."""


@recipe(infer.floats_only)
def _floats_only(scope: Scope, row: Row) -> Use:
    return [scope.float()], {attr.name: scope.choose.one_of(FLOAT_OPTIONS[attr.name]) for attr in row.attributes}


@recipe(infer.same)
def _same(scope: Scope, row: Row) -> Use:
    return [scope.any() if Trait.VIEW in row.traits else scope.number()], {}


@recipe(infer.clamp)
def _clamp(scope: Scope, row: Row) -> Use:
    value = scope.number()
    low, high = ((-1, 2), (0, 6)) if not is_float(shaped_of(value).dtype) else ((-1.0, 0), (0.5, 6))
    bounds = {"min": scope.choose.one_of(low), "max": scope.choose.one_of(high)}
    if bounds["min"] > bounds["max"] or scope.choose.chance(30):
        del bounds["max" if scope.choose.chance(50) else "min"]
    return [value], bounds


@recipe(infer.bool_unary)
def _bool_unary(scope: Scope, row: Row) -> Use:
    return [scope.any()], {}


@recipe(infer.bitwise)
def _bitwise(scope: Scope, row: Row) -> Use:
    value = scope.any(lambda s: not is_float(s.dtype))
    if len(row.operands) == 1:
        return [value], {}
    if scope.choose.chance(20):
        return [value], {"other": True if shaped_of(value).dtype == i1 else scope.choose.one_of((1, 6))}
    return [value, scope.beside(value, lambda s: not is_float(s.dtype))], {}


def _number_like(scope: Scope, value: SSAValue) -> bool | int | float:
    whole = not is_float(shaped_of(value).dtype)
    return scope.choose.one_of((2, 1, 3, 0, -1) if whole else (0.5, 1, 2.0, 0, -1.5, 1.0))


_DIVIDES = ("remainder", "fmod", "floor_divide")
"""Binary operators that PyTorch refuses for an integer zero."""


@recipe(infer.binary)
def _binary(scope: Scope, row: Row) -> Use:
    bools = row.name in ("add", "mul", "maximum", "minimum")
    value = scope.any() if bools and scope.choose.chance(20) else scope.number()
    if scope.choose.chance(25):
        operands, settings = [value], {"other": _number_like(scope, value)}
        if row.name in _DIVIDES:
            settings["other"] = scope.choose.one_of((2, 3))
    else:
        other = scope.beside(value, lambda s: bools or s.dtype != i1)
        operands, settings = [value, _divisor(scope, other) if row.name in _DIVIDES else other], {}
    whole = all(not is_float(shaped_of(v).dtype) for v in operands) and not isinstance(settings.get("other"), float)
    scaled = any(attr.name == "alpha" for attr in row.attributes) and all(shaped_of(v).dtype != i1 for v in operands)
    if scaled and scope.choose.chance(20):
        settings["alpha"] = scope.choose.one_of((2, -1) if whole else (2, 0.5))
    return operands, settings


@recipe(infer.divide)
def _divide(scope: Scope, row: Row) -> Use:
    value = scope.any()
    mode = scope.choose.one_of((None, None, "floor", "trunc"))
    if mode is not None and shaped_of(value).dtype == i1:
        value = scope.build("to", [value], dtype=i64)
    if scope.choose.chance(30):
        return [value], {"other": scope.choose.one_of((2, 3, 1)), "rounding_mode": mode}
    return [value, _divisor(scope, scope.beside(value))], {"rounding_mode": mode}


@recipe(infer.power)
def _power(scope: Scope, row: Row) -> Use:
    value = scope.number()
    if not is_float(shaped_of(value).dtype):
        return [value], {"exponent": scope.choose.one_of((2, 3, 1, 0))}
    if scope.choose.chance(60):
        exponent = scope.choose.one_of((2, 3, 0.5, 1, -1, 2.0, 1.5, 0))
        return [value if exponent in (1, 2, 3, 0) else _positive(scope, value)], {"exponent": exponent}
    exponents = _bounded(scope, scope.beside(value, lambda s: is_float(s.dtype)))
    return [_positive(scope, value), exponents], {}


@recipe(infer.compare)
def _compare(scope: Scope, row: Row) -> Use:
    value = scope.any()
    if scope.choose.chance(25):
        return [value], {"other": True if shaped_of(value).dtype == i1 else _number_like(scope, value)}
    return [value, scope.beside(value)], {}


@recipe(infer.where)
def _where(scope: Scope, row: Row) -> Use:
    condition = scope.any(lambda s: s.dtype == i1)
    value = scope.beside(condition, dtype=scope.dtype)
    return [condition, value, scope.beside(value, lambda s: _fits(scope, condition, s))], {}


def _fits(scope: Scope, value: SSAValue, other: Shaped) -> bool:
    try:
        return math.prod(infer.broadcast(_shape(value), other.shape)) > 0
    except Exception:
        return False


@recipe(infer.masked_fill)
def _masked_fill(scope: Scope, row: Row) -> Use:
    value = scope.number()
    mask = scope.beside(value, lambda s: s.dtype == i1, dtype=i1)
    if scope.choose.chance(30):
        return [value, mask, scope.like(Shaped((), shaped_of(value).dtype))], {}
    return [value, mask], {"value": _number_like(scope, value)}


@recipe(infer.to)
def _to(scope: Scope, row: Row) -> Use:
    dtype = scope.choose.one_of((f32, bf16, i64, i32, i1))
    value = scope.any()
    if is_float(shaped_of(value).dtype) and dtype in (i32, i64):  # what is no number, or too large, is no integer
        known = scope.build("masked_fill", [value, scope.build("isnan", [value])], value=0.0)
        value = scope.build("clamp", [known], min=-100, max=100)
    return [value], {"dtype": dtype}


# -- products


@recipe(infer.linear)
def _linear(scope: Scope, row: Row) -> Use:
    value = scope.float(1, 3)
    shape, dtype = shaped_of(value)
    out = scope.size()
    weight = scope.new(Shaped((out, shape[-1]), dtype), "param")
    bias = [scope.new(Shaped((out,), dtype), "param")] if scope.choose.chance(50) else []
    return [value, weight, *bias], {}


@recipe(infer.matmul, infer.mm, infer.bmm)
def _matmul(scope: Scope, row: Row) -> Use:
    least, most = {"mm": (2, 2), "bmm": (3, 3)}.get(row.name, (1, MOST_MATMUL))
    left = scope.float(least, most)
    shape, dtype = shaped_of(left)
    batch = list(shape[:-2])
    if row.name == "matmul":
        batch = [1 if scope.choose.chance(20) else size for size in batch[scope.choose.below(len(batch) + 1) :]]
    vector = row.name == "matmul" and scope.choose.chance(10)
    right = (shape[-1],) if vector else (*batch, shape[-1], scope.size(8))
    return [left, scope.like(Shaped(right, dtype))], {}


MOST_MATMUL = 4


@recipe(infer.addmm, infer.baddbmm)
def _addmm(scope: Scope, row: Row) -> Use:
    rank = 2 if row.name == "addmm" else 3
    left = scope.float(rank, rank)
    (*batch, m, k), dtype = shaped_of(left)
    n = scope.size(8)
    term = [1 if scope.choose.chance(20) else size for size in (*batch, m, n)][scope.choose.below(rank) :]
    settings = {"beta": scope.choose.one_of((1, 0.5)), "alpha": scope.choose.one_of((1, 2))}
    return [scope.like(Shaped(tuple(term), dtype)), left, scope.like(Shaped((*batch, k, n), dtype))], settings


@recipe(infer.conv2d, infer.conv1d)
def _conv(scope: Scope, row: Row) -> Use:
    spatial = 2 if row.name == "conv2d" else 1
    value = scope.float(spatial + 2, spatial + 2)
    (_, channels, *image), dtype = shaped_of(value)
    groups = scope.choose.one_of([g for g in (1, 2, channels) if channels % g == 0])
    out = groups * scope.choose.between(1, 2)
    padding = [scope.choose.below(2) for _ in image]
    dilation = [scope.choose.between(1, 2) if size > 3 else 1 for size in image]
    spans = [(size + 2 * p - 1) // d + 1 for size, p, d in zip(image, padding, dilation, strict=True)]
    kernel = [min(span, scope.choose.between(1, 3)) for span in spans]
    weight = scope.new(Shaped((out, channels // groups, *kernel), dtype), "param")
    bias = [scope.new(Shaped((out,), dtype), "param")] if scope.choose.chance(50) else []
    stride = [scope.choose.between(1, 2) for _ in image]
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return [value, weight, *bias], settings


@recipe(infer.attention)
def _attention(scope: Scope, row: Row) -> Use:
    query = scope.float(2, 4)
    (*batch, length, head), dtype = shaped_of(query)
    keys, width = scope.size(8), scope.size(8)
    grouped = len(batch) >= 1 and scope.choose.chance(30)
    if grouped:
        batch[-1] = scope.choose.one_of([n for n in range(1, batch[-1] + 1) if batch[-1] % n == 0])
    operands = [
        query,
        scope.like(Shaped((*batch, keys, head), dtype)),
        scope.like(Shaped((*batch, keys, width), dtype)),
    ]
    settings: dict[str, Any] = {"enable_gqa": grouped, "scale": scope.choose.one_of((None, 0.25))}
    mask = scope.choose.below(4)
    if mask == 1:
        settings["is_causal"] = True
    elif mask > 1:
        operands.append(scope.like(Shaped((length, keys), i1 if mask == 2 else dtype)))
    return operands, settings


# -- normalisation, reductions, losses


@recipe(infer.layer_norm, infer.rms_norm)
def _layer_norm(scope: Scope, row: Row) -> Use:
    value = scope.float(1)
    shape, dtype = shaped_of(value)
    normalized = shape[-scope.choose.between(1, min(2, len(shape))) :]
    count = scope.choose.below(len(row.operands))
    weights = [scope.new(Shaped(normalized, dtype), "param") for _ in range(count)]
    eps = 1e-5 if row.name == "layer_norm" else scope.choose.one_of((1e-6, None))
    return [value, *weights], {"normalized_shape": normalized, "eps": eps}


@recipe(names="batch_norm")
def _batch_norm(scope: Scope, row: Row) -> Use:
    value = scope.float(2)
    channels = Shaped(_shape(value)[1:2], shaped_of(value).dtype)
    mean = scope.new(channels, "buffer")
    variance = scope.argument(channels, "buffer", "running_var")
    weights = [scope.new(channels, "param") for _ in range(scope.choose.below(3))]
    return [value, mean, variance, *weights], {}


@recipe(names="group_norm")
def _group_norm(scope: Scope, row: Row) -> Use:
    value = scope.float(2)
    channels = _shape(value)[1]
    weights = [scope.new(Shaped((channels,), shaped_of(value).dtype), "param") for _ in range(scope.choose.below(3))]
    groups = scope.choose.one_of([g for g in range(1, channels + 1) if channels % g == 0])
    return [value, *weights], {"num_groups": groups}


@recipe(infer.softmax)
def _softmax(scope: Scope, row: Row) -> Use:
    value = scope.float()
    return [value], {"dim": _dim(scope, value), "dtype": scope.choose.one_of((None, None, f32))}


@recipe(infer.cross_entropy)
def _cross_entropy(scope: Scope, row: Row) -> Use:
    logits = scope.float(1, 2)
    *batch, classes = _shape(logits)
    targets = scope.indices(tuple(batch), classes)
    settings = {
        "reduction": scope.choose.one_of(("mean", "sum", "none")),
        "label_smoothing": scope.choose.one_of((0.0, 0.0, 0.1)),
        "ignore_index": scope.choose.one_of((-100, 0)),
    }
    return [logits, targets], settings


def _reduction(scope: Scope, row: Row, value: SSAValue) -> Use:
    rank = len(_shape(value))
    dims = scope.choose.some_of(range(rank)) or None
    settings: dict[str, Any] = {"dim": dims, "keepdim": scope.choose.chance(40)}
    return [value], settings


@recipe(infer.reduce_sum)
def _sum(scope: Scope, row: Row) -> Use:
    return _reduction(scope, row, scope.any())


@recipe(infer.reduce_float)
def _mean(scope: Scope, row: Row) -> Use:
    value = scope.float(1)
    operands, settings = _reduction(scope, row, value)
    if row.name == "var":
        settings = {**settings, "correction": scope.choose.below(2)}
    return operands, settings


@recipe(infer.reduce_same)
def _extremum(scope: Scope, row: Row) -> Use:
    return _reduction(scope, row, scope.number())


@recipe(infer.reduce_bool)
def _any_all(scope: Scope, row: Row) -> Use:
    return _reduction(scope, row, scope.any())


@recipe(infer.reduce_with_index, infer.arg_reduce)
def _arg_extremum(scope: Scope, row: Row) -> Use:
    value = scope.number(1)
    dim = None if row.rule is infer.arg_reduce and scope.choose.chance(20) else _dim(scope, value)
    return [value], {"dim": dim, "keepdim": scope.choose.chance(40)}


@recipe(infer.cumulative)
def _cumsum(scope: Scope, row: Row) -> Use:
    value = scope.number(1)
    return [value], {"dim": _dim(scope, value)}


@recipe(infer.topk, infer.sort)
def _sorted(scope: Scope, row: Row) -> Use:
    value = scope.number(1)
    dim = _dim(scope, value)
    if row.name == "sort":
        return [value], {"dim": dim, "descending": scope.choose.chance(50)}
    return [value], {
        "dim": dim,
        "k": scope.choose.between(1, min(4, _shape(value)[dim])),
        "largest": not scope.choose.chance(30),
    }


@recipe(infer.max_pool2d, infer.avg_pool2d)
def _pool(scope: Scope, row: Row) -> Use:
    value = scope.float(3, 4)
    image = _shape(value)[-2:]
    kernel = [scope.choose.between(1, min(3, size)) for size in image]
    settings: dict[str, Any] = {
        "kernel_size": kernel,
        "stride": [scope.choose.between(1, 2) for _ in image] if scope.choose.chance(50) else None,
        "padding": [scope.choose.below(size // 2 + 1) for size in kernel],
        "ceil_mode": scope.choose.chance(25),
    }
    if row.name == "avg_pool2d":
        settings["count_include_pad"] = not scope.choose.chance(50)
    return [value], settings


@recipe(infer.adaptive_pool2d)
def _adaptive_pool(scope: Scope, row: Row) -> Use:
    value = scope.float(3, 4)
    return [value], {"output_size": [scope.choose.between(1, size) for size in _shape(value)[-2:]]}


# -- views and other data movement


@recipe(move.view)
def _view(scope: Scope, row: Row) -> Use:
    value = scope.any()
    size = scope.choose.factors(math.prod(_shape(value)), 4)
    if scope.choose.chance(30):
        size[scope.choose.below(len(size))] = -1
    return [value], {"size": size}


@recipe(move.flatten)
def _flatten(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    first = scope.choose.below(len(_shape(value)))
    return [value], {"start_dim": first, "end_dim": scope.choose.between(first, len(_shape(value)) - 1)}


@recipe(move.unflatten)
def _unflatten(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1, most=3)
    dim = _dim(scope, value)
    return [value], {"dim": dim, "sizes": scope.choose.factors(_shape(value)[dim], 2)}


@recipe(move.unsqueeze)
def _unsqueeze(scope: Scope, row: Row) -> Use:
    value = scope.any(most=3)
    rank = len(_shape(value)) + 1
    return [value], {"dim": scope.choose.below(2 * rank) - rank}


@recipe(move.squeeze)
def _squeeze(scope: Scope, row: Row) -> Use:
    value = scope.any()
    return [value], {"dim": scope.choose.some_of(range(len(_shape(value)))) or None}


@recipe(names="transpose permute t")
def _permuted(scope: Scope, row: Row) -> Use:
    value = scope.any(most=2 if row.name == "t" else 4)
    if row.name == "t":
        return [value], {}
    if row.name == "permute":
        return [value], {"dims": scope.choose.order_of(range(len(_shape(value))))}
    return [value], {"dim0": _dim(scope, value), "dim1": _dim(scope, value)}


@recipe(move.expand)
def _expand(scope: Scope, row: Row) -> Use:
    value = scope.any(most=3)
    size = [scope.size(4) if n == 1 else scope.choose.one_of((-1, n)) for n in _shape(value)]
    return [value], {"size": [*(scope.size(3) for _ in range(scope.choose.below(2))), *size]}


def _slice(scope: Scope, value: SSAValue) -> dict[str, int | None]:
    dim = _dim(scope, value)
    size = _shape(value)[dim]
    start = scope.choose.below(size)
    end = scope.choose.between(start + 1, size)
    shown = start - size if start and scope.choose.chance(25) else start
    return {"dim": dim, "start": shown, "end": None if end == size else end, "step": scope.choose.between(1, 2)}


@recipe(move.slice_)
def _sliced(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    return [value], _slice(scope, value)


@recipe(move.slice_scatter)
def _slice_scatter(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    settings = _slice(scope, value)
    return [value, scope.like(move.slice_([shaped_of(value)], settings)[0])], settings


@recipe(move.select, move.select_scatter)
def _select(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    dim = _dim(scope, value)
    size = _shape(value)[dim]
    settings = {"dim": dim, "index": scope.choose.below(2 * size) - size}
    if row.name == "select":
        return [value], settings
    return [value, scope.like(move.select([shaped_of(value)], settings)[0])], settings


@recipe(names="split chunk unbind")
def _pieces(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    dim = _dim(scope, value)
    size = _shape(value)[dim]
    if row.name == "unbind":
        return [value], {"dim": dim}
    if row.name == "chunk":
        return [value], {"dim": dim, "chunks": scope.choose.between(1, min(4, size))}
    first = scope.choose.between(1, size)
    sizes = [first, size - first] if first < size and scope.choose.chance(50) else [max(first, -(-size // 4))]
    return [value], {"dim": dim, "split_size": sizes}


@recipe(move.cat)
def _cat(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    dim = _dim(scope, value)

    def joins(other: Shaped) -> bool:
        rank, at = len(_shape(value)), dim % len(_shape(value))
        return len(other.shape) == rank and all(
            a == b for i, (a, b) in enumerate(zip(other.shape, _shape(value), strict=True)) if i != at
        )

    more = [scope.pick(joins, lambda: scope.new(shaped_of(value))) for _ in range(scope.choose.between(1, 2))]
    return [value, *more], {"dim": dim}


@recipe(move.stack)
def _stack(scope: Scope, row: Row) -> Use:
    value = scope.any(most=3)
    rank = len(_shape(value)) + 1
    more = [scope.like(shaped_of(value)) for _ in range(scope.choose.between(1, 2))]
    return [value, *more], {"dim": scope.choose.below(2 * rank) - rank}


@recipe(move.repeat)
def _repeat(scope: Scope, row: Row) -> Use:
    value = scope.any(most=3)
    lead = scope.choose.below(2)
    return [value], {"repeats": [scope.choose.between(1, 2) for _ in range(len(_shape(value)) + lead)]}


@recipe(move.repeat_interleave)
def _repeat_interleave(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    return [value], {"repeats": scope.choose.between(1, 3), "dim": _dim(scope, value)}


@recipe(move.constant_pad)
def _pad(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    pad: list[int] = []
    for size in list(reversed(_shape(value)))[: scope.choose.between(1, len(_shape(value)))]:
        pad += [scope.choose.between(-1 if size > 2 else 0, 2) for _ in range(2)]
    return [value], {"pad": pad, "value": scope.choose.one_of((0, 1))}


@recipe(move.flip)
def _flip(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    return [value], {"dims": scope.choose.some_of(range(len(_shape(value))), least=1)}


@recipe(move.triangle)
def _triangle(scope: Scope, row: Row) -> Use:
    return [scope.any(least=2)], {"diagonal": scope.choose.between(0, 3) - 1}


# -- indexing


@recipe(move.embedding)
def _embedding(scope: Scope, row: Row) -> Use:
    rows, width = scope.size(), scope.size()
    weight = scope.pick(lambda s: len(s.shape) == 2, lambda: scope.new(Shaped((rows, width), scope.dtype), "param"))
    return [weight, scope.indices(scope.shape(0, 2), _shape(weight)[0])], {}


@recipe(move.index_select)
def _index_select(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    dim = _dim(scope, value)
    return [value, scope.indices((scope.size(8),), _shape(value)[dim])], {"dim": dim}


@recipe(move.index, move.index_put)
def _index(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    shape, dtype = shaped_of(value)
    dims = scope.choose.some_of(range(len(shape)), least=1)[:2]
    common = scope.shape(0, 1)
    indices = [scope.indices(common, shape[dim]) for dim in dims]
    if row.name == "index":
        return [value, *indices], {"dims": dims}
    picked = move.indexed_shape(shaped_of(value), [shaped_of(i) for i in indices], dims)
    accumulate = dtype != i1 and scope.choose.chance(15)
    return [value, scope.like(Shaped(picked, dtype)), *indices], {"dims": dims, "accumulate": accumulate}


def _index_shape(scope: Scope, value: SSAValue, dim: int) -> tuple[int, ...]:
    shape = [scope.choose.between(1, size) if scope.choose.chance(30) else size for size in _shape(value)]
    shape[dim] = scope.choose.between(1, min(4, MOST_INDICES))
    return tuple(shape)


MOST_INDICES = 4


@recipe(move.gather)
def _gather(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    dim = _dim(scope, value)
    return [value, scope.indices(_index_shape(scope, value, dim), _shape(value)[dim])], {"dim": dim}


@recipe(move.scatter)
def _scatter(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    dim = _dim(scope, value)
    shape = _index_shape(scope, value, dim)
    source = scope.like(Shaped(shape, shaped_of(value).dtype))
    return [value, scope.indices(shape, _shape(value)[dim]), source], {"dim": dim}


@recipe(move.index_copy)
def _index_copy(scope: Scope, row: Row) -> Use:
    value = scope.any(least=1)
    shape, dtype = shaped_of(value)
    dim = _dim(scope, value) % len(shape)
    count = scope.choose.between(1, min(4, shape[dim]))
    source = scope.like(Shaped(infer.replaced(shape, dim, count), dtype))
    return [value, scope.indices((count,), shape[dim]), source], {"dim": dim}


# -- creation


@recipe(move.full)
def _full(scope: Scope, row: Row) -> Use:
    dtype = scope.choose.one_of((scope.dtype, f32, i64, i1))
    settings: dict[str, Any] = {"size": scope.shape(0, 3), "dtype": dtype}
    if row.name == "full":
        settings["fill_value"] = scope.choose.one_of((1.0, -0.5)) if is_float(dtype) else scope.choose.below(2)
    return [], settings


@recipe(move.arange)
def _arange(scope: Scope, row: Row) -> Use:
    start, step = scope.choose.below(3), scope.choose.between(1, 2)
    dtype = scope.choose.one_of((i64, f32, scope.dtype))
    return [], {"start": start, "end": start + scope.choose.between(1, 16), "step": step, "dtype": dtype}
