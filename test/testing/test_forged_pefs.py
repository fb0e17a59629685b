"""A forged PEF is refused when it is decoded, or runs and is timed in bounds; `make fuzz` tries thousands."""

from __future__ import annotations

import pytest

from sambaflow.testing.forged_pefs import forged, original, outcome_of

MUTANTS = 100


@pytest.mark.parametrize("number", range(2))
def test_what_was_compiled_runs(number: int):
    assert outcome_of(original(number)).kind == "ran"


def test_forged_pefs_are_refused_or_run():
    """Of two of the programs: a model of sums and products, and one of look-ups, sorted lists and state."""
    outcomes = {seed: outcome_of(forged(seed, programs=2)) for seed in range(MUTANTS)}
    assert {seed: outcome for seed, outcome in outcomes.items() if outcome.kind not in ("refused", "ran")} == {}
    assert {outcome.kind for outcome in outcomes.values()} == {"refused", "ran"}
