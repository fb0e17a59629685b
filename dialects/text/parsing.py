"""From MLIR text to a module whose every op knows its place in the file."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate
from math import prod
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import (
    AnyFloat,
    FileLineColLoc,
    Float80Type,
    Float128Type,
    IntAttr,
    IntegerType,
    ModuleOp,
    StringAttr,
    UnknownLoc,
    UnregisteredAttr,
)
from xdsl.ir import Attribute, Block, Data, Dialect, Operation, OpResult, ParametrizedAttribute, TypeAttribute
from xdsl.ir.affine import AffineBinaryOpExpr, AffineExpr, AffineMap, AffineSet
from xdsl.parser import AttrParser
from xdsl.utils.exceptions import ParseError, VerifyException
from xdsl.utils.lexer import Span

from sambaflow import plugins
from sambaflow.diagnostics import error_at, location_of
from sambaflow.dialects.text.older_mlir import NEWER_OPS, OlderParser
from sambaflow.dialects.text.parse_errors import error_from_parse
from sambaflow.dialects.text.xdsl_private import DenseElement, DenseType
from sambaflow.errors import InputError, Location, Note, SambaError, did_you_mean

MOST_BITS = (1 << 24) - 1
"""Bits of an integer type, as in MLIR."""
MOST_DEPTH = 100
"""Of an affine expression: what prints and reads it is recursive."""
MOST_DENSE = 1 << 24
"""Elements of a constant: xDSL keeps each one of them, though all be equal."""
_REDEFINED = re.compile(r"SSA value %(\S+) is already defined")


class _DenseElement(DenseElement):
    """An element of `dense<..>`: hexadecimal ones are the bits of a float, as in MLIR (xDSL 0.74 reads a number)."""

    def to_type(self, parser: AttrParser, type: Attribute) -> Any:  # noqa: A002 - xDSL's name
        if isinstance(type, AnyFloat) and isinstance(self.value, int) and self.span.text.startswith("0x"):
            return next(type.iter_unpack(self.value.to_bytes(type.compile_time_size, "little")))
        return super().to_type(parser, type)  # pyright: ignore[reportArgumentType]


class LocatedParser(OlderParser):
    """xDSL's parser, with `file:line:col` of its name on every op that has no `loc(...)` of its own."""

    def __init__(self, ctx: Context, text: str, name: str, line_offset: int = 0) -> None:
        super().__init__(ctx, text, name)
        self.line_offset = line_offset
        self._file = StringAttr(name)
        self._line_starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
        self._name_positions: list[int] = []

    def place(self, position: int) -> tuple[int, int]:
        """Line and column, from 1, of a position in the text."""
        line = bisect_right(self._line_starts, position)
        return line + self.line_offset, position - self._line_starts[line - 1] + 1

    def read_result_names(self) -> list[tuple[Span, int]]:
        results = super().read_result_names()
        self._name_positions.append(self.pos)
        return results

    def read_number_type(self) -> TypeAttribute | None:
        position = self.pos
        type_ = super().read_number_type()
        if isinstance(type_, Float80Type | Float128Type) or (
            isinstance(type_, IntegerType) and type_.width.data > MOST_BITS
        ):
            self.raise_error(f"numbers of type {type_} are not supported", position)
        return type_

    def parse_affine_map(self) -> AffineMap:
        position = self.pos
        map_ = super().parse_affine_map()
        self._check_depth(map_.results, position)
        return map_

    def parse_affine_set(self) -> AffineSet:
        position = self.pos
        set_ = super().parse_affine_set()
        self._check_depth(
            [side for constraint in set_.constraints for side in (constraint.lhs, constraint.rhs)], position
        )
        return set_

    def _check_depth(self, expressions: Iterable[AffineExpr], position: int) -> None:
        pending = [(expression, 1) for expression in expressions]
        while pending:
            part, depth = pending.pop()
            if depth > MOST_DEPTH:
                self.raise_error(f"an affine expression is nested more than {MOST_DEPTH} times", position)
            if isinstance(part, AffineBinaryOpExpr):
                pending += [(part.lhs, depth + 1), (part.rhs, depth + 1)]

    def read_dense_type(self) -> DenseType:
        position = self.pos
        type_ = super().read_dense_type()
        if prod(type_.get_shape()) > MOST_DENSE:
            self.raise_error(f"constants have at most {MOST_DENSE} elements: {type_}", position)
        return type_

    def read_dense_element(self) -> _DenseElement:
        element = super().read_dense_element()
        return _DenseElement(element.is_negative, element.value, element.span)

    def op_class(self, name: str) -> type[Operation]:
        name = NEWER_OPS.get(name, name)
        op_type = self.ctx.get_optional_op(name, dialect_stack=self.state.dialect_stack)
        if op_type is None:
            self.raise_error(f"unknown op '{name}'{self._near(name, lambda d: d.operations)}", self._name_positions[-1])
        return op_type

    def read_dialect_attribute(
        self, attr_name: str, is_type: bool, is_opaque: bool, starting_opaque_pos: int | None
    ) -> UnregisteredAttr | ParametrizedAttribute | Data[Any]:
        known = self.ctx.get_optional_type if is_type else self.ctx.get_optional_attr
        if "." in attr_name and known(attr_name) is None:
            what = "type" if is_type else "attribute"
            if starting_opaque_pos is None:
                start = self.lexer.input.content.rfind(attr_name, 0, self.pos) - 1
            else:  # #dialect<name ...>
                start = starting_opaque_pos - len(attr_name.partition(".")[2])
            near = self._near(attr_name, lambda d: d.attributes)
            self.raise_error(f"unknown {what} '{attr_name}'{near}", start)
        return super().read_dialect_attribute(attr_name, is_type, is_opaque, starting_opaque_pos)

    def _near(self, name: str, members: Callable[[Dialect], Iterable[type[Operation] | type[Attribute]]]) -> str:
        """The member of the dialect, or else the dialect, that may have been meant."""
        dialect_name, dot, member_name = name.partition(".")
        dialect = self.ctx.get_optional_dialect(dialect_name) if dot else None
        if dialect is not None:
            return did_you_mean(name, [member.name for member in members(dialect)])
        return did_you_mean(name, [f"{known}.{member_name}" for known in self.ctx.registered_dialect_names if dot])

    def read_block(self) -> Block:
        name = self.token.text[1:]
        if name in self.blocks and name not in self.forward_block_references:
            self.raise_error(f"redefinition of block '^{name}'")
        return super().read_block()

    def current_op(self) -> Location:
        """The place of the innermost op that is being parsed, else that of the next token."""
        position = self._name_positions[-1] if self._name_positions else self.pos
        return Location(self._file.data, *self.place(position))

    def first_definition(self, error: ParseError) -> list[Note]:
        """Where the value that `error` says is defined twice was defined first."""
        match = _REDEFINED.match(error.msg)
        value = next(iter(self.ssa_values.get(match[1], ())), None) if match else None
        place = location_of(value.op) if isinstance(value, OpResult) else None
        return [Note("the first definition is here", place)] if place else []

    def undefined_use(self) -> InputError | None:
        """An error about the first op that uses a value which no op has defined, if there is one."""
        for name, values in self.forward_ssa_references.items():
            for value in values.values():
                for use in value.uses:
                    return error_at(use.operation, f"uses %{name}, which is not defined", InputError)
        return None

    def parse_operation(self) -> Operation:
        op = super().parse_operation()
        self._locate(op, self._name_positions.pop())
        return op

    def parse_module(self, allow_implicit_module: bool = True) -> ModuleOp:
        module = super().parse_module(allow_implicit_module)
        self._locate(module, 0)  # an implicit module begins where the text does
        return module

    def _locate(self, op: Operation, position: int) -> None:
        if isinstance(op.location, UnknownLoc):
            line, column = self.place(position)
            op.location = _file_location(self._file, _int(line), _int(column))


