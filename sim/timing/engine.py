"""The fast engine: a work-list of nodes, with time stamps that travel with the tokens, and no event queue.

A node fires as often as the tokens and the room it knows of allow, whatever the time of its neighbours is: firing
times do not depend on the order of evaluation. Only requests to a shared resource wait until nothing else can fire;
then the one with the earliest (grant time, ready time, node number) is granted: every request still to come is ready
no earlier.

The loop is written once for both paths: on lists in plain Python for small graphs, compiled by numba for large ones
(cached on disk; compiling takes seconds the first time).
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

from sambaflow.sim.timing.graph import Graph, Run, Stalls, check, deadlock

COMPILED_FROM = 60_000
"""Firings from which the compiled loop is worth its start."""


def run(graph: Graph, *, compiled: bool | None = None) -> Run:
    """Runs the graph; equal graphs are run once. Raises DeadlockError when it cannot end.

    compiled: which path to take; None: by size.
    """
    return _run(graph, graph.firings >= COMPILED_FROM if compiled is None else compiled)


@lru_cache(maxsize=1024)
def _run(graph: Graph, compiled: bool) -> Run:
    check(graph)
    columns = _columns(graph)
    nodes = len(graph.nodes)
    state = [[0] * nodes for _ in range(7)]  # fired, first, last, sums, data, space, waited
    if compiled:
        import numpy as np

        arrays = [np.array(column, dtype=np.int64) for column in (*columns, *state)]
        _compiled()(*arrays)
        state = [array.tolist() for array in arrays[len(columns) :]]
    else:
        _loop(*columns, *state)
    fired, first, last, sums, data, space, waited = state
    if any(count < node.firings for count, node in zip(fired, graph.nodes, strict=True)):
        raise deadlock(graph, fired)
    occupied = [0] * len(graph.resources)
    stalls: list[Stalls] = []
    for number, node in enumerate(graph.nodes):
        kind = ""
        if node.resource >= 0:
            kind = graph.resources[node.resource].kind
            occupied[node.resource] += node.firings * node.service
        at_tier, at_link = (waited[number] if kind == name else 0 for name in ("tier", "link"))
        stalls.append(Stalls(node.firings * node.interval, data[number], space[number], at_tier, at_link))
    ends = (x + max(node.interval, node.latency) for x, node in zip(last, graph.nodes, strict=True))
    return Run(max(ends, default=0), tuple(first), tuple(last), tuple(sums), tuple(stalls), tuple(occupied))


@cache
def _compiled() -> Callable[..., None]:
    import numba

    return numba.njit(cache=True)(_loop)


def _columns(graph: Graph) -> list[list[int]]:
    """The graph as the flat columns that `_loop` takes."""
    nodes, edges = graph.nodes, graph.edges
    inputs: list[list[int]] = [[] for _ in nodes]
    outputs: list[list[int]] = [[] for _ in nodes]
    for number, edge in enumerate(edges):
        inputs[edge.target].append(number)
        outputs[edge.source].append(number)
    shared = [number for number, node in enumerate(nodes) if node.resource >= 0]
    stamps = [edge.depth + max(1, edge.initial) + 1 for edge in edges]
    return [
        *_transposed(nodes, 5),
        *_transposed(edges, 5),
        *_rows(inputs),
        *_rows(outputs),
        shared,
        [0] * len(graph.resources),
        *_rows([[0] * size for size in stamps]),
        [0] * sum(stamps),
        [edge.initial for edge in edges],
        [0] * len(edges),
    ]


def _transposed(rows: Sequence[tuple[int, ...]], width: int) -> list[list[int]]:
    return [[row[column] for row in rows] for column in range(width)]


def _rows(rows: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Ragged rows as offsets and one flat list."""
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row))
    return offsets, [value for row in rows for value in row]


def _loop(
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
) -> None:
    """Fires everything. Stamps of edge e live in rings of `stamp_from[e + 1] - stamp_from[e]` places, token j in
    place j modulo the ring: no more than that many tokens can be of interest at a time."""
    nodes = len(firings)
    work = [0] * nodes  # a circular work-list; a node is in it at most once
    listed = [True] * nodes
    for node in range(nodes):
        work[node] = node
    head, waiting = 0, nodes
    ready = [-1] * nodes  # of the pending request of a node that shares a resource
    while True:
        if waiting > 0:
            node = work[head]
            head = (head + 1) % nodes
            waiting -= 1
            listed[node] = False
            granted = False
            start = 0
        else:
            # Nothing fires without a grant: give the earliest one.
            node, start, best = -1, 0, 0
            for candidate in shared:
                at = ready[candidate]
                if at >= 0:
                    grant = max(at, free_at[resource[candidate]])
                    if node < 0 or grant < start or (grant == start and at < best):
                        node, start, best = candidate, grant, at
            if node < 0:
                return
            granted = True
            waited[node] += start - best
            ready[node] = -1
            free_at[resource[node]] = start + service[node]
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
                if not listed[other]:
                    listed[other] = True
                    work[(head + waiting) % nodes] = other
                    waiting += 1
            for at in range(in_from[node], in_from[node + 1]):
                other = source[in_edge[at]]
                if not listed[other]:
                    listed[other] = True
                    work[(head + waiting) % nodes] = other
                    waiting += 1
