"""Instruction words: 64 bits each, made and read here and nowhere else.

    63     56 55    48 47          36 35       24 23       12 11        0
    ┌────────┬────────┬──────────────┬───────────┬───────────┬───────────┐
    │ opcode │ dtype  │ destination  │ source a  │ source b  │ source c  │
    └────────┴────────┴──────────────┴───────────┴───────────┴───────────┘

Opcode and dtype are the numbers of `machine.opcodes`; what dtype selects is said there. An operand is 3 bits of
kind and 9
bits of number. A program is straight-line: every register is written before it is read, and what it yields is a
`mov` to
an output port or an accumulator. Accumulators read as they stood before the program began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from sambaflow.dialects.rdu.instructions import RESULTS
from sambaflow.errors import PefError
from sambaflow.machine.opcodes import BY_NAME, BY_NUMBER, DTYPE_BY_NUMBER, DTYPES, Opcode

NUMBER_LIMIT = 1 << 9


class Kind(IntEnum):
    """Where an operand stands."""

    REGISTER = 0
    INPUT = 1
    CONSTANT = 2
    COUNTER = 3
    ACCUMULATOR = 4
    OTHER = 5
    """In a combine program: the accumulator of the other partial result."""
    OUTPUT = 6
    """Destination only: an output port."""
    NONE = 7


class Operand(NamedTuple):
    kind: Kind
    number: int = 0

    def __str__(self) -> str:
        return "_" if self.kind is Kind.NONE else f"{_LETTERS[self.kind]}{self.number}"


_LETTERS = {
    Kind.REGISTER: "r",
    Kind.INPUT: "in",
    Kind.CONSTANT: "k",
    Kind.COUNTER: "i",
    Kind.ACCUMULATOR: "acc",
    Kind.OTHER: "other",
    Kind.OUTPUT: "out",
}

_NO_OPERAND = Operand(Kind.NONE)
_READABLE = frozenset(Kind) - {Kind.OUTPUT, Kind.NONE}
_WRITABLE = frozenset({Kind.REGISTER, Kind.ACCUMULATOR, Kind.OUTPUT})


@dataclass(frozen=True)
class Instruction:
    """A decoded word."""

    opcode: Opcode
    dtype: str
    destination: Operand
    sources: tuple[Operand, ...]

    def __str__(self) -> str:
        return f"{self.destination} = {self.opcode.name}.{self.dtype} {', '.join(map(str, self.sources))}".rstrip()


def encode_word(opcode: str, dtype: str, destination: Operand, sources: Sequence[Operand]) -> int:
    """One instruction as a word. PefError when a number does not fit its field."""
    row = BY_NAME[opcode]
    word = (row.number << 8 | DTYPES[dtype].number) << 12 | _field(destination)
    for source in (*sources, *[_NO_OPERAND] * (3 - len(sources))):
        word = word << 12 | _field(source)
    decode_word(word)
    return word


def _field(operand: Operand) -> int:
    if not 0 <= operand.number < NUMBER_LIMIT:
        raise PefError(
            f"{operand.kind.name.lower()} number {operand.number} does not fit an instruction word",
            demand=str(operand.number),
            limit=str(NUMBER_LIMIT - 1),
            shortfall=str(operand.number - NUMBER_LIMIT + 1),
            levers=("split the stage into several",),
        )
    return operand.kind << 9 | operand.number


def decode_word(word: int) -> Instruction:
    """A word as an instruction. PefError when it is not one."""
    word = int(word)
    row = BY_NUMBER.get(word >> 56)
    dtype = DTYPE_BY_NUMBER.get(word >> 48 & 0xFF)
    if row is None or dtype is None:
        raise PefError(f"word {word:#018x} names no known {'opcode' if row is None else 'dtype'}")
    destination, *fields = (Operand(Kind(word >> at + 9 & 7), word >> at & 0x1FF) for at in (36, 24, 12, 0))
    sources, rest = fields[: row.arity], fields[row.arity :]
    sound = (
        dtype.name in row.dtypes
        and destination.kind in _WRITABLE
        and all(source.kind in _READABLE for source in sources)
        and all(source == _NO_OPERAND for source in rest)
    )
    if not sound:
        raise PefError(f"word {word:#018x} is no instruction: '{row.name}' does not take these operands or this dtype")
    return Instruction(row, dtype.name, destination, tuple(sources))


def decode_program(words: Iterable[int]) -> list[Instruction]:
    """The instructions of a program. PefError when a word is none, or reads a register before it is written."""
    program: list[Instruction] = []
    written: set[int] = set()
    for word in words:
        instruction = decode_word(word)
        for source in instruction.sources:
            if source.kind is Kind.REGISTER and source.number not in written:
                raise PefError(f"'{instruction}' reads r{source.number} before it is written")
        if instruction.destination.kind is Kind.REGISTER:
            written.update(range(instruction.destination.number, instruction.destination.number + results(instruction)))
        program.append(instruction)
    return program


def results(instruction: Instruction) -> int:
    """How many consecutive registers an instruction writes."""
    return RESULTS.get(instruction.opcode.name, 1)
