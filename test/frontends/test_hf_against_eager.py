"""Our graphs of transformers models give what transformers' own eager models give: windows, caps, sinks, positions.

The reference is always transformers' model with `attn_implementation="eager"`, the same weights and its own cache.
Windows are 8 tokens over 32, so that they bite, and weights are large enough for scores to differ.
"""

from __future__ import annotations

import sys
import types
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from sambaflow.errors import InputError
from sambaflow.frontends import hf
from sambaflow.frontends.hf.attention import attention
from sambaflow.testing.coverage import frontend
from sambaflow.testing.coverage.tiny_configs import VARIANTS, tiny_config
from sambaflow.testing.language_models import (
    compiled,
    difference,
    eager,
    graphs_of,
    in_torch,
    lively,
    our_logits,
    their_logits,
    tokens,
)

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMPT, STEPS, LENGTH = 32, 16, 56
TOLERANCE = 1e-5
"""Of the largest logit, in float32."""


@cache
def _model(name: str) -> transformers.PreTrainedModel:
    """A tiny causal model of a model type or variant, which no test changes."""
    config = tiny_config(name)
    config.architectures = [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[VARIANTS.get(name, (name,))[0]]]
    return lively(hf.build_model(config, torch.float32))


@cache
def _theirs(name: str, batch: int = 1, steps: int = STEPS) -> torch.Tensor:
    return their_logits(eager(_model(name)), tokens(PROMPT + steps, batch=batch), PROMPT)


WINDOWED = ["mistral", "qwen2", "starcoder2", "mixtral", "phi3"]
CAPPED = ["gemma2"]
MIXED = ["gemma3_text", "cohere2", "olmo3", "llama4_text"]
SINKS = ["gpt_oss"]
ALIBI = ["bloom", "falcon+alibi"]
OFFSETS = ["opt", "xlm-roberta", "bart", "biogpt"]
LATENT = ["deepseek_v3"]


@pytest.mark.parametrize("name", [*WINDOWED, *CAPPED, *MIXED, *SINKS, *ALIBI, *OFFSETS, *LATENT])
def test_prefill_and_decode_are_those_of_the_eager_model(name: str) -> None:
    model = _model(name)
    graphs = graphs_of(model, 1, LENGTH, PROMPT)
    ours = our_logits(in_torch(graphs), graphs, tokens(PROMPT + STEPS), PROMPT)
    assert difference(ours, _theirs(name)) < TOLERANCE


@pytest.mark.parametrize("name", ["mistral", "bloom"])
def test_a_batch_decodes_at_one_position(name: str) -> None:
    graphs = graphs_of(_model(name), 2, LENGTH, PROMPT)
    ours = our_logits(in_torch(graphs), graphs, tokens(PROMPT + 4, batch=2), PROMPT)
    assert difference(ours, _theirs(name, 2, 4)) < TOLERANCE


@pytest.mark.parametrize("name", ["mistral", "gpt_oss"])
def test_the_simulator_gives_the_eager_models_logits(name: str) -> None:
    graphs = graphs_of(_model(name), 1, LENGTH, PROMPT)
    ours = our_logits(compiled(graphs, "o1"), graphs, tokens(PROMPT + 4), PROMPT)
    assert difference(ours, _theirs(name)[:, : PROMPT + 4]) < TOLERANCE


@pytest.mark.parametrize("kind", ["Roberta", "XLMRoberta", "Camembert"])
def test_positions_count_from_the_padding_index(kind: str) -> None:
    """Padding tokens, in the middle and at the end, take no position."""
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=128, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=40, architectures=[f"{kind}ForMaskedLM"],
    )  # fmt: skip
    model = lively(hf.build_model(config, torch.float32))
    ids = tokens(PROMPT)
    ids[0, 5] = ids[0, -3:] = config.pad_token_id
    with torch.no_grad():
        theirs = eager(model)(input_ids=ids).logits
    ours = in_torch(graphs_of(model, 1, PROMPT, PROMPT))("forward", ids)
    assert difference(ours, theirs) < TOLERANCE
    with pytest.raises(InputError, match="do not fit"):  # 40 rows, of which the first two have no position
        hf.graph(model, "forward", 1, 39)


def _operators(name: str, phase: str, length: int = PROMPT) -> list[str]:
    imported = hf.import_graph(hf.graph(_model(name), phase, 1, length))
    return [line.strip() for line in str(imported.module).splitlines() if "scaled_dot_product_attention" in line]


