"""What stands in the text of a section when a pass plans it: decisions that the plan has to keep.

A pass that decides plans with everything that earlier passes decided, and of its own and later kinds only with what is
fixed (`passes/framework/decisions.py`). So a pass that runs again finds what it found the first time, unless something
fixed has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Operation

from sambaflow.dialects import kernel
from sambaflow.passes.framework.decision_kinds import DECIDING, kind_on
from sambaflow.passes.framework.decisions import is_fixed


def stands(op: Operation, kind: str, pass_name: str) -> bool:
    """Whether a decision stands when `pass_name` decides: an earlier pass made it, or it is fixed."""
    row = kind_on(op, kind)
    if row.read(op) is None:
        return False
    return DECIDING.index(row.pass_name) < DECIDING.index(pass_name) or is_fixed(op, kind)


@dataclass(frozen=True)
class StandingTransfer:
    """Of a load or store, or of a stage that reads off the chip: what is decided, None where it is open."""

    agcus: int | None = None
    tile: tuple[int, ...] | None = None


@dataclass(frozen=True)
class StandingBuffer:
    """Of a buffer: what is decided, None where it is open."""

    tokens: int | None = None
    depth: int | None = None
    pmus: int | None = None


@dataclass(frozen=True)
class Standing:
    """The decisions about a section's edges that stand, by the numbers that planning knows them by."""

    transfers: Mapping[tuple[int, int, bool], StandingTransfer] = field(
        default_factory=dict[tuple[int, int, bool], StandingTransfer]
    )
    """By value, the stage that reads it where it stands (-1: it is loaded, or stored), and whether it is a store."""
    windows: Mapping[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    """By stage: the windows of its results."""
    buffers: Mapping[tuple[int, int], StandingBuffer] = field(default_factory=dict[tuple[int, int], StandingBuffer])
    """By stage (-1: a store) and operand (the value that is stored)."""

    def transfer(self, value: int, reader: int, store: bool) -> StandingTransfer:
        return self.transfers.get((value, reader, store), _OPEN_TRANSFER)

    def buffer(self, place: tuple[int, int]) -> StandingBuffer:
        return self.buffers.get(place, _OPEN_BUFFER)


NOTHING = Standing()
_OPEN_TRANSFER, _OPEN_BUFFER = StandingTransfer(), StandingBuffer()


def transfer_at(op: kernel.Transfer | kernel.Stage, pass_name: str) -> StandingTransfer:
    """What stands of a transfer."""
    tile = op.tiling if isinstance(op, kernel.Transfer) and stands(op, "tile", pass_name) else None
    return StandingTransfer(_number(op, "agcus", pass_name), tile)


def buffer_at(op: kernel.BufferOp, pass_name: str) -> StandingBuffer:
    """What stands of a buffer."""
    return StandingBuffer(*(_number(op, kind, pass_name) for kind in ("tokens", "depth", "pmus")))


def _number(op: Operation, kind: str, pass_name: str) -> int | None:
    value = kind_on(op, kind).read(op)
    return value.value.data if isinstance(value, IntegerAttr) and stands(op, kind, pass_name) else None
