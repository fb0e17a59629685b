"""All passes by name; a pass is imported when it is first asked for.

The name says where it is: `kernel-balance` is class `KernelBalancePass` in `passes/kernel_balance.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches

from xdsl.passes import ModulePass

from sambaflow import plugins
from sambaflow.errors import InputError
from sambaflow.passes.base import SambaPass

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
    if name in plugins.plugins("passes"):
        return _added_pass(name)
    foreign = foreign_passes()
    if name in foreign:
        return foreign[name]()
    known = (*also(), *PASSES, *plugins.plugins("passes"), *foreign)
    raise InputError(
        f"unknown pass '{name}'{did_you_mean(name, known)}", levers=["samba-opt --list-passes lists the passes"]
    )


def pass_names() -> tuple[str, ...]:
    """Our passes in the order of the levels, then those that packages add, by name."""
    return (*PASSES, *plugins.plugins("passes"))


def _added_pass(name: str) -> type[ModulePass]:
    added = plugins.load("passes", name, type)
    if added is None or not issubclass(added, ModulePass) or added.name != name:
        raise InputError(f"the entry point '{name}' of sambaflow.passes does not lead to a pass of that name")
    return added


def load_own_pass(name: str) -> type[SambaPass]:
    """The class of one of our own passes."""
    return getattr(importlib.import_module(module_name(name)), class_name(name))


def did_you_mean(name: str, known: tuple[str, ...] | list[str]) -> str:
    """`; did you mean 'samba-fuse'?`, or nothing when no known name is near."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def foreign_passes() -> Mapping[str, Callable[[], type[ModulePass]]]:
    """xDSL's passes by name, each loaded when called."""
    from xdsl.transforms import get_all_passes

    return get_all_passes()
