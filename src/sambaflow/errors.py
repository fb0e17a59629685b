"""Errors are data: all that sambaflow says about a program carries its facts as fields, and one reporter prints it.

The ground floor: nothing of sambaflow, xDSL or torch is imported here. `reporting.py` prints, `diagnostics.py` makes
errors about ops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "remark", "note"]


@dataclass(frozen=True)
class Location:
    """A place in a source file (lines and columns from 1, 0: unknown), and the module path in the model.

    >>> str(Location("model.py", 12, 3))
    'model.py:12:3'
    """

    file: str
    line: int = 0
    column: int = 0
    module_path: str = ""

    def __str__(self) -> str:
        numbers = [str(number) for number in (self.line, self.column) if number]
        return ":".join([self.file, *numbers]) if self.file else self.module_path

    def as_json(self) -> dict[str, object]:
        return {"file": self.file, "line": self.line, "column": self.column, "module_path": self.module_path}


NOWHERE = Location("")


@dataclass(frozen=True)
class Note:
    """What belongs to a diagnostic: where else to look, and why. Without a place it stands at the diagnostic's."""

    message: str
    location: Location | None = None

    def as_json(self) -> dict[str, object]:
        return {"message": self.message, **(self.location or NOWHERE).as_json()}


@dataclass(frozen=True)
class Diagnostic:
    """One thing to say about one place.

    `facts` are figures for tools: `demand`, `limit`, `shortfall` (texts with units) and `levers` (texts: what can be
    changed) of errors, which people read as notes, and the facts of remarks.
    """

    severity: Severity
    message: str
    location: Location | None = None
    op: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: tuple[Note, ...] = ()

    @property
    def headline(self) -> str:
        """The message with the op in front, as MLIR's `emitOpError`: `'samba.linear' op has the wrong shape`."""
        return f"'{self.op}' op {self.message}" if self.op and self.severity != "remark" else self.message

    @property
    def all_notes(self) -> tuple[Note, ...]:
        """The demand, limit and shortfall, then the notes, then what can be changed. A remark's facts are its own."""
        if self.severity == "remark":
            return self.notes
        figures = [("needs", "demand"), ("has", "limit"), ("short by", "shortfall")]
        balance = ", ".join(f"{word} {self.facts[name]}" for word, name in figures if self.facts.get(name))
        levers = tuple(Note(f"try: {lever}") for lever in self.facts.get("levers", ()))
        return (*([Note(balance)] if balance else []), *self.notes, *levers)

    def flat(self) -> list[Diagnostic]:
        """Itself without notes, then each note as a diagnostic of its own."""
        notes = [Diagnostic("note", note.message, note.location or self.location) for note in self.all_notes]
        return [Diagnostic(self.severity, self.headline, self.location), *notes]

    def as_json(self) -> dict[str, object]:
        """The same as plain data: severity, message, op, file, line, column, module_path, facts, notes."""
        return {
            "severity": self.severity,
            "message": self.message,
            "op": self.op,
            **(self.location or NOWHERE).as_json(),
            "facts": dict(self.facts),
            "notes": [note.as_json() for note in self.notes],
        }


class SambaError(Exception):
    """The root of the family.

    `op` is the name of the operation, `demand` what it needs, `limit` what there is, `shortfall` their difference
    (all as text with units), and `levers` what the user can change. The message says what is wrong, without these.
    """

    def __init__(
        self,
        message: str,
        *,
        op: str = "",
        location: Location | None = None,
        demand: str = "",
        limit: str = "",
        shortfall: str = "",
        levers: Sequence[str] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.op = op
        self.location = location
        self.demand = demand
        self.limit = limit
        self.shortfall = shortfall
        self.levers = tuple(levers)
        self.notes = tuple(notes)

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of demand, limit, shortfall and levers."""
        known = {"demand": self.demand, "limit": self.limit, "shortfall": self.shortfall, "levers": list(self.levers)}
        return {name: value for name, value in known.items() if value}

    @property
    def diagnostic(self) -> Diagnostic:
        return Diagnostic("error", self.message, self.location, self.op, self.facts, self.notes)

    @property
    def headline(self) -> str:
        """The message with the op in front."""
        return self.diagnostic.headline

    @property
    def all_notes(self) -> tuple[Note, ...]:
        """The facts and the notes, as people read them."""
        return self.diagnostic.all_notes

    def as_json(self) -> dict[str, object]:
        """The error as plain data, with its class as `type`."""
        return {"type": type(self).__name__, **self.diagnostic.as_json()}

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        details = "".join(f"\n  {note.message}" for note in self.all_notes)
        return f"{place}{self.headline}{details}"


class InputError(SambaError):
    """A file, pipeline, option or model that is refused."""


class PassError(SambaError):
    """A pass met a program that it cannot handle."""


class InternalError(SambaError):
    """A pass failed in a way that it did not foresee; `__cause__` is the exception."""


class PluginError(InputError):
    """A plug-in raised an exception that is none of ours; `__cause__` is that exception."""


class CapacityError(SambaError):
    """A demand above what the machine has: demand, limit and shortfall are given."""


class MachineError(InputError):
    """A machine description that is incomplete or contradicts itself."""


class PefError(InputError):
    """A PEF file that cannot be trusted or read."""


class WeightError(InputError):
    """A weight that is missing or does not fit its symbol."""


@dataclass(frozen=True)
class UnsupportedOperator:
    """One operator without a conversion: its name, how often a model uses it, where first, and why not (or nothing)."""

    name: str
    count: int
    places: tuple[Location, ...] = ()
    reason: str = ""

    def as_json(self) -> dict[str, object]:
        places = [place.as_json() for place in self.places]
        why = {"reason": self.reason} if self.reason else {}
        return {"name": self.name, "count": self.count, "places": places, **why}


class UnsupportedOperators(InputError):
    """All unsupported operators of a model at once, with counts and module paths."""

    def __init__(
        self, operators: Sequence[UnsupportedOperator], *, message: str = "", levers: Sequence[str] = ()
    ) -> None:
        self.operators = tuple(operators)
        uses = sum(operator.count for operator in self.operators)
        super().__init__(
            message or f"{len(self.operators)} unsupported operator(s), used {uses} time(s)",
            location=next((place for operator in self.operators for place in operator.places), None),
            notes=[_note_of(operator) for operator in self.operators],
            levers=levers,
        )
        self.args = (self.operators,)  # what another process makes the error of

    @property
    def facts(self) -> dict[str, Any]:
        return {"operators": [operator.as_json() for operator in self.operators], **super().facts}


PLACES_SHOWN = 8


def _note_of(operator: UnsupportedOperator) -> Note:
    paths = [path for path in dict.fromkeys(place.module_path or str(place) for place in operator.places) if path]
    where = f" in {', '.join(paths[:PLACES_SHOWN])}" if paths else ""
    more = ", ..." if len(paths) > PLACES_SHOWN else ""
    first = operator.places[0] if operator.places else None
    why = f": {operator.reason}" if operator.reason else ""
    return Note(f"{operator.name}: {operator.count} use(s){where}{more}{why}", first)


def did_you_mean(name: str, known: tuple[str, ...] | list[str]) -> str:
    """`; did you mean 'samba-fuse'?`, or nothing when no known name is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
