"""The three ways in which two kernel stages become one; see `kernel_fuse_stages.py` for when.

Each function looks at a pair and returns the stage that replaced it, or None when the pair does not fit together. A
stage is rebuilt from its reads (operand, map, pad, type of the body's argument) and from regions whose ops are copied
one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TypeGuard, cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    FusedLoc,
    IntegerAttr,
    LocationAttr,
    NoneAttr,
    UnknownLoc,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.affine import full_ranges, interval, linear
from sambaflow.dialects.kernel.analysis import (
    is_elementwise,
    multiply_accumulate,
    nested_stages,
    op_classes,
)
from sambaflow.dialects.kernel.origin import mark_operators, operators_of
from sambaflow.dialects.kernel.stage import dense

Expressions = Sequence[AffineExpr]
ZERO = AffineExpr.constant(0)


@dataclass(frozen=True)
class Read:
    """One input of a stage."""

    value: SSAValue
    map: AffineMap
    pad: Attribute | None
    type: Attribute


@dataclass
class Reads:
    """The inputs of the stage that is being made; equal ones are kept once."""

    items: list[Read] = field(default_factory=list[Read])

    def add(self, read: Read) -> int:
        """The number of the input."""
        if read not in self.items:
            self.items.append(read)
        return self.items.index(read)


def reads_of(stage: kernel.Stage) -> list[Read]:
    """The inputs of a stage that has a body."""
    types = [argument.type for argument in stage.body.block.args]
    fields = zip(stage.operands, stage.input_maps, stage.pad_constants, types, strict=False)
    return [Read(*parts) for parts in fields]


# ---- moves


def fold_move(stage: kernel.Stage, number: int, move: kernel.Stage) -> kernel.Stage | None:
    """`stage` reading what `move` reads: its map composed with the move's."""
    if (
        not isinstance(move, kernel.MoveOp)
        or len(move.operands) != 1
        or move.bound_inputs
        or move.predicate is not None
    ):
        return None
    if isinstance(stage, kernel.SortOp) or not stage.RULES.local:
        return None
    if stage.input_blocks[number] or number in stage.tied_inputs:
        return None
    access = stage.input_maps[number]
    points = _points_of(move, 0)
    if points is None or not _folds_here(stage, number, access, move):
        return None
    composed = _composed(stage, move.input_maps[0], points, access)
    if any(linear(expr).terms for expr in composed.results):
        return None
    own = stage.pad_constants[number]
    pad = move.pad_constants[0] if own is None else own
    return _with_read(stage, number, move.operands[0], composed, pad)


def _folds_here(stage: kernel.Stage, number: int, access: AffineMap, move: kernel.MoveOp) -> bool:
    """Whether no read changes its meaning: those that leave the move's result, and those that choose the first
    operand."""
    if _permutes(move):
        return True
    if not _in_range(access, stage.extents, move.results[0].type):
        return False
    chooses = isinstance(stage, kernel.MoveOp) and len(stage.operands) > 1
    inner = _in_range(move.input_maps[0], move.extents, move.operands[0].type)
    return inner or (not chooses and stage.pad_constants[number] is None)


def _permutes(move: kernel.MoveOp) -> bool:
    """Whether every element goes to one place of the same index up to order."""
    source, target = move.input_types[0].get_shape(), move.output_types[0].get_shape()
    maps = (move.input_maps[0], move.result_maps[0])
    return sorted(source) == sorted(target) and all(
        m.is_projected_permutation() and len(m.results) == m.num_dims for m in maps
    )


def _with_read(
    stage: kernel.Stage, number: int, value: SSAValue, access: AffineMap, pad: Attribute | None
) -> kernel.Stage:
    """The same op, changed in place, with another input `number`."""
    maps, pads = list(stage.maps.data), list(stage.pad_constants)
    maps[number], pads[number] = AffineMapAttr(access), pad
    stage.maps = ArrayAttr(maps)
    stage.pads = kernel.pad_array(pads)
    stage.operands[number] = value
    return stage


# ---- a map joins the stage behind it


