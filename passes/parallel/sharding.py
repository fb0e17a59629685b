"""How tensors lie on the chips: what is given, what is decided, and when a decision is right.

    problem = ShardingProblem(functions, chips=2)
    layouts = solve(problem, "greedy")
    layouts.values["mlp"][0]                       # Shard(0, 1): how the first argument of @mlp lies

greedy     front to back: what is split spreads forward through the rules of `passes/parallel/factors.py`, a parameter
           or state that a split value reaches first is split to match, and a weight of a linear with a whole input
           starts a split by output features.
whole      every chip has all of every tensor that nobody has split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sambaflow.dialects.samba import Trait
from sambaflow.errors import InputError, Location
from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution
from sambaflow.passes.parallel.factors import (
    FREE,
    Decision,
    OperatorFacts,
    Shape,
    Shard,
    State,
    column_of,
    decide,
    divides,
    fits,
)

# -- the problem -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ArgumentFacts:
    """An argument of a function.

    `is_fixed`: somebody wants it to lie as `fixed` says (None: whole on every chip). Of a graph: `name` is its PyTorch
    name, or says which it is; `free`: it is a parameter or state, which may be loaded in parts; free arguments of one
    `symbol` are one tensor, which lies alike in every graph.
    """

    shape: Shape
    name: str = ""
    symbol: str = ""
    free: bool = False
    is_fixed: bool = False
    fixed: Shard | None = None


@dataclass(frozen=True)
class Step:
    """An op of a function, from values to values: an operator, a call of another function (`callee`), or neither, which
    takes its operands whole and makes whole results. `location`: where a call stands in the text."""

    operands: tuple[int, ...]
    results: tuple[int, ...]
    operator: OperatorFacts | None = None
    callee: str = ""
    location: Location | None = field(default=None, compare=False)


@dataclass(frozen=True)
class FunctionFacts:
    """A function, its modules inlined. Its values are numbered: first the arguments, then results in order.

    `users`: by result of an op the operators that read it, as (step, operand). `ties`: per returned value the argument
    that it replaces, None for none. `location`: where it stands in the text.
    """

    name: str
    arguments: tuple[ArgumentFacts, ...]
    steps: tuple[Step, ...]
    returned: tuple[int, ...]
    users: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict[int, tuple[tuple[int, int], ...]])
    ties: tuple[int | None, ...] = ()
    location: Location | None = None

    @property
    def values(self) -> int:
        """How many values it has."""
        return len(self.arguments) + sum(len(step.results) for step in self.steps)


@dataclass(frozen=True)
class ShardingNote:
    """Why step `step` of a function runs as it does; with `facts` it is split."""

    function: str
    step: int
    message: str
    facts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Layouts:
    """The solution: by function, how each of its values lies (None: all of it on every chip)."""

    values: Mapping[str, tuple[Shard | None, ...]]
    notes: tuple[ShardingNote, ...] = ()


@dataclass(frozen=True)
class ShardingProblem(Problem[Layouts]):
    """How every value of `functions` lies on `chips` chips; a function that none calls is a graph."""

    kind = "sharding"

    functions: Mapping[str, FunctionFacts]
    chips: int
    _decisions: dict[object, Decision] = field(
        default_factory=dict[object, Decision], init=False, repr=False, compare=False
    )

    @classmethod
    def solvers(cls) -> tuple[Solver, ...]:
        return GREEDY, WHOLE

    @property
    def graphs(self) -> list[FunctionFacts]:
        """The functions that no other calls, in order."""
        called = {step.callee for function in self.functions.values() for step in function.steps}
        return [function for function in self.functions.values() if function.name not in called]

    def decide(self, operator: OperatorFacts, states: Sequence[State], outer: int = 1) -> Decision:
        """See `sambaflow.passes.parallel.factors.decide`; the same question is answered once."""
        key = (operator, tuple(states), outer)
        if key not in self._decisions:
            self._decisions[key] = decide(operator, states, self.chips, outer)
        return self._decisions[key]

    # -- verification ------------------------------------------------------------------------------------------------

    def verify(self, solution: Layouts) -> None:
        for function in self.functions.values():
            layouts = solution.values.get(function.name, ())
            if len(layouts) != function.values:
                raise WrongSolution(f"@{function.name} has {function.values} values, {len(layouts)} have a layout")
            self._verify_arguments(function, layouts)
        self._verify_graphs(solution)
        for function in self.functions.values():
            for number, step in enumerate(function.steps):
                self._verify_step(function, number, step, solution)
            self._verify_ties(function, solution.values[function.name])

    def _verify_arguments(self, function: FunctionFacts, layouts: Sequence[Shard | None]) -> None:
        for number, (argument, shard) in enumerate(zip(function.arguments, layouts, strict=False)):
            if argument.is_fixed and shard != argument.fixed:
                raise WrongSolution(
                    f"argument {number} of @{function.name} was to be {said(argument.fixed)}, but is {said(shard)}"
                )
            if shard is None:
                continue
            if not fits(argument.shape, shard, self.chips):
                raise WrongSolution(
                    f"argument {number} of @{function.name} does not divide over {self.chips} chips {shard}"
                )

    def _verify_graphs(self, solution: Layouts) -> None:
        symbols: dict[str, Shard | None] = {}
        for function in self.graphs:
            layouts = solution.values[function.name]
            for number, (argument, shard) in enumerate(zip(function.arguments, layouts, strict=False)):
                where = f"argument {number} of @{function.name}"
                if argument.free:
                    if symbols.setdefault(argument.symbol, shard) != shard:
                        raise WrongSolution(f"{where} lies otherwise than {argument.name} of another graph")
                elif not argument.is_fixed and shard is not None:
                    raise WrongSolution(f"{where} is an input, which is whole on every chip, but is {said(shard)}")

    def _verify_step(self, function: FunctionFacts, number: int, step: Step, solution: Layouts) -> None:
        where = f"step {number} of @{function.name}"
        layouts = solution.values[function.name]
        operands = [layouts[value] for value in step.operands]
        results: Sequence[Shard | None] = [None] * len(step.results)
        if step.operator is not None:
            where += f" ({step.operator.row.name})"
            results = self.decide(step.operator, operands).results
        elif step.callee:
            inner = self.functions[step.callee]
            taken = solution.values[step.callee]
            for index, (have, wanted) in enumerate(zip(operands, taken, strict=False)):
                if wanted is not None and have != wanted:
                    raise WrongSolution(
                        f"{where} gives @{step.callee} argument {index} {said(have)}, which takes it {said(wanted)}"
                    )
            results = [taken[value] for value in inner.returned]
        for index, (value, shard) in enumerate(zip(step.results, results, strict=True)):
            if layouts[value] != shard:
                raise WrongSolution(f"{where} makes result {index} {said(shard)}, not {said(layouts[value])}")

    def _verify_ties(self, function: FunctionFacts, layouts: Sequence[Shard | None]) -> None:
        for value, argument in zip(function.returned, function.ties, strict=False):
            if argument is not None and layouts[argument] is not None and layouts[value] != layouts[argument]:
                raise WrongSolution(
                    f"@{function.name} returns {said(layouts[value])} what replaces argument {argument}, which is "
                    f"{said(layouts[argument])}"
                )


def said(shard: Shard | None) -> str:
    """How a tensor lies, in words."""
    return "whole" if shard is None else f"split {shard}"


# -- solvers ---------------------------------------------------------------------------------------------------------


def _greedy(problem: ShardingProblem) -> Layouts:
    return _settled(problem, splits=True)


def _whole(problem: ShardingProblem) -> Layouts:
    return _settled(problem, splits=False)


def _settled(problem: ShardingProblem, splits: bool) -> Layouts:
    """Walk until no call or tie forces another argument to be whole; each round fixes one, so it ends.

    Raises InputError where state that was given a layout is returned in another.
    """
    whole: set[tuple[str, str]] = set()
    while True:
        try:
            return _Propagation(problem, whole, splits).run()
        except _Restart:
            continue


@dataclass(eq=False)
class _Argument:
    """An argument of a function; FREE until the first operator that reads it decides."""

    state: State


_Known = Shard | _Argument | None
"""What is known of a value: how it lies, or the argument that it is."""


class _Restart(Exception):
    """An argument has to be whole after all: the walk starts again with that known."""


class _Propagation:
    """One forward walk. `whole` names arguments (function, name or number) that must be whole; restarts add to it.

    `splits`: whether arguments that nobody has placed may be split.
    """

    def __init__(self, problem: ShardingProblem, whole: set[tuple[str, str]], splits: bool) -> None:
        self.problem, self.whole, self.splits = problem, whole, splits
        self.known: dict[str, list[_Known]] = {}
        self.arguments: dict[str, list[Shard | None]] = {}
        """Of functions that are called, how their arguments lie."""
        self.returned: dict[str, list[Shard | None]] = {}
        self.fixed = _fixed(problem)
        """How users want arguments to lie, by function and number."""
        self.symbols: dict[str, Shard | None] = {
            argument.symbol: self.fixed[function.name, number]
            for function in problem.graphs
            for number, argument in enumerate(function.arguments)
            if argument.free and (function.name, number) in self.fixed
        }
        """How the tensors of earlier graphs lie, and those that somebody placed; of one name and type they are one."""
        self.notes: list[ShardingNote] = []

    def run(self) -> Layouts:
        for function in self.problem.graphs:
            self._graph(function)
        values = {name: tuple(_placed(value) for value in known) for name, known in self.known.items()}
        return Layouts(values, tuple(self.notes))

    def _graph(self, function: FunctionFacts) -> None:
        """A function that is not called: its arguments are loaded by name, so parameters and state are free."""
        arguments: list[_Argument] = []
        for number, argument in enumerate(function.arguments):
            free = argument.free and self.splits and ("", argument.name) not in self.whole
            state: State = FREE if free else None
            if (function.name, number) in self.fixed:
                state = self.fixed[function.name, number]
            elif argument.free:
                state = self.symbols.get(argument.symbol, state)
            arguments.append(_Argument(state))
        self._walk(function, arguments)
        self._settle_ties(function, arguments)
        for facts, argument in zip(function.arguments, arguments, strict=True):
            if facts.symbol:
                self.symbols[facts.symbol] = _placed(argument)

    def _settle_ties(self, function: FunctionFacts, arguments: Sequence[_Argument]) -> None:
        """State lies as it is returned; a state that comes back whole must be whole."""
        known = self.known[function.name]
        for value, tied in zip(function.returned, function.ties, strict=False):
            if tied is None:
                continue
            argument, name = arguments[tied], function.arguments[tied].name
            if argument.state is FREE:
                argument.state = _state(known[value])
            elif argument.state is not None and _state(known[value]) != argument.state:
                if ("", name) in self.whole:  # and is split nevertheless
                    raise InputError(
                        f"argument {name} has a samba.shard, the result that is tied to it lies otherwise",
                        op="func.func",
                        location=function.location,
                        levers=["remove samba.shard from the argument"],
                    )
                self._force("", name)

    def _force(self, function: str, name: str) -> None:
        assert (function, name) not in self.whole, f"argument {name} of @{function} is whole"
        self.whole.add((function, name))
        raise _Restart

    def _walk(self, function: FunctionFacts, arguments: Sequence[_Argument]) -> None:
        known: list[_Known] = [*arguments, *([None] * (function.values - len(arguments)))]
        self.known[function.name] = known
        for number, step in enumerate(function.steps):
            operands = [known[value] for value in step.operands]
            results: Sequence[_Known] = [None] * len(step.results)
            if step.operator is not None:
                results = self._operator(function, number, step.operator, operands)
            elif step.callee:
                results = self._call(step, operands)
            for value, result in zip(step.results, results, strict=True):
                known[value] = result

    def _call(self, step: Step, operands: Sequence[_Known]) -> Sequence[_Known]:
        """The callee is walked at its first call; later calls take its arguments as they lie there."""
        name, callee = step.callee, self.problem.functions[step.callee]
        if name not in self.arguments:
            inner = [_Argument(self._taken(callee, i, _state(operand))) for i, operand in enumerate(operands)]
            self._walk(callee, inner)
            self.arguments[name] = [_placed(argument) for argument in inner]
            self.returned[name] = [_placed(self.known[name][value]) for value in callee.returned]
        for i, (operand, wanted) in enumerate(zip(operands, self.arguments[name], strict=True)):
            if isinstance(operand, _Argument) and operand.state is FREE:
                operand.state = wanted
            elif wanted is not None and _state(operand) != wanted:
                if (name, i) in self.fixed:
                    raise _against_fixed(step, i, wanted, _placed(operand))
                self._force(name, str(i))
        return self.returned[name]

    def _taken(self, callee: FunctionFacts, number: int, state: State) -> State:
        """How a function that is called takes argument `number`, which comes to its first call as `state`."""
        if (callee.name, number) in self.fixed:
            return self.fixed[callee.name, number]
        return None if (callee.name, str(number)) in self.whole else state

    def _operator(
        self, function: FunctionFacts, number: int, op: OperatorFacts, known: Sequence[_Known]
    ) -> Sequence[Shard | None]:
        states = [_state(value) for value in known]
        column = None if any(isinstance(state, Shard) for state in states) else column_of(op)
        start = column is not None and states[column[0]] is FREE
        outer = self._parts(function, number, column[1]) if start and column else 1
        decision = self.problem.decide(op, states, outer)
        for value, wanted in zip(known, decision.operands, strict=True):
            if isinstance(value, _Argument) and value.state is FREE:
                value.state = wanted
        settled = [_state(value) for value in known]
        if any(s is FREE and now != w for s, now, w in zip(states, settled, decision.operands, strict=True)):
            decision = self.problem.decide(op, settled)  # an argument that is read twice, once so and once otherwise
        weight = self.splits and column is not None and isinstance(known[column[0]], _Argument)
        note = self._note(op, states, decision, column if weight else None)
        if note is not None:
            self.notes.append(ShardingNote(function.name, number, *note))
        return decision.results

    def _parts(self, function: FunctionFacts, number: int, dim: int) -> int:
        """In how many parts the users of a linear's result take it apart: 3 for a fused query, key and value."""
        result = function.steps[number].results[0]
        for size, user, split_dim in self._takers(function, result, Shard(dim, 1), 6, set()):
            if user.row.name in ("split", "chunk"):
                sizes = {shape[split_dim] for shape in user.results}
            else:
                sizes = {user.results[0][split_dim]}
            parts = size // next(iter(sizes))
            if len(sizes) == 1 and parts > 1 and divides(size, Shard(split_dim, parts), self.problem.chips):
                return parts
        return 1

    def _takers(
        self, function: FunctionFacts, value: int, shard: Shard, depth: int, seen: set[tuple[int, Shard]]
    ) -> Iterator[tuple[int, OperatorFacts, int]]:
        """Operators that take `value` apart along its split dimension, with its size, looked for through views and
        elementwise ops."""
        if depth == 0 or (value, shard) in seen:
            return
        seen.add((value, shard))
        for number, index in function.users.get(value, ()):
            step = function.steps[number]
            user = step.operator
            assert user is not None, "users are operators"
            shape = user.operands[index]
            if user.row.name in ("split", "chunk", "slice") and user.attr("dim") % len(shape) == shard.dim:
                yield shape[shard.dim], user, shard.dim
            elif user.row.traits & (Trait.VIEW | Trait.ELEMENTWISE):
                states: list[State] = [None] * len(step.operands)
                states[index] = shard
                results = self.problem.decide(user, states).results
                if len(results) == 1 and results[0] is not None:
                    yield from self._takers(function, step.results[0], results[0], depth - 1, seen)

    def _note(
        self, op: OperatorFacts, states: Sequence[State], decision: Decision, column: tuple[int, int] | None
    ) -> tuple[str, dict[str, int]] | None:
        chips = self.problem.chips
        if decision.partial:
            return "row-parallel: partial sums are added by an all-reduce", {"chips": chips}
        if column is not None and decision.is_split:
            parts = decision.results[0].outer if decision.results[0] else 1
            return "column-parallel: split by output features", {"chips": chips, "parts": parts}
        if column is not None:
            why = f"{op.results[0][column[1]]} output features do not divide over {chips} chips"
            if states[column[0]] is not FREE:
                why = "another use of its weight needs it whole"
            return f"stays whole on every chip: {why}", {}
        if any(isinstance(s, Shard) and s != w for s, w in zip(states, decision.operands, strict=True)):
            return "runs whole on every chip: its operands are gathered first", {}
        return None


