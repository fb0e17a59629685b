"""What the definitions say about themselves: constraints of irdl fields, docstrings of fields, types of options."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from xdsl.dialects.builtin import ArrayOfConstraint
from xdsl.ir import Attribute, Data, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import (
    AllOf,
    AnyAttr,
    AnyOf,
    BaseAttr,
    EqAttrConstraint,
    ParamAttrConstraint,
    RangeLengthConstraint,
    RangeOf,
    VarConstraint,
)

from markup import ROOT


@cache
def field_docs(cls: type) -> dict[str, str]:
    """The strings that stand under the fields of a class and of those of its bases that are ours."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("sambaflow"):
            docs |= _own_field_docs(base)
    return docs


@cache
def _own_field_docs(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):  # a class made from a table has no source
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    docs: dict[str, str] = {}
    for field, text in pairwise(body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(doc))),
            ):
                docs[name] = inspect.cleandoc(doc)
            case _:
                pass
    return docs


def constraint_text(constraint: Any) -> str:
    """What an operand, a property or a parameter may be, in the words of the text form."""
    match constraint:
        case AnyAttr():
            return "any"
        case BaseAttr():
            return attribute_name(constraint.attr)
        case EqAttrConstraint():
            return str(constraint.attr)
        case AnyOf():
            return " or ".join(map(constraint_text, constraint.attr_constrs))
        case AllOf():
            return " and ".join(map(constraint_text, constraint.attr_constrs))
        case ParamAttrConstraint():
            fixed = [
                str(parameter.attr) for parameter in constraint.param_constrs if isinstance(parameter, EqAttrConstraint)
            ]
            return " ".join([attribute_name(constraint.base_attr), *fixed])
        case VarConstraint():
            return f"{constraint_text(constraint.constraint)}, the same for all {constraint.name.strip('_')}"
        case RangeLengthConstraint():
            return constraint_text(constraint.constraint)
        case RangeOf():
            return constraint_text(constraint.constr)
        case ArrayOfConstraint():
            return f"list of {constraint_text(constraint.elem_range_constraint)}"
        case _:
            return type(constraint).__name__.removesuffix("Constraint")


_SPELLED: dict[str, str] = {
    "DenseArrayBase": "list of integers",
    "IntAttr": "integer",
    "ArrayAttr": "list",
    "DenseIntOrFPElementsAttr": "dense elements",
    "SymbolRefAttr": "symbol",
    "AffineMapAttr": "affine map",
    "AffineSetAttr": "affine set",
    "UnitAttr": "flag",
}
"""Attributes of xDSL whose own names say less."""


_PYTHON: dict[str, str] = {
    "int": "integer",
    "int | None": "integer, optional",
    "Row": "list of integers",
    "tuple[int, ...]": "list of integers",
    "tuple[Row, ...]": "lists of integers",
}


def attribute_name(cls: type[Attribute]) -> str:
    """`tensor`, `#kernel.domain`, `!rdu.stream`."""
    name = _SPELLED.get(cls.__name__, cls.name)
    if "." not in name or name.startswith("builtin."):
        return name.removeprefix("builtin.")
    return f"{'!' if issubclass(cls, TypeAttribute) else '#'}{name}"


def parameters_of(cls: type[Attribute]) -> Iterator[tuple[str, str, str]]:
    """Name, constraint and docstring of the parameters of an attribute or type."""
    if issubclass(cls, ParametrizedAttribute):
        docs = field_docs(cls)
        for name, definition in cls.get_irdl_definition().parameters:
            yield name, constraint_text(definition.constr), docs.get(name, "")
    elif issubclass(cls, Data) and dataclasses.is_dataclass(held := data_class(cls)):
        docs = field_docs(held)
        for field in dataclasses.fields(held):
            kind = str(field.type)
            yield field.name, _PYTHON.get(kind, kind), docs.get(field.name, "")


def data_class(cls: type[Attribute]) -> type:
    """The class of the value that a Data attribute holds."""
    base = next(
        generic for generic in getattr(cls, "__orig_bases__", ()) if getattr(generic, "__origin__", None) is Data
    )
    return base.__args__[0]


def literal_keys(path: str) -> dict[str, dict[str, str]]:
    """The tables at the top of a source file with literal names: for files whose import is slow."""
    tables: dict[str, dict[str, str]] = {}
    for node in ast.parse((ROOT / path).read_text()).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys, values=values)):
                tables[name] = {
                    str(key.value): str(getattr(value, "value", ""))
                    for key, value in zip(keys, values, strict=True)
                    if isinstance(key, ast.Constant)
                }
            case _:
                pass
    return tables
