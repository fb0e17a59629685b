"""The reference interpreter of kernel IR: any function, section, group or stage, on one chip or on several.

    run(func, [x, w])                              -> [y]
    run(func, [x, w], tiled=True)                  the same bits, tile by tile
    run_chips(func, [[x0, w0], [x1, w1]])          -> [[y0], [y1]], with collectives between the chips

Everything that a stage means is in its fields, so nothing here looks at the operator that it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel
from sambaflow.errors import InputError
from sambaflow.sim.reference.interpreter import BlockInterpreter, PerChip
from sambaflow.sim.reference.kernel_body import tensor_of, torch_dtype
from sambaflow.sim.reference.kernel_stages import run_stage

Tensor = torch.Tensor


def run(op: Operation, inputs: Sequence[Tensor], *, tiled: bool = False) -> list[Tensor]:
    """The results of a function, section, group or stage on one chip. `inputs`: one tensor per argument or operand."""
    return run_chips(op, [inputs], tiled=tiled)[0]


def run_chips(op: Operation, inputs: Sequence[Sequence[Tensor]], *, tiled: bool = False) -> list[list[Tensor]]:
    """The same on several chips: inputs[c] and result[c] are those of chip c."""
    operands = [list(values) for values in zip(*inputs, strict=True)]
    types = list(op.body.block.arg_types) if isinstance(op, func.FuncOp) else [value.type for value in op.operands]
    if len(types) != len(operands):
        raise error_at(op, f"takes {len(types)} inputs, {len(operands)} are given", InputError)
    for number, (declared, values) in enumerate(zip(types, operands, strict=True)):
        for value in values:
            if tuple(value.shape) != kernel.block_shape(declared) or value.dtype != torch_dtype(declared):
                raise error_at(
                    op, f"input {number} is {tuple(value.shape)} {value.dtype}, expected {declared}", InputError
                )
    interpreter = Interpreter(len(inputs), tiled)
    if isinstance(op, func.FuncOp):
        results = interpreter.block(op.body.block, operands)
    else:
        results = interpreter.op(op, operands)
    return [[values[chip] for values in results] for chip in range(len(inputs))]


class Interpreter(BlockInterpreter):
    """Evaluates blocks of stages."""

    def __init__(self, chips: int, tiled: bool):
        self.chips = chips
        self.tiled = tiled

    def op(self, op: Operation, operands: Sequence[PerChip]) -> list[PerChip]:
        match op:
            case kernel.CollectiveOp():
                return [self._collective(op, operands[0])]
            case kernel.Stage():
                return self._stage(op, operands)
            case kernel.SectionOp() | kernel.GroupOp():
                return self.block(op.body.block, operands)
            case kernel.LoadOp() | kernel.BufferOp():
                return [operands[0]]
            case kernel.StoreOp():
                return [operands[0], [torch.zeros(()) for _ in range(self.chips)]]
            case arith.ConstantOp():
                return [[tensor_of(op.value)] * self.chips]
            case func.CallOp():
                return self.block(_callee(op).body.block, operands)
            case _:
                raise error_at(op, "is not kernel IR", InputError)

    def _stage(self, stage: kernel.Stage, operands: Sequence[PerChip]) -> list[PerChip]:
        chips = [
            run_stage(stage, [values[chip] for values in operands], chip=chip, tiled=self.tiled)
            for chip in range(self.chips)
        ]
        return [list(values) for values in zip(*chips, strict=True)]

    def _collective(self, op: kernel.CollectiveOp, values: PerChip) -> PerChip:
        chips = op.chips.value.data
        if chips != self.chips:
            raise error_at(op, f"runs over {chips} chips, {self.chips} are given", InputError)
        wire, target = torch_dtype(op.wire), torch_dtype(op.results[0].type)
        dim = op.dim.value.data if op.dim is not None else 0
        return [value.to(target) for value in _COLLECTIVES[op.op.data]([v.to(wire) for v in values], dim)]


def _callee(op: func.CallOp) -> func.FuncOp:
    top = op.parent_op()
    while top is not None and not isinstance(top, ModuleOp):
        top = top.parent_op()
    for candidate in top.ops if top is not None else ():
        if isinstance(candidate, func.FuncOp) and candidate.sym_name.data == op.callee.root_reference.data:
            return candidate
    raise error_at(op, f"calls '{op.callee.root_reference.data}', which is not in the module", InputError)


def _sum(values: PerChip) -> Tensor:
    """In f32 (integers in their type), in ascending order of the chips."""
    total = values[0].float() if values[0].is_floating_point() else values[0]
    for value in values[1:]:
        total = total + value.to(total.dtype)
    return total


def _all_reduce(values: PerChip, dim: int) -> PerChip:
    return [_sum(values)] * len(values)


def _all_gather(values: PerChip, dim: int) -> PerChip:
    return [torch.cat(values, dim)] * len(values)


def _reduce_scatter(values: PerChip, dim: int) -> PerChip:
    return [part.contiguous() for part in _sum(values).chunk(len(values), dim)]


def _all_to_all(values: PerChip, dim: int) -> PerChip:
    parts = [value.chunk(len(values), dim) for value in values]
    return [torch.cat([source[chip] for source in parts], dim) for chip in range(len(values))]


_COLLECTIVES: dict[str, Callable[[PerChip, int], PerChip]] = {
    "all_reduce": _all_reduce,
    "all_gather": _all_gather,
    "reduce_scatter": _reduce_scatter,
    "all_to_all": _all_to_all,
}
