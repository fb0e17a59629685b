"""passes/rewriting/conversion.py: what a one-shot conversion keeps, replaces and refuses, and where it casts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    IndexType,
    LocationAttr,
    ModuleOp,
    UnknownLoc,
    UnrealizedConversionCastOp,
    i32,
    i64,
)
from xdsl.ir import Attribute, Operation

from sambaflow.diagnostics import location_of
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import PassError, UnsupportedOperators
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.verification import verify_module
from sambaflow.passes.rewriting.conversion import Converted, DialectConversion, Rule, Translation
from sambaflow.passes.rewriting.driver import Rewriter

TEXT = """func.func @f(%a: i32) -> i32 {
  %sum = arith.addi %a, %a : i32
  %product = arith.muli %sum, %a : i32
  return %product : i32
}"""


def parsed(text: str = TEXT) -> ModuleOp:
    return parse_module(text, "f.mlir", SambaContext())


def twice_as_shift(op: Operation, rewriter: Rewriter) -> Converted:
    shift = rewriter.insert(arith.ConstantOp.from_int_and_width(1, i32))
    return rewriter.insert(arith.ShLIOp(op.operands[0], shift.result))


def first_operand(op: Operation, rewriter: Rewriter) -> Converted:
    return [op.operands[0]]


# ---- ops


def test_ops_with_a_rule_are_replaced_and_keep_name_and_place():
    module = parsed()
    assert DialectConversion({arith.AddiOp: twice_as_shift}).apply(module) == 1
    verify_module(module)
    names = [op.name for op in module.walk()]
    assert "arith.addi" not in names and "arith.muli" in names
    shift = next(op for op in module.walk() if isinstance(op, arith.ShLIOp))
    assert shift.result.name_hint == "sum"
    assert str(location_of(shift)) == "f.mlir:2:10"


def test_what_is_left_of_an_illegal_dialect_is_one_error_with_counts_and_places():
    with pytest.raises(UnsupportedOperators) as caught:
        DialectConversion({arith.AddiOp: first_operand}, legal={"arith": False}).apply(parsed())
    (left,) = caught.value.operators
    assert (left.name, left.count, str(left.places[0])) == ("arith.muli", 1, "f.mlir:3:14")


# An op's own entry goes before its dialect's, and that before "*".
@pytest.mark.parametrize(
    ("legal", "left"),
    [
        ({"arith": False, "arith.muli": True}, ["arith.addi"]),
        ({"*": False, "func": True, "arith.addi": True}, ["arith.muli"]),
        ({"*": False, "func": True}, ["arith.addi", "arith.muli"]),
    ],
)
def test_the_nearest_entry_decides(legal: dict[str, bool], left: list[str]):
    with pytest.raises(UnsupportedOperators) as caught:
        DialectConversion({}, legal=legal).apply(parsed())
    assert [operator.name for operator in caught.value.operators] == left


# Dynamically legal: of two ops of one type, the one that the predicate takes stays as it is.
def test_a_legal_op_is_not_converted_even_if_it_has_a_rule():
    module = parsed(TEXT.replace("muli", "addi"))

    def doubles(op: arith.AddiOp) -> bool:
        return op.lhs is op.rhs

    assert DialectConversion({arith.AddiOp: first_operand}, legal={"arith.addi": doubles}).apply(module) == 1
    (left,) = [op for op in module.walk() if isinstance(op, arith.AddiOp)]
    assert left.result.name_hint == "sum"


def test_a_rule_must_give_a_value_for_each_result():
    with pytest.raises(PassError, match="0 values for 1 results"):
        DialectConversion({arith.AddiOp: lambda op, rewriter: []}).apply(parsed())


def test_a_rule_must_give_values_of_the_mapped_types():
    def wider(op: arith.AddiOp, rewriter: Rewriter) -> Converted:
        return rewriter.insert(arith.ExtSIOp(op.lhs, i64))

    with pytest.raises(PassError, match="gave a i64 for a i32, which becomes i32"):
        DialectConversion({arith.AddiOp: wider}).apply(parsed())


# ---- elsewhere


class Names:
    """A place that keeps what is translated, and where it was."""

    def __init__(self) -> None:
        self.location: LocationAttr = UnknownLoc()
        self.names: list[tuple[str, LocationAttr]] = []


# A translation leaves the program as it was; ops without a rule are passed over.
def test_a_translation_builds_elsewhere_in_the_order_of_the_ops():
    module = parsed()
    before = str(module)

    def name(op: Operation, place: Names) -> None:
        place.names.append((op.name, place.location))

    ops, place = list(module.walk()), Names()
    assert Translation({arith.AddiOp: name, arith.MuliOp: name}).apply(ops, place) == 2
    assert place.names == [(op.name, op.location) for op in ops if op.name.startswith("arith")]
    assert str(module) == before


# ---- types

INDEXED = """func.func @f(%a: index) -> index {
  %sum = arith.addi %a, %a : index
  %kept = arith.muli %sum, %a : index
  %again = arith.addi %kept, %sum : index
  %called = func.call @f(%again) : (index) -> index
  return %called : index
}"""


def index_to_i32(value_type: Attribute) -> Attribute:
    return i32 if value_type == IndexType() else value_type


def rebuilt(op: arith.AddiOp, rewriter: Rewriter) -> Converted:
    return rewriter.insert(arith.AddiOp(op.lhs, op.rhs))


def casts_of(module: ModuleOp) -> list[tuple[str, str]]:
    casts = [op for op in module.walk() if isinstance(op, UnrealizedConversionCastOp)]
    return [(str(op.inputs[0].type), str(op.outputs[0].type)) for op in casts]


def test_where_all_is_converted_no_cast_is_left_and_signatures_follow():
    module = parsed(INDEXED.replace("muli", "addi"))
    DialectConversion({arith.AddiOp: rebuilt}, types=index_to_i32).apply(module)
    verify_module(module)
    assert casts_of(module) == []
    assert "index" not in str(module)


def test_casts_stand_only_where_converted_code_meets_code_that_is_not():
    module = parsed(INDEXED)
    DialectConversion({arith.AddiOp: rebuilt}, types=index_to_i32).apply(module)
    verify_module(module)
    # into the product: its two operands; out of it: its result
    assert sorted(casts_of(module)) == [("i32", "index"), ("i32", "index"), ("index", "i32")]


def test_casts_that_are_left_can_be_made_an_error():
    cast = "builtin.unrealized_conversion_cast"
    with pytest.raises(UnsupportedOperators, match=cast):
        DialectConversion({arith.AddiOp: rebuilt}, index_to_i32, {cast: False}).apply(parsed(INDEXED))


LOOP = """func.func @f(%n: index, %x: f32) -> f32 {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %r = scf.for %i = %zero to %n step %one iter_args(%s = %x) -> (f32) {
    %next = arith.addi %i, %i : index
    %t = "test.op"(%s, %next) : (f32, index) -> f32
    scf.yield %t : f32
  }
  return %r : f32
}"""


# The block argument %i changes its type because the loop has a rule that changes it in place.
def test_block_arguments_of_an_op_with_a_rule_have_their_new_types():
    from xdsl.dialects.scf import ForOp

    ctx = SambaContext(allow_unregistered=True)
    module = parse_module(LOOP, "f.mlir", ctx)

    def constant(op: arith.ConstantOp, rewriter: Rewriter) -> Converted:
        return rewriter.insert(arith.ConstantOp.from_int_and_width(7, i32))

    rules: dict[type[Operation], Rule] = {
        ForOp: lambda op, rewriter: op,
        arith.AddiOp: rebuilt,
        arith.ConstantOp: constant,
    }
    DialectConversion(rules, types=index_to_i32).apply(module)
    verify_module(module)
    (loop,) = [op for op in module.walk() if isinstance(op, ForOp)]
    assert [str(value_type) for value_type in loop.body.block.arg_types] == ["i32", "f32"]
    assert casts_of(module) == [("i32", "index")]  # for test.op, which nobody converts


# ---- any program, any part of it converted


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Functions of additions and products on indices, in any order."""
    lines = ["func.func @f(%v0: index, %v1: index) -> index {"]
    count = draw(st.integers(1, 12))
    for i in range(2, count + 2):
        name = draw(st.sampled_from(["addi", "muli", "subi"]))
        a, b = draw(st.integers(0, i - 1)), draw(st.integers(0, i - 1))
        lines.append(f"  %v{i} = arith.{name} %v{a}, %v{b} : index")
    return "\n".join([*lines, f"  return %v{count + 1} : index", "}"])


# Whatever part of a program is converted, it verifies; no value is cast twice or there and back, and no cast is unused.
@given(programs(), st.sets(st.sampled_from([arith.AddiOp, arith.MuliOp, arith.SubiOp])))
@settings(max_examples=60, deadline=None)
def test_casts_are_few(text: str, converted: set[type[Operation]]):
    module = parsed(text)

    def again(op: Operation, rewriter: Rewriter) -> Converted:
        return rewriter.insert(type(op).create(operands=op.operands, result_types=[i32]))

    DialectConversion(dict.fromkeys(converted, again), types=index_to_i32).apply(module)
    verify_module(module)
    casts = [op for op in module.walk() if isinstance(op, UnrealizedConversionCastOp)]
    assert len({cast.inputs[0] for cast in casts}) == len(casts)
    for cast in casts:
        assert location_of(cast) is not None
        assert cast.outputs[0].first_use is not None
        assert not isinstance(cast.inputs[0].owner, UnrealizedConversionCastOp)
    for op in module.walk():
        if isinstance(op, arith.AddiOp | arith.MuliOp | arith.SubiOp):
            assert op.result.type == (i32 if type(op) in converted else IndexType())
