"""The JSON of a `.pt2` archive as PyTorch's dataclasses, with every type, name and expression checked.

PyTorch makes more of some texts than data: names become Python source, targets are looked up, symbolic expressions are
evaluated, tree structures import modules. So a text must be a plain name unless `_TEXTS` says what else it may be.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import keyword
import math
import operator
import re
import typing
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cache
from types import UnionType
from typing import Any

import torch
from torch._export.serde import schema
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils import _pytree as pytree

from sambaflow.frontends.archive_records import Unreadable

_Check = Callable[[str], bool]


def read_as(kind: Any, data: Any, where: str) -> Any:
    """Plain JSON data as `kind`, a dataclass of `torch._export.serde.schema`; unknown fields are left out.

    Raises Unreadable, with the path to the data behind `where`, for what does not fit.
    """
    return _value(kind, data, where, _is_name)


def _value(kind: Any, data: Any, where: str, is_allowed: _Check) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _value(arguments[0], data, where, is_allowed)
    if origin in (typing.Union, UnionType):
        return None if data is None else _value(arguments[0], data, where, is_allowed)
    if origin is list and isinstance(data, list):
        return [_value(arguments[0], item, f"{where}[{index}]", is_allowed) for index, item in enumerate(data)]
    if origin is dict and isinstance(data, dict):
        for name in data:
            _text(name, f"{where}: name", is_allowed)
        return {name: _value(arguments[1], item, f"{where}[{name!r}]", is_allowed) for name, item in data.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(data, dict):
        return _dataclass(kind, data, where)
    if kind is str and isinstance(data, str):
        return _text(data, where, is_allowed)
    return _number(kind, data, where)


def _dataclass(kind: Any, data: Mapping[str, Any], where: str) -> Any:
    """One of a union's fields, or all fields of a structure."""
    hints = _hints(kind)
    if hasattr(kind, "create"):
        if len(data) != 1 or next(iter(data)) not in hints:
            raise Unreadable(f"{where} is none of what a {kind.__name__} can be")
        ((name, chosen),) = data.items()
        return kind.create(**{name: _field(kind, name, hints[name], chosen, f"{where}.{name}")})
    fields = {
        name: _field(kind, name, hint, data[name], f"{where}.{name}") for name, hint in hints.items() if name in data
    }
    for field in dataclasses.fields(kind):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in fields:
            raise Unreadable(f"{where} has no {field.name!r}")
    return kind(**fields)


def _field(kind: Any, name: str, hint: Any, data: Any, where: str) -> Any:
    return _value(hint, data, where, _TEXTS.get((kind.__name__, name), _is_name))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, globalns=dict(vars(schema)))


_NON_FINITE = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def _number(kind: Any, data: Any, where: str) -> Any:
    """A number, flag or enumerated value; integers are those of 64 bits."""
    if kind is bool and isinstance(data, bool):
        return data
    if kind is float and not isinstance(data, bool):
        if isinstance(data, int | float):
            return float(data)
        if isinstance(data, str) and data in _NON_FINITE:
            return _NON_FINITE[data]
    if kind is int and type(data) is int and -(1 << 63) <= data < 1 << 63:
        return data
    if isinstance(kind, type) and issubclass(kind, IntEnum) and type(data) is int and data in kind.__members__.values():
        return kind(data)
    name = getattr(kind, "__name__", str(kind))
    raise Unreadable(f"{where} is no {name}: {_short(data)}")


def _text(data: str, where: str, is_allowed: _Check) -> str:
    if not is_allowed(data):
        raise Unreadable(f"{where} is not allowed: {_short(data)}", _levers_for(is_allowed))
    return data


def _levers_for(is_allowed: _Check) -> tuple[str, ...]:
    """What can be done about a text that is none of what it may be."""
    return _LEVERS.get(is_allowed, ())


