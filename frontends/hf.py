"""Hugging Face transformers as graphs with a static key/value cache: `--hf config.json --phase prefill|decode`.

A model is built from its configuration alone. Its cache is a functional one of ours: tensors `key_cache_i` and
`value_cache_i` of shape [batch, kv_heads, length, head_dim] come in as state and go out tied to themselves. Prefill
and decode of one model name the same parameters and the same state, so they share symbols in one module:

    prefill(input_ids [B, P], key_cache_0, ...)              -> logits [B, P, vocab], key_cache_0, ...
    decode (input_ids [B, 1], position [1], key_cache_0, ..) -> logits [B, 1, vocab], key_cache_0, ...

Prefill writes positions 0 .. P - 1; a shorter prompt is padded on the right, which causal attention never sees, and
decode masks every position after its own. Models without a cache (BERT) have the phase `forward`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import nn
from torch.nn import functional
from transformers import modeling_utils
from transformers.cache_utils import Cache, CacheLayerMixin

from sambaflow.errors import InputError
from sambaflow.frontends.torch_export import Imported, import_model

ATTENTION = "sambaflow"
"""Our attention for transformers: one scaled_dot_product_attention over the grouped heads, its mask left implicit."""

META_PARAMETERS = 100_000_000
"""Models with more parameters than this are built on the meta device unless the caller asks for weights."""

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def _attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """query [B, heads, Q, D], key and value [B, kv_heads, K, D] -> [B, Q, heads, D]; dropout is none in inference."""
    causal = attention_mask is None and query.shape[2] > 1 and bool(getattr(module, "is_causal", True))
    grouped = query.shape[1] != key.shape[1]
    out = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, is_causal=causal, scale=scaling, enable_gqa=grouped
    )
    return out.transpose(1, 2), None


modeling_utils.ALL_ATTENTION_FUNCTIONS.register(ATTENTION, cast("Callable[..., Any]", _attention))


class _CacheLayer(CacheLayerMixin):
    """One layer's keys and values [B, kv_heads, length, D], replaced, never written, by `update`."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, position: torch.Tensor | None) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.position = position
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Prefill (no position) attends to the prompt's own keys; decode to the whole cache, masked by position."""
        keys, values = self.tensors
        if self.position is None:
            self.keys, self.values = _write_front(keys, key_states), _write_front(values, value_states)
            return key_states, value_states
        self.keys = keys.index_copy(2, self.position, key_states)
        self.values = values.index_copy(2, self.position, value_states)
        return self.keys, self.values

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values as they are now."""
        assert self.keys is not None and self.values is not None
        return self.keys, self.values

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """The tensors are there from the start."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.tensors[0].shape[2], 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return self.tensors[0].shape[2]


