"""Which samba operator an ATen overload becomes, with which operands and attributes.

Names agree by design (a row of `dialects/samba/table.py` is called and takes what ATen's operator is called and
takes), so `bind` is one rule: arguments of the schema go to the operands and attributes of the same name. Overloads
whose arguments differ in form stand in `_ADAPTERS`, overloads whose name alone differs in `_ALIASES`. An argument
that the row does not have must be at its default or in `_WITHOUT_EFFECT`, every value must be of its attribute's kind,
and the results must have PyTorch's shapes and dtypes, else the operator is not bound: it is expanded (`expansions`) or
decomposed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from xdsl.dialects.builtin import bf16, f16, f32, f64, i1, i8, i32, i64
from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.samba import Shaped, infer_results
from sambaflow.dialects.samba.attributes import Kind
from sambaflow.dialects.samba.table import OPERATORS, REQUIRED, Row
from sambaflow.frontends.calls import Call, Value, leaves_of, result_shells, signature

DTYPES: Mapping[torch.dtype, Attribute] = {
    torch.float64: f64, torch.float32: f32, torch.float16: f16, torch.bfloat16: bf16,
    torch.int64: i64, torch.int32: i32, torch.int8: i8, torch.bool: i1,
}  # fmt: skip
"""Element types by PyTorch's dtype; other dtypes are not supported."""

TORCH_DTYPES: Mapping[Attribute, torch.dtype] = {element: dtype for dtype, element in DTYPES.items()}


@dataclass(frozen=True)
class Bound:
    """One samba operator to build: row, operands in the row's order, attributes as Python values (dtypes as types)."""

    row: Row
    operands: tuple[Value, ...]
    attributes: dict[str, Any]


Arguments: TypeAlias = dict[str, Any]
Adapter: TypeAlias = Callable[[Arguments], "tuple[str, Arguments] | None"]


def bind(call: Call) -> Bound | None:
    """The samba operator for `call`, or None when there is no direct conversion.

    An argument that is not of its attribute's kind, or operands whose result is not what PyTorch gives, do not bind.
    """
    if not call.name.startswith("aten."):
        return None
    name, arguments = signature(call.target).base, call.arguments()
    adapter = _ADAPTERS.get(call.name) or _ADAPTERS.get(f"aten.{name}")
    if adapter is not None:
        adapted = adapter(arguments)
        if adapted is None:
            return None
        name, arguments = adapted
    row = OPERATORS.get(_ALIASES.get(name, name))
    if row is None or not _takes_all(row, arguments, signature(call.target).defaults):
        return None
    operands = _operands(row, arguments)
    attributes = _attributes(row, arguments)
    if operands is None or attributes is None or not _gives_the_same(call, row, operands, attributes):
        return None
    return Bound(row, operands, attributes)


def is_known(call: Call) -> bool:
    """Whether calls of the overload are converted with some arguments."""
    name = signature(call.target).base
    adapters = (call.name, f"aten.{name}")
    return call.name.startswith("aten.") and (
        _ALIASES.get(name, name) in OPERATORS or any(adapter in _ADAPTERS for adapter in adapters)
    )


def _takes_all(row: Row, arguments: Arguments, defaults: Mapping[str, Any]) -> bool:
    """Whether the row has every argument that says something."""
    taken = {attribute.name for attribute in row.attributes} | {operand.rstrip("?*") for operand in row.operands}
    return all(
        argument in taken or argument in _WITHOUT_EFFECT or _same(value, defaults.get(argument, REQUIRED))
        for argument, value in arguments.items()
    )


def _operands(row: Row, arguments: Arguments) -> tuple[Value, ...] | None:
    """Values for the row's operands; a number where only a tensor is taken becomes a rank-0 constant."""
    values: list[Any] = []
    attributes = {attribute.name for attribute in row.attributes}
    tensors = leaves_of(Value, arguments)
    ended = False
    for operand in row.operands:
        name = operand.rstrip("?*")
        value: Any = arguments.get(name)
        if operand.endswith("*"):
            if not isinstance(value, list | tuple):
                return None
            values += value
        elif value is None or (name in attributes and not isinstance(value, Value)):
            if not operand.endswith("?"):
                return None
            ended = True
        elif ended:  # an optional operand after one that is absent has no text form
            return None
        else:
            values.append(_number_beside(value, tensors) if isinstance(value, bool | int | float) else value)
    return None if any(not isinstance(value, Value) for value in values) else tuple(values)


