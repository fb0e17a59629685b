"""Solvers of memory: `first-fit` and `best-fit`, greedy by size; they differ in which free space a tensor takes."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping, Sequence

from sambaflow.errors import CapacityError
from sambaflow.passes.framework.solvers import Solver
from sambaflow.passes.physical.memory import Addresses, MemoryProblem, Tensor

Taken = tuple[int, int, int, int]
"""Start, end, first and last launch of a tensor that has its address."""

Fit = Callable[[Sequence[Taken], int, int], int]
"""The address for so many bytes, at or above a floor, beside what is taken while they are needed, in order."""


def first_fit(problem: MemoryProblem) -> Addresses:
    """Every tensor at the lowest address that is free during its life, the largest first."""
    return _planned(problem, _lowest)


def best_fit(problem: MemoryProblem) -> Addresses:
    """Every tensor in the smallest space that is free during its life, the largest tensor first."""
    return _planned(problem, _tightest)


FIRST_FIT = Solver("first-fit", MemoryProblem, first_fit)
BEST_FIT = Solver("best-fit", MemoryProblem, best_fit)


def _planned(problem: MemoryProblem, fit: Fit) -> Addresses:
    """Everything that is not fixed goes to the fastest tier; what does not fit, to the next.

    Raises CapacityError when a tier does not hold what has to be there.
    """
    places: dict[int, tuple[int, int]] = {}
    left = list(range(len(problem.tensors)))
    for number, tier in enumerate(problem.tiers):
        here = [i for i in left if problem.tensors[i].tier in (None, number)]
        later = [i for i in left if problem.tensors[i].tier not in (None, number)]
        last = number == len(problem.tiers) - 1
        stay, spilled = (here, []) if last else choose(problem, here, tier.bytes, fit)
        addresses, used = assign(problem, stay, fit)
        if used > tier.bytes:
            raise _too_small(problem, number, used, stay)
        places |= {i: (number, address) for i, address in addresses.items()}
        left = sorted([*later, *spilled])
    return Addresses(tuple(places[i] for i in range(len(problem.tensors))))


def choose(
    problem: MemoryProblem, numbers: Sequence[int], limit: int, fit: Fit | None = None
) -> tuple[list[int], list[int]]:
    """The tensors that stay in a tier of `limit` bytes, and those that go to the next one: those that move the fewest
    bytes, weights last. Those that are fixed in the tier stay, even if they do not fit."""
    stay, spilled = list(numbers), list[int]()
    order = sorted((i for i in numbers if problem.tensors[i].tier is None), key=lambda i: _rank(problem.tensors[i], i))
    while (used := assign(problem, stay, fit)[1]) > limit and order:
        excess, batch = used - limit, list[int]()
        while order and excess > 0:
            batch.append(order.pop(0))
            excess -= problem.aligned(problem.tensors[batch[-1]])
        gone = set(batch)
        stay = [i for i in stay if i not in gone]
        spilled += batch
    return stay, sorted(spilled)


def _rank(tensor: Tensor, number: int) -> tuple[bool, int, int, int]:
    return tensor.is_weight, tensor.transfer, -tensor.bytes, number


def assign(problem: MemoryProblem, numbers: Sequence[int], fit: Fit | None = None) -> tuple[Mapping[int, int], int]:
    """Addresses by number, and the bytes that they reach. Tensors that are alive together do not overlap.

    Those that live throughout are stacked, the others share what is above. Around what is fixed, all look for space
    from the bottom up.
    """
    fit = fit or _lowest
    tensors = problem.tensors
    addresses = {i: address for i in numbers if (address := tensors[i].address) is not None}
    taken: list[Taken] = sorted(
        (address, address + problem.aligned(tensors[i]), tensors[i].first, tensors[i].last)
        for i, address in addresses.items()
    )
    resident = [i for i in numbers if i not in addresses and tensors[i].is_resident]
    shared = [i for i in numbers if i not in addresses and not tensors[i].is_resident]
    reach = max((end for _, end, _, _ in taken), default=0)
    floor = 0
    if not addresses:
        for i in resident:
            addresses[i] = floor
            floor += problem.aligned(tensors[i])
        resident, reach = [], floor
    for i in (*resident, *sorted(shared, key=lambda i: (-tensors[i].bytes, tensors[i].first, i))):
        tensor, size = tensors[i], problem.aligned(tensors[i])
        others = [other for other in taken if other[2] <= tensor.last and tensor.first <= other[3]]
        addresses[i] = at = fit(others, size, floor)
        insort(taken, (at, at + size, tensor.first, tensor.last))
        reach = max(reach, at + size)
    return addresses, reach


def _lowest(taken: Sequence[Taken], size: int, floor: int) -> int:
    at = floor
    for start, end, _, _ in taken:
        if start - at >= size:
            break
        at = max(at, end)
    return at


def _tightest(taken: Sequence[Taken], size: int, floor: int) -> int:
    at, best, least = floor, -1, 0
    for start, end, _, _ in taken:
        space = start - at
        if space >= size and (best < 0 or space < least):
            best, least = at, space
        at = max(at, end)
    return at if best < 0 else best


def _too_small(problem: MemoryProblem, tier: int, used: int, numbers: Sequence[int]) -> CapacityError:
    name, limit = problem.tiers[tier].name, problem.tiers[tier].bytes
    largest = problem.tensors[max(numbers, key=lambda i: (problem.tensors[i].bytes, -i))]
    return CapacityError(
        f"does not fit the {name} of a chip; the largest symbol is '{largest.name}' with {largest.bytes} bytes",
        demand=f"{used} bytes",
        limit=f"{limit} bytes",
        shortfall=f"{used - limit} bytes",
        levers=["use more chips", "use more tiles", "shorten the sequence or the batch"],
    )
