"""Properties of modules that passes need and leave: one table, one check, one error.

A pass names them (`needs = ("target", "sections")`, `leaves = ("tiles",)`). Before it runs, the pass manager checks
what it needs, so that a pass that is run too early is refused with the pass to run first:

    model.mlir:7:10: error: 'kernel.map' op has no mapping: kernel-balance needs that stages of sections have mappings
    note: try: run kernel-tile first

A property may also be one that a later pass ends (`no-kernel`, `no-program`), so that a pass that finds its input past
its level says so:

    lowered.mlir:1:1: error: 'rdu.program' op is lowered already: samba-fuse needs that there is no rdu.program yet
    note: try: leave samba-fuse out

With `--verify-each` it also checks what the pass leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Operation

from sambaflow.diagnostics import error_at
from sambaflow.errors import InputError

if TYPE_CHECKING:
    from sambaflow.dialects import kernel, rdu


MOST_NESTED = 200
"""Functions that call one another, one inside the other: passes follow calls by recursion."""


@dataclass(frozen=True)
class Property:
    """Something that holds for a module or does not."""

    name: str
    summary: str
    lacking: str
    """What is said of the op that lacks it: `has no mapping`."""
    made_by: str
    """The pass that makes it hold; none where it is how a module is written."""
    violations: Callable[[Operation], Iterator[Operation]]
    """The ops, below and including a root, that lack it, in order."""
    ends: bool = False
    """Whether lowering ends it: a module that lacks it is past the passes that need it."""


def require(root: Operation, names: tuple[str, ...], pass_name: str) -> None:
    """Check what the pass needs; InputError about the first op that lacks it, with the pass to run first."""
    for module_property in map(PROPERTIES.__getitem__, names):
        for op in module_property.violations(root):
            levers = [f"run {module_property.made_by} first"] if module_property.made_by else []
            levers += [f"leave {pass_name} out"] if module_property.ends else []
            raise error_at(
                op,
                f"{module_property.lacking}: {pass_name} needs that {module_property.summary}",
                InputError,
                levers=levers,
            )


def ensure(root: Operation, names: tuple[str, ...], pass_name: str) -> None:
    """Check what the pass said that it leaves; AssertionError about the first op that lacks it: the pass is wrong."""
    for module_property in map(PROPERTIES.__getitem__, names):
        for op in module_property.violations(root):
            raise AssertionError(
                f"{pass_name} does not leave '{module_property.name}': '{op.name}' op {module_property.lacking}"
            )


def _sections(root: Operation) -> Iterator[kernel.SectionOp]:
    from sambaflow.dialects import kernel

    for function in _functions(root):
        for op in _top_ops(function):
            if isinstance(op, kernel.SectionOp):
                yield op


def _functions(root: Operation) -> Iterator[FuncOp]:
    if isinstance(root, FuncOp):
        yield root
    for region in root.regions:
        for block in region.blocks:
            yield from (op for op in block.ops if isinstance(op, FuncOp) and not op.is_declaration)


def _top_ops(function: FuncOp) -> Iterator[Operation]:
    return (op for block in function.body.blocks for op in block.ops)


def _programs(root: Operation) -> Iterator[rdu.ProgramOp]:
    from sambaflow.dialects import rdu

    for op in (root, *(op for region in root.regions for block in region.blocks for op in block.ops)):
        if isinstance(op, rdu.ProgramOp):
            yield op


def _without_target(root: Operation) -> Iterator[Operation]:
    from sambaflow.dialects.rdu import TargetAttr

    if not isinstance(root.attributes.get("rdu.target"), TargetAttr):
        yield root


def _calls(root: Operation) -> dict[str, list[CallOp]]:
    """The calls in each function that has a body."""
    return {
        function.sym_name.data: [op for op in function.walk() if isinstance(op, CallOp)]
        for function in _functions(root)
    }


def _external_calls(root: Operation) -> Iterator[CallOp]:
    calls = _calls(root)
    return (call for inner in calls.values() for call in inner if call.callee.string_value() not in calls)


def _recursive_calls(root: Operation) -> Iterator[CallOp]:
    calls = _calls(root)
    heights = _heights(calls)
    return (
        call
        for name, inner in calls.items()
        if name not in heights
        for call in inner
        if _callee(call) in calls and _callee(call) not in heights
    )


def _deep_calls(root: Operation) -> Iterator[CallOp]:
    calls = _calls(root)
    heights = _heights(calls)
    return (call for inner in calls.values() for call in inner if heights.get(_callee(call), 0) > MOST_NESTED)


def _heights(calls: Mapping[str, list[CallOp]]) -> dict[str, int]:
    """How many functions stand one inside the other in each that is no part of a recursion nor leads to one.

    Functions that call only functions that are taken out are taken out, until there are none.
    """
    callees = {name: [_callee(call) for call in inner if _callee(call) in calls] for name, inner in calls.items()}
    callers: dict[str, list[str]] = {name: [] for name in calls}
    for name, inner in callees.items():
        for callee in inner:
            callers[callee].append(name)
    waiting = {name: len(inner) for name, inner in callees.items()}
    ready = [name for name, count in waiting.items() if not count]
    heights: dict[str, int] = {}
    while ready:
        name = ready.pop()
        heights[name] = 1 + max((heights[callee] for callee in callees[name]), default=0)
        for caller in callers[name]:
            waiting[caller] -= 1
            if not waiting[caller]:
                ready.append(caller)
    return heights


def _callee(call: CallOp) -> str:
    return call.callee.string_value()


def _samba(root: Operation) -> Iterator[Operation]:
    return (op for op in root.walk() if op.name.startswith("samba."))


def _kernel(root: Operation) -> Iterator[Operation]:
    return (op for op in root.walk() if op.name.startswith("kernel."))


def _converted(root: Operation) -> Iterator[Operation]:
    """Where no samba op is left, the kernel ops; a module of neither is a graph that computes nothing."""
    return _kernel(root) if next(_samba(root), None) is None else iter(())


def _no_functions(root: Operation) -> Iterator[Operation]:
    """What stands beside functions in a module."""
    from xdsl.dialects.builtin import ModuleOp

    if isinstance(root, ModuleOp):
        yield from (op for op in root.ops if not isinstance(op, FuncOp))


def _without_graph(root: Operation) -> Iterator[Operation]:
    if all(
        function.sym_visibility is not None and function.sym_visibility.data != "public"
        for function in _functions(root)
    ):
        yield root


def _finalized(root: Operation) -> Iterator[Operation]:
    return (section for program in _programs(root) for section in program.sections if section.config_bytes is not None)


def _outside_sections(root: Operation) -> Iterator[Operation]:
    from sambaflow.dialects import kernel

    for function in _functions(root):
        for op in _top_ops(function):
            if isinstance(op, kernel.Stage | kernel.GroupOp):
                yield op


def _untiled(root: Operation) -> Iterator[Operation]:
    """Moves and collectives take no PCU: those that are access patterns or go over links have no mapping."""
    from sambaflow.dialects import kernel

    for section in _sections(root):
        for op in section.body.block.ops:
            if (
                isinstance(op, kernel.Stage)
                and op.mapping is None
                and op.name not in ("kernel.move", "kernel.collective")
            ):
                yield op


def _unbalanced(root: Operation) -> Iterator[Operation]:
    from sambaflow.dialects import kernel

    for section in _sections(root):
        for op in section.body.block.ops:
            if isinstance(op, kernel.Stage) and op.tiling is not None and not op.tiling.is_balanced:
                yield op


def _without_transfers(root: Operation) -> Iterator[Operation]:
    from sambaflow.dialects import kernel

    for section in _sections(root):
        for value in section.terminator.operands:
            if not isinstance(value.owner, kernel.StoreOp):
                yield value.owner if isinstance(value.owner, kernel.Stage) else section


def _unbuffered(root: Operation) -> Iterator[Operation]:
    """What a stage accesses where it stands off the chip, or does not read, has no buffer."""
    from sambaflow.dialects import kernel
    from sambaflow.dialects.kernel.analysis import in_place_inputs, unread_inputs

    for section in _sections(root):
        for op in section.body.block.ops:
            if isinstance(op, kernel.Stage) and not isinstance(op, kernel.MoveOp):
                loads = {i for i, operand in enumerate(op.operands) if isinstance(operand.owner, kernel.LoadOp)}
                if loads - in_place_inputs(op) - unread_inputs(op):
                    yield op


def _unsized(root: Operation) -> Iterator[Operation]:
    from sambaflow.dialects import kernel

    for section in _sections(root):
        yield from (op for op in section.body.block.ops if isinstance(op, kernel.StoreOp) and op.depth is None)


def _without_program(root: Operation) -> Iterator[Operation]:
    if next(_programs(root), None) is None:
        yield root


def _symbols_without_address(root: Operation) -> Iterator[Operation]:
    return (symbol for program in _programs(root) for symbol in program.symbols if symbol.address is None)


def _unplaced(root: Operation) -> Iterator[Operation]:
    for program in _programs(root):
        for section in program.sections:
            if any(unit.coordinates is None for unit in section.units):
                yield section


def _unrouted(root: Operation) -> Iterator[Operation]:
    return (section for program in _programs(root) for section in program.sections if section.net_sources is None)


def _without_orchestration(root: Operation) -> Iterator[Operation]:
    return (schedule for program in _programs(root) for schedule in program.schedules if schedule.orchestration is None)


def _without_configuration(root: Operation) -> Iterator[Operation]:
    return (section for program in _programs(root) for section in program.sections if section.config_bytes is None)


_ROWS = (
    Property("target", "the module names its machine", "has no rdu.target attribute", "set-target", _without_target),
    Property(
        "callees", "calls lead to functions with a body", "calls a function that has no body here", "", _external_calls
    ),
    Property("no-recursion", "no function leads back to itself", "is part of a recursion", "", _recursive_calls),
    Property(
        "nested-calls",
        f"calls are nested {MOST_NESTED} deep at most",
        "calls a function that nests calls deeper",
        "",
        _deep_calls,
    ),
    Property("no-program", "there is no rdu.program yet", "is lowered already", "", _programs, ends=True),
    Property(
        "no-kernel", "no op is lowered to the kernel level yet", "is past the samba level", "", _kernel, ends=True
    ),
    Property("unconverted", "samba ops are left", "is past the samba level", "", _converted, ends=True),
    Property("functions", "a module holds functions only", "is no function", "", _no_functions),
    Property("graphs", "a function is public, which makes it a graph", "holds no public function", "", _without_graph),
    Property("unfinalized", "no section is finalized yet", "has a configuration size", "", _finalized, ends=True),
    Property("no-samba", "no samba op is left", "is a samba op", "convert-samba-to-kernel", _samba),
    Property(
        "sections", "stages stand in sections", "stands outside of sections", "kernel-cut-sections", _outside_sections
    ),
    Property("tiles", "stages of sections have mappings", "has no mapping", "kernel-tile", _untiled),
    Property("balance", "stages have par factors", "has no par factors", "kernel-balance", _unbalanced),
    Property(
        "transfers",
        "what a section yields is stored, what it reads is loaded",
        "gives a result of its section without a kernel.store",
        "kernel-insert-transfers",
        _without_transfers,
    ),
    Property(
        "buffers",
        "no stage reads a load but through a buffer",
        "reads a kernel.load without a buffer between",
        "kernel-insert-buffers",
        _unbuffered,
    ),
    Property("fifos", "stores have a depth", "has no depth", "kernel-size-fifos", _unsized),
    Property("program", "there is an rdu.program", "holds no rdu.program", "convert-kernel-to-rdu", _without_program),
    Property("addresses", "every symbol has its place", "has no address", "rdu-plan-memory", _symbols_without_address),
    Property("placement", "every unit has coordinates", "has units without coordinates", "rdu-place", _unplaced),
    Property("routes", "every section has its nets", "has no nets", "rdu-route", _unrouted),
    Property(
        "orchestration", "somebody starts the sections", "has no orchestration", "rdu-schedule", _without_orchestration
    ),
    Property(
        "configuration", "config sizes are known", "has no configuration size", "rdu-finalize", _without_configuration
    ),
)

PROPERTIES: Mapping[str, Property] = {row.name: row for row in _ROWS}

CALLS = ("callees", "no-recursion", "nested-calls")
"""What passes that follow values through calls need of how a module is written."""

SAMBA = ("no-program", "no-kernel")
"""What passes at the samba level need."""

KERNEL = ("no-program", "no-samba")
"""What passes at the kernel level need."""
