"""A section as the passes after the cut see it: its ops, the machine, its plan."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from sambaflow.diagnostics import location_of
from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.analysis import in_place_inputs
from sambaflow.errors import CapacityError
from sambaflow.machine import capacity_error, load
from sambaflow.passes.framework.analyses import analyses_of
from sambaflow.passes.framework.base import functions_of, target_of
from sambaflow.passes.framework.solvers import solve
from sambaflow.passes.planning.analysis import Analysis
from sambaflow.passes.planning.facts import SectionPlan, StagePlan
from sambaflow.passes.planning.planner import Planner
from sambaflow.passes.planning.resources import Resources
from sambaflow.passes.planning.section_problem import SectionProblem
from sambaflow.passes.planning.standing import (
    Standing,
    StandingBuffer,
    StandingTransfer,
    buffer_at,
    stands,
    transfer_at,
)


def resources_of(module: ModuleOp) -> Resources:
    """What one chip of the module's target offers. InputError without a target, MachineError for a wrong one."""
    target = target_of(module)
    chips = target.chips.data
    return Resources.of(load(target.machine.data), chips, None if chips > 1 else target.tiles.data)


class PlannedSection:
    """A `kernel.section` with its analysis, and its plan when asked for.

    `pass_name`: the pass that decides, which says what stands (`standing.py`). A plan that earlier passes have carried
    out is the plan of the next one, too.
    """

    def __init__(self, op: kernel.SectionOp, planner: Planner, pass_name: str = "kernel-tile") -> None:
        self.op, self.planner, self.pass_name = op, planner, pass_name
        self.solver: str | None = None
        """Of its plan; none: the default."""
        self._plan: SectionPlan | None = None
        self._analysis: Analysis | None = None

    @property
    def analysis(self) -> Analysis:
        if self._analysis is None:
            self._analysis = Analysis(self.op.body.block.ops, self.planner.machine, self.pass_name)
            self._analysis.check()
        return self._analysis

    @property
    def live_out(self) -> list[int]:
        """The tensors that the section yields and stages of it make, whether their stores stand there yet or not."""
        results = {result.value for stage in self.analysis.stages for result in stage.results}
        yielded = [self.analysis.number(_stored(value)) for value in self.op.terminator.operands]
        return [number for number in dict.fromkeys(yielded) if number in results]

    @property
    def plan(self) -> SectionPlan:
        """The plan; CapacityError when the section does not fit the machine."""
        if self._plan is None:
            problem = SectionProblem(tuple(self.analysis.stages), tuple(self.live_out), self.planner, self._standing())
            plan = solve(problem, self.solver)
            if not plan.feasible:
                raise does_not_fit(self.op, plan)
            self._plan = plan
        return self._plan

    def decide_in(self, pass_name: str, solver: str | None = None) -> None:
        """Say which pass decides now, by which solver; without a plan that it can go on with, it makes its own."""
        if solver != self.solver and solver is not None:
            self.solver, self._plan = solver, None
        if self._plan is None and self.pass_name != pass_name:
            self.pass_name = pass_name
            self.forget()

    def forget(self) -> None:
        """Look at the section anew: what it says has changed."""
        self._plan = self._analysis = None

    def planned(self) -> Iterator[tuple[kernel.Stage, StagePlan]]:
        """Every stage that runs (folded moves do not), with its decisions."""
        for op, stage in zip(self.analysis.ops, self.plan.stages, strict=True):
            if stage is not None:
                yield op, stage

    def _standing(self) -> Standing:
        """The decisions about loads, stores and buffers that stand."""
        number = self.analysis.number
        places = {op: i for i, op in enumerate(self.analysis.ops)}
        transfers: dict[tuple[int, int, bool], StandingTransfer] = {}
        buffers: dict[tuple[int, int], StandingBuffer] = {}
        for op in self.op.body.block.ops:
            if isinstance(op, kernel.Transfer):
                key = number(op.operands[0]), -1, isinstance(op, kernel.StoreOp)
                transfers[key] = transfer_at(op, self.pass_name)
            elif isinstance(op, kernel.BufferOp):
                for use in op.result.uses:
                    reader = use.operation
                    place = places[reader] if isinstance(reader, kernel.Stage) else -1
                    buffers[place, use.index if place >= 0 else number(op.value)] = buffer_at(op, self.pass_name)
        windows: dict[int, tuple[int, ...]] = {}
        for op, place in places.items():
            if op.handed is not None and stands(op, "windows", self.pass_name):
                windows[place] = op.handed
            if op.agcus is not None:
                tables = {number(op.operands[i]) for i in in_place_inputs(op)}
                transfers |= {(value, place, False): transfer_at(op, self.pass_name) for value in tables}
        return Standing(transfers, windows, buffers)


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


def sections_for(
    pass_name: str, ctx: Context, module: ModuleOp, solver: str | None = None
) -> tuple[PlannedSection, ...]:
    """The sections of a module as `pass_name` decides about them, planned by the solver of that name."""
    sections = analyses_of(ctx).get(sections_of, module)
    for section in sections:
        section.decide_in(pass_name, solver)
    return sections


def does_not_fit(op: kernel.SectionOp | kernel.Stage, plan: SectionPlan) -> CapacityError:
    """The error of an infeasible plan, about `op`."""
    return capacity_error(plan.shortfalls, plan.levers, op=op.name, location=location_of(op))
