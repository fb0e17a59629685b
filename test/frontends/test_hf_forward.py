"""`--phase forward` on images, sound, encoders, encoder-decoders and recurrences gives what transformers' models give.

The reference is transformers' own eager model in float64: T5 does not scale its scores, and transformers' float32 is
itself 2e-5 of the largest logit from it. Ours is within 1e-5, or twice what transformers' own float32 is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest
import torch
import transformers

from sambaflow.errors import InputError, UnsupportedOperators
from sambaflow.frontends import hf
from sambaflow.frontends.torch_export import import_model
from sambaflow.samba.compiler import compile_imported, import_graphs
from sambaflow.sim.reference.samba_reference import run
from sambaflow.testing.coverage.tiny_configs import tiny_config
from sambaflow.testing.language_models import difference, eager, lively

TOKENS = 12
TOLERANCE = 1e-5
"""Of the largest logit, in float32."""

Tensors = Mapping[str, torch.Tensor]

IMAGE = {"image_size": 32, "patch_size": 8}
SOUND = {"num_mel_bins": 8, "max_source_positions": 8, "max_target_positions": 16, "pad_token_id": 0}


@cache
def _model(name: str) -> transformers.PreTrainedModel:
    """A tiny model of a model type, of the class that is taken when the configuration names none."""
    config = tiny_config(name)
    for key, value in {"vit": IMAGE, "deit": IMAGE, "whisper": SOUND}.get(name, {}).items():
        setattr(config, key, value)
    config.architectures = None
    return lively(hf.build_model(config, torch.float32))


def _drawn(graph: hf.HfGraph) -> dict[str, torch.Tensor]:
    """Random inputs of a graph by name."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.randn(tensor.shape, generator=generator)
        if tensor.is_floating_point()
        else torch.randint(4, 100, tensor.shape, generator=generator)
        for name, tensor in zip(graph.input_names, graph.args, strict=True)
    }


def _is_right(ours: torch.Tensor, model: transformers.PreTrainedModel, inputs: Tensors) -> bool:
    theirs = eager(model)
    with torch.no_grad():
        single = theirs(**inputs).logits.double()
        wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}
        exact = theirs.double()(**wide).logits
    return difference(ours.double(), exact) <= max(TOLERANCE, 2 * difference(single, exact))


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("vit", {"pixel_values": [1, 3, 32, 32]}),
        ("whisper", {"input_features": [1, 8, 16], "decoder_input_ids": [1, TOKENS]}),
        ("t5", {"input_ids": [1, TOKENS], "decoder_input_ids": [1, TOKENS]}),
        ("mamba", {"input_ids": [1, TOKENS]}),
        ("falcon", {"input_ids": [1, TOKENS]}),
        ("phi3", {"input_ids": [1, TOKENS]}),
        ("mixtral", {"input_ids": [1, TOKENS]}),
    ],
)
def test_forward_is_that_of_the_eager_model(name: str, inputs: dict[str, list[int]]) -> None:
    model = _model(name)
    graph = hf.graph(model, "forward", 1, TOKENS)
    assert {key: list(tensor.shape) for key, tensor in zip(graph.input_names, graph.args, strict=True)} == inputs
    drawn, imported = _drawn(graph), hf.import_graph(graph)
    assert _is_right(run(imported.module, "forward", {**drawn, **imported.weights})["logits"], model, drawn)


def test_the_simulator_gives_the_same() -> None:
    model = _model("vit")
    graph = hf.graph(model, "forward")
    drawn = _drawn(graph)
    ours = compile_imported(import_graphs({"forward": graph}), mode="o1")(*drawn.values())["logits"]
    assert _is_right(ours, model, drawn)


@pytest.mark.parametrize("name", ["falcon"])
def test_models_without_data_have_the_graphs_of_those_with(name: str) -> None:
    """Constants of the code (indices in lists) are known, and what has no elements is left out."""
    config = tiny_config(name)
    config.architectures = None
    texts = [
        str(hf.import_graph(hf.graph(hf.build_model(config, torch.float32, meta=meta), "decode", 1, TOKENS)).module)
        for meta in (False, True)
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("name", "phase", "message"),
    [
        ("vit", "prefill", "does not run on input_ids alone, as prefill and decode do: it takes pixel_values"),
        ("t5", "decode", "does not run on input_ids alone, as prefill and decode do: it takes decoder_input_ids"),
        ("mamba", "prefill", "no graph with a cache: layer 0 keeps a LinearAttentionLayer"),
    ],
)
def test_a_phase_that_a_model_lacks_is_refused_with_the_one_it_has(name: str, phase: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        hf.graph(_model(name), phase, 1, TOKENS)
    assert "--phase forward" in refused.value.levers[0]


def test_a_recurrence_is_not_unrolled_without_end() -> None:
    with pytest.raises(InputError, match="one token after the other") as refused:
        hf.graph(_model("mamba"), "forward", 1, 100_000)
    length = int(refused.value.levers[0].removeprefix("--length "))
    assert 8 < length < 100_000


def test_inputs_that_are_not_known_are_refused_by_name() -> None:
    config = transformers.PatchTSTConfig(d_model=16, ffn_dim=16, num_hidden_layers=1, num_attention_heads=2)
    with pytest.raises(InputError, match="PatchTSTModel takes 'past_values', of which the size is not known"):
        hf.graph(hf.build_model(config, torch.float32), "forward")


def test_inputs_on_which_a_model_does_not_run_are_said() -> None:
    config = tiny_config("wav2vec2")
    config.architectures = None
    with pytest.raises(InputError, match=r"does not run on input_values \[1, 16\] alone: .*Kernel size") as refused:
        hf.graph(hf.build_model(config, torch.float32), "forward", 1, 16)
    assert "--length" in refused.value.levers[0]


def test_experts_that_are_grouped_are_refused_with_those_that_are_not() -> None:
    model = transformers.MixtralForCausalLM(tiny_config("mixtral")).eval()
    with pytest.raises(UnsupportedOperators) as refused:
        import_model(model, (torch.ones(1, 4, dtype=torch.long),), {"use_cache": False})
    assert 'config._experts_implementation = "batched_mm"' in refused.value.levers[0]
