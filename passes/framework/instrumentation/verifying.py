"""Verification after every pass, so that the first pass that breaks the IR is named."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.errors import SambaError
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.manager import Instrumentation
from sambaflow.passes.framework.properties import ensure
from sambaflow.passes.framework.verification import verify_module


class VerifyEach(Instrumentation):
    """Verifies the whole module after each pass: every op, dominance, and what the pass says that it leaves."""

    def after_pass(self, pass_: ModulePass, op: Operation) -> None:
        module = op
        while (parent := module.parent_op()) is not None:
            module = parent
        if isinstance(module, ModuleOp):
            verify_after(module, pass_)
        if isinstance(pass_, SambaPass):
            ensure(op, pass_.leaves, pass_.name)


def verify_after(module: ModuleOp, pass_: ModulePass) -> None:
    """Verify `module`; an error says which pass it came after."""
    try:
        verify_module(module)
    except SambaError as error:
        error.message += f" (after {pass_.name})"
        raise
