"""Which ops verify_module looks at: all, except those that differ from a verified one in nothing a verifier can see."""

from __future__ import annotations

from typing import ClassVar

import pytest
from xdsl.dialects import test
from xdsl.dialects.builtin import ModuleOp, StringAttr, UnitAttr, f32, f64
from xdsl.ir import Attribute, Block, Operation, Region
from xdsl.irdl import IRDLOperation, irdl_op_definition, opt_attr_def, traits_def, var_operand_def, var_result_def
from xdsl.traits import HasParent, OpTrait, Pure
from xdsl.utils.exceptions import VerifyException

from sambaflow.errors import InputError
from sambaflow.passes.framework.verification import verify_module

seen: list[Operation] = []


class Base(IRDLOperation):
    operands_ = var_operand_def()
    results_ = var_result_def()
    note = opt_attr_def(Attribute)


@irdl_op_definition
class LocalOp(Base):
    """Its verifier says that it looks at types and attributes only."""

    name = "test.local"
    VERIFY_LOOKS_INSIDE_ONLY: ClassVar[bool] = True
    traits = traits_def(Pure())

    def verify_(self) -> None:
        seen.append(self)
        if f64 in self.result_types:
            raise VerifyException("no f64 here")


@irdl_op_definition
class CuriousOp(Base):
    """Its verifier looks at other ops: who made the operand."""

    name = "test.curious"

    def verify_(self) -> None:
        seen.append(self)
        if self.operands and isinstance(self.operands[0].owner, CuriousOp):
            raise VerifyException("must not follow one of its kind")


class NamedTrait(OpTrait):
    """A trait that looks at a neighbour."""

    def verify(self, op: Operation) -> None:
        seen.append(op)
        if isinstance(op.prev_op, NeighbourOp):
            raise VerifyException("must not stand beside one of its kind")


@irdl_op_definition
class NeighbourOp(Base):
    name = "test.neighbour"
    traits = traits_def(NamedTrait())


@irdl_op_definition
class ChildOp(Base):
    name = "test.child"
    traits = traits_def(HasParent(test.TestOp))


def checked(*ops: Operation) -> list[Operation]:
    seen.clear()
    verify_module(ModuleOp([*ops, test.TestOp()]))
    return list(seen)


def local(*types: Attribute, operand: Operation | None = None, note: Attribute | None = None) -> LocalOp:
    return LocalOp.build(operands=[operand.results if operand else []], result_types=[types], attributes={"note": note})


# Two ops of equal class, types and attributes need one look; each difference, and the last op of a block, its own.
def test_equal_ops_are_verified_once() -> None:
    first = local(f32)
    notes = [local(f32, note=note) for note in (UnitAttr(), StringAttr("a"), StringAttr("b"))]
    others = [local(f32, f32), local(f32, operand=first), *notes, local(), local(operand=first)]
    assert checked(first, local(f32), *others, local(f32)) == [first, *others]


# A fault is found wherever it stands among equal and unequal ops.
def test_the_first_fault_is_found() -> None:
    with pytest.raises(InputError, match="no f64 here"):
        checked(local(f32), local(f32), local(f64))


# The last op of a block is held to being a terminator, whatever it equals.
def test_the_last_op_of_a_block_is_verified() -> None:
    with pytest.raises(InputError, match="not a terminator"):
        checked(local(f32), test.TestOp(regions=[_region(local(f32), local(f32))]))


# A verifier, a trait or a parent that sees more than the op alone is asked about every op.
def test_ops_that_look_around_are_all_verified() -> None:
    producer = test.TestOp(result_types=[f32])
    first = CuriousOp.build(operands=[producer.results], result_types=[[f32]], attributes={"note": None})
    with pytest.raises(InputError, match="must not follow"):
        checked(
            producer, first, CuriousOp.build(operands=[first.results], result_types=[[f32]], attributes={"note": None})
        )
    neighbours = [NeighbourOp.build(operands=[[]], result_types=[[]], attributes={"note": None}) for _ in range(2)]
    with pytest.raises(InputError, match="must not stand beside"):
        checked(*neighbours)
    children = [ChildOp.build(operands=[[]], result_types=[[]], attributes={"note": None}) for _ in range(3)]
    with pytest.raises(InputError, match="child"):
        checked(test.TestOp(regions=[_region(children[0])]), *children[1:])


def _region(*ops: Operation) -> Region:
    return Region(Block(ops))
