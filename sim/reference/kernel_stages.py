"""The reference semantics of kernel stages, written once against the interface.

A stage runs on all of its domain, or (`tiled`) tile by tile in the order of its mapping, with the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from xdsl.ir import SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.analysis import nested_stages
from sambaflow.errors import InputError
from sambaflow.sim.reference.kernel_access import Box, inside, read_masked, view
from sambaflow.sim.reference.kernel_body import Program, tensor_of
from sambaflow.sim.reference.kernel_execution import Execution
from sambaflow.sim.reference.kernel_folds import BlockScan, Fold, Scan

Tensor = torch.Tensor


def run_stage(
    stage: kernel.Stage,
    inputs: Sequence[Tensor],
    *,
    chip: int = 0,
    tiled: bool = False,
    outer: Mapping[SSAValue, Tensor] | None = None,
) -> list[Tensor]:
    """The results of one stage on one chip. `outer`: scalars of the enclosing scan."""

    def nested(inner: kernel.Stage, operands: Sequence[Tensor], scalars: Mapping[SSAValue, Tensor]) -> list[Tensor]:
        return run_stage(inner, operands, chip=chip, tiled=tiled, outer=scalars)

    execution = Execution(stage, inputs, chip, tiled, outer or {}, nested)
    match stage:
        case kernel.MoveOp():
            for box in execution.tiles():
                _move(execution, box)
        case kernel.SortOp():
            for box in execution.tiles(whole=stage.domain.data.dims("sequential")):
                _sort(execution, stage, box)
        case _ if nested_stages(stage):
            BlockScan(execution).run()
        case _ if "sequential" in stage.kinds:
            Scan(execution).run()
        case _ if stage.init_constants:
            Fold(execution).run()
        case _:
            program = Program(stage.body.block)
            for box in execution.tiles():
                _points(execution, program, box)
    return execution.results()


def _points(execution: Execution, program: Program, box: Box) -> None:
    """A stage without accumulators: the body at every point."""
    symbols = execution.symbols(box)
    mask = inside(execution.stage.predicate, box, symbols)
    for number, value in enumerate(program.run(execution.place(box), execution.read_all(box, symbols))):
        value = value.reshape((1,) * len(box.sizes)) if value.dim() == 0 else value
        execution.write(number, value, box, symbols, mask)


def _move(execution: Execution, box: Box) -> None:
    """The first input whose access is in range, else the pad of input 0."""
    stage = execution.stage
    symbols = execution.symbols(box)
    mask = inside(stage.predicate, box, symbols)
    if (moved := view(execution.inputs[0], stage.input_maps[0], box)) is not None:
        execution.write(0, moved, box, symbols, mask)
        return
    pad = stage.pad_constants[0]
    value = tensor_of(pad) if pad is not None else torch.zeros((), dtype=execution.inputs[0].dtype)
    covered = torch.tensor(False)
    for tensor, map_ in reversed(list(zip(execution.inputs, stage.input_maps, strict=True))):
        part, there = read_masked(tensor, map_, box, symbols)
        value, covered = torch.where(there, part, value), covered | there
    if pad is None and not bool(covered.all()):
        raise error_at(stage, "a point lies outside of every input and input 0 has no pad", InputError)
    execution.write(0, value, box, symbols, mask)


def _sort(execution: Execution, stage: kernel.SortOp, box: Box) -> None:
    """Along the sequential dimension, by the first input, stably."""
    (dim,) = stage.domain.data.dims("sequential")
    values = [execution.read(i, box, ()).expand(box.sizes) for i in range(len(execution.inputs))]
    order = torch.sort(values[0], dim=dim, descending=stage.descending is not None, stable=True).indices
    for number, value in enumerate(values):
        execution.write(number, value.gather(dim, order), box, (), None)
