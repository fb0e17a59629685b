"""What collectives cost alone on their links, as equal steps one after the other.

The timing engine runs these steps as transfers on links; their time is the planner's estimate, in the usual alpha-beta
model (Thakur, Rabenseifner, Gropp 2005).
"""

from collections.abc import Callable, Mapping
from math import ceil
from typing import NamedTuple

from sambaflow.machine.model import PICOSECONDS, Links


class Steps(NamedTuple):
    """A collective as equal steps one after the other, each sending `bytes` over every link that a chip uses."""

    number: int
    bytes: int


# op -> parts of the operand that a step sends: an all-gather's operand is already one chip's part of the result
_FULL: Mapping[str, Callable[[int, int], Steps]] = {
    "all_reduce": lambda n, size: Steps(2, ceil(size / n)),
    "reduce_scatter": lambda n, size: Steps(1, ceil(size / n)),
    "all_gather": lambda n, size: Steps(1, size),
    "all_to_all": lambda n, size: Steps(1, ceil(size / n)),
}
_RING: Mapping[str, Callable[[int, int], Steps]] = {
    "all_reduce": lambda n, size: Steps(2 * (n - 1), ceil(size / n)),
    "reduce_scatter": lambda n, size: Steps(n - 1, ceil(size / n)),
    "all_gather": lambda n, size: Steps(n - 1, size),
    # part i travels i hops: n - 1 steps whose loads sum to n (n - 1) / 2 parts
    "all_to_all": lambda n, size: Steps(n - 1, ceil(size / 2)),
}
OPERATIONS = tuple(_FULL)


def steps(op: str, n: int, size: int, links: Links) -> Steps:
    """The steps of a collective of `size` bytes a chip over n chips. A torus carries the ring of its Hamiltonian
    cycle."""
    if n == 1:
        return Steps(0, 0)
    return (_FULL if links.topology == "full" else _RING)[op](n, size)


def picoseconds(op: str, n: int, size: int, links: Links) -> int:
    """Time of a collective alone on its links, rounded up per step."""
    number, sent = steps(op, n, size, links)
    return number * (ceil(links.step_latency * PICOSECONDS) + ceil(sent * PICOSECONDS / links.bandwidth))
