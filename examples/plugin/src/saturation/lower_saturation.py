"""lower-saturation: what the saturation dialect says, in samba operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.func import FuncOp

from sambaflow.dialects import samba
from sambaflow.passes.framework.base import FunctionPass
from sambaflow.passes.rewriting.driver import Replacement, Rewriter, pattern, rewrite
from saturation.dialect import ClipOp


@pattern(ClipOp)
def clip(op: ClipOp, rewriter: Rewriter) -> Replacement:
    """A clip is a clamp with two limits."""
    limit = op.limit.value.data
    return rewriter.insert(samba.build("clamp", [op.input], {"min": -limit, "max": limit}))


@dataclass(frozen=True)
class LowerSaturationPass(FunctionPass):
    """Replaces `saturation.clip` by `samba.clamp`.

        %y = saturation.clip %x {limit = 6.000000e+00 : f64} : tensor<2x4xf32>
    ->
        %y = samba.clamp %x {min = -6.0, max = 6.0} : tensor<2x4xf32>
    """

    name: ClassVar[str] = "lower-saturation"
    counters = {"clips": "saturation.clip ops that became samba.clamp"}

    def apply_to(self, ctx: Context, op: FuncOp) -> None:
        self.count(ctx, "clips", rewrite(op, [clip]).count)
