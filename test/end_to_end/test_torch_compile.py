"""torch.compile(backend="samba") against eager PyTorch: values, and what else of eager a caller can see."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import sambaflow
from sambaflow.errors import InputError


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()  # pyright: ignore[reportPrivateUsage]


def samba(function: Any, dynamic: bool | None = None, **options: Any) -> Any:
    return torch.compile(function, backend="samba", dynamic=dynamic, options={"mode": "o0", **options})


def same(got: Any, want: Any) -> None:
    (ours, structure), (theirs, expected) = pytree.tree_flatten(got), pytree.tree_flatten(want)
    assert structure == expected
    for a, b in zip(ours, theirs, strict=True):
        assert type(a) is type(b)
        if isinstance(a, torch.Tensor):
            torch.testing.assert_close(a, b)
        else:
            assert a == b


def as_eager(module: Any, calls: Sequence[tuple[Any, ...]], **options: Any) -> Any:
    """Calls module and a compiled copy in turn; results, arguments and buffers must be the same after each."""
    eager = copy.deepcopy(module)
    compiled = samba(module, **options)
    with torch.no_grad():
        for call in calls:
            mine, theirs = copy.deepcopy(call), copy.deepcopy(call)
            same(compiled(*mine), eager(*theirs))
            same(mine, theirs)
            if isinstance(module, nn.Module):
                same(list(module.buffers()), list(eager.buffers()))
    return compiled


class Tracked(nn.Module):
    """Buffers that calls update, two layers, and a structure out."""

    calls: torch.Tensor
    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 3)
        self.register_buffer("calls", torch.zeros(1, dtype=torch.int32))
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x: torch.Tensor, *, scale: float = 1.0) -> dict[str, Any]:
        self.calls.add_(1)
        self.mean.mul_(0.5).add_(x.mean(0))
        y = self.second(torch.relu(self.first(x - self.mean)))
        return {"y": y * scale, "rows": x.shape[0], "none": None, "pair": (y, self.calls + 1)}


def test_sizes_buffers_and_structures_are_those_of_eager():
    module = Tracked().eval()
    compiled = as_eager(module, [(torch.randn(rows, 6),) for rows in (4, 7, 4, 3)])
    executables = sambaflow.compiled_graphs(compiled)
    assert executables == sambaflow.compiled_graphs(module)
    assert {exe.input_shapes()["x"] for exe in executables} == {(4, 6), (7, 6), (3, 6)}
    assert {"first.weight", "second.bias", "mean"} <= set(executables[0].weights)
    assert all(exe.timing().seconds > 0 for exe in executables)


@pytest.mark.parametrize("dynamic", [True, False])
def test_dynamic_and_static_shapes(dynamic: bool):
    as_eager(nn.Linear(6, 2), [(torch.randn(rows, 6),) for rows in (4, 5)], dynamic=dynamic)


def add_in_place(x: torch.Tensor) -> torch.Tensor:
    x.add_(1)
    return x * 2


def through_a_view(x: torch.Tensor) -> torch.Tensor:
    x.T[0].mul_(3)
    return x.sum(0)


def gives_inputs(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return x, x[1:], x.T, x + 1


def only_views(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[0], x.reshape(-1)


def breaks(x: torch.Tensor) -> torch.Tensor:
    y = torch.relu(x)
    torch._dynamo.graph_break()  # pyright: ignore[reportPrivateUsage]
    return torch.exp(-y)


@pytest.mark.parametrize("function", [add_in_place, through_a_view, gives_inputs, only_views, breaks])
def test_functions(function: Callable[..., Any]):
    as_eager(function, [(torch.randn(4, 6),)])


def test_a_cache_that_grows():
    """The first step joins nothing, a tensor of shape [0], to what it has."""

    def step(cache: torch.Tensor, new: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cache = torch.cat([cache, new], dim=-2)
        return cache, (cache * 2).sum(-1)

    new = torch.randn(2, 3, 4)
    as_eager(step, [(torch.empty(0), new), (new, new[:, :1]), (torch.randn(2, 4, 4), new[:, :1])])


def test_numbers_that_vary():
    def scaled(x: torch.Tensor, by: float, add: int) -> torch.Tensor:
        return x * by + add

    as_eager(scaled, [(torch.ones(3), 1.5, 2), (torch.ones(3), 2.5, 3), (torch.ones(3), 3.5, 4)])


def test_what_is_a_view_in_eager_is_one_here():
    x = torch.randn(4, 6)
    with torch.no_grad():
        whole, rest, turned, new = samba(gives_inputs)(x)
        x.zero_()
    assert whole is x or whole.data_ptr() == x.data_ptr()
    assert not rest.any() and not turned.any() and turned.stride() == (1, 6)
    assert new.any()


def test_parameters_are_read_at_every_call():
    """An optimizer that works beside the compiled model is seen, whichever way it writes."""
    module = nn.Linear(6, 2)
    compiled = samba(module)
    x = torch.randn(4, 6)
    with torch.no_grad():
        for step in range(3):
            same(compiled(x), module(x))
            if step:
                module.weight.data = module.weight.data * 2
            else:
                module.weight.data.add_(1)
    assert len(sambaflow.compiled_graphs(compiled)) == 1


def test_graphs_of_a_model_that_breaks_follow_each_other():
    def two(x: torch.Tensor) -> torch.Tensor:
        return breaks(x)

    function = samba(two)
    for _ in range(2):
        function(torch.ones(3))
    method = nn.ReLU().forward
    samba(method)(torch.ones(3))
    assert len(sambaflow.compiled_graphs(method.__self__)) == len(sambaflow.compiled_graphs(method)) == 1
    shapes = [exe.input_shapes() for exe in sambaflow.compiled_graphs(two)]
    assert shapes == [{"x": (3,)}, {"y": (3,)}] and sambaflow.compiled_graphs(function)
    assert sambaflow.compiled_graphs(nn.ReLU()) == []


def test_inference_mode():
    module = Tracked().eval()
    eager = copy.deepcopy(module)
    with torch.inference_mode():
        x = torch.randn(4, 6)
        same(samba(module)(x), eager(x))


def test_training_is_refused_and_inference_with_grad_mode_is_not():
    module, x = nn.Linear(6, 2), torch.randn(4, 6)
    compiled = samba(module)
    with pytest.raises(InputError, match=r"training does not exist yet: .* torch\.no_grad\(\)"):
        compiled(x)
    with pytest.raises(InputError, match="training does not exist yet"):
        samba(torch.relu)(x.clone().requires_grad_())
    module.requires_grad_(False)
    same(samba(module)(x), module(x))


def test_sizes_are_bounded_and_remembered():
    module = nn.Linear(6, 2)
    compiled = samba(module, dynamic=True, sizes=2)
    with torch.no_grad(), pytest.warns(UserWarning, match="called with more than 2 sizes"):
        for rows in (2, 3, 2, 4, 2):
            x = torch.randn(rows, 6)
            same(compiled(x), module(x))
    executables = sambaflow.compiled_graphs(compiled)
    assert [next(iter(exe.input_shapes().values()))[0] for exe in executables] == [2, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": "o1"}, "has no option 'modes'; did you mean 'mode'"),
        ({"mode": "o7"}, "unknown mode 'o7'"),
        ({"machine": "sn99"}, "no machine 'sn99'"),
        ({"chips": 0}, "chips"),
        ({"sizes": 0}, "option 'sizes' is 0"),
    ],
)
def test_options_that_do_not_exist_are_refused_plainly(options: dict[str, Any], message: str):
    with torch.no_grad(), pytest.raises(sambaflow.SambaError, match=message):
        samba(torch.relu, **options)(torch.ones(2))


def test_options_reach_the_program():
    module = nn.Linear(8, 8).requires_grad_(False)
    samba(module, machine="sn30", chips=2)(torch.ones(4, 8))
    torch._dynamo.reset()  # pyright: ignore[reportPrivateUsage]
    torch.compile(module, backend="samba", mode="o1")(torch.ones(4, 8))
    with_options, plain = sambaflow.compiled_graphs(module)
    assert (with_options.image.target.machine, with_options.image.target.chips) == ("sn30", 2)
    assert (plain.image.target.machine, plain.image.target.chips) == ("sn40l", 1)


def test_what_is_not_supported_is_said_plainly():
    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.det(x)

    with torch.no_grad(), pytest.raises(sambaflow.UnsupportedOperators, match="det"):
        samba(function)(torch.eye(3))
