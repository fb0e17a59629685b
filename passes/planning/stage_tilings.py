"""What planning knows of a stage in a tiling, and of two neighbours: computed once, however many sections hold them.

    tilings = StageTilings(resources)
    tiling = tilings.tiling(stage, variant, grain)
    read = tilings.read(stage, 0, moves)
    tilings.shared(tilings.maker_loops(producer, 0), tilings.reader_loops(tiling, read))    # tokens, loop depth

Everything here is a function of its arguments alone. Stages, reads, tilings and loops compare by identity, so that a
look-up costs no more than a hash of addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, prod
from typing import ParamSpec, TypeVar, cast

from sambaflow.machine import Room, room_for
from sambaflow.passes.planning.access import LinearAccess, linearise
from sambaflow.passes.planning.facts import Operand, StageFacts, levels_through
from sambaflow.passes.planning.resources import Resources
from sambaflow.passes.planning.tiling import (
    Candidate,
    Tiling,
    Walk,
    footprint,
    result_access,
    shared_tokens,
    tile_stage,
)
from sambaflow.passes.planning.windows import load_tile, tiles

P = ParamSpec("P")
R = TypeVar("R")


def _memo(function: Callable[P, R]) -> Callable[P, R]:
    """`functools.cache` that keeps the types of the arguments."""
    return cast(Callable[P, R], cache(function))


@dataclass(frozen=True, eq=False)
class Read:
    """How the domain of a stage reads, for operand `number`, the tensor behind folded moves (the nearest first).

    `shape` is that tensor's and `tensor_bytes` its size; `bytes` is what the whole domain reads of it.
    """

    number: int
    operand: Operand
    access: LinearAccess
    shape: tuple[int, ...]
    bytes: int
    tensor_bytes: int


@dataclass(frozen=True, eq=False)
class Loops:
    """The loops of a tile grid through one tensor, outermost first: their positions in the order, and their walks."""

    positions: tuple[int, ...] = ()
    walks: tuple[Walk, ...] = ()

    def depth(self, used: int) -> int:
        """The loop depth at which a buffer is refilled of which the outer `used` loops take a part each."""
        return self.positions[used - 1] + 1 if used else 0


NO_LOOPS = Loops()


@dataclass(frozen=True, eq=False)
class TiledStage:
    """A stage in a tiling, with its choices of par factors: each tuple has a figure for every candidate.

    `cycles`: of all firings, descending; `intervals` between firings and `latencies` to the first result: picoseconds.
    """

    tiling: Tiling
    firings: int
    candidates: tuple[Candidate, ...]
    pcus: tuple[int, ...]
    cycles: tuple[int, ...]
    intervals: tuple[int, ...]
    latencies: tuple[int, ...]


class StageTilings:
    """Tilings, reads, loops and choices of stages on one machine, each computed at its first use."""

    def __init__(self, resources: Resources) -> None:
        self._machine, self._pcus = resources.machine, resources.budget.pcus
        self._tilings: dict[tuple[StageFacts, tuple[int, ...], tuple[int, ...]], Tiling] = {}
        self.result = _memo(result_access)
        self.read = _memo(self._read)
        self.tiling = _memo(self._tiling)
        self.tiled = _memo(self._tiled)
        self.reader_loops = _memo(self._reader_loops)
        self.maker_loops = _memo(self._maker_loops)
        self.shared = _memo(_shared)
        self.tokens = _memo(_tokens)
        self.load_tile = _memo(_load_tile)
        self.load_windows = _memo(self._load_windows)
        self.firing_bytes = _memo(_firing_bytes)
        self.ports = _memo(self._ports)
        self.room = _memo(self._room)

    def _read(self, stage: StageFacts, number: int, moves: tuple[StageFacts, ...]) -> Read:
        operand = stage.operands[number]
        access = linearise(levels_through(operand.level, moves), stage.extents, operand.num_symbols)
        tensor = moves[-1].operands[0] if moves else operand
        size = footprint(access, operand.elements, stage.extents) * operand.element_bytes
        return Read(number, operand, access, tensor.level.shape, size, tensor.elements * operand.element_bytes)

    def _tiling(self, stage: StageFacts, variant: int, grain: int) -> Tiling:
        """`tile_stage`; the same object for the same tiles, since grains often agree on them."""
        tiling = tile_stage(stage, variant, grain)
        return self._tilings.setdefault((stage, tiling.tile, tiling.order), tiling)

    def _tiled(self, tiling: Tiling, reads: tuple[Read | None, ...]) -> TiledStage:
        """`reads`: by operand, None for what no access pattern of the stage reads."""
        accesses = [None if read is None else read.access for read in reads]
        candidates = tiling.candidates(accesses, self._machine, self._pcus)
        firings, exchange = tiling.firings, tiling.stage.transfer_picoseconds
        interval = [ceil(exchange / firings) if exchange else self._machine.picoseconds(c.cycles) for c in candidates]
        return TiledStage(
            tiling,
            firings,
            candidates,
            pcus=tuple(c.pcus for c in candidates),
            cycles=tuple(firings * c.cycles for c in candidates),
            intervals=tuple(interval),
            latencies=tuple(self._machine.picoseconds(c.latency) for c in candidates),
        )

    def _reader_loops(self, tiling: Tiling, read: Read) -> Loops:
        """The loops that refill an operand's buffer: all that can, or those that the stage's mapping names."""
        walks, mapping = list(tiling.walks(read.access)), tiling.stage.mapping
        if mapping is not None and read.number < len(mapping.hold):
            walks = [(position, walk) for position, walk in walks if position < mapping.hold[read.number]]
        return _loops(walks)

    def _maker_loops(self, tiling: Tiling, result: int) -> Loops:
        """The loops in which a stage makes a result."""
        return _loops(list(tiling.walks(self.result(tiling.stage, result))))

    def _load_windows(self, shape: tuple[int, ...], tile: tuple[int, ...]) -> int:
        """In how many windows a tensor is loaded, `tile` of it at a time."""
        return tiles(shape or (1,), tile)

    def _ports(self, tiled: TiledStage, size: int) -> tuple[int, ...]:
        """By candidate, the PMU ports that `size` bytes need which every firing reads, within its interval."""
        port = self._machine.pmu.port_bytes
        return tuple(-(-size // (port * candidate.cycles)) for candidate in tiled.candidates)

    def _room(self, size: int, handed: int, tokens: int, depth: int) -> Room:
        return room_for(size, handed, tokens, depth, self._machine)


def _loops(walks: Sequence[tuple[int, Walk]]) -> Loops:
    return Loops(tuple(position for position, _ in walks), tuple(walk for _, walk in walks)) if walks else NO_LOOPS


def _shared(maker: Loops, reader: Loops) -> tuple[int, int]:
    """In how many parts a tensor that these loops make can be read by those, and the reader's loop depth of a part."""
    tokens, used = shared_tokens(maker.walks, reader.walks)
    return tokens, reader.depth(used)


def _tokens(loops: Loops) -> int:
    """The parts into which loops cut a tensor."""
    return prod(walk.count for walk in loops.walks)


def _load_tile(shape: tuple[int, ...], loops: Loops) -> tuple[int, ...]:
    """What one window of a load holds whose first reader takes it in these loops."""
    return load_tile(shape, _tokens(loops), loops.walks)


def _firing_bytes(tiling: Tiling, read: Read) -> int:
    """Bytes that one firing reads, at most."""
    return footprint(read.access, read.operand.elements, tiling.tile) * read.operand.element_bytes
