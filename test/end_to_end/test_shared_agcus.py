"""Programs with more loads and stores than AGCUs, on a quarter of a chip: right numbers, a time, a sound PEF."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import sambaflow
from sambaflow.backends.rdu.decode import decode
from sambaflow.backends.rdu.encode import encode
from sambaflow.backends.rdu.physical import check_physical


class Function(nn.Module):
    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> object:
        return self.function(*inputs)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.cells(x)[0]


def total(*inputs: Tensor) -> Tensor:
    weighted_sum = inputs[0]
    for number, other in enumerate(inputs[1:]):
        weighted_sum = weighted_sum + number * other
    return weighted_sum


def rows(count: int) -> tuple[Tensor, ...]:
    return tuple(torch.arange(3.0) + i for i in range(count))


CASES: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {
    "cat": (Function(lambda *x: torch.cat(x) * 2), rows(20)),
    "unbind": (Function(lambda x: x.unbind(0)), (torch.arange(36.0).reshape(12, 3),)),
    "sum": (Function(total), rows(12)),
    "each": (Function(lambda *x: tuple(torch.relu(a - i) for i, a in enumerate(x))), rows(12)),
    "lstm": (Recurrent(), (torch.arange(24.0).reshape(8, 1, 3) / 24,)),
}


@torch.no_grad()
@pytest.mark.parametrize("name", CASES)
def test_more_streams_than_agcus(name: str):
    module, inputs = CASES[name]
    compiled = sambaflow.compile(module, inputs, mode="o3", tiles=1)
    torch.testing.assert_close(compiled(*inputs), module(*inputs), rtol=1e-5, atol=1e-6)
    assert compiled.timing().seconds > 0
    image = compiled.image
    assert check_physical(image) == []
    assert max(len(section.agcus()) for section in image.sections) <= 8
    assert max(max(section.agcus().values()) for section in image.sections) > 1
    assert encode(decode(encode(image))) == encode(image)


@torch.no_grad()
def test_more_results_than_buffers():
    """270 rows leave through a buffer each, of 260 PMUs: the moves are cut, though they are of one operator."""
    module, x = Function(lambda x: x.unbind(0)), torch.arange(540.0).reshape(270, 2)
    compiled = sambaflow.compile(module, (x,), mode="o1", tiles=1)
    torch.testing.assert_close(compiled(x), module(x))
    assert len(compiled.image.sections) > 1 and compiled.timing().seconds > 0
