"""Reference functions of the samba operators in torch, keyed by the operator's name in the table.

A function takes the operands, 16-bit floats already widened to f32 unless the operator is in NATIVE, and the
attributes; it returns unrounded results, which the interpreter rounds once to the declared dtype. Products follow the
numeric contract (blocks of 128 along k, added in order); other sums are torch's in f32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from sambaflow.dialects.samba.movement import permutation, split_sizes
from sambaflow.sim.functional.contract import block_products, blocks
from sambaflow.sim.functional.dtypes import TORCH_DTYPES

Tensors: TypeAlias = Sequence[Tensor]
Settings: TypeAlias = Mapping[str, Any]
Function: TypeAlias = Callable[[Tensors, Settings], "Tensor | Sequence[Tensor]"]

FUNCTIONS: dict[str, Function] = {}
"""All reference functions by ATen name."""

NATIVE = frozenset(["eq", "ne", "lt", "le", "gt", "ge", "max", "min", "argmax", "argmin", "topk", "sort"])
"""Operators that compare: their operands keep their dtype, so that scalars are rounded to it as PyTorch does."""


def reference(names: str) -> Callable[[Function], Function]:
    """Registers a function for all `names`."""

    def register(function: Function) -> Function:
        for name in names.split():
            FUNCTIONS[name] = function
        return function

    return register


def torch_dtype(dtype: Any) -> torch.dtype:
    """The torch dtype of an xDSL element type."""
    return TORCH_DTYPES[str(dtype)]


def _second(x: Tensors, a: Settings, name: str = "other") -> Any:
    return x[1] if len(x) > 1 else a[name]


def _plain(function: Callable[[Tensor], Tensor]) -> Function:
    return lambda x, a: function(x[0])


def _with_other(function: Callable[[Any, Any], Tensor]) -> Function:
    return lambda x, a: function(x[0], _second(x, a))


for _name in [
    "tanh",
    "sigmoid",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
    "erf",
    "reciprocal",
]:
    FUNCTIONS[_name] = _plain(getattr(torch, _name))
for _name in [
    "neg",
    "abs",
    "sign",
    "floor",
    "ceil",
    "round",
    "trunc",
    "square",
    "logical_not",
    "isnan",
    "bitwise_not",
    "relu",
]:
    FUNCTIONS[_name] = _plain(getattr(torch, _name))
for _name in [
    "remainder",
    "fmod",
    "floor_divide",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "mul",
]:
    FUNCTIONS[_name] = _with_other(getattr(torch, _name))
for _name in [
    "view",
    "reshape",
    "flatten",
    "unflatten",
    "unsqueeze",
    "squeeze",
    "contiguous",
    "clone",
    "alias",
    "detach",
    "dropout",
    "to",
]:
    FUNCTIONS[_name] = lambda x, a: x[0]  # row-major order is kept: the interpreter gives the declared shape and dtype


@reference("silu")
def _silu(x: Tensors, a: Settings) -> Tensor:
    return F.silu(x[0])


@reference("gelu")
def _gelu(x: Tensors, a: Settings) -> Tensor:
    return F.gelu(x[0], approximate=a["approximate"])


@reference("softplus")
def _softplus(x: Tensors, a: Settings) -> Tensor:
    return F.softplus(x[0], a["beta"], a["threshold"])


@reference("leaky_relu")
def _leaky_relu(x: Tensors, a: Settings) -> Tensor:
    return F.leaky_relu(x[0], a["negative_slope"])


@reference("elu")
def _elu(x: Tensors, a: Settings) -> Tensor:
    return torch.ops.aten.elu(x[0], a["alpha"], a["scale"], a["input_scale"])


@reference("clamp hardtanh")
def _clamp(x: Tensors, a: Settings) -> Tensor:
    return torch.clamp(x[0], a["min"], a["max"])


@reference("add")
def _add(x: Tensors, a: Settings) -> Tensor:
    return torch.add(x[0], _second(x, a), alpha=a["alpha"])


@reference("sub")
def _sub(x: Tensors, a: Settings) -> Tensor:
    return torch.sub(x[0], _second(x, a), alpha=a["alpha"])


@reference("rsub")
def _rsub(x: Tensors, a: Settings) -> Tensor:
    return torch.rsub(x[0], _second(x, a), alpha=a["alpha"])


@reference("div")
def _div(x: Tensors, a: Settings) -> Tensor:
    return torch.div(x[0], _second(x, a), rounding_mode=a["rounding_mode"])


@reference("pow")
def _pow(x: Tensors, a: Settings) -> Tensor:
    return torch.pow(x[0], _second(x, a, "exponent"))


def _tensors(function: Callable[[Tensor, Tensor], Tensor]) -> Function:
    return lambda x, a: function(x[0], torch.as_tensor(_second(x, a)))


FUNCTIONS["maximum"] = _tensors(torch.maximum)
FUNCTIONS["minimum"] = _tensors(torch.minimum)
FUNCTIONS["logical_and"] = _tensors(torch.logical_and)
FUNCTIONS["logical_or"] = _tensors(torch.logical_or)
FUNCTIONS["logical_xor"] = _tensors(torch.logical_xor)


@reference("where")
def _where(x: Tensors, a: Settings) -> Tensor:
    return torch.where(x[0], x[1], x[2])


@reference("masked_fill")
def _masked_fill(x: Tensors, a: Settings) -> Tensor:
    value = x[2] if len(x) > 2 else a["value"]
    shape = torch.broadcast_shapes(x[0].shape, x[1].shape)
    return torch.masked_fill(x[0].expand(shape), x[1], value)


# Products


def product(left: Tensor, right: Tensor) -> Tensor:
    """left[..., m, k] @ right[..., k, n] in the order of the numeric contract; f32, or torch's own for other dtypes."""
    if left.dtype != torch.float32:
        return left @ right
    batch = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    m, k, n = left.shape[-2], left.shape[-1], right.shape[-1]
    if 0 in (m, k, n, *batch):
        return left @ right
    rows = left.expand(*batch, m, k).reshape(-1, m, k)
    columns = right.transpose(-1, -2).expand(*batch, n, k).reshape(-1, n, k)
    return block_products(rows, columns, blocks([k], [(0, k)])).reshape(*batch, m, n)


