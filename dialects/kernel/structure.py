"""What holds stages together: sections and groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import LocationAttr, StringAttr, SymbolNameConstraint, TensorType
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.kernel.body_ops import YieldOp
from sambaflow.dialects.kernel.stage import region_yield


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
        body = parser.parse_region([name.resolve(argument_type) for name, _, argument_type in bound])
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
