"""Heuristics: strategies for the modules that fusion rules make, as small plug-ins.

A heuristic has SambaFlow's four phases: distribution (over PCUs), tiling, mapping (sections) and multi-socket
distribution. Distribution and tiling give hints: wishes that stand on an op as `samba.hints`, for the kernel planner
(`dialects/kernel/hints.py`). A setting that the user wrote in a rule is never overruled.

    heuristic   names                     for
    default     DEFAULT, O3               everything else: the planner's own optimisation decides all
    gemm        SAFE_GEMM, GPT2_QKV       modules whose work is matrix products
    mha         MHA, SDPA                 modules with attention

A new one is a subclass of `Heuristic` in a file here and a row in `HEURISTICS`, or comes with a package, under the name
of its entry point (`sambaflow.plugins`); rules then ask for it by that name.
"""

from __future__ import annotations

from sambaflow import plugins
from sambaflow.diagnostics import error_at
from sambaflow.dialects import samba
from sambaflow.errors import InputError, did_you_mean
from sambaflow.passes.fusion.heuristics.base import Heuristic, Hints
from sambaflow.passes.fusion.heuristics.default import DefaultHeuristic
from sambaflow.passes.fusion.heuristics.gemm import GemmHeuristic
from sambaflow.passes.fusion.heuristics.mha import MhaHeuristic

HEURISTICS: tuple[Heuristic, ...] = (MhaHeuristic(), GemmHeuristic(), DefaultHeuristic())
"""In the order in which they are asked whether they suit a module without one; the last suits all."""


def heuristic_for(module: samba.ModuleOp) -> Heuristic:
    """The heuristic that the module's rule names, else the first that suits it; InputError for an unknown name."""
    if module.heuristic is None:
        return next(heuristic for heuristic in HEURISTICS if heuristic.suits(module))
    wanted = module.heuristic.data
    for heuristic in HEURISTICS:
        if wanted in heuristic.names:
            return heuristic
    if (added := plugins.load("heuristics", wanted, Heuristic)) is not None:
        return added
    known = (*(name for heuristic in HEURISTICS for name in heuristic.names), *plugins.plugins("heuristics"))
    raise error_at(module, f"names an unknown heuristic '{wanted}'{did_you_mean(wanted, known)}", InputError)


__all__ = ["HEURISTICS", "Heuristic", "Hints", "heuristic_for"]
