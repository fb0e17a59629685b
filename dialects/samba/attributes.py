"""Attributes of samba operators: how Python values become xDSL attributes, and the sharding attribute.

A row of the table gives each attribute a kind; the kind decides the stored form, the Python value that rules and
reference functions see, and what the text form accepts:

    kind     Python          stored                   text
    int      int             IntegerAttr i64          dim = -1
    float    float           FloatAttr f64            eps = 1.0e-05
    bool     bool            IntegerAttr i1           keepdim = true
    str      str             StringAttr               approximate = "tanh"
    ints     tuple of int    DenseArrayBase i64       size = [2, 8]
    dtype    element type    the type                 dtype = f32
    scalar   bool/int/float  i1, i64 or f64           other = 2
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, FloatAttr, IntAttr, IntegerAttr, StringAttr, f64, i1, i64
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException


@dataclass(frozen=True)
class Kind:
    """One kind of attribute: `encode` takes a Python value, `decode` a stored attribute or a parsed one.

    `accepts` says whether a Python value is of the kind: a string is no list of integers, 0.5 and True are no integers.
    """

    name: str
    encode: Callable[[Any], Attribute]
    decode: Callable[[Attribute], Any]
    accepts: Callable[[Any], bool]


@lru_cache(maxsize=4096)
def _int(value: int) -> Attribute:
    return IntegerAttr(value, i64)


@lru_cache(maxsize=4096)
def _float_of_hex(text: str) -> Attribute:
    return FloatAttr(float.fromhex(text), f64)


def _float(value: float) -> Attribute:
    # keyed by text: 0.0 and -0.0 are equal as numbers
    return _float_of_hex(float(value).hex())


@lru_cache(maxsize=4096)
def _ints(values: tuple[int, ...]) -> Attribute:
    return DenseArrayBase.from_list(i64, values)


_FALSE, _TRUE = IntegerAttr(0, i1), IntegerAttr(1, i1)


def _scalar(value: bool | int | float) -> Attribute:
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    return _int(value) if isinstance(value, int) else _float(value)


def _decode_int(attribute: Attribute) -> int:
    if isinstance(attribute, IntegerAttr) and attribute.type == i64:
        return attribute.value.data
    raise VerifyException(f"must be an i64, got {attribute}")


def _decode_float(attribute: Attribute) -> float:
    if isinstance(attribute, FloatAttr) and attribute.type == f64:
        return attribute.value.data
    raise VerifyException(f"must be an f64, got {attribute}")


def _decode_bool(attribute: Attribute) -> bool:
    if isinstance(attribute, IntegerAttr) and attribute.type == i1:
        return bool(attribute.value.data)
    raise VerifyException(f"must be true or false, got {attribute}")


def _decode_str(attribute: Attribute) -> str:
    if isinstance(attribute, StringAttr):
        return attribute.data
    raise VerifyException(f"must be a string, got {attribute}")


def _decode_ints(attribute: Attribute) -> tuple[int, ...]:
    if isinstance(attribute, DenseArrayBase) and attribute.elt_type == i64:
        return attribute.get_values()
    if isinstance(attribute, ArrayAttr):
        return tuple(_decode_int(element) for element in attribute.data)
    raise VerifyException(f"must be a list of integers, got {attribute}")


def _decode_type(attribute: Attribute) -> Attribute:
    if isinstance(attribute, TypeAttribute):
        return attribute
    raise VerifyException(f"must be an element type, got {attribute}")


def _decode_scalar(attribute: Attribute) -> bool | int | float:
    if isinstance(attribute, IntegerAttr):
        return _decode_bool(attribute) if attribute.type == i1 else _decode_int(attribute)
    return _decode_float(attribute)


def _is_int(value: Any) -> bool:
    return type(value) is int and -(1 << 63) <= value < 1 << 63


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | float) or _is_int(value)


def _are_ints(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_int, cast(Sequence[Any], value)))


INT = Kind("int", _int, _decode_int, _is_int)
FLOAT = Kind("float", _float, _decode_float, lambda value: isinstance(value, float) or _is_int(value))
BOOL = Kind("bool", _scalar, _decode_bool, lambda value: isinstance(value, bool))
STR = Kind("str", StringAttr, _decode_str, lambda value: isinstance(value, str))
INTS = Kind("ints", lambda values: _ints(tuple(values)), _decode_ints, _are_ints)
DTYPE = Kind("dtype", lambda dtype: dtype, _decode_type, lambda value: isinstance(value, TypeAttribute))
SCALAR = Kind("scalar", _scalar, _decode_scalar, _is_number)


def print_value(printer: Printer, attribute: Attribute) -> None:
    """An attribute of a row in its short form: `-1`, `1.0e-05`, `[2, 8]`; others as xDSL prints them."""
    match attribute:
        case IntegerAttr() if attribute.type == i64:
            printer.print_int(attribute.value.data)
        case FloatAttr() if attribute.type == f64 and "0x" not in (text := float_text(attribute.value.data)):
            printer.print_string(text)
        case DenseArrayBase() if attribute.elt_type == i64:
            printer.print_string(str(list(_decode_ints(attribute))))
        case _:
            printer.print_attribute(attribute)


def float_text(value: float) -> str:
    """The shortest text that MLIR's lexer reads back as the same double; `0x...` for infinities and NaN."""
    text = repr(value)
    if text.strip("-") in ("inf", "nan"):
        return "0x"
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent}" if exponent else mantissa


@irdl_attr_definition
class ShardAttr(ParametrizedAttribute):
    """How a tensor lies on the chips: dimension `dim`, viewed as [outer, chips, inner], holds [:, c, :] on chip c.

    `outer` above 1 shards the parts of a fused weight (gate and up projections in one matrix) each by itself. Over 1
    chip the tensor is whole on every chip, as without the attribute; written by a user it is to stay so.

    Example:

    ```mlir
    #samba.shard<1, 1, 8>
    ```
    """

    name = "samba.shard"

    dim: IntAttr
    """The dimension that chips divide."""
    outer: IntAttr
    """Parts that are divided each by itself."""
    chips: IntAttr
    """How many chips."""

    @staticmethod
    def get(dim: int, outer: int, chips: int) -> ShardAttr:
        return ShardAttr(IntAttr(dim), IntAttr(outer), IntAttr(chips))

    @property
    def is_whole(self) -> bool:
        """Whether every chip has all of the tensor."""
        return self.chips.data == 1

    def verify(self) -> None:
        if self.dim.data < 0 or self.outer.data < 1 or self.chips.data < 1:
            raise VerifyException(f"needs dim >= 0, outer >= 1, chips >= 1, got {self.values}")

    @property
    def values(self) -> tuple[int, int, int]:
        """(dim, outer, chips)."""
        return (self.dim.data, self.outer.data, self.chips.data)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> list[Attribute]:
        position = parser.pos
        with parser.in_angle_brackets():
            numbers = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_integer)
        if len(numbers) != 3:
            parser.raise_error("expected #samba.shard<dim, outer, chips>", position)
        return [IntAttr(number) for number in numbers]

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(", ".join(map(str, self.values)))
