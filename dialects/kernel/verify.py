"""The verifier of the stage interface: one story for all ten kinds, each check with its own message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import Float32Type, FloatAttr, IntegerAttr, IntegerType, TensorType
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

from sambaflow.diagnostics import VerifyExceptionAt
from sambaflow.dialects.kernel.affine import full_ranges, interval, linear, used_symbols
from sambaflow.dialects.kernel.analysis import (
    BLOCK,
    combined_by,
    dtype_name,
    instruction_of,
    map_dims,
)
from sambaflow.dialects.kernel.attributes import FillAttr, Mapping
from sambaflow.dialects.kernel.body_ops import IndexOp, YieldOp, is_scalar
from sambaflow.dialects.kernel.stage import Stage, block_shape, constant_type, element_type
from sambaflow.machine.opcodes import DTYPES, MOST_ELEMENTS

if TYPE_CHECKING:
    from xdsl.ir.affine import AffineMap

_NO_INSTRUCTIONS = ("arith.constant", "kernel.index", "kernel.yield")
"""What a body holds beside instructions: their operands and results."""


def verify_stage(stage: Stage) -> None:
    """Raise VerifyException with the first thing that is wrong."""
    _verify_domain(stage)
    _verify_types(stage)
    _verify_maps(stage)
    _verify_pads(stage)
    _verify_tied(stage)
    _verify_split(stage)
    _verify_regions(stage)
    stage.verify_kind()
    _verify_merging(stage)
    if stage.RULES.local:
        _verify_reads(stage)
        _verify_writes(stage)
    if stage.tiling is not None:
        _verify_mapping(stage, stage.tiling)
    _verify_streams(stage)


# ---- domain, types, maps


def _verify_domain(stage: Stage) -> None:
    rules = stage.RULES
    for dim, (extent, kind) in enumerate(zip(stage.extents, stage.kinds, strict=True)):
        if extent < 1:
            raise VerifyException(f"dimension d{dim} has extent {extent}, it must be at least 1")
        if kind not in rules.kinds:
            raise VerifyException(
                f"dimension d{dim} is {kind}, {stage.name} takes {' and '.join(rules.kinds)} dimensions only"
            )
    if prod(stage.extents) > MOST_ELEMENTS:
        raise VerifyException(f"the domain has {prod(stage.extents)} points, more than {MOST_ELEMENTS}")
    for kind in rules.required:
        if kind not in stage.kinds:
            raise VerifyException(f"needs a {kind} dimension")
    if (count := stage.kinds.count("sequential")) > 1:
        raise VerifyException(f"has {count} sequential dimensions, it takes exactly one")


def _verify_types(stage: Stage) -> None:
    for name, values in (("input", stage.operands), ("result", stage.results)):
        for i, value in enumerate(values):
            if not isinstance(value.type, TensorType):
                raise VerifyException(f"{name} {i} is {value.type}, not a tensor")
            if min(value.type.get_shape(), default=1) < 1:
                raise VerifyException(f"{name} {i} is {value.type}, its shape must be static and not empty")
            if prod(value.type.get_shape()) > MOST_ELEMENTS:
                raise VerifyException(f"{name} {i} is {value.type}, more than {MOST_ELEMENTS} elements")
            if dtype_name(value.type) not in DTYPES:
                raise VerifyException(
                    f"{name} {i} has elements of {value.type.element_type}, not of {', '.join(DTYPES)}"
                )


def _verify_maps(stage: Stage) -> None:
    values = (*stage.operands, *stage.results)
    if len(stage.maps.data) != len(values):
        raise VerifyException(
            f"has {len(stage.maps.data)} maps for {len(stage.operands)} inputs and {len(stage.results)} results"
        )
    symbols = len(stage.bound_inputs)
    for name, access, value in _accesses(stage):
        if access.num_dims != stage.rank:
            raise VerifyException(f"the map of {name} has {access.num_dims} dimensions, the domain {stage.rank}")
        if access.num_symbols != symbols:
            raise VerifyException(f"the map of {name} has {access.num_symbols} symbols, {symbols} are bound")
        rank = len(block_shape(value.type))
        if len(access.results) != rank:
            raise VerifyException(f"the map of {name} has {len(access.results)} coordinates, {value.type} has {rank}")
    for symbol, index in enumerate(stage.bound_inputs):
        if not 0 <= index < len(stage.operands):
            raise VerifyException(f"symbol s{symbol} is bound to input {index}, there are {len(stage.operands)}")
        if not isinstance(element_type(stage.operands[index].type), IntegerType):
            raise VerifyException(
                f"symbol s{symbol} is bound to input {index} of type {stage.operands[index].type}, not integers"
            )
        if any(used_symbols(e) for e in stage.input_maps[index].results):
            raise VerifyException(f"input {index} is bound to symbol s{symbol}, its own map must not use symbols")
        if stage.input_blocks[index]:
            raise VerifyException(f"symbol s{symbol} is bound to input {index}, which delivers blocks")
    if stage.predicate is not None:
        points = stage.predicate.data
        if (points.num_dims, points.num_symbols) != (stage.rank, symbols):
            raise VerifyException(
                f"the predicate has {points.num_dims} dimensions and {points.num_symbols} symbols, "
                f"the domain has {stage.rank} and {symbols} are bound"
            )


def _accesses(stage: Stage) -> Iterable[tuple[str, AffineMap, SSAValue]]:
    for i, (access, value) in enumerate(zip(stage.input_maps, stage.operands, strict=True)):
        yield f"input {i}", access, value
    for i, (access, value) in enumerate(zip(stage.result_maps, stage.results, strict=True)):
        yield f"result {i}", access, value


def _verify_pads(stage: Stage) -> None:
    if stage.pads is None:
        return
    if len(stage.pads.data) != len(stage.operands):
        raise VerifyException(f"has {len(stage.pads.data)} pads for {len(stage.operands)} inputs")
    for i, pad in enumerate(stage.pad_constants):
        if pad is None:
            continue
        if not isinstance(pad, FloatAttr | IntegerAttr):
            raise VerifyException(f"the pad of input {i} is neither a number nor unit")
        if constant_type(pad) != element_type(stage.operands[i].type):
            raise VerifyException(
                f"the pad of input {i} is {constant_type(pad)}, the elements are {element_type(stage.operands[i].type)}"
            )


def _verify_tied(stage: Stage) -> None:
    if stage.tied is None:
        return
    if len(stage.tied_inputs) != len(stage.results):
        raise VerifyException(f"'tied' has {len(stage.tied_inputs)} entries for {len(stage.results)} results")
    seen: list[int] = []
    for result, index in enumerate(stage.tied_inputs):
        if index == -1:
            continue
        if not 0 <= index < len(stage.operands):
            raise VerifyException(f"result {result} is tied to input {index}, there are {len(stage.operands)}")
        if stage.operands[index].type != stage.results[result].type:
            raise VerifyException(
                f"result {result} of type {stage.results[result].type} is tied to {stage.operands[index].type}"
            )
        if index in seen:
            raise VerifyException(f"input {index} is tied to two results")
        seen.append(index)


def _verify_split(stage: Stage) -> None:
    if stage.split is None:
        return
    if len(stage.splits) != stage.rank:
        raise VerifyException(f"'split' has {len(stage.splits)} entries, the domain {stage.rank} dimensions")
    for dim, parts in enumerate(stage.splits):
        if parts < 1:
            raise VerifyException(f"dimension d{dim} is split in {parts} parts, it must be at least 1")
        if parts > 1 and stage.kinds[dim] != "reduction":
            raise VerifyException(f"dimension d{dim} is {stage.kinds[dim]}, only reduction dimensions are split")
        if stage.extents[dim] % parts:
            raise VerifyException(
                f"dimension d{dim} of extent {stage.extents[dim]} does not split in {parts} equal parts"
            )


# ---- regions


def _verify_regions(stage: Stage) -> None:
    if not stage.RULES.accumulators and stage.inits is not None:
        raise VerifyException(f"{stage.name} has no accumulators, but inits are given")
    for i, init in enumerate(stage.init_constants):
        if constant_type(init) is init:
            raise VerifyException(f"init {i} is neither a number nor a #kernel.fill")
        if isinstance(init, FillAttr) and init.type.element_type != constant_type(init.value):
            raise VerifyException(f"init {i} fills {init.type} with a {constant_type(init.value)}")
    if stage.RULES.accumulators and not stage.init_constants:
        raise VerifyException("needs inits for its accumulators")
    if not stage.RULES.body:
        if any(region.blocks.first is not None for region in stage.regions):
            raise VerifyException(f"{stage.name} has no regions")
        return
    elements = _verify_body(stage)
    accumulators = stage.accumulator_types
    if stage.finish.blocks.first is not None:
        _verify_finish(stage, elements)
    elif stage.init_constants and len(stage.results) > stage.step_results:
        results = [element_type(result.type) for result in stage.results[stage.step_results :]]
        rounded = [_rounded(*pair) for pair in zip(accumulators, results, strict=False)]
        _require_types("accumulators without 'finish'", rounded, results)
    if stage.combine.blocks.first is not None:
        _require_arguments("combine", stage.combine, [*accumulators, *accumulators])
        _require_types("'combine' yields", _yielded(stage.combine, "combine"), accumulators)


def _verify_body(stage: Stage) -> Sequence[Attribute]:
    block = stage.body.blocks.first
    if block is None:
        raise VerifyException("needs a body")
    accumulators = stage.accumulator_types
    count = len(stage.operands)
    elements = [argument.type for argument in block.args[:count]]
    if len(block.args) != count + len(accumulators):
        raise VerifyException(
            f"the body has {len(block.args)} arguments for {count} inputs and {len(accumulators)} accumulators"
        )
    for i, (operand, argument) in enumerate(zip(stage.operands, elements, strict=True)):
        if element_type(argument) != element_type(operand.type):
            raise VerifyException(
                f"body argument {i} is {argument}, the elements of input {i} are {element_type(operand.type)}"
            )
        if len(block_shape(argument)) > len(block_shape(operand.type)):
            raise VerifyException(
                f"body argument {i} is a block of rank {len(block_shape(argument))}, input {i} is {operand.type}"
            )
    _require_types("the accumulators of the body are", [a.type for a in block.args[count:]], accumulators)
    yielded = _yielded(stage.body, "body")
    if stage.RULES.accumulators:
        _require_types("the body yields accumulators of", yielded[: len(accumulators)], accumulators)
        yielded = yielded[len(accumulators) :]
        if yielded and "sequential" not in stage.kinds:
            raise VerifyException(f"the body yields {len(yielded)} values beside its {len(accumulators)} accumulators")
        if len(yielded) > len(stage.results):
            raise VerifyException(
                f"the body yields {len(yielded)} results of a step, there are {len(stage.results)} results"
            )
        results = stage.results[: len(yielded)]
    else:
        results = stage.results
        if len(yielded) != len(results):
            raise VerifyException(f"the body yields {len(yielded)} values for {len(results)} results")
    _verify_results("body", stage, yielded, [r.type for r in results])
    _verify_body_ops(stage, stage.body, "body")
    return elements


def _verify_finish(stage: Stage, elements: Sequence[Attribute]) -> None:
    if not stage.init_constants:
        raise VerifyException("'finish' needs accumulators")
    _require_arguments("finish", stage.finish, [*elements, *stage.accumulator_types])
    results = [r.type for r in stage.results[stage.step_results :]]
    yielded = _yielded(stage.finish, "finish")
    if len(yielded) != len(results):
        raise VerifyException(f"'finish' yields {len(yielded)} values for {len(results)} results")
    _verify_results("finish", stage, yielded, results)
    folded = stage.domain.data.dims("reduction", "sequential")
    for i, (access, argument) in enumerate(zip(stage.input_maps, _block(stage.finish).args, strict=False)):
        symbols = sorted({s for e in access.results for s in used_symbols(e)})
        read = [access, *(stage.input_maps[stage.bound_inputs[s]] for s in symbols)]
        dims = [d for m in read for d in map_dims(m) if d in folded]
        if argument.first_use is not None and dims:
            raise VerifyException(f"'finish' reads input {i}, whose map uses the folded dimension d{dims[0]}")
    _verify_body_ops(stage, stage.finish, "finish")


def _verify_results(region: str, stage: Stage, yielded: Sequence[Attribute], results: Sequence[Attribute]) -> None:
    for i, (value, result) in enumerate(zip(yielded, results, strict=True)):
        expected = element_type(result)
        element = element_type(value)
        added = stage.adds_conflicts and isinstance(element, Float32Type)
        if element != expected and not added:
            raise VerifyException(f"'{region}' yields {value} as result {i}, the elements of {result} are {expected}")
        if len(block_shape(value)) > len(block_shape(result)):
            raise VerifyException(
                f"'{region}' yields a block of rank {len(block_shape(value))} as result {i}, which is {result}"
            )


def _verify_body_ops(stage: Stage, region: Region, name: str) -> None:
    nested = "sequential" in stage.kinds
    for op in _block(region).ops:
        if isinstance(op, Stage):
            if not nested:
                raise VerifyExceptionAt(op, f"stands in '{name}' of {stage.name}, only the body of a scan holds stages")
        elif op.name not in _NO_INSTRUCTIONS and instruction_of(op) is None:
            raise VerifyExceptionAt(op, f"stands in '{name}' of {stage.name}, no instruction carries it out")
        if isinstance(op, IndexOp) and op.dim.value.data >= stage.rank:
            raise VerifyExceptionAt(op, f"is along d{op.dim.value.data}, the domain has {stage.rank} dimensions")
        for operand in op.operands:
            if not _visible(stage, operand, region):
                raise VerifyExceptionAt(op, f"uses a {operand.type} from outside of '{name}', which must be an input")


def _visible(stage: Stage, value: SSAValue, region: Region) -> bool:
    """Values of the region itself, and scalars of the scan whose body the stage is in."""
    block = value.owner if isinstance(value.owner, Block) else value.owner.parent
    if block is not None and block.parent is region:
        return True
    outer = stage.parent_op()
    return isinstance(outer, Stage) and is_scalar(value.type) and _visible(outer, value, outer.body)


def _block(region: Region) -> Block:
    block = region.blocks.first
    assert block is not None, "a region that is not given is not looked at"
    return block


def _yielded(region: Region, name: str) -> list[Attribute]:
    if region.blocks.first is not region.blocks.last:
        raise VerifyException(f"'{name}' has more than one block")
    last = _block(region).last_op
    if not isinstance(last, YieldOp):
        raise VerifyException(f"'{name}' does not end with kernel.yield")
    return [value.type for value in last.operands]


def _require_arguments(name: str, region: Region, types: Sequence[Attribute]) -> None:
    _require_types(f"the arguments of '{name}' are", [a.type for a in _block(region).args], types)


def _require_types(what: str, actual: Sequence[Attribute], expected: Sequence[Attribute]) -> None:
    if list(actual) != list(expected):
        raise VerifyException(f"{what} ({', '.join(map(str, actual))}), expected ({', '.join(map(str, expected))})")


def _rounded(accumulator: Attribute, result: Attribute) -> Attribute:
    """The element type of a result that an accumulator is rounded to: floats round, integers must match."""
    source, target = element_type(accumulator), element_type(result)
    return target if isinstance(source, Float32Type) and not isinstance(target, IntegerType) else source


# ---- merging


def _verify_merging(stage: Stage) -> None:
    points = prod(stage.extents[d] for d in stage.domain.data.dims("reduction"))
    merges = stage.combine.blocks.first is not None
    if merges and stage.ordered is not None:
        raise VerifyException("is 'ordered', one run, and has a 'combine' that merges runs")
    if prod(stage.splits) > 1 and not merges:
        raise VerifyException("is split, but has no 'combine' that merges the parts")
    if points > BLOCK and not merges and stage.ordered is None:
        raise VerifyException(
            f"folds {points} points, more than the {BLOCK} of a block: it needs a 'combine' that merges blocks, or is "
            "'ordered', which is one run"
        )
    for i, (operation, init) in enumerate(zip(combined_by(stage), stage.init_constants, strict=False)):
        neutral = {"add": 0, "mul": 1}.get(operation or "")
        if neutral is not None and isinstance(init, FloatAttr | IntegerAttr) and init.value.data != neutral:
            raise VerifyException(
                f"init {i} is {init.value.data}, every block of {BLOCK} starts from it: it must be {neutral}"
            )


# ---- accesses


def _verify_reads(stage: Stage) -> None:
    ranges = full_ranges(stage.extents)
    in_range = [True] * len(stage.operands)
    for i, (access, tensor_type, block) in enumerate(
        zip(stage.input_maps, stage.input_types, stage.input_blocks, strict=True)
    ):
        shape = tensor_type.get_shape()
        sizes = (1,) * (len(shape) - len(block)) + block
        for c, (expr, size, extent) in enumerate(zip(access.results, sizes, shape, strict=True)):
            bounds = interval(linear(expr, ranges), ranges)
            if bounds is None or (bounds[0] >= 0 and bounds[1] + size <= extent):
                continue
            in_range[i] = False
            if stage.pad_constants[i] is None and not stage.RULES.first_in_range:
                raise VerifyException(
                    f"input {i} is read at [{bounds[0]}, {bounds[1] + size}) of [0, {extent}) in coordinate {c}; "
                    "give a pad or keep the access in range"
                )
    falls_through = stage.RULES.first_in_range and not any(in_range) and stage.pad_constants[0] is None
    if falls_through and not _covered(stage):
        raise VerifyException("some points may lie outside of every input; give input 0 a pad")


def _covered(stage: Stage) -> bool:
    """Whether the inputs of a move, side by side along one dimension, cover the domain (a concatenation)."""
    ranges = full_ranges(stage.extents)
    parts: list[tuple[int, int, int]] = []  # dimension, first and last point in range
    for access, tensor_type in zip(stage.input_maps, stage.input_types, strict=True):
        for expr, extent in zip(access.results, tensor_type.get_shape(), strict=True):
            form = linear(expr, ranges)
            bounds = interval(form, ranges)
            if bounds is None:
                return False
            if bounds[0] >= 0 and bounds[1] < extent:
                continue
            if len(form.dims) != 1 or form.dims[0][1] != 1 or form.terms:
                return False
            parts.append((form.dims[0][0], -form.constant, extent - 1 - form.constant))
    if not parts or len({dim for dim, _, _ in parts}) > 1 or len(parts) > len(stage.operands):
        return False
    reached = 0
    for _, first, last in sorted(parts):
        if first > reached:
            return False
        reached = max(reached, last + 1)
    return reached >= stage.extents[parts[0][0]]


def _verify_writes(stage: Stage) -> None:
    steps = stage.step_results
    folded = stage.domain.data.dims("reduction", "sequential")
    ranges = full_ranges(stage.extents)
    for i, (access, tensor_type) in enumerate(zip(stage.result_maps, stage.output_types, strict=True)):
        per_point = i < steps
        block = block_shape(stage.yielded[i].type) if stage.RULES.body else ()
        forms = [linear(expr, ranges) for expr in access.results]
        shape = tensor_type.get_shape()
        sizes = (1,) * (len(shape) - len(block)) + block
        for c, (form, extent) in enumerate(zip(forms, shape, strict=True)):
            if form.terms:
                raise VerifyException(f"the map of result {i} uses floordiv or mod; reshape in the input maps")
            if form.symbols and not stage.RULES.indexed_results:
                raise VerifyException(
                    f"the map of result {i} uses a symbol, only scatter writes at indexed coordinates"
                )
            if not per_point and (dims := [d for d, _ in form.dims if d in folded]):
                raise VerifyException(f"the map of result {i} uses the {stage.kinds[dims[0]]} dimension d{dims[0]}")
            bounds = interval(form, ranges)
            if bounds is not None and not stage.RULES.indexed_results and (bounds[0] < 0 or bounds[1] >= extent):
                raise VerifyException(
                    f"result {i} is written at [{bounds[0]}, {bounds[1] + 1}) of [0, {extent}) in coordinate {c}"
                )
        if not stage.RULES.indexed_results:
            _verify_injective(stage, i, [f.dims for f in forms], sizes, per_point)


def _verify_injective(
    stage: Stage, result: int, forms: Sequence[Sequence[tuple[int, int]]], sizes: Sequence[int], per_point: bool
) -> None:
    """No element is written twice: along every coordinate each dimension steps over what finer ones cover."""
    pending = [
        d
        for d, kind in enumerate(stage.kinds)
        if stage.extents[d] > 1 and (kind == "parallel" or (per_point and kind == "sequential"))
    ]
    for form, size in zip(forms, sizes, strict=True):
        span = size
        for dim, step in sorted(((d, abs(c)) for d, c in form if d in pending), key=lambda pair: pair[1]):
            if step < span:
                continue
            span += step * (stage.extents[dim] - 1)
            pending.remove(dim)
    if pending:
        raise VerifyException(f"result {result} is written more than once along d{pending[0]}")


# ---- mapping


def _verify_mapping(stage: Stage, mapping: Mapping) -> None:
    for name in ("tile", "par", "order"):
        if (length := len(getattr(mapping, name))) != stage.rank:
            raise VerifyException(f"mapping: '{name}' has {length} entries, the domain {stage.rank} dimensions")
    if mapping.hold and len(mapping.hold) != len(stage.operands):
        raise VerifyException(f"mapping: 'hold' has {len(mapping.hold)} entries for {len(stage.operands)} inputs")
    if any(not 0 <= depth <= stage.rank for depth in mapping.hold):
        raise VerifyException(f"mapping: a 'hold' is a loop depth in [0, {stage.rank}]")
    if sorted(mapping.order) != list(range(stage.rank)):
        raise VerifyException(
            f"mapping: 'order' {list(mapping.order)} is not a permutation of the {stage.rank} dimensions"
        )
    for dim, (tile, par, extent) in enumerate(zip(mapping.tile, mapping.par, stage.extents, strict=True)):
        if not 1 <= tile <= extent:
            raise VerifyException(f"mapping: tile {tile} of d{dim}, whose extent is {extent}")
        if not 1 <= par <= tile:
            raise VerifyException(f"mapping: par {par} of d{dim}, whose tile is {tile}")
        if par > 1 and stage.kinds[dim] == "sequential":
            raise VerifyException(f"mapping: par {par} of the sequential dimension d{dim}")
        if par > 1 and stage.kinds[dim] == "reduction" and stage.splits[dim] % par:
            raise VerifyException(
                f"mapping: par {par} of the reduction dimension d{dim}, which is split in {stage.splits[dim]}"
            )
    _verify_fold_order(stage, mapping)


def _verify_streams(stage: Stage) -> None:
    windows = stage.handed
    if windows is not None and len(windows) != len(stage.results):
        raise VerifyException(f"'windows' has {len(windows)} entries for {len(stage.results)} results")
    if windows is not None and not all(1 <= count <= MOST_ELEMENTS for count in windows):
        raise VerifyException(f"'windows' is {list(windows)}: every count is 1 to {MOST_ELEMENTS}")
    if stage.agcus is not None and not 1 <= stage.agcus.value.data <= MOST_ELEMENTS:
        raise VerifyException(f"'agcus' is {stage.agcus.value.data}, not 1 to {MOST_ELEMENTS}")


def _verify_fold_order(stage: Stage, mapping: Mapping) -> None:
    """Tiles keep the order in which points are folded: whole blocks of 128 or all of a part, ascending."""
    blocked = stage.combine.blocks.first is not None
    dims = stage.domain.data.dims("reduction") if stage.RULES.accumulators else _meeting_dims(stage)
    parts = [stage.extents[d] // stage.splits[d] for d in dims]
    slices = [
        min(mapping.tile[d] // mapping.par[d], part) if stage.splits[d] > 1 else mapping.tile[d]
        for d, part in zip(dims, parts, strict=True)
    ]
    cut = [i for i, (size, part) in enumerate(zip(slices, parts, strict=True)) if size < part]
    if not cut:
        return
    last = cut[-1]
    if any(size != 1 for size in slices[:last]):
        raise VerifyException(
            f"mapping: d{dims[last]} is cut inside a tile of d{dims[last - 1]}, which folds out of order"
        )
    places = [mapping.order.index(dims[i]) for i in cut]
    if places != sorted(places):
        raise VerifyException(f"mapping: the tiles of {', '.join(f'd{dims[i]}' for i in cut)} are visited out of order")
    if not (blocked and stage.RULES.accumulators):
        return
    for i in cut:
        inner = prod(parts[i + 1 :])
        size = slices[i] * inner
        aligned = stage.splits[dims[i]] == 1 or parts[i] * inner % BLOCK == 0
        if (i == last and size % BLOCK) or (i < last and inner % BLOCK) or not aligned:
            raise VerifyException(
                f"mapping: a tile of d{dims[i]} folds {size if i == last else inner} points, "
                f"it must be whole blocks of {BLOCK} (a multiple of {BLOCK} from the start) or the whole of a part"
            )


def _meeting_dims(stage: Stage) -> tuple[int, ...]:
    """The dimensions along which points of a scatter may meet: those that no coordinate is a plain index of."""
    if not stage.RULES.indexed_results:
        return ()
    plain = {
        f.dims[0][0] for access in stage.result_maps for f in map_forms(access) if not f.symbols and len(f.dims) == 1
    }
    return tuple(d for d in range(stage.rank) if d not in plain)


def map_forms(affine_map: AffineMap):
    """The linear forms of a map's coordinates."""
    return [linear(expr) for expr in affine_map.results]
