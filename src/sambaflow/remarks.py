"""Remarks: what passes did, did not do and found out, as people, viewers and tools read it.

In YAML they have the form of LLVM's optimization records, which opt-viewer, llvm-remarkutil and editors read:

    --- !Missed
    Pass:            samba-fuse
    Name:            RuleSambaSoftmaxLiesOnAPath
    DebugLoc:        { File: 'ffn.mlir', Line: 9, Column: 8 }
    Function:        forward
    Args:
      - Op:              'samba.softmax'
      - String:          ': rule ''llama2_ffn'': samba.softmax lies on a path'
      - String:          ' (matched = '
      - matched:         '6'
      - String:          ')'
    ...
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sambaflow.errors import NOWHERE, Diagnostic, InputError, Location

Fact = str | int | float | bool
RemarkKind = Literal["applied", "missed", "analysis"]


@dataclass(frozen=True)
class Remark:
    """One decision of a pass: what it did (applied), what it refused and why (missed), or what it found (analysis).

    `function` names the symbols around the op, outermost first: `forward::section_0`.
    """

    kind: RemarkKind
    pass_name: str
    message: str
    op: str = ""
    location: Location | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])
    function: str = ""

    @property
    def diagnostic(self) -> Diagnostic:
        """`[samba-fuse] applied: rule 'base_gemm' made a module (ops = 1)`."""
        facts = ", ".join(f"{name} = {value}" for name, value in self.facts.items())
        message = f"[{self.pass_name}] {self.kind}: {self.message}" + (f" ({facts})" if facts else "")
        return Diagnostic("remark", message, self.location, self.op, self.facts)

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        return f"{place}remark: {self.diagnostic.message}"

    def as_json(self) -> dict[str, object]:
        """The same as plain data, for tools."""
        return {
            "kind": self.kind,
            "pass": self.pass_name,
            "message": self.message,
            "op": self.op,
            "function": self.function,
            **(self.location or NOWHERE).as_json(),
            "facts": dict(self.facts),
        }


class RemarkFilter:
    """Which passes' remarks are wanted: names or regular expressions of names, between commas; all when empty.

    >>> RemarkFilter("samba-fuse,kernel-.*").wants("kernel-tile")
    True

    Raises InputError for what is no regular expression.
    """

    def __init__(self, text: str = "") -> None:
        self.patterns: list[re.Pattern[str]] = []
        for part in filter(None, text.split(",")):
            try:
                self.patterns.append(re.compile(part))
            except re.error as error:
                raise InputError(f"'{part}' names no passes: {error}") from None

    def wants(self, pass_name: str) -> bool:
        return not self.patterns or any(pattern.fullmatch(pass_name) for pattern in self.patterns)

    def select(self, remarks: Iterable[Remark]) -> list[Remark]:
        """The wanted ones, in their order."""
        return [remark for remark in remarks if self.wants(remark.pass_name)]


def remarks_as_json(remarks: Sequence[Remark]) -> str:
    """A JSON list, a row for each remark."""
    return json.dumps([remark.as_json() for remark in remarks], indent=1) + "\n"


def remarks_as_yaml(remarks: Sequence[Remark]) -> str:
    """YAML documents as LLVM writes them (`llvm/lib/Remarks/YAMLRemarkSerializer.cpp`)."""
    return "".join(f"{line}\n" for remark in remarks for line in _document(remark))


FORMATS = {".json": remarks_as_json, ".yaml": remarks_as_yaml, ".yml": remarks_as_yaml}


def remarks_text(remarks: Sequence[Remark], path: str) -> str:
    """The remarks in the format that the name of the file asks for. Raises InputError for any other name."""
    for ending, text_of in FORMATS.items():
        if path.endswith(ending):
            return text_of(remarks)
    raise InputError(f"no format of remarks ends so; these do: {', '.join(FORMATS)}", location=Location(path))


TAGS: Mapping[RemarkKind, str] = {"applied": "Passed", "missed": "Missed", "analysis": "Analysis"}


def _document(remark: Remark) -> Iterator[str]:
    yield f"--- !{TAGS[remark.kind]}"
    yield _entry("Pass", remark.pass_name)
    yield _entry("Name", name_of(remark.message))
    place = remark.location
    if place is not None and place.file:
        yield f"DebugLoc:        {{ File: {_scalar(place.file)}, Line: {place.line}, Column: {place.column} }}"
    yield _entry("Function", remark.function or "builtin.module")  # LLVM's reader wants a name
    yield "Args:"
    for key, value in _arguments(remark):
        yield "  - " + _entry(key, value)
    yield "..."


def _arguments(remark: Remark) -> Iterator[tuple[str, str]]:
    """The message in parts, its facts under their names: viewers put the values together and get the sentence."""
    if remark.op:
        yield "Op", remark.op
        yield "String", ": "
    yield "String", remark.message
    for i, (name, value) in enumerate(remark.facts.items()):
        yield "String", f"{', ' if i else ' ('}{name} = "
        yield name, str(value)
    if remark.facts:
        yield "String", ")"


def name_of(message: str) -> str:
    """The kind of remark that a message is an instance of, which viewers count by: its words, without what is quoted.

    >>> name_of("rule 'base_gemm' made a module")
    'RuleMadeAModule'
    """
    words = re.findall(r"[A-Za-z]+", re.sub(r"'[^']*'|\S*[@%\d]\S*", " ", message))
    return "".join(word[:1].upper() + word[1:] for word in words) or "Remark"


def _entry(key: str, value: str) -> str:
    return f"{key + ':':<16} {_scalar(value)}"


def _scalar(text: str) -> str:
    """A YAML scalar that is read back as this very string."""
    if all(char.isprintable() for char in text):
        return "'" + text.replace("'", "''") + "'"
    escaped = (char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in text)
    return '"' + "".join(escaped) + '"'
