"""Depths of the buffers of a section: least bytes that neither stall the pipeline nor deadlock it.

stalls     every stage of a section advances at the pace of its slowest one. If stage v starts `s_v - s_u` after u, an
           edge between them that hands over a token every tau collects (s_v - s_u) / tau tokens. Start times are
           those with the least sum of window bytes times depth.
deadlock   two ways from one stage to another need room for what the longer one holds back. The section is executed on
           token counts alone; where it sticks, a full edge gets a window more.
room       where the problem knows how many PMUs there are, windows that only keep the pace are given up until the
           rest fits, and then come back, the cheapest first, as far as there is room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from sambaflow.errors import CapacityError, InputError
from sambaflow.machine import Machine, pmus_holding
from sambaflow.machine.dataflow import Channel, Network, deadlock, settle
from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution

Depths = tuple[int, ...]
"""The solution: windows that each channel holds, in the order of the problem's channels."""


@dataclass(frozen=True)
class FifoActor:
    """What fires: how often in one execution, picoseconds between firings and from the last one to its results."""

    firings: int
    interval: int = 0
    latency: int = 0


@dataclass(frozen=True)
class FifoChannel:
    """A buffer between two actors, over which `tokens` windows of `window_bytes` go in one execution.

    `least`: windows that it has to hold. `paced`: it also holds what keeps the pace (not behind a load: what is loaded
    early is decided elsewhere). `fixed`: it holds `least` and no more.
    """

    source: int
    target: int
    tokens: int
    window_bytes: int
    least: int = 1
    paced: bool = True
    fixed: bool = False

    @property
    def most(self) -> int:
        """Windows that it can fill."""
        return self.least if self.fixed else max(self.tokens, self.least)


@dataclass(frozen=True)
class PmuBudget:
    """The PMUs of `machine` that all channels together may take."""

    machine: Machine
    pmus: int


@dataclass(frozen=True)
class FifoProblem(Problem[Depths]):
    """How deep each channel of a network is. Actors are in topological order, channels name them by number."""

    kind = "fifo-sizing"

    actors: tuple[FifoActor, ...]
    channels: tuple[FifoChannel, ...]
    room: PmuBudget | None = None
    """None: as many PMUs as it takes."""

    @staticmethod
    def of(network: Network, room: PmuBudget | None = None) -> FifoProblem:
        """The problem of a network as it stands; a channel that is `fixed` there has its depth as the least."""
        actors = tuple(FifoActor(actor.firings, actor.interval, actor.latency) for actor in network.actors)
        channels = tuple(
            FifoChannel(c.source, c.target, c.tokens, c.window_bytes, c.depth if c.fixed else 1, not c.fixed)
            for c in network.channels
        )
        return FifoProblem(actors, channels, room)

    @classmethod
    def solvers(cls) -> tuple[Solver, ...]:
        return PACE, LEAST

    def network(self, depths: Sequence[int]) -> Network:
        """A network of its own with these depths, which may be executed and deepened."""
        network = Network()
        for actor in self.actors:
            network.actor(actor.firings, actor.interval, actor.latency)
        for c, depth in zip(self.channels, depths, strict=True):
            network.channel(Channel(c.source, c.target, c.tokens, c.window_bytes, depth, c.fixed))
        return network

    def pmus(self, depths: Sequence[int]) -> int:
        """PMUs that the channels take with these depths; none without a `room`."""
        if self.room is None:
            return 0
        pairs = zip(self.channels, depths, strict=True)
        return sum(pmus_holding(channel.window_bytes, depth, self.room.machine) for channel, depth in pairs)

    def verify(self, solution: Depths) -> None:
        if len(solution) != len(self.channels):
            raise WrongSolution(f"there are {len(solution)} depths for {len(self.channels)} channels")
        for number, (channel, depth) in enumerate(zip(self.channels, solution, strict=True)):
            if channel.fixed and depth != channel.least:
                raise WrongSolution(f"channel {number} is {depth} deep, its depth is fixed at {channel.least}")
            if depth < channel.least:
                raise WrongSolution(f"channel {number} is {depth} deep, less than its least depth of {channel.least}")
            if depth > channel.most:
                raise WrongSolution(f"channel {number} is {depth} deep, more than the {channel.most} it can fill")
        if (full := deadlock(self.network(solution))) is not None:
            raise WrongSolution(f"channel {full} is full and stops an actor that has not finished")
        if self.room is not None and (taken := self.pmus(solution)) > self.room.pmus:
            raise WrongSolution(f"the channels take {taken} PMUs of {self.room.pmus}")