def _number_beside(number: bool | int | float, tensors: Sequence[Value]) -> Value:
    """A Python number as a rank-0 constant in the dtype that it has beside the tensors: as PyTorch's wrapped numbers,
    it changes a dtype's category only, never its width."""
    kind = torch.tensor(number).dtype
    for tensor in tensors:
        if torch.result_type(torch.empty((1,), dtype=tensor.dtype, device="meta"), number) == tensor.dtype:
            kind = tensor.dtype
    return Value((), kind, constant=torch.tensor(number, dtype=kind))


def _attributes(row: Row, arguments: Arguments) -> dict[str, Any] | None:
    """Attributes that differ from the row's defaults, by name; None when a value is not of the attribute's kind."""
    attributes: dict[str, Any] = {}
    operands = {operand.rstrip("?*") for operand in row.operands}
    for attribute in row.attributes:
        value: Any = arguments.get(attribute.name, attribute.default)
        if isinstance(value, Value) and attribute.name in operands:  # given as an operand
            continue
        if value is None and attribute.default is not REQUIRED:
            continue
        value = DTYPES.get(value) if isinstance(value, torch.dtype) else _in_form(attribute.kind, value)
        if value is REQUIRED or not attribute.kind.accepts(value):
            return None
        if attribute.default is REQUIRED or not _same(value, attribute.default):
            attributes[attribute.name] = value
    return attributes


def _in_form(kind: Kind, value: Any) -> Any:
    """One integer where several are due as several, an integer where a float is due as that."""
    if kind.name == "ints":
        return (value,) if isinstance(value, int) else tuple(value) if isinstance(value, list) else value
    return float(value) if kind.name == "float" and isinstance(value, int) and kind.accepts(value) else value


def _gives_the_same(call: Call, row: Row, operands: Sequence[Value], attributes: Mapping[str, Any]) -> bool:
    """Whether the row's results have the shapes and dtypes of PyTorch's; sizes that depend on data are not compared."""
    shells = result_shells(call)
    if not all(type(size) is int for operand in (*operands, *shells) for size in operand.shape):
        return True
    if not all(value.dtype in DTYPES for value in operands):
        return False
    shapes = [Shaped(value.shape, DTYPES[value.dtype]) for value in operands]
    try:
        inferred = infer_results(row, shapes, attributes)
    except VerifyException:
        return False
    wanted = [(tuple(shell.shape), DTYPES.get(shell.dtype)) for shell in shells]
    return [(result.shape, result.dtype) for result in inferred] == wanted


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return list(left) == list(right)
    return left is right or (type(left) is type(right) and left == right)


_WITHOUT_EFFECT = frozenset(
    {
        "device", "layout", "pin_memory", "non_blocking", "copy", "memory_format", "implicit",  # placement
        "padding_idx", "scale_grad_by_freq", "sparse", "momentum", "cudnn_enabled", "cudnn_enable",  # training
        "sorted", "stable", "check", "half_to_float", "indexing",
    }
)  # fmt: skip
"""Arguments that change no value in inference."""

_ALIASES: Mapping[str, str] = {
    "__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor", "_softmax": "softmax",
    "_log_softmax": "log_softmax", "split_with_sizes": "split", "_unsafe_view": "view", "_to_copy": "to",
    "concat": "cat", "concatenate": "cat", "slice_copy": "slice", "true_divide": "div", "divide": "div",
    "multiply": "mul", "subtract": "sub", "negative": "neg", "special_expm1": "expm1", "special_erf": "erf",
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d",
    "not_equal": "ne", "less_equal": "le", "less": "lt", "greater": "gt", "greater_equal": "ge", "absolute": "abs",
    }  # fmt: skip


def _renamed(name: str, **names: str) -> Adapter:
    """The same arguments under other names."""
    return lambda a: (name, {names.get(key, key): value for key, value in a.items()})


def _without(name: str, **required: Any) -> Adapter:
    """Bound only while these arguments have these values, which the row takes for granted."""

    def adapt(a: Arguments) -> tuple[str, Arguments] | None:
        if any(not _same(a[key], value) for key, value in required.items()):
            return None
        return name, {key: value for key, value in a.items() if key not in required}

    return adapt


