"""kernel-cut-sections: cut every function into sections that fit the chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from xdsl.context import Context
from xdsl.dialects.builtin import LocationAttr, ModuleOp, StringAttr, UnknownLoc
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.origin import operators_of
from sambaflow.passes.framework.base import SambaPass, functions_of
from sambaflow.passes.framework.decisions import mark
from sambaflow.passes.framework.properties import KERNEL
from sambaflow.passes.framework.solvers import solve
from sambaflow.passes.planning import cutting
from sambaflow.passes.planning.analysis import Analysis
from sambaflow.passes.planning.cutting import CuttingProblem
from sambaflow.passes.planning.planner import Planner
from sambaflow.passes.planning.result_copies import ResultCopies
from sambaflow.passes.planning.sections import does_not_fit, resources_of


@dataclass(eq=False)
class Part:
    """Ops that stay together: those of one samba operator, or of one group. `rule`: the group's."""

    ops: list[Operation]
    rule: str = ""


@dataclass(frozen=True)
class KernelCutSectionsPass(SambaPass):
    """Puts the stages of every function into `kernel.section`s.

        %0 = kernel.contract ins(%x, %w) ...           %1 = kernel.section @forward_0 (%a = %x, %b = %w) -> (..) {
        %1 = kernel.map ins(%0) ...               ->     %0 = kernel.contract ins(%a, %b) ...
        func.return %1                                   %1 = kernel.map ins(%0) ...
                                                         kernel.yield %1 }
                                                       func.return %1

    `mode` o0: the stages of each operator are a section (a softmax stays together); o1: each `kernel.group` is one,
    and the rest is cut as in o0; o3: neighbouring sections of o1 are joined wherever that shortens the modelled time,
    by a dynamic program over all intervals. A section that does not fit is cut further, at its stages. So a higher
    mode never has more launches nor more off-chip traffic. Moves go with their readers, where they become access
    patterns. Calls are cut points, and so are sections that stand already, which stay as they are. Results that would
    have no memory of their own are copied (state that is returned as it was before its update, an argument that is
    returned).

    Needs `rdu.target` on the module. Leaves no stage and no group outside of sections. Raises CapacityError for a
    stage that does not fit the machine on its own.
    """

    name = "kernel-cut-sections"
    needs = ("target", *KERNEL)
    leaves = ("sections",)

    mode: Literal["o0", "o1", "o3"] = "o3"
    """How sections are cut: by operator, by group, or where the modelled time is shortest."""
    solver: str | None = None
    """Who joins what may be joined: `shortest` (the default: least modelled time), `greedy` (as much as fits), or the
    name of a package's solver."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        planner = Planner(resources_of(op))
        functions = {function.sym_name.data: function for function in functions_of(op)}
        for function in functions.values():
            _Cutter(self, ctx, function, planner).run()
        for function in functions.values():
            for copy in ResultCopies(function, functions).insert():
                self.applied(ctx, copy, "copy of a result that has no memory of its own")


class _Cutter:
    """Cuts one function."""

    def __init__(self, owner: KernelCutSectionsPass, ctx: Context, function: FuncOp, planner: Planner) -> None:
        self.owner, self.ctx, self.function, self.planner = owner, ctx, function, planner
        self.block: Block = function.body.block
        self.count = 0
        self.taken = {op.label for op in self.block.ops if isinstance(op, kernel.SectionOp)}

    def run(self) -> None:
        runs = self._runs()
        self.analysis = Analysis((op for run, _ in runs for part in run for op in part.ops), self.planner.machine)
        self.analysis.check()
        self.index: dict[Operation, int] = {op: i for i, op in enumerate(self.analysis.ops)}
        for run, end in runs:
            for section in self._cut(run):
                self._emit(section, end)

    # -- parts -------------------------------------------------------------------------------------------------------

    def _runs(self) -> list[tuple[list[Part], Operation]]:
        """Runs of parts, each with the call, section or return that ends it; groups are inlined, moves go to their
        readers."""
        runs: list[tuple[list[Part], Operation]] = []
        parts: list[Part] = []
        for op in list(self.block.ops):
            if isinstance(op, kernel.GroupOp):
                label = op.label
                inner = self._inline(op)
                parts.extend([Part(inner, label)] if self.owner.mode != "o0" else [Part([stage]) for stage in inner])
            elif isinstance(op, kernel.Stage):
                parts.append(Part([op]))
            elif isinstance(op, CallOp | ReturnOp | kernel.SectionOp) and parts:
                runs.append((self._attach_moves(_merge_operators(parts)), op))
                parts = []
        return runs

    def _inline(self, group: kernel.GroupOp) -> list[Operation]:
        """Put the group's ops in its place; their order is that of the group."""
        inner = group.body.block
        terminator = group.terminator
        for argument, value in zip(inner.args, group.operands, strict=True):
            argument.replace_all_uses_with(value)
        ops = [op for op in inner.ops if op is not terminator]
        yielded = list(terminator.operands)
        for op in ops:
            op.detach()
            self.block.insert_op_before(op, group)
        for result, value in zip(group.results, yielded, strict=True):
            result.replace_all_uses_with(value)
        terminator.detach()
        terminator.erase()
        group.detach()
        group.erase()
        return [op for op in ops if isinstance(op, kernel.Stage)]

    def _attach_moves(self, parts: list[Part]) -> list[Part]:
        """Give each reader its own copy of a lone layout change; one that only leaves goes with its maker."""
        for position in range(len(parts) - 1, -1, -1):
            part = parts[position]
            if part.rule or not all(isinstance(op, kernel.MoveOp) for op in part.ops):
                continue
            if self._sink(part, parts[position + 1 :]):
                continue
            makers = [p for p in parts[:position] if any(v.owner in p.ops for op in part.ops for v in op.operands)]
            if makers:
                makers[-1].ops.extend(part.ops)
                part.ops = []
        return [part for part in parts if part.ops]

    def _sink(self, part: Part, later: Sequence[Part]) -> bool:
        """Move the part's ops into the parts that read them, if only stages of this run do."""
        homes = {op: other for other in later for op in other.ops}
        readers: list[Part] = []
        for op in part.ops:
            for use in op.results[0].uses:
                if use.operation in part.ops:
                    continue
                if use.operation not in homes:
                    return False
                readers.append(homes[use.operation])
        readers = list(dict.fromkeys(readers))
        readers.sort(key=later.index)
        if not readers:
            return False
        for reader in readers[1:]:
            self._copy(part, reader)
        readers[0].ops = part.ops + readers[0].ops
        part.ops = []
        return True

    def _copy(self, part: Part, reader: Part) -> None:
        """Clone the part's ops in front of `reader` and make it read the clones."""
        values: dict[SSAValue, SSAValue] = {}
        copies: list[Operation] = []
        for op in part.ops:
            copy = op.clone(values)
            copy.location = op.location
            self.block.insert_op_before(copy, part.ops[-1])
            copies.append(copy)
        for op in reader.ops:
            for i, value in enumerate(op.operands):
                if value in values:
                    op.operands[i] = values[value]
        reader.ops = copies + reader.ops

    # -- cuts --------------------------------------------------------------------------------------------------------

    def _cut(self, run: Sequence[Part]) -> list[Part]:
        """The sections of a run of parts."""
        ops = [op for part in run for op in part.ops]
        problem = self._problem(run, ops)
        self._require_stages_that_fit(problem, ops)
        cut = solve(problem, self.owner.solver)
        for part in problem.parts:
            self._remark_split(problem, part, cut, ops)
        return [Part([ops[number] for number in section.stages], section.rule) for section in cut]

    def _problem(self, run: Sequence[Part], ops: Sequence[Operation]) -> CuttingProblem:
        """How to cut the run; its stages are `ops`, numbered from 0."""
        numbers = {op: number for number, op in enumerate(ops)}
        parts = tuple(
            cutting.Part(tuple(tuple(numbers[op] for op in piece) for piece in _with_moves(part.ops)), part.rule)
            for part in run
        )
        stages = tuple(self.analysis.stages[self.index[op]] for op in ops)
        live_out = frozenset(
            self.analysis.number(result)
            for op in ops
            for result in op.results
            if any(use.operation not in numbers for use in result.uses)
        )
        return CuttingProblem(parts, stages, live_out, self.planner, joined=self.owner.mode == "o3")

    def _require_stages_that_fit(self, problem: CuttingProblem, ops: Sequence[Operation]) -> None:
        for part in problem.parts:
            for atom in [] if problem.fits(part.stages) else problem.atoms(part):
                if not problem.fits(atom):
                    raise does_not_fit(cast(kernel.Stage, ops[atom[0]]), problem.plan(atom))

    def _remark_split(
        self, problem: CuttingProblem, part: cutting.Part, cut: cutting.Cut, ops: Sequence[Operation]
    ) -> None:
        if problem.fits(part.stages):
            return
        held = set(part.stages)
        self.owner.missed(
            self.ctx, ops[part.stages[0]], "an operator or module does not fit one section",
            pieces=sum(not held.isdisjoint(section.stages) for section in cut),
            short=", ".join(map(str, problem.plan(part.stages).shortfalls)),
        )  # fmt: skip

    # -- sections ----------------------------------------------------------------------------------------------------

    def _name(self) -> str:
        """The next name of a section of this function that no section has."""
        while (name := f"{self.function.sym_name.data}_{self.count}") in self.taken:
            self.count += 1
        self.count += 1
        return name

    def _emit(self, part: Part, end: Operation) -> None:
        """Put the part's ops into a section before `end`, which ends their run."""
        inside = dict.fromkeys(part.ops)
        inputs = list(dict.fromkeys(v for op in part.ops for v in op.operands if v.owner not in inside))
        outputs = [
            result
            for op in part.ops
            for result in op.results
            if any(use.operation not in inside for use in result.uses)
        ]
        name = self._name()
        section = kernel.SectionOp.make(name, inputs, [v.type for v in outputs], location=_location(part.ops))
        if part.rule:
            section.attributes["module"] = StringAttr(part.rule)
        mark(section, "sym_name", "search")
        self.block.insert_op_before(section, end)
        inner = section.body.block
        for value, argument in zip(inputs, inner.args, strict=True):
            value.replace_uses_with_if(argument, lambda use: use.operation in inside)
        for value, result in zip(outputs, section.results, strict=True):
            value.replace_uses_with_if(result, lambda use: use.operation not in inside)
        for op in part.ops:
            op.detach()
            inner.add_op(op)
        inner.add_op(kernel.YieldOp(*outputs))
        self.owner.applied(self.ctx, section, "cut", stages=len(part.ops), inputs=len(inputs), results=len(outputs))


def _merge_operators(parts: Sequence[Part]) -> list[Part]:
    """Join neighbouring stages that came from one operator."""
    merged: list[Part] = []
    for part in parts:
        if merged and not part.rule and not merged[-1].rule and _same_operator(merged[-1].ops[-1], part.ops[0]):
            merged[-1].ops.extend(part.ops)
        else:
            merged.append(Part(list(part.ops), part.rule))
    return merged


def _same_operator(a: Operation, b: Operation) -> bool:
    """Whether two stages came from one operator of several stages; a fused stage came from several operators."""
    return any(number in operators_of(b) for number in operators_of(a))


def _with_moves(ops: Sequence[Operation]) -> list[list[Operation]]:
    """Single stages, each with the moves in front of it; moves at the end go with the last one."""
    pieces: list[list[Operation]] = []
    moves: list[Operation] = []
    for op in ops:
        moves.append(op)
        if not isinstance(op, kernel.MoveOp):
            pieces.append(moves)
            moves = []
    if pieces:
        pieces[-1].extend(moves)
        return pieces
    return [moves]


def _location(ops: Sequence[Operation]) -> LocationAttr:
    return next((op.location for op in ops if not isinstance(op.location, UnknownLoc)), ops[0].location)
