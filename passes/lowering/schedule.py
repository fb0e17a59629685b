"""Functions of sections as schedules: symbols for every tensor off-chip, launches, repeats.

A graph is first flattened: every call of a layer function becomes its launches, every tensor a number. Then numbers
that must be one memory become one (a result tied to an argument), each gets a symbol, and runs of calls of one
function become `rdu.repeat`s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IntegerAttr, StringAttr, TensorType
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu
from sambaflow.dialects.samba.conventions import shard_of
from sambaflow.errors import CapacityError
from sambaflow.machine.opcodes import DTYPES
from sambaflow.passes.lowering.section import LoweredSection

RESIDENT = ("param", "buffer", "constant")
"""Roles of symbols that a launch may read ahead of its turn: nothing writes them."""


MOST_LAUNCHES = 1 << 14
"""Launches of a graph: each is an op of its schedule, with a symbol for all that it takes and gives."""


@dataclass(eq=False)
class _Launch:
    """A launch over tensor numbers; `written` are the slots that it stores."""

    section: str
    tensors: list[int]
    written: frozenset[int]
    op: kernel.SectionOp


@dataclass(eq=False)
class _Run:
    """Launches of one call (or those between calls, with `callee` ""); equal neighbours repeat."""

    callee: str
    launches: list[_Launch] = field(default_factory=list[_Launch])

    @property
    def shape(self) -> tuple[str, ...]:
        return (self.callee, *(launch.section for launch in self.launches))


class Symbols:
    """The symbols of a program: one per name, shared by the graphs that use the name with one type."""

    def __init__(self) -> None:
        self.ops: dict[str, rdu.SymbolOp] = {}

    def add(
        self,
        name: str,
        role: str,
        tensor: TensorType[Attribute],
        *,
        shard: tuple[int, int, int] | None = None,
        data: DenseIntOrFPElementsAttr | None = None,
        share: bool = False,
        graph: str = "",
    ) -> str:
        """The symbol's name: `name`, or, when that is another tensor, `graph.name`, or with a number behind it."""
        if graph and (known := self.ops.get(name)) is not None and known.type != tensor:
            name = f"{graph}.{name}"
        candidate, number = name, 1
        while (known := self.ops.get(candidate)) is not None:
            if share and known.type == tensor and known.data == data:
                return candidate
            number += 1
            candidate = f"{name}.{number}"
        self.ops[candidate] = rdu.SymbolOp(candidate, role, tensor, shard=shard, data=data)
        return candidate


