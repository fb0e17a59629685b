"""The PMUs of a section's buffers, as a function of their depths and of the candidates of their readers.

A buffer takes the PMUs that hold its windows, and no fewer than have the ports for what one firing of its reader reads
in an interval. Depths here are in parts, as they are read; a plan has them in windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sambaflow.machine import Room
from sambaflow.passes.planning.balance import Choice
from sambaflow.passes.planning.section_graph import Edge
from sambaflow.passes.planning.stage_tilings import StageTilings
from sambaflow.passes.planning.standing import StandingBuffer
from sambaflow.passes.planning.tiled_section import TiledSection


class PmuDemand(NamedTuple):
    """The PMUs of all buffers at certain depths.

    `holding`: of those that have enough ports whatever is chosen. `ported`, of every other one: PMUs that hold its
    windows, the node that reads it, and the PMUs whose ports that one needs, by candidate.
    """

    holding: int
    ported: tuple[tuple[int, int, tuple[int, ...]], ...]

    def of(self, choice: Choice) -> int:
        total = self.holding
        for held, node, ports in self.ported:
            needed = ports[choice[node]]
            total += needed if needed > held else held
        return total


@dataclass(frozen=True, eq=False)
class BufferRoom:
    """What every buffer of a tiled section takes, by the number of its edge.

    `ports`: by edge, the PMUs whose ports each candidate of the reader needs; none where the PMUs stand, since fewer
    than a reader could use are slow, not wrong. `standing`: by edge, what else of it is decided.
    """

    section: TiledSection
    tilings: StageTilings
    ports: tuple[tuple[int, ...], ...]
    standing: tuple[StandingBuffer, ...]

    @staticmethod
    def of(section: TiledSection, tilings: StageTilings) -> BufferRoom:
        """The room of the buffers of a section."""

        def ports(edge: Edge, standing: StandingBuffer) -> tuple[int, ...]:
            if edge.target is None or edge.read is None or standing.pmus is not None:
                return ()
            tiled = section.tiled[edge.target]
            return tilings.ports(tiled, tilings.firing_bytes(tiled.tiling, edge.read))

        edges = section.graph.edges
        standing = tuple(section.standing.buffer(section.graph.place(edge)) for edge in edges)
        return BufferRoom(section, tilings, tuple(map(ports, edges, standing)), standing)

    def depth(self, number: int, depth: int) -> int:
        """The parts that a buffer holds: `depth`, unless another depth stands."""
        asked, windows = self.standing[number].depth, self.section.windows
        if asked is None:
            return depth
        return max(1, asked * windows.tokens[number] // windows.handed[number])

    def room(self, number: int, depth: int) -> Room:
        """The windows of a buffer of `depth` parts, and the PMUs that hold them."""
        windows, size = self.section.windows, self.section.graph.edges[number].tensor_bytes
        return self.tilings.room(size, windows.handed[number], windows.tokens[number], depth)

    def windows(self, number: int, depth: int) -> int:
        """The windows that a buffer of `depth` parts holds, unless another number stands."""
        asked = self.standing[number].depth
        return self.room(number, depth).depth if asked is None else min(asked, self.section.windows.handed[number])

    def held(self, number: int, depth: int) -> int:
        """The PMUs that hold `depth` parts, or that stand."""
        return max(self.room(number, depth).pmus, self.standing[number].pmus or 0)

    def pmus(self, number: int, depth: int, choice: Choice) -> int:
        """The PMUs of one buffer."""
        target, ports = self.section.graph.edges[number].target, self.ports[number]
        held = self.held(number, depth)
        return max(held, ports[choice[target]]) if ports and target is not None else held

    def demand(self, depths: Sequence[int]) -> PmuDemand:
        """The PMUs of all buffers at the depths of their edges."""
        graph, holding = self.section.graph, 0
        ported: list[tuple[int, int, tuple[int, ...]]] = []
        for number in graph.buffers:
            held, ports, target = self.held(number, depths[number]), self.ports[number], graph.edges[number].target
            if target is not None and ports and ports[-1] > held:  # the last candidate is the fastest
                ported.append((held, target, ports))
            else:
                holding += held
        return PmuDemand(holding, tuple(ported))
