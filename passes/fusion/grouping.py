"""Disjoint groups of ops in a block, and the samba.module that a group becomes.

A group must be convex: no path leaves it and comes back, or the module could not run as one. Groups also must not wait
for each other, so every group that exists counts as one op when the next is judged. Both are kept true by one means:
the ops of a group stand next to each other in the block, what depends on them behind, everything else before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import (
    FixedBitwidthType,
    TensorType,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from sambaflow.passes.rewriting.matcher import OpGraph

HEURISTIC_PARAMETERS = "samba.heuristic_parameters"
"""Discardable attribute of a samba.module: what its rule sets beside the heuristic's name."""


@dataclass(frozen=True)
class Group:
    """Ops that become one module; `names` gives the ops that a rule's nodes matched."""

    name: str
    names: Mapping[str, Operation]
    members: list[Operation]


class Groups:
    """The groups of one block. `graph` says what is transparent; positions in it follow the moves made here."""

    def __init__(self, graph: OpGraph) -> None:
        self.graph = graph
        self.groups: list[Group] = []
        self._owner: dict[Operation, Group] = {}

    def keep_out(self, op: Operation) -> None:
        """Let no group have `op`."""
        self._owner[op] = Group("none", {}, [op])

    def owner(self, op: Operation) -> str | None:
        """The name of the group that `op` belongs to, if any."""
        group = self._owner.get(op)
        return None if group is None else group.name

    def closure(self, ops: Sequence[Operation]) -> list[Operation] | Operation:
        """`ops` and the transparent ops on paths between them; or the op that is in the way of their being convex."""
        members = dict.fromkeys(ops)
        span = self._span(ops)
        reached = self._reached(span, members, self.graph.direct_producers)
        reaching = self._reached(span[::-1], members, self.graph.direct_users)
        for op in span:
            if op in reached and op in reaching:
                if op in self._owner or not self.graph.is_transparent(op):
                    return op
                members[op] = None
        return sorted(members, key=self.graph.position.__getitem__)

    def add(self, name: str, ops: Sequence[Operation], names: Mapping[str, Operation]) -> Group:
        """Make a group of `ops`, which must be closed."""
        members = dict.fromkeys(ops)
        span = self._span(ops)
        reached = self._reached(span, members, self.graph.direct_producers)
        before = [op for op in span if op not in members and op not in reached]
        after = [op for op in span if op not in members and op in reached]
        self._reorder(span, [*before, *ops, *after])
        group = Group(name, names, list(ops))
        self.groups.append(group)
        self._owner.update(dict.fromkeys(ops, group))
        return group

    def absorb(self) -> None:
        """Take free views, casts and constants into a group beside them, where the fewest bytes cross its border.

        What makes its operand smaller joins the one group that all its operands come from, everything else the one
        group that holds all its users; what cannot, goes the other way.
        """
        free = [op for op in self.graph.position if op not in self._owner and self._is_free_rider(op)]
        free.sort(key=self.graph.position.__getitem__)
        shrinking = [op for op in free if _shrinks(op)]
        growing = [op for op in free if not _shrinks(op)]
        before = -1
        while before != (before := len(self._owner)):
            for op in shrinking:
                self._join_producer(op)
            for op in reversed(growing):
                self._join_user(op)
            for op in growing:
                self._join_producer(op)
            for op in reversed(shrinking):
                self._join_user(op)

    def _join_user(self, op: Operation) -> None:
        group = self._only_group(op, [use.operation for result in op.results for use in result.uses])
        if group is not None:
            op.detach()
            self.graph.block.insert_op_before(op, group.members[0])
            group.members.insert(0, op)
            self._owner[op] = group

    def _join_producer(self, op: Operation) -> None:
        group = self._only_group(op, self.graph.direct_producers(op))
        if group is not None:
            op.detach()
            self.graph.block.insert_op_after(op, group.members[-1])
            group.members.append(op)
            self._owner[op] = group

    def _only_group(self, op: Operation, neighbours: Sequence[Operation]) -> Group | None:
        """The group that all `neighbours` are in; None when there is no such group, or `op` has one already."""
        groups = [self._owner.get(neighbour) for neighbour in neighbours]
        group = groups[0] if groups else None
        if op in self._owner or group not in self.groups or any(other is not group for other in groups):
            return None
        return group

    def _is_free_rider(self, op: Operation) -> bool:
        return self.graph.is_transparent(op) or (not op.operands and not op.regions and bool(op.results))

    def _span(self, ops: Sequence[Operation]) -> list[Operation]:
        """The ops of the block from the first to the last of `ops`."""
        order = sorted(ops, key=self.graph.position.__getitem__)
        span: list[Operation] = []
        current: Operation | None = order[0]
        while current is not None:
            span.append(current)
            if current is order[-1]:
                break
            current = current.next_op
        return span

    def _reached(
        self,
        span: Sequence[Operation],
        members: Mapping[Operation, None],
        step: Callable[[Operation], list[Operation]],
    ) -> dict[Operation, None]:
        """The ops of `span` outside `members` that a path from them leads to; groups count as one op.

        `span` runs with the paths, `step` gives the neighbours before an op.
        """
        reached: dict[Operation, None] = {}
        at = 0
        while at < len(span):
            unit = self._unit(span, at)
            at += len(unit)
            if unit[0] in members:
                continue
            if any(neighbour in members or neighbour in reached for op in unit for neighbour in step(op)):
                reached.update(dict.fromkeys(unit))
        return reached

    def _unit(self, span: Sequence[Operation], at: int) -> Sequence[Operation]:
        """The op at `at`, with the rest of its group behind it."""
        group = self._owner.get(span[at])
        return span[at : at + 1] if group is None else span[at : at + len(group.members)]

    def _reorder(self, span: Sequence[Operation], order: Sequence[Operation]) -> None:
        position = self.graph.position
        start, anchor = position[span[0]], span[-1].next_op
        for op in order:
            op.detach()
        if anchor is None:
            self.graph.block.add_ops(order)
        else:
            self.graph.block.insert_ops_before(order, anchor)
        position.update({op: start + i for i, op in enumerate(order)})


