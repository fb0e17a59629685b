"""An index out of range is refused where PyTorch refuses it, whatever it would read or write, and state stays."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import sambaflow
from sambaflow.backends.rdu.decode import decode
from sambaflow.backends.rdu.encode import encode, strip

FAR = (2**31, 2**40, 2**62, -(2**63))


class Of(nn.Module):
    """A function of a table of 6 x 4 and the arguments."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function
        self.table: Tensor
        self.register_buffer("table", torch.arange(24.0).reshape(6, 4))

    def forward(self, *args: Tensor) -> Tensor:
        return self.function(self.table, *args)


def along_rows(index: int) -> tuple[Tensor, ...]:
    return (torch.tensor([[0], [index], [1], [1], [0], [0]]),)


def pair(index: int) -> tuple[Tensor, ...]:
    return (torch.tensor([1, index]),)


def written(index: int) -> tuple[Tensor, ...]:
    return (torch.tensor([1, index]), torch.ones(2, 4))


def cells(index: int) -> tuple[Tensor, ...]:
    return (torch.tensor([[0, 1, index, 2]]), torch.ones(1, 4))


def classes(index: int) -> tuple[Tensor, ...]:
    return (torch.tensor([0, index, -7, 1, 2, 3]),)


ACCESSES: dict[str, tuple[Callable[..., Tensor], Callable[[int], tuple[Tensor, ...]], int]] = {
    "gather": (lambda x, i: x.gather(1, i), along_rows, 4),
    "embedding": (lambda x, i: nn.functional.embedding(i, x), pair, 6),
    "index_select of a pad": (lambda x, i: nn.functional.pad(x, (1, 1)).index_select(1, i), pair, 6),
    "index of a transpose": (lambda x, i: x.t()[:, i], pair, 6),
    "take": (lambda x, i: torch.take(x, i), pair, 24),
    "cross entropy": (lambda x, i: nn.functional.cross_entropy(x, i, ignore_index=-7), classes, 4),
    "index_put": (lambda x, i, v: x.index_put((i,), v), written, 6),
    "index_copy": (lambda x, i, v: x.index_copy(0, i, v), written, 6),
    "scatter": (lambda x, i, v: x.scatter(0, i, v), cells, 6),
}


@pytest.mark.parametrize("name", ACCESSES)
def test_what_pytorch_refuses_is_refused(name: str):
    function, arguments, size = ACCESSES[name]
    model = Of(function)
    exe = sambaflow.compile(model, arguments(1), mode="o1")
    for index in (1, size - 1, size, -1, -size, -size - 1, *FAR):
        try:
            want = model(*arguments(index))
        except (IndexError, RuntimeError):
            with pytest.raises(sambaflow.InputError, match=rf"index {index} of 'args_0' is out of range") as refused:
                exe(*arguments(index))
            assert refused.value.limit.endswith(f"to {size - 1}") and refused.value.op and refused.value.location
        else:
            torch.testing.assert_close(exe(*arguments(index)), want)


class TwoCaches(nn.Module):
    """Writes one position of two caches of different lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.long: Tensor
        self.short: Tensor
        self.register_buffer("long", torch.zeros(1, 4, 8, 4))
        self.register_buffer("short", torch.zeros(1, 4, 6, 4))

    def forward(self, new: Tensor, position: Tensor) -> Tensor:
        self.long.index_copy_(2, position, new)
        self.short.index_copy_(2, position, new)
        return self.long.sum(2) + self.short.sum(2)


@pytest.mark.parametrize(("chips", "tiled"), [(1, False), (1, True), (2, False)])
def test_a_refused_position_changes_no_cache(chips: int, tiled: bool):
    """Each cache is written in a section of its own, so the first is done when the second refuses. A file without names
    of operators names the cache and the input all the same."""
    model, new = TwoCaches(), torch.randn(1, 4, 1, 4)
    compiled = sambaflow.compile(copy.deepcopy(model), (new, torch.tensor([0])), mode="o0", chips=chips)
    exe = sambaflow.Executable(decode(encode(strip(compiled.image))), compiled.weights, tiled=tiled)
    torch.testing.assert_close(exe(new, torch.tensor([5])), model(new, torch.tensor([5])))
    for position in (6, 8, -1, 2**40):
        before = {name: exe.state[name].clone() for name in exe.state}
        with pytest.raises(
            sambaflow.InputError, match=f"index {position} of 'position' is out of range of '(long|short)'"
        ):
            exe(new, torch.tensor([position]))
        assert set(before) == {"long", "short"} and all(torch.equal(exe.state[name], before[name]) for name in before)
    torch.testing.assert_close(exe(new, torch.tensor([2])), model(new, torch.tensor([2])))