def join_producer(stage: kernel.Stage, number: int, producer: kernel.Stage, limit: int) -> kernel.Stage | None:
    """`stage` with the producer's body in front of its own, for the input `number` (and its equals)."""
    if not _is_map(producer) or not stage.RULES.body or nested_stages(stage):
        return None
    value = stage.operands[number]
    places = [i for i, operand in enumerate(stage.operands) if operand is value]
    access = stage.input_maps[number]
    if any(stage.input_maps[i] != access or stage.input_blocks[i] or i in stage.tied_inputs for i in places):
        return None
    if any(i in stage.bound_inputs for i in places) or not _in_range(access, stage.extents, value.type):
        return None
    if any(used_symbols for used_symbols in (linear(e).symbols for e in access.results)):
        return None
    result = cast(OpResult, value).index
    points = _points_of(producer, result)
    if points is None or not _may_join(stage, places, producer, value):
        return None
    indices = _index_dims(producer, access, points)
    if indices is None:
        return None
    reads = Reads()
    own: dict[int, int] = {}
    theirs: list[int] = []
    for i, read in enumerate(reads_of(stage)):
        if i not in places:
            own[i] = reads.add(read)
        elif i == places[0]:
            inner = (replace(r, map=_composed(stage, r.map, points, access)) for r in reads_of(producer))
            theirs = [reads.add(r) for r in inner]
    if len(reads.items) > limit:
        return None

    def fill(draft: Draft, region: Region) -> Sequence[SSAValue]:
        arguments = draft.arguments(region, own)
        if any(region.block.args[i].first_use is not None for i in places):
            inner = draft.arguments(producer.body, dict(enumerate(theirs)))
            element = draft.copy(producer.body.block, inner, indices)[result]
            arguments |= {region.block.args[i]: element for i in places}
        return draft.copy(region.block, arguments | draft.accumulators(region, len(stage.operands)), {})

    regions = [_rebuilt(region, reads, stage.accumulator_types, fill) for region in (stage.body, stage.finish)]
    return _replace(stage, producer, reads, own, [*regions, stage.combine.clone()], stage.results, stage.result_maps)


def _may_join(stage: kernel.Stage, places: Sequence[int], producer: kernel.Stage, value: SSAValue) -> bool:
    """Whether running the producer at the stage's points repeats no work, and the stage stays what it is."""
    if isinstance(stage, kernel.ContractOp) and any(i in (multiply_accumulate(stage) or ()) for i in places):
        return _only_extends(producer)
    if _only_extends(producer):
        return True
    if len(producer.results) > 1 or any(use.operation is not stage for use in value.uses):
        return False
    used = [
        region for region in (stage.body, stage.finish) for i in places
        if region.blocks.first is not None and region.block.args[i].first_use is not None
    ]  # fmt: skip
    if len({id(region) for region in used}) != 1:
        return False
    folded = stage.domain.data.dims("reduction", "sequential")
    inside = used[0] is stage.body
    visited = prod(e for d, e in enumerate(stage.extents) if inside or d not in folded)
    return visited <= prod(producer.extents)


def _only_extends(producer: kernel.Stage) -> bool:
    """Whether the body is one extension of one element: ports do it, and a contract stays a contract."""
    ops = [op for op in producer.body.block.ops if not isinstance(op, kernel.YieldOp)]
    return len(ops) == 1 and isinstance(ops[0], arith.ExtFOp) and len(producer.operands) == 1


# ---- a map joins the stage in front of it


