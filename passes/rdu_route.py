"""rdu-route: lead every stream over the mesh of switches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import ClassVar

from xdsl.context import Context

from sambaflow.diagnostics import error_at
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.grid import Grid, Place, grid_of, partners
from sambaflow.dialects.rdu.units import stream
from sambaflow.errors import CapacityError
from sambaflow.passes.base import OperationPass

MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Directions of the output ports of a switch; the link over port d enters the neighbour by another port of its own."""


@dataclass(frozen=True)
class RduRoutePass(OperationPass[rdu.ProgramOp]):
    """Choose a tree of hops for what each unit sends, and a vector track for each hop.

        rdu.section @s (...) { ... }
        // becomes
        rdu.section @s (...) attributes {net_sources = dense<..>, net_hops = dense<..>, hops = dense<..>,
                                         tracks = dense<..>} { ... }

    The vector network is packet switched: nets share a track, so what a side of a switch can carry is bytes, not
    nets. In the time in which the busiest net hands over its bytes, a side carries `tracks` times as many. Nets first
    take the better of two dimension-order trees; then, in counted rounds of negotiated congestion, nets on overloaded
    sides are ripped up and led again over a mesh whose busy sides cost more (PathFinder, McMurchie and Ebeling 1995).

    Ends in a proof that no side is overloaded (an analysis remark), or names the bottleneck: its nets slow each other
    down by the stated factor (a missed remark), or, with `strict`, a CapacityError. Needs `rdu-place`.
    """

    name: ClassVar[str] = "rdu-route"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program", "placement")
    leaves = ("routes",)

    rounds: int = 8
    """Rounds of negotiated congestion."""
    strict: bool = False
    """An overloaded side is an error."""

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        machine = rdu.machine_of(op)
        grid = grid_of(machine, machine.target(chips=op.target.chips.data, tiles=op.target.tiles.data))
        known: dict[tuple[Net, ...], Routing] = {}
        for section in op.sections:
            nets = tuple(nets_of(section, grid))
            if nets not in known:
                known[nets] = Routing(grid, nets, machine.network.tracks)
                known[nets].run(self.rounds)
            routing = known[nets]
            section.set_nets([(n.source, routing.hops_of(i), routing.tracks_of(i)) for i, n in enumerate(nets)])
            self._report(ctx, section, routing)

    def _report(self, ctx: Context, section: rdu.SectionOp, routing: Routing) -> None:
        over = routing.overloaded()
        facts = {"nets": len(routing.nets), "hops": sum(map(len, routing.trees)), "rounds": routing.rounds}
        if not over:
            self.found(
                ctx, section, "no side of a switch is overloaded", peak=routing.peak, limit=routing.limit, **facts
            )
            return
        worst = max(over, key=lambda link: (routing.usage[link], -link))
        x, y, x1, y1 = routing.ends(worst)
        demand = routing.usage[worst]
        message = f"the link from ({x}, {y}) to ({x1}, {y1}) is the bottleneck of {len(over)} overloaded ones"
        if self.strict:
            raise error_at(
                section,
                message,
                CapacityError,
                demand=f"{demand} bytes",
                limit=f"{routing.limit} bytes",
                shortfall=f"{demand - routing.limit} bytes",
                levers=["lower a par factor", "allow a cut", "give rdu-route more rounds"],
            )
        self.missed(ctx, section, message, slowdown=f"{demand / routing.limit:.2f}", **facts)


@dataclass(frozen=True)
class Net:
    """What one unit sends out of one port: `demand` bytes in one execution of the section, to the switches `ends`."""

    source: tuple[int, int, int]  # group, port, unit of the group
    start: Place
    ends: tuple[Place, ...]
    demand: int


