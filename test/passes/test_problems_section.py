"""Planning a section is a problem: a right plan is accepted, a wrong one refused with the rule that it breaks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from sambaflow.dialects.kernel import Mapping
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError, PluginError
from sambaflow.machine import load
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.passes.framework.solvers import WrongSolution, solve
from sambaflow.passes.planning.access import whole
from sambaflow.passes.planning.facts import Operand, Result, SectionPlan, StageFacts, StagePlan
from sambaflow.passes.planning.planner import Planner
from sambaflow.passes.planning.resources import Resources
from sambaflow.passes.planning.section_problem import SectionProblem
from sambaflow.passes.planning.standing import Standing, StandingTransfer

PLANNER = Planner(Resources.of(load("sn40l"), tiles=1))
SHAPE = (64, 32)


def stage(made: int, read: int, mapping: Mapping | None = None, par: tuple[int, ...] | None = None) -> StageFacts:
    """A function of the elements of a matrix."""
    level = whole(SHAPE)
    operand, result = Operand(read, level, 4), Result(made, level.coordinates, SHAPE, 4, over=(0, 1))
    return StageFacts(
        "map", SHAPE, ("parallel", "parallel"), (operand,), (result,), "simd", ("alu",), mapping=mapping, par=par
    )


PROBLEM = SectionProblem((stage(1, 0), stage(2, 1)), (2,), PLANNER)
FIXED = SectionProblem(
    (stage(1, 0, Mapping((8, 32), (2, 1), (0, 1), (1,)), (2, 1)), stage(2, 1)),
    (2,),
    PLANNER,
    Standing(transfers={(0, -1, False): StandingTransfer(agcus=3)}),
)


def changed(plan: SectionPlan, **changes: object) -> SectionPlan:
    """The plan with something else said of its first stage."""
    first = plan.stages[0]
    assert isinstance(first, StagePlan)
    return replace(plan, stages=(replace(first, **changes), *plan.stages[1:]))  # pyright: ignore[reportArgumentType]


def edge(plan: SectionPlan, **changes: int) -> SectionPlan:
    """The plan with something else said of its first buffer."""
    return replace(plan, edges=(replace(plan.edges[0], **changes), *plan.edges[1:]))


@pytest.mark.parametrize("name", ["", "bisection", "narrow"])
def test_plans_are_accepted(name: str):
    for problem in (PROBLEM, FIXED):
        plan = solve(problem, name)
        assert plan.feasible
        problem.verify(plan)


def test_what_stands_is_in_the_plan():
    plan = solve(FIXED)
    first = plan.stages[0]
    assert first is not None and (first.tile, first.par) == ((8, 32), (2, 1))
    assert next(t.agcus for t in plan.transfers if (t.value, t.store) == (0, False)) == 3


def test_narrow_takes_one_pcu_a_stage():
    assert solve(PROBLEM, "narrow").demand.pcus == 2 < solve(PROBLEM).demand.pcus


RULES: dict[str, tuple[SectionProblem, Callable[[SectionPlan], SectionPlan]]] = {
    "it has 1 stages, the section 2": (PROBLEM, lambda plan: replace(plan, stages=plan.stages[:1])),
    "stage 1 is run, and is planned otherwise": (PROBLEM, lambda plan: replace(plan, stages=(plan.stages[0], None))),
    "stage 0 has 2 dimensions, its tile 1": (PROBLEM, lambda plan: changed(plan, tile=(8,))),
    r"stage 0 has a tile of \[65, 32\] in a domain of \[64, 32\]": (
        PROBLEM,
        lambda plan: changed(plan, tile=(65, 32)),
    ),
    r"stage 0 visits its dimensions in the order \[0, 0\]": (PROBLEM, lambda plan: changed(plan, order=(0, 0))),
    r"stage 0 spreads a tile of \[.*\] over \[65, 1\] PCUs": (PROBLEM, lambda plan: changed(plan, par=(65, 1))),
    "stage 0 takes 1000 PCUs, its par factors are": (PROBLEM, lambda plan: changed(plan, pcus=1000)),
    "stage 0 fires 1 times, its tiles are": (PROBLEM, lambda plan: changed(plan, firings=1)),
    r"stage 0 has a tile of \[16, 32\], fixed is \[8, 32\]": (
        FIXED,
        lambda plan: changed(plan, tile=(16, 32), firings=4),
    ),
    r"stage 0 has par factors of \[1, 1\], fixed are \[2, 1\]": (
        FIXED,
        lambda plan: changed(plan, par=(1, 1), pcus=1),
    ),
    "the buffer of value 0 is read in 99 parts and written in": (PROBLEM, lambda plan: edge(plan, tokens=99)),
    "the buffer of value 0 holds 0 of": (PROBLEM, lambda plan: edge(plan, depth=0)),
    "the buffer of value 0 takes no PMU": (PROBLEM, lambda plan: edge(plan, pmus=0)),
    "value 0 moves by 4 AGCUs, fixed are 3": (
        FIXED,
        lambda plan: replace(plan, transfers=tuple(replace(t, agcus=4) if t.value == 0 else t for t in plan.transfers)),
    ),
    "it counts 1 PCUs and": (PROBLEM, lambda plan: replace(plan, demand=replace(plan.demand, pcus=1))),
    "it does not fit: AGCUs": (PROBLEM, lambda plan: replace(plan, demand=replace(plan.demand, agcus=1000))),
}
"""Each rule, and a plan that breaks it."""


@pytest.mark.parametrize("rule", RULES)
def test_wrong_plans_are_refused(rule: str):
    problem, broken = RULES[rule]
    with pytest.raises(WrongSolution, match=rule):
        problem.verify(broken(solve(problem)))


# Packages add solvers; a pass takes the one that its option names.

SOURCE = """
from dataclasses import replace
from sambaflow.passes.framework.solvers import Solver
from sambaflow.passes.planning.section_problem import BISECTION, NARROW, SectionProblem

asked = []

def halves(problem):
    asked.append(len(problem.stages))
    return NARROW.solve(problem)

def wrong(problem):
    plan = BISECTION.solve(problem)
    return replace(plan, stages=plan.stages[:-1])

HALVES = Solver("halves", SectionProblem, halves)
WRONG = Solver("wrong", SectionProblem, wrong)
"""

MODULE = """
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %1 = kernel.map ins(%a : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel>
        maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      kernel.yield %1 : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}
"""


@pytest.fixture
def package(installed: Callable[..., None]):
    """An installed package with two solvers."""
    entries = {"section.halves": "section_solvers:HALVES", "section.wrong": "section_solvers:WRONG"}
    installed({"section_solvers": SOURCE}, {"solvers": entries})


def ran(pipeline: str) -> str:
    ctx = SambaContext()
    module = parse_module(MODULE, "f.mlir", ctx)
    run_pipeline(module, pipeline, ctx)
    return str(module)


@pytest.mark.usefixtures("package")
def test_a_solver_of_a_package_is_chosen_and_used():
    text = ran("kernel-tile{solver=halves},kernel-balance")
    assert sys.modules["section_solvers"].asked == [1]
    assert "par = [1, 1]" in text and "par = [1, 1]" not in ran("kernel-tile,kernel-balance")


@pytest.mark.usefixtures("package")
def test_a_wrong_plan_of_a_package_is_refused():
    with pytest.raises(PluginError, match="the section of solver 'wrong' is wrong: it has 0 stages, the section 1"):
        ran("kernel-tile{solver=wrong}")


def test_an_unknown_solver_is_refused():
    with pytest.raises(InputError, match="there is no solver 'narow' for section; did you mean 'narrow'"):
        ran("kernel-tile{solver=narow}")
