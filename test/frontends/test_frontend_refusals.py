"""What cannot be compiled is refused with the line, the reason in PyTorch's words, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sambaflow
from sambaflow.errors import InputError, SambaError
from sambaflow.frontends.torch_export import import_model

X = torch.linspace(-2, 2, 24).reshape(4, 6)
INDEX = torch.tensor([0, 1, 2, 3])


class Program(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> Any:
        return self.function(*tensors)


def _put_as_many(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[y > 0] = torch.arange(3.0)
    return y


MASK, SHAPE, RANDOM = "how many elements its mask takes", "the shape of its result depends on data", "draws random"
REFUSED: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...], str, str]] = {
    "mask read": (lambda x: x[x > 0], (X,), rf"index\.Tensor: .*{MASK}", "torch.where"),
    "mask written": (_put_as_many, (X,), rf"index_put.*{MASK}", "torch.where"),
    "nonzero": (lambda x: x.nonzero(), (X,), rf"aten\.nonzero: .*{SHAPE}", "torch.where"),
    "unique": (lambda x: torch.unique(x), (X,), rf"unique2: .*{SHAPE}", "torch.where"),
    "bincount": (lambda x: torch.bincount(x), (INDEX,), rf"bincount: .*{SHAPE}", "torch.where"),
    "repeats": (lambda x, n: x.repeat_interleave(n, 0), (X, INDEX), SHAPE, "torch.where"),
    "ctc": (
        lambda x: F.ctc_loss(x[:, None], torch.tensor([[1, 2]]), torch.tensor([4]), torch.tensor([2])), (X,),
        r"data-dependent shape: .*aten\._ctc_loss", "move the call out",
    ),
    "item": (lambda x: x * x.sum().item(), (X,), "data-dependent number: .*Python number", "keep it a tensor"),
    "list": (lambda x: x * x[0].tolist()[0], (X,), "data-dependent number", "keep it a tensor"),
    "branch": (lambda x: x if x.sum() > 0 else -x, (X,), "data-dependent control flow: Program", "torch.where"),
    "size": (lambda x: x[: int(x.sum())], (X,), "data-dependent control flow", "torch.where"),
    "equal": (
        lambda x: x if torch.equal(x, x + 1) else -x, (X,),
        r"data-dependent control flow: .*aten\.equal\.default", "torch.where",
    ),
    "random": (lambda x: x + torch.rand(4, 6), (X,), rf"aten\.rand: .*{RANDOM}", "as an input"),
    "like": (lambda x: torch.randn_like(x), (X,), RANDOM, "as an input"),
    "dropout": (lambda x: F.dropout(x, 0.5, True), (X,), rf"dropout: .*{RANDOM}.*training", r"model\.eval\(\)"),
    "fft": (lambda x: torch.fft.fft(x).real, (X,), r"_fft_r2c: .*tensors of torch\.complex64", "imaginary"),
    "complex": (
        lambda x: torch.view_as_real(torch.complex(x, x)), (X,), r"tensors of torch\.complex64", "imaginary",
    ),
    "complex input": (lambda x: x.abs(), (X.to(torch.complex64),), r"input '\w+': .*torch\.complex64", "real and the"),
    "bytes": (lambda x: x + 1, (INDEX.to(torch.uint8),), r"input '\w+': tensors of torch\.uint8", "torch.float32"),
    "svd": (lambda x: torch.linalg.svd(x)[1], (X,), r"aten\._linalg_svd: .*does not have it", "on the host"),
    "quantised": (
        lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8).dequantize(), (X,),
        "aten.quantize_per_tensor", "on the host|outside the model",
    ),
    "sparse": (lambda x: x.to_sparse().to_dense(), (X,), r"layout torch\.sparse_coo", "dense"),
    "nested": (
        lambda x: torch.nested.nested_tensor([x, x[:2]]), (X,),
        r"calls aten\._nested_tensor_from_tensor_list\.default, which torch\.export cannot trace$", "other operators",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_the_line_the_reason_and_the_way_out(what: str) -> None:
    function, inputs, reason, lever = REFUSED[what]
    with pytest.raises(InputError, match=re.compile(reason, re.M)) as caught:
        import_model(Program(function), inputs)
    assert re.search(lever, " ".join(caught.value.levers))
    assert caught.value.location is not None and caught.value.location.file == "test_frontend_refusals.py"


def test_an_operator_that_other_arguments_would_suit_names_what_is_given() -> None:
    arguments = r"\(self float32\[1, 1, 4, 6\], kernel_size \[2, 2\].*divisor_override 3\)"
    with pytest.raises(
        InputError, match=rf"aten\.avg_pool2d\.default is converted for other arguments than {arguments}"
    ):
        import_model(Program(lambda x: F.avg_pool2d(x, 2, divisor_override=3)), (X[None, None],))


def test_modules_of_pytorch_itself_have_its_lines() -> None:
    with pytest.raises(InputError, match=r"^torch/nn/functional\.py:\d+: data-dependent control flow: Gaussian"):
        import_model(nn.GaussianNLLLoss(), (X, X, X.abs()))
    with pytest.raises(InputError, match=r"^torch/nn/modules/conv\.py:\d+: 1 unsupported(.|\n)*transposed True"):
        import_model(nn.ConvTranspose2d(1, 1, 2), (X[None, None],))
    with pytest.raises(InputError, match=r"^torch/nn/modules/batchnorm\.py:\d+: data-dependent(.|\n)*model\.eval\(\)"):
        import_model(nn.BatchNorm1d(6, momentum=None).train(), (X,))


@pytest.mark.parametrize(
    "function",
    [F.logsigmoid, torch.aminmax, lambda x: torch.aminmax(x, dim=1), F.elu, F.selu, lambda x: torch.vmap(torch.sum)(x)],
)
def test_named_tuples_and_transforms_are_no_control_flow(function: Callable[..., Any]) -> None:
    wanted, computed = function(X), sambaflow.compile(Program(function), (X,), mode="o0")(X)
    torch.testing.assert_close(tuple(computed), tuple(wanted))


@pytest.mark.parametrize("decomposed", [False, True])
def test_losses_are_no_control_flow(decomposed: bool) -> None:
    def losses(x: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return F.nll_loss(F.log_softmax(x, -1), target), F.binary_cross_entropy_with_logits(x, weight)

    inputs = (X, INDEX, X.sigmoid())
    program = torch.export.export(Program(losses), inputs)
    program = program.run_decompositions() if decomposed else program
    torch.testing.assert_close(sambaflow.compile(program, mode="o0")(*inputs), losses(*inputs))


def test_transforms_without_operators_are_refused() -> None:
    with pytest.raises(InputError, match=r"a transform of torch\.func"):
        import_model(Program(lambda x: torch.func.grad(lambda y: (y**2).sum())(x)), (X,))


def test_experts_say_how_they_are_compiled() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.MixtralConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=16, num_local_experts=2,
    )  # fmt: skip
    model = transformers.MixtralForCausalLM(config).eval()
    with pytest.raises(SambaError, match=r'config\._experts_implementation = "batched_mm"'):
        import_model(model, (torch.zeros(1, 4, dtype=torch.long),), {"use_cache": False})


def test_a_compiled_model_names_its_own_lines() -> None:
    compiled = torch.compile(Program(lambda x: torch.linalg.qr(x)[0]), backend="samba")
    with torch.no_grad(), pytest.raises(SambaError, match=r"linalg_qr") as caught:
        compiled(X)
    assert caught.value.location is not None and caught.value.location.file == "test_frontend_refusals.py"
