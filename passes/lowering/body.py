"""Stage bodies as tile programs: arith and math ops become instructions by the opcode table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, FloatAttr, IntegerAttr, IntegerType, TensorType, VectorType, i1
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineConstraintKind

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu
from sambaflow.dialects.rdu.instructions import INSTRUCTIONS
from sambaflow.dialects.samba.folding import numpy_dtype, rounded
from sambaflow.passes.planning.access import NotRectangular, linear_terms
from sambaflow.passes.planning.analysis import opcode_of


@dataclass(frozen=True)
class LoweredBody:
    """The regions of a PCU. `ports`: the stage's inputs that it reads, in the order of the PCU's input ports."""

    body: Region
    combine: Region | None
    finish: Region | None
    ports: tuple[int, ...]


def read_inputs(op: kernel.Stage) -> tuple[int, ...]:
    """The inputs whose elements the stage's regions or its predicate read."""
    count = len(op.operands)
    used: set[int] = set()
    for region in (op.body, op.finish):
        block = region.blocks.first
        if block is not None:
            used |= {i for i, argument in enumerate(block.args[:count]) if argument.uses}
    if op.predicate is not None:
        used |= {op.bound_inputs[s] for row in _constraints(op) for s, factor in enumerate(row[2]) if factor}
    return tuple(sorted(used))


def tile_program(op: kernel.Stage) -> LoweredBody:
    """The regions of the PCU that carries out a stage. PassError for what no instruction carries out."""
    ports = read_inputs(op)
    count = len(op.operands)
    accumulators = [_scalar(accumulator) for accumulator in op.accumulator_types]
    inputs = [_scalar(op.input_types[i].element_type) for i in ports]
    body = _region(op, op.body.blocks.first, [*inputs, *accumulators], ports, count)
    combine = finish = None
    if (block := op.combine.blocks.first) is not None:
        both = accumulators * 2
        combine = _region(op, block, both, range(len(both)), len(both))
    if (block := op.finish.blocks.first) is not None:
        finish = _region(op, block, [*inputs, *accumulators], ports, count)
    elif accumulators and len(op.results) > op.step_results:
        finish = _rounding(op, inputs, accumulators)
    return LoweredBody(body, combine, finish, ports)


def predicate_rows(op: kernel.Stage, ports: Sequence[int]) -> list[tuple[int, ...]]:
    """The predicate as rows (constant, counters, port values), each at least 0 where a point counts."""
    if op.predicate is None:
        return []
    rows: list[tuple[int, ...]] = []
    for constant, dims, symbols in _constraints(op):
        values = [0] * len(ports)
        for symbol, factor in enumerate(symbols):
            if factor:
                values[ports.index(op.bound_inputs[symbol])] += factor
        rows.append((constant, *dims, *values))
    return rows


def _constraints(op: kernel.Stage) -> list[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Every constraint of the predicate as (constant, factors of dims, factors of symbols) >= 0."""
    if op.predicate is None:
        return []
    rows: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    affine = op.predicate.data
    for constraint in affine.constraints:
        difference = constraint.lhs - constraint.rhs
        signs = {AffineConstraintKind.ge: (1,), AffineConstraintKind.le: (-1,), AffineConstraintKind.eq: (1, -1)}
        try:
            constant, dims, symbols = linear_terms(difference, affine.num_dims, affine.num_symbols)
        except NotRectangular as reason:
            raise error_at(op, f"has a predicate that is not linear: {reason}") from None
        for sign in signs[constraint.kind]:
            rows.append((sign * constant, tuple(sign * d for d in dims), tuple(sign * s for s in symbols)))
    return rows


def _scalar(element: Attribute) -> Attribute:
    """An element type; a block of k elements is a sorted list."""
    return VectorType(element.element_type, element.get_shape()) if isinstance(element, TensorType) else element


def _region(
    op: kernel.Stage, block: Block | None, types: Sequence[Attribute], ports: Sequence[int], inputs: int
) -> Region:
    """The program of one region: its first `inputs` arguments are inputs, of which it reads `ports`."""
    assert block is not None, "a stage that takes PCUs has a body"
    program = Block(arg_types=types)
    values: dict[SSAValue, SSAValue] = {}
    read = [block.args[i] for i in ports] + list(block.args[inputs:])
    for old, new in zip(read, program.args, strict=True):
        values[old] = new
    for inner in block.ops:
        if isinstance(inner, kernel.YieldOp):
            program.add_op(rdu.YieldOp(*(values[v] for v in inner.operands)))
            continue
        converted = _instruction(op, inner, values)
        converted.location = inner.location
        program.add_op(converted)
        values.update(zip(inner.results, converted.results, strict=True))
    return Region(program)


def _instruction(stage: kernel.Stage, op: Operation, values: dict[SSAValue, SSAValue]) -> Operation:
    match op:
        case arith.ConstantOp():
            if not isinstance(op.value, FloatAttr | IntegerAttr):
                raise error_at(op, "is no number: a tile program holds numbers only")
            return rdu.ConstantOp(op.value)
        case kernel.IndexOp():
            if op.shard is not None and op.shard[0] > 1:
                raise error_at(op, "needs the number of its chip, which no counter has", levers=["run on one chip"])
            return rdu.CounterOp(op.dim.value.data)
        case kernel.InsertSortedOp():
            sources = [values[v] for v in (op.value, op.index, op.values)]
            return INSTRUCTIONS["insert_sorted"](sources, [_scalar(result.type) for result in op.results])
        case _:
            row = opcode_of(op)
            sources = [values[v] for v in op.operands]
            if row.op_class == "convert" and (folded := _folded(op, sources[0])) is not None:
                return folded
            return INSTRUCTIONS[row.name](sources, [result.type for result in op.results])


def _folded(op: Operation, source: SSAValue) -> rdu.ConstantOp | None:
    """A conversion of a constant is a constant, rounded as the instruction would."""
    import numpy

    if not isinstance(source.owner, rdu.ConstantOp):
        return None
    number: Any = source.owner.value
    to, value = op.results[0].type, number.value.data
    if isinstance(op, arith.ExtUIOp | arith.UIToFPOp) and isinstance(number.type, IntegerType):
        value &= (1 << number.type.width.data) - 1  # the attribute of `true` holds -1
    value = numpy.array(value, numpy_dtype(number.type) if isinstance(number, FloatAttr) else numpy.int64)
    if isinstance(to, AnyFloat):
        return rdu.ConstantOp(FloatAttr(float(rounded(value, to)), to))  # pyright: ignore[reportArgumentType]
    if isinstance(op, arith.TruncIOp) and to == i1:
        value = value & 1
    return rdu.ConstantOp(IntegerAttr(int(rounded(value, to)), to)) if isinstance(to, IntegerType) else None


def _rounding(op: kernel.Stage, inputs: Sequence[Attribute], accumulators: Sequence[Attribute]) -> Region | None:
    """Without a `finish`, the accumulators rounded to the results' types; None where they have them."""
    types = [result.element_type for result in op.output_types[op.step_results :]]
    if all(isinstance(a, VectorType) or a == t for a, t in zip(accumulators, types, strict=True)):
        return None
    block = Block(arg_types=[*inputs, *accumulators])
    results: list[SSAValue] = []
    for value, rounded_type in zip(block.args[len(inputs) :], types, strict=True):
        if value.type == rounded_type:
            results.append(value)
            continue
        conversion = INSTRUCTIONS["truncf" if isinstance(rounded_type, AnyFloat) else "trunci"]([value], [rounded_type])
        block.add_op(conversion)
        results.append(conversion.results[0])
    block.add_op(rdu.YieldOp(*results))
    return Region(block)
