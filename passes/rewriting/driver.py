"""The greedy pattern driver: patterns are tried at every op, and again near what they changed, until none fits.

A pattern is a guard, then one replacement:

    @pattern(ReluOp)
    def relu_of_relu(op: ReluOp, rewriter: Rewriter) -> Replacement:
        '''relu(relu(x)) is relu(x).'''
        return op.operands if isinstance(op.operands[0].owner, ReluOp) else None

    rewrite(module, [relu_of_relu], erase_dead=True)

It returns None when it does not fit, else what takes the place of the op's results: values, an op (its results), or
the op itself when it was changed where it stands. What it builds it inserts in front of the op: `rewriter.insert(new)`.

The worklist and the events are xDSL's (`Worklist`, `PatternRewriter`), so its `RewritePattern`s are taken as they are.
What its walker lacks is here: new ops have the location of the op that is rewritten, only ops near a change are visited
again (the walker walks everything again), patterns are looked up by op type, dead code goes only when asked for, and a
set of patterns that never comes to an end is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from xdsl.builder import Builder
from xdsl.dialects.builtin import LocationAttr, UnknownLoc
from xdsl.ir import Block, Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern
from xdsl.rewriter import InsertPoint
from xdsl.traits import IsolatedFromAbove
from xdsl.transforms.dead_code_elimination import would_be_trivially_dead
from xdsl.utils.worklist import Worklist

from sambaflow.diagnostics import error_at
from sambaflow.errors import PassError

REWRITES_PER_OP = 16
"""Rewrites for each op that there was at the start, after which rewriting counts as endless."""

LEAST_LIMIT = 1 << 10

OpT = TypeVar("OpT", bound=Operation)

Replacement: TypeAlias = Operation | Sequence[SSAValue] | None
"""What takes the place of an op's results: values or an op; the op itself: it was changed in place; None: no match."""


class LocatedBuilder(Builder):
    """A builder that gives each op it inserts, and the ops nested in it, one location, unless they have their own."""

    location: LocationAttr

    def handle_operation_insertion(self, op: Operation) -> None:
        inherit_location(op, self.location)
        super().handle_operation_insertion(op)


def inherit_location(op: Operation, location: LocationAttr) -> None:
    """Give `op` and the ops in its regions `location`, where theirs is unknown."""
    for inner in op.walk() if op.regions else (op,):
        if isinstance(inner.location, UnknownLoc):
            inner.location = location


class Rewriter(LocatedBuilder, PatternRewriter):
    """xDSL's `PatternRewriter`, standing in front of one op after another; what it inserts has that op's location."""

    _point: InsertPoint | None = None

    def __init__(self, op: Operation) -> None:
        PatternRewriter.__init__(self, op)
        self.move_to(op)

    def move_to(self, op: Operation) -> None:
        """Stand in front of `op`, with nothing done yet."""
        self._current_operation = op
        self._point = None
        self._name_hint = None
        self.location = op.location
        self.has_done_action = False

    @property
    def insertion_point(self) -> InsertPoint:
        """In front of the op, unless it was set; made when asked for, because most ops are only looked at."""
        if self._point is None:
            self._point = InsertPoint.before(cast(Operation, self._current_operation))
        return self._point

    @insertion_point.setter
    def insertion_point(self, point: InsertPoint) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._point = point

    def put_in_place(self, op: Operation, replacement: Operation | Sequence[SSAValue]) -> None:
        """Let `replacement` stand for the results of `op`, which goes away; value names are kept.

        Where it is `op` itself, say that it was modified.
        """
        if replacement is op:
            self.notify_op_modified(op)
        else:
            values = replacement.results if isinstance(replacement, Operation) else replacement
            self.handle_operation_replacement(op, values)
            for old, new in zip(op.results, values, strict=True):
                if new.name_hint is None:
                    new.name_hint = old.name_hint
                self.replace_all_uses_with(old, new)
            self.erase(op)


class Pattern(Protocol):
    """One rewrite."""

    @property
    def name(self) -> str:
        """What errors and statistics call it."""
        ...

    @property
    def benefit(self) -> int:
        """Of the patterns that fit an op, the one of the greatest benefit is applied; of equal ones the first given."""
        ...

    @property
    def depth(self) -> int:
        """Over how many edges above the op its guard looks: so far below a change it is tried again."""
        ...

    def takes(self, op_type: type[Operation]) -> bool:
        """Whether it is tried at ops of this type; asked once for each type."""
        ...

    def apply(self, op: Operation, rewriter: Rewriter) -> bool:
        """Rewrite `op` if the guard holds; whether it did."""
        ...


