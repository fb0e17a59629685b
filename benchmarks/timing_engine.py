"""Speed of the timing engines in firings a second, on a pipeline shaped like a decode layer repeated over a model.

    python benchmarks/timing_engine.py [rounds]

Prints one line an engine: firings, seconds, million firings a second; and the first start of the compiled loop.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from sambaflow.sim.timing import engine, reference
from sambaflow.sim.timing.graph import Edge, Graph, Node, Resource, Run

STAGES, FIRINGS = 40, 64


def layer(rounds: int) -> Graph:
    """Stages in a row; every fifth has a load beside it that shares the memory."""
    nodes = [Node(FIRINGS * rounds, 1000 + 37 * (i % 5), 3000) for i in range(STAGES)]
    edges = [Edge(i, i + 1, FIRINGS * rounds, 2) for i in range(STAGES - 1)]
    for stage in range(0, STAGES, 5):
        edges.append(Edge(len(nodes), stage, FIRINGS * rounds, 4))
        nodes.append(Node(FIRINGS * rounds, 150, 150_000, 0, 120))
    return Graph(tuple(nodes), tuple(edges), (Resource("hbm", "tier"),))


def measure(name: str, run: Callable[[Graph], Run], graph: Graph) -> Run:
    start = time.perf_counter()
    result = run(graph)
    seconds = time.perf_counter() - start
    print(f"{name:28} {graph.firings:9} firings {seconds:8.3f} s {graph.firings / seconds / 1e6:8.3f} M/s")
    return result


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 80
    measure("compiled, first start", lambda graph: engine.run(graph, compiled=True), layer(1))
    small, large = layer(2), layer(rounds)
    plain = measure("plain work-list", lambda graph: engine.run(graph, compiled=False), small)
    if measure("event by event", reference.run, small) != plain:
        raise SystemExit("the engines disagree")
    measure("compiled work-list", lambda graph: engine.run(graph, compiled=True), large)


if __name__ == "__main__":
    main()
