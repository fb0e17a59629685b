"""State and inputs that a compiled model updates are those of eager PyTorch, call after call, in every mode."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import sambaflow
from sambaflow.errors import InputError


class Model(nn.Module):
    table: torch.Tensor
    count: torch.Tensor

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("table", torch.arange(6.0).reshape(2, 3))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(self, *inputs)


def counted(model: Model, x: torch.Tensor) -> Any:
    """The old count, the old table through a view, the table that is updated and returned, an unchanged input twice."""
    old, rows = model.count.clone(), model.table.clone()[1:].t()
    model.count.add_(1)
    model.table += x
    return old, rows, model.table, x, x


def rows_updated(model: Model, x: torch.Tensor) -> Any:
    """A changed copy of the table, what it was between two updates of rows, and its new sum."""
    changed = model.table.clone()
    changed[0] = 1
    model.table[0] = x[0]
    between = model.table.clone()
    model.table[1] = x[1]
    return changed, between, model.table.sum(0), (model.table + 1,) * 2


def exchanged(model: Model, x: torch.Tensor) -> Any:
    """Table and input change places; nothing computes."""
    old = model.table.clone()
    model.table.copy_(x)
    x.copy_(old)


def activated(model: Model, x: torch.Tensor) -> Any:
    """An in-place activation on the input, which is returned, and a buffer that becomes the input."""
    result = nn.functional.relu_(x)
    model.table.copy_(x)
    return result


def assigned(model: Model, x: torch.Tensor) -> Any:
    """Buffers that become other tensors: the old ones, and views of them, stay what they were."""
    old, view, number = model.table, model.table[1:], model.count
    model.table = model.table * 2 + x
    model.table.add_(1)
    model.count = model.count + 1
    return old, view, number, model.table[:1]


def read_elsewhere(model: Model, x: torch.Tensor) -> Any:
    """Old elements that are read in the section that stores the new ones, but not where it stores them."""
    rows = torch.zeros(1, 3, dtype=torch.long)
    picked = x.gather(0, rows)
    x[:, 1:] = model.table.sum()
    model.table.copy_(model.table.flip(1) + model.table.softmax(0))
    return picked.long(), model.table.gather(0, rows)


def remembered(model: Model, x: torch.Tensor) -> Any:
    """What the table and the input were after each of several writes, all read at the end."""
    tables, inputs = [], []
    for row in range(2):
        model.table[row] = x[row] + row
        tables.append(model.table.clone())
        x[row] = 0
        inputs.append(x.clone())
    return torch.stack(tables) * 2, torch.stack(inputs) + model.table


def replaced(model: Model, x: torch.Tensor) -> Any:
    """A buffer that becomes the input, which is written after that."""
    difference = x - model.table
    model.table = x
    x.add_(1)
    return difference, model.table * 2


def calls() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, generator=generator) for _ in range(2)]


@pytest.mark.parametrize("mode", ["o0", "o3"])
@pytest.mark.parametrize(
    "function", [counted, rows_updated, exchanged, activated, assigned, read_elsewhere, remembered, replaced]
)
def test_updates_are_as_in_eager_pytorch(function: Callable[..., Any], mode: str) -> None:
    eager = Model(function)
    exe = sambaflow.compile(copy.deepcopy(eager), (calls()[0],), mode=mode)
    for theirs, ours in zip(calls(), calls(), strict=True):
        expected, got = pytree.tree_leaves(eager(theirs)), pytree.tree_leaves(exe(ours))
        torch.testing.assert_close(got, copy.deepcopy(expected))
        torch.testing.assert_close(ours, theirs)
        for name, tensor in exe.state.items():
            torch.testing.assert_close(tensor, eager.get_buffer(name))
    assert set(exe.state) == ({"table", "count"} if function in (counted, assigned) else {"table"})


def test_a_program_from_a_file_gives_the_updated_input_as_an_output_of_its_name(tmp_path: Path) -> None:
    def function(model: Model, x: torch.Tensor) -> torch.Tensor:
        model.table.add_(x.mul_(2))
        return model.table * 1

    x = calls()[0]
    eager, theirs = Model(function), x.clone()
    sambaflow.compile(copy.deepcopy(eager), (x,), mode="o1").save(tmp_path / "m.pef")
    loaded = sambaflow.load(tmp_path / "m.pef", weights=tmp_path / "m.safetensors")
    (name,) = loaded.input_shapes()
    results = loaded.run(None, {name: x.clone()})
    torch.testing.assert_close(results, {"output": eager(theirs), name: theirs})
    torch.testing.assert_close(loaded.state["table"], eager.table)
    assert list(loaded.state) == ["table"]


def test_an_updated_input_that_shares_memory_with_another_is_refused() -> None:
    exe = sambaflow.compile(Model(lambda model, a, b: a.add_(1) * b), (torch.ones(4), torch.ones(4)), mode="o1")
    memory = torch.ones(8)
    torch.testing.assert_close(exe(memory[:4], memory[4:]), torch.full((4,), 2.0))
    with pytest.raises(InputError, match="share memory, and the graph updates"):
        exe(memory[:4], memory[2:6])


class Attributes(nn.Module):
    """A model whose attributes are no buffers."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function, self.tensor, self.calls, self.cache, self.seen = function, torch.zeros(3), 1, None, [0]

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("tensor", lambda model, x: model.tensor + x, "sets self.tensor from a tensor to a tensor"),
        ("calls", lambda model, x: model.calls + 1, "sets self.calls from 1 to 2"),
        ("cache", lambda model, x: x, "sets self.cache from None to a tensor"),
    ],
)
def test_an_attribute_that_a_call_changes_is_refused(name: str, value: Callable[..., Any], what: str) -> None:
    def function(model: Attributes, x: torch.Tensor) -> torch.Tensor:
        result = x * model.calls + model.tensor + (0 if model.cache is None else model.cache)
        setattr(model, name, value(model, x))
        return result

    model = Attributes(function)
    with pytest.raises(InputError, match=what):
        sambaflow.compile(model, (torch.ones(3),), mode="o1")
    assert model.calls == 1 and model.cache is None and not model.tensor.any()


def test_attributes_that_a_call_leaves_or_makes_are_taken() -> None:
    def function(model: Attributes, x: torch.Tensor) -> torch.Tensor:
        model.calls, model.total = 1, x.sum()
        return x * 2

    with pytest.warns(UserWarning, match="assigned during export"):
        exe = sambaflow.compile(Attributes(function), (torch.ones(3),), mode="o1")
    torch.testing.assert_close(exe(torch.ones(3)), torch.full((3,), 2.0))


def test_buffers_change_places() -> None:
    class Swapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("first", torch.ones(3))
            self.register_buffer("second", torch.arange(3.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.first, self.second = self.second, self.first
            return self.first + x

    eager = Swapped()
    exe = sambaflow.compile(Swapped(), (torch.ones(3),), mode="o1")
    for _ in range(3):
        x = torch.randn(3)
        torch.testing.assert_close(exe(x), eager(x))
        torch.testing.assert_close(exe.state, dict(eager.named_buffers()))
