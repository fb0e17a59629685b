"""The options of a pass: fields of its class, with their types, defaults and what the string below each says.

The text of an option is a list of words; `typed` makes a value of the field's type of it.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from textwrap import dedent
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from xdsl.passes import ModulePass

REQUIRED = dataclasses.MISSING


class Quoted(str):
    """A word that stood in quotes: text as it is, never the keyword `none`."""

    __slots__ = ()


@dataclass(frozen=True)
class Option:
    """One option: its name in a pipeline, the type of its field, its default (REQUIRED: none) and its pass."""

    name: str
    type: Any
    default: Any
    pass_class: type[ModulePass]

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def summary(self) -> str:
        """What it means; read from the source, which takes as long as a small pass."""
        return _summaries(self.pass_class).get(self.field, "")

    @property
    def type_text(self) -> str:
        """The type as people write it: `int | none`, `o0 | o1 | o3`, `list of str`."""
        return _type_text(self.type)


def options_of(pass_class: type[ModulePass]) -> tuple[Option, ...]:
    """The options of a pass, in the order of its fields."""
    hints = get_type_hints(pass_class)
    return tuple(
        Option(field.name.replace("_", "-"), hints[field.name], _default(field), pass_class)
        for field in dataclasses.fields(pass_class)
        if field.init and field.name != "name"
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


@lru_cache
def _summaries(pass_class: type) -> Mapping[str, str]:
    """The string that stands below each field in the source; empty where there is no source."""
    summaries: dict[str, str] = {}
    for base in reversed(pass_class.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            body = ast.parse(dedent(inspect.getsource(base))).body[0]
        except (OSError, TypeError):
            continue
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for field, after in pairwise(statements):
            match field, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                    summaries[name] = " ".join(text.split())
                case _:
                    pass
    return summaries


def _type_text(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " | ".join(_type_text(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {_type_text(arguments[0])}"
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " | ".join(str(member.value) for member in hint)
    return "none" if hint is NoneType else getattr(hint, "__name__", str(hint))


def typed(words: Sequence[str], hint: Any) -> Any:
    """The words of an option as a value of the type `hint`; ValueError says what was expected."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        kinds = [kind for kind in arguments if kind is not NoneType]
        if NoneType in arguments and tuple(words) in ((), ("none",)) and not any(isinstance(w, Quoted) for w in words):
            return None
        return _first_that_fits(words, kinds)
    if origin is tuple:
        return tuple(typed((word,), arguments[0]) for word in words)
    if hint is bool and not words:
        return True
    if len(words) != 1:
        raise ValueError(f"expected one value, got {len(words)}")
    return _scalar(words[0], hint)


def _first_that_fits(words: Sequence[str], kinds: Sequence[Any]) -> Any:
    problems: list[ValueError] = []
    for kind in kinds:
        try:
            return typed(words, kind)
        except ValueError as error:
            problems.append(error)
    raise ValueError(" or ".join(map(str, problems))) from problems[-1]


def _scalar(word: str, hint: Any) -> Any:
    if hint is bool:
        return _one_of(word, {"true": True, "false": False}, "true or false")
    if hint is int:
        return _integer(word)
    if hint is float:
        try:
            return float(word)
        except ValueError:
            raise ValueError(f"expected a number, got '{word}'") from None
    if get_origin(hint) is Literal:
        return _one_of(word, {str(choice): choice for choice in get_args(hint)})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _one_of(word, {str(member.value): member for member in hint})
    return str(word)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_UNESCAPED = {escape[1]: char for char, escape in _ESCAPES.items()}


def quoted(text: str) -> str:
    """`text` in the quotes of a pipeline, on one line: `"my \\"best\\" chip.yaml"`."""
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def unquoted(text: str) -> Quoted:
    """What stands between quotes, its escapes resolved; a backslash before any other character stays."""
    return Quoted(re.sub(r"\\(.)", lambda match: _UNESCAPED.get(match[1], match[0]), text))


def _one_of(word: str, values: Mapping[str, Any], expected: str = "") -> Any:
    if word not in values:
        raise ValueError(f"expected {expected or 'one of ' + ', '.join(values)}, got '{word}'")
    return values[word]


def _integer(word: str) -> int:
    """An integer, also as `1e6` or `0x40`."""
    try:
        return int(word, 0)
    except ValueError:
        pass
    try:
        number = float(word)
        if number.is_integer():
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"expected an integer, got '{word}'")
