"""How diagnostics are shown: to people as clang and MLIR do, to tools as JSON, one object a line.

model.mlir:3:8: error: 'samba.linear' op operand 1 has 5 columns, the weight takes 4
  %1 = samba.linear %0, %w : (tensor<2x5xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
       ^~~~~~~~~~~~
model.mlir:2:8: note: the operand is made here
  %0 = samba.relu %x : tensor<2x5xf32>
       ^~~~~~~~~~
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Mapping
from typing import Literal, TextIO

from sambaflow.errors import Diagnostic, Location, Note, SambaError, Severity
from sambaflow.files import MOST_STREAMED, read_bytes

Color = Literal["auto", "always", "never"]
Format = Literal["text", "json"]

LINE_LIMIT = 200
"""The most characters of a source line that are shown: constants can make a line of megabytes."""
MESSAGE_LIMIT = 4000
"""The most characters of a message: one that holds a whole module or constant is cut in the middle."""

STYLES: Mapping[str, str] = {
    # as clang: bold, and red, magenta, blue, cyan, green
    "error": "1;31",
    "warning": "1;35",
    "remark": "1;34",
    "note": "1;36",
    "bold": "1",
    "caret": "1;32",
}

# What a place in a source file is the start of: a word of MLIR or Python, or a string.
_TOKEN = re.compile(r'[%^@#!]?\w[\w.$]*(?:#\d+)?|[%^@#!]?"(?:[^"\\]|\\.)*"|->')


class Reporter:
    """Shows diagnostics on one stream, and counts them.

    `sources`: the texts of files that are not on disk (standard input, the text of a pipeline); other files are read
    when a diagnostic points into them. `color`: "auto" is on a terminal, unless the environment sets NO_COLOR.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        form: Format = "text",
        color: Color = "auto",
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self._stream = stream
        self.form: Format = form
        self.color: Color = color
        self.sources = Sources(sources)
        self.counts: dict[Severity, int] = {"error": 0, "warning": 0, "remark": 0, "note": 0}

    @property
    def stream(self) -> TextIO:
        """Standard error as it is now, unless another was given."""
        return self._stream or sys.stderr

    def report(self, diagnostic: Diagnostic) -> None:
        """Show one diagnostic with its notes."""
        self.counts[diagnostic.severity] += 1
        if self.form == "json":
            text = json.dumps({**diagnostic.as_json(), "message": cut(diagnostic.message)})
        else:
            text = render(diagnostic, self.sources, colored=has_color(self.stream, self.color))
        print(text, file=self.stream)

    def error(self, error: SambaError) -> None:
        """Show an error."""
        self.report(error.diagnostic)

    def warning(self, message: str, location: Location | None = None) -> None:
        """Show a warning: the result is there, and may not be what was wanted."""
        self.report(Diagnostic("warning", message, location))


class Sources:
    """Source lines by file name: of the texts that are given, else of files on disk; each file is read once.

    Names of Python files are relative to their package: `folders` are searched, then Python's path.
    """

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._lines: dict[str, list[str] | None] = {}
        self.folders = [""]
        for name, text in (texts or {}).items():
            self.add(name, text)

    def add(self, name: str, text: str) -> None:
        """From now on `text` is what the file `name` holds."""
        self._lines[name] = text.split("\n")

    def line(self, location: Location) -> str | None:
        """The line that `location` points into, without its end; None when it is not known."""
        if not location.file or not location.line:
            return None
        if location.file not in self._lines:
            paths = (os.path.join(folder, location.file) for folder in (*self.folders, *sys.path))
            self._lines[location.file] = next(filter(None, map(_read_lines, paths)), None)
        lines = self._lines[location.file]
        if lines is None or location.line > len(lines):
            return None
        return lines[location.line - 1].removesuffix("\r")


def _read_lines(path: str) -> list[str] | None:
    try:
        if not os.path.isfile(path):  # a pipe would wait, a device never end
            return None
        return read_bytes(path, MOST_STREAMED).decode("utf-8").split("\n")
    except (OSError, ValueError):
        return None


