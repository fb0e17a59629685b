"""Transformers graphs with our functional cache compute what transformers computes with its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Mamba2Config, PreTrainedModel

from sambaflow.errors import InputError
from sambaflow.frontends import hf
from sambaflow.frontends.imported import Imported
from sambaflow.sim.reference.samba_reference import run

EXAMPLES = Path(__file__).parents[2] / "examples"
LENGTH, PROMPT, NEW = 16, 5, 6


@cache
def _model(config: str, dtype: torch.dtype = torch.float32, layers: int = 2) -> PreTrainedModel:
    return hf.build_model(hf.load_config(EXAMPLES / config, num_hidden_layers=layers), dtype)


@cache
def _import(model: PreTrainedModel, *phases: str, prompt: int | None = None) -> Imported:
    """A model's graphs in one module, which no test changes."""
    imported: Imported | None = None
    for phase in phases:
        graph = hf.graph(model, phase, batch=1, length=LENGTH, prompt=prompt)
        imported = hf.import_graph(graph, into=imported)
    assert imported is not None
    return imported


def _stock(model: PreTrainedModel, dtype: torch.dtype = torch.float32) -> Any:
    """transformers' own model with the same weights and its default attention and cache."""
    stock = AutoModelForCausalLM.from_config(model.config, attn_implementation="sdpa", dtype=dtype).eval()
    stock.load_state_dict(model.state_dict())
    return stock


