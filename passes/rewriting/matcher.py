"""The one pattern matcher: DAG patterns over the ops of a block.

A pattern is a set of named nodes. A node says which op types it takes and which nodes are its children: an edge leads
from an op to an op that uses one of its results, through any chain of transparent ops (casts, views, no-ops). So

    norm:   {op_type: layer_norm, child: first}
    first:  {op_type: [linear, addmm], child: second}     # linear or addmm
    second: {op_type: gelu, required: false}              # taken if it is there

matches `layer_norm -> view -> linear` with or without the gelu. All listed children must be there; other users do not
matter. Nodes with `included: false` must be there but do not belong to what is matched.

Where the order of operands matters, as in rewrites, a node names what stands at each: a node, or any value.

    outer: {op_type: sub, operands: [inner, $x]}          # inner - x, not x - inner
    inner: {op_type: neg, operands: [$x]}                 # and the same x: neg(x) - x

`match_first_option` makes a node stand for the first of several sub-patterns that matches; its children follow the last
nodes of the one chosen. An optional node that is left out is bridged: its parents' edges lead to its children. Both,
and operands in any order, are expanded up front: a pattern is a list of plain variants, earlier options first, then the
more complete first.

Every search is deterministic: nodes in the order of the pattern, ops in the order of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, permutations, product
from math import inf
from typing import TypeAlias, cast

from xdsl.ir import Block, Operation, SSAValue

from sambaflow.errors import InputError, Location

MAX_OPTIONAL = 10
"""Optional nodes of one pattern: each doubles its variants."""


@dataclass(frozen=True)
class Node:
    """One op of a pattern."""

    name: str
    op_types: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    required: bool = True
    included: bool = True
    options: tuple[str, ...] = ()
    """Nodes of which the first that leads to a match stands in this node's place."""
    settings: Mapping[str, int | float | bool | str] = field(default_factory=dict[str, int | float | bool | str])
    """What a match writes on the op, not part of the pattern."""
    operands: tuple[str, ...] | None = None
    """What stands at each operand: a node (`inner`; `inner#1` is its second result), any value (`$x`; the same name,
    the same value), `_` for whatever it is; a last `$rest*` is all that follow. None: their order does not matter."""
    any_order: bool = False
    """Whether the operands may stand in any order."""
    where: Callable[[Operation], bool] | None = None
    """What else must hold for the op."""

    @cached_property
    def operand_limits(self) -> tuple[int, float]:
        """Fewest and most operands that an op with those that the node names can have."""
        if self.operands is None:
            return 0, inf
        count = len(self.operands)
        return (count - 1, inf) if count and is_rest(self.operands[-1]) else (count, count)


ANYTHING = "_"
"""The operand of a node that may be whatever it is."""


