"""The Image: a PEF in memory. Plain dataclasses and numpy arrays, nothing of the IR.

The encoder turns an `Image` into ELF bytes and back (`encode.py`, `decode.py`), the rdu dialect turns into one and back
(`from_ir.py`, `to_ir.py`), and the simulator runs it. `docs/boundaries.md` states the fields; here is what they mean.

Conventions
-----------
* A *stream* carries a tensor's elements in row-major order of the domain on which its producer delivers them; in
  time it
  hands over `tokens` windows of `tile_bytes` bytes. Producer and consumer domains hold the same number of points,
  and the
  consumer's domain is the one that counts (a value that is used n times is delivered n times: stride 0 in the access).
* Ports of a unit are numbered from 0, inputs and outputs apart, in the order that the class states.
* `name`, `location` are indices into `Image.debug`, -1 when stripped or never known. They never change what is
  executed.
* Element types are the keys of `DTYPE_BYTES` (the table of `machine.opcodes`, and "token"); i1 is one byte per element.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from sambaflow.dialects.rdu.dtypes import DTYPE_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Ints: TypeAlias = "npt.NDArray[np.int64]"
Words: TypeAlias = "npt.NDArray[np.uint64]"

FORMAT_VERSION = (1, 0)
"""(major, minor): a reader of x.y reads every x.(<= y) file."""

PARALLEL, REDUCTION, SEQUENTIAL = 0, 1, 2
"""The values of `Pcu.kinds`."""

MODES = ("systolic", "simd", "reduce", "tail")

__all__ = [
    "DTYPE_BYTES",
    "FORMAT_VERSION",
    "MODES",
    "PARALLEL",
    "REDUCTION",
    "SEQUENTIAL",
    "Access",
    "Accumulator",
    "Collective",
    "Debug",
    "Image",
    "Ints",
    "Launch",
    "Load",
    "Net",
    "Pcu",
    "Pmu",
    "PmuPort",
    "Repeat",
    "Schedule",
    "Section",
    "Shard",
    "Slot",
    "Store",
    "Stream",
    "Symbol",
    "Target",
    "Unit",
    "Window",
    "Words",
    "ints",
    "words",
]


def ints(values: Sequence[int] | Sequence[Sequence[int]] | Ints = (), shape: tuple[int, ...] | None = None) -> Ints:
    """`values` as a contiguous int64 array, reshaped to `shape` when given."""
    import numpy as np

    array = np.ascontiguousarray(np.array(values, dtype=np.int64))
    return array if shape is None else array.reshape(shape)


def words(values: Sequence[int] | Words = ()) -> Words:
    """`values` as a contiguous uint64 array."""
    import numpy as np

    return np.ascontiguousarray(np.array(values, dtype=np.uint64))


@dataclass(eq=False)
class Record:
    """Field-by-field equality that also works for arrays (dataclass equality does not)."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            _same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.compare
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def _same(a: Any, b: Any) -> bool:
    import numpy as np

    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape == b.shape and bool((a == b).all())
    return bool(a == b)


@dataclass(eq=False)
class Access(Record):
    """Where the point x of a domain [D] lives in a linear space of elements: `base + strides . x + index terms`.

    A point is in range iff for every row r of `bounds` (`[base, strides..., extent]`):
    `0 <= r.base + r.strides . x + sum_i bound_index[r, i] * value(index_ports[i]) < r.extent`.
    Reads out of range give `pad` (raw bits of one element); `None` states that nothing is out of range. Writes out of
    range are dropped. A row with an index term of an access without a pad, or of a write, is a demand: running the
    program with an index that breaks it is refused.
    Index terms: `index_strides[i] * value(index_ports[i])` is added to the address, where `index_ports[i]` is the
    number
    of an input port of the unit that delivers one integer per point of the domain.
    """

    base: int
    strides: Ints  # [D]
    bounds: Ints = field(default_factory=lambda: ints((), (0, 2)))  # [B, D + 2]
    pad: int | None = None
    index_ports: Ints = field(default_factory=ints)  # [I]
    index_strides: Ints = field(default_factory=ints)  # [I]
    bound_index: Ints = field(default_factory=lambda: ints((), (0, 0)))  # [B, I]


@dataclass(eq=False)
class Shard(Record):
    """Dimension `dim` of the whole tensor seen as [outer, chips, inner]; chip c holds [:, c, :]."""

    dim: int
    outer: int
    chips: int


@dataclass(eq=False)
class Symbol(Record):
    """A tensor in memory. `shape` is what one chip holds; `first`, `last` are launch numbers of the program
    (inclusive)."""

    name: str
    role: str  # input | param | buffer | state | output | temp | constant
    dtype: str
    shape: Ints
    shard: Shard | None
    tier: str  # hbm | ddr
    address: int
    bytes: int
    first: int
    last: int
    data: bytes | None = None  # of a constant, row-major, little endian


