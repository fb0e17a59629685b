"""Access patterns: an affine map over a domain as one linear address plus bounds.

A stage reads element `map(point)` of an operand.  The hardware counts: its address is `base + strides . counters`,
and an element is out of range when a bound row is.  `floordiv` and `mod` vanish when a counter is cut in two:

    d0 in 0..23, address  8 * (d0 floordiv 6) + d0 mod 6
    counters (d0 floordiv 6, d0 mod 6) of extents (4, 6): the address is  8 * c0 + 1 * c1

Cut counters enumerate the domain in the same row-major order, so nothing else changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineSymExpr,
)

from sambaflow.dialects.kernel.affine import Linear, full_ranges, interval, linear, recombined


@dataclass(frozen=True)
class Level:
    """One tensor on the way to an element: its coordinates over the domain, its shape, the pad bits read outside it.

    `pad` None: the coordinates may not leave the shape. Those without symbols never do; the others are checked as the
    program runs.
    """

    coordinates: tuple[AffineExpr, ...]
    shape: tuple[int, ...]
    pad: int | None = None


def whole(shape: Sequence[int]) -> Level:
    """A tensor of which a domain of the same shape reads every element in order."""
    return Level(tuple(AffineExpr.dimension(d) for d in range(len(shape))), tuple(shape))


@dataclass(frozen=True)
class Row:
    """In range iff `0 <= base + strides . counters + symbols . values < extent`."""

    base: int
    strides: tuple[int, ...]
    extent: int
    symbols: tuple[int, ...] = ()


@dataclass(frozen=True)
class LinearAccess:
    """A linear address over counters.

    `extents` are the counters' extents, `dims` the domain dimension each belongs to (outer parts first), `symbols` the
    address stride of each symbol's value, `pad` the bits of an element out of range (None: there is none).
    """

    extents: tuple[int, ...]
    dims: tuple[int, ...]
    base: int
    strides: tuple[int, ...]
    symbols: tuple[int, ...]
    rows: tuple[Row, ...]
    pad: int | None

    @cached_property
    def innermost_first(self) -> tuple[tuple[int, int, int], ...]:
        """Extent, stride and dimension of every counter."""
        return tuple(zip(self.extents, self.strides, self.dims, strict=True))[::-1]

    @property
    def low(self) -> int:
        """The least address without symbols."""
        return self.base + sum(s * (n - 1) for s, n in zip(self.strides, self.extents, strict=True) if s < 0)

    @property
    def high(self) -> int:
        """The greatest address without symbols."""
        return self.base + sum(s * (n - 1) for s, n in zip(self.strides, self.extents, strict=True) if s > 0)

    @property
    def is_identity(self) -> bool:
        """Whether the counters run over 0, 1, 2, ... with nothing out of range."""
        expected = 1
        for extent, stride in zip(reversed(self.extents), reversed(self.strides), strict=True):
            if extent > 1 and stride != expected:
                return False
            expected *= extent
        return self.base == 0 and not self.rows and not any(self.symbols)


class NotRectangular(Exception):
    """No cut of the counters makes the map linear; the text says why."""


def linearise(levels: Sequence[Level], extents: Sequence[int], num_symbols: int = 0) -> LinearAccess:
    """The access pattern of the last level's tensor, bounded by every level.

    Raises NotRectangular when a floordiv or mod can be resolved neither by cutting counters nor in the address, or when
    two levels pad with different values.
    """
    try:
        return _cut_counters(levels, extents, num_symbols)
    except NotRectangular:
        if (address := _plain_address(levels, extents, num_symbols)) is None:
            raise
        return address


def _plain_address(levels: Sequence[Level], extents: Sequence[int], num_symbols: int) -> LinearAccess | None:
    """The access whose address is linear in the domain's own dimensions, though no coordinate is: a reshape."""
    ranges = full_ranges(extents)
    address, rows = Linear(), list[Row]()

    def factors(form: Linear) -> tuple[tuple[int, ...], tuple[int, ...]]:
        strides = tuple(form.coefficient(dim) for dim in range(len(extents)))
        return strides, tuple(dict(form.symbols).get(symbol, 0) for symbol in range(num_symbols))

    for level in levels:
        forms = [linear(expr, ranges) for expr in level.coordinates]
        for form, size in zip(forms, level.shape, strict=True):
            bounds = interval(form, ranges)
            if level.pad is not None and (bounds is None or bounds[0] < 0 or bounds[1] >= size):
                return None
            if form.symbols and not form.terms:
                strides, symbols = factors(form)
                rows.append(Row(form.constant, strides, size, symbols))
        address = Linear()
        for form, stride in zip(forms, row_major(level.shape), strict=True):
            address = address + form * stride
    address = recombined(address, ranges)
    if address.terms:
        return None
    dims, (strides, symbols) = tuple(range(len(extents))), factors(address)
    return LinearAccess(tuple(extents), dims, address.constant, strides, symbols, tuple(dict.fromkeys(rows)), None)


