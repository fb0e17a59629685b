"""Affine expressions over a domain: linear forms, intervals, simplification.

A linear form is `constant + sum(c * d_i) + sum(c * s_j) + sum(c * term)`; a term is a floordiv or a mod of a linear
form by a positive constant. Intervals are exact for linear forms and close for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)
from xdsl.utils.exceptions import VerifyException

K = TypeVar("K")

Interval = tuple[int, int]
"""Least and greatest value, both included."""


@dataclass(frozen=True)
class Term:
    """`form floordiv divisor` or `form mod divisor`."""

    kind: Literal["floordiv", "mod"]
    form: Linear
    divisor: int


@dataclass(frozen=True)
class Linear:
    """A linear form; coefficients are never zero, keys ascend."""

    constant: int = 0
    dims: tuple[tuple[int, int], ...] = ()
    """(dimension, coefficient)"""
    symbols: tuple[tuple[int, int], ...] = ()
    """(symbol, coefficient)"""
    terms: tuple[tuple[Term, int], ...] = ()
    """(term, coefficient)"""

    def __add__(self, other: Linear) -> Linear:
        return Linear(
            self.constant + other.constant,
            tuple(sorted(_added(self.dims, other.dims).items())),
            tuple(sorted(_added(self.symbols, other.symbols).items())),
            tuple(_added(self.terms, other.terms).items()),
        )

    def __mul__(self, factor: int) -> Linear:
        if factor == 0:
            return Linear()
        return Linear(
            self.constant * factor,
            tuple((key, value * factor) for key, value in self.dims),
            tuple((key, value * factor) for key, value in self.symbols),
            tuple((key, value * factor) for key, value in self.terms),
        )

    def coefficient(self, dim: int) -> int:
        """The coefficient of a dimension (outside of terms)."""
        return dict(self.dims).get(dim, 0)

    def is_linear(self) -> bool:
        """Whether there is neither floordiv nor mod."""
        return not self.terms

    def expr(self) -> AffineExpr:
        """The same as an affine expression."""
        parts = [AffineExpr.dimension(d) * c for d, c in self.dims]
        parts += [AffineExpr.symbol(s) * c for s, c in self.symbols]
        for term, c in self.terms:
            inner = term.form.expr()
            parts.append((inner // term.divisor if term.kind == "floordiv" else inner % term.divisor) * c)
        if self.constant or not parts:
            parts.append(AffineExpr.constant(self.constant))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


def _added(left: Sequence[tuple[K, int]], right: Sequence[tuple[K, int]]) -> dict[K, int]:
    total = dict(left)
    for key, value in right:
        total[key] = total.get(key, 0) + value
    return {key: value for key, value in total.items() if value}


def linear(expr: AffineExpr, ranges: Sequence[Interval] = ()) -> Linear:
    """The linear form of `expr`. `ranges` of the dimensions, when given, simplify floordiv and mod, and make a
    dimension of one index a constant: with d1 in [0, 8)

    (8 * d0 + d1) floordiv 8  is  d0,        (8 * d0 + d1) mod 16  is  8 * (d0 mod 2) + d1
    """
    match expr:
        case AffineConstantExpr():
            return Linear(expr.value)
        case AffineDimExpr():
            bounds = ranges[expr.position] if expr.position < len(ranges) else (0, 1)
            return Linear(bounds[0]) if bounds[0] == bounds[1] else Linear(dims=((expr.position, 1),))
        case AffineSymExpr():
            return Linear(symbols=((expr.position, 1),))
        case AffineBinaryOpExpr():
            left, right = linear(expr.lhs, ranges), linear(expr.rhs, ranges)
            return _combine(expr.kind, left, right, ranges)
        case _:
            raise AssertionError(f"unknown affine expression {expr}")


def _combine(kind: AffineBinaryOpKind, left: Linear, right: Linear, ranges: Sequence[Interval]) -> Linear:
    if kind is AffineBinaryOpKind.Add:
        return left + right
    if kind is AffineBinaryOpKind.Mul:
        constant, other = (left, right) if left == Linear(left.constant) else (right, left)
        assert constant == Linear(constant.constant), "xDSL builds no product of two variables"
        return other * constant.constant
    divisor = right.constant
    if right != Linear(divisor) or divisor <= 0:
        raise VerifyException("an access map divides by something other than a positive constant")
    if kind is AffineBinaryOpKind.CeilDiv:
        left, kind = left + Linear(divisor - 1), AffineBinaryOpKind.FloorDiv
    return _divide("floordiv" if kind is AffineBinaryOpKind.FloorDiv else "mod", left, divisor, ranges)


def _divide(kind: Literal["floordiv", "mod"], form: Linear, divisor: int, ranges: Sequence[Interval]) -> Linear:
    """`form` floordiv or mod `divisor`, simplified."""
    whole, rest = _split(form, divisor)  # form = divisor * whole + rest
    base = whole if kind == "floordiv" else Linear()
    if _within(rest, divisor, ranges):
        return base if kind == "floordiv" else rest
    coefficients = sorted({abs(c) for _, c in (*rest.dims, *rest.symbols, *rest.terms)}, reverse=True)
    for step in coefficients:
        if step > 1 and divisor % step == 0:
            upper, lower = _split(rest, step)
            if _within(lower, step, ranges):
                inner = _divide(kind, upper, divisor // step, ranges)
                return base + (inner if kind == "floordiv" else inner * step + lower)
    if kind == "floordiv" and len(rest.terms) == 1:
        term, coefficient = rest.terms[0]
        if (
            term.kind == "floordiv" and coefficient == 1
        ):  # (a + b floordiv m) floordiv k  is  (m * a + b) floordiv k * m
            flat = (rest + Linear(terms=((term, -1),))) * term.divisor + term.form
            return base + _divide("floordiv", flat, term.divisor * divisor, ranges)
    return base + Linear(terms=((Term(kind, rest, divisor), 1),))


def _split(form: Linear, divisor: int) -> tuple[Linear, Linear]:
    """(whole, rest) with form = divisor * whole + rest: the coefficients that the divisor divides go into `whole`."""

    def pick(items: Sequence[tuple[K, int]]) -> tuple[tuple[tuple[K, int], ...], tuple[tuple[K, int], ...]]:
        whole = tuple((key, c // divisor) for key, c in items if c % divisor == 0)
        return whole, tuple((key, c) for key, c in items if c % divisor)

    dims, symbols, terms = pick(form.dims), pick(form.symbols), pick(form.terms)
    whole = Linear(form.constant // divisor, dims[0], symbols[0], terms[0])
    return whole, Linear(form.constant % divisor, dims[1], symbols[1], terms[1])


def _within(form: Linear, divisor: int, ranges: Sequence[Interval]) -> bool:
    bounds = interval(form, ranges)
    return bounds is not None and bounds[0] >= 0 and bounds[1] < divisor


def recombined(form: Linear, ranges: Sequence[Interval]) -> Linear:
    """The form with quotients and remainders put together again: k * (f floordiv k) + f mod k is f.

    The address of a reshaped tensor is such a sum, whether its extents divide each other or not.
    """
    for term, coefficient in form.terms:
        if term.kind == "mod":
            quotient = _divide("floordiv", term.form, term.divisor, ranges)
            parts = Linear(terms=((term, coefficient),)) + quotient * (coefficient * term.divisor)
            whole = form + parts * -1 + term.form * coefficient
            if len(whole.terms) < len(form.terms):
                return recombined(whole, ranges)
    return form


def interval(form: Linear, ranges: Sequence[Interval]) -> Interval | None:
    """The values that `form` takes when dimension i lies in ranges[i]; None when a symbol (or a missing range) is
    used."""
    low = high = form.constant
    if form.symbols or any(d >= len(ranges) for d, _ in form.dims):
        return None
    for bounds, coefficient in [(ranges[d], c) for d, c in form.dims] + [
        (_term_interval(t, ranges), c) for t, c in form.terms
    ]:
        if bounds is None:
            return None
        ends = (bounds[0] * coefficient, bounds[1] * coefficient)
        low, high = low + min(ends), high + max(ends)
    return low, high


def _term_interval(term: Term, ranges: Sequence[Interval]) -> Interval | None:
    bounds = interval(term.form, ranges)
    if term.kind == "floordiv":
        return None if bounds is None else (bounds[0] // term.divisor, bounds[1] // term.divisor)
    if bounds is not None and bounds[0] // term.divisor == bounds[1] // term.divisor:
        return bounds[0] % term.divisor, bounds[1] % term.divisor
    return 0, term.divisor - 1


def full_ranges(extents: Sequence[int]) -> tuple[Interval, ...]:
    """The whole domain as intervals."""
    return tuple((0, extent - 1) for extent in extents)


def simplify_map(access: AffineMap, extents: Sequence[int]) -> AffineMap:
    """The map with every expression simplified over the domain."""
    ranges = full_ranges(extents)
    return AffineMap(access.num_dims, access.num_symbols, tuple(linear(e, ranges).expr() for e in access.results))


def used_symbols(expr: AffineExpr) -> frozenset[int]:
    """The symbols that an expression reads."""
    return frozenset(e.position for e in expr.dfs() if isinstance(e, AffineSymExpr))


def used_dims(expr: AffineExpr) -> frozenset[int]:
    """The dimensions that an expression reads."""
    return frozenset(e.position for e in expr.dfs() if isinstance(e, AffineDimExpr))
