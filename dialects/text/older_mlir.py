"""The text of MLIR before it had properties, as `--print-op-generic --print-no-properties` writes it: that of LLVM 15.

    dense arrays     array<i64: 1, 2>                       [:i64 1, 2]
    names            arith.maximumf                         arith.maxf
    segments         operandSegmentSizes = array<i32: 1>    operand_segment_sizes = dense<1> : vector<1xi32>
    flags of none    {fastmath = #arith.fastmath<none>}     left out: the dialects of LLVM 15 do not know them

Later releases of MLIR read the generic form with properties. samba-opt reads both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from xdsl.dialects.builtin import (
    AnyFloat,
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerType,
    VectorType,
    i32,
)
from xdsl.ir import Attribute, Operation

from sambaflow.dialects.text.fast_parsing import FastParser
from sambaflow.dialects.text.printing import FastPrinter

OLDER_OPS: Mapping[str, str] = {"arith.maximumf": "arith.maxf", "arith.minimumf": "arith.minf"}
OLDER_SIZES: Mapping[str, str] = {
    "operandSegmentSizes": "operand_segment_sizes",
    "resultSegmentSizes": "result_segment_sizes",
}
NEWER_OPS = {older: newer for newer, older in OLDER_OPS.items()}
NEWER_SIZES = {older: newer for newer, older in OLDER_SIZES.items()}
NEWER_FLAGS = ("arith.fastmath", "arith.overflow")

NumberT = TypeVar("NumberT", int, float)

_DENSE_ARRAY = re.compile(r"\[\s*:")


def _older_sizes(name: str, value: Attribute) -> Attribute:
    """The sizes of an op's segments of operands or results as the vector that they were; any other attribute itself."""
    if name not in OLDER_SIZES or not isinstance(value, DenseArrayBase):
        return value
    sizes = [int(size) for size in value.get_values()]
    return DenseIntOrFPElementsAttr.from_list(VectorType(i32, [len(sizes)]), sizes)


class OlderPrinter(FastPrinter):
    """Prints generic ops as LLVM 15 does."""

    def __init__(self, *, locations: bool = False) -> None:
        super().__init__(generic=True, properties_as_attributes=True, locations=locations)
        self._name: str | None = None
        """The op whose name comes next, if it has an older one."""

    def print_op(self, op: Operation) -> None:
        self._name = op.name if op.name in OLDER_OPS else None
        super().print_op(op)

    def print_string(self, text: str, *, indent: int | None = None) -> None:
        if self._name is not None and text == f'"{self._name}"':
            text, self._name = f'"{OLDER_OPS[self._name]}"', None
        super().print_string(text, indent=indent)

    def print_op_attributes(
        self,
        attributes: Mapping[str, Attribute],
        *,
        reserved_attr_names: Iterable[str] = (),
        print_keyword: bool = False,
    ) -> bool:
        known = {n: a for n, a in attributes.items() if a.name not in NEWER_FLAGS or getattr(a, "data", None)}
        older = {OLDER_SIZES.get(name, name): _older_sizes(name, value) for name, value in known.items()}
        return super().print_op_attributes(older, reserved_attr_names=reserved_attr_names, print_keyword=print_keyword)

    def print_attribute(self, attribute: Attribute) -> None:
        if not isinstance(attribute, DenseArrayBase):
            super().print_attribute(attribute)
            return
        self.print_string("[:")
        self.print_attribute(attribute.elt_type)
        for position, value in enumerate(attribute.get_values()):
            self.print_string(", " if position else " ")
            if isinstance(attribute.elt_type, IntegerType):
                self.print_int(int(value), attribute.elt_type)
            else:
                self.print_float(value, attribute.elt_type)
        self.print_string("]")


class OlderParser(FastParser):
    """Reads the older text as well."""

    def read_optional_array(self) -> ArrayAttr[Attribute] | DenseArrayBase | None:
        if _DENSE_ARRAY.match(self._text, self.pos) is None:
            return super().read_optional_array()
        self.parse_punctuation("[")
        self.parse_punctuation(":")
        position = self.pos
        element = self.parse_type()
        if isinstance(element, IntegerType):
            integers = self._parse_values(lambda: self.read_typed_integer(element, allow_boolean=True))
            return DenseArrayBase.from_list(element, integers)
        if not isinstance(element, AnyFloat):
            self.raise_error(f"a dense array holds integers or floats, not {element}", position)
        return DenseArrayBase.from_list(element, self._parse_values(self.parse_float))

    def _parse_values(self, parse: Callable[[], NumberT]) -> list[NumberT]:
        """Values up to the bracket that ends an array."""
        values: list[NumberT] = []
        while self.parse_optional_punctuation("]") is None:
            if values:
                self.parse_punctuation(",")
            values.append(parse())
        return values

    def read_attribute_entry(self) -> tuple[str, Attribute]:
        name, value = super().read_attribute_entry()
        if name in NEWER_SIZES and isinstance(value, DenseIntOrFPElementsAttr):
            return NEWER_SIZES[name], DenseArrayBase.from_list(i32, [int(size) for size in value.get_values()])
        return name, value
