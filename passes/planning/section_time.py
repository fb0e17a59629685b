"""When the stages of a section run: fill, steady state and drain along its graph, with transfers beside it.

fill      a stage starts when the first part of every operand is there. Loads come one after the other, in the order
          of their first readers: as many parts as their buffers hold, the rest streams beside the firings.
steady    n firings, one every interval; a stage ends no sooner than a part after each of its sources.
drain     the last part of the slowest store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sambaflow.passes.planning.balance import Choice
from sambaflow.passes.planning.section_graph import Edge, Node
from sambaflow.passes.planning.stage_tilings import TiledStage
from sambaflow.passes.planning.tiled_section import TiledSection


class Schedule(NamedTuple):
    """When the nodes of a section start and finish, in picoseconds from its start.

    `picoseconds`: until the last result is stored, without launch and program load. `pipeline` tells between tiles with
    which transfers take all that time: the time without that bound, or that of the transfers with what is left to do on
    the last part that is loaded, whichever is longer.
    """

    starts: Sequence[int]
    finishes: Sequence[int]
    picoseconds: int
    pipeline: int


def schedule(section: TiledSection, choice: Choice, depths: Sequence[int]) -> Schedule:
    """The schedule for a candidate of every node, and the parts that the buffer of every edge holds."""
    timeline = _Timeline(section, depths)
    for node, tiled, candidate in zip(section.graph.nodes, section.tiled, choice, strict=True):
        timeline.run(node, tiled, candidate)
    transfer, part_bytes = section.resources.transfer, section.windows.part_bytes
    drain = max((transfer(part_bytes[number]) for number in section.graph.store_edges), default=0)
    finish, transfers = max(timeline.finishes, default=0) + drain, section.transfers.least
    pipeline = max(finish, transfers + timeline.last_part)
    return Schedule(timeline.starts, timeline.finishes, max(finish, transfers), pipeline)


class _Timeline:
    """The nodes that have run so far, by number, and until when the tier is busy with loads."""

    def __init__(self, section: TiledSection, depths: Sequence[int]) -> None:
        self.edges, self.depths = section.graph.edges, depths
        self.tokens, self.part_bytes = section.windows.tokens, section.windows.part_bytes
        self.transfer = section.resources.transfer
        self.starts: list[int] = []
        self.finishes: list[int] = []
        self.paces: list[tuple[int, int, int]] = []
        """Firings, interval, and start with latency: a part is complete as many intervals later as it has firings."""
        self.last_part = 0
        """The longest that a stage works on the last part of a load."""
        self.loads_end = 0
        self.loaded: set[int] = set()

    def run(self, node: Node, tiled: TiledStage, candidate: int) -> None:
        interval, latency = tiled.intervals[candidate], tiled.latencies[candidate]
        work = tiled.firings * interval
        start = streamed = last_part = 0
        for number in node.edges:
            edge = self.edges[number]
            if edge.source is None:
                ready, rest = self._load(number, edge)
                streamed += rest
                last_part = max(last_part, work // self.tokens[number])
            else:
                ready = self._first_part(edge.source, self.tokens[number])
            if ready > start:
                start = ready
        finish = start + latency + work
        for number in node.edges:
            source = self.edges[number].source
            if source is not None:
                finish = max(finish, self.finishes[source] + work // self.tokens[number])
        if streamed:
            finish = max(finish, max(self.loads_end, start) + streamed)
        if last_part:
            self.last_part = max(self.last_part, latency + last_part)
        self.starts.append(start)
        self.finishes.append(finish)
        self.paces.append((tiled.firings, interval, start + latency))

    def _first_part(self, source: int, tokens: int) -> int:
        """When the first of `tokens` parts that a node makes is complete."""
        firings, interval, begin = self.paces[source]
        return begin + -(-firings // tokens) * interval

    def _load(self, number: int, edge: Edge) -> tuple[int, int]:
        """When the first part of a load is there, and for how long the tier streams what its buffer does not hold."""
        begin = self.loads_end if edge.after is None else self.loads_end + self.finishes[edge.after]
        if edge.value in self.loaded:
            return begin, 0
        self.loaded.add(edge.value)
        part = self.part_bytes[number]
        early = min(self.tokens[number], self.depths[number]) * part
        self.loads_end += self.transfer(early)
        return begin + self.transfer(part), self.transfer(edge.bytes - early) if early < edge.bytes else 0
