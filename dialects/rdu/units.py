"""What all groups of units have, and those that hold or move data: loads, stores, stage buffers.

One op is one group of `count` equal units; coordinates of its units stand in one dense attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, ClassVar

from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    NoneType,
    StringAttr,
    TensorType,
    i64,
)
from xdsl.ir import Attribute, OpResult, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    var_operand_def,
    var_result_def,
)
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.rdu.attributes import AccessAttr, AccessData, PortAttr, Row, StreamType, array, rows, values
from sambaflow.dialects.rdu.dtypes import TOKEN, dtype_name
from sambaflow.dialects.rdu.reach import exceeds, leaves_bounds, reach
from sambaflow.machine.opcodes import MOST_ELEMENTS

MODES = ("systolic", "simd", "reduce", "tail")
KINDS = ("parallel", "reduction", "sequential")
"""Kinds of dimensions; the position is the number in `kinds`."""
PARALLEL, REDUCTION, SEQUENTIAL = range(3)
CONFLICTS = ("overwrite", "add")
COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")

Array = DenseArrayBase[I64]


@lru_cache(maxsize=1024)
def number(value: int) -> IntegerAttr[Any]:
    """`value : i64` (attributes are shared between ops)."""
    return IntegerAttr(value, i64)


class UnitOp(IRDLOperation):
    """What all groups have: a domain, a count of units, and, when known, coordinates and a label."""

    KIND: ClassVar[str]
    RESOURCE: ClassVar[str]
    """pcu, pmu or agcu: what `count` counts."""

    domain = prop_def(Array)
    """Extents of the domain."""
    count = prop_def(IntegerAttr[I64])
    """How many units are in the group."""
    coordinates = opt_prop_def(DenseIntOrFPElementsAttr)
    """[count, 2]: x, y of each unit. Set by rdu-place."""
    label = opt_prop_def(StringAttr)
    """A name for people; kept in the debug section of a PEF."""

    irdl_options = (ParsePropInAttrDict(),)

    @property
    def extents(self) -> Row:
        return values(self.domain)

    @property
    def units(self) -> int:
        """How many PCUs, PMUs or AGCUs the group takes."""
        return self.count.value.data

    @property
    def places(self) -> list[Row]:
        """(x, y) of each unit; empty before rdu-place."""
        return rows(self.coordinates)

    @property
    def ports(self) -> Sequence[SSAValue]:
        """The input ports."""
        return self.operands

    def depth_of(self, port: int) -> int:
        """Windows of buffer at an input port."""
        raise NotImplementedError

    def verify_(self) -> None:
        if any(extent < 1 for extent in self.extents):
            raise VerifyException(f"extents are at least 1: {list(self.extents)}")
        if self.units < 1:
            raise VerifyException(f"a group has at least one unit, not {self.units}")
        if self.coordinates is not None and self.coordinates.get_shape() != (self.units, 2):
            raise VerifyException(
                f"{self.units} units have coordinates of shape ({self.units}, 2), not {self.coordinates.get_shape()}"
            )
        if prod(self.extents) > MOST_ELEMENTS:
            raise VerifyException(f"the domain has {prod(self.extents)} points, more than {MOST_ELEMENTS}")
        self.verify_unit()
        for number, result in enumerate(self.results):
            self._verify_windows(number, stream(result))

    def _verify_windows(self, result: int, window: StreamType) -> None:
        """A window stands for at least one point, and holds no more elements than there are points or places."""
        delivered = self.points_of(result)
        points = prod(self.extents) if delivered is None else delivered
        if window.count.data > points or window.tile_elements > max(points, prod(self.extents)):
            raise VerifyException(f"result {result} has {points} points, too few for {window}")

    def points_of(self, result: int) -> int | None:
        """Points that a result delivers; None for a token."""
        raise NotImplementedError

    def verify_unit(self) -> None:
        """What the kind of unit adds."""
        raise NotImplementedError

    def require_access(
        self, what: str, access: AccessData, extents: Row, indices: range, elements: int, *, reads: bool
    ) -> None:
        """`indices`: the input ports that deliver indices; `elements`: of the space that is accessed."""
        if any(extent < 1 for extent in extents):
            raise VerifyException(f"{what}: extents are at least 1: {list(extents)}")
        if prod(extents) > MOST_ELEMENTS:
            raise VerifyException(f"{what}: the domain has {prod(extents)} points, more than {MOST_ELEMENTS}")
        if len(access.strides) != len(extents):
            raise VerifyException(
                f"{what}: a domain of rank {len(extents)} needs as many strides, not {len(access.strides)}"
            )
        for port in access.index_ports:
            if port not in indices:
                raise VerifyException(f"{what}: input port {port} delivers no index (ports {_span(indices)} do)")
            if stream(self.ports[port]).dtype not in ("i32", "i64", "u8", "i8", "i16"):
                raise VerifyException(f"{what}: an index is an integer, port {port} delivers {self.ports[port].type}")
        if exceeds(access, extents):
            raise VerifyException(f"{what}: an address or a bound does not fit 64 bits")
        if reads and access.pad is None and (row := leaves_bounds(access, extents)) is not None:
            raise VerifyException(f"{what}: reads out of range of the bound {list(row)}, but has no pad")
        if not (touched := reach(access, extents)).lies_in(elements):
            raise VerifyException(f"{what}: names elements {touched} of {elements}")

    def require_tile(self, tile: Row) -> None:
        if len(tile) != len(self.extents) or any(not 1 <= t <= e for t, e in zip(tile, self.extents, strict=True)):
            raise VerifyException(f"tile {list(tile)} does not lie in the domain {list(self.extents)}")

    def require_port(self, port: int, extents: Row) -> None:
        """The stream at an input port has as many points as the domain that reads it."""
        value = self.ports[port]
        delivered = made_points(value)
        if delivered is not None and delivered != prod(extents):
            raise VerifyException(
                f"input port {port} reads {prod(extents)} points {list(extents)}, its producer delivers {delivered}"
            )


class BufferedUnitOp(UnitOp):
    """A group that buffers a number of windows of its own at each input port."""

    depths = prop_def(Array)
    """Windows of buffer at each input port."""

    def depth_of(self, port: int) -> int:
        return values(self.depths)[port]

    def verify_(self) -> None:
        if len(self.depths) != len(self.ports):
            raise VerifyException(f"{len(self.ports)} input ports have {len(self.depths)} depths")
        if any(depth < 1 for depth in values(self.depths)):
            raise VerifyException("a port buffers at least one window")
        super().verify_()


def counted(count: int, label: str | None) -> dict[str, Attribute]:
    """The last properties of every group: how many units it has, and its label if it has one."""
    properties: dict[str, Attribute] = {"count": number(count)}
    if label:
        properties["label"] = StringAttr(label)
    return properties


def _span(ports: range) -> str:
    return f"{ports.start} to {ports.stop - 1}" if ports else "none"


def stream(value: SSAValue) -> StreamType:
    """The stream type of a value that joins units."""
    assert isinstance(value.type, StreamType), "the operands and results of units are streams"
    return value.type


def made_points(value: SSAValue) -> int | None:
    """Points that the producer of a stream delivers; None when it is no unit."""
    owner = value.owner
    return owner.points_of(value.index) if isinstance(owner, UnitOp) and isinstance(value, OpResult) else None


def slot_type(value: SSAValue) -> TensorType[Attribute]:
    """The tensor type of a section's slot."""
    assert isinstance(value.type, TensorType), "loads and stores take tensors"
    return value.type


