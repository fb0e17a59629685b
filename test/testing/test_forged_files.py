"""A spoiled machine or rule file is refused with a diagnostic, or used in bounds; `make fuzz` tries thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from sambaflow.testing.forged_files import KINDS, tried

MUTANTS = 120
"""60 of each: machine files and rule files."""


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_a_file_that_is_not_spoiled_is_used(kind: int, tmp_path: Path):
    make, use = KINDS[kind]
    (tmp_path / "file.yaml").write_text(make())
    use(str(tmp_path / "file.yaml"))


def test_spoiled_files_are_refused_or_used():
    outcomes = dict(map(tried, range(MUTANTS)))
    assert {seed: outcome for seed, outcome in outcomes.items() if outcome.kind not in ("refused", "used")} == {}
    assert {outcome.kind for outcome in outcomes.values()} == {"refused", "used"}
