"""How one stage is tiled, and how the tiles of two stages follow each other.

The loops of a tile grid walk through a tensor in steps; a producer's loops and a consumer's loops are compared from the
outside in. As long as they take the same steps, the consumer can start on a part that the producer has finished:

    producer  (m: step 8 rows, 16 times) (n: step 64, 4 times)        C[m, n]
    consumer  (m: step 8 rows, 16 times) (k: all of it)               reads C[m, k]
    shared    16 tokens of 8 rows
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod
from typing import NamedTuple

from sambaflow.machine import PICOSECONDS, Cost, Machine, cost, firing_of
from sambaflow.passes.planning.access import Level, LinearAccess, linearise
from sambaflow.passes.planning.facts import StageFacts

COPY_PORTS = (1, 2, 4, 8, 16)
"""PMUs that may move a layout change side by side."""


@dataclass(frozen=True)
class Walk:
    """One loop of a tile grid through a tensor: elements from one tile to the next, and how many tiles."""

    step: int
    count: int


class Candidate(NamedTuple):
    """One choice of par factors: PCUs, cycles between firings, cycles to the first result."""

    pcus: int
    cycles: int
    latency: int
    par: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tiling:
    """A stage's tile and loop order. `grid` is the number of tiles along each dimension."""

    stage: StageFacts
    tile: tuple[int, ...]
    order: tuple[int, ...]

    @cached_property
    def grid(self) -> tuple[int, ...]:
        return tuple(ceil(e / t) for e, t in zip(self.stage.extents, self.tile, strict=True))

    @cached_property
    def firings(self) -> int:
        return prod(self.grid)

    def walks(self, access: LinearAccess) -> Iterator[tuple[int, Walk]]:
        """(position in `order`, loop) of the grid's loops through the tensor of `access`, outermost first.

        Ends before the first loop that does not walk on through the tensor: one that does not use it, walks backwards,
        cuts a counter in the middle, or whose tiles overlap (a halo).
        """
        for position, dim in enumerate(self.order):
            if self.grid[dim] == 1:
                continue
            loops = self._walks_of_dim(access, dim)
            if not loops:
                return
            for walk in loops:
                if not self._apart(access, dim, walk):
                    return
                yield position, walk

    def _walks_of_dim(self, access: LinearAccess, dim: int) -> list[Walk]:
        tile, weight = self.tile[dim], self.stage.extents[dim]
        loops: list[Walk] = []
        for counter, owner in enumerate(access.dims):
            if owner != dim:
                continue
            extent, stride = access.extents[counter], access.strides[counter]
            above, weight = weight, weight // extent
            if extent == 1:
                continue
            if tile >= above:
                break
            if stride <= 0 or (weight > 1 and max(tile, weight) % min(tile, weight)):
                return []
            step = max(1, tile // weight)
            loops.append(Walk(stride * step, ceil(extent / step)))
        return loops

    def _apart(self, access: LinearAccess, dim: int, walk: Walk) -> bool:
        """Whether one tile's elements stay within the loop's step."""
        if access.rows:
            mine = [c for c, owner in enumerate(access.dims) if owner == dim]
            return not any(row.strides[c] for row in access.rows for c in mine)
        if access.base < 0 or any(access.symbols):
            return False
        reach = access.base
        for counter, (extent, stride) in enumerate(zip(access.extents, access.strides, strict=True)):
            if 0 < stride < walk.step:
                reach += stride * (extent - 1) if access.dims[counter] != dim else 0
            elif stride < 0 or (access.dims[counter] != dim and self._beside(walk, stride, extent)):
                return False
        return reach + self._own_reach(access, dim, walk) < walk.step

    def _beside(self, walk: Walk, stride: int, extent: int) -> bool:
        """Whether a counter of another dimension moves along the loop's own steps (a kernel row over image rows)."""
        return extent > 1 and walk.step <= stride < walk.step * walk.count

    def _own_reach(self, access: LinearAccess, dim: int, walk: Walk) -> int:
        """How far the tile of `dim` itself reaches below the loop's step."""
        reach, rest = 0, self.tile[dim]
        for counter in reversed([c for c, owner in enumerate(access.dims) if owner == dim]):
            extent, stride = access.extents[counter], access.strides[counter]
            inside = min(rest, extent)
            if stride < walk.step:
                reach += stride * (inside - 1)
            rest = ceil(rest / extent)
        return reach

    def candidates(self, accesses: Sequence[LinearAccess | None], machine: Machine, pcus: int) -> tuple[Candidate, ...]:
        """The Pareto set of par factors, PCUs ascending, cycles descending: those of `pcus` at most, and the first."""
        if not self.stage.mode:
            return self._copies(accesses, machine)
        if (par := self.stage.par) is not None:
            price = self._price(par, accesses, machine)
            return (Candidate(prod(par), price.cycles, price.latency, par),)
        tried: dict[tuple[int, ...], Candidate] = {}

        def take(par: tuple[int, ...]) -> Candidate:
            if par not in tried:
                price = self._price(par, accesses, machine)
                tried[par] = Candidate(prod(par), price.cycles, price.latency, par)
            return tried[par]

        wishes, first = self.stage.wishes, self.stage.wishes.first
        best = take(tuple(min(wishes.par_of(dim) or 1, tile) for dim, tile in enumerate(self.tile)))
        while True:
            narrow = best.par
            wider = [take(par) for par in self._wider(narrow, 2, 1) if prod(par) <= pcus]
            if not wider:
                break
            for par in self._wider(narrow, 3, 2):
                if prod(par) <= pcus:
                    take(par)
            ranked = [(c.cycles, first >= 0 and c.par[first] == narrow[first], c.par, c) for c in wider]
            best = min(ranked)[-1]
        return _pareto(tried.values())

    def _copies(self, accesses: Sequence[LinearAccess | None], machine: Machine) -> tuple[Candidate, ...]:
        """Without a PCU, what a firing moves goes through the ports of its buffer's PMUs, a few of them at a time; a
        collective takes what its links take."""
        par = (1,) * len(self.tile)
        if self.stage.transfer_picoseconds:
            cycles = ceil(self.stage.transfer_picoseconds * machine.clock / (PICOSECONDS * self.firings))
            return (Candidate(0, max(1, cycles), 0, par),)
        moved = max(
            (
                footprint(access, operand.elements, self.tile) * operand.element_bytes
                for access, operand in zip(accesses, self.stage.operands, strict=True)
                if access is not None
            ),
            default=0,
        )
        cycles = [max(1, ceil(moved / (machine.pmu.port_bytes * ports))) for ports in COPY_PORTS]
        return tuple(Candidate(0, least, 0, par) for least in sorted(set(cycles), reverse=True))

    def _wider(self, par: tuple[int, ...], up: int, down: int) -> list[tuple[int, ...]]:
        """`par` with one parallel dimension widened by up / down, as far as the tile goes."""
        wider: list[tuple[int, ...]] = []
        for dim, kind in enumerate(self.stage.kinds):
            if self.stage.wishes.par_of(dim):
                continue
            limit = self.tile[dim] if kind == "parallel" else (self.stage.split[dim] if self.stage.split else 1)
            more = min(par[dim] * up // down, limit)
            if more > par[dim]:
                wider.append((*par[:dim], more, *par[dim + 1 :]))
        return wider

    def _price(self, par: tuple[int, ...], accesses: Sequence[LinearAccess | None], machine: Machine) -> Cost:
        share = tuple(ceil(t / p) for t, p in zip(self.tile, par, strict=True))
        stage = self.stage
        ports = [
            footprint(access, operand.elements, share) * operand.element_bytes
            for access, operand in zip(accesses, stage.operands, strict=True)
            if access is not None
        ]
        outputs = prod(t for t, kind in zip(share, stage.kinds, strict=True) if kind != "reduction")
        ports += [outputs * (result.emitted_bytes or result.element_bytes) for result in stage.results]
        return cost(firing_of(stage.mode, share, stage.kinds, stage.body, stage.finish, ports, stage.dtype), machine)


def footprint(access: LinearAccess, elements: int, tile: Sequence[int]) -> int:
    """Distinct elements that the points of one tile read, at most."""
    if any(access.symbols):
        return elements
    product, reach = 1, 1
    rest = list(tile)
    for extent, stride, dim in access.innermost_first:
        left = rest[dim]
        inside = left if left < extent else extent
        rest[dim] = -(-left // extent)
        if stride:
            product *= inside
            reach += abs(stride) * (inside - 1)
    return min(product, reach, elements)


def _pareto(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    best: list[Candidate] = []
    for candidate in sorted(candidates):
        if not best or candidate.cycles < best[-1].cycles:
            best.append(candidate)
    return tuple(best)


def tile_stage(stage: StageFacts, variant: int, grain: int) -> Tiling:
    """The stage's tiling, in at most `grain` tiles along its parallel dimensions.

    Variant 0 keeps the dimensions in order, reductions innermost: rows flow through the section. Variant 1 puts
    first the dimensions that the largest operand uses: weights flow, and the other operands are held.
    """
    if stage.mapping is not None:
        return Tiling(stage, stage.mapping.tile, stage.mapping.order)
    order = _order(stage, variant)
    tile = [1] * len(stage.extents)
    left = grain
    for dim in order:
        extent = stage.extents[dim]
        if stage.kinds[dim] == "reduction" or extent <= 1:
            tile[dim] = extent
            continue
        tile[dim] = max(_tile_of(extent, left), stage.wishes.par_of(dim), stage.par[dim] if stage.par else 1)
        left = max(1, left // ceil(extent / tile[dim]))
    return Tiling(stage, tuple(tile), order)


def _order(stage: StageFacts, variant: int) -> tuple[int, ...]:
    rank = {"parallel": 0, "sequential": 0, "reduction": 1}
    dims = sorted(range(len(stage.extents)), key=lambda d: (rank[stage.kinds[d]], d))
    if variant and stage.operands:
        largest = max(stage.operands, key=lambda o: o.elements)
        used = {d for expr in largest.level.coordinates for d in expr.used_dims()}
        dims.sort(key=lambda d: (rank[stage.kinds[d]], d not in used, d))
    return tuple(dims)


def _tile_of(extent: int, most: int) -> int:
    """The tile of a dimension that may be cut into `most` pieces: equal pieces if there are nearly as many."""
    count = min(extent, most)
    even = next(n for n in range(count, 0, -1) if extent % n == 0)
    return extent // even if even * 4 > count else ceil(extent / count)


def result_access(stage: StageFacts, result: int) -> LinearAccess:
    """Where each point of the domain (reductions included, they do not move it) writes a result; outside, nowhere."""
    facts = stage.results[result]
    return linearise([Level(facts.coordinates, facts.shape, 0)], stage.extents, facts.num_symbols)


def shared_tokens(producer: Sequence[Walk], consumer: Sequence[Walk]) -> tuple[int, int]:
    """How many equal parts of a tensor can be handed over, and how many consumer loops that takes.

    A loop of larger steps is made of several of a finer one; a coarser consumer waits for whole steps.
    """
    tokens, used = 1, 0
    p, c = list(reversed(producer)), list(reversed(consumer))
    while p and c:
        maker, reader = p.pop(), c.pop()
        (ps, pn), (cs, cn) = (maker.step, maker.count), (reader.step, reader.count)
        if ps * pn != cs * cn:
            break
        if ps == cs:
            tokens *= cn
            used += 1
        elif cs % ps == 0:
            tokens *= cn
            used += 1
            p.append(Walk(ps, cs // ps))
        elif ps % cs == 0:
            tokens *= pn
            c.append(Walk(cs, ps // cs))
        else:
            break
    return tokens, used
