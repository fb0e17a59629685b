"""The few ops that stage bodies use beside arith and math."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import I32, I64, AnyFloat, AnyFloatConstr, IntegerAttr, IntegerType, TensorType, i32, i64
from xdsl.dialects.utils import AbstractYieldOperation
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsTerminator, Pure
from xdsl.utils.exceptions import VerifyException


@irdl_op_definition
class YieldOp(AbstractYieldOperation[Attribute]):
    """Ends a stage region, a section or a group.

    Example:

    ```mlir
    kernel.yield %s : f32
    ```
    """

    name = "kernel.yield"

    traits = traits_def(IsTerminator())


@irdl_op_definition
class IndexOp(IRDLOperation):
    """The point's index along a dimension of the stage's domain, before tiling and padding.

    Example:

    ```mlir
    %i = kernel.index 1
    %g = kernel.index 0 shard 8 x 64
    ```

    With `shard chips x inner` the dimension is this chip's part of a sharded one, and the result is the index before
    sharding: `(i floordiv inner) * chips * inner + chip * inner + i mod inner`.
    """

    name = "kernel.index"

    dim = prop_def(IntegerAttr[I64])
    """The dimension of the domain."""
    chips = opt_prop_def(IntegerAttr[I64])
    """Chips over which the dimension is sharded."""
    inner = opt_prop_def(IntegerAttr[I64])
    """Elements within one part of the shard."""
    result = result_def(I64)
    """The index."""

    traits = traits_def(Pure())

    def __init__(self, dim: int, chips: int | None = None, inner: int | None = None):
        numbers = {"dim": dim, "chips": chips, "inner": inner}
        super().__init__(
            properties={name: IntegerAttr(value, i64) for name, value in numbers.items() if value is not None},
            result_types=[i64],
        )

    @property
    def shard(self) -> tuple[int, int] | None:
        """(chips, inner) when the dimension is sharded."""
        if self.chips is None or self.inner is None:
            return None
        return self.chips.value.data, self.inner.value.data

    @classmethod
    def parse(cls, parser: Parser) -> IndexOp:
        """Parse `1 shard 8 x 64`."""
        dim = parser.parse_integer(allow_boolean=False, allow_negative=False)
        if parser.parse_optional_keyword("shard") is None:
            return cls(dim)
        chips = parser.parse_integer(allow_boolean=False, allow_negative=False)
        parser.parse_keyword("x")
        inner = parser.parse_integer(allow_boolean=False, allow_negative=False)
        return cls(dim, chips, inner)

    def print(self, printer: Printer) -> None:
        """Print `1 shard 8 x 64`."""
        printer.print_string(f" {self.dim.value.data}")
        if self.shard is not None:
            printer.print_string(" shard {} x {}".format(*self.shard))

    def verify_(self) -> None:
        """Both numbers of a shard or none."""
        if (self.chips is None) != (self.inner is None):
            raise VerifyException("a shard has both 'chips' and 'inner'")
        if self.shard is not None and min(self.shard) < 1:
            raise VerifyException("the numbers of a shard are at least 1")


@irdl_op_definition
class InsertSortedOp(IRDLOperation):
    """Insert a (value, index) pair into k pairs sorted descending; the last pair falls out.

    Example:

    ```mlir
    %v1, %i1 = kernel.insert_sorted %v, %i, %x, %n : tensor<4xf32>, tensor<4xi64>
    ```

    A pair with a negative index is a place still free. A NaN is the greatest value. A new pair goes behind pairs of
    equal value; a reduction that does nothing but insert picks among equal values as torch.topk does.
    """

    name = "kernel.insert_sorted"

    _V: ClassVar = VarConstraint("_V", AnyAttr())
    _I: ClassVar = VarConstraint("_I", AnyAttr())
    values = operand_def(_V)
    """The k values so far."""
    indices = operand_def(_I)
    """Their indices."""
    value = operand_def()
    """The new value."""
    index = operand_def()
    """Its index."""
    new_values = result_def(_V)
    """The k values from now on."""
    new_indices = result_def(_I)
    """Their indices."""

    traits = traits_def(Pure())

    def __init__(self, values: SSAValue, indices: SSAValue, value: SSAValue, index: SSAValue):
        super().__init__(operands=[values, indices, value, index], result_types=[values.type, indices.type])

    @classmethod
    def parse(cls, parser: Parser) -> InsertSortedOp:
        """Parse `%v, %i, %x, %n : tensor<4xf32>, tensor<4xi64>`."""
        position = parser.pos
        operands = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
        parser.parse_punctuation(":")
        types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        if len(operands) != 4 or len(types) != 2 or not all(isinstance(t, TensorType) for t in types):
            parser.raise_error("expected 4 operands and 2 tensor types", position)
        element_types = [t.element_type for t in types if isinstance(t, TensorType)]
        return cls(*parser.resolve_operands(operands, [*types, *element_types], position))

    def print(self, printer: Printer) -> None:
        """Print `%v, %i, %x, %n : tensor<4xf32>, tensor<4xi64>`."""
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_list((self.values.type, self.indices.type), printer.print_attribute)

    def verify_(self) -> None:
        """Lists are 1-d tensors of one length; the pair has their element types."""
        values, indices = self.values.type, self.indices.type
        if not (isinstance(values, TensorType) and isinstance(indices, TensorType)):
            raise VerifyException("the sorted lists are tensors")
        if len(values.get_shape()) != 1 or values.get_shape() != indices.get_shape():
            raise VerifyException("the sorted lists are one-dimensional and of one length")
        if (self.value.type, self.index.type) != (values.element_type, indices.element_type):
            raise VerifyException("the pair's types are the element types of the lists")


@irdl_op_definition
class RandomBitsOp(IRDLOperation):
    """32 random bits, a function of a seed and a global index (a counter-based generator).

    Example:

    ```mlir
    %bits = kernel.random_bits %seed, %index
    ```

    The index comes from `kernel.index`, so neither tiles nor shards change the numbers.
    """

    name = "kernel.random_bits"

    seed = operand_def(I64)
    """The key of the generator."""
    index = operand_def(I64)
    """The position in its sequence."""
    bits = result_def(I32)
    """32 random bits."""

    traits = traits_def(Pure())

    assembly_format = "$seed `,` $index attr-dict"

    def __init__(self, seed: SSAValue, index: SSAValue):
        super().__init__(operands=[seed, index], result_types=[i32])


@irdl_op_definition
class RemOp(IRDLOperation):
    """The rest of a division of floats toward zero, exact, with the sign of the dividend (C's `fmod`; arith has none).

    Example:

    ```mlir
    %r = kernel.rem %x, %y : f32
    ```
    """

    name = "kernel.rem"

    T: ClassVar = VarConstraint("T", AnyFloatConstr)

    dividend = operand_def(T)
    """What is divided."""
    divisor = operand_def(T)
    """By what."""
    rest = result_def(T)
    """The rest: NaN for an infinite dividend or a divisor of 0, the dividend for an infinite divisor."""

    traits = traits_def(Pure())

    assembly_format = "$dividend `,` $divisor attr-dict `:` type($rest)"

    def __init__(self, dividend: SSAValue, divisor: SSAValue):
        super().__init__(operands=[dividend, divisor], result_types=[dividend.type])


Scalar = AnyFloat | IntegerType


def is_scalar(value_type: Attribute) -> bool:
    """Whether a value of this type is one element."""
    return isinstance(value_type, AnyFloat | IntegerType)
