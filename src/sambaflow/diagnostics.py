"""Where an operation comes from, and how a problem with it is shown.

One form for every diagnostic, that of clang and MLIR:

    model.mlir:3:8: error: 'samba.linear' op operand 1 has 5 columns, the weight takes 4
      %1 = samba.linear %0, %w : (tensor<2x5xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
           ^
    model.mlir:2:8: note: the operand is made here
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TextIO, TypeVar

from xdsl.dialects.builtin import CallSiteLoc, FileLineColLoc, FusedLoc, IntAttr, NameLoc, StringAttr, UnknownLoc
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import ParseError

from sambaflow.errors import Location, Note, PassError, SambaError

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
    """An error about `op`, with its name and location filled in: `raise error_at(op, "has no stages")`."""
    return kind(
        message,
        op=op.name,
        location=location_of(op),
        demand=demand,
        limit=limit,
        shortfall=shortfall,
        levers=levers,
        notes=notes,
    )


def error_from_parse(error: ParseError, line_offset: int = 0) -> SambaError:
    """The parser's error as one of ours; `line_offset` is the line at which the parsed piece starts in its file."""
    from sambaflow.errors import InputError

    place = error.span.get_location()
    return InputError(error.msg.strip(), location=Location(place.file, place.line + line_offset, place.col))


def render(severity: str, message: str, location: Location | None = None, sources: Sources | None = None) -> str:
    """One diagnostic as text, with its source line and a caret when the text of the file is known."""
    head = f"{location}: {severity}: {message}" if location else f"{severity}: {message}"
    line = _source_line(location, sources)
    if location is None or line is None:
        return head
    caret = "".join("\t" if char == "\t" else " " for char in line[: max(location.column - 1, 0)]) + "^"
    return "\n".join([head, line, caret])


def render_error(error: SambaError, sources: Sources | None = None, severity: str = "error") -> str:
    """`error` and its notes as text, clang style."""
    parts = [render(severity, error.headline, error.location, sources)]
    for note in error.all_notes:
        parts.append(render("note", note.message, note.location or error.location, sources if note.location else None))
    return "\n".join(parts)


def report(error: SambaError, *, sources: Sources | None = None, stream: TextIO | None = None) -> None:
    """Print `error` on `stream` (standard error if not given)."""
    print(render_error(error, sources), file=stream or sys.stderr)


def _source_line(location: Location | None, sources: Sources | None) -> str | None:
    if location is None or not location.line or not sources or location.file not in sources:
        return None
    lines = sources[location.file].split("\n")
    return lines[location.line - 1].rstrip("\r") if location.line <= len(lines) else None
