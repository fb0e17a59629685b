"""What passes put on the edges of stages: loads, stores and buffers, with the decisions that are made about each.

A decision is a property in the dictionary of the op. One that is absent is still to be made, by the pass that its
docstring names; the conversion to rdu needs them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self, cast

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, StringAttr, TensorType, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.kernel.attributes import TokenType
from sambaflow.machine.opcodes import MOST_ELEMENTS

TIERS = ("sram", "hbm", "ddr")


def integer(value: int | None) -> IntegerAttr[I64] | None:
    """`value : i64`."""
    return None if value is None else IntegerAttr(value, i64)


class Transfer(IRDLOperation):
    """What loads and stores share: `%value to %destination after %token {decisions} : type`."""

    VERB: ClassVar[str]

    agcus = opt_prop_def(IntegerAttr[I64])
    """How many AGCUs move it; absent until `kernel-insert-transfers`."""
    tile = opt_prop_def(DenseArrayBase[I64])
    """What one firing moves, per dimension; absent until `kernel-insert-transfers`."""

    @property
    def decisions(self) -> dict[str, Attribute]:
        """The properties that passes set, in the order of the text form."""
        names = ("agcus", "tile", "depth")
        return {name: self.properties[name] for name in names if name in self.properties}

    @property
    def tiling(self) -> tuple[int, ...] | None:
        """What one firing moves."""
        return None if self.tile is None else tuple(self.tile.get_values())

    def print(self, printer: Printer) -> None:
        """Print `%v to %dest after %t {agcus = ..} : T`."""
        printer.print_string(" ")
        printer.print_ssa_value(self.operands[0])
        if (destination := self._optional("destination")) is not None:
            printer.print_string(" to ")
            printer.print_ssa_value(destination)
        if (after := self._optional("after")) is not None:
            printer.print_string(" after ")
            printer.print_ssa_value(after)
        if decisions := self.decisions | self.attributes:
            printer.print_op_attributes(decisions)
        printer.print_string(" : ")
        printer.print_attribute(self.operands[0].type)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse `%v to %dest after %t {agcus = ..} : T`."""
        name = parser.parse_unresolved_operand()
        to = parser.parse_unresolved_operand() if parser.parse_optional_keyword("to") is not None else None
        token: SSAValue | None = None
        if parser.parse_optional_keyword("after") is not None:
            token = parser.resolve_operand(parser.parse_unresolved_operand(), TokenType())
        position = parser.pos
        decisions = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        value_type = parser.parse_type()
        destination = None if to is None else parser.resolve_operand(to, value_type)
        op = cls.between(parser.resolve_operand(name, value_type), destination, token)
        if op is None:
            parser.raise_error(f"'{cls.name}' takes no 'to'", position)
        properties, attributes = _separate(cls, decisions)
        op.properties |= properties
        op.attributes |= attributes
        return op

    @classmethod
    def between(cls, value: SSAValue, destination: SSAValue | None, after: SSAValue | None) -> Self | None:
        """The transfer of a value; None if its kind takes no destination."""
        raise NotImplementedError

    def _optional(self, name: str) -> SSAValue | None:
        return cast(SSAValue | None, getattr(self, name, None))

    def verify_(self) -> None:
        """No change of type; positive numbers; a tile in the range of what is moved."""
        moved = cast(TensorType[Attribute], self.operands[0].type)
        types = [value.type for value in (*self.operands, *self.results) if not isinstance(value.type, TokenType)]
        if others := [value_type for value_type in types if value_type != moved]:
            raise VerifyException(f"{self.VERB} {moved} as {', '.join(map(str, others))}")
        verify_counts(self.properties, ("agcus", "depth"))
        if (tile := self.tiling) is not None and not all(1 <= part <= MOST_ELEMENTS for part in tile):
            raise VerifyException(f"'tile' is {list(tile)}: every part is 1 to {MOST_ELEMENTS}")


def _separate(
    op: type[IRDLOperation], entries: Mapping[str, Attribute]
) -> tuple[dict[str, Attribute], dict[str, Attribute]]:
    """The properties and the discardable attributes of one dictionary."""
    known = op.get_irdl_definition().properties
    properties = {name: value for name, value in entries.items() if name in known}
    return properties, {name: value for name, value in entries.items() if name not in known}


def verify_counts(properties: Mapping[str, Attribute], names: Sequence[str]) -> None:
    """VerifyException for a count that is not positive, or beyond what anything has."""
    for name in names:
        count = properties.get(name)
        if isinstance(count, IntegerAttr) and not 1 <= count.value.data <= MOST_ELEMENTS:
            raise VerifyException(f"'{name}' is {count.value.data}, not 1 to {MOST_ELEMENTS}")


