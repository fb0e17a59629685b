"""Diagnostics as people and tools see them: markers, notes, colours, JSON lines."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sambaflow.errors import CapacityError, Diagnostic, InputError, Location, Note
from sambaflow.reporting import LINE_LIMIT, MESSAGE_LIMIT, Reporter, Sources, cut, excerpt, has_color, render


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


SOURCES = Sources({"f": "a = b\n\t%0 = samba.relu %x\r\nlast"})


# The form of clang and MLIR: place, severity, message, source line, marker; a note at the same place shows no line.
def test_a_diagnostic_shows_the_place_the_line_and_a_marker_under_the_word():
    notes = (Note("made here", Location("f", 1, 5)), Note("and here", Location("f", 1, 5)), Note("no place"))
    shown = render(Diagnostic("error", "is odd", Location("f", 2, 7), "samba.relu", notes=notes), SOURCES)
    assert shown.split("\n") == [
        "f:2:7: error: 'samba.relu' op is odd",
        "\t%0 = samba.relu %x",
        "\t     ^~~~~~~~~~",
        "f:1:5: note: made here",
        "a = b",
        "    ^",
        "f:1:5: note: and here",
        "f:2:7: note: no place",
        "\t%0 = samba.relu %x",
        "\t     ^~~~~~~~~~",
    ]


MARKERS = [
    ("a word", "x = foo.bar(1)", 5, "    ^~~~~~~"),
    ("a value", "%0:2 = f", 1, "^~"),
    ("a result of several", "f %0#1", 3, "  ^~~~"),
    ("a string", 'f "a \\" b" c', 3, "  ^~~~~~~~"),
    ("a punctuation", "f(x)", 2, " ^"),
    ("behind the last character", "f(x", 4, "   ^"),
    ("tabs stay tabs", "\t\tf", 3, "\t\t^"),
    ("wide characters take two columns", "変数 = f", 6, "       ^"),
    ("a wide word", "x 変数", 3, "  ^~~~"),
    ("combining marks take none", "e\u0301 f", 4, "  ^"),
    ("no column, no marker", "f(x)", 0, ""),
    ("a column far behind the line, no marker", "f(x)", 40, ""),
]


@pytest.mark.parametrize(("line", "column", "marker"), [row[1:] for row in MARKERS], ids=[row[0] for row in MARKERS])
def test_the_marker_stands_under_the_word(line: str, column: int, marker: str):
    assert excerpt(line, column) == (line, marker)


# A constant of megabytes on one line does not flood the terminal: the part around the place is shown.
@given(before=st.integers(0, 3 * LINE_LIMIT), behind=st.integers(0, 3 * LINE_LIMIT))
def test_a_long_line_is_cut_around_the_place(before: int, behind: int):
    line = "-" * before + "here" + "-" * behind
    shown, marker = excerpt(line, before + 1)
    assert len(shown) <= LINE_LIMIT + len("......")
    assert shown[marker.index("^") :].startswith("here") and marker.strip() == "^~~~"


def columns(text: str) -> int:
    """How wide a terminal shows `text`, by another way than the code's: NFC, then the Unicode width property."""
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in unicodedata.normalize("NFC", text))


@given(st.text("ab変é ", max_size=20))
def test_the_marker_is_as_far_right_as_what_stands_before_it(before: str):
    line = before + "|x"
    _, marker = excerpt(line, len(before) + 1)
    assert marker.index("^") == columns(before)


# What a terminal would obey (colours, cursor movement) is not passed on from an input.
def test_escape_sequences_of_an_input_are_replaced():
    shown = render(Diagnostic("error", "\033[2Jm", Location("f", 1, 1)), Sources({"f": "\033[31m \x07 x"}))
    assert shown == "f:1:1: error: \ufffd[2Jm\n\ufffd[31m \ufffd x\n^"


@pytest.mark.parametrize("size", [0, MESSAGE_LIMIT, MESSAGE_LIMIT + 1, 10 * MESSAGE_LIMIT])
def test_a_message_that_holds_a_whole_module_is_cut_in_its_middle(size: int):
    message = "begin" + "x" * size + "end"
    short = cut(message)
    assert short.startswith("begin") and short.endswith("end") and len(short) <= MESSAGE_LIMIT + len(" [...] ")
    assert (short == message) == (len(message) <= MESSAGE_LIMIT)


