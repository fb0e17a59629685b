"""The fast engine equals the plain event-by-event engine to the picosecond, on every graph, and both say who deadlocks."""

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sambaflow.sim.timing import engine, reference
from sambaflow.sim.timing.graph import DeadlockError, Edge, Graph, Node, Resource, Run

_TIMES = st.one_of(st.integers(0, 3), st.integers(0, 40), st.integers(0, 10**9))


@st.composite
def graphs(draw: st.DrawFn, most: int = 7) -> Graph:
    """Random graphs: several rates, reconvergent paths, rings with initial tokens, shared tiers and links."""
    size = draw(st.integers(1, most))
    resources = tuple(
        Resource(f"r{number}", kind)
        for number, kind in enumerate(draw(st.lists(st.sampled_from(["tier", "link"]), max_size=3)))
    )
    nodes = tuple(
        Node(
            firings=draw(st.integers(1, 12)),
            interval=draw(_TIMES),
            latency=draw(_TIMES),
            resource=draw(st.integers(-1, len(resources) - 1)),
            service=draw(_TIMES),
        )
        for _ in range(size)
    )
    edges: list[Edge] = []
    for _ in range(draw(st.integers(0, 2 * size))):
        source, target = draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))
        tokens = draw(st.integers(1, 12))
        backward = source >= target
        initial = draw(st.integers(0, tokens)) if backward else draw(st.integers(0, 1))
        edges.append(Edge(source, target, tokens, draw(st.integers(1, 2 * tokens)), initial))
    return Graph(nodes, tuple(edges), resources)


def _outcome(run: Run | DeadlockError) -> object:
    return run if isinstance(run, Run) else run.cycle


def _try(call: object, graph: Graph, **options: bool) -> Run | DeadlockError:
    try:
        return call(graph, **options)  # type: ignore[operator]
    except DeadlockError as error:
        return error


@settings(max_examples=1500, deadline=None)
@given(graphs())
def test_worklist_equals_event_by_event(graph: Graph) -> None:
    expected = _outcome(_try(reference.run, graph))
    note(f"{graph}")
    assert _outcome(_try(engine.run, graph, compiled=False)) == expected
