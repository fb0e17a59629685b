"""Configurations of transformers shrunk by the names of their fields, so that a model of any architecture is tiny.

Windows are shrunk to `WINDOW`, which is less than the tokens that are tried, so that they bite.
"""

from __future__ import annotations

import re
from typing import Any

VOCABULARY, POSITIONS = 128, 64

_HEADS, _HEAD = 4, 16
HIDDEN = _HEADS * _HEAD


class _Count(int):
    """A number of its own identity: the layers, which depend on the configuration, and the window."""


LAYERS, WINDOW = _Count(2), _Count(8)
FLAGS = ("use_sliding_window", "is_decoder")

RULES: tuple[tuple[str, Any], ...] = (
    (r"vocab_size|.*_vocab_size|unpadded_vocab_size|vocab_size_per_layer_input", VOCABULARY),
    (r"max_position_embeddings|n_positions|n_ctx|max_seq_len|model_max_length", POSITIONS),
    (r"max_(source|target)_positions|context_length|position_bias_max_distance", POSITIONS),
    (r"(original|orig)_max_position_embeddings", POSITIONS // 2),
    (r"hidden_size|d_model|n_embd|emb_dim|embedding_dim|embedding_size|word_embed_proj_dim|lru_width", HIDDEN),
    (r"adapter_(in|out)_dim|adapter_input_size", HIDDEN),
    (r"attention_hidden_size|.*_embedding_size", HIDDEN),
    (r"(pronunciation|shape)_embed_dim", 16),
    (r"moe_intermediate_size|moe_ffn_hidden_size|expert_ffn_hidden_size|.*expert.*intermediate_size", 32),
    (r".*intermediate_size.*|.*ffn_dim|n_inner|dff|dim_ff|d_inner|ffn_hidden_size|feed_forward_size", 96),
    (r"num_hidden_layers|n_layers?|num_layers|(num_)?(en|de)coder_layers|num_blocks|num_layers_per_stack", LAYERS),
    (r"(.*_)?num_attention_heads|n_heads?|num_heads|(num_)?(en|de)coder_attention_heads|attention_heads", _HEADS),
    (r"num_key_value_heads|num_kv_heads|swa_num_key_value_heads|num_query_groups", 2),
    (r"qk_head_dim", 2 * _HEAD),
    (r"(.*_)?head_dim|attention_head_size|d_head|dim_head|kv_channels|v_head_dim|attention_head_dim", _HEAD),
    (r"rotary_dim", 8),
    (r"q_lora_rank|kv_lora_rank|o_lora_rank|gated_norm_rank", 16),
    (r"sliding_window|sliding_window_size|attention_window_size|window_size|local_attention", WINDOW),
    (r"local_attention_window_len|attention_chunk_size|keep_window_size", WINDOW),
    (r"num_experts|n_routed_experts|num_local_experts|moe_num_experts|zero_expert_num|n_experts", 4),
    (r"num_experts_per_tok(en)?|moe_topk|moe_top_k|moe_k|top_k", 2),
    (r"n_shared_experts|num_shared_experts|moe_num_shared_experts", 1),
    (r"n_group|topk_group|num_expert_group|o_groups", 1),
    (r"first_k_dense_replace|num_dense_layers|moe_layer_start_index|num_nextn_predict_layers", 1),
    (r"moe_layer_end_index", LAYERS - 1),
    (r"index_topk|index_topk_blocks", 4),
    (r"index_n_heads", 2),
    (r"index_block_size", 4),
    (r"hidden_size_per_layer_input|laurel_rank|adapter_rank|loop_gate_rank|router_hidden_size|d_rel", 8),
    (r"rel_extent", POSITIONS),
    (r"max_window_layers|num_kv_shared_layers", 0),
    (r"query_pre_attn_scalar", _HEAD),
    (r"mamba_d_state|state_size|ssm_state_size", 8),
    (r"mamba_n_heads|mamba_num_heads|n_mamba_heads|linear_num_heads|linear_num_(key|value)_heads", 4),
    (r"mamba_d_ssm", 64),
    (r"mamba_d_head|mamba_head_dim|mamba_headdim|linear_(key|value)?_?head_dim", 16),
    (r"mamba_chunk_size|chunk_size|max_inference_chunksize", WINDOW),
    (r"n_groups|mamba_n_groups|mamba_ngroups", 1),
    (r"mamba_dt_rank|time_step_rank", 4),
    (r"num_codebooks", 2),
    (r"n_recurrent_layers", LAYERS - 1),
    (r"n_input_layers", 1),
    (r"n_output_layers", 0),
    (r"ngram_vocab_size_base", 256),
    (r"split_ngram_parts", 1),
    (r"hc_lowrank", 16),
    (r"ple_embed_dim", 32),
)  # fmt: skip
"""Which value a field gets that is named so and has a number."""


_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_INDEXER = {"indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_budget": 4, "indexer_compress_ratio": 1}
_MLA, _MAMBA = {"num_key_value_heads": _HEADS}, {"mamba_n_heads": 8}
EXCEPTIONS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "dots3_note_text"), _MLA),
    **dict.fromkeys(("glm4_moe_lite", "glm_moe_dsa", "longcat_flash", "minicpm3", "sarvam_mla", "youtu"), _MLA),
    **dict.fromkeys(("bamba", "granitemoehybrid"), _MAMBA),
    "mamba2": {"num_heads": 8, "head_dim": 16},
    "lfm2_moe": {"num_hidden_layers": 2, "layer_types": ["conv", "full_attention"]},
    "zamba2": {"attention_head_dim": 2 * _HEAD},
    "dory": {  # its scales are what is learned over this range: with a smaller one, scores of hundreds
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "initializer_range": 0.2,
    },
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": dict.fromkeys(("sliding_attention", "full_attention"), _ROPE),
    },
    "hrm_text": {"num_hidden_layers": 16},
    **dict.fromkeys(("qwen4_exp", "qwen4_exp_text"), _INDEXER),
    "zaya": {"num_experts_per_tok": 1},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "reformer": {"axial_pos_shape": [8, 8], "axial_pos_embds_dim": [32, 32], "attn_layers": ["local", "lsh"]},
}
"""What a model type needs beside the rules."""