def _zero_state(imported: Imported, model: PreTrainedModel) -> dict[str, torch.Tensor]:
    config: Any = model.config
    heads = getattr(config, "num_key_value_heads", config.num_attention_heads)
    shape = (1, heads, LENGTH, config.hidden_size // config.num_attention_heads)
    names = [f"{kind}_cache_{i}" for i in range(config.num_hidden_layers) for kind in ("key", "value")]
    return {name: torch.zeros(shape, dtype=model.dtype) for name in names}


@pytest.mark.parametrize("config", ["llama-tiny.json", "gpt2-tiny.json"])
def test_greedy_decode_equals_generate(config: str) -> None:
    model = _model(config)
    stock = _stock(model)
    imported = _import(model, "prefill", "decode")
    prompt = torch.randint(128, (1, PROMPT), generator=torch.Generator().manual_seed(3))
    padded = torch.nn.functional.pad(prompt, (0, LENGTH - PROMPT))

    results = run(imported.module, "prefill", {"input_ids": padded, **imported.weights, **_zero_state(imported, model)})
    with torch.no_grad():
        expected = stock(prompt).logits
    torch.testing.assert_close(results["logits"][:, :PROMPT], expected, rtol=1e-4, atol=1e-5)

    tokens = [int(results["logits"][0, PROMPT - 1].argmax())]
    state = {name: results[name] for name in _zero_state(imported, model)}
    for step in range(NEW - 1):
        inputs = {"input_ids": torch.tensor([[tokens[-1]]]), "position": torch.tensor([PROMPT + step])}
        results = run(imported.module, "decode", {**inputs, **imported.weights, **state})
        state = {name: results[name] for name in state}
        tokens.append(int(results["logits"][0, -1].argmax()))
    with torch.no_grad():
        generated = stock.generate(prompt, max_new_tokens=NEW, do_sample=False, pad_token_id=0, eos_token_id=None)
    assert tokens == generated[0, PROMPT:].tolist()


def test_prefill_of_a_shorter_prompt_writes_the_front_of_the_cache() -> None:
    model = _model("llama-tiny.json", layers=1)
    whole, front = _import(model, "prefill"), _import(model, "prefill", prompt=PROMPT)
    tokens = torch.arange(LENGTH)[None]
    state = {name: tensor - 7 for name, tensor in _zero_state(whole, model).items()}
    a = run(whole.module, "prefill", {"input_ids": tokens, **whole.weights, **state})["key_cache_0"]
    b = run(front.module, "prefill", {"input_ids": tokens[:, :PROMPT], **front.weights, **state})["key_cache_0"]
    torch.testing.assert_close(a[:, :, :PROMPT], b[:, :, :PROMPT], rtol=1e-5, atol=1e-6)
    assert (b[:, :, PROMPT:] == -7).all()


@pytest.mark.parametrize("config", ["llama-tiny.json", "gpt2-tiny.json"])
def test_bf16_error_is_near_pytorchs_own(config: str) -> None:
    model = _model(config, torch.bfloat16)
    imported = _import(model, "prefill")
    tokens = torch.randint(128, (1, LENGTH), generator=torch.Generator().manual_seed(4))
    logits = run(imported.module, "prefill", {"input_ids": tokens, **imported.weights, **_zero_state(imported, model)})[
        "logits"
    ]
    with torch.no_grad():
        theirs = _stock(model, torch.bfloat16)(tokens).logits
        exact = _stock(model, torch.float64)(tokens).logits
    assert logits.dtype == torch.bfloat16
    assert (logits - exact).abs().max() <= 1.5 * (theirs - exact).abs().max()


def test_bert_forward() -> None:
    model = _model("bert-tiny.json")
    imported = _import(model, "forward")
    tokens = torch.randint(128, (1, LENGTH), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = model(tokens).logits
    logits = run(imported.module, "forward", {"input_ids": tokens, **imported.weights})["logits"]
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_graphs_share_weights_and_state() -> None:
    model = _model("llama-tiny.json")
    imported = _import(model, "prefill", "decode")
    assert set(imported.graphs) == {"prefill", "decode"}
    assert set(imported.weights) == {*dict(model.named_parameters()), "model.rotary_emb.inv_freq"}
    state = {leaf.name for leaf in imported.graphs["prefill"].inputs} & {
        leaf.name for leaf in imported.graphs["decode"].inputs
    }
    assert state == {"input_ids", *(f"{kind}_cache_{i}" for i in range(2) for kind in ("key", "value"))}


def test_a_large_configuration_is_built_without_memory() -> None:
    model = hf.build_model(hf.load_config(EXAMPLES / "llama-3.1-8b.json", num_hidden_layers=1))
    assert next(model.parameters()).is_meta and model.dtype == torch.bfloat16
    imported = _import(model, "decode")
    assert imported.weights["model.embed_tokens.weight"].is_meta


@pytest.mark.parametrize(
    ("phase", "batch", "length", "message"),
    [
        ("train", 1, 16, "phase 'train'"),
        ("decode", 0, 16, "batch must be at least 1, not 0"),
        ("decode", 1, -3, "length must be at least 1, not -3"),
        ("forward", 1, 65, "do not fit"),
        ("prefill", 1, 65, "do not fit"),
        ("prefill", 99_999_999_999, 16, "the inputs and the state of LlamaForCausalLM are too large"),
        ("decode", 10**30, 16, "the inputs and the state of LlamaForCausalLM are too large"),
        ("forward", 10**30, 16, "the inputs and the state of LlamaForCausalLM are too large"),
    ],
)
def test_refused_graphs(phase: str, batch: int, length: int, message: str) -> None:
    model = _model("llama-tiny.json", layers=1)
    with pytest.raises(InputError, match=message):
        hf.graph(model, phase, batch, length)


def test_a_prompt_is_at_least_a_token_and_fits_the_cache() -> None:
    model = _model("llama-tiny.json", layers=1)
    with pytest.raises(InputError, match="prompt must be at least 1, not 0"):
        hf.graph(model, "prefill", 1, 16, prompt=0)
    with pytest.raises(InputError, match="17 tokens in a cache of 16 positions") as refused:
        hf.graph(model, "prefill", 1, 16, prompt=17)
    assert "raise --length" in refused.value.levers[0] and refused.value.limit == "16 positions"


def test_the_length_is_by_default_all_that_the_model_has() -> None:
    assert hf.graph(_model("llama-tiny.json", layers=1), "prefill").args[0].shape == (1, 64)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"it is no JSON: Expecting property name"),
        ("\xff", "it is no JSON"),
        ("[]", "it is a JSON list"),
        ("{}", 'it has no "model_type"'),
        ('{"model_type": 3}', 'it has no "model_type"'),
        ('{"model_type": "lama"}', "no model type 'lama'"),
        ('{"model_type": "own", "auto_map": {}}', "is not run"),
        ('{"model_type": "llama", "num_labels": 100000000}', "'num_labels' is 100000000, and at most 1048576"),
        ('{"model_type": "llama", "num_hidden_layers": 100000}', "'num_hidden_layers' is 100000, and at most 4096"),
        ('{"model_type": "swin", "depths": [2, 1e9]}', "'depths' is 1000000000.0, and at most"),
        ('{"model_type": "llava", "text_config": {"num_hidden_layers": 5000}}', "'num_hidden_layers' is 5000"),
    ],
)
def test_refused_configurations(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    for path in (tmp_path, tmp_path / "config.json"):
        with pytest.raises(InputError, match=rf"cannot read the model configuration .*config\.json.*{message}"):
            hf.load_config(path)


def test_a_name_on_the_hub_is_not_looked_up() -> None:
    with pytest.raises(InputError, match="only local files are read") as refused:
        hf.load_config("meta-llama/Llama-3-8B")
    assert any("hf download meta-llama/Llama-3-8B" in lever for lever in refused.value.levers)


def test_architectures() -> None:
    """One that is not there is refused; without any it is that of transformers' auto classes; infinity is a number."""
    names = ("NoSuchModel", "AutoModel", "pipeline", "LlamaConfig", "PreTrainedModel", "LlamaPreTrainedModel")
    for named in (*([name] for name in names), 5, {"a": 1}, [5], [None], [["LlamaForCausalLM"]], True):
        with pytest.raises(InputError, match="names no architecture"):
            hf.build_model(hf.load_config(EXAMPLES / "llama-tiny.json", architectures=named))
    model = hf.build_model(hf.load_config(EXAMPLES / "llama-tiny.json", architectures=None))
    assert type(model).__name__ == "LlamaForCausalLM"
    with pytest.raises(InputError, match=r"not in torch\.float16") as refused:
        hf.build_model(hf.load_config(EXAMPLES / "llama-tiny.json", dtype="float16"))
    assert "--dtype float32" in refused.value.levers


def test_infinity_in_a_configuration_is_a_number(tmp_path: Path) -> None:
    Mamba2Config(num_hidden_layers=1).save_pretrained(tmp_path)
    assert hf.load_config(tmp_path).time_step_limit[1] == float("inf")
