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
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils import _pytree as pytree

from sambaflow.dialects.samba import verify_conventions
from sambaflow.errors import InputError
from sambaflow.frontends.imported import Imported, Leaf
from sambaflow.frontends.torch_export import import_model
from sambaflow.sim.reference.samba_reference import run

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
        outputs = run(imported.module, "forward", {**weights, **dict(zip(names, call, strict=True))})
        outputs = {name: value.clone() for name, value in outputs.items()}
        results.append([outputs.pop(leaf.name) if isinstance(leaf, Leaf) else leaf for leaf in graph.outputs])
        for name, tensor in zip(names, call, strict=True):
            tensor.copy_(outputs.pop(name, tensor))
        assert outputs.keys() <= weights.keys()
        weights |= outputs
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


@pytest.mark.parametrize(
    "view", [lambda t: t[:1].expand(4, 6), lambda t: t.unfold(1, 3, 1), lambda t: t.as_strided((3, 2), (1, 1))]
)
def test_writes_where_elements_overlap_are_refused(view: Function) -> None:
    with pytest.raises(InputError, match="several elements are one in memory"):
        import_model(Program(lambda model, x: view(x * 1).mul_(2)), inputs()[0])


def test_a_view_of_overlapping_windows_that_does_not_overlap_is_written() -> None:
    def function(model: Program, x: torch.Tensor) -> torch.Tensor:
        clone = x.clone()
        clone.unfold(0, 2, 1)[0].fill_(0.25)
        clone.unfold(-1, 3, 2).split(1, 1)[1].mul_(2)
        return clone

    assert_as_eager(Program(function), inputs())


@pytest.mark.parametrize(
    ("write", "what"),
    [
        (lambda t: t.set_(t.t()), "gives a tensor the memory of another"),
        (lambda t: t.resize_(3, 4), "changes the size of a tensor in place"),
        (lambda t: t[1:].copy_(t[:-1]), "reads elements that it writes"),
        (lambda t: t[:, ::2].mul_(t[:, 1::2][:, :1] + 0 * t[0, 0]).add_(t[:, :1]), "reads elements that it writes"),
        (lambda t: t.index_add_(0, torch.tensor([0, 0]), t[:2]), "reads elements that it writes"),
        (lambda t: t.index_put_((torch.tensor([0, 0]),), t[0], accumulate=True), "reads elements that it writes"),
        (lambda t: setattr(t, "data", t * 2), "assigns to .data"),
    ],
)
def test_what_changes_the_memory_of_a_tensor_is_refused_by_name(write: Function, what: str) -> None:
    def function(model: Program, x: torch.Tensor) -> torch.Tensor:
        clone = x.clone()
        write(clone)
        return clone + 1

    with pytest.raises(InputError, match=what):
        import_model(Program(function), inputs()[0])


def _assigned(model: Program, x: torch.Tensor) -> torch.Tensor:
    model.table = model.table + x
    return model.table * 2


def _masks(model: Program, x: torch.Tensor) -> torch.Tensor:
    clone = x.clone()
    clone[clone < 0] = 0.5
    clone[:, x.sum(0) > 0] = 2.0
    clone[x.sum(1) > 0] = x[0]
    clone[torch.tensor([True, False, True, True])] = x[1:] * 3
    return clone.index_put((x > 1,), torch.ones(()), accumulate=True)


def _lists(model: Program, x: torch.Tensor) -> list[torch.Tensor]:
    tensors = [x.clone(), x + 1]
    torch._foreach_mul_(tensors, [x, x])  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
    return list(torch._foreach_add(tensors, 2.0))  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]


def _outs(model: Program, x: torch.Tensor) -> list[torch.Tensor]:
    values, places, sums = torch.empty(4), torch.empty(4, dtype=torch.long), torch.empty(4)
    torch.max(x, 1, out=(values, places))
    torch.sum(x, 1, out=sums)
    return [values, places, sums]


def _numbers(model: Program, x: torch.Tensor) -> torch.Tensor:
    clone = x.clone()
    clone.pow_(2)
    clone **= 2
    clone[:, 0] = 0.0
    clone.copy_(clone[0].half())
    return clone