@reference("linear")
def _linear(x: Tensors, a: Settings) -> Tensor:
    value = x[0].reshape(-1, x[0].shape[-1])
    result = product(value, x[1].t())
    result = result + x[2] if len(x) > 2 else result
    return result.reshape(*x[0].shape[:-1], x[1].shape[0])


@reference("matmul mm bmm")
def _matmul(x: Tensors, a: Settings) -> Tensor:
    left = x[0][None] if x[0].dim() == 1 else x[0]
    right = x[1][:, None] if x[1].dim() == 1 else x[1]
    result = product(left, right)
    result = result.squeeze(-2) if x[0].dim() == 1 else result
    return result.squeeze(-1) if x[1].dim() == 1 else result


@reference("addmm baddbmm")
def _addmm(x: Tensors, a: Settings) -> Tensor:
    scaled = a["alpha"] * product(x[1], x[2])
    return a["beta"] * x[0] + scaled if a["beta"] != 0 else scaled  # what is not read has no NaN


@reference("conv2d")
def _conv2d(x: Tensors, a: Settings) -> Tensor:
    bias = x[2] if len(x) > 2 else None
    return F.conv2d(x[0], x[1], bias, a["stride"], a["padding"], a["dilation"], a["groups"])


@reference("conv1d")
def _conv1d(x: Tensors, a: Settings) -> Tensor:
    bias = x[2] if len(x) > 2 else None
    return F.conv1d(x[0], x[1], bias, a["stride"], a["padding"], a["dilation"], a["groups"])


