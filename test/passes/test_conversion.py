"""passes/conversion.py: what a one-shot conversion keeps, replaces and refuses."""

import pytest
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp, i32
from xdsl.ir import Operation, SSAValue

from sambaflow.diagnostics import location_of
from sambaflow.errors import PassError, UnsupportedOperators
from sambaflow.passes.base import SambaContext
from sambaflow.passes.conversion import LocatedBuilder, convert
from sambaflow.passes.parsing import parse_module
from sambaflow.passes.verification import verify_module

TEXT = """func.func @f(%a: i32) -> i32 {
  %sum = arith.addi %a, %a : i32
  %product = arith.muli %sum, %a : i32
  return %product : i32
}"""


def parsed() -> ModuleOp:
    return parse_module(TEXT, "f.mlir", SambaContext())


def twice_as_shift(op: Operation, builder: LocatedBuilder) -> list[SSAValue]:
    one = builder.insert(arith.ConstantOp.from_int_and_width(1, i32))
    return [builder.insert(arith.ShLIOp(op.operands[0], one.result)).result]


def test_ops_with_a_rule_are_replaced_and_keep_name_and_place():
    module = parsed()
    assert convert(module, {arith.AddiOp: twice_as_shift}) == 1
    verify_module(module)
    names = [op.name for op in module.walk()]
    assert "arith.addi" not in names and "arith.muli" in names
    shift = next(op for op in module.walk() if isinstance(op, arith.ShLIOp))
    assert shift.result.name_hint == "sum"
    assert str(location_of(shift)) == "f.mlir:2:10"


def test_what_is_left_of_an_illegal_dialect_is_one_error_with_counts_and_places():
    with pytest.raises(UnsupportedOperators) as caught:
        convert(parsed(), {arith.AddiOp: lambda op, builder: [op.operands[0]]}, illegal=("arith",))
    (left,) = caught.value.operators
    assert (left.name, left.count, str(left.places[0])) == ("arith.muli", 1, "f.mlir:3:14")


def test_a_rule_must_give_a_value_for_each_result():
    with pytest.raises(PassError, match="0 values for 1 results"):
        convert(parsed(), {arith.AddiOp: lambda op, builder: []})
