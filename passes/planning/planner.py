"""The one function that decides how a section runs: tiles, par factors, buffers, and what they cost.

    plan(stages, live_out, resources) -> SectionPlan

`kernel-cut-sections` asks it about every interval that it considers; the passes after it replay its answer.

    par factors  exact bisection on the initiation interval: every stage takes the fewest PCUs that meet it. Because a
                 section of barriers is a serial chain, the split that minimises the sum of stage times under the same
                 budget (bisection on the price of a PCU) is tried too, and the shorter modelled time wins.
    buffers      an edge hands a tensor over in as many tokens as the producer's and the consumer's loops share; it
    holds
                 two windows, or as many as the consumer is late (reconvergent paths).
    weights      stream in with two windows, deeper while PMUs are left: what is loaded early does not wait later.
    time         fill + (n - 1) * interval + drain along the section's graph, with transfers beside it, in whole
                 picoseconds; stage costs are `machine.cost` of a firing and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import ceil, prod
from typing import NamedTuple, ParamSpec, TypeVar

from sambaflow.machine import (
    PICOSECONDS,
    Budget,
    Demand,
    Machine,
    Shortfall,
    agcu_bandwidth,
    agcu_counts,
    agcus_taken,
    efficiency,
    room_for,
    shared_agcus,
    shortfalls,
)
from sambaflow.machine.capacity import LEVERS
from sambaflow.passes.planning.access import LinearAccess, linearise
from sambaflow.passes.planning.balance import Choice, least_interval, least_sum
from sambaflow.passes.planning.facts import (
    EdgePlan,
    Operand,
    SectionPlan,
    StageFacts,
    StagePlan,
    TransferPlan,
    levels_through,
    made_by,
    placed,
)
from sambaflow.passes.planning.standing import NOTHING, Standing, StandingBuffer, StandingTransfer
from sambaflow.passes.planning.tiling import Candidate, Tiling, Walk, result_access, shared_tokens, tile_stage
from sambaflow.passes.planning.windows import load_tile, store_tile, tiles

P = ParamSpec("P")
R = TypeVar("R")

OPEN_TRANSFER, OPEN_BUFFER = StandingTransfer(), StandingBuffer()

GRAINS = (64, 16, 4)
"""Most firings of a stage along its parallel dimensions: fine tiles fill a pipeline, coarse ones feed more PCUs."""

CONFIG_BYTES = 1024
"""Configuration of one unit, for the estimate of a program load; the true size is known after rdu-finalize."""


@dataclass(frozen=True)
class Resources:
    """The machine and the part of it that one section may use; off-chip values stand in `tier`."""

    machine: Machine
    budget: Budget
    tier: str

    @staticmethod
    def of(machine: Machine, chips: int = 1, tiles: int | None = None) -> Resources:
        """The target's budget, with the machine's fastest tier."""
        return Resources(machine, machine.target(chips=chips, tiles=tiles), next(iter(machine.tiers)))


class Estimate(NamedTuple):
    """The modelled time of one launch of a section, and the bytes that it loads and stores."""

    picoseconds: int
    off_chip_bytes: int


def plan(
    stages: Sequence[StageFacts], live_out: Collection[int], resources: Resources, standing: Standing = NOTHING
) -> SectionPlan:
    """The plan of a section of `stages` (in topological order) that must store the values `live_out`.

    It keeps the decisions about its edges that stand.
    """
    return Planner(resources).plan(stages, live_out, standing)


class _Moved(NamedTuple):
    """A load or store: `TransferPlan` without its tile."""

    value: int
    reader: int
    bytes: int
    store: bool
    agcus: int


@dataclass(eq=False)
class _Edge:
    """A buffer that is being planned, before operand `operand` of node `target` (None: before a store).

    `source` None: a load; `after`: the scatter whose off-chip result it reads. `read`: bytes that one firing reads.
    """

    source: _Node | None
    value: int
    target: _Node | None
    operand: int
    bytes: int
    """Bytes that its reader reads of the tensor."""
    size: int
    """Bytes of the tensor, all of which are written."""
    tokens: int = 1
    handed: int = 1
    """Windows in which its maker hands the tensor over."""
    hold: int = 0
    depth: int = 1
    read: int = 0
    after: _Node | None = None
    window: int = 1
    """Bytes of one of the `tokens` parts that are read."""
    room: int = 1
    """PMUs that its `depth` parts take."""
    is_fixed: bool = False
    """Whether its PMUs are decided already."""
    through: bool = False
    """A store's: moves lie between."""


