"""The kinds of decisions: where each stands in the IR, and which pass makes it.

A pass that decides something new adds a row to `ROWS`; what it decides is then read, written, kept and listed as all
others are (`passes/framework/decisions.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from xdsl.dialects.builtin import DenseArrayBase, DictionaryAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation

from sambaflow.decisions import SAMBA_HINTS

Read: TypeAlias = Callable[[Operation], Attribute | None]
Write: TypeAlias = Callable[[Operation, Attribute | None], None]


@dataclass(frozen=True)
class Kind:
    """A kind of decision: where it stands, and which pass makes it."""

    name: str
    pass_name: str
    ops: tuple[str, ...]
    """The names of the ops that carry it."""
    summary: str
    read: Read
    """The value, None while it is open."""
    write: Write
    """Give it a value; None: it is open again."""
    opens: tuple[str, ...] = ()
    """Kinds on the same op that were decided for its value: with another one they are open, unless they are fixed."""


@dataclass(frozen=True)
class Family:
    """Kinds of which an op has as many as it has parts: a hint each, an argument each."""

    pass_name: str
    ops: tuple[str, ...]
    """The names of the ops that carry them; with a dot at the end, of all ops of that dialect."""
    summary: str
    names: Callable[[Operation], Iterable[str]]
    """The names of those that stand on an op."""
    read: Callable[[str], Read]
    write: Callable[[str], Write]

    def holds(self, op_name: str) -> bool:
        """Whether ops of that name may carry them."""
        return op_name in self.ops or op_name[: op_name.find(".") + 1] in self.ops

    def kind(self, name: str) -> Kind:
        """The kind of that name."""
        return Kind(name, self.pass_name, self.ops, self.summary, self.read(name), self.write(name))


def _property(name: str) -> tuple[Read, Write]:
    def write(op: Operation, value: Attribute | None) -> None:
        if value is None:
            op.properties.pop(name, None)
        else:
            op.properties[name] = value

    return lambda op: op.properties.get(name), write


def _properties(*names: str) -> tuple[Read, Write]:
    """Several properties that are one decision, as a dictionary."""

    def read(op: Operation) -> Attribute | None:
        values = {name: op.properties[name] for name in names if name in op.properties}
        return DictionaryAttr(values) if values else None

    def write(op: Operation, value: Attribute | None) -> None:
        for name in names:
            op.properties.pop(name, None)
        if isinstance(value, DictionaryAttr):
            op.properties |= value.data

    return read, write


def _read_tile(op: Operation) -> Attribute | None:
    """A stage's mapping without its par factors."""
    from sambaflow.dialects.kernel import MappingAttr

    mapping = op.properties.get("mapping")
    if not isinstance(mapping, MappingAttr):
        return None
    return MappingAttr.of(mapping.data.tile, (), mapping.data.order, mapping.data.hold)


def _write_tile(op: Operation, value: Attribute | None) -> None:
    """Par factors that a tile has no room for are open again."""
    from sambaflow.dialects.kernel import MappingAttr

    if not isinstance(value, MappingAttr):
        op.properties.pop("mapping", None)
        return
    before = op.properties.get("mapping")
    new, old = value.data, before.data if isinstance(before, MappingAttr) else None
    par = old.par if old is not None and old.is_balanced else ()
    fits = all(count <= part for count, part in zip(par, new.tile, strict=False))
    op.properties["mapping"] = MappingAttr.of(new.tile, par if fits else (), new.order, new.hold)


def _read_par(op: Operation) -> Attribute | None:
    from sambaflow.dialects.kernel import MappingAttr
    from sambaflow.dialects.kernel.stage import dense

    mapping = op.properties.get("mapping")
    return dense(mapping.data.par) if isinstance(mapping, MappingAttr) and mapping.data.is_balanced else None


def _write_par(op: Operation, value: Attribute | None) -> None:
    from sambaflow.dialects.kernel import MappingAttr

    mapping = op.properties["mapping"]
    assert isinstance(mapping, MappingAttr)
    par, rest = value.get_values() if isinstance(value, DenseArrayBase) else (), mapping.data
    op.properties["mapping"] = MappingAttr.of(rest.tile, par, rest.order, rest.hold)


def _write_tokens(op: Operation, value: Attribute | None) -> None:
    """In how many windows the tensor is written stays as it is."""
    windows = op.properties.get("handed", op.properties.get("tokens"))
    if value is None:
        op.properties.pop("tokens", None)
    else:
        op.properties["tokens"] = value
    if windows is None or windows == value:
        op.properties.pop("handed", None)
    else:
        op.properties["handed"] = windows


# ---- families


def _read_hint(name: str) -> Read:
    def read(op: Operation) -> Attribute | None:
        hints = op.attributes.get(SAMBA_HINTS)
        return hints.data.get(name) if isinstance(hints, DictionaryAttr) else None

    return read


def _write_hint(name: str) -> Write:
    def write(op: Operation, value: Attribute | None) -> None:
        hints = op.attributes.get(SAMBA_HINTS)
        rows = dict(hints.data) if isinstance(hints, DictionaryAttr) else {}
        rows.pop(name, None)
        if value is not None:
            rows[name] = value
        if rows:
            op.attributes[SAMBA_HINTS] = DictionaryAttr(dict(sorted(rows.items())))
        else:
            op.attributes.pop(SAMBA_HINTS, None)

    return write


