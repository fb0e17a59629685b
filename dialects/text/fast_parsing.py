"""xDSL's parser, several times as fast: the same language, the same errors.

Two things make the difference: tokens come from one regular expression (`lexing.py`), and a type or attribute whose
text was read before is taken from a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType
from xdsl.ir import Attribute, TypeAttribute
from xdsl.utils.lexer import Input
from xdsl.utils.mlir_lexer import PunctuationSpelling

from sambaflow.dialects.text.lexing import FastLexer, FastToken
from sambaflow.dialects.text.xdsl_private import DenseType, OpenParser

_WORD = r"[a-z]\w*(?![\w$.])"
_SHAPED = r"(?:tensor|memref|vector)<[\w?*]+>"
_LIST = rf"\((?:(?:{_SHAPED}|{_WORD})(?:, (?:{_SHAPED}|{_WORD}))*)?\)"
_FUNCTION = rf"{_LIST} -> (?:{_SHAPED}|{_WORD}|{_LIST})"
_NUMBER = rf"-?[0-9][\w.]*(?:[eE][+-][0-9]+)? : {_WORD}"
_ENUM = r"#[a-z]\w*\.\w+<[\w, ]*>"
_AFFINE_MAP = r"affine_map<[^<>]*-> [^<>]*>"

_SHAPED_TYPE = re.compile(_SHAPED, re.ASCII)
_FUNCTION_TYPE = re.compile(_FUNCTION, re.ASCII)
_ATTRIBUTE = re.compile("|".join((_SHAPED, _NUMBER, _ENUM, _AFFINE_MAP)), re.ASCII)
"""Texts that mean the same wherever they stand in a file, and stand there often."""

ReadT = TypeVar("ReadT", bound=Attribute)
ResultT = TypeVar("ResultT", bound=Attribute | None)


@dataclass(frozen=True)
class _Readings(Generic[ReadT]):
    """What texts of one kind were read as."""

    pattern: re.Pattern[str]
    by_text: dict[str, ReadT] = field(default_factory=dict[str, ReadT])


class FastParser(OpenParser):
    """xDSL's parser with our lexer, and its most frequent steps done in one call each."""

    def __init__(self, ctx: Context, text: str, name: str) -> None:
        super().__init__(ctx, FastLexer(Input(text, name)), name)
        self._text = text
        self._attributes = _Readings[Attribute](_ATTRIBUTE)
        self._types = _Readings[TypeAttribute](_SHAPED_TYPE)
        self._function_types = _Readings[FunctionType](_FUNCTION_TYPE)
        self._dense_types = _Readings[DenseType](_SHAPED_TYPE)

    @property
    def pos(self) -> int:
        return self.token.start

    @property
    def token(self) -> FastToken:
        """The one that is parsed next."""
        return self.state.current_token  # pyright: ignore[reportReturnType]

    def parse_optional_characters(self, text: str) -> str | None:
        state = self.state
        if state.current_token.text != text:
            return None
        state.current_token = state.lexer.lex()
        return text

    def parse_optional_punctuation(self, punctuation: PunctuationSpelling) -> PunctuationSpelling | None:
        return punctuation if self.parse_optional_characters(punctuation) else None

    def parse_punctuation(self, punctuation: PunctuationSpelling, context_msg: str = "") -> PunctuationSpelling:
        if self.parse_optional_characters(punctuation) is None:
            self.raise_error(f"Expected '{punctuation}'" + context_msg)
        return punctuation

    def parse_optional_attribute(self) -> Attribute | None:
        return self._read(self._attributes, super().parse_optional_attribute)

    def parse_optional_type(self) -> TypeAttribute | None:
        return self._read(self._types, super().parse_optional_type)

    def parse_optional_function_type(self) -> FunctionType | None:
        return self._read(self._function_types, super().parse_optional_function_type)

    def read_dense_type(self) -> DenseType:
        return self._read(self._dense_types, super().read_dense_type)

    def _read(self, known: _Readings[ReadT], parse: Callable[[], ResultT]) -> ReadT | ResultT:
        """What `parse` makes of the text here; what it made of it before, if it was all that `parse` read."""
        match = known.pattern.match(self._text, self.pos)
        if match is None:
            return parse()
        text, end = match[0], match.end()
        if text in known.by_text:
            self.resume_from(end)
            return known.by_text[text]
        result = parse()
        if result is not None and self.pos >= end and not self._text[end : self.pos].strip():
            known.by_text[text] = cast(ReadT, result)
        return result
