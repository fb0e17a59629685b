"""kernel-tile: give every stage its tile, its loop order, and how long each operand's buffer is held."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from sambaflow.dialects.kernel import MappingAttr
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.decisions import decide
from sambaflow.passes.framework.properties import KERNEL
from sambaflow.passes.planning.sections import sections_for, sections_of


@dataclass(frozen=True)
class KernelTilePass(SambaPass):
    """Writes the plan's tiles into `mapping`; the par factors are left open.

        kernel.map ins(%x) domain #kernel.domain<16 parallel, 64 parallel> ...
    ->
        kernel.map ins(%x) domain #kernel.domain<16 parallel, 64 parallel> ...
          mapping #kernel.mapping<tile = [1, 16], order = [0, 1], hold = [2]> attributes {decided_by = "search"}

    `tile` is what one firing takes, `order` the loops of the tile grid, `hold` per operand the loops that refill its
    buffer. A mapping that is fixed stays, and the others are planned around it. Moves that are access patterns get
    none. Needs `kernel-cut-sections`.
    """

    name = "kernel-tile"
    needs = ("target", *KERNEL, "sections")
    leaves = ("tiles",)
    counters = {"stages": "stages that got a mapping"}
    preserves = (sections_of,)

    solver: str | None = None
    """`bisection` (the default), `narrow`, or one that a package adds."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for section in sections_for(self.name, ctx, op, self.solver):
            for stage, plan in section.planned():
                if decide(stage, "tile", MappingAttr.of(plan.tile, (), plan.order, plan.hold), "search"):
                    self.count(ctx, "stages")
