"""One kernel.section as one rdu.section: slots, then one function for each kind of op.

    loads, stores, updates in place  `transfers.py`
    buffers, indexed loads           `buffers.py`
    layout changes                   `moves.py`
    PCU groups, collectives          `stages.py`

What a value is at this level is a list of sources: streams, each with the place of every element that it delivers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.ir import BlockArgument, Operation, Region, SSAValue

from sambaflow.dialects import kernel, rdu
from sambaflow.passes.lowering.buffers import lower_buffer
from sambaflow.passes.lowering.context import SectionContext, Slot
from sambaflow.passes.lowering.moves import lower_move
from sambaflow.passes.lowering.stages import lower_collective, lower_compute, lower_indexed, refuse_sort
from sambaflow.passes.lowering.tensors import LoweredTensor, tensor_type
from sambaflow.passes.lowering.transfers import lower_load, lower_store
from sambaflow.passes.rewriting.conversion import Translation

LOWERING: Translation[SectionContext] = Translation(
    {
        kernel.LoadOp: lower_load,
        kernel.StoreOp: lower_store,
        kernel.BufferOp: lower_buffer,
        kernel.MoveOp: lower_move,
        kernel.MapOp: lower_compute,
        kernel.ContractOp: lower_compute,
        kernel.ReduceOp: lower_compute,
        kernel.ScanOp: lower_compute,
        kernel.RandomOp: lower_compute,
        kernel.GatherOp: lower_indexed,
        kernel.ScatterOp: lower_indexed,
        kernel.CollectiveOp: lower_collective,
        kernel.SortOp: refuse_sort,
    }
)
"""What becomes of each op of a section. The rest, its terminator, makes nothing."""


@dataclass(frozen=True)
class LoweredSection:
    """The rdu section, and what its slots bind."""

    op: rdu.SectionOp
    slots: tuple[Slot, ...]
    results: tuple[int, ...]
    """The slot of each result."""


class SectionLowering:
    """Translates one section: every number that it writes stands in the section, or follows from its maps.

    `section` stays as it is. `sized`: whether the depths in front of stores are known already. Raises PassError for a
    stage that no unit carries out, InputError where a decision is missing, with the pass that makes it.
    """

    def __init__(self, section: kernel.SectionOp, sized: bool = True) -> None:
        self.section = section
        self._context = SectionContext(section, sized)

    @property
    def units(self) -> Mapping[Operation, rdu.PmuOp | rdu.StoreOp]:
        """The rdu ops of the buffers and stores that are lowered."""
        return self._context.units

    def lower(self) -> LoweredSection:
        """The rdu section and what its slots are."""
        context = self._context
        _bind_arguments(context)
        results = _bind_results(context)
        LOWERING.apply(self.section.body.block.ops, context)
        lowered = rdu.SectionOp(self.section.label, Region(context.block))
        lowered.location = self.section.location
        return LoweredSection(lowered, tuple(context.slots), results)


def _bind_arguments(context: SectionContext) -> None:
    """A slot for each argument."""
    for number, argument in enumerate(context.section.body.block.args):
        _add_slot(context, argument, ("input", number))


def _bind_results(context: SectionContext) -> tuple[int, ...]:
    """The slot of each result: that of the argument it updates, else one of its own."""
    slot_of: dict[SSAValue, int] = {}
    stored = context.section.terminator.operands
    for number, value in enumerate(stored):
        store = value.owner
        assert isinstance(store, kernel.StoreOp), "sections yield what is stored"
        if value not in slot_of:
            updated = _updated_argument(store)
            slot_of[value] = updated.index if updated is not None else _add_slot(context, value, ("result", number))
    return tuple(slot_of[value] for value in stored)


def _updated_argument(store: kernel.StoreOp) -> BlockArgument | None:
    """The argument that a store overwrites, itself or by way of other stores."""
    destination = store.destination
    while destination is not None and isinstance(destination.owner, kernel.StoreOp):
        destination = destination.owner.destination
    return destination if isinstance(destination, BlockArgument) else None


def _add_slot(context: SectionContext, value: SSAValue, slot: Slot) -> int:
    """A slot for `value`, which stands in it from then on."""
    block = context.block
    argument = block.insert_arg(value.type, len(block.args))
    context.tensors[value] = LoweredTensor(tensor_type(value), slot=argument)
    context.slots.append(slot)
    return argument.index