@dataclass(frozen=True)
class GraphPattern:
    """Nodes by name, in the order in which they are searched; the first one is where a search starts."""

    nodes: Mapping[str, Node]
    location: Location | None = None

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The plain patterns that this one stands for: earlier options first, then the more complete first.

        Raises InputError when a child is not a node, the edges have a cycle, or a variant falls into several pieces.
        """
        nodes = _with_edges(self.nodes)
        self._check(nodes)
        plain = [_without(chosen, left_out) for chosen in self._choices(nodes) for left_out in _left_out(chosen)]
        return tuple(Variant(self, ordered) for nodes in plain for ordered in _orders(nodes))

    def error(self, message: str) -> InputError:
        return InputError(message, location=self.location)

    def _check(self, nodes: Nodes) -> None:
        for node in nodes.values():
            for name in (*node.children, *node.options):
                if name not in nodes:
                    raise self.error(f"node '{node.name}' names '{name}', which is not a node of the pattern")
            if bool(node.op_types) == bool(node.options):
                raise self.error(f"node '{node.name}' needs either op_type or match_first_option")
            self._check_operands(node, nodes)
        if sum(not node.required for node in nodes.values()) > MAX_OPTIONAL:
            raise self.error(f"the pattern has more than {MAX_OPTIONAL} optional nodes")
        self._check_acyclic(nodes)

    def _check_operands(self, node: Node, nodes: Nodes) -> None:
        operands = node.operands or ()
        for operand in operands:
            if not is_operand(operand, nodes):
                raise self.error(f"node '{node.name}' has the operand '{operand}': neither a node nor a value ('$x')")
        if any(map(is_rest, operands[:-1])) or (node.any_order and any(map(is_rest, operands))):
            raise self.error(f"node '{node.name}': only the last operand, in order, can be all that follow")

    def _check_acyclic(self, nodes: Nodes) -> None:
        state: dict[str, int] = {}  # 1: on the path, 2: done

        def visit(name: str) -> None:
            if state.get(name) == 1:
                raise self.error(f"node '{name}' is its own descendant")
            if name not in state:
                state[name] = 1
                for next_name in (*nodes[name].children, *nodes[name].options):
                    visit(next_name)
                state[name] = 2

        for name in nodes:
            visit(name)

    def _choices(self, all_nodes: Nodes) -> Iterator[dict[str, Node]]:
        """The nodes for each way to choose among options."""
        choosers = [node for node in all_nodes.values() if node.options]
        for chosen in product(*(node.options for node in choosers)):
            nodes = dict(all_nodes)
            dropped = [o for node, choice in zip(choosers, chosen, strict=True) for o in node.options if o != choice]
            for name in _only_reachable_from(dropped, nodes):
                del nodes[name]
            for node, choice in zip(choosers, chosen, strict=True):
                if node.name in nodes:
                    _put_in_place(nodes, node, choice)
            yield nodes


Nodes: TypeAlias = Mapping[str, Node]


def _with_edges(nodes: Nodes) -> dict[str, Node]:
    """The nodes, with an edge to each node from those that are its operands."""
    edges = dict(nodes)
    for node in nodes.values():
        for name in map(node_of, node.operands or ()):
            if name in edges and node.name not in edges[name].children:
                edges[name] = replace(edges[name], children=(*edges[name].children, node.name))
    return edges


def node_of(operand: str) -> str:
    """The node of an operand: `inner` of `inner#1`."""
    return operand.partition("#")[0]


def result_of(operand: str) -> int:
    """Which result of the node an operand is: 1 of `inner#1`, 0 of `inner`."""
    return int(operand.partition("#")[2] or 0)


def is_operand(operand: str, nodes: Container[str]) -> bool:
    """Whether a text is a node (or a result of it), a value, or anything."""
    name, mark, number = operand.partition("#")
    return is_value(operand) or operand == ANYTHING or (name in nodes and number.isdecimal() == bool(mark))


def is_value(operand: str) -> bool:
    """Whether an operand of a node stands for any value: `$x`."""
    return operand.startswith("$")


def is_rest(operand: str) -> bool:
    """Whether it stands for all values that follow: `$rest*`."""
    return operand.startswith("$") and operand.endswith("*")


def _orders(nodes: Nodes) -> Iterator[Nodes]:
    """The nodes for each order of operands that may stand in any."""
    loose = [node for node in nodes.values() if node.any_order and node.operands is not None]
    for chosen in product(*(dict.fromkeys(permutations(node.operands or ())) for node in loose)):
        ordered = {node.name: replace(node, operands=operands) for node, operands in zip(loose, chosen, strict=True)}
        yield {name: ordered.get(name, node) for name, node in nodes.items()}


def _only_reachable_from(roots: Sequence[str], nodes: Nodes) -> list[str]:
    """The dropped options and what hangs on them alone."""
    entered = {name for node in nodes.values() for name in (*node.children, *node.options)}
    kept_roots = [name for name in nodes if name not in entered]
    kept_names = _reachable(kept_roots, nodes, stop=frozenset(roots))
    dropped = _reachable(list(roots), nodes, stop=frozenset())
    return [name for name in nodes if name in dropped and name not in kept_names]


def _reachable(roots: Sequence[str], nodes: Nodes, stop: frozenset[str]) -> dict[str, None]:
    seen: dict[str, None] = {}
    pending = [name for name in roots if name not in stop]
    while pending:
        name = pending.pop()
        if name not in seen:
            seen[name] = None
            pending.extend(n for n in (*nodes[name].children, *nodes[name].options) if n not in stop)
    return seen


def _put_in_place(nodes: dict[str, Node], node: Node, option: str) -> None:
    """Let `option` stand for `node`: its parents lead to the option, the option's last nodes to its children."""
    leaves = [name for name in _reachable([option], nodes, frozenset()) if not nodes[name].children]
    for name in leaves:
        nodes[name] = replace(nodes[name], children=node.children)
    del nodes[node.name]
    _redirect(nodes, node.name, (option,))
    _rename_operand(nodes, node.name, leaves[0])