def _cut_counters(levels: Sequence[Level], extents: Sequence[int], num_symbols: int) -> LinearAccess:
    """The access over counters that are cut until every floordiv and mod is one of them."""
    cuts: list[list[int]] = [[1] for _ in extents]
    while True:
        try:
            return _Linear(extents, cuts, num_symbols).access(levels)
        except _Cut as cut:
            _apply_cut(cuts[cut.dim], extents[cut.dim], cut)


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Element strides of a dense tensor: (2, 3, 4) -> (12, 4, 1)."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


@dataclass
class _Cut(Exception):
    """Cut the piece of weight `weight` of dimension `dim` after `factor` values."""

    dim: int
    weight: int
    factor: int


def _apply_cut(weights: list[int], extent: int, cut: _Cut) -> None:
    larger = [w for w in weights if w > cut.weight]
    piece = (min(larger) if larger else extent) // cut.weight
    if cut.factor <= 1 or piece % cut.factor or piece == cut.factor:
        raise NotRectangular(f"a counter of extent {piece} cannot be cut at {cut.factor}")
    weights.append(cut.weight * cut.factor)
    weights.sort(reverse=True)


@dataclass(frozen=True)
class _Sum:
    """constant + pieces . counters + symbols . values."""

    constant: int
    pieces: tuple[int, ...]
    symbols: tuple[int, ...]

    def plus(self, other: _Sum, factor: int = 1) -> _Sum:
        return _Sum(
            self.constant + factor * other.constant,
            tuple(a + factor * b for a, b in zip(self.pieces, other.pieces, strict=True)),
            tuple(a + factor * b for a, b in zip(self.symbols, other.symbols, strict=True)),
        )

    @property
    def is_constant(self) -> bool:
        return not any(self.pieces) and not any(self.symbols)