@irdl_op_definition
class LoadOp(Transfer):
    """Reads a tensor from off-chip memory; `after` a store of the same tensor. `tile`: what a window of it holds.

    Example:

    ```mlir
    %v = kernel.load %a {agcus = 2 : i64, tile = array<i64: 2>} : tensor<4xf32>
    %w = kernel.load %b after %token : tensor<4xf32>
    ```
    """

    name = "kernel.load"
    VERB: ClassVar[str] = "loads"

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
    def between(cls, value: SSAValue, destination: SSAValue | None, after: SSAValue | None) -> LoadOp | None:
        """A load; None with a destination."""
        return cls(value, after) if destination is None else None

    def verify_(self) -> None:
        """Also: a tile of the tensor's rank, inside of it."""
        super().verify_()
        shape = self.value.type.get_shape() or (1,)
        if (tile := self.tiling) is None:
            return
        if len(tile) != len(shape) or any(part > extent for part, extent in zip(tile, shape, strict=True)):
            raise VerifyException(f"'tile' is {list(tile)}, which is no part of {self.value.type}")


@irdl_op_definition
class StoreOp(Transfer):
    """Writes a tensor to off-chip memory: over `to`, or to a tensor of its own. Yields that tensor and a token.

    `tile` is over the points that make what is stored: the parallel dimensions of the stage, or the tensor's own
    behind a buffer.

    Example:

    ```mlir
    %r, %t = kernel.store %v {agcus = 1 : i64, tile = array<i64: 2>, depth = 3 : i64} : tensor<4xf32>
    %s, %u = kernel.store %v to %dest after %t : tensor<4xf32>
    ```
    """

    name = "kernel.store"
    VERB: ClassVar[str] = "stores"

    value = operand_def(TensorType)
    """What is written."""
    destination = opt_operand_def(TensorType)
    """The argument that is overwritten."""
    after = opt_operand_def(TokenType)
    """The token of an earlier store of the same tensor."""
    depth = opt_prop_def(IntegerAttr[I64])
    """Windows that may wait in front of it; absent until `kernel-size-fifos`."""
    result = result_def(TensorType)
    """The tensor as it is now."""
    token = result_def(TokenType)
    """For loads and stores that must come later."""

    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(self, value: SSAValue, destination: SSAValue | None = None, after: SSAValue | None = None):
        optional = [[] if v is None else [v] for v in (destination, after)]
        super().__init__(operands=[value, *optional], result_types=[value.type, TokenType()])

    @classmethod
    def between(cls, value: SSAValue, destination: SSAValue | None, after: SSAValue | None) -> StoreOp:
        """A store."""
        return cls(value, destination, after)


@irdl_op_definition
class BufferOp(IRDLOperation):
    """A stage buffer on an edge: written in `handed` windows, of which `depth` fit, and read in `tokens` parts.

    Example:

    ```mlir
    %b = kernel.buffer %v {depth = 2 : i64, tokens = 16 : i64, tier = "sram", pmus = 4 : i64, banks = 1 : i64}
           : tensor<4xf32>
    ```
    """

    name = "kernel.buffer"

    value = operand_def(TensorType)
    """What is buffered."""
    depth = prop_def(IntegerAttr[I64])
    """Windows of room."""
    tokens = prop_def(IntegerAttr[I64])
    """Parts that are read in one execution."""
    handed = opt_prop_def(IntegerAttr[I64])
    """Windows in which its maker hands the tensor over; as many as `tokens`, if absent."""
    tier = prop_def(StringAttr)
    """`sram`, `hbm` or `ddr`."""
    pmus = opt_prop_def(IntegerAttr[I64])
    """How many PMUs hold it; absent until `kernel-insert-buffers`."""
    banks = opt_prop_def(IntegerAttr[I64])
    """Banks of a PMU that one window takes; absent until `kernel-insert-buffers`."""
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
        banks: int | None = None,
    ):
        properties = {
            "depth": integer(depth),
            "tokens": integer(tokens),
            "tier": StringAttr(tier),
            "pmus": integer(pmus),
            "banks": integer(banks),
            "handed": None if handed == tokens else integer(handed),
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
        properties, attributes = _separate(cls, parser.parse_optional_attr_dict())
        parser.parse_punctuation(":")
        value_type = parser.parse_type()
        value = parser.resolve_operand(name, value_type)
        return cls.create(operands=[value], properties=properties, attributes=attributes, result_types=[value_type])

    def print(self, printer: Printer) -> None:
        """Print `%v {depth = .., ..} : T`."""
        printer.print_string(" ")
        printer.print_ssa_value(self.value)
        printer.print_op_attributes(self.properties | self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)

    def verify_(self) -> None:
        """Positive numbers, no more room than windows, a known tier, no change of type."""
        if self.value.type != self.result.type:
            raise VerifyException(f"buffers {self.value.type} as {self.result.type}")
        verify_counts(self.properties, ("depth", "tokens", "handed", "pmus", "banks"))
        if self.depth.value.data > self.windows:
            raise VerifyException(f"'depth' is {self.depth.value.data}, there are {self.windows} windows")
        if self.tier.data not in TIERS:
            raise VerifyException(f"the tier '{self.tier.data}' is not one of {', '.join(TIERS)}")
