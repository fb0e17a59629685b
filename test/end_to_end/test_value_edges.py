"""Infinities, NaN, signed zeros, large integers and repeated indices come out of operators as out of PyTorch's.

One program gives all results, so that it is compiled once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import sambaflow
from sambaflow.testing.coverage.operators import differs

INF, NAN = float("inf"), float("nan")
FLOATS = torch.tensor([0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 7.0, 1.5, INF, -INF, NAN, 1e30])
LEFT, RIGHT = torch.stack(torch.meshgrid(FLOATS, FLOATS, indexing="ij")).flatten(1)
WHOLE = torch.tensor([0, 7, -7, 2**24 + 1, 2**53 + 1, -(2**53) - 1, 2**62, -(2**63), 2**63 - 1])
ROWS = torch.stack([FLOATS, FLOATS.flip(0)])


class Divisions(nn.Module):
    def forward(self, x: Tensor, y: Tensor, n: Tensor) -> list[Tensor]:
        return [
            x // 2, x // y, torch.remainder(x, y), torch.fmod(x, y), torch.div(x, y, rounding_mode="trunc"),
            n // 3, n % -3, torch.fmod(n, 3), n**5, n * n, n + 2**60, n == 2**53,
            torch.ones((), dtype=torch.bool) ^ n, torch.ones((), dtype=torch.bool) * n, x + torch.ones(1).bool(),
        ]  # fmt: skip


class Orders(nn.Module):
    def forward(self, x: Tensor, n: Tensor) -> list[Any]:
        return [
            *x.topk(5, largest=False), *x.topk(3), *x.sort(stable=True), *x.sort(descending=True, stable=True),
            *n.topk(9), x.clamp(-1, 2), x.argmax(1), torch.logsumexp(x, 1),
        ]  # fmt: skip


class Sums(nn.Module):
    def forward(self, x: Tensor, i: Tensor, y: Tensor, nothing: Tensor) -> list[Tensor]:
        return [
            x.index_put((i,), y, accumulate=True),
            x.index_put((i, i), torch.ones(3), accumulate=True),
            torch.addmm(nothing, x, y.t(), beta=0),
            torch.baddbmm(nothing[None], x[None], y.t()[None], beta=0.0),
            nn.functional.adaptive_avg_pool2d(x[None], (3, 4)),
        ]


def check(module: nn.Module, *inputs: Tensor) -> None:
    executable = sambaflow.compile(module, inputs, mode="o1")
    for number, (want, got) in enumerate(zip(module(*inputs), executable(*inputs), strict=True)):
        assert differs(want, got) == "", number


def test_divisions_and_powers() -> None:
    check(Divisions(), LEFT, RIGHT, WHOLE)


def test_orders_with_nan_and_the_least_numbers() -> None:
    check(Orders(), ROWS, WHOLE)


def test_sums_at_repeated_indices_and_addends_that_are_not_read() -> None:
    x = torch.linspace(-1, 1, 24).reshape(4, 6)
    check(Sums(), x, torch.tensor([0, 0, -1]), x[:3].clone(), torch.full((4, 3), NAN))


class OfNumbers(nn.Module):
    """PyTorch lets a number have the dimension 0."""

    def forward(self, x: Tensor, n: Tensor) -> list[Any]:
        return [
            x.mean(-1), x.mean(0, keepdim=True), x.sum(0), x.var(0, correction=0), *torch.var_mean(x, 0, correction=0),
            *x.max(0), x.argmax(-1), n.argmin(), (x > 0).any(0), x.softmax(0), x.log_softmax(-1), x.cumsum(0),
            x.logsumexp(0), torch.linalg.vector_norm(x, 2, 0), x.flip(()), x.index_select(0, torch.tensor([0])),
            x.gather(0, torch.tensor(0)), n.sum(-1), torch.stack([x, x]).mean(0),
        ]  # fmt: skip


def test_numbers_are_reduced_as_tensors_of_one_element() -> None:
    check(OfNumbers(), torch.tensor(-1.5), torch.tensor(3))


class Fills(nn.Module):
    """What fills a tensor of bools is a bool: 0.5 is true."""

    def forward(self, x: Tensor, y: Tensor) -> list[Tensor]:
        return [
            x.masked_fill(x, 0.5), x.masked_fill(~x, -0.25), x.masked_fill(x, 0.0), torch.full_like(x, 0.5) ^ x,
            torch.full((2,), 0.5, dtype=torch.bool), torch.where(x, x, 0.5), y.masked_fill(y > 1, 2.75).bool(),
        ]  # fmt: skip


def test_bools_are_filled_with_bools() -> None:
    check(Fills(), torch.tensor([True, False, True]), torch.tensor([0.5, 2.0, 0.0]))


class Attention(nn.Module):
    """An infinite score that is hidden is NaN, but where PyTorch's kernel for four dimensions hides the later keys."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> list[Tensor]:
        attention = nn.functional.scaled_dot_product_attention
        return [
            attention(q, k, v, is_causal=True), attention(q[0], k[0], v[0], is_causal=True),
            attention(q, k, v, mask), attention(q[0], k[0], v[0], mask),
        ]  # fmt: skip


def test_infinite_scores_that_are_hidden() -> None:
    q, k, v = torch.rand(3, 1, 2, 5, 8).unbind()
    k[0, 0, 3] = float("inf")
    check(Attention(), q, k, v, torch.ones(5, 5).tril().bool())


def test_constants_keep_the_signs_of_their_zeros() -> None:
    """Zeros of both signs are equal, and no one number."""

    class Quotients(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / torch.tensor([-0.0, 0.0, 0.0, -0.0])

    x = torch.ones(4)
    assert torch.equal(sambaflow.compile(Quotients(), (x,))(x), Quotients()(x))
