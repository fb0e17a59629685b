"""Writes under a boolean mask, `x[mask] = value`, as selections: how many elements a mask picks depends on data."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sambaflow.frontends.calls import Call, Value, aten, constant, leaves_of, signature

_PUTS = ("index_put", "_unsafe_index_put", "_index_put_impl")


def with_known_masks(call: Call) -> Call:
    """The same indexing with every mask that is constant as the integer indices of its True elements."""
    if signature(call.target).base not in (*_PUTS, "index", "_unsafe_index"):
        return call
    if not any(_is_mask(index) and index.constant is not None for index in leaves_of(Value, call.args[1])):
        return call
    indices: list[Value | None] = []
    for index in call.args[1]:
        if index is not None and _is_mask(index) and index.constant is not None and index.shape:
            indices += [constant(positions) for positions in index.constant.bool().nonzero(as_tuple=True)]
        else:
            indices.append(index)
    return Call(call.target, (call.args[0], indices, *call.args[2:]), call.kwargs, call.location)


def masked_put(call: Call, pure: Callable[[Call], list[Value]]) -> list[Value] | None:
    """`x[:, mask] = value` as `where(mask, value, x)`; None if it is another call, or if each True takes its own value.

    The mask stands for as many dimensions as it has; the value has no dimension, or one of size 1, in their place.
    """
    if signature(call.target).base not in _PUTS:
        return None
    a = call.arguments()
    target, values, location = a["self"], a["values"], call.location
    indexed = [(place, index) for place, index in enumerate(a["indices"]) if index is not None]
    if (
        not all(value.known for value in call.values())
        or len(indexed) != 1
        or not _is_mask(indexed[0][1])
        or not indexed[0][1].shape
    ):
        return None
    before, mask = indexed[0]
    rest = len(target.shape) - before - len(mask.shape)
    if len(values.shape) > rest:
        at = len(values.shape) - rest - 1
        if values.shape[at] != 1:
            return None
        shape = [*values.shape[:at], *(1 for _ in mask.shape), *values.shape[at + 1 :]]
        values = pure(Call(aten.view.default, (values, shape), {}, location))[0]
    mask = pure(Call(aten.view.default, (mask, [*mask.shape, *(1 for _ in range(rest))]), {}, location))[0]
    if mask.dtype != torch.bool:
        mask = pure(Call(aten.to.dtype, (mask, torch.bool), {}, location))[0]
    if a["accumulate"]:
        values = pure(Call(aten.add.Tensor, (target, values), {}, location))[0]
    return pure(Call(aten.where.self, (mask, values, target), {}, location))


def _is_mask(index: Value) -> bool:
    return index.dtype in (torch.bool, torch.uint8)
