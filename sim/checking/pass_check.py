"""Does a pass keep what a module computes? The module runs before and after it on random inputs.

    check_pass("samba-canonicalize", module)                 # raises SemanticsError
    check = SemanticsCheck(ctx)                              # an instrumentation of the pass manager
    run_pipeline(module, "o1", ctx, instrumentations=(check,))

What a pass may change it declares itself (`SambaPass.semantics`): nothing, unless it says otherwise. Where it may round
differently, an element is allowed what it declares and what rounding alone may do to that element (`conditioning`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.diagnostics import error_at, location_of
from sambaflow.errors import InputError, PassError
from sambaflow.passes.framework.base import EXACT, Remark, SambaPass, Semantics
from sambaflow.passes.framework.context import SambaContext, journal_of
from sambaflow.passes.framework.manager import Instrumentation, Pipeline
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.sim.checking.conditioning import rounding_spread
from sambaflow.sim.checking.random_inputs import random_tensors
from sambaflow.sim.checking.work import work_of
from sambaflow.sim.reference.semantics import CallableGraph, Difference, Port, compare, graphs_of, output_names, run

MOST_WORK = 1 << 30
"""Points and elements of one run of a graph, above which it is not checked: seconds to minutes of one core."""


class SemanticsError(PassError):
    """A pass changed what a module computes by more than it declares."""

    def __init__(self, pass_name: str, graph: str, seed: int, difference: Difference, semantics: Semantics) -> None:
        promise = "keeps every bit" if not semantics.bound else f"is within {semantics.bound:g} ({semantics.reason})"
        super().__init__(
            f"pass '{pass_name}', which {promise}, changes what graph '{graph}' computes: {difference}",
            demand=f"error {difference.error:.3g}",
            limit=f"bound {difference.bound:.3g}",
            levers=[f"run samba-opt up to '{pass_name}' and compare the IR before and after it (seed {seed})"],
        )
        self.pass_name, self.graph, self.seed, self.difference = pass_name, graph, seed, difference


Runs = dict[str, Tensor]
"""The outputs of a run by name."""


@dataclass
class Case:
    """A graph with inputs, and its outputs as they were after the last pass."""

    graph: str
    seed: int
    ports: tuple[Port, ...]
    inputs: list[Tensor]
    outputs: Runs
    spread: Runs | None = None


@dataclass
class SemanticsCheck(Instrumentation):
    """Holds each pass of a pipeline to what it declares. Outputs after a pass are those before the next one.

    `seeds`: one run of every graph for each. Graphs whose run would visit more than `most_work` points, and passes that
    compute something else on purpose (an infinite bound), are not checked: a remark says so.
    """

    ctx: Context = field(default_factory=SambaContext)
    seeds: Sequence[int] = (0,)
    most_work: int = MOST_WORK
    tiled: bool = False
    """Whether stages that have a mapping run tile by tile, which holds mappings to their promise of the same bits."""
    checked: int = 0
    """Comparisons of outputs so far."""
    cases: list[Case] | None = None
    skipped: set[str] = field(default_factory=set[str])

    def before_pass(self, pass_: ModulePass, op: Operation) -> None:
        """Run the module of `op` unless its outputs are known from the last pass; if the pass rounds, see how far."""
        module = _module_of(op)
        if self.cases is None:
            self.cases = [
                case
                for graph in graphs_of(module).values()
                for seed in self.seeds
                for case in self._start(module, graph, seed)
            ]
        if 0 < semantics_of(pass_).bound < math.inf:
            for case in self.cases:
                graph = graphs_of(module)[case.graph]
                case.spread = rounding_spread(module, graph, case.inputs, case.outputs)

    def after_pass(self, pass_: ModulePass, op: Operation) -> None:
        """Run the module and compare. Raises SemanticsError, naming pass, output, element, values, error and bound."""
        module = _module_of(op)
        semantics = semantics_of(pass_)
        cases, self.cases = self.cases or [], None
        if semantics.bound == math.inf:
            self._skip(module, pass_.name, semantics.reason or "computes something else")
            return
        graphs = graphs_of(module)
        for case in cases:
            if case.graph not in graphs:
                raise self._wrong(pass_, case, Difference("", what=": the graph is gone"), module)
            outputs = self._run(module, graphs[case.graph], case)
            difference = compare(case.outputs, outputs, semantics, case.spread)
            if difference is not None:
                raise self._wrong(pass_, case, difference, module)
            self.checked += 1
            case.outputs, case.spread = dict(zip(case.outputs, outputs.values(), strict=True)), None
        self.cases = cases

    def _start(self, module: ModuleOp, graph: CallableGraph, seed: int) -> list[Case]:
        work = work_of(module, graph)
        if work > self.most_work:
            self._skip(module, graph.name, f"a run visits {work} points, more than {self.most_work}")
            return []
        case = Case(graph.name, seed, graph.inputs, random_tensors(module, graph, seed), {})
        case.outputs = self._run(module, graph, case)
        return [case]

    def _run(self, module: ModuleOp, graph: CallableGraph, case: Case) -> Runs:
        """The outputs by the names of `graph`. An input whose element type a pass changed is rounded to it."""
        fits = len(graph.inputs) == len(case.inputs)
        inputs = [t.to(p.dtype) for t, p in zip(case.inputs, graph.inputs, strict=True)] if fits else case.inputs
        return dict(zip(output_names(graph), run(module, graph, inputs, tiled=self.tiled), strict=True))

    def _wrong(self, checked: ModulePass, case: Case, difference: Difference, module: ModuleOp) -> SemanticsError:
        error = SemanticsError(checked.name, case.graph, case.seed, difference, semantics_of(checked))
        error.location = location_of(module)
        return error

    def _skip(self, module: ModuleOp, what: str, why: str) -> None:
        if what not in self.skipped:
            self.skipped.add(what)
            message = f"'{what}' is not checked: {why}"
            journal_of(self.ctx).add(Remark("missed", "check-semantics", message, module.name, location_of(module)))


def _module_of(op: Operation) -> ModuleOp:
    """The outermost op around `op` (itself, in a pipeline that is not nested)."""
    while (parent := op.parent_op()) is not None:
        op = parent
    if not isinstance(op, ModuleOp):
        raise error_at(op, "stands outside of a module", InputError)
    return op


def semantics_of(checked: ModulePass) -> Semantics:
    """What a pass declares; a pass of xDSL's own keeps every bit."""
    return checked.semantics if isinstance(checked, SambaPass) else EXACT


def check_pass(
    passes: str | ModulePass | Pipeline | Sequence[ModulePass],
    module: ModuleOp,
    seeds: Sequence[int] = (0, 1),
    ctx: Context | None = None,
) -> SemanticsCheck:
    """Run a pass or a pipeline (as text, or as passes) on `module` in place and hold each pass to what it declares.

    Raises SemanticsError about the first pass that changes more, any SambaError with which a pass refuses the module.
    """
    ctx = ctx or SambaContext()
    check = SemanticsCheck(ctx, seeds)
    run_pipeline(module, [passes] if isinstance(passes, ModulePass) else passes, ctx, instrumentations=(check,))
    return check
