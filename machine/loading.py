"""Machine files: YAML -> Machine, with an error that names the key; Machine <-> plain dict for embedding in a PEF.

A value stands with its mark and source, or bare:

    clock: {value: 1.6e9, mark: derived, source: "638 TFLOPS over 1040 x 384 flop a cycle"}
    clock: 1.6e9

`extends: sn40l` takes every key that is not given from that machine; `tiers: {hbm: null}` removes a tier that it has.
"""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeAlias, cast, get_type_hints

from sambaflow import plugins, yaml_files
from sambaflow.errors import Location, MachineError
from sambaflow.machine.model import Machine, Rule, Tier
from sambaflow.yaml_files import YamlProblem

MARKS = ("published", "derived", "assumed")
TIERS = ("hbm", "ddr")
OWN = ("sn10", "sn30", "sn40l")
_FOLDER = Path(__file__).parent
_FLOAT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")  # YAML 1.1 reads 1.6e9 as a string; people mean the number


@dataclass(frozen=True)
class Provenance:
    """Where a value of a machine file comes from."""

    key: str
    value: object
    mark: str
    source: str


def names() -> tuple[str, ...]:
    """The machines that come with the toolkit, then those that packages add (`sambaflow.plugins`)."""
    return (*OWN, *plugins.plugins("machines"))


def load(name: str) -> Machine:
    """The machine of that name, or of the YAML file at that path. Raises MachineError naming file and key.

    Files are read each time, so that an edited one counts; what was read before is not built again.
    """
    return _built(_sources(name))


def provenance(name: str) -> tuple[Provenance, ...]:
    """Every value of a machine file with its mark ("published", "derived", "assumed", or "" if bare) and source."""

    def walk(node: Any, prefix: str) -> list[Provenance]:
        if isinstance(node, _Entry):
            return [Provenance(prefix, node.value, node.mark, node.source)]
        if isinstance(node, dict):
            items = cast(dict[str, Any], node).items()
            return [row for key, child in items for row in walk(child, f"{prefix}.{key}" if prefix else key)]
        return []

    return tuple(walk(_resolve(_sources(name)), ""))


def to_dict(machine: Machine) -> dict[str, Any]:
    """Plain values, in field order: what a PEF embeds. Sources stay in the YAML file."""

    def plain(value: Any) -> Any:
        if is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        if isinstance(value, Mapping):
            return {key: plain(child) for key, child in cast(Mapping[str, Any], value).items()}
        return value

    return plain(machine)


def from_dict(data: Mapping[str, Any], file: str = "embedded machine") -> Machine:
    """The inverse of `to_dict`. Raises MachineError as `load` does."""
    return _build(data, lambda key: Location(file))


def check_same_structure(mapped: Machine, other: Machine) -> None:
    """A program mapped for one machine runs on another if they differ in rates only.

    Raises MachineError that lists every structural value that differs.
    """
    ours, theirs = _structure(to_dict(mapped), Machine, ""), _structure(to_dict(other), Machine, "")
    keys = [key for key in dict.fromkeys((*ours, *theirs)) if ours.get(key) != theirs.get(key)]
    if keys:
        differences = ", ".join(f"{key} = {theirs.get(key)} (mapped for {ours.get(key)})" for key in keys)
        raise MachineError(
            f"{other.name}: this machine differs in structure from {mapped.name}: {differences}",
            levers=("change rates only", "compile again for this machine"),
        )


# --- reading


@dataclass(frozen=True)
class _Entry:
    value: object
    mark: str
    source: str


At: TypeAlias = Callable[[str], Location]
"""Where a key stands, by its path: `pcu.lanes`."""


def _refuse(at: At, key: str, value: object, allowed: str) -> MachineError:
    return MachineError(f"key '{key}': found {value!r}, allowed: {allowed}", location=at(key))


def _path(name: str) -> Path:
    """The file of a machine: one of ours, else that of a package, else `name` is a path itself."""
    if name in OWN:
        return _FOLDER / f"{name}.yaml"
    added = None if "/" in name or name.endswith(".yaml") else plugins.load("machines", name, object)
    if added is None:
        return Path(name)
    if not isinstance(added, str | Path):
        raise MachineError(f"the entry point '{name}' of sambaflow.machines leads to no path but {added!r}")
    return Path(added)


@dataclass(frozen=True)
class _Source:
    """A machine file as it was read."""

    file: str
    text: str


