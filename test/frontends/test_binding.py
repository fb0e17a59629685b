"""An argument binds when it is of its attribute's kind and the row gives PyTorch's shapes and dtypes.

What does not bind is expanded or decomposed, and computes what PyTorch does; what is left is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import sambaflow
from sambaflow.errors import InputError, SambaError, UnsupportedOperators
from sambaflow.frontends.imported import Imported, Leaf
from sambaflow.frontends.torch_export import import_model
from sambaflow.sim.reference.samba_reference import run
from sambaflow.testing.coverage.operators import differs

torch.manual_seed(0)
X, Y = torch.randn(4, 6), torch.randn(4, 6)
INTS = torch.tensor([[3, -2, 5], [0, 7, 1]])
IMAGE = torch.randn(2, 4, 9, 10)
NAN = torch.full((4, 4), float("nan"))


class Program(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Any:
        return self.function(*args)


def written(x: Tensor, place: Any, value: Any) -> Tensor:
    """A copy of x after `x[place] = value`."""
    copy = x.clone()
    copy[place] = value
    return copy


def results_of(imported: Imported, inputs: tuple[Tensor, ...]) -> Any:
    graph = imported.graphs["forward"]
    names = [leaf.name for leaf in graph.inputs if isinstance(leaf, Leaf)]
    outputs = run(imported.module, "forward", {**imported.weights, **dict(zip(names, inputs, strict=True))})
    leaves = [outputs[leaf.name] if isinstance(leaf, Leaf) else leaf for leaf in graph.outputs]
    return pytree.tree_unflatten(leaves, graph.out_spec)


def check(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    imported = import_model(model, inputs)
    with torch.no_grad():
        want = model(*inputs)
    assert differs(want, results_of(imported, inputs)) == ""


KINDS: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "a tensor where a number is due": (
        lambda x, low, high: x.clamp(low, high),
        (X, torch.tensor(-0.5), torch.tensor(0.5)),
    ),
    "tensors where numbers are due": (lambda x, low: torch.clamp(x, low, low + 1), (X, Y)),
    "ints clamped by a float tensor": (lambda x, low: x.clamp(min=low), (INTS, torch.tensor(0.5))),
    "a fraction where an integer was due": (lambda x: x.var(1, correction=0.5), (X,)),
    "std": (lambda x: (x.std(1), x.std(), x.std((0, 1), keepdim=True), x.std(1, unbiased=False)), (X,)),
    "two results of one reduction": (lambda x: torch.var_mean(x, 1), (X,)),
    "a number beside integers": (lambda c, x: torch.where(c, x, 0.5), (INTS > 0, INTS)),
    "numbers on both sides": (lambda c: (torch.where(c, 1, 0), torch.where(c, 1.5, 0.0)), (INTS > 0,)),
    "a float base of integer powers": (lambda x: 2.5**x, (INTS,)),
    "narrow integers beside a number": (lambda c, x: torch.where(c, x, 1), (INTS > 0, INTS.int())),
    "a tensor that fills": (lambda x, value: x.clone().fill_(value), (X, torch.tensor(2))),
    "a number into a slice": (lambda x: written(x, (slice(None), 0), 0.0), (X,)),
    "a number under a mask": (lambda x: written(x, x < 0, 0), (X,)),
    "the number of elements": (lambda x: x * x.numel(), (X,)),
    "a constant of stride 0": (lambda x: x + torch.zeros(()).expand(4, 6) + torch.ones(1).expand(1), (X,)),
    "a tensor made in forward": (lambda x: x + torch.tensor([1.0, 2, 3, 4, 5, 6]), (X,)),
    "pieces of several sizes": (lambda x: x.tensor_split(4, 1), (X,)),
    "rounding to digits": (lambda x: (torch.round(x, decimals=2), torch.round(x * 100, decimals=-1)), (X,)),
    "a number that is scattered": (lambda x, i: x.scatter(1, i, 2.5), (X, torch.tensor([[0, 1], [1, 5]]))),
    "sums that are scattered": (lambda x, i, y: x.scatter_add(1, i, y), (X, torch.tensor([[0, 0], [1, 5]]), Y)),
    "fmax and fmin": (lambda x, y: (torch.fmax(x, y), torch.fmin(y, x)), (NAN, X[:, :4])),
    "selu and elu": (lambda x: (F.selu(x), F.celu(x, 2.0), F.elu(x, 0.5)), (X,)),
    "log sigmoid": (F.logsigmoid, (X,)),
    "indices of a pooling": (lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), (IMAGE,)),
    "addbmm": (lambda c, x, y: torch.addbmm(c, x[None], y.t()[None], beta=2), (Y[:, :4].clone(), X, Y)),
    "addmm without its addend": (lambda c, x, y: torch.addmm(c, x, y.t(), beta=0), (NAN, X, Y)),
    "addmv without its addend": (lambda c, x, y: torch.addmv(c, x, y, beta=0.0), (NAN[0], X, Y[0])),
    "mixed dtypes joined": (lambda i, x: (torch.cat([i, x]), torch.stack([i, x])), (INTS, X[:2, :3])),
    "class probabilities": (lambda x, y: F.cross_entropy(x, y.softmax(1)), (X, Y)),
    "only targets that are ignored": (F.cross_entropy, (X, torch.full((4,), -100))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_bind_is_expressed(kind: str) -> None:
    function, inputs = KINDS[kind]
    check(Program(function), inputs)


MODULES: list[tuple[nn.Module, Tensor]] = [
    (nn.Conv2d(4, 5, 3, padding="same"), IMAGE),
    (nn.Conv2d(4, 5, (2, 3), padding="same", dilation=2), IMAGE),
    (nn.Conv2d(4, 5, 3, padding="valid"), IMAGE[0]),
    (nn.Conv1d(9, 5, 4, padding="same"), IMAGE[0]),
    (nn.MaxPool1d(3, 2, ceil_mode=True), IMAGE[0]),
    (nn.AvgPool1d(3, 2, 1, count_include_pad=False), IMAGE[0]),
    (nn.AdaptiveAvgPool2d((4, 3)), IMAGE),
    (nn.BatchNorm2d(4, track_running_stats=False), IMAGE),
    (nn.InstanceNorm2d(4), IMAGE),
]


@pytest.mark.parametrize(("module", "x"), MODULES, ids=[str(module) for module, _ in MODULES])
def test_modules_whose_arguments_are_of_several_kinds(module: nn.Module, x: Tensor) -> None:
    check(module, (x,))


CORE: list[tuple[nn.Module, Tensor]] = [
    (nn.LayerNorm(10), IMAGE),
    (nn.GroupNorm(2, 4), IMAGE),
    (nn.BatchNorm2d(4).eval(), IMAGE),
    (nn.Conv2d(4, 5, 3), IMAGE),
    (nn.MaxPool2d(2), IMAGE),
    (nn.AdaptiveAvgPool2d(3), IMAGE),
    (nn.Sequential(nn.Linear(10, 6), nn.GELU(), nn.Dropout(0.1), nn.Softmax(-1)).eval(), IMAGE),
    (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval(), torch.randn(1, 5, 16)),
]


@pytest.mark.parametrize(("module", "x"), CORE, ids=[type(module).__name__ for module, _ in CORE])
def test_programs_in_core_aten_bind(module: nn.Module, x: Tensor) -> None:
    program = torch.export.export(module, (x,)).run_decompositions()
    with torch.no_grad():
        want = module(x)
    assert differs(want, results_of(import_model(program), (x,))) == ""


REFUSED: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], str]] = {
    "no row and no decomposition": (lambda x: x.kthvalue(2, 1), (X,), "aten.kthvalue"),
    "random numbers": (lambda x: F.dropout(x, 0.5, True), (X,), "dropout"),
    "as many results as data say": (lambda x: x[x > 0], (X,), "aten.index.Tensor"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_left_is_refused_by_name(what: str) -> None:
    function, inputs, name = REFUSED[what]
    with pytest.raises(UnsupportedOperators, match=name) as caught:
        import_model(Program(function), inputs)
    assert "test_binding.py" in str(caught.value)


def test_values_that_data_decide_are_refused_in_words() -> None:
    for function in (lambda x: x * x.sum().item(), lambda x: x if torch.equal(x, x + 1) else -x):
        with pytest.raises(InputError, match="data-dependent"):
            import_model(Program(function), (X,))


def test_dtypes_that_no_row_has_are_refused() -> None:
    for function in (lambda x: x.to(torch.uint8), lambda x: torch.view_as_complex(x.reshape(4, 3, 2)).abs()):
        with pytest.raises(SambaError):
            import_model(Program(function), (X,))


def test_decompositions_do_not_need_the_flags_of_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's test utilities lock them for the whole process."""
    monkeypatch.setitem(torch.backends.flags_frozen.__globals__, "__allow_nonbracketed_mutation_flag", False)
    assert torch.backends.flags_frozen()
    imported = import_model(torch.export.export(Program(lambda x: torch.logsumexp(x, 1)), (X,)))
    assert "logsumexp" not in str(imported.module)