def _cast(a: Arguments) -> tuple[str, Arguments] | None:
    dtype = a.get("dtype") if "other" not in a else a["other"].dtype
    return None if dtype is None else ("to", {"self": a["self"], "dtype": dtype})


def _index(a: Arguments) -> tuple[str, Arguments] | None:
    """`self[:, i, j]`: index tensors with the dimensions they stand at; boolean indices depend on data."""
    indices = {dim: index for dim, index in enumerate(a["indices"]) if index is not None}
    if any(index.dtype == torch.bool for index in indices.values()) or a.get("unsafe"):
        return None
    others = {key: value for key, value in a.items() if key != "unsafe"}
    name = "index_put" if "values" in a else "index"
    return name, {**others, "indices": list(indices.values()), "dims": tuple(indices)}


def _cat(a: Arguments) -> tuple[str, Arguments]:
    """Tensors without elements add nothing: an empty cache of any rank, the part of a head that does not rotate."""
    tensors = [tensor for tensor in a["tensors"] if 0 not in tensor.shape]
    return "cat", {**a, "tensors": tensors or a["tensors"]}


def _split(a: Arguments) -> tuple[str, Arguments]:
    return "split", {"self": a["self"], "split_size": a.get("split_sizes", a.get("split_size")), "dim": a["dim"]}


def _slice(name: str) -> Adapter:
    """An end past the dimension (PyTorch writes 2^63 - 1) is no end."""
    return lambda a: (
        name,
        {**a, "end": None if a["end"] is None or a["end"] >= a["self"].shape[a["dim"]] else a["end"]},
    )


def _cross_entropy(a: Arguments) -> tuple[str, Arguments] | None:
    if a["target"].dtype.is_floating_point:
        return None
    return "cross_entropy_loss", {**a, "reduction": ("none", "mean", "sum")[a["reduction"]]}


def _pool(name: str) -> Adapter:
    """An empty stride is the kernel's size, as in the row."""
    return lambda a: (name, {**a, "stride": a["stride"] or None})


def _all_dims(name: str) -> Adapter:
    """`max(x)` without a dimension is amax over all."""
    return lambda a: (name, {"self": a["self"]})


def _index_add(a: Arguments) -> tuple[str, Arguments] | None:
    """`self.index_add(dim, index, source)` adds slices of source at the indices."""
    if a["alpha"] != 1 or a["dim"] % max(len(a["self"].shape), 1) != 0:
        return None
    values = {"self": a["self"], "values": a["source"], "indices": [a["index"]]}
    return "index_put", {**values, "dims": (0,), "accumulate": True}


_ADAPTERS: Mapping[str, Adapter] = {
    "aten.to.dtype": _cast,
    "aten.to.device": _cast,
    "aten.to.dtype_layout": _cast,
    "aten.to.other": _cast,
    "aten._to_copy": _cast,
    "aten.type_as": _cast,
    "aten.index.Tensor": _index,
    "aten.index_put": _index,
    "aten._unsafe_index.Tensor": _index,
    "aten.index_add": _index_add,
    "aten.cat": _cat,
    "aten.split.Tensor": _split,
    "aten.split_with_sizes": _split,
    "aten.split.sizes": _split,
    "aten.slice.Tensor": _slice("slice"),
    "aten.slice_scatter": _slice("slice_scatter"),
    "aten.cross_entropy_loss": _cross_entropy,
    "aten.max_pool2d": _pool("max_pool2d"),
    "aten.avg_pool2d": _pool("avg_pool2d"),
    "aten.max": _all_dims("amax"),
    "aten.min": _all_dims("amin"),
    "aten.max.dim": _renamed("max"),
    "aten.min.dim": _renamed("min"),
    "aten.max.other": _renamed("maximum"),
    "aten.min.other": _renamed("minimum"),
    "aten.view.dtype": lambda a: None,
    "aten.batch_norm": _without("batch_norm", training=False),
    "aten.scaled_dot_product_attention": _without("scaled_dot_product_attention", dropout_p=0.0),
    "aten.reshape": _renamed("reshape", shape="size"),
    "aten.swapaxes": _renamed("transpose", axis0="dim0", axis1="dim1"),
    "aten.hardtanh": _renamed("hardtanh", min_val="min", max_val="max"),
    "aten.repeat_interleave.self_int": _without("repeat_interleave", output_size=None),
}
"""Overloads whose arguments take another form than the row's; None: not bound (decomposed, or unsupported)."""
