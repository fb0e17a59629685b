"""Functions of many tasks in processes of their own, each within its time: what hangs or dies is an outcome."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any, TypeVar

from sambaflow.testing.coverage.outcomes import Outcome

TaskT = TypeVar("TaskT")

PATIENCE = 5
"""How many times the processor time of a task it may take by the clock, on a machine that does other things too."""


def run(
    function: Callable[[TaskT], Outcome | None], tasks: Sequence[TaskT], processes: int, seconds: float
) -> Iterator[tuple[TaskT, Outcome]]:
    """The outcome of every task, as they come; None from the function is no outcome.

    A task that takes more than `seconds` of processor time, or whose process dies, has crashed.
    """
    waiting = list(reversed(tasks))
    workers = [_Worker(function, seconds) for _ in range(min(processes, len(tasks)))]
    try:
        for worker in workers:
            worker.give(waiting.pop())
        while busy := [worker for worker in workers if worker.task is not None]:
            ready = wait([worker.pipe for worker in busy], timeout=1.0)
            for worker in busy:
                late = time.monotonic() > worker.deadline
                if worker.pipe not in ready and not late:
                    continue
                task, outcome = worker.task, worker.answer(late)
                if outcome is not None:
                    yield task, outcome
                if waiting:
                    worker.give(waiting.pop())
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """One process, started again when it died."""

    def __init__(self, function: Callable[[Any], Outcome | None], seconds: float) -> None:
        self.function, self.seconds = function, seconds
        self.task: Any = None
        self.deadline = 0.0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")  # what was imported need not be imported again
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.function, self.seconds), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, task: Any) -> None:
        self.task, self.deadline = task, time.monotonic() + self.seconds * PATIENCE
        self.pipe.send(task)

    def answer(self, late: bool) -> Outcome | None:
        """What came back; a process that is late or dead is replaced."""
        self.task = None
        try:
            if self.pipe.poll():
                return self.pipe.recv()
        except EOFError:
            late = False
        self.stop()
        code = self.process.exitcode
        self._start()
        return Outcome("crashed", f"no answer in {self.seconds:g} s" if late else f"the process ended with {code}")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, function: Callable[[Any], Outcome | None], seconds: float) -> None:
    """Answers tasks until the other end is closed."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer in {seconds:g} s")

    signal.signal(signal.SIGPROF, stop)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            outcome = function(task)
        except Exception as error:  # the function judges what it runs: this is a fault of the data or of the function
            outcome = Outcome("crashed", f"{type(error).__name__}: {error}"[:300])
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(outcome)
