"""Language models of transformers, run by our graphs and by transformers' own eager model, on the same tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
import transformers

from sambaflow.frontends import hf
from sambaflow.frontends.torch_export import export
from sambaflow.samba.compiler import compile_imported, import_graphs

Forward = Callable[..., torch.Tensor]
"""Logits of a graph, by its name, and its inputs without the cache."""


def tokens(count: int, vocabulary: int = 128, batch: int = 1, seed: int = 3) -> torch.Tensor:
    """Random tokens [batch, count], none of them among the first four, which are the padding of most models."""
    return torch.randint(4, vocabulary, (batch, count), generator=torch.Generator().manual_seed(seed))


def lively(model: transformers.PreTrainedModel, seed: int = 4) -> transformers.PreTrainedModel:
    """The model with weights so large that scores differ: the usual initial weights make every attention an average."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                noise = torch.randn(parameter.shape, generator=generator)
                spread = 1.4 / parameter.shape[-1] ** 0.5 if parameter.ndim > 1 else 0.2
                parameter.add_(noise.to(parameter.dtype), alpha=spread)
    return model


def eager(model: Any) -> Any:
    """transformers' own model of the same configuration and weights with its eager attention."""
    config = type(model.config).from_dict(model.config.to_dict())
    plain = (
        type(model)
        ._from_config(config, attn_implementation="eager", experts_implementation="eager", dtype=model.dtype)
        .eval()
    )
    plain.load_state_dict(model.state_dict())
    return plain


def their_logits(plain: Any, ids: torch.Tensor, prompt: int) -> torch.Tensor:
    """Logits [B, T, vocab] of a prompt and of one step a token after it, with transformers' own cache."""
    with torch.no_grad():
        out = plain(input_ids=ids[:, :prompt], use_cache=True)
        logits = [out.logits]
        for step in range(prompt, ids.shape[1]):
            out = plain(input_ids=ids[:, step : step + 1], cache=out.cache, use_cache=True)
            logits.append(out.logits)
    return torch.cat(logits, 1)


def graphs_of(model: Any, batch: int, length: int, prompt: int) -> dict[str, hf.HfGraph]:
    """The graphs that the model has: prefill and decode, or forward of the prompt."""
    return {phase: hf.graph(model, phase, batch, length, prompt) for phase in hf.phases_of(model)}


def in_torch(graphs: Mapping[str, hf.HfGraph], programs: Mapping[str, Callable[..., Any]] | None = None) -> Forward:
    """Logits of a graph's inputs by PyTorch, carrying the cache: by the graphs' modules, or by `programs` of them."""
    cache = [torch.zeros_like(tensor) for graph in graphs.values() if graph.state for tensor in graph.args[-1]]
    cache = cache[: max(len(graph.state) for graph in graphs.values())]

    def forward(name: str, *inputs: torch.Tensor) -> torch.Tensor:
        program = graphs[name].module if programs is None else programs[name]
        with torch.no_grad():
            out = program(*inputs, cache) if cache else program(*inputs)
        cache[:] = [out[key] for key in graphs[name].state]
        return out["logits"]

    return forward


def exported(graphs: Mapping[str, hf.HfGraph]) -> Forward:
    """The same by the exported program of each graph."""
    return in_torch(graphs, {name: export(graph.module, graph.args).module() for name, graph in graphs.items()})


def compiled(graphs: Mapping[str, hf.HfGraph], mode: str) -> Forward:
    """The same in the simulator, of the graphs compiled together in a mode."""
    executable = compile_imported(import_graphs(graphs), mode=mode)
    return lambda name, *inputs: executable(*inputs, graph=name)["logits"]


def our_logits(forward: Forward, phases: Collection[str], ids: torch.Tensor, prompt: int) -> torch.Tensor:
    """Logits [B, T, vocab] of the prompt and of one step a token after it; of the prompt where there is no decode."""
    if "decode" not in phases:
        return forward("forward", ids[:, :prompt])
    logits = [forward("prefill", ids[:, :prompt])]
    for step in range(prompt, ids.shape[1]):
        logits.append(forward("decode", ids[:, step : step + 1], torch.tensor([step])))
    return torch.cat(logits, 1)


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference, relative to the largest logit; infinite where one is NaN."""
    if ours.shape != theirs.shape:
        return float("inf")
    worst = float((ours - theirs).abs().max() / theirs.abs().max())
    return worst if worst == worst else float("inf")
