"""Where an operation comes from, and errors about it and about text that is no IR.

`errors.py` says what a diagnostic is, `reporting.py` how it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from xdsl.dialects.builtin import CallSiteLoc, FileLineColLoc, FusedLoc, IntAttr, NameLoc, StringAttr, UnknownLoc
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import MultipleSpansParseError, ParseError
from xdsl.utils.lexer import Span

from sambaflow import reporting
from sambaflow.errors import Diagnostic, InputError, Location, Note, PassError, SambaError, Severity

ErrorT = TypeVar("ErrorT", bound=SambaError)

Sources = Mapping[str, str]
"""Texts of the files that diagnostics point into, by name: a diagnostic in one of them shows its line and a caret."""


def location_attr(location: Location) -> FileLineColLoc | NameLoc:
    """The xDSL attribute: `loc("model.py":12:3)`, with a module path `loc("layers.0.mlp"("model.py":12:3))`."""
    place = _place_attr(location.file, location.line, location.column)
    return NameLoc(StringAttr(location.module_path), place) if location.module_path else place


@lru_cache(maxsize=1 << 12)
def _place_attr(file: str, line: int, column: int) -> FileLineColLoc:
    """Cached: every layer of a model has its operators at the same few places."""
    return FileLineColLoc(StringAttr(file), IntAttr(line), IntAttr(column))


def location_from_attr(attribute: Attribute) -> Location | None:
    """The Location that an xDSL location attribute stands for; None when it is unknown.

    A fused location stands for its first known part, a call site for the callee.
    """
    match attribute:
        case FileLineColLoc():
            return Location(attribute.filename.data, attribute.line.data, attribute.column.data)
        case NameLoc():
            inner = location_from_attr(attribute.location)
            if inner is None:
                return Location("", module_path=attribute.desc.data)
            return Location(inner.file, inner.line, inner.column, attribute.desc.data)
        case FusedLoc():
            parts: Sequence[Attribute] = attribute.locations  # pyright: ignore[reportAssignmentType]
            return next((known for part in parts if (known := location_from_attr(part)) is not None), None)
        case CallSiteLoc():
            return location_from_attr(attribute.callee) or location_from_attr(attribute.caller)
        case _:
            return None


def location_of(op: Operation) -> Location | None:
    """The source location of `op`: its own, else that of the nearest enclosing op that has one."""
    current: Operation | None = op
    while current is not None:
        if not isinstance(current.location, UnknownLoc) and (known := location_from_attr(current.location)) is not None:
            return known
        current = current.parent_op()
    return None


def error_at(
    op: Operation,
    message: str,
    kind: type[ErrorT] = PassError,
    *,
    demand: str = "",
    limit: str = "",
    shortfall: str = "",
    levers: Sequence[str] = (),
    notes: Sequence[Note] = (),
) -> ErrorT:
    """An error about `op`, with its name and location filled in: `raise error_at(op, "has no stages")`.

    The name is said once: a message that starts with it, as those of some verifiers, loses it.
    """
    return kind(
        message.removeprefix(f"'{op.name}' op ").removeprefix(f"'{op.name}' "),
        op=op.name,
        location=location_of(op),
        demand=demand,
        limit=limit,
        shortfall=shortfall,
        levers=levers,
        notes=notes,
    )


def error_from_parse(error: ParseError, line_offset: int = 0, notes: Sequence[Note] = ()) -> InputError:
    """The parser's error as one of ours, with `notes`; `line_offset` is where the parsed piece starts in its file.

    xDSL's messages differ in form from place to place, and leave out what was found. A token that is missing at the
    end of a line is missed there, not where the next line starts.
    """
    text, start = _text_of(error.span), error.span.start
    message = _reworded(error.msg)
    if _NAMES_EXPECTED.match(message):
        behind = _end_of_previous_line(text, start) if message != EXPECTED_OP else None
        message += f", found {_found(text, start)}" if behind is None or start == len(text) else ""
        start = start if behind is None else behind
    if isinstance(error, MultipleSpansParseError) and error.refs:
        # Only one error of xDSL's parser has several places: blocks that branches name and the region lacks.
        span = error.refs[0][0]
        return InputError(
            f"reference to an undefined block '{span.text}'", location=_place(span, span.start, line_offset)
        )
    return InputError(message, location=_place(error.span, start, line_offset), notes=notes)


EXPECTED_OP = "expected an op"

_REWORDED: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"could not parse entire input", EXPECTED_OP),
        (r"in block definition", "expected an op, a block or '}'"),
        (r"expected region", "expected a region"),
        (r"expected shape type", "expected a type with a shape"),
        (r"expect symbol name", "expected a symbol name"),
        (r"expected bare-id or string-literal here as part of attribute entry", "expected an attribute's name"),
        (r"expected either a float, integer, or complex literal", "expected a number"),
        (r"expected primary expression", "expected an affine expression"),
        (r"unterminated string literal|end of file reached before closing string literal", "string without its end"),
        (r"operation has (\d+) results, but was given (\d+) to bind", r"the op has \1 results, names are given to \2"),
        (r"ssa value %(\S+) is already defined", r"redefinition of SSA value '%\1'"),
        (r"(.+) expected(| in .+| after .+)", r"expected \1\2"),
    )
]
"""Messages of xDSL 0.74's parser, whole and without the last mark, and what they become."""

