"""xDSL's lexer with one regular expression for the tokens that MLIR text is mostly made of."""

from __future__ import annotations

import re

from xdsl.utils.lexer import Input, Span, Token
from xdsl.utils.mlir_lexer import KIND_BY_PUNCTUATION_SPELLING, MLIRTokenKind, StringLiteral

from sambaflow.dialects.text.xdsl_private import OpenLexer

_SUFFIX = r"(?:[0-9]+|[a-zA-Z$._-][a-zA-Z0-9$._-]*)"
_IDENTIFIER = r"[a-zA-Z_][a-zA-Z0-9_$.]*"

_PATTERNS: dict[str, MLIRTokenKind | None] = {
    rf"%{_SUFFIX}": MLIRTokenKind.PERCENT_IDENT,
    r"[:,()}\[\]<>=+*?|]|->?|\{(?!-#)": None,
    _IDENTIFIER: MLIRTokenKind.BARE_IDENT,
    r"[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?": MLIRTokenKind.FLOAT_LIT,
    r"0x[0-9a-fA-F]+|[0-9]+": MLIRTokenKind.INTEGER_LIT,
    r'"[^"\\\n\v\f]*"': MLIRTokenKind.STRING_LIT,
    rf"@{_IDENTIFIER}": MLIRTokenKind.AT_IDENT,
    rf"#(?!-\}}){_SUFFIX}": MLIRTokenKind.HASH_IDENT,
    rf"!{_SUFFIX}": MLIRTokenKind.EXCLAMATION_IDENT,
    rf"\^{_SUFFIX}": MLIRTokenKind.CARET_IDENT,
}
"""What a token of each kind looks like, the most frequent first; punctuation has a kind for each spelling."""

_KINDS = (None, *_PATTERNS.values())
_SPACE = r"(?:\s++|//[^\n]*+)*+"
_TOKEN = re.compile(_SPACE + "(?:" + "|".join(f"({pattern})" for pattern in _PATTERNS) + ")", re.ASCII)


class FastToken(Token[MLIRTokenKind, str]):
    """A token that knows its text, and makes its span only when it is asked for."""

    text: str = ""  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]

    def __init__(self, kind: MLIRTokenKind, text: str, start: int, end: int, source: Input[str]) -> None:
        self.kind, self.start, self.end, self.input = kind, start, end, source
        self.text = text  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def span(self) -> Span[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        make = StringLiteral if self.kind in (MLIRTokenKind.STRING_LIT, MLIRTokenKind.BYTES_LIT) else Span
        return make(self.start, self.end, self.input)


class FastLexer(OpenLexer):
    """The tokens of xDSL's lexer, several times as fast; what the pattern does not know, and errors, are xDSL's."""

    def lex(self) -> FastToken:
        source = self.input
        match = _TOKEN.match(source.content, self.pos)
        if match is None:
            token = super().lex()
            kind = MLIRTokenKind.STRING_LIT if _is_text(token) else token.kind
            return FastToken(kind, token.text, token.span.start, token.span.end, source)
        index = match.lastindex or 0
        start, end = match.span(index)
        self.pos = end
        text = match[index]
        return FastToken(_KINDS[index] or KIND_BY_PUNCTUATION_SPELLING[text], text, start, end, source)


def _is_text(token: Token[MLIRTokenKind, str]) -> bool:
    """Whether xDSL calls bytes what is text: it prints a character beyond ASCII as the escapes of its UTF-8 bytes."""
    if token.kind is not MLIRTokenKind.BYTES_LIT:
        return False
    try:
        StringLiteral.from_span(token.span).bytes_contents.decode()
    except UnicodeDecodeError:
        return False
    return True
