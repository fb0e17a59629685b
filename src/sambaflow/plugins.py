"""What other packages add, through Python entry points: dialects, passes, pipelines, heuristics and machines.

    [project.entry-points."sambaflow.passes"]
    my-pass = "my_package.my_pass:MyPass"

| group                  | name             | object                                                     |
|------------------------|------------------|------------------------------------------------------------|
| `sambaflow.dialects`   | dialect          | an `xdsl.ir.Dialect`                                       |
| `sambaflow.passes`     | pass             | a subclass of `SambaPass` (or any xDSL `ModulePass`)       |
| `sambaflow.pipelines`  | pipeline         | a `Mode` (`sambaflow.passes.pipelines`)                    |
| `sambaflow.heuristics` | heuristic        | a `Heuristic` (`sambaflow.passes.heuristics`)              |
| `sambaflow.machines`   | machine          | the path of a YAML file, a `str` or a `pathlib.Path`       |

Installed packages are searched when a name is asked for that is not our own, and for lists; so they cost nothing at
start-up. The ground floor: nothing of sambaflow but its errors is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeVar

from sambaflow.errors import InputError

Kind = Literal["dialects", "passes", "pipelines", "heuristics", "machines"]
T = TypeVar("T")


@cache
def plugins(kind: Kind) -> Mapping[str, EntryPoint]:
    """The entry points of a kind by name, in the order of names.

    Raises InputError when two packages take one name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=f"sambaflow.{kind}"), key=lambda entry: (entry.name, entry.value)):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise InputError(
                f"two packages add '{entry.name}' to sambaflow.{kind}: {_package(other)} and {_package(entry)}",
                levers=["uninstall one of them"],
            )
    return found


@cache
def load(kind: Kind, name: str, wanted: type[T]) -> T | None:
    """The object that a package adds under `name`, None when none does.

    Raises InputError, naming the package, when it cannot be imported or is no `wanted`.
    """
    entry = plugins(kind).get(name)
    if entry is None:
        return None
    found = _imported(entry)
    if not isinstance(found, wanted):
        raise InputError(
            f"'{name}' of {_package(entry)} is a {type(found).__name__}; sambaflow.{kind} takes a {wanted.__name__}",
            levers=[f"let the entry point {entry.value} lead to a {wanted.__name__}"],
        )
    return found


def _imported(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        raise InputError(
            f"'{entry.name}' of {_package(entry)} cannot be imported: {type(error).__name__}: {error}",
            levers=[f"see why with: python -c 'import {entry.module}'"],
        ) from error


def _package(entry: EntryPoint) -> str:
    return f"package {entry.dist.name}" if entry.dist is not None else entry.value