def has_color(stream: TextIO, color: Color) -> bool:
    """Whether to write ANSI colours on `stream`; the flag stands above NO_COLOR (no-color.org)."""
    if color == "auto":
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return color == "always"


def render(diagnostic: Diagnostic, sources: Sources | None = None, *, colored: bool = False) -> str:
    """A diagnostic as text, clang style: the place, the source line with a marker under it, then the notes."""
    sources = sources or Sources({})
    shown = [_render_one(diagnostic.severity, diagnostic.headline, diagnostic.location, sources, colored)]
    last = diagnostic.location
    for note in (*diagnostic.all_notes, *_module_note(diagnostic)):
        place = note.location or diagnostic.location
        # As in MLIR, a note at the same place does not show the line again.
        shown.append(_render_one("note", note.message, place, sources if place != last else None, colored))
        last = place
    return "\n".join(shown)


def _render_one(
    severity: Severity, message: str, location: Location | None, sources: Sources | None, colored: bool
) -> str:
    place = f"{_printable(str(location))}: " if location and str(location) else ""
    text = printable(cut(message))
    head = (
        _paint("bold", place, colored)
        + _paint(severity, f"{severity}: ", colored)
        + _paint("" if severity == "note" else "bold", text, colored)
    )
    line = sources.line(location) if sources and location else None
    if location is None or line is None:
        return head
    shown, marker = excerpt(line, location.column)
    return "\n".join([head, shown, _paint("caret", marker, colored)] if marker else [head, shown])


def _module_note(diagnostic: Diagnostic) -> list[Note]:
    """Where in the model the place is, if it has a file too and nothing has said it."""
    place = diagnostic.location
    if place is None or not place.file or not place.module_path or diagnostic.severity == "remark":
        return []
    said = (diagnostic.message, *(note.message for note in diagnostic.notes))
    return [] if any(place.module_path in text for text in said) else [Note(f"in module '{place.module_path}'")]


def excerpt(line: str, column: int) -> tuple[str, str]:
    """The part of `line` around `column` (from 1), and the marker `^~~~` of the word there, to stand under it.

    Tabs stay tabs in both, characters are as wide as a terminal shows them, and those that a terminal would obey are
    replaced. The marker is empty when the column is not known (0) or behind the line.
    """
    start = column - 1
    first, last = _window(len(line), start)
    head, tail = "..." * (first > 0), "..." * (last < len(line))
    shown = head + _printable(line[first:last]) + tail
    if not 0 <= start <= len(line):
        return shown, ""
    token = _TOKEN.match(line, start, last)
    under = "".join("\t" if char == "\t" else " " * _width(char) for char in head + line[first:start])
    return shown, under + "^" + "~" * (sum(map(_width, token.group())) - 1 if token else 0)


def _window(length: int, start: int) -> tuple[int, int]:
    """The characters of a line to show: all, or those around `start`."""
    if length <= LINE_LIMIT:
        return 0, length
    first = min(max(start - LINE_LIMIT // 3, 0), length - LINE_LIMIT)
    return first, first + LINE_LIMIT


def printable(text: str) -> str:
    """Text for people: what a terminal would obey, in a name that a file gives, is replaced; lines stay lines."""
    return "\n".join(map(_printable, text.split("\n")))


def _printable(text: str) -> str:
    return "".join(char if char == "\t" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _width(char: str) -> int:
    """Columns of a terminal that `char` takes, by Unicode's east asian width."""
    if not char.isprintable():
        return 1  # its replacement
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(message: str) -> str:
    """`message`, its middle left out when it is very long."""
    if len(message) <= MESSAGE_LIMIT:
        return message
    return f"{message[: MESSAGE_LIMIT * 3 // 4]} [...] {message[-MESSAGE_LIMIT // 4 :]}"


def _paint(style: str, text: str, colored: bool) -> str:
    return f"\033[{STYLES[style]}m{text}\033[0m" if colored and style and text else text
