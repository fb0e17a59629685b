"""Problems of planning: a right solution is accepted, a wrong one refused with the rule that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import CapacityError, InputError, InternalError, PluginError
from sambaflow.machine import load
from sambaflow.machine.dataflow import deadlock
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.passes.framework.solvers import Solver, WrongSolution, solve
from sambaflow.passes.planning.access import whole
from sambaflow.passes.planning.cutting import CUT_POINTS, Cut, CuttingProblem, Part, Section
from sambaflow.passes.planning.facts import Operand, Result, StageFacts
from sambaflow.passes.planning.fifos import FifoActor, FifoChannel, FifoProblem, PmuBudget
from sambaflow.passes.planning.planner import Planner
from sambaflow.passes.planning.resources import Resources

MACHINE = load("sn40l")

# -- cuts ------------------------------------------------------------------------------------------------------------

PLANNER = Planner(Resources.of(MACHINE, tiles=1))
WIDE = 1 << 24
"""Elements of a row that takes 64 of the 260 PMUs of a tile."""


def elementwise(output: int, *read: int, width: int = 64) -> StageFacts:
    """A stage that makes the tensor `output` from others of the same shape, a row."""
    row = whole((1, width))
    operands = tuple(Operand(value, row, 2) for value in read)
    result = Result(output, row.coordinates, (1, width), 2)
    return StageFacts("stage", (1, width), ("parallel",) * 2, operands, (result,), "simd", ("alu",), dtype="bf16")


def total(output: int, read: int, width: int) -> StageFacts:
    """A stage that adds up a row, which has to stand there whole."""
    row = whole((1, width))
    result = Result(output, row.coordinates[:1], (1,), 2)
    kinds = ("parallel", "reduction")
    return StageFacts("sum", (1, width), kinds, (Operand(read, row, 2),), (result,), "reduce", ("alu",), dtype="bf16")


CHAIN = CuttingProblem(
    (Part(((0,), (1,)), "pair"), Part(((2,),))),
    (elementwise(1, 0), elementwise(2, 1), elementwise(3, 2)),
    frozenset([3]),
    PLANNER,
)
"""A group of two stages, and an operator of one behind it; all of it fits."""

SUMS = CuttingProblem(
    (Part(tuple((number,) for number in range(6))),),
    tuple(total(10 + number, number, WIDE) for number in range(6)),
    frozenset(range(10, 16)),
    PLANNER,
)
"""One operator of six stages, of which not all fit one section."""


def cut(*sections: tuple[int, ...]) -> Cut:
    return tuple(Section(stages) for stages in sections)


def test_cuts_that_keep_parts_whole_are_accepted():
    CHAIN.verify(cut((0, 1, 2)))
    CHAIN.verify((Section((0, 1), "pair"), Section((2,))))
    SUMS.verify(cut(*((number,) for number in range(6))))


def test_every_stage_stands_in_a_section():
    with pytest.raises(WrongSolution, match="stage 2 stands in no section"):
        CHAIN.verify(cut((0, 1)))


def test_no_stage_stands_in_two_sections():
    with pytest.raises(WrongSolution, match="stage 1 stands twice, in sections 0 and 1"):
        CHAIN.verify(cut((0, 1), (1, 2)))


def test_no_section_holds_what_is_no_stage():
    with pytest.raises(WrongSolution, match="there is no stage 3, which section 1 holds"):
        CHAIN.verify(cut((0, 1), (2, 3)))


def test_no_section_is_empty():
    with pytest.raises(WrongSolution, match="section 1 is empty"):
        CHAIN.verify(cut((0, 1, 2), ()))


@pytest.mark.parametrize("order", [[(1, 0, 2)], [(2,), (0, 1)]])
def test_stages_stand_behind_what_they_read(order: list[tuple[int, ...]]):
    with pytest.raises(WrongSolution, match=r"stage . stands before stage ., whose result it reads"):
        CHAIN.verify(cut(*order))


def test_every_section_fits():
    with pytest.raises(WrongSolution, match=r"section 0 does not fit: PMUs: needs 384, has 260"):
        SUMS.verify(cut(tuple(range(6))))


def test_a_group_that_fits_stays_together():
    with pytest.raises(WrongSolution, match=r"stages 0 and 1 .* come from one operator or group, which fits"):
        CHAIN.verify(cut((0,), (1, 2)))


def test_a_stage_and_its_moves_stay_together_where_their_operator_does_not_fit():
    problem = replace(SUMS, parts=(Part(((0,), (1,), (2, 3), (4,), (5,))),))
    problem.verify(cut((0,), (1,), (2, 3), (4,), (5,)))
    with pytest.raises(WrongSolution, match=r"stages 2 and 3 .* are a stage and its moves, which fit"):
        problem.verify(cut((0,), (1,), (2,), (3,), (4,), (5,)))


def test_parts_are_joined_only_where_they_may_be():
    with pytest.raises(WrongSolution, match="section 0 holds several operators or groups"):
        replace(CHAIN, joined=False).verify(cut((0, 1, 2)))


def test_a_section_has_the_name_of_its_group():
    with pytest.raises(WrongSolution, match="section 0 is called a 'pair', but holds stages of something else"):
        CHAIN.verify((Section((0, 1, 2), "pair"),))


def test_a_stage_that_does_not_fit_is_refused():
    for name in ("shortest", "greedy"):
        with pytest.raises(CapacityError, match="does not fit the machine"):
            solve(replace(SUMS, stages=(total(10, 0, 1 << 27), *SUMS.stages[1:])), name)


def test_greedy_sections_take_as_much_as_fits():
    """Where the search weighs times, the greedy cut plans a section per part."""
    sections = solve(SUMS, "greedy")
    for section, after in pairwise(sections):
        assert not SUMS.fits((*section.stages, after.stages[0]))
    assert solve(replace(CHAIN, joined=False), "greedy") == (Section((0, 1), "pair"), Section((2,)))
    assert solve(CHAIN, "greedy") == cut((0, 1, 2))


@st.composite
def cutting_problems(draw: st.DrawFn) -> CuttingProblem:
    """Random stages over rows, some so wide that few of them fit a section, in random parts and pieces."""
    count, width = draw(st.integers(1, 6)), draw(st.sampled_from([64, WIDE // 2, WIDE]))
    stages: list[StageFacts] = []
    rows = [0]
    for output in range(1, count + 1):
        if draw(st.booleans()):
            stages.append(total(output, draw(st.sampled_from(rows)), width))
        else:
            read = draw(st.lists(st.sampled_from(rows), min_size=1, max_size=2, unique=True))
            stages.append(elementwise(output, *read, width=width))
            rows.append(output)
    ends = [*sorted(draw(st.sets(st.integers(1, count), max_size=count))), count]
    pieces = [tuple(range(a, b)) for a, b in pairwise([0, *ends]) if a < b]
    firsts = [0, *sorted(draw(st.sets(st.integers(1, len(pieces)), max_size=3))), len(pieces)]
    rules = st.sampled_from(["", "pair", "norm"])
    parts = [Part(tuple(pieces[a:b]), draw(rules)) for a, b in pairwise(firsts) if a < b]
    live_out = draw(st.sets(st.integers(1, count))) | {count}
    return CuttingProblem(tuple(parts), tuple(stages), frozenset(live_out), PLANNER, draw(st.booleans()))


@given(cutting_problems())
@settings(max_examples=60, deadline=None)
def test_cuts_of_our_solvers_are_right(problem: CuttingProblem):
    """`solve` verifies; the search is never slower than the greedy cut of the same parts."""
    try:
        shortest, greedy = solve(problem), solve(problem, "greedy")
    except CapacityError:
        assert not all(problem.fits((number,)) for number in range(len(problem.stages)))
        return
    if all(problem.fits(part.stages) for part in problem.parts):
        assert modelled(problem, shortest) <= modelled(problem, greedy)


def modelled(problem: CuttingProblem, sections: Cut) -> int:
    """Picoseconds of all sections."""
    estimates = [problem.estimate(section.stages) for section in sections]
    return sum(estimate.picoseconds for estimate in estimates if estimate is not None)


def test_a_long_run_is_cut_at_few_points():
    """Neighbours are joined first, and a group that is joined with one of its kind keeps its name."""
    count = 2 * CUT_POINTS
    stages = tuple(elementwise(number + 1, number) for number in range(count))
    parts = tuple(Part(((number,),), "norm") for number in range(count))
    sections = solve(CuttingProblem(parts, stages, frozenset([count]), PLANNER))
    assert [number for section in sections for number in section.stages] == list(range(count))
    assert len(sections) <= CUT_POINTS


# -- FIFOs -----------------------------------------------------------------------------------------------------------

RING = FifoProblem(
    (FifoActor(8, 10, 4), FifoActor(1, 80, 4), FifoActor(8, 10, 4)),
    (FifoChannel(0, 1, 8, 64), FifoChannel(0, 2, 8, 64), FifoChannel(1, 2, 1, 64)),
)
"""Two ways that meet again: the second actor sums up all 8 windows before the third gets anything."""


def with_channel(problem: FifoProblem, number: int, channel: FifoChannel) -> FifoProblem:
    channels = list(problem.channels)
    channels[number] = channel
    return replace(problem, channels=tuple(channels))


def test_depths_that_let_the_network_finish_are_accepted():
    RING.verify((8, 8, 1))


def test_every_channel_has_a_depth():
    with pytest.raises(WrongSolution, match="2 depths for 3 channels"):
        RING.verify((8, 8))


def test_a_channel_holds_a_window():
    with pytest.raises(WrongSolution, match="channel 2 is 0 deep, less than its least depth of 1"):
        RING.verify((8, 8, 0))


def test_a_channel_is_no_deeper_than_what_goes_over_it():
    with pytest.raises(WrongSolution, match="channel 2 is 2 deep, more than the 1 it can fill"):
        RING.verify((8, 8, 2))


def test_a_channel_that_loads_early_keeps_its_windows():
    problem = with_channel(RING, 0, FifoChannel(0, 1, 8, 64, least=9, paced=False))
    problem.verify((9, 8, 1))
    with pytest.raises(WrongSolution, match="channel 0 is 8 deep, less than its least depth of 9"):
        problem.verify((8, 8, 1))


def test_a_fixed_depth_is_kept():
    problem = with_channel(RING, 0, FifoChannel(0, 1, 8, 64, least=8, fixed=True))
    problem.verify((8, 8, 1))
    with pytest.raises(WrongSolution, match="channel 0 is 7 deep, its depth is fixed at 8"):
        problem.verify((7, 8, 1))


def test_the_network_finishes():
    with pytest.raises(WrongSolution, match="channel 1 is full and stops an actor"):
        RING.verify((8, 7, 1))


def test_the_buffers_have_room():
    channels = tuple(replace(channel, window_bytes=MACHINE.pmu.bytes) for channel in RING.channels)
    problem = FifoProblem(RING.actors, channels, PmuBudget(MACHINE, 17))
    problem.verify((8, 8, 1))
    with pytest.raises(WrongSolution, match="the channels take 17 PMUs of 16"):
        replace(problem, room=PmuBudget(MACHINE, 16)).verify((8, 8, 1))


def test_what_only_keeps_the_pace_gives_way_where_room_is_short():
    """Six windows keep the pace of each; the cheap ones come back first."""
    actors = (FifoActor(8, 10, 40), FifoActor(8, 10, 40), FifoActor(8, 10))
    channels = (FifoChannel(0, 1, 8, MACHINE.pmu.bytes), FifoChannel(1, 2, 8, MACHINE.pmu.bytes // 2))
    problem = FifoProblem(actors, channels)
    assert solve(problem) == solve(problem, "pace") == (6, 6)
    assert solve(problem, "least") == (1, 1)
    assert solve(replace(problem, room=PmuBudget(MACHINE, 5))) == (1, 6)
    with pytest.raises(CapacityError, match=r"do not fit\n  needs 2 PMUs, has 1 PMUs"):
        solve(replace(problem, room=PmuBudget(MACHINE, 1)))


def test_a_fixed_depth_that_stops_the_network_is_refused():
    problem = with_channel(RING, 1, FifoChannel(0, 2, 8, 64, least=3, fixed=True))
    for name in ("pace", "least"):
        with pytest.raises(InputError, match="channel 1 is full, and its depth of 3 is fixed"):
            solve(problem, name)


@st.composite
def fifo_problems(draw: st.DrawFn) -> FifoProblem:
    """A random graph of actors whose firings and tokens may have no common divisor, some channels behind loads."""
    count = draw(st.integers(2, 7))
    actors = [
        FifoActor(draw(st.integers(1, 16)), draw(st.integers(1, 9)), draw(st.integers(0, 20))) for _ in range(count)
    ]
    channels: list[FifoChannel] = []
    for target in range(1, count):
        for source in draw(st.lists(st.integers(0, target - 1), max_size=3, unique=True)):
            loaded = draw(st.booleans())
            channel = FifoChannel(source, target, draw(st.integers(1, 16)), draw(st.integers(1, 64)))
            channels.append(replace(channel, least=draw(st.integers(1, 3)), paced=False) if loaded else channel)
    return FifoProblem(tuple(actors), tuple(channels))


@given(fifo_problems())
@settings(max_examples=200, deadline=None)
def test_depths_of_our_solvers_are_right(problem: FifoProblem):
    for name in ("pace", "least"):
        depths = solve(problem, name)
        assert solve(problem, name) == depths, "a problem is not changed by its solvers"
        assert deadlock(problem.network(depths)) is None


# -- solvers of packages ---------------------------------------------------------------------------------------------

SOURCE = """\
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.passes.framework.solvers import Solver
from sambaflow.passes.parallel.factors import Shard
from sambaflow.passes.parallel.sharding import Layouts, ShardingProblem
from sambaflow.passes.planning.cutting import CuttingProblem, Section
from sambaflow.passes.planning.fifos import FifoProblem

