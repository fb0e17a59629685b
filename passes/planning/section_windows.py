"""In how many windows the tensors of a tiled section are handed over, and in how many parts they are read.

wanted    a reader wants a tensor in as many parts as its loops share with those that make it; a load has the loops
          of its first reader: where that takes the tensor whole, parts would only be more transfers.
handed    a maker hands a tensor over in as many windows as the reader wants that wants most; a stage that only
          passes a tensor on adds none.
tokens    no reader takes more parts than there are windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sambaflow.passes.planning.section_graph import Edge, Node, SectionGraph
from sambaflow.passes.planning.stage_tilings import NO_LOOPS, Loops, StageTilings, TiledStage
from sambaflow.passes.planning.standing import Standing


@dataclass(frozen=True, eq=False)
class Windows:
    """How tensors are handed over. The tuples have a figure for every edge.

    `tokens`: parts in which the tensor is read, of `part_bytes` each; `handed`: windows in which its maker hands it
    over, at least as many. `hold`: the loop depth at which the reader's buffer is refilled.
    """

    tokens: tuple[int, ...]
    handed: tuple[int, ...]
    part_bytes: tuple[int, ...]
    hold: tuple[int, ...]
    wanted: Mapping[int, int]
    """By value, the most parts in which a reader wants it."""
    load_tiles: Mapping[int, tuple[int, ...]]
    """By value that is loaded, what one window holds."""


def windows_of(graph: SectionGraph, tiled: Sequence[TiledStage], standing: Standing, tilings: StageTilings) -> Windows:
    """The windows of a section whose nodes are tiled as `tiled` says; what stands of its edges is kept."""
    parts = _WantedParts(graph, tiled, standing, tilings)
    wanted: dict[int, int] = {}
    for edge, tokens in zip(graph.edges, parts.tokens, strict=True):
        wanted[edge.value] = max(tokens, wanted.get(edge.value, 1))
    load_tiles = {value: parts.load_tile(value) for value, _ in graph.loads}
    tokens, handed = _HandOver(graph, standing, tilings, wanted, load_tiles).over(parts.tokens)
    part_bytes = tuple(max(1, -(-edge.bytes // count)) for edge, count in zip(graph.edges, tokens, strict=True))
    return Windows(tuple(tokens), tuple(handed), part_bytes, tuple(parts.hold), wanted, load_tiles)


class _WantedParts:
    """In how many parts every reader wants its tensor, whatever others want: `tokens` and `hold` by edge."""

    def __init__(
        self, graph: SectionGraph, tiled: Sequence[TiledStage], standing: Standing, tilings: StageTilings
    ) -> None:
        self.graph, self.tiled, self.standing, self.tilings = graph, tiled, standing, tilings
        self.load_loops: dict[int, Loops] = {}
        """By value that is loaded: the loops of its first reader."""
        pairs = [self._parts(edge) for edge in graph.edges]
        self.tokens = [tokens for tokens, _ in pairs]
        self.hold = [hold for _, hold in pairs]

    def load_tile(self, value: int) -> tuple[int, ...]:
        """What one window of a load holds: what its first reader takes at a time."""
        asked = self.standing.transfer(value, -1, False).tile
        if asked is not None:
            return asked
        return self.tilings.load_tile(self.graph.shapes.get(value, ()), self.load_loops.get(value, NO_LOOPS))

    def _parts(self, edge: Edge) -> tuple[int, int]:
        """The parts that a reader wants, and the loop depth at which it takes the next one."""
        if edge.target is None or edge.read is None:
            return self._stored_parts(edge), 0
        loops = self.tilings.reader_loops(self.tiled[edge.target].tiling, edge.read)
        tokens, hold = self.tilings.shared(self._maker_loops(edge, loops), loops)
        asked = self.standing.buffer(self.graph.place(edge)).tokens
        return (tokens if asked is None or tokens % asked else asked), hold

    def _stored_parts(self, edge: Edge) -> int:
        """Directly behind a stage a store takes every tile, behind a buffer all of the tensor."""
        if edge.source is None or edge.is_buffer:
            return 1
        return self.tilings.tokens(self.tilings.maker_loops(self.tiled[edge.source].tiling, edge.result))

    def _maker_loops(self, edge: Edge, reader: Loops) -> Loops:
        """The loops in which the tensor of an edge is made, or loaded."""
        if edge.source is None:
            return self.load_loops.setdefault(edge.value, reader)
        if self.graph.nodes[edge.source].stage.join:
            return NO_LOOPS
        return self.tilings.maker_loops(self.tiled[edge.source].tiling, edge.result)


class _HandOver:
    """In how many windows every tensor is handed over: counted at most once for each, after its maker's operands."""

    def __init__(
        self,
        graph: SectionGraph,
        standing: Standing,
        tilings: StageTilings,
        wanted: Mapping[int, int],
        load_tiles: Mapping[int, tuple[int, ...]],
    ) -> None:
        self.graph, self.standing, self.tilings = graph, standing, tilings
        self.wanted, self.load_tiles = wanted, load_tiles
        self.tokens: list[int] = []
        """Parts that the edges so far are read in."""
        self.counts: dict[int, int] = {}
        """Windows by value."""

    def over(self, wanted: Sequence[int]) -> tuple[list[int], list[int]]:
        """By edge, of which readers want `wanted` parts: parts that are read, and windows that are handed over."""
        handed: list[int] = []
        for edge, parts in zip(self.graph.edges, wanted, strict=True):
            count = self._windows(edge.value)
            handed.append(count)
            self.tokens.append(min(parts, count))
        return self.tokens, handed

    def _windows(self, value: int) -> int:
        if value not in self.counts:
            maker = self.graph.makers.get(value)
            self.counts[value] = self._of_load(value) if maker is None else self._of_stage(value, *maker)
        return self.counts[value]

    def _of_load(self, value: int) -> int:
        """The windows of a load; what is updated where it stands has none of its own."""
        if value not in self.load_tiles:
            return 1
        return self.tilings.load_windows(self.graph.shapes.get(value, ()), self.load_tiles[value])

    def _of_stage(self, value: int, maker: int, result: int) -> int:
        """As many windows as the reader wants that wants most; what only passes a tensor on adds none."""
        node = self.graph.nodes[maker]
        taken = {self.graph.edges[number].operand: self.tokens[number] for number in node.edges}
        if node.stage.join:
            return self._of_join(node, taken)
        asked = self.standing.windows.get(node.index)
        count = taken.get(node.stage.passes, 0) or (asked[result] if asked else self.wanted.get(value, 1))
        tied = node.stage.results[result].tied
        return max(count, self._windows(node.roots[tied])) if tied >= 0 else count

    def _of_join(self, node: Node, taken: Mapping[int, int]) -> int:
        """A join passes every operand on as it is read, or as it is written into the readers' buffers."""
        return max(taken[i] if i in taken else self._windows(root) for i, root in enumerate(node.roots))
