"""The fast engine: a work-list of nodes, with time stamps that travel with the tokens, and no event queue.

A node fires as often as the tokens and the room it knows of allow, whatever the time of its neighbours is: firing times
do not depend on the order of evaluation. Only requests to a shared resource wait until nothing else can fire; then the
one with the earliest (grant time, ready time, node number) is granted: every request still to come is ready no earlier.

A graph of many equal rounds becomes periodic: as soon as the state, taken relative to the round and to the time, is one
that was there before, the rounds between are all alike, and the engine moves its state over as many as it can. That is
exact: the loop is a function of the relative state, and times are integers.
"""

from __future__ import annotations

from functools import lru_cache

from sambaflow.sim.timing.graph import Run, Stalls, TimingGraph, check, deadlock
from sambaflow.sim.timing.worklist import State

COMPILED_FROM = 60_000
"""Firings from which the compiled loop is worth its start."""

ROUNDS_TRIED = 16
"""Rounds in which most pipelines have become periodic: what is compiled or not is decided for that many."""

_MASK = (1 << 63) - 1
_NO_REQUEST = -(1 << 62)


def run(graph: TimingGraph, *, rounds: int = 1, compiled: bool | None = None) -> Run:
    """Runs the graph; equal graphs are run once. Raises DeadlockError when it cannot end.

    rounds: all firings and tokens are that many times those of one round. compiled: which path; None: by size.
    """
    if compiled is None:
        compiled = graph.firings // rounds * min(rounds, ROUNDS_TRIED) >= COMPILED_FROM
    return _run(graph, rounds, compiled)


@lru_cache(maxsize=1024)
def _run(graph: TimingGraph, rounds: int, compiled: bool) -> Run:
    check(graph)
    state = State(graph)
    if compiled:
        state.compile()
    if rounds > 2 and _divides(graph, rounds):
        _skip(state, rounds)
    state.run()
    if not state.finished:
        raise deadlock(graph, [int(count) for count in state.fired])
    return _result(state)


def _result(state: State) -> Run:
    graph = state.graph
    occupied = [0] * len(graph.resources)
    stalls: list[Stalls] = []
    for number, node in enumerate(graph.nodes):
        kind = ""
        if node.resource >= 0:
            kind = graph.resources[node.resource].kind
            occupied[node.resource] += node.firings * node.service
        data, space, waited = (int(column[number]) for column in (state.data_stall, state.space_stall, state.waited))
        at_tier, at_link = (waited if kind == name else 0 for name in ("tier", "link"))
        stalls.append(Stalls(node.firings * node.interval, data, space, at_tier, at_link))
    first, last, sums = (tuple(int(x) for x in column) for column in (state.first, state.last, state.sums))
    ends = (x + max(node.interval, node.latency) for x, node in zip(last, graph.nodes, strict=True))
    return Run(max(ends, default=0), first, last, sums, tuple(stalls), tuple(occupied))


# --- rounds that are alike


def _divides(graph: TimingGraph, rounds: int) -> bool:
    counts = [node.firings for node in graph.nodes] + [edge.tokens for edge in graph.edges]
    return all(count % rounds == 0 for count in counts)


def _skip(state: State, rounds: int) -> None:
    """Run round by round until the state comes again, then move on (Brent: compared with that of a power of two)."""
    nodes = state.graph.nodes
    watch = min(range(len(nodes)), key=lambda number: nodes[number].firings)
    per_round = nodes[watch].firings // rounds
    relative_before: tuple[int, ...] = ()
    before: _Totals | None = None
    for number in range(1, rounds - 1):
        pause = int(state.fired[watch]) + per_round
        state.run(watch, pause)
        if state.fired[watch] < pause:
            return  # all is done, or it deadlocks
        totals = _Totals(state, watch, rounds)
        relative = _relative(state, totals, rounds)
        if before is not None and relative == relative_before:
            _move(state, before, totals, rounds)
            return
        if number & (number - 1) == 0:
            relative_before, before = relative, totals


class _Totals:
    """What grows from round to round."""

    def __init__(self, state: State, watch: int, rounds: int) -> None:
        nodes = state.graph.nodes
        self.round = int(state.fired[watch]) * rounds // nodes[watch].firings
        self.time = int(state.last[watch])
        self.fired = [int(x) for x in state.fired]
        self.sums = [int(x) for x in state.sums]
        self.stalls = [[int(x) for x in column] for column in (state.data_stall, state.space_stall, state.waited)]


def _relative(state: State, totals: _Totals, rounds: int) -> tuple[int, ...]:
    """What the loop goes on from: counts relative to the round, times relative to the watched node's last firing."""
    graph, now, done = state.graph, totals.time, totals.round
    row: list[int] = []
    for number, node in enumerate(graph.nodes):
        row.append(totals.fired[number] - done * (node.firings // rounds))
        row.append(int(state.last[number]) - now if totals.fired[number] else 1)
        row.append(int(state.ready[number]) - now if state.ready[number] >= 0 else _NO_REQUEST)
    used = {node.resource for node in graph.nodes}
    row.extend(int(free) - now for number, free in enumerate(state.free_at) if number in used)
    for number, edge in enumerate(graph.edges):
        written, freed = int(state.written[number]), int(state.freed[number])
        source = graph.nodes[edge.source]
        gone = edge.initial + -(-(totals.fired[edge.source] + 1) * edge.tokens // source.firings) - edge.depth
        base, ring = state.ring(number)
        row += [written - done * (edge.tokens // rounds), freed - done * (edge.tokens // rounds)]
        row.extend(int(state.written_at[base + token % ring]) - now for token in range(freed, written))
        row.extend(int(state.freed_at[base + token % ring]) - now for token in range(max(0, gone - 1), freed))
    head, waiting = (int(x) for x in state.cursor)
    row.extend(int(state.work[(head + place) % len(graph.nodes)]) for place in range(waiting))
    return tuple(row)


def _move(state: State, before: _Totals, now: _Totals, rounds: int) -> None:
    """Move the state over whole periods, so far that every node still has firings to do."""
    graph = state.graph
    period, time = now.round - before.round, now.time - before.time
    left = min(
        (node.firings - 1 - count) // (node.firings // rounds * period)
        for node, count in zip(graph.nodes, now.fired, strict=True)
    )
    if left <= 0:
        return
    shift = left * time
    for number, node in enumerate(graph.nodes):
        more = node.firings // rounds * period
        state.fired[number] += left * more
        state.last[number] += shift
        grown = now.sums[number] - before.sums[number]
        total = now.sums[number] + left * grown + more * time * (left * (left + 1) // 2)
        state.sums[number] = total & _MASK
        for column, old, new in zip(
            (state.data_stall, state.space_stall, state.waited), before.stalls, now.stalls, strict=True
        ):
            column[number] += left * (new[number] - old[number])
        if state.ready[number] >= 0:
            state.ready[number] += shift
    for number in range(len(graph.resources)):
        state.free_at[number] += shift
    for number, edge in enumerate(graph.edges):
        more = left * (edge.tokens // rounds) * period
        state.written[number] += more
        state.freed[number] += more
        base, ring = state.ring(number)
        for stamps in (state.written_at, state.freed_at):
            old = [int(stamps[base + place]) for place in range(ring)]
            for place in range(ring):
                stamps[base + (place + more) % ring] = old[place] + shift
