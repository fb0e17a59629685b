"""Stages that work: PCU groups and peer-to-peer streams, and what their results become.

    map, contract, reduce, scan, random    a PCU group with a tile program
    gather, scatter                        the same, unless they only pass elements on: then no unit at all
    collective                             a peer-to-peer stream
    sort, and stages that work on blocks   refused

What a result becomes is the same for all: a source for its readers, or a store where it updates an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu
from sambaflow.passes.lowering.body import LoweredBody, predicate_rows, tile_program
from sambaflow.passes.lowering.buffers import index_stream, operand_stream
from sambaflow.passes.lowering.context import SectionContext, windows_of
from sambaflow.passes.lowering.tensors import (
    LoweredTensor,
    Source,
    identity,
    init_bits,
    points_of,
    source_access,
    stream_of,
    symbols_of,
)
from sambaflow.passes.lowering.transfers import store_update
from sambaflow.passes.planning.analysis import passed_on, passes_on

KINDS = {"parallel": rdu.PARALLEL, "reduction": rdu.REDUCTION, "sequential": rdu.SEQUENTIAL}


def lower_compute(op: kernel.Stage, context: SectionContext) -> None:
    """Streams in, the PCU group, results as sources or as stores to a slot. PassError for one that works on blocks."""
    _refuse_blocks(op)
    program = tile_program(op)
    group = _pcu_group(context, op, program)
    for number in range(len(op.results)):
        _record_result(context, op, number, _output(op, number, group.outputs[number]))


def lower_indexed(op: kernel.GatherOp | kernel.ScatterOp, context: SectionContext) -> None:
    """A gather or scatter: a PCU group only where it computes, else what it passes on is its result."""
    if not passes_on(op):
        lower_compute(op, context)
        return
    _refuse_blocks(op)
    points = points_of(op, keep=("parallel", "sequential", "reduction"))
    output = Output(operand_stream(context, op, passed_on(op)), op.extents or (1,), points)
    _record_result(context, op, 0, output)


def lower_collective(op: kernel.CollectiveOp, context: SectionContext) -> None:
    """A peer-to-peer stream, which every chip of the target takes part in."""
    stream = operand_stream(context, op, 0)
    exchanged = op.output_types[0]
    shape = exchanged.get_shape()
    collective = rdu.CollectiveOp.create_collective(
        stream,
        stream_of(exchanged.element_type, prod(shape), windows_of(op, 0)),
        op=op.op.data,
        dim=op.dim.value.data if op.dim is not None else 0,
        chips=op.chips.value.data,
        wire=op.wire,
        domain=op.extents,
        label=op.op.data,
    )
    context.add(collective)
    context.tensors[op.results[0]] = LoweredTensor(exchanged, [Source(collective.result, shape, identity(shape))])


def refuse_sort(op: kernel.SortOp, context: SectionContext) -> None:
    """PassError: no unit sorts."""
    raise error_at(op, "is not supported at the rdu level yet")


def _refuse_blocks(op: kernel.Stage) -> None:
    """PassError for a stage that takes blocks: instructions work on elements."""
    if any(op.input_blocks):
        raise error_at(op, "works on blocks, which is not supported at the rdu level yet")


# -- PCU groups ------------------------------------------------------------------------------------------------------


def _pcu_group(context: SectionContext, op: kernel.Stage, program: LoweredBody) -> rdu.PcuOp:
    mapping = op.tiling
    assert mapping is not None, "a stage that takes PCUs is tiled"
    streams = [operand_stream(context, op, port) for port in program.ports]
    scalar = not op.extents
    group = rdu.PcuOp.create_pcu(
        streams,
        _output_streams(op),
        program.body,
        mode=context.stages[op].mode,
        domain=op.extents or (1,),
        kinds=[KINDS[kind] for kind in op.kinds] or [rdu.PARALLEL],
        tile=mapping.tile if not scalar else (1,),
        par=mapping.par if not scalar else (1,),
        order=mapping.order if not scalar else (0,),
        split=op.splits if not scalar else (1,),
        depths=[2] * len(streams),
        inits=[init_bits(init) for init in op.init_constants],
        predicate=[(row[0], 0, *row[1:]) if scalar else row for row in predicate_rows(op, program.ports)],
        combine=program.combine,
        finish=program.finish,
        count=prod(mapping.par),
        label=op.name.removeprefix("kernel."),
    )
    context.add(group)
    return group


def _output_streams(op: kernel.Stage) -> list[rdu.StreamType]:
    """The types of a PCU's output ports; final accumulators that are no results leave by ports nobody reads."""
    scatters = isinstance(op, kernel.ScatterOp)  # hands over what it scatters, not the tensor that it is part of
    adds = scatters and op.adds_conflicts  # sums are f32 until they are stored
    streams = [
        stream_of(
            kernel.element_type(op.yielded[number].type) if adds else result.element_type,
            prod(op.extents if scatters else result.get_shape()),
            windows_of(op, number),
        )
        for number, result in enumerate(op.output_types)
    ]
    if op.init_constants and op.step_results == len(op.results):
        outer = prod(extent for extent, kind in zip(op.extents, op.kinds, strict=True) if kind == "parallel")
        for accumulator in op.accumulator_types:
            elements = outer * prod(kernel.block_shape(accumulator))
            streams.append(stream_of(kernel.element_type(accumulator), elements, 1))
    return streams


