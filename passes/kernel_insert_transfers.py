"""kernel-insert-transfers: make the loads and stores of a section explicit."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import BlockArgument, Operation, SSAValue, Use

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.analysis import in_place_inputs
from sambaflow.dialects.kernel.stage import dense
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.decisions import decide
from sambaflow.passes.framework.properties import KERNEL
from sambaflow.passes.planning.result_copies import is_read_behind, ties_of
from sambaflow.passes.planning.sections import PlannedSection, sections_for, sections_of


@dataclass(frozen=True)
class KernelInsertTransfersPass(SambaPass):
    """Loads what a section reads from its arguments and stores what it yields.

        kernel.section @s (%a = %x : T) -> (T) {    kernel.section @s (%a = %x : T) -> (T) {
          %0 = kernel.map ins(%a : T) ...             %l = kernel.load %a {agcus = 5 : i64, tile = array<..>} : T
          kernel.yield %0 : T                   ->    %0 = kernel.map ins(%l : T) ...
        }                                             %r, %t = kernel.store %0 {agcus = 5 : i64, tile = array<..>} : T
                                                      kernel.yield %r : T }

    A table that is gathered from, and a tensor that a scatter updates, stay where they are; the update is a store to
    its argument, and what is read of it afterwards is loaded `after` that store's token. If the old elements are read
    later on, a copy is updated instead. Where a move makes an argument smaller (a slice), only that is loaded.
    `agcus` move it side by side (of a table: to the stage that gathers from it), `tile` at a time. Needs
    `kernel-balance`.
    """

    name = "kernel-insert-transfers"
    needs = ("target", *KERNEL, "sections", "tiles", "balance")
    leaves = ("transfers",)
    preserves = (sections_of,)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for section in sections_for(self.name, ctx, op):
            _Transfers(section).insert()
            section.forget()  # what is loaded is no longer accessed where it stands
            _decide(section)


def _decide(section: PlannedSection) -> None:
    """AGCUs and tiles of the loads and stores of a section, and AGCUs of the stages that read off the chip."""
    planned = {(t.value, t.reader, t.store): t for t in section.plan.transfers}
    for op in section.op.body.block.ops:
        if isinstance(op, kernel.Transfer):
            value = section.analysis.number(op.operands[0])
            plan = planned[value, -1, isinstance(op, kernel.StoreOp)]
            decide(op, "agcus", IntegerAttr(plan.agcus, i64), "search")
            decide(op, "tile", dense(plan.tile), "search")
    for (_, reader, _), plan in planned.items():
        if reader >= 0:
            decide(section.analysis.ops[reader], "agcus", IntegerAttr(plan.agcus, i64), "search")


class _Transfers:
    def __init__(self, section: PlannedSection) -> None:
        self.section = section
        self.block = section.op.body.block
        self.analysis = section.analysis
        self.numbers: dict[Operation, int] = {op: i for i, op in enumerate(self.analysis.ops)}
        self.copied: list[Operation] = []
        """Scatters whose destination is read again: they update a copy."""

        self.tied = {argument for argument in self.block.args if _becomes_new_state(argument)}
        """Arguments of the section that stand for one of the function whose new value is made of them in place."""

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
                if any(isinstance(use.operation, kernel.StoreOp) for use in result.uses):
                    continue  # its store stands there
                destination = op.operands[tied]
                if not self._may_update(destination):
                    self.copied.append(op)
                    if isinstance(destination.owner, kernel.StoreOp):
                        self._load(destination, destination.owner.token)
                    continue
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

    def _may_update(self, value: SSAValue) -> bool:
        """Whether nothing reads the old elements after this section: then the new ones may take their place."""
        if isinstance(value.owner, kernel.StoreOp):
            return value.has_one_use()
        section = self.section.op
        outside = section.operands[cast(BlockArgument, value).index]
        if isinstance(outside, BlockArgument) and value not in self.tied:
            return False
        if not isinstance(outside, BlockArgument) and not isinstance(outside.owner, kernel.SectionOp | CallOp):
            return False
        users = {use.operation for use in outside.uses}
        after = section.next_op
        while after is not None:
            if after in users:
                return False
            after = after.next_op
        updates = [use for use in value.uses if isinstance(use.operation, kernel.Stage) and self._updates_it(use)]
        return len(updates) == 1 and sum(operand is outside for operand in section.operands) == 1

    def _updates_it(self, use: Use) -> bool:
        return isinstance(use.operation, kernel.ScatterOp) and use.index in use.operation.tied_inputs

    def _load(self, value: SSAValue, after: SSAValue | None = None) -> None:
        """Load `value` once for all that read it as a stream; a slice is loaded by itself."""
        readers = [use for use in value.uses if self._reads(use)]
        slices = [use.operation for use in readers if self._is_slice(use.operation)]
        for move in dict.fromkeys(slices):
            self._load(move.results[0], after)
        readers = [use for use in readers if use.operation not in slices]
        if not readers:
            return
        load = next((use.operation for use in value.uses if isinstance(use.operation, kernel.LoadOp)), None)
        stages = dict.fromkeys(use.operation for use in (*readers, *(load.value.uses if load is not None else ())))
        first = next((op for op in self.analysis.ops if op in stages), self.section.op.terminator)
        if load is None:
            load = kernel.LoadOp(value, after)
            load.location = first.location
        else:
            load.detach()
        self.block.insert_op_before(load, first)
        for use in readers:
            use.operation.operands[use.index] = load.value

    def _reads(self, use: Use) -> bool:
        """Whether the value is read as a stream: by a stage, not in place or from a tensor that must keep its elements;
        or, a slice, by what the section yields."""
        op = use.operation
        if isinstance(op, kernel.YieldOp):
            return isinstance(op.operands[use.index].owner, kernel.MoveOp)
        if not isinstance(op, kernel.Stage):
            return False
        return use.index not in in_place_inputs(op) or (use.index in op.tied_inputs and op in self.copied)

    def _is_slice(self, op: Operation) -> bool:
        """Whether a move is an access pattern that leaves fewer elements than it reads."""
        number = self.numbers.get(op)
        if number is None or not self.analysis.stages[number].fold:
            return False
        stage = self.analysis.stages[number]
        return prod(stage.results[0].shape) < stage.operands[0].elements


def _becomes_new_state(inner: BlockArgument) -> bool:
    """Whether a section's argument is one of the function, and what a scatter makes of it is what a caller expects in
    its place: the result that is tied to it, or what another section makes that of."""
    section = inner.block.parent_op()
    assert isinstance(section, kernel.SectionOp)
    outside = section.operands[inner.index]
    function = outside.block.parent_op() if isinstance(outside, BlockArgument) else None
    if not isinstance(outside, BlockArgument) or not isinstance(function, FuncOp):
        return False
    results = {result for result, argument in ties_of(function).items() if argument == outside.index}
    return bool(results) and _leads_to(section, inner, results)


def _leads_to(section: kernel.SectionOp, value: SSAValue, results: set[int]) -> bool:
    """Whether the scatters of a tensor in a section lead to one of the function's results."""
    for use in value.uses:
        op = use.operation
        if isinstance(op, kernel.ScatterOp) and use.index in op.tied_inputs:
            scattered = op.results[op.tied_inputs.index(use.index)]
            yielded = [reader.index for reader in scattered.uses if isinstance(reader.operation, kernel.YieldOp)]
            if yielded:
                return all(_is_new_state(section.results[number], results) for number in yielded)
            return _leads_to(section, scattered, results)
    return False


def _is_new_state(value: SSAValue, results: set[int]) -> bool:
    """Whether a value is one of the function's results, or is last read by an op that makes that of it in place."""
    returned = [use.index for use in value.uses if isinstance(use.operation, ReturnOp)]
    if returned:
        return all(number in results for number in returned)
    for use in value.uses:
        op = use.operation
        if isinstance(op, kernel.SectionOp):
            inner = op.body.block.args[use.index]
            if any(isinstance(reader.operation, kernel.ScatterOp) for reader in inner.uses):
                return not is_read_behind(op, value) and _leads_to(op, inner, results)
        elif isinstance(op, CallOp):
            ties = ties_of(_callee(op))
            if use.index in ties.values():
                tied_result = next(result for result, argument in ties.items() if argument == use.index)
                return not is_read_behind(op, value) and _is_new_state(op.results[tied_result], results)
    return False


def _callee(op: CallOp) -> FuncOp:
    module = op.get_toplevel_object()
    assert isinstance(module, ModuleOp)
    name = op.callee.string_value()
    return next(function for function in module.ops if isinstance(function, FuncOp) and function.sym_name.data == name)
