"""kernel-balance: spread every stage over as many PCUs as make its section fastest."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from sambaflow.diagnostics import error_at
from sambaflow.dialects.kernel import MappingAttr
from sambaflow.passes.framework.analyses import analyses_of
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.properties import KERNEL
from sambaflow.passes.planning.sections import sections_of


@dataclass(frozen=True)
class KernelBalancePass(SambaPass):
    """Sets the par factors of every stage's mapping.

        mapping #kernel.mapping<tile = [8, 256, 512], par = [1, 1, 1], order = [0, 1, 2], hold = [1, 2]>
    ->
        mapping #kernel.mapping<tile = [8, 256, 512], par = [1, 8, 1], order = [0, 1, 2], hold = [1, 2]>

    Exact bisection on the section's initiation interval under the machine's PCUs and PMUs; where a serial split is
    faster, that. A stage with a par factor above 1 keeps it. Needs `kernel-tile`.
    """

    name = "kernel-balance"
    needs = ("target", *KERNEL, "sections", "tiles")
    leaves = ("tiles",)
    # sections_of is not preserved: once par factors stand, copies get the fewest ports that cost no time

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for section in analyses_of(ctx).get(sections_of, op):
            for stage, plan in section.planned():
                if (mapping := stage.tiling) is None:
                    raise error_at(stage, "has no mapping", levers=["run kernel-tile first"])
                stage.properties["mapping"] = MappingAttr.of(mapping.tile, plan.par, mapping.order, mapping.hold)
            self.applied(
                ctx, section.op, "balanced",
                pcus=section.plan.demand.pcus, pmus=section.plan.demand.pmus, picoseconds=section.plan.picoseconds,
            )  # fmt: skip