@dataclass(eq=False)
class Slot(Record):
    """An argument of a section: a launch binds a symbol to it. `shape` is local to a chip."""

    dtype: str
    shape: Ints
    writable: bool


@dataclass(eq=False)
class Stream(Record):
    """A stream from an output port to an input port.

    tokens: how many times the window is handed over in one execution of the section; depth: windows of buffer at the
    target; tile_bytes: bytes of one window. A token of a store carries no element: dtype "token", tile_bytes 0.
    """

    source: tuple[int, int]  # (unit, output port)
    target: tuple[int, int]  # (unit, input port)
    dtype: str
    tile_bytes: int
    tokens: int
    depth: int


@dataclass(eq=False)
class Window(Record):
    """What an output port hands over: a window of shape `tile`, `tokens` times in one execution."""

    dtype: str
    tile: Ints
    tokens: int

    @property
    def bytes(self) -> int:
        """Bytes of one window."""
        return int(self.tile.prod()) * DTYPE_BYTES[self.dtype]


@dataclass(eq=False, kw_only=True)
class Unit(Record):
    """A group of equal units. `count` of them (PCUs, PMUs or AGCUs), at `coordinates` [count, 2] (x, y) once placed.

    AGCUs at one place are one: several streams share it in time.
    """

    kind: ClassVar[str] = ""
    resource: ClassVar[str] = ""  # pcu | pmu | agcu

    extents: Ints  # [D] the domain
    count: int = 1
    coordinates: Ints = field(default_factory=lambda: ints((), (0, 2)))
    results: list[Window] = field(default_factory=list[Window])  # per output port, used or not
    name: int = -1
    location: int = -1

    @property
    def pcus(self) -> int:
        return self.count if self.resource == "pcu" else 0

    @property
    def pmus(self) -> int:
        return self.count if self.resource == "pmu" else 0


@dataclass(eq=False, kw_only=True)
class Load(Unit):
    """Reads slot `slot` at every point of the domain. In: index streams, then optional tokens. Out: 0 the elements.

    `tile` [D]: the part of the domain that one window covers. `indices`: how many of the inputs are index streams.
    """

    kind: ClassVar[str] = "load"
    resource: ClassVar[str] = "agcu"

    slot: int
    access: Access
    tile: Ints
    indices: int = 0


@dataclass(eq=False, kw_only=True)
class Store(Unit):
    """Writes slot `slot`. In: 0 the value, then index streams. Out: 0 a token after the last element (may be unused).

    `conflict`: what happens when two points meet one address: "overwrite" (the later in row-major order stays) or
    "add".
    """

    kind: ClassVar[str] = "store"
    resource: ClassVar[str] = "agcu"

    slot: int
    access: Access
    tile: Ints
    conflict: str = "overwrite"
    indices: int = 0


@dataclass(eq=False)
class PmuPort(Record):
    """A write or read port: a domain and its access to the linear space of the PMU group."""

    extents: Ints
    access: Access


@dataclass(eq=False, kw_only=True)
class Pmu(Unit):
    """A stage buffer: a linear space of `elements` elements. In: one stream per write port, then the index streams that
    accesses name. Out: one stream per read port. `extents` is [elements].

    Physically it holds `depth` windows of `window_bytes` over `count` PMUs; `banks` of the PMU's banks are used by one.
    `init` are the raw bits of elements that no write reaches.
    """

    kind: ClassVar[str] = "pmu"
    resource: ClassVar[str] = "pmu"

    elements: int
    dtype: str
    depth: int
    window_bytes: int
    banks: int
    writes: list[PmuPort]
    reads: list[PmuPort]
    init: int = 0


@dataclass(eq=False)
class Accumulator(Record):
    """`init`: raw bits of the initial value; `length`: elements (1, or k of a sorted list for insert_sorted)."""

    init: int
    dtype: str
    length: int = 1


