"""Runs of a sequence that repeat with a period: where the layers of a model may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

CANDIDATE_PERIODS = 24
"""Periods that are tried: the most frequent distances between equal neighbours."""


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
    is among the most frequent distances between an element and its next equal: in a stack of layers every element but
    those that repeat inside a layer lies one period from its next. Linear in the sequence.
    """
    runs = [run for period in _likely_periods(sequence, least_period) for run in _runs_of(sequence, period)]
    return sorted(runs, key=lambda run: (-run.saved, run.period, run.start))


def _likely_periods(sequence: Sequence[int], least: int) -> list[int]:
    last_seen: dict[int, int] = {}
    distances: Counter[int] = Counter()
    for position, element in enumerate(sequence):
        if element in last_seen:
            distances[position - last_seen[element]] += 1
        last_seen[element] = position
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
