"""Attributes that samba functions carry on arguments and results, and the check of their rules.

func.func @graph(%w: T {samba.role = "param", samba.name = "fc.weight", samba.shard = #samba.shard<0, 1, 2>},
                 %c: T {samba.role = "state", samba.name = "key_cache_0"})
        -> (T {samba.name = "key_cache_0", samba.tied = 1 : i64})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, StringAttr, TensorType, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.samba.attributes import ShardAttr
from sambaflow.dialects.samba.ops import shaped_of

ROLES = ("input", "param", "buffer", "state")
"""Roles of a function's arguments; `input` if none is given."""

PARTITIONED = "samba.partitioned"
"""On a module whose types are local to a chip."""

METADATA = "__metadata__"
"""What safetensors, the files of tensors by name, keep for something else."""


def argument_attributes(function: FuncOp) -> list[Mapping[str, Attribute]]:
    """The attributes of each argument (empty where there are none)."""
    return _dictionaries(function.arg_attrs, len(function.function_type.inputs.data))


def result_attributes(function: FuncOp) -> list[Mapping[str, Attribute]]:
    """The attributes of each result (empty where there are none)."""
    return _dictionaries(function.res_attrs, len(function.function_type.outputs.data))


def attribute_array(entries: Sequence[DictionaryAttr]) -> ArrayAttr[DictionaryAttr] | None:
    """The attributes of all arguments or results; None when there are none, as they are read back from text."""
    return ArrayAttr(entries) if any(entry.data for entry in entries) else None


def _dictionaries(attributes: ArrayAttr[DictionaryAttr] | None, count: int) -> list[Mapping[str, Attribute]]:
    if attributes is None:
        return [{} for _ in range(count)]
    return [entry.data for entry in attributes.data]


def verify_conventions(module: Operation) -> None:
    """Checks the samba attributes of all functions in `module`; VerifyException names function and argument."""
    for op in module.walk():
        if isinstance(op, FuncOp):
            _verify_function(op)


def _verify_function(function: FuncOp) -> None:
    types = function.function_type
    try:
        for kind, entries, length in (
            ("argument", function.arg_attrs, len(types.inputs)),
            ("result", function.res_attrs, len(types.outputs)),
        ):
            _verify_entries(function, kind, entries, length)
        for value_type in (*types.inputs.data, *types.outputs.data):
            if isinstance(value_type, TensorType) and value_type.has_static_shape():
                shaped_of(value_type)
        arguments, results = argument_attributes(function), result_attributes(function)
        _verify_values("argument", arguments, types.inputs.data)
        _verify_values("result", results, types.outputs.data)
        _verify_ties(results, types.inputs.data, types.outputs.data)
    except VerifyException as error:
        raise VerifyException(f"function @{function.sym_name.data}: {error}") from None


def _verify_entries(function: FuncOp, kind: str, entries: ArrayAttr[DictionaryAttr] | None, count: int) -> None:
    if entries is None:
        return
    if len(entries) != count:
        raise VerifyException(f"has {count} {kind}s and attributes for {len(entries)}")
    if function.is_declaration and any(entry.data for entry in entries):
        raise VerifyException(f"is a declaration: its text has no place for attributes of {kind}s")


def _verify_values(kind: str, attributes: Sequence[Mapping[str, Attribute]], types: Sequence[Attribute]) -> None:
    names: dict[str, int] = {}
    for i, (entry, value_type) in enumerate(zip(attributes, types, strict=True)):
        _verify_role(f"{kind} {i}", entry)
        if (shard := entry.get("samba.shard")) is not None:
            _verify_shard(f"{kind} {i}", shard, value_type)
        name = entry.get("samba.name")
        if name is not None and not isinstance(name, StringAttr):
            raise VerifyException(f"{kind} {i}: samba.name must be a string, got {name}")
        if name is not None and (reason := unfit(name.data)):
            raise VerifyException(f"{kind} {i}: the samba.name {name} {reason}")
        if name is not None and kind == "argument":
            if name.data in names:
                raise VerifyException(f'arguments {names[name.data]} and {i} have the same name "{name.data}"')
            names[name.data] = i


def unfit(name: str) -> str:
    """Why no file can hold a tensor of a name; nothing if one can."""
    if "\0" in name:
        return "holds a zero byte, which no PEF can store"
    return "is kept for metadata in safetensors files" if name == METADATA else ""


def _verify_role(place: str, entry: Mapping[str, Attribute]) -> None:
    role = entry.get("samba.role")
    if role is None:
        return
    if not isinstance(role, StringAttr) or role.data not in ROLES:
        raise VerifyException(f"{place}: samba.role must be one of {', '.join(ROLES)}, got {role}")


def shard_of(entry: Mapping[str, Attribute]) -> ShardAttr | None:
    """How an argument or result with these attributes is split over the chips; None: every chip has all of it."""
    shard = entry.get("samba.shard")
    return shard if isinstance(shard, ShardAttr) and not shard.is_whole else None


def _verify_shard(place: str, shard: Attribute, value_type: Attribute) -> None:
    if not isinstance(shard, ShardAttr):
        raise VerifyException(f"{place}: samba.shard must be a #samba.shard, got {shard}")
    if not shard.is_whole and shard.dim.data >= len(shaped_of(value_type).shape):
        raise VerifyException(f"{place}: {shard} names a dimension that {value_type} has not")


def _verify_ties(
    results: Sequence[Mapping[str, Attribute]], inputs: Sequence[Attribute], outputs: Sequence[Attribute]
) -> None:
    seen: dict[int, int] = {}
    for i, entry in enumerate(results):
        tied = entry.get("samba.tied")
        if tied is None:
            continue
        if not isinstance(tied, IntegerAttr) or tied.type != i64 or not 0 <= tied.value.data < len(inputs):
            raise VerifyException(f"result {i}: samba.tied must be the number of an argument as i64, got {tied}")
        if inputs[tied.value.data] != outputs[i]:
            raise VerifyException(f"result {i} is {outputs[i]}, tied to an argument of {inputs[tied.value.data]}")
        if tied.value.data in seen:
            raise VerifyException(f"results {seen[tied.value.data]} and {i} are tied to the same argument")
        seen[tied.value.data] = i
