"""Loads and stores: what moves between memory and the streams of a section.

    kernel.load                      a load in the tensor's own order, or through the moves behind it
    kernel.store                     a store of one stream
    scatter to an argument           a store with indices, of the scattered elements alone

A token orders them: what loads or updates a tensor that was stored waits for that store.
"""

from __future__ import annotations

from math import ceil, prod

from xdsl.ir import SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu
from sambaflow.dialects.rdu.units import stream as stream_type
from sambaflow.errors import InputError
from sambaflow.passes.lowering.buffers import whole_tensor
from sambaflow.passes.lowering.context import SectionContext, decided
from sambaflow.passes.lowering.tensors import (
    LoweredTensor,
    Source,
    access_data,
    identity,
    refined,
    stream_of,
    tensor_type,
)
from sambaflow.passes.planning.access import whole
from sambaflow.passes.planning.windows import tiles


def lower_load(op: kernel.LoadOp, context: SectionContext) -> None:
    """Reads a slot in its own order, or through the moves behind the load."""
    root, moves = context.root(op.source)
    tensor = context.tensors[root]
    if tensor.slot is None:
        raise error_at(op, "loads a value that stands in no slot")
    loaded = tensor_type(op.value)
    shape = loaded.get_shape()
    extents = shape or (1,)
    access = context.access_through(whole(shape), moves, extents)
    tile = _tile(op, len(extents))
    waits = [tensor.token] if tensor.token is not None else []
    load = rdu.LoadOp.create_load(
        tensor.slot,
        stream_of(loaded.element_type, prod(shape), tiles(extents, tile)),
        domain=access.extents,
        access=access_data(access),
        tile=refined(tile, extents, access),
        streams=waits,
        depths=[1] * len(waits),
        count=decided(op, "agcus", "kernel-insert-transfers"),
        label="load",
    )
    context.add(load)
    context.tensors[op.value] = LoweredTensor(loaded, [Source(load.result, extents, identity(shape))])


def lower_store(op: kernel.StoreOp, context: SectionContext) -> None:
    """Writes a slot; a tensor that was updated where it stands is stored already."""
    updated = context.tensors.get(op.value)
    if updated is not None and updated.slot is not None:
        context.tensors[op.result] = updated
        return
    slot = _slot_of(context, op)
    source = whole_tensor(context, op, op.value)
    access = source.access(tensor_type(op.value).get_shape())
    tile = refined(_tile(op, len(source.extents)), source.extents, access)
    store = rdu.StoreOp.create_store(
        slot,
        [source.stream],
        domain=access.extents,
        access=access_data(access),
        tile=tile,
        depths=[_depth(context, op, source, tiles(access.extents, tile))],
        count=decided(op, "agcus", "kernel-insert-transfers"),
        token=bool(op.token.uses),
        label="store",
    )
    context.units[op] = store
    context.add(store)
    token = next(iter(store.token), None)
    context.tensors[op.result] = LoweredTensor(tensor_type(op.value), slot=slot, token=token)


def store_update(
    context: SectionContext, op: kernel.Stage, number: int, source: Source, before: LoweredTensor, slot: SSAValue
) -> None:
    """Store the elements of result `number` into `slot`, where the tensor `before` stands that they update.

    PassError without a `kernel.store` of the result.
    """
    access = source.access(before.shape)
    stored = _store_of(op.results[number])
    if stored is None:
        raise error_at(op, "updates a tensor off the chip without a store", levers=["run kernel-insert-transfers"])
    waits = [before.token] if before.token is not None else []
    store = rdu.StoreOp.create_store(
        slot,
        [source.stream, *source.indices, *waits],
        domain=access.extents,
        access=access_data(access, 1),
        tile=refined(_tile(stored, len(source.extents)), source.extents, access),
        indices=len(source.indices),
        depths=[_depth(context, stored, source, 0), *[2] * len(source.indices), *[1] * len(waits)],
        conflict=op.conflict.data if isinstance(op, kernel.ScatterOp) else "overwrite",
        count=decided(stored, "agcus", "kernel-insert-transfers"),
        token=bool(stored.token.uses),
        label="scatter",
    )
    context.units[stored] = store
    context.add(store)
    token = next(iter(store.token), before.token)
    context.tensors[op.results[number]] = LoweredTensor(before.type, slot=before.slot, token=token)


# -- what stands at a transfer ---------------------------------------------------------------------------------------


def _tile(op: kernel.Transfer, rank: int) -> tuple[int, ...]:
    """What one firing moves. InputError where it is missing, or has not `rank` dimensions."""
    if (tile := op.tiling) is None:
        raise error_at(op, "has no 'tile'", InputError, levers=["run kernel-insert-transfers first"])
    if len(tile) != rank:
        raise error_at(
            op,
            "has a tile of another rank than what it moves",
            InputError,
            demand=f"{len(tile)} dimensions",
            limit=f"{rank}",
            levers=["drop the tile and run kernel-insert-transfers"],
        )
    return tile


def _depth(context: SectionContext, op: kernel.StoreOp, source: Source, firings: int) -> int:
    """The windows in front of a store; until they are sized, those of one firing and the next.

    A store at places that come beside it (`firings` 0) takes a window with a window of places.
    """
    if context.sized or op.depth is not None:
        return decided(op, "depth", "kernel-size-fifos")
    return 1 + ceil(stream_type(source.stream).count.data / firings) if firings else 2


def _slot_of(context: SectionContext, op: kernel.StoreOp) -> SSAValue:
    """The slot of the section result that the store gives, else that of the argument that it overwrites."""
    for value in (op.result, op.destination):
        tensor = context.tensors.get(value) if value is not None else None
        if tensor is not None and tensor.slot is not None:
            return tensor.slot
    raise error_at(op, "stores to nothing that a section result or argument stands for")


def _store_of(value: SSAValue) -> kernel.StoreOp | None:
    """The first store of a value."""
    users = (use.operation for use in value.uses)
    return next((user for user in users if isinstance(user, kernel.StoreOp)), None)
