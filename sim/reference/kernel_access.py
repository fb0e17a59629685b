"""Accesses of kernel stages in torch: what a box of the domain reads of a tensor and where it writes.

Values over a box are *compact*: they have one axis per dimension of the domain, of size 1 where they do not depend on
it, then the axes of their block. A read that is linear and in range is a strided view; any other is an indexed read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from xdsl.dialects.builtin import AffineSetAttr
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineConstraintKind,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from sambaflow.dialects.kernel.affine import linear, used_symbols
from sambaflow.errors import InputError

Tensor = torch.Tensor
Number = Tensor | int


@dataclass(frozen=True)
class Box:
    """Part of a domain: per dimension the first index and the size."""

    starts: tuple[int, ...]
    sizes: tuple[int, ...]

    @staticmethod
    def whole(extents: Sequence[int]) -> Box:
        """All of a domain."""
        return Box((0,) * len(extents), tuple(extents))

    def first(self, dims: Sequence[int]) -> Box:
        """The box at the first index of the given dimensions."""
        return Box(self.starts, tuple(1 if d in dims else size for d, size in enumerate(self.sizes)))

    @cached_property
    def indices(self) -> tuple[Tensor, ...]:
        """Per dimension the indices, along its own axis."""
        rank = len(self.sizes)
        grids: list[Tensor] = []
        for dim, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            shape = [1] * rank
            shape[dim] = size
            grids.append(torch.arange(start, start + size).view(shape))
        return tuple(grids)


def evaluate(expr: AffineExpr, dims: Sequence[Number], symbols: Sequence[Number]) -> Number:
    """An affine expression over tensors of indices."""
    match expr:
        case AffineConstantExpr():
            return expr.value
        case AffineDimExpr():
            return dims[expr.position]
        case AffineSymExpr():
            return symbols[expr.position]
        case AffineBinaryOpExpr():
            left, right = evaluate(expr.lhs, dims, symbols), evaluate(expr.rhs, dims, symbols)
            match expr.kind:
                case AffineBinaryOpKind.Add:
                    return left + right
                case AffineBinaryOpKind.Mul:
                    return left * right
                case AffineBinaryOpKind.Mod:
                    return left % right
                case AffineBinaryOpKind.FloorDiv:
                    return left // right
                case AffineBinaryOpKind.CeilDiv:
                    return -(-left // right)
        case _:
            raise InputError(f"unknown affine expression {expr}")


def inside(predicate: AffineSetAttr | None, box: Box, symbols: Sequence[Number]) -> Tensor | None:
    """Where the predicate holds, compact over the box; None without a predicate."""
    if predicate is None:
        return None
    mask = torch.ones((1,) * len(box.sizes), dtype=torch.bool)
    for row in predicate.data.constraints:
        left, right = (torch.as_tensor(evaluate(e, box.indices, symbols)) for e in (row.lhs, row.rhs))
        match row.kind:
            case AffineConstraintKind.ge:
                mask = mask & (left >= right)
            case AffineConstraintKind.le:
                mask = mask & (left <= right)
            case AffineConstraintKind.eq:
                mask = mask & (left == right)
    return mask


def coordinates(map_: AffineMap, box: Box, symbols: Sequence[Number], block: Sequence[int]) -> list[Tensor]:
    """The coordinates that a box touches, with the axes of the block behind those of the domain."""
    rank, depth = len(box.sizes), len(block)
    per_axis: list[Tensor] = []
    for number, expr in enumerate(map_.results):
        value = torch.as_tensor(evaluate(expr, box.indices, symbols), dtype=torch.int64)
        value = value.reshape((*value.shape, *(1,) * depth)) if value.dim() else value.reshape((1,) * (rank + depth))
        axis = number - (len(map_.results) - depth)
        if axis >= 0:
            shape = [1] * (rank + depth)
            shape[rank + axis] = block[axis]
            value = value + torch.arange(block[axis]).view(shape)
        per_axis.append(value)
    return per_axis


def view(tensor: Tensor, map_: AffineMap, box: Box, block: Sequence[int] = ()) -> Tensor | None:
    """The compact view of what a box touches; None when the access is not linear or leaves the tensor."""
    rank, depth = len(box.sizes), len(block)
    strides, offset = [0] * (rank + depth), tensor.storage_offset()
    sizes = [1] * rank + list(block)
    for number, (expr, extent, stride) in enumerate(zip(map_.results, tensor.shape, tensor.stride(), strict=True)):
        form = linear(expr)
        if form.terms or form.symbols or any(c < 0 for _, c in form.dims):
            return None
        axis = number - (len(map_.results) - depth)
        low = form.constant + sum(c * box.starts[d] for d, c in form.dims)
        high = low + sum(c * (box.sizes[d] - 1) for d, c in form.dims) + (block[axis] - 1 if axis >= 0 else 0)
        if low < 0 or high >= extent:
            return None
        offset += low * stride
        for d, c in form.dims:
            strides[d] += c * stride
            sizes[d] = box.sizes[d]
        if axis >= 0:
            strides[rank + axis] = stride
    return tensor.as_strided(sizes, strides, offset)


def read(
    tensor: Tensor, map_: AffineMap, box: Box, symbols: Sequence[Number], block: Sequence[int], pad: float | int | None
) -> Tensor:
    """What a box reads, compact; `pad` stands for elements out of range."""
    if (window := view(tensor, map_, box, block)) is not None:
        return window
    values, mask = read_masked(tensor, map_, box, symbols, block)
    if bool(mask.all()):
        return values
    if pad is None:
        raise InputError(f"an access leaves a tensor of shape {'x'.join(map_str(tensor))} and no pad is given")
    return torch.where(mask, values, torch.tensor(pad, dtype=tensor.dtype))


def read_masked(
    tensor: Tensor, map_: AffineMap, box: Box, symbols: Sequence[Number], block: Sequence[int] = ()
) -> tuple[Tensor, Tensor]:
    """(values, whether they are in range); values out of range are those at the nearest coordinate."""
    places = coordinates(map_, box, symbols, block)
    mask = torch.ones((1,) * (len(box.sizes) + len(block)), dtype=torch.bool)
    for place, extent in zip(places, tensor.shape, strict=True):
        mask = mask & (place >= 0) & (place < extent)
    clamped = tuple(place.clamp(0, extent - 1) for place, extent in zip(places, tensor.shape, strict=True))
    return (tensor[clamped] if clamped else tensor.reshape((1,) * mask.dim())), mask


def map_str(tensor: Tensor) -> list[str]:
    """The sizes of a tensor, as text."""
    return [str(size) for size in tensor.shape]


@dataclass
class Destination:
    """A result tensor while a stage writes it. `conflict` as in scatter; "" when no point meets another."""

    tensor: Tensor
    conflict: str = ""

    def write(
        self,
        value: Tensor,
        map_: AffineMap,
        box: Box,
        symbols: Sequence[Number] = (),
        block: Sequence[int] = (),
        mask: Tensor | None = None,
    ) -> None:
        """Write a compact value; points outside of the mask or of the tensor are dropped. A coordinate that a symbol
        decides may not lie outside: InputError."""
        target = view(self.tensor, map_, box, block) if mask is None and not self.conflict else None
        if target is not None:
            target.copy_(value.expand(target.shape))
            return
        places = coordinates(map_, box, symbols, block)
        shape = (*box.sizes, *block)
        written = torch.ones(shape, dtype=torch.bool)
        if mask is not None:
            written = written & mask.reshape((*mask.shape, *(1,) * len(block)))
        flat = torch.zeros(shape, dtype=torch.int64)
        for place, extent, expr in zip(places, self.tensor.shape, map_.results, strict=True):
            outside = written & ((place < 0) | (place >= extent))
            if used_symbols(expr) and bool(outside.any()):
                wrong = int(place.expand(shape)[outside][0])
                raise InputError(f"index {wrong} is out of range: it must be from 0 to {extent - 1}")
            written = written & ~outside
            flat = flat * extent + place
        self._put(flat[written], value.expand(shape)[written].to(self.tensor.dtype))

    def _put(self, places: Tensor, values: Tensor) -> None:
        """One write after the other, in the order given: points that meet take turns."""
        elements = self.tensor.view(-1)
        order = torch.argsort(places, stable=True)
        places, values = places[order], values[order]
        if not places.numel():
            return
        starts = torch.ones_like(places, dtype=torch.bool)
        starts[1:] = places[1:] != places[:-1]
        position = torch.arange(places.numel())
        turn = position - torch.where(starts, position, 0).cummax(0).values
        for number in range(int(turn.max()) + 1):
            now = turn == number
            if self.conflict == "add":
                elements[places[now]] = elements[places[now]] + values[now]
            else:
                elements[places[now]] = values[now]
