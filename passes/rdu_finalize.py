"""rdu-finalize: flow ids, configuration sizes, programs in canonical form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import ClassVar

from xdsl.context import Context
from xdsl.ir import Region

from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.attributes import numbers_of
from sambaflow.dialects.rdu.configuration import config_bytes
from sambaflow.dialects.rdu.units import number
from sambaflow.passes.framework.base import OperationPass

APART = 1 << 20
"""Numbers of switches of two rows lie so far apart."""


@dataclass(frozen=True)
class RduFinalizePass(OperationPass[rdu.ProgramOp]):
    """Complete a placed and routed program, so that a PEF can be made from it.

        rdu.section @s (...) attributes {net_sources = .., ...} { ... }
        // becomes
        rdu.section @s (...) attributes {net_sources = .., ..., flows = dense<[[0], [1]]> : tensor<2x1xi64>,
                                         config_bytes = 2048 : i64} { ... }

    A flow id tells the packets of nets apart at every switch where they meet: each net gets the smallest id that no
    earlier net has at any of its switches. In tile programs constants and counters move in front of the instructions,
    as they are read back from a PEF; those that nothing reads go.
    """

    name: ClassVar[str] = "rdu-finalize"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program", "placement", "routes")
    leaves = ("configuration",)

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        for section in op.sections:
            self._finalize(ctx, section)

    def _finalize(self, ctx: Context, section: rdu.SectionOp) -> None:
        for unit in section.units:
            for region in unit.regions:
                canonicalize(region)
        flows = flow_ids(switches_of(section))
        section.properties["flows"] = rdu.table([(flow,) for flow in flows], 1)
        section.properties["config_bytes"] = number(size := config_bytes(section))
        self.found(ctx, section, "configuration", bytes=size, flows=1 + max(flows, default=-1))


def canonicalize(region: Region) -> None:
    """Constants first, then counters, then instructions; without sources that nothing reads."""
    block = region.block
    ops = list(block.ops)
    sources = [op for op in ops if isinstance(op, rdu.ConstantOp | rdu.CounterOp)]
    for op in sources:
        if op.result.first_use is None:
            op.detach()
            op.erase()
    live_sources = [op for op in sources if op.parent is not None]
    ordered = [op for op in live_sources if isinstance(op, rdu.ConstantOp)]
    counters: dict[int, rdu.CounterOp] = {}
    for op in sorted((op for op in live_sources if isinstance(op, rdu.CounterOp)), key=lambda op: op.dim.value.data):
        same = counters.setdefault(op.dim.value.data, op)
        if same is not op:
            op.result.replace_all_uses_with(same.result)
            op.detach()
            op.erase()
    ordered = [*ordered, *counters.values()]
    for op in ordered:
        op.detach()
    first = block.first_op
    if ordered and first is not None:
        block.insert_ops_before(ordered, first)


def flow_ids(nets: Iterable[Sequence[int]]) -> list[int]:
    """The flow id of each net, given the numbers of its switches."""
    taken: defaultdict[int, int] = defaultdict(int)  # switch -> bit set of ids
    flows: list[int] = []
    for switches in nets:
        union = reduce(or_, map(taken.__getitem__, switches))
        lowest = ~union & (union + 1)
        for switch in switches:
            taken[switch] |= lowest
        flows.append(lowest.bit_length() - 1)
    return flows


def switches_of(section: rdu.SectionOp) -> Iterator[list[int]]:
    """The switches of each net by number, the first before those that its hops enter."""
    places = [unit.places for unit in section.units]
    hops = numbers_of(section.hops, 4)
    left, entered = ((hops[:, at + 1] * APART + hops[:, at]).tolist() for at in (0, 2))
    first = 0
    for (group, _, member), (size,) in zip(rdu.rows(section.net_sources), rdu.rows(section.net_hops), strict=True):
        x, y = places[group][member]
        yield [left[first] if size else y * APART + x, *entered[first : first + size]]
        first += size
