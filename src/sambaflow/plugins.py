"""What other packages add, through Python entry points: dialects, passes, pipelines, heuristics, solvers and machines.

    [project.entry-points."sambaflow.passes"]
    my-pass = "my_package.my_pass:MyPass"

| group                  | name             | object                                                     |
|------------------------|------------------|------------------------------------------------------------|
| `sambaflow.dialects`   | dialect          | an `xdsl.ir.Dialect`                                       |
| `sambaflow.passes`     | pass             | a subclass of `SambaPass` (or any xDSL `ModulePass`)       |
| `sambaflow.pipelines`  | pipeline         | a `Mode` (`sambaflow.passes.framework.pipelines`)                    |
| `sambaflow.heuristics` | heuristic        | a `Heuristic` (`sambaflow.passes.fusion.heuristics`)              |
| `sambaflow.solvers`    | problem.solver   | a `Solver` (`sambaflow.passes.framework.solvers`)           |
| `sambaflow.machines`   | machine          | the path of a YAML file, a `str` or a `pathlib.Path`       |

Installed packages are searched when a name is asked for that is not our own, and for lists; so they cost nothing at
start-up. What their code raises is reported as theirs (`PluginError`).
The ground floor: nothing of sambaflow but its errors is imported here.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from traceback import walk_tb
from typing import Any, Literal, TypeVar, get_args

from sambaflow.errors import InputError, Location, Note, PluginError, SambaError

Kind = Literal["dialects", "passes", "pipelines", "heuristics", "solvers", "machines"]
T = TypeVar("T")

FILES: dict[str, str] = {}
"""The Python files that a tool was told to load, by the name of the module that each became."""


@cache
def plugins(kind: Kind) -> Mapping[str, EntryPoint]:
    """The entry points of a kind by name, in the order of names.

    Raises InputError when two packages take one name.
    """
    entries: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=f"sambaflow.{kind}"), key=lambda entry: (entry.name, entry.value)):
        other = entries.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise InputError(
                f"two packages add '{entry.name}' to sambaflow.{kind}: {_package(other)} and {_package(entry)}",
                levers=["uninstall one of them"],
            )
    return entries


@cache
def load(kind: Kind, name: str, wanted: type[T]) -> T | None:
    """The object that a package adds under `name`, None when none does.

    Raises InputError, naming the package, when it cannot be imported or is no `wanted`.
    """
    entry = plugins(kind).get(name)
    if entry is None:
        return None
    value = _imported(entry)
    if not isinstance(value, wanted):
        raise InputError(
            f"'{name}' of {_package(entry)} is a {type(value).__name__}; sambaflow.{kind} takes a {wanted.__name__}",
            levers=[f"let the entry point {entry.value} lead to a {wanted.__name__}"],
        )
    return value


def _imported(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        place = _place(error)
        if isinstance(error, SyntaxError):
            place = Location(error.filename or "", error.lineno or 0)
        raise InputError(
            f"'{entry.name}' of {_package(entry)} cannot be imported: {type(error).__name__}: {error}",
            location=place,
            levers=[f"see why with: python -c 'import {entry.module}'"],
        ) from error


def _package(entry: EntryPoint) -> str:
    return f"package {entry.dist.name}" if entry.dist is not None else entry.value


# ---- exceptions of plug-ins


@contextmanager
def named_failures(owner: type | None = None) -> Generator[None]:
    """Let the body raise a PluginError for an exception that a plug-in is to blame for; others pass as they are.

    `owner`: a class that is at work; if it is a plug-in's, whatever goes wrong is.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        failure = failure_of(error, owner=owner)
        if failure is None:
            raise
        raise failure from error


def failure_of(error: BaseException, where: Note | None = None, owner: type | None = None) -> PluginError | None:
    """What to say about an exception that came out of a plug-in's code: whose it is, with the line. None for others.

    `where`: what was being done. `owner`: the class that did it, which is to blame if no line of a plug-in is.
    """
    place = None if isinstance(error, SambaError) else _place(error) or _place_of_class(owner)
    if place is None:
        return None
    said = f": {error}" if str(error) else ""
    return PluginError(
        f"{place.module_path} raised {type(error).__name__}{said}",
        location=Location(place.file, place.line),
        notes=[] if where is None else [where],
        levers=["correct the plug-in: samba-opt --traceback shows how it came there"],
    )


def _place(error: BaseException) -> Location | None:
    """The innermost line of a plug-in in the traceback; the plug-in is its `module_path`."""
    for frame, line in reversed(list(walk_tb(error.__traceback__))):
        plugin = _plugin_of(str(frame.f_globals.get("__name__", "")))
        if plugin is not None:
            return Location(frame.f_code.co_filename, line, module_path=plugin)
    return None


def _place_of_class(owner: type | None) -> Location | None:
    plugin = _plugin_of(owner.__module__) if owner is not None else None
    if owner is None or plugin is None:
        return None
    try:
        file, (_, line) = inspect.getsourcefile(owner), inspect.getsourcelines(owner)
    except (OSError, TypeError):  # made by a program
        file, line = None, 0
    return Location(file or "", line, module_path=plugin)


def _plugin_of(module: str) -> str | None:
    """The plug-in that a Python module belongs to, in words."""
    if module in FILES:
        return f"the plug-in {FILES[module]}"
    package = _packages().get(module.partition(".")[0])
    return None if package is None else f"the plug-in of {package}"


@cache
def _packages() -> Mapping[str, str]:
    """Whose a Python package is, of all that add something."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    entries = [entry for kind in kinds for entry in entry_points(group=f"sambaflow.{kind}")]
    roots = {entry.module.partition(".")[0]: entry for entry in entries}
    return {
        root: _package(entry) if entry.dist is not None else f"package {root}"
        for root, entry in roots.items()
        if root != "sambaflow"
    }
