"""Decisions: what passes choose, who chose it, and the one contract about what stands.

    %l = kernel.load %a {agcus = 2 : i64, tile = array<i64: 8>, decided_by = "search"} : tensor<64xf32>
    %m = kernel.load %b {agcus = 6 : i64, tile = array<i64: 8>, decided_by = {tile = "search"}} : tensor<64xf32>

A decision is a property or an attribute of an op; `KINDS` lists them all, with the pass that makes each. `decided_by`
says who made those of an op: one name for all of them, or a dictionary by kind. The second load's AGCUs have no origin.

* A decision of origin `user`, or without an origin, is fixed: every pass keeps it, or refuses the program and says what
  stands against it.
* One of origin `rule` (a fusion rule), `heuristic` or `search` may be decided again by its pass when something fixed
  has changed. When nothing has, running the pass again changes nothing.

`decisions_of(module)` reads them all; `decide` writes one. Remarks and reports read them from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from xdsl.dialects.builtin import DenseArrayBase, DictionaryAttr, IntegerAttr, StringAttr, i64
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Attribute, Operation

from sambaflow.decisions import DECIDED_BY, NEXT_BEST, ORIGINS, SAMBA_HINTS, Origin
from sambaflow.diagnostics import error_at, location_of
from sambaflow.errors import InputError


@dataclass(frozen=True)
class Kind:
    """A kind of decision: where it stands, and which pass makes it."""

    name: str
    pass_name: str
    ops: tuple[str, ...]
    """The names of the ops that carry it."""
    summary: str
    read: Callable[[Operation], Attribute | None]
    """The value, None while it is open."""
    write: Callable[[Operation, Attribute], None]


FIXED: tuple[Origin | None, ...] = (None, "user")
"""Origins of what no pass may change."""


@dataclass(frozen=True)
class Site:
    """Where a decision stands: the module of the model, the op, and the layers that share it (first, last)."""

    module_path: str
    op: str
    layers: tuple[int, int] | None = None

    def __str__(self) -> str:
        layers = "" if self.layers is None else f"[{self.layers[0]}..{self.layers[1]}]"
        return f"{self.module_path or '-'}{layers}: {self.op}"


@dataclass(frozen=True)
class Alternative:
    """The best value that was not taken, and the modelled picoseconds with it."""

    value: Attribute
    picoseconds: int


@dataclass(frozen=True)
class Decision:
    """One decision of a program. `origin` None: it was written without one, and is fixed."""

    site: Site
    kind: str
    value: Attribute
    origin: Origin | None
    next_best: Alternative | None = None

    @property
    def is_fixed(self) -> bool:
        return self.origin in FIXED


# ---- the marks on an op


@cache
def _name(origin: Origin) -> StringAttr:
    return StringAttr(origin)


def origin_of(op: Operation, kind: str) -> Origin | None:
    """Who made the decision `kind` of an op; None if nobody says so, or it is open. InputError for a name that is no
    origin."""
    if kind_on(op, kind).read(op) is None:
        return None
    match op.attributes.get(DECIDED_BY):
        case None:
            return None
        case StringAttr(data=name):
            return _origin(op, name)
        case DictionaryAttr(data=by_kind):
            match by_kind.get(kind):
                case None:
                    return None
                case StringAttr(data=name):
                    return _origin(op, name)
                case _:
                    pass
        case _:
            pass
    raise error_at(
        op,
        f"'{DECIDED_BY}' is neither an origin nor a dictionary of them",
        InputError,
        levers=[f'write {DECIDED_BY} = "search", or {DECIDED_BY} = {{{kind} = "search"}}'],
    )


def _origin(op: Operation, name: str) -> Origin:
    if name not in ORIGINS:
        raise error_at(op, f"'{name}' decides nothing", InputError, levers=[f"use one of {', '.join(ORIGINS)}"])
    return name


def is_fixed(op: Operation, kind: str) -> bool:
    """Whether the decision stands and no pass may change it."""
    return kind_on(op, kind).read(op) is not None and origin_of(op, kind) in FIXED


def mark(op: Operation, kind: str, origin: Origin) -> None:
    """Say who made a decision of an op; the other decisions on the op keep their origins."""
    present = [other.name for other in kinds_on(op) if other.name != kind and other.read(op) is not None]
    known = op.attributes.get(DECIDED_BY)
    if not present or known == _name(origin):
        op.attributes[DECIDED_BY] = _name(origin)
        return
    origins = {name: other for name in present if (other := origin_of(op, name)) is not None} | {kind: origin}
    same = len(origins) == len(present) + 1 and len(set(origins.values())) == 1
    op.attributes[DECIDED_BY] = (
        _name(origin) if same else DictionaryAttr({name: _name(other) for name, other in origins.items()})
    )


def decide(op: Operation, kind: str, value: Attribute, origin: Origin) -> bool:
    """Write a decision and who made it, unless a fixed one stands; whether the value changed."""
    if is_fixed(op, kind):
        return False
    row = kind_on(op, kind)
    before = row.read(op)
    if before != value:
        row.write(op, value)
    mark(op, kind, origin)
    return before != value


def keep(op: Operation, kind: str, value: Attribute, origin: Origin, against: str) -> None:
    """`decide`, where a fixed value is kept only if it is `value`, the one that can be carried out.

    Raises InputError when it is another one: `against` says what stands against it.
    """
    if is_fixed(op, kind) and (fixed := kind_on(op, kind).read(op)) != value:
        raise error_at(
            op,
            f"'{kind}' is fixed at {_text(fixed)}, and has to be {_text(value)}: {against}",
            InputError,
            levers=[f"give '{kind}' a value that fits", f"leave '{kind}' to {kind_on(op, kind).pass_name}: drop it"],
        )
    decide(op, kind, value, origin)


def _text(value: Attribute | None) -> str:
    return str(value.value.data) if isinstance(value, IntegerAttr) else str(value)


def fix(op: Operation, kind: str, value: Attribute) -> None:
    """Write a decision as a user's."""
    kind_on(op, kind).write(op, value)
    mark(op, kind, "user")


