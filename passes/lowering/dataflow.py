"""Room for a section's tokens: its rdu units as a network, and buffers so deep that the network ends.

The network is the timing graph of the section (`sim/timing/section.py`) without times: a load that asks for a window in
several requests, and a collective of several steps, wait for no more than the one actor that stands for them here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import ceil, prod

from xdsl.ir import OpResult, SSAValue

from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.attributes import array, values
from sambaflow.dialects.rdu.units import BufferedUnitOp, UnitOp, number, stream
from sambaflow.machine import Budget, Machine, pmus_holding
from sambaflow.machine.dataflow import Channel, Network, handover, settle

Port = tuple[UnitOp, int]
"""An input port of a unit."""


@dataclass(eq=False)
class Dataflow:
    """The network of a section. `rooms[c]`: the port whose buffer channel c is, and how many windows its maker hands
    over."""

    network: Network = field(default_factory=Network)
    rooms: list[tuple[Port, int]] = field(default_factory=list[tuple[Port, int]])


def dataflow_of(section: rdu.SectionOp) -> Dataflow:
    """The section's network, with the depths that its ops have."""
    return _Builder(section).build()


class _Builder:
    def __init__(self, section: rdu.SectionOp) -> None:
        self.units = section.units
        self.flow = Dataflow()
        self.actors: dict[UnitOp, int] = {}
        self.copies: dict[Port, int] = {}

    def build(self) -> Dataflow:
        for unit in self.units:
            if not isinstance(unit, rdu.PmuOp):
                self.actors[unit] = self.flow.network.actor(_firings(unit))
        for unit in self.units:
            if isinstance(unit, rdu.PmuOp):
                self._buffer(unit)
                continue
            for port, value in enumerate(unit.ports):
                if not isinstance(value.owner, rdu.PmuOp):
                    self._join(self._maker(value), self.actors[unit], (unit, port), _tokens(value))
        return self.flow

    def _buffer(self, pmu: rdu.PmuOp) -> None:
        """Every writer of the buffer joins every reader of it."""
        reads = [(output, use) for output in pmu.outputs for use in output.uses]
        for port, written in enumerate(pmu.streams):
            maker = self._copy((pmu, port)) if isinstance(written.owner, rdu.PmuOp) else self._maker(written)
            for output, use in reads:
                reader = use.operation
                if isinstance(reader, rdu.PmuOp):
                    self._join(maker, self._copy((reader, use.index)), (pmu, port), _tokens(output))
                elif isinstance(reader, UnitOp):
                    self._join(maker, self.actors[reader], (pmu, port), _tokens(output))

    def _copy(self, port: Port) -> int:
        """The actor of a stream from PMU to PMU."""
        if port not in self.copies:
            self.copies[port] = self.flow.network.actor(_tokens(port[0].ports[port[1]]))
        return self.copies[port]

    def _maker(self, value: SSAValue) -> int:
        assert isinstance(value, OpResult) and isinstance(value.op, UnitOp), "streams come from units"
        return self.actors[value.op]

    def _join(self, source: int, target: int, port: Port, read: int) -> None:
        unit, index = port
        written = _tokens(unit.ports[index])
        tokens, depth = handover(written, read, unit.depth_of(index))
        window = unit.window_bytes.value.data if isinstance(unit, rdu.PmuOp) else 0
        self.flow.network.channel(Channel(source, target, tokens, window * ceil(written / tokens), depth))
        self.flow.rooms.append((port, written))


def _tokens(value: SSAValue) -> int:
    return stream(value).count.data


def _firings(unit: UnitOp) -> int:
    if isinstance(unit, rdu.CollectiveOp):
        return max(_tokens(value) for value in unit.ports)
    assert isinstance(unit, rdu.PcuOp | rdu.LoadOp | rdu.StoreOp), "the rest are buffers"
    return prod(ceil(e / t) for e, t in zip(unit.extents, values(unit.tile), strict=True))


# -- depths ----------------------------------------------------------------------------------------------------------


def make_room(section: rdu.SectionOp, machine: Machine, budget: Budget, fixed: Collection[UnitOp] = ()) -> int:
    """Deepen the buffers that would block a ring of units; how many it were.

    `fixed`: buffers that never give up windows. When the PMUs are not there, every buffer gives up the windows that
    only keep the pace: two are left, or as many as the ring needs; then as many as there is room for come back, the
    cheapest first.
    """
    deeper = _deepen(section, machine)
    buffers = [unit for unit in section.units if isinstance(unit, rdu.PmuOp)]
    if _pmus(buffers) > budget.pmus:
        free = [buffer for buffer in buffers if buffer not in fixed]
        wanted = [buffer.depth_of(0) for buffer in free]
        left = budget.pmus - _pmus([buffer for buffer in buffers if buffer in fixed])
        _shrink(section, free, machine, left)
        _restore(free, wanted, machine, left)
    return deeper


def _deepen(section: rdu.SectionOp, machine: Machine) -> int:
    flow = dataflow_of(section)
    deeper = settle(flow.network)
    for channel in deeper:
        (unit, port), written = flow.rooms[channel]
        needed = flow.network.channels[channel]
        depth = ceil(needed.depth * written / needed.tokens)
        if isinstance(unit, rdu.PmuOp):
            _set_depth(unit, max(depth, unit.depth_of(port)), machine)
        elif isinstance(unit, BufferedUnitOp):
            depths = list(values(unit.depths))
            depths[port] = max(depth, depths[port])
            unit.properties["depths"] = array(depths)
    return len(deeper)


def _shrink(section: rdu.SectionOp, buffers: Sequence[rdu.PmuOp], machine: Machine, pmus: int) -> None:
    for windows in (2, 1):
        for buffer in buffers:
            handed = max(_tokens(value) for value in buffer.streams[: len(buffer.write_ports)])
            read = min(handed, max((_tokens(output) for output in buffer.outputs), default=1))
            depth = min(buffer.depth_of(0), windows * ceil(handed / read))
            buffer.properties["count"] = number(1)
            _set_depth(buffer, depth, machine)
        _deepen(section, machine)
        if _pmus(buffers) <= pmus:
            return


def _restore(buffers: Sequence[rdu.PmuOp], wanted: Sequence[int], machine: Machine, pmus: int) -> None:
    left = pmus - _pmus(buffers)
    for buffer, depth in sorted(zip(buffers, wanted, strict=True), key=lambda pair: pair[0].window_bytes.value.data):
        shallow, before = buffer.depth_of(0), buffer.units
        _set_depth(buffer, max(depth, shallow), machine)
        if buffer.units - before > left:
            buffer.properties["count"] = number(before)
            _set_depth(buffer, shallow, machine)
        left -= buffer.units - before


def _set_depth(buffer: rdu.PmuOp, depth: int, machine: Machine) -> None:
    """A group never gets fewer PMUs than it has: they may stand there for their ports."""
    held = pmus_holding(buffer.window_bytes.value.data, depth, machine)
    buffer.properties |= {"depth": number(depth), "count": number(max(buffer.units, held))}


def _pmus(buffers: Sequence[rdu.PmuOp]) -> int:
    return sum(buffer.units for buffer in buffers)