class GraphLowering:
    """Lowers one public function."""

    def __init__(
        self,
        function: FuncOp,
        functions: Mapping[str, FuncOp],
        sections: Mapping[kernel.SectionOp, LoweredSection],
        names: Mapping[kernel.SectionOp, str],
        symbols: Symbols,
        chips: Sequence[int],
    ) -> None:
        self.function, self.functions = function, functions
        self.sections, self.names = sections, names
        self.symbols, self.chips = symbols, chips
        self.graph = function.sym_name.data
        self.types: list[TensorType[Attribute]] = []
        self.symbol_of: dict[int, str] = {}
        self.constants: dict[int, DenseIntOrFPElementsAttr] = {}
        self.runs: list[_Run] = []

    def lower(self) -> rdu.ScheduleOp:
        """The schedule; its symbols are added to `symbols`."""
        block = self.function.body.block
        self._check_arguments(block.arg_types)
        values: dict[SSAValue, int] = {}
        arguments = [self._new(value.type) for value in block.args]
        values.update(zip(block.args, arguments, strict=True))
        self._check_launches()
        returned = self._flatten(self.function, values, "")
        for number, tensor in enumerate(arguments):
            self._name_argument(number, tensor)
        tied = [self._tie(number, tensor, arguments, returned) for number, tensor in enumerate(returned)]
        outputs = [self._name_result(number, tensor, returned) for number, tensor in enumerate(returned)]
        for tensor, data in self.constants.items():
            self.symbol_of[tensor] = self.symbols.add("constant", "constant", self.types[tensor], data=data, share=True)
        schedule = rdu.ScheduleOp(self.graph, [self._symbol(t) for t in arguments], outputs, tied, list(self._steps()))
        schedule.location = self.function.location
        return schedule

    def _check_arguments(self, types: Sequence[Attribute]) -> None:
        """What sections take and give, the verifier of stages has checked."""
        for number, taken in enumerate(types):
            if (
                not isinstance(taken, TensorType)
                or not taken.has_static_shape()
                or not rdu.dtype_name(taken.element_type)
            ):
                raise error_at(
                    self.function,
                    f"argument {number} is {taken}",
                    limit=f"tensors of static shape, of {', '.join(DTYPES)}",
                )

    def _check_launches(self) -> None:
        """A chain of functions each of which calls the next one twice has more launches than anything can hold."""
        launches: dict[str, int] = {}
        for function in self._callees_first():
            ops = list(function.body.block.ops)
            inner = sum(launches[self._callee(op).sym_name.data] for op in ops if isinstance(op, CallOp))
            launches[function.sym_name.data] = inner + sum(isinstance(op, kernel.SectionOp) for op in ops)
        if (count := launches[self.graph]) > MOST_LAUNCHES:
            raise error_at(
                self.function,
                "takes more launches than a schedule can hold",
                CapacityError,
                demand=f"{_count(count)} launches",
                limit=f"{MOST_LAUNCHES} launches",
                shortfall=f"{_count(count - MOST_LAUNCHES)} launches",
                levers=["call functions less often"],
            )

    def _callees_first(self) -> Iterator[FuncOp]:
        """The functions that the graph needs, each once, behind those that it calls."""
        seen = {self.graph}
        stack = [(self.function, iter(self._called(self.function)))]
        while stack:
            function, inner = stack[-1]
            callee = next((called for called in inner if called.sym_name.data not in seen), None)
            if callee is None:
                yield function
                stack.pop()
            else:
                seen.add(callee.sym_name.data)
                stack.append((callee, iter(self._called(callee))))

    def _called(self, function: FuncOp) -> list[FuncOp]:
        return [self._callee(op) for op in function.body.block.ops if isinstance(op, CallOp)]

    # -- flatten -----------------------------------------------------------------------------------------------------

    def _new(self, tensor: Attribute) -> int:
        self.types.append(cast(TensorType[Attribute], tensor))
        return len(self.types) - 1

    def _flatten(self, function: FuncOp, tensors: dict[SSAValue, int], callee: str) -> list[int]:
        """Append the launches of `function`; the tensors that it returns."""
        if callee or not self.runs:
            self.runs.append(_Run(callee))
        for op in function.body.block.ops:
            match op:
                case kernel.SectionOp():
                    self._launch(op, tensors)
                case CallOp():
                    inner = self._callee(op)
                    arguments: dict[SSAValue, int] = {}
                    arguments.update(zip(inner.body.block.args, (tensors[v] for v in op.operands), strict=True))
                    results = self._flatten(inner, arguments, inner.sym_name.data)
                    tensors.update(zip(op.results, results, strict=True))
                    self.runs.append(_Run(callee))
                case ReturnOp():
                    return [tensors[value] for value in op.operands]
                case arith.ConstantOp() if isinstance(op.value, DenseIntOrFPElementsAttr):
                    tensors[op.result] = self._new(op.result.type)
                    self.constants[tensors[op.result]] = op.value
                case _:
                    raise error_at(op, "stands between sections, where only calls and constants are")
        raise AssertionError(f"@{function.sym_name.data} does not return")

    def _callee(self, op: CallOp) -> FuncOp:
        name = op.callee.root_reference.data
        return self.functions[name]

    def _launch(self, op: kernel.SectionOp, tensors: dict[SSAValue, int]) -> None:
        lowered = self.sections[op]
        bound: list[int] = []
        for kind, number in lowered.slots:
            bound.append(tensors[op.operands[number]] if kind == "input" else self._new(op.results[number].type))
        for number, slot in enumerate(lowered.results):
            tensors[op.results[number]] = bound[slot]
        written = frozenset(i for i, slot in enumerate(lowered.op.slots) if lowered.op.writable(slot))
        self.runs[-1].launches.append(_Launch(self.names[op], bound, written, op))

    # -- symbols -----------------------------------------------------------------------------------------------------

    def _name_argument(self, number: int, tensor: int) -> None:
        facts = _attributes(self.function.arg_attrs, number)
        role = _string(facts.get("samba.role")) or "input"
        name = _string(facts.get("samba.name")) or f"{self.graph}.{number}"
        self.symbol_of[tensor] = self.symbols.add(
            name, role, self.types[tensor], shard=_split(facts), share=True, graph=self.graph
        )

    def _tie(self, number: int, tensor: int, arguments: Sequence[int], returned: list[int]) -> int:
        """The argument that result `number` updates; the result's tensor becomes the argument's memory."""
        tied = _attributes(self.function.res_attrs, number).get("samba.tied")
        if not isinstance(tied, IntegerAttr):
            return -1
        argument = arguments[tied.value.data]
        if tensor != argument:
            self._unify(number, tensor, argument)
            returned[:] = [argument if other == tensor else other for other in returned]
        return tied.value.data

    def _unify(self, number: int, tensor: int, argument: int) -> None:
        """Let the launches that make `tensor` write into `argument`, which nothing reads afterwards."""
        launches = [launch for run in self.runs for launch in run.launches]
        makers = [i for i, launch in enumerate(launches) if tensor in _written(launch)]
        late = [i for i, launch in enumerate(launches) if argument in launch.tensors and makers and i > makers[0]]
        if tensor in self.symbol_of or not makers or late:
            raise error_at(
                self.function,
                f"result {number} cannot be written into the argument that it updates: "
                + ("the argument is read afterwards" if late else "no launch makes it"),
                levers=["return the updated value without a tie"],
            )
        for launch in launches:
            launch.tensors = [argument if t == tensor else t for t in launch.tensors]

    def _name_result(self, number: int, tensor: int, returned: Sequence[int]) -> str:
        if tensor not in self.symbol_of and tensor not in self.constants:
            facts = _attributes(self.function.res_attrs, number)
            name = _string(facts.get("samba.name")) or f"{self.graph}.out{number}"
            self.symbol_of[tensor] = self.symbols.add(
                name, "output", self.types[tensor], shard=_split(facts), share=True, graph=self.graph
            )
        return self._symbol(tensor)

    def _symbol(self, tensor: int) -> str:
        if tensor in self.constants and tensor not in self.symbol_of:
            data = self.constants[tensor]
            self.symbol_of[tensor] = self.symbols.add("constant", "constant", self.types[tensor], data=data, share=True)
        if tensor not in self.symbol_of:
            self.symbol_of[tensor] = self.symbols.add(f"{self.graph}.t{tensor}", "temp", self.types[tensor])
        return self.symbol_of[tensor]

    # -- steps -------------------------------------------------------------------------------------------------------

    def _steps(self) -> Iterator[rdu.LaunchOp | rdu.RepeatOp]:
        runs = [run for run in self.runs if run.launches]
        at = 0
        while at < len(runs):
            length, count = _repetition(runs, at)
            if count > 1:
                yield self._repeat([runs[at + i * length : at + (i + 1) * length] for i in range(count)])
                at += length * count
            else:
                yield from (self._launch_op(launch) for launch in runs[at].launches)
                at += 1

    def _launch_op(self, launch: _Launch) -> rdu.LaunchOp:
        op = rdu.LaunchOp(launch.section, [self._symbol(t) for t in launch.tensors], self.chips)
        op.location = launch.op.location
        return op

    def _repeat(self, rounds: Sequence[Sequence[_Run]]) -> rdu.RepeatOp:
        tables = [[launch for run in group for launch in run.launches] for group in rounds]
        launches: list[rdu.LaunchOp] = []
        for position, first in enumerate(tables[0]):
            symbols = [[self._symbol(t) for t in table[position].tensors] for table in tables]
            launch = rdu.LaunchOp(first.section, symbols, self.chips)
            launch.location = first.op.location
            launches.append(launch)
        repeat = rdu.RepeatOp(len(tables), launches, self._carried(tables), self._prefetched(tables))
        repeat.location = launches[0].location
        return repeat

    def _carried(self, tables: Sequence[Sequence[_Launch]]) -> list[tuple[int, int, int, int]]:
        """What a round writes and the next one reads, in every round."""
        first, second = tables[0], tables[1]
        readers: dict[int, list[tuple[int, int]]] = {}
        for b, launch in enumerate(second):
            for t, tensor in enumerate(launch.tensors):
                if t not in launch.written:
                    readers.setdefault(tensor, []).append((b, t))
        handed_on = [
            (a, s, b, t)
            for a, launch in enumerate(first)
            for s in sorted(launch.written)
            for b, t in readers.get(launch.tensors[s], [])
        ]
        return [
            row
            for row in handed_on
            if all(
                tables[i][row[0]].tensors[row[1]] == tables[i + 1][row[2]].tensors[row[3]]
                for i in range(len(tables) - 1)
            )
        ]

    def _prefetched(self, tables: Sequence[Sequence[_Launch]]) -> list[tuple[int, int]]:
        """Slots whose symbols nothing writes: weights."""
        return [
            (a, s)
            for a, launch in enumerate(tables[0])
            for s in range(len(launch.tensors))
            if all(self._is_resident(table[a].tensors[s]) for table in tables)
        ]

    def _is_resident(self, tensor: int) -> bool:
        return self.symbols.ops[self._symbol(tensor)].role.data in RESIDENT


