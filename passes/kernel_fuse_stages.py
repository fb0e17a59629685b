"""kernel-fuse-stages: fewer stages, fewer tensors between them, the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, OpResult

from sambaflow.dialects import kernel
from sambaflow.passes.framework.base import FunctionPass
from sambaflow.passes.framework.properties import KERNEL
from sambaflow.passes.fusion.stages import fold_move, join_consumer, join_producer


@dataclass(frozen=True)
class KernelFuseStagesPass(FunctionPass):
    """Joins maps to their neighbours and folds moves into access maps. Bits do not change.

    Before:

        %0 = kernel.contract ins(%x, %w : ...) ... finish {... truncf ... yield bf16} : tensor<4x16xbf16>
        %1 = kernel.map ins(%0, %b : ...) body {... addf, maximumf ...} : tensor<4x16xbf16>
        %2 = kernel.move ins(%1 : ...) maps [affine_map<(d0, d1) -> (d1, d0)>, ...] : tensor<16x4xbf16>
        %3 = kernel.reduce ins(%2 : ...) ...

    After:

        %1 = kernel.contract ins(%x, %w, %b : ...) ... finish {... truncf ... addf, maximumf ... yield bf16} :
            tensor<4x16xbf16>
        %3 = kernel.reduce ins(%1 : ...)  (its map reads %1 transposed)

    Three steps, each on every stage in order:

    * a move in front of a stage becomes part of its access map, when the composed map is linear (no floordiv, no mod);
    * a map in front of a stage that can run it at its own points joins the stage's body (or `finish`);
    * a map behind a stage, at the same points, joins the stage's `finish` (or body).

    Bodies are joined op for op, with the extensions and roundings where they stood, and no fold changes its order, so
    no bit changes. Work is never repeated: a map joins a stage only if the stage is its one reader and visits each of
    its points once; extensions to a wider type alone are free (ports convert) and join every reader.
    """

    name = "kernel-fuse-stages"
    needs = KERNEL
    counters = {
        "moves": "moves folded into the access maps of their readers",
        "producers": "stages joined to the one in front",
        "consumers": "stages joined to the one that they read",
    }

    scope: Literal["all", "groups", "none"] = "all"
    """Where stages fuse: in function bodies, sections and groups; in groups only; nowhere."""
    max_inputs: int = 16
    """The most inputs that a fused stage may have."""

    def apply_to(self, ctx: Context, op: FuncOp) -> None:
        """Fuse in every block of the scope."""
        for block in blocks_of(op, self.scope):
            self._fuse_block(ctx, block)

    def _fuse_block(self, ctx: Context, block: Block) -> None:
        stages = [op for op in block.ops if isinstance(op, kernel.Stage)]
        order = {op: number for number, op in enumerate(block.ops)}
        for stage in stages:
            if stage.parent is block and stage.tiling is None:
                self._fuse_stage(ctx, stage, order)
        for stage in reversed([op for op in block.ops if isinstance(op, kernel.Stage)]):
            if all(result.first_use is None for result in stage.results):
                stage.detach()
                stage.erase()

    def _fuse_stage(self, ctx: Context, stage: kernel.Stage, order: dict[Operation, int]) -> None:
        """Fold and join until nothing around the stage changes."""
        current: kernel.Stage | None = stage
        while current is not None:
            stage, current = current, self._fuse_once(ctx, current, order)

    def _fuse_once(self, ctx: Context, stage: kernel.Stage, order: dict[Operation, int]) -> kernel.Stage | None:
        """The stage that one step made of this one and a neighbour; None when there is none."""
        for number, operand in enumerate(stage.operands):
            producer = operand.owner
            if not isinstance(producer, kernel.Stage) or producer.parent is not stage.parent:
                continue
            if producer.tiling is not None or not isinstance(operand, OpResult):
                continue
            if (fused := fold_move(stage, number, producer)) is not None:
                return self._done(ctx, stage, fused, order, "read through a move", "moves")
            if (fused := join_producer(stage, number, producer, self.max_inputs)) is not None:
                return self._done(ctx, stage, fused, order, f"joined the {producer.name} in front", "producers")
            if (fused := join_consumer(producer, stage, order, self.max_inputs)) is not None:
                return self._done(ctx, stage, fused, order, f"joined the {producer.name} that it reads", "consumers")
        return None

    def _done(
        self,
        ctx: Context,
        stage: kernel.Stage,
        fused: kernel.Stage,
        order: dict[Operation, int],
        message: str,
        counter: str,
    ) -> kernel.Stage:
        """Account for a step. `fused` stands where `stage` stood."""
        order[fused] = order[stage]
        self.applied(ctx, fused, message)
        self.count(ctx, counter)
        return fused


def blocks_of(function: FuncOp, scope: str) -> Iterator[Block]:
    """The blocks whose stages fuse: of groups, and (scope "all") of sections and of the function itself."""
    if scope == "none":
        return
    for block in function.body.blocks:
        for op in block.ops:
            if isinstance(op, kernel.GroupOp) or (scope == "all" and isinstance(op, kernel.SectionOp)):
                yield op.body.block
        if scope == "all":
            yield block
