"""Who makes what and who reads it in a section: stages that run are nodes, buffers and direct stores are edges.

    %0 = load      %1 = load                      node 0  contract       edge 0  load      -> node 0, operand 0
      |              |                            node 1  map            edge 1  load      -> node 0, operand 1
    contract ------- '        ->                                         edge 2  node 0    -> node 1, operand 0
      |                                                                  edge 3  node 1    -> store of output 0
    map -> store

Folded moves are neither: an edge leads from the tensor behind them, and its reader's access pattern goes through them.
Nothing here depends on tiles, par factors or the machine, so one graph serves every tiling that is tried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple

from sambaflow.passes.planning.facts import Operand, StageFacts, made_by, placed
from sambaflow.passes.planning.stage_tilings import Read, StageTilings


class Edge(NamedTuple):
    """A buffer before operand `operand` of node `target`, or (target None) the way to the store of output `operand`.

    `source` makes the tensor `value`, as its result `result`. None: it is loaded, once node `after` has updated it
    where it stands. `bytes` are read of the tensor, and all its `tensor_bytes` are written.
    """

    value: int
    source: int | None
    result: int
    after: int | None
    target: int | None
    operand: int
    bytes: int
    tensor_bytes: int
    read: Read | None
    """The reader's; a store has none."""
    is_buffer: bool = True
    """Whether it takes PMUs: a store takes a stage's result as it comes, unless a move lies between, or it is assembled
    or just loaded."""


@dataclass(frozen=True, eq=False)
class Node:
    """A stage that is not folded away. By operand: `roots`, the tensors behind folded moves, and `reads`, None for what
    no access pattern reads. `edges`: the numbers of the edges before its operands."""

    index: int
    stage: StageFacts
    roots: tuple[int, ...]
    reads: tuple[Read | None, ...]
    edges: range


