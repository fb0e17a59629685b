"""The work-list of the fast engine: its state as flat columns, and the loop that fires everything.

The loop is written once for both paths: on lists in plain Python, on arrays compiled by numba (cached on disk;
compiling takes seconds the first time). It can pause between two steps, and its whole state stands in `State`, so that
a caller may compare it, move it in time and let it go on.

It is one long function because it is the hot one: with firing, stamping or listing in functions of their own the
compiled loop takes 1.5 to 8 times as long, whether numba inlines them or not. Grants are rare enough to stand apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sambaflow.sim.timing.graph import TimingGraph

NEVER = 1 << 62

DYNAMIC = (
    "free_at", "stamp_from", "written_at", "freed_at", "written", "freed",
    "fired", "first", "last", "sums", "data_stall", "space_stall", "waited",
    "ready", "listed", "work", "cursor",
)  # fmt: skip


class State:
    """Everything that `loop` reads and writes. Stamps of edge e live in a ring, token j in place j modulo its length:
    `ring(e)` gives its bounds; no more than that many tokens can be of interest at a time."""

    def __init__(self, graph: TimingGraph) -> None:
        self.graph = graph
        nodes, edges = graph.nodes, graph.edges
        inputs: list[list[int]] = [[] for _ in nodes]
        outputs: list[list[int]] = [[] for _ in nodes]
        for number, edge in enumerate(edges):
            inputs[edge.target].append(number)
            outputs[edge.source].append(number)
        self.static: list[Any] = [
            *_transposed(nodes, 5),
            *_transposed(edges, 5),
            *_ragged(inputs),
            *_ragged(outputs),
            [number for number, node in enumerate(nodes) if node.resource >= 0],
        ]
        self.free_at: Any = [0] * len(graph.resources)
        lengths = [min(edge.depth, edge.initial + edge.tokens) + max(1, edge.initial) + 1 for edge in edges]
        self.stamp_from, self.written_at = _ragged([[0] * length for length in lengths])
        self.freed_at: Any = [0] * sum(lengths)
        self.written: Any = [edge.initial for edge in edges]
        self.freed: Any = [0] * len(edges)
        self.fired: Any = [0] * len(nodes)
        self.first: Any = [0] * len(nodes)
        self.last: Any = [0] * len(nodes)
        self.sums: Any = [0] * len(nodes)
        self.data_stall: Any = [0] * len(nodes)
        self.space_stall: Any = [0] * len(nodes)
        self.waited: Any = [0] * len(nodes)
        self.ready: Any = [-1] * len(nodes)
        """The time of the pending request of a node that shares a resource."""
        self.listed: Any = [1] * len(nodes)
        self.work: Any = list(range(len(nodes)))
        """A circular work-list; a node is in it at most once."""
        self.cursor: Any = [0, len(nodes)]
        """Where the work-list begins, and how many are in it."""

    def compile(self) -> None:
        """Go on with arrays and the compiled loop."""
        import numpy as np

        self.static = [np.array(column, dtype=np.int64) for column in self.static]
        for name in DYNAMIC:
            setattr(self, name, np.array(getattr(self, name), dtype=np.int64))

    def run(self, watch: int = 0, pause: int = NEVER) -> None:
        """Fire until nothing can fire any more, or until node `watch` has fired `pause` times."""
        if self.graph.nodes:
            run: Callable[..., None] = loop if isinstance(self.static[0], list) else _compiled()
            run(*self.static, *(getattr(self, name) for name in DYNAMIC), watch, pause)

    @property
    def finished(self) -> bool:
        return all(count == node.firings for count, node in zip(self.fired, self.graph.nodes, strict=True))

    def ring(self, edge: int) -> tuple[int, int]:
        """First place and length of an edge's ring of stamps."""
        base = int(self.stamp_from[edge])
        return base, int(self.stamp_from[edge + 1]) - base


@cache
def _compiled() -> Callable[..., None]:
    import numba
    from numba.extending import register_jitable

    register_jitable(_grant)
    return numba.njit(cache=True)(loop)


def _transposed(rows: Sequence[tuple[int, ...]], width: int) -> list[list[int]]:
    return [[row[column] for row in rows] for column in range(width)]


