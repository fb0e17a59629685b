"""Tile programs against a loop over single elements: random domains, broadcasts, tiles, splits and predicates.

The loop is the numeric contract read literally: per part of the split, blocks at absolute multiples of 128 fold one
point after another from the initial value, blocks add in order, parts merge as a binary tree of neighbours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow.backends.rdu.image import Accumulator, Pcu, ints, words
from sambaflow.backends.rdu.words import Kind, Operand, encode_word
from sambaflow.sim.functional.program import TileProgram

Number = np.float32
Step = Callable[[Number, list[Number]], Number]

ACC, OTHER, RESULT = Operand(Kind.ACCUMULATOR), Operand(Kind.OTHER), Operand(Kind.REGISTER, 1)
IN0, IN1, TERM = Operand(Kind.INPUT), Operand(Kind.INPUT, 1), Operand(Kind.REGISTER)


@dataclass(frozen=True)
class Body:
    """A fold: its words, its step on single numbers, and how partial results merge (with the words of that)."""

    mode: str
    words: tuple[int, ...]
    init: float
    step: Step
    merge: Callable[[Number, Number], Number]
    combine: tuple[int, ...]


def add(a: Number, b: Number) -> Number:
    return np.float32(a + b)


FOLDED = encode_word("mov", "f32", ACC, [RESULT])
SUMMED = (encode_word("add", "f32", RESULT, [ACC, OTHER]), FOLDED)
BODIES = {
    "dot": Body(
        "systolic",
        (encode_word("mul", "f32", TERM, [IN0, IN1]), encode_word("add", "f32", RESULT, [ACC, TERM]), FOLDED),
        0.0,
        lambda acc, x: add(acc, np.float32(x[0] * x[1])),
        add,
        SUMMED,
    ),
    "rounded squares": Body(
        "reduce",
        (encode_word("mul", "f32", TERM, [IN0, IN0]), encode_word("add", "f32", RESULT, [TERM, ACC]), FOLDED),
        0.0,
        lambda acc, x: add(acc, np.float32(x[0] * x[0])),
        add,
        SUMMED,
    ),
    "sum from one": Body(
        "reduce",
        (encode_word("add", "f32", RESULT, [ACC, IN0]), FOLDED),
        1.0,
        lambda acc, x: add(acc, x[0]),
        add,
        SUMMED,
    ),
    "maximum": Body(
        "reduce",
        (encode_word("sub", "f32", TERM, [IN0, IN1]), encode_word("max", "f32", RESULT, [ACC, TERM]), FOLDED),
        -math.inf,
        lambda acc, x: max(acc, np.float32(x[0] - x[1])),
        max,
        (encode_word("max", "f32", RESULT, [ACC, OTHER]), FOLDED),
    ),
    "sum, the larger of parts": Body(
        "reduce",
        (encode_word("add", "f32", RESULT, [ACC, IN0]), FOLDED),
        0.0,
        lambda acc, x: add(acc, x[0]),
        max,
        (encode_word("max", "f32", RESULT, [ACC, OTHER]), FOLDED),
    ),
}


@dataclass(frozen=True)
class Case:
    body: Body
    extents: tuple[int, ...]
    kinds: tuple[int, ...]
    split: tuple[int, ...]
    tile: tuple[int, ...]
    predicate: tuple[int, ...] | None
    inputs: tuple[torch.Tensor, torch.Tensor]

    def unit(self) -> Pcu:
        rank = len(self.extents)
        rows = [(*self.predicate, 0, 0)] if self.predicate else []
        return Pcu(
            extents=ints(self.extents), mode=self.body.mode, tile=ints(self.tile), par=ints([1] * rank),
            kinds=ints(self.kinds), split=ints(self.split), order=ints(range(rank)),
            predicate=ints(rows, (len(rows), rank + 3)), constants=words(),
            accumulators=[Accumulator(int(np.float32(self.body.init).view(np.uint32)), "f32")],
            body=words(self.body.words), combine=words(self.body.combine), finish=words(),
            inputs=["f32", "f32"], outputs=["f32"],
        )  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rank = draw(st.integers(2, 4))
    kinds = [0, *draw(st.lists(st.integers(0, 1), min_size=rank - 2, max_size=rank - 2)), 1]
    kinds = draw(st.permutations(kinds))
    first = kinds.index(1)  # the outermost reduction dimension may be long, so that there are several blocks
    extents = [draw(st.sampled_from([1, 2, 64, 150])) if d == first else draw(st.integers(1, 4)) for d in range(rank)]
    split = [
        draw(st.sampled_from([p for p in (1, 2, 3, 5) if e % p == 0])) if k else 1
        for e, k in zip(extents, kinds, strict=True)
    ]
    tile = [draw(st.integers(1, e)) if k == 0 else e for e, k in zip(extents, kinds, strict=True)]
    predicate = tuple(draw(st.integers(-2, 2)) for _ in range(rank + 1)) if draw(st.booleans()) else None
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))

    def operand() -> torch.Tensor:
        shape = [e if draw(st.booleans()) else 1 for e in extents]
        return torch.randn(shape, generator=generator).bfloat16().float()  # exact products: fused or not is the same

    body = draw(st.sampled_from(list(BODIES.values())))
    return Case(body, tuple(extents), tuple(kinds), tuple(split), tuple(tile), predicate, (operand(), operand()))


def element_by_element(case: Case) -> torch.Tensor:
    parallel = [d for d, k in enumerate(case.kinds) if k == 0]
    inner = [d for d, k in enumerate(case.kinds) if k == 1]
    operands = [value.expand(case.extents).numpy() for value in case.inputs]
    out = np.empty([case.extents[d] for d in parallel], np.float32)
    for corner in itertools.product(*(range(case.extents[d]) for d in parallel)):
        parts = [
            reduce_part(case, operands, dict(zip(parallel, corner, strict=True)), inner, box)
            for box in boxes(case, inner)
        ]
        while len(parts) > 1:
            parts = [
                case.body.merge(*pair) if len(pair) == 2 else pair[0]
                for pair in (parts[i : i + 2] for i in range(0, len(parts), 2))
            ]
        out[corner] = parts[0]
    return torch.from_numpy(out)


def boxes(case: Case, inner: Sequence[int]) -> list[tuple[range, ...]]:
    def cuts(d: int) -> list[range]:
        size = case.extents[d] // case.split[d]
        return [range(start, start + size) for start in range(0, case.extents[d], size)]

    return list(itertools.product(*(cuts(d) for d in inner)))


def reduce_part(
    case: Case, operands: Sequence[np.ndarray], point: dict[int, int], inner: Sequence[int], box: Sequence[range]
) -> Number:
    total: Number | None = None
    block, number = np.float32(case.body.init), -1
    for position in itertools.product(*box):
        flat = 0
        for d, at in zip(inner, position, strict=True):
            flat = flat * case.extents[d] + at
        if flat // 128 != number:
            if number >= 0:
                total = block if total is None else case.body.merge(total, block)
            block, number = np.float32(case.body.init), flat // 128
        full = {**point, **dict(zip(inner, position, strict=True))}
        place = tuple(full[d] for d in range(len(case.extents)))
        row = case.predicate
        if row is None or row[0] + sum(a * b for a, b in zip(row[1:], place, strict=True)) >= 0:
            block = case.body.step(block, [operand[place] for operand in operands])
    return block if total is None else case.body.merge(total, block)


@settings(max_examples=80, deadline=None)
@given(cases())
def test_reductions(case: Case):
    want = element_by_element(case)
    program = TileProgram(case.unit())
    for tiled in (False, True):
        (got,) = program.run(case.inputs, case.extents, tiled)
        assert torch.equal(got.data.expand(want.shape), want)
