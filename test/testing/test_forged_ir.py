"""Forged IR is refused when it is read, or prints, reads back and compiles in bounds; `make fuzz` tries thousands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from sambaflow.testing.forged_ir import LEVELS, Forged, forged, outcome_of
from sambaflow.testing.ir_corpus import Piece, lowered

MUTANTS = 64


@cache
def pieces() -> Sequence[Piece]:
    """A linear layer and its activation, from the operators to the placed program."""
    return lowered("examples/linear_relu.mlir")


@pytest.mark.parametrize("level", LEVELS)
def test_what_was_not_altered_becomes_a_pef(level: str):
    texts = [piece.text for piece in pieces() if piece.level == level]
    assert outcome_of(Forged(level, "o1", texts[-1])).kind == "done"


def test_forged_ir_is_refused_or_compiles():
    outcomes = {seed: outcome_of(forged(seed, pieces())) for seed in range(MUTANTS)}
    assert {seed: outcome for seed, outcome in outcomes.items() if outcome.kind == "fault"} == {}
    assert {outcome.kind for outcome in outcomes.values()} >= {"refused", "done"}
