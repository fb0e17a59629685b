"""What a benchmark returns: rows of a value, the reference it stands beside, and the bound that it must keep."""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """A value and a reference in one unit. `bound`: the greatest value allowed; None: nothing is promised."""

    what: str
    value: float
    unit: str
    reference: str
    reference_value: float
    bound: float | None = None

    @property
    def ratio(self) -> float:
        return self.value / self.reference_value

    @property
    def kept(self) -> bool:
        return self.bound is None or self.value <= self.bound

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "kept": self.kept}


def fastest(run: Callable[[], object], times: int = 3) -> float:
    """Wall seconds of the fastest of some runs: what other processes add is left out as far as it can be."""
    seconds: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def in_turn(own: Callable[[], float], other: Callable[[], float], times: int = 3) -> tuple[float, float]:
    """The least of each of two measurements that take turns, A B A B: what slows the machine slows both."""
    pairs = [(own(), other()) for _ in range(times)]
    return min(a for a, _ in pairs), min(b for _, b in pairs)


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU seconds of this process in `run`; what was left before is collected first."""
    gc.collect()
    start = time.process_time()
    run()
    return time.process_time() - start


def cpu_seconds_of_process(command: Sequence[str | Path]) -> float:
    """CPU seconds, user and system, of a process; its output is thrown away."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_child(module: str, *arguments: str) -> dict[str, Any]:
    """What `python -m MODULE ARGUMENTS` prints on its last line as JSON: a process with its own peak of memory."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])
