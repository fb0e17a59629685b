"""Sections of an Image in time: what a hand-written section must take, worked out by hand."""

import json
from dataclasses import replace
from math import ceil

import pytest

from sambaflow import machine as machines
from sambaflow.backends.rdu.image import (
    PARALLEL,
    REDUCTION,
    Access,
    Collective,
    Image,
    Ints,
    Launch,
    Load,
    Pcu,
    Pmu,
    PmuPort,
    Repeat,
    Schedule,
    Section,
    Slot,
    Store,
    Stream,
    Symbol,
    Target,
    Unit,
    ints,
    words,
)
from sambaflow.backends.rdu.words import Kind, Operand, encode_word
from sambaflow.errors import InputError, MachineError
from sambaflow.machine import collectives
from sambaflow.sim.timing.program import check_graph, time_graph
from sambaflow.sim.timing.section import check_section, section_graph
from sambaflow.sim.timing.trace import trace_json

MACHINE = machines.load("sn40l")
BUDGET = MACHINE.target()
ROWS, COLS, DEPTH = 64, 192, 256  # C[ROWS, COLS] = A[ROWS, DEPTH] W[COLS, DEPTH]


def access(*strides: int) -> Access:
    return Access(0, ints(strides))


def load(slot: int, extents: tuple[int, ...], tile: tuple[int, ...], strides: tuple[int, ...]) -> Load:
    return Load(extents=ints(extents), slot=slot, access=access(*strides), tile=ints(tile))


def buffer(elements: int, window: int, depth: int, read: PmuPort) -> Pmu:
    write = PmuPort(ints([elements]), access(1))
    return Pmu(
        extents=ints([elements]), elements=elements, dtype="bf16", depth=depth, window_bytes=window, banks=16,
        writes=[write], reads=[read], count=4,
    )  # fmt: skip