def _repetition(runs: Sequence[_Run], at: int, longest: int = 8) -> tuple[int, int]:
    """(length, count) of the repeated sequence of calls that begins at `at` and covers most runs."""
    best = (1, 1)
    for length in range(1, longest + 1):
        pattern = [run.shape for run in runs[at : at + length]]
        if len(pattern) < length or not runs[at].callee:
            break
        count = 1
        while [run.shape for run in runs[at + count * length : at + (count + 1) * length]] == pattern:
            count += 1
        if count > 1 and length * count > best[0] * best[1]:
            best = (length, count)
    return best


def _count(number: int) -> str:
    """A number in words that fit a line."""
    return str(number) if number < 1 << 64 else f"about 2^{number.bit_length() - 1}"


def _written(launch: _Launch) -> list[int]:
    return [launch.tensors[i] for i in sorted(launch.written)]


def _attributes(all_attributes: object, number: int) -> Mapping[str, Attribute]:
    """The attributes of argument or result `number`."""
    data = getattr(all_attributes, "data", ())
    return data[number].data if number < len(data) else {}


def _string(attribute: Attribute | None) -> str:
    return attribute.data if isinstance(attribute, StringAttr) else ""


def _split(facts: Mapping[str, Attribute]) -> tuple[int, int, int] | None:
    shard = shard_of(facts)
    return None if shard is None else shard.values
