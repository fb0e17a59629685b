"""The timing graph: nodes that fire, edges that carry tokens, shared resources; and what a run of it gives.

A firing happens at a time x. Firing i of node v (counted from 0) needs, with T tokens on an edge and F firings of v:

    self     x[v, i] >= x[v, i - 1] + interval
    data     on every input edge the first ceil((i + 1) T / F) tokens; the first `initial` are there at time 0
    space    on every output edge room for the token that it writes: initial + ceil((i + 1) T / F) - freed <= depth
    resource if it has one: a grant, first come first served, ties by node number; it keeps the resource for `service`

and gives

    after firing i, `floor((i + 1) T / F)` tokens of an output edge are written, there from x + latency on, and
    as many tokens of an input edge are freed, from x + interval on.

So a token is handed over when the last firing that writes it is done, and freed when the last firing that reads it is
done. All times are integers, in picoseconds. Fixed rates and bounded buffers make firing times independent of the
order of evaluation; only grants need an order: (grant time, ready time, node number).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sambaflow.errors import SambaError


class Node(NamedTuple):
    """A unit or group of units. `resource`: index of the shared resource that each firing occupies for `service`, or
    -1."""

    firings: int
    interval: int
    latency: int
    resource: int = -1
    service: int = 0


class Edge(NamedTuple):
    """A buffered stream: `tokens` windows pass in the whole run, at most `depth` are outstanding."""

    source: int
    target: int
    tokens: int
    depth: int
    initial: int = 0


class Resource(NamedTuple):
    """Something that one firing at a time uses. kind: "tier" (a memory) or "link" (between chips)."""

    name: str
    kind: str


@dataclass(frozen=True)
class TimingGraph:
    """Nodes, edges and resources. `labels` name nodes in reports and errors; they do not count in comparisons."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    resources: tuple[Resource, ...] = ()
    labels: tuple[str, ...] = field(default=(), compare=False)

    def label(self, node: int) -> str:
        return self.labels[node] if node < len(self.labels) else f"node {node}"

    @property
    def firings(self) -> int:
        return sum(node.firings for node in self.nodes)


class Stalls(NamedTuple):
    """Picoseconds that a node's firings were held back, by the term that was last to allow them.

    `busy` is firings times interval: the node's own rate ("self").
    """

    busy: int
    data: int
    space: int
    tier: int
    link: int


@dataclass(frozen=True)
class Run:
    """The result of a run: all in picoseconds, per node."""

    finish: int
    """When the last result is out: the greatest x + max(interval, latency)."""
    first: tuple[int, ...]
    last: tuple[int, ...]
    """Start of the first and of the last firing."""
    sums: tuple[int, ...]
    """Sum of all firing times, modulo 2^63: two runs that agree in it agree in every firing, but for accidents."""
    stalls: tuple[Stalls, ...]
    occupied: tuple[int, ...]
    """Per resource, how long it was in use."""


class Wait(NamedTuple):
    """Node `node` cannot fire again before node `on` does: "data" (no token) or "space" (no room)."""

    node: int
    on: int
    reason: str


class DeadlockError(SambaError):
    """Nothing can fire any more and not all is done. `cycle` is the ring of waits."""

    def __init__(self, graph: TimingGraph, fired: Sequence[int], cycle: Sequence[Wait]) -> None:
        self.cycle = tuple(cycle)
        ring = "; ".join(
            f"{graph.label(w.node)} (fired {fired[w.node]} of {graph.nodes[w.node].firings}) waits for "
            f"{'a tile from' if w.reason == 'data' else 'room towards'} {graph.label(w.on)}"
            for w in self.cycle
        )
        super().__init__(
            f"the pipeline deadlocks: {ring}",
            levers=("deepen the buffers on the reconvergent paths", "cut the section between these stages"),
        )


def check(graph: TimingGraph) -> None:
    """Raises SambaError on a graph that is no graph: indices out of range, counts below one, times below zero."""
    for number, node in enumerate(graph.nodes):
        times_ok = node.interval >= 0 and node.latency >= 0 and node.service >= 0
        if node.firings < 1 or not times_ok or not -1 <= node.resource < len(graph.resources):
            raise SambaError(f"timing graph: {graph.label(number)} is not a node: {node}")
    for edge in graph.edges:
        ends_ok = 0 <= edge.source < len(graph.nodes) and 0 <= edge.target < len(graph.nodes)
        if not ends_ok or edge.tokens < 1 or edge.depth < 1 or edge.initial < 0:
            raise SambaError(f"timing graph: not an edge: {edge}")


def deadlock(graph: TimingGraph, fired: Sequence[int]) -> DeadlockError:
    """The error for a state in which nothing can fire: follows who waits for whom until a node comes again."""
    waits: dict[int, Wait] = {}
    for edge in graph.edges:
        source, target = graph.nodes[edge.source], graph.nodes[edge.target]
        done, taken = fired[edge.source], fired[edge.target]
        written = edge.initial + done * edge.tokens // source.firings
        freed = taken * edge.tokens // target.firings
        if taken < target.firings and -(-(taken + 1) * edge.tokens // target.firings) > written:
            waits.setdefault(edge.target, Wait(edge.target, edge.source, "data"))
        if done < source.firings and edge.initial - (-(done + 1) * edge.tokens // source.firings) - freed > edge.depth:
            waits.setdefault(edge.source, Wait(edge.source, edge.target, "space"))
    order: dict[int, None] = {}
    node = min(waits)
    while node in waits and node not in order:
        order[node] = None
        node = waits[node].on
    chain = list(order)
    return DeadlockError(graph, fired, [waits[n] for n in chain[chain.index(node) if node in order else 0 :]])