def join_consumer(
    producer: kernel.Stage, consumer: kernel.Stage, order: Mapping[Operation, int], limit: int
) -> kernel.Stage | None:
    """`producer` with the consumer's body behind its own (in `finish` when it folds)."""
    if not _is_map(consumer) or not _takes_epilogue(producer):
        return None
    if not _alone(producer, consumer, order):
        return None
    points = _common_points(producer, consumer)
    if points is None:
        return None
    read_here = {i: operand.index for i, operand in enumerate(consumer.operands) if _made_by(operand, producer)}
    reads = Reads()
    own = {i: reads.add(read) for i, read in enumerate(reads_of(producer))}
    theirs = {
        i: reads.add(replace(read, map=_replaced(producer, read.map, points)))
        for i, read in enumerate(reads_of(consumer))
        if i not in read_here
    }
    if len(reads.items) > limit:
        return None
    kept_results = [i for i, result in enumerate(producer.results) if _outside(result, consumer)]
    indices = {e: linear(expr).dims[0][0] if linear(expr).dims else None for e, expr in enumerate(points)}

    def values(draft: Draft, region: Region) -> Sequence[SSAValue]:
        arguments = draft.arguments(region, own)
        return draft.copy(region.block, arguments | draft.accumulators(region, len(producer.operands)), {})

    def extended(draft: Draft, region: Region) -> Sequence[SSAValue]:
        elements = values(draft, region) if region.blocks.first is not None else _rounded(draft, producer)
        block = consumer.body.block
        arguments = draft.arguments(consumer.body, theirs)
        arguments |= {block.args[i]: elements[index] for i, index in read_here.items()}
        return [*(elements[i] for i in kept_results), *draft.copy(block, arguments, indices)]

    accumulators = producer.accumulator_types
    folds = bool(accumulators)
    body = _rebuilt(producer.body, reads, accumulators, values if folds else extended)
    finish = _rebuilt(producer.finish, reads, accumulators, extended, always=True) if folds else Region()
    results = [*(producer.results[i] for i in kept_results), *consumer.results]
    maps = [producer.result_maps[i] for i in kept_results] + [
        _replaced(producer, m, points) for m in consumer.result_maps
    ]
    regions = [body, finish, producer.combine.clone()]
    return _replace(producer, consumer, reads, own, regions, results, maps, at=consumer)


def _takes_epilogue(producer: kernel.Stage) -> bool:
    """Stages with a body whose results are elements, each written once."""
    return (
        producer.RULES.body
        and not producer.RULES.indexed_results
        and "sequential" not in producer.kinds
        and producer.tied is None
        and (producer.predicate is None or bool(producer.init_constants))
        and not any(kernel.block_shape(value.type) for value in producer.yielded)
    )


def _alone(producer: kernel.Stage, consumer: kernel.Stage, order: Mapping[Operation, int]) -> bool:
    """Whether the consumer is the one reader of what it reads, and nothing needs the other results before it."""
    for result in producer.results:
        readers = [use.operation for use in result.uses]
        if consumer in readers and any(reader is not consumer for reader in readers):
            return False
        if any(order.get(reader, -1) < order[consumer] for reader in readers if reader is not consumer):
            return False
    return True


def _common_points(producer: kernel.Stage, consumer: kernel.Stage) -> Expressions | None:
    """The consumer's dimensions in terms of the producer's, the same for every result that it reads; None if there
    are none."""
    common_points: Expressions | None = None
    for operand, access in zip(consumer.operands, consumer.input_maps, strict=True):
        if not _made_by(operand, producer):
            continue
        points = _matched(producer, operand.index, consumer, access)
        if points is None or (common_points is not None and list(common_points) != list(points)):
            return None
        common_points = points
    return common_points


def _matched(producer: kernel.Stage, result: int, consumer: kernel.Stage, access: AffineMap) -> Expressions | None:
    """Dimension by dimension: the consumer reads the element that the producer writes at the same point."""
    shape = producer.output_types[result].get_shape()
    written = producer.result_maps[result]
    points: list[AffineExpr | None] = [ZERO if extent == 1 else None for extent in consumer.extents]
    outputs = prod(e for d, e in enumerate(producer.extents) if producer.kinds[d] == "parallel")
    if outputs != prod(shape) or prod(consumer.extents) != prod(shape):
        return None
    if not _in_range(access, consumer.extents, producer.output_types[result]):
        return None
    for extent, theirs, ours in zip(shape, access.results, written.results, strict=True):
        if extent == 1:
            continue
        e, d = _plain(theirs, consumer.extents), _plain(ours, producer.extents)
        if e is None or d is None or points[e] is not None:
            return None
        if consumer.extents[e] != extent or producer.extents[d] != extent:
            return None
        points[e] = AffineExpr.dimension(d)
    return None if any(p is None for p in points) else [p for p in points if p is not None]


