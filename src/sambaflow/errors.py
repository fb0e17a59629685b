"""Errors are data: every error that sambaflow raises carries its facts as fields, and one reporter prints them.

The ground floor: nothing of sambaflow, xDSL or torch is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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


@dataclass(frozen=True)
class Note:
    """A remark that belongs to an error: where else to look, and why."""

    message: str
    location: Location | None = None


class SambaError(Exception):
    """The root of the family.

    `op` is the name of the operation, `demand` what it needs, `limit` what there is, `shortfall` their difference
    (all as text with units), and `levers` what the user can change.
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
    def headline(self) -> str:
        """The message with the op in front: `'samba.linear' op operand has the wrong shape`."""
        return f"'{self.op}' op {self.message}" if self.op else self.message

    @property
    def all_notes(self) -> tuple[Note, ...]:
        """The demand, limit and shortfall, then the notes, then what can be changed."""
        facts = [("needs", self.demand), ("has", self.limit), ("short by", self.shortfall)]
        balance = ", ".join(f"{name} {value}" for name, value in facts if value)
        levers = tuple(Note(f"try: {lever}") for lever in self.levers)
        return (*([Note(balance)] if balance else []), *self.notes, *levers)

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        details = "".join(f"\n  {note.message}" for note in self.all_notes)
        return f"{place}{self.headline}{details}"


class InputError(SambaError):
    """A file, pipeline, option or model that is refused."""


class PassError(SambaError):
    """A pass met a program that it cannot handle."""


class CapacityError(SambaError):
    """A demand above what the machine has."""


class MachineError(InputError):
    """A machine description that is incomplete or contradicts itself."""


class PefError(InputError):
    """A PEF file that cannot be trusted or read."""


class WeightError(InputError):
    """A weight that is missing or does not fit its symbol."""


@dataclass(frozen=True)
class UnsupportedOperator:
    """One operator without a conversion: its name, how often a model uses it, and where first."""

    name: str
    count: int
    places: tuple[Location, ...] = ()


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


def _note_of(operator: UnsupportedOperator) -> Note:
    paths = [place.module_path or str(place) for place in operator.places]
    where = f" in {', '.join(paths)}" if paths else ""
    return Note(f"{operator.name}: {operator.count} use(s){where}", operator.places[0] if operator.places else None)
