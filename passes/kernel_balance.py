"""kernel-balance: spread every stage over as many PCUs as make its section fastest."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from sambaflow.diagnostics import error_at
from sambaflow.dialects.kernel.stage import dense
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.decisions import decide
from sambaflow.passes.framework.properties import KERNEL
from sambaflow.passes.planning.sections import sections_for


@dataclass(frozen=True)
class KernelBalancePass(SambaPass):
    """Sets the par factors of every stage's mapping.

        mapping #kernel.mapping<tile = [8, 256, 512], order = [0, 1, 2], hold = [1, 2]>
    ->
        mapping #kernel.mapping<tile = [8, 256, 512], par = [1, 8, 1], order = [0, 1, 2], hold = [1, 2]>

    Exact bisection on the section's initiation interval under the machine's PCUs and PMUs; where a serial split is
    faster, that. Par factors that are fixed stay, and the others share what is left. Needs `kernel-tile`.
    """

    name = "kernel-balance"
    needs = ("target", *KERNEL, "sections", "tiles")
    leaves = ("balance",)
    # sections_of is not preserved: once par factors stand, copies get the fewest ports that cost no time

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for section in sections_for(self.name, ctx, op):
            for stage, plan in section.planned():
                if stage.tiling is None:
                    raise error_at(stage, "has no mapping", levers=["run kernel-tile first"])
                decide(stage, "par", dense(plan.par), "search")
            self.applied(
                ctx, section.op, "balanced",
                pcus=section.plan.demand.pcus, pmus=section.plan.demand.pmus, picoseconds=section.plan.picoseconds,
            )  # fmt: skip
