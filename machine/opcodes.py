"""The instruction set of a PCU: one table from which everything else is derived.

A row says what an instruction is called, how many sources it reads, which part of the PCU carries it out, which
dtypes it works on, and which op of a kernel body it stands for. The rdu instruction ops, the encoder, the decoder,
the disassembler, the simulator's evaluator and the cost function all read this table; nobody lists opcodes again.

    opcode("arith.mulf")                 -> Opcode(number=3, name="mul", arity=2, op_class="alu", ...)
    opcode("arith.cmpf", predicate=4)    -> Opcode(name="lt", ...)         # predicate 4 is "olt"
    BY_NUMBER[3].name                    -> "mul"

What the dtype field of an instruction word selects:

* arithmetic: the type of the sources and of the result. Float rows compute in f32 whatever a register was loaded from;
  a bf16 instruction rounds its result to bf16 (nearest, ties to even).
* compare: the type of the sources; the result is i1.
* select: the type of the two values; the condition (source a) is i1.
* convert: the type of the result; the source's type is the type of what it reads (port, register, accumulator,
  counter).
  `truncf` rounds to nearest, ties to even; `fptosi` truncates toward zero.
* A constant has the type that the reading instruction gives its sources. Counters are i64; `index` is i64.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

OP_CLASSES = ("mac", "alu", "compare", "convert", "transcendental", "free")
"""Which part of a PCU is busy: a multiply-accumulate of the array, a stage's ALU, the same with an i1 result, the
port's format converter, a tail lane, or nothing (a move is a wire)."""


@dataclass(frozen=True)
class Dtype:
    """An element type: its code in instruction words and descriptors, and its size in bytes in memory."""

    number: int
    name: str
    bytes: int


DTYPES: Mapping[str, Dtype] = MappingProxyType(
    {
        name: Dtype(number, name, size)
        for number, (name, size) in enumerate(
            (
                ("i1", 1),
                ("i8", 1),
                ("i16", 2),
                ("i32", 4),
                ("i64", 8),
                ("bf16", 2),
                ("f16", 2),
                ("f32", 4),
                ("f64", 8),
                ("u8", 1),
            )
        )
    }
)
DTYPE_BY_NUMBER: Mapping[int, Dtype] = MappingProxyType({row.number: row for row in DTYPES.values()})

MOST_ELEMENTS = 1 << 56
"""Elements of a tensor, and points of a domain: their bytes, addresses and times are numbers of 64 bits."""
MOST_DIMENSIONS = 64
"""Of a tensor: PyTorch, which the simulator computes with, has no operators on more."""

FLOATS = ("bf16", "f16", "f32", "f64")
INTEGERS = ("i1", "i8", "i16", "i32", "i64", "u8")
ANY = INTEGERS + FLOATS


@dataclass(frozen=True)
class Opcode:
    """One instruction. `mlir` is the op it stands for and, for comparisons, its predicate; None: no op stands for
    it."""

    number: int
    name: str
    arity: int
    op_class: str
    dtypes: tuple[str, ...]
    mlir: tuple[str, int | None] | None


_CMPF = ("oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno")
_CMPI = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")
_SHORT = {"oeq": "eq", "ogt": "gt", "oge": "ge", "olt": "lt", "ole": "le", "une": "ne"}


