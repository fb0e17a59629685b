"""Stages with accumulators: folds over reduction dimensions and scans along a sequential one.

The numeric contract of a fold: the flattened reduction space is cut at absolute multiples of 128; each block folds
ascending from the initial values; blocks merge in ascending order by `combine`; the parts of a split merge as a
balanced binary tree of neighbours. A fold without a `combine` is one run, ascending.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, product, zip_longest
from math import prod

import torch

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.analysis import multiply_accumulate
from sambaflow.errors import InputError
from sambaflow.sim.functional import primitives
from sambaflow.sim.functional.contract import blocks, contract, fused_multiply_add
from sambaflow.sim.reference.kernel_access import Box, inside
from sambaflow.sim.reference.kernel_body import Environment, Place, Program, evaluate, lookup, tensor_of
from sambaflow.sim.reference.kernel_execution import Execution, boxes

Tensor = torch.Tensor
State = list[Tensor]
Run = tuple[int, int]


class Accumulating:
    """What folds and scans share: the body cut in what depends on accumulators and what does not; `finish`."""

    def __init__(self, execution: Execution):
        self.execution = execution
        self.stage = execution.stage
        self.folded = self.stage.domain.data.dims("reduction", "sequential")
        self.parallel = self.stage.domain.data.dims("parallel")
        self.inits = [tensor_of(init) for init in self.stage.init_constants]
        self.program = Program(self.stage.body.block)
        self.accumulators = self.program.arguments[len(execution.inputs) :]
        self.free, self.bound = self.program.depending(self.accumulators)
        defined = {result for step in self.bound for result in step.results} | set(self.accumulators)
        needed = [*(operand for step in self.bound for operand in step.operands), *self.program.yielded]
        self.crossing = [value for value in dict.fromkeys(needed) if value not in defined]

    def crossing_values(self, box: Box, operands: Sequence[Tensor]) -> Environment:
        """The values over a box that the accumulating part of the body reads."""
        place = self.execution.place(box)
        environment: Environment = dict(zip(self.program.arguments, operands, strict=False))
        evaluate(self.free, place, environment)
        return {value: lookup(value, environment, place) for value in self.crossing}

    def finish(self, state: State, box: Box) -> None:
        """Write the results that are made once per output point; `state` has size 1 along folded dimensions."""
        box = box.first(self.folded)
        steps = self.stage.step_results
        values = state
        if self.stage.finish.blocks.first is not None:
            program = Program(self.stage.finish.block)
            symbols = self.execution.symbols(box) if self.stage.bound_inputs else []
            unused = torch.zeros(())
            operands = [
                self.execution.read(i, box, symbols) if argument.first_use is not None else unused
                for i, argument in enumerate(program.arguments[: len(self.execution.inputs)])
            ]
            values = program.run(self.execution.place(box), [*operands, *state])
        for number, value in enumerate(values[: len(self.stage.results) - steps], steps):
            value = value.reshape((1,) * len(box.sizes)) if value.dim() == 0 else value
            self.execution.write(number, value, box, (), None)

    def initial(self, shape: Sequence[int]) -> State:
        """The initial values over `shape`, with the axes of block accumulators behind."""
        return [init.expand((*shape, *init.shape)) for init in self.inits]


def masked(mask: Tensor | None, new: State, old: State) -> State:
    """New values where the mask holds."""
    if mask is None:
        return new
    return [
        torch.where(mask.reshape((*mask.shape, *(1,) * (o.dim() - mask.dim()))), n, o)
        for n, o in zip(new, old, strict=True)
    ]


class Fold(Accumulating):
    """contract and reduce."""

    def __init__(self, execution: Execution):
        super().__init__(execution)
        stage = self.stage
        self.combine = Program(stage.combine.block) if stage.combine.blocks.first is not None else None
        self.insert = self._insert()
        self.factors = multiply_accumulate(stage) if isinstance(stage, kernel.ContractOp) else None
        self.space = [stage.extents[d] for d in self.folded]

    def _insert(self) -> kernel.InsertSortedOp | None:
        """The insertion into sorted lists that is all that the body does with its accumulators, if it is."""
        insertion = self.program.yielded[0].owner
        alone = isinstance(insertion, kernel.InsertSortedOp) and self.program.yielded == tuple(insertion.results)
        return insertion if isinstance(insertion, kernel.InsertSortedOp) and alone and len(self.bound) == 1 else None

    def run(self) -> None:
        """Fold every part of every tile, merge the parts, finish."""
        totals: dict[tuple[int, ...], list[State]] = {}
        places: dict[tuple[int, ...], Box] = {}
        for ranges in self._parts():
            part: dict[tuple[int, ...], State] = {}
            for box in self._tiles(ranges):
                key = tuple(box.starts[d] for d in self.parallel)
                part[key] = self._fold(box, part.get(key))
                places[key] = box
            for key, state in part.items():
                totals.setdefault(key, []).append(state)
        for key, states in totals.items():
            state = self._tree(states)
            for d in self.folded:
                state = [value.unsqueeze(d) for value in state]
            self.finish(state, places[key])

    def _parts(self) -> Iterator[list[Run]]:
        """The parts of the split, row-major, as (start, end) per reduction dimension."""
        sizes = [self.stage.extents[d] // self.stage.splits[d] for d in self.folded]
        counts = [range(self.stage.splits[d]) for d in self.folded]
        for numbers in product(*counts):
            yield [(n * size, (n + 1) * size) for n, size in zip(numbers, sizes, strict=True)]

    def _tiles(self, part: Sequence[Run]) -> Iterator[Box]:
        """The tiles of one part in the order of the mapping."""
        extents, starts = list(self.stage.extents), [0] * self.stage.rank
        for d, (start, end) in zip(self.folded, part, strict=True):
            extents[d], starts[d] = end - start, start
        mapping = self.stage.tiling if self.execution.tiled else None
        if mapping is None:
            yield Box(tuple(starts), tuple(extents))
            return
        tile = list(mapping.tile)
        for d in self.folded:
            if self.combine is None:
                tile[d] = extents[d]  # one run
            elif self.stage.splits[d] > 1:
                tile[d] = min(tile[d] // mapping.par[d], extents[d])
        for box in boxes(extents, tile, mapping.order):
            yield Box(tuple(s + o for s, o in zip(starts, box.starts, strict=True)), box.sizes)

    def _tree(self, states: list[State]) -> State:
        while len(states) > 1:
            states = [a if b is None else self._merge(a, b) for a, b in zip_longest(states[::2], states[1::2])]
        return states[0]

    def _merge(self, a: State, b: State) -> State:
        if self.combine is None:
            raise error_at(self.stage, "is split, but nothing says how partial results combine", InputError)
        return self.combine.run(Place(Box.whole(())), [*a, *b])

    def _fold(self, box: Box, state: State | None) -> State:
        """The accumulators over the parallel dimensions after a box of the reduction space; `state`: those before."""
        symbols = self.execution.symbols(box)
        mask = inside(self.stage.predicate, box, symbols)
        operands = self.execution.read_all(box, symbols)
        ranges = [(box.starts[d], box.starts[d] + box.sizes[d]) for d in self.folded]
        runs = blocks(self.space, ranges)
        if self.factors is not None and (products := self._products(box, operands, mask, runs, state)) is not None:
            return products
        flat = {value: self._flat(tensor, box) for value, tensor in self.crossing_values(box, operands).items()}
        if self.factors is not None:
            flat |= {
                argument: self._flat(x, box) for argument, x in zip(self.program.arguments, operands, strict=False)
            }
        inner = None if mask is None else self._flat(mask, box)
        if self.insert is not None and mask is None and self.inits[0].shape[0] <= runs[-1][1]:
            return self._largest(self.insert, flat, [*(box.sizes[d] for d in self.parallel), runs[-1][1]])
        if self.combine is None:
            return self._run_all(flat, inner, [(0, runs[-1][1])], box, state)[0]
        for _, group in groupby(runs, key=lambda run: run[1] - run[0]):
            for block in self._run_all(flat, inner, list(group), box, None):
                state = block if state is None else self._merge(state, block)
        return state if state is not None else self.initial([box.sizes[d] for d in self.parallel])

    def _largest(self, insert: kernel.InsertSortedOp, flat: Environment, shape: Sequence[int]) -> State:
        """The sorted lists of one run."""
        value, index = (flat[source].expand(shape) for source in (insert.value, insert.index))
        return list(primitives.largest_pairs(value, index, self.inits[0].shape[0]))

    def _products(
        self, box: Box, operands: Sequence[Tensor], mask: Tensor | None, runs: Sequence[Run], state: State | None
    ) -> State | None:
        """A contraction by matrix products; None when a mask meets values that are not finite."""
        assert_factors = self.factors or (0, 0)
        a, b = (operands[i] for i in assert_factors)
        if mask is not None:
            if not bool(torch.isfinite(b).all()):
                return None
            a = torch.where(mask, a, torch.zeros((), dtype=a.dtype))
        shape = [box.sizes[d] for d in self.parallel]
        groups = [list(runs)] if state is None else [[run] for run in runs]
        for group in groups:
            total = contract(a, b, self.parallel, self.folded, group, box.sizes).expand(shape)
            state = [total] if state is None else [torch.add(state[0], total)]
        return state

    def _flat(self, value: Tensor, box: Box) -> Tensor:
        """[parallel dims, flattened reduction, block axes] of a compact value; the flattened axis is 1 or all of it."""
        if value.dim() == 0:
            return value
        rank = self.stage.rank
        trailing = range(rank, value.dim())
        value = value.permute(*self.parallel, *self.folded, *trailing)
        count, depth = len(self.parallel), len(self.folded)
        outer, inner, block = value.shape[:count], value.shape[count : count + depth], value.shape[count + depth :]
        if prod(inner) == 1:
            return value.reshape(*outer, 1, *block)
        sizes = [box.sizes[d] for d in self.folded]
        return value.expand(*outer, *sizes, *block).reshape(*outer, prod(sizes), *block)

    def _run_all(
        self, flat: Environment, mask: Tensor | None, runs: Sequence[Run], box: Box, state: State | None
    ) -> list[State]:
        """Fold runs of one length side by side; the accumulators of each."""
        axis = len(self.parallel)
        start, end, count = runs[0][0], runs[-1][1], len(runs)

        def cut(value: Tensor) -> Tensor:
            if value.dim() == 0 or value.shape[axis] == 1:
                return value if value.dim() == 0 else value.unsqueeze(axis)
            return value.narrow(axis, start, end - start).unflatten(axis, (count, -1))

        def at(value: Tensor, step: int) -> Tensor:
            if value.dim() == 0:
                return value
            return value.select(axis + 1, step if value.shape[axis + 1] > 1 else 0)

        values = {key: cut(value) for key, value in flat.items()}
        inner = None if mask is None else cut(mask)
        shape = [box.sizes[d] for d in self.parallel]
        current = self.initial([*shape, count]) if state is None else [value.unsqueeze(axis) for value in state]
        place = self.execution.place(box)
        for step in range((end - start) // count):
            environment = {key: at(value, step) for key, value in values.items()}
            environment |= dict(zip(self.accumulators, current, strict=True))
            new = self._step(environment, place)
            current = masked(None if inner is None else at(inner, step), new, current)
        return [[value.select(axis, number) for value in current] for number in range(count)]

    def _step(self, environment: Environment, place: Place) -> State:
        if self.factors is not None:
            a, b = (environment[self.program.arguments[i]].float() for i in self.factors)
            return [fused_multiply_add(a, b, environment[self.accumulators[0]])]
        evaluate(self.bound, place, environment)
        return self.program.values(environment, place)


class Scan(Accumulating):
    """A scan over elements: all parallel points advance together."""

    def run(self) -> None:
        """Carry the accumulators of every parallel tile along the sequential dimension."""
        (dim,) = self.stage.domain.data.dims("sequential")
        states: dict[tuple[int, ...], State] = {}
        places: dict[tuple[int, ...], Box] = {}
        for box in self.execution.tiles():
            key = tuple(box.starts[d] for d in self.parallel)
            shape = [1 if d == dim else size for d, size in enumerate(box.sizes)]
            states[key] = self._advance(box, dim, states.get(key) or self.initial(shape))
            places[key] = box
        for key, state in states.items():
            self.finish(state, places[key])

    def _advance(self, box: Box, dim: int, state: State) -> State:
        symbols = self.execution.symbols(box)
        mask = inside(self.stage.predicate, box, symbols)
        values = self.crossing_values(box, self.execution.read_all(box, symbols))
        place = self.execution.place(box)
        rows: list[State] = []

        def at(value: Tensor, step: int) -> Tensor:
            if value.dim() == 0:
                return value
            return value.narrow(dim, step if value.shape[dim] > 1 else 0, 1)

        for step in range(box.sizes[dim]):
            environment = {key: at(value, step) for key, value in values.items()}
            environment |= dict(zip(self.accumulators, state, strict=True))
            evaluate(self.bound, place, environment)
            yielded = self.program.values(environment, place)
            state = masked(None if mask is None else at(mask, step), yielded[: len(state)], state)
            rows.append(yielded[len(state) :])
        for number, steps in enumerate(zip(*rows, strict=True)):
            self.execution.write(number, torch.cat([s.expand_as(steps[0]) for s in steps], dim), box, symbols, mask)
        return state


class BlockScan(Accumulating):
    """A scan whose body holds stages: point by point, each step runs the DAG on blocks."""

    def run(self) -> None:
        """Carry the accumulators of every parallel point along the sequential dimension."""
        states: dict[tuple[int, ...], State] = {}
        for tile in self.execution.tiles():
            for starts in product(*(range(s, s + n) for s, n in zip(tile.starts, tile.sizes, strict=True))):
                key = tuple(starts[d] for d in self.parallel)
                states[key] = self._advance(Box(starts, (1,) * len(starts)), states.get(key) or list(self.inits))
        for key, state in states.items():
            starts = [0] * self.stage.rank
            for d, start in zip(self.parallel, key, strict=True):
                starts[d] = start
            self._finish_point(state, Box(tuple(starts), (1,) * self.stage.rank))

    def _place(self, box: Box) -> Place:
        return Place(box, self.execution.chip, self.execution.outer, self.execution.run_stage, point=True)

    def _operand(self, i: int, box: Box, symbols: Sequence[Tensor]) -> Tensor:
        return self.execution.read(i, box, symbols).reshape(self.stage.input_blocks[i])

    def _advance(self, box: Box, state: State) -> State:
        symbols = self.execution.symbols(box)
        mask = inside(self.stage.predicate, box, symbols)
        if mask is not None and not bool(mask.all()):
            return state
        operands = [self._operand(i, box, symbols) for i in range(len(self.execution.inputs))]
        yielded = self.program.run(self._place(box), [*operands, *state])
        self._write(yielded[len(state) :], 0, box)
        return yielded[: len(state)]

    def _finish_point(self, state: State, box: Box) -> None:
        if self.stage.finish.blocks.first is None:
            self._write(state[: len(self.stage.results) - self.stage.step_results], self.stage.step_results, box)
            return
        program = Program(self.stage.finish.block)
        symbols = self.execution.symbols(box)
        unused = torch.zeros(())
        operands = [
            self._operand(i, box, symbols) if argument.first_use is not None else unused
            for i, argument in enumerate(program.arguments[: len(self.execution.inputs)])
        ]
        self._write(program.run(self._place(box), [*operands, *state]), self.stage.step_results, box)

    def _write(self, values: Sequence[Tensor], first: int, box: Box) -> None:
        for number, value in enumerate(values, first):
            self.execution.write(number, value.reshape((*box.sizes, *value.shape)), box, (), None)