def nets_of(section: rdu.SectionOp, grid: Grid) -> Iterator[Net]:
    """The nets of a placed section, in the order of units, ports, members."""
    units = section.units
    places = {unit: [grid.switch((place[0], place[1])) for place in unit.places] for unit in units}
    for number, unit in enumerate(units):
        for port, result in enumerate(unit.results):
            type = stream(result)
            demand = max(1, -(-type.tile_bytes * type.count.data // unit.units))
            ends: list[dict[Place, None]] = [{} for _ in range(unit.units)]
            for use in result.uses:
                if isinstance(use.operation, rdu.UnitOp):
                    target = places[use.operation]
                    for i, j in partners(unit.units, len(target)):
                        ends[i][target[j]] = None
            for member, there in enumerate(ends):
                if there:
                    yield Net((number, port, member), places[unit][member], tuple(sorted(there)), demand)


Tree = dict[int, int]
"""Switch -> the link by which it is entered, parents first; the start is entered by -1."""


class Routing:
    """Trees for nets on the mesh. Switch s = y * cols + x; link 4 s + d leaves it in direction d."""

    def __init__(self, grid: Grid, nets: Sequence[Net], tracks: int) -> None:
        self.cols, self.rows = grid.cols, grid.rows
        self.nets, self.tracks = nets, tracks
        self.limit = tracks * max((net.demand for net in nets), default=1)
        links = 4 * self.cols * self.rows
        self.usage, self.history = [0] * links, [0] * links
        self.trees: list[Tree] = [{} for _ in nets]
        self.rounds = 0

    @property
    def peak(self) -> int:
        """Bytes on the busiest side of a switch."""
        return max(self.usage, default=0)

    def run(self, rounds: int) -> None:
        for i in sorted(range(len(self.nets)), key=lambda i: (-self.nets[i].demand, i)):
            self._add(i, min(self._dimension_ordered(i), key=lambda tree: self._load(tree, self.nets[i].demand)))
        best = (self._overload(), list(self.trees))
        while best[0] and self.rounds < rounds:
            self.rounds += 1
            over = frozenset(self.overloaded())
            for link in over:
                self.history[link] += 1
            for i, tree in enumerate(self.trees):
                if any(link in over for link in tree.values()):
                    self._remove(i)
                    self._add(i, self._grow(i))
            if (overload := self._overload()) < best[0]:
                best = (overload, list(self.trees))
        for i, tree in enumerate(best[1]):
            if self.trees[i] is not tree:
                self._remove(i)
                self._add(i, tree)

    def overloaded(self) -> list[int]:
        return [link for link, used in enumerate(self.usage) if used > self.limit]

    def _overload(self) -> int:
        return sum(used - self.limit for used in self.usage if used > self.limit)

    def _add(self, i: int, tree: Tree) -> None:
        self.trees[i] = tree
        self._charge(tree, self.nets[i].demand)

    def _remove(self, i: int) -> None:
        self._charge(self.trees[i], -self.nets[i].demand)

    def _charge(self, tree: Tree, demand: int) -> None:
        for link in tree.values():
            if link >= 0:
                self.usage[link] += demand

    def _load(self, tree: Tree, demand: int) -> tuple[int, int]:
        """How busy a tree would make its busiest link, in tracks; then its size."""
        busiest = max((self.usage[link] for link in tree.values() if link >= 0), default=0)
        return (busiest + demand) // max(1, self.limit // self.tracks), len(tree)

    # Dimension-order trees.

    def _dimension_ordered(self, i: int) -> Iterator[Tree]:
        """All ends along x, then y; and along y, then x."""
        net = self.nets[i]
        for axes in ((0, 1), (1, 0)):
            tree: Tree = {net.start[1] * self.cols + net.start[0]: -1}
            for end in net.ends:
                self._walk(tree, net.start, end, axes)
            yield tree

    def _walk(self, tree: Tree, start: Place, end: Place, axes: tuple[int, int]) -> None:
        here = start[1] * self.cols + start[0]
        for axis in axes:
            way = end[axis] - start[axis]
            direction = 2 * axis + (way < 0)
            step = (1, self.cols)[axis] * (1 if way > 0 else -1)
            for _ in range(abs(way)):
                link, here = 4 * here + direction, here + step
                tree.setdefault(here, link)

    # Negotiated congestion.

    def _grow(self, i: int) -> Tree:
        """A tree that reaches the ends, the nearest first, each by the cheapest way from what the tree has."""
        net = self.nets[i]
        x, y = net.start
        tree: Tree = {y * self.cols + x: -1}
        prices: dict[int, int] = {}
        for end in sorted(net.ends, key=lambda end: (abs(end[0] - x) + abs(end[1] - y), end)):
            if end[1] * self.cols + end[0] not in tree:
                self._reach(tree, end, net.demand, prices)
        return tree

    def _price(self, link: int, demand: int, prices: dict[int, int]) -> int:
        """16 a hop; more where the link would be overloaded now, and where it was in earlier rounds."""
        excess = max(0, self.usage[link] + demand - self.limit)
        pressure = -(-16 * excess * self.rounds // self.limit)
        prices[link] = (16 + 8 * self.history[link]) * (16 + pressure) // 16
        return prices[link]

    def _reach(self, tree: Tree, end: Place, demand: int, prices: dict[int, int]) -> None:
        """A* from the whole tree to `end`, whose way joins the tree. A hop costs at least 16: so much is ahead."""
        cols, rows, (ex, ey) = self.cols, self.rows, end
        goal = ey * cols + ex
        done: dict[int, int] = {}
        queue = [(16 * (abs(s % cols - ex) + abs(s // cols - ey)), s, -1, 0) for s in tree]
        heapify(queue)
        while goal not in done:
            _, here, link, cost = heappop(queue)
            if here in done:
                continue
            done[here] = link
            x, y = here % cols, here // cols
            for direction, (dx, dy) in enumerate(MOVES):
                nx, ny = x + dx, y + dy
                there = here + dx + dy * cols
                if 0 <= nx < cols and 0 <= ny < rows and there not in done:
                    out = 4 * here + direction
                    paid = cost + (prices.get(out) or self._price(out, demand, prices))
                    heappush(queue, (paid + 16 * (abs(nx - ex) + abs(ny - ey)), there, out, paid))
        self._join(tree, done, goal)

    def _join(self, tree: Tree, done: dict[int, int], end: int) -> None:
        way: list[int] = []
        here = end
        while here not in tree:
            way.append(here)
            here = done[here] // 4
        for switch in reversed(way):
            tree[switch] = done[switch]

    # What the section keeps.

    def ends(self, link: int) -> tuple[int, int, int, int]:
        """x, y of both ends of a link."""
        y, x = divmod(link // 4, self.cols)
        dx, dy = MOVES[link % 4]
        return x, y, x + dx, y + dy

    def hops_of(self, i: int) -> list[tuple[int, int, int, int]]:
        return [self.ends(link) for link in self.trees[i].values() if link >= 0]

    def tracks_of(self, i: int) -> list[int]:
        return [self._assigned[i, link] for link in self.trees[i].values() if link >= 0]

    @property
    def _assigned(self) -> dict[tuple[int, int], int]:
        """The track of each net on each link: the one that is least busy, large nets first."""
        if not hasattr(self, "_tracks"):
            self._tracks: dict[tuple[int, int], int] = {}
            busy: dict[int, list[int]] = {}
            for i in sorted(range(len(self.nets)), key=lambda i: (-self.nets[i].demand, i)):
                for link in self.trees[i].values():
                    if link >= 0:
                        loads = busy.setdefault(link, [0] * self.tracks)
                        track = loads.index(min(loads))
                        loads[track] += self.nets[i].demand
                        self._tracks[i, link] = track
        return self._tracks
