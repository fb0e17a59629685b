"""Declarative rewrites: a source graph, matched as fusion rules are, and a target graph built in the place of its root.

    @rewrite_rule
    def merge_casts(x: RuleInput) -> Becomes:
        '''A cast after a cast that lost nothing is one cast.'''
        first = op("to", x, where=is_lossless)
        last = op("to", first)
        return last.becomes(op("to", x, dtype=last["dtype"]))

The function runs once and leaves a `RewriteRule`, a pattern for the driver (`passes/rewriting/driver.py`). Its
parameters are values from outside (`*rest`: all operands that follow). `op(...)` matches in the source and builds in
the target: samba operators by name, or op classes of any dialect. In the source settings are conditions, and `where` is
any other condition on the op; in the target they are settings of the new op: a number, a setting of a matched op
(`last["dtype"]`), or a function of the match (`lambda match: match[last].attr("dtype")`).

One op is replaced, the root; all other ops of the source lead to it. They may have other users: they stay, unless they
are dead and the driver erases what is dead. A value takes the place of a result of its own type only: where the types
differ, or operands do not fit the operator to build, the rule does not apply.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeAlias, TypeVar, overload

from xdsl.ir import Operation, SSAValue

from sambaflow.dialects import samba
from sambaflow.errors import InputError, did_you_mean
from sambaflow.passes.rewriting.driver import Rewriter
from sambaflow.passes.rewriting.matcher import (
    ANYTHING,
    Binding,
    GraphPattern,
    Neighbours,
    Node,
    Search,
    Values,
    Variant,
    is_operand,
    is_value,
    node_of,
    operator_name,
    result_of,
)

OpT = TypeVar("OpT", bound=Operation)
OpT_co = TypeVar("OpT_co", bound=Operation, covariant=True)
Kind: TypeAlias = str | type[Operation]
"""A samba operator by name, or an op class."""


# ---- rules as data


@dataclass(frozen=True)
class Build:
    """One op of a target graph."""

    name: str
    kind: Kind
    """A class is called with the operands, and the settings by their names."""
    operands: tuple[str, ...] = ()
    """Written as in the source: nodes of either graph, `$x`, `$rest*`."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values, or functions of the match that give them."""
    like: str | None = None
    """The matched op whose settings, where it has no others, and discardable attributes the new one takes."""

    def op(self, match: Match) -> Operation:
        """The new op, not yet in the program. Raises InputError when the operands do not fit."""
        operands = [value for operand in self.operands for value in match.operand(operand)]
        model = None if self.like is None else match.ops[self.like]
        settings: dict[str, Any] = model.settings() if isinstance(model, samba.SambaOp) else {}
        settings |= {name: value(match) if callable(value) else value for name, value in self.settings.items()}
        new = (
            samba.build(self.kind, operands, settings)
            if isinstance(self.kind, str)
            else self.kind(*operands, **settings)
        )
        new.attributes.update({} if model is None else model.attributes)
        return new


@dataclass(frozen=True)
class RewriteRule:
    """A rewrite as data, a pattern for the driver. Raises InputError when the graphs do not make one."""

    name: str
    source: GraphPattern
    """The root first."""
    target: tuple[Build, ...]
    """In the order in which they are built."""
    results: tuple[str, ...]
    """What takes the place of each result of the root, written as operands are."""
    where: Callable[[Match], bool] | None = None
    benefit: int = 1

    def __post_init__(self) -> None:
        _Check(self).run()

    @property
    def depth(self) -> int:
        """Edges from the root to the op that is farthest from it."""
        return max(_depth(variant, variant.anchor.name) for variant in self.source.variants)

    def takes(self, op_type: type[Operation]) -> bool:
        name = operator_name(op_type)
        return any(name in variant.anchor.op_types for variant in self.source.variants)

    def apply(self, op: Operation, rewriter: Rewriter) -> bool:
        for match in self.matches(op):
            values = self._built(match, op)
            if values is not None:
                for new in match.built.values():
                    rewriter.insert(new)
                rewriter.put_in_place(op, values)
                return True
        return False

    def matches(self, op: Operation) -> Iterator[Match]:
        """What the source matches with `op` as its root."""
        for variant in self.source.variants:
            if not _PROGRAM.fits(variant.anchor, op):
                continue
            search = Search(_PROGRAM, variant, op, distinct=False)
            for ops in search:
                match = Match(ops, search.values)
                if self.where is None or self.where(match):
                    yield match

    def _built(self, match: Match, root: Operation) -> list[SSAValue] | None:
        """Build the target; the values for the root's results, or None when something does not fit."""
        try:
            for build in self.target:
                match.built[build.name] = build.op(match)
            values = [value for result in self.results for value in match.operand(result)]
            if [value.type for value in values] == [result.type for result in root.results]:
                return values
        except (InputError, NoMatch):
            pass
        for op in reversed(match.built.values()):
            op.erase()
        return None


