"""Random netlists come out placed and routed soundly, in the same way every time."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow import machine as machines
from sambaflow.dialects.rdu.grid import grid_of, partners
from sambaflow.passes.physical.routing import Net, Routing
from sambaflow.passes.rdu_finalize import flow_ids
from sambaflow.passes.rdu_place import FreePlaces, Netlist, Placement
from sambaflow.passes.rdu_plan_memory import Life, Tensor, assign, choose, live_bytes

MACHINE = machines.load("sn40l")
GRID = grid_of(MACHINE, MACHINE.target(tiles=1))


@st.composite
def netlists(draw: st.DrawFn) -> Netlist:
    groups = draw(st.lists(st.tuples(st.sampled_from(["pcu", "pmu"]), st.integers(1, 12)), min_size=1, max_size=12))
    sides = draw(st.lists(st.tuples(st.just("agcu"), st.integers(1, 2)), max_size=3))
    every = [*groups, *sides]
    numbers = st.integers(0, len(every) - 1)
    edges = draw(st.lists(st.tuples(numbers, numbers), max_size=20))
    forward = dict.fromkeys((min(a, b), max(a, b)) for a, b in edges if a != b)
    portals = [draw(st.integers(0, 1)) if group == ("agcu", 1) and draw(st.booleans()) else -1 for group in every]
    return Netlist(tuple(every), tuple(forward), tuple(portals))


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
@given(netlists())
def test_units_stand_apart_on_places_of_their_kind(netlist: Netlist):
    placement = Placement(netlist, GRID)
    start = placement.length
    placement.improve(300, Random(0))
    assert placement.length <= start
    coordinates = placement.coordinates()
    shared = {agcu: places for agcu, places in zip(netlist.shared, coordinates, strict=True) if agcu >= 0}
    assert all(shared.get(agcu, places) == places for agcu, places in zip(netlist.shared, coordinates, strict=True))
    alone = [places for agcu, places in zip(netlist.shared, coordinates, strict=True) if agcu < 0]
    flat = [place for places in (*alone, *shared.values()) for place in places]
    assert len(set(flat)) == len(flat)
    for (resource, count), places in zip(netlist.groups, coordinates, strict=True):
        assert len(places) == count
        assert set(places) <= set(GRID.places(resource))
    again = Placement(netlist, GRID)
    again.improve(300, Random(0))
    assert again.coordinates() == coordinates


PLACES = st.tuples(st.integers(0, GRID.cols - 1), st.integers(0, GRID.rows - 1))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(PLACES, st.lists(PLACES, min_size=1, max_size=6), st.integers(1, 100)), min_size=1, max_size=30)
)
def test_routes_are_trees_that_reach_all_ends_within_capacity(
    wanted: list[tuple[tuple[int, int], list[tuple[int, int]], int]],
):
    nets = [Net((i, 0, 0), start, tuple(sorted(set(ends))), demand) for i, (start, ends, demand) in enumerate(wanted)]
    routing = Routing(GRID, nets, tracks=2)
    routing.run(4)
    usage: dict[tuple[int, int, int, int], int] = {}
    for i, net in enumerate(nets):
        reached = {net.start}
        for x0, y0, x1, y1 in routing.hops_of(i):
            assert abs(x0 - x1) + abs(y0 - y1) == 1
            assert (x0, y0) in reached
            assert (x1, y1) not in reached
            assert 0 <= x1 < GRID.cols
            assert 0 <= y1 < GRID.rows
            reached.add((x1, y1))
            usage[x0, y0, x1, y1] = usage.get((x0, y0, x1, y1), 0) + net.demand
        assert set(net.ends) <= reached
        assert len(routing.tracks_of(i)) == len(routing.hops_of(i))
        assert set(routing.tracks_of(i)) <= {0, 1}
    limit = 2 * max(net.demand for net in nets)
    assert sum(used > limit for used in usage.values()) == len(routing.overloaded())


def test_congestion_is_led_around():
    """Three equal nets from end to end of a row with one track: straight on they share every link, apart they fit."""
    nets = [Net((i, 0, 0), (0, 5), ((20, 5),), 10) for i in range(3)]
    straight = Routing(GRID, nets, tracks=1)
    straight.run(rounds=0)
    assert straight.peak == 30
    apart = Routing(GRID, nets, tracks=1)
    apart.run(rounds=8)
    assert apart.peak == 10


def test_a_bottleneck_that_nothing_avoids_is_named():
    """A switch at the edge has three links: of four nets that start there two must share one."""
    nets = [Net((i, 0, 0), (0, 5), ((20, 5),), 10) for i in range(4)]
    routing = Routing(GRID, nets, tracks=1)
    routing.run(rounds=8)
    assert routing.peak == 20
    assert all(routing.ends(link)[:2] == (0, 5) or routing.ends(link)[2:] == (20, 5) for link in routing.overloaded())


def crowded(count: int) -> list[Net]:
    """Nets from all over the grid to ends that stand close together: no way of leading them overloads nothing."""
    places = [(x, y) for y in range(GRID.rows) for x in range(GRID.cols)]
    ends = tuple(sorted((x, y) for x in (25, 26) for y in range(3, 7)))
    return [Net((i, 0, 0), places[i * 7 % len(places)], ends, 10) for i in range(count)]


def test_steps_of_search_are_counted_and_bounded():
    nets = crowded(400)
    routing = Routing(GRID, nets, tracks=1, steps=8)
    routing.run(rounds=1000)
    assert routing.overloaded()
    assert 0 < routing.rounds < 1000
    assert routing.is_exhausted
    assert routing.work <= 8 * 400 * 8 + GRID.cols * GRID.rows  # one more search than allowed at most
    for i, net in enumerate(nets):
        assert {hop[2:] for hop in routing.hops_of(i)} | {net.start} >= set(net.ends)


def test_steps_of_search_make_routes_better():
    """What the counted search leaves is better than what it starts from, and the same every time."""
    start, led, again = (Routing(GRID, crowded(60), tracks=1) for _ in range(3))
    start.run(rounds=0)
    led.run(rounds=8)
    again.run(rounds=8)
    assert led.peak < start.peak
    assert [led.hops_of(i) for i in range(60)] == [again.hops_of(i) for i in range(60)]


def test_a_chain_of_large_groups_starts_side_by_side():
    """Each unit stands by its partners; group after group, the second would stand around the first."""
    chain = Netlist((("pcu", 700), ("pmu", 350), ("pcu", 300)), ((0, 1), (1, 2)), (-1, -1, -1))
    placement = Placement(chain, grid_of(MACHINE, MACHINE.target()))
    assert placement.length < 5 * (700 + 350)


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
def tensors(draw: st.DrawFn) -> list[Tensor]:
    rows = draw(
        st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 9), st.integers(0, 4), st.booleans()), max_size=30)
    )
    return [
        Tensor(i, f"t{i}", "param", size, Life(0, 20, size))
        if weight
        else Tensor(i, f"t{i}", "temp", size, Life(first, first + span, size))
        for i, (size, first, span, weight) in enumerate(rows)
    ]


@given(tensors())
def test_tensors_that_live_together_do_not_overlap(made: list[Tensor]):
    addresses, used = assign(made, 64)
    for tensor in made:
        assert addresses[tensor.index] % 64 == 0
        assert addresses[tensor.index] + tensor.bytes <= used
    for a in made:
        for b in made[: a.index]:
            together = a.life.first <= b.life.last and b.life.first <= a.life.last
            start_a, start_b = addresses[a.index], addresses[b.index]
            apart = start_a + a.bytes <= start_b or start_b + b.bytes <= start_a
            assert apart or not together
    assert used >= live_bytes(made, 64)


@given(tensors(), st.integers(0, 40000))
def test_what_stays_fits_and_what_goes_is_used_least(made: list[Tensor], limit: int):
    stay, spilled = choose(made, limit, 64)
    assert sorted([t.index for t in (*stay, *spilled)]) == list(range(len(made)))
    assert assign(stay, 64)[1] <= limit
    rank = {t.index: (t.role == "param", t.life.transfer) for t in made}
    assert all(rank[s.index] <= rank[k.index] for s in spilled for k in stay)
