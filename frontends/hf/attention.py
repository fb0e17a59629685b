"""Attention and masks for transformers: its own, fused where one scaled_dot_product_attention is known to be the same.

transformers calls what is registered under the name of a model's attention. Ours is one grouped
scaled_dot_product_attention, and it stands in only for a model whose own eager attention

  * takes no argument that is given here beyond query, key, value, mask and scale (soft caps, sinks, biases), and
  * gives the same on a small example: the model's function is called beside ours, once a kind of call.

Every other model's own eager function goes into the graph as it is. A model that has none is refused when it gives an
argument that we do not know. Masks are transformers' own (windows, chunks, padding), except that a causal mask over
the prompt's own keys is left implicit.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional
from torch.utils import _python_dispatch
from transformers import masking_utils, modeling_utils

from sambaflow.errors import InputError

ATTENTION = "sambaflow"
"""The name under which transformers finds both."""

Attention = Callable[..., tuple[torch.Tensor, torch.Tensor | None]]

NEUTRAL = frozenset(("is_causal", "sliding_window", "position_ids", "use_cache", "cache_position", "output_attentions"))
"""Keywords that say nothing beyond the mask: windows are in it, and there is no gain in returning the weights."""

_OWN = ("module", "query", "key", "value", "attention_mask", "scaling", "dropout")


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **keywords: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """query [B, heads, Q, D], key [B, kv_heads, K, D], value [B, kv_heads, K, E] -> [B, Q, heads, E].

    Raises InputError for dropout, and for a keyword that neither we nor the model's own eager attention knows.
    """
    if dropout and module.training:
        raise InputError(f"{type(module).__name__} drops attention weights", levers=["call model.eval()"])
    implicit = attention_mask is None and _is_causal(module, keywords)
    eager = _eager_of(module)
    if eager is None:
        _refuse_unknown(module, keywords)
    elif query.shape[1] != key.shape[1] * _groups(module) or not _same_as_ours(eager, module, keywords):
        mask = _additive(attention_mask, implicit, query, key)
        return eager(module, query, key, value, mask, scaling=_scale(scaling, query), dropout=0.0, **keywords)
    return _fused(query, key, value, attention_mask, implicit and query.shape[2] > 1, scaling), None


def _fused(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
    scaling: float | None,
) -> torch.Tensor:
    grouped = query.shape[1] != key.shape[1]
    out = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=is_causal, scale=scaling, enable_gqa=grouped
    )
    return out.transpose(1, 2)


def _is_causal(module: nn.Module, keywords: Mapping[str, Any]) -> bool:
    """What transformers reads when no mask is given: the keyword, else the module's own attribute."""
    is_causal = keywords.get("is_causal")
    return bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)


def _groups(module: nn.Module) -> int:
    """Query heads that share a key head."""
    return int(getattr(module, "num_key_value_groups", 1))


def _scale(scaling: float | None, query: torch.Tensor) -> float:
    return query.shape[-1] ** -0.5 if scaling is None else scaling


def _additive(
    mask: torch.Tensor | None, is_causal: bool, query: torch.Tensor, key: torch.Tensor
) -> torch.Tensor | None:
    """The mask that eager functions add to the scores."""
    if is_causal:
        ones = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device)
        mask = ones.tril()[None, None]
    if mask is None or mask.dtype != torch.bool:
        return mask
    zero = torch.zeros((), dtype=query.dtype, device=query.device)
    return torch.where(mask, zero, torch.finfo(query.dtype).min)


def _eager_of(module: nn.Module) -> Attention | None:
    """The eager attention of the file that the attention module is written in."""
    for kind in type(module).__mro__:
        eager = getattr(sys.modules.get(kind.__module__), "eager_attention_forward", None)
        if eager is not None:
            return eager
    return None


def _refuse_unknown(module: nn.Module, keywords: Mapping[str, Any]) -> None:
    unknown = [name for name, value in keywords.items() if name not in NEUTRAL and value is not None]
    if unknown:
        raise InputError(
            f"{type(module).__name__} gives its attention {', '.join(map(repr, unknown))}, which would be lost",
            demand=", ".join(unknown),
            limit=f"arguments beside the mask: {', '.join(sorted(NEUTRAL))}",
            levers=["set what asks for it to None in the configuration", "build the model with eager attention"],
        )


