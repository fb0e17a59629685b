"""rdu-plan-memory: give every symbol a tier, an address and a lifetime."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context

from sambaflow.diagnostics import location_of
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.lifetimes import RESIDENT, Life, lives_of
from sambaflow.errors import CapacityError
from sambaflow.passes.framework.base import OperationPass

WEIGHTS = ("param", "buffer", "constant")


@dataclass(frozen=True)
class RduPlanMemoryPass(OperationPass[rdu.ProgramOp]):
    """Place symbols in the memory of a chip (all chips have the same plan).

        rdu.symbol @w param tensor<64x64xbf16>
        // becomes
        rdu.symbol @w param tensor<64x64xbf16> {tier = "hbm", address = 0 : i64, first = 0 : i64, last = 5 : i64}

    Everything goes to the fastest tier that the machine has. When that is short, the symbols whose launches move the
    fewest bytes go to the next tier first, weights last. Addresses: symbols that live throughout are stacked, the
    others take, largest first, the lowest address that is free during their life (greedy by size), so that two may
    share memory when they are never alive together.

    Needs: symbols, sections and schedules (`convert-kernel-to-rdu`). Raises CapacityError when the last tier is short.
    """

    name: ClassVar[str] = "rdu-plan-memory"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program",)
    leaves = ("addresses",)

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        machine = rdu.machine_of(op)
        budget = machine.target(chips=op.target.chips.data, tiles=op.target.tiles.data)
        align = max(64, *(tier.access_bytes for tier in machine.tiers.values()))
        lives = lives_of(op)
        left = [
            Tensor(i, s.sym_name.data, s.role.data, s.bytes, lives[s.sym_name.data]) for i, s in enumerate(op.symbols)
        ]
        symbols = {s.sym_name.data: s for s in op.symbols}
        tiers = list(budget.tier_bytes.items())
        for tier, limit in tiers:
            last = tier == tiers[-1][0]
            stay, spilled = (left, []) if last else choose(left, limit, align)
            addresses, used = assign(stay, align)
            if used > limit:
                raise _too_small(op, tier, used, limit, stay)
            for tensor in stay:
                symbols[tensor.name].place(tier, addresses[tensor.index], tensor.life.first, tensor.life.last)
            for tensor in spilled:
                self.missed(ctx, symbols[tensor.name], f"does not fit {tier}", bytes=tensor.bytes)
            if stay:
                bound = live_bytes(stay, align)
                self.found(ctx, op, f"plan of {tier}", bytes=used, bound=bound, limit=limit, symbols=len(stay))
            left = spilled


@dataclass(frozen=True)
class Tensor:
    """A symbol as memory planning sees it."""

    index: int
    name: str
    role: str
    bytes: int
    life: Life


def choose(tensors: Sequence[Tensor], limit: int, align: int) -> tuple[list[Tensor], list[Tensor]]:
    """Those that stay in a tier of `limit` bytes, and those that go to the next one."""
    stay, spilled = list(tensors), list[Tensor]()
    order = sorted(tensors, key=lambda t: (t.role in WEIGHTS, t.life.transfer, -t.bytes, t.index))
    while (used := assign(stay, align)[1]) > limit:
        excess, batch = used - limit, list[Tensor]()
        while order and excess > 0:
            batch.append(order.pop(0))
            excess -= _aligned(batch[-1].bytes, align)
        gone = {tensor.index for tensor in batch}
        stay = [tensor for tensor in stay if tensor.index not in gone]
        spilled += batch
    return stay, sorted(spilled, key=lambda tensor: tensor.index)


def assign(tensors: Sequence[Tensor], align: int) -> tuple[Mapping[int, int], int]:
    """Addresses by index, and the bytes that they reach. Symbols that are alive together do not overlap."""
    addresses: dict[int, int] = {}
    top = 0
    shared: list[Tensor] = []
    for tensor in tensors:
        if tensor.role in RESIDENT:
            addresses[tensor.index] = top
            top += _aligned(tensor.bytes, align)
        else:
            shared.append(tensor)
    floor = reach = top
    placed: list[tuple[int, int, int, int]] = []  # start, end, first, last; by start
    for tensor in sorted(shared, key=lambda t: (-t.bytes, t.life.first, t.index)):
        size, first, last = _aligned(tensor.bytes, align), tensor.life.first, tensor.life.last
        at = floor
        for start, end, other_first, other_last in placed:
            if other_first <= last and first <= other_last:
                if start - at >= size:
                    break
                at = max(at, end)
        insort(placed, (at, at + size, first, last))
        addresses[tensor.index] = at
        reach = max(reach, at + size)
    return addresses, reach


def live_bytes(tensors: Sequence[Tensor], align: int) -> int:
    """The most bytes that are alive at one time: no plan needs less."""
    changes: dict[int, int] = {}
    for tensor in tensors:
        size = _aligned(tensor.bytes, align)
        changes[tensor.life.first] = changes.get(tensor.life.first, 0) + size
        changes[tensor.life.last + 1] = changes.get(tensor.life.last + 1, 0) - size
    most = now = 0
    for time in sorted(changes):
        now += changes[time]
        most = max(most, now)
    return most


def _aligned(size: int, align: int) -> int:
    return max(1, -(-size // align)) * align


def _too_small(program: rdu.ProgramOp, tier: str, used: int, limit: int, tensors: Sequence[Tensor]) -> CapacityError:
    largest = max(tensors, key=lambda t: (t.bytes, -t.index))
    return CapacityError(
        f"does not fit the {tier} of a chip; the largest symbol is '{largest.name}' with {largest.bytes} bytes",
        op=program.name,
        location=location_of(program),
        demand=f"{used} bytes",
        limit=f"{limit} bytes",
        shortfall=f"{used - limit} bytes",
        levers=["use more chips", "use more tiles", "shorten the sequence or the batch"],
    )