# -- results ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """How a result leaves its stage: `stream` runs over `extents`, where `points` are the stage's dimensions.

    The last `block` extents run over a block whose first element is where the result's map says.
    """

    stream: SSAValue
    extents: tuple[int, ...]
    points: Sequence[AffineExpr]
    block: int = 0


def _output(op: kernel.Stage, number: int, stream: SSAValue) -> Output:
    """Result `number` leaves a PCU group at every step, or, an accumulator, behind the last one."""
    per_step = number < op.step_results and bool(op.init_constants)
    keep = ("parallel", "sequential") if per_step or not op.init_constants else ("parallel",)
    extents = tuple(extent for extent, kind in zip(op.extents, op.kinds, strict=True) if kind in keep)
    block = kernel.block_shape(op.yielded[number].type)
    return Output(stream, (*(extents or (1,)), *block), points_of(op, keep), len(block))


def _record_result(context: SectionContext, op: kernel.Stage, number: int, output: Output) -> None:
    """Say where result `number` comes from; one that updates an argument in place is stored at once."""
    source = _source(context, op, number, output)
    tied = op.tied_inputs[number]
    if tied < 0:
        context.tensors[op.results[number]] = LoweredTensor(op.output_types[number], [source])
        return
    base, _ = context.root(op.operands[tied])
    before = context.tensors[base]
    if before.slot is not None:
        store_update(context, op, number, source, before, before.slot)
        return
    if isinstance(op, kernel.ScatterOp) and op.conflict.data != "overwrite":
        raise error_at(
            op,
            f"updates a copy with conflict '{op.conflict.data}', which no buffer does: a buffer overwrites",
            levers=["return the updated tensor tied to its argument, and do not read the old one afterwards"],
        )
    updated = LoweredTensor(op.output_types[number], [*before.sources, source], before.init)
    context.tensors[op.results[number]] = updated


def _source(context: SectionContext, op: kernel.Stage, number: int, output: Output) -> Source:
    """Where the elements of a result go, with the streams of the indices that say it."""
    result_map, shape = op.result_maps[number], op.output_types[number].get_shape()
    dims = [AffineExpr.dimension(d) for d in range(len(output.extents))]
    inner = dims[len(dims) - output.block :]
    outer = len(shape) - output.block
    coordinates = tuple(expr.replace_dims_and_symbols(output.points, ()) for expr in result_map.results)
    coordinates = (*coordinates[:outer], *(c + d for c, d in zip(coordinates[outer:], inner, strict=True)))
    source = Source(output.stream, output.extents, coordinates)
    used = symbols_of(source_access(source, shape, result_map.num_symbols))
    if not used:
        return source
    numbered = [
        AffineExpr.symbol(used.index(symbol)) if symbol in used else AffineExpr.constant(0)
        for symbol in range(result_map.num_symbols)
    ]
    coordinates = tuple(expr.replace_dims_and_symbols(dims, numbered) for expr in coordinates)
    return Source(
        output.stream, output.extents, coordinates, tuple(index_stream(context, op, symbol) for symbol in used)
    )
