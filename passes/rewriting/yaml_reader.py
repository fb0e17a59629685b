"""Reads YAML node by node, so that every complaint has its line: what rule files stand on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambaflow import yaml_files
from sambaflow.errors import InputError, Location, did_you_mean
from sambaflow.yaml_files import YamlProblem

if TYPE_CHECKING:
    from yaml import Node as YamlNode

Setting = int | float | bool | str


def read_text(path: Path, what: str) -> str:
    """The text of a file; InputError that names `what` it holds when it cannot be read."""
    try:
        return yaml_files.read(path)
    except (OSError, ValueError, YamlProblem) as error:  # a ValueError: for what no path may hold
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {what}: {reason}", location=Location(str(path))) from None


class YamlReader:
    """Values of YAML nodes, each of the kind that is asked for; InputError with the place of one that is not."""

    def __init__(self, file: str) -> None:
        self.file = file

    def entries(self, text: str, what: str) -> dict[str, YamlNode]:
        """The top of a file, which must be a mapping; none if it is empty."""
        try:
            root = yaml_files.compose(text)
        except YamlProblem as problem:
            raise self._problem(problem, "not YAML: ") from None
        return {} if root is None else self.mapping(root, what)

    def mapping(self, node: YamlNode, what: str, known: Sequence[str] | None = None) -> dict[str, YamlNode]:
        """The values by key. `known`: the keys that there may be (`"set "`: all that begin so); any if not given."""
        import yaml

        if not isinstance(node, yaml.MappingNode):
            raise self.error(f"{what} must be a mapping", node)
        prefixes = tuple(name for name in known or () if name.endswith(" "))
        try:
            pairs = yaml_files.entries(node)
        except YamlProblem as problem:
            raise self._problem(problem, f"{what}: ") from None
        entries: dict[str, YamlNode] = {}
        for key, value in pairs.values():
            name = str(self.value(key))
            if known is not None and name not in known and not name.startswith(prefixes):
                raise self.error(f"{what} has an unknown key '{name}'{did_you_mean(name, list(known))}", key)
            entries[name] = value
        return entries

    def prefixed(self, entries: dict[str, YamlNode], prefix: str) -> dict[str, YamlNode]:
        """The entries whose keys begin with `prefix`, by the rest of the key; taken out of `entries`."""
        keys = [key for key in entries if key.startswith(prefix)]
        return {key.removeprefix(prefix).strip(): entries.pop(key) for key in keys}

    def names(self, node: YamlNode) -> tuple[str, ...]:
        value = self.value(node)
        names: list[Any] = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) for name in names):
            raise self.error("expected a name or a list of names", node)
        return tuple(names)

    def flag(self, node: YamlNode) -> bool:
        value = self.value(node)
        if not isinstance(value, bool):
            raise self.error("expected true or false", node)
        return value

    def integer(self, node: YamlNode) -> int:
        value = self.value(node)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error("expected an integer", node)
        return value

    def setting(self, node: YamlNode) -> Setting:
        value = self.value(node)
        if not isinstance(value, Setting):
            raise self.error("expected a number, a flag or a name", node)
        return value

    def value(self, node: YamlNode) -> Any:
        try:
            return yaml_files.plain(node)
        except YamlProblem as problem:
            raise self._problem(problem) from None

    def _problem(self, problem: YamlProblem, what: str = "") -> InputError:
        return InputError(f"{what}{problem.message}", location=Location(self.file, problem.line, problem.column))

    def place(self, node: YamlNode) -> Location:
        return Location(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def error(self, message: str, node: YamlNode) -> InputError:
        return InputError(message, location=self.place(node))