@dataclass(eq=False)
class _Node:
    """A stage of the section that is not folded away."""

    index: int
    stage: StageFacts
    tiling: Tiling
    candidates: tuple[Candidate, ...] = ()
    edges: list[_Edge] = field(default_factory=list[_Edge])
    times: list[int] = field(default_factory=list[int])
    """Cycles of all firings, by candidate."""
    paces: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Picoseconds between firings, and to the first result, by candidate."""
    choice: int = 0
    start: int = 0
    finish: int = 0
    interval: int = 0
    latency: int = 0


class Planner:
    """`plan` with a memory: what depends on one stage or on two neighbours alone is computed once."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.machine = resources.machine
        tier = self.machine.tiers[resources.tier]
        rate = resources.budget.tier_bandwidth[resources.tier] * efficiency(tier)
        self._picoseconds_per_mebibyte = ceil((1 << 20) * PICOSECONDS / rate)
        self.access = _memo(self._access)
        self.result = _memo(result_access)
        self.tiling = _memo(tile_stage)
        self.walks = _memo(lambda tiling, access: list(tiling.walks(access)))
        self.candidates = _memo(self._candidates)
        self.footprint = _memo(lambda tiling, access, elements: tiling.footprint(access, elements, tiling.tile))
        self.total = _memo(lambda tiling, access, elements: tiling.footprint(access, elements, tiling.stage.extents))

    def plan(
        self, stages: Sequence[StageFacts], live_out: Collection[int], standing: Standing = NOTHING
    ) -> SectionPlan:
        """See `sambaflow.passes.planning.planner.plan`."""
        return self._best(stages, live_out, standing).answer()

    def estimate(self, stages: Sequence[StageFacts], live_out: Collection[int]) -> Estimate | None:
        """What `plan` would say about time and traffic; None when the section does not fit."""
        best = self._best(stages, live_out)
        return Estimate(best.picoseconds(), best.off_chip_bytes()) if best.feasible else None

    def _best(self, stages: Sequence[StageFacts], live_out: Collection[int], standing: Standing = NOTHING) -> _Section:
        """The grain with the least time; where a heuristic asks for another loop order, that too."""
        plain = [0] * len(stages)
        asked = [int(stage.wishes.stream_largest) for stage in stages]
        starts = [plain] if asked == plain else [plain, asked]
        sections = [
            self._solved(stages, live_out, grain, list(start), standing) for start in starts for grain in GRAINS
        ]
        return min(sections, key=lambda section: (not section.feasible, section.time))

    def _solved(
        self,
        stages: Sequence[StageFacts],
        live_out: Collection[int],
        grain: int,
        variants: list[int],
        standing: Standing,
    ) -> _Section:
        while True:
            section = _Section(self, stages, live_out, variants, grain, standing)
            heaviest = None if section.solve() else section.heaviest_held(variants)
            if heaviest is None:
                return section
            variants[heaviest] = 1

    def transfer(self, size: int) -> int:
        """Picoseconds that the tier is busy with `size` bytes."""
        return -(-size * self._picoseconds_per_mebibyte >> 20)

    def _access(self, stage: StageFacts, operand: Operand, moves: tuple[StageFacts, ...]) -> LinearAccess:
        return linearise(levels_through(operand.level, moves), stage.extents, operand.num_symbols)

    def _candidates(
        self, tiling: Tiling, *inputs: LinearAccess | None
    ) -> tuple[tuple[Candidate, ...], list[int], list[tuple[int, int]]]:
        kept = tiling.candidates(inputs, self.machine, self.resources.budget.pcus)
        paces = [(self.machine.picoseconds(c.cycles), self.machine.picoseconds(c.latency)) for c in kept]
        return kept, [tiling.firings * c.cycles for c in kept], paces


