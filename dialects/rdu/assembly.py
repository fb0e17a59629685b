"""Pieces of syntax and rules that several rdu ops share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.ir import Attribute, Block, Operation, Region
from xdsl.irdl import IRDLOperation
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import OpTrait
from xdsl.utils.exceptions import VerifyException


@dataclass(frozen=True)
class InProgram(OpTrait):
    """The op stands in an `rdu.program`, by name: the program is defined after what it holds."""

    def verify(self, op: Operation) -> None:
        parent = op.parent_op()
        if parent is not None and parent.name != "rdu.program":
            raise VerifyException(f"'{op.name}' expects parent op 'rdu.program'")


def parse_numbers(parser: Parser) -> list[int]:
    """`[1, 2, 3]`."""
    return parser.parse_comma_separated_list(Parser.Delimiter.SQUARE, parser.parse_integer)


def parse_region(parser: Parser) -> Region:
    """A region of one block, which may be empty."""
    region = parser.parse_region()
    if not region.blocks:
        region.add_block(Block())
    return region


def parse_argument(parser: Parser) -> Parser.Argument:
    """`%a : type`, with its location if one is printed."""
    argument = parser.parse_argument()
    argument.location = parser.parse_optional_location()
    return argument


def parse_attributes(parser: Parser) -> dict[str, Attribute]:
    """`attributes {...}`, if it is there."""
    return dict(parser.parse_optional_attr_dict()) if parser.parse_optional_keyword("attributes") else {}


def print_rest(op: IRDLOperation, printer: Printer, shown: tuple[str, ...], keyword: str = "") -> None:
    """The properties that have no syntax of their own, with the attributes."""
    rest = {key: value for key, value in op.properties.items() if key not in shown} | op.attributes
    if rest:
        printer.print_string(keyword)
        printer.print_op_attributes(rest)


def with_rest(cls: type[Any], parser: Parser, known: dict[str, Attribute]) -> Any:
    """An op of `known` properties and of those in the attribute dictionary that follows."""
    return make_op(cls, known, dict(parser.parse_optional_attr_dict()), [])


def make_op(
    cls: type[Any], known: dict[str, Attribute], attributes: dict[str, Attribute], regions: Sequence[Region]
) -> Any:
    """An op of `known` properties and of those among `attributes`."""
    defined = cls.get_irdl_definition().properties
    properties = known | {key: value for key, value in attributes.items() if key in defined}
    rest = {key: value for key, value in attributes.items() if key not in defined}
    return cls.create(properties=properties, attributes=rest, regions=regions)
