"""kernel-insert-buffers: put a stage buffer on every edge that the plan buffers."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64

from sambaflow.decisions import DECIDED_BY
from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.stage import dense
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.decisions import decide, keep
from sambaflow.passes.framework.properties import KERNEL
from sambaflow.passes.planning.analysis import tensor_bytes
from sambaflow.passes.planning.facts import EdgePlan
from sambaflow.passes.planning.sections import PlannedSection, sections_for, sections_of

AGAINST = {
    "tokens": "its reader takes other parts",
    "pmus": "fewer PMUs do not hold its windows",
    "depth": "there are not so many windows",
}
"""What stands against a fixed decision about a buffer that the plan does not have."""


@dataclass(frozen=True)
class KernelInsertBuffersPass(SambaPass):
    """Inserts `kernel.buffer` in front of the operands of stages; sets in how many `windows` results are handed over.

        %1 = kernel.map ins(%0 : T) ... : T
    ->
        %b = kernel.buffer %0 {depth = 2 : i64, tokens = 16 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : T
        %1 = kernel.map ins(%b : T) ... windows [16] : T

    The tensor is read in `tokens` parts and written in as many windows, or in `handed` where another reader takes it in
    finer parts; `depth` of these fit, in `pmus` PMUs, each in `banks` banks. Moves between a buffer and what it buffers
    are its read pattern; a move that is no pattern of its readers (a reshape across extents that do not divide each
    other behind a transpose, a transposed part of a concat) gets a buffer of one period, else of the whole tensor, and
    is counted.
    Needs `kernel-balance` and `kernel-insert-transfers`.
    """

    name = "kernel-insert-buffers"
    needs = ("target", *KERNEL, "sections", "tiles", "balance", "transfers")
    leaves = ("buffers",)
    counters = {
        "buffers": "stage buffers",
        "pmus": "PMUs of stage buffers",
        "moves": "buffers of moves that are no access pattern",
    }
    preserves = (sections_of,)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for section in sections_for(self.name, ctx, op):
            for stage, plan in section.planned():
                if plan.windows:
                    decide(stage, "windows", dense(plan.windows), "search")
            for edge in section.plan.edges:
                if not _insert(section, edge):
                    continue
                self.count(ctx, "buffers")
                self.count(ctx, "pmus", edge.pmus)
                if edge.target >= 0 and isinstance(move := section.analysis.ops[edge.target], kernel.MoveOp):
                    self._remark_move(ctx, move, edge)

    def _remark_move(self, ctx: Context, move: kernel.MoveOp, edge: EdgePlan) -> None:
        self.count(ctx, "moves")
        room = tensor_bytes(move.operands[edge.operand]) * edge.depth // edge.handed
        self.missed(
            ctx, move, "is no access pattern of its readers: it goes through a buffer",
            operand=edge.operand, windows=edge.tokens, bytes=room,
        )  # fmt: skip


def _insert(section: PlannedSection, edge: EdgePlan) -> bool:
    """The buffer of an edge, in front of its reader; false where there is one already, which keeps what it says."""
    reader = section.analysis.ops[edge.target] if edge.target >= 0 else _store_of(section, edge.operand)
    value = reader.operands[edge.operand if edge.target >= 0 else 0]
    if isinstance(value.owner, kernel.BufferOp):
        _decide(value.owner, edge)
        return False
    buffer = kernel.BufferOp(value, edge.depth, edge.tokens, "sram", edge.pmus, edge.handed, edge.banks)
    buffer.attributes[DECIDED_BY] = StringAttr("search")
    buffer.location = reader.location
    section.op.body.block.insert_op_before(buffer, reader)
    reader.operands[edge.operand if edge.target >= 0 else 0] = buffer.result
    return True


def _decide(buffer: kernel.BufferOp, edge: EdgePlan) -> None:
    """Decide again what of a buffer is not fixed; in how many windows it is written follows from its maker."""
    for kind, against in AGAINST.items():
        keep(buffer, kind, IntegerAttr(getattr(edge, kind), i64), "search", against)
    if edge.handed == edge.tokens:
        buffer.properties.pop("handed", None)
    else:
        buffer.properties["handed"] = IntegerAttr(edge.handed, i64)
    decide(buffer, "banks", IntegerAttr(edge.banks, i64), "search")


def _store_of(section: PlannedSection, number: int) -> kernel.StoreOp:
    """The store of the live-out tensor at position `number` (in ascending order of tensors)."""
    tensor = sorted(section.live_out)[number]
    stores = (op for op in section.op.body.block.ops if isinstance(op, kernel.StoreOp))
    return next(store for store in stores if section.analysis.number(store.value) == tensor)