_NO_LAYER_INPUTS = {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0}
BASES: dict[str, dict[str, Any]] = {
    "gemma4_assistant": {"text_config": {"model_type": "gemma4_text", **_NO_LAYER_INPUTS}},
}
"""What is shrunk, where a configuration of defaults alone is refused by its own checks."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {"falcon+alibi": ("falcon", {"alibi": True})}
"""Further rows of a model type, with other values of some fields."""


def tiny_config(name: str) -> Any:
    """The configuration of a model type or variant, tiny: 2 layers, or as many as there are types of layers."""
    from transformers import CONFIG_MAPPING

    model_type, changes = VARIANTS.get(name, (name, {}))
    kind: Any = CONFIG_MAPPING[model_type]
    exceptions = EXCEPTIONS.get(model_type, {})
    return kind(**{**_shrunk(kind, kind(**BASES.get(model_type, {})).to_dict()), **exceptions, **changes})


def _shrunk(kind: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    """The keywords that make the configuration tiny: numbers, lists with an entry a layer, nested configurations."""
    depths = {value for name, value in defaults.items() if isinstance(value, int) and _rule(name) is LAYERS}
    lists = {name: value for name, value in defaults.items() if isinstance(value, list) and len(value) in depths}
    samples = {name: list(dict.fromkeys(map(_frozen, value))) for name, value in lists.items()}
    layers = max([LAYERS, *(len(kinds) for kinds in samples.values() if len(kinds) <= 4)])
    values: dict[str, Any] = {}
    for name, value in defaults.items():
        number = _rule(name)
        if name in lists:
            kinds = list(dict.fromkeys(value)) if len(samples[name]) <= 4 else value
            if len(samples[name]) > 1:
                values[name] = [*kinds, *[kinds[-1]] * layers][:layers]
        elif name in FLAGS and value is not None:
            values[name] = True
        elif name in kind.sub_configs and isinstance(value, dict):
            values[name] = _nested(kind.sub_configs[name], value)
        elif name.endswith("_token_id") and isinstance(value, int):
            values[name] = min(value, VOCABULARY - 1)
        elif number is not None and (value is None or _is_number(value)):
            values[name] = layers if number is LAYERS else number
            values[name] = values[name] if value is None or value else value  # 0 turns something off, and stays
    return values


def _nested(kind: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    from transformers import CONFIG_MAPPING, AutoConfig

    if kind is AutoConfig:
        kind = CONFIG_MAPPING[defaults["model_type"]]
    model_type = defaults["model_type"]
    return {"model_type": model_type, **_shrunk(kind, defaults), **EXCEPTIONS.get(model_type, {})}


def _rule(name: str) -> Any:
    return next((value for pattern, value in RULES if re.fullmatch(pattern, name)), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
