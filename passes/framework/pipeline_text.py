"""The text form of pipelines that `--pass-pipeline` takes, read into steps and nests.

    pipeline ::= step (`,` step)*                       o1{rules=my.yaml chips=8}
    step     ::= name [`{` option (space option)* `}`]  samba-fuse,kernel-tile
               | anchor `(` pipeline `)`                builtin.module(func.func(samba-canonicalize, samba-cse))
    option   ::= name [`=` value (`,` value)*]          kernel-fuse-stages{scope=groups max-inputs=1e1}

Whitespace may stand between any two tokens; a value may be quoted, with `\\"` for a quote and `\\\\` for a backslash in
it, or a list in brackets. A step with an anchor runs its passes on every op of that name directly inside: on each in
turn all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sambaflow.errors import InputError, Location
from sambaflow.passes.framework.options import unquoted


@dataclass(frozen=True)
class Step:
    """One pass of a pipeline with its options as written, before they are typed."""

    name: str
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True)
class Nest:
    """Steps on every op of a kind, and where they stand in the text."""

    anchor: str
    items: tuple[Step | Nest, ...]
    column: int = 0


PIPELINE_SOURCE = "<pass-pipeline>"
"""The file name of locations inside the text of a pipeline."""


_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[{}(),=\[\]])|"(?P<string>(?:[^"\\]|\\.)*)"|(?P<word>[^\s{}(),=\[\]"]+))""", re.DOTALL
)


class PipelineReader:
    """A recursive descent reader of the grammar above."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []  # kind, text, column
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.error("unterminated string", position)
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()
        self.at = 0

    def pipeline(self) -> list[Step | Nest]:
        steps = self.steps()
        if self.at < len(self.tokens):
            raise self.error(f"unexpected '{self.tokens[self.at][1]}'")
        return steps

    def steps(self) -> list[Step | Nest]:
        steps: list[Step | Nest] = []
        while self.at < len(self.tokens) and self.tokens[self.at][:2] != ("mark", ")"):
            steps.append(self.step())
            if not self.accept(","):
                break
            if self.at == len(self.tokens):
                raise self.error("expected a pass after ','")
        return steps

    def step(self) -> Step | Nest:
        name = self.word("a pass")
        column = self.tokens[self.at - 1][2] + 1
        if self.accept("("):
            inner = self.steps()
            self.expect(")")
            return Nest(name, tuple(inner), column)
        return Step(name, self.options() if self.accept("{") else {})

    def options(self) -> dict[str, tuple[str, ...]]:
        options: dict[str, tuple[str, ...]] = {}
        while not self.accept("}"):
            name = self.word("an option or '}'")
            if name in options:
                raise self.error(f"option '{name}' is given twice")
            options[name] = self.values() if self.accept("=") else ()
        return options

    def values(self) -> tuple[str, ...]:
        bracketed = self.accept("[")
        values = [self.word("a value")]
        while self.accept(","):
            values.append(self.word("a value"))
        if bracketed:
            self.expect("]")
        return tuple(values)

    def accept(self, mark: str) -> bool:
        accepted = self.at < len(self.tokens) and self.tokens[self.at][:2] == ("mark", mark)
        self.at += accepted
        return accepted

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            raise self.error(f"expected '{mark}'")

    def word(self, what: str) -> str:
        if self.at == len(self.tokens) or self.tokens[self.at][0] == "mark":
            raise self.error(f"expected {what}")
        self.at += 1
        kind, text, _ = self.tokens[self.at - 1]
        return unquoted(text) if kind == "string" else text

    def error(self, message: str, position: int | None = None) -> InputError:
        if position is None:
            position = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        return InputError(f"{message} in the pass pipeline", location=Location(PIPELINE_SOURCE, 1, position + 1))