def test_results_that_nest_are_found_by_their_places() -> None:
    """`histogramdd` returns a tensor and a list of tensors; what its operators are is another matter."""
    with pytest.raises(UnsupportedOperators, match="histogramdd"):
        import_model(Program(lambda x: torch.histogramdd(x, [2, 3]).bin_edges[1]), (torch.rand(4, 2),))


def test_a_batch_norm_that_trains_returns_its_statistics_too() -> None:
    """`native_batch_norm` has three results and writes the running statistics besides."""
    x = torch.rand(4, 3, 5)
    operands = [torch.rand(3) for _ in range(4)]

    def normal(x: Tensor, *operands: Tensor) -> Any:
        weight, bias, mean, variance = (operand.clone() for operand in operands)
        return torch.native_batch_norm(x, weight, bias, mean, variance, True, 0.1, 1e-5), mean, variance

    check(Program(normal), (x, *operands))


@pytest.mark.parametrize(
    ("what", "x"),
    [
        (lambda x: x @ torch.ones(3, 2), torch.eye(3).to_sparse()),
        (lambda x: x @ torch.ones(3, 2), torch.eye(3).to_sparse_csr()),
        (lambda x: x.to_sparse() @ x, torch.eye(3)),
    ],
    ids=["coo", "csr", "made"],
)
def test_sparse_tensors_are_refused(what: Callable[..., Any], x: Tensor) -> None:
    with pytest.raises(InputError, match=r"is a tensor of layout torch\.sparse_"):
        import_model(Program(what), (x,))


def test_sparse_buffers_are_refused() -> None:
    module = nn.Linear(3, 2)
    module.register_buffer("mask", torch.eye(3).to_sparse())
    with pytest.raises(InputError, match=r"'mask' is a tensor of layout torch\.sparse_coo"):
        sambaflow.compile(module, (torch.ones(1, 3),))


def test_a_batch_norm_without_channels_is_refused() -> None:
    def normal(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return F.batch_norm(x, mean, variance, training=True)

    with pytest.raises(SambaError, match="batch_norm"):
        import_model(Program(normal), (torch.ones(0), torch.ones(0), torch.ones(0)))
