"""Memory: in which tier each symbol of a program is, and at which address."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution
from sambaflow.passes.physical.fitting import lowest, plan, tightest
from sambaflow.passes.physical.tensors import Tensor, Tier, aligned


@dataclass(frozen=True)
class Addresses:
    """Where tensors are: of each the number of its tier and the bytes from the start of that."""

    places: tuple[tuple[int, int], ...]
    facts: tuple[tuple[str, int], ...] = ()
    """What the solver says of its search: names and figures."""


@dataclass(frozen=True)
class MemoryProblem(Problem[Addresses]):
    """The tensors of a program and the tiers of a chip, the fastest first.

    A solution gives each a tier and an address, so that none that are alive together overlap. Which tier is no rule:
    what moves most bytes should be in the fastest.
    """

    kind: ClassVar[str] = "memory"

    tensors: tuple[Tensor, ...]
    tiers: tuple[Tier, ...]
    align: int
    """Addresses are multiples of so many bytes."""

    @classmethod
    def solvers(cls) -> tuple[Solver, ...]:
        return FIRST_FIT, BEST_FIT

    def verify(self, solution: Addresses) -> None:
        """Raise WrongSolution unless tensors lie in their tiers, apart while they live, and what is fixed stays."""
        if len(solution.places) != len(self.tensors):
            raise WrongSolution(f"places {len(solution.places)} tensors, of {len(self.tensors)}")
        for tensor, (tier, address) in zip(self.tensors, solution.places, strict=True):
            if tensor.tier is not None and tier != tensor.tier:
                raise WrongSolution(f"'{tensor.name}' is fixed in {self.tiers[tensor.tier].name}, not in tier {tier}")
            if tensor.address is not None and address != tensor.address:
                raise WrongSolution(f"'{tensor.name}' is fixed at address {tensor.address}, not at {address}")
        for number, why in self.broken(solution.places):
            raise WrongSolution(f"'{self.tensors[number].name}' {why}")

    def broken(self, places: Sequence[tuple[int, int] | None]) -> Iterator[tuple[int, str]]:
        """What stands against the place of a tensor: its number, and why. Tensors without a place are left out.

        With what is fixed alone it says what no solution can keep.
        """
        inside: list[list[int]] = [[] for _ in self.tiers]
        for number, (tensor, place) in enumerate(zip(self.tensors, places, strict=True)):
            if place is None:
                continue
            tier, address = place
            if tier not in range(len(self.tiers)):
                yield number, f"is in tier {tier} of {len(self.tiers)}"
            elif address < 0 or address % self.align:
                yield number, f"is at address {address}, no multiple of {self.align}"
            elif address + tensor.bytes > self.tiers[tier].bytes:
                end, name, limit = address + tensor.bytes, self.tiers[tier].name, self.tiers[tier].bytes
                yield number, f"ends at {end} of {name}, which has {limit} bytes"
            else:
                inside[tier].append(number)
        for numbers in inside:
            yield from self._overlaps(numbers, [place[1] if place else 0 for place in places])

    def _overlaps(self, numbers: Sequence[int], addresses: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Tensors of one tier that overlap another that is alive: what is alive stands in the order of addresses, from
        launch to launch, so that only neighbours are compared."""
        alive: list[tuple[int, int]] = []
        comes = sorted(numbers, key=lambda number: (self.tensors[number].first, number))
        goes = iter(sorted(numbers, key=lambda number: self.tensors[number].last))
        gone, dropped = next(goes, None), set[int]()
        for number in comes:
            while gone is not None and self.tensors[gone].last < self.tensors[number].first:
                if gone not in dropped:
                    del alive[bisect_left(alive, (addresses[gone], gone))]
                gone = next(goes, None)
            start, end = addresses[number], addresses[number] + self.tensors[number].bytes
            at = bisect_left(alive, (start, number))
            for _, other in alive[max(0, at - 1) : at + 1]:
                if addresses[other] < end and start < addresses[other] + self.tensors[other].bytes:
                    dropped.add(number)
                    yield number, f"overlaps '{self.tensors[other].name}', which is alive with it"
                    break
            else:
                insort(alive, (start, number))


def first_fit(problem: MemoryProblem) -> Addresses:
    """Every tensor at the lowest address that is free during its life, the largest first."""
    return Addresses(plan(problem.tensors, problem.tiers, problem.align, lowest))


def best_fit(problem: MemoryProblem) -> Addresses:
    """Every tensor in the smallest space that is free during its life, the largest tensor first."""
    return Addresses(plan(problem.tensors, problem.tiers, problem.align, tightest))


FIRST_FIT = Solver("first-fit", MemoryProblem, first_fit)
BEST_FIT = Solver("best-fit", MemoryProblem, best_fit)


def reach(problem: MemoryProblem, solution: Addresses, tier: int) -> int:
    """The bytes that a plan takes of a tier: the end of the last tensor in it."""
    return max(
        (
            address + aligned(tensor, problem.align)
            for tensor, (number, address) in zip(problem.tensors, solution.places, strict=True)
            if number == tier
        ),
        default=0,
    )


def live_bytes(problem: MemoryProblem, numbers: Sequence[int]) -> int:
    """The most bytes of some tensors that are alive at one time: no plan needs less."""
    changes: dict[int, int] = {}
    for tensor in map(problem.tensors.__getitem__, numbers):
        size = aligned(tensor, problem.align)
        changes[tensor.first] = changes.get(tensor.first, 0) + size
        changes[tensor.last + 1] = changes.get(tensor.last + 1, 0) - size
    most = now = 0
    for time in sorted(changes):
        now += changes[time]
        most = max(most, now)
    return most
