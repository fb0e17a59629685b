"""Element types of the rdu level: the table of `machine.opcodes`, and "token" for streams that carry no elements."""

from __future__ import annotations

from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type, Float64Type, IntegerType, Signedness
from xdsl.ir import Attribute

from sambaflow.machine.opcodes import DTYPES as ROWS

TOKEN = "token"
"""The element type of a stream that only says "done"."""

DTYPE_BYTES: dict[str, int] = {TOKEN: 0} | {row.name: row.bytes for row in ROWS.values()}
"""Bytes of one element in memory."""

DTYPE_NUMBERS: dict[str, int] = {row.name: row.number for row in ROWS.values()} | {TOKEN: 255}
"""Codes in instruction words and descriptors."""

DTYPE_NAMES: dict[int, str] = {number: name for name, number in DTYPE_NUMBERS.items()}

_TYPES: dict[str, Attribute] = {
    "i1": IntegerType(1),
    "i8": IntegerType(8),
    "u8": IntegerType(8, Signedness.UNSIGNED),
    "i16": IntegerType(16),
    "i32": IntegerType(32),
    "i64": IntegerType(64),
    "bf16": BFloat16Type(),
    "f16": Float16Type(),
    "f32": Float32Type(),
    "f64": Float64Type(),
}
_NAMES: dict[Attribute, str] = {type_: name for name, type_ in _TYPES.items()}


def dtype_name(element: Attribute) -> str | None:
    """The name of an element type, None for a type that no unit handles."""
    return _NAMES.get(element)


def dtype_type(name: str) -> Attribute:
    """The builtin type of an element type's name; KeyError for an unknown one."""
    return _TYPES[name]
