"""The graphs of a transformers model: what is traced, with which inputs and state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree

from sambaflow.errors import InputError
from sambaflow.frontends.hf.cache import cache_of
from sambaflow.frontends.hf.inputs import (
    accepts,
    call_once,
    check_elements,
    check_unrolled,
    has_two_sequences,
    inputs_of,
    main_input,
    token_inputs,
    token_types,
)
from sambaflow.frontends.hf.survey import Survey, survey
from sambaflow.frontends.imported import Imported
from sambaflow.frontends.quiet import without_logs
from sambaflow.frontends.torch_export import export, import_model

SPELLINGS = ("", "position_ids", "position_ids attention_mask")
"""What decode tells the model of the past; in this order the first that the model takes with a position that is data.

Nothing is best: the model counts its positions itself, from the cache. Where it needs them as a Python number, they
are given as transformers' own `generate` gives them: the number of tokens before, and a mask of ones over the cache.
"""


class _Graph(nn.Module):
    """The model under `model`, called with its cache as plain tensors."""

    def __init__(self, model: transformers.PreTrainedModel, surveyed: Survey | None, spelled: str = "") -> None:
        super().__init__()
        self.model = model
        self.surveyed = surveyed
        self.spelled = spelled

    def run(
        self, input_ids: torch.Tensor, position: torch.Tensor | None, tensors: Sequence[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        options: dict[str, Any] = {}
        layers: Mapping[int, Any] = {}
        if self.surveyed is not None:
            cache, held = cache_of(tensors, self.surveyed.layers, self.surveyed.count, position)
            layers = dict(zip(self.surveyed.layers, held, strict=True))
            options = {"cache": cache, "use_cache": True}
        options |= token_types(self.model, input_ids)
        if position is not None and "position_ids" in self.spelled:
            options["position_ids"] = position[None].expand(input_ids.shape[0], 1)
        if "attention_mask" in self.spelled:
            length = tensors[0].shape[2]
            options["attention_mask"] = torch.ones(
                input_ids.shape[0], length, dtype=torch.long, device=input_ids.device
            )
        out = self.model(input_ids=input_ids, return_dict=True, **options)
        results = _results(out)
        for i, layer in layers.items():
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
    """One call with nothing kept, on inputs of some names."""

    def __init__(self, model: transformers.PreTrainedModel, names: Sequence[str]) -> None:
        super().__init__(model, None)
        self.names = tuple(names)

    def forward(self, *tensors: torch.Tensor) -> dict[str, torch.Tensor]:
        return _results(call_once(self.model, dict(zip(self.names, tensors, strict=True))))


RESULTS = ("logits", "last_hidden_state", "pooler_output")
"""What a graph returns of a model's outputs; where it has none of these, all that are tensors."""