def _hint_names(op: Operation) -> Iterable[str]:
    hints = op.attributes.get(SAMBA_HINTS)
    return hints.data if isinstance(hints, DictionaryAttr) else ()


HINTS = Family(
    "samba-heuristics", ("samba.",), "a hint for the kernel planner, by its name", _hint_names, _read_hint, _write_hint
)


def shard_kind(argument: int) -> str:
    """The name of the decision how argument number `argument` of a function lies on the chips."""
    return f"shard_{argument}"


def _read_shard(name: str) -> Read:
    number = int(name.removeprefix("shard_"))

    def read(op: Operation) -> Attribute | None:
        assert isinstance(op, FuncOp)
        return None if op.arg_attrs is None else op.arg_attrs.data[number].data.get("samba.shard")

    return read


def _write_shard(name: str) -> Write:
    number = int(name.removeprefix("shard_"))

    def write(op: Operation, value: Attribute | None) -> None:
        from sambaflow.dialects.samba.conventions import argument_attributes, attribute_array

        assert isinstance(op, FuncOp)
        entries = [dict(entry) for entry in argument_attributes(op)]
        entries[number].pop("samba.shard", None)
        if value is not None:
            entries[number]["samba.shard"] = value
        op.arg_attrs = attribute_array([DictionaryAttr(entry) for entry in entries])

    return write


def _shard_names(op: Operation) -> Iterable[str]:
    assert isinstance(op, FuncOp)
    entries = () if op.arg_attrs is None else op.arg_attrs.data
    return (shard_kind(number) for number, entry in enumerate(entries) if "samba.shard" in entry.data)


SHARDS = Family(
    "samba-shard", ("func.func",), "how an argument lies on the chips", _shard_names, _read_shard, _write_shard
)


# ---- the table

_STAGES = tuple(
    f"kernel.{name}"
    for name in ("map", "contract", "reduce", "scan", "gather", "scatter", "sort", "random", "move", "collective")
)
_UNITS = ("rdu.load", "rdu.store", "rdu.pmu", "rdu.pcu", "rdu.collective")
_NETS = ("net_sources", "net_hops", "hops", "tracks")
_TRANSFERS = ("kernel.load", "kernel.store")

ROWS: tuple[Kind | Family, ...] = (
    Kind("rule", "samba-fuse", ("samba.module",), "rule that made a module", *_property("rule")),
    Kind("heuristic", "samba-heuristics", ("samba.module",), "heuristic of a module", *_property("heuristic")),
    HINTS,
    SHARDS,
    Kind("sym_name", "kernel-cut-sections", ("kernel.section",), "what is a section", *_property("sym_name")),
    Kind("tile", "kernel-tile", _STAGES, "tile, loop order and hold of a stage", _read_tile, _write_tile, ("par",)),
    Kind("par", "kernel-balance", _STAGES, "par factors of a stage", _read_par, _write_par),
    Kind("agcus", "kernel-insert-transfers", (*_TRANSFERS, *_STAGES), "AGCUs of a transfer", *_property("agcus")),
    Kind("tile", "kernel-insert-transfers", _TRANSFERS, "tile of a transfer", *_property("tile")),
    Kind("windows", "kernel-insert-buffers", _STAGES, "windows of results", *_property("windows")),
    Kind(
        "tokens",
        "kernel-insert-buffers",
        ("kernel.buffer",),
        "parts that are read",
        _property("tokens")[0],
        _write_tokens,
    ),
    Kind("pmus", "kernel-insert-buffers", ("kernel.buffer",), "PMUs of a buffer", *_property("pmus")),
    Kind("banks", "kernel-insert-buffers", ("kernel.buffer",), "banks of a window", *_property("banks")),
    Kind("depth", "kernel-size-fifos", ("kernel.buffer", "kernel.store"), "windows of room", *_property("depth")),
    Kind("tier", "rdu-plan-memory", ("rdu.symbol",), "memory tier of a symbol", *_property("tier")),
    Kind("address", "rdu-plan-memory", ("rdu.symbol",), "address of a symbol", *_property("address")),
    Kind("coordinates", "rdu-place", _UNITS, "where the units of a group stand", *_property("coordinates")),
    Kind("routes", "rdu-route", ("rdu.section",), "the nets of a section", *_properties(*_NETS)),
    Kind("orchestration", "rdu-schedule", ("rdu.schedule",), "who starts the sections", *_property("orchestration")),
)
"""Every kind of decision, in the order in which passes make them."""

DECIDING: tuple[str, ...] = tuple(dict.fromkeys(row.pass_name for row in ROWS))
"""The passes that decide, in the order in which they run."""


@cache
def _rows(op_name: str) -> tuple[Mapping[str, Kind], tuple[Family, ...]]:
    """The kinds by name, and the families, that ops of a name may carry."""
    kinds = {row.name: row for row in ROWS if isinstance(row, Kind) and op_name in row.ops}
    return kinds, tuple(row for row in ROWS if isinstance(row, Family) and row.holds(op_name))


@cache
def _member(family: Family, name: str) -> Kind:
    return family.kind(name)


def kinds_on(op: Operation) -> Iterator[Kind]:
    """The kinds of decisions that an op may carry; of families those that it carries."""
    kinds, families = _rows(op.name)
    yield from kinds.values()
    for family in families:
        yield from (_member(family, name) for name in family.names(op))


def kind_on(op: Operation, name: str) -> Kind:
    """The kind called `name` of decisions on an op."""
    kinds, families = _rows(op.name)
    return kinds[name] if name in kinds else _member(families[0], name)
