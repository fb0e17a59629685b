"""Routing: over which links of the mesh of switches each net goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from sambaflow.dialects.rdu.grid import Place
from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution
from sambaflow.passes.physical.dimension_order import dimension_ordered, links_of
from sambaflow.passes.physical.mesh import MOVES, Net, Route, link_ends, link_limit, links_enter
from sambaflow.passes.physical.negotiation import Negotiation, on_tracks

if TYPE_CHECKING:
    from sambaflow.dialects.rdu.attributes import Numbers, Row


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
        return NEGOTIATION, XY

    @property
    def limit(self) -> int:
        """Bytes that a link carries in the time in which the busiest net hands over its own."""
        return link_limit(self.nets, self.tracks)

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


def by_negotiation(problem: RoutingProblem) -> Routes:
    """Nets take the better of two dimension-order trees; then, in counted rounds of negotiated congestion, nets on
    overloaded links are ripped up behind them and led again over a mesh whose busy links cost more (PathFinder,
    McMurchie and Ebeling 1995)."""
    search = Negotiation((problem.cols, problem.rows), problem.nets, problem.tracks, problem.steps)
    search.run(problem.rounds)
    return Routes(
        on_tracks(problem.nets, search.links, problem.tracks), (("rounds", search.rounds), ("steps", search.work))
    )


def along_x_then_y(problem: RoutingProblem) -> Routes:
    """Every net along its row first, whatever else is there: shortest ways, and such that are easy to foresee."""
    trees = [
        links_of(dimension_ordered(net, problem.cols)[0]) if net.route is None else net.route.links
        for net in problem.nets
    ]
    return Routes(on_tracks(problem.nets, trees, problem.tracks))


NEGOTIATION = Solver("negotiation", RoutingProblem, by_negotiation)
XY = Solver("xy", RoutingProblem, along_x_then_y)


def _place(switch: int, cols: int) -> Place:
    return switch % cols, switch // cols
