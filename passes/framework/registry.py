"""All passes by name; a pass is imported when it is first asked for.

The name says where it is: `kernel-balance` is class `KernelBalancePass` in `passes/kernel_balance.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from traceback import extract_tb
from types import ModuleType

from xdsl.passes import ModulePass

from sambaflow import plugins
from sambaflow.errors import InputError, Location, did_you_mean
from sambaflow.passes.framework.base import SambaPass

PASSES: tuple[str, ...] = (
    "set-target",
    "samba-canonicalize",
    "samba-cse",
    "samba-outline-layers",
    "samba-fuse",
    "samba-heuristics",
    "samba-shard",
    "samba-partition",
    "convert-samba-to-kernel",
    "kernel-fuse-stages",
    "kernel-cut-sections",
    "kernel-tile",
    "kernel-balance",
    "kernel-insert-transfers",
    "kernel-insert-buffers",
    "kernel-size-fifos",
    "convert-kernel-to-rdu",
    "rdu-plan-memory",
    "rdu-place",
    "rdu-route",
    "rdu-schedule",
    "rdu-finalize",
)


_FROM_FILES: dict[str, type[ModulePass]] = {}
"""Passes of the files that `--load-pass-plugin` named, by name."""


def module_name(pass_name: str) -> str:
    """The Python module of a pass: `sambaflow.passes.kernel_balance`."""
    return "sambaflow.passes." + pass_name.replace("-", "_")


def class_name(pass_name: str) -> str:
    """The class of a pass: `KernelBalancePass`."""
    return "".join(word.capitalize() for word in pass_name.split("-")) + "Pass"


def load_pass(name: str, also: Callable[[], tuple[str, ...]] = tuple) -> type[ModulePass]:
    """The class of the pass `name`: one of ours, else one that a package adds, else one of xDSL's.

    Raises InputError for an unknown name, with the nearest known one; `also` gives further names it may have meant.
    """
    if name in PASSES:
        return load_own_pass(name)
    if name in _FROM_FILES:
        return _FROM_FILES[name]
    if name in plugins.plugins("passes"):
        return _added_pass(name)
    foreign = foreign_passes()
    if name in foreign:
        return foreign[name]()
    known = (*also(), *PASSES, *_FROM_FILES, *plugins.plugins("passes"), *foreign)
    raise InputError(
        f"unknown pass '{name}'{did_you_mean(name, known)}", levers=["samba-opt --list-passes lists the passes"]
    )


def pass_names() -> tuple[str, ...]:
    """Our passes in the order of the levels, those of loaded files, then those that packages add, by name."""
    return (*PASSES, *_FROM_FILES, *plugins.plugins("passes"))


def load_pass_file(path: str) -> tuple[str, ...]:
    """Run a Python file and make the passes that it defines known by their names; returns the names.

    Raises InputError, with the line, when the file cannot be read or run, defines no pass, or takes a name of another.
    """
    module = _run_file(path)
    pass_classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ModulePass) and value.__module__ == module.__name__
    ]
    if not pass_classes:
        raise InputError("the file defines no pass", location=Location(path), levers=["derive a class from SambaPass"])
    for pass_class in pass_classes:
        again = pass_class.name in _FROM_FILES and _FROM_FILES[pass_class.name].__module__ == module.__name__
        if not again and (pass_class.name in pass_names() or pass_class.name in foreign_passes()):
            raise InputError(f"there is a pass '{pass_class.name}' already", location=Location(path))
        _FROM_FILES[pass_class.name] = pass_class
    return tuple(pass_class.name for pass_class in pass_classes)


def _run_file(path: str) -> ModuleType:
    name = "sambaflow_pass_file_" + "".join(char if char.isalnum() else "_" for char in path)
    spec = importlib.util.spec_from_file_location(name, path, loader=SourceFileLoader(name, path))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    plugins.FILES[name] = path
    try:
        spec.loader.exec_module(module)
    except OSError as error:
        raise InputError(error.strerror or str(error), location=Location(path)) from None
    except (Exception, SystemExit) as error:
        lines = [frame.lineno or 0 for frame in extract_tb(error.__traceback__) if frame.filename == path]
        if isinstance(error, SyntaxError):
            lines.append(error.lineno or 0)
        place = Location(path, lines[-1] if lines else 0)
        raise InputError(f"{type(error).__name__}: {error}", location=place) from error
    return module


def _added_pass(name: str) -> type[ModulePass]:
    added = plugins.load("passes", name, type)
    if added is None or not issubclass(added, ModulePass) or added.name != name:
        raise InputError(f"the entry point '{name}' of sambaflow.passes does not lead to a pass of that name")
    return added


def load_own_pass(name: str) -> type[SambaPass]:
    """The class of one of our own passes."""
    return getattr(importlib.import_module(module_name(name)), class_name(name))


def foreign_passes() -> Mapping[str, Callable[[], type[ModulePass]]]:
    """xDSL's passes by name, each loaded when called."""
    from xdsl.transforms import get_all_passes

    return get_all_passes()
