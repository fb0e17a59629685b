"""PCU tile programs: decoded from their words and evaluated over a whole domain at once, or tile by tile.

Values over a domain are *compact*: a dimension that the value does not depend on has size 1, so that work which the
machine repeats for every point is done once. A mask beside a value marks the points that are delivered.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch

from sambaflow.backends.rdu.image import PARALLEL, SEQUENTIAL, Pcu
from sambaflow.backends.rdu.words import Instruction, Kind, Operand, decode_program, results
from sambaflow.errors import InputError
from sambaflow.sim.functional import primitives
from sambaflow.sim.functional.access import linear_form
from sambaflow.sim.functional.contract import blocks, contract, fused_multiply_add, strict_sum
from sambaflow.sim.functional.dtypes import TORCH_DTYPES, from_bits

State = list[torch.Tensor]
"""The accumulators over the points of an iteration, in the unit's order."""


class PortValue(NamedTuple):
    """What a port delivers: a compact tensor and where it is delivered (None: everywhere)."""

    data: torch.Tensor
    mask: torch.Tensor | None = None


@dataclass(frozen=True)
class Sources:
    """Everything that an instruction can read, each broadcastable against the others."""

    inputs: Sequence[torch.Tensor | None]
    counters: Sequence[torch.Tensor | None]
    accumulators: State = field(default_factory=list[torch.Tensor])
    others: State = field(default_factory=list[torch.Tensor])

    def at(self, step: int, accumulators: State) -> Sources:
        """The sources at one position of the last dimension."""

        def pick(value: torch.Tensor | None) -> torch.Tensor | None:
            return None if value is None else value[..., step if value.shape[-1] > 1 else 0]

        return Sources([pick(v) for v in self.inputs], [pick(v) for v in self.counters], accumulators)


class Term(NamedTuple):
    """An accumulator that only adds, or takes the extremum of, terms that do not read accumulators."""

    fold: str  # name of the opcode: add, max, min, ...
    value: Operand
    factors: tuple[Operand, Operand] | None  # the inputs whose product the term is