def test_llamas_attention_stays_one_grouped_operator() -> None:
    prefill, decode = _operators("llama", "prefill"), _operators("llama", "decode")
    assert len(prefill) == len(decode) == 2
    assert all("is_causal = true" in line and "enable_gqa = true" in line and "i1>" not in line for line in prefill)
    assert all("enable_gqa = true" in line and f"tensor<1x1x1x{PROMPT}xi1>" in line for line in decode)


def test_a_prompt_within_the_window_needs_no_mask() -> None:
    inside, outside = _operators("mistral", "prefill", 8), _operators("mistral", "prefill", 9)
    assert all("is_causal = true" in line for line in inside)
    assert all("tensor<1x1x9x9xi1>" in line for line in outside) and len(outside) == 2


# ---- what stands in for what


class _Attention(nn.Module):
    is_causal = False


def _in_a_file(function: Any) -> nn.Module:
    """An attention module whose file has the function as its eager attention."""
    file: Any = types.ModuleType("a_models_file")
    file.eager_attention_forward = function
    sys.modules[file.__name__] = file
    return type("FileAttention", (_Attention,), {"__module__": file.__name__})()


def _plain(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, scaling: float, **_: Any
) -> tuple[torch.Tensor, None]:
    scores = query @ key.transpose(2, 3) * scaling
    return ((scores if mask is None else scores + mask).softmax(-1) @ value).transpose(1, 2), None


def _sharper(module: nn.Module, *operands: Any, scaling: float, **keywords: Any) -> tuple[torch.Tensor, None]:
    return _plain(module, *operands, scaling=2 * scaling, **keywords)


QUERY, KEY, VALUE = torch.randn(3, 1, 2, 5, 8, generator=torch.Generator().manual_seed(0)).unbind()


def test_a_function_that_differs_in_what_no_keyword_says_is_the_models_own() -> None:
    out, _ = attention(_in_a_file(_sharper), QUERY, KEY, VALUE, None, scaling=0.5)
    torch.testing.assert_close(out, _plain(nn.Module(), QUERY, KEY, VALUE, None, 1.0)[0])


def test_a_keyword_that_no_one_knows_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="_Attention gives its attention 'softcap'") as refused:
        attention(_Attention(), QUERY, KEY, VALUE, None, softcap=50.0, sliding_window=8, position_ids=None)
    assert refused.value.levers
    out, _ = attention(_Attention(), QUERY, KEY, VALUE, None, scaling=0.5, softcap=None, sliding_window=8)
    torch.testing.assert_close(out, _plain(nn.Module(), QUERY, KEY, VALUE, None, 0.5)[0])


def test_dropout_is_refused() -> None:
    with pytest.raises(InputError, match="drops attention weights"):
        attention(_Attention().train(), QUERY, KEY, VALUE, None, dropout=0.1)


# ---- what is refused


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mamba", "MambaForCausalLM has no graph with a cache: layer 0 keeps a LinearAttentionLayer"),
        ("falcon_h1", "LinearAttentionAndFullAttentionLayer"),
        ("deepseek_v32", "DynamicIndexedLayer"),
        ("moshi", "layer 0 has a window of 8 in transformers' cache and in no mask"),
        ("xlstm", "does not run on input_ids alone"),
        ("gpt_neo", "masks by the number of keys, with the buffer transformer.h.1.attn.attention.bias"),
    ],
)
def test_a_state_or_mask_of_its_own_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hf.graph(_model(name), "decode", 1, LENGTH)


def test_a_model_that_needs_more_than_tokens_is_refused() -> None:
    config = transformers.WhisperConfig(
        vocab_size=128, d_model=64, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=96, num_mel_bins=8, max_source_positions=16,
        max_target_positions=16, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        architectures=["WhisperForConditionalGeneration"],
    )  # fmt: skip
    with pytest.raises(InputError, match="WhisperForConditionalGeneration does not run on input_ids alone"):
        hf.graph(hf.build_model(config, torch.float32), "prefill", 1, 16)


def test_a_configuration_that_cannot_be_built_is_refused() -> None:
    config = hf.load_config(EXAMPLES / "gpt2-tiny.json", n_head=5)
    with pytest.raises(InputError, match="transformers cannot build GPT2LMHeadModel from the configuration"):
        hf.build_model(config)
    with pytest.raises(InputError, match="cannot read the model configuration"):
        hf.load_config(EXAMPLES / "llama-tiny.json", num_hidden_layers="two")


def test_the_table_tells_right_from_refused_from_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert frontend.try_architecture("mistral", "module").kind == "right"
    assert frontend.try_architecture("mamba", "module").kind == "refused"
    monkeypatch.setattr(frontend, "their_logits", lambda *_: _theirs("mistral")[:, :36] * 1.001)
    assert frontend.try_architecture("mistral", "module").kind == "wrong"
