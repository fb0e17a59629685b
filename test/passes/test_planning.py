"""The plan: its choices against exhaustive search, its tokens against the order of the data, its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from xdsl.ir.affine import AffineExpr

from sambaflow.dialects.kernel import Mapping
from sambaflow.machine import load, room_for, shortfalls
from sambaflow.machine.dataflow import Channel, Execution, Network, begun, deadlock, ended, handover, settle
from sambaflow.passes.planning.access import Level
from sambaflow.passes.planning.balance import least_interval, least_sum
from sambaflow.passes.planning.facts import Operand, Result, SectionPlan, StageFacts
from sambaflow.passes.planning.fifos import start_times
from sambaflow.passes.planning.planner import Planner, plan
from sambaflow.passes.planning.resources import Resources
from sambaflow.passes.planning.stage_tilings import StageTilings
from sambaflow.passes.planning.tiling import Tiling, result_access, shared_tokens, tile_stage
from sambaflow.sim.timing.engine import run
from sambaflow.sim.timing.graph import DeadlockError, Edge, Node, TimingGraph

MACHINE = load("sn40l")


def resources(tiles: int | None = None) -> Resources:
    return Resources.of(MACHINE, tiles=tiles)


class Builder:
    """Stages over bf16 tensors that read and write their dimensions as listed."""

    def __init__(self) -> None:
        self.stages: list[StageFacts] = []
        self.shapes: list[tuple[int, ...]] = []

    def argument(self, *shape: int) -> int:
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def stage(
        self, extents: tuple[int, ...], reads: list[tuple[int, tuple[int, ...]]], write: tuple[int, ...], *,
        reduction: int = 0, mode: str = "simd", body: tuple[str, ...] = ("alu",),
    ) -> int:  # fmt: skip
        def at(dims: tuple[int, ...]) -> tuple[AffineExpr, ...]:
            return tuple(AffineExpr.dimension(d) for d in dims)

        kinds = ("parallel",) * (len(extents) - reduction) + ("reduction",) * reduction
        operands = tuple(Operand(value, Level(at(dims), self.shapes[value]), 2) for value, dims in reads)
        output = self.argument(*(extents[d] for d in write))
        result = Result(output, at(write), self.shapes[output], 2)
        self.stages.append(StageFacts("stage", extents, kinds, operands, (result,), mode, body, dtype="bf16"))
        return output

    def linear(self, x: int, n: int) -> int:
        m, k = self.shapes[x]
        w = self.argument(n, k)
        return self.stage((m, n, k), [(x, (0, 2)), (w, (1, 2))], (0, 1), reduction=1, mode="systolic", body=("mac",))

    def elementwise(self, *xs: int, body: tuple[str, ...] = ("alu",)) -> int:
        shape = self.shapes[xs[0]]
        dims = tuple(range(len(shape)))
        return self.stage(shape, [(x, dims) for x in xs], dims, body=body)


def chain(m: int, widths: list[int]) -> tuple[Builder, int]:
    built = Builder()
    x = built.argument(m, widths[0])
    for width in widths[1:]:
        x = built.elementwise(built.linear(x, width))
    return built, x


def test_a_decode_section_is_as_fast_as_its_weights():
    """One row: the weights are the traffic, they stream while stages wait for nothing else."""
    built, out = chain(1, [4096, 4096, 4096, 4096])
    section_plan = plan(built.stages, [out], resources())
    weights = 3 * 4096 * 4096 * 2
    assert section_plan.off_chip_bytes == weights + 2 * 4096 * 2
    tier = MACHINE.tiers["hbm"]
    bound = section_plan.off_chip_bytes / (tier.bandwidth * tier.efficiency) * 1e12
    assert bound < section_plan.picoseconds < 1.25 * bound


def test_a_prefill_section_keeps_the_array_busy():
    """Many rows: at least half of the chip's peak, weights loaded once."""
    built, out = chain(4096, [2048, 2048, 2048, 2048, 2048])
    section_plan = plan(built.stages, [out], resources())
    flops = 4 * 2 * 4096 * 2048 * 2048
    assert flops / (section_plan.picoseconds * 1e-12) > 0.5 * MACHINE.flops
    assert section_plan.off_chip_bytes == 4 * 2048 * 2048 * 2 + 2 * 4096 * 2048 * 2


