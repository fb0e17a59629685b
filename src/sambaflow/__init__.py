"""sambaflow: a compiler toolkit for Reconfigurable Dataflow Units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sambaflow.errors import (
    CapacityError,
    Diagnostic,
    InputError,
    InternalError,
    Location,
    MachineError,
    Note,
    PassError,
    PefError,
    PluginError,
    SambaError,
    UnsupportedOperator,
    UnsupportedOperators,
    WeightError,
)

if TYPE_CHECKING:
    from sambaflow.samba.compiler import compile
    from sambaflow.samba.dynamo import compiled_graphs
    from sambaflow.samba.executable import Executable, load

__version__ = "0.1.0"

__all__ = [
    "CapacityError",
    "Diagnostic",
    "Executable",
    "InputError",
    "InternalError",
    "Location",
    "MachineError",
    "Note",
    "PassError",
    "PefError",
    "PluginError",
    "SambaError",
    "UnsupportedOperator",
    "UnsupportedOperators",
    "WeightError",
    "compile",
    "compiled_graphs",
    "load",
]

_ENTRY_POINTS = {
    "Executable": "executable",
    "compile": "compiler",
    "compiled_graphs": "dynamo",
    "load": "executable",
}


def __getattr__(name: str) -> Any:
    """The entry points stand on the upper floors: imported on first use, so that tools start fast."""
    if name not in _ENTRY_POINTS:
        raise AttributeError(f"module 'sambaflow' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"sambaflow.samba.{_ENTRY_POINTS[name]}"), name)
