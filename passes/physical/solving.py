"""Solving a problem for an op."""

from __future__ import annotations

from typing import TypeVar

from xdsl.ir import Operation

from sambaflow.diagnostics import location_of
from sambaflow.errors import CapacityError, SambaError
from sambaflow.passes.framework.solvers import Problem, solve

SolutionT = TypeVar("SolutionT")


def solve_for(op: Operation, problem: Problem[SolutionT], solver: str | None) -> SolutionT:
    """The solution of the solver of that name, as `solve` gives it; what is raised is said at `op`.

    A solver knows no ops: what it finds too small is about `op`.
    """
    try:
        return solve(problem, solver)
    except CapacityError as error:
        error.op, error.location = error.op or op.name, error.location or location_of(op)
        raise
    except SambaError as error:
        error.location = error.location or location_of(op)
        raise
