"""Addresses, greedy by size: each tensor takes the lowest, or the smallest, space that is free during its life."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping, Sequence

from sambaflow.errors import CapacityError
from sambaflow.passes.physical.tensors import Tensor, Tier, aligned

Taken = tuple[int, int, int, int]
"""Start, end, first and last launch of a tensor that has its address."""

Fit = Callable[[Sequence[Taken], int, int], int]
"""The address for so many bytes, at or above a floor, beside what is taken while they are needed, in order."""


def plan(tensors: Sequence[Tensor], tiers: Sequence[Tier], align: int, fit: Fit) -> tuple[tuple[int, int], ...]:
    """Tier and address of each tensor: what is not fixed goes to the fastest tier; what does not fit, to the next.

    Raises CapacityError when a tier does not hold what has to be there.
    """
    places: dict[int, tuple[int, int]] = {}
    left = list(range(len(tensors)))
    for number, tier in enumerate(tiers):
        here = [i for i in left if tensors[i].tier in (None, number)]
        later = [i for i in left if tensors[i].tier not in (None, number)]
        last = number == len(tiers) - 1
        stay, spilled = (here, []) if last else choose(tensors, here, tier.bytes, align, fit)
        addresses, used = assign(tensors, stay, align, fit)
        if used > tier.bytes:
            raise _too_small(tier, used, [tensors[i] for i in stay])
        places |= {i: (number, address) for i, address in addresses.items()}
        left = sorted([*later, *spilled])
    return tuple(places[i] for i in range(len(tensors)))


def choose(
    tensors: Sequence[Tensor], numbers: Sequence[int], limit: int, align: int, fit: Fit
) -> tuple[list[int], list[int]]:
    """The tensors that stay in a tier of `limit` bytes, and those that go to the next one: those that move the fewest
    bytes, weights last. Those that are fixed in the tier stay, even if they do not fit."""
    stay, spilled = list(numbers), list[int]()
    order = sorted((i for i in numbers if tensors[i].tier is None), key=lambda i: _rank(tensors[i], i))
    while (used := assign(tensors, stay, align, fit)[1]) > limit and order:
        excess, batch = used - limit, list[int]()
        while order and excess > 0:
            batch.append(order.pop(0))
            excess -= aligned(tensors[batch[-1]], align)
        gone = set(batch)
        stay = [i for i in stay if i not in gone]
        spilled += batch
    return stay, sorted(spilled)


def _rank(tensor: Tensor, number: int) -> tuple[bool, int, int, int]:
    return tensor.is_weight, tensor.transfer, -tensor.bytes, number


def assign(tensors: Sequence[Tensor], numbers: Sequence[int], align: int, fit: Fit) -> tuple[Mapping[int, int], int]:
    """Addresses by number, and the bytes that they reach. Tensors that are alive together do not overlap.

    Those that live throughout are stacked, the others share what is above. Around what is fixed, all look for space
    from the bottom up.
    """
    addresses = {i: address for i in numbers if (address := tensors[i].address) is not None}
    taken: list[Taken] = sorted(
        (address, address + aligned(tensors[i], align), tensors[i].first, tensors[i].last)
        for i, address in addresses.items()
    )
    resident = [i for i in numbers if i not in addresses and tensors[i].is_resident]
    shared = [i for i in numbers if i not in addresses and not tensors[i].is_resident]
    reach = max((end for _, end, _, _ in taken), default=0)
    floor = 0
    if not addresses:
        for i in resident:
            addresses[i] = floor
            floor += aligned(tensors[i], align)
        resident, reach = [], floor
    for i in (*resident, *sorted(shared, key=lambda i: (-tensors[i].bytes, tensors[i].first, i))):
        tensor, size = tensors[i], aligned(tensors[i], align)
        others = [other for other in taken if other[2] <= tensor.last and tensor.first <= other[3]]
        addresses[i] = at = fit(others, size, floor)
        insort(taken, (at, at + size, tensor.first, tensor.last))
        reach = max(reach, at + size)
    return addresses, reach


def lowest(taken: Sequence[Taken], size: int, floor: int) -> int:
    """The lowest address that is free: first fit."""
    at = floor
    for start, end, _, _ in taken:
        if start - at >= size:
            break
        at = max(at, end)
    return at


def tightest(taken: Sequence[Taken], size: int, floor: int) -> int:
    """The start of the smallest space that is large enough, of equal ones the lowest: best fit."""
    at, best, least = floor, -1, 0
    for start, end, _, _ in taken:
        space = start - at
        if space >= size and (best < 0 or space < least):
            best, least = at, space
        at = max(at, end)
    return at if best < 0 else best


def _too_small(tier: Tier, used: int, tensors: Sequence[Tensor]) -> CapacityError:
    largest = max(tensors, key=lambda tensor: tensor.bytes)
    return CapacityError(
        f"does not fit the {tier.name} of a chip; the largest symbol is '{largest.name}' with {largest.bytes} bytes",
        demand=f"{used} bytes",
        limit=f"{tier.bytes} bytes",
        shortfall=f"{used - tier.bytes} bytes",
        levers=["use more chips", "use more tiles", "shorten the sequence or the batch"],
    )
