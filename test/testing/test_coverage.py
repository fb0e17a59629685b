"""The coverage commands judge what becomes of a program, whatever becomes of its process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sambaflow.errors import InputError, InternalError, UnsupportedOperator, UnsupportedOperators
from sambaflow.testing.coverage import workers
from sambaflow.testing.coverage.operators import main
from sambaflow.testing.coverage.outcomes import Outcome, judged, report


def raising(error: Exception) -> str:
    raise error


def test_refusals_are_no_crashes_and_other_exceptions_are() -> None:
    assert judged(lambda: "") == Outcome("right")
    assert judged(lambda: "1 instead of 2") == Outcome("wrong", "1 instead of 2")
    assert judged(lambda: raising(InputError("is too long"))).kind == "refused"
    missing = UnsupportedOperators([UnsupportedOperator("aten.kthvalue", 1)])
    assert judged(lambda: raising(missing)) == Outcome("refused", "no aten.kthvalue")
    assert judged(lambda: raising(InternalError("failed"))).kind == "crashed"
    assert judged(lambda: raising(KeyError("x"))).kind == "crashed"


def become(task: str) -> Outcome | None:
    if task == "dies":
        os._exit(3)
    while task == "hangs":
        time.process_time()
    return None if task == "is none" else Outcome("right")


def test_what_hangs_or_dies_is_an_outcome_and_the_others_go_on() -> None:
    outcomes = dict(workers.run(become, ["hangs", "dies", "is none", "is right"], processes=2, seconds=0.3))
    assert outcomes["hangs"].kind == "crashed" and "no answer in 0.3 s" in outcomes["hangs"].reason
    assert outcomes["dies"] == Outcome("crashed", "the process ended with 3")
    assert outcomes["is right"] == Outcome("right")
    assert "is none" not in outcomes


def test_faults_make_the_exit_code(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "outcomes.json"
    assert report("programs", {"a": Outcome("right"), "b": Outcome("refused", "no aten.x")}, str(file)) == 0
    assert report("programs", {"a": Outcome("wrong", "1 instead of 2")}) == 1
    assert '"reason": "no aten.x"' in file.read_text()
    assert "N instead of N" in capsys.readouterr().out


def test_samples_of_pytorchs_operator_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "clamp_min", "--samples", "2", "--processes", "1"]) == 0
    assert "right" in capsys.readouterr().out
