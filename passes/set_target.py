"""set-target: write the machine that the module is compiled for on the module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from sambaflow.passes.framework.base import DEFAULT_MACHINE, SambaPass


@dataclass(frozen=True)
class SetTargetPass(SambaPass):
    """Put `rdu.target` on the module; every later pass reads the machine, tiles and chips from there and nowhere else.

    An option that is not given keeps what the module says; a module without target starts from one whole sn40l chip.
    Raises MachineError for a machine that is unknown, and for more tiles than it has.

        set-target{machine=sn30 chips=2}

        module { ... }
        // becomes
        module attributes {rdu.target = #rdu.target<machine = "sn30", tiles = 8, chips = 2>} { ... }
    """

    name: ClassVar[str] = "set-target"
    needs = ("no-program",)
    leaves = ("target",)

    machine: str | None = None
    """A machine's name, or the path of a YAML file."""
    tiles: int | None = None
    """Tiles of each chip; all if not given."""
    chips: int | None = None
    """Chips; one if not given."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        from sambaflow import machine as machines
        from sambaflow.dialects.rdu import TargetAttr

        old = op.attributes.get("rdu.target")
        known = old if isinstance(old, TargetAttr) else None
        before = known.machine.data if known else DEFAULT_MACHINE
        name = before if self.machine is None else self.machine
        same_machine = known is not None and known.machine.data == name
        machine = machines.load(name)
        tiles = self.tiles if self.tiles is not None else known.tiles.data if known and same_machine else None
        chips = self.chips if self.chips is not None else known.chips.data if known else 1
        budget = machine.target(chips=chips, tiles=tiles)
        op.attributes["rdu.target"] = TargetAttr(name, budget.tiles, budget.chips)
