"""What holds stages together: sections and groups, and the ops that later passes put on their edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import I64, IntegerAttr, LocationAttr, StringAttr, SymbolNameConstraint, TensorType, i64
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.kernel.attributes import TokenType
from sambaflow.dialects.kernel.body_ops import YieldOp
from sambaflow.dialects.kernel.stage import region_yield
from sambaflow.machine.opcodes import MOST_ELEMENTS

TIERS = ("sram", "hbm", "ddr")


class Enclosure(IRDLOperation):
    """A region of stages with its own names for what it reads: base of sections and groups.

    The label is a symbol (section) or a string (group); the region takes one argument per input and yields the results.
    """

    inputs = var_operand_def(TensorType)
    """What the stages read."""
    outputs = var_result_def(TensorType)
    """What they yield."""
    body = region_def("single_block")
    """One argument per input; the stages; `kernel.yield`."""

    LABEL: ClassVar[str]

    @property
    def label(self) -> str:
        """The section's symbol or the group's rule."""
        attribute = self.properties[self.LABEL]
        return attribute.data if isinstance(attribute, StringAttr) else ""

    @property
    def terminator(self) -> YieldOp:
        """The yield of the results."""
        return region_yield(self.body)

    @classmethod
    def make(
        cls,
        label: str,
        inputs: Sequence[SSAValue],
        result_types: Sequence[Attribute],
        fill: Callable[[Block], Sequence[SSAValue]] | None = None,
        location: LocationAttr | None = None,
    ) -> Self:
        """A section or group over `inputs`; `fill(block)` adds the stages and returns what is yielded (without it,
        the block is left empty and its terminator to the caller)."""
        block = Block(arg_types=[value.type for value in inputs])
        for argument, value in zip(block.args, inputs, strict=True):
            argument.name_hint = value.name_hint
        op = cls.create(
            operands=inputs,
            result_types=result_types,
            properties={cls.LABEL: StringAttr(label)},
            regions=[Region(block)],
        )
        if fill is not None:
            block.add_op(YieldOp(*fill(block)))
        if location is not None:
            op.location = location
        return op

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse `label (%a = %x : T, ...) -> (T, ...) attributes {..} {...}`."""
        label = parser.parse_symbol_name() if cls.LABEL == "sym_name" else StringAttr(parser.parse_str_literal())
        position = parser.pos

        def binding() -> tuple[Parser.UnresolvedArgument, UnresolvedOperand, Attribute]:
            name = parser.parse_argument(expect_type=False)
            parser.parse_punctuation("=")
            operand = parser.parse_unresolved_operand()
            parser.parse_punctuation(":")
            return name, operand, parser.parse_type()

        bound = parser.parse_comma_separated_list(parser.Delimiter.PAREN, binding)
        operands = parser.resolve_operands([b[1] for b in bound], [b[2] for b in bound], position)
        parser.parse_punctuation("->")
        result_types = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
        attributes = parser.parse_optional_attr_dict_with_keyword()
        body = parser.parse_region([name.resolve(type) for name, _, type in bound])
        return cls.create(
            operands=operands,
            result_types=result_types,
            properties={cls.LABEL: label},
            attributes=dict(attributes.data) if attributes is not None else {},
            regions=[body],
        )

    def print(self, printer: Printer) -> None:
        """Print `label (%a = %x : T, ...) -> (T, ...) attributes {..} {...}`."""
        printer.print_string(" ")
        if self.LABEL == "sym_name":
            printer.print_symbol_name(self.label)
        else:
            printer.print_string_literal(self.label)
        printer.print_string(" ")
        block = self.body.block
        with printer.in_parens():
            printer.print_list(
                list(zip(block.args, self.operands, strict=True)), lambda pair: _print_binding(printer, *pair)
            )
        printer.print_string(" -> ")
        with printer.in_parens():
            printer.print_list([result.type for result in self.results], printer.print_attribute)
        if self.attributes:
            printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)

    def verify_(self) -> None:
        """The region's arguments have the inputs' types, what is yielded the results'."""
        block = self.body.block
        inputs, results = [v.type for v in self.operands], [v.type for v in self.results]
        if [argument.type for argument in block.args] != inputs:
            raise VerifyException("the region's arguments do not have the types of the inputs")
        if not isinstance(block.last_op, YieldOp):
            raise VerifyException("the region does not end with kernel.yield")
        yielded = [value.type for value in block.last_op.operands]
        if yielded != results:
            raise VerifyException(
                f"yields ({', '.join(map(str, yielded))}), its results are ({', '.join(map(str, results))})"
            )


