"""Decisions: what passes choose, who chose it, and the one contract about what stands.

    %l = kernel.load %a {agcus = 2 : i64, tile = array<i64: 8>, decided_by = "search"} : tensor<64xf32>
    %m = kernel.load %b {agcus = 6 : i64, tile = array<i64: 8>, decided_by = {tile = "search"}} : tensor<64xf32>

A decision is a property or an attribute of an op; `decision_kinds.py` lists them all, with the pass that makes each.
`decided_by` says who made those of an op: one name for all of them, or a dictionary by kind. The second load's AGCUs
have no origin.

* A decision of origin `user`, or without an origin, is fixed: every pass keeps it, or refuses the program and says what
  stands against it.
* One of origin `rule` (a fusion rule), `heuristic` or `search` may be decided again by its pass when something fixed
  has changed. When nothing has, running the pass again changes nothing.

`decisions_of(module)` reads them all; `decide` writes one, `drop` opens one again. The remark about a decision
(`SambaPass.decided`) and the file of all decisions (`--decisions-output`) read them from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    i64,
)
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Attribute, Operation

from sambaflow.decisions import DECIDED_BY, NEXT_BEST, ORIGINS, Origin
from sambaflow.diagnostics import error_at, location_of, symbols_around
from sambaflow.errors import InputError
from sambaflow.passes.framework.decision_kinds import Kind, kind_on, kinds_on

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
    """One decision of a program. `origin` None: it was written without one, and is fixed.

    `pass_name`: the pass that makes such decisions; `function`: the symbols around the op, outermost first.
    """

    site: Site
    function: str
    pass_name: str
    kind: str
    value: Attribute
    origin: Origin | None
    next_best: Alternative | None = None

    @property
    def is_fixed(self) -> bool:
        return self.origin in FIXED

    def as_json(self) -> dict[str, object]:
        """The same as plain data, for tools."""
        best = self.next_best
        return {
            "pass": self.pass_name,
            "kind": self.kind,
            "module_path": self.site.module_path,
            "layers": self.site.layers,
            "op": self.site.op,
            "function": self.function,
            "value": plain(self.value),
            "decided_by": self.origin,
            "is_fixed": self.is_fixed,
            "next_best": None if best is None else {"value": plain(best.value), "picoseconds": best.picoseconds},
        }


def plain(value: Attribute) -> object:
    """An attribute as plain data: numbers, strings and lists of them; of anything else its text."""
    match value:
        case IntegerAttr():
            return value.value.data
        case StringAttr():
            return value.data
        case DenseArrayBase():
            return list(cast("DenseArrayBase[IntegerType]", value).get_values())
        case DenseIntOrFPElementsAttr():
            return _nested(list(value.get_values()), value.get_shape())
        case DictionaryAttr():
            return {name: plain(entry) for name, entry in value.data.items()}
        case _:
            return str(value)


def _nested(values: Sequence[object], shape: Sequence[int]) -> list[object]:
    if len(shape) < 2:
        return list(values)
    size = len(values) // shape[0] if shape[0] else 0
    return [_nested(values[row * size : (row + 1) * size], shape[1:]) for row in range(shape[0])]


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
    if op.attributes.get(DECIDED_BY) == _name(origin):
        return
    write_origins(op, {**_origins(op, kind), kind: origin})


def _origins(op: Operation, without: str) -> dict[str, Origin | None]:
    """Who made the decisions that stand on an op, except one."""
    return {
        kind.name: origin_of(op, kind.name)
        for kind in kinds_on(op)
        if kind.name != without and kind.read(op) is not None
    }


def write_origins(op: Operation, origins: Mapping[str, Origin | None]) -> None:
    """Say who made each of the decisions that stand on an op (None: nobody says, so it is fixed), for all at once.

    One name where all have the same origin, else a dictionary of those that have one.
    """
    said = {kind: origin for kind, origin in origins.items() if origin is not None}
    if not said:
        op.attributes.pop(DECIDED_BY, None)
    elif len(said) == len(origins) and len(set(said.values())) == 1:
        op.attributes[DECIDED_BY] = _name(next(iter(said.values())))
    else:
        op.attributes[DECIDED_BY] = DictionaryAttr({kind: _name(origin) for kind, origin in said.items()})


def decide(op: Operation, kind: str, value: Attribute, origin: Origin) -> bool:
    """Write a decision and who made it, unless a fixed one stands; whether the value changed."""
    if is_fixed(op, kind):
        return False
    changed = _write(op, kind, value)
    mark(op, kind, origin)
    return changed


def _write(op: Operation, kind: str, value: Attribute) -> bool:
    row = kind_on(op, kind)
    if row.read(op) == value:
        return False
    row.write(op, value)
    for other in row.opens:
        if kind_on(op, other).read(op) is not None and not is_fixed(op, other):
            drop(op, other)
    return True


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


def drop(op: Operation, kind: str) -> None:
    """Open a decision again; the other decisions on the op keep their origins."""
    origins = _origins(op, kind)
    kind_on(op, kind).write(op, None)
    write_origins(op, origins)


def fix(op: Operation, kind: str, value: Attribute) -> None:
    """Write a decision as a user's."""
    _write(op, kind, value)
    mark(op, kind, "user")


def note_next_best(op: Operation, kind: str, value: Attribute, picoseconds: int) -> None:
    """Write down the best value that was not taken, and the modelled time with it."""
    known = op.attributes.get(NEXT_BEST)
    rows = dict(known.data) if isinstance(known, DictionaryAttr) else {}
    rows[kind] = DictionaryAttr({"value": value, "picoseconds": IntegerAttr(picoseconds, i64)})
    op.attributes[NEXT_BEST] = DictionaryAttr(rows)


def next_best_of(op: Operation, kind: str) -> Alternative | None:
    """The best value that was not taken for a decision of an op; None where nothing is known of it."""
    rows = op.attributes.get(NEXT_BEST)
    row = rows.data.get(kind) if isinstance(rows, DictionaryAttr) else None
    if not isinstance(row, DictionaryAttr):
        return None
    value, time = row.data.get("value"), row.data.get("picoseconds")
    return Alternative(value, time.value.data) if value is not None and isinstance(time, IntegerAttr) else None


def decisions_of(root: Operation, pass_name: str | None = None) -> Iterator[Decision]:
    """Every decision that stands below and including an op, in order; those of one pass, if given."""
    layers = _layers(root)
    for op in root.walk():
        for kind in kinds_on(op):
            if pass_name in (None, kind.pass_name) and (value := kind.read(op)) is not None:
                yield _decision(op, kind, value, layers)


def _decision(op: Operation, kind: Kind, value: Attribute, layers: Mapping[str, tuple[int, int]]) -> Decision:
    place = location_of(op)
    site = Site(place.module_path if place is not None else "", op.name, layers.get(_function_of(op)))
    origin, next_best = origin_of(op, kind.name), next_best_of(op, kind.name)
    return Decision(site, symbols_around(op), kind.pass_name, kind.name, value, origin, next_best)


def _function_of(op: Operation) -> str:
    while (parent := op.parent_op()) is not None and not isinstance(op, FuncOp):
        op = parent
    return op.sym_name.data if isinstance(op, FuncOp) else ""


def _layers(root: Operation) -> dict[str, tuple[int, int]]:
    """The functions that are called more than once, with their first and last call counted from 0."""
    while (parent := root.parent_op()) is not None:
        root = parent
    calls = Counter(op.callee.string_value() for op in root.walk() if isinstance(op, CallOp))
    return {name: (0, count - 1) for name, count in calls.items() if count > 1}
