"""The mesh of switches, and nets on it.

Switch s = y * cols + x; link 4 s + d leaves it in direction d (`MOVES`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sambaflow.dialects.rdu.grid import Place

if TYPE_CHECKING:
    from sambaflow.dialects.rdu.attributes import Numbers

MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Directions of the output ports of a switch; the link over port d enters the neighbour by another port of its own."""


@dataclass(frozen=True)
class Route:
    """The tree of a net: its links, parents first, and the vector track that it takes on each."""

    links: tuple[int, ...]
    tracks: tuple[int, ...]


@dataclass(frozen=True)
class Net:
    """What one unit sends out of one port: `demand` bytes in one execution of the section, to the switches `ends`."""

    source: tuple[int, int, int]  # group, port, unit of the group
    start: Place
    ends: tuple[Place, ...]
    demand: int
    route: Route | None = None
    """Where it is fixed; None where that is open."""


def link_limit(nets: Sequence[Net], tracks: int) -> int:
    """Bytes that a link with so many tracks carries in the time in which the busiest net hands over its own."""
    return tracks * max((net.demand for net in nets), default=1)


@lru_cache(maxsize=16)
def link_ends(cols: int, rows: int) -> Numbers:
    """Of every link x, y of the switch that it leaves and of the one that it enters."""
    import numpy as np

    return np.array([(x, y, x + dx, y + dy) for y in range(rows) for x in range(cols) for dx, dy in MOVES], np.int64)


@lru_cache(maxsize=16)
def links_enter(cols: int, rows: int) -> Mapping[int, int]:
    """The switch that each link enters; links that would leave the mesh are none."""
    ends = link_ends(cols, rows).tolist()
    return {link: y * cols + x for link, (_, _, x, y) in enumerate(ends) if x in range(cols) and y in range(rows)}


@lru_cache(maxsize=16)
def links_into(cols: int, rows: int) -> Sequence[Sequence[tuple[int, int, int, int]]]:
    """Of every switch, the neighbours that have a link to it: neighbour, its x and y, the link."""
    into: list[list[tuple[int, int, int, int]]] = [[] for _ in range(cols * rows)]
    for switch in range(cols * rows):
        y, x = divmod(switch, cols)
        for direction, (dx, dy) in enumerate(MOVES):
            if 0 <= x + dx < cols and 0 <= y + dy < rows:
                into[switch + dx + dy * cols].append((switch, x, y, 4 * switch + direction))
    return into
