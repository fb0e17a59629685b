"""Which firings can happen when only tokens count: the rule that planning, lowering and the timing graph share.

    data     firing i of F needs the first ceil(i T / F) of the T tokens of every input
    space    and room for the first ceil(i T / F) tokens of every output: of those, `depth` may not be freed yet
    after it floor(i T / F) tokens of every output are written, and as many of every input are freed

Firings are counted from 1. Whether a network of bounded buffers ends does not depend on times nor on the order of
evaluation, so it is executed on counts alone, every actor as far as its neighbours allow at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Actor:
    """What fires: how often in one execution, picoseconds between firings and to its results."""

    firings: int
    interval: int = 0
    latency: int = 0
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

    def actor(self, firings: int, interval: int = 0, latency: int = 0) -> int:
        """Add an actor; its number."""
        self.actors.append(Actor(firings, interval, latency))
        return len(self.actors) - 1

    def channel(self, channel: Channel) -> None:
        """Add a channel between two actors."""
        self.actors[channel.source].outputs.append(len(self.channels))
        self.actors[channel.target].inputs.append(len(self.channels))
        self.channels.append(channel)


def begun(firings: int, tokens: int, of: int) -> int:
    """Tokens that are begun when `firings` of `of` firings have begun: they must be there, or have room."""
    return -(-firings * tokens // of)


def ended(firings: int, tokens: int, of: int) -> int:
    """Tokens that are complete, or done with, after `firings` of `of` firings."""
    return firings * tokens // of


def handover(written: int, read: int, depth: int) -> tuple[int, int]:
    """(tokens, depth) between a maker of `written` windows and a reader of `read`, through a buffer that holds `depth`
    of the maker's: as many parts as both know, in as many bytes."""
    tokens = max(1, min(written, read))
    return tokens, max(1, depth * tokens // max(1, written))


def deadlock(network: Network) -> int | None:
    """None if every actor can finish; else the cheapest full channel that holds one back."""
    run = _Execution(network)
    run.advance(range(len(network.actors)))
    return run.stuck()


def settle(network: Network) -> list[int]:
    """Deepen channels, the cheapest first, until every actor can finish; the channels that got deeper."""
    run = _Execution(network)
    run.advance(range(len(network.actors)))
    deeper: dict[int, None] = {}
    while (stuck := run.stuck()) is not None:
        network.channels[stuck].depth = run.wanted(stuck)
        deeper[stuck] = None
        run.advance([network.channels[stuck].source])
    return list(deeper)


class _Execution:
    """A network that is executed: what has fired, and per channel what is written and freed."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.fired = [0] * len(network.actors)
        self.written = [0] * len(network.channels)
        self.freed = [0] * len(network.channels)

    def advance(self, actors: Iterable[int]) -> None:
        """Fire what can fire, beginning with `actors`."""
        channels = self.network.channels
        waiting = list(actors)
        while waiting:
            number = waiting.pop()
            actor = self.network.actors[number]
            count = actor.firings
            for e in actor.inputs:
                count = min(count, self.written[e] * actor.firings // channels[e].tokens)
            for e in actor.outputs:
                count = min(count, (self.freed[e] + channels[e].depth) * actor.firings // channels[e].tokens)
            if count <= self.fired[number]:
                continue
            self.fired[number] = count
            for e in actor.inputs:
                self.freed[e] = ended(count, channels[e].tokens, actor.firings)
                waiting.append(channels[e].source)
            for e in actor.outputs:
                self.written[e] = ended(count, channels[e].tokens, actor.firings)
                waiting.append(channels[e].target)

    def stuck(self) -> int | None:
        """The cheapest full channel whose maker has not finished; None if there is none."""
        full = [
            e
            for e, channel in enumerate(self.network.channels)
            if self.fired[channel.source] < self.network.actors[channel.source].firings
            and self.wanted(e) > channel.depth
        ]
        return min(full, key=lambda e: (self.network.channels[e].window_bytes, e), default=None)

    def wanted(self, number: int) -> int:
        """The depth with which a channel lets its maker fire once more."""
        channel = self.network.channels[number]
        firings = self.network.actors[channel.source].firings
        return begun(self.fired[channel.source] + 1, channel.tokens, firings) - self.freed[number]
