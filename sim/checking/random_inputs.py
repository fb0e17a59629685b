"""Random tensors that a graph may be given."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor
from xdsl.dialects.builtin import ModuleOp

from sambaflow.sim.checking.index_limits import index_limits
from sambaflow.sim.reference.semantics import CallableGraph, Port, graph_of

INTEGERS = (-8, 9)
"""Integers that index nothing: from the first up to below the second."""

POSITIVE = ("running_var", "exp_avg_sq", "variance")
"""Words in the names of tensors that are never negative: others make no numbers of square roots."""


def random_inputs(module: ModuleOp, seed: int = 0, graph: str | None = None) -> dict[str, Tensor]:
    """Random inputs, weights and state of a graph (the only one, or the one named), by name.

    Floats are N(0, 1), variances (by name) 0.5 + |N(0, 1)|; integers that index are in range of what they index, others
    small; bools are even. A tensor depends on seed, name, shape and dtype only, so graphs share what they share.
    """
    called = graph_of(module, graph)
    return {p.name: t for p, t in zip(called.inputs, random_tensors(module, called, seed), strict=True)}


def random_tensors(module: ModuleOp, graph: CallableGraph, seed: int = 0) -> list[Tensor]:
    """The same by position."""
    return _drawn(graph.inputs, index_limits(module, graph), seed)


def _drawn(ports: Sequence[Port], limits: Sequence[int | None], seed: int) -> list[Tensor]:
    return [_tensor(port, limit, seed) for port, limit in zip(ports, limits, strict=True)]


def _tensor(port: Port, limit: int | None, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}:{port.name}".encode()))
    if port.dtype == torch.bool:
        return torch.rand(port.shape, generator=generator) < 0.5
    if not port.dtype.is_floating_point:
        low, high = INTEGERS if limit is None else (0, limit)
        return torch.randint(low, high, port.shape, generator=generator).to(port.dtype)
    normal = torch.randn(port.shape, generator=generator)
    if any(word in port.name for word in POSITIVE):
        normal = normal.abs() + 0.5
    return normal.to(port.dtype)
