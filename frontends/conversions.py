"""Which samba operator an ATen overload becomes, with which operands and attributes.

Names agree by design (a row of `dialects/samba/table.py` is called and takes what ATen's operator is called and
takes), so `bind` is one rule: arguments of the schema go to the operands and attributes of the same name. Overloads
whose arguments differ in form stand in `_ADAPTERS`, overloads whose name alone differs in `_ALIASES`. An argument
that the row does not have must be at its default or in `_WITHOUT_EFFECT`, else the operator is not bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from xdsl.dialects.builtin import bf16, f16, f32, f64, i1, i8, i32, i64
from xdsl.ir import Attribute

from sambaflow.dialects.samba.table import OPERATORS, REQUIRED, Row
from sambaflow.frontends.calls import Call, Value, signature

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
    """The samba operator for `call`, or None when there is no direct conversion."""
    arguments = call.arguments()
    name = signature(call.target).base
    if not call.name.startswith("aten."):
        return None
    adapter = _ADAPTERS.get(call.name) or _ADAPTERS.get(f"aten.{name}")
    if adapter is not None:
        adapted = adapter(arguments)
        if adapted is None:
            return None
        name, arguments = adapted
    row = OPERATORS.get(_ALIASES.get(name, name))
    if row is None:
        return None
    taken = {attribute.name for attribute in row.attributes} | {operand.rstrip("?*") for operand in row.operands}
    defaults = signature(call.target).defaults
    for argument, value in arguments.items():
        if (
            argument not in taken
            and argument not in _WITHOUT_EFFECT
            and not _same(value, defaults.get(argument, REQUIRED))
        ):
            return None
    operands = _operands(row, arguments)
    attributes = _attributes(row, arguments)
    return None if operands is None or attributes is None else Bound(row, operands, attributes)


def _operands(row: Row, arguments: Arguments) -> tuple[Value, ...] | None:
    """Values for the row's operands; a number where only a tensor is taken becomes a rank-0 constant."""
    found: list[Value] = []
    attributes = {attribute.name for attribute in row.attributes}
    ended = False
    for operand in row.operands:
        name = operand.rstrip("?*")
        value: Any = arguments.get(name)
        if operand.endswith("*"):
            found += value
        elif value is None or (name in attributes and not isinstance(value, Value)):
            if not operand.endswith("?"):
                return None
            ended = True
        elif ended:  # an optional operand after one that is absent has no text form
            return None
        else:
            found.append(value if isinstance(value, Value) else Value((), torch.float32, constant=torch.tensor(value)))
    return tuple(found)


def _attributes(row: Row, arguments: Arguments) -> dict[str, Any] | None:
    """Attributes that differ from the row's defaults, by name."""
    found: dict[str, Any] = {}
    for attribute in row.attributes:
        value: Any = arguments.get(attribute.name, attribute.default)
        if isinstance(value, Value):  # given as an operand
            continue
        if value is REQUIRED:
            return None
        if isinstance(value, torch.dtype):
            if value not in DTYPES:
                return None
            found[attribute.name] = DTYPES[value]
            continue
        if attribute.kind.name == "ints" and value is not None:
            value = (value,) if isinstance(value, int) else tuple(value)
        if attribute.kind.name == "float" and value is not None:
            value = float(value)
        if attribute.default is REQUIRED or not _same(value, attribute.default):
            found[attribute.name] = value
    return found


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return list(left) == list(right)
    return left is right or (type(left) is type(right) and left == right)


_WITHOUT_EFFECT = frozenset(
    {
        "device", "layout", "pin_memory", "non_blocking", "copy", "memory_format", "implicit",  # placement
        "padding_idx", "scale_grad_by_freq", "sparse", "momentum", "cudnn_enabled", "cudnn_enable",  # training
        "sorted", "check", "half_to_float", "indexing",
    }
)  # fmt: skip
"""Arguments that change no value in inference."""

_ALIASES: Mapping[str, str] = {
    "__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor", "_softmax": "softmax",
    "_log_softmax": "log_softmax", "split_with_sizes": "split", "_unsafe_view": "view", "_to_copy": "to",
    "concat": "cat", "concatenate": "cat", "slice_copy": "slice", "true_divide": "div", "divide": "div",
    "multiply": "mul", "subtract": "sub", "negative": "neg", "special_expm1": "expm1", "special_erf": "erf",
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
    kept = {key: value for key, value in a.items() if key != "unsafe"}
    name = "index_put" if "values" in a else "index"
    return name, {**kept, "indices": list(indices.values()), "dims": tuple(indices)}


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


def _reversed_power(a: Arguments) -> tuple[str, Arguments]:
    return "pow", {**a, "self": _number_as(a["self"], a["exponent"])}


def _number_as(number: Any, other: Value) -> Value:
    return Value((), other.dtype, constant=torch.tensor(number, dtype=other.dtype))


def _where(a: Arguments) -> tuple[str, Arguments]:
    sides = {key: a[key] for key in ("self", "other")}
    tensor = next((side for side in sides.values() if isinstance(side, Value)), None)
    for key, side in sides.items():
        if not isinstance(side, Value):
            dtype = tensor.dtype if tensor is not None else torch.tensor(side).dtype
            sides[key] = Value((), dtype, constant=torch.tensor(side, dtype=dtype))
    return "where", {"condition": a["condition"], **sides}


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
    "aten.pow.Scalar": _reversed_power,
    "aten.where.self": _where,
    "aten.where.ScalarSelf": _where,
    "aten.where.ScalarOther": _where,
    "aten.where.Scalar": _where,
    "aten.swapaxes": _renamed("transpose", axis0="dim0", axis1="dim1"),
    "aten.hardtanh": _renamed("hardtanh", min_val="min", max_val="max"),
    "aten.repeat_interleave.self_int": _without("repeat_interleave", output_size=None),
}
"""Overloads whose arguments take another form than the row's; None: not bound (decomposed, or unsupported)."""