@dataclass(frozen=True)
class FunctionPattern:
    """A pattern that is one function: see `pattern`."""

    name: str
    op_types: tuple[type[Operation], ...]
    function: Callable[[Any, Rewriter], Replacement]
    benefit: int = 1
    depth: int = 1

    def takes(self, op_type: type[Operation]) -> bool:
        return issubclass(op_type, self.op_types or Operation)

    def apply(self, op: Operation, rewriter: Rewriter) -> bool:
        replacement = self.function(op, rewriter)
        if replacement is None:
            if rewriter.has_done_action:
                raise error_at(op, f"pattern '{self.name}' changed the program, then said that it does not fit")
            return False
        check_replacement(op, replacement, self.name)
        rewriter.put_in_place(op, replacement)
        return True


def pattern(
    *op_types: type[OpT], benefit: int = 1, depth: int = 1
) -> Callable[[Callable[[OpT, Rewriter], Replacement]], FunctionPattern]:
    """Make a pattern of a function; it is tried at ops of `op_types` and their subclasses (none: at every op)."""

    def made(function: Callable[[OpT, Rewriter], Replacement]) -> FunctionPattern:
        return FunctionPattern(function.__name__, op_types, function, benefit, depth)

    return made


def check_replacement(op: Operation, replacement: Operation | Sequence[SSAValue], name: str) -> None:
    """PassError unless `replacement` has a value of the right type for each result of `op`."""
    values = replacement.results if isinstance(replacement, Operation) else replacement
    if len(values) != len(op.results):
        raise error_at(op, f"pattern '{name}' gave {len(values)} values for {len(op.results)} results")
    for old, new in zip(op.results, values, strict=True):
        if old.type is not new.type and old.type != new.type:
            raise error_at(op, f"pattern '{name}' gave a {new.type} for a {old.type}")


@dataclass(frozen=True)
class _Foreign:
    """A pattern of xDSL, which says by `has_done_action` whether it did something."""

    pattern: RewritePattern
    benefit: int = 1
    depth: int = 1

    @property
    def name(self) -> str:
        return type(self.pattern).__name__

    def takes(self, op_type: type[Operation]) -> bool:
        return True

    def apply(self, op: Operation, rewriter: Rewriter) -> bool:
        self.pattern.match_and_rewrite(op, rewriter)
        return rewriter.has_done_action


@dataclass(frozen=True)
class Rewrites:
    """What a run of the driver did."""

    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """By pattern, how often it was applied."""
    erased: int = 0
    """Dead ops that went away."""
    converged: bool = True
    """Whether no pattern fits any more; false only when it stopped at its limit."""

    @property
    def count(self) -> int:
        """Ops that were replaced or erased."""
        return sum(self.counts.values()) + self.erased


def rewrite(
    root: Operation,
    patterns: Sequence[Pattern | RewritePattern],
    *,
    erase_dead: bool = False,
    limit: int | None = None,
    must_converge: bool = True,
) -> Rewrites:
    """Apply `patterns` to the ops below `root` until none fits.

    Ops are visited in the order of the program, outer ones before those in their regions. What a rewrite touched is
    visited next: makers and users of values that have one use left or none, new and changed ops, and what is below
    these, as deep as patterns look. With `erase_dead`, ops without effects whose results nobody reads go away; else
    they stay.

    `limit` bounds the rewrites (none given: 16 for each op, at least 1024). At the limit PassError names the op, the
    patterns that kept firing and what to change; without `must_converge` the result says so instead.
    """
    own = [_Foreign(pattern) if isinstance(pattern, RewritePattern) else pattern for pattern in patterns]
    return _Driver(root, sorted(own, key=lambda pattern: -pattern.benefit), erase_dead).run(limit, must_converge)


