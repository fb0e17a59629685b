"""From kernel IR to what planning and the conversion to rdu know of it.

An `Analysis` reads the stages of a block once: it numbers the tensors (a buffer, a load or a store passes its tensor
on), decides which moves are access patterns, and makes the `Stage` of each op. It sees the same section before and
after the passes that put loads, stores and buffers on its edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.analysis import in_place_inputs, instruction_of, unread_inputs
from sambaflow.dialects.kernel.hints import wishes_of
from sambaflow.dialects.rdu.dtypes import DTYPE_BYTES, dtype_name
from sambaflow.dialects.rdu.instructions import bits_of
from sambaflow.machine import Machine, collectives
from sambaflow.machine.opcodes import Opcode
from sambaflow.passes.planning.access import Level, NotRectangular, linearise, whole
from sambaflow.passes.planning.facts import Operand, Result, StageFacts, levels_through, permutes
from sambaflow.passes.planning.standing import stands

MODES = {"kernel.contract": "systolic", "kernel.reduce": "reduce"}
"""PCU modes of the kinds that are not simd."""


class Analysis:
    """The stages of `ops` (a section's body, or a function's with its groups inlined), as planning sees them.

    `stages` are in order; `ops` their ops; `value_of[n]` a value that carries tensor number n. Of the decisions about
    stages they have those that stand when `pass_name` decides.
    """

    def __init__(
        self, ops: Iterable[Operation], machine: Machine | None = None, pass_name: str = "kernel-tile"
    ) -> None:
        self.machine, self.pass_name = machine, pass_name
        self.value_of: list[SSAValue] = []
        self._numbers: dict[SSAValue, int] = {}
        self.ops: list[kernel.Stage] = []
        self.stages: list[StageFacts] = []
        for op in ops:
            if isinstance(op, kernel.Stage):
                self.ops.append(op)
                self.stages.append(self._stage(op))
            elif isinstance(op, kernel.BufferOp | kernel.LoadOp | kernel.StoreOp):
                source = op.source if isinstance(op, kernel.LoadOp) else op.value
                self._numbers[op.results[0]] = self.number(source)
        self._unfold()

    def number(self, value: SSAValue) -> int:
        """The number of the tensor that `value` carries."""
        if value not in self._numbers:
            self._numbers[value] = len(self.value_of)
            self.value_of.append(value)
        return self._numbers[value]

    # -- facts -------------------------------------------------------------------------------------------------------

    def _stage(self, op: kernel.Stage) -> StageFacts:
        in_place, unread = in_place_inputs(op), unread_inputs(op)
        operands = tuple(
            Operand(
                self.number(value),
                Level(access.results, tensor.get_shape(), None if pad is None else bits_of(pad)),
                element_bytes(tensor.element_type),
                access.num_symbols,
                i in in_place and not _is_loaded(value),
                _is_loaded(value),
                i not in unread,
            )
            for i, (value, access, tensor, pad) in enumerate(
                zip(op.operands, op.input_maps, op.input_types, op.pad_constants, strict=True)
            )
        )
        results = tuple(
            Result(
                self.number(value),
                access.results,
                tensor.get_shape(),
                element_bytes(tensor.element_type),
                access.num_symbols,
                tied,
                handed_over(op, number),
                kernel.block_shape(op.yielded[number].type) if op.yielded else (),
                emitted,
            )
            for number, (value, access, tensor, tied, emitted) in enumerate(
                zip(op.results, op.result_maps, op.output_types, op.tied_inputs, _emitted_bytes(op), strict=True)
            )
        )
        first = op.input_types[0] if op.operands else op.output_types[0]
        body, finish = classes(op.body.blocks.first), classes(op.finish.blocks.first)
        stage = StageFacts(
            op.name, op.extents, op.kinds, operands, results, "", body, finish,
            dtype_name(first.element_type) or "f32", split=op.splits, wishes=wishes_of(op),
            mapping=op.tiling if stands(op, "tile", self.pass_name) else None,
            par=op.tiling.par if op.tiling is not None and stands(op, "par", self.pass_name) else None,
        )  # fmt: skip
        match op:
            case kernel.MoveOp():
                plain = len(operands) == 1 and not operands[0].num_symbols and permutes(stage)
                join = not plain and len(operands) > 1
                return replace(stage, fold=plain, join=join, passes=-1 if join else 0)
            case kernel.CollectiveOp():
                return replace(stage, transfer_picoseconds=self._transfer(op))
            case _:
                if passes_on(op):
                    return replace(stage, passes=passed_on(op))
                return replace(stage, mode=MODES.get(op.name, "simd"))

    def _transfer(self, op: kernel.CollectiveOp) -> int:
        if self.machine is None:
            return 0
        size = prod(op.input_types[0].get_shape()) * element_bytes(op.wire)
        return collectives.picoseconds(op.op.data, op.chips.value.data, size, self.machine.links)

    # -- moves -------------------------------------------------------------------------------------------------------

    def _unfold(self) -> None:
        """Keep as access patterns only the moves that every reader can express; the others become buffers.

        A folded move is read in its own order too: by a load, a store, or a join.
        """
        makers = {result.value: i for i, stage in enumerate(self.stages) for result in stage.results}
        changed = True
        while changed:
            changed = False
            for stage in list(self.stages):
                own = [Operand(r.value, whole(r.shape), r.element_bytes) for r in stage.results if stage.fold]
                extents = stage.results[0].shape or (1,) if stage.fold else stage.extents
                for operand in own or stage.operands:
                    broken = self._broken(extents, operand, makers)
                    if broken is not None:
                        self.stages[broken] = replace(self.stages[broken], fold=False)
                        changed = True

    def _broken(self, extents: Sequence[int], operand: Operand, makers: dict[int, int]) -> int | None:
        """The nearest move behind `operand` that a domain of `extents` cannot read it through."""
        moves: list[StageFacts] = []
        value = operand.value
        while value in makers and self.stages[makers[value]].fold:
            index = makers[value]
            moves.append(self.stages[index])
            if operand.in_place:
                return index
            try:
                linearise(levels_through(operand.level, moves), extents, operand.num_symbols)
            except NotRectangular:
                return index
            value = moves[-1].operands[0].value
        return None

    def check(self) -> None:
        """Raise PassError for a stage whose own access is no access pattern."""
        for op, stage in zip(self.ops, self.stages, strict=True):
            for number, operand in enumerate(stage.operands):
                try:
                    linearise([operand.level], stage.extents, operand.num_symbols)
                except NotRectangular as reason:
                    raise error_at(
                        op, f"reads operand {number} in a way that no access pattern expresses: {reason}"
                    ) from None


def _emitted_bytes(op: kernel.Stage) -> list[int]:
    """Per result `Result.emitted_bytes`."""
    if op.adds_conflicts:
        return [element_bytes(kernel.element_type(value.type)) for value in op.yielded]
    return [0] * len(op.results)


def _is_loaded(value: SSAValue) -> bool:
    return isinstance(value.owner, kernel.LoadOp | kernel.BufferOp)


def handed_over(op: kernel.Stage, number: int) -> tuple[int, ...]:
    """The dimensions of the domain over which result `number` leaves the stage: accumulators leave it at the end."""
    every_point = not op.init_constants or number < op.step_results
    kinds = ("parallel", "sequential") if op.init_constants and every_point else ("parallel",)
    return tuple(dim for dim, kind in enumerate(op.kinds) if not op.init_constants or kind in kinds)


def element_bytes(dtype: Attribute) -> int:
    """Bytes of one element in memory."""
    return DTYPE_BYTES[dtype_name(dtype) or "f32"]


def tensor_bytes(value: SSAValue) -> int:
    """Bytes of the tensor that `value` is."""
    tensor = cast(TensorType[Attribute], value.type)
    return prod(tensor.get_shape()) * element_bytes(tensor.element_type)


def passes_on(op: kernel.Stage) -> bool:
    """Whether a gather or scatter computes nothing: it yields one of its elements, so that no PCU is needed."""
    block = op.body.blocks.first
    if block is None or not isinstance(op, kernel.GatherOp | kernel.ScatterOp):
        return False
    plain = not op.init_constants and op.predicate is None and len(op.results) == 1
    return plain and block.first_op is block.last_op and isinstance(op.yielded[0], BlockArgument)


def passed_on(op: kernel.Stage) -> int:
    """The input whose element a stage that computes nothing yields."""
    return cast(BlockArgument[Attribute], op.yielded[0]).index


def classes(block: Block | None) -> tuple[str, ...]:
    """The op classes of a tile program's instructions."""
    return tuple(row.op_class for _, row in instructions(block)) if block is not None else ()


def instructions(block: Block) -> Iterator[tuple[Operation, Opcode]]:
    """The ops of a body that become instructions, with their rows."""
    for op in block.ops:
        if isinstance(op, arith.ConstantOp | kernel.IndexOp | kernel.YieldOp | kernel.Stage):
            continue
        yield op, opcode_of(op)


def opcode_of(op: Operation) -> Opcode:
    """The instruction that stands for an op of a body."""
    row = instruction_of(op)
    assert row is not None, f"{op.name} has no instruction"
    return row
