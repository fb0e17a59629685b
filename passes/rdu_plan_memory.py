"""rdu-plan-memory: give every symbol a tier, an address and a lifetime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context

from sambaflow.diagnostics import error_at
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.lifetimes import RESIDENT, Life, lives_of
from sambaflow.errors import PassError
from sambaflow.passes.framework.base import OperationPass
from sambaflow.passes.framework.decisions import is_fixed, mark
from sambaflow.passes.physical.memory import Addresses, MemoryProblem, live_bytes, reach
from sambaflow.passes.physical.solving import solve_for
from sambaflow.passes.physical.tensors import Tensor, Tier

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

    `first-fit` takes the lowest such address, `best-fit` the smallest space. A tier or an address that stands is kept,
    or refused when it cannot be.

    Needs: symbols, sections and schedules (`convert-kernel-to-rdu`). Raises CapacityError when the last tier is short.
    """

    name: ClassVar[str] = "rdu-plan-memory"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program",)
    leaves = ("addresses",)

    solver: str | None = None
    """`first-fit` (the default), `best-fit`, or one that a package adds."""

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        problem = problem_of(op)
        plan = solve_for(op, problem, self.solver)
        for symbol, tensor, (tier, address) in zip(op.symbols, problem.tensors, plan.places, strict=True):
            fixed = [kind for kind in ("tier", "address") if is_fixed(symbol, kind)]
            symbol.place(problem.tiers[tier].name, address, tensor.first, tensor.last)
            for kind in ("tier", "address"):
                if kind not in fixed:
                    mark(symbol, kind, "search")
        self._report(ctx, op, problem, plan)

    def _report(self, ctx: Context, op: rdu.ProgramOp, problem: MemoryProblem, plan: Addresses) -> None:
        symbols = op.symbols
        for number, tier in enumerate(problem.tiers):
            stay = [i for i, (there, _) in enumerate(plan.places) if there == number]
            for i, (there, _) in enumerate(plan.places):
                if there > number and problem.tensors[i].tier is None:
                    self.missed(ctx, symbols[i], f"does not fit {tier.name}", bytes=problem.tensors[i].bytes)
            if stay:
                used, bound = reach(problem, plan, number), live_bytes(problem, stay)
                self.found(
                    ctx, op, f"plan of {tier.name}", bytes=used, bound=bound, limit=tier.bytes, symbols=len(stay)
                )


def problem_of(program: rdu.ProgramOp) -> MemoryProblem:
    """The symbols of a program with their lives and what stands on them, and the tiers of its machine.

    Raises PassError about a symbol whose tier or address cannot be kept.
    """
    machine = rdu.machine_of(program)
    budget = machine.target(chips=program.target.chips.data, tiles=program.target.tiles.data)
    align = max(64, *(tier.access_bytes for tier in machine.tiers.values()))
    lives = lives_of(program)
    tiers = tuple(Tier(name, limit) for name, limit in budget.tier_bytes.items())
    tensors = tuple(_tensor(symbol, lives[symbol.sym_name.data], tiers) for symbol in program.symbols)
    problem = MemoryProblem(tensors, tiers, align)
    fixed = [(t.tier, t.address) if t.tier is not None and t.address is not None else None for t in tensors]
    for number, why in problem.broken(fixed):
        raise _refused(program.symbols[number], why, "leave its address out")
    return problem


def _tensor(symbol: rdu.SymbolOp, life: Life, tiers: tuple[Tier, ...]) -> Tensor:
    """A symbol as planning sees it, in the tier and at the address that stand."""
    names = [tier.name for tier in tiers]
    tier = address = None
    if symbol.tier is not None and (is_fixed(symbol, "tier") or is_fixed(symbol, "address")):
        if symbol.tier.data not in names:
            raise _refused(symbol, f"is in {symbol.tier.data}, which the machine does not have", "leave its tier out")
        tier = names.index(symbol.tier.data)
    if symbol.address is not None and is_fixed(symbol, "address"):
        if tier is None:
            raise _refused(symbol, "has an address, but no tier in which that is", "give it a tier, too")
        address = symbol.address.value.data
    role = symbol.role.data
    return Tensor(
        symbol.sym_name.data,
        symbol.bytes,
        life.first,
        life.last,
        life.transfer,
        role in RESIDENT,
        role in WEIGHTS,
        tier,
        address,
    )


def _refused(symbol: rdu.SymbolOp, message: str, lever: str) -> PassError:
    return error_at(symbol, message, levers=[lever])