@reference("scaled_dot_product_attention")
def _attention(x: Tensors, a: Settings) -> Tensor:
    query, key, value = x[:3]
    if a["enable_gqa"]:
        group = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(group, -3), value.repeat_interleave(group, -3)
    scale = 1 / math.sqrt(query.shape[-1]) if a["scale"] is None else a["scale"]
    scores = product(query, key.transpose(-1, -2)) * scale
    if a["is_causal"] and query.dim() == 4:  # PyTorch's kernel for batches of heads overwrites what is hidden
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -math.inf)
    elif a["is_causal"]:
        scores = scores + _hiding(torch.ones(scores.shape[-2:], dtype=torch.bool).tril())
    elif len(x) > 3:
        scores = scores + (_hiding(x[3]) if x[3].dtype == torch.bool else x[3])
    weights = torch.exp(scores - scores.amax(-1, keepdim=True).clamp_min(torch.finfo(torch.float32).min))
    total = weights.sum(-1, keepdim=True)
    # a row that no key may reach gives 0, as PyTorch's safe softmax does
    return torch.where(total == 0, 0.0, product(weights, value) / total)


def _hiding(visible: Tensor) -> Tensor:
    return torch.zeros(visible.shape).masked_fill(~visible, -math.inf)


# Normalisation, reductions, losses


def _optional(x: Tensors, index: int) -> Tensor | None:
    return x[index] if len(x) > index else None


@reference("layer_norm")
def _layer_norm(x: Tensors, a: Settings) -> Tensor:
    return F.layer_norm(x[0], a["normalized_shape"], _optional(x, 1), _optional(x, 2), a["eps"])


@reference("rms_norm")
def _rms_norm(x: Tensors, a: Settings) -> Tensor:
    dims = tuple(range(-len(a["normalized_shape"]), 0))
    eps = torch.finfo(torch.promote_types(x[0].dtype, torch.float32)).eps if a["eps"] is None else a["eps"]
    scale = torch.rsqrt(x[0].square().mean(dims, keepdim=True) + eps)
    return x[0] * scale if len(x) == 1 else x[0] * scale * x[1]


@reference("batch_norm")
def _batch_norm(x: Tensors, a: Settings) -> Tensor:
    return F.batch_norm(x[0], x[1], x[2], _optional(x, 3), _optional(x, 4), False, 0.0, a["eps"])


@reference("group_norm")
def _group_norm(x: Tensors, a: Settings) -> Tensor:
    # not F.group_norm: it refuses groups of one element
    return torch.group_norm(x[0], a["num_groups"], _optional(x, 1), _optional(x, 2), a["eps"])


@reference("softmax")
def _softmax(x: Tensors, a: Settings) -> Tensor:
    return torch.softmax(_floating(x[0]), a["dim"])


@reference("log_softmax")
def _log_softmax(x: Tensors, a: Settings) -> Tensor:
    return torch.log_softmax(_floating(x[0]), a["dim"])


def _floating(value: Tensor) -> Tensor:
    return value if value.is_floating_point() else value.float()


@reference("cross_entropy_loss")
def _cross_entropy(x: Tensors, a: Settings) -> Tensor:
    return F.cross_entropy(
        x[0],
        x[1],
        _optional(x, 2),
        reduction=a["reduction"],
        ignore_index=a["ignore_index"],
        label_smoothing=a["label_smoothing"],
    )


def _dims(value: Tensor, a: Settings) -> tuple[int, ...]:
    return tuple(a["dim"] or range(value.dim()))


@reference("sum")
def _sum(x: Tensors, a: Settings) -> Tensor:
    value = x[0] if a["dtype"] is None else x[0].to(_widened(torch_dtype(a["dtype"])))
    return torch.sum(value, _dims(value, a), a["keepdim"])


@reference("prod")
def _prod(x: Tensors, a: Settings) -> Tensor:
    value = x[0] if a["dtype"] is None else x[0].to(_widened(torch_dtype(a["dtype"])))
    if a["dim"] is not None:
        return torch.prod(value, a["dim"], a["keepdim"])
    product = torch.prod(value)
    return product.reshape((1,) * value.dim()) if a["keepdim"] else product


@reference("mean")
def _mean(x: Tensors, a: Settings) -> Tensor:
    value = x[0] if a["dtype"] is None else x[0].to(_widened(torch_dtype(a["dtype"])))
    return torch.mean(value, _dims(value, a), a["keepdim"])


