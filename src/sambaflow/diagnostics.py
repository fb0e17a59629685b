"""Where an operation comes from, and errors about it.

`errors.py` says what a diagnostic is, `reporting.py` how it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from xdsl.dialects.builtin import CallSiteLoc, FileLineColLoc, FusedLoc, IntAttr, NameLoc, StringAttr, UnknownLoc
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import VerifyException

from sambaflow.errors import Location, Note, PassError, SambaError

ErrorT = TypeVar("ErrorT", bound=SambaError)


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


class VerifyExceptionAt(VerifyException):
    """What a verifier finds wrong with another op than its own, for example one inside: `op` is where to look."""

    def __init__(self, op: Operation, message: str) -> None:
        super().__init__(message)
        self.op = op


def symbols_around(op: Operation) -> str:
    """The symbols that `op` stands in, itself too if it is one, outermost first: `forward::section_0`."""
    names: list[str] = []
    current: Operation | None = op
    while current is not None:
        symbol = current.get_attr_or_prop("sym_name")
        if isinstance(symbol, StringAttr):
            names.append(symbol.data)
        current = current.parent_op()
    return "::".join(reversed(names))


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
