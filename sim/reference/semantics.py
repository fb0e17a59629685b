"""What a module computes, at whatever level its ops are: samba, kernel, rdu, or a mixture of them.

    outputs = evaluate(module, random_inputs(module, seed=0))

The levels have one meaning each (`samba_reference`, `kernel_reference`, `rdu_reference`); here they stand behind one
signature. A `Graph` is what a caller sees of a public function, or of a schedule of an `rdu.program`: named inputs
and outputs, as whole tensors. On several chips inputs are cut into shards on the way in and outputs put together on
the way out. State is functional: it goes in as an input and comes out as an output tied to it.

`compare` says where two runs differ by more than a pass may change (`sambaflow.passes.framework.base.Semantics`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, TensorType
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Attribute, Operation

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu, samba
from sambaflow.dialects.samba.conventions import PARTITIONED, argument_attributes, result_attributes, shard_of
from sambaflow.errors import InputError, WeightError
from sambaflow.passes.framework.base import EXACT, Semantics
from sambaflow.sim.functional.dtypes import TORCH_DTYPES
from sambaflow.sim.reference import kernel_reference, rdu_reference, samba_reference
from sambaflow.sim.reference.interpreter import PerChip
from sambaflow.sim.reference.samba_reference import shard, unshard

Outputs = Mapping[str, Tensor]

# -- graphs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Port:
    """An input or output of a graph: the whole tensor over all chips."""

    name: str
    """The PyTorch name; `arg0`, `result0`, ... where there is none."""
    shape: tuple[int, ...]
    dtype: torch.dtype
    role: str = "input"
    """Of an input: "input", "param", "buffer" or "state"."""
    shard: samba.ShardAttr | None = None
    """How it lies on the chips, in a module whose types are those of one chip."""
    tied: int = -1
    """Of an output: the input that it updates, or -1."""

    @property
    def type_text(self) -> str:
        return f"{str(self.dtype).removeprefix('torch.')}{list(self.shape)}"


@dataclass(frozen=True)
class CallableGraph:
    """What can be called of a module: a public function, or a schedule of a program."""

    name: str
    op: FuncOp | rdu.ScheduleOp
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    chips: int = 1


def graphs_of(module: ModuleOp) -> dict[str, CallableGraph]:
    """The graphs of a module by name, in order."""
    graphs: dict[str, CallableGraph] = {}
    for op in module.ops:
        if isinstance(op, rdu.ProgramOp):
            graphs.update((schedule.sym_name.data, _of_schedule(op, schedule)) for schedule in op.schedules)
        elif isinstance(op, FuncOp) and not op.is_declaration and not _is_private(op):
            graphs[op.sym_name.data] = _of_function(module, op)
    return graphs


def graph_of(module: ModuleOp, name: str | None = None) -> CallableGraph:
    """The named graph, or the only one. InputError when there is none or a choice."""
    graphs = graphs_of(module)
    if name is None and len(graphs) == 1:
        return next(iter(graphs.values()))
    if name is None or name not in graphs:
        what = "the module holds several graphs" if name is None and graphs else f"no graph '{name or ''}'"
        raise error_at(module, what, InputError, limit=f"graphs: {', '.join(graphs) or 'none'}", levers=["name one"])
    return graphs[name]


def _is_private(function: FuncOp) -> bool:
    return function.sym_visibility is not None and function.sym_visibility.data == "private"


def _of_function(module: ModuleOp, function: FuncOp) -> CallableGraph:
    chips = _chips(module, function)
    types = function.function_type
    arguments = zip(argument_attributes(function), types.inputs.data, strict=True)
    results = zip(result_attributes(function), types.outputs.data, strict=True)
    return CallableGraph(
        function.sym_name.data,
        function,
        tuple(_port(f"arg{i}", entry, type_, chips) for i, (entry, type_) in enumerate(arguments)),
        tuple(_port(f"result{i}", entry, type_, chips) for i, (entry, type_) in enumerate(results)),
        chips,
    )


def _port(default: str, facts: Mapping[str, Attribute], type_: Attribute, chips: int) -> Port:
    name, role, tied = (facts.get(f"samba.{key}") for key in ("name", "role", "tied"))
    if not isinstance(type_, TensorType):
        raise InputError(f"'{default}' is {type_}: only graphs on tensors can be run")
    shape = list(type_.get_shape())
    shard = shard_of(facts) if chips > 1 else None
    if shard is not None:
        shape[shard.values[0]] *= chips
    return Port(
        name.data if isinstance(name, StringAttr) else default,
        tuple(shape),
        TORCH_DTYPES[str(type_.element_type)],
        role.data if isinstance(role, StringAttr) else "input",
        shard,
        tied.value.data if isinstance(tied, IntegerAttr) else -1,
    )


def _chips(module: ModuleOp, function: FuncOp) -> int:
    """On how many chips a function runs: all of the target's once types are those of one chip, else one.

    A module without a partition (or a target) that holds collectives runs on as many chips as they join.
    """
    target = module.attributes.get("rdu.target")
    if PARTITIONED in module.attributes and isinstance(target, rdu.TargetAttr):
        return target.chips.data
    joined = [op for op in module.walk() if isinstance(op, kernel.CollectiveOp) or _is_collective(op)]
    return max((_joins(op) for op in joined), default=1)


def _is_collective(op: Operation) -> bool:
    return isinstance(op, samba.SambaOp) and samba.Trait.COLLECTIVE in op.row.traits


def _joins(op: Operation) -> int:
    return op.chips.value.data if isinstance(op, kernel.CollectiveOp) else op.settings()["chips"]  # pyright: ignore


def _of_schedule(program: rdu.ProgramOp, schedule: rdu.ScheduleOp) -> CallableGraph:
    symbols = {symbol.sym_name.data: symbol for symbol in program.symbols}
    graph = schedule.sym_name.data

    def port(default: str, unnamed: str, name: str, tied: int = -1) -> Port:
        symbol = symbols[name]
        shape, (dim, _, chips) = list(symbol.shape), rdu.values(symbol.shard) or (0, 1, 1)
        if chips > 1:
            shape[dim] *= chips
        plain = default if name == unnamed else name
        return Port(plain, tuple(shape), TORCH_DTYPES[symbol.dtype], symbol.role.data, None, tied)

    ties = rdu.values(schedule.tied)
    inputs = [port(f"arg{i}", f"{graph}.{i}", name) for i, name in enumerate(schedule.input_names)]
    outputs = [port(f"result{i}", f"{graph}.out{i}", name, ties[i]) for i, name in enumerate(schedule.output_names)]
    return CallableGraph(graph, schedule, tuple(inputs), tuple(outputs), program.target.chips.data)


# -- evaluation ------------------------------------------------------------------------------------------------------


def evaluate(
    module: ModuleOp, inputs: Mapping[str, Tensor], graph: str | None = None, *, tiled: bool = False
) -> dict[str, Tensor]:
    """Run a graph of `module` (the only one, or the one named) on whole tensors by name; returns its outputs by name.

    Outputs that are tied to an input (state) are among them, under their names. An output whose name is taken gets a
    number behind it. Names that the graph has not are ignored. `tiled`: stages that have a mapping, and PCU groups, run
    tile by tile, which gives the same bits (and takes longer). Raises WeightError for a missing name or a tensor of the
    wrong shape or dtype, InputError for an op of another dialect and for an index that leaves its tensor.
    """
    called = graph_of(module, graph)
    missing = [port.name for port in called.inputs if port.name not in inputs]
    if missing:
        raise WeightError(f"graph '{called.name}' needs a tensor named '{missing[0]}'")
    results = run(module, called, [inputs[port.name] for port in called.inputs], tiled=tiled)
    return dict(zip(output_names(called), results, strict=True))


def output_names(graph: CallableGraph) -> list[str]:
    """The names of a graph's outputs, made unique."""
    names: list[str] = []
    for port in graph.outputs:
        name, number = port.name, 1
        while name in names:
            number += 1
            name = f"{port.name}.{number}"
        names.append(name)
    return names


