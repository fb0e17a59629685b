"""Random netlists come out placed and routed soundly, in the same way every time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow import machine as machines
from sambaflow.dialects.rdu.grid import grid_of, partners
from sambaflow.passes.physical.fitting import assign, choose, lowest
from sambaflow.passes.physical.memory import MemoryProblem, live_bytes
from sambaflow.passes.physical.mesh import Net
from sambaflow.passes.physical.placement import PlacementProblem, by_swaps
from sambaflow.passes.physical.routing import Routes, RoutingProblem, by_negotiation
from sambaflow.passes.physical.swaps import FreePlaces, Search
from sambaflow.passes.physical.tensors import Tensor, Tier
from sambaflow.passes.physical.units import Group
from sambaflow.passes.rdu_finalize import flow_ids

MACHINE = machines.load("sn40l")
GRID = grid_of(MACHINE, MACHINE.target(tiles=1))


@st.composite
def placements(draw: st.DrawFn) -> PlacementProblem:
    inner = draw(st.lists(st.tuples(st.sampled_from(["pcu", "pmu"]), st.integers(1, 12)), min_size=1, max_size=12))
    sides = draw(st.lists(st.tuples(st.just("agcu"), st.integers(1, 2)), max_size=3))
    every = [*inner, *sides]
    numbers = st.integers(0, len(every) - 1)
    edges = draw(st.lists(st.tuples(numbers, numbers), max_size=20))
    forward = dict.fromkeys((min(a, b), max(a, b)) for a, b in edges if a != b)
    shared = [draw(st.integers(0, 1)) if group == ("agcu", 1) and draw(st.booleans()) else -1 for group in every]
    groups = [Group(kind, count, agcu) for (kind, count), agcu in zip(every, shared, strict=True)]
    return PlacementProblem(tuple(groups), tuple(forward), GRID, moves=300)


def test_the_grid_of_a_chip_is_its_units():
    for name in machines.names():
        machine = machines.load(name)
        for tiles in range(1, machine.tiles + 1):
            budget = machine.target(tiles=tiles)
            grid = grid_of(machine, budget)
            assert (len(grid.pcu), len(grid.pmu), len(grid.agcu)) == (budget.pcus, budget.pmus, budget.agcus)
            places = [*grid.pcu, *grid.pmu, *grid.agcu]
            assert len(set(places)) == len(places)
            neighbours = set(grid.pmu)
            if budget.pcus == budget.pmus:
                assert all({(x - 1, y), (x + 1, y)} & neighbours for x, y in grid.pcu)


@given(st.integers(1, 40), st.integers(1, 40))
def test_every_unit_has_a_partner(sources: int, targets: int):
    pairs = partners(sources, targets)
    assert {i for i, _ in pairs} == set(range(sources))
    assert {j for _, j in pairs} == set(range(targets))
    assert len(pairs) == max(sources, targets)


@settings(max_examples=40, deadline=None)
@given(placements())
def test_units_stand_apart_on_places_of_their_kind(problem: PlacementProblem):
    placement = by_swaps(problem)
    facts, coordinates = dict(placement.facts), placement.coordinates
    assert problem.length(placement) == facts["end"] <= facts["start"]
    agcus = [group.agcu for group in problem.groups]
    shared = {agcu: places for agcu, places in zip(agcus, coordinates, strict=True) if agcu >= 0}
    assert all(shared.get(agcu, places) == places for agcu, places in zip(agcus, coordinates, strict=True))
    alone = [places for agcu, places in zip(agcus, coordinates, strict=True) if agcu < 0]
    flat = [place for places in (*alone, *shared.values()) for place in places]
    assert len(set(flat)) == len(flat)
    for group, places in zip(problem.groups, coordinates, strict=True):
        assert len(places) == group.count
        assert set(places) <= set(GRID.places(group.kind))
    by_swaps.cache_clear()
    assert by_swaps(problem) == placement


PLACES = st.tuples(st.integers(0, GRID.cols - 1), st.integers(0, GRID.rows - 1))


def routing(nets: list[Net], tracks: int = 1, rounds: int = 4, steps: int = 32) -> RoutingProblem:
    return RoutingProblem(GRID.cols, GRID.rows, tuple(nets), tracks, rounds, steps)


def hops_of(problem: RoutingProblem, routes: Routes, net: int) -> list[tuple[int, int, int, int]]:
    hops = [problem.ends(link) for link in routes.nets[net].links]
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in hops]


def peak(problem: RoutingProblem, routes: Routes) -> int:
    return int(problem.usage(routes).max())


def overloaded(problem: RoutingProblem, routes: Routes) -> list[int]:
    return [link for link, used in enumerate(problem.usage(routes).tolist()) if used > problem.limit]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(PLACES, st.lists(PLACES, min_size=1, max_size=6), st.integers(1, 100)), min_size=1, max_size=30)
)
def test_routes_are_trees_that_reach_all_ends_within_capacity(
    wanted: list[tuple[tuple[int, int], list[tuple[int, int]], int]],
):
    nets = [Net((i, 0, 0), start, tuple(sorted(set(ends))), demand) for i, (start, ends, demand) in enumerate(wanted)]
    problem = routing(nets, tracks=2)
    routes = by_negotiation(problem)
    usage: dict[tuple[int, int, int, int], int] = {}
    for i, net in enumerate(nets):
        reached = {net.start}
        for x0, y0, x1, y1 in hops_of(problem, routes, i):
            assert abs(x0 - x1) + abs(y0 - y1) == 1
            assert (x0, y0) in reached
            assert (x1, y1) not in reached
            assert 0 <= x1 < GRID.cols
            assert 0 <= y1 < GRID.rows
            reached.add((x1, y1))
            usage[x0, y0, x1, y1] = usage.get((x0, y0, x1, y1), 0) + net.demand
        assert set(net.ends) <= reached
        assert len(routes.nets[i].tracks) == len(routes.nets[i].links)
        assert set(routes.nets[i].tracks) <= {0, 1}
    limit = 2 * max(net.demand for net in nets)
    assert sum(used > limit for used in usage.values()) == len(overloaded(problem, routes))


def test_congestion_is_led_around():
    """Three equal nets from end to end of a row with one track: straight on they share every link, apart they fit."""
    nets = [Net((i, 0, 0), (0, 5), ((20, 5),), 10) for i in range(3)]
    straight, apart = routing(nets, rounds=0), routing(nets, rounds=8)
    assert peak(straight, by_negotiation(straight)) == 30
    assert peak(apart, by_negotiation(apart)) == 10


def test_a_bottleneck_that_nothing_avoids_is_named():
    """A switch at the edge has three links: of four nets that start there two must share one."""
    problem = routing([Net((i, 0, 0), (0, 5), ((20, 5),), 10) for i in range(4)], rounds=8)
    routes = by_negotiation(problem)
    assert peak(problem, routes) == 20
    ends = [problem.ends(link) for link in overloaded(problem, routes)]
    assert all(hop[:2] == (0, 5) or hop[2:] == (20, 5) for hop in ends)


def crowded(count: int) -> list[Net]:
    """Nets from all over the grid to ends that stand close together: no way of leading them overloads nothing."""
    places = [(x, y) for y in range(GRID.rows) for x in range(GRID.cols)]
    ends = tuple(sorted((x, y) for x in (25, 26) for y in range(3, 7)))
    return [Net((i, 0, 0), places[i * 7 % len(places)], ends, 10) for i in range(count)]


def test_steps_of_search_are_counted_and_bounded():
    nets = crowded(400)
    problem = routing(nets, rounds=1000, steps=8)
    routes = by_negotiation(problem)
    facts = dict(routes.facts)
    assert overloaded(problem, routes)
    assert 0 < facts["rounds"] < 1000
    assert 8 * 400 * 8 <= facts["steps"] <= 8 * 400 * 8 + GRID.cols * GRID.rows  # one search more than allowed at most
    for i, net in enumerate(nets):
        assert {hop[2:] for hop in hops_of(problem, routes, i)} | {net.start} >= set(net.ends)


def test_steps_of_search_make_routes_better():
    """What the counted search leaves is better than what it starts from, and the same every time."""
    straight, problem = routing(crowded(60), rounds=0), routing(crowded(60), rounds=8)
    start, led, again = by_negotiation(straight), by_negotiation(problem), by_negotiation(problem)
    assert peak(problem, led) < peak(straight, start)
    assert led == again


def test_a_chain_of_large_groups_starts_side_by_side():
    """Each unit stands by its partners; group after group, the second would stand around the first."""
    groups = (Group("pcu", 700), Group("pmu", 350), Group("pcu", 300))
    search = Search(groups, ((0, 1), (1, 2)), grid_of(MACHINE, MACHINE.target()))
    assert search.length < 5 * (700 + 350)


def test_places_that_are_free_are_found_nearest_first():
    free = FreePlaces(GRID.pmu)
    left = set(GRID.pmu)
    for wish in ((26, 5), (0, 0), (0, 0), (0, 0), (26, 5), (60, -3), (25, 5)) * 28:
        best = min(left, key=lambda place: (abs(place[0] - wish[0]) + abs(place[1] - wish[1]), place))
        assert free.take(wish) == best
        left.remove(best)


@given(st.lists(st.lists(PLACES, min_size=2, max_size=5, unique=True), max_size=12))
def test_flow_ids_differ_where_nets_meet(paths: list[list[tuple[int, int]]]):
    flows = flow_ids([[y * GRID.cols + x for x, y in path] for path in paths])
    for i, path in enumerate(paths):
        for j in range(i):
            assert flows[i] != flows[j] or not set(path) & set(paths[j])


@st.composite
def memories(draw: st.DrawFn) -> MemoryProblem:
    rows = draw(
        st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 9), st.integers(0, 4), st.booleans()), max_size=30)
    )
    tensors = [
        Tensor(f"t{i}", size, 0, 20, size, is_resident=True, is_weight=True)
        if weight
        else Tensor(f"t{i}", size, first, first + span, size)
        for i, (size, first, span, weight) in enumerate(rows)
    ]
    return MemoryProblem(tuple(tensors), (Tier("hbm", 40000), Tier("ddr", 1 << 30)), 64)


@given(memories())
def test_tensors_that_live_together_do_not_overlap(problem: MemoryProblem):
    tensors, every = problem.tensors, range(len(problem.tensors))
    addresses, used = assign(problem.tensors, every, 64, lowest)
    for i, tensor in enumerate(tensors):
        assert addresses[i] % 64 == 0
        assert addresses[i] + tensor.bytes <= used
    for i, a in enumerate(tensors):
        for j, b in enumerate(tensors[:i]):
            together = a.first <= b.last and b.first <= a.last
            apart = addresses[i] + a.bytes <= addresses[j] or addresses[j] + b.bytes <= addresses[i]
            assert apart or not together
    assert used >= live_bytes(problem, every)


@given(memories(), st.integers(0, 40000))
def test_what_stays_fits_and_what_goes_is_used_least(problem: MemoryProblem, limit: int):
    every = range(len(problem.tensors))
    stay, spilled = choose(problem.tensors, every, limit, 64, lowest)
    assert sorted((*stay, *spilled)) == list(every)
    assert assign(problem.tensors, stay, 64, lowest)[1] <= limit
    rank = [(tensor.is_weight, tensor.transfer) for tensor in problem.tensors]
    assert all(rank[s] <= rank[k] for s in spilled for k in stay)
