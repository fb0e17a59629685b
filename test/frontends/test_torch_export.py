"""Exported PyTorch programs become samba functions that compute the same, with names, roles, ties and locations."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from sambaflow.diagnostics import location_of
from sambaflow.dialects.samba import verify_conventions
from sambaflow.errors import InputError, UnsupportedOperators, WeightError
from sambaflow.frontends.imported import Imported, Leaf
from sambaflow.frontends.torch_export import import_exported, import_model, weights
from sambaflow.frontends.weights import load_weights, save_weights
from sambaflow.sim.reference.samba_reference import run

EXAMPLES = Path(__file__).parents[2] / "examples"


def _load_examples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_models", EXAMPLES / "models.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models: Any = _load_examples()


def evaluate(imported: Imported, inputs: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
    """The reference interpreter on flattened inputs, by the calling convention of the graph."""
    imported.module.verify()
    verify_conventions(imported.module)
    graph = imported.graphs["forward"]
    names = [leaf.name for leaf in graph.inputs if isinstance(leaf, Leaf)]
    return run(imported.module, "forward", {**imported.weights, **dict(zip(names, inputs, strict=True))})


def outputs(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """The user's results in order, from the reference interpreter."""
    imported = import_model(module, inputs)
    results = evaluate(imported, inputs)
    return [results[leaf.name] for leaf in imported.graphs["forward"].outputs if isinstance(leaf, Leaf)]


def op_names(imported: Imported) -> list[str]:
    return [op.name.removeprefix("samba.") for op in imported.module.walk() if op.name.startswith("samba.")]


@pytest.mark.parametrize("name", ["resffn", "cnn", "llama", "gpt2", "bert"])
def test_example_models_equal_pytorch(name: str) -> None:
    module, inputs = getattr(models, name)()
    with torch.no_grad():
        expected = module(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for ours, theirs in zip(outputs(module, inputs), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_operators_stay_as_exported() -> None:
    module, inputs = models.resffn()
    names = op_names(import_model(module, inputs))
    assert names == [
        "linear",
        "layer_norm",
        "tanh",
        "linear",
        "layer_norm",
        "add",
        "sigmoid",
        "linear",
        "cross_entropy_loss",
    ]


def test_an_operator_without_conversion_is_decomposed_alone() -> None:
    class Mish(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.silu(nn.functional.mish(x))

    x = torch.linspace(-3, 3, 12).reshape(3, 4)
    names = op_names(import_model(Mish(), (x,)))
    assert names[-1] == "silu" and "mish" not in names
    torch.testing.assert_close(outputs(Mish(), (x,))[0], Mish()(x))


class Writes(nn.Module):
    """In-place operators on views of buffers and of a fresh tensor."""

    table: torch.Tensor
    steps: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(16.0).reshape(4, 4))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        before = self.table * 1
        view = self.table.t()
        self.table[1:3, :2].add_(x[:2, :2])
        view[0].mul_(2.0)
        self.steps.add_(1)
        fresh = torch.zeros(4, 4)
        fresh[0] = x[1]
        left, right = fresh.split(2, dim=1)
        left.copy_(right + 1)
        fresh.view(16)[3:5].fill_(9.0)
        return before + view, fresh.relu_()


def test_in_place_operators_are_functional_and_tied() -> None:
    x = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    imported = import_model(Writes(), (x,))
    results = evaluate(imported, (x,))
    eager = Writes()
    first, second = eager(x)
    torch.testing.assert_close(results["output_0"], first)
    torch.testing.assert_close(results["output_1"], second)
    torch.testing.assert_close(results["table"], eager.table)
    assert results["steps"] == 1
    assert "samba.tied = 0" in str(imported.module) and "samba.tied = 1" in str(imported.module)


def test_constants_are_computed_once_and_large_ones_leave_the_ir() -> None:
    class Masked(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            small = torch.arange(4) * 2
            large = torch.tril(torch.ones(32, 32))
            return (x.unsqueeze(-1) + small).sum(-1) @ large + torch.zeros(32, 32)

    x = torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
    imported = import_model(Masked(), (x,))
    names = op_names(imported)
    assert "arange" not in names and "tril" not in names and names.count("constant") == 1 and names.count("full") == 1
    (name,) = imported.weights
    assert name.startswith("constant_") and imported.weights[name].shape == (32, 32)
    torch.testing.assert_close(outputs(Masked(), (x,))[0], Masked()(x), rtol=1e-4, atol=1e-4)


def test_tied_weights_are_one_argument() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 3)
            self.head = nn.Linear(3, 5, bias=False)
            self.head.weight = self.table.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.table(x))

    imported = import_model(Tied(), (torch.zeros(2, dtype=torch.long),))
    assert list(imported.weights) == ["table.weight"] == list(weights(Tied()))


def test_names_of_nested_outputs_and_plain_leaves() -> None:
    class Nested(nn.Module):
        def forward(self, x: torch.Tensor, pair: dict[str, torch.Tensor]) -> Any:
            return {"sum": x + pair["a"], "rest": (pair["b"], None, 3)}

    x = torch.ones(2)
    graph = import_model(Nested(), (x, {"a": x, "b": x})).graphs["forward"]
    assert [leaf.name for leaf in graph.inputs] == ["x", "pair_a", "pair_b"]
    assert graph.outputs == (Leaf("sum"), Leaf("rest.0"), None, 3)


def test_locations_name_module_and_line() -> None:
    module, inputs = models.resffn()
    places = [location_of(op) for op in import_model(module, inputs).module.walk() if op.name == "samba.linear"]
    assert [place.module_path for place in places if place] == ["gemm1", "gemm2", "gemm3"]
    assert all(place is not None and place.file == "models.py" and place.line > 0 for place in places)


def test_saved_programs_and_weights_round_trip(tmp_path: Path) -> None:
    module, inputs = models.cnn()
    program = torch.export.export(module, inputs, strict=False)
    torch.export.save(program, tmp_path / "cnn.pt2")
    from_file = import_exported(str(tmp_path / "cnn.pt2"))
    assert str(from_file) == str(import_exported(module, inputs)) == str(import_exported(program))
    tensors = import_model(program).weights
    hashes = save_weights(tmp_path / "cnn.safetensors", tensors)
    loaded = load_weights(tmp_path / "cnn.safetensors")
    assert set(loaded) == set(tensors) == set(hashes)
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, {"w": torch.ones(4)})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(WeightError, match=r"'w' .* altered"):
        load_weights(path)
    path.write_bytes(data[:10])
    with pytest.raises(WeightError, match="cannot read"):
        load_weights(path)


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            return x
        return x + 1


