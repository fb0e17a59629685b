"""Trees for nets on the mesh of switches: dimension order first, then negotiated congestion in counted steps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heappop, heappush
from itertools import accumulate, chain

from sambaflow.dialects.rdu.grid import Place
from sambaflow.passes.physical.dimension_order import Line, dimension_ordered, links_of
from sambaflow.passes.physical.mesh import MOVES, Net, Route, link_limit, links_into

HOP = 16
"""Price of a link that was never overloaded."""

CROWDED = 16
"""How much dearer, a round, a link gets that would carry twice its limit."""

AHEAD = 32
"""What a hop that is still ahead counts for in a search."""


Tree = dict[int, int]
"""Switch -> the link by which it is entered, parents first; the start is the first of all and entered by -1."""


def on_tracks(nets: Sequence[Net], trees: Sequence[Sequence[int]], tracks: int) -> tuple[Route, ...]:
    """The routes of trees of links: each hop on the track that is least busy on its link, large nets first.

    Nets that are fixed keep their tracks, and are there first.
    """
    import numpy as np

    sizes = [len(tree) for tree in trees]
    links = np.fromiter(chain.from_iterable(trees), np.int64, sum(sizes))
    demands = np.repeat(np.array([net.demand for net in nets], np.int64), sizes)
    taken, fixed = np.zeros(len(links), np.int64), np.zeros(len(links), bool)
    lasts = list(accumulate(sizes))
    for net, last in zip(nets, lasts, strict=True):
        if net.route is not None:
            taken[last - len(net.route.tracks) : last], fixed[last - len(net.route.tracks) : last] = (
                net.route.tracks,
                True,
            )
    # Link by link, on each what is fixed, then the largest first; what is equal stays in order.
    order = np.lexsort((-demands, ~fixed, links) if fixed.any() else (-demands, links))
    starts = np.flatnonzero(np.diff(links[order], prepend=-1))
    counts = np.diff(starts, append=len(links))
    busy = np.zeros((len(starts), tracks), np.int64)
    for turn in range(int(counts.max(initial=0))):
        mine = np.flatnonzero(counts > turn)
        hops = order[starts[mine] + turn]
        taken[hops] = least = np.where(fixed[hops], taken[hops], busy[mine].argmin(axis=1))
        busy[mine, least] += demands[hops]
    flat = taken.tolist()
    return tuple(
        Route(tuple(tree), tuple(flat[last - len(tree) : last])) for tree, last in zip(trees, lasts, strict=True)
    )


class Negotiation:
    """Trees for nets on the mesh. Nets that are fixed stay; the others are led around them.

    `work` counts steps of search, each a switch that was looked at: at most `steps` for each way from a start to an
    end (of which there are a hundred at least), all ways together. When they are spent, negotiation ends with the
    best that it has seen.
    """

    def __init__(self, size: tuple[int, int], nets: Sequence[Net], tracks: int, steps: int) -> None:
        self.cols, self.rows = size
        self.nets, self.tracks = nets, tracks
        self.limit = link_limit(nets, tracks)
        links = 4 * self.cols * self.rows
        self.usage, self.prices = [0] * links, [HOP] * links
        self.links: list[Sequence[int]] = [[] for _ in self.nets]
        """The tree of each net: its links, parents first."""
        self.rounds = self.work = 0
        self.bound = steps * max(100, sum(len(net.ends) for net in self.nets))

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

    def _load(self, lines: Sequence[Line], demand: int) -> tuple[int, int]:
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
                subtree = self._kept(i)
                self._remove(i)
                grown = self._grown(self.nets[i], subtree)
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
