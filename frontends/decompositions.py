"""PyTorch's own decompositions of operators, traced as graphs of other ATen operators."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx
from torch._decomp import decomposition_table
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from sambaflow.frontends.calls import Call, Value, can_decompose


class DecompositionTracer:
    """Decompositions of calls, each of an overload, shapes and plain arguments traced once."""

    def __init__(self) -> None:
        self._rules: Mapping[Any, Callable[..., Any]] = {}
        self._traced: dict[Any, fx.GraphModule | None] = {}

    def trace(self, call: Call) -> fx.GraphModule | None:
        """A graph that takes the call's values; None when PyTorch has no decomposition for its arguments, or only one
        that leaves ATen, draws random numbers or leads back to the call."""
        leaves, spec = pytree.tree_flatten((call.args, call.kwargs))
        facts = [repr((leaf.shape, leaf.dtype) if isinstance(leaf, Value) else leaf) for leaf in leaves]
        key = (call.target, spec, tuple(facts))
        if key not in self._traced:
            rule = self._rule(call.target)
            self._traced[key] = None if rule is None else _traced(call, rule, leaves, spec)
        return self._traced[key]

    def _rule(self, target: OpOverload[..., Any]) -> Callable[..., Any] | None:
        """Those of export first, then all that PyTorch knows."""
        self._rules = self._rules or {
            **decomposition_table,
            **dict(torch.export.default_decompositions().items()),
        }
        return self._rules.get(target) or (target.decompose if can_decompose(target) else None)


def _traced(call: Call, rule: Callable[..., Any], leaves: list[Any], spec: pytree.TreeSpec) -> fx.GraphModule | None:
    positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Value)]

    def function(*tensors: torch.Tensor) -> Any:
        filled = list(leaves)
        for position, tensor in zip(positions, tensors, strict=True):
            filled[position] = tensor
        args, kwargs = pytree.tree_unflatten(filled, spec)
        return pytree.tree_leaves(rule(*args, **kwargs))  # a graph would build a named tuple by a call

    try:
        with _without_onednn(), FakeTensorMode(allow_non_fake_inputs=True):
            fakes = [torch.empty(leaves[i].shape, dtype=leaves[i].dtype) for i in positions]
            graph_module = make_fx(function)(*fakes)
    except Exception:  # whatever PyTorch's own code raises: there is no decomposition for these arguments
        return None
    return graph_module if _is_usable(graph_module, call.target) else None


@contextmanager
def _without_onednn() -> Generator[None]:
    """An LSTM is to become products, not one of oneDNN's layers.

    Not by `torch.backends.mkldnn`: its property may be locked (PyTorch's test utilities do), its `flags` warn.
    """
    flags: Any = torch._C  # pyright: ignore[reportPrivateUsage]
    before = flags._get_mkldnn_enabled()
    flags._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        flags._set_mkldnn_enabled(before)


def _is_usable(graph_module: fx.GraphModule, target: OpOverload[..., Any]) -> bool:
    for node in graph_module.graph.nodes:
        if node.op == "get_attr" and isinstance(attribute(graph_module, node), FakeTensor):
            return False
        called = node.target
        if called is target or (isinstance(called, OpOverload) and not _is_plain(called)):
            return False
    return True


def _is_plain(target: OpOverload[..., Any]) -> bool:
    return target.namespace == "aten" and is_deterministic(target)


def is_deterministic(target: OpOverload[..., Any]) -> bool:
    """Whether an operator draws no random numbers."""
    return torch.Tag.nondeterministic_seeded not in target.tags


def attribute(graph_module: fx.GraphModule, node: fx.Node) -> Any:
    """What a get_attr node stands for."""
    member: Any = graph_module
    for part in str(node.target).split("."):
        member = getattr(member, part)
    return member
