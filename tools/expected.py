"""MLIR's `--verify-diagnostics`: comments in the input say which diagnostics must come, and no other error may.

    // expected-error@+1 {{operand 1 has 5 columns}}
    // expected-note@below {{...}}   // expected-remark {{...}}   // expected-error-re@above {{k = [0-9]+}}
    // expected-error@unknown {{...}}   // expected-error 2 {{...}} must come twice

The place is a line (`@+N`, `@-N`, `@above`, `@below`, `@unknown`, or the comment's own), the text a part of the
message. Notes and remarks that no comment expects are let pass; errors and warnings are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sambaflow.errors import Location

_EXPECTED = re.compile(
    r"expected-(?P<severity>error|warning|remark|note)(?P<regex>-re)?"
    r"(?:@(?P<place>[+-]?\d+|above|below|unknown))?(?:\s+(?P<count>\d+))?\s*\{\{(?P<text>.*?)\}\}"
)


@dataclass(frozen=True)
class Diagnostic:
    """A diagnostic that came."""

    severity: str
    message: str
    location: Location | None


@dataclass(frozen=True)
class Expectation:
    """A diagnostic that must come; `line` 0 is a place that is not known. `location` is where the comment stands."""

    severity: str
    text: str
    regex: bool
    line: int
    location: Location

    def matches(self, found: Diagnostic) -> bool:
        line = found.location.line if found.location else 0
        if self.severity != found.severity or self.line != line:
            return False
        return bool(re.search(self.text, found.message)) if self.regex else self.text in found.message


@dataclass(frozen=True)
class Problem:
    """A diagnostic that did not come, or should not have."""

    message: str
    location: Location | None


def expectations_of(text: str, name: str, line_offset: int = 0) -> list[Expectation]:
    """The expectations in the comments of `text`, which starts after line `line_offset` of the file `name`."""
    expectations: list[Expectation] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        for match in _EXPECTED.finditer(line) if "//" in line else ():
            here = Location(name, number + 1 + line_offset, match.start() + 1)
            target = _target_line(match["place"], number, lines, line_offset)
            one = Expectation(match["severity"], match["text"], match["regex"] is not None, target, here)
            expectations += [one] * int(match["count"] or 1)
    return expectations


def compare(expected: Sequence[Expectation], found: Sequence[Diagnostic]) -> list[Problem]:
    """What is missing and what is unexpected, in the order of the file, then in the order in which it came."""
    left = list(found)
    problems: list[Problem] = []
    for one in expected:
        match = next((diagnostic for diagnostic in left if one.matches(diagnostic)), None)
        if match is None:
            problems.append(Problem(f'expected {one.severity} "{one.text}" was not produced', one.location))
        else:
            left.remove(match)
    for diagnostic in left:
        if diagnostic.severity in ("error", "warning"):
            problems.append(Problem(f"unexpected {diagnostic.severity}: {diagnostic.message}", diagnostic.location))
    return problems


def _target_line(place: str | None, index: int, lines: Sequence[str], line_offset: int) -> int:
    """The line, from 1 in the file, that a comment on `lines[index]` speaks of.

    `above` and `below` skip neighbouring lines that hold only expectations, so that several can stand together.
    """
    if place == "unknown":
        return 0
    if place in ("above", "below"):
        step = -1 if place == "above" else 1
        at = index + step
        while 0 <= at < len(lines) and lines[at].lstrip().startswith("//") and _EXPECTED.search(lines[at]):
            at += step
        return at + 1 + line_offset
    if place is None:
        return index + 1 + line_offset
    distance = int(place)
    return index + 1 + line_offset + distance if place[0] in "+-" else distance
