"""Values of a section that is being lowered: who makes them, where elements go, the numbers of access patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.dialects import kernel, rdu
from sambaflow.dialects.rdu.instructions import bits_of
from sambaflow.passes.planning.access import Level, LinearAccess, linearise


@dataclass(frozen=True, eq=False)
class Source:
    """A stream that makes (part of) a tensor: over the domain `extents` it delivers the elements at `coordinates`.

    `indices` are the streams that symbols of the coordinates stand for. `within`: what lies outside of it is dropped.
    """

    stream: SSAValue
    extents: tuple[int, ...]
    coordinates: tuple[AffineExpr, ...]
    indices: tuple[SSAValue, ...] = ()
    within: tuple[Level, ...] = ()

    def access(self, shape: Sequence[int]) -> LinearAccess:
        """Where the elements lie in a tensor of `shape`; what lies outside is dropped."""
        levels = [*self.within, Level(self.coordinates, tuple(shape), 0)]
        return linearise(levels, self.extents, len(self.indices))


@dataclass(eq=False)
class LoweredTensor:
    """A value of the section. `sources` write it in order; `slot`: it stands off-chip, with `token` after a store."""

    type: TensorType[Attribute]
    sources: list[Source] = field(default_factory=list[Source])
    init: int = 0
    slot: SSAValue | None = None
    token: SSAValue | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return self.type.get_shape()


def source_access(source: Source, shape: Sequence[int], num_symbols: int) -> LinearAccess:
    """A source's access while its symbols are still the stage's."""
    return linearise([Level(source.coordinates, tuple(shape), 0)], source.extents, num_symbols)


def tensor_of(element: Attribute, shape: Sequence[int]) -> TensorType[Attribute]:
    """A tensor type."""
    return cast(TensorType[Attribute], TensorType(cast(Any, element), shape))


def tensor_type(value: SSAValue) -> TensorType[Attribute]:
    """The type of a value that is a tensor."""
    return cast(TensorType[Attribute], value.type)


def stream_of(element: Attribute, elements: int, windows: int) -> rdu.StreamType:
    """The type of a stream of `elements` in `windows` windows, the last of which may be smaller."""
    return rdu.StreamType(tensor_of(element, [max(1, ceil(elements / windows))]), windows)


def identity(shape: Sequence[int]) -> tuple[AffineExpr, ...]:
    """The coordinates of a domain that is the tensor itself."""
    return tuple(AffineExpr.dimension(d) for d in range(len(shape)))


def init_bits(init: Attribute) -> int:
    """Raw bits of an accumulator's first value; a block is filled with one value."""
    return bits_of(init.value if isinstance(init, kernel.FillAttr) else init)


def symbols_of(access: LinearAccess) -> list[int]:
    """The symbols that an access uses."""
    rows = [row.symbols for row in access.rows]
    return [s for s, stride in enumerate(access.symbols) if stride or any(row and row[s] for row in rows)]


def access_data(access: LinearAccess, first_port: int = 0) -> rdu.AccessData:
    """The numbers of an access; its symbols are input ports from `first_port` on."""
    used = symbols_of(access)
    return rdu.AccessData(
        strides=access.strides,
        base=access.base,
        bounds=tuple((row.base, *row.strides, row.extent) for row in access.rows),
        pad=access.pad if access.rows else None,
        index_ports=tuple(range(first_port, first_port + len(used))),
        index_strides=tuple(access.symbols[s] for s in used),
        bound_index=tuple(tuple(row.symbols[s] for s in used) for row in access.rows) if used and access.rows else (),
    )


def refined(tile: Sequence[int], extents: Sequence[int], access: LinearAccess) -> tuple[int, ...]:
    """A tile over the counters of `access`, whose dimensions are cut finer than `extents`."""
    rest = list(tile) or [1]
    finer = [1] * len(access.extents)
    for counter in range(len(access.extents) - 1, -1, -1):
        dim = access.dims[counter]
        finer[counter] = max(1, min(access.extents[counter], rest[dim]))
        rest[dim] = ceil(rest[dim] / access.extents[counter])
    return tuple(finer)


def points_of(op: kernel.Stage, keep: Sequence[str]) -> tuple[AffineExpr, ...]:
    """The dimensions of a stage over the domain of an output port, which keeps those of kinds `keep`."""
    position = 0
    points: list[AffineExpr] = []
    for kind in op.kinds:
        points.append(AffineExpr.dimension(position) if kind in keep else AffineExpr.constant(0))
        position += kind in keep
    return tuple(points)
