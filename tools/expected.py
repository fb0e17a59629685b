"""MLIR's `--verify-diagnostics`: comments in the input say which diagnostics must come, and no others may.

    // expected-error@+1 {{operand 1 has 5 columns}}
    // expected-note@below {{made here}}
    // expected-error-re@above {{needs {{[0-9]+}} bytes}}
    // expected-warning@unknown {{...}}
    // expected-remark@+2 3 {{...}}

One stands at the end of a line. Its place is a line (`@+N`, `@-N`, `@above`, `@below`, or the comment's own) or
`@unknown`, outside of the input; `above` and `below` pass over lines with expectations. The text is a part of the
message; with `-re`, what stands in inner braces is a regular expression. It must come once at least; a count, which is
clang's, says exactly how often, with `+` at least. Unlike MLIR, a comment that looks like one of these and is not is an
error itself, instead of being passed over.

As in MLIR every diagnostic must be expected, notes too. Remarks come in MLIR when a flag asks for them; here they count
when `--remarks` asks for them, or when the input expects one. `--verify-diagnostics=only-expected` lets all pass that
is not expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sambaflow.errors import Diagnostic, Location

_EXPECTED = re.compile(
    r"expected-(?P<severity>error|warning|remark|note)(?P<regex>-re)?"
    r" *(?:@(?P<place>[+-]\d+|above|below|unknown))? *(?P<count>\d+\+?)? *\{\{(?P<text>.*)\}\}$"
)
_MEANT = re.compile(r"//.*\b(expected-(?:error|warning|remark|note)).*\{\{")


@dataclass(frozen=True)
class Expectation:
    """A diagnostic that must come, from `least` to `most` times (None: any number); `line` 0 is outside of the input.

    `location` is where the comment stands, `text` what it says, `problem` why it cannot be read.
    """

    severity: str
    text: str
    line: int
    location: Location
    pattern: re.Pattern[str] = re.compile("")
    least: int = 1
    most: int | None = None
    problem: str = ""

    def is_at(self, diagnostic: Diagnostic) -> bool:
        place = diagnostic.location
        inside = place is not None and place.file == self.location.file and place.line > 0
        return self.line == (place.line if place is not None and inside else 0)

    def matches(self, diagnostic: Diagnostic) -> bool:
        return self.is_at(diagnostic) and self.severity == diagnostic.severity and self.says(diagnostic)

    def says(self, diagnostic: Diagnostic) -> bool:
        return not self.problem and self.pattern.search(diagnostic.headline) is not None


def expectations_of(text: str, name: str, line_offset: int = 0) -> list[Expectation]:
    """The expectations in the comments of `text`, which starts after line `line_offset` of the file `name`."""
    lines = [line.rstrip() for line in text.split("\n")]
    expected: list[Expectation] = []
    for number, line in enumerate(lines):
        if match := _EXPECTED.search(line):
            here = Location(name, number + 1 + line_offset, match.start() + 1)
            expected.append(_expectation(match, _target_line(match["place"], number, lines, line_offset), here))
        elif match := _MEANT.search(line):
            here = Location(name, number + 1 + line_offset, match.start(1) + 1)
            expected.append(Expectation("error", "", 0, here, problem="this is not the form of an expected diagnostic"))
    return expected


def compare(
    expected: Sequence[Expectation],
    diagnostics: Iterable[Diagnostic],
    *,
    remarks: bool = False,
    only_expected: bool = False,
) -> list[Diagnostic]:
    """What is unexpected, in the order in which it came, then what is missing; each an error in MLIR's words.

    `remarks`: whether they were asked for; if not, they count when one is expected. `only_expected`: nothing is
    unexpected.
    """
    remarks = remarks or any(expectation.severity == "remark" for expectation in expected)
    came = [0] * len(expected)
    unexpected: list[Diagnostic] = []
    for diagnostic in (part for whole in diagnostics for part in whole.flat()):
        if diagnostic.severity == "remark" and not remarks:
            continue
        at = _match(diagnostic, expected, came)
        if at is not None:
            came[at] += 1
        elif not only_expected:
            unexpected.append(_unexpected(diagnostic, expected))
    missing = [_missing(expectation, times) for expectation, times in zip(expected, came, strict=True)]
    return unexpected + [problem for problem in missing if problem is not None]


def _match(diagnostic: Diagnostic, expected: Sequence[Expectation], came: Sequence[int]) -> int | None:
    """The number of the expectation that a diagnostic meets: one that lacks some, else one that may have more."""
    fitting = [i for i, expectation in enumerate(expected) if expectation.matches(diagnostic)]
    for i in fitting:
        if came[i] < expected[i].least:
            return i
    return next((i for i in fitting if (most := expected[i].most) is None or came[i] < most), None)


def _missing(expectation: Expectation, times: int) -> Diagnostic | None:
    if expectation.problem:
        return Diagnostic("error", expectation.problem, expectation.location)
    if times >= expectation.least:
        return None
    often = f" {expectation.least} times, but {times}" if expectation.least > 1 else ""
    return Diagnostic(
        "error", f'expected {expectation.severity} "{expectation.text}" was not produced{often}', expectation.location
    )


def _unexpected(diagnostic: Diagnostic, expected: Sequence[Expectation]) -> Diagnostic:
    for expectation in expected:
        if (
            expectation.is_at(diagnostic)
            and expectation.says(diagnostic)
            and expectation.severity != diagnostic.severity
        ):
            message = f"'{diagnostic.severity}' diagnostic emitted when expecting a '{expectation.severity}'"
            return Diagnostic("error", message, expectation.location)
    return Diagnostic("error", f"unexpected {diagnostic.severity}: {diagnostic.headline}", diagnostic.location)


def _expectation(match: re.Match[str], line: int, here: Location) -> Expectation:
    severity, text, count = match["severity"], match["text"], match["count"]
    least = int(count.rstrip("+")) if count else 1
    most = least if count and not count.endswith("+") else None
    try:
        pattern = _pattern(text) if match["regex"] else re.compile(re.escape(text))
    except ValueError as error:
        return Expectation(severity, text, line, here, problem=str(error))
    return Expectation(severity, text, line, here, pattern, least, most)


def _pattern(text: str) -> re.Pattern[str]:
    """The text, taken literally but for the regular expressions in its inner braces; ValueError when one is wrong."""
    parts: list[str] = []
    rest = text
    while rest:
        literal, opened, rest = rest.partition("{{")
        parts.append(re.escape(literal))
        if opened:
            inner, closed, rest = rest.partition("}}")
            if not closed:
                raise ValueError("found start of regex with no end '}}'")
            try:
                parts.append(f"(?:{re.compile(inner).pattern})")
            except re.error as error:
                raise ValueError(f"invalid regex: {error}") from None
    return re.compile("".join(parts))


def _target_line(place: str | None, index: int, lines: Sequence[str], line_offset: int) -> int:
    """The line, from 1 in the file, that a comment on `lines[index]` speaks of; 0: none."""
    if place == "unknown":
        return 0
    if place in ("above", "below"):
        step = -1 if place == "above" else 1
        at = index + step
        while 0 <= at < len(lines) and _EXPECTED.search(lines[at]):
            at += step
        return at + 1 + line_offset
    return index + 1 + line_offset + int(place or 0)
