"""ATen operators that no row has, in terms of ATen operators that rows have, where PyTorch's decomposition is missing.

An expansion is a function of the call's arguments (by the names of its schema) that applies other overloads:

    @expands("aten.clamp_min.Tensor")
    def _clamp_min(a, apply):
        return [apply(aten.maximum.default, a["self"], a["min"])]

It returns a value for each result, or None where it does not hold. A result that the graph does not use is left
without a value, so that statistics and indices which nobody asked for are not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import torch

from sambaflow.frontends.calls import Call, Value, aten, constant

Arguments: TypeAlias = dict[str, Any]


class Apply(Protocol):
    """Applies an overload to values and plain arguments; the first result, or all where it has several."""

    def __call__(self, target: Any, *args: Any, **kwargs: Any) -> Any: ...


Expansion: TypeAlias = Callable[[Arguments, Apply], "Sequence[Value | None] | None"]

EXPANSIONS: dict[str, Expansion] = {}


def expands(names: str) -> Callable[[Expansion], Expansion]:
    """Registers an expansion for all `names`."""

    def register(expansion: Expansion) -> Expansion:
        EXPANSIONS.update((name, expansion) for name in names.split())
        return expansion

    return register


def expand(call: Call, apply: Apply) -> list[Value] | None:
    """The results of a call by its expansion; None when it has none, or when that lacks a result that is used."""
    expansion = EXPANSIONS.get(call.name)
    results = None if expansion is None else expansion(call.arguments(), apply)
    if results is None or any(value is None and _is_used(call, i) for i, value in enumerate(results)):
        return None
    return [Value((), torch.float32) if value is None else value for value in results]


def _is_used(call: Call, index: int) -> bool:
    """Whether the graph takes a result of the call; the graph's own results take all."""
    if call.node is None:
        return True
    takers = [user for user in call.node.users if len(user.args) != 2 or user.args[1] == index]
    return any(user.users or user.op == "output" for user in takers)


def cast(value: Value, dtype: torch.dtype, apply: Apply) -> Value:
    """The value in another dtype."""
    return value if value.dtype == dtype else apply(aten.to.dtype, value, dtype)


def expanded(value: Value, shape: Sequence[int], apply: Apply) -> Value:
    """The value repeated to a shape that it broadcasts to."""
    return value if value.shape == tuple(shape) else apply(aten.expand.default, value, list(shape))


# ---- elementwise


@expands("aten.clamp.Tensor aten.clamp_min.Tensor aten.clamp_max.Tensor")
def _clamp(a: Arguments, apply: Apply) -> Sequence[Value]:
    value = a["self"]
    if a.get("min") is not None:
        value = apply(aten.maximum.default, value, a["min"])
    return [value if a.get("max") is None else apply(aten.minimum.default, value, a["max"])]


def _ignoring_nan(target: Any) -> Expansion:
    """The larger or smaller of two numbers; the other one where one is NaN."""

    def expansion(a: Arguments, apply: Apply) -> Sequence[Value] | None:
        x, y = a["self"], a["other"]
        if not (x.dtype.is_floating_point and x.dtype == y.dtype):
            return None
        best = apply(aten.where.self, apply(aten.isnan.default, x), y, apply(target, x, y))
        return [apply(aten.where.self, apply(aten.isnan.default, y), x, best)]

    return expansion


expands("aten.fmax")(_ignoring_nan(aten.maximum.default))
expands("aten.fmin")(_ignoring_nan(aten.minimum.default))


@expands("aten.addbmm")
def _addbmm(a: Arguments, apply: Apply) -> Sequence[Value]:
    """The sum of the products of a batch is one product, over batch and columns."""
    (batch, rows, inner), columns = a["batch1"].shape, a["batch2"].shape[2]
    left = apply(aten.reshape.default, apply(aten.permute.default, a["batch1"], [1, 0, 2]), [rows, batch * inner])
    right = apply(aten.reshape.default, a["batch2"], [batch * inner, columns])
    return [apply(aten.addmm.default, a["self"], left, right, beta=a["beta"], alpha=a["alpha"])]


@expands("aten.copy")
def _copy(a: Arguments, apply: Apply) -> Sequence[Value]:
    """`self` with the elements of `src`: its shape and dtype, none of its values."""
    return [expanded(cast(a["src"], a["self"].dtype, apply), a["self"].shape, apply)]


@expands("aten.fill.Tensor")
def _fill(a: Arguments, apply: Apply) -> Sequence[Value]:
    return [expanded(cast(a["value"], a["self"].dtype, apply), a["self"].shape, apply)]


@expands("aten.fill.Scalar")
def _fill_number(a: Arguments, apply: Apply) -> Sequence[Value]:
    return [constant(torch.tensor(a["value"], dtype=a["self"].dtype).expand(a["self"].shape))]


