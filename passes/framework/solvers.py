"""Problems, solutions and solvers: what a pass decides is a problem that anyone may solve.

    problem = PlacementProblem(...)               # what is given: frozen
    solution = solve(problem, "rows")        # what is decided: data
    problem.verify(solution)                      # raises WrongSolution, with the rule that is broken

A problem knows nothing of how it is solved, and a solver nothing of the IR. A pass makes the problem from the IR, has
it solved by the solver that its option names (`rdu-place{solver=rows}`), and writes the solution into the IR. Every
solution is verified first, whoever made it. A package adds a solver as an entry point, under the problem's kind:

    [project.entry-points."sambaflow.solvers"]
    "placement.spiral" = "my_package:SPIRAL"      # SPIRAL = Solver(PlacementProblem, place_in_a_spiral)

(The model is CIRCT's scheduling library: problems that check solutions, and solvers beside them.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, cast

from sambaflow import plugins
from sambaflow.errors import InputError, InternalError, PluginError, did_you_mean

SolutionT = TypeVar("SolutionT")


class WrongSolution(Exception):
    """A solution breaks a rule of its problem."""


class Problem(ABC, Generic[SolutionT]):
    """What is to be decided. Subclasses are frozen dataclasses of what is given."""

    kind: ClassVar[str]
    """Its name in messages, and in front of the solvers that packages add: `placement`."""

    @classmethod
    @abstractmethod
    def solvers(cls) -> tuple[Solver, ...]:
        """Our own solvers, the default first."""

    @abstractmethod
    def verify(self, solution: SolutionT) -> None:
        """Raise WrongSolution, with what stands against it, unless `solution` keeps every rule."""


@dataclass(frozen=True)
class Solver:
    """A way to solve the problems of one class. `solve` raises SambaError when it finds no solution."""

    name: str
    problem: type[Problem[Any]]
    solve: Callable[[Any], Any]


def solve(problem: Problem[SolutionT], name: str | None = None) -> SolutionT:
    """The solution of the solver called `name`, verified; without a name, of the problem's default solver.

    Raises InputError for a solver that does not exist, PluginError when a package's solver gives a wrong solution, and
    what the solver raises.
    """
    solver = solver_named(type(problem), name)
    with plugins.named_failures():
        solution = cast(SolutionT, solver.solve(problem))
    try:
        problem.verify(solution)
    except WrongSolution as wrong:
        if solver in problem.solvers():
            raise InternalError(f"the {problem.kind} of solver '{solver.name}' is wrong: {wrong}") from wrong
        raise PluginError(
            f"the {problem.kind} of solver '{name}' is wrong: {wrong}",
            levers=["correct the plug-in", f"use one of {', '.join(_own(type(problem)))}"],
        ) from wrong
    return solution


def solver_named(problem: type[Problem[Any]], name: str | None) -> Solver:
    """The solver called `name` of a class of problems; without a name, its default. InputError if there is none."""
    own = _own(problem)
    if not name:
        return next(iter(own.values()))
    if name in own:
        return own[name]
    prefix = f"{problem.kind}."
    solver = plugins.load("solvers", prefix + name, Solver)
    if solver is None:
        added = [entry.removeprefix(prefix) for entry in plugins.plugins("solvers") if entry.startswith(prefix)]
        known = [*own, *added]
        raise InputError(
            f"there is no solver '{name}' for {problem.kind}{did_you_mean(name, known)}",
            levers=[f"use one of {', '.join(known)}"],
        )
    if solver.problem is not problem:
        raise InputError(
            f"the solver '{prefix + name}' solves problems of {solver.problem.kind}, not of {problem.kind}",
            levers=[f"call its entry point '{solver.problem.kind}.{name}'"],
        )
    return solver


def _own(problem: type[Problem[Any]]) -> dict[str, Solver]:
    return {solver.name: solver for solver in problem.solvers()}
