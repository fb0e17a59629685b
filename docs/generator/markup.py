"""Markdown from Python values: headings, tables, docstrings, links into the source."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = "docs/reference/"
"""Where the generated pages stand; their links are relative to it."""


def page(title: str, introduction: str, *parts: str) -> str:
    """A generated page."""
    note = "*Written by `python docs/generator` from the definitions in the code; edit those.*"
    return "\n\n".join(part.strip("\n") for part in (f"# {title}", note, introduction, *parts) if part) + "\n"


def heading(level: int, text: str) -> str:
    """A heading of that level."""
    return f"{'#' * level} {text}"


def anchor(text: str) -> str:
    """The anchor of a heading: what both forges and the `toc` extension make of it."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; nothing when it has no rows."""
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        return ""
    return "\n".join(f"| {' | '.join(line)} |" for line in ([*header], ["---"] * len(header), *lines))


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def code(text: str, language: str = "mlir") -> str:
    """A fenced block."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def literal(value: object) -> str:
    """Inline code."""
    return f"`{value}`"


def source(path: str | Path) -> str:
    """A link to a file of the repository."""
    name = str(path)
    return f"[`{name}`](../../{name})"


def file_of(thing: object) -> str:
    """The file of the repository that defines a class or function."""
    return str(Path(inspect.getfile(thing)).resolve().relative_to(ROOT))  # pyright: ignore[reportArgumentType]


def docstring(text: str, language: str = "mlir") -> str:
    """A docstring as Markdown: the blocks that it indents become fenced ones of that language."""
    parts: list[str] = []
    for lines, indented in _blocks(inspect.cleandoc(text)):
        parts.append(code(textwrap.dedent("\n".join(lines)), language) if indented else "\n".join(lines))
    return "\n\n".join(parts)


def summary(text: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _blocks(text: str) -> list[tuple[list[str], bool]]:
    """The docstring's paragraphs, neighbouring ones of one kind together, and whether they are indented code."""
    blocks: list[tuple[list[str], bool]] = []
    fenced = False
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.split("\n")
        indented = not fenced and lines[0].startswith("    ")
        fenced ^= sum(line.startswith("```") for line in lines) % 2 == 1
        if blocks and blocks[-1][1] == indented:
            blocks[-1][0].extend(["", *lines])
        else:
            blocks.append((lines, indented))
    return blocks


def without_code(text: str) -> str:
    """Markdown without its fenced blocks, and without the word `Example:` before them."""
    return re.sub(r"(Example:\n+)?^```.*?^```\n*", "", text, flags=re.MULTILINE | re.DOTALL).strip()
