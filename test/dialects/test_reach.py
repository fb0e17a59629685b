"""The bounds of an access pattern hold everywhere, and for the patterns of compiled programs are those of a walk."""

from __future__ import annotations

from itertools import product
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from sambaflow.dialects.rdu import AccessData
from sambaflow.dialects.rdu.reach import leaves_bounds, reach

Row = tuple[int, ...]
small = st.integers(-3, 4)


@st.composite
def accesses(draw: st.DrawFn) -> tuple[AccessData, Row]:
    extents = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    row = st.tuples(small, *[small for _ in extents], st.integers(0, 5))
    indices = draw(st.integers(0, 2))
    bounds = tuple(draw(st.lists(row, max_size=3)))
    data = AccessData(
        strides=tuple(draw(small) for _ in extents),
        base=draw(small),
        bounds=bounds,
        index_ports=tuple(range(indices)),
        index_strides=tuple(draw(small) for _ in range(indices)),
        bound_index=tuple(tuple(draw(st.integers(-1, 1)) for _ in range(indices)) for _ in bounds),
    )
    return data, extents


def named(access: AccessData, extents: Row, indices: Row) -> list[int]:
    """The elements at the points where all bounds hold, for indices of these values: counted point by point."""
    elements: list[int] = []
    for point in product(*map(range, extents)):
        rows = zip(access.bounds, access.bound_index, strict=True)
        values = [(row[0] + dot(row[1:-1], point) + dot(terms, indices), row[-1]) for row, terms in rows]
        if all(0 <= value < extent for value, extent in values):
            elements.append(access.base + dot(access.strides, point) + dot(access.index_strides, indices))
    return elements


def dot(a: Row, b: Row) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


@given(accesses())
def test_no_point_names_an_element_out_of_reach(drawn: tuple[AccessData, Row]):
    access, extents = drawn
    bounds = reach(access, extents)
    for indices in product(range(-4, 6), repeat=len(access.index_ports)):
        for element in named(access, extents, indices):
            assert bounds.low is None or bounds.low <= element
            assert bounds.high is None or element <= bounds.high


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(0, 3), st.integers(1, 3))
def test_a_window_that_slides_over_a_padded_tensor_reaches_just_the_tensor(shape: list[int], pad: int, step: int):
    """As a convolution does: output point o and kernel point k read element step * o + k - pad, if it is there."""
    extents: list[int] = []
    strides: list[int] = []
    for dim, size in enumerate(shape):
        inner = prod(shape[dim + 1 :])
        extents += [(size + 2 * pad) // step + 1, 2]
        strides += [step * inner, inner]
    rank = len(strides)
    bounds = tuple(
        (-pad, *(n for d in range(rank // 2) for n in ((step, 1) if d == dim else (0, 0))), size)
        for dim, size in enumerate(shape)
    )
    base = -pad * sum(prod(shape[dim + 1 :]) for dim in range(len(shape)))
    access = AccessData(strides=tuple(strides), base=base, bounds=bounds, bound_index=((),) * len(bounds), pad=0)
    assert reach(access, tuple(extents)).lies_in(prod(shape))
    if pad:
        assert leaves_bounds(access, tuple(extents)) is not None


def test_an_index_that_nothing_bounds_has_no_bound():
    access = AccessData(strides=(1,), index_ports=(0,), index_strides=(8,))
    assert not reach(access, (8,)).lies_in(1 << 60)
    bounded = AccessData(
        strides=(1,), index_ports=(0,), index_strides=(8,), bounds=((0, 0, 5),), bound_index=((1,),), pad=None
    )
    assert (reach(bounded, (8,)).low, reach(bounded, (8,)).high) == (0, 39)