def _rounded(draft: Draft, producer: kernel.Stage) -> Sequence[SSAValue]:
    """What a stage without `finish` writes: its accumulators, rounded to the results' types."""
    rounded: list[SSAValue] = []
    body = kernel.Body(draft.block)
    for value, result in zip(draft.block.args[len(draft.reads.items) :], producer.output_types, strict=True):
        rounded.append(body.trunc(value, result.element_type))
    return rounded


# ---- what the two joins share


@dataclass
class Draft:
    """A region of the stage that is being made."""

    block: Block
    reads: Reads

    def argument(self, number: int) -> SSAValue:
        """The element of an input."""
        return self.block.args[number]

    def arguments(self, region: Region, numbers: Mapping[int, int]) -> dict[SSAValue, SSAValue]:
        """Old elements to new ones; `numbers`: old to new input."""
        return {region.block.args[old]: self.block.args[new] for old, new in numbers.items()}

    def accumulators(self, region: Region, inputs: int) -> dict[SSAValue, SSAValue]:
        """Old accumulators to new ones."""
        return dict(zip(region.block.args[inputs:], self.block.args[len(self.reads.items) :], strict=True))

    def copy(
        self, source: Block, arguments: Mapping[SSAValue, SSAValue], indices: Mapping[int, int | None]
    ) -> Sequence[SSAValue]:
        """Append the ops of a block; what it yields. `indices`: new dimension of each `kernel.index` (None: always
        0)."""
        values = dict(arguments)
        for op in source.ops:
            if isinstance(op, kernel.YieldOp):
                return [values[value] for value in op.operands]
            if isinstance(op, kernel.IndexOp) and op.dim.value.data in indices:
                dim = indices[op.dim.value.data]
                new = arith.ConstantOp(IntegerAttr(0, i64)) if dim is None else kernel.IndexOp(dim, *(op.shard or ()))
            else:
                new = op.clone(values)
            new.location = op.location
            self.block.add_op(new)
            values.update(zip(op.results, new.results, strict=True))
        return []


def _rebuilt(
    region: Region,
    reads: Reads,
    accumulators: Sequence[Attribute],
    fill: Callable[[Draft, Region], Sequence[SSAValue]],
    always: bool = False,
) -> Region:
    """The region over the new inputs; an absent one stays absent unless `always`."""
    if region.blocks.first is None and not always:
        return Region()
    block = Block(arg_types=[*(read.type for read in reads.items), *accumulators])
    block.add_op(kernel.YieldOp(*fill(Draft(block, reads), region)))
    return Region(block)