class TransferOp(BufferedUnitOp):
    """What loads and stores share: AGCUs visit a slot at every point of the domain.

    Streams: values, then indices, then tokens that the transfer waits for.
    """

    RESOURCE: ClassVar = "agcu"
    VALUES: ClassVar[int]
    """How many of the streams are values."""

    slot = operand_def(TensorType)
    """What is read or written."""
    streams = var_operand_def(StreamType)
    """The value of a store, indices, then tokens to wait for."""

    access = prop_def(AccessAttr)
    """Which element of the slot each point of the domain is."""
    tile = prop_def(Array)
    """Points of one window."""
    indices = prop_def(IntegerAttr[I64])
    """How many of the streams are indices."""

    assembly_format = "$slot `(` $streams `)` attr-dict `:` functional-type(operands, results)"

    @property
    def ports(self) -> Sequence[SSAValue]:
        return self.streams

    @property
    def value(self) -> SSAValue:
        """The stream of the slot's elements."""
        raise NotImplementedError

    def element_dtypes(self) -> tuple[str, ...]:
        """The element types that the value may have."""
        return (dtype_name(slot_type(self.slot).element_type) or "",)

    def verify_unit(self) -> None:
        indices = range(self.VALUES, self.VALUES + self.indices.value.data)
        if not self.VALUES <= indices.stop <= len(self.streams):
            raise VerifyException(
                f"{self.VALUES} value and {self.indices.value.data} index streams, but {len(self.streams)} streams"
            )
        self.require_tile(values(self.tile))
        elements, reads = prod(slot_type(self.slot).get_shape()), isinstance(self, LoadOp)
        self.require_access("access", self.access.data, self.extents, indices, elements, reads=reads)
        for port in range(indices.stop):
            self.require_port(port, self.extents)
        if any(stream(value).dtype != TOKEN for value in self.streams[indices.stop :]):
            raise VerifyException("streams after value and indices are tokens: !rdu.stream<none, n>")
        if stream(self.value).dtype not in self.element_dtypes():
            raise VerifyException(f"a slot of {slot_type(self.slot)} holds no elements of {self.value.type}")


