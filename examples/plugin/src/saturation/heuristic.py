"""A heuristic: fusion rules ask for it by its name, KEEP_INPUT."""

from __future__ import annotations

from sambaflow.dialects import samba
from sambaflow.passes.fusion.heuristics import Heuristic, Hints


class KeepInputHeuristic(Heuristic):
    """The input of every linear stays on the chip while the weight streams by."""

    names = ("KEEP_INPUT",)

    def suits(self, module: samba.ModuleOp) -> bool:
        return False  # only where a rule asks for it

    def tiling(self, op: samba.SambaOp) -> Hints:
        return {"stationary": "input"} if op.name == "samba.linear" else {}


KEEP_INPUT = KeepInputHeuristic()
