"""YAML that people give us, read as plain data: bounded, and every complaint with its line.

Anchors and aliases (a few of them stand for billions of values), tags (they name Python objects), several documents and
duplicate keys are refused, and so are numbers that are none.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambaflow.files import read_bytes

if TYPE_CHECKING:
    from yaml import Node

MOST_BYTES = 1 << 20
"""Of a file: the largest that comes with us has 20 KB."""
MOST_NESTED = 32
"""Collections one inside the other: readers go into them by recursion."""


class YamlProblem(Exception):
    """What is wrong with a file or its text; `line` and `column` count from 1, and are 0 where there is none."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def read(path: Path) -> str:
    """The text of a file. OSError when it cannot be read, YamlProblem when it is no file, too large or no text."""
    if path.exists() and not path.is_file():
        raise YamlProblem("is no file")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise YamlProblem(f"has {size} bytes, more than {MOST_BYTES}")
    try:
        return read_bytes(path, MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise YamlProblem("not UTF-8 text") from None


def compose(text: str) -> Node | None:
    """The nodes of one document; None if it is empty. YamlProblem with a line for what is not read here."""
    import yaml

    # the C reader, where PyYAML has it, is ten times faster
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml.parse(text, Loader=loader))
        return yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # an error about a character has a reason, and no mark
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise YamlProblem(str(problem), *((mark.line + 1, mark.column + 1) if mark else (0, 0))) from None


def _check_events(events: Any) -> None:
    """What stands in a document, before anything is built of it."""
    import yaml

    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _at("anchors and aliases are not read here: write the value where it is used", event)
        if getattr(event, "tag", None) not in (None, "!"):
            raise _at("tags are not read here: write a plain value", event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_NESTED:
                raise _at(f"more than {MOST_NESTED} collections stand one inside the other", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def plain(node: Node) -> Any:
    """The value of a node: dicts, lists, texts, flags, None, and numbers that are finite. YamlProblem for others."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        return {key: plain(value) for key, (_, value) in entries(node).items()}
    if isinstance(node, yaml.SequenceNode):
        return [plain(child) for child in node.value]
    try:
        value = yaml.SafeLoader("").construct_document(node)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # ValueError: thousands of digits, the 99th of a month
        raise _at(f"no plain value: {getattr(error, 'problem', None) or error}", node) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _at(f"{node.value} is no finite number", node)
    return value


def entries(node: Node) -> dict[Any, tuple[Node, Node]]:
    """Key and value nodes of a mapping by key. YamlProblem about a key that is given twice, or is a collection."""
    import yaml

    values: dict[Any, tuple[Node, Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _at("a key is a name, not a collection", key)
        name = plain(key)
        if name in values:
            raise _at(f"'{name}' is given twice: first in line {values[name][0].start_mark.line + 1}", key)
        values[name] = key, value
    return values


def places(node: Node, prefix: str = "") -> dict[str, tuple[int, int]]:
    """Line and column of each key in mappings of mappings, by its path: `a.b`."""
    import yaml

    positions: dict[str, tuple[int, int]] = {}
    if isinstance(node, yaml.MappingNode):
        for name, (key, value) in entries(node).items():
            positions[f"{prefix}{name}"] = key.start_mark.line + 1, key.start_mark.column + 1
            positions |= places(value, f"{prefix}{name}.")
    return positions


def _at(message: str, place: Any) -> YamlProblem:
    return YamlProblem(message, place.start_mark.line + 1, place.start_mark.column + 1)