_NAMES_EXPECTED = re.compile(r"expected (?!.*\b(got|but|found)\b)")
_NO_ARTICLE = re.compile(r"^expected (?!an? |one |either |at )([a-z])")
_FOUND = re.compile(r'[%^@#!]?(?:[\w.$]+|"(?:[^"\\\n]|\\.)*")|->|::|\S')


def _reworded(message: str) -> str:
    message = message.strip().rstrip("!.:").replace("`", "'")
    for pattern, words in _REWORDED:
        if match := pattern.fullmatch(message):
            return _with_article(match.expand(words))
    # "Expected" becomes "expected", "SSA value" stays.
    return _with_article(message[:1].lower() + message[1:] if message[1:2].islower() else message)


def _with_article(message: str) -> str:
    return _NO_ARTICLE.sub(lambda match: f"expected a{'n' * (match[1] in 'aeiou')} {match[1]}", message)


def _found(text: str, start: int) -> str:
    match = _FOUND.match(text, start)
    return f"'{match.group()[:40]}'" if match else "the end of the text"


def _end_of_previous_line(text: str, start: int) -> int | None:
    """Behind the token before `start`, when it stands on an earlier line; comments are no tokens."""
    before, line = text[:start].rstrip(" \t\r"), ""
    if not before.endswith("\n") and (start < len(text) or not before):
        return None
    while before and not line:
        before, _, line = before.rstrip().rpartition("\n")
        line = line.partition("//")[0].rstrip()
        before += "\n" * bool(_)
    return len(before) + len(line) if line else None


def _text_of(span: Span[str] | Span[bytes]) -> str:
    content = span.input.content
    return content if isinstance(content, str) else content.decode("utf-8", "replace")


def _place(span: Span[str] | Span[bytes], start: int, line_offset: int) -> Location:
    text = _text_of(span)
    first = text.rfind("\n", 0, start) + 1
    return Location(span.input.name, text.count("\n", 0, first) + 1 + line_offset, start - first + 1)


# What tools still call until all report through a Reporter.


def render(severity: Severity, message: str, location: Location | None = None, sources: Sources | None = None) -> str:
    """One diagnostic as text, with its source line and a caret when the text of the file is known."""
    return reporting.render(Diagnostic(severity, message, location), reporting.Sources(sources))


def render_error(error: SambaError, sources: Sources | None = None) -> str:
    """`error` and its notes as text, clang style."""
    return reporting.render(error.diagnostic, reporting.Sources(sources))
