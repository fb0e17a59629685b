"""Access patterns against the affine maps that they stand for, point by point."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.ir.affine import AffineExpr

from sambaflow.passes.planning.access import Level, LinearAccess, NotRectangular, linearise, row_major


def delivered(access: LinearAccess) -> list[int | None]:
    """Addresses in the order of the counters; None where a bound row says that the element is out of range."""
    addresses: list[int | None] = []
    for point in product(*(range(extent) for extent in access.extents)):
        rows = [row.base + sum(s * x for s, x in zip(row.strides, point, strict=True)) for row in access.rows]
        inside = all(0 <= value < row.extent for value, row in zip(rows, access.rows, strict=True))
        address = access.base + sum(s * x for s, x in zip(access.strides, point, strict=True))
        addresses.append(address if inside else None)
    return addresses


def evaluated(level: Level, extents: tuple[int, ...]) -> list[int | None]:
    """The same straight from the map."""
    addresses: list[int | None] = []
    for point in product(*(range(extent) for extent in extents)):
        coordinates = [expr.eval(point, ()) for expr in level.coordinates]
        inside = all(0 <= c < size for c, size in zip(coordinates, level.shape, strict=True))
        strides = row_major(level.shape)
        addresses.append(sum(c * s for c, s in zip(coordinates, strides, strict=True)) if inside else None)
    return addresses


shapes = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[Level, tuple[int, ...]]:
    """A tensor read in another shape of as many elements, which need not divide each other: floordiv and mod of the
    flat index."""
    factors = draw(st.lists(st.sampled_from([1, 2, 3, 4, 5]), min_size=2, max_size=5))
    again = draw(st.permutations(factors))
    cut, other = draw(st.integers(1, len(factors))), draw(st.integers(1, len(factors)))
    extents = (prod(factors[:cut]), *factors[cut:])
    shape = (prod(again[:other]), *again[other:])
    flat: AffineExpr = AffineExpr.constant(0)
    for d, stride in enumerate(row_major(extents)):
        flat = flat + AffineExpr.dimension(d) * stride
    coordinates = tuple((flat // s) % n for s, n in zip(row_major(shape), shape, strict=True))
    return Level(coordinates, shape), extents


@given(reshapes())
@settings(max_examples=200, deadline=None)
def test_every_reshape_is_the_identity(case: tuple[Level, tuple[int, ...]]):
    level, extents = case
    access = linearise([level], extents)
    assert delivered(access) == list(range(prod(extents)))


@given(shapes, st.data())
@settings(max_examples=200, deadline=None)
def test_windows_and_strides_are_those_of_the_map(shape: tuple[int, ...], data: st.DataObject):
    """`stride * o + dilation * k - pad` along every dimension, as convolutions read; out of range as the map says."""
    extents: list[int] = []
    coordinates: list[AffineExpr] = []
    for _ in shape:
        outer, inner = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
        a, b, pad = data.draw(st.integers(-2, 3)), data.draw(st.integers(0, 2)), data.draw(st.integers(-2, 2))
        o, k = AffineExpr.dimension(len(extents)), AffineExpr.dimension(len(extents) + 1)
        extents += [outer, inner]
        coordinates.append(o * a + k * b - pad)
    level = Level(tuple(coordinates), shape, pad=0)
    assert delivered(linearise([level], extents)) == evaluated(level, tuple(extents))


def test_two_pads_of_different_value_are_no_pattern():
    d = AffineExpr.dimension(0)
    inner = Level((d - 1,), (4,), pad=0)
    outer = Level((d - 2,), (2,), pad=0x3F800000)
    with pytest.raises(NotRectangular, match="different values"):
        linearise([inner, outer], (6,))
    assert delivered(linearise([inner, Level((d - 2,), (2,), pad=0)], (6,))) == [None, None, 0, 1, None, None]


def test_a_cut_that_does_not_divide_is_refused():
    """Unless quotient and remainder make one address again."""
    d = AffineExpr.dimension(0)
    with pytest.raises(NotRectangular):
        linearise([Level((d % 4, d // 4), (4, 2))], (7,))
    assert delivered(linearise([Level((d // 4, d % 4), (2, 4))], (7,))) == list(range(7))
