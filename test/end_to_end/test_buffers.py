"""What is planned is what is built: buffers fit the PMUs that were counted for them, and every section can be timed."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

import sambaflow
from sambaflow.dialects import kernel, rdu
from sambaflow.passes import convert_kernel_to_rdu
from sambaflow.passes.lowering.section import LoweredSection, SectionLowering


class Attention(nn.Module):
    """A norm, one product for queries, keys and values, causal attention and a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        shape = (batch, length, self.heads, width // self.heads)
        q, k, v = (part.view(shape).transpose(1, 2) for part in self.inner(self.norm(x)).split(width, 2))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.outer(mixed.transpose(1, 2).reshape(batch, length, width))


class Parts(nn.Module):
    """A concatenation of concatenations, one of them stored too."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pair = torch.cat([x.exp(), x.tanh()], -1)
        return pair, torch.cat([pair, x * 2], -1).sqrt()


class Stored(nn.Module):
    """Results that are stored through a layout change, and read on."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x.exp()
        return y.transpose(0, 1), torch.softmax(y, -1).view(x.shape[0], 1, x.shape[1])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Per section that is lowered: the PMUs of its kernel buffers, and those of its groups before rings get room."""
    counts: list[tuple[int, int]] = []
    lower = SectionLowering.lower

    def counting(self: SectionLowering) -> LoweredSection:
        lowered = lower(self)
        buffers = [op for op in self.section.body.block.ops if isinstance(op, kernel.BufferOp)]
        planned = sum(op.pmus.value.data for op in buffers if op.pmus is not None)
        counts.append((planned, sum(unit.units for unit in lowered.op.units if isinstance(unit, rdu.PmuOp))))
        return lowered

    monkeypatch.setattr(convert_kernel_to_rdu.SectionLowering, "lower", counting)
    return counts


@pytest.mark.parametrize("mode", ["o1", "o3"])
@pytest.mark.parametrize(
    ("model", "shape"),
    [(Attention(100, 5), (1, 7, 100)), (Parts(), (13, 7)), (Stored(), (129, 30))],
    ids=["attention", "parts", "stored"],
)
def test_every_pmu_is_planned(model: nn.Module, shape: tuple[int, ...], mode: str, counted: list[tuple[int, int]]):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(7))
    exe = sambaflow.compile(model.eval(), (x,), mode=mode)
    assert counted and all(planned == used for planned, used in counted)
    assert exe.timing().seconds > 0
    with torch.no_grad():
        torch.testing.assert_close(exe(x), model(x), rtol=1e-4, atol=1e-5)


def test_a_vocabulary_over_two_chips_is_timed():
    head = nn.Linear(16, 8192, bias=False).bfloat16()
    x = torch.ones(2, 16, dtype=torch.bfloat16)
    exe = sambaflow.compile(head, (x,), mode="o1", chips=2)
    assert exe.timing().seconds > 0
    torch.testing.assert_close(exe(x), head(x).detach(), rtol=1e-2, atol=1e-2)


def test_a_block_of_512_tokens_fits(counted: list[tuple[int, int]]):
    """Its product is written in other windows than its three readers take."""
    with torch.device("meta"):
        block = Attention(768, 12).eval()
    exe = sambaflow.compile(block, (torch.empty(1, 512, 768, device="meta"),))
    assert all(planned == used for planned, used in counted)
    assert exe.timing().seconds > 0
