"""What stands in the IR before a pass decides, and solving for an op.

What stands is kept, or refused with what stands against it.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from xdsl.ir import Operation

from sambaflow.diagnostics import location_of
from sambaflow.errors import CapacityError, SambaError
from sambaflow.passes.framework.solvers import Problem, solve

Decision = Literal["coordinates", "routes", "tier", "address"]
SolutionT = TypeVar("SolutionT")


def is_fixed(op: Operation, decision: Decision) -> bool:
    """Whether what stands on `op` is fixed: everything that stands is, until ops carry the origin of decisions."""
    del op, decision
    return True


def solve_for(op: Operation, problem: Problem[SolutionT], solver: str) -> SolutionT:
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
