"""How one section runs, as a problem: tiles, par factors, windows, buffers and transfers of its stages.

    problem = SectionProblem(stages, live_out, planner, standing)
    plan = solve(problem, "bisection")

bisection  the least initiation interval that fits, or the least sum of stage times: `section_search.py`.
narrow     one PCU a stage: the least that runs at all, which leaves the chip to others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from sambaflow.machine import shortfalls
from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution
from sambaflow.passes.planning.facts import EdgePlan, SectionPlan, StageFacts, StagePlan
from sambaflow.passes.planning.planner import Planner
from sambaflow.passes.planning.standing import NOTHING, Standing
from sambaflow.passes.planning.windows import tiles


@dataclass(frozen=True, eq=False)
class SectionProblem(Problem[SectionPlan]):
    """The plan of a section of `stages` (in topological order) that must store the values `live_out`.

    `planner` holds the machine and what one section may use of it. What stands is kept: a stage's mapping and par
    factors, and what `standing` says of its edges.
    """

    kind: ClassVar[str] = "section"

    stages: tuple[StageFacts, ...]
    live_out: tuple[int, ...]
    planner: Planner
    standing: Standing = NOTHING

    @classmethod
    def solvers(cls) -> tuple[Solver, ...]:
        return BISECTION, NARROW

    def verify(self, solution: SectionPlan) -> None:
        """Raise WrongSolution with the first rule that is broken. A plan with shortfalls only says what is short."""
        if not solution.feasible:
            return
        for reason in self._broken(solution):
            raise WrongSolution(reason)

    def _broken(self, plan: SectionPlan) -> Iterator[str]:
        if len(plan.stages) != len(self.stages):
            yield f"it has {len(plan.stages)} stages, the section {len(self.stages)}"
            return
        for number, (stage, chosen) in enumerate(zip(self.stages, plan.stages, strict=True)):
            if (chosen is None) != stage.fold:
                yield f"stage {number} is {'an access pattern' if stage.fold else 'run'}, and is planned otherwise"
            elif chosen is not None:
                yield from (f"stage {number} {reason}" for reason in _broken_stage(stage, chosen))
        for edge in plan.edges:
            yield from (f"the buffer of value {edge.value} {reason}" for reason in _broken_edge(edge))
        for transfer in plan.transfers:
            asked = self.standing.transfers.get((transfer.value, transfer.reader, transfer.store))
            if asked is not None and asked.agcus not in (None, transfer.agcus):
                yield f"value {transfer.value} moves by {transfer.agcus} AGCUs, fixed are {asked.agcus}"
        yield from self._broken_demand(plan)

    def _broken_demand(self, plan: SectionPlan) -> Iterator[str]:
        pcus = sum(stage.pcus for stage in plan.stages if stage is not None)
        pmus = sum(edge.pmus for edge in plan.edges)
        if (plan.demand.pcus, plan.demand.pmus) != (pcus, pmus):
            yield f"it counts {plan.demand.pcus} PCUs and {plan.demand.pmus} PMUs, its stages take {pcus} and {pmus}"
        if short := shortfalls(plan.demand, self.planner.resources.budget):
            yield f"it does not fit: {short[0]}"


def _broken_stage(stage: StageFacts, plan: StagePlan) -> Iterator[str]:
    rank = len(stage.extents)
    if not len(plan.tile) == len(plan.par) == len(plan.order) == rank:
        yield f"has {rank} dimensions, its tile {len(plan.tile)}"
        return
    if any(not 1 <= part <= extent for part, extent in zip(plan.tile, stage.extents, strict=True)):
        yield f"has a tile of {list(plan.tile)} in a domain of {list(stage.extents)}"
    if sorted(plan.order) != list(range(rank)):
        yield f"visits its dimensions in the order {list(plan.order)}"
    if any(not 1 <= count <= part for count, part in zip(plan.par, plan.tile, strict=True)):
        yield f"spreads a tile of {list(plan.tile)} over {list(plan.par)} PCUs"
    if stage.mode and plan.pcus != prod(plan.par):
        yield f"takes {plan.pcus} PCUs, its par factors are {list(plan.par)}"
    if plan.firings != tiles(stage.extents, plan.tile):
        yield f"fires {plan.firings} times, its tiles are {tiles(stage.extents, plan.tile)}"
    if stage.mapping is not None and (plan.tile, plan.order) != (stage.mapping.tile, stage.mapping.order):
        yield f"has a tile of {list(plan.tile)}, fixed is {list(stage.mapping.tile)}"
    if stage.par is not None and stage.mode and plan.par != stage.par:
        yield f"has par factors of {list(plan.par)}, fixed are {list(stage.par)}"


def _broken_edge(edge: EdgePlan) -> Iterator[str]:
    if not 1 <= edge.tokens <= edge.handed:
        yield f"is read in {edge.tokens} parts and written in {edge.handed}"
    if not 1 <= edge.depth <= edge.handed:
        yield f"holds {edge.depth} of {edge.handed} windows"
    if edge.pmus < 1:
        yield "takes no PMU"


def _bisection(problem: SectionProblem) -> SectionPlan:
    return problem.planner.plan(problem.stages, problem.live_out, problem.standing)


def _narrow(problem: SectionProblem) -> SectionPlan:
    stages = [
        stage if stage.par is not None else replace(stage, par=(1,) * len(stage.extents)) for stage in problem.stages
    ]
    return problem.planner.plan(stages, problem.live_out, problem.standing)


BISECTION = Solver("bisection", SectionProblem, _bisection)
NARROW = Solver("narrow", SectionProblem, _narrow)
