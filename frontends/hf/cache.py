"""A functional key/value cache for transformers: its tensors come in, and go out updated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from transformers.cache_utils import Cache, CacheLayerMixin, DummyLayer


class CacheLayer(CacheLayerMixin):
    """One layer's keys and values [B, kv_heads, length, D], replaced, never written, by `update`.

    Position i of the sequence is in row i, whatever the layer's window: the mask has the window.
    """

    is_compileable = True
    is_sliding = False

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
        """Length and offset of the keys that `update` gives."""
        return (query_length if self.position is None else self.get_max_length()), 0

    def get_seq_length(self) -> int:
        """The tokens before this call's; in decode a tensor [1], as transformers' static cache has one."""
        return 0 if self.position is None else cast("int", self.position)

    def get_max_length(self) -> int:
        return self.tensors[0].shape[2]


def _write_front(cache: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    return torch.slice_scatter(cache, states, dim=2, start=0, end=states.shape[2])


def cache_of(
    tensors: Sequence[torch.Tensor], layers: Sequence[int], count: int, position: torch.Tensor | None
) -> tuple[Cache, list[CacheLayer]]:
    """A cache of `count` layers whose `layers` hold the tensors, two each; the others keep nothing of their own."""
    held = [CacheLayer(*pair, position) for pair in zip(tensors[::2], tensors[1::2], strict=True)]
    by_index = dict(zip(layers, held, strict=True))
    every = [by_index.get(i) or DummyLayer() for i in range(count)]
    return Cache(layers=cast("list[Any]", every)), held