class _Driver:
    """One run over the ops below a root."""

    def __init__(self, root: Operation, patterns: Sequence[Pattern], erase_dead: bool) -> None:
        self.root = root
        self.patterns = patterns
        self.erase_dead = erase_dead
        self.isolated = root.has_trait(IsolatedFromAbove, value_if_unregistered=False)
        self.depth = max((pattern.depth for pattern in patterns), default=1)
        self.by_type: dict[type[Operation], list[Pattern]] = {}
        self.worklist: Worklist[Operation] = Worklist()
        self.fresh: set[Operation] = set()
        """Ops that were not visited yet; with one, all ops below it are fresh, too."""
        self.changed: dict[Operation, None] = {}
        """Ops that the rewrite at hand inserted or modified."""
        self.freed: dict[SSAValue, None] = {}
        """Values of which it removed a use."""
        self.counts: dict[str, int] = {}
        self.erased = 0

    def run(self, limit: int | None, must_converge: bool) -> Rewrites:
        ops = [op for op in self.root.walk(reverse=True, region_first=True) if op is not self.root]
        for op in ops:
            self.worklist.push(op)
        self.fresh.update(ops)
        limit = max(LEAST_LIMIT, REWRITES_PER_OP * len(ops)) if limit is None else limit
        applied = 0
        rewriter = self._rewriter(ops[-1]) if ops else None
        while rewriter is not None and self.worklist:
            op = self.worklist.pop()
            self.fresh.discard(op)
            if op.parent is None:  # a pattern took it out behind the rewriter's back
                continue
            if self.erase_dead and _is_dead(op):
                rewriter.erase(op)
                self.erased += 1
            elif self._apply(op, rewriter):
                applied += 1
            else:
                continue
            self._revisit()
            if applied > limit:
                if must_converge:
                    raise self._endless(op, limit)
                return Rewrites(self.counts, self.erased, converged=False)
        return Rewrites(self.counts, self.erased)

    def _rewriter(self, op: Operation) -> Rewriter:
        rewriter = _Watched(op)
        rewriter.operation_insertion_handler.append(self._inserted)
        rewriter.operation_modification_handler.append(self._modified)
        rewriter.operation_removal_handler.append(self._removed)
        return rewriter

    def _apply(self, op: Operation, rewriter: Rewriter) -> bool:
        """Apply the first pattern that fits; whether one did."""
        op_type = type(op)
        patterns = self.by_type.get(op_type)
        if patterns is None:
            patterns = self.by_type[op_type] = [pattern for pattern in self.patterns if pattern.takes(op_type)]
        if not patterns:
            return False
        rewriter.move_to(op)
        operands = tuple(op.operands)
        for pattern in patterns:
            if pattern.apply(op, rewriter):
                self.counts[pattern.name] = self.counts.get(pattern.name, 0) + 1
                if op.parent is not None:
                    now = tuple(op.operands)
                    self.freed.update((value, None) for value in operands if value not in now)
                return True
        return False

    # -- what a rewrite touches --------------------------------------------------------------------------------------

    def _inserted(self, op: Operation) -> None:
        self.changed.update(dict.fromkeys(op.walk() if op.regions else (op,)))

    def _modified(self, op: Operation) -> None:
        self.changed[op] = None

    def _removed(self, op: Operation) -> None:
        for inner in op.walk() if op.regions else (op,):
            self.worklist.remove(inner)
            self.changed.pop(inner, None)
            self.freed.update(dict.fromkeys(inner.operands))

    def _revisit(self) -> None:
        """Put what is near the last rewrite on top of the worklist: producers first, then new ops, then users."""
        near = {op: None for value in self.freed for op in _last_ones(value) if self._is_below(op)}
        frontier = [op for op in self.changed if op not in self.fresh]
        near.update((op, None) for op in frontier)
        for _ in range(self.depth):
            users = {use.operation: None for op in frontier for result in op.results for use in result.uses}
            frontier = [user for user in users if user not in near and user not in self.fresh]
            if not frontier:
                break
            near.update((user, None) for user in frontier)
        for op in reversed(near):
            if op is not self.root:
                self.worklist.push(op)
        self.changed.clear()
        self.freed.clear()

    def _is_below(self, op: Operation) -> bool:
        """Whether `op` is part of what is rewritten: not erased, and not outside of the root."""
        if self.isolated:
            return op.parent is not None
        parent = op.parent_op()
        while parent is not None and parent is not self.root:
            parent = parent.parent_op()
        return parent is not None

    def _endless(self, op: Operation, limit: int) -> PassError:
        most = sorted(self.counts.items(), key=lambda item: -item[1])[:3]
        fired = ", ".join(f"'{name}' {count} times" for name, count in most)
        return error_at(
            op,
            f"is rewritten without end: {fired}; the last time here",
            limit=f"{limit} rewrites",
            levers=[f"let the guard of '{most[0][0]}' refuse what the patterns make", "raise the limit"],
        )


def _is_dead(op: Operation) -> bool:
    for result in op.results:
        if result.first_use is not None:
            return False
    return would_be_trivially_dead(op)


def _last_ones(value: SSAValue) -> list[Operation]:
    """The maker and the last user of a value that lost a use, where at most one is left: what counts uses may fit."""
    if value.first_use is not None and not value.has_one_use():
        return []
    owner, user = value.owner, value.get_user_of_unique_use()
    return [op for op in (owner, user) if isinstance(op, Operation)]


class _Watched(Rewriter):
    """Reports what xDSL's rewriter moves without saying so."""

    def inline_block(self, block: Block, insertion_point: InsertPoint, arg_values: Sequence[SSAValue] = ()) -> None:
        moved = list(block.ops)
        super().inline_block(block, insertion_point, arg_values)
        for op in moved:
            self.handle_operation_modification(op)