def _print_binding(printer: Printer, argument: SSAValue, operand: SSAValue) -> None:
    printer.print_ssa_value(argument)
    printer.print_string(" = ")
    printer.print_ssa_value(operand)
    printer.print_string(" : ")
    printer.print_attribute(argument.type)


@irdl_op_definition
class SectionOp(Enclosure):
    """A pipeline of stages that is on the chip at one time.

    Example:

    ```mlir
    %y = kernel.section @s0 (%a = %x : tensor<4xf32>) -> (tensor<4xf32>) {
      %0 = kernel.map ins(%a : tensor<4xf32>) ...
      kernel.yield %0 : tensor<4xf32>
    }
    ```
    """

    name = "kernel.section"
    LABEL: ClassVar[str] = "sym_name"

    sym_name = prop_def(SymbolNameConstraint())
    """Its name."""

    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface(), Pure())


@irdl_op_definition
class GroupOp(Enclosure):
    """The stages of one fused module, before sections are cut; named by the rule that made it.

    Example:

    ```mlir
    %y = kernel.group "mlp" (%a = %x : tensor<4xf32>) -> (tensor<4xf32>) {...}
    ```
    """

    name = "kernel.group"
    LABEL: ClassVar[str] = "rule"

    rule = prop_def(StringAttr)
    """Which fusion rule made it."""

    traits = traits_def(IsolatedFromAbove(), Pure())


def _print_after(printer: Printer, token: SSAValue | None) -> None:
    if token is not None:
        printer.print_string(" after ")
        printer.print_ssa_value(token)


def _parse_after(parser: Parser) -> list[SSAValue]:
    if parser.parse_optional_keyword("after") is None:
        return []
    return [parser.resolve_operand(parser.parse_unresolved_operand(), TokenType())]


@irdl_op_definition
class LoadOp(IRDLOperation):
    """Reads a tensor from off-chip memory; `after` a store of the same tensor.

    Example:

    ```mlir
    %v = kernel.load %a : tensor<4xf32>
    %w = kernel.load %b after %token : tensor<4xf32>
    ```
    """

    name = "kernel.load"

    source = operand_def(TensorType)
    """The tensor in off-chip memory."""
    after = opt_operand_def(TokenType)
    """The token of an earlier store of the same tensor."""
    value = result_def(TensorType)
    """What was read."""

    traits = traits_def(Pure())

    def __init__(self, source: SSAValue, after: SSAValue | None = None):
        super().__init__(operands=[source, [] if after is None else [after]], result_types=[source.type])

    @classmethod
    def parse(cls, parser: Parser) -> LoadOp:
        """Parse `%a after %t : T`."""
        name = parser.parse_unresolved_operand()
        after = _parse_after(parser)
        parser.parse_punctuation(":")
        return cls(parser.resolve_operand(name, parser.parse_type()), *after)

    def print(self, printer: Printer) -> None:
        """Print `%a after %t : T`."""
        printer.print_string(" ")
        printer.print_ssa_value(self.source)
        _print_after(printer, self.after)
        printer.print_string(" : ")
        printer.print_attribute(self.value.type)

    def verify_(self) -> None:
        """A load changes no type."""
        if self.source.type != self.value.type:
            raise VerifyException(f"loads {self.source.type} as {self.value.type}")


