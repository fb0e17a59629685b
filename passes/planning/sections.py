"""A section as the passes after the cut see it: its ops, the machine, its plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from sambaflow.diagnostics import location_of
from sambaflow.dialects import kernel
from sambaflow.errors import CapacityError
from sambaflow.machine import capacity_error, load
from sambaflow.passes.framework.base import functions_of, target_of
from sambaflow.passes.planning.analysis import Analysis
from sambaflow.passes.planning.facts import SectionPlan, StagePlan
from sambaflow.passes.planning.planner import Planner, Resources


def resources_of(module: ModuleOp) -> Resources:
    """What one chip of the module's target offers. InputError without a target, MachineError for a wrong one."""
    target = target_of(module)
    chips = target.chips.data
    return Resources.of(load(target.machine.data), chips, None if chips > 1 else target.tiles.data)


@dataclass(frozen=True, eq=False)
class PlannedSection:
    """A `kernel.section` with its analysis, and its plan when asked for."""

    op: kernel.SectionOp
    planner: Planner

    @cached_property
    def analysis(self) -> Analysis:
        found = Analysis(self.op.body.block.ops, self.planner.machine)
        found.check()
        return found

    @cached_property
    def live_out(self) -> list[int]:
        """The tensors that the section yields and stages of it make, whether their stores stand there yet or not."""
        made = {result.value for stage in self.analysis.stages for result in stage.results}
        yielded = [self.analysis.number(_stored(value)) for value in self.op.terminator.operands]
        return [number for number in dict.fromkeys(yielded) if number in made]

    @cached_property
    def plan(self) -> SectionPlan:
        """The plan; CapacityError when the section does not fit the machine."""
        plan = self.planner.plan(self.analysis.stages, self.live_out)
        if not plan.feasible:
            raise does_not_fit(self.op, plan)
        return plan

    def forget(self) -> None:
        """Look at the section anew: what it says has changed."""
        for name in ("analysis", "live_out", "plan"):
            self.__dict__.pop(name, None)

    def planned(self) -> Iterator[tuple[kernel.Stage, StagePlan]]:
        """Every stage that runs (folded moves do not), with its decisions."""
        for op, stage in zip(self.analysis.ops, self.plan.stages, strict=True):
            if stage is not None:
                yield op, stage


def _stored(value: SSAValue) -> SSAValue:
    """The value that a stage made, behind its buffer and its store."""
    while isinstance(owner := value.owner, kernel.StoreOp | kernel.BufferOp):
        value = owner.value
    return value


def sections_of(module: ModuleOp) -> tuple[PlannedSection, ...]:
    """The sections of every function, in order; they share one planner.

    An analysis (`passes/framework/analyses.py`): passes that carry out a plan, and change nothing that it was made
    from, preserve it, so that the section is planned once for all of them.
    """
    ops = [op for function in functions_of(module) for op in function.body.block.ops]
    sections = [op for op in ops if isinstance(op, kernel.SectionOp)]
    planner = Planner(resources_of(module)) if sections else None
    return tuple(PlannedSection(op, planner) for op in sections if planner is not None)


def does_not_fit(op: kernel.SectionOp | kernel.Stage, plan: SectionPlan) -> CapacityError:
    """The error of an infeasible plan, about `op`."""
    return capacity_error(plan.shortfalls, plan.levers, op=op.name, location=location_of(op))