def _fixed(problem: ShardingProblem) -> dict[tuple[str, int], Shard | None]:
    """How users want arguments to lie, by function and number; what is passed to an argument that is to be split is to
    be split itself, where it may be."""
    functions = problem.functions.values()
    fixed = {(f.name, n): a.fixed for f in functions for n, a in enumerate(f.arguments) if a.is_fixed}
    graphs = {function.name for function in problem.graphs}
    calls = [(function, step) for function in functions for step in function.steps if step.callee]
    grows = bool(fixed)
    while grows:
        grows = False
        for function, call in calls:
            for number, value in enumerate(call.operands):
                shard, place = fixed.get((call.callee, number)), (function.name, value)
                if shard is None or value >= len(function.arguments) or place in fixed:
                    continue
                if function.arguments[value].free or function.name not in graphs:
                    fixed[place], grows = shard, True
    return fixed


def _against_fixed(call: Step, argument: int, wanted: Shard, shard: Shard | None) -> InputError:
    return InputError(
        f"argument {argument} of @{call.callee} has a samba.shard: it is split {wanted}, but {said(shard)} here",
        op="func.call",
        location=call.location,
        levers=[
            f"remove samba.shard from argument {argument} of @{call.callee}",
            "write a samba.shard on what is passed that agrees",
        ],
    )


def _state(known: _Known) -> State:
    return known.state if isinstance(known, _Argument) else known


def _placed(known: _Known) -> Shard | None:
    """How it lies in the end: what is still free then is whole."""
    state = _state(known)
    return state if isinstance(state, Shard) else None


GREEDY = Solver("greedy", ShardingProblem, _greedy)
WHOLE = Solver("whole", ShardingProblem, _whole)