class NoMatch(Exception):
    """What a source graph matched has not the results that the target reads."""


@dataclass(slots=True)
class Match:
    """What a source graph matched, and the ops of the target so far; by name, or by what the rule's function named."""

    ops: Binding
    values: Values
    built: dict[str, Operation] = field(default_factory=dict[str, Operation])

    @overload
    def __getitem__(self, key: Op[OpT]) -> OpT: ...
    @overload
    def __getitem__(self, key: RuleInput) -> SSAValue: ...
    def __getitem__(self, key: Op[Any] | RuleInput) -> Operation | SSAValue:
        return self.values[key.name][0] if isinstance(key, RuleInput) else self.ops[key.name]

    def operand(self, operand: str) -> tuple[SSAValue, ...]:
        """The values that an operand of the target stands for: one, or all of a `$rest*`; NoMatch if it has none."""
        if is_value(operand):
            return self.values[operand]
        name = node_of(operand)
        maker, index = self.built[name] if name in self.built else self.ops[name], result_of(operand)
        if index >= len(maker.results):
            raise NoMatch(f"{maker.name} has no result {index}")
        return (maker.results[index],)


_PROGRAM = Neighbours(operator_name, lambda op: False)
"""Rewrites see every op: none is transparent."""


def _depth(variant: Variant, name: str) -> int:
    makers = {node_of(operand) for operand in variant.nodes[name].operands or ()}
    return max((1 + _depth(variant, maker) for maker in makers if maker in variant.nodes), default=0)


# ---- rules as functions


@dataclass(frozen=True, eq=False)
class RuleInput:
    """A value from outside: `$x`, or `$rest*` for all operands that follow."""

    name: str


@dataclass(frozen=True, eq=False)
class Result:
    """A result of an op other than its first."""

    op: Op[Any]
    index: int


Operand: TypeAlias = "Op[Any] | Result | RuleInput"


@dataclass(eq=False)
class Op(Generic[OpT_co]):
    """An op of a source or of a target; see `op`."""

    kinds: tuple[Kind, ...]
    operands: tuple[Operand, ...]
    settings: Mapping[str, Any]
    where: Callable[[Any], bool] | None
    optional: bool
    any_order: bool
    like: Op[Any] | None
    name: str = ""

    def result(self, index: int) -> Result:
        """Another result than the first."""
        return Result(self, index)

    def __getitem__(self, setting: str) -> Callable[[Match], Any]:
        """The value of a setting of the op that was matched."""
        return lambda match: setting_of(match[self], setting)

    def becomes(self, *results: Operand, where: Callable[[Match], bool] | None = None, benefit: int = 1) -> Becomes:
        """The rule that puts `results` in the place of this op's, if `where` holds for the match."""
        return Becomes(self, results, where, benefit)


