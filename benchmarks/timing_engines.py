"""The timing engine beside the plain event-by-event engine, which it must equal to the picosecond.

The pipeline is shaped like a decode layer that is repeated over a model. Engines run equal graphs once, so every run
has a graph of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.rows import Row
from sambaflow.sim.timing import engine, reference
from sambaflow.sim.timing.graph import Edge, Node, Resource, Run, TimingGraph

STAGES, FIRINGS = 40, 64
SMALL, LARGE = 2, 80
"""Rounds: what every engine runs, and what the compiled one alone runs."""


def timing_engines() -> list[Row]:
    if reference.run(layer(1)) != engine.run(layer(1), compiled=True):
        raise SystemExit("the timing engines disagree")
    plain = _nanoseconds(reference.run, SMALL)
    rounds = {
        "work-list": (False, SMALL),
        "compiled work-list": (True, SMALL),
        "the same, 40 times as long": (True, LARGE),
    }
    return [
        Row(f"timing engine: {name}", _nanoseconds(lambda graph: engine.run(graph, compiled=compiled), length),  # noqa: B023
            "ns a firing", "event by event", plain)
        for name, (compiled, length) in rounds.items()
    ]  # fmt: skip


def layer(rounds: int) -> TimingGraph:
    """Stages in a row; every fifth has a load beside it that shares the memory."""
    nodes = [Node(FIRINGS * rounds, 1000 + 37 * (i % 5), 3000) for i in range(STAGES)]
    edges = [Edge(i, i + 1, FIRINGS * rounds, 2) for i in range(STAGES - 1)]
    for stage in range(0, STAGES, 5):
        edges.append(Edge(len(nodes), stage, FIRINGS * rounds, 4))
        nodes.append(Node(FIRINGS * rounds, 150, 150_000, 0, 120))
    return TimingGraph(tuple(nodes), tuple(edges), (Resource("hbm", "tier"),))


def _nanoseconds(run: Callable[[TimingGraph], Run], rounds: int) -> float:
    """Of one firing."""
    graph = layer(rounds)
    start = time.perf_counter()
    run(graph)
    return (time.perf_counter() - start) / graph.firings * 1e9