class Sizes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[: int(x.sum().int().item())]


class Cond(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, lambda t: t + 1, lambda t: t - 1, (x,))


@pytest.mark.parametrize("model", [Branches, Sizes, Cond])
def test_data_dependent_control_flow_is_refused(model: type[nn.Module]) -> None:
    with pytest.raises(InputError, match="data-dependent control flow") as caught:
        import_model(model(), (torch.ones(4),))
    assert caught.value.location is not None and caught.value.location.file in ("test_torch_export.py", "")
    assert caught.value.levers


def test_a_model_that_raises_gives_its_message_and_line() -> None:
    class Raises(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("hidden size 7 is odd")

    with pytest.raises(InputError, match="Raises raised ValueError: hidden size 7 is odd") as caught:
        import_model(Raises(), (torch.ones(4),))
    assert caught.value.location is not None and caught.value.location.file == "test_torch_export.py"


def test_all_unsupported_operators_are_listed_at_once() -> None:
    class Inner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(x) + torch.fft.fft(x).real.sum()

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Inner(), Inner()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.first(x) + self.second(torch.relu(x)) + x[x > 0].sum()

    with pytest.raises(UnsupportedOperators) as caught:
        import_model(Outer(), (torch.ones(4, 4),))
    error = caught.value
    counts = {operator.name: operator.count for operator in error.operators}
    assert counts["aten.index.Tensor"] == 1 and counts["aten._linalg_svd"] == 2 and counts["aten._fft_r2c"] == 2
    svd = next(operator for operator in error.operators if operator.name == "aten._linalg_svd")
    assert [place.module_path for place in svd.places] == ["first", "second"]


def test_random_operators_and_training_dropout_are_unsupported() -> None:
    with pytest.raises(UnsupportedOperators, match="dropout"):
        import_model(nn.Dropout(0.5).train(), (torch.ones(4),))


def test_symbolic_shapes_are_refused() -> None:
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(nn.Linear(3, 3), (torch.ones(4, 3),), dynamic_shapes=({0: batch},), strict=False)
    with pytest.raises(InputError, match="symbolic shape") as caught:
        import_model(program)
    assert "one graph per shape" in str(caught.value)


def test_files_that_are_no_program_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.pt2").write_bytes(b"not a program")
    with pytest.raises(InputError, match=r"bad\.pt2: cannot read the exported program"):
        import_model(tmp_path / "bad.pt2")
    with pytest.raises(InputError, match="cannot read the exported program"):
        import_model(tmp_path / "missing.pt2")


def test_unsupported_dtypes_are_refused() -> None:
    with pytest.raises(InputError, match=r"tensors of torch.complex64 are not supported"):
        import_model(nn.Identity(), (torch.ones(4, dtype=torch.complex64),))