def _transfer(
    domain: Sequence[int], access: AccessData, tile: Sequence[int], indices: int, depths: Sequence[int]
) -> dict[str, Attribute]:
    """The properties of a transfer."""
    return {
        "domain": array(domain),
        "access": AccessAttr(access),
        "tile": array(tile),
        "indices": number(indices),
        "depths": array(depths),
    }


@irdl_op_definition
class LoadOp(TransferOp):
    """Reads a slot at every point of the domain, by AGCUs.

    Example:

    ```mlir
    %x = rdu.load %slot() {domain = array<i64: 16, 128>, tile = array<i64: 4, 128>, access = #rdu.access<[128, 1]>,
                           count = 1 : i64, indices = 0 : i64, depths = array<i64>}
         : (tensor<16x128xbf16>) -> !rdu.stream<tensor<4x128xbf16>, 4>
    ```

    Streams: first `indices` index streams, then tokens that the load waits for.
    """

    name = "rdu.load"
    KIND: ClassVar = "load"
    VALUES: ClassVar = 0

    result = result_def(StreamType)
    """The elements, in the order of the domain."""

    @classmethod
    def create_load(
        cls,
        slot: SSAValue,
        result: StreamType,
        *,
        domain: Sequence[int],
        access: AccessData,
        tile: Sequence[int],
        streams: Sequence[SSAValue] = (),
        indices: int = 0,
        depths: Sequence[int] = (),
        count: int = 1,
        label: str | None = None,
    ) -> LoadOp:
        properties = _transfer(domain, access, tile, indices, depths) | counted(count, label)
        return cls.create(operands=[slot, *streams], result_types=[result], properties=properties)

    @property
    def value(self) -> SSAValue:
        return self.result

    def points_of(self, result: int) -> int:
        return prod(self.extents)


@irdl_op_definition
class StoreOp(TransferOp):
    """Writes a slot at every point of the domain, by AGCUs. Out of range is dropped, an index out of range refused.
    May give a token when it is done.

    Example:

    ```mlir
    rdu.store %slot(%y) {domain = array<i64: 16, 128>, tile = array<i64: 4, 128>, access = #rdu.access<[128, 1]>,
                         conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>}
         : (tensor<16x128xbf16>, !rdu.stream<tensor<4x128xbf16>, 4>) -> ()
    ```

    Streams: the value, then `indices` index streams, then tokens that the store waits for.
    """

    name = "rdu.store"
    KIND: ClassVar = "store"
    VALUES: ClassVar = 1

    token = var_result_def(StreamType)
    """Says that it is done."""

    conflict = prop_def(StringAttr)
    """What happens where points meet: `overwrite` or `add`."""

    @classmethod
    def create_store(
        cls,
        slot: SSAValue,
        streams: Sequence[SSAValue],
        *,
        domain: Sequence[int],
        access: AccessData,
        tile: Sequence[int],
        depths: Sequence[int],
        indices: int = 0,
        conflict: str = "overwrite",
        count: int = 1,
        token: bool = False,
        label: str | None = None,
    ) -> StoreOp:
        own = {"conflict": StringAttr(conflict)}
        properties = _transfer(domain, access, tile, indices, depths) | own | counted(count, label)
        results = [StreamType(NoneType(), 1)] if token else []
        return cls.create(operands=[slot, *streams], result_types=results, properties=properties)

    @property
    def value(self) -> SSAValue:
        return self.streams[0]

    def element_dtypes(self) -> tuple[str, ...]:
        """What is added may still be f32: sums are rounded once, in memory."""
        (own,) = TransferOp.element_dtypes(self)
        return (own, "f32") if self.conflict.data == "add" and own in ("bf16", "f16") else (own,)

    def points_of(self, result: int) -> int | None:
        return None

    def verify_unit(self) -> None:
        if self.conflict.data not in CONFLICTS:
            raise VerifyException(f"conflict is one of {', '.join(CONFLICTS)}, not {self.conflict.data}")
        if len(self.token) > 1 or any(stream(token).dtype != TOKEN for token in self.token):
            raise VerifyException("gives at most one token: !rdu.stream<none, n>")
        TransferOp.verify_unit(self)