def _results(out: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    tensors = {name: value for name, value in out.items() if isinstance(value, torch.Tensor)}
    return {name: tensors[name] for name in RESULTS if name in tensors} or tensors


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


PHASES = ("prefill", "decode", "forward")


def phases_of(model: transformers.PreTrainedModel) -> tuple[str, ...]:
    """The phases that carry a text on: prefill and decode with keys and values to keep, else forward.

    Raises InputError for a model that keeps something else between calls, or does not run on tokens alone.
    """
    if getattr(model.config, "is_decoder", None) is False and not model.can_generate():  # an encoder: BERT
        return ("forward",)
    name, forward = type(model).__name__, "--phase forward: one call, with nothing kept"
    if main_input(model) != "input_ids" or has_two_sequences(model):
        other = main_input(model) if main_input(model) != "input_ids" else "decoder_input_ids"
        raise InputError(
            f"{name} does not run on input_ids alone, as prefill and decode do: it takes {other}", levers=[forward]
        )
    surveyed = survey(model)
    if surveyed.refusal:
        raise InputError(
            f"{name} has no graph with a cache: {surveyed.refusal}",
            limit="caches of keys and values [batch, heads, length, size] in every layer",
            levers=[forward],
        )
    return ("prefill", "decode") if surveyed.layers else ("forward",)


def graph(
    model: transformers.PreTrainedModel,
    phase: str,
    batch: int = 1,
    length: int | None = None,
    prompt: int | None = None,
) -> HfGraph:
    """The graph of one phase: cache of `length` positions, prompt of `prompt` tokens (default `length`).

    `length` is by default 1024, or what the model has. Raises InputError for a phase that the model does not have, and
    for sizes that do not fit it.
    """
    if phase not in PHASES:
        known = ", ".join(PHASES)
        raise InputError(f"phase {phase!r} of a transformers model is not supported", levers=[f"one of: {known}"])
    length = min(LENGTH, _positions(model) or LENGTH) if length is None else length
    for name, size in (("batch", batch), ("length", length), ("prompt", 1 if prompt is None else prompt)):
        if size < 1:
            raise InputError(f"{name} must be at least 1, not {size}", levers=[f"--{name} 1 or more"])
    tokens = 1 if phase == "decode" else prompt or length
    if phase == "forward":
        return _forward_graph(model, batch, length, tokens)
    phases = phases_of(model)
    if phase not in phases:
        levers = [" or ".join(f"--phase {name}" for name in phases)]
        raise InputError(f"{type(model).__name__} has no graph for phase {phase!r}", levers=levers)
    _check_length(model, tokens, length)
    surveyed = survey(model)
    shapes = [(batch, tensor.shape[1], length, tensor.shape[3]) for tensor in surveyed.tensors]
    check_elements(model, [(batch, tokens), *shapes])
    device = next(model.parameters()).device
    args: list[Any] = [torch.zeros(batch, tokens, dtype=torch.long, device=device)]
    names = ["input_ids"]
    if phase == "decode":
        args.append(torch.zeros(1, dtype=torch.long, device=device))
        names.append("position")
    args.append([tensor.new_zeros(shape) for tensor, shape in zip(surveyed.tensors, shapes, strict=True)])
    state = tuple(f"{kind}_cache_{i}" for i in surveyed.layers for kind in ("key", "value"))
    module = (
        _Decode(model, surveyed, _spelling(model, surveyed, args)) if phase == "decode" else _Prefill(model, surveyed)
    )
    return HfGraph(phase, module.eval(), tuple(args), (*names, *state), state)


LENGTH = 1024
"""Positions of the cache, or tokens of a forward, if nothing is said."""


def _forward_graph(model: transformers.PreTrainedModel, batch: int, length: int, tokens: int) -> HfGraph:
    check_elements(model, [(batch, tokens)])
    if token_inputs(model):
        _check_length(model, tokens, length)
        check_unrolled(model, batch, tokens)
    inputs = inputs_of(model, batch, tokens)
    return HfGraph("forward", _Forward(model, tuple(inputs)).eval(), tuple(inputs.values()), tuple(inputs), ())


def _check_length(model: transformers.PreTrainedModel, tokens: int, length: int) -> None:
    limit = _positions(model)
    if tokens > length or (limit is not None and length > limit):
        raise InputError(
            f"{tokens} tokens in a cache of {length} positions do not fit the model",
            demand=f"{tokens} tokens, {length} positions",
            limit=f"{length if limit is None else min(length, limit)} positions",
            levers=["lower --prompt, or raise --length" if tokens > length else "lower --length"],
        )


def _positions(model: transformers.PreTrainedModel) -> int | None:
    """The positions that the model has: what its configuration says, less those that come before a padding index."""
    config: Any = model.config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "max_target_positions", None)
    tables = [
        module.num_embeddings - module.padding_idx - 1
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    return min([*tables, limit], default=None) if isinstance(limit, int) and limit > 0 else min(tables, default=None)


def _spelling(model: transformers.PreTrainedModel, surveyed: Survey, args: Sequence[Any]) -> str:
    """The first spelling with which the model decodes at a position that is data.

    Fake tensors tell in most cases; a model that asks whether it is exported is exported. Raises InputError with the
    last reason if no spelling does.
    """
    _refuse_own_masks(model)
    spellings = [spelled for spelled in SPELLINGS if all(accepts(model, keyword) for keyword in spelled.split())]
    reason: Exception | None = None
    for attempt in (_on_fake_tensors, export):
        for spelled in spellings:
            try:
                with without_logs(), torch.no_grad():
                    attempt(_Decode(model, surveyed, spelled), tuple(args))
                return spelled
            except Exception as error:  # the model's own code: it reads the position's value, or sizes a tensor by it
                reason = error
    lines = str(reason).strip().splitlines()
    raise InputError(
        f"{type(model).__name__} does not decode at a position that is an input: {lines[0] if lines else reason!r}",
        levers=["--phase prefill"],
    ) from reason


def _refuse_own_masks(model: nn.Module) -> None:
    """A square mask in a buffer is cut by the number of keys, which in a static cache is no position.

    One that is causal and nothing else says what the mask by position says already.
    """
    for name, buffer in model.named_buffers():
        rows, columns = ([1, 1, *buffer.shape])[-2:]
        if buffer.dtype not in (torch.bool, torch.uint8) or rows != columns or rows == 1:
            continue
        if buffer.is_meta or not torch.equal(buffer, torch.ones_like(buffer).tril()):
            raise InputError(
                f"{type(model).__name__} masks by the number of keys, with the buffer {name}, not by position",
                levers=["--phase prefill"],
            )


def _on_fake_tensors(module: nn.Module, args: Sequence[Any]) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        module(*pytree.tree_map(fake.from_tensor, list(args)))


def import_graph(graph: HfGraph, into: Imported | None = None) -> Imported:
    """Export and import one graph; parameters keep the names that they have in transformers' checkpoints."""
    return import_model(
        graph.module, graph.args, graph=graph.name, into=into, input_names=graph.input_names, state=graph.state,
        strip="model.",
    )  # fmt: skip
