"""samba-shard: choose how parameters, state and inputs lie on the chips, so that layers run tensor-parallel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, ModuleOp, StringAttr
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import samba
from sambaflow.dialects.samba.conventions import argument_attributes, attribute_array, result_attributes
from sambaflow.errors import InputError
from sambaflow.passes.framework.base import SambaPass, functions_of, target_of
from sambaflow.passes.framework.properties import CALLS, SAMBA
from sambaflow.passes.parallel.factors import FREE, Decision, Shard, State, column_of, decide, divides, shape_of


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

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        chips = target_of(op).chips.data
        if chips == 1:
            return
        plan = _settle(op, chips)
        for function in functions_of(op):
            _write(function, plan.arguments[function.sym_name.data], chips)
        for place, message, facts in plan.remarks:
            if facts:
                self.applied(ctx, place, message, **facts)
            else:
                self.missed(ctx, place, message)


@dataclass(eq=False)
class Argument:
    """An argument of a graph under analysis; FREE until the first operator that reads it decides."""

    state: State


Known = Shard | Argument | None
"""What is known of a value: how it lies, or the argument that it is."""


class _Restart(Exception):
    """An argument has to be whole after all: the analysis starts again with that known."""


@dataclass
class _Plan:
    """The result: per function, how its arguments lie and its results come out."""

    arguments: dict[str, list[Shard | None]] = field(default_factory=dict[str, list[Shard | None]])
    results: dict[str, list[Shard | None]] = field(default_factory=dict[str, list[Shard | None]])
    remarks: list[tuple[Operation, str, dict[str, int]]] = field(
        default_factory=list[tuple[Operation, str, dict[str, int]]]
    )


def _settle(module: ModuleOp, chips: int) -> _Plan:
    """Analyse until no call or tie forces another argument to be whole; each round fixes one, so it ends."""
    whole: set[tuple[str, str]] = set()
    while True:
        analysis = _Analysis(module, chips, whole)
        try:
            return analysis.run()
        except _Restart:
            continue


class _Analysis:
    """One forward walk. `whole` names arguments (function, name or number) that must be whole; restarts add to it."""

    def __init__(self, module: ModuleOp, chips: int, whole: set[tuple[str, str]]) -> None:
        self.module, self.chips, self.whole = module, chips, whole
        self.functions = {function.sym_name.data: function for function in functions_of(module)}
        self.plan = _Plan()
        self.symbols: dict[tuple[str, Attribute], Shard | None] = {}
        """How the tensors of earlier graphs lie; of one name and type they are one."""
        self.env: dict[SSAValue, Known] = {}

    def run(self) -> _Plan:
        called = {op.callee.string_value() for op in self.module.walk() if isinstance(op, CallOp)}
        for name, function in self.functions.items():
            if name not in called:
                self._graph(function)
        return self.plan

    def _graph(self, function: FuncOp) -> None:
        """A function that is not called: its arguments are loaded by name, so parameters and state are free."""
        entries = argument_attributes(function)
        arguments: list[Argument] = []
        names: list[str] = []
        for i, (entry, value) in enumerate(zip(entries, function.body.block.args, strict=True)):
            name, role, given = entry.get("samba.name"), entry.get("samba.role"), entry.get("samba.shard")
            names.append(name.data if isinstance(name, StringAttr) else f"#{i} of {function.sym_name.data}")
            free = isinstance(role, StringAttr) and role.data != "input"
            state: State = FREE if free and ("", names[-1]) not in self.whole else None
            if isinstance(given, samba.ShardAttr):
                state = self._given(function, value, given)
            arguments.append(Argument(self.symbols.get((names[-1], value.type), state) if free else state))
        returned = self._function(function, list(arguments))
        self._settle_ties(function, arguments, names, returned)
        self._keep(function, arguments, [None] * len(returned))
        for name, argument, entry, value in zip(names, arguments, entries, function.body.block.args, strict=True):
            if "samba.role" in entry:
                self.symbols[name, value.type] = _placed(argument)

    def _given(self, function: FuncOp, value: SSAValue, given: samba.ShardAttr) -> Shard:
        dim, outer, chips = given.values
        shard = Shard(dim, outer)
        if chips != self.chips or not divides(shape_of(value)[dim], shard, chips):
            raise error_at(
                function, f"{given} does not fit {value.type} on {self.chips} chips", InputError,
                levers=["change samba.shard or the number of chips"],
            )  # fmt: skip
        return shard

    def _settle_ties(
        self, function: FuncOp, arguments: Sequence[Argument], names: Sequence[str], returned: Sequence[Known]
    ) -> None:
        """State lies as it is returned; a state that comes back whole must be whole."""
        for known, entry in zip(returned, result_attributes(function), strict=True):
            tied = entry.get("samba.tied")
            if not isinstance(tied, IntegerAttr):
                continue
            argument = arguments[tied.value.data]
            if argument.state is FREE:
                argument.state = _state(known)
            elif argument.state is not None and _state(known) != argument.state:
                name = names[tied.value.data]
                if ("", name) in self.whole:  # and is split nevertheless
                    raise error_at(
                        function, f"argument {name} has a samba.shard, the result that is tied to it lies otherwise",
                        InputError, levers=["remove samba.shard from the argument"],
                    )  # fmt: skip
                self._force("", name)

    def _force(self, function: str, name: str) -> None:
        assert (function, name) not in self.whole, f"argument {name} of @{function} is whole"
        self.whole.add((function, name))
        raise _Restart

    def _keep(self, function: FuncOp, arguments: Sequence[Argument], results: list[Shard | None]) -> None:
        name = function.sym_name.data
        self.plan.arguments[name] = [_placed(argument) for argument in arguments]
        self.plan.results[name] = results

    def _function(self, function: FuncOp, arguments: Sequence[Known]) -> list[Known]:
        return self._block(function.body.block, arguments)

    def _block(self, block: Block, arguments: Sequence[Known]) -> list[Known]:
        """What is known of the values that the block's terminator takes."""
        self.env.update(zip(block.args, arguments, strict=True))
        for op in block.ops:
            known = [self.env[value] for value in op.operands]
            match op:
                case samba.SambaOp():
                    results: Sequence[Known] = self._operator(op, known)
                case samba.ModuleOp():
                    results = self._block(op.body.block, known)
                case CallOp():
                    results = self._call(op, known)
                case ReturnOp() | samba.YieldOp():
                    return known
                case _:
                    results = [None] * len(op.results)
            self.env.update(zip(op.results, results, strict=True))
        return []

    def _operator(self, op: samba.SambaOp, known: Sequence[Known]) -> Sequence[Known]:
        states = [_state(one) for one in known]
        column = None if any(isinstance(state, Shard) for state in states) else column_of(op)
        start = column is not None and states[column[0]] is FREE
        decision = decide(op, states, self.chips, self._parts(op, column[1]) if start and column else 1)
        for one, wanted in zip(known, decision.operands, strict=True):
            if isinstance(one, Argument) and one.state is FREE:
                one.state = wanted
        weight = column is not None and isinstance(known[column[0]], Argument)
        self._remark(op, states, decision, column if weight else None)
        return decision.results

    def _call(self, op: CallOp, known: Sequence[Known]) -> list[Shard | None]:
        """The callee is analysed at its first call; later calls take its arguments as they lie there."""
        name = op.callee.string_value()
        function = self.functions[name]
        if name not in self.plan.arguments:
            inner = [Argument(None if (name, str(i)) in self.whole else _state(one)) for i, one in enumerate(known)]
            returned = self._function(function, list(inner))
            self._keep(function, inner, [_whole_if_free(one) for one in returned])
        for i, (one, wanted) in enumerate(zip(known, self.plan.arguments[name], strict=True)):
            if isinstance(one, Argument) and one.state is FREE:
                one.state = wanted
            elif wanted is not None and _state(one) != wanted:
                self._force(name, str(i))
        return self.plan.results[name]

    def _parts(self, op: samba.SambaOp, dim: int) -> int:
        """In how many parts the users of a linear's result take it apart: 3 for a fused query, key and value."""
        for value, user, split_dim in self._takers(op.results[0], Shard(dim, 1), 6, set()):
            size = shape_of(value)[split_dim]
            if user.row.name in ("split", "chunk"):
                sizes = {shape_of(result)[split_dim] for result in user.results}
            else:
                sizes = {shape_of(user.results[0])[split_dim]}
            parts = size // next(iter(sizes))
            if len(sizes) == 1 and parts > 1 and divides(size, Shard(split_dim, parts), self.chips):
                return parts
        return 1

    def _takers(
        self, value: SSAValue, shard: Shard, depth: int, seen: set[tuple[SSAValue, Shard]]
    ) -> Iterator[tuple[SSAValue, samba.SambaOp, int]]:
        """Operators that take `value` apart along its split dimension, looked for through views and elementwise ops."""
        if depth == 0 or (value, shard) in seen:
            return
        seen.add((value, shard))
        for user, index in _uses(value):
            if user.row.name in ("split", "chunk", "slice") and user.attr("dim") % len(shape_of(value)) == shard.dim:
                yield value, user, shard.dim
            elif user.row.traits & (samba.Trait.VIEW | samba.Trait.ELEMENTWISE):
                states: list[State] = [None] * len(user.operands)
                states[index] = shard
                found = decide(user, states, self.chips).results
                if len(found) == 1 and found[0] is not None:
                    yield from self._takers(user.results[0], found[0], depth - 1, seen)

    def _remark(
        self, op: samba.SambaOp, states: Sequence[State], decision: Decision, column: tuple[int, int] | None
    ) -> None:
        if decision.partial:
            self.plan.remarks.append(
                (op, "row-parallel: partial sums are added by an all-reduce", {"chips": self.chips})
            )
        elif column is not None and decision.is_split:
            facts = {"chips": self.chips, "parts": decision.results[0].outer if decision.results[0] else 1}
            self.plan.remarks.append((op, "column-parallel: split by output features", facts))
        elif column is not None:
            size = shape_of(op.results[0])[column[1]]
            why = f"{size} output features do not divide over {self.chips} chips"
            if states[column[0]] is not FREE:
                why = "another use of its weight needs it whole"
            self.plan.remarks.append((op, f"stays whole on every chip: {why}", {}))
        elif any(isinstance(s, Shard) and s != w for s, w in zip(states, decision.operands, strict=True)):
            self.plan.remarks.append((op, "runs whole on every chip: its operands are gathered first", {}))


def _state(known: Known) -> State:
    return known.state if isinstance(known, Argument) else known


def _whole_if_free(known: Known) -> Shard | None:
    state = _state(known)
    return state if isinstance(state, Shard) else None


def _placed(argument: Argument) -> Shard | None:
    return _whole_if_free(argument)


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