# -- solvers ---------------------------------------------------------------------------------------------------------


def keep_the_pace(problem: FifoProblem) -> Depths:
    """Depths with which no actor waits for room, as far as there are PMUs.

    Raises InputError when fixed depths stop the network, CapacityError when the least depths have no room.
    """
    wanted = _settled(problem, _paced(problem))
    if problem.room is None or problem.pmus(wanted) <= problem.room.pmus:
        return wanted
    depths = list(least_depths(problem))
    for number in sorted(range(len(depths)), key=lambda number: (problem.channels[number].window_bytes, number)):
        before, depths[number] = depths[number], max(depths[number], wanted[number])
        if problem.pmus(depths) > problem.room.pmus:
            depths[number] = before
    return tuple(depths)


def least_depths(problem: FifoProblem) -> Depths:
    """The least depths, and windows more only where the network would stop.

    Raises InputError when fixed depths stop the network, CapacityError when these depths have no room.
    """
    depths = _settled(problem, [channel.least for channel in problem.channels])
    if problem.room is not None and (taken := problem.pmus(depths)) > problem.room.pmus:
        raise CapacityError(
            "buffers that let the section finish do not fit",
            demand=f"{taken} PMUs",
            limit=f"{problem.room.pmus} PMUs",
            shortfall=f"{taken - problem.room.pmus} PMUs",
            levers=["smaller tiles", "fewer stages in the section"],
        )
    return depths


def _settled(problem: FifoProblem, depths: Sequence[int]) -> Depths:
    """These depths, deeper where the network would stop."""
    network = problem.network(depths)
    settle(network)
    if any(channel.fixed for channel in problem.channels) and (full := deadlock(network)) is not None:
        depth = network.channels[full].depth
        raise InputError(
            f"the section cannot finish: channel {full} is full, and its depth of {depth} is fixed",
            levers=["give it a greater depth, or none"],
        )
    return tuple(channel.depth for channel in network.channels)


def _paced(problem: FifoProblem) -> list[int]:
    """What each channel collects before its reader starts to take from it."""
    depths = [channel.least for channel in problem.channels]
    free = [number for number, channel in enumerate(problem.channels) if channel.paced and not channel.fixed]
    if not any(problem.channels[number].tokens > 1 for number in free):
        return depths
    network = problem.network(depths)
    starts = start_times(network)
    pace = max((actor.time for actor in network.actors), default=1) or 1
    for number in free:
        channel = problem.channels[number]
        late = starts[channel.target] - starts[channel.source]
        wanted = 1 + ceil(late * channel.tokens / pace) if channel.tokens > 1 else 1
        depths[number] = max(channel.least, min(channel.tokens, max(wanted, 2)))
    return depths


def start_times(network: Network) -> list[int]:
    """When each actor starts, in picoseconds: as soon as it can, but one without inputs (a load) as late as it may.

    Nothing behind a load starts later for it, and its tokens wait for less long. With the other starts given, each load
    has a latest start of its own, so no solver has to weigh one against another.
    """
    starts = _earliest(network)
    due: dict[int, int] = {}
    for channel in network.channels:
        if not network.actors[channel.source].inputs:
            latest = starts[channel.target] - _first_token(network, channel)
            due[channel.source] = min(latest, due.get(channel.source, latest))
    return [due.get(number, start) for number, start in enumerate(starts)]


def _first_token(network: Network, channel: Channel) -> int:
    source = network.actors[channel.source]
    return -(-source.firings // channel.tokens) * source.interval + source.latency


def _earliest(network: Network) -> list[int]:
    starts = [0] * len(network.actors)
    for number, actor in enumerate(network.actors):
        for index in actor.inputs:
            channel = network.channels[index]
            starts[number] = max(starts[number], starts[channel.source] + _first_token(network, channel))
    return starts


PACE = Solver("pace", FifoProblem, keep_the_pace)
LEAST = Solver("least", FifoProblem, least_depths)