ALONE = Solver("alone", CuttingProblem, lambda problem: tuple(Section(part.stages) for part in problem.parts))
NOTHING = Solver("nothing", CuttingProblem, lambda problem: ())
FLAT = Solver("flat", FifoProblem, lambda problem: tuple(channel.least for channel in problem.channels))
EMPTY = Solver("empty", FifoProblem, lambda problem: (0,) * len(problem.channels))


def by_columns(problem):
    return Layouts({name: (None, Shard(1, 1), Shard(1, 1)) for name in problem.functions})


COLUMNS = Solver("columns", ShardingProblem, by_columns)
NONE = Solver("blank", ShardingProblem, lambda problem: Layouts({}))
"""

ENTRIES = {
    "cutting.alone": "ALONE",
    "cutting.nothing": "NOTHING",
    "fifo-sizing.flat": "FLAT",
    "fifo-sizing.empty": "EMPTY",
    "fifo-sizing.mixed": "ALONE",
    "sharding.columns": "COLUMNS",
    "sharding.blank": "NONE",
}

MAPS = """\
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.map ins(%x : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel>
        maps [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>] body {
    ^bb0(%e: f32):
      %n = math.exp %e : f32
      kernel.yield %n : f32
    } : tensor<64x32xf32>
    %1 = kernel.map ins(%0 : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel>
        maps [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>] body {
    ^bb0(%e: f32):
      %n = math.tanh %e : f32
      kernel.yield %n : f32
    } : tensor<64x32xf32>
    func.return %1 : tensor<64x32xf32>
  }
}
"""

PLANNED = "kernel-cut-sections,kernel-tile,kernel-balance,kernel-insert-transfers,kernel-insert-buffers,"

PRODUCT = """\
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @f(%x: tensor<2x4xf32> {samba.name = "x"},
               %w: tensor<2x4xf32> {samba.role = "param", samba.name = "w"}) -> tensor<2x4xf32> {
    %0 = samba.relu %w : tensor<2x4xf32>
    func.return %0 : tensor<2x4xf32>
  }
}
"""


@pytest.fixture
def package(installed: Callable[..., None]):
    """An installed package that adds two solvers for each problem; the second one's solutions are wrong."""
    entries = {name: f"odd_planning:{value}" for name, value in ENTRIES.items()}
    installed({"odd_planning": SOURCE}, {"solvers": entries})