class TileProgram:
    """The program of one Pcu unit, decoded once."""

    def __init__(self, unit: Pcu) -> None:
        self.unit = unit
        self.body = _renamed(decode_program(unit.body))
        self.combine = _renamed(decode_program(unit.combine))
        self.finish = decode_program(unit.finish)
        self.kinds = [int(kind) for kind in unit.kinds]
        self.split = [int(parts) for parts in unit.split]
        self.constants = [int(bits) for bits in unit.constants]
        self.parallel = [d for d, kind in enumerate(self.kinds) if kind == PARALLEL]
        self.inner = [d for d, kind in enumerate(self.kinds) if kind != PARALLEL]
        self.sequential = SEQUENTIAL in self.kinds
        self.counted = self._counted()
        self.unused = torch.zeros((1,) * len(self.kinds), dtype=torch.int64)
        self.tainted = _tainted(self.body)
        self.independent = [
            i for i in self.body if i.destination.kind is Kind.REGISTER and i.destination.number not in self.tainted
        ]
        self.terms = None if self.sequential else self._terms()
        self.pairs = None if self.sequential or self.combine else self._pairs()

    def _counted(self) -> set[int]:
        """The counters that a program or the predicate reads."""
        programs = (self.body, self.combine, self.finish)
        sources = (s for program in programs for i in program for s in i.sources)
        read = {s.number for s in sources if s.kind is Kind.COUNTER}
        return read | {d for d in range(len(self.kinds)) for row in self.unit.predicate if row[1 + d]}

    # -- one domain, or a tile of it ---------------------------------------------------------------------------------

    def run(self, inputs: Sequence[torch.Tensor], extents: Sequence[int], tiled: bool = False) -> list[PortValue]:
        """The output ports' values. `inputs` are compact over `extents`; outputs over the dimensions they keep."""
        if tiled:
            return self._run_tiles(inputs, extents)
        return self._run_box(inputs, extents, [0] * len(extents), strict=False)

    def output_extents(self, value: torch.Tensor, port: int, extents: Sequence[int]) -> tuple[int, ...]:
        """The domain on which an output port delivers: with accumulators of k elements, k is its last dimension."""
        per_point = not self.unit.accumulators or (self.sequential and port < self._body_outputs())
        dims = list(range(len(extents))) if per_point else self.parallel
        return (*(extents[d] for d in dims), *value.shape[len(dims) :])

    def _run_box(
        self, inputs: Sequence[torch.Tensor], extents: Sequence[int], origin: Sequence[int], strict: bool
    ) -> list[PortValue]:
        counters = [
            linear_form(o, _unit_vector(d, len(extents)), extents) if d in self.counted else self.unused
            for d, o in enumerate(origin)
        ]
        mask = self._predicate(inputs, counters)
        if not self.unit.accumulators:
            outputs = self._evaluate(self.body, Sources(inputs, counters))[0]
            return [PortValue(outputs[port], mask) for port in sorted(outputs)]
        if self.sequential:
            return self._scan(inputs, counters, extents, mask)
        state = self._reduce(inputs, counters, extents, mask, strict)
        return self._results({}, self._final(inputs, counters, state))

    def _final(self, inputs: Sequence[torch.Tensor], counters: Sequence[torch.Tensor], state: State) -> Sources:
        """What a finish program reads: inputs and counters over the parallel dimensions, the rest has none."""
        return Sources([self._outer(v) for v in inputs], [self._outer(c) for c in counters], state)

    def _results(self, per_step: Mapping[int, torch.Tensor], final: Sources) -> list[PortValue]:
        """Body outputs, then what finish makes of the accumulators (absent: the accumulators)."""
        outputs = dict(per_step)
        if self.finish:
            outputs |= self._evaluate(self.finish, final)[0]
        else:
            for port, value in enumerate(final.accumulators, len(outputs)):
                outputs[port] = value.to(TORCH_DTYPES[self.unit.outputs[port]])
        return [PortValue(outputs[port]) for port in sorted(outputs)]

    def _run_tiles(self, inputs: Sequence[torch.Tensor], extents: Sequence[int]) -> list[PortValue]:
        """The tile grid as the counters walk it: parallel tiles in `order`; a tile's reduction runs inside it."""
        sizes = [
            int(t) if kind == PARALLEL else e for t, kind, e in zip(self.unit.tile, self.kinds, extents, strict=True)
        ]
        order = [int(d) for d in self.unit.order] or list(range(len(extents)))
        grid = itertools.product(*(range(0, extents[d], sizes[d]) for d in order))
        tiles: list[tuple[list[int], list[PortValue]]] = []
        for corner in grid:
            origin = [corner[order.index(d)] for d in range(len(extents))]
            box = [min(s, e - o) for s, e, o in zip(sizes, extents, origin, strict=True)]
            part = [_narrow(value, origin, box) for value in inputs]
            tiles.append((origin, self._run_box(part, box, origin, strict=True)))
        return [self._assemble(port, tiles, extents, sizes) for port in range(len(self.unit.outputs))]

    def _assemble(
        self, port: int, tiles: list[tuple[list[int], list[PortValue]]], extents: Sequence[int], sizes: Sequence[int]
    ) -> PortValue:
        per_step = self.sequential and port < self._body_outputs()
        dims = list(range(len(extents))) if not self.inner or per_step else self.parallel
        first = tiles[0][1][port]
        trailing = first.data.shape[len(dims) :]
        shape = [extents[d] for d in dims]
        data = first.data.new_zeros((*shape, *trailing))
        mask = torch.ones(shape, dtype=torch.bool) if first.mask is not None else None
        for origin, values in tiles:
            window = tuple(slice(origin[d], min(origin[d] + sizes[d], extents[d])) for d in dims)
            data[window] = values[port].data
            part = values[port].mask
            if mask is not None and part is not None:
                mask[window] = part
        return PortValue(data, mask)

    def _body_outputs(self) -> int:
        return len({i.destination.number for i in self.body if i.destination.kind is Kind.OUTPUT})

    def _predicate(self, inputs: Sequence[torch.Tensor], counters: Sequence[torch.Tensor]) -> torch.Tensor | None:
        mask: torch.Tensor | None = None
        for row in self.unit.predicate:
            total = torch.full((1,) * len(counters), int(row[0]), dtype=torch.int64)
            for factor, value in zip(row[1:], [*counters, *inputs], strict=True):
                if factor:
                    total = total + int(factor) * value.to(torch.int64)
            mask = total >= 0 if mask is None else mask & (total >= 0)
        return mask

    # -- reductions --------------------------------------------------------------------------------------------------

    def _outer(self, value: torch.Tensor) -> torch.Tensor | None:
        """The value over the parallel dimensions; None when it depends on others."""
        if any(value.shape[d] > 1 for d in self.inner):
            return None
        for d in reversed(self.inner):
            value = value.select(d, 0)
        return value

    def _flat(self, value: torch.Tensor, extents: Sequence[int]) -> torch.Tensor:
        """The value over (parallel dimensions, flattened others): the last dimension is 1 or all of them."""
        value = value if value.dim() else value.reshape((1,) * len(self.kinds))  # a constant has no dimensions
        value = value.permute(*self.parallel, *self.inner)
        shape = value.shape[: len(self.parallel)]
        if math.prod(value.shape[len(self.parallel) :]) == 1:
            return value.reshape(*shape, 1)
        return value.expand(*shape, *(extents[d] for d in self.inner)).reshape(*shape, -1)

    def _initial(self, shape: Sequence[int]) -> State:
        return [
            from_bits(a.init, a.dtype).expand((*shape, a.length) if a.length > 1 else tuple(shape)).clone()
            for a in self.unit.accumulators
        ]

    def _reduce(
        self,
        inputs: Sequence[torch.Tensor],
        counters: Sequence[torch.Tensor],
        extents: Sequence[int],
        mask: torch.Tensor | None,
        strict: bool,
    ) -> State:
        """The accumulators over the parallel dimensions, every part of the split folded, parts merged as a tree."""
        space = [extents[d] for d in self.inner]
        cuts = [_parts(extents[d], self.split[d]) for d in self.inner]
        states = [
            self._fold_box(inputs, counters, extents, space, list(box), mask, strict)
            for box in itertools.product(*cuts)
        ]
        while len(states) > 1:
            pairs = itertools.zip_longest(states[::2], states[1::2])
            states = [a if b is None else self._merge(a, b) for a, b in pairs]
        return states[0]

    def _fold_box(
        self,
        inputs: Sequence[torch.Tensor],
        counters: Sequence[torch.Tensor],
        extents: Sequence[int],
        space: Sequence[int],
        box: list[tuple[int, int]],
        mask: torch.Tensor | None,
        strict: bool,
    ) -> State:
        """One part of the reduction space: blocks folded from the initial values and merged in ascending order."""
        origin, size = [0] * len(extents), list(extents)
        for d, (start, end) in zip(self.inner, box, strict=True):
            origin[d], size[d] = start, end - start
        inputs = [_narrow(v, origin, size) for v in inputs]
        counters = [_narrow(v, origin, size) for v in counters]
        mask = None if mask is None else _narrow(mask, origin, size)
        runs = blocks(space, box) if self.combine else [(0, math.prod(size[d] for d in self.inner))]
        if not strict and self.terms is not None:
            folded = self._fold_terms(self.terms, inputs, counters, size, runs, mask)
            if folded is not None:
                return folded
        if self.pairs is not None and mask is None and self.unit.accumulators[0].length <= runs[-1][1]:
            return self._largest(self.pairs, inputs, counters, size)
        sources = Sources([self._flat(v, size) for v in inputs], [self._flat(c, size) for c in counters])
        flat_mask = None if mask is None else self._flat(mask, size)
        return self._fold_loop(sources, [size[d] for d in self.parallel], runs, flat_mask, strict)

    def _fold_loop(
        self,
        sources: Sources,
        shape: Sequence[int],
        runs: list[tuple[int, int]],
        mask: torch.Tensor | None,
        strict: bool,
    ) -> State:
        """Point by point along the reduction; unless strict, all blocks of one length advance together."""
        groups = [[run] for run in runs] if strict else _equal_runs(runs)
        total: State | None = None
        for group in groups:
            length, count = group[0][1] - group[0][0], len(group)
            start, end = group[0][0], group[-1][1]

            def cut(
                value: torch.Tensor | None, start: int = start, end: int = end, count: int = count
            ) -> torch.Tensor | None:
                if value is None or value.shape[-1] == 1:
                    return None if value is None else value[..., None]
                return value[..., start:end].unflatten(-1, (count, (end - start) // count))

            part = Sources([cut(v) for v in sources.inputs], [cut(v) for v in sources.counters])
            inside = cut(mask)
            state = self._initial((*shape, count))
            for step in range(length):
                state = self._step(part.at(step, state), state, inside, step)
            for number in range(count):
                axis = len(shape)
                block = [value.select(axis, number) for value in state]
                total = block if total is None else self._merge(total, block)
        return self._initial(shape) if total is None else total

    def _step(self, sources: Sources, state: State, mask: torch.Tensor | None, step: int) -> State:
        written = self._evaluate(self.body, sources)[1]
        updated = [written.get(number, old) for number, old in enumerate(state)]
        for number, term in enumerate(self.terms or ()):
            if term.factors is not None:
                a, b = (self._source(factor, "f32", sources, {}) for factor in term.factors)
                updated[number] = fused_multiply_add(a, b, state[number])
        if mask is None:
            return updated
        inside = mask[..., step if mask.shape[-1] > 1 else 0]
        return [
            torch.where(inside[..., None] if new.dim() > inside.dim() else inside, new, old)
            for new, old in zip(updated, state, strict=True)
        ]

    def _merge(self, a: State, b: State) -> State:
        """Two partial results, by the combine program."""
        if not self.combine:
            raise InputError("a tile program splits its reduction but does not say how partial results combine")
        written = self._evaluate(self.combine, Sources([], [], a, b))[1]
        return [written.get(number, old) for number, old in enumerate(a)]

    # -- reductions by structure -------------------------------------------------------------------------------------

    def _terms(self) -> list[Term] | None:
        """Per accumulator its fold, when the whole body is `accumulator op term` with folds that torch reduces as the
        contract says, and combine merges by the same; else None."""
        makers, updates = _updates(self.body)
        merged, merges = _updates(self.combine)
        terms: list[Term] = []
        for number, accumulator in enumerate(self.unit.accumulators):
            own, other = Operand(Kind.ACCUMULATOR, number), Operand(Kind.OTHER, number)
            update, merge = _made(updates.get(number), makers), _made(merges.get(number), merged)
            if update is None or update.opcode.name not in _FOLDS or accumulator.length > 1:
                return None
            if update.dtype != accumulator.dtype or update.sources.count(own) != 1:
                return None
            if self.combine and not (
                merge is not None
                and (merge.opcode.name, merge.dtype) == (update.opcode.name, update.dtype)
                and set(merge.sources) == {own, other}
            ):
                return None
            value = update.sources[1 - update.sources.index(own)]
            if value.kind is Kind.ACCUMULATOR or (value.kind is Kind.REGISTER and value.number in self.tainted):
                return None
            terms.append(self._term(update, value, makers))
        plain = len(updates) == len(terms) and not any(i.destination.kind is Kind.OUTPUT for i in self.body)
        return terms if plain else None

    def _term(self, update: Instruction, other: Operand, makers: Mapping[int, Instruction]) -> Term:
        factors: tuple[Operand, Operand] | None = None
        if other.kind is Kind.REGISTER and update.opcode.name == "add" and self.unit.mode == "systolic":
            product = makers[other.number]
            if product.opcode.name == "mul":
                a, b = (_plain_input(source, makers) for source in product.sources)
                factors = (a, b) if a is not None and b is not None else None
        return Term(update.opcode.name, other, factors)

    def _fold_terms(
        self,
        terms: list[Term],
        inputs: Sequence[torch.Tensor],
        counters: Sequence[torch.Tensor],
        extents: Sequence[int],
        runs: list[tuple[int, int]],
        mask: torch.Tensor | None,
    ) -> State | None:
        """Folds by matrix products and reductions of torch; None when these would not give the contract's bits."""
        registers: dict[Operand, torch.Tensor] | None = None
        state: State = []
        for term, accumulator in zip(terms, self.unit.accumulators, strict=True):
            fold = _FOLDS[term.fold]
            if not fold.takes(accumulator.dtype, accumulator.init):
                return None
            if term.factors is not None and accumulator.dtype == "f32":
                a, b = (inputs[factor.number] for factor in term.factors)
                if mask is not None:
                    if not bool(torch.isfinite(b).all()):
                        return None
                    a = torch.where(mask, a, torch.zeros((), dtype=a.dtype))
                state.append(contract(a, b, self.parallel, self.inner, runs, extents))
                continue
            if registers is None:
                registers = {}
                self._evaluate(self.independent, Sources(inputs, counters), registers)
            value = self._source(term.value, accumulator.dtype, Sources(inputs, counters), registers)
            if mask is not None:
                value = torch.where(mask, value, from_bits(accumulator.init, accumulator.dtype))
            flat = self._flat(value, extents)
            flat = flat.expand(*flat.shape[:-1], math.prod(extents[d] for d in self.inner))
            state.append(fold.run(flat, runs))
        return [value.expand([extents[d] for d in self.parallel]) for value in state]

    def _pairs(self) -> Instruction | None:
        """The `insert_sorted` that is all that the body does with its two accumulators, if it is."""
        inserts = [i for i in self.body if i.opcode.name == "insert_sorted"]
        if len(inserts) != 1 or len(self.unit.accumulators) != 2:
            return None
        first = inserts[0].destination.number
        new_lists = {n: Operand(Kind.REGISTER, first + n) for n in range(2)}
        free = not any(s.kind is Kind.REGISTER and s.number in self.tainted for s in inserts[0].sources[:2])
        moves = len(self.body) - len(self.independent) - 1
        return inserts[0] if free and moves == 2 and _updates(self.body)[1] == new_lists else None

    def _largest(
        self,
        insert: Instruction,
        inputs: Sequence[torch.Tensor],
        counters: Sequence[torch.Tensor],
        extents: Sequence[int],
    ) -> State:
        """The sorted lists of one run."""
        registers: dict[Operand, torch.Tensor] = {}
        self._evaluate(self.independent, Sources(inputs, counters), registers)
        shape = [extents[d] for d in (*self.parallel, *self.inner)]
        full = (*shape[: len(self.parallel)], math.prod(shape[len(self.parallel) :]))
        value, index = (
            self._flat(self._source(source, accumulator.dtype, Sources(inputs, counters), registers), extents)
            .to(TORCH_DTYPES[accumulator.dtype])
            .expand(full)
            for source, accumulator in zip(insert.sources[:2], self.unit.accumulators, strict=True)
        )
        count = self.unit.accumulators[0].length
        pairs = primitives.largest_pairs(value, index, count)
        return [part.squeeze(-1) if count == 1 else part for part in pairs]

    # -- scans -------------------------------------------------------------------------------------------------------

    def _scan(
        self,
        inputs: Sequence[torch.Tensor],
        counters: Sequence[torch.Tensor],
        extents: Sequence[int],
        mask: torch.Tensor | None,
    ) -> list[PortValue]:
        """Steps along the sequential dimensions in row-major order, every parallel point at once."""
        sources = Sources([self._flat(v, extents) for v in inputs], [self._flat(c, extents) for c in counters])
        inside = None if mask is None else self._flat(mask, extents)
        shape = [extents[d] for d in self.parallel]
        steps = [extents[d] for d in self.inner]
        state = self._initial(shape)
        rows: dict[int, list[torch.Tensor]] = {}
        for step in range(math.prod(steps)):
            now = sources.at(step, state)
            for port, value in self._evaluate(self.body, now)[0].items():
                rows.setdefault(port, []).append(value.expand(shape))
            state = self._step(now, state, inside, step)
        back = [(self.parallel + self.inner).index(d) for d in range(len(extents))]
        per_step = {
            port: torch.stack(values, -1).reshape(*shape, *steps).permute(back) for port, values in rows.items()
        }
        results = self._results(per_step, self._final(inputs, counters, state))
        return [PortValue(v.data, mask if port in per_step else None) for port, v in enumerate(results)]

    # -- instructions ------------------------------------------------------------------------------------------------

    def _evaluate(
        self,
        program: Sequence[Instruction],
        sources: Sources,
        registers: dict[Operand, torch.Tensor] | None = None,
    ) -> tuple[dict[int, torch.Tensor], dict[int, torch.Tensor]]:
        """Runs a program: (what it wrote to output ports, to accumulators), by number."""
        registers = {} if registers is None else registers
        outputs: dict[int, torch.Tensor] = {}
        updates: dict[int, torch.Tensor] = {}
        for instruction in program:
            name, dtype = instruction.opcode.name, instruction.dtype
            operands = [
                self._source(s, _source_dtype(instruction, position), sources, registers)
                for position, s in enumerate(instruction.sources)
            ]
            target = instruction.destination
            if name == "insert_sorted":
                number = instruction.sources[2].number
                lists = [operands[2], sources.accumulators[number + 1]]
                single = self.unit.accumulators[number].length == 1  # a list of one has no axis of its own
                lists = [x.unsqueeze(-1) for x in lists] if single else lists
                for offset, new_list in enumerate(primitives.insert_sorted(*operands[:2], *lists)):
                    contents = new_list.squeeze(-1) if single else new_list
                    registers[Operand(Kind.REGISTER, target.number + offset)] = contents
                continue
            value = primitives.apply(name, dtype, operands)
            if target.kind is Kind.OUTPUT:
                outputs[target.number] = value
            elif target.kind is Kind.ACCUMULATOR:
                updates[target.number] = value
            else:
                registers[target] = value
        return outputs, updates

    def _source(
        self, operand: Operand, dtype: str, sources: Sources, registers: Mapping[Operand, torch.Tensor]
    ) -> torch.Tensor:
        match operand.kind:
            case Kind.REGISTER:
                return registers[operand]
            case Kind.CONSTANT:
                return from_bits(self.constants[operand.number], dtype)
            case Kind.INPUT | Kind.COUNTER:
                value = (sources.inputs if operand.kind is Kind.INPUT else sources.counters)[operand.number]
                if value is None:
                    raise InputError(f"{operand} has no single value at an output point of a reduction")
                return value
            case Kind.ACCUMULATOR:
                return sources.accumulators[operand.number]
            case _:
                return sources.others[operand.number]


class Fold(NamedTuple):
    """A whole reduction in torch: which accumulators it is exact for, and how it runs on (..., k)."""

    takes: Callable[[str, int], bool]
    run: Callable[[torch.Tensor, list[tuple[int, int]]], torch.Tensor]


Runs = list[tuple[int, int]]


def _starts_at(bits: int | None, number: float, dtype: str) -> Callable[[str, int], bool]:
    """Is the accumulator of this dtype, and does it start at this number (or these bits)?"""
    return lambda kind, init: (
        kind == dtype and (init == bits if bits is not None else bool(from_bits(init, kind) == number))
    )


def _is_zero_integer(dtype: str, init: int) -> bool:
    return init == 0 and dtype in ("i32", "i64")


def _largest(value: torch.Tensor, runs: Runs) -> torch.Tensor:
    return value.amax(-1)


def _smallest(value: torch.Tensor, runs: Runs) -> torch.Tensor:
    return value.amin(-1)


def _integer_sum(value: torch.Tensor, runs: Runs) -> torch.Tensor:
    return value.sum(-1, dtype=value.dtype)


_FOLDS: Mapping[str, Fold] = {
    "add": Fold(_starts_at(0, 0.0, "f32"), strict_sum),
    "max": Fold(_starts_at(None, -math.inf, "f32"), _largest),
    "min": Fold(_starts_at(None, math.inf, "f32"), _smallest),
    "addi": Fold(_is_zero_integer, _integer_sum),
}


def _updates(program: Sequence[Instruction]) -> tuple[dict[int, Instruction], dict[int, Operand]]:
    """The instruction that makes each register, and what each accumulator that is written becomes. A program writes its
    accumulators by moves; another way of writing one is no entry."""
    makers = {i.destination.number: i for i in program if i.destination.kind is Kind.REGISTER}
    moves = (i for i in program if i.destination.kind is Kind.ACCUMULATOR and i.opcode.name == "mov")
    return makers, {i.destination.number: i.sources[0] for i in moves}


def _made(value: Operand | None, makers: Mapping[int, Instruction]) -> Instruction | None:
    return makers.get(value.number) if value is not None and value.kind is Kind.REGISTER else None


def _renamed(program: list[Instruction]) -> list[Instruction]:
    """The program with every register written once, so that a register's number names its definition."""
    names: dict[int, int] = {}
    renamed: list[Instruction] = []
    fresh = 0
    for instruction in program:
        sources = tuple(
            Operand(Kind.REGISTER, names[s.number]) if s.kind is Kind.REGISTER else s for s in instruction.sources
        )
        target = instruction.destination
        if target.kind is Kind.REGISTER:
            for offset in range(results(instruction)):
                names[target.number + offset] = fresh + offset
            target = Operand(Kind.REGISTER, fresh)
            fresh += results(instruction)
        renamed.append(replace(instruction, destination=target, sources=sources))
    return renamed


def _tainted(program: list[Instruction]) -> set[int]:
    """The registers whose value depends on an accumulator."""
    tainted: set[int] = set()
    for instruction in program:
        reads = any(
            s.kind is Kind.ACCUMULATOR or (s.kind is Kind.REGISTER and s.number in tainted) for s in instruction.sources
        )
        if reads and instruction.destination.kind is Kind.REGISTER:
            first = instruction.destination.number
            tainted.update(range(first, first + results(instruction)))
    return tainted


def _source_dtype(instruction: Instruction, position: int) -> str:
    """The type that an instruction gives a constant source."""
    if instruction.opcode.name == "select" and position == 0:
        return "i1"
    return instruction.dtype


def _plain_input(operand: Operand, makers: Mapping[int, Instruction]) -> Operand | None:
    """The input port that an operand is, seen through moves and extensions (exact); None otherwise."""
    while operand.kind is Kind.REGISTER and makers[operand.number].opcode.name in ("mov", "extf"):
        operand = makers[operand.number].sources[0]
    return operand if operand.kind is Kind.INPUT else None


def _unit_vector(position: int, length: int) -> list[int]:
    return [int(d == position) for d in range(length)]


def _parts(extent: int, count: int) -> list[tuple[int, int]]:
    if extent % count:
        raise InputError(f"a reduction of {extent} cannot be split in {count} equal parts")
    size = extent // count
    return [(start, start + size) for start in range(0, extent, size)] if extent else [(0, 0)]


def _narrow(value: torch.Tensor, origin: Sequence[int], size: Sequence[int]) -> torch.Tensor:
    """The box of a compact value."""
    window = tuple(slice(o, o + s) if n > 1 else slice(None) for o, s, n in zip(origin, size, value.shape, strict=True))
    return value[window]


def _equal_runs(runs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Neighbouring runs of one length, grouped."""
    return [list(group) for _, group in itertools.groupby(runs, key=lambda run: run[1] - run[0])]
