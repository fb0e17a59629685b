"""Questions about a stage, answered once from the interface: which dims, which elements, how many bytes, what it
costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import ceil, prod
from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, FloatAttr, IntegerAttr
from xdsl.ir import Attribute, BlockArgument, Operation, Region, SSAValue
from xdsl.ir.affine import AffineMap

from sambaflow.dialects.kernel.affine import Interval, full_ranges, interval, linear, used_dims, used_symbols
from sambaflow.dialects.kernel.attributes import Mapping
from sambaflow.dialects.kernel.stage import Stage, block_shape, element_type, region_yield
from sambaflow.machine import Firing
from sambaflow.machine import firing_of as machine_firing_of
from sambaflow.machine.opcodes import DTYPES, Opcode, opcode

BLOCK = 128
"""Points that a reduction folds before partial results are combined (the numeric contract)."""

_MONOIDS = {
    "arith.addf": "add",
    "arith.addi": "add",
    "arith.mulf": "mul",
    "arith.muli": "mul",
    "arith.maximumf": "max",
    "arith.maxnumf": "max",
    "arith.maxsi": "max",
    "arith.minimumf": "min",
    "arith.minnumf": "min",
    "arith.minsi": "min",
    "arith.andi": "and",
    "arith.ori": "or",
}


# ---- dims and maps


def map_dims(affine_map: AffineMap) -> tuple[int, ...]:
    """The dimensions that a map uses, ascending."""
    return tuple(sorted({d for expr in affine_map.results for d in used_dims(expr)}))


def is_elementwise(stage: Stage) -> bool:
    """Whether every point reads its own elements and writes its own: no accumulators, no symbols, a body on elements,
    and result maps that are permutations of the domain."""
    return (
        stage.RULES.body
        and not stage.RULES.accumulators
        and not stage.bound_inputs
        and stage.predicate is None
        and stage.tied is None
        and not any(stage.input_blocks)
        and all(len(m.results) == m.num_dims and m.is_projected_permutation() for m in stage.result_maps)
    )


# ---- accesses of a tile


def access_range(
    access: AffineMap, ranges: Sequence[Interval], block: Sequence[int] = ()
) -> tuple[Interval | None, ...]:
    """Per coordinate the least and greatest index touched when dimension i runs over ranges[i], not clamped to the
    operand (what is outside is padding); None where a symbol decides. The halo of a tile is this range beyond its
    neighbours'."""
    sizes = (1,) * (len(access.results) - len(block)) + tuple(block)
    bounds = (interval(linear(expr, ranges), ranges) for expr in access.results)
    return tuple(None if b is None else (b[0], b[1] + size - 1) for b, size in zip(bounds, sizes, strict=True))


def window(access: AffineMap, shape: Sequence[int], tile: Sequence[int], block: Sequence[int] = ()) -> tuple[int, ...]:
    """The extent of what a tile touches, per coordinate, clamped to the operand; all of it where a symbol decides."""
    spans = access_range(access, full_ranges(tile), block)
    return tuple(
        extent if span is None else min(extent, span[1] - span[0] + 1)
        for span, extent in zip(spans, shape, strict=True)
    )


def tile_elements(stage: Stage, operand: int, tile: Sequence[int]) -> int:
    """Elements that one tile delivers from an input (operand < number of inputs) or writes to a result: distinct
    coordinates, at most one per point (times the block)."""
    values = (*stage.operands, *stage.results)
    access = stage.maps.data[operand].data
    block = operand_block(stage, operand)
    touched = prod(window(access, block_shape(values[operand].type), tile, block))
    points = prod(tile[d] for d in map_dims(access)) * prod(block)
    symbolic = any(span is None for span in access_range(access, full_ranges(tile), block))
    if symbolic:
        return prod(tile[d] for d in {*map_dims(access), *_bound_dims(stage)}) * prod(block)
    return min(touched, points)


def operand_bytes(stage: Stage, operand: int, tile: Sequence[int]) -> int:
    """Bytes of `tile_elements`. Inputs are numbered first, then results."""
    values = (*stage.operands, *stage.results)
    return tile_elements(stage, operand, tile) * element_bytes(values[operand].type)


def operand_block(stage: Stage, operand: int) -> tuple[int, ...]:
    """The shape of what one point reads of an input or writes of a result; () is one element."""
    if operand < len(stage.operands):
        return stage.input_blocks[operand]
    yielded = stage.yielded
    return block_shape(yielded[operand - len(stage.operands)].type) if yielded else ()


def element_bytes(value_type: Attribute) -> int:
    """Bytes of one element in memory."""
    return DTYPES[dtype_name(value_type)].bytes


def dtype_name(value_type: Attribute) -> str:
    """The name of an element type in the opcode table: "bf16", "i64"."""
    return str(element_type(value_type))


def _bound_dims(stage: Stage) -> tuple[int, ...]:
    return tuple(d for i in stage.bound_inputs for d in map_dims(stage.input_maps[i]))


def tile_grid(extents: Sequence[int], tile: Sequence[int], order: Sequence[int]) -> Iterator[tuple[Interval, ...]]:
    """The tiles of a domain in the order of its loops (outermost first), ragged edges clamped, as intervals per
    dimension."""
    counts = [ceil(extents[d] / tile[d]) for d in order]
    for step in product(*map(range, counts)):
        place = dict(zip(order, step, strict=True))
        yield tuple((place[d] * tile[d], min((place[d] + 1) * tile[d], extents[d]) - 1) for d in range(len(extents)))