@cache
def _own_text(name: str) -> str:
    """The file of a machine that comes with the toolkit, which nobody edits while we run."""
    return _path(name).read_text(encoding="utf-8")


def _read(name: str, asked: Location | None) -> _Source:
    """The text of a machine's file. `asked`: where another file names it."""
    path = _path(name)
    try:
        name.encode()  # it goes into IR and PEFs, which are UTF-8
        return _Source(str(path), _own_text(name) if name in OWN else yaml_files.read(path))
    except YamlProblem as problem:
        raise MachineError(f"not a YAML file of a machine: {problem.message}", location=Location(str(path))) from None
    except (OSError, ValueError) as error:  # a ValueError for what no path may hold
        allowed = f"one of {', '.join(names())}, or the path of a YAML file"
        reason = getattr(error, "strerror", None) or error
        raise MachineError(f"no machine '{name}' ({reason}); allowed: {allowed}", location=asked) from error


@lru_cache(maxsize=64)
def _document(source: _Source) -> Mapping[str, Any]:
    """The keys of a file as they stand there."""
    try:
        root = yaml_files.compose(source.text)
        data: Any = None if root is None else yaml_files.plain(root)
    except YamlProblem as problem:
        place = Location(source.file, problem.line, problem.column)
        raise MachineError(f"not a YAML file of a machine: {problem.message}", location=place) from None
    if not isinstance(data, dict):
        raise MachineError(f"found {type(data).__name__}, allowed: a mapping of keys", location=Location(source.file))
    return cast(dict[str, Any], data)


@lru_cache(maxsize=64)
def _places(source: _Source) -> Mapping[str, tuple[int, int]]:
    root = yaml_files.compose(source.text)
    return {} if root is None else yaml_files.places(root)


def _at(sources: Sequence[_Source]) -> At:
    """Where the keys of a machine stand: in the first file that gives a key, or else the one around it."""

    def place(key: str) -> Location:
        path = key.split(".")
        for known in (".".join(path[:count]) for count in range(len(path), 0, -1)):
            for source in sources:
                if known in (places := _places(source)):
                    return Location(source.file, *places[known])
        return Location(sources[0].file)

    return place


def _sources(name: str) -> tuple[_Source, ...]:
    """The file of a machine, then the one that it extends, and so on."""
    chain: list[_Source] = []
    seen: list[str] = []
    following: str | None = name
    while following is not None:
        at = _at(chain[-1:]) if chain else None
        real = os.path.realpath(_path(following)) if "\0" not in following else following
        if at is not None and real in seen:
            circle = " -> ".join(os.path.basename(file) for file in (*seen, real))
            raise _refuse(at, "extends", following, f"no cycle ({circle})")
        seen.append(real)
        chain.append(_read(following, None if at is None else at("extends")))
        base = _document(chain[-1]).get("extends")
        if base is not None and not isinstance(base, str):
            raise _refuse(_at(chain[-1:]), "extends", base, "the name or path of a machine")
        following = base if base is None or base in names() else str(_path(following).parent / base)
    return tuple(chain)


def _resolve(sources: tuple[_Source, ...]) -> dict[str, Any]:
    """The tree of entries of a file over those that it extends."""
    tree: dict[str, Any] = {}
    for source in reversed(sources):
        at = _at([source])
        data = {"name": Path(source.file).stem, **_document(source)}
        data.pop("extends", None)
        _check_keys(data, Machine, "", at)
        tree = _overlay(tree, _entries(data, "", at))
    return tree


def _check_keys(node: Mapping[str, Any], cls: type, prefix: str, at: At) -> None:
    """Refuse what no machine has, also where `null` would take it away."""
    schema = _schema(cls, prefix)
    for key, child in node.items():
        if key not in schema:
            raise _refuse(at, f"{prefix}{key}", key, ", ".join(schema))
        kind, rule = schema[key]
        if rule is not None or not isinstance(child, dict):
            continue
        inner = cast(dict[str, Any], child)
        if is_dataclass(kind):
            _check_keys(inner, cast(type, kind), f"{prefix}{key}.", at)
        for tier, part in inner.items() if key == "tiers" else ():
            if tier not in TIERS:
                raise _refuse(at, f"{prefix}{key}.{tier}", tier, ", ".join(TIERS))
            if isinstance(part, dict):
                _check_keys(cast(dict[str, Any], part), Tier, f"{prefix}{key}.{tier}.", at)


