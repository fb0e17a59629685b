"""xDSL's printer, several times as fast: the same text, put together from the texts of types that came before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import IO, TypeVar, cast

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FunctionType
from xdsl.ir import Attribute, Block, Operation, SSAValue, TypeAttribute
from xdsl.printer import Printer

from sambaflow.dialects.text.dense import mixes_zeros
from sambaflow.dialects.text.xdsl_private import OpenPrinter

ItemT = TypeVar("ItemT")

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9$._-]")
_NUMBERS_BEHIND = re.compile(r"(?:_[0-9]+)+$")
_NUMBERED_BLOCK = re.compile(r"bb[0-9]*")


def name_from_hint(hint: str) -> str:
    """The part of a name that a hint gives; a number may follow it. Empty when a number must do.

    In names of MLIR letters are ASCII, in hints of xDSL they are not. Without numbers behind it, no name is that of
    another with a number, and what is read back prints the same.

    >>> name_from_hint("größe_1_2")
    'gr__e'
    """
    return _NUMBERS_BEHIND.sub("", _NOT_IN_NAMES.sub("_", hint))


class _Parts:
    """A stream that keeps what is written as a list."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.write = self.parts.append


class FastPrinter(OpenPrinter):
    """xDSL's printer on a list of strings, without columns (which its diagnostics alone need)."""

    def __init__(
        self, *, generic: bool = False, properties_as_attributes: bool = False, locations: bool = False
    ) -> None:
        self._parts = _Parts()
        super().__init__(
            cast(IO[str], self._parts),
            generic=generic,
            properties_as_attributes=properties_as_attributes,
            locations=locations,
        )
        self._type_texts: dict[int, tuple[Attribute, str]] = {}

    def text(self) -> str:
        """All that was printed."""
        return "".join(self._parts.parts)

    def print_string(self, text: str, *, indent: int | None = None) -> None:
        if "\n" in text:
            super().print_string(text, indent=indent)
        else:
            self._parts.write(text)

    def print_string_literal(self, string: str) -> None:
        # A name of a file need not be text: Python has half a surrogate pair for a byte that is not UTF-8.
        self.print_bytes_literal(string.encode("utf-8", "backslashreplace"))

    def print_ssa_value(self, value: SSAValue) -> str:
        name = self.names_of_values.get(value)
        if name is None:
            hint = name_from_hint(value.name_hint or "")
            name = _numbered(hint, self.ssa_names) if hint else self.next_number_of_value()
            self.names_of_values[value] = name
        self._parts.write("%" + name)
        return name

    def name_of_block(self, block: Block, index: int | None) -> str:
        # Nothing refers to the first block of a region, and most ops print it without its name.
        hint = name_from_hint(block.name_hint or "") if index != 0 else ""
        if hint and not _NUMBERED_BLOCK.fullmatch(hint):
            return _numbered(hint, self.block_names)
        return f"bb{self.next_number_of_block() if index is None else index}"

    def print_attribute(self, attribute: Attribute) -> None:
        known = self._type_texts.get(id(attribute))
        if known is not None:
            self._parts.write(known[1])
        elif isinstance(attribute, DenseIntOrFPElementsAttr) and mixes_zeros(attribute):
            self._parts.write(f'dense<"0x{attribute.data.data.hex().upper()}"> : ')  # xDSL prints the first for all
            self.print_attribute(attribute.get_type())
        elif isinstance(attribute, TypeAttribute):
            parts = self._parts.parts
            start = len(parts)
            super().print_attribute(attribute)
            # The attribute is kept, too: another one could be given its identity.
            self._type_texts[id(attribute)] = attribute, "".join(parts[start:])
        else:
            super().print_attribute(attribute)

    def delimited(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, start: str, end: str
    ) -> AbstractContextManager[None]:
        return _Delimited(self, start, end)

    def print_operands(self, operands: Sequence[SSAValue]) -> None:
        self._print_group(operands, self.print_operand)

    def print_function_type(self, input_types: Iterable[Attribute], output_types: Iterable[Attribute]) -> None:
        outputs = tuple(output_types)
        self._print_group(input_types, self.print_attribute)
        self._parts.write(" -> ")
        if len(outputs) == 1 and not isinstance(outputs[0], FunctionType):
            self.print_attribute(outputs[0])
        else:
            self._print_group(outputs, self.print_attribute)

    def _print_group(self, items: Iterable[ItemT], print_item: Callable[[ItemT], object]) -> None:
        write = self._parts.write
        separator = "("
        for item in items:
            write(separator)
            print_item(item)
            separator = ", "
        write("()" if separator == "(" else ")")


def _numbered(name: str, counts: dict[str, int]) -> str:
    """The name, with how often it was there before if it was."""
    count = counts.get(name, 0)
    counts[name] = count + 1
    return f"{name}_{count}" if count else name


class _Delimited(AbstractContextManager[None]):
    def __init__(self, printer: Printer, start: str, end: str) -> None:
        self.printer, self.start, self.end = printer, start, end

    def __enter__(self) -> None:
        self.printer.print_string(self.start)

    def __exit__(self, *_: object) -> None:
        self.printer.print_string(self.end)


def print_module(op: Operation, generic: bool = False) -> str:
    printer = FastPrinter(generic=generic)
    printer.print_op(op)
    return printer.text()
