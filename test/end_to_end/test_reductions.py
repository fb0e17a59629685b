"""Reductions over more than one block of 128 points: what compiles runs, ties and NaN are PyTorch's."""

from __future__ import annotations

import pytest
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
    exe = sambaflow.compile(model, inputs, mode="o1")
    assert exe.timing().seconds > 0
    for tiled in (False, True):
        results = sambaflow.Executable(exe.image, exe.weights, exe.conventions, tiled=tiled)(*inputs)
        for number, (got, want) in enumerate(zip(results, model(*inputs), strict=True)):
            torch.testing.assert_close(
                got, want, rtol=rtol, atol=atol, equal_nan=True, msg=lambda text, n=number: f"result {n}: {text}"
            )


def test_reductions_over_several_blocks():
    agrees(Reductions(), ["x", "tied", "n", "flags"])


def test_the_k_best_are_those_that_pytorch_picks():
    """Places of a list that no value has taken yet are no values: a row of -inf has indices of its own."""
    agrees(Lists(), ["x", "tied", "low", "n"], rtol=0, atol=0)


DTYPES = (torch.bool, torch.int8, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32)
LENGTHS = (1, 127, 128, 129, 300, 5000)
HALVES = (torch.float16, torch.bfloat16)


class EveryReduction(nn.Module):
    """A row of any length and dtype, reduced in each way."""

    def forward(self, x: Tensor, factors: Tensor) -> tuple[Tensor, ...]:
        return (
            x.any(-1), x.all(-1), x.amax(-1), x.amin(-1), factors.prod(-1), factors.prod(), x.sum(-1),
            *(x.topk(min(5, x.shape[-1]), -1) if x.dtype != torch.bool else ()),  # which PyTorch does not have
        )  # fmt: skip


def row(dtype: torch.dtype, length: int) -> tuple[Tensor, Tensor]:
    """Numbers, and numbers whose product is no infinity (of integers it wraps around, as in PyTorch)."""
    generator = torch.Generator().manual_seed(length)
    numbers = torch.randn((2, length), generator=generator)
    if dtype.is_floating_point:
        return numbers.to(dtype), (1 + numbers / 100).to(dtype)
    whole = (numbers * 20).clamp(-100, 100).to(dtype) if dtype != torch.bool else numbers < 1
    return whole, whole


@pytest.mark.parametrize("mode", ["o0", "o1", "o3"])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dtype_over_any_length(dtype: torch.dtype, length: int, mode: str):
    """Up to, at and beyond a block of 128, in all modes, run and timed.

    PyTorch multiplies half precision with a rounding at every step, which we do once: there its own product in f32 is
    what is right.
    """
    inputs, model = row(dtype, length), EveryReduction()
    exe = sambaflow.compile(model, inputs, mode=mode)
    wanted = list(model(*inputs))
    if dtype in HALVES:
        x = inputs[1]
        wanted[4:6] = [x.prod(-1, dtype=torch.float32).to(dtype), x.prod(dtype=torch.float32).to(dtype)]
    assert exe.timing().seconds > 0
    for number, (got, want) in enumerate(zip(exe(*inputs), wanted, strict=True)):
        torch.testing.assert_close(got, want, msg=lambda text, n=number: f"result {n}: {text}")
