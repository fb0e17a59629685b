"""Runs of a sequence that repeat with a period: where the layers of a model may be."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

CANDIDATE_PERIODS = 24
"""Periods that are tried: the most frequent distances between equal elements."""

MAX_REPEATS = 8
"""How often an element may stand in one period for its period to be seen from it."""


@dataclass(frozen=True)
class Run:
    """`sequence[start : start + length]` has a period: each element equals the one a period later in it."""

    period: int
    start: int
    length: int

    @property
    def saved(self) -> int:
        """Elements that are there again."""
        return self.length - self.period


def find_runs(sequence: Sequence[int], least_period: int) -> list[Run]:
    """Maximal runs, at least half a period of which repeats, the one that repeats most first.

    Half: what stands in one layer only, because the others share it, breaks a run into two. A period is tried when it
    is among the most frequent distances between an element and one of its next `MAX_REPEATS` equals: in a stack of
    layers an element that a layer has r times lies one period before its r-th next. Linear in the sequence.
    """
    runs = [run for period in _likely_periods(sequence, least_period) for run in _runs_of(sequence, period)]
    return sorted(runs, key=lambda run: (-run.saved, run.period, run.start))


def _likely_periods(sequence: Sequence[int], least: int) -> list[int]:
    seen: dict[int, deque[int]] = {}
    distances: Counter[int] = Counter()
    for position, element in enumerate(sequence):
        earlier = seen.setdefault(element, deque(maxlen=MAX_REPEATS))
        distances.update(position - other for other in earlier)
        earlier.append(position)
    frequent = sorted(distances, key=lambda distance: (-distances[distance], distance))
    return [distance for distance in frequent if distance >= least][:CANDIDATE_PERIODS]


def _runs_of(sequence: Sequence[int], period: int) -> list[Run]:
    runs: list[Run] = []
    start = 0
    for position in range(len(sequence) - period + 1):
        if position < len(sequence) - period and sequence[position] == sequence[position + period]:
            continue
        if 2 * (position - start) >= period:
            runs.append(Run(period, start, position - start + period))
        start = position + 1
    return runs