# ---- bodies


def body_ops(stage: Stage) -> Iterator[Operation]:
    """The ops of body and finish that are instructions or stages (not constants and yields)."""
    for region in (stage.body, stage.finish):
        if (block := region.blocks.first) is not None:
            for op in block.ops:
                if op.name not in ("arith.constant", "kernel.yield", "kernel.index"):
                    yield op


def extended(value: SSAValue) -> SSAValue:
    """What `arith.extf` extends, else the value itself."""
    owner = value.owner
    return owner.input if isinstance(owner, arith.ExtFOp) else value


def multiply_accumulate(stage: Stage) -> tuple[int, int] | None:
    """(a, b): the inputs whose products a body `acc + a * b` sums in f32; None for any other body."""
    block = stage.body.blocks.first
    if block is None or len(stage.init_constants) != 1:
        return None
    init = stage.init_constants[0]
    if not isinstance(init, FloatAttr) or not isinstance(init.type, Float32Type) or init.value.data != 0.0:
        return None
    count, yielded = len(stage.operands), region_yield(stage.body).operands
    total = yielded[0].owner if len(yielded) == 1 else None
    if not isinstance(total, arith.AddfOp):
        return None
    accumulator = block.args[count]
    terms = [value for value in total.operands if value is not accumulator]
    factor = terms[0].owner if len(terms) == 1 else None
    if not isinstance(factor, arith.MulfOp):
        return None
    sources = [extended(value) for value in factor.operands]
    if all(isinstance(s, BlockArgument) and s.owner is block and s.index < count for s in sources):
        a, b = (cast(BlockArgument, s).index for s in sources)
        return a, b
    return None


def combined_by(stage: Stage) -> tuple[str | None, ...]:
    """Per accumulator "add", "mul", "max", "min", "and" or "or" when that is all that `combine` does with its two
    partial results; None for another merge. Empty without a `combine`."""
    block = stage.combine.blocks.first
    if block is None:
        return ()
    count = len(block.args) // 2
    pairs = zip(block.args[:count], block.args[count:], region_yield(stage.combine).operands, strict=True)
    return tuple(_monoid(value, {first, second}) for first, second, value in pairs)


def _monoid(value: SSAValue, parts: set[SSAValue]) -> str | None:
    owner = value.owner
    return _MONOIDS.get(owner.name) if isinstance(owner, Operation) and set(owner.operands) == parts else None


# ---- cost


def instruction_of(op: Operation) -> Opcode | None:
    """The row of the instruction that stands for an op of a body; None if there is none (constants, counters,
    stages)."""
    predicate = op.properties.get("predicate")
    return opcode(op.name, predicate.value.data if isinstance(predicate, IntegerAttr) else None)


def op_classes(region: Region) -> tuple[str, ...]:
    """The op class of every instruction of a region."""
    block = region.blocks.first
    rows = (instruction_of(op) for op in block.ops) if block is not None else ()
    return tuple(row.op_class for row in rows if row is not None)


def mode_of(stage: Stage) -> str:
    """The mode of a PCU that carries out the stage: the kind of its iterators decides, a multiply-accumulate is
    systolic."""
    if "reduction" not in stage.kinds:
        return "simd"
    return "systolic" if multiply_accumulate(stage) is not None else "reduce"


def nested_stages(stage: Stage) -> tuple[Stage, ...]:
    """The stages in the body of a scan over blocks."""
    return tuple(op for region in stage.regions for block in region.blocks for op in block.ops if isinstance(op, Stage))


def firing_of(stage: Stage, mapping: Mapping | None = None) -> Firing:
    """One firing of one PCU: `mapping` (else the stage's own, else the whole domain) cut by its par factors.

    A scan whose body holds stages is no firing of its own; ask its `nested_stages`.
    """
    assert not nested_stages(stage), "the stages in the body of a scan have firings of their own"
    mapping = mapping or stage.tiling
    tile = stage.extents
    if mapping is not None:
        tile = tuple(ceil(t / p) for t, p in zip(mapping.tile, mapping.par, strict=True))
    ports = range(len(stage.operands) + len(stage.results))
    first = (*stage.operands, *stage.results)[0]
    return machine_firing_of(
        mode_of(stage),
        tile,
        stage.kinds,
        op_classes(stage.body),
        op_classes(stage.finish),
        [operand_bytes(stage, port, tile) for port in ports],
        dtype_name(first.type),
    )


def unread_inputs(stage: Stage) -> set[int]:
    """Inputs of which the stage reads no element: the tensors whose other elements a tied result keeps."""
    block = stage.body.blocks.first
    tied = {index for index in stage.tied_inputs if index >= 0}
    return {index for index in tied if block is not None and not block.args[index].uses}


def in_place_inputs(stage: Stage) -> set[int]:
    """Inputs that are accessed where they stand: tables read at gathered coordinates, tensors that a result updates.

    The tensor behind a tied result is in place only if the body does not read its elements.
    """
    gathered = {i for i, map_ in enumerate(stage.input_maps) if any(map(used_symbols, map_.results))}
    return gathered | {tied for tied in stage.tied_inputs if tied >= 0 and stage.RULES.indexed_results}