def _rows() -> Iterator[tuple[int, str, int, str, tuple[str, ...], tuple[str, int | None] | None]]:
    def group(first: int, op_class: str, dtypes: tuple[str, ...], rows: str):
        """`rows` is a list of name/arity/mlir op; numbers ascend from `first`, so a group can grow at its end."""
        for number, row in enumerate(rows.split(), first):
            name, arity, mlir = row.split("/")
            yield number, name, int(arity), op_class, dtypes, (mlir, None) if mlir else None

    yield from group(0, "free", ANY, "mov/1/")
    yield from group(1, "alu", FLOATS, "add/2/arith.addf sub/2/arith.subf mul/2/arith.mulf neg/1/arith.negf")
    yield from group(5, "alu", FLOATS, "max/2/arith.maximumf min/2/arith.minimumf maxnum/2/arith.maxnumf")
    yield from group(8, "alu", FLOATS, "minnum/2/arith.minnumf fma/3/math.fma abs/1/math.absf copysign/2/math.copysign")
    yield from group(12, "alu", FLOATS, "floor/1/math.floor ceil/1/math.ceil round/1/math.round")
    yield from group(15, "alu", FLOATS, "roundeven/1/math.roundeven trunc/1/math.trunc")
    yield from group(24, "alu", ANY, "select/3/arith.select")
    yield from group(32, "alu", INTEGERS, "addi/2/arith.addi subi/2/arith.subi muli/2/arith.muli divi/2/arith.divsi")
    yield from group(36, "alu", INTEGERS, "divui/2/arith.divui floordivi/2/arith.floordivsi remi/2/arith.remsi")
    yield from group(39, "alu", INTEGERS, "remui/2/arith.remui and/2/arith.andi or/2/arith.ori xor/2/arith.xori")
    yield from group(43, "alu", INTEGERS, "shl/2/arith.shli shr/2/arith.shrsi shrui/2/arith.shrui maxi/2/arith.maxsi")
    yield from group(47, "alu", INTEGERS, "mini/2/arith.minsi maxui/2/arith.maxui minui/2/arith.minui absi/1/math.absi")
    yield from group(51, "alu", INTEGERS, "ceildivi/2/arith.ceildivsi")
    for number, name in enumerate(_CMPF, 64):
        yield number, _SHORT.get(name, name), 2, "compare", FLOATS, ("arith.cmpf", number - 63)
    for number, name in enumerate(_CMPI, 80):
        yield number, f"{name}i", 2, "compare", INTEGERS, ("arith.cmpi", number - 80)
    # Accumulators are k-long sorted lists: a = value, b = index, c = the values' accumulator (the indices' is the
    # next one).
    yield from group(92, "compare", ANY, "insert_sorted/3/kernel.insert_sorted")
    yield from group(96, "convert", FLOATS, "extf/1/arith.extf truncf/1/arith.truncf")
    yield from group(98, "convert", FLOATS, "sitofp/1/arith.sitofp uitofp/1/arith.uitofp")
    yield from group(100, "convert", INTEGERS, "fptosi/1/arith.fptosi fptoui/1/arith.fptoui extsi/1/arith.extsi")
    yield from group(
        103, "convert", INTEGERS, "extui/1/arith.extui trunci/1/arith.trunci index_cast/1/arith.index_cast"
    )
    yield from group(107, "convert", ANY, "bitcast/1/arith.bitcast")
    yield from group(128, "transcendental", FLOATS, "div/2/arith.divf rem/2/kernel.rem")
    yield from group(130, "transcendental", FLOATS, "exp/1/math.exp exp2/1/math.exp2")
    yield from group(132, "transcendental", FLOATS, "expm1/1/math.expm1 log/1/math.log log2/1/math.log2")
    yield from group(
        135, "transcendental", FLOATS, "log10/1/math.log10 log1p/1/math.log1p tanh/1/math.tanh erf/1/math.erf"
    )
    yield from group(139, "transcendental", FLOATS, "sqrt/1/math.sqrt rsqrt/1/math.rsqrt sin/1/math.sin cos/1/math.cos")
    yield from group(143, "transcendental", FLOATS, "tan/1/math.tan sinh/1/math.sinh cosh/1/math.cosh asin/1/math.asin")
    yield from group(
        147, "transcendental", FLOATS, "acos/1/math.acos atan/1/math.atan atan2/2/math.atan2 pow/2/math.powf"
    )
    yield from group(151, "transcendental", FLOATS, "fpowi/2/math.fpowi cbrt/1/math.cbrt asinh/1/math.asinh")
    yield from group(154, "transcendental", FLOATS, "acosh/1/math.acosh atanh/1/math.atanh")
    # a = seed, b = global index: random numbers do not depend on tiles or shards. The tail makes them (P40).
    yield from group(160, "transcendental", INTEGERS, "random_bits/2/kernel.random_bits")


OPCODES: tuple[Opcode, ...] = tuple(Opcode(*row) for row in _rows())
BY_NUMBER: Mapping[int, Opcode] = MappingProxyType({row.number: row for row in OPCODES})
BY_NAME: Mapping[str, Opcode] = MappingProxyType({row.name: row for row in OPCODES})
BY_MLIR: Mapping[tuple[str, int | None], Opcode] = MappingProxyType({row.mlir: row for row in OPCODES if row.mlir})


def opcode(op_name: str, predicate: int | None = None) -> Opcode | None:
    """The instruction for an op of a kernel body, or None if no PCU instruction carries it out."""
    return BY_MLIR.get((op_name, predicate))
