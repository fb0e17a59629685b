"""Analyses, computed once and shared by passes until one of them changes the program.

    sections = analyses_of(ctx).get(sections_of, module)

An analysis is a function of an op, or a class that is made of one. While the pass manager runs, its result is kept for
that op; after each pass all are forgotten but those that the pass says it `preserves`:

    class KernelTilePass(SambaPass):
        preserves = (sections_of,)    # or ALL, for a pass that only looks

A pass that asks again for what it has made wrong itself calls `invalidate()` first. Where passes are called without the
manager nobody would say what has changed, so nothing is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeVar, cast

from xdsl.context import Context
from xdsl.ir import Operation

OpT = TypeVar("OpT", bound=Operation)
ResultT = TypeVar("ResultT")

Kind: TypeAlias = Callable[[Any], Any]
"""An analysis: a function of an op, or a class that is made of one."""


class _All(tuple[Kind, ...]):
    """Every analysis there is."""

    __slots__ = ()

    def __contains__(self, kind: object) -> bool:
        return True


ALL: Final[tuple[Kind, ...]] = _All()
"""What a pass preserves that changes nothing."""


class Analyses:
    """The results of analyses, by kind and op."""

    def __init__(self) -> None:
        self.computed: Counter[str] = Counter()
        """By the analysis' name, how often it ran."""
        self.reused: Counter[str] = Counter()
        """How often its result was there already."""
        self._known: dict[Kind, dict[Operation, Any]] = {}
        self._is_shared = False

    @contextmanager
    def shared(self) -> Generator[None]:
        """Keep results until `invalidate`; afterwards nothing is kept."""
        before, self._is_shared = self._is_shared, True
        try:
            yield
        finally:
            self._is_shared = before
            self.invalidate()

    def get(self, kind: Callable[[OpT], ResultT], op: OpT) -> ResultT:
        """The result of `kind` for `op`; computed when it is not known. An error of the analysis is not remembered."""
        if not self._is_shared:
            self.invalidate()
        results = self._known.setdefault(kind, {})
        if op in results:
            self.reused[kind.__name__] += 1
        else:
            results[op] = kind(op)
            self.computed[kind.__name__] += 1
        return cast(ResultT, results[op])

    def invalidate(self, preserved: Sequence[Kind] = ()) -> None:
        """Forget all results, but those of `preserved`: the program has changed."""
        self._known = {kind: results for kind, results in self._known.items() if kind in preserved}


def analyses_of(ctx: Context) -> Analyses:
    """The analyses that `ctx` carries; a context that carries none gets throw-away ones."""
    analyses = getattr(ctx, "analyses", None)
    return analyses if isinstance(analyses, Analyses) else Analyses()
