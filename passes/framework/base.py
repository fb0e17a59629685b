"""What every pass stands on: the pass class, its remarks and its counters.

A pass is a frozen dataclass whose fields are its options:

    @dataclass(frozen=True)
    class KernelBalancePass(SambaPass):
        '''Gives every stage its par factors. ...'''

        name = "kernel-balance"
        limit: int = 64

        def apply(self, ctx: Context, op: ModuleOp) -> None:
            for section in sections_of(op):
                self.applied(ctx, section, "balanced", interval=420)

`samba-opt --pass-pipeline='kernel-balance{limit=32}'` runs it. What a pass did, could not do or found out goes into the
journal of the context as remarks (people read them with `--remarks`, tools as JSON) and counters.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.diagnostics import error_at, location_of, symbols_around
from sambaflow.passes.framework.analyses import Kind
from sambaflow.passes.framework.context import journal_of
from sambaflow.passes.framework.decision_kinds import kind_on
from sambaflow.passes.framework.decisions import next_best_of, origin_of, plain
from sambaflow.passes.framework.properties import require
from sambaflow.remarks import Fact, Remark, RemarkKind

if TYPE_CHECKING:
    from sambaflow.dialects.rdu import TargetAttr

OpT = TypeVar("OpT", bound=Operation)

DEFAULT_MACHINE = "sn40l"


@dataclass(frozen=True)
class Semantics:
    """What a pass may do to the numbers that a module computes: nothing, unless it says so.

    `bound`: the largest error of an output, relative to the output's largest magnitude; 0: every bit stays.
    `reason`: what changes the bits. `samba-opt --check-semantics` holds each pass to it.
    """

    bound: float = 0.0
    reason: str = ""

    @property
    def exact(self) -> bool:
        return self.bound == 0

    def __str__(self) -> str:
        return "exact" if self.exact else f"within {self.bound:g} of the largest magnitude: {self.reason}"


EXACT = Semantics()


@dataclass(frozen=True)
class SambaPass(ModulePass):
    """The base of all passes: options are fields, remarks and counters are one call each.

    What is true of the class stands in class variables, which the pass manager, `--help-pass` and the docs read:
    `needs` and `leaves` name properties of modules (`passes/framework/properties.py`): the first are checked before the
    pass runs, the second after it with `--verify-each`; `counters` are its statistics, name and summary; `semantics`
    what it may do to the numbers; `preserves` the analyses that stay valid (`passes/framework/analyses.py`).
    """

    name: ClassVar[str]
    anchor: ClassVar[str] = "builtin.module"
    """The op that one run of the pass works on."""
    needs: ClassVar[tuple[str, ...]] = ()
    leaves: ClassVar[tuple[str, ...]] = ()
    counters: ClassVar[Mapping[str, str]] = {}
    semantics: ClassVar[Semantics] = EXACT
    preserves: ClassVar[tuple[Kind, ...]] = ()

    @abstractmethod
    def apply(self, ctx: Context, op: ModuleOp) -> None: ...

    def applied(self, ctx: Context, op: Operation, message: str, **facts: Fact) -> None:
        """Remark what was done to `op`."""
        self._remark(ctx, "applied", op, message, facts)

    def missed(self, ctx: Context, op: Operation, message: str, **facts: Fact) -> None:
        """Remark what was not done to `op`, and why."""
        self._remark(ctx, "missed", op, message, facts)

    def found(self, ctx: Context, op: Operation, message: str, **facts: Fact) -> None:
        """Remark what an analysis of `op` showed."""
        self._remark(ctx, "analysis", op, message, facts)

    def decided(self, ctx: Context, op: Operation, kind: str) -> None:
        """Remark the decision of that kind that stands on `op`: who made it, and what was next best."""
        value = kind_on(op, kind).read(op)
        if value is None:
            return
        facts: dict[str, Fact] = {"decided_by": origin_of(op, kind) or "the input"}
        if (best := next_best_of(op, kind)) is not None:
            facts |= {"next_best": str(plain(best.value)), "picoseconds": best.picoseconds}
        self._remark(ctx, "applied", op, f"{kind} is {plain(value)}", facts)

    def count(self, ctx: Context, counter: str, amount: int = 1) -> None:
        """Add to one of the pass's `counters` (`--statistics`)."""
        assert counter in self.counters, f"{type(self).__name__} declares no counter '{counter}'"
        journal_of(ctx).count(self.name, counter, amount)

    def _remark(self, ctx: Context, kind: RemarkKind, op: Operation, message: str, facts: dict[str, Fact]) -> None:
        journal_of(ctx).add(Remark(kind, self.name, message, op.name, location_of(op), facts, symbols_around(op)))


@dataclass(frozen=True)
class OperationPass(SambaPass, Generic[OpT]):
    """A pass that looks at one op of a kind at a time, its `anchor`: in a pipeline it may stand inside that op's nest.

        class RduPlacePass(OperationPass[rdu.ProgramOp]):
            name = "rdu-place"
            anchor = "rdu.program"

            def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None: ...

    `builtin.module(rdu.program(rdu-place))` and `rdu-place` run it on every program of the module.
    """

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for anchored_op in anchored(op, self.anchor):
            self.apply_to(ctx, cast(OpT, anchored_op))

    @abstractmethod
    def apply_to(self, ctx: Context, op: OpT) -> None:
        """Run the pass on one op; it may change that op and what is in it, nothing else."""


@dataclass(frozen=True)
class FunctionPass(OperationPass[FuncOp]):
    """A pass that looks at one function at a time; functions without a body are left out."""

    anchor: ClassVar[str] = "func.func"


def anchored(root: Operation, anchor: str) -> list[Operation]:
    """The ops named `anchor` directly in `root`, in order; functions without a body are left out."""
    ops = [op for region in root.regions for block in region.blocks for op in block.ops if op.name == anchor]
    return [op for op in ops if not (isinstance(op, FuncOp) and op.is_declaration)]


def functions_of(module: ModuleOp) -> list[FuncOp]:
    """The functions of `module` that have a body, in order.

    Raises InputError about one whose body is not a block that ends with func.return: graphs have no branches.
    """
    functions = [op for op in module.ops if isinstance(op, FuncOp) and not op.is_declaration]
    for function in functions:
        blocks = function.body.blocks
        if len(blocks) != 1 or not isinstance(blocks[0].last_op, ReturnOp):
            raise error_at(function, "has branches, which no pass takes: a graph is one block up to func.return")
    return functions


def target_of(module: ModuleOp) -> TargetAttr:
    """The target that `set-target` (or the frontend) put on `module`.

    Raises InputError when there is none: passes after `set-target` never guess the machine.
    """
    require(module, ("target",), "the pass")
    return cast("TargetAttr", module.attributes["rdu.target"])