@dataclass(eq=False, kw_only=True)
class Pcu(Unit):
    """A PCU group with its tile program. In: one stream per operand, each with an element for every domain point.

    Outputs: first what `body` writes to output ports (per point of the dimensions that are not reduction), then what
    `finish` writes (per point of the parallel dimensions), or, with accumulators and an empty `finish`, the
    accumulators.
    `outputs` are the dtypes of all output ports.
    A program reads the accumulators as they stood before it ran: writes to them take effect when it ends.
    `combine` merges accumulators b (kind OTHER) into a (kind ACCUMULATOR). With it the reduction is cut at absolute
    multiples of 128 points; blocks fold from the initial values and merge in ascending order. Without it the reduction
    is one run, ascending, and not split. `split` [D]: equal parts of a reduction dimension, merged by a balanced binary
    tree of neighbours.
    `predicate` [P, D + 1 + ports]: rows (constant, counters, port values); the point counts iff every row is >= 0.
    """

    kind: ClassVar[str] = "pcu"
    resource: ClassVar[str] = "pcu"

    mode: str
    tile: Ints
    par: Ints
    kinds: Ints
    split: Ints
    order: Ints
    predicate: Ints
    constants: Words
    accumulators: list[Accumulator]
    body: Words
    combine: Words
    finish: Words
    inputs: list[str]  # dtypes of the input ports
    outputs: list[str]


@dataclass(eq=False, kw_only=True)
class Collective(Unit):
    """A peer-to-peer stream to the other chips of the launch. In: 0 the local value. Out: 0 the result.

    `op`: all_reduce | all_gather | reduce_scatter | all_to_all along dimension `dim` of the domain (the local
    operand's);
    `bytes` is what one chip puts in. Sums run in f32; `wire` is the dtype on the links.
    """

    kind: ClassVar[str] = "collective"
    resource: ClassVar[str] = "agcu"

    op: str
    dim: int
    chips: int
    wire: str
    bytes: int


@dataclass(eq=False)
class Net(Record):
    """The route of what one unit of a group sends out of one port: a tree of hops over the switch mesh.

    Unit `member` of the group sends to the units of the consuming groups that `dialects.rdu.grid.partners` pairs with
    it. `source` is the (unit group, output port) that drives it; `hops` [H, 4] are rows (x0, y0, x1, y1), parents
    first; `flow` is
    the flow id that packets carry, -1 until rdu-finalize; `tracks` [H] is the vector track of each hop.
    """

    source: tuple[int, int]
    member: int
    hops: Ints
    tracks: Ints
    flow: int = -1


@dataclass(eq=False)
class Section(Record):
    name: str
    slots: list[Slot]
    units: list[Unit]
    streams: list[Stream]
    nets: list[Net] = field(default_factory=list[Net])
    config_bytes: int = 0
    checksum: int = field(default=0, compare=False)  # CRC-32 of the configuration words, in a decoded PEF

    def agcus(self) -> Counter[tuple[int, ...]]:
        """The AGCUs of the section, by place, and how many units share each. AGCUs without a place are their own."""
        units = [unit for unit in self.units if unit.resource == "agcu"]
        users = Counter(tuple(place) for unit in units for place in unit.coordinates.tolist())
        loose = [(i, n) for i, unit in enumerate(units) for n in range(unit.count - len(unit.coordinates))]
        return users + Counter((*number, 0) for number in loose)


@dataclass(eq=False)
class Launch(Record):
    """One execution of section number `section`. `symbols` [slots] are symbol numbers; in a Repeat [count, slots].

    `chips` are the chips that run it together (gang launch).
    """

    section: int
    symbols: Ints
    chips: Ints


@dataclass(eq=False)
class Repeat(Record):
    """`count` rounds of `launches`; row i of a launch's `symbols` is round i.

    `carried` [n, 4]: rows (launch, slot, next launch, next slot): what slot of a round is the slot of the next round.
    `prefetched` [m, 2]: rows (launch, slot) whose loads may run ahead of the round.
    """

    count: int
    launches: list[Launch]
    carried: Ints
    prefetched: Ints


@dataclass(eq=False)
class Schedule(Record):
    """One graph. `inputs`, `outputs` are symbol numbers in the order of the function; `tied` [outputs]: the input
    that the
    output updates, or -1."""

    graph: str
    inputs: Ints
    outputs: Ints
    tied: Ints
    orchestration: str  # hardware | software
    steps: list[Launch | Repeat]


@dataclass(eq=False)
class Target(Record):
    machine: str
    tiles: int
    chips: int


@dataclass(eq=False)
class Debug(Record):
    """Strings for people: `strings[unit.name]`, `strings[unit.location]` ("file:line:column" or "" and a module
    path)."""

    strings: list[str] = field(default_factory=list[str])

    def text(self, index: int, default: str = "") -> str:
        return self.strings[index] if 0 <= index < len(self.strings) else default


@dataclass(eq=False)
class Image(Record):
    version: tuple[int, int]
    machine: Mapping[str, Any]  # resolved: `Machine.to_dict()`
    target: Target
    symbols: list[Symbol]
    sections: list[Section]
    schedules: list[Schedule]
    debug: Debug = field(default_factory=Debug)