def ran(text: str, pipeline: str) -> str:
    """The module of `text` behind a pipeline."""
    ctx = SambaContext()
    module = parse_module(text, "f.mlir", ctx)
    run_pipeline(module, pipeline, ctx)
    return str(module)


@pytest.mark.usefixtures("package")
def test_solvers_of_a_package_are_chosen_by_name():
    assert ran(MAPS, "kernel-cut-sections").count("kernel.section") == 1
    assert ran(MAPS, "kernel-cut-sections{solver=alone}").count("kernel.section") == 2
    assert "depth = 1 : i64" not in ran(MAPS, PLANNED + "kernel-size-fifos")
    assert "depth = 1 : i64, tokens = 4 : i64" in ran(MAPS, PLANNED + "kernel-size-fifos{solver=flat}")
    assert "#samba.shard" not in ran(PRODUCT, "samba-shard")
    assert ran(PRODUCT, "samba-shard{solver=columns}").count("#samba.shard<1, 1, 2>") == 1


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("text", "pipeline", "wrong"),
    [
        (MAPS, "kernel-cut-sections{solver=nothing}", "the cutting of solver 'nothing' is wrong: stage 0 stands in no"),
        (
            MAPS,
            PLANNED + "kernel-size-fifos{solver=empty}",
            "solver 'empty' is wrong: channel 0 is 0 deep",
        ),
        (PRODUCT, "samba-shard{solver=blank}", "the sharding of solver 'blank' is wrong: @f has 3 values, 0 have"),
    ],
)
def test_wrong_solutions_of_a_package_are_refused(text: str, pipeline: str, wrong: str):
    with pytest.raises(PluginError, match=wrong):
        ran(text, pipeline)


@pytest.mark.usefixtures("package")
def test_a_solver_is_for_one_kind_of_problem():
    with pytest.raises(InputError, match=r"'fifo-sizing\.mixed' solves problems of cutting, not of fifo-sizing"):
        ran(MAPS, PLANNED + "kernel-size-fifos{solver=mixed}")


def test_a_wrong_solution_of_our_own_is_our_bug(monkeypatch: pytest.MonkeyPatch):
    empty = Solver("empty", FifoProblem, lambda problem: (0,) * len(problem.channels))
    monkeypatch.setattr(FifoProblem, "solvers", classmethod(lambda cls: (empty,)))
    with pytest.raises(InternalError, match="the fifo-sizing of solver 'empty' is wrong: channel 0 is 0 deep"):
        solve(RING)
