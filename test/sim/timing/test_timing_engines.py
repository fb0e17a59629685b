"""The fast engine equals the plain event-by-event engine to the picosecond, and both say who deadlocks."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow.errors import SambaError
from sambaflow.sim.timing import engine, reference
from sambaflow.sim.timing.graph import DeadlockError, Edge, Node, Resource, Run, TimingGraph

_TIMES = st.one_of(st.integers(0, 3), st.integers(0, 40), st.integers(0, 10**9))


@st.composite
def graphs(draw: st.DrawFn, most: int = 7) -> TimingGraph:
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
    return TimingGraph(nodes, tuple(edges), resources)


def _outcome(run: Callable[..., Run], graph: TimingGraph, **options: int) -> object:
    """What a run gives: all its times, or the ring of waits on which it stuck."""
    try:
        return run(graph, **options)
    except DeadlockError as error:
        return error.cycle


@settings(max_examples=500, deadline=None, print_blob=True)
@given(graphs())
def test_worklist_equals_event_by_event(graph: TimingGraph) -> None:
    expected = _outcome(reference.run, graph)
    assert _outcome(engine.run, graph, compiled=False) == expected
    assert _outcome(engine.run, graph, compiled=True) == expected


@settings(max_examples=300, deadline=None, print_blob=True)
@given(graphs(5), st.integers(3, 20), st.booleans())
def test_skipping_equal_rounds_changes_nothing(graph: TimingGraph, rounds: int, compiled: bool) -> None:
    """Every count times n: the engine may jump over rounds, the plain engine goes through all of them."""
    many = TimingGraph(
        tuple(node._replace(firings=node.firings * rounds) for node in graph.nodes),
        tuple(edge._replace(tokens=edge.tokens * rounds) for edge in graph.edges),
        graph.resources,
    )
    assert _outcome(engine.run, many, rounds=rounds, compiled=compiled) == _outcome(reference.run, many)


def test_rounds_are_really_skipped() -> None:
    """A million rounds would take the loop seconds; the period is found in a few."""
    rounds = 10**6
    nodes = (Node(4 * rounds, 10, 25, 0, 7), Node(2 * rounds, 30, 30), Node(rounds, 5, 1000, 0, 100))
    edges = (Edge(0, 1, 2 * rounds, 3), Edge(1, 2, rounds, 2), Edge(2, 0, rounds, 3, 1))
    graph = TimingGraph(nodes, edges, (Resource("hbm", "tier"),))
    start = time.process_time()
    finish = engine.run(graph, rounds=rounds, compiled=False).finish
    assert time.process_time() - start < 1
    few = [
        reference.run(
            TimingGraph(
                tuple(n._replace(firings=n.firings // rounds * r) for n in nodes),
                tuple(e._replace(tokens=e.tokens // rounds * r) for e in edges),
                graph.resources,
            )
        ).finish
        for r in (20, 21)
    ]
    assert finish == few[0] + (rounds - 20) * (few[1] - few[0])


def chain(*intervals: int, depth: int = 2, firings: int = 4) -> TimingGraph:
    nodes = tuple(Node(firings, interval, interval) for interval in intervals)
    return TimingGraph(nodes, tuple(Edge(i, i + 1, firings, depth) for i in range(len(nodes) - 1)))


def test_a_pipeline_takes_fill_and_the_slowest_stage() -> None:
    run = engine.run(chain(10, 30, 20))
    assert run.finish == 10 + 4 * 30 + 20
    assert run.first == (0, 10, 40)
    assert run.stalls[2].data == 40 + 3 * 10  # waits for the first tile, then 10 of every 30


def test_depth_one_alternates_and_depth_two_overlaps() -> None:
    assert engine.run(chain(10, 10, depth=1)).finish == 4 * 20
    assert engine.run(chain(10, 10, depth=2)).finish == 10 + 4 * 10


def test_room_is_the_stall_when_the_consumer_is_slow() -> None:
    run = engine.run(chain(10, 50, depth=2))
    assert run.stalls[0].space > 0
    assert run.stalls[0].data == 0


def test_first_come_first_served_and_ties_by_number() -> None:
    """Both want the memory at 0: node 0 has it; then each waits for the other."""
    nodes = (Node(2, 10, 0, 0, 100), Node(2, 10, 0, 0, 100))
    run = engine.run(TimingGraph(nodes, (), (Resource("hbm", "tier"),)))
    assert (run.first, run.last) == ((0, 100), (200, 300))
    assert run.occupied == (400,)
    assert (run.stalls[0].tier, run.stalls[1].tier) == (190, 290)


def test_a_coarse_consumer_waits_for_all_parts_of_its_tile() -> None:
    """Three firings give two tokens: the first is complete after the second firing, and so is what needs it."""
    run = engine.run(TimingGraph((Node(3, 10, 10), Node(2, 1, 1)), (Edge(0, 1, 2, 2),)))
    assert run.first[1] == 20
    assert run.last[1] == 30


def test_a_ring_runs_on_its_initial_tokens() -> None:
    """A recurrence over three steps of 70: each waits for the one before."""
    ring = TimingGraph((Node(3, 10, 70),), (Edge(0, 0, 3, 4, 1),))
    assert engine.run(ring).finish == 3 * 70


@pytest.mark.parametrize("run", [engine.run, reference.run])
def test_a_deadlock_names_the_ring(run: Callable[[TimingGraph], Run]) -> None:
    """A reconvergent path whose short side holds one tile of the four that the long side must see first."""
    graph = TimingGraph(
        (Node(4, 1, 1), Node(1, 1, 1), Node(4, 1, 1)),
        (Edge(0, 1, 4, 4), Edge(0, 2, 4, 1), Edge(1, 2, 1, 1)),
        labels=("split", "sum", "join"),
    )
    with pytest.raises(DeadlockError) as caught:
        run(graph)
    assert [(w.node, w.on, w.reason) for w in caught.value.cycle] == [
        (0, 2, "space"),
        (2, 1, "data"),
        (1, 0, "data"),
    ]
    assert "split (fired 1 of 4) waits for room towards join" in caught.value.message


@pytest.mark.parametrize("bad", [Node(0, 1, 1), Node(1, -1, 1), Node(1, 1, 1, 0, 1)])
def test_a_node_that_is_none_is_refused(bad: Node) -> None:
    with pytest.raises(SambaError, match="is not a node"):
        engine.run(TimingGraph((bad,), ()))
