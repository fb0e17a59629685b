"""Depths of the buffers of a section: least bytes that neither stall the pipeline nor deadlock it.

stalls     every stage of a section advances at the pace of its slowest one. If stage v starts `s_v - s_u` after u, an
           edge between them that hands over a token every tau collects (s_v - s_u) / tau tokens. A linear program over
           the start times minimises the sum of window bytes times depth (HiGHS).
deadlock   two ways from one stage to another need room for what the longer one holds back. The section is executed on
           token counts alone; where it sticks, a full edge gets a window more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil


@dataclass(eq=False)
class Actor:
    """A stage, load or store: how often it fires in one execution, picoseconds between firings and to its results."""

    firings: int
    interval: int
    latency: int
    inputs: list[int] = field(default_factory=list[int])
    outputs: list[int] = field(default_factory=list[int])

    @property
    def time(self) -> int:
        return self.firings * self.interval


@dataclass(eq=False)
class Channel:
    """A buffer between two actors. `depth` is what is decided; `fixed`: it has a depth that is not decided here."""

    source: int
    target: int
    tokens: int
    window_bytes: int
    depth: int = 1
    fixed: bool = False


@dataclass(eq=False)
class Network:
    """The actors and channels of a section, in topological order of the actors."""

    actors: list[Actor] = field(default_factory=list[Actor])
    channels: list[Channel] = field(default_factory=list[Channel])

    def actor(self, firings: int, interval: int, latency: int) -> int:
        """Add an actor; its number."""
        self.actors.append(Actor(firings, interval, latency))
        return len(self.actors) - 1

    def channel(self, channel: Channel) -> None:
        """Add a channel between two actors."""
        self.actors[channel.source].outputs.append(len(self.channels))
        self.actors[channel.target].inputs.append(len(self.channels))
        self.channels.append(channel)


def size(network: Network) -> None:
    """Set the depth of every channel that is not fixed."""
    if any(channel.tokens > 1 and not channel.fixed for channel in network.channels):
        starts = _starts(network)
        pace = max((actor.time for actor in network.actors), default=1) or 1
        for channel in network.channels:
            if not channel.fixed:
                late = starts[channel.target] - starts[channel.source]
                wanted = 1 + ceil(late * channel.tokens / pace) if channel.tokens > 1 else 1
                channel.depth = min(channel.tokens, max(wanted, 2))
    while (stuck := deadlock(network)) is not None:
        network.channels[stuck].depth += 1


def _starts(network: Network) -> list[float]:
    """When each actor should start: the linear program's answer, or as soon as possible when there is only one way."""
    earliest = _earliest(network)
    sized = [c for c in network.channels if c.tokens > 1 and not c.fixed]
    count = len(network.actors)
    pace = max((actor.time for actor in network.actors), default=1) or 1
    from numpy import array, zeros
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    # minimise sum of bytes a picosecond of lateness costs, subject to s_v - s_u >= what u needs for a first token
    weights = zeros(count)
    for channel in sized:
        rate = channel.window_bytes * channel.tokens / pace
        weights[channel.target] += rate
        weights[channel.source] -= rate
    weights += 1e-9  # of equal costs, the earliest start
    rows, columns, entries, bounds = [], [], [], []
    for row, channel in enumerate(network.channels):
        rows += [row, row]
        columns += [channel.source, channel.target]
        entries += [1.0, -1.0]
        bounds.append(-float(_first_token(network, channel)))
    limits = [(float(earliest[v]), float(_latest(network, earliest, v))) for v in range(count)]
    if not network.channels:
        return [float(start) for start in earliest]
    matrix = csr_array((array(entries), (array(rows), array(columns))), shape=(len(network.channels), count))
    answer = linprog(weights, A_ub=matrix, b_ub=array(bounds), bounds=limits, method="highs-ds")
    return [round(float(start)) for start in answer.x] if answer.success else [float(start) for start in earliest]


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


def _latest(network: Network, earliest: Sequence[int], actor: int) -> int:
    """Only what nothing else is late for may wait: an actor without inputs (a load); the rest starts when it can."""
    return earliest[actor] if network.actors[actor].inputs else max(earliest)


def deadlock(network: Network) -> int | None:
    """None if every actor can finish; else the cheapest full channel that holds one back.

    Firing i needs the first ceil((i + 1) * tokens / firings) tokens of its inputs and room for as many on its
    outputs; it then has written, and freed, floor((i + 1) * tokens / firings).
    """
    fired = [0] * len(network.actors)
    written = [0] * len(network.channels)
    freed = [0] * len(network.channels)
    waiting = list(range(len(network.actors)))
    while waiting:
        number = waiting.pop()
        actor = network.actors[number]
        moved = False
        while fired[number] < actor.firings:
            after = fired[number] + 1
            if any(written[e] < _begun(network.channels[e].tokens, actor, after) for e in actor.inputs):
                break
            if any(
                _begun(network.channels[e].tokens, actor, after) - freed[e] > network.channels[e].depth
                for e in actor.outputs
            ):
                break
            fired[number] = after
            moved = True
            for e in actor.inputs:
                freed[e] = after * network.channels[e].tokens // actor.firings
            for e in actor.outputs:
                written[e] = after * network.channels[e].tokens // actor.firings
        if moved:
            waiting.extend(network.channels[e].target for e in actor.outputs)
            waiting.extend(network.channels[e].source for e in actor.inputs)
    full = [
        e
        for e, channel in enumerate(network.channels)
        if fired[channel.source] < network.actors[channel.source].firings
        and _begun(channel.tokens, network.actors[channel.source], fired[channel.source] + 1) - freed[e] > channel.depth
    ]
    return min(full, key=lambda e: (network.channels[e].window_bytes, e), default=None)


def _begun(tokens: int, actor: Actor, firings: int) -> int:
    return -(-firings * tokens // actor.firings)