_int = lru_cache(maxsize=1 << 16)(IntAttr)


def _file_location(file: StringAttr, line: IntAttr, column: IntAttr) -> FileLineColLoc:
    """Without the checks of its parameters, which take ten times as long: every op has a location of its own."""
    location = FileLineColLoc.__new__(FileLineColLoc)
    vars(location).update(filename=file, line=line, column=column)
    return location


def parse_module(text: str, name: str, ctx: Context, *, line_offset: int = 0, implicit_module: bool = True) -> ModuleOp:
    """The module that `text` holds; not yet verified. `line_offset` is where `text` starts in the file `name`.

    Raises InputError with the place when the text is not MLIR or has an op that no dialect knows.
    """
    try:
        parser = LocatedParser(ctx, text, name, line_offset)
    except ParseError as error:
        raise error_from_parse(error, line_offset) from None
    try:
        return parser.parse_module(implicit_module)
    except ParseError as error:
        undefined = parser.undefined_use() if "used but not defined" in error.msg else None
        if undefined is not None:
            raise undefined from None
        raise error_from_parse(error, line_offset, parser.first_definition(error)) from None
    except SambaError:
        raise
    except RecursionError:
        raise InputError("regions, attributes or types are nested too deeply", location=parser.current_op()) from None
    except Exception as error:
        # Attributes and ops verify themselves while they are built, with any exception.
        if not isinstance(error, VerifyException) and (failure := plugins.failure_of(error, _reading(parser))):
            raise failure from error
        raise InputError(str(error) or type(error).__name__, location=parser.current_op()) from error


def _reading(parser: LocatedParser) -> Note:
    return Note("while this was read", parser.current_op())


def decode(data: bytes, name: str) -> str:
    """The text of a file; InputError when it is not UTF-8 and therefore not MLIR."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not a text file: byte {error.start} is not UTF-8", location=Location(name)) from None
