"""Chains of movement operators, in every mode, against PyTorch: no element changes, and every program has a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import sambaflow

MODES = ("o0", "o1", "o3")
Move = Callable[[Tensor], Tensor]


class Chain(nn.Module):
    """Moves one after the other, with a sine in front or behind."""

    def __init__(self, moves: list[Move], first: bool) -> None:
        super().__init__()
        self.moves, self.first = moves, first

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sin(x) if self.first else x
        for move in self.moves:
            x = move(x)
        return x if self.first else torch.sin(x)


def sliced(x: Tensor, dim: int, start: int, step: int) -> Tensor:
    return x[(slice(None),) * dim + (slice(start, None, step),)]


def headed(x: Tensor, dim: int, other: int) -> Tensor:
    """A row of its own before a transposed tensor."""
    x = x.transpose(dim, other)
    return torch.cat([-x.narrow(dim, 0, 1), x], dim)


def interleaved(x: Tensor, dim: int) -> Tensor:
    return torch.stack([x, x.flip(dim)], dim + 1).flatten(dim, dim + 1)


def swapped(x: Tensor, dim: int, at: int) -> Tensor:
    return torch.cat([x.narrow(dim, at, x.shape[dim] - at), x.narrow(dim, 0, at)], dim)


def padded(x: Tensor, before: int, after: int) -> Tensor:
    return functional.pad(x, (before, after), value=2.0)


@st.composite
def moves(draw: st.DrawFn, shape: torch.Size) -> Move:
    """A move that a tensor of `shape` allows."""
    dim, other = draw(st.integers(0, len(shape) - 1)), draw(st.integers(0, len(shape) - 1))
    size, elements = shape[dim], math.prod(shape)
    divisors = [d for d in range(1, elements + 1) if elements % d == 0]
    count, at = draw(st.sampled_from(divisors)), draw(st.integers(0, size - 1))
    order = draw(st.permutations(range(len(shape))))
    return draw(
        st.sampled_from(
            [
                lambda x: x.permute(order),
                lambda x: x.reshape(count, -1),
                partial(sliced, dim=dim, start=at, step=2),
                partial(padded, before=at % 3, after=count % 2),
                partial(torch.flip, dims=[dim]),
                lambda x: x.unsqueeze(dim).expand(*shape[:dim], 2, *shape[dim:]),
                lambda x: x.repeat_interleave(2, dim),
                partial(headed, dim=dim, other=other),
                partial(interleaved, dim=dim),
                partial(swapped, dim=dim, at=at),
            ]
        )
    )


@st.composite
def chains(draw: st.DrawFn) -> tuple[Chain, Tensor]:
    x = torch.arange(float(math.prod(shape := draw(st.sampled_from([(6, 10), (2, 3, 4), (12,)]))))).reshape(shape)
    chain, current = [], x
    while len(chain) < 5:
        move = draw(moves(current.shape))
        after = move(current)
        if not 0 < after.numel() <= 500 or after.dim() > 4:
            break
        chain, current = [*chain, move], after
    return Chain(chain, draw(st.booleans())), x


def check(module: nn.Module, x: Tensor, mode: str) -> None:
    compiled = sambaflow.compile(module, (x,), mode=mode)
    torch.testing.assert_close(compiled(x), module(x), rtol=0, atol=1e-6)
    assert compiled.timing().seconds > 0


@settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate])
@given(chains(), st.sampled_from(MODES))
def test_chains(example: tuple[Chain, Tensor], mode: str):
    check(*example, mode)


class Patches(nn.Module):
    """A class token before the patches of an image, as vision transformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 6))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.token, x.flatten(2).transpose(1, 2)), 1) * 2


@torch.no_grad()
@pytest.mark.parametrize("mode", MODES)
def test_class_token(mode: str):
    check(Patches(), torch.randn(1, 6, 3, 3), mode)


CASES: dict[str, Move] = {
    "windows": lambda x: x.view(1, 2, 4, 2, 4, 3).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, 3).sin(),
    "shuffle": lambda x: functional.pixel_unshuffle(
        functional.pixel_shuffle(x.permute(0, 3, 1, 2).repeat(1, 4, 1, 1), 2), 4
    ),
    "rotate": lambda x: torch.cat([-x[..., 1:], x[..., :1]], -1).transpose(1, 3),
    "across": lambda x: torch.cat([x.transpose(1, 2), x[:, ::2].expand(1, 4, 8, 3), x.flip(1)[:, :1]], 1),
}


@torch.no_grad()
@pytest.mark.parametrize("name", CASES)
def test_case(name: str):
    x = torch.arange(192.0).reshape(1, 8, 8, 3)
    for mode in ("o0", "o3"):
        module = Chain([CASES[name]], first=False)
        check(module, x, mode)
