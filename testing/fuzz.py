"""Many random PyTorch programs against eager PyTorch: `make fuzz`, or

    python -m sambaflow.testing.fuzz --programs 5000 --seed 0 --jobs 2

Program number n of a seed is always the same one (`torch_program`), and so is its mode. Prints how many programs were
right, refused, wrong and crashed, why programs were refused, and every fault as the smallest program that still has it.
The exit code is 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from types import FrameType

import torch

from sambaflow.testing.differential import MODES, Outcome, compare_with_eager
from sambaflow.testing.torch_programs import Program, torch_program

SEED_STEP = 1_000_000
"""Programs of one seed."""
SECONDS = 120
"""A program that takes longer hangs."""


@dataclass(frozen=True)
class Run:
    """One program's outcome; `text` shows a fault."""

    number: int
    mode: str
    outcome: Outcome
    text: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sambaflow.testing.fuzz", description="random PyTorch programs against eager PyTorch"
    )
    parser.add_argument("--programs", type=int, default=5000, help="how many (default: 5000)")
    parser.add_argument("--seed", type=int, default=0, help="which (default: 0)")
    parser.add_argument("--first", type=int, default=0, help="number of the first program (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    numbers = range(options.first, options.first + options.programs)
    seeds = [options.seed * SEED_STEP + number for number in numbers]
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    # a process is replaced after 400 programs; concurrent.futures hangs where it should do that (CPython issue 115634)
    with get_context("spawn").Pool(options.jobs, maxtasksperchild=100) as pool:
        for done, run in enumerate(pool.imap(tried, seeds, chunksize=4), 1):
            kinds[run.outcome.kind] += 1
            if run.outcome.kind == "refused":
                reasons[_reason(run.outcome.why)] += 1
            if run.outcome.is_fault:
                print(f"-- {run.number} in {run.mode}, {run.outcome.kind}: {run.outcome.why}\n{run.text}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{done} of {len(seeds)}", end="", file=sys.stderr)
    for reason, count in reasons.most_common():
        print(f"{count:6} refused: {reason}")
    print(", ".join(f"{kinds[kind]} {kind}" for kind in ("right", "refused", "wrong", "crashed")))
    return int(kinds["wrong"] + kinds["crashed"] > 0)


def _reason(why: str) -> str:
    """A refusal without its place: `Error: unsupported operator aten.x` of `Error: file.py:3: ...`."""
    lines = why.splitlines()
    operators = sorted({line.split(":")[0].strip() for line in lines[1:] if line.lstrip().startswith("aten.")})
    return ", ".join(operators) or lines[0].split(".py:")[-1][:120]


def tried(seed: int) -> Run:
    """The program of a seed in its mode, made smaller while it shows the same fault."""
    torch.set_num_threads(1)
    mode = MODES[seed % len(MODES)]
    program = torch_program(seed)
    outcome = bounded(program, mode)
    if not outcome.is_fault:
        return Run(seed, mode, outcome)
    return Run(seed, mode, outcome, str(smallest(program, mode, outcome)))


def smallest(program: Program, mode: str, outcome: Outcome) -> Program:
    """The program without every statement that its fault does not need."""
    for number in reversed(range(len(program.body))):
        shorter = replace(program, body=(*program.body[:number], *program.body[number + 1 :]))
        if _runs(shorter) and _kind(bounded(shorter, mode)) == _kind(outcome):
            program = shorter
    return program


def _kind(outcome: Outcome) -> str:
    """A fault's kind, and of an exception its class."""
    return outcome.kind if outcome.kind == "wrong" else outcome.why.split(":")[0]


def _runs(program: Program) -> bool:
    """Whether PyTorch takes the program."""
    args, kwargs = program.calls()[0]
    try:
        with torch.no_grad():
            program.module()(*args, **kwargs)
    except Exception:
        return False
    return True


def bounded(program: Program, mode: str) -> Outcome:
    """The outcome; "crashed" for a program that takes too long."""
    try:
        with _alarm(SECONDS):
            return compare_with_eager(program, mode)
    except _TooLong:
        return Outcome("crashed", f"TimeoutError: no answer in {SECONDS} s")


class _TooLong(BaseException):
    """Not an Exception: nothing that a program passes through catches it."""


@contextmanager
def _alarm(seconds: int) -> Generator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    sys.exit(main())
