"""What the reference interpreters share: blocks are evaluated op by op, on all chips in lockstep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import IsTerminator

from sambaflow.errors import InputError

PerChip: TypeAlias = list[Tensor]
"""A value: one tensor a chip."""


class BlockInterpreter:
    """Evaluates blocks; a subclass says what an op gives."""

    def block(self, block: Block, arguments: Sequence[PerChip]) -> list[PerChip]:
        """What the block's terminator passes on. InputError when there is none."""
        values: dict[SSAValue, PerChip] = dict(zip(block.args, arguments, strict=True))
        for op in block.ops:
            operands = [values[value] for value in op.operands]
            if op.has_trait(IsTerminator):
                return operands
            values.update(zip(op.results, self.op(op, operands), strict=True))
        raise InputError("a block without a terminator cannot be run")

    def op(self, op: Operation, operands: Sequence[PerChip]) -> Sequence[PerChip]:
        """The results of one op."""
        raise NotImplementedError
