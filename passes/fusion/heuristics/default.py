"""The default heuristic: the planner's optimisation decides everything, as in mode o3."""

from __future__ import annotations

from sambaflow.dialects import samba
from sambaflow.passes.fusion.heuristics.base import Heuristic


class DefaultHeuristic(Heuristic):
    """No hints: tiles, par factors and cuts come from the optimisation alone."""

    names = ("DEFAULT", "O3")

    def suits(self, module: samba.ModuleOp) -> bool:
        return True
