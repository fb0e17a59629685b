"""kernel-size-fifos: make every stage buffer as deep as it must be, and no deeper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Operation, SSAValue

from sambaflow.dialects import kernel
from sambaflow.machine import room_for
from sambaflow.machine.dataflow import Channel, Network
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.decisions import decide, is_fixed, keep
from sambaflow.passes.framework.properties import KERNEL
from sambaflow.passes.framework.solvers import solve
from sambaflow.passes.lowering.dataflow import make_room
from sambaflow.passes.lowering.section import SectionLowering
from sambaflow.passes.planning.analysis import tensor_bytes
from sambaflow.passes.planning.facts import StageFacts
from sambaflow.passes.planning.fifos import FifoProblem
from sambaflow.passes.planning.sections import PlannedSection, sections_for


@dataclass(frozen=True)
class KernelSizeFifosPass(SambaPass):
    """Sets the depth of `kernel.buffer`s between stages, and of the FIFO in front of every store.

        %b = kernel.buffer %0 {depth = 9 : i64, tokens = 16 : i64, tier = "sram", pmus = 2 : i64, banks = 1 : i64} : T
        %r, %t = kernel.store %1 {agcus = 2 : i64, tile = array<i64: 8>} : T
    ->
        %b = kernel.buffer %0 {depth = 6 : i64, tokens = 16 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : T
        %r, %t = kernel.store %1 {agcus = 2 : i64, tile = array<i64: 8>, depth = 2 : i64} : T

    Least bytes that keep the pipeline at the pace of its slowest stage, then room where two ways that meet again would
    block each other: the section is executed on token counts, first as stages, then as the units that they become.
    Buffers behind loads keep the depth that `kernel-insert-buffers` gave them, because what they hold is what is loaded
    early; where PMUs are short, every buffer gives up windows that only keep the pace. Needs `kernel-insert-buffers`.
    """

    name = "kernel-size-fifos"
    needs = ("target", *KERNEL, "sections", "tiles", "balance", "transfers", "buffers")
    leaves = ("fifos",)
    counters = {
        "deeper": "buffers that got more windows",
        "shallower": "buffers that got fewer windows",
        "rings": "channels that got more windows, so that no ring of units waits for itself",
    }

    solver: str | None = None
    """Who says how deep: `pace` (the default: no stage waits for room), `least` (what finishes at all), or the name of
    a package's solver."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for section in sections_for(self.name, ctx, op):
            built = _Built(section)
            depths = solve(FifoProblem.of(built.network), self.solver)
            for channel, depth in zip(built.network.channels, depths, strict=True):
                channel.depth = depth
            for buffer, channels in built.buffers.items():
                if not is_fixed(buffer, "depth"):
                    self._set(ctx, built, buffer, max(channel.depth for channel in channels))
            self._settle(ctx, section)

    def _set(self, ctx: Context, built: _Built, buffer: kernel.BufferOp, parts: int) -> None:
        """Room for `parts` of what the reader takes."""
        before = buffer.depth.value.data
        machine = built.section.planner.machine
        size, handed, tokens = built.bytes_behind(buffer), buffer.windows, buffer.tokens.value.data
        ports = max(1, (buffer.pmus.value.data if buffer.pmus is not None else 1))
        if room_for(size, handed, tokens, _parts(buffer), machine).pmus >= ports:  # its bytes asked for them
            ports = 1
        room = room_for(size, handed, tokens, parts, machine, ports=ports)
        if room.depth == before:
            return
        decide(buffer, "depth", IntegerAttr(room.depth, i64), "search")
        decide(buffer, "pmus", IntegerAttr(room.pmus, i64), "search")
        self.count(ctx, "deeper" if room.depth > before else "shallower")

    def _settle(self, ctx: Context, section: PlannedSection) -> None:
        """Run the units of the section on token counts; write down the depths with which they end."""
        for op in section.op.body.block.ops:
            if isinstance(op, kernel.StoreOp) and not is_fixed(op, "depth"):
                op.properties.pop("depth", None)
        lowering = SectionLowering(section.op, sized=False)
        units = lowering.lower().op
        resources = section.planner.resources
        fixed = [unit for op, unit in lowering.units.items() if is_fixed(op, "depth")]
        self.count(ctx, "rings", make_room(units, resources.machine, resources.budget, fixed))
        for op, unit in lowering.units.items():
            keep(op, "depth", IntegerAttr(unit.depth_of(0), i64), "search", "units would wait for themselves in a ring")
            if isinstance(op, kernel.BufferOp):
                keep(op, "pmus", IntegerAttr(unit.units, i64), "search", "they do not hold its windows, or are short")


def _parts(buffer: kernel.BufferOp) -> int:
    """How many of the parts that its reader takes fit into a buffer."""
    return max(1, buffer.depth.value.data * buffer.tokens.value.data // buffer.windows)


class _Built:
    """The network of a section's text: stages, loads and stores; one channel per buffer and maker."""

    def __init__(self, section: PlannedSection) -> None:
        self.section = section
        self.network = Network()
        self.numbers: dict[Operation, int] = {}
        self.buffers: dict[kernel.BufferOp, list[Channel]] = {}
        facts = section.analysis
        self.stages: dict[Operation, StageFacts] = dict(zip(facts.ops, facts.stages, strict=True))
        plans = dict(section.planned())
        for op in section.op.body.block.ops:
            if isinstance(op, kernel.Stage) and op in plans and not self.stages[op].join:
                plan = plans[op]
                self.numbers[op] = self.network.actor(plan.firings, plan.interval, plan.latency)
                self._connect(op, op.operands)
            elif isinstance(op, kernel.LoadOp):
                self.numbers[op] = self.network.actor(self._windows(op.value), 1, 0)
            elif isinstance(op, kernel.StoreOp):
                makers = [maker for maker in self._makers(op.value) if maker in self.numbers]
                firings = max((self.network.actors[self.numbers[maker]].firings for maker in makers), default=1)
                self.numbers[op] = self.network.actor(firings, 1, 0)
                self._connect(op, [op.value])

    def _windows(self, value: SSAValue) -> int:
        """Firings of a load: as many windows as the reader that wants most."""
        readers = [op for op in self.section.op.body.block.ops if isinstance(op, kernel.BufferOp)]
        return max((op.windows for op in readers if value in self._roots(op.value)), default=1)

    def _connect(self, op: Operation, values: Sequence[SSAValue]) -> None:
        for value in values:
            buffer = value.owner if isinstance(value.owner, kernel.BufferOp) else None
            tokens = buffer.tokens.value.data if buffer is not None else 1
            for maker in self._makers(value):
                if maker not in self.numbers:
                    continue
                channel = Channel(self.numbers[maker], self.numbers[op], tokens, 1)
                if buffer is None or isinstance(maker, kernel.LoadOp) or is_fixed(buffer, "depth"):
                    channel.fixed = True
                    channel.depth = _parts(buffer) if buffer is not None else 1
                if buffer is not None:
                    channel.window_bytes = _window(buffer)
                    self.buffers.setdefault(buffer, []).append(channel)
                self.network.channel(channel)

    def _roots(self, value: SSAValue) -> list[SSAValue]:
        """The tensors behind buffers, folded moves and joins."""
        owner = value.owner
        if isinstance(owner, kernel.BufferOp):
            return self._roots(owner.value)
        if isinstance(owner, kernel.MoveOp) and (self.stages[owner].fold or self.stages[owner].join):
            return [root for operand in owner.operands for root in self._roots(operand)]
        return [value]

    def bytes_behind(self, buffer: kernel.BufferOp) -> int:
        """Bytes of the tensor that a buffer holds: folded moves between it and the tensor are its read pattern."""
        value = buffer.value
        while isinstance(owner := value.owner, kernel.MoveOp) and self.stages[owner].fold:
            value = owner.operands[0]
        return tensor_bytes(value)

    def _makers(self, value: SSAValue) -> list[Operation]:
        owners = [root.owner for root in self._roots(value)]
        return list(dict.fromkeys(owner for owner in owners if isinstance(owner, Operation)))


def _window(buffer: kernel.BufferOp) -> int:
    """Bytes of one window: the tensor behind the buffer, handed over in `tokens` parts."""
    return max(1, ceil(tensor_bytes(buffer.result) / buffer.tokens.value.data))
