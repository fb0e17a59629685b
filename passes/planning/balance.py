"""Which candidate of every stage: two searches over (PCUs, cycles) Pareto sets under a capacity test.

A choice gives each stage the number of one of its candidates. `fits` says whether a choice fits the machine; it must
hold for a choice that takes fewer units of every stage when it holds for one that takes more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

Choice = Sequence[int]
Fits = Callable[[Choice], bool]

HIGHEST_PRICE = 48
"""log2 of the price of a PCU, in cycles, above which every stage takes its cheapest candidate."""


def least_interval(times: Sequence[Sequence[int]], fits: Fits) -> Choice | None:
    """The fewest units with which every stage meets the least initiation interval that fits; None if nothing fits.

    `times[s]`: cycles that stage s takes with each of its candidates, descending. Exact: the interval is one of the
    times, and units only shrink as it grows, so bisection over the sorted times finds the least one.
    """
    if not times:
        return [] if fits([]) else None
    ascending = [[-time for time in candidates] for candidates in times]
    intervals = sorted({time for candidates in times for time in candidates})

    def choose(interval: int) -> Choice | None:
        choice: list[int] = []
        for candidates in ascending:
            number = bisect_left(candidates, -interval)
            if number == len(candidates):
                return None
            choice.append(number)
        return choice if fits(choice) else None

    low, high = 0, len(intervals)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if choose(intervals[middle]) else (middle + 1, high)
    return choose(intervals[low]) if low < len(intervals) else None


def least_sum(times: Sequence[Sequence[int]], units: Sequence[Sequence[int]], fits: Fits) -> Choice | None:
    """A choice with a small sum of times: every stage minimises its time plus price times its units.

    The price is the smallest power of two at which the choice fits; None if none does.
    """

    def choose(log_price: int) -> Choice | None:
        choice: list[int] = []
        for candidates, taken in zip(times, units, strict=True):
            totals = [time + (unit << log_price) for time, unit in zip(candidates, taken, strict=True)]
            choice.append(totals.index(min(totals)))
        return choice if fits(choice) else None

    low, high = 0, HIGHEST_PRICE
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if choose(middle) else (middle + 1, high)
    return choose(low)
