"""What shares memory in PyTorch shares it in the imported function: views, in-place operators, state, mutated inputs.

Every program is read once and run twice by the reference interpreter, beside eager PyTorch: results, inputs that the
program changes, and buffers must agree after both calls.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from sambaflow.dialects.samba import verify_conventions
from sambaflow.frontends.torch_export import Imported, Leaf, import_model
from sambaflow.sim.samba_reference import run

Function = Callable[..., Any]


class Program(nn.Module):
    """A function of a buffer [4, 6], a counter, and inputs."""

    table: torch.Tensor
    count: torch.Tensor

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("table", torch.arange(24.0).reshape(4, 6) / 2)
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(self, *inputs)


def inputs(count: int = 1) -> list[tuple[torch.Tensor, ...]]:
    """The inputs of two calls."""
    generator = torch.Generator().manual_seed(0)
    return [tuple(torch.randn(4, 6, generator=generator) for _ in range(count)) for _ in range(2)]


def interpret(imported: Imported, calls: list[tuple[torch.Tensor, ...]]) -> tuple[list[Any], dict[str, torch.Tensor]]:
    """What the user gets of each call, and the weights after them; inputs that a call updates are written."""
    imported.module.verify()
    verify_conventions(imported.module)
    graph = imported.graphs["forward"]
    names = [leaf.name for leaf in graph.inputs if isinstance(leaf, Leaf)]
    weights, results = dict(imported.weights), list[Any]()
    for call in calls:
        made = run(imported.module, "forward", {**weights, **dict(zip(names, call, strict=True))})
        made = {name: value.clone() for name, value in made.items()}
        results.append([made.pop(leaf.name) if isinstance(leaf, Leaf) else leaf for leaf in graph.outputs])
        for name, tensor in zip(names, call, strict=True):
            tensor.copy_(made.pop(name, tensor))
        assert made.keys() <= weights.keys()
        weights |= made
    return results, weights


def leaves(results: Any) -> list[Any]:
    return copy.deepcopy(pytree.tree_leaves(results, is_leaf=lambda leaf: leaf is None))


def assert_as_eager(model: nn.Module, calls: list[tuple[torch.Tensor, ...]]) -> Imported:
    """The imported model gives what eager PyTorch gives, in results, inputs and buffers."""
    eager, theirs, ours = copy.deepcopy(model), copy.deepcopy(calls), copy.deepcopy(calls)
    with torch.no_grad():
        expected = [leaves(eager(*call)) for call in theirs]
    imported = import_model(model, copy.deepcopy(calls[0]))
    results, weights = interpret(imported, ours)
    torch.testing.assert_close(results, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    buffers = {name: tensor for name, tensor in eager.named_buffers() if name in weights}
    torch.testing.assert_close({name: weights[name] for name in buffers}, buffers, rtol=1e-5, atol=1e-5)
    return imported


VIEWS: dict[str, Function] = {
    "T": lambda t: t.T,
    "mT": lambda t: t.mT,
    "movedim": lambda t: t.view(2, 2, 6).movedim((0, 2), (2, 0)),
    "permute": lambda t: t.view(2, 2, 6).permute(2, 0, 1),
    "swapaxes": lambda t: t.swapaxes(0, 1),
    "narrow": lambda t: t.narrow(1, -3, 2),
    "slices": lambda t: t[::2, 1::2],
    "indices": lambda t: t[None, :, None, 2],
    "select": lambda t: t.select(1, -2),
    "diagonal": lambda t: t.diagonal(1),
    "inner diagonal": lambda t: t.view(2, 2, 6).diagonal(0, 0, 1),
    "unfold": lambda t: t.unfold(1, 2, 2),
    "as_strided": lambda t: t.t().as_strided((2, 3), (6, 1), 1),
    "atleast_3d": lambda t: torch.atleast_3d(t),
    "split": lambda t: t.split([1, 3])[1],
    "chunk": lambda t: t.chunk(3, 1)[2],
    "unbind": lambda t: t.unbind(1)[2],
    "tensor_split": lambda t: t.tensor_split([3, 1])[2],
    "hsplit": lambda t: t.hsplit(2)[1],
    "unsafe_split": lambda t: torch.unsafe_split(t, 2)[0],
    "squeeze": lambda t: t.view(4, 1, 6).squeeze(1),
    "unflatten": lambda t: t.unflatten(1, (2, 3)),
    "expand_as": lambda t: t.expand_as(t),
    "real": lambda t: t.real,
    "detach": lambda t: t.detach(),
    "dropout": lambda t: nn.functional.dropout(t, 0.5, training=False),
    "contiguous": lambda t: t.contiguous(),
    "copying contiguous": lambda t: t.T.contiguous(),
    "channels last": lambda t: t.view(1, 2, 2, 6).contiguous(memory_format=torch.channels_last),
    "reshape": lambda t: t.reshape(6, 4),
    "copying reshape": lambda t: t.T.reshape(4, 6),
    "reshape of slices": lambda t: t[:, ::2].reshape(-1),
    "flatten": lambda t: t.flatten(),
    "copying flatten": lambda t: t.T.flatten(),
    "ravel": lambda t: t.ravel(),
    "to": lambda t: t.to(torch.float32),
    "to copy": lambda t: t.to(torch.float32, copy=True),
    "to double": lambda t: t.to(torch.float64),
    "type_as": lambda t: t.type_as(torch.zeros(1)),
    "clone": lambda t: t.clone(),
    "advanced index": lambda t: t[[0, 2]],
    "views of views": lambda t: t.view(2, 2, 6)[1].t()[2:4].diagonal(),
}


@pytest.mark.parametrize("base", ["copy", "input", "buffer"])
@pytest.mark.parametrize("view", list(VIEWS))
def test_a_write_changes_what_shares_memory_and_nothing_else(view: str, base: str) -> None:
    def function(model: Program, x: torch.Tensor) -> Any:
        tensor = {"copy": x * 1, "input": x, "buffer": model.table}[base]
        seen = VIEWS[view](tensor)
        seen.mul_(2).add_(1)
        return tensor * 1, seen * 1, VIEWS[view](tensor) * 3

    assert_as_eager(Program(function), inputs())
