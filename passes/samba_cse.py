"""samba-cse: equal samba ops on equal operands are computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from xdsl.context import Context
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from sambaflow.dialects import samba
from sambaflow.passes.framework.base import FunctionPass
from sambaflow.passes.framework.properties import SAMBA

Key: TypeAlias = tuple[
    str,
    tuple[SSAValue, ...],
    tuple[tuple[str, Attribute], ...],
    tuple[tuple[str, Attribute], ...],
    tuple[Attribute, ...],
]


@dataclass(frozen=True)
class SambaCsePass(FunctionPass):
    """Computes operators and constants that occur several times only once.

    Two ops are equal when name, operands, attributes and result types are; discardable attributes count, because a
    directive may sit on one of them. The first one stays, with its location. Calls and fused modules are left alone.

    Before:

        %0 = samba.exp %x : tensor<2xf32>
        %1 = samba.exp %x : tensor<2xf32>
        %2 = samba.add %0, %1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>

    After:

        %0 = samba.exp %x : tensor<2xf32>
        %1 = samba.add %0, %0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    """

    name = "samba-cse"
    needs = SAMBA
    counters = {"merged ops": "ops that became another one"}

    def apply_to(self, ctx: Context, op: FuncOp) -> None:
        for block in op.body.blocks:
            self.count(ctx, "merged ops", merge_equal(block))


def merge_equal(block: Block) -> int:
    """Merges equal ops of a block, and of the fused modules in it; returns how many went away."""
    merged = 0
    first: dict[Key, Operation] = {}
    for op in list(block.ops):
        if isinstance(op, samba.ModuleOp):
            merged += merge_equal(op.body.block)
        if not isinstance(op, samba.SambaOp | samba.ConstantOp):
            continue
        known = first.setdefault(_key(op), op)
        if known is op:
            continue
        for old, new in zip(op.results, known.results, strict=True):
            old.replace_all_uses_with(new)
        op.detach()
        op.erase()
        merged += 1
    return merged


def _key(op: Operation) -> Key:
    properties = tuple(sorted(op.properties.items(), key=lambda item: item[0]))
    attributes = tuple(sorted(op.attributes.items(), key=lambda item: item[0]))
    return op.name, tuple(op.operands), properties, attributes, tuple(op.result_types)
