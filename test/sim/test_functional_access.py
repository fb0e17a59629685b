"""A strided view, a padded copy and index arithmetic deliver what the definition of an access says, point by point."""

from __future__ import annotations

import itertools
import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow.backends.rdu.image import Access, ints
from sambaflow.errors import InputError
from sambaflow.sim.functional.access import read, write

PAD = struct.unpack("<I", struct.pack("<f", -7.0))[0]


def point_by_point(
    access: Access, extents: list[int], storage: torch.Tensor, index: torch.Tensor | None
) -> torch.Tensor:
    """The definition in `backends/rdu/image.py`, read literally."""
    out = torch.empty(extents)
    for point in itertools.product(*(range(e) for e in extents)):
        term = 0 if index is None else int(index[point])
        inside = all(
            0 <= row[0] + sum(a * b for a, b in zip(row[1:-1], point, strict=True))
            + (int(access.bound_index[r][0]) * term if index is not None else 0) < row[-1]
            for r, row in enumerate(access.bounds.tolist())
        )  # fmt: skip
        address = access.base + sum(a * b for a, b in zip(access.strides.tolist(), point, strict=True))
        address += int(access.index_strides[0]) * term if index is not None else 0
        out[point] = storage[address] if inside else -7.0
    return out


def access_of(base: int, strides: list[int], bounds: list[list[int]], pad: int | None = PAD) -> Access:
    return Access(base, ints(strides), ints(bounds, (len(bounds), len(strides) + 2)), pad)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Access, list[int], int]:
    """A convolution-like access of a [c, h, w] tensor: overlapping windows that leave it on every side."""
    c, h, w = (draw(st.integers(1, 4)) for _ in range(3))
    oh, ow, kh, kw = (draw(st.integers(1, 3)) for _ in range(4))
    stride, dilation, pad = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(0, 2))
    repeated = draw(st.integers(1, 2))
    extents = [repeated, c, oh, ow, kh, kw]
    strides = [0, h * w, stride * w, stride, dilation * w, dilation]
    bounds = [[-pad, 0, 0, stride, 0, dilation, 0, h], [-pad, 0, 0, 0, stride, 0, dilation, w]]
    return access_of(-pad * w - pad, strides, bounds), extents, c * h * w


@settings(max_examples=60, deadline=None)
@given(windows())
def test_windows(case: tuple[Access, list[int], int]):
    access, extents, size = case
    storage = torch.arange(float(size)) + 1
    assert torch.equal(read(access, extents, storage), point_by_point(access, extents, storage, None))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bounds(data: st.DataObject):
    """Rows that share counters, negative strides, indices: whatever the pattern, the same elements."""
    extents = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    small = st.integers(-2, 3)
    strides = data.draw(st.lists(small, min_size=len(extents), max_size=len(extents)))
    rows = data.draw(st.integers(0, 2))
    bounds = [[data.draw(small) for _ in range(len(extents) + 1)] + [data.draw(st.integers(1, 5))] for _ in range(rows)]
    indexed = data.draw(st.booleans())
    base = -min(0, *(s * (e - 1) for s, e in zip(strides, extents, strict=True))) * 3
    access = access_of(base, strides, bounds, PAD)
    index = None
    if indexed:
        index = torch.randint(0, 4, extents)
        access.index_ports, access.index_strides = ints([0]), ints([data.draw(st.integers(0, 2))])
        access.bound_index = ints([[data.draw(small)] for _ in range(rows)], (rows, 1))
    storage = torch.arange(64.0)
    got = read(access, extents, storage, [] if index is None else [index])
    assert torch.equal(got, point_by_point(access, extents, storage, index))


def test_views_move_nothing():
    storage = torch.arange(24.0)
    value = read(access_of(1, [0, 6, 2], [], None), [5, 4, 2], storage)
    assert value.data_ptr() == storage[1:].data_ptr()
    assert value.stride() == (0, 6, 2)


def test_write_drops_what_is_out_of_range():
    """A concat's second part: rows 2.. of the result, whose last row falls outside."""
    storage = torch.zeros(4 * 3)
    access = access_of(6, [3, 1], [[2, 1, 0, 4]])
    write(access, [3, 3], storage, torch.arange(9.0).reshape(3, 3))
    assert storage.tolist() == [0] * 6 + list(range(6))


def test_write_conflicts():
    index = torch.tensor([2, 0, 2])
    access = Access(0, ints([0]), ints((), (0, 3)), None, ints([1]), ints([1]), ints((), (0, 1)))
    last, total = torch.zeros(3), torch.zeros(3)
    values = torch.tensor([1.0, 2.0, 3.0])
    write(access, [3], last, values, [index])
    write(access, [3], total, values, [index], conflict="add")
    assert last.tolist() == [2, 0, 3]
    assert total.tolist() == [2, 0, 4]


def test_masked_writes_leave_the_rest():
    storage = torch.full((4,), 9.0)
    mask = torch.tensor([True, False, True, False])
    write(access_of(0, [1], []), [4], storage, torch.arange(4.0), mask=mask)
    assert storage.tolist() == [0, 9, 2, 9]


@pytest.mark.parametrize("index", [5, -1])
def test_an_index_that_leaves_the_tensor_is_an_error(index: int):
    access = Access(0, ints([0]), ints((), (0, 3)), None, ints([1]), ints([2]), ints((), (0, 1)))
    with pytest.raises(InputError, match="leaves its tensor"):
        read(access, [1], torch.zeros(8), [torch.tensor([index])])


def test_a_view_that_leaves_the_storage_is_an_error():
    with pytest.raises(InputError, match="outside its storage"):
        read(access_of(0, [3], [], None), [4], torch.zeros(9))
