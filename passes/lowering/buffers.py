"""What delivers a value to its reader: a PMU group behind a kernel.buffer, or a load that takes indices.

    kernel.buffer + operand map      a PMU group; its read pattern is the map, linearised over the reader's domain
    gather of an argument            an indexed load

A buffer is lowered where it is read, because the access pattern of its read port is its reader's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.ir import Operation, SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu
from sambaflow.dialects.rdu.units import stream as stream_type
from sambaflow.errors import InputError
from sambaflow.machine import window_of
from sambaflow.passes.lowering.context import SectionContext, decided, windows_of
from sambaflow.passes.lowering.tensors import (
    LoweredTensor,
    Source,
    access_data,
    identity,
    refined,
    stream_of,
    symbols_of,
    tensor_type,
)
from sambaflow.passes.planning.access import LinearAccess, whole
from sambaflow.passes.planning.analysis import element_bytes


def lower_buffer(op: kernel.BufferOp, context: SectionContext) -> None:
    """Nothing yet: what reads it makes the PMU group. InputError for one that nothing reads."""
    if not op.result.uses:
        raise error_at(op, "buffers what nothing reads", InputError, levers=["drop it"])


# -- what readers ask for --------------------------------------------------------------------------------------------


def operand_stream(context: SectionContext, op: kernel.Stage, number: int) -> SSAValue:
    """The stream that delivers operand `number` at every point of the stage's domain.

    InputError where a decision is missing, with the pass that makes it.
    """
    if (op, number) not in context.operands:
        context.operands[op, number] = _deliver(context, op, number)
    return context.operands[op, number]


def _deliver(context: SectionContext, op: kernel.Stage, number: int) -> SSAValue:
    stage = context.stages[op]
    facts = stage.operands[number]
    root, moves = context.root(op.operands[number])
    tensor = context.tensors[root]
    access = context.access_through(facts.level, moves, stage.extents or (1,), facts.num_symbols)
    indices = [index_stream(context, op, symbol) for symbol in symbols_of(access)]
    if tensor.slot is not None:
        return _indexed_load(context, op, tensor, tensor.slot, access, indices)
    return _pmu_group(context, op, op.operands[number], tensor, access, indices)


def index_stream(context: SectionContext, op: kernel.Stage, symbol: int) -> SSAValue:
    """The stream of the values of a symbol of the stage's maps."""
    return operand_stream(context, op, op.bound_inputs[symbol])


def whole_tensor(context: SectionContext, reader: Operation, value: SSAValue) -> Source:
    """One stream that delivers all of `value`: its own, or through a PMU group."""
    root, moves = context.root(value)
    tensor = context.tensors[root]
    plain = len(tensor.sources) == 1 and not tensor.sources[0].indices
    if plain and not moves and not isinstance(value.owner, kernel.BufferOp):
        return tensor.sources[0]
    shape = tensor_type(value).get_shape()
    access = context.access_through(whole(shape), moves, shape or (1,))
    stream = _pmu_group(context, reader, value, tensor, access, [])
    return Source(stream, shape or (1,), identity(shape))


# -- loads with indices ----------------------------------------------------------------------------------------------


def _indexed_load(
    context: SectionContext,
    op: kernel.Stage,
    tensor: LoweredTensor,
    slot: SSAValue,
    access: LinearAccess,
    indices: Sequence[SSAValue],
) -> SSAValue:
    """The stream of the elements of `slot` that the stage asks for."""
    waits = [tensor.token] if tensor.token is not None else []
    mapping = op.tiling
    load = rdu.LoadOp.create_load(
        slot,
        stream_of(tensor.type.element_type, prod(access.extents), windows_of(op, 0)),
        domain=access.extents,
        access=access_data(access),
        tile=refined(mapping.tile, op.extents, access) if mapping is not None else access.extents,
        streams=[*indices, *waits],
        indices=len(indices),
        depths=[2] * len(indices) + [1] * len(waits),
        count=decided(op, "agcus", "kernel-insert-transfers"),
        label="gather",
    )
    context.add(load)
    return load.result


# -- PMU groups ------------------------------------------------------------------------------------------------------


def _pmu_group(
    context: SectionContext,
    reader: Operation,
    value: SSAValue,
    tensor: LoweredTensor,
    access: LinearAccess,
    indices: Sequence[SSAValue],
) -> SSAValue:
    """The buffer `value` as a PMU group that all sources of `tensor` write; the stream of its one read port."""
    buffer = _buffer_of(reader, value)
    handed = _handed(buffer, tensor)
    writes, write_indices = _write_ports(tensor)
    element, elements = tensor.type.element_type, prod(tensor.shape)
    first_index = len(tensor.sources) + len(write_indices)
    group = rdu.PmuOp.create_pmu(
        [*(source.stream for source in tensor.sources), *write_indices, *indices],
        [stream_of(element, min(prod(access.extents), elements), buffer.tokens.value.data)],
        elements=elements,
        writes=writes,
        reads=[rdu.PortAttr(rdu.PortData(access.extents, access_data(access, first_index)))],
        depth=buffer.depth.value.data,
        window_bytes=window_of(elements * element_bytes(element), handed),
        banks=decided(buffer, "banks", "kernel-insert-buffers"),
        init=tensor.init,
        count=decided(buffer, "pmus", "kernel-insert-buffers"),
        label="buffer",
    )
    context.units[buffer] = group
    context.add(group)
    return group.outputs[0]


def _buffer_of(reader: Operation, value: SSAValue) -> kernel.BufferOp:
    if not isinstance(value.owner, kernel.BufferOp):
        raise error_at(
            reader,
            "reads what takes a buffer, which is not there",
            InputError,
            levers=["run kernel-insert-buffers first"],
        )
    return value.owner


def _handed(buffer: kernel.BufferOp, tensor: LoweredTensor) -> int:
    """In how many windows the sources of `tensor` hand it over: as many as the buffer says."""
    handed = max((stream_type(source.stream).count.data for source in tensor.sources), default=1)
    if handed != buffer.windows:
        raise error_at(
            buffer,
            "is written in another number of windows than it says",
            InputError,
            demand=f"{handed} windows",
            limit=f"{buffer.windows}",
            levers=["make 'handed' what its maker hands over", "drop the buffer and run kernel-insert-buffers"],
        )
    return handed


def _write_ports(tensor: LoweredTensor) -> tuple[list[rdu.PortAttr], list[SSAValue]]:
    """A port for each source, and the streams of their indices, which follow the sources' own."""
    ports: list[rdu.PortAttr] = []
    indices: list[SSAValue] = []
    for source in tensor.sources:
        written = source.access(tensor.shape)
        first_index = len(tensor.sources) + len(indices)
        ports.append(rdu.PortAttr(rdu.PortData(written.extents, access_data(written, first_index))))
        indices.extend(source.indices)
    return ports, indices