def _memo(function: Callable[P, R]) -> Callable[P, R]:
    """Remember results by arguments (stages and accesses compare by identity, so a look-up is cheap)."""
    known: dict[object, R] = {}

    def remembered(*args: P.args, **kwargs: P.kwargs) -> R:
        if args not in known:
            known[args] = function(*args, **kwargs)
        return known[args]

    return remembered


class _Section:
    """One planning problem: the nodes and edges of a section, and the choice of a candidate for every node."""

    def __init__(
        self,
        planner: Planner,
        stages: Sequence[StageFacts],
        live_out: Collection[int],
        variants: Sequence[int],
        grain: int,
        standing: Standing,
    ) -> None:
        self.planner, self.standing = planner, standing
        self.stages = stages
        self.made = made_by(stages)
        self.nodes: dict[int, _Node] = {}
        self.off_chip: dict[int, _Node] = {}
        """Values that stand off-chip because a scatter updated them there, and the scatter."""
        self.leaders: dict[int, tuple[tuple[int, ...], list[Walk]]] = {}
        """The shape of a value that is loaded, and how its load walks through it: as its first reader does."""
        self.wanted: dict[int, int] = {}
        """The most windows in which a reader wants a value."""
        self.handed: dict[int, int] = {}
        """Windows in which a value is handed over."""
        self.loads: dict[tuple[int, int], int] = {}
        """Bytes by value and the stage that reads it where it stands (-1: it is loaded for all)."""
        self.stores: dict[int, int] = {}
        self.outputs: list[_Edge] = []
        self.output_of: dict[int, _Edge] = {}
        """The edge before the store of a value that leaves the section."""
        self.buffers: list[_Edge] = []
        self.exchanges = sum(stage.transfer_picoseconds > 0 for stage in stages)
        """Collectives: each takes an AGCU."""
        self.agcus = self.agcu_time = 0
        for index, stage in enumerate(stages):
            if not stage.fold:
                self._add_node(index, stage, variants[index], grain)
        self.live_out = sorted(live_out)
        for number, value in enumerate(self.live_out):
            self._add_output(number, value)

    # -- the graph ---------------------------------------------------------------------------------------------------

    def _root(self, value: int) -> tuple[int, tuple[StageFacts, ...]]:
        """The value behind folded moves, and the moves, the nearest to the reader first.

        Of what stands off the chip it is the smallest tensor on the way: a load reads only what a slice leaves.
        """
        values, moves = self._through(value)
        value = values[-1]
        if moves and (value not in self.made or value in self.off_chip):
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
        while value in self.made and (stage := self.stages[self.made[value][0]]).fold:
            moves.append(stage)
            value = stage.operands[0].value
            values.append(value)
        return values, moves

    def _add_node(self, index: int, stage: StageFacts, variant: int, grain: int) -> None:
        node = _Node(index, stage, self.planner.tiling(stage, variant, grain))
        self.nodes[index] = node
        inputs: list[LinearAccess | None] = []
        for number, operand in enumerate(stage.operands):
            value, moves = self._root(operand.value)
            inputs.append(self._add_edge(node, number, operand, value, moves))
        node.candidates, node.times, node.paces = self.planner.candidates(node.tiling, *inputs)
        for result in stage.results:
            if result.tied < 0 or stage.operands[result.tied].loaded:
                continue
            if self._is_off_chip(stage.operands[result.tied].value):
                self.off_chip[result.value] = node
                points = prod(e for e, kind in zip(stage.extents, stage.kinds, strict=True) if kind != "reduction")
                self.stores[result.value] = points * result.element_bytes

    def _is_off_chip(self, value: int) -> bool:
        return value in self.off_chip or self._maker(self._root(value)[0]) is None

    def _add_edge(
        self, node: _Node, number: int, operand: Operand, value: int, moves: tuple[StageFacts, ...]
    ) -> LinearAccess | None:
        if operand.in_place and self._is_off_chip(value):
            if not any(r.tied == number for r in node.stage.results):
                points = prod(node.stage.extents) * operand.element_bytes
                self.loads[value, node.index] = self.loads.get((value, node.index), 0) + points
            return None
        if not operand.used:
            self._load_whole(value, operand, moves)
            return None
        access = self.planner.access(node.stage, operand, moves)
        if self._is_written_through(node.stage, number, value, moves):
            self._load_whole(value, operand, moves)
            return access
        total = self.planner.total(node.tiling, access, operand.elements) * operand.element_bytes
        tensor = moves[-1].operands[0].elements if moves else operand.elements
        edge = self._edge(value, node, number, total, tensor * operand.element_bytes)
        walks = self._held_walks(node, number, self.planner.walks(node.tiling, access))
        if edge.source is not None:
            edge.tokens, used = self._shared(edge.source, value, [walk for _, walk in walks])
        elif self.leaders.get(value, ((), []))[1]:
            edge.tokens, used = shared_tokens(self.leaders[value][1], [walk for _, walk in walks])
        else:
            shape = moves[-1].operands[0].level.shape if moves else operand.level.shape
            self.leaders[value] = shape, [walk for _, walk in walks]
            edge.tokens, used = prod(walk.count for _, walk in walks), len(walks)
        edge.hold = walks[used - 1][0] + 1 if used else 0
        asked = self._buffer_at(edge).tokens
        if asked is not None and edge.tokens % asked == 0:
            edge.tokens = asked
        edge.read = self.planner.footprint(node.tiling, access, operand.elements) * operand.element_bytes
        node.edges.append(edge)
        return access

    def _held_walks(self, node: _Node, operand: int, walks: list[tuple[int, Walk]]) -> list[tuple[int, Walk]]:
        """The loops that refill an operand's buffer: all that can, or those that its mapping names."""
        mapping = node.stage.mapping
        if mapping is None or operand >= len(mapping.hold):
            return walks
        return [(position, walk) for position, walk in walks if position < mapping.hold[operand]]

    def _load_whole(self, value: int, operand: Operand, moves: Sequence[StageFacts]) -> None:
        """A tensor that is loaded for another buffer than one of this operand: nobody asks for parts of it."""
        if value in self.off_chip or self._maker(value) is None:
            loaded = moves[-1].operands[0] if moves else operand
            self.leaders.setdefault(value, (loaded.level.shape, []))
            self.loads[value, -1] = max(self.loads.get((value, -1), 0), loaded.elements * loaded.element_bytes)

    def _edge(self, value: int, target: _Node | None, operand: int, read: int, size: int) -> _Edge:
        after = self._updated(value)
        source = self._maker(value) if after is None else None
        if source is None:
            self.loads[value, -1] = max(self.loads.get((value, -1), 0), read)
        return _Edge(source, value, target, operand, read, size, after=after)

    def _updated(self, value: int) -> _Node | None:
        """The scatter that updates, off the chip, the tensor that a value is or is a slice of."""
        return self.off_chip.get(self._through(value)[0][-1])

    def _maker(self, value: int) -> _Node | None:
        """The node that makes a value; None for an argument and for what folded moves make of one."""
        return self.nodes.get(self.made[value][0]) if value in self.made else None

    def _shared(self, source: _Node, value: int, walks: Sequence[Walk]) -> tuple[int, int]:
        if source.stage.join or not walks:
            return 1, 0
        made = self.planner.result(source.stage, self.made[value][1])
        return shared_tokens([walk for _, walk in self.planner.walks(source.tiling, made)], walks)

    def _add_output(self, number: int, value: int) -> None:
        if value in self.off_chip:
            return
        index, result = self.made[value]
        made = self.stages[index].results[result]
        root, moves = self._root(value)
        self.stores[value] = made.bytes
        size = moves[-1].operands[0].elements * made.element_bytes if moves else made.bytes
        edge = self._edge(root, None, number, made.bytes, size)
        edge.through = bool(moves)
        if edge.source is None:
            self.leaders.setdefault(root, (moves[-1].operands[0].level.shape if moves else made.shape, []))
        if not moves and edge.source is not None and not self._is_assembled(root):
            walks = self.planner.walks(edge.source.tiling, self.planner.result(edge.source.stage, result))
            edge.tokens = prod(walk.count for _, walk in walks)
        self.outputs.append(edge)
        self.output_of[value] = edge

    # -- what stands -------------------------------------------------------------------------------------------------

    def _transfer_at(self, value: int, reader: int, store: bool) -> StandingTransfer:
        return self.standing.transfers.get((value, reader, store), OPEN_TRANSFER)

    def _buffer_at(self, edge: _Edge) -> StandingBuffer:
        key = (-1, self.live_out[edge.operand]) if edge.target is None else (edge.target.index, edge.operand)
        return self.standing.buffers.get(key, OPEN_BUFFER)

    # -- windows -----------------------------------------------------------------------------------------------------

    def _is_written_through(self, stage: StageFacts, operand: int, value: int, moves: Sequence[StageFacts]) -> bool:
        """Whether an operand of a join is written directly to the buffers of the join's readers."""
        return stage.join and not moves and not self._is_assembled(value) and placed(stage, operand) is not None

    def _is_assembled(self, value: int) -> bool:
        """Whether a tensor on the chip has several makers or gathered places: no one stream delivers it."""
        maker = self._maker(value) if value not in self.off_chip else None
        if maker is None:
            return False
        number = self.made[value][1]
        tied = maker.stage.results[number].tied >= 0
        return tied or maker.stage.join or any(self.planner.result(maker.stage, number).symbols)

    def _hand_over(self) -> None:
        """In how many windows every tensor is handed over; what a stage makes is not read in more parts."""
        edges = [*(edge for node in self.nodes.values() for edge in node.edges), *self.outputs]
        for edge in edges:
            self.wanted[edge.value] = max(edge.tokens, self.wanted.get(edge.value, 1))
        for edge in edges:
            edge.handed = self._handed(edge.value)
            if edge.source is not None:
                edge.tokens = min(edge.tokens, edge.handed)

    def _handed(self, value: int) -> int:
        """As many windows as the reader wants that wants most; what only passes a tensor on adds none."""
        if value not in self.handed:
            maker = self._maker(value) if value not in self.off_chip else None
            if maker is None:
                shape, _ = self.leaders.get(value, ((), []))
                self.handed[value] = tiles(shape or (1,), self._load_tile(value))
            else:
                self.handed[value] = self._made_windows(maker, value)
        return self.handed[value]

    def _load_tile(self, value: int) -> tuple[int, ...]:
        asked = self._transfer_at(value, -1, False).tile
        if asked is not None:
            return asked
        shape, walks = self.leaders.get(value, ((), []))
        return load_tile(shape, prod(walk.count for walk in walks), walks)

    def _made_windows(self, maker: _Node, value: int) -> int:
        stage = maker.stage
        taken = {edge.operand: edge.tokens for edge in maker.edges}
        if stage.join:
            roots = [self._root(operand.value)[0] for operand in stage.operands]
            return max(taken[i] if i in taken else self._handed(root) for i, root in enumerate(roots))
        number = self.made[value][1]
        asked = self.standing.windows.get(maker.index)
        found = taken.get(stage.passes, 0) or (asked[number] if asked else self.wanted.get(value, 1))
        tied = stage.results[number].tied
        if tied >= 0:
            found = max(found, self._handed(self._root(stage.operands[tied].value)[0]))
        return found

    # -- choices -----------------------------------------------------------------------------------------------------

    def solve(self) -> bool:
        """Choose par factors and depths; False when even the smallest choice does not fit."""
        nodes = list(self.nodes.values())
        self.buffers = self._edges()
        self._hand_over()
        for edge in (*self.buffers, *self.outputs):
            edge.window = max(1, -(-edge.bytes // edge.tokens))
            self._set_depth(edge, 2 if edge.tokens > 1 else 1)
        times = [node.times for node in nodes]
        self.time = 0
        moved = self._moved()
        self.agcus = agcus_taken([*(move.agcus for move in moved), *[1] * self.exchanges], self._budget.agcus)
        self.agcu_time = self._agcu_time(moved)
        choice = least_interval(times, self._fits) if self.agcus <= self._budget.agcus else None
        self.feasible = choice is not None
        if choice is not None:
            time = self._schedule(choice)
            other = least_sum(times, [[c.pcus for c in node.candidates] for node in nodes], self._fits)
            if other is None or self._schedule(other) >= time:
                self._schedule(choice)
            self.feasible = self._deepen()
            self.time = self._schedule()
        else:
            self._take([0] * len(nodes))
        return self.feasible

    @property
    def _budget(self) -> Budget:
        return self.planner.resources.budget

    def _agcu_time(self, moved: Sequence[_Moved]) -> int:
        """Picoseconds that the busiest shared AGCU carries loads and stores; 0 when none is shared."""
        if len(moved) + self.exchanges <= self._budget.agcus:
            return 0
        single = [move.bytes for move in moved if move.agcus == 1]
        left = self._budget.agcus - sum(move.agcus for move in moved if move.agcus > 1)
        carried = [0] * max(1, left)
        for size, agcu in zip(single, shared_agcus(single, len(carried)), strict=True):
            carried[agcu] += size
        return ceil(max(carried) * PICOSECONDS / agcu_bandwidth(self.planner.machine, self.planner.resources.tier))

    def heaviest_held(self, variants: Sequence[int]) -> int | None:
        """The stage that would profit most from letting its largest operand flow: the one that holds the most bytes."""
        held = [
            (max((e.window for e in node.edges), default=0), -node.index)
            for node in self.nodes.values()
            if not variants[node.index] and node.stage.mode
        ]
        size, index = max(held, default=(0, 0))
        return -index if size > self.planner.resources.budget.pmu_bytes else None

    def _edges(self) -> list[_Edge]:
        """Every edge that takes PMUs."""
        edges = [edge for node in self.nodes.values() for edge in node.edges]
        return edges + [edge for edge in self.outputs if self._is_buffered(edge)]

    def _is_buffered(self, edge: _Edge) -> bool:
        """A store takes a stage's result as it comes, unless a move lies between, or it is assembled or just loaded."""
        return edge.target is not None or edge.source is None or edge.through or self._is_assembled(edge.value)

    def _take(self, choice: Choice) -> None:
        for node, number in zip(self.nodes.values(), choice, strict=True):
            node.choice = number

    def _fits(self, choice: Choice) -> bool:
        self._take(choice)
        budget = self.planner.resources.budget
        if sum(node.candidates[node.choice].pcus for node in self.nodes.values()) > budget.pcus:
            return False
        return self._pmus() <= budget.pmus

    def _set_depth(self, edge: _Edge, depth: int) -> None:
        asked = self._buffer_at(edge)
        if asked.depth is not None:  # in windows, here it is parts
            depth = max(1, asked.depth * edge.tokens // edge.handed)
        edge.depth = depth
        edge.room = room_for(edge.size, edge.handed, edge.tokens, depth, self.planner.machine).pmus
        if asked.pmus is not None:  # fewer than its reader could use are slow, not wrong
            edge.room, edge.is_fixed = max(edge.room, asked.pmus), True

    def _pmus(self) -> int:
        """PMUs of all buffers: enough for their bytes, and enough ports for what a firing reads in its interval."""
        total = 0
        port = self.planner.machine.pmu.port_bytes
        for edge in self.buffers:
            ports, target = 1, edge.target
            if target is not None and edge.read > port and not edge.is_fixed:
                ports = -(-edge.read // (port * target.candidates[target.choice].cycles))
            total += edge.room if edge.room > ports else ports
        return total

    def _pmus_of(self, edge: _Edge) -> int:
        ports = 1
        if edge.target is not None and not edge.is_fixed:
            cycles = edge.target.candidates[edge.target.choice].cycles
            ports = -(-edge.read // (self.planner.machine.pmu.port_bytes * cycles))
        return max(edge.room, ports)

    def _deepen(self) -> bool:
        """Buffers as deep as their reader is late; then weights as deep as PMUs are left. False: does not fit."""
        for edge in self.buffers:
            source, target = edge.source, edge.target
            if source is None or target is None or edge.tokens == 1:
                continue
            pace = max(1, source.tiling.firings * source.interval // edge.tokens)
            self._set_depth(edge, min(edge.tokens, 2 + max(0, target.start - source.start) // pace))
        left = self.planner.resources.budget.pmus - self._pmus()
        if left < 0 and all(node.stage.mapping is not None for node in self.nodes.values()):
            left = self._flatten(left)
        if left < 0:
            return False
        weights = [edge for edge in self.buffers if edge.source is None and edge.tokens > 2]
        for edge in sorted(weights, key=lambda edge: edge.bytes):
            shallow, before = edge.depth, self._pmus_of(edge)
            self._set_depth(edge, edge.tokens)
            if (more := self._pmus_of(edge) - before) > left:
                self._set_depth(edge, shallow)
            else:
                left -= more
        return True

    def _flatten(self, left: int) -> int:
        """A section whose tiles are decided is not cut again: its deepest buffers give up windows that keep the pace.
        The PMUs that are left then."""
        for edge in sorted(self.buffers, key=lambda edge: -edge.room):
            if left >= 0:
                break
            before = self._pmus_of(edge)
            self._set_depth(edge, min(edge.depth, 2))
            left += before - self._pmus_of(edge)
        return left

    # -- time --------------------------------------------------------------------------------------------------------

    def _schedule(self, choice: Choice | None = None) -> int:
        """Start and finish of every node (with a choice); the section's picoseconds without launch and program load."""
        planner = self.planner
        if choice is not None:
            self._take(choice)
        memory = 0
        loaded: set[int] = set()
        for node in self.nodes.values():
            node.interval, node.latency = node.paces[node.choice]
            if node.stage.transfer_picoseconds:
                node.interval = ceil(node.stage.transfer_picoseconds / node.tiling.firings)
            work = node.tiling.firings * node.interval
            start = 0
            streams: list[int] = []
            for edge in node.edges:
                if edge.source is not None:
                    source = edge.source
                    start = max(start, source.start + source.latency + self._share(source, edge.tokens))
                    continue
                ready = edge.after.finish if edge.after else 0
                if edge.value in loaded:
                    start = max(start, ready + memory)
                    continue
                loaded.add(edge.value)
                early = min(edge.tokens, edge.depth) * edge.window
                start = max(start, ready + memory + planner.transfer(edge.window))
                memory += planner.transfer(early)
                if early < edge.bytes:
                    streams.append(planner.transfer(edge.bytes - early))
            node.start = start
            node.finish = start + node.latency + work
            for edge in node.edges:
                if edge.source is not None:
                    node.finish = max(node.finish, edge.source.finish + work // edge.tokens)
            if streams:
                node.finish = max(node.finish, max(memory, start) + sum(streams))
        finish = max((node.finish for node in self.nodes.values()), default=0)
        drain = max((planner.transfer(edge.window) for edge in self.outputs), default=0)
        return max(finish + drain, planner.transfer(self.off_chip_bytes()), self.agcu_time)

    def _share(self, source: _Node, tokens: int) -> int:
        """Until the source's first token is complete."""
        return -(-source.tiling.firings // tokens) * source.interval

    def off_chip_bytes(self) -> int:
        """Bytes loaded and stored in one launch."""
        return sum(self.loads.values()) + sum(self.stores.values())

    # -- the answer --------------------------------------------------------------------------------------------------

    def picoseconds(self) -> int:
        """The modelled time with launch and program load."""
        machine, budget = self.planner.machine, self.planner.resources.budget
        demand = self._demand()
        units = demand.pcus + demand.pmus + demand.agcus
        load = ceil(units * CONFIG_BYTES / (machine.agcu.port_bytes * budget.agcus))
        return self.time + ceil(machine.launch.hardware * PICOSECONDS) + machine.picoseconds(load)

    def _demand(self) -> Demand:
        pcus = sum(node.candidates[node.choice].pcus for node in self.nodes.values())
        return Demand(pcus, self._pmus(), self.agcus)

    def answer(self) -> SectionPlan:
        """The plan as data."""
        demand = self._demand()
        short = () if self.feasible else shortfalls(demand, self.planner.resources.budget)
        if not self.feasible and not short:  # only the deeper buffers did not fit
            short = (Shortfall("PMUs", demand.pmus, self.planner.resources.budget.pmus),)
        return SectionPlan(
            stages=tuple(self._stage_plan(index) for index in range(len(self.stages))),
            edges=tuple(self._edge_plan(edge) for edge in self.buffers),
            transfers=self._transfers(),
            demand=demand,
            picoseconds=self.picoseconds() if self.feasible else 0,
            off_chip_bytes=self.off_chip_bytes(),
            shortfalls=short,
            levers=tuple(LEVERS[row.resource] for row in short),
        )

    def _moved(self) -> list[_Moved]:
        """What is loaded and stored, with the AGCUs that do it."""
        rows = [(value, reader, size, False) for (value, reader), size in self.loads.items()]
        rows += [(value, -1, size, True) for value, size in self.stores.items()]
        asked = [self._transfer_at(value, reader, store).agcus for value, reader, _, store in rows]
        counts = agcu_counts([size for _, _, size, _ in rows], self.exchanges, self._budget.agcus, asked)
        return [_Moved(*row, count) for row, count in zip(rows, counts, strict=True)]

    def _transfers(self) -> tuple[TransferPlan, ...]:
        return tuple(
            TransferPlan(
                move.value, move.reader, move.bytes, move.store,
                self._store_tile(move.value) if move.store else self._load_tile(move.value), move.agcus,
            )
            for move in self._moved()
        )  # fmt: skip

    def _store_tile(self, value: int) -> tuple[int, ...]:
        """What one firing stores: as the stage makes it, or the whole tensor from a buffer."""
        asked = self._transfer_at(value, -1, True).tile
        if asked is not None:
            return asked
        if value in self.off_chip:
            return self.off_chip[value].tiling.tile or (1,)
        index, result = self.made[value]
        if self._is_buffered(self.output_of[value]) or index not in self.nodes:
            return self.stages[index].results[result].shape or (1,)
        return store_tile(self.stages[index], result, self.nodes[index].tiling.tile)

    def _stage_plan(self, index: int) -> StagePlan | None:
        node = self.nodes.get(index)
        if node is None:
            return None
        chosen = node.candidates[node.choice]
        hold = [0] * len(node.stage.operands)
        for edge in node.edges:
            hold[edge.operand] = edge.hold
        tiling = node.tiling
        return StagePlan(
            tiling.tile, chosen.par, tiling.order, tuple(hold), self._windows(node), chosen.pcus, tiling.firings,
            node.interval, node.latency, node.start, node.finish,
        )  # fmt: skip

    def _windows(self, node: _Node) -> tuple[int, ...]:
        """Per result of a stage that makes a stream the windows in which it leaves: as many as one of its readers
        wants."""
        stage = node.stage
        if stage.join or any(edge.operand == stage.passes for edge in node.edges):
            return ()
        if node.index in self.standing.windows:
            return self.standing.windows[node.index]
        return tuple(self.wanted.get(result.value, 1) for result in stage.results)

    def _edge_plan(self, edge: _Edge) -> EdgePlan:
        source = edge.source.index if edge.source else -1
        target = edge.target.index if edge.target else -1
        room = room_for(edge.size, edge.handed, edge.tokens, edge.depth, self.planner.machine)
        return EdgePlan(
            source, edge.value, target, edge.operand, edge.tokens, edge.handed,
            self._buffer_at(edge).depth or room.depth, edge.window, self._pmus_of(edge), room.banks,
        )  # fmt: skip