def make_region(members: Sequence[Operation], terminator: Callable[[Sequence[SSAValue]], Operation]) -> Outlined:
    """Move `members`, neighbours in a block, into a region of their own.

    Values from outside become arguments, in the order of first use; values used outside become results, in the order of
    the program. The ops leave their places; the caller replaces `outputs` by the results of what it builds.
    """
    inside = dict.fromkeys(members)
    inputs: dict[SSAValue, None] = {}
    for op in members:
        inputs.update(
            dict.fromkeys(v for v in op.operands if not (isinstance(v.owner, Operation) and v.owner in inside))
        )
    outputs = [r for op in members for r in op.results if any(use.operation not in inside for use in r.uses)]
    block = Block(arg_types=[value.type for value in inputs])
    argument_of = dict(zip(inputs, block.args, strict=True))
    for value, argument in argument_of.items():
        argument.name_hint = value.name_hint
    for op in members:
        for i, operand in enumerate(op.operands):
            if operand in argument_of:
                op.operands[i] = argument_of[operand]
        op.detach()
        block.add_op(op)
    block.add_op(terminator(outputs))
    return Outlined(Region(block), list(inputs), outputs)


@dataclass(frozen=True)
class Outlined:
    """A region made of ops, what it takes from outside and what it gives."""

    region: Region
    inputs: Sequence[SSAValue]
    outputs: Sequence[SSAValue]

    def replace_outputs(self, results: Sequence[SSAValue]) -> None:
        """Let everything outside the region use `results` in the place of `outputs`."""
        inner = self.region.block
        for value, result in zip(self.outputs, results, strict=True):
            result.name_hint = value.name_hint
            value.replace_uses_with_if(result, lambda use: use.operation.parent is not inner)


def _shrinks(op: Operation) -> bool:
    """Whether the results of `op` are smaller than its operands."""
    return sum(map(tensor_bytes, op.result_types)) < sum(map(tensor_bytes, op.operand_types))


def tensor_bytes(kind: Attribute) -> int:
    """Bytes of a tensor of static shape; 0 for other types."""
    if not isinstance(kind, TensorType):
        return 0
    element = kind.element_type
    bits = element.bitwidth if isinstance(element, FixedBitwidthType) else 64
    return prod(kind.get_shape()) * ((bits + 7) // 8)