def run(module: ModuleOp, graph: CallableGraph, inputs: Sequence[Tensor], *, tiled: bool = False) -> list[Tensor]:
    """The same by position."""
    for port, tensor in zip(graph.inputs, inputs, strict=True):
        if tuple(tensor.shape) != port.shape or tensor.dtype != port.dtype:
            tensor_type = Port(port.name, tuple(tensor.shape), tensor.dtype).type_text
            raise WeightError(
                f"'{port.name}' of graph '{graph.name}' is {tensor_type}, the graph takes {port.type_text}"
            )
    if isinstance(graph.op, rdu.ScheduleOp):
        program = graph.op.parent_op()
        assert isinstance(program, rdu.ProgramOp)
        return rdu_reference.run(program, graph.name, inputs, tiled=tiled)
    functions = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
    parts = [shard(tensor, port.shard, graph.chips) for port, tensor in zip(graph.inputs, inputs, strict=True)]
    results = Interpreter(functions, graph.chips, tiled).block(graph.op.body.block, parts)
    return [unshard(part, port.shard).clone() for port, part in zip(graph.outputs, results, strict=True)]


class Interpreter(kernel_reference.Interpreter):
    """Evaluates blocks in which samba operators, stages, sections and calls stand in any mixture."""

    def __init__(self, functions: Mapping[str, FuncOp], chips: int, tiled: bool = False) -> None:
        super().__init__(chips, tiled)
        self.functions = functions

    def op(self, op: Operation, operands: Sequence[PerChip]) -> list[PerChip]:
        match op:
            case samba.SambaOp():
                return samba_reference.evaluate(op, operands, self.chips)
            case samba.ConstantOp():
                return [[samba_reference.dense_tensor(op.value)] * self.chips]
            case samba.ModuleOp():
                return self.block(op.body.block, operands)
            case CallOp():
                return self.block(self._callee(op).body.block, operands)
            case _:
                return super().op(op, operands)

    def _callee(self, op: CallOp) -> FuncOp:
        callee = self.functions.get(op.callee.string_value())
        if callee is None or callee.is_declaration:
            raise error_at(op, f"calls @{op.callee.string_value()}, which has no body here", InputError)
        return callee


