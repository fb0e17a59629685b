"""What a transformers model keeps between calls, and how it is called: found by running it, not by its name."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from transformers.cache_utils import DummyLayer, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from sambaflow.errors import InputError
from sambaflow.frontends.hf.attention import ATTENTION, windows_of_masks
from sambaflow.frontends.hf.inputs import accepts, words

PLAIN_LAYERS = (DynamicLayer, DynamicSlidingWindowLayer, DummyLayer)
"""Kinds of cache layers that hold keys and values of every position and nothing else, or nothing."""


@dataclass(frozen=True)
class Survey:
    """What one token left in transformers' own cache."""

    layers: tuple[int, ...]
    """The cache's layers that hold keys and values; the others share those, or have none."""
    count: int
    """All layers of the cache."""
    tensors: tuple[torch.Tensor, ...]
    """Keys and values [1, kv_heads, 1, D] of those layers, in order."""
    refusal: str = ""
    """Why the model has no graph with a cache, although it has a cache."""


_surveys: weakref.WeakKeyDictionary[transformers.PreTrainedModel, Survey] = weakref.WeakKeyDictionary()


def survey(model: transformers.PreTrainedModel) -> Survey:
    """The model's survey, made once. Raises InputError for a model that does not run on tokens alone."""
    if model not in _surveys:
        _surveys[model] = _survey(model)
    return _surveys[model]


def _survey(model: transformers.PreTrainedModel) -> Survey:
    options: dict[str, Any] = {}
    cache: Any = None
    if accepts(model, "cache"):
        try:
            cache = DynamicCache(config=model.config)
        except Exception as error:
            return Survey((), 0, (), f"transformers' DynamicCache does not hold its state: {words(error)}")
        if refusal := next(filter(None, map(_refusal, range(len(cache)), cache.layers)), None):
            return Survey((), 0, (), refusal)
        options = {"cache": cache, "use_cache": True}
    ids = torch.zeros(1, 1, dtype=torch.long, device=next(model.parameters()).device)
    try:
        with torch.no_grad(), windows_of_masks() as windows:
            out = model(input_ids=ids, return_dict=True, **options)
    except Exception as error:  # the model's own code: an input it misses, a shape that does not fit
        raise InputError(
            f"{type(model).__name__} does not run on input_ids alone: {words(error)}",
            levers=["--phase forward: one call, with nothing kept", "correct the configuration"],
        ) from error
    returned: Any = out.get("cache") if isinstance(out, dict) else None
    if returned is not None and returned is not cache:
        return Survey((), 0, (), f"it keeps its state in a {type(returned).__name__}")
    config: Any = model.config
    return _layers_of(cache, windows if config._attn_implementation == ATTENTION else None)


def _refusal(index: int, layer: Any) -> str:
    plain = type(layer) in PLAIN_LAYERS
    return "" if plain else f"layer {index} keeps a {type(layer).__name__}, not keys and values alone"


def _layers_of(cache: Any, windows: set[int] | None) -> Survey:
    """`windows` are those of the masks that were made, None if they were not seen."""
    layers: list[int] = []
    tensors: list[torch.Tensor] = []
    for index, layer in enumerate(cache.layers if cache is not None else ()):
        if refusal := _refusal(index, layer):
            return Survey((), 0, (), refusal)
        if layer.keys is None or layer.values is None or not layer.keys.numel():
            continue
        shapes = [tuple(tensor.shape) for tensor in (layer.keys, layer.values)]
        if any(len(shape) != 4 or shape[0] != 1 or shape[2] != 1 for shape in shapes):
            return Survey((), 0, (), f"layer {index} keeps tensors {shapes} of one token, not [1, heads, 1, size]")
        window = getattr(layer, "sliding_window", None)
        if window is not None and windows is not None and window not in windows:
            return Survey((), 0, (), f"layer {index} has a window of {window} in transformers' cache and in no mask")
        layers.append(index)
        tensors += [layer.keys, layer.values]
    return Survey(tuple(layers), len(cache.layers) if cache is not None else 0, tuple(tensors))
