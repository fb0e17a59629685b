"""Random modules of every level, and the check that a pass keeps what they compute: for tests of passes.

    from hypothesis import given
    from sambaflow.testing import check_pass, pass_inputs

    @given(pass_inputs("samba-canonicalize"))
    def test_canonicalize_keeps_the_numbers(module):
        check_pass("samba-canonicalize", module)

`samba_modules`, `kernel_modules` and `rdu_modules` are hypothesis strategies of verified modules; `pass_inputs(name)`
makes those that a pass can be run on. They need the extra `testing` (`pip install sambaflow[testing]`). What a module
computes: `evaluate(module, random_inputs(module))`; what two runs differ in: `compare`.
"""

from __future__ import annotations

from sambaflow.sim.checking.pass_check import SemanticsCheck, SemanticsError, check_pass
from sambaflow.sim.checking.random_inputs import random_inputs
from sambaflow.sim.reference.semantics import Difference, compare, evaluate
from sambaflow.testing.kernel_modules import stage_modules
from sambaflow.testing.lowered import Lowering, kernel_modules, lowerings, pass_inputs, rdu_modules
from sambaflow.testing.samba_modules import samba_modules

__all__ = [
    "Difference",
    "Lowering",
    "SemanticsCheck",
    "SemanticsError",
    "check_pass",
    "compare",
    "evaluate",
    "kernel_modules",
    "lowerings",
    "pass_inputs",
    "random_inputs",
    "rdu_modules",
    "samba_modules",
    "stage_modules",
]
