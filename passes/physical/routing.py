"""Trees for nets on the mesh of switches: dimension order first, then negotiated congestion in counted steps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from heapq import heappop, heappush
from itertools import chain
from typing import TYPE_CHECKING

from sambaflow.dialects.rdu.attributes import Row
from sambaflow.dialects.rdu.grid import Grid, Place

if TYPE_CHECKING:
    from sambaflow.dialects.rdu.attributes import Numbers

MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Directions of the output ports of a switch; the link over port d enters the neighbour by another port of its own."""

HOP = 16
"""Price of a link that was never overloaded."""

CROWDED = 16
"""How much dearer, a round, a link gets that would carry twice its limit."""

AHEAD = 32
"""What a hop that is still ahead counts for in a search."""


@dataclass(frozen=True)
class Net:
    """What one unit sends out of one port: `demand` bytes in one execution of the section, to the switches `ends`."""

    source: tuple[int, int, int]  # group, port, unit of the group
    start: Place
    ends: tuple[Place, ...]
    demand: int


Tree = dict[int, int]
"""Switch -> the link by which it is entered, parents first; the start is the first of all and entered by -1."""


_Line = tuple[int, int, int, int]
"""Hops straight on: the switch that they leave, switches from one to the next, how many, the link of the first."""


class Routing:
    """Trees for nets on the mesh. Switch s = y * cols + x; link 4 s + d leaves it in direction d.

    `work` counts steps of search, each a switch that was looked at: at most `steps` for each way from a start to an
    end (of which there are a hundred at least), all ways together. When they are spent, negotiation ends with the
    best that it has seen.
    """

    def __init__(self, grid: Grid, nets: Sequence[Net], tracks: int, steps: int = 32) -> None:
        self.cols, self.rows = grid.cols, grid.rows
        self.nets, self.tracks = nets, tracks
        self.limit = tracks * max((net.demand for net in nets), default=1)
        links = 4 * self.cols * self.rows
        self.usage, self.prices = [0] * links, [HOP] * links
        self.links: list[list[int]] = [[] for _ in nets]
        """The tree of each net: its links, parents first."""
        self.rounds = self.work = 0
        self.bound = steps * max(100, sum(len(net.ends) for net in nets))

    @property
    def peak(self) -> int:
        """Bytes on the busiest side of a switch."""
        return max(self.usage, default=0)

    @property
    def is_exhausted(self) -> bool:
        """Whether the bound on steps was reached."""
        return self.work >= self.bound

    def run(self, rounds: int) -> None:
        """Route all nets; of the start and the `rounds` of negotiation, keep what overloads least."""
        for i in self._largest_first():
            net = self.nets[i]
            ways = self._dimension_ordered(net)
            lines = min(ways, key=lambda lines: self._load(lines, net.demand)) if len(ways) > 1 else ways[0]
            links: list[int] = []
            for _, step, count, first in lines:
                links += range(first, first + 4 * step * count, 4 * step)
            self._add(i, links)
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
        return sorted(range(len(self.nets)), key=lambda i: (-self.nets[i].demand, i))

    def _add(self, i: int, links: list[int]) -> None:
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

    # Dimension-order trees.

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

    def _dimension_ordered(self, net: Net) -> list[list[_Line]]:
        """Two trees: a trunk from the start along one axis, and from it lines to all ends along the other."""
        if len(net.ends) != 1:
            return [self._trunk(net, 0), self._trunk(net, 1)]
        (x0, y0), (x1, y1), here = net.start, net.ends[0], self._number(net.start)
        across, along, cols = x1 - x0, y1 - y0, self.cols
        one = [*self._line(here, 0, across), *self._line(here + across, 1, along)]
        if not across or not along:
            return [one]
        return [one, [*self._line(here, 1, along), *self._line(here + cols * along, 0, across)]]

    def _trunk(self, net: Net, first: int) -> list[_Line]:
        """The tree whose trunk is along axis `first` (0: x, 1: y)."""
        last, start = 1 - first, net.start
        before = start[last]
        ends: dict[int, tuple[int, int]] = {start[first]: (before, before)}
        for end in net.ends:
            at, far = end[first], end[last]
            low, high = ends.get(at, (before, before))
            ends[at] = far if far < low else low, far if far > high else high
        here = self._number(start)
        lines = [line for end in (min(ends), max(ends)) for line in self._line(here, first, end - start[first])]
        step, apart = (1, self.cols)[first], (1, self.cols)[last]
        for at, (low, high) in ends.items():
            turn = here + step * (at - start[first])
            if low < before:
                lines.append((turn, -apart, before - low, 4 * turn + 2 * last + 1))
            if high > before:
                lines.append((turn, apart, high - before, 4 * turn + 2 * last))
        return lines

    def _line(self, here: int, axis: int, by: int) -> tuple[_Line, ...]:
        """From switch `here` straight on `by` switches along `axis`, up or down; none if that is 0."""
        if by > 0:
            return ((here, self.cols if axis else 1, by, 4 * here + 2 * axis),)
        return ((here, -self.cols if axis else -1, -by, 4 * here + 2 * axis + 1),) if by else ()

    # Negotiated congestion.

    def _negotiate(self) -> None:
        """One round: links that are overloaded now cost more from now on, and what lies behind them is led anew.

        Net by net, until no link is overloaded any more: the rest of a crowded link's nets stay.
        """
        over = frozenset(self.overloaded())
        for link in over:
            self.prices[link] += HOP // 2
        usage, limit = self.usage, self.limit
        for i, links in enumerate(self.links):
            if not over.isdisjoint(links) and any(usage[link] > limit for link in links):
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

    # What the section keeps.

    def ends(self, link: int) -> Row:
        """x, y of both ends of a link."""
        x0, y0, x1, y1 = link_ends(self.cols, self.rows)[link].tolist()
        return x0, y0, x1, y1

    @property
    def sizes(self) -> list[int]:
        """Hops of each net."""
        return [len(links) for links in self.links]

    def hops(self) -> Numbers:
        """[H, 4]: the hops of all nets, net by net, parents first: x, y of where they start and end."""
        return link_ends(self.cols, self.rows)[self._all_links]

    def hops_of(self, i: int) -> list[Row]:
        """The hops of a net."""
        return [self.ends(link) for link in self.links[i]]

    def tracks_of(self, i: int) -> list[int]:
        """The track of each hop of a net."""
        sizes = self.sizes
        return self.all_tracks[sum(sizes[:i]) : sum(sizes[: i + 1])].tolist()

    @cached_property
    def _all_links(self) -> Numbers:
        """The links of all trees, once `run` has led them."""
        import numpy as np

        return np.fromiter(chain.from_iterable(self.links), np.int64, sum(self.sizes))

    @cached_property
    def all_tracks(self) -> Numbers:
        """The track of each of `hops`: the one that is least busy on its link, large nets first."""
        import numpy as np

        links, demands = self._all_links, np.repeat(np.array([net.demand for net in self.nets], np.int64), self.sizes)
        order = np.lexsort((-demands, links))  # link by link, on each the largest first; what is equal stays in order
        starts = np.flatnonzero(np.diff(links[order], prepend=-1))
        sizes = np.diff(starts, append=len(links))
        busy = np.zeros((len(starts), self.tracks), np.int64)
        tracks = np.zeros(len(links), np.int64)
        for turn in range(int(sizes.max(initial=0))):
            mine = np.flatnonzero(sizes > turn)
            hops = order[starts[mine] + turn]
            tracks[hops] = least = busy[mine].argmin(axis=1)
            busy[mine, least] += demands[hops]
        return tracks


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
def link_ends(cols: int, rows: int) -> Numbers:
    """Of every link x, y of the switch that it leaves and of the one that it enters."""
    import numpy as np

    return np.array([(x, y, x + dx, y + dy) for y in range(rows) for x in range(cols) for dx, dy in MOVES], np.int64)


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
