"""Tile programs: regions of rdu instruction ops <-> instruction words.

Numbering is canonical, so that words and ops determine each other up to SSA names: constants are numbered in the
order in which they stand (body, combine, finish), registers in the order in which they are written, and ops read back
stand in the order constants, counters, instructions. Constants that nothing reads are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xdsl.dialects.builtin import VectorType, i1, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from sambaflow.backends.rdu.words import Instruction as Decoded
from sambaflow.backends.rdu.words import Kind, Operand, decode_program, encode_word, results
from sambaflow.diagnostics import error_at
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.instructions import element_dtype, fixed_result
from sambaflow.errors import PefError


@dataclass
class Assembler:
    """Words of the programs of one PCU; `constants` is the pool they share."""

    inputs: int
    accumulators: int
    steps: int
    """Results that the body yields: those of finish are numbered after them."""
    constants: list[int] = field(default_factory=list[int])

    def body(self, region: Region) -> list[int]:
        return self._program(region, self._ports, first_output=0, accumulators=self.accumulators)

    def combine(self, region: Region | None) -> list[int]:
        return [] if region is None else self._program(region, self._pairs, 0, self.accumulators)

    def finish(self, region: Region | None) -> list[int]:
        return [] if region is None else self._program(region, self._ports, self.steps, 0)

    def _ports(self, index: int) -> Operand:
        return Operand(Kind.INPUT, index) if index < self.inputs else Operand(Kind.ACCUMULATOR, index - self.inputs)

    def _pairs(self, index: int) -> Operand:
        mine = index < self.accumulators
        return Operand(Kind.ACCUMULATOR, index) if mine else Operand(Kind.OTHER, index - self.accumulators)

    def _program(
        self, region: Region, argument: Callable[[int], Operand], first_output: int, accumulators: int
    ) -> list[int]:
        at: dict[SSAValue, Operand] = {arg: argument(arg.index) for arg in region.block.args}
        words: list[int] = []
        registers = 0
        for op in region.block.ops:
            if isinstance(op, rdu.ConstantOp):
                if op.result.first_use is not None:
                    at[op.result] = Operand(Kind.CONSTANT, len(self.constants))
                    self.constants.append(op.bits)
            elif isinstance(op, rdu.CounterOp):
                at[op.result] = Operand(Kind.COUNTER, op.dim.value.data)
            elif isinstance(op, rdu.Instruction):
                for result in op.outputs:
                    at[result] = Operand(Kind.REGISTER, registers)
                    registers += 1
                words.append(_word(op, op.OPCODE.name, op.dtype, at[op.outputs[0]], [at[s] for s in op.sources]))
            elif isinstance(op, rdu.YieldOp):
                for i, value in enumerate(op.arguments):
                    accumulator = i < accumulators
                    number = i if accumulator else first_output + i - accumulators
                    target = Operand(Kind.ACCUMULATOR if accumulator else Kind.OUTPUT, number)
                    words.append(_word(op, "mov", element_dtype(value.type) or "", target, [at[value]]))
            else:
                raise error_at(op, "is no instruction of a tile program", PefError)
        return words


def _word(op: Operation, opcode: str, dtype: str, destination: Operand, sources: Sequence[Operand]) -> int:
    try:
        return encode_word(opcode, dtype, destination, sources)
    except PefError as error:
        raise error_at(
            op,
            error.message,
            PefError,
            demand=error.demand,
            limit=error.limit,
            shortfall=error.shortfall,
            levers=error.levers,
        ) from None


@dataclass
class Disassembler:
    """Regions from the words of one PCU."""

    inputs: Sequence[Attribute]
    accumulators: Sequence[Attribute]
    constants: Sequence[int]

    def body(self, words: Sequence[int]) -> Region:
        return self._region(words, [*self.inputs, *self.accumulators], Kind.INPUT)

    def combine(self, words: Sequence[int]) -> Region | None:
        return self._region(words, [*self.accumulators, *self.accumulators], Kind.ACCUMULATOR) if len(words) else None

    def finish(self, words: Sequence[int]) -> Region | None:
        return self._region(words, [*self.inputs, *self.accumulators], Kind.INPUT) if len(words) else None

    def _region(self, words: Sequence[int], types: Sequence[Attribute], first: Kind) -> Region:
        program = decode_program(words)
        block = Block(arg_types=types)
        split = len(self.inputs) if first is Kind.INPUT else len(self.accumulators)
        second = Kind.ACCUMULATOR if first is Kind.INPUT else Kind.OTHER
        at: dict[Operand, SSAValue] = {
            Operand(first, i) if i < split else Operand(second, i - split): arg for i, arg in enumerate(block.args)
        }
        for op in _sources(program, self.constants, at):
            block.add_op(op)
        yielded: list[SSAValue] = []
        for instruction in program:
            sources = [_lookup(at, operand, instruction) for operand in instruction.sources]
            if instruction.destination.kind is not Kind.REGISTER:
                if instruction.opcode.name != "mov":
                    raise PefError(f"'{instruction}' yields, but is no mov")
                yielded.append(sources[0])
                continue
            if yielded:
                raise PefError(f"'{instruction}' stands after a yield")
            op = rdu.INSTRUCTIONS[instruction.opcode.name](sources, _result_types(instruction, sources))
            block.add_op(op)
            for i, result in enumerate(op.outputs):
                at[Operand(Kind.REGISTER, instruction.destination.number + i)] = result
        block.add_op(rdu.YieldOp(*yielded))
        return Region(block)


def lists_of(words: Sequence[int]) -> set[int]:
    """The accumulators that hold sorted lists, also lists of one: they take what an update of a list gives."""
    updated: set[int] = set()
    lists: set[int] = set()
    for instruction in decode_program(words):
        destination = instruction.destination
        if instruction.opcode.name in rdu.RESULTS:
            updated.update(range(destination.number, destination.number + results(instruction)))
        elif destination.kind is Kind.ACCUMULATOR and instruction.sources[0].kind is Kind.REGISTER:
            lists |= {destination.number} if instruction.sources[0].number in updated else set()
    return lists


def _lookup(at: dict[Operand, SSAValue], operand: Operand, instruction: Decoded) -> SSAValue:
    value = at.get(operand)
    if value is None:
        raise PefError(f"'{instruction}' reads {operand}, which is not there")
    return value


def _sources(
    program: Sequence[Decoded], constants: Sequence[int], at: dict[Operand, SSAValue]
) -> list[rdu.ConstantOp | rdu.CounterOp]:
    """Ops for the constants and counters that a program reads; they are entered in `at`."""
    used: dict[Operand, Attribute] = {}
    for instruction in program:
        for position, operand in enumerate(instruction.sources):
            if operand.kind in (Kind.CONSTANT, Kind.COUNTER):
                used.setdefault(operand, _source_type(instruction, position))
    ops: list[rdu.ConstantOp | rdu.CounterOp] = []
    for operand in sorted(used):
        if operand.kind is Kind.CONSTANT:
            if operand.number >= len(constants):
                raise PefError(f"there is no constant {operand.number}, only {len(constants)}")
            op = rdu.ConstantOp(rdu.number_of(int(constants[operand.number]), used[operand]))
        else:
            op = rdu.CounterOp(operand.number)
        at[operand] = op.result
        ops.append(op)
    return ops


def _source_type(instruction: Decoded, position: int) -> Attribute:
    """The type of a constant that stands at `position`."""
    if instruction.opcode.name == "select" and position == 0:
        return i1
    return i64 if instruction.opcode.name in rdu.RESULTS and position == 1 else rdu.dtype_type(instruction.dtype)


def _result_types(instruction: Decoded, sources: Sequence[SSAValue]) -> list[Attribute]:
    if instruction.opcode.name in rdu.RESULTS:
        values = sources[2].type
        if not isinstance(values, VectorType):
            raise PefError(f"'{instruction}' updates no list")
        return [values, VectorType(sources[1].type, values.get_shape())]
    return [fixed_result(instruction.opcode) or rdu.dtype_type(instruction.dtype)]