# -- comparison ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """Where two runs differ most plainly: the first element of an output, in row-major order, beyond its bound."""

    output: str
    index: tuple[int, ...] = ()
    before: float = 0.0
    after: float = 0.0
    error: float = 0.0
    """|before - after|; infinite when only one of them is a number."""
    bound: float = 0.0
    elements: int = 0
    """How many elements of the output are beyond their bounds."""
    what: str = ""
    """Set when the outputs cannot be compared: another number, shape or dtype."""

    def __str__(self) -> str:
        if self.what:
            return f"output '{self.output}' {self.what}"
        place = f"[{', '.join(map(str, self.index))}]"
        return (
            f"output '{self.output}'{place} is {self.after!r}, was {self.before!r}: error {self.error:.3g}, "
            f"bound {self.bound:.3g} ({self.elements} elements differ)"
        )


def compare(
    before: Outputs,
    after: Outputs,
    semantics: Semantics = EXACT,
    spread: Mapping[str, Tensor] | None = None,
) -> Difference | None:
    """The first difference between two runs that `semantics` does not allow, output by output in order; None: none.

    Exact: the same bits, where any NaN is like any other. Within a bound: each float is off by at most `bound` times
    the largest finite magnitude of its output before, and one rounding of its dtype; integers and bools are equal.
    `spread` (per output of `before` and per element) widens both: what rounding errors alone may do to the element,
    infinity where nothing can be said.
    """
    if len(before) != len(after):
        return Difference(", ".join(after), what=f": there are {len(after)} outputs, there were {len(before)}")
    for (name, old), new in zip(before.items(), after.values(), strict=True):
        if old.shape != new.shape or old.dtype != new.dtype:
            was = Port(name, tuple(old.shape), old.dtype).type_text
            return Difference(name, what=f"is {Port(name, tuple(new.shape), new.dtype).type_text}, was {was}")
        difference = _difference(name, old, new, semantics, None if spread is None else spread[name])
        if difference is not None:
            return difference
    return None


def _difference(
    name: str, before: Tensor, after: Tensor, semantics: Semantics, spread: Tensor | None
) -> Difference | None:
    same = same_bits(before, after)
    if bool(same.all()):
        return None
    bounds = torch.zeros(before.shape, dtype=torch.float64)
    if semantics.bound:
        bounds = bounds + _bound(before, semantics.bound) if before.is_floating_point() else bounds
        bounds = bounds if spread is None else bounds + spread
    errors = error_of(before, after)
    wrong = ~same & ((errors > bounds) if semantics.bound else torch.ones_like(same))
    if not bool(wrong.any()):
        return None
    index = tuple(int(i) for i in wrong.nonzero()[0])
    values = (float(t[index]) for t in (before, after, errors, bounds))
    return Difference(name, index, *values, elements=int(wrong.sum()))


def same_bits(a: Tensor, b: Tensor) -> Tensor:
    """Where two tensors of one dtype have the same bits; any NaN is like any other."""
    if not a.is_floating_point():
        return a == b
    zeros = (a == 0) & (torch.signbit(a) != torch.signbit(b))
    return ((a == b) & ~zeros) | (a.isnan() & b.isnan())


def error_of(a: Tensor, b: Tensor) -> Tensor:
    """|a - b| in f64: 0 where both are the same infinity or both no number, infinite where only one is."""
    x, y = a.double(), b.double()
    error = (x - y).abs()
    same = (x == y) | (x.isnan() & y.isnan())
    return torch.where(same, 0.0, error.nan_to_num(nan=math.inf, posinf=math.inf))


def _bound(value: Tensor, relative: float) -> float:
    """`relative` to the largest finite magnitude, but no less than one rounding to the dtype."""
    largest = value.abs().double()
    largest = largest[largest.isfinite()]
    return max(relative, torch.finfo(value.dtype).eps) * (float(largest.max()) if largest.numel() else 0.0)
