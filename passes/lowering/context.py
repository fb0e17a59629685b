"""What the functions that lower a section share: the section, what it becomes, and what stands for its values."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu
from sambaflow.errors import InputError
from sambaflow.passes.lowering.tensors import LoweredTensor
from sambaflow.passes.planning.access import Level, LinearAccess, linearise
from sambaflow.passes.planning.analysis import Analysis
from sambaflow.passes.planning.facts import levels_through

Slot = tuple[str, int]
"""What an argument of an rdu section binds: ("input", argument number) or ("result", result number) of the section."""


class SectionContext:
    """One section on its way to the rdu level. Raises PassError for a stage whose access is no access pattern."""

    def __init__(self, section: kernel.SectionOp, sized: bool) -> None:
        self.section = section
        """What is lowered. It stays as it is."""
        self.sized = sized
        """Whether the depths in front of stores are known already."""
        self.block = Block()
        """The body of the rdu section. Its arguments are the slots."""
        self.slots: list[Slot] = []
        """What each argument of `block` binds."""
        self.tensors: dict[SSAValue, LoweredTensor] = {}
        """What stands for the values that are lowered."""
        self.operands: dict[tuple[kernel.Stage, int], SSAValue] = {}
        """The streams that deliver operands: an operand that is read for several ends has one buffer."""
        self.units: dict[Operation, rdu.PmuOp | rdu.StoreOp] = {}
        """The rdu ops of buffers and stores, whose depths may still change."""
        self.location = section.location
        """Of the op that is being lowered; all that is built for it has it."""
        analysis = Analysis(section.body.block.ops)
        analysis.check()
        self.stages = dict(zip(analysis.ops, analysis.stages, strict=True))
        """What planning knows of each stage."""

    def add(self, op: Operation) -> None:
        """Append an op to the rdu section."""
        op.location = self.location
        self.block.add_op(op)

    def root(self, value: SSAValue) -> tuple[SSAValue, list[kernel.MoveOp]]:
        """The tensor behind buffers and moves that are access patterns, and the moves, the nearest first."""
        moves: list[kernel.MoveOp] = []
        while True:
            owner = value.owner
            if isinstance(owner, kernel.BufferOp):
                value = owner.value
            elif isinstance(owner, kernel.MoveOp) and self.stages[owner].fold:
                moves.append(owner)
                value = owner.operands[0]
            else:
                return value, moves

    def access_through(
        self, level: Level, moves: list[kernel.MoveOp], extents: tuple[int, ...], num_symbols: int = 0
    ) -> LinearAccess:
        """How a domain of `extents` that reads at `level` reads the tensor behind `moves`."""
        return linearise(levels_through(level, [self.stages[move] for move in moves]), extents, num_symbols)


def decided(op: Operation, name: str, deciding_pass: str) -> int:
    """A number that an earlier pass has written. InputError naming `deciding_pass` where it is missing."""
    number = op.properties.get(name)
    if not isinstance(number, IntegerAttr):
        raise error_at(op, f"has no '{name}'", InputError, levers=[f"run {deciding_pass} first"])
    return number.value.data


def windows_of(op: kernel.Stage, number: int) -> int:
    """In how many windows result `number` leaves the stage. InputError where that is missing."""
    if op.handed is None:
        raise error_at(op, "has no 'windows'", InputError, levers=["run kernel-insert-buffers first"])
    return op.handed[number]
