"""Records of the Image <-> 64-bit words, from one table.

A field codec writes a value as words and reads it back; `RECORDS` says, class by class, which codec each field has.
So the encoder and the decoder cannot drift apart, and the layout of every record is readable in one place. Numbers
that do not fit their field are refused when written; everything is checked when read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sambaflow.backends.rdu import image as im
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.dtypes import DTYPE_NAMES, DTYPE_NUMBERS
from sambaflow.dialects.rdu.schedule import ORCHESTRATIONS
from sambaflow.dialects.rdu.sections import ROLES, TIERS
from sambaflow.dialects.rdu.units import COLLECTIVES, CONFLICTS
from sambaflow.errors import PefError

_MASK = (1 << 64) - 1


@dataclass
class Writer:
    """Collects words. `strings` gives the offset of a name in the string table."""

    strings: Callable[[str], int]
    chunks: list[im.Words] = field(default_factory=list[im.Words])
    pending: list[int] = field(default_factory=list[int])

    def put(self, *values: int) -> None:
        self.pending.extend(value & _MASK for value in values)

    def put_array(self, array: Any) -> None:
        import numpy as np

        self._flush()
        self.chunks.append(np.ascontiguousarray(array).reshape(-1).astype(np.int64, copy=False).view(np.uint64))

    def put_words(self, array: im.Words) -> None:
        self._flush()
        self.chunks.append(array)

    def _flush(self) -> None:
        import numpy as np

        if self.pending:
            self.chunks.append(np.array(self.pending, dtype=np.uint64))
            self.pending = []

    def words(self) -> im.Words:
        import numpy as np

        self._flush()
        return np.concatenate(self.chunks) if self.chunks else im.words()


@dataclass
class Reader:
    """Reads words one after the other. `strings` gives the name at an offset of the string table."""

    words: im.Words
    strings: Callable[[int], str]
    at: int = 0

    def take(self) -> int:
        """The next word as an unsigned number."""
        if self.at >= len(self.words):
            raise PefError(f"ends after {len(self.words)} words, in the middle of a record")
        self.at += 1
        return int(self.words[self.at - 1])

    def take_words(self, count: int) -> im.Words:
        if count > len(self.words) - self.at:
            raise PefError(
                f"an array of {count} words at word {self.at} does not fit the {len(self.words)} that are there"
            )
        self.at += count
        return self.words[self.at - count : self.at].copy()

    def end(self) -> None:
        if self.at != len(self.words):
            raise PefError(f"{len(self.words) - self.at} words are left over")


Write: TypeAlias = Callable[[Writer, Any], None]
Read: TypeAlias = Callable[[Reader], Any]


@dataclass(frozen=True)
class Codec:
    write: Write
    read: Read


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def _bounded(low: int, high: int, what: str) -> Codec:
    def write(out: Writer, value: int) -> None:
        if not low <= value < high:
            raise PefError(f"{what} {value} does not fit its field", demand=str(value), limit=f"{low} to {high - 1}")
        out.put(value)

    def read(reader: Reader) -> int:
        value = reader.take()
        value = _signed(value) if low < 0 else value
        if not low <= value < high:
            raise PefError(f"{what} {value} at word {reader.at - 1} is not in {low} to {high - 1}")
        return value

    return Codec(write, read)


INT = _bounded(-(1 << 63), 1 << 63, "number")
COUNT = _bounded(0, 1 << 62, "count")

BITS = _bounded(0, 1 << 64, "bits")
FLAG = _bounded(0, 2, "flag")


def _mapped(inner: Codec, to_word: Callable[[Any], Any], from_word: Callable[[Any], Any]) -> Codec:
    return Codec(lambda out, value: inner.write(out, to_word(value)), lambda reader: from_word(inner.read(reader)))


def _choice(what: str, names: Iterable[str]) -> Codec:
    numbers = {name: number for number, name in enumerate(names)}
    return _named(what, numbers, {number: name for name, number in numbers.items()})


def _named(what: str, numbers: Mapping[str, int], names: Mapping[int, str]) -> Codec:
    def write(out: Writer, value: str) -> None:
        if value not in numbers:
            raise PefError(f"{what} is '{value}', not one of {', '.join(numbers)}")
        out.put(numbers[value])

    def read(reader: Reader) -> str:
        word = reader.take()
        if word not in names:
            raise PefError(f"{what} at word {reader.at - 1} is {word}, which means nothing")
        return names[word]

    return Codec(write, read)


def _array(columns: int | None = None) -> Codec:
    """An int64 array: its length, then its values; with `columns` a matrix of so many."""

    def write(out: Writer, value: im.Ints) -> None:
        out.put(len(value))
        out.put_array(value)

    def read(reader: Reader) -> im.Ints:
        import numpy as np

        count = reader.take()
        size = count * (columns or 1)
        flat = reader.take_words(size).view(np.int64)
        return flat if columns is None else flat.reshape(count, columns)

    return Codec(write, read)


def _write_matrix(out: Writer, value: im.Ints) -> None:
    out.put(*value.shape)
    out.put_array(value)


def _read_matrix(reader: Reader) -> im.Ints:
    import numpy as np

    count, columns = reader.take(), reader.take()
    if max(count, columns) > len(reader.words):  # rows of no columns take no words
        raise PefError(f"an array of {count} x {columns} at word {reader.at - 2} is not believable")
    return reader.take_words(count * columns).view(np.int64).reshape(count, columns)


INTS = _array()
PAIRS = _array(2)
QUADS = _array(4)
MATRIX = Codec(_write_matrix, _read_matrix)
CODE = Codec(lambda out, value: (out.put(len(value)), out.put_words(value))[0], lambda r: r.take_words(r.take()))
DTYPE = _named("element type", DTYPE_NUMBERS, DTYPE_NAMES)
NAME = Codec(lambda out, value: out.put(out.strings(value)), lambda reader: reader.strings(reader.take()))


def _write_bytes(out: Writer, value: bytes) -> None:
    import numpy as np

    out.put(len(value))
    out.put_words(np.frombuffer(value + bytes(-len(value) % 8), dtype="<u8").astype(np.uint64))


def _read_bytes(reader: Reader) -> bytes:
    size = reader.take()
    return reader.take_words(-(-size // 8)).astype("<u8").tobytes()[:size]


BYTES = Codec(_write_bytes, _read_bytes)


def _write_pair(out: Writer, value: tuple[int, int]) -> None:
    COUNT.write(out, value[0])
    COUNT.write(out, value[1])


PAIR = Codec(_write_pair, lambda reader: (COUNT.read(reader), COUNT.read(reader)))


# Places and hops: 16 bits a coordinate (AGCUs stand left of column 0). A place is x, y in the low half of a word; a hop
# takes a word of four.
def _packed(columns: int) -> Codec:
    def write(out: Writer, value: im.Ints) -> None:
        import numpy as np

        if len(value) and (value.min() < -(1 << 15) or value.max() >= 1 << 15):
            raise PefError("a coordinate does not fit its 16 bits", limit=f"{-(1 << 15)} to {(1 << 15) - 1}")
        out.put(len(value))
        fields = value.astype(np.int64) & 0xFFFF
        shifts = np.arange(columns, dtype=np.int64) * 16
        out.put_array((fields << shifts).sum(axis=1, dtype=np.int64) if len(value) else value)

    def read(reader: Reader) -> im.Ints:
        import numpy as np

        packed = reader.take_words(reader.take())
        columns_of = [(packed >> np.uint64(16 * i)).astype(np.uint16).view(np.int16) for i in range(columns)]
        return np.stack(columns_of, axis=1).astype(np.int64) if len(packed) else im.ints((), (0, columns))

    return Codec(write, read)


PLACES = _packed(2)
HOPS = _packed(4)


def _optional(inner: Codec) -> Codec:
    def write(out: Writer, value: Any) -> None:
        out.put(value is not None)
        if value is not None:
            inner.write(out, value)

    return Codec(write, lambda reader: inner.read(reader) if FLAG.read(reader) else None)


def _list(inner: Codec) -> Codec:
    def write(out: Writer, value: Sequence[Any]) -> None:
        out.put(len(value))
        for item in value:
            inner.write(out, item)

    def read(reader: Reader) -> list[Any]:
        count = reader.take()
        if count > len(reader.words):
            raise PefError(f"a list of {count} at word {reader.at - 1} is not believable")
        return [inner.read(reader) for _ in range(count)]

    return Codec(write, read)


def _record(cls: type[Any], **codecs: Codec) -> Codec:
    def write(out: Writer, value: Any) -> None:
        for name, codec in codecs.items():
            codec.write(out, getattr(value, name))

    return Codec(write, lambda reader: cls(**{name: codec.read(reader) for name, codec in codecs.items()}))


def _union(what: str, codecs: Mapping[type[Any], Codec]) -> Codec:
    tags = {cls: tag for tag, cls in enumerate(codecs)}
    by_tag = list(codecs.values())

    def write(out: Writer, value: Any) -> None:
        out.put(tags[type(value)])
        codecs[type(value)].write(out, value)

    def read(reader: Reader) -> Any:
        tag = reader.take()
        if tag >= len(by_tag):
            raise PefError(f"{what} at word {reader.at - 1} has the unknown tag {tag}")
        return by_tag[tag].read(reader)

    return Codec(write, read)


ACCESS = _record(
    im.Access,
    base=INT,
    strides=INTS,
    bounds=MATRIX,
    pad=_optional(BITS),
    index_ports=INTS,
    index_strides=INTS,
    bound_index=MATRIX,
)
PORT = _record(im.PmuPort, extents=INTS, access=ACCESS)
WINDOW = _record(im.Window, dtype=DTYPE, tile=INTS, tokens=COUNT)
ACCUMULATOR = _record(im.Accumulator, init=BITS, dtype=DTYPE, length=COUNT)
_CONFIGURED = {"extents": INTS, "count": COUNT, "results": _list(WINDOW)}
"""What every unit has. Its coordinates stand beside the units, its name and location in the debug section."""

UNIT = _union(
    "unit",
    {
        im.Load: _record(im.Load, **_CONFIGURED, slot=COUNT, access=ACCESS, tile=INTS, indices=COUNT),
        im.Store: _record(
            im.Store,
            **_CONFIGURED,
            slot=COUNT,
            access=ACCESS,
            tile=INTS,
            conflict=_choice("conflict", CONFLICTS),
            indices=COUNT,
        ),
        im.Pmu: _record(
            im.Pmu,
            **_CONFIGURED,
            elements=COUNT,
            dtype=DTYPE,
            depth=COUNT,
            window_bytes=COUNT,
            banks=COUNT,
            writes=_list(PORT),
            reads=_list(PORT),
            init=BITS,
        ),
        im.Pcu: _record(
            im.Pcu,
            **_CONFIGURED,
            mode=_choice("mode", rdu.MODES),
            tile=INTS,
            par=INTS,
            kinds=INTS,
            split=INTS,
            order=INTS,
            predicate=MATRIX,
            constants=CODE,
            accumulators=_list(ACCUMULATOR),
            body=CODE,
            combine=CODE,
            finish=CODE,
            inputs=_list(DTYPE),
            outputs=_list(DTYPE),
        ),
        im.Collective: _record(
            im.Collective,
            **_CONFIGURED,
            op=_choice("collective", COLLECTIVES),
            dim=COUNT,
            chips=COUNT,
            wire=DTYPE,
            bytes=COUNT,
        ),
    },
)
STREAM = _record(im.Stream, source=PAIR, target=PAIR, dtype=DTYPE, tile_bytes=COUNT, tokens=COUNT, depth=COUNT)
NET = _record(im.Net, source=PAIR, member=COUNT, hops=HOPS, tracks=INTS, flow=INT)
SLOT = _record(im.Slot, dtype=DTYPE, shape=INTS, writable=_mapped(FLAG, int, bool))
SECTION = _record(
    im.Section,
    name=NAME,
    slots=_list(SLOT),
    units=_list(UNIT),
    streams=_list(STREAM),
    nets=_list(NET),
    config_bytes=COUNT,
)
COORDINATES = _list(PLACES)

SYMBOL = _record(
    im.Symbol,
    name=NAME,
    role=_choice("role", ROLES),
    dtype=DTYPE,
    shape=INTS,
    shard=_optional(_record(im.Shard, dim=COUNT, outer=COUNT, chips=COUNT)),
    tier=_choice("tier", TIERS),
    address=COUNT,
    bytes=COUNT,
    first=INT,
    last=INT,
    data=_optional(BYTES),
)
SYMBOLS = _list(SYMBOL)

LAUNCH = _record(im.Launch, section=COUNT, symbols=INTS, chips=INTS)
REPEATED = _record(im.Launch, section=COUNT, symbols=MATRIX, chips=INTS)
REPEAT = _record(im.Repeat, count=COUNT, launches=_list(REPEATED), carried=QUADS, prefetched=PAIRS)
SCHEDULE = _record(
    im.Schedule,
    graph=NAME,
    inputs=INTS,
    outputs=INTS,
    tied=INTS,
    orchestration=_choice("orchestration", ORCHESTRATIONS),
    steps=_list(_union("step", {im.Launch: LAUNCH, im.Repeat: REPEAT})),
)
SCHEDULES = _list(SCHEDULE)
