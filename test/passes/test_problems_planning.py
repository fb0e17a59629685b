"""Problems of planning: a right solution is accepted, a wrong one refused with the rule that it breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow.errors import CapacityError, InputError
from sambaflow.machine import load
from sambaflow.machine.dataflow import deadlock
from sambaflow.passes.framework.solvers import WrongSolution, solve
from sambaflow.passes.planning.fifos import FifoActor, FifoChannel, FifoProblem, PmuBudget

MACHINE = load("sn40l")

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
    with pytest.raises(CapacityError, match="take 2 PMUs, 1 are there"):
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
