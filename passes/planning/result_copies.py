"""Copies that give every result of a function memory of its own, once its sections stand in their order.

State is updated in place: what a section makes for a result that is tied to an argument, it stores into the argument.
That is wrong where the old state is needed after that, and there are results that no section makes. So

    func.func @f(%n {samba.name = "n"}, %x) -> (T {samba.name = "old"}, T {samba.tied = 0}) {
      %0 = section (%n, %x)                               %old = section copy (%n)
      func.return %n, %0                           ->     %0 = section (%n, %x)
    }                                                     func.return %old, %0

and likewise for a result that is an argument or a constant, for a value that is returned twice, and for new state that
is made before the old one is read for the last time, by a later section or by the one that makes it, where it is not
read point by point as it is written (`n.copy_(n.flip(0))`): it is copied to its place at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from xdsl.dialects.builtin import IntegerAttr, LocationAttr, TensorType
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from sambaflow.dialects import kernel
from sambaflow.dialects.samba import shaped_of
from sambaflow.dialects.samba.conventions import result_attributes
from sambaflow.passes.framework.decisions import mark
from sambaflow.passes.kernel_library.stages import Read, StageBuilder, shape_of
from sambaflow.passes.rewriting.driver import LocatedBuilder


def ties_of(function: FuncOp) -> dict[int, int]:
    """Results that are tied to an argument: its number by theirs."""
    entries = enumerate(result_attributes(function))
    ties = {number: entry.get("samba.tied") for number, entry in entries}
    return {number: tied.value.data for number, tied in ties.items() if isinstance(tied, IntegerAttr)}


class ResultCopies:
    """Inserts the copies of one function; `functions`: all of the module by name."""

    def __init__(self, function: FuncOp, functions: Mapping[str, FuncOp]) -> None:
        self.function, self.functions = function, functions
        self.block = function.body.block
        self.ties = ties_of(function)
        self.copies: list[kernel.SectionOp] = []

    def insert(self) -> list[kernel.SectionOp]:
        """The sections that were inserted."""
        returned = self.block.last_op
        assert isinstance(returned, ReturnOp)
        self._old_state(returned)
        taken: set[SSAValue] = set()
        for number in sorted(range(len(returned.operands)), key=lambda number: (number not in self.ties, number)):
            value = returned.operands[number]
            if self._needs_copy(number, value, taken):
                value = returned.operands[number] = self._copy(value, returned)
            taken.add(value)
        return self.copies

    def _old_state(self, returned: ReturnOp) -> None:
        """An argument that is updated and whose old value is returned is copied before anything writes it."""
        for argument in dict.fromkeys(self.ties.values()):
            old = self.block.args[argument]
            numbers = [n for n, v in enumerate(returned.operands) if v is old and self.ties.get(n) != argument]
            if numbers and not _is_empty(old):
                first = self.block.first_op
                assert first is not None
                copied = self._copy(old, first)
                for number in numbers:
                    returned.operands[number] = copied

    def _needs_copy(self, number: int, value: SSAValue, taken: set[SSAValue]) -> bool:
        if _is_empty(value):
            return False
        argument = self.ties.get(number)
        if argument is None:
            is_public = self.function.sym_visibility is None or self.function.sym_visibility.data != "private"
            return is_public and (value in taken or not self._is_made(value))
        state = self.block.args[argument]
        if value is state:
            return False
        return value in taken or not self._is_made(value) or self._old_is_needed(state, value)

    def _is_made(self, value: SSAValue) -> bool:
        """Whether a section makes the value, here or in the function that a call makes it with."""
        owner = value.owner
        if not isinstance(owner, CallOp):
            return isinstance(owner, kernel.SectionOp)
        callee = self._callee(owner).last_op
        assert isinstance(callee, ReturnOp)
        inner = next(v for v, result in zip(callee.operands, owner.results, strict=True) if result is value)
        if isinstance(inner, BlockArgument):
            return False
        return ResultCopies(self.functions[owner.callee.string_value()], self.functions)._is_made(inner)

    def _old_is_needed(self, state: SSAValue, value: SSAValue) -> bool:
        """Whether the old state is read when the new one, `value`, may be in its place already."""
        maker = value.owner
        assert isinstance(maker, Operation)
        if is_read_behind(self._first_writer(value), state):
            return True
        number = maker.results.index(value)
        body = maker.body.block if isinstance(maker, kernel.SectionOp) else self._callee(maker)
        ending = body.last_op
        assert ending is not None
        inner = [body.args[i] for i, operand in enumerate(maker.operands) if operand is state]
        if isinstance(maker, kernel.SectionOp):
            return any(not _is_updated_in_order(old, ending.operands[number]) for old in inner)
        return any(self._old_is_needed(old, ending.operands[number]) for old in inner)

    def _first_writer(self, value: SSAValue) -> Operation:
        """The first op that writes the memory of a value: what one section makes, a later one may update in place."""
        before: SSAValue | None = value
        while before is not None and isinstance(before.owner, kernel.SectionOp | CallOp):
            value, before = before, self._updated(before)
        assert isinstance(value.owner, Operation)
        return value.owner

    def _updated(self, value: SSAValue) -> SSAValue | None:
        """The value that a section or a call may have updated in place where it made `value`."""
        maker = value.owner
        assert isinstance(maker, Operation)
        body = maker.body.block if isinstance(maker, kernel.SectionOp) else self._callee(maker)
        ending = body.last_op
        assert ending is not None
        inner: SSAValue | None = ending.operands[maker.results.index(value)]
        while inner is not None and not isinstance(inner, BlockArgument):
            match inner.owner:
                case kernel.Stage() as stage:
                    tied = stage.tied_inputs[stage.results.index(inner)]
                    inner = stage.operands[tied] if tied >= 0 else None
                case kernel.SectionOp() | CallOp():
                    inner = self._updated(inner)
                case _:
                    inner = None
        return maker.operands[inner.index] if isinstance(inner, BlockArgument) else None

    def _callee(self, call: Operation) -> Block:
        assert isinstance(call, CallOp)
        return self.functions[call.callee.string_value()].body.block

    def _copy(self, value: SSAValue, before: Operation) -> SSAValue:
        """A section in front of `before` that moves the value as it is."""
        name = f"{self.function.sym_name.data}_copy_{len(self.copies)}"
        section = kernel.SectionOp.make(name, [value], [value.type], location=self._location(value))
        mark(section, "sym_name", "search")
        body = section.body.block
        builder = LocatedBuilder(InsertPoint.at_end(body))
        builder.location = self._location(value)
        rank = len(shape_of(value))
        source = Read(body.args[0], lambda *dims: dims[:rank])
        body.add_op(kernel.YieldOp(StageBuilder(builder).move([source], shaped_of(value))))
        self.block.insert_op_before(section, before)
        self.copies.append(section)
        return section.results[0]

    def _location(self, value: SSAValue) -> LocationAttr:
        return value.owner.location if isinstance(value.owner, Operation) else self.function.location


def _is_empty(value: SSAValue) -> bool:
    return not isinstance(value.type, TensorType) or 0 in value.type.get_shape()


def is_read_behind(op: Operation, value: SSAValue) -> bool:
    """Whether an op that stands behind `op` reads a value."""
    readers = {use.operation for use in value.uses}
    after = op.next_op
    while after is not None and after not in readers:
        after = after.next_op
    return after is not None


def _is_updated_in_order(old: SSAValue, new: SSAValue) -> bool:
    """Whether a section reads each element of `old` before it stores the one of `new` that takes its place: it is read
    where it is written, point by point, or a scatter leaves it where it is."""
    computed, makers = _computed_from(old), _makers(new)
    uses = [use for value in computed for use in value.uses if value is old or use.operation in makers]
    return all(_keeps_places(use.operation, use.index) for use in uses)


def _keeps_places(op: Operation, number: int) -> bool:
    """Whether a stage reads an operand where it writes its result, or updates it in place."""
    if isinstance(op, kernel.YieldOp):
        return True
    if isinstance(op, kernel.ScatterOp):
        return number in op.tied_inputs
    return isinstance(op, kernel.MapOp) and all(op.input_maps[number] == result for result in op.result_maps)


def _computed_from(value: SSAValue) -> Collection[SSAValue]:
    """A value and all that stages make of it."""
    computed = {value: None}
    waiting = [value]
    while waiting:
        results = [result for use in waiting.pop().uses for result in use.operation.results]
        waiting += [result for result in results if result not in computed]
        computed |= dict.fromkeys(results)
    return computed


def _makers(value: SSAValue) -> Collection[Operation]:
    """The ops that a value is made by."""
    makers: set[Operation] = set()
    waiting = [value.owner]
    while waiting:
        op = waiting.pop()
        if isinstance(op, Operation) and op not in makers:
            makers.add(op)
            waiting += [operand.owner for operand in op.operands]
    return makers
