"""The one pattern matcher: DAG patterns over the ops of a block.

A pattern is a set of named nodes. A node says which op types it takes and which nodes are its children: an edge leads
from an op to an op that uses one of its results, through any chain of transparent ops (casts, views, no-ops). So

    norm:   {op_type: layer_norm, child: first}
    first:  {op_type: [linear, addmm], child: second}     # linear or addmm
    second: {op_type: gelu, required: false}              # taken if it is there

matches `layer_norm -> view -> linear` with or without the gelu. All listed children must be there; other users do not
matter. Nodes with `included: false` must be there but do not belong to what is matched.

`match_first_option` makes a node stand for the first of several sub-patterns that matches; its children follow the last
nodes of the one chosen. An optional node that is left out is bridged: its parents' edges lead to its children. Both are
expanded up front: a pattern is a list of plain variants, earlier options first, then the more complete first.

Every search is deterministic: nodes in the order of the pattern, ops in the order of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, product

from xdsl.ir import Block, Operation

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


@dataclass(frozen=True)
class Pattern:
    """Nodes by name, in the order in which they are searched."""

    nodes: Mapping[str, Node]
    location: Location | None = None

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The plain patterns that this one stands for: earlier options first, then the more complete first.

        Raises InputError when a child is not a node, the edges have a cycle, or a variant falls into several pieces.
        """
        self._check()
        plain = [_without(chosen, left_out) for chosen in self._choices() for left_out in _left_out(chosen)]
        return tuple(Variant(self, nodes) for nodes in plain)

    def error(self, message: str) -> InputError:
        return InputError(message, location=self.location)

    def _check(self) -> None:
        for node in self.nodes.values():
            for name in (*node.children, *node.options):
                if name not in self.nodes:
                    raise self.error(f"node '{node.name}' names '{name}', which is not a node of the pattern")
            if bool(node.op_types) == bool(node.options):
                raise self.error(f"node '{node.name}' needs either op_type or match_first_option")
        if sum(not node.required for node in self.nodes.values()) > MAX_OPTIONAL:
            raise self.error(f"the pattern has more than {MAX_OPTIONAL} optional nodes")
        self._check_acyclic()

    def _check_acyclic(self) -> None:
        state: dict[str, int] = {}  # 1: on the path, 2: done

        def visit(name: str) -> None:
            if state.get(name) == 1:
                raise self.error(f"node '{name}' is its own descendant")
            if name not in state:
                state[name] = 1
                for next_name in (*self.nodes[name].children, *self.nodes[name].options):
                    visit(next_name)
                state[name] = 2

        for name in self.nodes:
            visit(name)

    def _choices(self) -> Iterator[dict[str, Node]]:
        """The nodes for each way to choose among options."""
        choosers = [node for node in self.nodes.values() if node.options]
        for chosen in product(*(node.options for node in choosers)):
            nodes = dict(self.nodes)
            dropped = [o for node, one in zip(choosers, chosen, strict=True) for o in node.options if o != one]
            for name in _only_reachable_from(dropped, nodes):
                del nodes[name]
            for node, one in zip(choosers, chosen, strict=True):
                if node.name in nodes:
                    _put_in_place(nodes, node, one)
            yield nodes


Nodes = Mapping[str, Node]


def _only_reachable_from(roots: Sequence[str], nodes: Nodes) -> list[str]:
    """The dropped options and what hangs on them alone."""
    entered = {name for node in nodes.values() for name in (*node.children, *node.options)}
    kept_roots = [name for name in nodes if name not in entered]
    kept = _reachable(kept_roots, nodes, stop=frozenset(roots))
    dropped = _reachable(list(roots), nodes, stop=frozenset())
    return [name for name in nodes if name in dropped and name not in kept]


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


def _redirect(nodes: dict[str, Node], old: str, new: Sequence[str]) -> None:
    for name, node in nodes.items():
        if old in node.children:
            children = [n for child in node.children for n in (new if child == old else (child,))]
            nodes[name] = replace(node, children=tuple(dict.fromkeys(children)))


def _left_out(nodes: Nodes) -> Iterator[tuple[str, ...]]:
    optional = [node.name for node in nodes.values() if not node.required]
    for count in range(len(optional) + 1):
        yield from combinations(optional, count)


def _without(nodes: Nodes, left_out: Sequence[str]) -> dict[str, Node]:
    remaining = dict(nodes)
    for name in left_out:
        children = remaining.pop(name).children
        _redirect(remaining, name, children)
    return remaining


@dataclass(frozen=True)
class Step:
    """One step of a search: the node to bind, and its edges to nodes bound before."""

    node: Node
    links: tuple[tuple[str, bool], ...]
    """Per edge the bound node's name, and whether it is the parent."""


class Variant:
    """A pattern without options and optional nodes, with the order in which its nodes are searched."""

    def __init__(self, pattern: Pattern, nodes: Nodes) -> None:
        included = [node for node in nodes.values() if node.included]
        if not included:
            raise pattern.error("the pattern includes no op")
        self.nodes = nodes
        self.anchor = included[0]
        self.steps = self._plan(pattern)

    def _plan(self, pattern: Pattern) -> tuple[Step, ...]:
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
                    up = [(p, True) for p in parents[name] if p in bound]
                    down = [(c, False) for c in self.nodes[name].children if c in bound]
                    steps.append(Step(self.nodes[name], tuple(up + down)))
                    bound.append(name)
            at += 1
        if len(bound) < len(self.nodes):
            apart = next(name for name in self.nodes if name not in bound)
            raise pattern.error(f"node '{apart}' is not connected to '{self.anchor.name}'")
        return tuple(steps)


