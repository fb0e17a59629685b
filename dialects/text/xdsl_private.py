# pyright: reportPrivateUsage=false
"""All that we use of xDSL's private names, which may move with any release: one class for each of xDSL's that we open.

A class here gives a private name of xDSL a public one, for subclasses to call or to override; no other file of the
toolkit knows the private names. The import fails, and says which, when some are not there. Written for xDSL 0.74.

    class BlockCounter(OpenParser):
        def read_block(self) -> Block:       # called where xDSL calls `_parse_block`
            self.blocks_read += 1
            return super().read_block()      # what xDSL does there
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import (
    AnyFloat,
    ComplexType,
    IndexType,
    IntegerType,
    RankedStructure,
)
from xdsl.ir import Block, SSAValue
from xdsl.parser import Parser
from xdsl.parser.generic_parser import ParserState
from xdsl.pattern_rewriter import PatternRewriter
from xdsl.printer import Printer
from xdsl.utils.lexer import Token
from xdsl.utils.mlir_lexer import MLIRLexer, MLIRTokenKind

XDSL_VERSION = "0.74"
"""The release of xDSL whose private names these are."""

HOOKS: Mapping[type, tuple[str, ...]] = {
    Parser: (
        "_TensorLiteralElement",
        "_consume_token",
        "_current_token",
        "_get_op_by_name",
        "_parse_attribute_entry",
        "_parse_block",
        "_parse_dense_literal_type",
        "_parse_dialect_type_or_attribute_body",
        "_parse_op_result_list",
        "_parse_optional_array_attr",
        "_parse_optional_integer_or_float_type",
        "_parse_optional_token",
        "_parse_tensor_literal_element",
        "_parse_typed_integer",
        "_parser_state",
        "_resume_from",
    ),
    MLIRLexer: ("_unescaped_characters_regex",),
    Printer: (
        "_blocks",
        "_get_new_valid_block_id",
        "_get_new_valid_name_id",
        "_populate_block_name",
        "_ssa_values",
    ),
    PatternRewriter: ("_current_operation", "_name_hint"),  # of passes/rewriting/driver.py
}
"""The private names in use, by the class of xDSL that has them."""

STEPS: Mapping[str, str] = {
    "op_class": "_get_op_by_name",
    "read_attribute_entry": "_parse_attribute_entry",
    "read_block": "_parse_block",
    "read_dense_element": "_parse_tensor_literal_element",
    "read_dense_type": "_parse_dense_literal_type",
    "read_dialect_attribute": "_parse_dialect_type_or_attribute_body",
    "read_number_type": "_parse_optional_integer_or_float_type",
    "read_optional_array": "_parse_optional_array_attr",
    "read_result_names": "_parse_op_result_list",
}
"""What a subclass of `OpenParser` may override, and by which name xDSL calls it."""


def missing_hooks() -> list[str]:
    """The private names that the installed xDSL does not have."""
    return [f"{cls.__name__}.{name}" for cls, names in HOOKS.items() for name in names if not _has(cls, name)]


def _has(cls: type, name: str) -> bool:
    """Whether a class has a name, which may be that of a field."""
    return hasattr(cls, name) or any(name in inspect.get_annotations(base) for base in cls.__mro__)


if missing := missing_hooks():
    raise ImportError(f"this file was written for xDSL {XDSL_VERSION}; the installed one lacks {', '.join(missing)}")

DenseElement = Parser._TensorLiteralElement
"""An element of `dense<..>` as it was read, before its type is known."""

DenseType = RankedStructure[IntegerType | IndexType | AnyFloat | ComplexType]


class OpenLexer(MLIRLexer):
    """xDSL's lexer, in time that is linear in a string that does not end; xDSL's pattern backtracks exponentially."""

    _unescaped_characters_regex = re.compile(r'"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+"')


class OpenParser(Parser):
    """xDSL's parser on a lexer of choice, with steps that subclasses may take in another way: see STEPS.

    The steps of one token each are as short as they can be: most of the time of a parser is theirs.
    """

    op_class = Parser._get_op_by_name
    """The class of the ops of a name."""
    read_attribute_entry = Parser._parse_attribute_entry
    """A name and its value in a dictionary."""
    read_block = Parser._parse_block
    """A block with its name."""
    read_dense_element = Parser._parse_tensor_literal_element
    """An element of `dense<..>`."""
    read_dense_type = Parser._parse_dense_literal_type
    """The type behind `dense<..>`."""
    read_dialect_attribute = Parser._parse_dialect_type_or_attribute_body
    """A type or attribute of a dialect, behind its name."""
    read_number_type = Parser._parse_optional_integer_or_float_type
    """A type of integers or floats, if one is here."""
    read_optional_array = Parser._parse_optional_array_attr
    """An array attribute, if one is here."""
    read_result_names = Parser._parse_op_result_list
    """The names of an op's results, before its own."""
    read_typed_integer = Parser._parse_typed_integer
    """An integer of a type."""
    resume_from = Parser._resume_from
    """Go on with the token at a position in the text."""

    def __init_subclass__(cls) -> None:
        """xDSL calls a step by its private name, which leads to what a subclass makes of it without a call between."""
        for opened, private in STEPS.items():
            if opened in vars(cls):
                setattr(cls, private, vars(cls)[opened])

    def __init__(self, ctx: Context, lexer: MLIRLexer, name: str) -> None:
        super().__init__(ctx, "", name)
        self.state = self._parser_state = ParserState(lexer)

    @property
    def _current_token(self) -> Token[MLIRTokenKind, str]:
        return self.state.current_token

    def _consume_token(self, expected_kind: MLIRTokenKind | None = None) -> Token[MLIRTokenKind, str]:
        state = self.state
        token = state.current_token
        state.current_token = state.lexer.lex()
        return token

    def _parse_optional_token(self, expected_kind: MLIRTokenKind) -> Token[MLIRTokenKind, str] | None:
        return self._consume_token() if self.state.current_token.kind is expected_kind else None


class OpenPrinter(Printer):
    """xDSL's printer, whose names of values and blocks are open to subclasses."""

    def __init__(self, stream: IO[str], *, generic: bool, properties_as_attributes: bool, locations: bool) -> None:
        super().__init__(
            stream,
            print_generic_format=generic,
            print_properties_as_attributes=properties_as_attributes,
            print_debuginfo=locations,
        )
        self.names_of_values: dict[SSAValue, str] = self._ssa_values
        """The names that are printed, without `%`."""

    def next_number_of_value(self) -> str:
        """The name of a value that has no other."""
        return self._get_new_valid_name_id()

    def next_number_of_block(self) -> int:
        """The number of a block that has no other name."""
        return self._get_new_valid_block_id()

    def name_of_block(self, block: Block, index: int | None) -> str:
        """The name of a block that has none yet, without `^`; `index` is its place in its region, if that is known."""
        raise NotImplementedError

    def _populate_block_name(self, block: Block, block_index: int | None = None) -> None:
        self._blocks[block] = self.name_of_block(block, block_index)