def _replace(
    base: kernel.Stage,
    joined: kernel.Stage,
    reads: Reads,
    own: Mapping[int, int],
    regions: Sequence[Region],
    results: Sequence[SSAValue],
    result_maps: Sequence[AffineMap],
    at: kernel.Stage | None = None,
) -> kernel.Stage:
    """A stage of `base`'s kind in the place of `at` (else of `base`); it takes over `results`.

    `own`: where the old inputs of `base` are now. Stages without readers are erased.
    """
    properties = dict(base.properties)
    maps = [*(read.map for read in reads.items), *result_maps]
    properties["maps"] = ArrayAttr([AffineMapAttr(affine_map) for affine_map in maps])
    pads = kernel.pad_array([read.pad for read in reads.items])
    properties.pop("pads", None)
    if pads is not None:
        properties["pads"] = pads
    if base.bindings is not None:
        properties["bindings"] = dense([own[i] for i in base.bound_inputs])
    if base.tied is not None:
        properties["tied"] = dense([own[i] if i >= 0 else i for i in base.tied_inputs])
    fused = type(base).create(
        operands=[read.value for read in reads.items],
        result_types=[result.type for result in results],
        properties=properties,
        attributes={**joined.attributes, **base.attributes},
        regions=regions,
    )
    mark_operators(fused, (*operators_of(base), *operators_of(joined)))
    fused.location = _both(base.location, joined.location)
    Rewriter.insert_op(fused, InsertPoint.before(at or base))
    for old, new in zip(results, fused.results, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    for stage in (joined, base) if at is None else (at, base):
        if all(result.first_use is None for result in stage.results):
            stage.detach()
            stage.erase()
    return fused


def _is_map(stage: kernel.Stage) -> bool:
    """A map over elements that writes each point of its domain once."""
    return isinstance(stage, kernel.MapOp) and is_elementwise(stage) and bool(op_classes(stage.body) or stage.operands)


def _points_of(stage: kernel.Stage, result: int) -> Expressions | None:
    """The stage's dimensions in terms of a result's coordinates (as dimensions); None when the map is no
    permutation. One of extent 1 is a coordinate, too: a read may leave the result there."""
    result_map = stage.result_maps[result]
    points: list[AffineExpr | None] = [ZERO if extent == 1 else None for extent in stage.extents]
    for c, (expr, extent) in enumerate(zip(result_map.results, stage.output_types[result].get_shape(), strict=True)):
        dim = expr.position if isinstance(expr, AffineDimExpr) else _plain(expr, stage.extents)
        if dim is None:
            if extent > 1:
                return None
        elif stage.extents[dim] != extent:
            return None
        else:
            points[dim] = AffineExpr.dimension(c)
    return None if any(p is None for p in points) else [p for p in points if p is not None]


def _plain(expr: AffineExpr, extents: Sequence[int]) -> int | None:
    """d when the expression is dimension d; dimensions of extent 1 count as zero."""
    form = linear(expr, full_ranges(extents))
    if form.constant or form.symbols or form.terms or len(form.dims) != 1 or form.dims[0][1] != 1:
        return None
    return form.dims[0][0]


def _composed(stage: kernel.Stage, inner: AffineMap, points: Expressions, access: AffineMap) -> AffineMap:
    """Where `stage` reads when it reads through a producer: its access gives coordinates, these the producer's point,
    and that the coordinates of `inner`."""
    at_points = [expr.replace_dims_and_symbols(access.results, ()) for expr in points]
    return _replaced(stage, inner, at_points)


def _replaced(stage: kernel.Stage, affine_map: AffineMap, dims: Expressions) -> AffineMap:
    """The map with its dimensions replaced by expressions over the stage's domain, simplified there."""
    ranges = full_ranges(stage.extents)
    results = (linear(e.replace_dims_and_symbols(dims, ()), ranges).expr() for e in affine_map.results)
    return AffineMap(stage.rank, len(stage.bound_inputs), tuple(results))


def _index_dims(producer: kernel.Stage, access: AffineMap, points: Expressions) -> dict[int, int | None] | None:
    """The stage's dimension for each that the producer's body takes an index of; None when one is not a plain
    dimension."""
    index_dims: dict[int, int | None] = {}
    for op in producer.body.block.ops:
        if isinstance(op, kernel.IndexOp):
            dim = op.dim.value.data
            form = linear(points[dim].replace_dims_and_symbols(access.results, ()))
            if form == linear(ZERO):
                index_dims[dim] = None
            elif form.constant or form.symbols or form.terms or [c for _, c in form.dims] != [1]:
                return None
            else:
                index_dims[dim] = form.dims[0][0]
    return index_dims


def _in_range(access: AffineMap, extents: Sequence[int], value_type: Attribute) -> bool:
    """Whether every access over the domain stays inside of the tensor."""
    ranges = full_ranges(extents)
    bounds = [interval(linear(expr, ranges), ranges) for expr in access.results]
    shape = kernel.block_shape(value_type)
    return all(b is not None and b[0] >= 0 and b[1] < extent for b, extent in zip(bounds, shape, strict=True))


def _made_by(value: SSAValue, stage: kernel.Stage) -> TypeGuard[OpResult]:
    return isinstance(value, OpResult) and value.op is stage


def _outside(result: SSAValue, consumer: kernel.Stage) -> bool:
    return any(use.operation is not consumer for use in result.uses)


def _both(first: LocationAttr, second: LocationAttr) -> LocationAttr:
    """Where a fused stage comes from: both places, the first one counts."""
    parts: list[LocationAttr] = []
    for location in (first, second):
        inner = cast(Sequence[LocationAttr], location.locations) if isinstance(location, FusedLoc) else (location,)
        parts += [part for part in inner if part not in parts and not isinstance(part, UnknownLoc)]
    if not parts:
        return UnknownLoc()
    return parts[0] if len(parts) == 1 else FusedLoc(ArrayAttr(parts), NoneAttr())
