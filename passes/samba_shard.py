"""samba-shard: choose how parameters, state and inputs lie on the chips, so that layers run tensor-parallel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, ModuleOp, StringAttr, TensorType
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from sambaflow.decisions import Origin
from sambaflow.diagnostics import error_at, location_of
from sambaflow.dialects import samba
from sambaflow.dialects.samba import shaped_of
from sambaflow.dialects.samba.conventions import PARTITIONED, argument_attributes, attribute_array, result_attributes
from sambaflow.errors import InputError
from sambaflow.passes.framework.base import SambaPass, functions_of, target_of
from sambaflow.passes.framework.decision_kinds import kind_on, shard_kind
from sambaflow.passes.framework.decisions import is_fixed, origin_of, write_origins
from sambaflow.passes.framework.properties import CALLS, SAMBA
from sambaflow.passes.framework.solvers import solve
from sambaflow.passes.parallel.factors import OperatorFacts, Shape, Shard, asks, facts_of, fits
from sambaflow.passes.parallel.sharding import ArgumentFacts, FunctionFacts, ShardingProblem, Step, said


@dataclass(frozen=True)
class SambaShardPass(SambaPass):
    """Give arguments `samba.shard`: linears split by output features, those fed by split values by input features.

    Shardings spread from what is fixed (inputs whole on every chip, arguments on which the user wrote `samba.shard`)
    forward through the rules of `passes/parallel/factors.py`; a parameter or state that a split value reaches first is
    split to match, and a weight of a linear with a whole input starts a split. A transformer block comes out with
    column-parallel projections, attention and KV cache by head, and row-parallel output projections, so with one
    all-reduce for attention and one for the MLP. A fused projection is split in each of its parts (`outer`). What
    does not divide stays whole on every chip, with a remark. Calls of one function agree: an argument that cannot lie
    alike at all calls is whole.

    A `samba.shard` that the user wrote stands, or is refused where it cannot be carried out; `#samba.shard<0, 1, 1>`,
    over one chip, keeps an argument whole. What the pass chose says so on the function (`decided_by = "search"`, or
    `{shard_0 = "search"}` for argument 0 alone) and is chosen anew when the pass runs again.

    Needs `rdu.target`; changes only argument attributes (types stay those of the whole model until samba-partition).

        func.func @mlp(%up: tensor<8x4xf32> {samba.role = "param", samba.name = "up"},
                       %down: tensor<4x8xf32> {samba.role = "param", samba.name = "down"}, %x: tensor<1x4xf32>) ... {
          %0 = samba.linear %x, %up : (tensor<1x4xf32>, tensor<8x4xf32>) -> tensor<1x8xf32>
          %1 = samba.relu %0 : tensor<1x8xf32>
          %2 = samba.linear %1, %down : (tensor<1x8xf32>, tensor<4x8xf32>) -> tensor<1x4xf32>
        // on 2 chips becomes
        func.func @mlp(%up: tensor<8x4xf32> {..., samba.shard = #samba.shard<0, 1, 2>},
                       %down: tensor<4x8xf32> {..., samba.shard = #samba.shard<1, 1, 2>}, %x: tensor<1x4xf32>) ...
                       attributes {decided_by = "search"}
    """

    name: ClassVar[str] = "samba-shard"
    needs = ("target", *SAMBA, *CALLS)

    solver: str | None = None
    """Who chooses: `greedy` (the default: splits spread front to back), `whole` (nothing is split that nobody has
    split), or the name of a package's solver."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        chips = target_of(op).chips.data
        if PARTITIONED in op.attributes:
            return  # every chip's part is cut out already
        fixed = _Fixed(chips)
        if chips == 1:
            for function in functions_of(op):
                _drop_searched(function, fixed)
            return
        known: dict[object, OperatorFacts] = {}
        read = {function.sym_name.data: _Read(function, known) for function in functions_of(op)}
        called = {step.callee for function in read.values() for step in function.steps}
        facts = {name: function.facts(fixed, name in called) for name, function in read.items()}
        layouts = solve(ShardingProblem(facts, chips), self.solver)
        for name, function in read.items():
            _write(function.op, layouts.values[name][: len(facts[name].arguments)], chips)
        for note in layouts.notes:
            place = read[note.function].ops[note.step]
            if note.facts:
                self.applied(ctx, place, note.message, **note.facts)
            else:
                self.missed(ctx, place, note.message)


class _Read:
    """A function as steps over numbered values; `ops` are the steps' ops. What stands in modules stands in it.

    `known`: facts of operators that were read before; equal operators, as those of equal layers, share theirs.
    """

    def __init__(self, function: FuncOp, known: dict[object, OperatorFacts]) -> None:
        self.op, self.known = function, known
        self.steps: list[Step] = []
        self.ops: list[Operation] = []
        block = function.body.block
        self.values: list[SSAValue] = list(block.args)
        self.shapes: list[Shape] = [_shape(value) for value in block.args]
        self.numbers: dict[SSAValue, int] = {value: number for number, value in enumerate(block.args)}
        self.returned = self._block(block)

    def _block(self, block: Block) -> tuple[int, ...]:
        """Read a block; the values that its terminator takes."""
        for op in block.ops:
            operands = tuple(self.numbers[value] for value in op.operands)
            if isinstance(op, ReturnOp | samba.YieldOp):
                return operands
            if isinstance(op, samba.ModuleOp):
                self.numbers.update(zip(op.body.block.args, operands, strict=True))
                self.numbers.update(zip(op.results, self._block(op.body.block), strict=True))
                continue
            results = tuple(range(len(self.values), len(self.values) + len(op.results)))
            self.values.extend(op.results)
            self.shapes.extend(_shape(value) for value in op.results)
            self.numbers.update(zip(op.results, results, strict=True))
            operator = self._operator(op, operands, results) if isinstance(op, samba.SambaOp) else None
            if isinstance(op, CallOp):
                step = Step(operands, results, None, op.callee.string_value(), location_of(op))
            else:
                step = Step(operands, results, operator)
            self.steps.append(step)
            self.ops.append(op)
        return ()

    def _operator(self, op: samba.SambaOp, operands: Sequence[int], results: Sequence[int]) -> OperatorFacts:
        shapes = tuple(self.shapes[value] for value in (*operands, *results))
        key = op.row.name, shapes, len(operands), tuple(op.properties.items()) if asks(op.row) else ()
        if key not in self.known:
            self.known[key] = facts_of(op)
        return self.known[key]

    def facts(self, fixed: _Fixed, is_called: bool) -> FunctionFacts:
        """What sharding knows of the function; `fixed` collects how users want the tensors of graphs to lie."""
        entries = argument_attributes(self.op)
        arguments = [
            fixed.of_callee(self.op, number) if is_called else fixed.of_graph(self.op, number, entry)
            for number, entry in enumerate(entries)
        ]
        steps = {op: number for number, op in enumerate(self.ops)}
        results = enumerate(self.values[len(entries) :], len(entries))
        users = {number: tuple((steps[user], index) for user, index in _uses(value)) for number, value in results}
        ties: list[int | None] = []
        if not is_called:
            tied = [entry.get("samba.tied") for entry in result_attributes(self.op)]
            ties = [argument.value.data if isinstance(argument, IntegerAttr) else None for argument in tied]
        return FunctionFacts(
            self.op.sym_name.data, tuple(arguments), tuple(self.steps), self.returned, users, tuple(ties),
            location_of(self.op),
        )  # fmt: skip


class _Fixed:
    """What the functions' arguments are, and how users want them to lie: those of one name and type are one tensor."""

    def __init__(self, chips: int) -> None:
        self.chips = chips
        self.symbols: dict[str, tuple[Shard | None, FuncOp]] = {}
        self.types: dict[Attribute, str] = {}

    def of_callee(self, function: FuncOp, number: int) -> ArgumentFacts:
        """An argument of a function that others call. Raises InputError for a layout that it cannot have."""
        fixed, shard = self.layout(function, number)
        return ArgumentFacts(_shape(function.body.block.args[number]), is_fixed=fixed, fixed=shard)

    def of_graph(self, function: FuncOp, number: int, entry: Mapping[str, Attribute]) -> ArgumentFacts:
        """An argument of a graph. Raises InputError for a layout that it cannot have."""
        value = function.body.block.args[number]
        named, role = entry.get("samba.name"), entry.get("samba.role")
        name = named.data if isinstance(named, StringAttr) else f"#{number} of {function.sym_name.data}"
        free = isinstance(role, StringAttr) and role.data != "input"
        if role is not None and value.type not in self.types:
            self.types[value.type] = str(value.type)
        symbol = f"{name}: {self.types[value.type]}" if role is not None else ""
        fixed, shard = self.layout(function, number)
        if free and fixed:
            other, where = self.symbols.setdefault(symbol, (shard, function))
            if other != shard:
                raise error_at(
                    function, f"{name} is to be {said(shard)}, and {said(other)} in @{where.sym_name.data}", InputError,
                    levers=["give one tensor one samba.shard"],
                )  # fmt: skip
        return ArgumentFacts(_shape(value), name, symbol, free, fixed, shard)

    def layout(self, function: FuncOp, number: int) -> tuple[bool, Shard | None]:
        """Whether a user said how an argument lies, and how. Raises InputError where it cannot lie so."""
        kind = kind_on(function, shard_kind(number))
        shard = kind.read(function)
        if not isinstance(shard, samba.ShardAttr) or not is_fixed(function, kind.name):
            return False, None
        if shard.is_whole:
            return True, None
        value = function.body.block.args[number]
        dim, outer, chips = shard.values
        split = Shard(dim, outer)
        if chips != self.chips or not fits(_shape(value), split, chips):
            raise error_at(
                function, f"{shard} does not fit {value.type} on {self.chips} chip{'s' * (self.chips > 1)}", InputError,
                levers=["change samba.shard or the number of chips"],
            )  # fmt: skip
        return True, split


def _shape(value: SSAValue) -> Shape:
    """The shape of a tensor; what is none has no dimension to split."""
    return shaped_of(value).shape if isinstance(value.type, TensorType) else ()


def _uses(value: SSAValue) -> Iterator[tuple[samba.SambaOp, int]]:
    """Operators that take `value`, also inside and behind fused modules."""
    for use in value.uses:
        user = use.operation
        if isinstance(user, samba.ModuleOp):
            yield from _uses(user.body.block.args[use.index])
        elif isinstance(user, samba.YieldOp):
            parent = cast(samba.ModuleOp, user.parent_op())
            yield from _uses(parent.results[use.index])
        elif isinstance(user, samba.SambaOp):
            yield user, use.index


def _drop_searched(function: FuncOp, fixed: _Fixed) -> None:
    """On one chip nothing is split: layouts that were searched for more are dropped, those of users are refused."""
    for number in range(len(function.body.block.args)):
        fixed.layout(function, number)
    if any("samba.shard" in entry for entry in argument_attributes(function)):
        _write(function, [None] * len(function.body.block.args), chips=1)


def _write(function: FuncOp, arguments: Sequence[Shard | None], chips: int) -> None:
    """Put the shardings on the arguments, with who chose them; other attributes and what users wrote stay."""
    origins: dict[str, Origin | None] = {}
    entries: list[DictionaryAttr] = []
    for number, (entry, shard) in enumerate(zip(argument_attributes(function), arguments, strict=True)):
        kind = shard_kind(number)
        if is_fixed(function, kind):
            origins[kind] = origin_of(function, kind)
            entries.append(DictionaryAttr(entry))
            continue
        others = {key: value for key, value in entry.items() if key != "samba.shard"}
        if shard is not None:
            origins[kind] = "search"
            others["samba.shard"] = samba.ShardAttr.get(shard.dim, shard.outer, chips)
        entries.append(DictionaryAttr(others))
    function.arg_attrs = attribute_array(entries)
    write_origins(function, origins)
