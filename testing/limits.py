"""Bounds of time and memory for a piece of work, so that a test may say "it ends" of what it was not made for."""

from __future__ import annotations

import resource
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class Exceeded(BaseException):
    """The work took longer than it may. Not an Exception, so that nothing in the work catches it."""


@contextmanager
def limited(seconds: float, more_bytes: int) -> Generator[None]:
    """Let the body take `seconds` and `more_bytes` of address space beyond what this process has; main thread only.

    Raises Exceeded when the time is over. What goes beyond the memory gets a MemoryError, or what its library makes of
    one.
    """

    def ring(number: int, frame: FrameType | None) -> None:
        raise Exceeded(f"no end after {seconds} s")

    memory = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, ring)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + more_bytes, memory[1]))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, memory)
        signal.signal(signal.SIGALRM, before)


def _address_space() -> int:
    """Bytes of address space that this process has taken."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()