@st.composite
def pareto_sets(draw: st.DrawFn) -> list[list[tuple[int, int]]]:
    """Per stage (units ascending, time descending)."""
    stages: list[list[tuple[int, int]]] = []
    for _ in range(draw(st.integers(1, 4))):
        units = sorted(draw(st.sets(st.integers(1, 9), min_size=1, max_size=4)))
        times = sorted(draw(st.sets(st.integers(1, 40), min_size=len(units), max_size=len(units))), reverse=True)
        stages.append(list(zip(units, times, strict=True)))
    return stages


@given(pareto_sets(), st.integers(1, 30))
@settings(max_examples=200, deadline=None)
def test_the_interval_is_the_least_that_fits(stages: list[list[tuple[int, int]]], limit: int):
    """Against every combination: bisection loses nothing, and takes no unit more than the interval needs."""

    def fits(choice: Sequence[int]) -> bool:
        return sum(stage[c][0] for stage, c in zip(stages, choice, strict=True)) <= limit

    def interval(choice: Sequence[int]) -> int:
        return max(stage[c][1] for stage, c in zip(stages, choice, strict=True))

    fitting = [c for c in product(*(range(len(stage)) for stage in stages)) if fits(c)]
    times = [[time for _, time in stage] for stage in stages]
    chosen = least_interval(times, fits)
    summed = least_sum(times, [[units for units, _ in stage] for stage in stages], fits)
    assert (chosen is None) == (not fitting)
    assert summed is None or fits(summed)
    if chosen is not None:
        best = min(interval(c) for c in fitting)
        assert interval(chosen) == best
        assert all(c == 0 or stage[c - 1][1] > best for stage, c in zip(stages, chosen, strict=True))


