"""`--verify-diagnostics`: which comments are expectations, and what is missing or unexpected, as MLIR decides it.

The rules are those of mlir/lib/IR/Diagnostics.cpp, SourceMgrDiagnosticVerifierHandler.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sambaflow.errors import Diagnostic, InputError, Location, Note, Severity
from sambaflow.tools.expected import compare, expectations_of

FORMS = [
    ("x // expected-error {{a}}", [("error", 1, "a")]),
    ("// expected-error@+1 {{a}}\nx", [("error", 2, "a")]),
    ("x\n// expected-error@-1 {{a}}", [("error", 1, "a")]),
    ("// expected-warning @+2 {{a}}", [("warning", 3, "a")]),
    ("// expected-error@below {{a}}\n// expected-note@below {{b}}\nx", [("error", 3, "a"), ("note", 3, "b")]),
    ("x\n// expected-error@above {{a}}\n// expected-note@above {{b}}", [("error", 1, "a"), ("note", 1, "b")]),
    ("// expected-error@unknown {{a}}", [("error", 0, "a")]),
    ("// expected-error {{a}} b}}  \t", [("error", 1, "a}} b")]),  # to the end of the line
    ("// expected-error {{}}", [("error", 1, "")]),
    ('"expected-error {{in a string}}"', []),
    ("// an expected-error or expected-note is a comment", []),
]


@pytest.mark.parametrize(("text", "wanted"), FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_forms_of_expectations(text: str, wanted: list[tuple[str, int, str]], newline: str):
    expectations = expectations_of(text.replace("\n", newline), "f")
    assert [(expectation.severity, expectation.line, expectation.text) for expectation in expectations] == wanted


def problems(text: str, *diagnostics: Diagnostic, remarks: bool = False, only_expected: bool = False) -> list[str]:
    expected = expectations_of(text, "f")
    return [
        f"{d.location}: {d.message}"
        for d in compare(expected, diagnostics, remarks=remarks, only_expected=only_expected)
    ]


def came(severity: Severity, message: str, line: int = 1, file: str = "f") -> Diagnostic:
    return Diagnostic(severity, message, Location(file, line, 1))


SEVERITIES: list[Severity] = ["error", "warning", "remark", "note"]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_what_is_expected_and_comes_is_no_problem(severity: Severity):
    assert problems(f"// expected-{severity} {{{{odd}}}}", came(severity, "is odd")) == []


@pytest.mark.parametrize("severity", SEVERITIES)
def test_what_does_not_come_is_missing(severity: Severity):
    text = f"x\n// expected-{severity}@-1 {{{{odd}}}}"
    wanted = f'f:2:4: expected {severity} "odd" was not produced'
    assert problems(text, remarks=True) == problems(text, only_expected=True) == [wanted]
    # Another place, another text, another file, no place: each is missing and unexpected.
    for other in (came(severity, "odd", 2), came(severity, "even"), came(severity, "odd", file="g")):
        assert problems(text, other, remarks=True) == [
            f"{other.location}: unexpected {severity}: {other.message}",
            wanted,
        ]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_what_is_not_expected_is_a_problem(severity: Severity):
    assert problems("", came(severity, "m"), remarks=True) == [f"f:1:1: unexpected {severity}: m"]
    assert problems("", came(severity, "m"), remarks=True, only_expected=True) == []


# MLIR's remarks come when a flag asks for them; here also when the input expects one.
def test_remarks_count_when_they_are_asked_for():
    assert problems("", came("remark", "m")) == []
    assert problems("// expected-remark {{n}}", came("remark", "n"), came("remark", "m")) == [
        "f:1:1: unexpected remark: m"
    ]


# An error's notes are diagnostics of their own, at its place unless they have one.
def test_notes_of_an_error_are_expected_each():
    error = InputError("m", op="a.b", location=Location("f", 1), levers=["l"], notes=[Note("n", Location("f", 2))])
    text = "// expected-error {{'a.b' op m}}\n// expected-note {{n}}\n"
    assert problems(text, error.diagnostic) == ["f:1: unexpected note: try: l"]
    assert problems(text + "// expected-note@1 {{l}}", error.diagnostic)[-1].startswith("f:3:4: this is not the form")
    assert problems(text + "// expected-note@-2 {{try: l}}", error.diagnostic) == []


# What has no place in the input (another file, none at all) is at @unknown.
@pytest.mark.parametrize("place", [None, Location("model.py", 1), Location("f"), Location("", module_path="layers.0")])
def test_unknown_is_outside_of_the_input(place: Location | None):
    assert problems("// expected-error@unknown {{m}}", Diagnostic("error", "m", place)) == []
    assert len(problems("// expected-error {{m}}", Diagnostic("error", "m", place))) == 2
    assert len(problems("// expected-error@unknown {{m}}", came("error", "m"))) == 2


def test_the_wrong_severity_is_a_near_miss():
    text = "// expected-warning {{m}}"
    assert problems(text, came("error", "m"))[0] == "f:1:4: 'error' diagnostic emitted when expecting a 'warning'"


# As in MLIR, one expectation is met by all that fit it; a count (clang's) says how many.
COUNTS = [
    ("", 1, None),
    (" 2", 2, 2),
    (" 0", 0, 0),
    (" 2+", 2, None),
]


@given(st.sampled_from(COUNTS), st.integers(0, 4))
def test_counts(row: tuple[str, int, int | None], times: int):
    count, least, most = row
    reported = problems(f"// expected-error{count} {{{{m}}}}", *[came("error", "m")] * times)
    surplus = 0 if most is None else max(times - most, 0)
    assert len(reported) == surplus + (times < least)


def test_one_expectation_each_before_any_twice():
    text = "// expected-error {{m}}\n// expected-error@-1 {{m}}"
    assert problems(text, came("error", "m"), came("error", "m")) == []
    assert len(problems(text, came("error", "m"))) == 1


REGULAR = [
    ("needs {{[0-9]+}} bytes", "needs 12 bytes", True),
    ("needs {{[0-9]+}} bytes", "needs many bytes", False),
    ("[0-9]+", "12", False),  # outside of braces everything is itself
    ("k = {{[0-9]+}}", "k = 7", True),
    ("{{a|b}}c", "bc", True),
    ("{{a|b}}c", "a", False),  # an alternative ends at its braces
]


@pytest.mark.parametrize(("text", "message", "fits"), REGULAR)
def test_regular_expressions_stand_in_inner_braces(text: str, message: str, fits: bool):
    assert (problems(f"// expected-error-re {{{{{text}}}}}", came("error", message)) == []) == fits


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("expected-error-re {{a {{b}}", "f:1:4: found start of regex with no end '}}'"),
        ("expected-error-re {{a {{(}} b}}", "f:1:4: invalid regex"),
        ("expected-error@belw {{a}}", "f:1:4: this is not the form of an expected diagnostic"),
        ("expected-error@7 {{a}}", "f:1:4: this is not the form of an expected diagnostic"),
        ("expected-error {{a}} and more", "f:1:4: this is not the form of an expected diagnostic"),
    ],
)
def test_what_cannot_be_read_is_a_problem(comment: str, problem: str):
    (reported,) = problems(f"// {comment}")
    assert reported.startswith(problem)
