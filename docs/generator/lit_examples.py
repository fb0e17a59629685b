"""The use of each op in the lit tests: the shortest one, as it stands there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xdsl.ir import Operation

from markup import ROOT
from sambaflow.diagnostics import location_of
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import SambaError
from sambaflow.passes.framework.context import SambaContext

FOLDERS = ("test/dialects", "test/passes")
"""Where real IR is looked for: an op is shown from the first folder that has it."""
SEPARATOR = "// -----"
REFUSED = ("invalid", "refused", "errors")
"""Tests of refusals, by their names: what they accept is not there to be looked at."""


@dataclass(frozen=True)
class Example:
    """A piece of a lit test."""

    file: str
    text: str

    @property
    def size(self) -> tuple[int, int]:
        return self.text.count("\n"), len(self.text)


@cache
def examples() -> Mapping[str, Example]:
    """The shortest use of every op, by the op's name."""
    shortest: dict[str, Example] = {}
    for folder in FOLDERS:
        here: dict[str, Example] = {}
        for path in sorted((ROOT / folder).rglob("*.mlir")):
            if path.stem.endswith(REFUSED):
                continue
            for name, example in _uses(path):
                if name not in here or example.size < here[name].size:
                    here[name] = example
        shortest = here | shortest
    return shortest


def _uses(path: Path) -> Iterator[tuple[str, Example]]:
    for piece in path.read_text().split(SEPARATOR):
        if "expected-error" in piece or "RUN: not" in piece:
            continue
        try:
            module = parse_module(piece, path.name, SambaContext())
        except SambaError:
            continue
        lines = piece.split("\n")
        for op in module.walk():
            if op.name.startswith(("samba.", "kernel.", "rdu.")):
                yield op.name, Example(str(path.relative_to(ROOT)), _text_of(op, lines))


def _text_of(op: Operation, lines: list[str]) -> str:
    """The lines from an op's first to its last, at the margin."""
    first = _line(op)
    last = first
    depth = 0
    end = _line(op.next_op) if op.next_op is not None else len(lines)
    for number in range(first, max(end, first + 1)):
        line = lines[number].split("//")[0]
        depth += sum(line.count(mark) for mark in "({[") - sum(line.count(mark) for mark in ")}]")
        if depth < 0:
            break
        if line.strip():
            last = number
    taken = [line for line in lines[first : last + 1] if not line.strip().startswith("//")]
    margin = min(len(line) - len(line.lstrip()) for line in taken if line.strip())
    return "\n".join(line[margin:] for line in taken)


def _line(op: Operation) -> int:
    place = location_of(op)
    return place.line - 1 if place else 0