def _ragged(rows: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Ragged rows as offsets and one flat list."""
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row))
    return offsets, [value for row in rows for value in row]


def loop(
    firings: Any,
    interval: Any,
    latency: Any,
    resource: Any,
    service: Any,
    source: Any,
    target: Any,
    tokens: Any,
    depth: Any,
    initial: Any,
    in_from: Any,
    in_edge: Any,
    out_from: Any,
    out_edge: Any,
    shared: Any,
    free_at: Any,
    stamp_from: Any,
    written_at: Any,
    freed_at: Any,
    written: Any,
    freed: Any,
    fired: Any,
    first: Any,
    last: Any,
    sums: Any,
    data_stall: Any,
    space_stall: Any,
    waited: Any,
    ready: Any,
    listed: Any,
    work: Any,
    cursor: Any,
    watch: Any,
    pause: Any,
) -> None:
    """Fires everything, or pauses between two steps. The columns are those of `State`."""
    nodes = len(firings)
    head, waiting = cursor[0], cursor[1]
    while True:
        if fired[watch] >= pause:
            cursor[0], cursor[1] = head, waiting
            return
        if waiting > 0:
            node = work[head]
            head = (head + 1) % nodes
            waiting -= 1
            listed[node] = 0
            granted = False
            start = 0
        else:
            node, start = _grant(shared, ready, resource, service, free_at, waited)
            if node < 0:
                cursor[0], cursor[1] = head, waiting
                return
            granted = True
        moved = False
        while True:
            if granted:
                granted = False
                now = start
            else:
                count = fired[node]
                if count == firings[node] or ready[node] >= 0:
                    break
                rate = last[node] + interval[node] if count > 0 else 0
                data, space, known = 0, 0, True
                for at in range(in_from[node], in_from[node + 1]):
                    edge = in_edge[at]
                    needed = -(-(count + 1) * tokens[edge] // firings[node])
                    if needed > written[edge]:
                        known = False
                        break
                    base = stamp_from[edge]
                    data = max(data, written_at[base + (needed - 1) % (stamp_from[edge + 1] - base)])
                if not known:
                    break
                for at in range(out_from[node], out_from[node + 1]):
                    edge = out_edge[at]
                    gone = initial[edge] - (-(count + 1) * tokens[edge] // firings[node]) - depth[edge]
                    if gone > freed[edge]:
                        known = False
                        break
                    if gone > 0:
                        base = stamp_from[edge]
                        space = max(space, freed_at[base + (gone - 1) % (stamp_from[edge + 1] - base)])
                if not known:
                    break
                data_stall[node] += max(0, data - rate)
                space_stall[node] += max(0, space - max(rate, data))
                now = max(rate, data, space)
                if resource[node] >= 0:
                    ready[node] = now
                    break
            moved = True
            count = fired[node] + 1
            fired[node] = count
            if count == 1:
                first[node] = now
            last[node] = now
            sums[node] = (sums[node] + now) & 0x7FFFFFFFFFFFFFFF
            for at in range(out_from[node], out_from[node + 1]):
                edge = out_edge[at]
                base = stamp_from[edge]
                ring = stamp_from[edge + 1] - base
                done = initial[edge] + count * tokens[edge] // firings[node]
                for token in range(written[edge], done):
                    written_at[base + token % ring] = now + latency[node]
                written[edge] = done
            for at in range(in_from[node], in_from[node + 1]):
                edge = in_edge[at]
                base = stamp_from[edge]
                ring = stamp_from[edge + 1] - base
                done = count * tokens[edge] // firings[node]
                for token in range(freed[edge], done):
                    freed_at[base + token % ring] = now + interval[node]
                freed[edge] = done
        if moved:
            for at in range(out_from[node], out_from[node + 1]):
                other = target[out_edge[at]]
                if listed[other] == 0:
                    listed[other] = 1
                    work[(head + waiting) % nodes] = other
                    waiting += 1
            for at in range(in_from[node], in_from[node + 1]):
                other = source[in_edge[at]]
                if listed[other] == 0:
                    listed[other] = 1
                    work[(head + waiting) % nodes] = other
                    waiting += 1


def _grant(shared: Any, ready: Any, resource: Any, service: Any, free_at: Any, waited: Any) -> tuple[Any, Any]:
    """Nothing fires without a grant: gives the earliest one. The node (-1: none asks) and when it fires."""
    node, start, best = -1, 0, 0
    for candidate in shared:
        at = ready[candidate]
        if at >= 0:
            grant = max(at, free_at[resource[candidate]])
            if node < 0 or grant < start or (grant == start and at < best):
                node, start, best = candidate, grant, at
    if node >= 0:
        waited[node] += start - best
        ready[node] = -1
        free_at[resource[node]] = start + service[node]
    return node, start