@irdl_op_definition
class StoreOp(IRDLOperation):
    """Writes a tensor to off-chip memory: over `to`, or to a tensor of its own. Yields that tensor and a token.

    Example:

    ```mlir
    %r, %t = kernel.store %v : tensor<4xf32>
    %s, %u = kernel.store %v to %dest after %t : tensor<4xf32>
    ```
    """

    name = "kernel.store"

    value = operand_def(TensorType)
    """What is written."""
    destination = opt_operand_def(TensorType)
    """The argument that is overwritten."""
    after = opt_operand_def(TokenType)
    """The token of an earlier store of the same tensor."""
    result = result_def(TensorType)
    """The tensor as it is now."""
    token = result_def(TokenType)
    """For loads and stores that must come later."""

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(self, value: SSAValue, destination: SSAValue | None = None, after: SSAValue | None = None):
        optional = [[] if v is None else [v] for v in (destination, after)]
        super().__init__(operands=[value, *optional], result_types=[value.type, TokenType()])

    @classmethod
    def parse(cls, parser: Parser) -> StoreOp:
        """Parse `%v to %dest after %t : T`."""
        name = parser.parse_unresolved_operand()
        to = parser.parse_unresolved_operand() if parser.parse_optional_keyword("to") is not None else None
        after = _parse_after(parser)
        parser.parse_punctuation(":")
        type = parser.parse_type()
        value = parser.resolve_operand(name, type)
        return cls(value, None if to is None else parser.resolve_operand(to, type), *after)

    def print(self, printer: Printer) -> None:
        """Print `%v to %dest after %t : T`."""
        printer.print_string(" ")
        printer.print_ssa_value(self.value)
        if self.destination is not None:
            printer.print_string(" to ")
            printer.print_ssa_value(self.destination)
        _print_after(printer, self.after)
        printer.print_string(" : ")
        printer.print_attribute(self.value.type)

    def verify_(self) -> None:
        """A store changes no type."""
        written = [self.result.type] + ([self.destination.type] if self.destination is not None else [])
        if any(type != self.value.type for type in written):
            raise VerifyException(f"stores {self.value.type} as {', '.join(map(str, written))}")


@irdl_op_definition
class BufferOp(IRDLOperation):
    """A stage buffer on an edge: it is read in `tokens` parts, of which `depth` fit; a tier, PMUs.

    Example:

    ```mlir
    %b = kernel.buffer %v {depth = 2 : i64, tokens = 16 : i64, tier = "sram", pmus = 4 : i64} : tensor<4xf32>
    ```
    """

    name = "kernel.buffer"

    value = operand_def(TensorType)
    """What is buffered."""
    depth = prop_def(IntegerAttr[I64])
    """Parts of room."""
    tokens = prop_def(IntegerAttr[I64])
    """Parts that are read in one execution."""
    handed = opt_prop_def(IntegerAttr[I64])
    """Windows in which its maker hands the tensor over; as many as `tokens`, if it is not known yet."""
    tier = prop_def(StringAttr)
    """`sram`, `hbm` or `ddr`."""
    pmus = opt_prop_def(IntegerAttr[I64])
    """How many PMUs hold it."""
    result = result_def(TensorType)
    """The same tensor, behind the buffer."""

    traits = traits_def(Pure())

    def __init__(
        self,
        value: SSAValue,
        depth: int,
        tokens: int,
        tier: str = "sram",
        pmus: int | None = None,
        handed: int | None = None,
    ):
        properties = {
            "depth": IntegerAttr(depth, i64),
            "tokens": IntegerAttr(tokens, i64),
            "tier": StringAttr(tier),
            "pmus": None if pmus is None else IntegerAttr(pmus, i64),
            "handed": None if handed is None or handed == tokens else IntegerAttr(handed, i64),
        }
        super().__init__(operands=[value], properties=properties, result_types=[value.type])

    @property
    def windows(self) -> int:
        """Windows in which its maker hands the tensor over."""
        return (self.handed or self.tokens).value.data

    @classmethod
    def parse(cls, parser: Parser) -> BufferOp:
        """Parse `%v {depth = .., ..} : T`."""
        name = parser.parse_unresolved_operand()
        properties = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        type = parser.parse_type()
        value = parser.resolve_operand(name, type)
        return cls.create(operands=[value], properties=properties, result_types=[type])

    def print(self, printer: Printer) -> None:
        """Print `%v {depth = .., ..} : T`."""
        printer.print_string(" ")
        printer.print_ssa_value(self.value)
        printer.print_op_attributes(self.properties | self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)

    def verify_(self) -> None:
        """Positive numbers, a known tier, no change of type."""
        if self.value.type != self.result.type:
            raise VerifyException(f"buffers {self.value.type} as {self.result.type}")
        for name in ("depth", "tokens", "handed", "pmus"):
            number = self.properties.get(name)
            if isinstance(number, IntegerAttr) and not 1 <= number.value.data <= MOST_ELEMENTS:
                raise VerifyException(f"'{name}' is {number.value.data}, not 1 to {MOST_ELEMENTS}")
        if self.tier.data not in TIERS:
            raise VerifyException(f"the tier '{self.tier.data}' is not one of {', '.join(TIERS)}")