def note_next_best(op: Operation, kind: str, value: Attribute, picoseconds: int) -> None:
    """Write down the best value that was not taken, and the modelled time with it."""
    known = op.attributes.get(NEXT_BEST)
    rows = dict(known.data) if isinstance(known, DictionaryAttr) else {}
    rows[kind] = DictionaryAttr({"value": value, "picoseconds": IntegerAttr(picoseconds, i64)})
    op.attributes[NEXT_BEST] = DictionaryAttr(rows)


def _next_best(op: Operation, kind: str) -> Alternative | None:
    rows = op.attributes.get(NEXT_BEST)
    row = rows.data.get(kind) if isinstance(rows, DictionaryAttr) else None
    if not isinstance(row, DictionaryAttr):
        return None
    value, time = row.data.get("value"), row.data.get("picoseconds")
    return Alternative(value, time.value.data) if value is not None and isinstance(time, IntegerAttr) else None


# ---- the kinds


def _property(name: str) -> tuple[Callable[[Operation], Attribute | None], Callable[[Operation, Attribute], None]]:
    def write(op: Operation, value: Attribute) -> None:
        op.properties[name] = value

    return lambda op: op.properties.get(name), write


def _properties(*names: str) -> tuple[Callable[[Operation], Attribute | None], Callable[[Operation, Attribute], None]]:
    """Several properties that are one decision, as a dictionary."""

    def read(op: Operation) -> Attribute | None:
        values = {name: op.properties[name] for name in names if name in op.properties}
        return DictionaryAttr(values) if values else None

    def write(op: Operation, value: Attribute) -> None:
        assert isinstance(value, DictionaryAttr)
        op.properties |= value.data

    return read, write


def _read_tile(op: Operation) -> Attribute | None:
    """A stage's mapping without its par factors."""
    from sambaflow.dialects.kernel import MappingAttr

    mapping = op.properties.get("mapping")
    if not isinstance(mapping, MappingAttr):
        return None
    return MappingAttr.of(mapping.data.tile, (), mapping.data.order, mapping.data.hold)


def _write_tile(op: Operation, value: Attribute) -> None:
    """Par factors belong to a tile: they stay with an equal one, and are open with another."""
    from sambaflow.dialects.kernel import MappingAttr

    before = op.properties.get("mapping")
    assert isinstance(value, MappingAttr)
    new, old = value.data, before.data if isinstance(before, MappingAttr) else None
    par = old.par if old is not None and old.is_balanced and _fits_tile(op, old.par, new.tile, old.tile) else ()
    op.properties["mapping"] = MappingAttr.of(new.tile, par, new.order, new.hold)


def _fits_tile(op: Operation, par: Sequence[int], new: Sequence[int], old: Sequence[int]) -> bool:
    fits = all(count <= part for count, part in zip(par, new, strict=True))
    return tuple(new) == tuple(old) or (origin_of(op, "par") in FIXED and fits)


def _read_par(op: Operation) -> Attribute | None:
    from sambaflow.dialects.kernel import MappingAttr
    from sambaflow.dialects.kernel.stage import dense

    mapping = op.properties.get("mapping")
    return dense(mapping.data.par) if isinstance(mapping, MappingAttr) and mapping.data.is_balanced else None


