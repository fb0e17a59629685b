"""Routing: over which links of the mesh of switches each net goes.

Switch s = y * cols + x; link 4 s + d leaves it in direction d (`MOVES`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from sambaflow.dialects.rdu.grid import Place
from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution

if TYPE_CHECKING:
    from sambaflow.dialects.rdu.attributes import Numbers, Row

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


@dataclass(frozen=True)
class Routes:
    """How the nets of a section are led."""

    nets: tuple[Route, ...]
    facts: tuple[tuple[str, int], ...] = ()
    """What the solver says of its search, for the remark: names and figures."""

    @cached_property
    def flat(self) -> Flat:
        """All routes as arrays."""
        return Flat.of(self.nets)


@dataclass(frozen=True)
class RoutingProblem(Problem[Routes]):
    """The nets of a section on a mesh of `cols` x `rows` switches with `tracks` vector tracks on each link.

    A solution is one tree per net, from its start to all its ends. Links that carry more than `limit` bytes slow the
    section down: fewer are better, but none is no rule.
    """

    kind: ClassVar[str] = "routing"

    cols: int
    rows: int
    nets: tuple[Net, ...]
    tracks: int
    rounds: int = 8
    """Rounds of negotiation that a search may make."""
    steps: int = 32
    """Steps of search that each way from a unit to another may take, on average."""

    @classmethod
    def solvers(cls) -> tuple[Solver, ...]:
        from sambaflow.passes.physical.routers import NEGOTIATION, XY

        return NEGOTIATION, XY

    @property
    def limit(self) -> int:
        """Bytes that a link carries in the time in which the busiest net hands over its own."""
        return self.tracks * max((net.demand for net in self.nets), default=1)

    def verify(self, solution: Routes) -> None:
        """Raise WrongSolution unless every net has a tree to all its ends, on tracks there are, and fixed nets stay."""
        if len(solution.nets) != len(self.nets):
            raise WrongSolution(f"leads {len(solution.nets)} nets, of {len(self.nets)}")
        for number, (net, route) in enumerate(zip(self.nets, solution.nets, strict=True)):
            if net.route is not None and net.route != route:
                raise WrongSolution(f"net {number} is fixed on links {list(net.route.links)}, not {list(route.links)}")
        for number, why in self.broken(solution.nets):
            raise WrongSolution(f"net {number} {why}")

    def broken(self, routes: Sequence[Route | None]) -> Iterator[tuple[int, str]]:
        """What stands against the route of a net: its number, and why. Nets without a route are left out.

        With what is fixed alone, `[net.route for net in nets]`, it says what no solution can keep.
        """
        enters = links_enter(self.cols, self.rows)
        for number, (net, route) in enumerate(zip(self.nets, routes, strict=True)):
            if route is not None and (why := self._broken(net, route, enters)):
                yield number, why

    def _broken(self, net: Net, route: Route, enters: Mapping[int, int]) -> str:
        cols = self.cols
        if len(route.tracks) != len(route.links):
            return f"has {len(route.tracks)} tracks for {len(route.links)} hops"
        for track in (min(route.tracks, default=0), max(route.tracks, default=0)):
            if track not in range(self.tracks):
                return f"takes track {track} of {self.tracks}"
        reached = {net.start[1] * cols + net.start[0]}
        for link in route.links:
            entered = enters.get(link)
            if entered is None:
                return f"takes link {link}, which the mesh does not have"
            if link // 4 not in reached:
                return f"leaves {_place(link // 4, cols)} before it comes there"
            if entered in reached:
                return f"comes twice to {_place(entered, cols)}"
            reached.add(entered)
        for x, y in net.ends:
            if y * cols + x not in reached:
                return f"does not come to {(x, y)}"
        return ""

    def usage(self, solution: Routes) -> Numbers:
        """Bytes on each link in one execution of the section."""
        import numpy as np

        flat = solution.flat
        used = np.zeros(4 * self.cols * self.rows, np.int64)
        np.add.at(used, flat.links, np.repeat(np.array([net.demand for net in self.nets], np.int64), flat.sizes))
        return used

    def ends(self, link: int) -> Row:
        """x, y of both ends of a link."""
        x0, y0, x1, y1 = link_ends(self.cols, self.rows)[link].tolist()
        return x0, y0, x1, y1

    def hops(self, links: Numbers) -> Numbers:
        """[H, 4]: x, y of both ends of each link."""
        return link_ends(self.cols, self.rows)[links]

    def link(self, hop: Row) -> int:
        """The link from x0, y0 to x1, y1; -1 when there is none."""
        x0, y0, x1, y1 = hop
        inside = x0 in range(self.cols) and x1 in range(self.cols) and y0 in range(self.rows) and y1 in range(self.rows)
        move = (x1 - x0, y1 - y0)
        return 4 * (y0 * self.cols + x0) + MOVES.index(move) if inside and move in MOVES else -1


@dataclass(frozen=True)
class Flat:
    """Several routes as arrays: hops of each, then links and tracks of all, one after the other."""

    sizes: Numbers
    links: Numbers
    tracks: Numbers

    @staticmethod
    def of(routes: Sequence[Route]) -> Flat:
        import numpy as np

        sizes = np.array([len(route.links) for route in routes], np.int64)
        total = int(sizes.sum())
        links = np.fromiter(chain.from_iterable(route.links for route in routes), np.int64, total)
        tracks = np.fromiter(chain.from_iterable(route.tracks for route in routes), np.int64, total)
        return Flat(sizes, links, tracks)


def _place(switch: int, cols: int) -> Place:
    return switch % cols, switch // cols


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