def _short(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_name(text: str) -> bool:
    """A Python identifier: such names are written into source that PyTorch compiles."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) is not None and not keyword.iskeyword(text)


def _is_argument_name(text: str) -> bool:
    """The name of an operator's argument, empty where there is no schema; `from` is one of `aten.random_.from`."""
    return text == "" or text.isidentifier()


def _is_any(text: str) -> bool:
    return True


_SYMBOLIC_FUNCTIONS = "sym_int sym_float sym_not sym_ite sym_max sym_min _sym_sqrt"
_PYTHON_OPERATORS = (
    "eq ne le ge lt gt neg pos mul add sub floordiv mod pow truediv and_ or_ lshift rshift getitem"  # of _SYM_OPS
)
_PLAIN_FUNCTIONS: dict[str, Any] = {
    **{f"torch.{name}": getattr(torch, name) for name in _SYMBOLIC_FUNCTIONS.split()},
    **{f"_operator.{name}": getattr(operator, name) for name in _PYTHON_OPERATORS.split()},
    "math.trunc": math.trunc,
}
"""Functions on numbers that an exported graph may call, by the names that PyTorch writes (`_SYM_OPS`)."""

_LIBRARIES = frozenset({"aten", "prims", "torch_nn"})
"""Libraries of operators that are PyTorch's own, on tensors, and of no effect but their results."""


@cache
def _is_operator(text: str) -> bool:
    """An operator that only computes: on numbers, or on tensors as PyTorch's dispatcher knows it; or a region.

    TorchScript has more under `torch.ops.aten`, such as `save`, which writes files; `from_file` maps one.
    """
    if text in _PLAIN_FUNCTIONS:
        return True
    parts = text.split(".")
    if parts[:2] != ["torch", "ops"] or not all(re.fullmatch(r"[a-z_]\w*", part, re.A | re.I) for part in parts):
        return False
    if any(part.startswith("__") and not part.startswith("__i") and not _is_logic(part) for part in parts):
        return False
    if parts[2:3] == ["higher_order"] and len(parts) == 4:
        return isinstance(getattr(torch.ops.higher_order, parts[3], None), HigherOrderOperator)
    if len(parts) != 5 or parts[2] not in _LIBRARIES:
        return False
    packet = getattr(getattr(torch.ops, parts[2]), parts[3], None)
    target = getattr(packet, parts[4], None)
    return isinstance(target, OpOverload) and _only_computes(target)


def _is_logic(part: str) -> bool:
    """`__and__`, `__or__` and the like are operators of ATen; other names with two underscores belong to Python."""
    return part in ("__and__", "__or__", "__xor__", "__lshift__", "__rshift__")


def _only_computes(target: OpOverload[..., Any]) -> bool:
    dispatcher: Any = torch._C  # pyright: ignore[reportPrivateUsage]
    takes_file = any(argument.name == "filename" for argument in target._schema.arguments)  # pyright: ignore[reportPrivateUsage]
    return bool(dispatcher._dispatch_has_kernel(target.name())) and not takes_file


_EXPRESSIONS = (
    "Integer Float Symbol Add Mul Mod Max Min Eq Ne Equality Unequality StrictLessThan StrictGreaterThan LessThan "
    "GreaterThan Lt Le Gt Ge And Or Not FloorDiv ModularIndexing Where PythonMod CleanDiv CeilToInt FloorToInt CeilDiv "
    "IntTrueDiv FloatTrueDiv TruncToFloat TruncToInt RoundToInt ToFloat Identity"
)
"""Functions of symbolic expressions as `sympy.srepr` writes them; none that makes a small text a large number (Pow)."""

_EXPRESSION_LENGTH = 2000
_EXPRESSION_LITERALS = (int, float, bool, str)


def _is_expression(text: str) -> bool:
    """`Add(Symbol('s0', integer=True), Integer(1))`: calls of known functions on such calls, names and numbers."""
    try:
        tree = ast.parse(text, mode="eval") if len(text) <= _EXPRESSION_LENGTH else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return tree is not None and _is_term(tree.body)


def _is_term(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return isinstance(node.operand, ast.Constant) and _is_literal(node.operand.value)
    if isinstance(node, ast.Constant):
        return _is_literal(node.value)
    if isinstance(node, ast.Name):
        return node.id in ("true", "false")
    if (
        not isinstance(node, ast.Call)
        or not isinstance(node.func, ast.Name)
        or node.func.id not in _EXPRESSIONS.split()
    ):
        return False
    keywords_are_flags = all(keyword.arg and isinstance(keyword.value, ast.Constant) for keyword in node.keywords)
    return keywords_are_flags and all(
        _is_term(part) for part in (*node.args, *(keyword.value for keyword in node.keywords))
    )


def _is_literal(value: Any) -> bool:
    """A number of 64 bits, a flag, or the text of a symbol's name or a number."""
    if isinstance(value, str):
        return re.fullmatch(r"[A-Za-z_]\w*|-?\d{1,20}(\.\d{0,20})?(e-?\d{1,3})?", value, re.A) is not None
    return isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 64)


_FACTORIES = frozenset({"list", "dict", "set", "tuple", "int", "float", "bool", "str"})


def _is_structure(text: str) -> bool:
    """What `treespec_dumps` writes of tuples, lists, dicts and classes that are registered here."""
    try:
        protocol, tree = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return False
    return protocol == schema.TREESPEC_VERSION and _is_tree(tree)


def _is_tree(tree: Any) -> bool:
    if not isinstance(tree, dict) or tree.keys() != {"type", "context", "children_spec"}:
        return False
    kind, context, children = tree["type"], tree["context"], tree["children_spec"]
    if not isinstance(children, list) or not all(_is_tree(child) for child in children):
        return False
    if kind is None:
        return context is None and not children
    if not isinstance(kind, str) or kind not in pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE:
        return False
    if kind == "collections.defaultdict":
        is_known = isinstance(context, dict) and context.get("default_factory_name") in _FACTORIES
        return is_known and context.get("default_factory_module") == "builtins" and _is_plain(context)
    if isinstance(context, str):
        try:
            return _is_plain(json.loads(context))
        except (ValueError, RecursionError):
            return context in pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE  # of a named tuple: its class
    return _is_plain(context)


def _is_plain(data: Any) -> bool:
    """JSON that PyTorch reads as data: `{"__enum__": ...}` would import a module."""
    if isinstance(data, dict):
        return "__enum__" not in data and all(_is_plain(item) for item in data.values())
    return not isinstance(data, list) or all(_is_plain(item) for item in data)


_TEXTS: dict[tuple[str, str], _Check] = {
    ("Node", "target"): _is_operator,
    ("Argument", "as_operator"): _is_operator,
    ("SymExpr", "expr_str"): _is_expression,
    ("ModuleCallSignature", "in_spec"): _is_structure,
    ("ModuleCallSignature", "out_spec"): _is_structure,
    ("NamedArgument", "name"): _is_argument_name,
    ("InputToConstantInputSpec", "name"): _is_any,
    ("Argument", "as_string"): _is_any,
    ("Argument", "as_strings"): _is_any,
    ("Argument", "as_string_to_argument"): _is_any,
    ("ConstantValue", "as_string"): _is_any,
    ("Device", "type"): _is_any,
    ("Node", "metadata"): _is_any,
    ("GraphModule", "metadata"): _is_any,
    ("GraphModule", "treespec_namedtuple_fields"): _is_any,
    ("NamedTupleDef", "field_names"): _is_any,
    ("InputToParameterSpec", "parameter_name"): _is_any,
    ("InputToBufferSpec", "buffer_name"): _is_any,
    ("InputToTensorConstantSpec", "tensor_constant_name"): _is_any,
    ("InputToCustomObjSpec", "custom_obj_name"): _is_any,
    ("BufferMutationSpec", "buffer_name"): _is_any,
    ("ParameterMutationSpec", "parameter_name"): _is_any,
    ("GradientToParameterSpec", "parameter_name"): _is_any,
    ("CustomObjArgument", "class_fqn"): _is_any,
    ("ModuleCallEntry", "fqn"): _is_any,
    ("ExportedProgram", "opset_version"): _is_any,
    ("ExportedProgram", "verifiers"): _is_any,
    ("ExportedProgram", "torch_version"): _is_any,
    ("ExportedProgram", "guards_code"): _is_any,
    ("PayloadConfig", "config"): _is_any,
    ("PayloadMeta", "path_name"): _is_any,
}
"""What the texts of a field may be where they are no plain names; of a mapping, its names too."""

_LEVERS: dict[_Check, tuple[str, ...]] = {
    _is_operator: ("use operators of PyTorch alone (torch.ops.aten): those of other libraries run their own code",),
    _is_expression: ("export without dynamic_shapes: one graph per shape",),
    _is_structure: ("give and return tuples, lists and dicts, or import what registers the class first",),
}
