"""Hugging Face transformers as graphs with a static key/value cache: `--hf config.json --phase prefill|decode`.

A model is built from its configuration alone. Its cache is a functional one of ours: tensors `key_cache_i` and
`value_cache_i` of shape [batch, kv_heads, length, head_dim] come in as state and go out tied to themselves. Prefill
and decode of one model name the same parameters and the same state, so they share symbols in one module:

    prefill(input_ids [B, P], key_cache_0, ...)              -> logits [B, P, vocab], key_cache_0, ...
    decode (input_ids [B, 1], position [1], key_cache_0, ..) -> logits [B, 1, vocab], key_cache_0, ...

Prefill writes positions 0 .. P - 1; a shorter prompt is padded on the right, which causal attention never sees, and
decode masks every position after its own. Models without a cache (BERT) have the phase `forward`.

Nothing of a model is changed without a word: masks, windows and positions are those that transformers makes (see
`attention` for what stands in for what), and a model whose state is more than keys and values is refused by name.
"""

from sambaflow.frontends.hf.attention import ATTENTION
from sambaflow.frontends.hf.graphs import PHASES, HfGraph, graph, import_graph, phases_of
from sambaflow.frontends.hf.loading import Loaded, load_model
from sambaflow.frontends.hf.models import META_PARAMETERS, build_model, load_config

__all__ = [
    "ATTENTION", "META_PARAMETERS", "PHASES", "HfGraph", "Loaded", "build_model", "graph", "import_graph",
    "load_config", "load_model",
    "phases_of",
]  # fmt: skip
