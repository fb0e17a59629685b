"""What a unit does in one firing, read from its configuration: points, bytes, contiguous runs, instructions.

The counterpart for kernel stages is `passes/planning/analysis.py`; both end in `machine.firing_of`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, prod

from sambaflow.backends.rdu.image import (
    DTYPE_BYTES,
    PARALLEL,
    REDUCTION,
    SEQUENTIAL,
    Access,
    Ints,
    Load,
    Pcu,
    Store,
    Words,
)
from sambaflow.backends.rdu.words import decode_program
from sambaflow.machine import Firing, firing_of

KINDS = {PARALLEL: "parallel", REDUCTION: "reduction", SEQUENTIAL: "sequential"}


@dataclass(frozen=True)
class Reads:
    """How an operand is read: an access over counters, whose product is the consumer's domain in row-major order.

    `elements`: how many elements there are to read; 0: each point reads its own (a direct stream).
    """

    extents: tuple[int, ...]
    strides: tuple[int, ...]
    elements: int

    @staticmethod
    def of(extents: Ints, access: Access, elements: int) -> Reads:
        return Reads(_ints(extents), _ints(access.strides), elements)


def _ints(values: Ints) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def grid(extents: Ints, tile: Ints) -> tuple[int, ...]:
    """Tiles along each dimension."""
    return tuple(ceil(e / max(1, t)) for e, t in zip(_ints(extents), _ints(tile), strict=True))


def firings(unit: Pcu | Load | Store) -> int:
    """How often the unit fires in one execution of its section: once a tile."""
    return prod(grid(unit.extents, unit.tile))


def footprint(domain: Sequence[int], tile: Sequence[int], reads: Reads | None) -> int:
    """Distinct elements of an operand that the points of one tile read, at most; None: every point has its own."""
    points = prod(min(t, e) for t, e in zip(tile, domain, strict=True))
    counters = _counters(domain, tile, reads) if reads else None
    if reads is None or counters is None:
        return points if reads is None else min(points, reads.elements)
    product, reach = 1, 1
    for inside, stride in counters:
        if stride:
            product *= inside
            reach += abs(stride) * (inside - 1)
    return min(product, reach, reads.elements)


def _counters(domain: Sequence[int], tile: Sequence[int], reads: Reads) -> list[tuple[int, int]] | None:
    """(how far the tile goes along it, stride) of every counter; None if the counters do not refine the domain."""
    counters: list[tuple[int, int]] = []
    dim, rest = len(domain) - 1, tile[-1] if tile else 1
    above = domain[-1] if domain else 1
    for extent, stride in zip(reversed(reads.extents), reversed(reads.strides), strict=True):
        while above == 1 and dim > 0:
            dim -= 1
            rest, above = tile[dim], domain[dim]
        if extent > 1 and (above % extent or above == 1):
            return None
        counters.append((min(rest, extent), stride))
        rest, above = ceil(rest / extent), above // extent
    return counters


def pcu_firing(unit: Pcu, operands: Sequence[Reads | None]) -> Firing:
    """The firing of one PCU of the group; `operands`: how each input port's stream is read."""
    share = tuple(ceil(t / p) for t, p in zip(_ints(unit.tile), _ints(unit.par), strict=True))
    return _firing(unit, share, operands)


def whole_firing(unit: Pcu) -> Firing:
    """The unit's whole domain as one firing: it counts operations without rounding to tiles."""
    return _firing(unit, _ints(unit.extents), [None] * len(unit.inputs))


def _firing(unit: Pcu, tile: tuple[int, ...], operands: Sequence[Reads | None]) -> Firing:
    kinds = [KINDS[int(kind)] for kind in unit.kinds]
    domain = _ints(unit.extents)
    ports = [
        footprint(domain, tile, reads) * DTYPE_BYTES[dtype] for dtype, reads in zip(unit.inputs, operands, strict=True)
    ]
    outputs = prod(t for t, kind in zip(tile, kinds, strict=True) if kind != "reduction")
    ports += [outputs * DTYPE_BYTES[dtype] for dtype in unit.outputs]
    dtype = (unit.inputs or unit.outputs or ["f32"])[0]
    return firing_of(unit.mode, tile, kinds, _classes(unit.body), _classes(unit.finish), ports, dtype)


def _classes(program: Words) -> Iterator[str]:
    return (instruction.opcode.op_class for instruction in decode_program(program.tolist()))


@dataclass(frozen=True)
class Transfer:
    """What a load or store moves in one execution: bytes of all firings, and the length of its contiguous pieces."""

    bytes: int
    contiguous: int


def transfer(unit: Load | Store, element_bytes: int) -> Transfer:
    """Bytes that cross to the memory. An element that several points of one window name crosses once."""
    extents, tile, strides = _ints(unit.extents), _ints(unit.tile), _ints(unit.access.strides)
    indexed = len(unit.access.index_strides) > 0
    moved = prod(
        extent if stride or indexed else ceil(extent / max(1, t))
        for extent, stride, t in zip(extents, strides, tile, strict=True)
    )
    run = 1
    for stride, extent, t in sorted(zip(map(abs, strides), extents, tile, strict=True)):
        if extent == 1 or stride == 0:
            continue
        if stride != run:
            break
        run *= min(t, extent)
        if t < extent:
            break
    return Transfer(moved * element_bytes, run * element_bytes)