def _redirect(nodes: dict[str, Node], old: str, new: Sequence[str]) -> None:
    for name, node in nodes.items():
        if old in node.children:
            children = [n for child in node.children for n in (new if child == old else (child,))]
            nodes[name] = replace(node, children=tuple(dict.fromkeys(children)))


def _rename_operand(nodes: dict[str, Node], old: str, new: str) -> None:
    for name, node in nodes.items():
        if node.operands is not None and old in map(node_of, node.operands):
            operands = tuple(new if node_of(operand) == old else operand for operand in node.operands)
            nodes[name] = replace(node, operands=operands)


def _left_out(nodes: Nodes) -> Iterator[tuple[str, ...]]:
    optional = [node.name for node in nodes.values() if not node.required]
    for count in range(len(optional) + 1):
        yield from combinations(optional, count)


def _without(nodes: Nodes, left_out: Sequence[str]) -> dict[str, Node]:
    remaining = dict(nodes)
    for name in left_out:
        bridged = remaining.pop(name)
        _redirect(remaining, name, bridged.children)
        _rename_operand(remaining, name, next(iter(bridged.operands or ()), ANYTHING))
    return remaining


Binding: TypeAlias = dict[str, Operation]
"""What a match found: node name to op."""

Values: TypeAlias = dict[str, tuple[SSAValue, ...]]
"""The values that operands of a match stand for: `$x` to one, `$rest*` to all that follow."""


@dataclass(frozen=True)
class Link:
    """An edge between a node that is bound and the one to bind."""

    bound: str
    is_parent: bool
    """Whether the bound one is the parent, whose result the other uses."""
    places: tuple[tuple[int, int], ...]
    """Where the order matters: at which operands of the child, which result of the parent."""


@dataclass(frozen=True)
class Step:
    """One step of a search: the node to bind, and its edges to nodes bound before."""

    node: Node
    links: tuple[Link, ...]

    @cached_property
    def operand(self) -> tuple[str, int] | None:
        """A bound child and which of its operands the node is, where the order matters: the shortest way to it."""
        return next(
            ((link.bound, link.places[0][0]) for link in self.links if not link.is_parent and link.places), None
        )


class Variant:
    """A pattern without options and optional nodes, with the order in which its nodes are searched."""

    def __init__(self, pattern: GraphPattern, nodes: Nodes) -> None:
        included = [node for node in nodes.values() if node.included]
        if not included:
            raise pattern.error("the pattern includes no op")
        self.nodes = nodes
        self.anchor = included[0]
        self.steps = self._plan(pattern)
        self._slots = [
            (node.name, index, operand, is_rest(operand))
            for node in nodes.values()
            for index, operand in enumerate(node.operands or ())
            if is_value(operand)
        ]

    @property
    def value_names(self) -> tuple[str, ...]:
        """The values that every match binds."""
        return tuple(dict.fromkeys(operand for _, _, operand, _ in self._slots))

    def values(self, binding: Binding) -> Values | None:
        """The values that the operands of a match stand for; None when two of one name are not the same."""
        values: Values = {}
        for name, index, operand, rest in self._slots:
            operands = binding[name].operands
            stands_for = tuple(operands[index:]) if rest else (operands[index],)
            if values.setdefault(operand, stands_for) != stands_for:
                return None
        return values

    def _places(self, parent: str, child: str) -> tuple[tuple[int, int], ...]:
        """The operands of `child` that are results of `parent`: at which operand, which result."""
        operands = self.nodes[child].operands or ()
        return tuple((i, result_of(operand)) for i, operand in enumerate(operands) if node_of(operand) == parent)

    def _plan(self, pattern: GraphPattern) -> tuple[Step, ...]:
        """All nodes but the anchor, each after a neighbour of it."""
        parents: dict[str, list[str]] = {name: [] for name in self.nodes}
        for node in self.nodes.values():
            for child in node.children:
                parents[child].append(node.name)
        bound, steps = [self.anchor.name], list[Step]()
        at = 0
        while at < len(bound):
            current = self.nodes[bound[at]]
            for name in (*current.children, *parents[current.name]):
                if name not in bound:
                    up = [Link(p, True, self._places(p, name)) for p in parents[name] if p in bound]
                    down = [Link(c, False, self._places(name, c)) for c in self.nodes[name].children if c in bound]
                    steps.append(Step(self.nodes[name], tuple(up + down)))
                    bound.append(name)
            at += 1
        if len(bound) < len(self.nodes):
            apart = next(name for name in self.nodes if name not in bound)
            raise pattern.error(f"node '{apart}' is not connected to '{self.anchor.name}'")
        return tuple(steps)


