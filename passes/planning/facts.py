"""What planning knows of a stage, and what it decides about one: plain data, no IR.

Values are numbers: the same number is the same tensor. A stage that reads what another one makes is joined to it by
that number; a number that no stage of the section makes is a section argument and is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from xdsl.ir.affine import AffineDimExpr, AffineExpr

from sambaflow.dialects.kernel import Mapping
from sambaflow.dialects.kernel.affine import full_ranges, linear
from sambaflow.dialects.kernel.hints import NO_WISHES, Wishes
from sambaflow.machine import Demand, Shortfall
from sambaflow.passes.planning.access import Level


@dataclass(frozen=True, eq=False)
class Operand:
    """One input of a stage: which tensor, and where each domain point reads it.

    `in_place`: the stage does not load it (the table of a gather, the tensor that a tied result updates); it is
    off-chip when it is a section argument, else buffered whole. `loaded`: a load stands before it. `used`: the body
    reads it; the tensor that a tied result updates is often only that.
    """

    value: int
    level: Level
    element_bytes: int
    num_symbols: int = 0
    in_place: bool = False
    loaded: bool = False
    used: bool = True

    @property
    def elements(self) -> int:
        return prod(self.level.shape)


@dataclass(frozen=True, eq=False)
class Result:
    """One result of a stage: where each domain point writes it.

    `tied`: the input whose tensor it updates, or -1. `over`: the dimensions of the domain over which it is handed over,
    in blocks of shape `block`.
    """

    value: int
    coordinates: tuple[AffineExpr, ...]
    shape: tuple[int, ...]
    element_bytes: int
    num_symbols: int = 0
    tied: int = -1
    over: tuple[int, ...] = ()
    block: tuple[int, ...] = ()
    emitted_bytes: int = 0
    """Bytes of an element as it leaves the stage, where they differ from `element_bytes`: sums of a scatter are f32."""

    @property
    def bytes(self) -> int:
        return prod(self.shape) * self.element_bytes


@dataclass(frozen=True, eq=False)
class StageFacts:
    """One stage: its domain, operands, results and work.

    `mode` is that of a firing ("" for a stage that occupies no PCU: a move, a collective), `body` and `finish` the op
    classes of its instructions, `dtype` that of its operands.
    `fold`: a move that becomes part of its readers' access patterns; its own reads and writes then never happen.
    `join`: a move whose operands are written straight into its readers' buffers (concat).
    `transfer_picoseconds`: what a collective takes on the links.
    `passes`: the operand whose elements a stage that computes nothing passes on, or -1.
    """

    name: str
    extents: tuple[int, ...]
    kinds: tuple[str, ...]
    operands: tuple[Operand, ...]
    results: tuple[Result, ...]
    mode: str = "simd"
    body: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    dtype: str = "f32"
    fold: bool = False
    join: bool = False
    transfer_picoseconds: int = 0
    passes: int = -1
    split: tuple[int, ...] = ()
    wishes: Wishes = NO_WISHES
    mapping: Mapping | None = None
    """A mapping whose tile, order and hold stand."""
    par: tuple[int, ...] | None = None
    """Par factors that stand."""


@dataclass(frozen=True)
class StagePlan:
    """The decisions for one stage; `start` and `finish` are modelled picoseconds from the start of the section.

    `windows`: per result in how many it is handed over; none for a stage that only passes on what it reads.
    """

    tile: tuple[int, ...]
    par: tuple[int, ...]
    order: tuple[int, ...]
    hold: tuple[int, ...]
    windows: tuple[int, ...]
    pcus: int
    firings: int
    interval: int
    latency: int
    start: int
    finish: int


@dataclass(frozen=True)
class EdgePlan:
    """One buffer: operand `operand` of stage `target` (target -1: the section's result number `operand`).

    `source`: the stage that fills it, -1: a load. The tensor is read in `tokens` parts of `part_bytes`; its maker hands
    it over in `handed` windows, at least as many, of which `depth` fit, in `pmus` PMUs; one takes `banks` of them.
    """

    source: int
    value: int
    target: int
    operand: int
    tokens: int
    handed: int
    depth: int
    part_bytes: int
    pmus: int
    banks: int


@dataclass(frozen=True)
class TransferPlan:
    """A load (of an argument) or store (of a result): bytes moved in one execution, and the AGCUs that move them.

    `reader`: the stage that reads the tensor where it stands, -1: it is loaded for all that read it. `tile`: what one
    firing moves, of the tensor (a load) or of the domain that makes it (a store); a reader in place has its own.
    """

    value: int
    reader: int
    bytes: int
    store: bool
    tile: tuple[int, ...]
    agcus: int


@dataclass(frozen=True)
class SectionPlan:
    """What `plan` decided, or why it could not: `shortfalls` is empty iff the section fits.

    `stages[i]` is None for a folded move. `picoseconds` is the modelled time of one launch; `off_chip_bytes` what it
    loads and stores.
    """

    stages: tuple[StagePlan | None, ...]
    edges: tuple[EdgePlan, ...]
    transfers: tuple[TransferPlan, ...]
    demand: Demand
    picoseconds: int
    off_chip_bytes: int
    shortfalls: tuple[Shortfall, ...] = ()
    levers: tuple[str, ...] = field(default=())

    @property
    def feasible(self) -> bool:
        return not self.shortfalls

    def edge(self, target: int, operand: int) -> EdgePlan | None:
        """The buffer before operand `operand` of stage `target`."""
        return next((e for e in self.edges if (e.target, e.operand) == (target, operand)), None)


def made_by(stages: Sequence[StageFacts]) -> dict[int, tuple[int, int]]:
    """value -> (stage, result) that makes it."""
    return {result.value: (i, r) for i, stage in enumerate(stages) for r, result in enumerate(stage.results)}


def levels_through(level: Level, moves: Sequence[StageFacts]) -> list[Level]:
    """The tensors from an operand down to the one that its chain of folded moves (the nearest first) reads."""
    levels = [level]
    for move in moves:
        source = move.operands[0].level
        point = move_point(move, levels[-1].coordinates)
        coordinates = tuple(expr.replace_dims_and_symbols(point, ()) for expr in source.coordinates)
        levels.append(Level(coordinates, source.shape, source.pad))
    return levels


def move_point(move: StageFacts, coordinates: Sequence[AffineExpr]) -> tuple[AffineExpr, ...]:
    """The point of a move's domain that makes the element at `coordinates` of its result."""
    at = {e.position: i for i, e in enumerate(move.results[0].coordinates) if isinstance(e, AffineDimExpr)}
    zero = AffineExpr.constant(0)
    return tuple(coordinates[at[d]] if d in at else zero for d in range(len(move.extents)))


def placed(join: StageFacts, number: int) -> tuple[AffineExpr, ...] | None:
    """The point of a join's domain that reads the element (d0, d1, ...) of operand `number`; None unless every element
    has one such point, so that a write pattern puts it there. What has none is read through a buffer."""
    ranges = full_ranges(join.extents)
    point: list[AffineExpr | None] = [AffineExpr.constant(0) if extent == 1 else None for extent in join.extents]
    level = join.operands[number].level
    for position, (expr, size) in enumerate(zip(level.coordinates, level.shape, strict=True)):
        form = linear(expr, ranges)
        if form.symbols or form.terms or len(form.dims) > 1:
            return None
        if not form.dims:
            if size != 1 or form.constant:
                return None
            continue
        ((dim, factor),) = form.dims
        if factor not in (1, -1) or point[dim] is not None:
            return None
        point[dim] = (AffineExpr.dimension(position) - form.constant) * factor
    return None if any(expr is None for expr in point) else tuple(expr for expr in point if expr is not None)


def permutes(move: StageFacts) -> bool:
    """Whether a move's result map only orders its dimensions, so that `move_point` inverts it."""
    dims = [e.position for e in move.results[0].coordinates if isinstance(e, AffineDimExpr)]
    rest = [d for d in range(len(move.extents)) if d not in dims]
    plain = all(isinstance(e, AffineDimExpr) or size == 1 for e, size in _sized(move))
    return plain and len(set(dims)) == len(dims) and all(move.extents[d] == 1 for d in rest)


def _sized(move: StageFacts) -> list[tuple[AffineExpr, int]]:
    return list(zip(move.results[0].coordinates, move.results[0].shape, strict=True))