def _shapes(model: Program, x: torch.Tensor) -> list[torch.Tensor]:
    clone = x.clone()
    flat = clone.view(-1)
    clone.unsqueeze_(0).add_(1)
    flat.mul_(2)
    clone.squeeze_(0)
    clone.transpose_(0, 1)
    clone[0] = 9
    return [clone * 1, flat * 1]


PROGRAMS: dict[str, Function] = {
    "buffer assigned": _assigned,
    "masks": _masks,
    "lists": _lists,
    "out=": _outs,
    "numbers": _numbers,
    "shapes in place": _shapes,
    "buffer through a view": lambda m, x: m.table.view(2, 2, 6)[1].t()[2:4].mul_(3).sum(),
    "two updated inputs' names": lambda m, x: {"x": x.add_(1), "table": m.table.add_(x)},
}


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_in_place_programs_are_as_eager(name: str) -> None:
    assert_as_eager(Program(PROGRAMS[name]), inputs())


def test_buffers_in_one_memory_are_one_argument() -> None:
    class Shares(nn.Module):
        whole: torch.Tensor
        first: torch.Tensor
        middle: torch.Tensor

        def __init__(self, has_whole: bool) -> None:
            super().__init__()
            memory = torch.arange(48.0).view(8, 6)
            self.register_buffer("first", memory[:4])
            self.register_buffer("middle", memory[3:6])
            if has_whole:
                self.register_buffer("whole", memory)
            self.has_whole = has_whole

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.first.add_(1)
            self.middle[0].mul_(2)
            return (self.whole if self.has_whole else self.first) * x[0]

    assert list(assert_as_eager(Shares(True), inputs()).weights) == ["whole"]
    assert list(assert_as_eager(Shares(False), inputs()).weights) == ["first.storage"]


def test_a_constant_that_is_written_is_a_buffer() -> None:
    model = Program(lambda model, x: x + model.history.add_(1))
    model.history = torch.zeros(4, 6)
    calls, imported = inputs(), import_model(model, inputs()[0])
    results, weights = interpret(imported, copy.deepcopy(calls))
    torch.testing.assert_close(results, [[calls[0][0] + 1], [calls[1][0] + 2]])
    assert list(weights) == ["history"] and bool((weights["history"] == 2).all())


def test_an_example_that_is_given_twice_is_two_inputs() -> None:
    x = torch.ones(4, 6)
    imported = import_model(Program(lambda model, a, b: a - 2 * b), (x, x))
    results, _ = interpret(imported, [(x * 3, x)])
    torch.testing.assert_close(results, [[x]])


def test_names_that_collide_stay_two() -> None:
    nested = Program(lambda model, x: {"a": {"b": x + 1}, "a.b": x * 2, "a.b.2": x - 1, "": x + 2, "output": x + 3})
    graph = assert_as_eager(nested, inputs()).graphs["forward"]
    names = [leaf.name for leaf in graph.outputs if isinstance(leaf, Leaf)]
    assert names == ["a.b", "a.b.3", "a.b.2", "output", "output.2"]


def test_functional_programs_update_what_they_say() -> None:
    program = torch.export.export(Program(_both), inputs()[0], strict=False).run_decompositions()
    eager, theirs, ours = Program(_both), inputs(), inputs()
    expected = [leaves(eager(*call)) for call in theirs]
    results, weights = interpret(import_model(program), ours)
    torch.testing.assert_close(results, expected)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(weights["table"], eager.table)


def _both(model: Program, x: torch.Tensor) -> torch.Tensor:
    model.table.add_(x.mul_(2))
    return model.table * x


# -- random programs -------------------------------------------------------------------------------------------------

