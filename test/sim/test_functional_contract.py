"""The fast contraction has the bits of the loop that the numeric contract describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow.sim.functional import contract as functional_contract
from sambaflow.sim.functional.contract import (
    Layout,
    block_products,
    blocks,
    contract,
    fused_multiply_add,
    strict_product,
    strict_sum,
)


def literal(a: torch.Tensor, b: torch.Tensor, fused: bool) -> torch.Tensor:
    """One multiply-add after another, blocks of 128 from zero, blocks in order; a [m, k], b [n, k]."""
    total = None
    for start in range(0, a.shape[1], 128):
        block = torch.zeros(a.shape[0], b.shape[0])
        for k in range(start, min(start + 128, a.shape[1])):
            x, y = a[:, None, k], b[None, :, k]
            block = fused_multiply_add(x, y, block) if fused else block + x * y
        total = block if total is None else total + block
    return total if total is not None else torch.zeros(a.shape[0], b.shape[0])


sizes = st.sampled_from([1, 2, 3, 5, 16, 17, 33])
depths = st.sampled_from([1, 2, 7, 8, 100, 128, 129, 300])


@settings(max_examples=30, deadline=None)
@given(sizes, sizes, depths, st.integers(0, 2**31))
def test_bf16_products(m: int, n: int, k: int, seed: int):
    """Products of bf16 are exact, so fused or not is the same."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(m, k, generator=generator).bfloat16()
    b = torch.randn(n, k, generator=generator).bfloat16()
    got = block_products(a[None], b[None], blocks([k], [(0, k)]))[0]
    assert torch.equal(got, literal(a.float(), b.float(), fused=False))