def _write_par(op: Operation, value: Attribute) -> None:
    from sambaflow.dialects.kernel import MappingAttr

    mapping = op.properties["mapping"]
    assert isinstance(mapping, MappingAttr) and isinstance(value, DenseArrayBase)
    rest = mapping.data
    op.properties["mapping"] = MappingAttr.of(rest.tile, value.get_values(), rest.order, rest.hold)


def _write_tokens(op: Operation, value: Attribute) -> None:
    """In how many windows the tensor is written stays as it is."""
    windows = op.properties.get("handed", op.properties.get("tokens", value))
    op.properties["tokens"] = value
    if windows == value:
        op.properties.pop("handed", None)
    else:
        op.properties["handed"] = windows


_STAGES = tuple(
    f"kernel.{name}"
    for name in ("map", "contract", "reduce", "scan", "gather", "scatter", "sort", "random", "move", "collective")
)
_UNITS = ("rdu.load", "rdu.store", "rdu.pmu", "rdu.pcu", "rdu.collective")
_NETS = ("net_sources", "net_hops", "hops", "tracks")
_TRANSFERS = ("kernel.load", "kernel.store")

KINDS: tuple[Kind, ...] = (
    Kind("rule", "samba-fuse", ("samba.module",), "rule that made a module", *_property("rule")),
    Kind("heuristic", "samba-heuristics", ("samba.module",), "heuristic of a module", *_property("heuristic")),
    Kind("sym_name", "kernel-cut-sections", ("kernel.section",), "what is a section", *_property("sym_name")),
    Kind("tile", "kernel-tile", _STAGES, "tile, loop order and hold of a stage", _read_tile, _write_tile),
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
"""Every kind of decision, in the order in which passes make them; hints are kinds, too, each by its name."""

DECIDING: tuple[str, ...] = tuple(dict.fromkeys(kind.pass_name for kind in KINDS))
"""The passes that decide, in the order in which they run."""


@cache
def _kinds_of(op_name: str) -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if op_name in kind.ops)


@cache
def _kinds_by_name(op_name: str) -> dict[str, Kind]:
    return {kind.name: kind for kind in _kinds_of(op_name)}


@cache
def _hint(name: str) -> Kind:
    """A hint for the kernel planner."""

    def read(op: Operation) -> Attribute | None:
        hints = op.attributes.get(SAMBA_HINTS)
        return hints.data.get(name) if isinstance(hints, DictionaryAttr) else None

    def write(op: Operation, value: Attribute) -> None:
        hints = op.attributes.get(SAMBA_HINTS)
        rows = dict(hints.data) if isinstance(hints, DictionaryAttr) else {}
        op.attributes[SAMBA_HINTS] = DictionaryAttr(dict(sorted((rows | {name: value}).items())))

    return Kind(name, "samba-heuristics", (), "a hint for the kernel planner", read, write)


def kinds_on(op: Operation) -> tuple[Kind, ...]:
    """The kinds of decisions that an op may carry; of hints those that it carries."""
    hints = op.attributes.get(SAMBA_HINTS)
    if not isinstance(hints, DictionaryAttr):
        return _kinds_of(op.name)
    return (*_kinds_of(op.name), *map(_hint, hints.data))


def kind_on(op: Operation, name: str) -> Kind:
    """The kind called `name` of decisions on an op; on a samba op it may be a hint."""
    own = _kinds_by_name(op.name)
    return _hint(name) if name not in own and op.name.startswith("samba.") else own[name]


def decisions_of(root: Operation) -> Iterator[Decision]:
    """Every decision that stands below and including an op, in order."""
    layers = _layers(root)
    for op in root.walk():
        for kind in kinds_on(op):
            if (value := kind.read(op)) is not None:
                place = location_of(op)
                site = Site(place.module_path if place is not None else "", op.name, layers.get(_function_of(op)))
                yield Decision(site, kind.name, value, origin_of(op, kind.name), _next_best(op, kind.name))


def _function_of(op: Operation) -> str:
    while (parent := op.parent_op()) is not None and not isinstance(op, FuncOp):
        op = parent
    return op.sym_name.data if isinstance(op, FuncOp) else ""


def _layers(root: Operation) -> dict[str, tuple[int, int]]:
    """The functions that are called more than once, with their first and last call counted from 0."""
    calls = Counter(op.callee.string_value() for op in root.walk() if isinstance(op, CallOp))
    return {name: (0, count - 1) for name, count in calls.items() if count > 1}
