"""The ops of a tile program: one instruction op per row of the opcode table, and the sources they read.

    ^bb0(%a : bf16, %b : bf16, %sum : f32):
      %0 = rdu.extf %a : bf16 to f32
      %1 = rdu.extf %b : bf16 to f32
      %2 = rdu.mul %0, %1 : f32
      %3 = rdu.add %sum, %2 : f32
      rdu.yield %3 : f32

Block arguments are input ports, then accumulators; `rdu.constant` and `rdu.counter` are operands, not instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from xdsl.dialects.builtin import AnyFloat, FloatAttr, IntegerAttr, IntegerType, VectorType, i1, i32, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsTerminator, Pure
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.rdu.dtypes import dtype_name
from sambaflow.machine.opcodes import OPCODES, Opcode

RESULTS: dict[str, int] = {"insert_sorted": 2}
"""Instructions with several results (values and indices of a sorted list); all others have one."""


def fixed_result(row: Opcode) -> Attribute | None:
    """The type of the result where the sources do not give it: i1 of comparisons, i32 of random bits."""
    return i1 if row.op_class == "compare" else i32 if row.name == "random_bits" else None


def element_dtype(element: Attribute) -> str | None:
    """The dtype of a scalar or of a sorted list `vector<k x dtype>`."""
    return dtype_name(element.element_type if isinstance(element, VectorType) else element)


class Instruction(IRDLOperation):
    """An instruction: `rdu.<name> sources : type`, a conversion `rdu.<name> source : type to type`.

    The type printed is that of the sources (of the two values for select); a comparison gives i1.
    """

    OPCODE: ClassVar[Opcode]

    sources = var_operand_def()
    outputs = var_result_def()

    traits = traits_def(Pure())

    def __init__(self, sources: Sequence[SSAValue | Operation], outputs: Sequence[Attribute]) -> None:
        super().__init__(operands=[sources], result_types=[outputs])

    @property
    def dtype(self) -> str:
        """What the dtype field of the word holds."""
        row = self.OPCODE
        if fixed_result(row) is not None or row.name in RESULTS:
            return element_dtype(self.sources[0].type) or ""
        return element_dtype(self.outputs[0].type) or ""

    def verify_(self) -> None:
        row = self.OPCODE
        if len(self.sources) != row.arity or len(self.outputs) != RESULTS.get(row.name, 1):
            raise VerifyException(f"takes {row.arity} sources, has {len(self.sources)}")
        if self.dtype not in row.dtypes:
            raise VerifyException(f"works on {', '.join(row.dtypes)}, not on {self.dtype or self.outputs[0].type}")
        sources, outputs = [s.type for s in self.sources], [r.type for r in self.outputs]
        if row.op_class == "convert":
            if isinstance(self.sources[0].owner, ConstantOp):
                raise VerifyException("converts a constant: fold it, or move it to a register first")
        elif row.name in RESULTS:
            if outputs[0] != sources[2]:
                raise VerifyException(f"updates a list of type {sources[2]}, not {outputs[0]}")
        elif row.name == "select":
            if sources != [i1, outputs[0], outputs[0]]:
                raise VerifyException("selects between two values of the result's type by an i1")
        elif any(source != sources[0] for source in sources):
            raise VerifyException(f"sources have one type, here {', '.join(map(str, sources))}")
        elif outputs[0] != (expected := fixed_result(row) or sources[0]):
            raise VerifyException(f"gives {expected}, not {outputs[0]}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list(self.sources, printer.print_ssa_value)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        if self.OPCODE.name in RESULTS:
            printer.print_operation_type(self)
            return
        printer.print_attribute(self.sources[-1].type)
        if self.OPCODE.op_class == "convert":
            printer.print_string(" to ")
            printer.print_attribute(self.outputs[0].type)

    @classmethod
    def parse(cls, parser: Parser) -> Instruction:
        row = cls.OPCODE
        position = parser.pos
        names = parser.parse_comma_separated_list(Parser.Delimiter.NONE, parser.parse_unresolved_operand)
        if len(names) != row.arity:
            parser.raise_error(f"'rdu.{row.name}' takes {row.arity} sources", position)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        if row.name in RESULTS:
            types = parser.parse_function_type()
            sources = parser.resolve_operands(names, types.inputs.data, position)
            op = cls(sources, types.outputs.data)
        else:
            source_type = parser.parse_type()
            types = [i1, source_type, source_type] if row.name == "select" else [source_type] * row.arity
            result = fixed_result(row) or source_type
            if row.op_class == "convert":
                parser.parse_characters("to")
                result = parser.parse_type()
            op = cls(parser.resolve_operands(names, types, position), [result])
        op.attributes = attributes
        return op


def _instruction(row: Opcode) -> type[Instruction]:
    body: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": f"Opcode {row.number}: {row.op_class}, on {', '.join(row.dtypes)}."
        + (f" Stands for `{row.mlir[0]}`" + (f" {row.mlir[1]}" if row.mlir[1] is not None else "") if row.mlir else ""),
        "name": f"rdu.{row.name}",
        "OPCODE": row,
        "__annotations__": {"OPCODE": ClassVar[Opcode]},
    }
    return irdl_op_definition(type(row.name.title().replace("_", "") + "Op", (Instruction,), body))


INSTRUCTIONS: dict[str, type[Instruction]] = {row.name: _instruction(row) for row in OPCODES}
"""Opcode name -> op class."""


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """A number that the configuration holds: `%k = rdu.constant 1.000000e+00 : f32`."""

    name = "rdu.constant"
    value = prop_def(Attribute)
    """The number."""
    result = result_def()
    """Of its type."""

    traits = traits_def(Pure())

    def __init__(self, value: FloatAttr[Any] | IntegerAttr[Any]) -> None:
        super().__init__(properties={"value": value}, result_types=[value.type])

    def verify_(self) -> None:
        if not isinstance(self.value, FloatAttr | IntegerAttr) or self.value.type != self.result.type:
            raise VerifyException(f"{self.value} is no number of type {self.result.type}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_attribute(self.value)
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> ConstantOp:
        position = parser.pos
        value = parser.parse_attribute()
        if not isinstance(value, FloatAttr | IntegerAttr):
            parser.raise_error(f"a constant is a number and its type, not {value}", position)
        op = cls(value)
        op.attributes = parser.parse_optional_attr_dict()
        return op

    @property
    def bits(self) -> int:
        """The raw bits."""
        return bits_of(self.value)


def bits_of(value: Attribute) -> int:
    """The raw bits of a number attribute; an i1 is 0 or 1."""
    if isinstance(value, IntegerAttr):
        return value.value.data & ((1 << value.type.width.data) - 1 if isinstance(value.type, IntegerType) else -1)
    if isinstance(value, FloatAttr):
        return int.from_bytes(value.type.pack([value.value.data]), "little")
    raise AssertionError(f"{value} is no number")


def number_of(bits: int, number_type: Attribute) -> FloatAttr[Any] | IntegerAttr[Any]:
    """The number attribute of raw bits."""
    if isinstance(number_type, IntegerType):
        width = number_type.width.data
        value = bits & (1 << width) - 1
        return IntegerAttr(value - (1 << width) if width > 1 and value >> width - 1 else value, number_type)
    if isinstance(number_type, AnyFloat):
        return FloatAttr(number_type.unpack(bits.to_bytes(8, "little")[: number_type.size], 1)[0], number_type)
    raise AssertionError(f"{number_type} is no number type")


@irdl_op_definition
class CounterOp(IRDLOperation):
    """The counter of a dimension of the domain (its global index): `%i = rdu.counter 2 : i64`."""

    name = "rdu.counter"
    dim = prop_def(IntegerAttr)
    """The dimension of the domain."""
    result = result_def(i64)
    """Where the point is along it."""

    traits = traits_def(Pure())
    assembly_format = "$dim attr-dict"

    def __init__(self, dim: int) -> None:
        super().__init__(properties={"dim": IntegerAttr(dim, i64)}, result_types=[i64])


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Ends a tile program: new accumulators, then the values of output ports. `rdu.yield %0, %1 : f32, bf16`."""

    name = "rdu.yield"
    arguments = var_operand_def()
    """Accumulators, then values of output ports."""

    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "($arguments^ `:` type($arguments))? attr-dict"

    def __init__(self, *arguments: SSAValue | Operation) -> None:
        super().__init__(operands=[arguments])