@dataclass(frozen=True, eq=False)
class SectionGraph:
    """A section of `stages` that stores `outputs`. Nodes are in topological order; nodes and edges go by number.

    `producers`: by value the stage and its result, folded moves included; `makers`: the node and result that make a
    tensor on the chip. `updated`: tensors that stand off the chip because a scatter updated them there, and its node.
    `loads`: bytes by value and the stage that reads it where it stands (-1: it is loaded for all that read it);
    `stores`: bytes by value. `shapes`: of what is loaded for all.
    """

    stages: Sequence[StageFacts]
    outputs: tuple[int, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    producers: Mapping[int, tuple[int, int]]
    makers: Mapping[int, tuple[int, int]]
    updated: Mapping[int, int]
    loads: Mapping[tuple[int, int], int]
    stores: Mapping[int, int]
    shapes: Mapping[int, tuple[int, ...]]

    @cached_property
    def buffers(self) -> tuple[int, ...]:
        """The edges that take PMUs."""
        return tuple(number for number, edge in enumerate(self.edges) if edge.is_buffer)

    @cached_property
    def store_edges(self) -> range:
        """The edges before stores."""
        return range(self.nodes[-1].edges.stop if self.nodes else 0, len(self.edges))

    @cached_property
    def exchanges(self) -> int:
        """Collectives: each takes an AGCU."""
        return sum(stage.transfer_picoseconds > 0 for stage in self.stages)

    @cached_property
    def off_chip_bytes(self) -> int:
        """Bytes loaded and stored in one launch."""
        return sum(self.loads.values()) + sum(self.stores.values())

    def place(self, edge: Edge) -> tuple[int, int]:
        """The stage and operand that an edge leads to; of a store -1 and the value that is stored."""
        if edge.target is None:
            return -1, self.outputs[edge.operand]
        return self.nodes[edge.target].index, edge.operand


def section_graph(stages: Sequence[StageFacts], live_out: Collection[int], tilings: StageTilings) -> SectionGraph:
    """The graph of a section of `stages` (in topological order) that must store the values `live_out`."""
    builder = _Builder(stages, tilings)
    for index, stage in enumerate(stages):
        if not stage.fold:
            builder.add_node(index, stage)
    outputs = tuple(sorted(live_out))
    for number, value in enumerate(outputs):
        builder.add_output(number, value)
    return builder.graph(outputs)


class _Builder:
    """Reads stage after stage; what a stage finds out about its tensors its readers go by."""

    def __init__(self, stages: Sequence[StageFacts], tilings: StageTilings) -> None:
        self.stages, self.tilings = stages, tilings
        self.producers = made_by(stages)
        """By value: the stage and its result, folded moves included."""
        self.numbers: dict[int, int] = {}
        """The nodes of stages."""
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.updated: dict[int, int] = {}
        self.loads: dict[tuple[int, int], int] = {}
        self.stores: dict[int, int] = {}
        self.shapes: dict[int, tuple[int, ...]] = {}

    def graph(self, outputs: tuple[int, ...]) -> SectionGraph:
        makers = {
            value: (self.numbers[index], result)
            for value, (index, result) in self.producers.items()
            if index in self.numbers and value not in self.updated
        }
        return SectionGraph(
            self.stages, outputs, tuple(self.nodes), tuple(self.edges), self.producers, makers, self.updated,
            self.loads, self.stores, self.shapes,
        )  # fmt: skip

    def add_node(self, index: int, stage: StageFacts) -> None:
        number, first = len(self.nodes), len(self.edges)
        roots = tuple(self._root(operand.value) for operand in stage.operands)
        reads = tuple(
            self._add_operand(number, index, stage, operand, value, moves)
            for operand, (value, moves) in enumerate(roots)
        )
        node = Node(index, stage, tuple(value for value, _ in roots), reads, range(first, len(self.edges)))
        self.nodes.append(node)
        self.numbers[index] = number
        for result in stage.results:
            if result.tied < 0 or stage.operands[result.tied].loaded:
                continue
            if self._is_off_chip(stage.operands[result.tied].value):
                points = prod(e for e, kind in zip(stage.extents, stage.kinds, strict=True) if kind != "reduction")
                self.updated[result.value] = number
                self.stores[result.value] = points * result.element_bytes

    def _add_operand(
        self, node: int, index: int, stage: StageFacts, operand: int, value: int, moves: tuple[StageFacts, ...]
    ) -> Read | None:
        """The edge before an operand that has a buffer, and the bytes that are loaded for it; how it is read."""
        facts = stage.operands[operand]
        if facts.in_place and self._is_off_chip(value):
            if all(result.tied != operand for result in stage.results):
                points = prod(stage.extents) * facts.element_bytes
                self.loads[value, index] = self.loads.get((value, index), 0) + points
            return None
        if not facts.used:
            self._load_whole(value, facts, moves)
            return None
        read = self.tilings.read(stage, operand, moves)
        if self._is_written_through(stage, operand, value, moves):
            self._load_whole(value, facts, moves)
        else:
            self._add_edge(value, node, operand, read.bytes, read.tensor_bytes, read.shape, read)
        return read

    def add_output(self, number: int, value: int) -> None:
        """The edge before the store of a value; what a scatter has updated off the chip needs none."""
        if value in self.updated:
            return
        index, result = self.producers[value]
        facts = self.stages[index].results[result]
        root, moves = self._root(value)
        self.stores[value] = facts.bytes
        size, shape = facts.bytes, facts.shape
        if moves:
            behind = moves[-1].operands[0]
            size, shape = behind.elements * facts.element_bytes, behind.level.shape
        is_buffer = bool(moves) or self._is_assembled(root)
        self._add_edge(root, None, number, facts.bytes, size, shape, is_buffer=is_buffer)

    def _add_edge(
        self, value: int, target: int | None, operand: int, read_bytes: int, tensor_bytes: int, shape: tuple[int, ...],
        read: Read | None = None, *, is_buffer: bool = True,
    ) -> None:  # fmt: skip
        after = self._updated(value)
        source = self._maker(value) if after is None else None
        if source is None:
            self.loads[value, -1] = max(self.loads.get((value, -1), 0), tensor_bytes)
            self.shapes.setdefault(value, shape)
        result = self.producers[value][1] if source is not None else -1
        self.edges.append(
            Edge(
                value,
                source,
                result,
                after,
                target,
                operand,
                read_bytes,
                tensor_bytes,
                read,
                is_buffer or source is None,
            )
        )

    def _load_whole(self, value: int, operand: Operand, moves: Sequence[StageFacts]) -> None:
        """A tensor that is loaded for another buffer than one of this operand: nobody asks for parts of it."""
        if value in self.updated or self._maker(value) is None:
            tensor = moves[-1].operands[0] if moves else operand
            self.shapes.setdefault(value, tensor.level.shape)
            self.loads[value, -1] = max(self.loads.get((value, -1), 0), tensor.elements * tensor.element_bytes)

    # -- tensors -----------------------------------------------------------------------------------------------------

    def _root(self, value: int) -> tuple[int, tuple[StageFacts, ...]]:
        """The value behind folded moves, and the moves, the nearest to the reader first.

        Of what stands off the chip it is the smallest tensor on the way: a load reads only what a slice leaves.
        """
        values, moves = self._through(value)
        value = values[-1]
        if moves and (value not in self.producers or value in self.updated):
            sizes = [*(prod(move.results[0].shape) for move in moves), moves[-1].operands[0].elements]
            at = max(i for i, size in enumerate(sizes) if all(size <= later for later in sizes[i:]))
            while at and sizes[at - 1] < sizes[at]:
                at -= 1
            return values[at], tuple(moves[:at])
        return value, tuple(moves)

    def _through(self, value: int) -> tuple[list[int], list[StageFacts]]:
        """A value and those behind it, through folded moves, and these moves: the nearest to the reader first."""
        moves: list[StageFacts] = []
        values = [value]
        while value in self.producers and (stage := self.stages[self.producers[value][0]]).fold:
            moves.append(stage)
            value = stage.operands[0].value
            values.append(value)
        return values, moves

    def _maker(self, value: int) -> int | None:
        """The node that makes a value; None for an argument and for what folded moves make of one."""
        return self.numbers.get(self.producers[value][0]) if value in self.producers else None

    def _updated(self, value: int) -> int | None:
        """The scatter that updates, off the chip, the tensor that a value is or is a slice of."""
        return self.updated.get(self._through(value)[0][-1]) if self.updated else None

    def _is_off_chip(self, value: int) -> bool:
        return value in self.updated or self._maker(self._root(value)[0]) is None

    def _is_assembled(self, value: int) -> bool:
        """Whether a tensor on the chip has several makers or gathered places: no one stream delivers it."""
        maker = self._maker(value) if value not in self.updated else None
        if maker is None:
            return False
        stage, result = self.nodes[maker].stage, self.producers[value][1]
        return stage.join or stage.results[result].tied >= 0 or any(self.tilings.result(stage, result).symbols)

    def _is_written_through(self, stage: StageFacts, operand: int, value: int, moves: Sequence[StageFacts]) -> bool:
        """Whether an operand of a join is written directly to the buffers of the join's readers."""
        return stage.join and not moves and not self._is_assembled(value) and placed(stage, operand) is not None