@settings(max_examples=20, deadline=None)
@given(sizes, sizes, depths, st.integers(0, 2**31))
def test_f32_products_are_fused(m: int, n: int, k: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(m, k, generator=generator), torch.randn(n, k, generator=generator)
    got = block_products(a[None], b[None], blocks([k], [(0, k)]))[0]
    assert torch.equal(got, literal(a, b, fused=True))


def test_without_a_strict_matrix_product(monkeypatch: pytest.MonkeyPatch):
    """On a machine whose matrix product adds in another order the loop takes over, with the same bits."""
    a, b = torch.randn(2, 5, 200), torch.randn(2, 18, 200)
    runs = blocks([200], [(0, 200)])
    fast = block_products(a, b, runs)
    monkeypatch.setattr(functional_contract, "is_strict", lambda layout, threads: False)
    assert torch.equal(block_products(a, b, runs), fast)


@pytest.fixture
def threads() -> Iterator[None]:
    """Gives the process its number of threads back."""
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


def test_products_have_their_bits_with_any_number_of_threads(threads: None):
    """torch's product of few rows takes other kernels with several threads. A row alone, a column alone, a stack, and
    operands at any place in a line are products like any other."""
    generator = torch.Generator().manual_seed(1)
    cases: list[tuple[torch.Tensor, torch.Tensor]] = []
    for batch, m, n, k in [(1, 4, 17, 100), (1, 5, 16, 64), (1, 7, 33, 200), (1, 130, 1, 128), (3, 6, 20, 31)]:
        left = torch.randn((batch, m, 2 * k + 1), generator=generator)[:, :, k + 1 :]
        cases.append((left, torch.randn((batch, n, k), generator=generator)))
    expected = [torch.stack([literal(a, b, fused=True) for a, b in zip(*pair, strict=True)]) for pair in cases]
    for count in (1, 2, 4):
        torch.set_num_threads(count)
        for (a, b), want in zip(cases, expected, strict=True):
            k = a.shape[2]
            assert torch.equal(block_products(a, b, blocks([k], [(0, k)])), want), (count, a.shape, b.shape)
        assert torch.get_num_threads() == count


@pytest.mark.parametrize(
    "other",
    [
        lambda a, b: torch.bmm(a.flip(2), b.flip(1)),
        lambda a, b: torch.bmm(a.double(), b.double()).float(),
        lambda a, b: torch.bmm(a[..., ::2], b[:, ::2]) + torch.bmm(a[..., 1::2], b[:, 1::2]),
        lambda a, b: strict_unfused(a, b),
        lambda a, b: torch.cat([strict_product(a[:, :-1], b), torch.bmm(a[:, -1:], b)], 1),
        lambda a, b: torch.bmm(a.bfloat16(), b.bfloat16()),
    ],
    ids=["descending", "wide", "two sums", "unfused", "last row", "bf16"],
)
def test_the_trial_of_a_product_finds_another_order(
    monkeypatch: pytest.MonkeyPatch, other: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
):
    """What passes is the order itself: any other one, or one row of another, is seen."""
    layout = Layout.of(torch.zeros(1, 9, 64), torch.zeros(1, 64, 17))
    trial = functional_contract.is_strict.__wrapped__
    monkeypatch.setattr(functional_contract, "_torch_product", strict_product)
    assert trial(layout, 1)
    monkeypatch.setattr(functional_contract, "_torch_product", other)
    assert not trial(layout, 1)


def strict_unfused(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Ascending, each product rounded before it is added."""
    total = torch.zeros(a.shape[0], a.shape[1], b.shape[2])
    for k in range(a.shape[2]):
        total = total + a[:, :, k, None] * b[:, None, k, :]
    return total


@settings(max_examples=100, deadline=None)
@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
def test_one_rounding(a: float, b: float, c: float):
    """Exact arithmetic, rounded once: no other fp32 number is nearer."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    got = fused_multiply_add(*(torch.tensor(v, dtype=torch.float32) for v in (a, b, c)))
    if not torch.isfinite(got) or abs(exact) < Fraction(2) ** -126:
        return
    neighbours = (torch.nextafter(got, torch.tensor(float(side))) for side in ("inf", "-inf"))
    assert all(
        abs(Fraction(float(n)) - exact) >= abs(Fraction(float(got)) - exact) for n in neighbours if torch.isfinite(n)
    )


def test_blocks_are_absolute():
    """A part of the space is cut where the whole space is."""
    assert blocks([300], [(0, 300)]) == [(0, 128), (128, 256), (256, 300)]
    assert blocks([300], [(100, 300)]) == [(0, 28), (28, 156), (156, 200)]
    assert blocks([2, 100], [(0, 2), (50, 100)]) == [(0, 50), (50, 100)]


def test_dimensions_may_stand_anywhere():
    """[k1, b, n, k2, m] with the reduction over (k1, k2) row-major."""
    a = torch.randn(3, 2, 1, 50, 5)
    b = torch.randn(3, 2, 6, 50, 1)
    extents = [3, 2, 6, 50, 5]
    got = contract(a, b, [1, 2, 4], [0, 3], blocks([3, 50], [(0, 3), (0, 50)]), extents)
    flat_a = a[:, :, 0].permute(1, 3, 0, 2).reshape(2, 5, 150)
    flat_b = b[..., 0].permute(1, 2, 0, 3).reshape(2, 6, 150)
    want = torch.stack([literal(y, x, fused=True) for x, y in zip(flat_a, flat_b, strict=True)])
    assert torch.equal(got, want)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(1, 4), st.integers(0, 2**31))
def test_sums(k: int, rows: int, seed: int):
    values = torch.randn(rows, 2, k, generator=torch.Generator().manual_seed(seed))
    ones = torch.ones(1, k)
    want = literal(values.reshape(-1, k), ones, fused=False)[:, 0].reshape(rows, 2)
    assert torch.equal(strict_sum(values, blocks([k], [(0, k)])), want)


def test_strict_product_is_ascending():
    """1e8 + 1 - 1e8 in that order loses the one."""
    a = torch.tensor([[[1e8, 1.0, -1e8]]])
    assert strict_product(a, torch.ones(1, 3, 1)).item() == 0