Binding = dict[str, Operation]
"""What a match found: node name to op."""


@dataclass(frozen=True)
class Refusal:
    """Why a pattern did not match at an op: how far it came, and what was missing."""

    bound: int
    of: int
    reason: str


class Graph:
    """The ops of one block as patterns see them: types, positions, and neighbours through transparent ops."""

    def __init__(
        self, block: Block, type_of: Callable[[Operation], str], is_transparent: Callable[[Operation], bool]
    ) -> None:
        self.block = block
        self.type_of = type_of
        self.is_transparent = is_transparent
        self.position: dict[Operation, int] = {op: i for i, op in enumerate(block.ops)}
        self.by_type: dict[str, list[Operation]] = {}
        for op in self.position:
            self.by_type.setdefault(type_of(op), []).append(op)
        self._users: dict[Operation, dict[Operation, None]] = {}
        self._producers: dict[Operation, dict[Operation, None]] = {}

    def candidates(self, node: Node) -> list[Operation]:
        """The ops of the types of `node`, in program order."""
        found = [op for op_type in node.op_types for op in self.by_type.get(op_type, ())]
        return sorted(found, key=self.position.__getitem__)

    def users(self, op: Operation) -> dict[Operation, None]:
        """The ops of the block that use a result of `op`, directly or through transparent ops, in program order."""
        if op not in self._users:
            self._users[op] = self._spread(op, self.direct_users)
        return self._users[op]

    def producers(self, op: Operation) -> dict[Operation, None]:
        """The ops of the block whose results `op` uses, directly or through transparent ops, in program order."""
        if op not in self._producers:
            self._producers[op] = self._spread(op, self.direct_producers)
        return self._producers[op]

    def direct_users(self, op: Operation) -> list[Operation]:
        return [use.operation for result in op.results for use in result.uses if use.operation in self.position]

    def direct_producers(self, op: Operation) -> list[Operation]:
        owners = [operand.owner for operand in op.operands]
        return [owner for owner in owners if isinstance(owner, Operation) and owner in self.position]

    def _spread(self, op: Operation, step: Callable[[Operation], list[Operation]]) -> dict[Operation, None]:
        found: dict[Operation, None] = {}
        pending = step(op)
        while pending:
            one = pending.pop()
            if one not in found:
                found[one] = None
                if self.is_transparent(one):
                    pending.extend(step(one))
        return dict.fromkeys(sorted(found, key=self.position.__getitem__))


class Search:
    """The matches of one variant at one op; after it ran dry, `refusal` tells how far it came."""

    def __init__(
        self, graph: Graph, variant: Variant, anchor: Operation, is_taken: Callable[[Operation], str | None]
    ) -> None:
        """`is_taken` names what an op already belongs to, if anything: such an op can be context only."""
        self.graph = graph
        self.variant = variant
        self.anchor = anchor
        self.is_taken = is_taken
        self.refusal = Refusal(0, len(variant.nodes), "")

    def __iter__(self) -> Iterator[Binding]:
        yield from self._extend({self.variant.anchor.name: self.anchor}, 0)

    def _extend(self, binding: Binding, index: int) -> Iterator[Binding]:
        if index == len(self.variant.steps):
            yield dict(binding)
            return
        step = self.variant.steps[index]
        fitting = [op for op in self._neighbours(binding, step) if self._fits(step, op, binding)]
        if not fitting:
            self._refuse(len(binding), step, binding)
        for op in fitting:
            binding[step.node.name] = op
            yield from self._extend(binding, index + 1)
            del binding[step.node.name]

    def _neighbours(self, binding: Binding, step: Step) -> Iterator[Operation]:
        """The ops that all of the step's edges lead to."""
        sets = [
            self.graph.users(binding[name]) if is_parent else self.graph.producers(binding[name])
            for name, is_parent in step.links
        ]
        return (op for op in sets[0] if all(op in others for others in sets[1:]))

    def _fits(self, step: Step, op: Operation, binding: Binding) -> bool:
        if self.graph.type_of(op) not in step.node.op_types or any(op is other for other in binding.values()):
            return False
        return not step.node.included or self.is_taken(op) is None

    def _refuse(self, bound: int, step: Step, binding: Binding) -> None:
        if bound < self.refusal.bound:
            return
        wanted = " or ".join(step.node.op_types)
        name, is_parent = step.links[0]
        relation = "user" if is_parent else "producer"
        found = [op for op in self._neighbours(binding, step) if self.graph.type_of(op) in step.node.op_types]
        owners = [owner for op in found if (owner := self.is_taken(op)) is not None]
        reason = f"no {relation} of '{name}' is a {wanted} ('{step.node.name}')"
        if owners:
            reason = f"the {wanted} for '{step.node.name}' already belongs to '{owners[0]}'"
        elif len(step.links) > 1:
            reason += " that fits its other edges"
        self.refusal = Refusal(bound, len(self.variant.nodes), reason)