def _widened(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


@reference("var")
def _var(x: Tensors, a: Settings) -> Tensor:
    return torch.var(x[0], _dims(x[0], a), correction=a["correction"], keepdim=a["keepdim"])


@reference("amax")
def _amax(x: Tensors, a: Settings) -> Tensor:
    return torch.amax(x[0], _dims(x[0], a), a["keepdim"])


@reference("amin")
def _amin(x: Tensors, a: Settings) -> Tensor:
    return torch.amin(x[0], _dims(x[0], a), a["keepdim"])


@reference("any")
def _any(x: Tensors, a: Settings) -> Tensor:
    return torch.any(x[0] != 0, _dims(x[0], a), a["keepdim"]) if x[0].dim() else x[0] != 0


@reference("all")
def _all(x: Tensors, a: Settings) -> Tensor:
    return torch.all(x[0] != 0, _dims(x[0], a), a["keepdim"]) if x[0].dim() else x[0] != 0


@reference("max")
def _max(x: Tensors, a: Settings) -> Tensors:
    return tuple(torch.max(x[0], a["dim"], a["keepdim"]))


@reference("min")
def _min(x: Tensors, a: Settings) -> Tensors:
    return tuple(torch.min(x[0], a["dim"], a["keepdim"]))


@reference("argmax")
def _argmax(x: Tensors, a: Settings) -> Tensor:
    return torch.argmax(x[0], a["dim"], a["keepdim"])


@reference("argmin")
def _argmin(x: Tensors, a: Settings) -> Tensor:
    return torch.argmin(x[0], a["dim"], a["keepdim"])


@reference("cumsum")
def _cumsum(x: Tensors, a: Settings) -> Tensor:
    return torch.cumsum(x[0], a["dim"])


@reference("topk")
def _topk(x: Tensors, a: Settings) -> Tensors:
    # the kernel level picks among equal values as torch.topk does, which is not the order of their indices
    return tuple(torch.topk(x[0], a["k"], a["dim"], a["largest"]))


@reference("sort")
def _sort(x: Tensors, a: Settings) -> Tensors:
    return tuple(torch.sort(x[0], dim=a["dim"], descending=a["descending"], stable=True))


@reference("max_pool2d")
def _max_pool2d(x: Tensors, a: Settings) -> Tensor:
    return F.max_pool2d(x[0], a["kernel_size"], a["stride"], a["padding"], a["dilation"], a["ceil_mode"])


@reference("avg_pool2d")
def _avg_pool2d(x: Tensors, a: Settings) -> Tensor:
    return F.avg_pool2d(x[0], a["kernel_size"], a["stride"], a["padding"], a["ceil_mode"], a["count_include_pad"])


@reference("adaptive_avg_pool2d")
def _adaptive_avg_pool2d(x: Tensors, a: Settings) -> Tensor:
    return F.adaptive_avg_pool2d(x[0], a["output_size"])


# Data movement


def _permuted(name: str) -> Function:
    return lambda x, a: x[0].permute(permutation(tuple(x[0].shape), name, a))


def _split(name: str) -> Function:
    def function(x: Tensors, a: Settings) -> Tensors:
        parts = torch.split(x[0], split_sizes(x[0].shape[a["dim"]], name, a), a["dim"])
        return [part.squeeze(a["dim"]) for part in parts] if name == "unbind" else parts

    return function


for _name in ("transpose", "permute", "t"):
    FUNCTIONS[_name] = _permuted(_name)
for _name in ("split", "chunk", "unbind"):
    FUNCTIONS[_name] = _split(_name)


@reference("expand")
def _expand(x: Tensors, a: Settings) -> Tensor:
    return x[0].expand(a["size"])


def _slices(a: Settings, rank: int) -> tuple[slice, ...]:
    index = [slice(None)] * rank
    index[a["dim"]] = slice(a["start"], a["end"], a["step"])
    return tuple(index)


@reference("slice")
def _slice(x: Tensors, a: Settings) -> Tensor:
    return x[0][_slices(a, x[0].dim())]


@reference("select")
def _select(x: Tensors, a: Settings) -> Tensor:
    return x[0].select(a["dim"], a["index"])


@reference("slice_scatter")
def _slice_scatter(x: Tensors, a: Settings) -> Tensor:
    result = x[0].clone()
    result[_slices(a, x[0].dim())] = x[1]
    return result


@reference("select_scatter")
def _select_scatter(x: Tensors, a: Settings) -> Tensor:
    return torch.select_scatter(x[0], x[1], a["dim"], a["index"])


@reference("cat")
def _cat(x: Tensors, a: Settings) -> Tensor:
    return torch.cat(list(x), a["dim"])


@reference("stack")
def _stack(x: Tensors, a: Settings) -> Tensor:
    return torch.stack(list(x), a["dim"])


@reference("repeat")
def _repeat(x: Tensors, a: Settings) -> Tensor:
    return x[0].repeat(a["repeats"])


@reference("repeat_interleave")
def _repeat_interleave(x: Tensors, a: Settings) -> Tensor:
    return x[0].repeat_interleave(a["repeats"], a["dim"])


@reference("constant_pad_nd")
def _constant_pad(x: Tensors, a: Settings) -> Tensor:
    return F.pad(x[0], a["pad"], value=a["value"])


@reference("flip")
def _flip(x: Tensors, a: Settings) -> Tensor:
    return x[0].flip(a["dims"])


@reference("tril")
def _tril(x: Tensors, a: Settings) -> Tensor:
    return torch.tril(x[0], a["diagonal"])


@reference("triu")
def _triu(x: Tensors, a: Settings) -> Tensor:
    return torch.triu(x[0], a["diagonal"])


# Indexing


@reference("embedding")
def _embedding(x: Tensors, a: Settings) -> Tensor:
    return x[0][x[1]]


@reference("index_select")
def _index_select(x: Tensors, a: Settings) -> Tensor:
    return torch.index_select(x[0], a["dim"], x[1])


def _index(rank: int, dims: Sequence[int], indices: Tensors) -> tuple[Any, ...]:
    places = dict(zip(dims, indices, strict=True))
    return tuple(places.get(dim, slice(None)) for dim in range(rank))


@reference("index")
def _index_get(x: Tensors, a: Settings) -> Tensor:
    return x[0][_index(x[0].dim(), a["dims"], [index.long() for index in x[1:]])]


@reference("index_put")
def _index_put(x: Tensors, a: Settings) -> Tensor:
    result = x[0].clone()
    index = _index(result.dim(), a["dims"], [index.long() for index in x[2:]])
    if not a["accumulate"]:
        result[index] = x[1]
        return result
    places = torch.arange(result.numel()).reshape(result.shape)[index]
    values = x[1].expand(places.shape).reshape(-1)
    return result.reshape(-1).index_add(0, places.reshape(-1), values).reshape(result.shape)


@reference("gather")
def _gather(x: Tensors, a: Settings) -> Tensor:
    return torch.gather(x[0], a["dim"], x[1].long())


@reference("scatter")
def _scatter(x: Tensors, a: Settings) -> Tensor:
    return torch.scatter(x[0], a["dim"], x[1].long(), x[2])


@reference("index_copy")
def _index_copy(x: Tensors, a: Settings) -> Tensor:
    return torch.index_copy(x[0], a["dim"], x[1].long(), x[2])


# Creation


@reference("full")
def _full(x: Tensors, a: Settings) -> Tensor:
    return torch.full(a["size"], a["fill_value"])


@reference("zeros")
def _zeros(x: Tensors, a: Settings) -> Tensor:
    return torch.zeros(a["size"])


@reference("ones")
def _ones(x: Tensors, a: Settings) -> Tensor:
    return torch.ones(a["size"])


@reference("arange")
def _arange(x: Tensors, a: Settings) -> Tensor:
    return torch.arange(a["start"], a["end"], a["step"], dtype=_widened(torch_dtype(a["dtype"])))
