"""samba-shard: choose how parameters, state and inputs lie on the chips, so that layers run tensor-parallel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, ModuleOp, StringAttr, TensorType
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from sambaflow.diagnostics import error_at, location_of
from sambaflow.dialects import samba
from sambaflow.dialects.samba import shaped_of
from sambaflow.dialects.samba.conventions import argument_attributes, attribute_array, result_attributes
from sambaflow.errors import InputError
from sambaflow.passes.framework.base import SambaPass, functions_of, target_of
from sambaflow.passes.framework.properties import CALLS, SAMBA
from sambaflow.passes.framework.solvers import solve
from sambaflow.passes.parallel.factors import OperatorFacts, Shape, Shard, asks, divides, facts_of
from sambaflow.passes.parallel.sharding import ArgumentFacts, FunctionFacts, ShardingProblem, Step


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

    Needs `rdu.target`; changes only argument attributes (types stay those of the whole model until samba-partition).

        func.func @mlp(%up: tensor<8x4xf32> {samba.role = "param", samba.name = "up"},
                       %down: tensor<4x8xf32> {samba.role = "param", samba.name = "down"}, %x: tensor<1x4xf32>) ... {
          %0 = samba.linear %x, %up : (tensor<1x4xf32>, tensor<8x4xf32>) -> tensor<1x8xf32>
          %1 = samba.relu %0 : tensor<1x8xf32>
          %2 = samba.linear %1, %down : (tensor<1x8xf32>, tensor<4x8xf32>) -> tensor<1x4xf32>
        // on 2 chips becomes
        func.func @mlp(%up: tensor<8x4xf32> {..., samba.shard = #samba.shard<0, 1, 2>},
                       %down: tensor<4x8xf32> {..., samba.shard = #samba.shard<1, 1, 2>}, %x: tensor<1x4xf32>) ...
    """

    name: ClassVar[str] = "samba-shard"
    needs = ("target", *SAMBA, *CALLS)

    solver: str | None = None
    """Who chooses: `greedy` (the default: splits spread front to back), `whole` (nothing is split that nobody has
    split), or the name of a package's solver."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        chips = target_of(op).chips.data
        if chips == 1:
            return
        known: dict[object, OperatorFacts] = {}
        read = {function.sym_name.data: _Read(function, known) for function in functions_of(op)}
        given = _Given(chips)
        called = {step.callee for function in read.values() for step in function.steps}
        facts = {name: function.facts(None if name in called else given) for name, function in read.items()}
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
        self.made: list[SSAValue] = list(block.args)
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
            results = tuple(range(len(self.made), len(self.made) + len(op.results)))
            self.made.extend(op.results)
            self.shapes.extend(_shape(value) for value in op.results)
            self.numbers.update(zip(op.results, results, strict=True))
            operator = self._operator(op, operands, results) if isinstance(op, samba.SambaOp) else None
            callee = op.callee.string_value() if isinstance(op, CallOp) else ""
            self.steps.append(Step(operands, results, operator, callee))
            self.ops.append(op)
        return ()

    def _operator(self, op: samba.SambaOp, operands: Sequence[int], results: Sequence[int]) -> OperatorFacts:
        shapes = tuple(self.shapes[value] for value in (*operands, *results))
        key = op.row.name, shapes, len(operands), tuple(op.properties.items()) if asks(op.row) else ()
        if key not in self.known:
            self.known[key] = facts_of(op)
        return self.known[key]

    def facts(self, given: _Given | None) -> FunctionFacts:
        """What sharding knows of the function; `given` collects what is wanted of a graph, None: it is called."""
        args = list(zip(self.op.body.block.args, argument_attributes(self.op), strict=True))
        if given is None:
            arguments = [ArgumentFacts(_shape(value)) for value, _ in args]
        else:
            arguments = [given.argument(self.op, number, *one) for number, one in enumerate(args)]
        steps = {op: number for number, op in enumerate(self.ops)}
        made = enumerate(self.made[len(args) :], len(args))
        users = {number: tuple((steps[user], index) for user, index in _uses(value)) for number, value in made}
        ties: list[int | None] = []
        if given is not None:
            tied = [entry.get("samba.tied") for entry in result_attributes(self.op)]
            ties = [one.value.data if isinstance(one, IntegerAttr) else None for one in tied]
        return FunctionFacts(
            self.op.sym_name.data, tuple(arguments), tuple(self.steps), self.returned, users, tuple(ties),
            location_of(self.op),
        )  # fmt: skip


class _Given:
    """What the graphs' arguments are, and how somebody wants them to lie: of one name and type they are one tensor."""

    def __init__(self, chips: int) -> None:
        self.chips = chips
        self.symbols: dict[str, tuple[Shard, FuncOp]] = {}
        self.types: dict[Attribute, str] = {}

    def argument(self, function: FuncOp, number: int, value: SSAValue, entry: Mapping[str, Attribute]) -> ArgumentFacts:
        """Argument `number` of a graph. Raises InputError for a layout that it cannot have."""
        named, role = entry.get("samba.name"), entry.get("samba.role")
        name = named.data if isinstance(named, StringAttr) else f"#{number} of {function.sym_name.data}"
        free = isinstance(role, StringAttr) and role.data != "input"
        if role is not None and value.type not in self.types:
            self.types[value.type] = str(value.type)
        symbol = f"{name}: {self.types[value.type]}" if role is not None else ""
        shard = self._shard(function, value, entry)
        if free and shard is not None:
            other, where = self.symbols.setdefault(symbol, (shard, function))
            if other != shard:
                raise error_at(
                    function, f"{name} is to be split {shard}, and {other} in @{where.sym_name.data}", InputError,
                    levers=["give one tensor one samba.shard"],
                )  # fmt: skip
        return ArgumentFacts(_shape(value), name, symbol, free, shard)

    def _shard(self, function: FuncOp, value: SSAValue, entry: Mapping[str, Attribute]) -> Shard | None:
        given = entry.get("samba.shard")
        if not isinstance(given, samba.ShardAttr):
            return None
        dim, outer, chips = given.values
        shard, shape = Shard(dim, outer), _shape(value)
        if chips != self.chips or dim >= len(shape) or not divides(shape[dim], shard, chips):
            raise error_at(
                function, f"{given} does not fit {value.type} on {self.chips} chips", InputError,
                levers=["change samba.shard or the number of chips"],
            )  # fmt: skip
        return shard


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


def _write(function: FuncOp, arguments: Sequence[Shard | None], chips: int) -> None:
    """Put the shardings on the arguments; other attributes stay."""
    entries: list[DictionaryAttr] = []
    for entry, shard in zip(argument_attributes(function), arguments, strict=True):
        kept = {key: value for key, value in entry.items() if key != "samba.shard"}
        if shard is not None:
            kept["samba.shard"] = samba.ShardAttr.get(shard.dim, shard.outer, chips)
        entries.append(DictionaryAttr(kept))
    function.arg_attrs = attribute_array(entries)