def _write_front(cache: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    return torch.slice_scatter(cache, states, dim=2, start=0, end=states.shape[2])


class _Graph(nn.Module):
    """The model under `model`, called with its cache as plain tensors; `phase` fixes which tensors come in."""

    def __init__(self, model: nn.Module, cached: bool) -> None:
        super().__init__()
        self.model = model
        self.cached = cached

    def run(
        self, input_ids: torch.Tensor, position: torch.Tensor | None, cache: Sequence[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        layers = [_CacheLayer(*pair, position) for pair in zip(cache[::2], cache[1::2], strict=True)]
        options: dict[str, Any] = {}
        if position is None:
            options["position_ids"] = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        else:
            options["position_ids"] = position[None]
            keys = torch.arange(cache[0].shape[2], device=input_ids.device)
            options["attention_mask"] = (keys <= position)[None, None, None]
        if self.cached:
            options |= {"past_key_values": Cache(layers=cast("list[Any]", layers)), "use_cache": True}
        else:
            options["token_type_ids"] = torch.zeros_like(input_ids)
        out = self.model(input_ids=input_ids, return_dict=True, **options)
        results = {name: out[name] for name in ("logits", "last_hidden_state", "pooler_output") if name in out}
        for i, layer in enumerate(layers):
            keys, values = layer.tensors
            results |= {f"key_cache_{i}": keys, f"value_cache_{i}": values}
        return results


class _Prefill(_Graph):
    def forward(self, input_ids: torch.Tensor, cache: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.run(input_ids, None, cache)


class _Decode(_Graph):
    def forward(
        self, input_ids: torch.Tensor, position: torch.Tensor, cache: Sequence[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        return self.run(input_ids, position, cache)


class _Forward(_Graph):
    def forward(self, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.run(input_ids, None, ())


@dataclass(frozen=True)
class HfGraph:
    """One graph of a transformers model, ready for `torch_export.import_model`."""

    name: str
    module: nn.Module
    args: tuple[Any, ...]
    input_names: tuple[str, ...]
    """Names of the flattened inputs, in order."""
    state: tuple[str, ...]
    """Those of them that are state: results of the same name are tied to them."""


PHASES: dict[str, type[_Graph]] = {"prefill": _Prefill, "decode": _Decode, "forward": _Forward}


def load_config(path: str | Path, **changes: Any) -> transformers.PretrainedConfig:
    """The configuration in a `config.json`, with `changes` (say `num_hidden_layers=2`) applied.

    Raises `InputError` for a file that is not there, not JSON, or of a model type transformers does not know.
    """
    try:
        fields = json.loads(Path(path).read_text())
        return transformers.AutoConfig.for_model(**{**fields, **changes})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"cannot read the model configuration {path}: {error}") from error


def build_model(
    config: transformers.PretrainedConfig, dtype: torch.dtype | None = None, meta: bool | None = None, seed: int = 0
) -> transformers.PreTrainedModel:
    """The architecture of `config` with random weights, or on the meta device without any.

    `dtype`: float32 or bfloat16, by default the configuration's own. `meta`: by default true above `META_PARAMETERS`.
    """
    names: list[str] = config.architectures or []
    architecture = getattr(transformers, names[0], None) if names else None
    if architecture is None:
        raise InputError(
            f"the configuration names no architecture that transformers {transformers.__version__} has: {names}",
            levers=['set "architectures" in the configuration, for example ["LlamaForCausalLM"]'],
        )
    wanted = dtype or getattr(config, "dtype", None) or torch.float32
    if wanted not in _DTYPES.values():
        raise InputError(f"models are built in {' or '.join(_DTYPES)}, not in {wanted}")
    with torch.device("meta"):
        shell = _instance(architecture, config, wanted)
    if meta if meta is not None else sum(p.numel() for p in shell.parameters()) > META_PARAMETERS:
        return shell
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _instance(architecture, config, wanted)


def _instance(architecture: Any, config: Any, dtype: torch.dtype) -> transformers.PreTrainedModel:
    previous = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = architecture._from_config(config, attn_implementation=ATTENTION, dtype=dtype)
    finally:
        torch.set_default_dtype(previous)
    return model.eval()


def graph(
    model: transformers.PreTrainedModel, phase: str, batch: int = 1, length: int = 1024, prompt: int | None = None
) -> HfGraph:
    """The graph of one phase: cache of `length` positions, prompt of `prompt` tokens (default `length`)."""
    if phase not in PHASES:
        known = ", ".join(PHASES)
        raise InputError(f"phase {phase!r} of a transformers model is not supported", levers=[f"one of: {known}"])
    if batch < 1 or length < 1:
        raise InputError(f"batch and length must be at least 1, not {batch} and {length}")
    config = model.config.get_text_config()
    cached = (
        bool(getattr(config, "is_decoder", False)) or "CausalLM" in type(model).__name__ or hasattr(config, "n_head")
    )
    if cached == (phase == "forward"):
        levers = ["--phase prefill or --phase decode"] if cached else ["--phase forward"]
        raise InputError(f"{type(model).__name__} has no graph for phase {phase!r}", levers=levers)
    limit = getattr(config, "max_position_embeddings", length)
    tokens = {"prefill": prompt or length, "decode": 1, "forward": prompt or length}[phase]
    if max(length, tokens) > limit or tokens > length:
        raise InputError(
            f"{tokens} tokens in a cache of {length} positions do not fit the model",
            demand=f"{tokens} tokens, {length} positions", limit=f"{limit} positions", levers=["lower --length"],
        )  # fmt: skip
    device = next(model.parameters()).device
    args: list[Any] = [torch.zeros(batch, tokens, dtype=torch.long, device=device)]
    names, state = ["input_ids"], ()
    if phase == "decode":
        args.append(torch.zeros(1, dtype=torch.long, device=device))
        names.append("position")
    if cached:
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (batch, heads, length, size)
        dtype = next(model.parameters()).dtype
        layers = range(config.num_hidden_layers)
        args.append([torch.zeros(shape, dtype=dtype, device=device) for _ in layers for _ in range(2)])
        state = tuple(f"{kind}_cache_{i}" for i in layers for kind in ("key", "value"))
    return HfGraph(phase, PHASES[phase](model, cached).eval(), tuple(args), (*names, *state), state)


def import_graph(graph: HfGraph, into: Imported | None = None) -> Imported:
    """Export and import one graph; parameters keep the names that they have in transformers' checkpoints."""
    return import_model(
        graph.module, graph.args, graph=graph.name, into=into, input_names=graph.input_names, state=graph.state,
        strip="model.",
    )  # fmt: skip