@overload
def op(
    kind: type[OpT], *operands: Operand, where: Callable[[OpT], bool] | None = None, optional: bool = False,
    any_order: bool = False, like: Op[Any] | None = None, **settings: Any,
) -> Op[OpT]: ...  # fmt: skip
@overload
def op(
    kind: str | tuple[str, ...], *operands: Operand, where: Callable[[samba.SambaOp], bool] | None = None,
    optional: bool = False, any_order: bool = False, like: Op[Any] | None = None, **settings: Any,
) -> Op[samba.SambaOp]: ...  # fmt: skip
def op(
    kind: Kind | tuple[str, ...], *operands: Operand, where: Callable[[Any], bool] | None = None,
    optional: bool = False, any_order: bool = False, like: Op[Any] | None = None, **settings: Any,
) -> Op[Any]:  # fmt: skip
    """An op with these operands: in a source to be matched, in a target to be built.

    Source only: several operators, one of which it must be; `where`, what must hold for it; `optional`: it may be
    absent, then its first operand stands for it; `any_order`: its operands may stand in any. Target only: `like`, the
    matched op that it takes settings and discardable attributes from.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return Op(kinds, operands, settings, where, optional, any_order, like)


@dataclass(frozen=True)
class Becomes:
    """What the function of a rule returns."""

    root: Op[Any]
    results: tuple[Operand, ...]
    where: Callable[[Match], bool] | None
    benefit: int


def rewrite_rule(function: Callable[..., Becomes]) -> RewriteRule:
    """Make a rule of a function, which is called once, with a value for each of its parameters."""
    parameters = inspect.signature(function).parameters.values()
    values = [RuleInput(f"${p.name}{'*' if p.kind is p.VAR_POSITIONAL else ''}") for p in parameters]
    drawn = function(*values)
    source = _makers_first([drawn.root])
    target = [op for op in _makers_first([*source, *drawn.results]) if op not in source]
    for number, op in enumerate([*source[::-1], *target]):
        op.name = f"{_op_type(op.kinds[0])}_{number}"
    return RewriteRule(
        function.__name__,
        GraphPattern({op.name: _node(op) for op in reversed(source)}),
        tuple(_build(op) for op in target),
        tuple(map(_written, drawn.results)),
        drawn.where,
        drawn.benefit,
    )


def _makers_first(operands: Iterable[Operand], ops: dict[Op[Any], None] | None = None) -> list[Op[Any]]:
    """The ops behind `operands`, each once, behind its own operands."""
    ops = {} if ops is None else ops
    for operand in operands:
        op = operand.op if isinstance(operand, Result) else operand
        if isinstance(op, Op) and op not in ops:
            _makers_first(op.operands, ops)
            ops[op] = None
    return list(ops)


def _op_type(kind: Kind) -> str:
    return kind if isinstance(kind, str) else operator_name(kind)


def _node(op: Op[Any]) -> Node:
    return Node(
        op.name,
        tuple(map(_op_type, op.kinds)),
        required=not op.optional,
        operands=tuple(map(_written, op.operands)),
        any_order=op.any_order,
        where=condition(op.settings, op.where),
    )


def _build(op: Op[Any]) -> Build:
    like = None if op.like is None else op.like.name
    return Build(op.name, op.kinds[0], tuple(map(_written, op.operands)), op.settings, like)


def _written(operand: Operand) -> str:
    """An operand as rules that are data write it."""
    return f"{operand.op.name}#{operand.index}" if isinstance(operand, Result) else operand.name


def condition(
    settings: Mapping[str, Any], where: Callable[[Any], bool] | None = None
) -> Callable[[Operation], bool] | None:
    """What must hold for an op: these settings, and `where`; None when that is nothing."""
    if not settings:
        return where

    def holds(op: Operation) -> bool:
        same = all(setting_of(op, name) == value for name, value in settings.items())
        return same and (where is None or where(op))

    return holds


def setting_of(op: Operation, name: str) -> Any:
    """A setting of a samba operator as a Python value (None: it has none such); an attribute of any other op."""
    stored = op.properties.get(name)
    if stored is None or not isinstance(op, samba.SambaOp):
        return op.attributes.get(name) if stored is None else stored
    return _kinds(op.row.name)[name].decode(stored)


@cache
def _kinds(operator: str) -> dict[str, Any]:
    return {spec.name: spec.kind for spec in samba.OPERATORS[operator].attributes}


# ---- checks


class _Check:
    """What must hold for a rule; complaints have the place of its source, if it was read from a file."""

    def __init__(self, rule: RewriteRule) -> None:
        self.rule = rule
        self.root = next(iter(rule.source.nodes))
        root = rule.source.nodes[self.root]
        if not root.required or not root.included or root.options:
            raise self.error(f"its root '{self.root}' must always be there, to be replaced")
        self.variants = rule.source.variants
        self.known = {
            name
            for variant in self.variants
            for name in (*variant.nodes, *variant.value_names)
            if all(name in other.nodes or name in other.value_names for other in self.variants)
        }
        """What every match binds."""

    def run(self) -> None:
        for variant in self.variants:
            for node in variant.nodes.values():
                self._check_node(node)
        for build in self.rule.target:
            self._check_build(build)
            self.known.add(build.name)
        self._check_operands(self.rule.results, "the result")

    def _check_node(self, node: Node) -> None:
        if not node.children and node.name != self.root:
            raise self.error(f"'{node.name}' does not lead to its root '{self.root}'")
        for op_type in node.op_types:
            if "." not in op_type and op_type not in _SAMBA_NAMES:
                raise self.error(f"'{op_type}' is no samba operator{did_you_mean(op_type, _SAMBA_NAMES)}")

    def _check_build(self, build: Build) -> None:
        if build.name in self.rule.source.nodes:
            raise self.error(f"'{build.name}' is an op of the source and of the target")
        self._check_operands(build.operands, f"'{build.name}'")
        if build.like is not None and not all(build.like in variant.nodes for variant in self.variants):
            raise self.error(f"'{build.name}' is like '{build.like}', which not every match has")
        if not isinstance(build.kind, str):
            return
        if build.kind not in samba.OPERATORS:
            raise self.error(f"'{build.kind}' is no samba operator{did_you_mean(build.kind, _SAMBA_NAMES)}")
        names = [spec.name for spec in samba.OPERATORS[build.kind].attributes]
        for name in build.settings:
            if name not in names:
                raise self.error(f"samba.{build.kind} has no attribute '{name}'{did_you_mean(name, names)}")

    def _check_operands(self, operands: Sequence[str], reader: str) -> None:
        for operand in operands:
            if operand == ANYTHING or not is_operand(operand, self.known) or node_of(operand) not in self.known:
                raise self.error(f"{reader} reads '{operand}', which not every match has")

    def error(self, message: str) -> InputError:
        return self.rule.source.error(f"rewrite rule '{self.rule.name}': {message}")


_SAMBA_NAMES = tuple(operator_name(op_type) for op_type in samba.ALL_OPERATIONS)
