"""Attributes and types of the rdu dialect, and short ways to make and read dense arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import prod
from struct import pack
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import (
    BytesAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntAttr,
    NoneType,
    StringAttr,
    TensorType,
    i64,
)
from xdsl.ir import Attribute, Data, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.rdu.dtypes import DTYPE_BYTES, TOKEN, dtype_name
from sambaflow.machine.opcodes import MOST_ELEMENTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    """For many numbers; numpy is loaded where they are handled."""

Row = tuple[int, ...]


@lru_cache(maxsize=4096)
def _array(values: Row) -> DenseArrayBase[Any]:
    return DenseArrayBase.from_list(i64, values)


def array(values: Iterable[int]) -> DenseArrayBase[Any]:
    """`array<i64: ...>` of a few numbers (attributes are shared between ops)."""
    return _array(tuple(map(int, values)))


def values(attribute: DenseArrayBase[Any] | None) -> Row:
    """The numbers of a dense array; none if it is absent."""
    return () if attribute is None else attribute.get_values()


def table(rows: Sequence[Sequence[int]], columns: int) -> DenseIntOrFPElementsAttr:
    """`dense<...> : tensor<rows x columns x i64>`: for many numbers, which print as hex and parse in milliseconds."""
    flat = [*chain.from_iterable(rows)]
    return DenseIntOrFPElementsAttr(TensorType(i64, [len(rows), columns]), BytesAttr(pack(f"<{len(flat)}q", *flat)))


def table_of(numbers: Numbers) -> DenseIntOrFPElementsAttr:
    """The `table` of a two-dimensional array."""
    return DenseIntOrFPElementsAttr(TensorType(i64, numbers.shape), BytesAttr(numbers.astype("<i8").tobytes()))


def numbers_of(attribute: DenseIntOrFPElementsAttr | None, columns: int) -> Numbers:
    """A `table` of `columns` as an array that cannot be written; no rows if it is absent."""
    import numpy as np

    if attribute is None:
        return np.zeros((0, columns), np.int64)
    flat = np.frombuffer(attribute.data.data, "<i8")
    return np.broadcast_to(flat, attribute.get_shape()) if len(flat) == 1 else flat.reshape(attribute.get_shape())


def rows(attribute: DenseIntOrFPElementsAttr | None) -> list[Row]:
    """The rows of a `table`; none if it is absent."""
    if attribute is None:
        return []
    flat: Row = attribute.get_values()  # pyright: ignore[reportAssignmentType]
    _, columns = attribute.get_shape()
    return [flat[i : i + columns] for i in range(0, len(flat), columns)] if columns else []


def row_count(attribute: DenseIntOrFPElementsAttr | None) -> int:
    """How many rows a `table` has; none if it is absent."""
    if attribute is None:
        return 0
    count, _ = attribute.get_shape()
    return count


@irdl_attr_definition
class TargetAttr(ParametrizedAttribute):
    """The machine that a module is compiled for: its name or the path of its file, tiles per chip, chips.

    `rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 8>`
    """

    name = "rdu.target"
    machine: StringAttr
    """A name, or the path of a YAML file."""
    tiles: IntAttr
    """Tiles of each chip."""
    chips: IntAttr
    """Chips."""

    def __init__(self, machine: str | StringAttr, tiles: int | IntAttr, chips: int | IntAttr) -> None:
        super().__init__(
            StringAttr(machine) if isinstance(machine, str) else machine,
            IntAttr(tiles) if isinstance(tiles, int) else tiles,
            IntAttr(chips) if isinstance(chips, int) else chips,
        )

    def verify(self) -> None:
        for key, number in (("tiles", self.tiles), ("chips", self.chips)):
            if number.data < 1:
                raise VerifyException(f"{key} = {number.data}: at least 1 is needed")

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string("machine = ")
            printer.print_string_literal(self.machine.data)
            printer.print_string(f", tiles = {self.tiles.data}, chips = {self.chips.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            parser.parse_keyword("machine")
            parser.parse_punctuation("=")
            machine = parser.parse_str_literal()
            numbers: list[IntAttr] = []
            for key in ("tiles", "chips"):
                parser.parse_punctuation(",")
                parser.parse_keyword(key)
                parser.parse_punctuation("=")
                numbers.append(IntAttr(parser.parse_integer(allow_boolean=False, allow_negative=False)))
        return (StringAttr(machine), *numbers)


@irdl_attr_definition
class StreamType(ParametrizedAttribute, TypeAttribute):
    """A stream: windows of a tile type, handed over `count` times in one execution of the section.

    `!rdu.stream<tensor<64x128xbf16>, 32>`; a stream that only says "done" has no tile: `!rdu.stream<none, 1>`.
    """

    name = "rdu.stream"
    tile: Attribute
    """The type of a window; none for a token."""
    count: IntAttr
    """Windows of one execution."""

    def __init__(self, tile: Attribute, count: int | IntAttr) -> None:
        super().__init__(tile, IntAttr(count) if isinstance(count, int) else count)

    @property
    def dtype(self) -> str:
        """The name of the element type; "token" when there is none."""
        return dtype_name(self.tile.element_type) or "" if isinstance(self.tile, TensorType) else TOKEN

    @property
    def element_type(self) -> Attribute | None:
        return self.tile.element_type if isinstance(self.tile, TensorType) else None

    @property
    def tile_elements(self) -> int:
        """Elements of one window."""
        if not isinstance(self.tile, TensorType):
            return 0
        product = 1
        for extent in self.tile.get_shape():
            product *= extent
        return product

    @property
    def tile_bytes(self) -> int:
        """Bytes of one window."""
        return self.tile_elements * DTYPE_BYTES[self.dtype]

    def verify(self) -> None:
        if not isinstance(self.tile, TensorType | NoneType):
            raise VerifyException(f"a stream carries tensors, or none: not {self.tile}")
        if isinstance(self.tile, TensorType):
            if min(self.tile.get_shape(), default=0) < 0:
                raise VerifyException(f"the tile of a stream has a static shape: not {self.tile}")
            if dtype_name(self.tile.element_type) is None:
                raise VerifyException(f"no unit handles elements of type {self.tile.element_type}")
        if self.count.data < 1:
            raise VerifyException(f"a stream hands over at least one window, not {self.count.data}")
        elements = prod(self.tile.get_shape()) if isinstance(self.tile, TensorType) else 1
        if elements * self.count.data > MOST_ELEMENTS:
            raise VerifyException(
                f"a stream hands over {elements} elements {self.count.data} times: {MOST_ELEMENTS} at most"
            )

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.tile)
            printer.print_string(f", {self.count.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            tile = parser.parse_type()
            parser.parse_punctuation(",")
            count = parser.parse_integer(allow_boolean=False, allow_negative=False)
        return tile, IntAttr(count)


@dataclass(frozen=True)
class AccessData:
    """The numbers of an access pattern; `backends.rdu.image.Access` says what they mean."""

    strides: Row
    """Elements from one value of each counter to the next."""
    base: int = 0
    """The element at the first point."""
    bounds: tuple[Row, ...] = ()
    """Rows of base, strides, extent: in range where 0 <= base + strides . x < extent, for every row."""
    pad: int | None = None
    """Raw bits that a read out of range gives; absent: there is none."""
    index_ports: Row = ()
    """Input ports whose values move the address."""
    index_strides: Row = ()
    """Elements that one of each value moves it."""
    bound_index: tuple[Row, ...] = ()
    """One row per bound, one column per index; may be left out when no bound has an index term."""

    def check(self) -> None:
        """VerifyException when the numbers do not belong together."""
        rank, indices = len(self.strides), len(self.index_ports)
        if any(len(row) != rank + 2 for row in self.bounds):
            raise VerifyException(f"a bound of {rank} strides has {rank + 2} numbers: base, strides, extent")
        if len(self.index_strides) != indices:
            raise VerifyException(f"{indices} index ports have {len(self.index_strides)} index strides")
        if self.bound_index and (
            len(self.bound_index) != len(self.bounds) or any(len(row) != indices for row in self.bound_index)
        ):
            raise VerifyException(
                f"bound_index has one row per bound ({len(self.bounds)}), one column per index ({indices})"
            )
        if self.pad is not None and not 0 <= self.pad < 1 << 64:
            raise VerifyException(f"pad {self.pad} is not the raw bits of an element")


def _print_access(printer: Printer, data: AccessData) -> None:
    printer.print_string("[" + ", ".join(map(str, data.strides)) + "]")
    if data.base:
        printer.print_string(f" base {data.base}")
    for key, nested in (("bounds", data.bounds), ("bound_index", data.bound_index)):
        if nested:
            text = ", ".join("[" + ", ".join(map(str, row)) + "]" for row in nested)
            printer.print_string(f" {key} [{text}]")
    if data.pad is not None:
        printer.print_string(f" pad {data.pad}")
    for key, row in (("index_ports", data.index_ports), ("index_strides", data.index_strides)):
        if row:
            printer.print_string(f" {key} [" + ", ".join(map(str, row)) + "]")


def _parse_row(parser: AttrParser) -> Row:
    return tuple(parser.parse_comma_separated_list(AttrParser.Delimiter.SQUARE, parser.parse_integer))


def _parse_rows(parser: AttrParser) -> tuple[Row, ...]:
    return tuple(parser.parse_comma_separated_list(AttrParser.Delimiter.SQUARE, lambda: _parse_row(parser)))


def _parse_access(parser: AttrParser) -> AccessData:
    fields: dict[str, Any] = {"strides": _parse_row(parser)}
    keys = {
        "base": parser.parse_integer,
        "bounds": lambda: _parse_rows(parser),
        "bound_index": lambda: _parse_rows(parser),
        "pad": parser.parse_integer,
        "index_ports": lambda: _parse_row(parser),
        "index_strides": lambda: _parse_row(parser),
    }
    for key, parse in keys.items():
        if parser.parse_optional_keyword(key) is not None:
            fields[key] = parse()
    return AccessData(**fields)


@irdl_attr_definition
class AccessAttr(Data[AccessData]):
    """An access pattern: the stride of each counter of the domain, then what is not the default.

    `#rdu.access<[64, 1] base 128 bounds [[-1, 1, 0, 16]] pad 0>`: point (x, y) is element 128 + 64 x + y; reads where
    0 <= x - 1 < 16 does not hold give the bits 0. `index_ports [1] index_strides [64]` adds 64 times what port 1
    delivers.
    """

    name = "rdu.access"

    def verify(self) -> None:
        self.data.check()

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            _print_access(printer, self.data)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> AccessData:
        with parser.in_angle_brackets():
            return _parse_access(parser)

    @property
    def rank(self) -> int:
        return len(self.data.strides)


@dataclass(frozen=True)
class PortData:
    """A port of a PMU: the extents of its domain and the access pattern over it."""

    extents: Row
    """The domain of the port."""
    access: AccessData
    """Which element of the buffer each of its points is."""


@irdl_attr_definition
class PortAttr(Data[PortData]):
    """A read or write port of a PMU group: its domain, and the access pattern over it.

    `#rdu.port<[16, 128] : [1, 16]>` delivers a 128 x 16 buffer transposed.
    """

    name = "rdu.port"

    def verify(self) -> None:
        if len(self.data.extents) != len(self.data.access.strides):
            raise VerifyException(f"{len(self.data.extents)} extents have {len(self.data.access.strides)} strides")
        self.data.access.check()

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string("[" + ", ".join(map(str, self.data.extents)) + "] : ")
            _print_access(printer, self.data.access)

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> PortData:
        with parser.in_angle_brackets():
            extents = _parse_row(parser)
            parser.parse_punctuation(":")
            return PortData(extents, _parse_access(parser))
