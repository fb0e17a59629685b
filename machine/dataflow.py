"""Which firings can happen when only tokens count: the rule that planning, lowering and the timing graph share.

    data     firing i of F needs the first ceil(i T / F) of the T tokens of every input
    space    and room for the first ceil(i T / F) tokens of every output: of those, `depth` may not be freed yet
    after it floor(i T / F) tokens of every output are written, and as many of every input are freed

Firings are counted from 1. Whether a network of bounded buffers ends does not depend on times nor on the order of
evaluation, so it is executed on counts alone, every actor as far as its neighbours allow at once.

What repeats is executed once: firings that led from one state to a later one can follow again, shifted, as often as no
actor passes what a neighbour that does not keep up leaves it (`Execution.repeat`). So the work depends on the depths
and on the ratios of the rates, not on how often actors fire; where buffers return to their initial state after a
common divisor of all counts, that period is what is executed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

PATIENCE = 8
"""Laps of an execution after which it is looked whether they repeat."""


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
    """A buffer between two actors. `depth` is what is decided; `fixed`: it has a depth that stays."""

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
    run = Execution(network)
    run.advance(range(len(network.actors)))
    return run.stuck()


def settle(network: Network) -> list[int]:
    """Deepen channels that are not fixed, the cheapest first, until every actor can finish; those that got deeper.

    Where only fixed channels are full, the network still cannot finish.
    """
    return Execution(network).settle()


class Execution:
    """A network that is executed: what has fired, and per channel what is written and freed; `work` counts looks at
    actors."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.fired = [0] * len(network.actors)
        self.written = [0] * len(network.channels)
        self.freed = [0] * len(network.channels)
        self.work = 0

    def advance(self, actors: Iterable[int]) -> None:
        """Fire what can fire, beginning with `actors`; what a lap over all that may fire repeats is done at once."""
        waiting = dict.fromkeys(actors)
        laps, patience = 0, PATIENCE
        then = self.fired
        while waiting:
            lap, waiting = waiting, dict[int, None]()
            for number in lap:
                if self._fire(number):
                    waiting.update(dict.fromkeys(self._neighbours(number)))
            laps += 1
            if then is not self.fired and (moved := self.repeat(then)):
                waiting.update(dict.fromkeys(moved))
                then, laps, patience = list(self.fired), 0, PATIENCE
            elif laps == patience:
                then, laps, patience = list(self.fired), 0, 2 * patience

    def settle(self) -> list[int]:
        """See `sambaflow.machine.dataflow.settle`."""
        self.advance(range(len(self.network.actors)))
        deeper: dict[int, tuple[list[int], int, int]] = {}  # what had fired, times full since, patience
        while (stuck := self.stuck(deepened=True)) is not None:
            channel = self.network.channels[stuck]
            then, times, patience = deeper.get(stuck, (list(self.fired), 0, 1))
            moved = self.repeat(then, unbounded=stuck) if times else []
            channel.depth = self.wanted(stuck, more=0 if moved else 1)
            if moved or times == patience:
                then, times, patience = list(self.fired), 0, 1 if moved else 2 * patience
            deeper[stuck] = then, times + 1, patience
            self.advance([channel.source, *moved])
        return list(deeper)

    def _fire(self, number: int) -> bool:
        """Fire an actor as often as it can; whether it did."""
        channels, actor = self.network.channels, self.network.actors[number]
        self.work += 1
        count = actor.firings
        for e in actor.inputs:
            count = min(count, self.written[e] * actor.firings // channels[e].tokens)
        for e in actor.outputs:
            count = min(count, (self.freed[e] + channels[e].depth) * actor.firings // channels[e].tokens)
        if count <= self.fired[number]:
            return False
        self._set(number, count)
        return True

    def _set(self, number: int, count: int) -> None:
        channels, actor = self.network.channels, self.network.actors[number]
        self.fired[number] = count
        for e in actor.inputs:
            self.freed[e] = ended(count, channels[e].tokens, actor.firings)
        for e in actor.outputs:
            self.written[e] = ended(count, channels[e].tokens, actor.firings)

    def _neighbours(self, number: int) -> list[int]:
        channels, actor = self.network.channels, self.network.actors[number]
        return [*(channels[e].source for e in actor.inputs), *(channels[e].target for e in actor.outputs)]

    def repeat(self, then: Sequence[int], unbounded: int = -1) -> list[int]:
        """Fire again what has fired since `then`, as often as can be; the actors that did, with their neighbours.

        A channel between two actors that both fired must have got and given whole tokens: then what it asks of either
        is the same, shifted. If it got more, its maker fires only into the room that is there now; if it gave more,
        its reader only what is written now. With a channel that is `unbounded`, whose depth is looked for, this ends
        where an actor that did not fire could: there the depth may be enough.
        """
        actors, channels, fired, exact = self.network.actors, self.network.channels, self.fired, unbounded >= 0
        gains = [now - before for now, before in zip(fired, then, strict=True)]
        times = min(((a.firings - n) // g for a, n, g in zip(actors, fired, gains, strict=True) if g), default=0)
        for e, channel in enumerate(channels):
            s, t, tokens = channel.source, channel.target, channel.tokens
            of, to, both = actors[s].firings, actors[t].firings, gains[s] > 0 and gains[t] > 0
            got, gave = gains[s] * tokens * to, gains[t] * tokens * of
            if (both or e == unbounded) and (got % (of * to) or gave % (of * to)):
                return []
            if exact and both and got != gave and e != unbounded:
                return []
            if got > gave:
                limit = (self.freed[e] + channel.depth) * of // tokens if e != unbounded else of
                if exact and fired[t] < to and self.written[e] < (need := begun(fired[t] + 1, tokens, to)):
                    limit = min(limit, (need * of - 1) // tokens)
                times = min(times, (limit - fired[s]) // gains[s])
            elif gave > got:
                limit = self.written[e] * to // tokens
                if (
                    exact
                    and fired[s] < of
                    and self.freed[e] < (need := begun(fired[s] + 1, tokens, of) - channel.depth)
                ):
                    limit = min(limit, (need * to - 1) // tokens)
                times = min(times, (limit - fired[t]) // gains[t])
        if times <= 0:
            return []
        moved = [number for number, gain in enumerate(gains) if gain]
        for number in moved:
            self._set(number, fired[number] + times * gains[number])
        return [*moved, *(other for number in moved for other in self._neighbours(number))]

    def stuck(self, deepened: bool = False) -> int | None:
        """The cheapest full channel whose maker has not finished; None if there is none.

        `deepened`: of those that are not fixed.
        """
        full = [
            e
            for e, channel in enumerate(self.network.channels)
            if self.fired[channel.source] < self.network.actors[channel.source].firings
            and not (deepened and channel.fixed)
            and self.wanted(e) > channel.depth
        ]
        return min(full, key=lambda e: (self.network.channels[e].window_bytes, e), default=None)

    def wanted(self, number: int, more: int = 1) -> int:
        """The depth with which a channel lets its maker fire once more (`more` = 0: as often as it did)."""
        channel = self.network.channels[number]
        firings = self.network.actors[channel.source].firings
        return begun(self.fired[channel.source] + more, channel.tokens, firings) - self.freed[number]