def test_the_lines_of_a_file_on_disk_are_shown(tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_bytes(b"one\r\ntwo\r\n")
    shown = render(Diagnostic("warning", "w", Location(str(path), 2, 1)))
    assert shown.split("\n")[1:] == ["two", "^~~"]


# A location may name anything: what is no text file, or has no such line, just shows no line.
@pytest.mark.parametrize("file", ["/dev/zero", "/", "/no/such/file", "a\0b", "f"])
def test_a_place_that_cannot_be_read_shows_no_line(file: str):
    assert render(Diagnostic("error", "m", Location(file, 9, 1)), SOURCES).count("\n") == 0


def test_bytes_that_are_no_text_show_no_line(tmp_path: Path):
    path = tmp_path / "model"
    path.write_bytes(b"\xff\xfe\n")
    assert render(Diagnostic("error", "m", Location(str(path), 1, 1))) == f"{path}:1:1: error: m"


# The figures of an error are notes, once: the message does not repeat them.
def test_facts_are_notes():
    error = CapacityError(
        "does not fit", op="kernel.section", demand="3 PCUs", limit="2 PCUs", shortfall="1 PCUs", levers=["cut", "wait"]
    )
    assert render(error.diagnostic) == (
        "error: 'kernel.section' op does not fit\n"
        "note: needs 3 PCUs, has 2 PCUs, short by 1 PCUs\n"
        "note: try: cut\n"
        "note: try: wait"
    )
    assert str(error).count("3 PCUs") == 1


# A module path says where in the model a line of Python ran; it is said once.
def test_the_module_path_is_a_note_unless_something_says_it():
    place = Location("m.py", 3, module_path="layers.0.mlp")
    assert render(Diagnostic("error", "m", place)).split("\n") == [
        "m.py:3: error: m",
        "m.py:3: note: in module 'layers.0.mlp'",
    ]
    assert "note" not in render(Diagnostic("error", "layers.0.mlp is odd", place))
    assert "note" not in render(Diagnostic("remark", "m", place))
    assert render(Diagnostic("error", "m", Location("", module_path="layers.0"))) == "layers.0: error: m"


COLORS = [
    ("auto", True, {}, True),
    ("auto", False, {}, False),
    ("auto", True, {"NO_COLOR": "1"}, False),
    ("auto", True, {"NO_COLOR": ""}, True),  # no-color.org: an empty variable says nothing
    ("auto", True, {"TERM": "dumb"}, False),
    ("always", False, {"NO_COLOR": "1"}, True),
    ("never", True, {}, False),
]


@pytest.mark.parametrize(("color", "terminal", "environment", "wanted"), COLORS)
def test_colours_are_for_terminals(
    color: str, terminal: bool, environment: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    assert has_color(stream, color) == wanted  # pyright: ignore[reportArgumentType]


# ECMA-48: bold is 1, red 31, magenta 35, blue 34, cyan 36; clang's choice for each severity.
@pytest.mark.parametrize(("severity", "code"), [("error", 31), ("warning", 35), ("remark", 34), ("note", 36)])
def test_each_severity_has_clangs_colour(severity: str, code: int):
    diagnostic = Diagnostic(severity, "m", Location("f", 1, 1))  # pyright: ignore[reportArgumentType]
    shown = render(diagnostic, SOURCES, colored=True)
    assert f"\033[1;{code}m{severity}: \033[0m" in shown
    assert "\033[1;32m^\033[0m" in shown
    # Without its colours it is the same text.
    assert re.sub(r"\033\[[\d;]*m", "", shown) == render(diagnostic, SOURCES)


def test_json_is_one_object_a_line_with_all_fields():
    stream = io.StringIO()
    reporter = Reporter(stream, form="json", color="always")
    place = Location("f", 2, 7, "layers.0")
    reporter.error(InputError("m\nn", op="a.b", location=place, levers=["try"], notes=[Note("n", Location("g", 1))]))
    reporter.warning("w")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first == {
        "severity": "error",
        "message": "m\nn",
        "op": "a.b",
        "file": "f",
        "line": 2,
        "column": 7,
        "module_path": "layers.0",
        "facts": {"levers": ["try"]},
        "notes": [{"message": "n", "file": "g", "line": 1, "column": 0, "module_path": ""}],
    }
    assert (second["severity"], second["file"], second["line"]) == ("warning", "", 0)


def test_a_reporter_counts_what_it_shows():
    reporter = Reporter(io.StringIO())
    reporter.warning("w", Location("f", 1))
    reporter.error(InputError("e"))
    reporter.error(InputError("e"))
    assert (reporter.counts["error"], reporter.counts["warning"], reporter.counts["remark"]) == (2, 1, 0)


# Frontends name Python files from their package on: they are found beside the model, or on Python's path.
def test_files_are_searched_beside_the_model_and_on_pythons_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "model.py").write_text("beside\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "layers.py").write_text("on the path\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    sources = Sources()
    assert sources.line(Location("package/layers.py", 1)) == "on the path"
    sources.folders.append(str(tmp_path / "beside"))
    assert sources.line(Location("model.py", 1)) == "beside"
    assert sources.line(Location("no_such_file.py", 1)) is None