@given(st.integers(1, 64), st.integers(1, 64), st.sampled_from([4, 16, 64]), st.sampled_from([4, 16, 64]))
@settings(max_examples=200, deadline=None)
def test_tokens_never_run_ahead_of_the_data(rows: int, columns: int, producer_tile: int, consumer_tile: int):
    """When the producer has finished the firings of token t, every element of the consumer's window t is written."""
    built = Builder()
    x = built.argument(rows, columns)
    y = built.elementwise(x)
    built.stage((rows, columns), [(y, (0, 1))], (0,), reduction=1)
    producer, consumer = tile_stage(built.stages[0], 0, producer_tile), tile_stage(built.stages[1], 0, consumer_tile)
    access = StageTilings(resources()).read(built.stages[1], 0, ()).access
    p = [walk for _, walk in producer.walks(result_access(built.stages[0], 0))]
    c = [walk for _, walk in consumer.walks(access)]
    tokens, _ = shared_tokens(p, c)
    written = elements_by_firing(producer)
    wanted = elements_by_firing(consumer)
    assert len(written) % tokens == 0 or tokens == 1
    for firing, elements in enumerate(wanted):
        token = -(-(firing + 1) * tokens // len(wanted)) - 1
        done = set().union(*written[: -(-(token + 1) * len(written) // tokens)])
        assert elements <= done


def elements_by_firing(tiling: Tiling) -> list[set[tuple[int, int]]]:
    """The (row, column) points of every firing, in order."""
    rows, columns = tiling.stage.extents
    tall, wide = tiling.tile
    firings: list[set[tuple[int, int]]] = []
    for corner in product(*(range(0, tiling.stage.extents[d], tiling.tile[d]) for d in tiling.order)):
        at = dict(zip(tiling.order, corner, strict=True))
        box = product(range(at[0], min(at[0] + tall, rows)), range(at[1], min(at[1] + wide, columns)))
        firings.append(set(box))
    return firings


def test_what_does_not_fit_says_by_how_much():
    built = Builder()
    x = built.argument(1, 1 << 27)
    out = built.stage((1, 1 << 27), [(x, (0, 1))], (0,), reduction=1)
    section_plan: SectionPlan = plan(built.stages, [out], resources(tiles=1))
    assert not section_plan.feasible
    (short,) = section_plan.shortfalls
    window = (1 << 27) * 2
    assert (short.resource, short.demand, short.limit) == ("PMUs", window // MACHINE.pmu.bytes, 260)
    assert section_plan.levers


@pytest.mark.parametrize("m", [1, 7, 512])
def test_a_feasible_plan_fits_the_budget(m: int):
    built, out = chain(m, [1000, 3000, 1000])
    section_plan = plan(built.stages, [out], resources())
    assert section_plan.feasible and not shortfalls(section_plan.demand, resources().budget)
    for stage, decided in zip(built.stages, section_plan.stages, strict=True):
        assert decided is not None and prod(decided.par) == decided.pcus
        assert all(p <= t <= e for p, t, e in zip(decided.par, decided.tile, stage.extents, strict=True))


def test_a_plan_fits_again_when_its_tiles_are_fixed():
    """Rows wait for three products whose weights are loaded one after the other."""
    built = Builder()
    x = built.argument(16384, 4096)
    norms = built.stage((16384, 4096), [(x, (0, 1))], (0,), reduction=1)
    rows = built.stage((16384, 4096), [(x, (0, 1)), (norms, (0,))], (0, 1))
    outs = [built.linear(rows, columns) for columns in (4096, 1024, 1024)]
    first = plan(built.stages, outs, resources())
    assert first.feasible
    fixed = [
        replace(stage, mapping=Mapping(stage_plan.tile, stage_plan.par, stage_plan.order, stage_plan.hold))
        for stage, stage_plan in zip(built.stages, first.stages, strict=True)
        if stage_plan is not None
    ]
    again = plan(fixed, outs, resources())
    assert again.feasible and not shortfalls(again.demand, resources().budget)


def test_a_plan_is_repeatable_and_reads_nothing_but_its_arguments():
    built, out = chain(64, [512, 512, 512])
    planner = Planner(resources())
    assert planner.plan(built.stages, [out]) == planner.plan(built.stages, [out])
    other, same = chain(64, [512, 512, 512])
    assert plan(other.stages, [same], resources()) == planner.plan(built.stages, [out])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A random graph of actors whose firings and tokens may have no common divisor."""
    network = Network()
    count = draw(st.integers(2, 7))
    for _ in range(count):
        network.actor(draw(st.integers(1, 16)), draw(st.integers(1, 9)), draw(st.integers(0, 20)))
    for target in range(1, count):
        for source in draw(st.lists(st.integers(0, target - 1), max_size=3, unique=True)):
            tokens = draw(st.integers(1, 16))
            network.channel(Channel(source, target, tokens, draw(st.integers(1, 64))))
    return network


# HiGHS finds no start times of loads that buffer fewer bytes; what is no load starts as soon as it can.
@given(networks())
@settings(max_examples=100, deadline=None)
def test_loads_start_when_a_linear_program_says(network: Network):
    starts = start_times(network)
    needs: list[tuple[Channel, int]] = []
    for channel in network.channels:
        source = network.actors[channel.source]
        needs.append((channel, -(-source.firings // channel.tokens) * source.interval + source.latency))
    earliest = [0] * len(starts)
    for channel, needed in needs:  # in topological order of the targets
        earliest[channel.target] = max(earliest[channel.target], earliest[channel.source] + needed)
    rows, costs = np.zeros((len(needs) + 1, len(starts))), np.zeros(len(starts))
    for row, (channel, _) in zip(rows, needs, strict=False):
        row[channel.source], row[channel.target] = 1, -1
        costs -= row * channel.window_bytes * channel.tokens
    loads = [not actor.inputs for actor in network.actors]
    bounds = [(start, 10_000 if load else start) for start, load in zip(earliest, loads, strict=True)]
    best = linprog(costs, rows, [*(-needed for _, needed in needs), 0], bounds=bounds)
    assert all(starts[c.source] + needed <= starts[c.target] for c, needed in needs)
    assert all(load or start == soon for start, load, soon in zip(starts, loads, earliest, strict=True))
    assert costs @ starts == pytest.approx(best.fun)


@given(networks(), st.data())
@settings(max_examples=200, deadline=None)
def test_the_timing_engine_ends_where_the_count_of_tokens_does(network: Network, data: st.DataObject):
    for channel in network.channels:
        channel.depth = data.draw(st.integers(1, 3))
    nodes = tuple(Node(actor.firings, actor.interval, actor.latency) for actor in network.actors)
    edges = tuple(Edge(c.source, c.target, c.tokens, c.depth) for c in network.channels)
    if deadlock(network) is None:
        run(TimingGraph(nodes, edges))
    else:
        with pytest.raises(DeadlockError):
            run(TimingGraph(nodes, edges))
    deeper = settle(network)
    settled = [Edge(c.source, c.target, c.tokens, c.depth) for c in network.channels]
    assert run(TimingGraph(nodes, tuple(settled))).finish >= 0
    assert {i for i, edge in enumerate(edges) if edge != settled[i]} == set(deeper)


def settled_plainly(network: Network) -> list[int]:
    """Depths by the rule of `machine.dataflow`, word for word: one firing at a time, then one window more."""
    fired = [0] * len(network.actors)
    depths = [channel.depth for channel in network.channels]

    def blocks(e: int, number: int) -> bool:
        channel, firings = network.channels[e], network.actors[number].firings
        needed = begun(fired[number] + 1, channel.tokens, firings)
        if number == channel.target:
            source = network.actors[channel.source].firings
            return needed > ended(fired[channel.source], channel.tokens, source)
        freed = ended(fired[channel.target], channel.tokens, network.actors[channel.target].firings)
        return needed - freed > depths[e]

    def fires(number: int) -> bool:
        actor = network.actors[number]
        free = fired[number] < actor.firings and not any(blocks(e, number) for e in (*actor.inputs, *actor.outputs))
        fired[number] += free
        return free

    while True:
        while sum(fires(number) for number in range(len(fired))):
            pass
        held = [e for e, c in enumerate(network.channels) if fired[c.source] < network.actors[c.source].firings]
        full = [e for e in held if blocks(e, network.channels[e].source)]
        if not full:
            return depths
        depths[min(full, key=lambda e: (network.channels[e].window_bytes, e))] += 1


@st.composite
def long_networks(draw: st.DrawFn) -> Network:
    """A random graph whose actors fire often, at rates that have common divisors or nearly, through small buffers."""
    network = Network()
    often, count = draw(st.sampled_from([24, 60, 97])), draw(st.integers(2, 5))
    for _ in range(count):
        network.actor(draw(st.sampled_from([1, 2, 3, 7, often, 2 * often])))
    for target in range(1, count):
        for source in draw(st.lists(st.integers(0, target - 1), min_size=1, max_size=3, unique=True)):
            most = min(network.actors[source].firings, network.actors[target].firings)
            tokens = max(1, most // draw(st.sampled_from([1, 1, 1, 2, 3, most])))
            depth = draw(st.integers(1, 3))
            network.channel(Channel(source, target, tokens, draw(st.integers(1, 5)), depth))
    return network


@given(long_networks())
@settings(max_examples=100, deadline=None)
def test_what_repeats_is_executed_once_and_depths_stay(network: Network):
    wanted = settled_plainly(network)
    settle(network)
    assert [channel.depth for channel in network.channels] == wanted


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_depths_of_a_network_that_fires_ever_so_often_take_as_little_work(depth: int):
    """A chain with a way around it, over which half of all tokens must wait for an actor that reads them in one go."""

    def looks(firings: int) -> int:
        network = Network()
        for count in (firings, firings // 2, firings, 2, firings):
            network.actor(count)
        for source, target, tokens in ((0, 1, firings // 2), (1, 2, firings // 4), (2, 3, 2), (3, 4, 2)):
            network.channel(Channel(source, target, tokens, 1, depth))
        network.channel(Channel(0, 4, firings, 64, depth))
        run = Execution(network)
        run.settle()
        assert network.channels[-1].depth >= firings // 2 and deadlock(network) is None
        return run.work

    assert looks(1 << 40) <= 2 * looks(1 << 10)


@given(st.integers(1, 1 << 24), st.integers(1, 64), st.integers(1, 64), st.integers(1, 64), st.integers(1, 40))
def test_a_room_holds_its_windows(size: int, handed: int, tokens: int, depth: int, ports: int):
    room = room_for(size, handed, tokens, depth, MACHINE, ports=ports)
    assert room.depth * room.window_bytes <= room.pmus * MACHINE.pmu.bytes and room.pmus >= ports
    assert 1 <= room.depth <= handed and room.window_bytes * handed >= size
    parts, token_depth = handover(handed, tokens, room.depth)
    assert parts == min(handed, tokens) and token_depth >= min(depth, parts)