@dataclass(frozen=True)
class Refusal:
    """Why a pattern did not match at an op: how far it came, and what was missing."""

    bound: int
    of: int
    reason: str


def operator_name(op: Operation | type[Operation]) -> str:
    """The `op_type` of nodes: the op's name without the samba dialect; ops of other dialects keep their full name."""
    return op.name.removeprefix("samba.")


class Neighbours:
    """Ops as patterns see them: their types, and what they use and are used by, through transparent ops.

    Looked up in the program as it is when asked: right while the program changes. `Graph` remembers.
    """

    def __init__(self, type_of: Callable[[Operation], str], is_transparent: Callable[[Operation], bool]) -> None:
        self.type_of = type_of
        self.is_transparent = is_transparent

    def fits(self, node: Node, op: Operation) -> bool:
        """Whether `op` is of a type of the node, has as many operands as it says, and meets its condition."""
        least, most = node.operand_limits
        if self.type_of(op) not in node.op_types or not least <= len(op.operands) <= most:
            return False
        return node.where is None or node.where(op)

    def users(self, op: Operation) -> dict[Operation, None]:
        """The ops that use a result of `op`, directly or through transparent ops."""
        return self._spread(op, self.direct_users)

    def producers(self, op: Operation) -> dict[Operation, None]:
        """The ops whose results `op` uses, directly or through transparent ops."""
        return self._spread(op, self.direct_producers)

    def direct_users(self, op: Operation) -> list[Operation]:
        return [use.operation for result in op.results for use in result.uses]

    def direct_producers(self, op: Operation) -> list[Operation]:
        return [owner for operand in op.operands if isinstance(owner := operand.owner, Operation)]

    def makers(self, op: Operation, operand: int) -> Sequence[Operation]:
        """The op that makes an operand, then, while they are transparent, the one that makes the first of its own."""
        owner = op.operands[operand].owner
        if not isinstance(owner, Operation):
            return ()
        if not owner.operands or not self.is_transparent(owner):
            return (owner,)
        return (owner, *self.makers(owner, 0))

    def feeds(self, value: SSAValue, op: Operation, operand: int) -> bool:
        """Whether an operand of `op` is `value`, or what transparent ops make of it as their first operands."""
        operand_value = op.operands[operand]
        if operand_value is value:
            return True
        owner = operand_value.owner
        passes_on = isinstance(owner, Operation) and bool(owner.operands) and self.is_transparent(owner)
        return passes_on and self.feeds(value, cast(Operation, owner), 0)

    def _spread(self, op: Operation, step: Callable[[Operation], list[Operation]]) -> dict[Operation, None]:
        reached: dict[Operation, None] = {}
        pending = step(op)
        while pending:
            neighbour = pending.pop()
            if neighbour not in reached:
                reached[neighbour] = None
                if self.is_transparent(neighbour):
                    pending.extend(step(neighbour))
        return reached


class OpGraph(Neighbours):
    """The ops of one block, in an order that the caller keeps; what is used by what is remembered."""

    def __init__(
        self, block: Block, type_of: Callable[[Operation], str], is_transparent: Callable[[Operation], bool]
    ) -> None:
        super().__init__(type_of, is_transparent)
        self.block = block
        self.position: dict[Operation, int] = {op: i for i, op in enumerate(block.ops)}
        self.by_type: dict[str, list[Operation]] = {}
        for op in self.position:
            self.by_type.setdefault(type_of(op), []).append(op)
        self._users: dict[Operation, dict[Operation, None]] = {}
        self._producers: dict[Operation, dict[Operation, None]] = {}

    def candidates(self, node: Node) -> list[Operation]:
        """The ops of the types of `node`, in program order."""
        candidates = [op for op_type in node.op_types for op in self.by_type.get(op_type, ())]
        return sorted(candidates, key=self.position.__getitem__)

    def users(self, op: Operation) -> dict[Operation, None]:
        """The ops of the block that use a result of `op`, in program order."""
        if op not in self._users:
            self._users[op] = self._in_order(super().users(op))
        return self._users[op]

    def producers(self, op: Operation) -> dict[Operation, None]:
        """The ops of the block whose results `op` uses, in program order."""
        if op not in self._producers:
            self._producers[op] = self._in_order(super().producers(op))
        return self._producers[op]

    def direct_users(self, op: Operation) -> list[Operation]:
        return [user for user in super().direct_users(op) if user in self.position]

    def direct_producers(self, op: Operation) -> list[Operation]:
        return [producer for producer in super().direct_producers(op) if producer in self.position]

    def _in_order(self, ops: Iterable[Operation]) -> dict[Operation, None]:
        return dict.fromkeys(sorted(ops, key=self.position.__getitem__))


