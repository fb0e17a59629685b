"""What a compilation carries beside its module: the dialects it knows, its journal and its analyses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xdsl.context import Context
from xdsl.ir import Attribute, Dialect, Operation, TypeAttribute

from sambaflow import plugins
from sambaflow.passes.framework.analyses import Analyses
from sambaflow.remarks import Remark, RemarkKind

if TYPE_CHECKING:
    from sambaflow.passes.framework.decisions import Decision


@dataclass
class Journal:
    """The remarks and counters of one compilation, in the order in which they came."""

    remarks: list[Remark] = field(default_factory=list[Remark])
    counters: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    listeners: list[Callable[[Remark], None]] = field(default_factory=list[Callable[[Remark], None]])
    decisions: list[Decision] | None = None
    """What every pass decided, as it stood behind the pass: later levels have other ops. None: nobody asked for it."""

    def add(self, remark: Remark) -> None:
        self.remarks.append(remark)
        for listener in self.listeners:
            listener(remark)

    def count(self, pass_name: str, counter: str, amount: int = 1) -> None:
        key = (pass_name, counter)
        self.counters[key] = self.counters.get(key, 0) + amount

    def of(self, pass_name: str, kind: RemarkKind | None = None) -> list[Remark]:
        """The remarks of one pass, of one kind if given."""
        return [r for r in self.remarks if r.pass_name == pass_name and kind in (None, r.kind)]


@dataclass
class SambaContext(Context):
    """An xDSL context that knows our dialects, those that packages add; carries journal and analyses."""

    journal: Journal = field(default_factory=Journal)
    analyses: Analyses = field(default_factory=Analyses)
    _unknown: set[str] = field(default_factory=set[str])
    """Names that no package gives a dialect."""

    def __post_init__(self) -> None:
        register_dialects(self)

    def clone(self) -> SambaContext:
        copy = SambaContext(self.allow_unregistered, journal=self.journal)
        for dialect in self.loaded_dialects:
            copy.get_optional_dialect(dialect.name)
        return copy

    def get_optional_op(self, name: str, *, dialect_stack: Sequence[str] = ()) -> type[Operation] | None:
        self._find_dialect_of(name)
        return super().get_optional_op(name, dialect_stack=dialect_stack)

    def get_optional_type(self, name: str) -> type[TypeAttribute] | None:
        self._find_dialect_of(name)
        return super().get_optional_type(name)

    def get_optional_attr(self, name: str) -> type[Attribute] | None:
        self._find_dialect_of(name)
        return super().get_optional_attr(name)

    def _find_dialect_of(self, name: str) -> None:
        """Register the dialect of an op or attribute when an installed package adds it (`sambaflow.plugins`)."""
        dialect, dot, _ = name.partition(".")
        if not dot or dialect in self.registered_dialect_names or dialect in self._unknown:
            return
        added = plugins.load("dialects", dialect, Dialect)
        if added is None:
            self._unknown.add(dialect)
        else:
            self.register_dialect(dialect, lambda: added)


def journal_of(ctx: Context) -> Journal:
    """The journal that `ctx` carries; a plain xDSL context carries none, its passes write into a throw-away one."""
    return ctx.journal if isinstance(ctx, SambaContext) else Journal()


def _samba() -> Dialect:
    from sambaflow.dialects.samba import Samba

    return Samba


def _kernel() -> Dialect:
    from sambaflow.dialects.kernel import Kernel

    return Kernel


def _rdu() -> Dialect:
    from sambaflow.dialects.rdu import Rdu

    return Rdu


OWN_DIALECTS: Mapping[str, Callable[[], Dialect]] = {"samba": _samba, "kernel": _kernel, "rdu": _rdu}


def register_dialects(ctx: Context) -> None:
    """Make samba, kernel, rdu and every dialect of xDSL known; each is imported when its first op is met."""
    from xdsl.dialects import get_all_dialects

    known = set(ctx.registered_dialect_names)
    for name, factory in {**get_all_dialects(), **OWN_DIALECTS}.items():
        if name not in known:
            ctx.register_dialect(name, factory)
