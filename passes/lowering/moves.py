"""Layout changes: part of their readers' access patterns, buffers of their own, or joins.

    move that is an access pattern   part of its readers' patterns (or of a store's, through a PMU group)
    move that is none                a buffer that its readers read in the order of the result
    concat                           several write ports of the readers' PMU groups

Planning says which are access patterns: those that every reader can express.
"""

from __future__ import annotations

from sambaflow.dialects import kernel
from sambaflow.dialects.rdu.instructions import bits_of
from sambaflow.passes.lowering.buffers import operand_stream, whole_tensor
from sambaflow.passes.lowering.context import SectionContext
from sambaflow.passes.lowering.tensors import LoweredTensor, Source
from sambaflow.passes.planning.access import Level
from sambaflow.passes.planning.facts import placed


def lower_move(op: kernel.MoveOp, context: SectionContext) -> None:
    """Nothing for an access pattern, which its readers look through; else the sources of its result."""
    stage = context.stages[op]
    if stage.fold:
        return
    context.tensors[op.results[0]] = _join(context, op) if stage.join else _copy(context, op)


def _copy(context: SectionContext, op: kernel.MoveOp) -> LoweredTensor:
    """A layout change that its readers cannot express: a buffer of its own."""
    source = Source(operand_stream(context, op, 0), op.extents or (1,), op.result_maps[0].results)
    return LoweredTensor(op.output_types[0], [source])


def _join(context: SectionContext, op: kernel.MoveOp) -> LoweredTensor:
    """The first operand in range wins: it is written last."""
    pad = op.pad_constants[0]
    sources = [_part(context, op, number) for number in range(len(op.operands) - 1, -1, -1)]
    return LoweredTensor(op.output_types[0], sources, bits_of(pad) if pad is not None else 0)


def _part(context: SectionContext, op: kernel.MoveOp, number: int) -> Source:
    """Operand `number` of a join: its elements where they go, or, through a buffer, the join's domain as far as it is
    in range."""
    stage = context.stages[op]
    coordinates = op.result_maps[0].results
    point = placed(stage, number)
    if point is None:
        level = stage.operands[number].level
        within = (Level(level.coordinates, level.shape, None if level.pad is None else 0),)
        return Source(operand_stream(context, op, number), stage.extents or (1,), coordinates, within=within)
    part = whole_tensor(context, op, op.operands[number])
    coordinates = tuple(expr.replace_dims_and_symbols(point, ()) for expr in coordinates)
    coordinates = tuple(expr.replace_dims_and_symbols(part.coordinates, ()) for expr in coordinates)
    return Source(part.stream, part.extents, coordinates, part.indices, part.within)
