"""Reductions over more than one block of 128 points: what compiles runs, ties and NaN are PyTorch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import sambaflow

POINTS = 300


class Reductions(nn.Module):
    """Every reduction whose partial results merge by another operation than a sum, and some with an index."""

    def forward(self, x: Tensor, tied: Tensor, n: Tensor, flags: Tensor) -> tuple[Tensor, ...]:
        return (
            flags.any(-1), flags.any(), (~flags).all(-1), n.all((0, 1)), n.amax(-1), n.amin((0, 1)), n.sum(-1),
            flags.sum(-1), *tied.max(-1), *tied.min(0), tied.argmax(), tied.argmin(-1), x.amax(-1), *x.max(-1),
            *x.min(-1), x.argmax(-1), n.cumsum(-1), torch.logsumexp(tied, (0, 1)), tied.var((0, 1)),
        )  # fmt: skip


class Lists(nn.Module):
    """The k best of values among which some are equal, NaN, or the least of their type."""

    def forward(self, x: Tensor, tied: Tensor, low: Tensor, n: Tensor) -> tuple[Tensor, ...]:
        return (
            *x.topk(4), *x.topk(4, largest=False), *tied.topk(50), *tied.topk(7, largest=False), *tied.t().topk(3, 0),
            *tied.bfloat16().topk(5), *low.topk(5), *low.topk(3, largest=False), *n.topk(2), *n.topk(3, largest=False),
            *x.topk(1),
        )  # fmt: skip


def samples() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((2, POINTS), generator=generator)
    x[:, ::97] = float("nan")
    x[:, 5] = float("inf")
    n = torch.randint(-40, 40, (2, POINTS), generator=generator)
    n[0, 200:204] = -(2**63)
    return {
        "x": x, "tied": torch.randint(0, 4, (2, POINTS), generator=generator).float(), "n": n,
        "flags": torch.rand((2, POINTS), generator=generator) < 0.004, "low": torch.full((2, POINTS), float("-inf")),
    }  # fmt: skip


def agrees(model: nn.Module, names: list[str], rtol: float | None = None, atol: float | None = None) -> None:
    """Whole and tile by tile, the program gives PyTorch's results, and it is timed."""
    inputs = tuple(samples()[name] for name in names)
    made = sambaflow.compile(model, inputs, mode="o1")
    assert made.timing().seconds > 0
    for tiled in (False, True):
        results = sambaflow.Executable(made.image, made.weights, made.conventions, tiled=tiled)(*inputs)
        for number, (got, want) in enumerate(zip(results, model(*inputs), strict=True)):
            torch.testing.assert_close(
                got, want, rtol=rtol, atol=atol, equal_nan=True, msg=lambda text, n=number: f"result {n}: {text}"
            )


def test_reductions_over_several_blocks():
    agrees(Reductions(), ["x", "tied", "n", "flags"])


def test_the_k_best_are_those_that_pytorch_picks():
    """Places of a list that no value has taken yet are no values: a row of -inf has indices of its own."""
    agrees(Lists(), ["x", "tied", "low", "n"], rtol=0, atol=0)