class _Linear:
    """Evaluates affine expressions over cut counters."""

    def __init__(self, extents: Sequence[int], cuts: Sequence[Sequence[int]], num_symbols: int) -> None:
        self.dims: list[int] = []
        self.weights: list[int] = []
        self.extents: list[int] = []
        for dim, (extent, weights) in enumerate(zip(extents, cuts, strict=True)):
            above = extent
            for weight in weights:
                self.dims.append(dim)
                self.weights.append(weight)
                self.extents.append(above // weight)
                above = weight
        self.zero = _Sum(0, (0,) * len(self.dims), (0,) * num_symbols)

    def access(self, levels: Sequence[Level]) -> LinearAccess:
        rows: list[Row] = []
        pads: set[int] = set()
        indexed = False
        coordinates: list[_Sum] = []
        for level in levels:
            coordinates = [self.sum(expr) for expr in level.coordinates]
            for coordinate, size in zip(coordinates, level.shape, strict=True):
                row = self._row(coordinate, size, level.pad)
                if row is None:
                    continue
                if row not in rows:
                    rows.append(row)
                if level.pad is None:
                    indexed = True
                else:
                    pads.add(level.pad)
        if len(pads) > 1:
            raise NotRectangular("two tensors on the way pad with different values")
        if pads and indexed:
            raise NotRectangular("an index into a padded tensor: out of its range is no pad")
        address = self.zero
        for coordinate, stride in zip(coordinates, row_major(levels[-1].shape), strict=True):
            address = address.plus(coordinate, stride)
        return LinearAccess(
            tuple(self.extents),
            tuple(self.dims),
            address.constant,
            address.pieces,
            address.symbols,
            tuple(rows),
            pads.pop() if pads else None,
        )

    def _row(self, coordinate: _Sum, size: int, pad: int | None) -> Row | None:
        low, high = self.range(coordinate)
        if not any(coordinate.symbols) and (pad is None or (low >= 0 and high < size)):
            return None
        return Row(coordinate.constant, coordinate.pieces, size, coordinate.symbols)

    def range(self, value: _Sum) -> tuple[int, int]:
        """Least and greatest value, symbols taken as zero."""
        spans = [c * (n - 1) for c, n in zip(value.pieces, self.extents, strict=True)]
        return value.constant + sum(min(s, 0) for s in spans), value.constant + sum(max(s, 0) for s in spans)

    def sum(self, expr: AffineExpr) -> _Sum:
        match expr:
            case AffineConstantExpr():
                return _Sum(expr.value, self.zero.pieces, self.zero.symbols)
            case AffineDimExpr():
                pieces = [w if d == expr.position else 0 for d, w in zip(self.dims, self.weights, strict=True)]
                return _Sum(0, tuple(pieces), self.zero.symbols)
            case AffineSymExpr():
                symbols = tuple(int(i == expr.position) for i in range(len(self.zero.symbols)))
                return _Sum(0, self.zero.pieces, symbols)
            case AffineBinaryOpExpr():
                return self._binary(expr.kind, self.sum(expr.lhs), self.sum(expr.rhs))
            case _:
                raise AssertionError(f"'{expr}' is not affine")

    def _binary(self, kind: AffineBinaryOpKind, lhs: _Sum, rhs: _Sum) -> _Sum:
        if kind is AffineBinaryOpKind.Add:
            return lhs.plus(rhs)
        if not rhs.is_constant:
            lhs, rhs = rhs, lhs
        factor = rhs.constant
        if not rhs.is_constant or (kind is not AffineBinaryOpKind.Mul and factor <= 0):
            raise NotRectangular("a product or quotient of two counters")
        match kind:
            case AffineBinaryOpKind.Mul:
                return self.zero.plus(lhs, factor)
            case AffineBinaryOpKind.FloorDiv:
                return self._divide(lhs, factor)[0]
            case AffineBinaryOpKind.Mod:
                return self._divide(lhs, factor)[1]
            case _:
                lifted = lhs.plus(_Sum(factor - 1, self.zero.pieces, self.zero.symbols))
                return self._divide(lifted, factor)[0]

    def _divide(self, value: _Sum, divisor: int) -> tuple[_Sum, _Sum]:
        """Quotient and remainder of `value` by `divisor`, cutting a counter when the remainder would overflow."""
        if any(s % divisor for s in value.symbols):
            raise NotRectangular("a quotient of a gathered index")
        quotient = _Sum(
            value.constant // divisor,
            tuple(c // divisor if c % divisor == 0 else 0 for c in value.pieces),
            tuple(s // divisor for s in value.symbols),
        )
        remainder = value.plus(quotient, -divisor)
        low, high = self.range(remainder)
        if low >= 0 and high < divisor:
            return quotient, remainder
        for i, c in enumerate(remainder.pieces):
            if c > 0 and divisor % c == 0 and self.extents[i] > divisor // c:
                raise _Cut(self.dims[i], self.weights[i], divisor // c)
        raise NotRectangular(f"a remainder by {divisor} reaches {low}..{high}")


def linear_terms(expr: AffineExpr, num_dims: int, num_symbols: int) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """(constant, factors of dimensions, factors of symbols) of a linear expression; NotRectangular for another."""
    try:
        terms = _Linear((1 << 62,) * num_dims, [[1]] * num_dims, num_symbols).sum(expr)
    except _Cut as cut:
        raise NotRectangular(f"dimension {cut.dim} is divided") from None
    return terms.constant, terms.pieces, terms.symbols