@expands("aten.round.decimals")
def _round(a: Arguments, apply: Apply) -> Sequence[Value] | None:
    """Rounded after a shift by `decimals` digits, as PyTorch's kernel has it."""
    value, decimals = a["self"], a["decimals"]
    if not value.dtype.is_floating_point:
        return None
    there, back = (aten.mul.Tensor, aten.div.Tensor) if decimals >= 0 else (aten.div.Tensor, aten.mul.Tensor)
    digits = constant(torch.tensor(10.0 ** abs(decimals), dtype=torch.float64).float())
    return [apply(back, apply(aten.round.default, apply(there, value, digits)), digits)]


@expands("aten.log_sigmoid_forward")
def _log_sigmoid(a: Arguments, apply: Apply) -> Sequence[Value | None]:
    """min(x, 0) - log1p(exp(-|x|))."""
    value = a["self"]
    tail = apply(aten.log1p.default, apply(aten.exp.default, apply(aten.neg.default, apply(aten.abs.default, value))))
    return [apply(aten.sub.Tensor, apply(aten.clamp.default, value, None, 0), tail), None]


# ---- normalisation


def _scaled(value: Value, weight: Value | None, bias: Value | None, apply: Apply) -> Value:
    value = value if weight is None else apply(aten.mul.Tensor, value, weight)
    return value if bias is None else apply(aten.add.Tensor, value, bias)


def _statistics(value: Value, dims: Sequence[int], eps: float, apply: Apply) -> tuple[Value, Value]:
    """Mean and 1 / sqrt(variance + eps) over `dims`, which stay as 1."""
    mean = apply(aten.mean.dim, value, list(dims), True)
    variance = apply(aten.var.correction, value, list(dims), correction=0, keepdim=True)
    return mean, apply(aten.rsqrt.default, apply(aten.add.Scalar, variance, eps))


@expands("aten.native_layer_norm")
def _layer_norm(a: Arguments, apply: Apply) -> Sequence[Value]:
    value, shape = a["input"], a["normalized_shape"]
    result = apply(aten.layer_norm.default, value, shape, a["weight"], a["bias"], a["eps"])
    rank = len(value.shape)
    return [result, *_statistics(value, range(rank - len(shape), rank), a["eps"], apply)]