@irdl_op_definition
class PmuOp(UnitOp):
    """A stage buffer over `count` PMUs: a linear space of elements (the domain), written and read by access patterns.

    Example:

    ```mlir
    %t = rdu.pmu(%x) {domain = array<i64: 2048>, count = 1 : i64, depth = 2 : i64, banks = 8 : i64, init = 0 : i64,
                      window_bytes = 1024 : i64, writes = [#rdu.port<[16, 128] : [128, 1]>],
                      reads = [#rdu.port<[128, 16] : [1, 128]>]}
         : (!rdu.stream<tensor<4x128xbf16>, 4>) -> !rdu.stream<tensor<128x16xbf16>, 1>
    ```

    Operands: one stream per write port, then index streams. Results: one stream per read port. `depth` windows of
    `window_bytes` are held; `init` is what elements hold that no write reaches (raw bits).
    """

    name = "rdu.pmu"
    KIND: ClassVar = "pmu"
    RESOURCE: ClassVar = "pmu"

    streams = var_operand_def(StreamType)
    """One per write port, then indices."""
    outputs = var_result_def(StreamType)
    """One per read port."""

    depth = prop_def(IntegerAttr[I64])
    """Windows that are held."""
    window_bytes = prop_def(IntegerAttr[I64])
    """Bytes of a window."""
    banks = prop_def(IntegerAttr[I64])
    """Banks of each PMU that it takes."""
    init = prop_def(IntegerAttr[I64])
    """Raw bits of elements that no write reaches."""
    writes = prop_def(ArrayAttr)
    """The write ports."""
    reads = prop_def(ArrayAttr)
    """The read ports."""

    assembly_format = "`(` $streams `)` attr-dict `:` functional-type(operands, results)"

    @classmethod
    def create_pmu(
        cls,
        streams: Sequence[SSAValue],
        results: Sequence[StreamType],
        *,
        elements: int,
        writes: Sequence[PortAttr],
        reads: Sequence[PortAttr],
        depth: int,
        window_bytes: int,
        banks: int = 1,
        init: int = 0,
        count: int = 1,
        label: str | None = None,
    ) -> PmuOp:
        properties = {
            "domain": array((elements,)),
            "depth": number(depth),
            "window_bytes": number(window_bytes),
            "banks": number(banks),
            "init": number(init),
            "writes": ArrayAttr(writes),
            "reads": ArrayAttr(reads),
        } | counted(count, label)
        return cls.create(operands=streams, result_types=results, properties=properties)

    @property
    def write_ports(self) -> tuple[PortAttr, ...]:
        return self.writes.data  # pyright: ignore[reportReturnType]

    @property
    def read_ports(self) -> tuple[PortAttr, ...]:
        return self.reads.data  # pyright: ignore[reportReturnType]

    def depth_of(self, port: int) -> int:
        return self.depth.value.data

    def points_of(self, result: int) -> int | None:
        if result >= len(self.reads.data):
            return None
        return prod(self.read_ports[result].data.extents)

    def verify_unit(self) -> None:
        if any(not isinstance(port, PortAttr) for port in (*self.writes, *self.reads)):
            raise VerifyException("writes and reads are lists of #rdu.port")
        if len(self.extents) != 1:
            raise VerifyException(f"the domain of a buffer is linear: [elements], not {list(self.extents)}")
        if len(self.read_ports) != len(self.outputs) or not 1 <= len(self.write_ports) <= len(self.streams):
            raise VerifyException(
                f"{len(self.write_ports)} write and {len(self.read_ports)} read ports have {len(self.streams)} "
                f"operands and {len(self.outputs)} results"
            )
        types = {stream(value).element_type for value in (*self.streams[: len(self.write_ports)], *self.outputs)}
        if len(types) != 1:
            raise VerifyException("all ports of a buffer have one element type")
        if self.depth.value.data < 1 or self.window_bytes.value.data < 1:
            raise VerifyException("a buffer holds at least one window of at least one byte")
        indices = range(len(self.write_ports), len(self.streams))
        for port, write in enumerate(self.write_ports):
            access, extents = write.data.access, write.data.extents
            self.require_access(f"write port {port}", access, extents, indices, self.extents[0], reads=False)
            self.require_port(port, write.data.extents)
        for port, read in enumerate(self.read_ports):
            access, extents = read.data.access, read.data.extents
            self.require_access(f"read port {port}", access, extents, indices, self.extents[0], reads=True)
