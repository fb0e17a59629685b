"""kernel-insert-transfers: make the loads and stores of a section explicit."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, SSAValue, Use

from sambaflow.dialects import kernel
from sambaflow.passes.base import SambaPass
from sambaflow.passes.planning_analysis import in_place_inputs
from sambaflow.passes.planning_sections import Section, sections_of


@dataclass(frozen=True)
class KernelInsertTransfersPass(SambaPass):
    """Loads what a section reads from its arguments and stores what it yields.

        kernel.section @s (%a = %x : T) -> (T) {       kernel.section @s (%a = %x : T) -> (T) {
          %0 = kernel.map ins(%a : T) ...                %l = kernel.load %a : T
          kernel.yield %0 : T                     ->     %0 = kernel.map ins(%l : T) ...
        }                                                %r, %t = kernel.store %0 : T
                                                         kernel.yield %r : T }

    A table that is gathered from, and a tensor that a scatter updates, stay where they are; the update is a store to
    its argument, and what is read of it afterwards is loaded `after` that store's token. Where the moves behind an
    argument make it smaller (a slice), only the smaller tensor is loaded. Needs `kernel-cut-sections`.
    """

    name = "kernel-insert-transfers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for section in sections_of(op):
            _Transfers(section).insert()


class _Transfers:
    def __init__(self, section: Section) -> None:
        self.section = section
        self.block = section.op.body.block
        self.analysis = section.analysis
        self.made = {result.value: i for i, stage in enumerate(self.analysis.stages) for result in stage.results}

    def insert(self) -> None:
        stores = self._updates()
        for argument in self.block.args:
            self._load(argument)
        yielded = self.section.op.terminator
        for i, value in enumerate(yielded.operands):
            if isinstance(value.owner, kernel.StoreOp):
                continue
            if value not in stores:
                store = kernel.StoreOp(value)
                store.location = self.section.op.location
                self.block.insert_op_before(store, yielded)
                stores[value] = store
            yielded.operands[i] = stores[value].result

    def _updates(self) -> dict[SSAValue, kernel.StoreOp]:
        """Stores of the tensors that scatters update in place; later readers load them again."""
        stores: dict[SSAValue, kernel.StoreOp] = {}
        for op in list(self.analysis.ops):
            for result, tied in zip(op.results, op.tied_inputs, strict=True):
                if tied < 0 or not self._stands_off_chip(op.operands[tied]):
                    continue
                destination = op.operands[tied]
                token = destination.owner.token if isinstance(destination.owner, kernel.StoreOp) else None
                store = kernel.StoreOp(result, destination, token)
                store.location = op.location
                self.block.insert_op_after(store, op)
                readers = [use for use in result.uses if use.operation is not store]
                for use in readers:
                    use.operation.operands[use.index] = store.result
                stores[result] = store
                self._load(store.result, store.token)
        return stores

    def _stands_off_chip(self, value: SSAValue) -> bool:
        return isinstance(value, BlockArgument) or isinstance(value.owner, kernel.StoreOp)

    def _load(self, value: SSAValue, after: SSAValue | None = None) -> None:
        """Load `value` once for all stages that read it, unless they access it in place."""
        readers = [use for use in value.uses if _reads(use)]
        if not readers:
            return
        load = kernel.LoadOp(value, after)
        stages = dict.fromkeys(use.operation for use in readers)
        first = next(op for op in self.analysis.ops if op in stages)
        load.location = first.location
        self.block.insert_op_before(load, first)
        for use in readers:
            use.operation.operands[use.index] = load.value


def _reads(use: Use) -> bool:
    """Whether a stage reads the value as a stream, not in place."""
    op = use.operation
    return isinstance(op, kernel.Stage) and use.index not in in_place_inputs(op)