def linear(tiles: int = 4) -> Section:
    """A linear whose rows flow in `tiles` tiles past a weight that is held, on 2 x 3 PCUs."""
    domain = (ROWS, COLS, DEPTH)
    mul = encode_word("mul", "f32", Operand(Kind.REGISTER, 0), [Operand(Kind.INPUT, 0), Operand(Kind.INPUT, 1)])
    pcu = Pcu(
        extents=ints(domain), count=6, mode="systolic", tile=ints([ROWS // tiles, COLS, DEPTH]), par=ints([2, 3, 1]),
        kinds=ints([PARALLEL, PARALLEL, REDUCTION]), split=ints([1, 1, 1]), order=ints([0, 1, 2]),
        predicate=ints((), (0, 6)), constants=words(), accumulators=[], body=words([mul]), combine=words(),
        finish=words(), inputs=["bf16", "bf16"], outputs=["bf16"],
    )  # fmt: skip
    row = ROWS // tiles
    units: list[Unit] = [
        load(0, (ROWS, DEPTH), (row, DEPTH), (DEPTH, 1)),
        load(1, (COLS, DEPTH), (COLS, DEPTH), (DEPTH, 1)),
        buffer(ROWS * DEPTH, row * DEPTH * 2, 2, PmuPort(ints(domain), access(DEPTH, 0, 1))),
        buffer(COLS * DEPTH, COLS * DEPTH * 2, 1, PmuPort(ints(domain), access(0, DEPTH, 1))),
        pcu,
        Store(extents=ints([ROWS, COLS]), slot=2, access=access(COLS, 1), tile=ints([row, COLS])),
    ]
    streams = [
        Stream((0, 0), (2, 0), "bf16", row * DEPTH * 2, tiles, 2),
        Stream((1, 0), (3, 0), "bf16", COLS * DEPTH * 2, 1, 1),
        Stream((2, 0), (4, 0), "bf16", row * DEPTH * 2, tiles, 2),
        Stream((3, 0), (4, 1), "bf16", COLS * DEPTH * 2, 1, 1),
        Stream((4, 0), (5, 0), "bf16", row * COLS * 2, tiles, 2),
    ]
    slots = [
        Slot("bf16", ints([ROWS, DEPTH]), False),
        Slot("bf16", ints([COLS, DEPTH]), False),
        Slot("bf16", ints([ROWS, COLS]), True),
    ]
    return Section("linear", slots, units, streams, config_bytes=16384)


def image(section: Section, steps: list[Launch | Repeat], orchestration: str = "hardware", tier: str = "hbm") -> Image:
    symbols = [
        Symbol(f"s{i}", role, "bf16", slot.shape, None, tier, 0, int(slot.shape.prod()) * 2, 0, 9)
        for i, (slot, role) in enumerate(zip(section.slots, ("input", "param", "output"), strict=False))
    ]
    schedule = Schedule("main", ints([0]), ints([2]), ints([-1]), orchestration, steps)
    return Image((1, 0), machines.to_dict(MACHINE), Target("sn40l", 4, 1), symbols, [section], [schedule])


def test_a_linear_by_hand() -> None:
    """One tile of rows has HBM first, the weight follows, then four tiles at the array's rate, then the last store."""
    run = check_section(linear(), ("hbm", "hbm", "hbm"), MACHINE, BUDGET)
    rate = 1.8e12 * 0.88 * (1 - 0.09 * 4 * 0.157895 * (1 - 0.157895))  # bytes a second; writes are 24576 of 155648
    weight, row = COLS * DEPTH * 2, ROWS * DEPTH * 2 // 4
    weight_done = (
        row / rate + weight / (64 * 1.6e9) + 150e-9 + 8 / 1.6e9
    )  # one AGCU carries 64 B a cycle: slower than HBM
    # 16 x 192 tile on 2 x 3 PCUs: 8 x 64 each, two blocks of 32 columns x two of 6 rows, 256 deep; but a row of PCUs
    # draws 64 KiB of weights a PCU at 64 B a cycle, and the group 96 KiB from 4 PMUs
    cycles = max(2 * 2 * DEPTH, 64 * DEPTH * 2 // 64, ceil(weight / 256))
    array = 4 * cycles / 1.6e9 + (12 + 6 + 32) / 1.6e9
    store = ROWS * COLS * 2 // 4 / (64 * 1.6e9) + 150e-9
    assert row / rate < cycles / 1.6e9
    assert run.finish / 1e12 == pytest.approx(weight_done + array + store, rel=1e-4)


def test_streams_at_one_agcu_share_its_time() -> None:
    """Both loads at one place: the weight comes at half of the AGCU's rate, from requests of half its buffer."""
    section = linear()
    alone = section_graph(section, ("hbm",) * 3, MACHINE, BUDGET)
    for unit, place in ((0, (-1, 0)), (1, (-1, 0)), (5, (40, 0))):
        section.units[unit].coordinates = ints([place])
    shared = section_graph(section, ("hbm",) * 3, MACHINE, BUDGET)
    assert (alone.agcus, shared.agcus) == (3, 2)
    weights = [graph.graph.nodes[graph.units.index(1)] for graph in (alone, shared)]
    assert [node.firings * node.interval for node in weights] == [
        pytest.approx(COLS * DEPTH * 2 / rate * 1e12, rel=1e-3) for rate in (64 * 1.6e9, 32 * 1.6e9)
    ]
    stores = [graph.graph.nodes[graph.units.index(5)] for graph in (alone, shared)]
    assert stores[0] == stores[1]
    assert check_section(section, ("hbm",) * 3, MACHINE, BUDGET).finish > 0


def test_counters_count_every_byte_and_operation_once() -> None:
    graph = section_graph(linear(), ("hbm", "ddr", "hbm"), MACHINE, BUDGET)
    assert graph.traffic.read == {"hbm": ROWS * DEPTH * 2, "ddr": COLS * DEPTH * 2}
    assert graph.traffic.written == {"hbm": ROWS * COLS * 2}
    assert graph.flops == 2 * ROWS * COLS * DEPTH
    assert (graph.pcus, graph.pmus, graph.agcus) == (6, 8, 3)


def test_a_tier_is_shared_and_the_slower_one_shows() -> None:
    fast, slow = (check_section(linear(), (tier,) * 3, MACHINE, BUDGET).finish for tier in ("hbm", "ddr"))
    assert slow > fast


def test_two_launches_cost_two_launch_times_and_no_second_program_load() -> None:
    once = time_graph(image(linear(), [Launch(0, ints([0, 1, 2]), ints([0]))]))
    twice = time_graph(image(linear(), [Launch(0, ints([0, 1, 2]), ints([0]))] * 2))
    assert twice.picoseconds == 2 * once.picoseconds
    assert once.program_load_time == 0  # resident from the call before
    assert (once.launches, twice.launches) == (1, 2)


def test_alternating_sections_are_loaded_each_time() -> None:
    program = image(linear(), [Launch(0, ints([0, 1, 2]), ints([0])), Launch(1, ints([0, 1, 2]), ints([0]))])
    program.sections.append(replace(linear(), name="again"))
    time = time_graph(program)
    assert time.program_load_time == 2 * MACHINE.picoseconds(16384 // (32 * 64))


@pytest.mark.parametrize("orchestration", ["hardware", "software"])
def test_a_repeat_without_prefetch_is_its_launches_in_a_row(orchestration: str) -> None:
    rounds = ints([[0, 1, 2]] * 5)
    repeat = Repeat(5, [Launch(0, rounds, ints([0]))], ints((), (0, 4)), ints((), (0, 2)))
    single = time_graph(image(linear(), [Launch(0, ints([0, 1, 2]), ints([0]))], orchestration))
    five = time_graph(image(linear(), [repeat], orchestration))
    assert five.launches == 5
    assert five.picoseconds == 5 * single.picoseconds
    assert five.flops == 5 * single.flops


def test_prefetched_weights_arrive_during_the_round_before() -> None:
    rounds = ints([[0, 1, 2]] * 5)

    def seconds(prefetched: Ints) -> int:
        repeat = Repeat(5, [Launch(0, rounds, ints([0]))], ints((), (0, 4)), prefetched)
        return time_graph(image(linear(), [repeat])).picoseconds

    ahead, waiting = seconds(ints([[0, 1]])), seconds(ints((), (0, 2)))
    assert ahead < waiting
    # the weight's buffer holds one window: it is refilled from the last firing's end on, during store and launch
    launch = 1_000_000
    assert waiting - ahead == pytest.approx(4 * launch, rel=0.2)


def test_a_repeat_whose_symbols_change_tier_counts_each() -> None:
    program = image(linear(), [])
    program.symbols.append(replace(program.symbols[1], name="spilled", tier="ddr"))
    rounds = ints([[0, 1, 2], [0, 1, 2], [0, 3, 2]])
    program.schedules[0].steps.append(Repeat(3, [Launch(0, rounds, ints([0]))], ints((), (0, 4)), ints((), (0, 2))))
    time = time_graph(program)
    assert time.tiers["ddr"].read == COLS * DEPTH * 2
    assert time.tiers["hbm"].read == 2 * COLS * DEPTH * 2 + 3 * ROWS * DEPTH * 2


@pytest.mark.parametrize("op", collectives.OPERATIONS)
@pytest.mark.parametrize("topology", ["full", "ring"])
def test_a_collective_alone_takes_what_the_formula_says(op: str, topology: str) -> None:
    machine = replace(MACHINE, links=replace(MACHINE.links, topology=topology))
    size = 8 * 4096
    units: list[Unit] = [
        load(0, (size,), (size,), (1,)),
        Collective(extents=ints([size]), op=op, dim=0, chips=8, wire="f32", bytes=size * 4),
        Store(extents=ints([size]), slot=0, access=access(1), tile=ints([size])),
    ]
    streams = [Stream((0, 0), (1, 0), "f32", size * 4, 1, 1), Stream((1, 0), (2, 0), "f32", size * 4, 1, 1)]
    section = Section("c", [Slot("f32", ints([size]), True)], units, streams)
    graph = section_graph(section, ("hbm",), machine, BUDGET)
    run = check_section(section, ("hbm",), machine, BUDGET)
    steps = [i for i, unit in enumerate(graph.units) if unit == 1]
    taken = run.last[steps[-1]] + graph.graph.nodes[steps[-1]].latency - run.first[steps[0]]
    assert taken == collectives.picoseconds(op, 8, size * 4, machine.links)


# The steps add up to the alpha-beta model's closed forms (Thakur, Rabenseifner, Gropp 2005), in seconds.
def test_collective_steps_agree_with_the_published_forms() -> None:
    n, size, a, bandwidth = 8, 1 << 20, 1e-6, 100e9
    ring = 2 * (n - 1) * (a + size / (n * bandwidth))
    full = 2 * (a + size / (n * bandwidth))  # reduce-scatter, then all-gather, between all pairs at once
    for topology, seconds in (("ring", ring), ("full", full)):
        links = replace(MACHINE.links, topology=topology)
        assert collectives.picoseconds("all_reduce", n, size, links) / 1e12 == pytest.approx(seconds, rel=1e-6)


def test_engines_agree_on_the_sections_of_a_graph() -> None:
    assert check_graph(image(linear(), [Launch(0, ints([0, 1, 2]), ints([0]))])) == 1


def test_a_graph_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no graph 'decode'"):
        time_graph(image(linear(), []), "decode")


def test_another_machine_may_change_rates_only() -> None:
    program = image(linear(), [Launch(0, ints([0, 1, 2]), ints([0]))])
    slower = replace(MACHINE, name="slower", clock=0.8e9)
    assert time_graph(program, machine=slower).picoseconds > time_graph(program).picoseconds
    with pytest.raises(MachineError, match=r"pcu\.count"):
        time_graph(program, machine=machines.load("sn30"))


def test_a_trace_covers_the_call_and_names_sections_and_units() -> None:
    rounds = ints([[0, 1, 2]] * 5)
    program = image(linear(), [Repeat(5, [Launch(0, rounds, ints([0]))], ints((), (0, 4)), ints((), (0, 2)))])
    events = json.loads(trace_json(program))["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    assert max(e["ts"] + e["dur"] for e in spans) == pytest.approx(time_graph(program).seconds * 1e6)
    names = {e["args"]["name"] for e in events if e["ph"] == "M"}
    assert {"launches", "linear", "load 0", "store"} <= names


def test_a_small_request_does_not_wait_for_a_large_window() -> None:
    """Memory is asked for in requests of what the AGCUs keep in flight, so a row comes long before the weight ends."""
    size = 1 << 24
    units: list[Unit] = [
        load(0, (size,), (size,), (1,)),
        load(1, (64,), (64,), (1,)),
        Store(extents=ints([size]), slot=0, access=access(1), tile=ints([size])),
        Store(extents=ints([64]), slot=1, access=access(1), tile=ints([64])),
    ]
    streams = [Stream((0, 0), (2, 0), "bf16", 2 * size, 1, 1), Stream((1, 0), (3, 0), "bf16", 128, 1, 1)]
    slots = [Slot("bf16", ints([size]), True), Slot("bf16", ints([64]), True)]
    run = check_section(Section("s", slots, units, streams), ("hbm", "hbm"), MACHINE, BUDGET)
    request = MACHINE.agcu.outstanding_bytes / (1.8e12 * 0.88 * (1 - 0.09)) * 1e12  # reads and writes at equal shares
    assert run.first[1] == pytest.approx(request, rel=0.01)
    assert run.finish > 1000 * run.first[3]