@expands("aten.native_group_norm")
def _group_norm(a: Arguments, apply: Apply) -> Sequence[Value]:
    value, groups = a["input"], a["group"]
    result = apply(aten.group_norm.default, value, groups, a["weight"], a["bias"], a["eps"])
    grouped = apply(aten.reshape.default, value, [a["N"], groups, a["C"] * a["HxW"] // groups])
    statistics = _statistics(grouped, [2], a["eps"], apply)
    return [result, *(apply(aten.reshape.default, statistic, [a["N"], groups]) for statistic in statistics)]


@expands("aten.native_batch_norm aten._native_batch_norm_legit aten._native_batch_norm_legit_no_training")
def _batch_norm(a: Arguments, apply: Apply) -> Sequence[Value | None] | None:
    """Inference; PyTorch's statistics are empty then. In training the running statistics are written as well."""
    if a.get("training"):
        return None
    parameters = (a["weight"], a["bias"], a["running_mean"], a["running_var"])
    return [apply(aten.batch_norm.default, a["input"], *parameters, False, 0.0, a["eps"], False), None, None]


@expands("aten._native_batch_norm_legit.no_stats")
def _batch_norm_without_statistics(a: Arguments, apply: Apply) -> Sequence[Value] | None:
    results = _batch_norm_in_training(a, apply) if a["training"] else None
    return None if results is None else results[:3]


@expands("aten._native_batch_norm_legit_functional")
def _batch_norm_functional(a: Arguments, apply: Apply) -> Sequence[Value | None] | None:
    if a["training"]:
        return _batch_norm_in_training(a, apply)
    outputs = _batch_norm(a, apply)
    return None if outputs is None else [*outputs, a["running_mean"], a["running_var"]]


def _batch_norm_in_training(a: Arguments, apply: Apply) -> list[Value] | None:
    """(result, mean, 1 / sqrt(var + eps), new running mean, new running variance) by the statistics of the batch.

    None without a dimension of channels, which PyTorch takes where there are no elements.
    """
    if len(a["input"].shape) < 2:
        return None
    value, channels = a["input"], a["input"].shape[1]
    dims = [dim for dim in range(len(value.shape)) if dim != 1]
    wide = cast(value, torch.float32, apply) if value.dtype.itemsize < 4 else value
    mean, inverse = _statistics(wide, dims, a["eps"], apply)
    places = [1, channels] + [1] * (len(value.shape) - 2)

    def per_channel(parameter: Value | None) -> Value | None:
        return None if parameter is None else apply(aten.reshape.default, parameter, places)

    normal = apply(aten.mul.Tensor, apply(aten.sub.Tensor, wide, mean), inverse)
    result = _scaled(normal, per_channel(a["weight"]), per_channel(a["bias"]), apply)
    saved = [apply(aten.reshape.default, statistic, [channels]) for statistic in (mean, inverse)]
    if a.get("running_mean") is None:
        return [cast(result, value.dtype, apply), *saved]
    unbiased = apply(aten.var.correction, wide, dims, correction=1, keepdim=False)
    running: list[Value] = []
    for old, new in ((a["running_mean"], saved[0]), (a["running_var"], unbiased)):
        remaining = apply(aten.mul.Scalar, old, 1 - a["momentum"])
        mixed = apply(aten.add.Tensor, remaining, apply(aten.mul.Scalar, new, a["momentum"]))
        running.append(cast(mixed, old.dtype, apply))
    return [cast(result, value.dtype, apply), *saved, *running]


@expands("aten.native_dropout")
def _dropout(a: Arguments, apply: Apply) -> Sequence[Value] | None:
    if a["train"]:
        return None
    return [a["input"], constant(torch.ones((), dtype=torch.bool).expand(a["input"].shape))]


@expands("aten.var_mean.correction")
def _var_mean(a: Arguments, apply: Apply) -> Sequence[Value]:
    dims = list(range(len(a["self"].shape))) if a["dim"] is None else a["dim"]
    correction = 1 if a["correction"] is None else a["correction"]
    variance = apply(aten.var.correction, a["self"], dims, correction=correction, keepdim=a["keepdim"])
    return [variance, apply(aten.mean.dim, a["self"], dims, a["keepdim"])]


@expands(
    "aten._scaled_dot_product_flash_attention_for_cpu aten._scaled_dot_product_efficient_attention "
    "aten._scaled_dot_product_flash_attention aten._scaled_dot_product_cudnn_attention "
    "aten._scaled_dot_product_attention_math aten._scaled_dot_product_attention_math_for_mps"
)
def _attention(a: Arguments, apply: Apply) -> Sequence[Value | None] | None:
    """The result alone: its log-sum-exp or weights are for the backward pass."""
    mask = a.get("attn_mask", a.get("attn_bias"))
    if a["dropout_p"] != 0.0 or a.get("dropout_mask") is not None:
        return None
    settings = {"scale": a.get("scale"), "enable_gqa": a.get("enable_gqa", False)}
    operands = (a["query"], a["key"], a["value"], mask, 0.0, a["is_causal"])
    return [apply(aten.scaled_dot_product_attention.default, *operands, **settings), *[None] * 8]


# ---- convolution and pooling


@expands("aten.convolution")
def _convolution(a: Arguments, apply: Apply) -> Sequence[Value] | None:
    target = {3: aten.conv1d.default, 4: aten.conv2d.default}.get(len(a["weight"].shape))
    if target is None or a["transposed"] or any(a["output_padding"]):
        return None
    parameters = (a["input"], a["weight"], a["bias"], a["stride"], a["padding"], a["dilation"], a["groups"])
    return [apply(target, *parameters)]


@expands("aten.conv1d.padding aten.conv2d.padding")
def _padded_convolution(a: Arguments, apply: Apply) -> Sequence[Value] | None:
    """padding="same": dilation * (kernel - 1) zeros, the odd one behind; "valid": none."""
    value, kernel = a["input"], a["weight"].shape[2:]
    stride, dilation = (_per_dimension(a[name], len(kernel)) for name in ("stride", "dilation"))
    padding = [0] * len(kernel)
    if a["padding"] == "same":
        if any(step != 1 for step in stride):
            return None
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        padding = [total // 2 for total in totals]
        behind = [total % 2 for total in totals]
        if any(behind):
            border = [size for odd in reversed(behind) for size in (0, odd)]
            value = apply(aten.constant_pad_nd.default, value, border)
    target = aten.conv1d.default if len(kernel) == 1 else aten.conv2d.default
    return [apply(target, value, a["weight"], a["bias"], stride, padding, dilation, a["groups"])]


def _per_dimension(values: int | Sequence[int], count: int) -> list[int]:
    listed = [values] if isinstance(values, int) else list(values)
    return listed * count if len(listed) == 1 else listed


@expands("aten.max_pool2d_with_indices")
def _max_pool(a: Arguments, apply: Apply) -> Sequence[Value | None]:
    settings = (a["kernel_size"], a["stride"], a["padding"], a["dilation"], a["ceil_mode"])
    return [apply(aten.max_pool2d.default, a["self"], *settings), None]


# ---- indexing


@expands("aten.scatter.value")
def _scatter_number(a: Arguments, apply: Apply) -> Sequence[Value]:
    source = constant(torch.tensor(a["value"], dtype=a["self"].dtype).expand(a["index"].shape))
    return [apply(aten.scatter.src, a["self"], a["dim"], a["index"], source)]


@expands("aten.scatter_add")
def _scatter_add(a: Arguments, apply: Apply) -> Sequence[Value] | None:
    """index_put with the coordinates of every element, which adds where they meet."""
    value, index, rank = a["self"], a["index"], len(a["self"].shape)
    if not rank or len(a["src"].shape) != rank:
        return None
    dim = a["dim"] % rank
    source = a["src"]
    for i, size in enumerate(index.shape):
        if source.shape[i] != size:
            source = apply(aten.slice.Tensor, source, i, 0, size)
    places = [
        index if i == dim else constant(torch.arange(size).reshape([-1 if j == i else 1 for j in range(rank)]))
        for i, size in enumerate(index.shape)
    ]
    return [apply(aten.index_put.default, value, places, source, True)]