@lru_cache(maxsize=64)
def _built(sources: tuple[_Source, ...]) -> Machine:
    return _build(_values(_resolve(sources)), _at(sources))


def _entries(node: dict[str, Any], prefix: str, at: At) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, child in node.items():
        where = f"{prefix}{key}"
        if isinstance(child, dict) and "value" in child:
            tree[key] = _entry(cast(dict[str, Any], child), where, at)
        elif isinstance(child, dict):
            tree[key] = _entries(cast(dict[str, Any], child), f"{where}.", at)
        else:
            tree[key] = None if child is None else _Entry(_number(child), "", "")
    return tree


def _entry(node: dict[str, Any], where: str, at: At) -> _Entry:
    for extra in node:
        if extra not in ("value", "mark", "source"):
            raise _refuse(at, f"{where}.{extra}", extra, "value, mark, source")
    mark = node.get("mark", "")
    if mark not in MARKS:
        raise _refuse(at, f"{where}.mark", mark, "one of " + ", ".join(MARKS))
    return _Entry(_number(node["value"]), mark, str(node.get("source", "")))


def _number(value: object) -> object:
    if not isinstance(value, str) or not _FLOAT.fullmatch(value):
        return value
    number = float(value)
    return number if math.isfinite(number) else value


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    tree = dict(base)
    for key, child in top.items():
        below = tree.get(key)
        if child is None:
            tree.pop(key, None)
        elif isinstance(child, dict) and isinstance(below, dict):
            tree[key] = _overlay(cast(dict[str, Any], below), cast(dict[str, Any], child))
        else:
            tree[key] = child
    return tree


def _values(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _values(child) for key, child in cast(dict[str, Any], tree).items()}
    return tree.value if isinstance(tree, _Entry) else tree


# --- building and comparing, by the rules of the fields


def _schema(cls: type, prefix: str) -> dict[str, tuple[type, Rule | None]]:
    hints = get_type_hints(cls)
    return {f.name: (hints[f.name], f.metadata.get("rule")) for f in fields(cls)}


def _build(data: Mapping[str, Any], at: At) -> Machine:
    return _build_part(Machine, data, "", at)


def _build_part(cls: Any, data: Any, prefix: str, at: At) -> Any:
    schema = _schema(cls, prefix)
    if not isinstance(data, Mapping):
        raise _refuse(at, prefix.rstrip("."), data, "a mapping of " + ", ".join(schema))
    node = cast(Mapping[str, Any], data)
    for key in node:
        if key not in schema:
            raise _refuse(at, f"{prefix}{key}", key, ", ".join(schema))
    values: dict[str, Any] = {}
    for key, (kind, rule) in schema.items():
        where = f"{prefix}{key}"
        if key not in node:
            raise _refuse(at, where, None, rule.allowed if rule else "this key is required")
        value = node[key]
        if rule is not None:
            values[key] = _checked(value, kind, rule, where, at)
        elif key == "tiers":
            values[key] = _build_tiers(value, where, at)
        elif is_dataclass(kind):
            values[key] = _build_part(kind, value, f"{where}.", at)
        elif isinstance(value, str):
            values[key] = value
        else:
            raise _refuse(at, where, value, "a string")
    return cls(**values)


def _checked(value: Any, kind: type, rule: Rule, where: str, at: At) -> Any:
    if not rule.accepts(value):
        raise _refuse(at, where, value, rule.allowed)
    return kind(value)


def _build_tiers(data: Any, where: str, at: At) -> dict[str, Tier]:
    node = cast(Mapping[str, Any], data) if isinstance(data, Mapping) else {}
    for key in node:
        if key not in TIERS:
            raise _refuse(at, f"{where}.{key}", key, ", ".join(TIERS))
    if not node:
        raise _refuse(at, where, data, "at least one of " + ", ".join(TIERS))
    return {key: _build_part(Tier, node[key], f"{where}.{key}.", at) for key in TIERS if key in node}


def _structure(data: Mapping[str, Any], cls: type, prefix: str) -> dict[str, Any]:
    structure: dict[str, Any] = {}
    for key, (kind, rule) in _schema(cls, prefix).items():
        value = data[key]
        if rule is not None and rule.structure:
            structure[f"{prefix}{key}"] = value
        elif key == "tiers":
            for tier, part in value.items():
                structure |= _structure(part, Tier, f"{prefix}{key}.{tier}.")
        elif rule is None and is_dataclass(kind):
            structure |= _structure(value, kind, f"{prefix}{key}.")
    return structure
