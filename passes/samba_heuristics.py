"""samba-heuristics: give every module the hints of its heuristic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import StringAttr
from xdsl.dialects.func import FuncOp

from sambaflow import plugins
from sambaflow.diagnostics import error_at
from sambaflow.dialects import samba
from sambaflow.dialects.kernel.hints import dictionary_of, hints_attr
from sambaflow.errors import InputError, did_you_mean
from sambaflow.passes.framework.base import FunctionPass
from sambaflow.passes.framework.decision_kinds import kinds_on
from sambaflow.passes.framework.decisions import decide, drop, origin_of
from sambaflow.passes.framework.properties import SAMBA
from sambaflow.passes.fusion.grouping import HEURISTIC_PARAMETERS
from sambaflow.passes.fusion.heuristics import Heuristic, heuristic_for
from sambaflow.passes.fusion.heuristics.base import Hints, operators


@dataclass(frozen=True)
class SambaHeuristicsPass(FunctionPass):
    """Name a heuristic on every `samba.module` and leave its hints on the ops inside.

    The rule's choice stands; a module without one gets MHA when it holds attention, SAFE_GEMM when it holds a matrix
    product, else DEFAULT. Settings that a rule or a user wrote on an op win over the heuristic's.

        samba.module "ffn"(...) heuristic = "SAFE_GEMM" -> (...) { %0 = samba.linear ... }
        // becomes
        samba.module "ffn"(...) heuristic = "SAFE_GEMM" -> (...) {
          %0 = samba.linear ... {samba.hints = {k_shard_degree = 1 : i64, shard_first = "n", stationary = "input"}}
        }
    """

    name: ClassVar[str] = "samba-heuristics"
    needs = SAMBA
    counters = {"modules": "modules that got a heuristic"}

    def apply_to(self, ctx: Context, op: FuncOp) -> None:
        for module in op.walk():
            if isinstance(module, samba.ModuleOp):
                if origin_of(module, "heuristic") == "heuristic":
                    drop(module, "heuristic")
                heuristic = heuristic_for(module)
                with plugins.named_failures(type(heuristic)):
                    _apply(heuristic, module)
                if module.heuristic is None:
                    decide(module, "heuristic", StringAttr(heuristic.names[0]), "heuristic")
                self.count(ctx, "modules")
                self.decided(ctx, module, "heuristic")


def _apply(heuristic: Heuristic, module: samba.ModuleOp) -> None:
    parameters = dictionary_of(module, HEURISTIC_PARAMETERS)
    for name in parameters:
        if name not in heuristic.parameters:
            near = did_you_mean(name, heuristic.parameters)
            raise error_at(module, f"heuristic {heuristic.names[0]} has no parameter '{name}'{near}", InputError)
    heuristic.multi_socket_distribution(module, parameters)
    for op in operators(module):
        for hint in [kind.name for kind in kinds_on(op) if origin_of(op, kind.name) == "heuristic"]:
            drop(op, hint)
        wishes: Hints = {**heuristic.distribution(op), **heuristic.tiling(op)}
        for hint, value in hints_attr(wishes).data.items():
            if origin_of(op, hint) != "rule":
                decide(op, hint, value, "heuristic")
