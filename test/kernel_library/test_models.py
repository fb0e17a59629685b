"""Whole models: canonicalized and converted, they compute what the samba reference and PyTorch compute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp

from sambaflow.dialects import samba
from sambaflow.dialects.samba.conventions import argument_attributes, verify_conventions
from sambaflow.frontends import hf
from sambaflow.frontends.torch_export import import_model
from sambaflow.passes.convert_samba_to_kernel import ConvertSambaToKernelPass
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.samba_canonicalize import SambaCanonicalizePass
from sambaflow.passes.samba_cse import SambaCsePass
from sambaflow.sim.reference.kernel_reference import run as run_kernel
from sambaflow.sim.reference.samba_functions import torch_dtype
from sambaflow.sim.reference.samba_reference import run

torch.set_num_threads(1)
EXAMPLES = Path(__file__).parents[2] / "examples"


def function_of(module: ModuleOp) -> FuncOp:
    return next(op for op in module.ops if isinstance(op, FuncOp))


def inputs_of(function: FuncOp, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by name, random tokens and states for the rest."""
    tensors: dict[str, Tensor] = {}
    for i, (entry, kind) in enumerate(
        zip(argument_attributes(function), function.function_type.inputs.data, strict=True)
    ):
        name = entry["samba.name"]
        assert isinstance(name, StringAttr)
        shape, dtype = samba.shaped_of(kind)
        generator = torch.Generator().manual_seed(i)
        if torch_dtype(dtype).is_floating_point:
            value = torch.randn(shape, generator=generator).to(torch_dtype(dtype))
        else:
            value = torch.randint(0, 3, shape, generator=generator).to(torch_dtype(dtype))
        tensors[name.data] = weights.get(name.data, value)
    return tensors


def check(module: ModuleOp, tensors: Mapping[str, Tensor], tolerance: float) -> None:
    """The canonicalized and the converted module give the same results as the module itself."""
    name = function_of(module).sym_name.data
    expected = list(run(module, name, tensors).values())
    SambaCanonicalizePass().apply(SambaContext(), module)
    SambaCsePass().apply(SambaContext(), module)
    module.verify()
    verify_conventions(module)
    for have, want in zip(run(module, name, tensors).values(), expected, strict=True):
        close(have, want, tolerance)
    ConvertSambaToKernelPass().apply(SambaContext(), module)
    module.verify()
    for have, want in zip(run_kernel(function_of(module), list(tensors.values())), expected, strict=True):
        close(have, want, tolerance)


def close(have: Tensor, want: Tensor, tolerance: float) -> None:
    """Within `tolerance` of the largest magnitude."""
    scale = float(want.float().abs().max())
    torch.testing.assert_close(have.float(), want.float(), rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("config", "phase"),
    [("llama-tiny.json", "prefill"), ("llama-tiny.json", "decode"), ("gpt2-tiny.json", "prefill"),
     ("gpt2-tiny.json", "decode"), ("bert-tiny.json", "forward")],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
def test_transformers(config: str, phase: str, dtype: torch.dtype) -> None:
    model = hf.build_model(hf.load_config(EXAMPLES / config, num_hidden_layers=1), dtype)
    imported = hf.import_graph(hf.graph(model, phase, length=16))
    tensors = inputs_of(function_of(imported.module), imported.weights)
    # bf16: sums in another order move single values by a unit in the last place (2^-8), which later layers carry on
    check(imported.module, tensors, 1e-5 if dtype == torch.float32 else 2.0**-6)


class Residual(nn.Module):
    """Linear, layer norm, tanh, residual add, sigmoid, cross entropy: the operators of the seed documents' model."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm, self.head = nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.norm(self.linear(x))) + x
        logits = self.head(torch.sigmoid(hidden))
        return nn.functional.cross_entropy(logits, target), logits


class Convolutions(nn.Module):
    """A small CNN in inference."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
        self.second, self.head = nn.Conv2d(4, 6, 3, groups=2), nn.Linear(6, 5)
        self.pool, self.average = nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.norm(self.first(x)))
        hidden = self.average(self.pool(torch.relu(self.second(hidden))))
        return self.head(torch.flatten(hidden, 1))


MODELS = {
    "residual": (Residual, lambda: (torch.randn(4, 8), torch.tensor([0, 2, 1, 2]))),
    "convolutions": (Convolutions, lambda: (torch.randn(2, 3, 17, 17),)),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_small_models_equal_pytorch(name: str) -> None:
    """The samba reference equals PyTorch, and the kernel level equals the samba reference."""
    torch.manual_seed(0)
    build, inputs = MODELS[name]
    model, args = build().eval(), inputs()
    imported = import_model(model, args)
    function = function_of(imported.module)
    names = [leaf.name for leaf in imported.graphs["forward"].inputs]
    tensors = {**inputs_of(function, imported.weights), **dict(zip(names, args, strict=True))}
    with torch.no_grad():
        expected = model(*args)
    results = run(imported.module, "forward", tensors)
    listed = expected if isinstance(expected, tuple) else (expected,)
    for have, want in zip(results.values(), listed, strict=True):
        close(have, want, 1e-5)
    check(imported.module, tensors, 1e-5)
