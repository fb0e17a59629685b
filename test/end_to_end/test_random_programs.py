"""Random small PyTorch programs, each compiled in one mode: what eager PyTorch gives, or refused in words.

`make fuzz` runs as many others as you like.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sambaflow.testing.differential import MODES, compare_with_eager
from sambaflow.testing.torch_programs import Program, torch_programs

PROGRAMS = 60


def test_programs_are_right_or_refused():
    kinds: Counter[str] = Counter()

    # The same programs in every run: others are for `make fuzz` to try, not for an unrelated change.
    @settings(max_examples=PROGRAMS, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(torch_programs(), st.sampled_from(MODES))
    def check(program: Program, mode: str) -> None:
        outcome = compare_with_eager(program, mode)
        kinds[outcome.kind] += 1
        assert not outcome.is_fault, f"{outcome.kind} in {mode}: {outcome.why}"

    check()
    assert kinds["right"] > PROGRAMS // 2
