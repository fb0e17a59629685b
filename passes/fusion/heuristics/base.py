"""The interface of a heuristic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from sambaflow.dialects import samba
from sambaflow.dialects.kernel.hints import Hint

Hints = dict[str, Hint]
"""Wishes by name; what each name means stands in `docs/boundaries.md`."""


class Heuristic(ABC):
    """A strategy: its phases give hints for the ops of a module. That a module lies in one section (the mapping phase)
    is the rule for all of them: `kernel-cut-sections` cuts a module only when it does not fit."""

    names: ClassVar[tuple[str, ...]]
    """The names under which rules ask for it; the first is its own."""

    parameters: ClassVar[tuple[str, ...]] = ()
    """What `heuristic: {name: ..., parameter: value}` may set."""

    @abstractmethod
    def suits(self, module: samba.ModuleOp) -> bool:
        """Whether it is a good choice for a module whose rule names none."""

    def distribution(self, op: samba.SambaOp) -> Hints:
        """How the work of one op spreads over PCUs."""
        return {}

    def tiling(self, op: samba.SambaOp) -> Hints:
        """What of one op stays on the chip and what streams."""
        return {}

    def multi_socket_distribution(self, module: samba.ModuleOp, parameters: Mapping[str, object]) -> None:
        """Check how the rule wants the module spread over chips; InputError for what samba-shard does not offer."""
        return


def operators(module: samba.ModuleOp) -> list[samba.SambaOp]:
    """The operators of a module, in order."""
    return [op for op in module.body.block.ops if isinstance(op, samba.SambaOp)]
