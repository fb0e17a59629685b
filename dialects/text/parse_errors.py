"""The errors of xDSL's parser, in the words of the rest: what was expected, what was found, where.

    f.mlir:2:25: error: expected ':'
      %0 = arith.addi %a, %a
                            ^

xDSL's messages differ in form from place to place, leave out what was found, and point at the next line when a token is
missing at the end of one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from xdsl.utils.exceptions import MultipleSpansParseError, ParseError
from xdsl.utils.lexer import Span

from sambaflow.errors import InputError, Location, Note

EXPECTED_OP = "expected an op"

_REWORDED: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r"Could not parse entire input", EXPECTED_OP),
        (r"in block definition", "expected an op, a block or '}'"),
        (r"Expected shape type", "expected a type with a shape"),
        (r"expect symbol name", "expected a symbol name"),
        (r"Expected bare-id or string-literal here as part of attribute entry", "expected an attribute's name"),
        (r"Expected either a float, integer, or complex literal", "expected a number"),
        (r"Expected primary expression", "expected an affine expression"),
        (r"End of file reached before closing string literal", "string without its end"),
        (r"Operation has (\d+) results, but was given (\d+) to bind", r"the op has \1 results, names are given to \2"),
        (r"SSA value %(\S+) is already defined", r"redefinition of SSA value '%\1'"),
        # What these give is matched again: "type expected in a tuple", "expected a type in a tuple".
        (r"(?!expect)(.+) expected(| in .+| after .+)", r"Expected \1\2"),
        (r"Expected (?!one |either |at |an? )([aeiou].*)", r"Expected an \1"),
        (r"Expected (?!one |either |at |an? )([a-z].*)", r"Expected a \1"),
    )
]
"""Messages of xDSL 0.74's parser, whole and without the last mark, and what they become, in order."""

_NAMES_EXPECTED = re.compile(r"expected (?!.*\b(got|but|found)\b)")
_FOUND = re.compile(r'[%^@#!]?(?:[\w.$]+|"(?:[^"\\\n]|\\.)*")|->|::|\S')


def error_from_parse(error: ParseError, line_offset: int = 0, notes: Sequence[Note] = ()) -> InputError:
    """The parser's error as one of ours, with `notes`; `line_offset` is where the parsed piece starts in its file."""
    if isinstance(error, MultipleSpansParseError) and error.refs:
        # Only one error of xDSL's parser has several places: blocks that branches name and the region lacks.
        span = error.refs[0][0]
        message = f"reference to an undefined block '{span.text}'"
        return InputError(message, location=_place(span, span.start, line_offset))
    text, start = _text_of(error.span), error.span.start
    message = _reworded(error.msg)
    if _NAMES_EXPECTED.match(message):
        behind = _end_of_previous_line(text, start) if message != EXPECTED_OP else None
        message += f", found {_found(text, start)}" if behind is None or start == len(text) else ""
        start = start if behind is None else behind
    return InputError(message, location=_place(error.span, start, line_offset), notes=notes)


def _reworded(message: str) -> str:
    message = message.strip().rstrip("!.:").replace("`", "'")
    for pattern, words in _REWORDED:
        if match := pattern.fullmatch(message):
            message = match.expand(words)
    if message[:1].isupper() and message[1:2].islower():  # not "SSA value"
        message = message[:1].lower() + message[1:]
    return message


def _found(text: str, start: int) -> str:
    match = _FOUND.match(text, start)
    return f"'{match.group()[:40]}'" if match else "the end of the text"


def _end_of_previous_line(text: str, start: int) -> int | None:
    """Behind the token before `start`, when it stands on an earlier line or the text ends; comments are no tokens."""
    before = text[:start].rstrip(" \t\r")
    if start < len(text) and not before.endswith("\n"):
        return None
    while before := before.rstrip():
        first = before.rfind("\n") + 1
        code = before[first:].partition("//")[0].rstrip()
        if code:
            return first + len(code)
        before = before[:first]
    return None


def _place(span: Span[str] | Span[bytes], start: int, line_offset: int) -> Location:
    text = _text_of(span)
    first = text.rfind("\n", 0, start) + 1
    return Location(span.input.name, text.count("\n", 0, first) + 1 + line_offset, start - first + 1)


def _text_of(span: Span[str] | Span[bytes]) -> str:
    content = span.input.content
    return content if isinstance(content, str) else content.decode("utf-8", "replace")
