"""Which elements an access pattern can name: bounds that need no walk over the domain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from sambaflow.dialects.rdu.attributes import AccessData, Row

MOST = 1 << 62
"""Addresses and bounds are computed in 64 bits: at no point of a domain may one leave these."""

SWEEPS = 2
"""Over the rows, for a multiplier of each; accesses of compiled programs need one."""


@dataclass(frozen=True)
class Reach:
    """Elements `low` to `high` may be named, no others; none if low > high. None: there is no bound."""

    low: int | None
    high: int | None

    def lies_in(self, elements: int) -> bool:
        """Whether all of them are elements of a space of so many."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low >= 0 and self.high < elements)

    def __str__(self) -> str:
        return " to ".join("no bound" if end is None else str(end) for end in (self.low, self.high))


@lru_cache(maxsize=4096)
def reach(access: AccessData, extents: Row) -> Reach:
    """Bounds of the elements that an access names at points of a domain where every row of `bounds` holds.

    The address is a linear form of counters and indices, and so is every row. Subtracting w times a row, which lies
    between 0 and its extent - 1, from the address leaves a form of which a box gives the bounds, whatever w is: so
    every choice of multipliers gives true bounds (weak duality of linear programs). Those are tried that make a counter
    or an index vanish; an index that does not vanish has no bound.
    """
    rows = [_Form(row[0], row[1:-1], index) for row, index in zip(access.bounds, _index_rows(access), strict=True)]
    spans = [_span(row, extent, extents) for row, (*_, extent) in zip(rows, access.bounds, strict=True)]
    if any(low > high for low, high in spans):
        return Reach(0, -1)
    rest = _Form(access.base, access.strides, access.index_strides)
    low, high = Fraction(0), Fraction(0)
    multipliers = [Fraction(0)] * len(rows)
    for _ in range(SWEEPS):
        for i, row in enumerate(rows):
            whole = rest.minus(row, -multipliers[i])
            multipliers[i] = min(_multipliers(whole, row), key=lambda w: _width(whole, row, w, spans[i], extents))
            rest = whole.minus(row, multipliers[i])
    for w, (first, last) in zip(multipliers, spans, strict=True):
        low, high = low + min(w * first, w * last), high + max(w * first, w * last)
    if any(rest.indices):
        return Reach(None, None)
    first, last = rest.range(extents)
    return Reach(-(-(low + first).numerator // (low + first).denominator), (high + last) // 1)


def leaves_bounds(access: AccessData, extents: Row) -> Row | None:
    """The first row without indices that does not hold at every point of the domain."""
    for row, index in zip(access.bounds, _index_rows(access), strict=True):
        low, high = _Form(row[0], row[1:-1], ()).range(extents)
        if not any(index) and (low < 0 or high >= row[-1]):
            return row
    return None


def exceeds(access: AccessData, extents: Row) -> bool:
    """Whether a number that is computed on the way does not fit its 64 bits."""
    forms = [(access.base, access.strides), *((row[0], row[1:-1]) for row in access.bounds)]
    sums = [abs(base) + sum(abs(s) * (e - 1) for s, e in zip(strides, extents, strict=True)) for base, strides in forms]
    rest = [*access.index_strides, *(row[-1] for row in access.bounds), *(n for row in access.bound_index for n in row)]
    return any(total >= MOST for total in (*sums, *map(abs, rest), *map(abs, access.strides)))


@dataclass(frozen=True)
class _Form:
    """base + strides . counters + indices . values."""

    base: int | Fraction
    strides: tuple[int | Fraction, ...]
    indices: tuple[int | Fraction, ...]

    def minus(self, row: _Form, w: Fraction) -> _Form:
        return _Form(
            self.base - w * row.base,
            tuple(s - w * r for s, r in zip(self.strides, row.strides, strict=True)),
            tuple(s - w * r for s, r in zip(self.indices, row.indices, strict=True)),
        )

    def range(self, extents: Row) -> tuple[Fraction, Fraction]:
        """Smallest and largest value over a box of counters, without the indices."""
        ends = [s * (e - 1) for s, e in zip(self.strides, extents, strict=True)]
        base = Fraction(self.base)
        return base + sum(min(0, end) for end in ends), base + sum(max(0, end) for end in ends)


def _index_rows(access: AccessData) -> tuple[Row, ...]:
    """One index term per row and index, also where they are left out."""
    return access.bound_index or ((0,) * len(access.index_ports),) * len(access.bounds)


def _span(row: _Form, extent: int, extents: Row) -> tuple[int, int]:
    """What a row can be where it holds."""
    if any(row.indices):
        return 0, extent - 1
    low, high = row.range(extents)
    return max(0, int(low)), min(extent - 1, int(high))


def _multipliers(form: _Form, row: _Form) -> Iterator[Fraction]:
    """0, and what makes a counter or an index vanish from a form."""
    yield Fraction(0)
    for s, r in (*zip(form.strides, row.strides, strict=True), *zip(form.indices, row.indices, strict=True)):
        if s and r:
            yield Fraction(s) / Fraction(r)


def _width(form: _Form, row: _Form, w: Fraction, span: tuple[int, int], extents: Row) -> tuple[int, Fraction]:
    """How many indices w leaves, and how far apart the bounds then are."""
    rest = form.minus(row, w)
    low, high = rest.range(extents)
    return sum(map(bool, rest.indices)), high - low + abs(w) * (span[1] - span[0])
