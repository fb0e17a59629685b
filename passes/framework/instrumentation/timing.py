"""Where the time of a run goes: a tree of timers, in the form of mlir-opt's report.

===-------------------------------------------------------------------------===
                         ... Execution time report ...
===-------------------------------------------------------------------------===
  Total Execution Time: 0.0203 seconds

  ----Wall Time----  ----Name----
    0.0047 ( 23.2%)  Parser
    0.0101 ( 49.8%)  'builtin.module' Pipeline
    0.0101 ( 49.8%)    samba-cse
    0.0055 ( 27.1%)  Rest
    0.0203 (100.0%)  Total
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.errors import SambaError
from sambaflow.passes.framework.manager import Instrumentation, Pipeline

Display = Literal["tree", "list", "json"]

RULE = f"==={'-' * 73}==="


@dataclass
class Timer:
    """Seconds spent under a name, and what of them under which timers inside, by what they time."""

    name: str
    seconds: float = 0.0
    children: dict[Hashable, Timer] = field(default_factory=dict[Hashable, "Timer"])
    started: float = 0.0
    passes: int = 0
    """Passes that have begun in this run of a pipeline: equal passes at two places have two timers."""


class Timing(Instrumentation):
    """Times passes by their place in the pipeline; what runs on several ops, or for several modules, is added up."""

    def __init__(self) -> None:
        self.root = Timer("Total", started=time.perf_counter())
        self._open = [self.root]

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Time a phase outside of passes: parser, verifier, output."""
        self._start(name, name)
        try:
            yield
        finally:
            self._stop()

    def before_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        self._start(id(pipeline), f"'{pipeline.anchor}' Pipeline")

    def after_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        self._stop()

    def before_pass(self, pass_: ModulePass, op: Operation) -> None:
        parent = self._open[-1]
        parent.passes += 1
        self._start((pass_.name, parent.passes), pass_.name)

    def after_pass(self, pass_: ModulePass, op: Operation) -> None:
        self._stop()

    def after_failure(self, pass_: ModulePass, op: Operation, error: SambaError) -> None:
        """Everything that runs ends here."""
        while len(self._open) > 1:
            self._stop()

    def _start(self, key: Hashable, name: str) -> None:
        timer = self._open[-1].children.setdefault(key, Timer(name))
        timer.started, timer.passes = time.perf_counter(), 0
        self._open.append(timer)

    def _stop(self) -> None:
        timer = self._open.pop()
        timer.seconds += time.perf_counter() - timer.started

    def text(self, display: Display = "tree") -> str:
        """The report of all that was timed until now."""
        self.root.seconds = time.perf_counter() - self.root.started
        if display == "json":
            return json.dumps([_as_json(timer, self.root.seconds) for timer in self._rows()], indent=1)
        rows = [(depth, timer) for top in self._rows() for depth, timer in _walk(top)]
        if display == "list":
            rows = [(0, timer) for timer in _merged(timer for _, timer in rows)]
        lines = [
            f"  {timer.seconds:8.4f} ({_percent(timer.seconds, self.root.seconds):5.1f}%)  {'  ' * depth}{timer.name}"
            for depth, timer in rows
        ]
        return "\n".join(
            [
                RULE,
                "... Execution time report ...".center(len(RULE)).rstrip(),
                RULE,
                f"  Total Execution Time: {self.root.seconds:.4f} seconds",
                "",
                "  ----Wall Time----  ----Name----",
                *lines,
            ]
        )

    def _rows(self) -> list[Timer]:
        spent = sum(child.seconds for child in self.root.children.values())
        return [
            *self.root.children.values(),
            Timer("Rest", max(self.root.seconds - spent, 0.0)),
            Timer("Total", self.root.seconds),
        ]


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0


def _walk(timer: Timer, depth: int = 0) -> Iterator[tuple[int, Timer]]:
    yield depth, timer
    for child in timer.children.values():
        yield from _walk(child, depth + 1)


def _merged(timers: Iterator[Timer]) -> list[Timer]:
    """One timer a name, the longest first, the total last."""
    seconds: dict[str, float] = {}
    for timer in timers:
        seconds[timer.name] = seconds.get(timer.name, 0.0) + timer.seconds
    return sorted(
        (Timer(name, total) for name, total in seconds.items()), key=lambda t: (t.name == "Total", -t.seconds)
    )


def _as_json(timer: Timer, total: float) -> dict[str, object]:
    return {
        "wall": {"duration": round(timer.seconds, 6), "percentage": round(_percent(timer.seconds, total), 1)},
        "name": timer.name,
        "passes": [_as_json(child, total) for child in timer.children.values()],
    }