# -- is one scaled_dot_product_attention the same as the model's own function?

_known: dict[tuple[Any, ...], bool] = {}


def _same_as_ours(eager: Attention, module: nn.Module, keywords: Mapping[str, Any]) -> bool:
    set_keywords = {name: value for name, value in keywords.items() if value is not None}
    own = set(inspect.signature(eager).parameters) - set(_OWN)
    if own & set(set_keywords) or any(
        isinstance(value, torch.Tensor) for name, value in set_keywords.items() if name not in NEUTRAL
    ):
        return False
    plain = tuple(
        sorted((name, repr(value)) for name, value in set_keywords.items() if not isinstance(value, torch.Tensor))
    )
    groups = _groups(module)
    kind = (eager, type(module), groups, plain)
    if kind not in _known:
        modes: Any = _python_dispatch
        with modes._disable_current_modes(), torch.no_grad():  # on real numbers, also where a graph is traced
            _known[kind] = _agree(eager, module, groups, {name: set_keywords[name] for name, _ in plain})
    return _known[kind]


def _agree(eager: Attention, module: nn.Module, groups: int, keywords: Mapping[str, Any]) -> bool:
    """Whether both give the same on scores that reach some hundreds, so that a cap shows, with and without a mask."""
    generator = torch.Generator().manual_seed(0)

    def random(heads: int) -> torch.Tensor:
        return torch.randn(1, heads, 6, 8, generator=generator)

    query, key, value = random(2 * groups) * 8, random(2) * 8, random(2)
    causal = torch.ones(6, 6, dtype=torch.bool).tril()[None, None]
    for mask in (None, causal):
        ours = _fused(query, key, value, mask, False, 0.3)
        try:
            theirs, _ = eager(
                module, query, key, value, _additive(mask, False, query, key), scaling=0.3, dropout=0.0, **keywords
            )
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        except Exception:  # whatever the model's own function does not do here is not what ours does
            return False
    return True


# -- masks


def mask_of(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int | torch.Tensor = 0,
    kv_offset: int = 0,
    mask_function: Callable[..., Any] = masking_utils.causal_mask_function,
    attention_mask: torch.Tensor | None = None,
    local_size: int | None = None,
    allow_is_causal_skip: bool = True,
    allow_is_bidirectional_skip: bool = False,
    device: torch.device | str = "cpu",
    **options: Any,
) -> torch.Tensor | None:
    """transformers' boolean mask [B, 1, Q, K]; None where attention is causal over the prompt, or sees all of it."""
    if local_size is not None and (seen := _windows.get()) is not None:
        seen.add(local_size)
    within = attention_mask is None and (local_size is None or kv_length <= local_size)
    start = isinstance(q_offset, int) and q_offset == 0 and q_length == kv_length
    if within and ((allow_is_causal_skip and start) or allow_is_bidirectional_skip):
        return None
    if mask_function is masking_utils.causal_mask_function and attention_mask is None and q_length == 1:
        keys = (
            torch.arange(kv_length, device=device) + kv_offset if kv_offset else torch.arange(kv_length, device=device)
        )
        return (keys <= q_offset)[None, None, None]
    return masking_utils.sdpa_mask(
        batch_size, q_length, kv_length, cast("int", q_offset), kv_offset, mask_function, attention_mask,
        allow_is_causal_skip=False, allow_is_bidirectional_skip=False, device=device, **options,
    )  # fmt: skip


_windows: ContextVar[set[int] | None] = ContextVar("windows", default=None)


@contextmanager
def windows_of_masks() -> Generator[set[int]]:
    """The windows of the masks that transformers makes inside."""
    seen: set[int] = set()
    token = _windows.set(seen)
    try:
        yield seen
    finally:
        _windows.reset(token)


modeling_utils.ALL_ATTENTION_FUNCTIONS.register(ATTENTION, cast("Callable[..., Any]", attention))
masking_utils.ALL_MASK_ATTENTION_FUNCTIONS.register(ATTENTION, cast("Callable[..., Any]", mask_of))
