"""Solvers of routing: `negotiation`, dimension order first, then negotiated congestion in counted steps; and `xy`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from heapq import heappop, heappush
from itertools import accumulate, chain

from sambaflow.dialects.rdu.grid import Place
from sambaflow.passes.framework.solvers import Solver
from sambaflow.passes.physical.routing import MOVES, Net, Route, Routes, RoutingProblem

HOP = 16
"""Price of a link that was never overloaded."""

CROWDED = 16
"""How much dearer, a round, a link gets that would carry twice its limit."""

AHEAD = 32
"""What a hop that is still ahead counts for in a search."""


Tree = dict[int, int]
"""Switch -> the link by which it is entered, parents first; the start is the first of all and entered by -1."""


_Line = tuple[int, int, int, int]
"""Hops straight on: the switch that they leave, switches from one to the next, how many, the link of the first."""


def by_negotiation(problem: RoutingProblem) -> Routes:
    """Nets take the better of two dimension-order trees; then, in counted rounds of negotiated congestion, nets on
    overloaded links are ripped up behind them and led again over a mesh whose busy links cost more (PathFinder,
    McMurchie and Ebeling 1995)."""
    search = Negotiation(problem)
    search.run(problem.rounds)
    return Routes(on_tracks(problem, search.links), (("rounds", search.rounds), ("steps", search.work)))


def along_x_then_y(problem: RoutingProblem) -> Routes:
    """Every net along its row first, whatever else is there: shortest ways, and such that are easy to foresee."""
    trees = [
        links_of(dimension_ordered(net, problem.cols)[0]) if net.route is None else net.route.links
        for net in problem.nets
    ]
    return Routes(on_tracks(problem, trees))


NEGOTIATION = Solver("negotiation", RoutingProblem, by_negotiation)
XY = Solver("xy", RoutingProblem, along_x_then_y)


def dimension_ordered(net: Net, cols: int) -> list[list[_Line]]:
    """Two trees: a trunk from the start along one axis, x first, and from it lines to all ends along the other."""
    if len(net.ends) != 1:
        return [_trunk(net, 0, cols), _trunk(net, 1, cols)]
    (x0, y0), (x1, y1) = net.start, net.ends[0]
    here, across, along = y0 * cols + x0, x1 - x0, y1 - y0
    one = [*_line(here, 0, across, cols), *_line(here + across, 1, along, cols)]
    if not across or not along:
        return [one]
    return [one, [*_line(here, 1, along, cols), *_line(here + cols * along, 0, across, cols)]]


def _trunk(net: Net, first: int, cols: int) -> list[_Line]:
    """The tree whose trunk is along axis `first` (0: x, 1: y)."""
    last, start = 1 - first, net.start
    before = start[last]
    ends: dict[int, tuple[int, int]] = {start[first]: (before, before)}
    for end in net.ends:
        at, far = end[first], end[last]
        low, high = ends.get(at, (before, before))
        ends[at] = far if far < low else low, far if far > high else high
    here = start[1] * cols + start[0]
    lines = [line for end in (min(ends), max(ends)) for line in _line(here, first, end - start[first], cols)]
    step, apart = (1, cols)[first], (1, cols)[last]
    for at, (low, high) in ends.items():
        turn = here + step * (at - start[first])
        if low < before:
            lines.append((turn, -apart, before - low, 4 * turn + 2 * last + 1))
        if high > before:
            lines.append((turn, apart, high - before, 4 * turn + 2 * last))
    return lines


def _line(here: int, axis: int, by: int, cols: int) -> tuple[_Line, ...]:
    """From switch `here` straight on `by` switches along `axis`, up or down; none if that is 0."""
    if by > 0:
        return ((here, cols if axis else 1, by, 4 * here + 2 * axis),)
    return ((here, -cols if axis else -1, -by, 4 * here + 2 * axis + 1),) if by else ()


def links_of(lines: Sequence[_Line]) -> list[int]:
    """The links of lines, one after the other."""
    links: list[int] = []
    for _, step, count, first in lines:
        links += range(first, first + 4 * step * count, 4 * step)
    return links


def on_tracks(problem: RoutingProblem, trees: Sequence[Sequence[int]]) -> tuple[Route, ...]:
    """The routes of trees of links: each hop on the track that is least busy on its link, large nets first.

    Nets that are fixed keep their tracks, and are there first.
    """
    import numpy as np

    sizes = [len(tree) for tree in trees]
    links = np.fromiter(chain.from_iterable(trees), np.int64, sum(sizes))
    demands = np.repeat(np.array([net.demand for net in problem.nets], np.int64), sizes)
    tracks, fixed = np.zeros(len(links), np.int64), np.zeros(len(links), bool)
    lasts = list(accumulate(sizes))
    for net, last in zip(problem.nets, lasts, strict=True):
        if net.route is not None:
            tracks[last - len(net.route.tracks) : last], fixed[last - len(net.route.tracks) : last] = (
                net.route.tracks,
                True,
            )
    # Link by link, on each what is fixed, then the largest first; what is equal stays in order.
    order = np.lexsort((-demands, ~fixed, links) if fixed.any() else (-demands, links))
    starts = np.flatnonzero(np.diff(links[order], prepend=-1))
    counts = np.diff(starts, append=len(links))
    busy = np.zeros((len(starts), problem.tracks), np.int64)
    for turn in range(int(counts.max(initial=0))):
        mine = np.flatnonzero(counts > turn)
        hops = order[starts[mine] + turn]
        tracks[hops] = taken = np.where(fixed[hops], tracks[hops], busy[mine].argmin(axis=1))
        busy[mine, taken] += demands[hops]
    flat = tracks.tolist()
    return tuple(
        Route(tuple(tree), tuple(flat[last - len(tree) : last])) for tree, last in zip(trees, lasts, strict=True)
    )


class Negotiation:
    """Trees for nets on the mesh. Nets that are fixed stay; the others are led around them.

    `work` counts steps of search, each a switch that was looked at: at most `steps` for each way from a start to an
    end (of which there are a hundred at least), all ways together. When they are spent, negotiation ends with the
    best that it has seen.
    """

    def __init__(self, problem: RoutingProblem) -> None:
        self.cols, self.rows = problem.cols, problem.rows
        self.nets, self.tracks, self.limit = problem.nets, problem.tracks, problem.limit
        links = 4 * self.cols * self.rows
        self.usage, self.prices = [0] * links, [HOP] * links
        self.links: list[Sequence[int]] = [[] for _ in self.nets]
        """The tree of each net: its links, parents first."""
        self.rounds = self.work = 0
        self.bound = problem.steps * max(100, sum(len(net.ends) for net in self.nets))

    @property
    def is_exhausted(self) -> bool:
        """Whether the bound on steps was reached."""
        return self.work >= self.bound

    def run(self, rounds: int) -> None:
        """Route all nets; of the start and the `rounds` of negotiation, keep what overloads least."""
        for i, net in enumerate(self.nets):
            if net.route is not None:
                self._add(i, net.route.links)
        for i in self._largest_first():
            net = self.nets[i]
            ways = dimension_ordered(net, self.cols)
            lines = min(ways, key=lambda lines: self._load(lines, net.demand)) if len(ways) > 1 else ways[0]
            self._add(i, links_of(lines))
        least, best = self._overload(), list(self.links)
        while least and self.rounds < rounds and not self.is_exhausted:
            self.rounds += 1
            self._negotiate()
            if (overload := self._overload()) < least:
                least, best = overload, list(self.links)
        for i, links in enumerate(best):
            if self.links[i] is not links:
                self._remove(i)
                self._add(i, links)

    def overloaded(self) -> list[int]:
        """Links that carry more than the limit."""
        return [link for link, used in enumerate(self.usage) if used > self.limit]

    def _overload(self) -> int:
        return sum(used - self.limit for used in self.usage if used > self.limit)

    def _largest_first(self) -> list[int]:
        open_nets = [i for i, net in enumerate(self.nets) if net.route is None]
        return sorted(open_nets, key=lambda i: (-self.nets[i].demand, i))

    def _add(self, i: int, links: Sequence[int]) -> None:
        self.links[i] = links
        self._charge(links, self.nets[i].demand)

    def _remove(self, i: int) -> None:
        self._charge(self.links[i], -self.nets[i].demand)

    def _charge(self, links: Sequence[int], demand: int) -> None:
        usage = self.usage
        for link in links:
            usage[link] += demand

    def _number(self, place: Place) -> int:
        return place[1] * self.cols + place[0]

    def _load(self, lines: Sequence[_Line], demand: int) -> tuple[int, int]:
        """How busy the lines of a tree would make its busiest link, in tracks; then its size."""
        usage, busiest, size = self.usage, 0, 0
        for _, step, count, first in lines:
            if count == 1:
                most = usage[first]
            else:
                far, apart = 4 * step * (count - 1), 4 * abs(step)
                most = max(
                    usage[first : first + far + 1 : apart] if far > 0 else usage[first + far : first + 1 : apart]
                )
            if most > busiest:
                busiest = most
            size += count
        return (busiest + demand) // max(1, self.limit // self.tracks), size

    def _negotiate(self) -> None:
        """One round: links that are overloaded now cost more from now on, and what lies behind them is led anew.

        Net by net, until no link is overloaded any more: the rest of a crowded link's nets stay.
        """
        over = frozenset(self.overloaded())
        for link in over:
            self.prices[link] += HOP // 2
        usage, limit = self.usage, self.limit
        for i, links in enumerate(self.links):
            if over.isdisjoint(links) or self.nets[i].route is not None:
                continue
            if any(usage[link] > limit for link in links):
                kept = self._kept(i)
                self._remove(i)
                grown = self._grown(self.nets[i], kept)
                self._add(i, [link for link in grown.values() if link >= 0] if grown else links)
                if self.is_exhausted:
                    return

    def _kept(self, i: int) -> Tree:
        """The part of a tree that reaches ends over no overloaded link."""
        start, steps = self._number(self.nets[i].start), [dx + dy * self.cols for dx, dy in MOVES]
        tree: Tree = {start: -1}
        for link in self.links[i]:
            if self.usage[link] <= self.limit and link // 4 in tree:
                tree[link // 4 + steps[link % 4]] = link
        needed = {start}
        for x, y in self.nets[i].ends:
            here = y * self.cols + x
            while here in tree and here not in needed:
                needed.add(here)
                here = tree[here] // 4
        return {switch: link for switch, link in tree.items() if switch in needed}

    def _grown(self, net: Net, tree: Tree) -> Tree | None:
        """`tree` with ways to the ends that it lacks, the nearest to the start first; None when work is out."""
        x, y = net.start
        box = _Box(self.cols, tree)
        for end in sorted(net.ends, key=lambda end: (abs(end[0] - x) + abs(end[1] - y), end)):
            if end[1] * self.cols + end[0] not in tree:
                if self.is_exhausted:
                    return None
                way = self._way(tree, box, end, net.demand)
                tree.update(way)
                box.cover([switch for switch, _ in way])
        return tree

    def _way(self, tree: Tree, box: _Box, end: Place, demand: int) -> list[tuple[int, int]]:
        """The way from the tree to `end`, each switch with the link that enters it: A* from the end back.

        A link costs its price, and more where it would be overloaded now, the more so the later the round. What is
        still ahead, to the box around the tree, counts for more than hops cost at least: a way that leads straight to
        the tree is preferred to the proof that no other is cheaper.
        """
        usage, prices, rounds, limit, room = self.usage, self.prices, self.rounds, self.limit, self.limit - demand
        into = links_into(self.cols, self.rows)
        left, right, top, bottom = box.left, box.right, box.top, box.bottom
        here, link, cost = end[1] * self.cols + end[0], -1, 0
        onward: Tree = {here: link}
        queue: list[tuple[int, int, int]] = []
        while here not in tree:
            for before, x, y, link in into[here]:
                if before not in onward:
                    price = prices[link]
                    if (excess := usage[link] - room) > 0:
                        price += CROWDED * price * excess * rounds // limit
                    paid = cost + price
                    across = left - x if x < left else x - right if x > right else 0
                    along = top - y if y < top else y - bottom if y > bottom else 0
                    heappush(queue, (paid + AHEAD * (across + along), link, paid))
            while here in onward:
                _, link, cost = heappop(queue)
                here = link // 4
            onward[here] = link
            self.work += 1
        way: list[tuple[int, int]] = []
        while (link := onward[here]) >= 0:
            dx, dy = MOVES[link % 4]
            here += dx + dy * self.cols
            way.append((here, link))
        return way


class _Box:
    """The rectangle around switches."""

    def __init__(self, cols: int, switches: Collection[int]) -> None:
        self.cols = cols
        self.left = self.top = 1 << 30
        self.right = self.bottom = -1
        self.cover(switches)

    def cover(self, switches: Collection[int]) -> None:
        """Grow until all `switches` are inside."""
        cols = self.cols
        columns, lines = [switch % cols for switch in switches], [switch // cols for switch in switches]
        self.left, self.right = min(self.left, *columns), max(self.right, *columns)
        self.top, self.bottom = min(self.top, *lines), max(self.bottom, *lines)


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