VIEW_STEPS: list[Function] = [
    lambda t, k: t.transpose(0, -1) if t.dim() > 1 else t.unsqueeze(k % 2),
    lambda t, k: t[k % len(t)] if t.dim() else t.view(1),
    lambda t, k: t[k % 2 :: 2] if t.dim() and len(t) > 1 else t.detach(),
    lambda t, k: t.narrow(-1, k % t.shape[-1], 1) if t.dim() else t.squeeze(),
    lambda t, k: t.flatten(),
    lambda t, k: t.contiguous(),
    lambda t, k: t.reshape(-1) if k % 2 else t.reshape(t.shape[::-1]),
    lambda t, k: t.diagonal() if t.dim() > 1 else torch.atleast_2d(t),
    lambda t, k: t.movedim(0, -1) if t.dim() else t.ravel(),
    lambda t, k: t.squeeze() if k % 2 else t.unsqueeze(-1),
    lambda t, k: t.chunk(2, -1)[k % len(t.chunk(2, -1))] if t.dim() else t.expand(1),
    lambda t, k: t.unfold(0, 2, 2) if t.dim() and len(t) > 1 else t.clone(),
    lambda t, k: t.unbind(-1)[k % t.shape[-1]] if t.dim() else t.expand_as(t),
    lambda t, k: t.as_strided((2, 2), (1, 2), t.storage_offset() % 3),
    lambda t, k: t.clone() if k % 2 else t.to(t.dtype, copy=True),
    lambda t, k: t * 1,
    lambda t, k: t.mT if t.dim() > 1 else t.view(-1, 1),
]
"""A view or a copy of t; `k` chooses among its forms."""

WRITE_STEPS: list[Function] = [
    lambda t, u, k: t.mul_(k - 1),
    lambda t, u, k: t.add_(u.sum()),
    lambda t, u, k: t.copy_(u.reshape(-1)[: t.numel()].reshape(t.shape) if u.numel() >= t.numel() else u.mean()),
    lambda t, u, k: t.fill_(k),
    lambda t, u, k: torch.relu_(t),
    lambda t, u, k: t.masked_fill_(t > k, 0.5),
    lambda t, u, k: t.__setitem__(t < 0, float(k)) if t.dim() else t.neg_(),
    lambda t, u, k: torch.add(t * 1, k, out=t),
    lambda t, u, k: torch.lerp(t, t + 1, 0.5, out=t) if k % 2 else t.zero_(),
    lambda t, u, k: t.sub_(u.amax()),
]
"""An in-place operator on t, which may read u."""

Step = tuple[str, int, int, int, int]


class Steps(nn.Module):
    """A program of views and writes on two inputs, a buffer, a part of that buffer, and what it has made so far."""

    table: torch.Tensor
    rows: torch.Tensor

    def __init__(self, steps: list[Step], returned: list[int]) -> None:
        super().__init__()
        self.steps, self.returned = steps, returned
        self.register_buffer("table", torch.arange(6.0).reshape(3, 2) - 2)
        self.register_buffer("rows", self.table[1:])

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        tensors = [x, y, self.table, self.rows]
        for kind, choice, first, second, number in self.steps:
            t, u = tensors[first % len(tensors)], tensors[second % len(tensors)]
            if kind == "view":
                tensors.append(VIEW_STEPS[choice % len(VIEW_STEPS)](t, number))
            else:
                WRITE_STEPS[choice % len(WRITE_STEPS)](t, u, number)
        return [tensors[place % len(tensors)] for place in self.returned], tensors[-1] + 1


steps = st.tuples(
    st.sampled_from(["view", "view", "write"]), st.integers(0, 16), st.integers(0, 9), st.integers(0, 9),
    st.integers(0, 3),
)  # fmt: skip


def two_calls() -> list[tuple[torch.Tensor, ...]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(2, 3, generator=generator), torch.randn(4, generator=generator)) for _ in range(2)]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(steps, min_size=1, max_size=7), st.lists(st.integers(0, 9), min_size=1, max_size=3))
def test_random_views_and_writes(drawn: list[Step], returned: list[int]) -> None:
    model = Steps(drawn, returned)
    try:
        with torch.no_grad():
            copy.deepcopy(model)(*two_calls()[0])
    except (RuntimeError, IndexError):
        reject()  # PyTorch writes no overlapping memory
    try:
        assert_as_eager(model, two_calls())
    except InputError as error:
        assert "reads elements that it writes" in str(error)


class Assigned(nn.Module):
    """Assigns to a buffer what has another type than it."""

    flag: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("flag", torch.tensor(True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.flag = self.flag + 2
        return x * self.flag


# In PyTorch the module's buffer has another dtype from then on; the copy that export writes would convert the value.
def test_a_buffer_keeps_its_type():
    with pytest.raises(InputError, match=r"a buffer of torch\.bool"):
        import_model(Assigned(), (torch.ones(3),))