class Search:
    """The matches of one variant at one op, which must fit its anchor; afterwards `refusal` tells how far it came."""

    def __init__(
        self,
        graph: Neighbours,
        variant: Variant,
        anchor: Operation,
        is_taken: Callable[[Operation], str | None] = lambda op: None,
        *,
        distinct: bool = True,
    ) -> None:
        """`is_taken` names what an op already belongs to, if anything: such an op can be context only.

        `distinct`: different nodes must be different ops.
        """
        self.graph = graph
        self.variant = variant
        self.anchor = anchor
        self.is_taken = is_taken
        self.distinct = distinct
        self.values: Values = {}
        """What the operands of the last match stand for."""
        self._stuck: tuple[Step, Binding] | None = None
        """The first of the steps that came furthest and found nothing, and what was bound then."""

    def __iter__(self) -> Iterator[Binding]:
        return self._extend({self.variant.anchor.name: self.anchor}, 0)

    def _extend(self, binding: Binding, index: int) -> Iterator[Binding]:
        if index == len(self.variant.steps):
            values = self.variant.values(binding)
            if values is not None:
                self.values = values
                yield dict(binding)
            return
        step = self.variant.steps[index]
        fitting = [op for op in self._neighbours(binding, step) if self._is_match(step, op, binding)]
        if not fitting and (self._stuck is None or len(binding) >= len(self._stuck[1])):
            self._stuck = (step, dict(binding))
        for op in fitting:
            binding[step.node.name] = op
            yield from self._extend(binding, index + 1)
            del binding[step.node.name]

    def _neighbours(self, binding: Binding, step: Step) -> Iterable[Operation]:
        """The ops that the step's edges lead to: all of them do, or one does that says which operand the op is."""
        if step.operand is not None:
            child, operand = step.operand
            return self.graph.makers(binding[child], operand)
        sets = [
            self.graph.users(binding[link.bound]) if link.is_parent else self.graph.producers(binding[link.bound])
            for link in step.links
        ]
        return [op for op in sets[0] if all(op in others for others in sets[1:])]

    def _is_match(self, step: Step, op: Operation, binding: Binding) -> bool:
        if not self.graph.fits(step.node, op) or (self.distinct and op in binding.values()):
            return False
        if step.node.included and self.is_taken(op) is not None:
            return False
        return all(self._in_place(link, binding[link.bound], op) for link in step.links)

    def _in_place(self, link: Link, bound: Operation, op: Operation) -> bool:
        parent, child = (bound, op) if link.is_parent else (op, bound)
        return all(
            result < len(parent.results) and self.graph.feeds(parent.results[result], child, operand)
            for operand, result in link.places
        )

    @property
    def refusal(self) -> Refusal:
        """Why there was no match, told of the step that came furthest."""
        if self._stuck is None:
            return Refusal(0, len(self.variant.nodes), "")
        step, binding = self._stuck
        return Refusal(len(binding), len(self.variant.nodes), self._reason(step, binding))

    def _reason(self, step: Step, binding: Binding) -> str:
        wanted = " or ".join(step.node.op_types)
        link = step.links[0]
        neighbours = [op for op in self._neighbours(binding, step) if self.graph.type_of(op) in step.node.op_types]
        owners = [owner for op in neighbours if (owner := self.is_taken(op)) is not None]
        if owners:
            return f"the {wanted} for '{step.node.name}' already belongs to '{owners[0]}'"
        reason = f"no {'user' if link.is_parent else 'producer'} of '{link.bound}' is a {wanted} ('{step.node.name}')"
        return reason + " that fits its other edges" if len(step.links) > 1 else reason
