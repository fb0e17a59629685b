"""Scaled dot product attention as five stages, all f32 between them, rounded once at the end.

    scores  contract  q . k over the head size; finish: times scale, plus mask (or -inf where masked or not causal)
    top     reduce    maximum over the keys, from the lowest finite number, so that a fully masked row gives 0, not NaN
    weights map       exp(score - top)
    total   reduce    sum of the weights
    result  contract  weights . v over the keys; finish: divided by the total

Grouped queries: the query head is two dimensions of the domain, (key head, query of the group), so the maps of key and
value drop the second one and nothing is repeated. Weights stay f32 in the second product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from xdsl.dialects.builtin import f32, i1
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.dialects.kernel import Body, Domain
from sambaflow.dialects.samba import SambaOp, shaped_of
from sambaflow.dialects.samba.inference import Shape, Shaped, broadcast
from sambaflow.passes.kernel_library.products import contract
from sambaflow.passes.kernel_library.registry import converts
from sambaflow.passes.kernel_library.stages import (
    LOWEST,
    Coordinates,
    Read,
    StageBuilder,
    added,
    dtype_of,
    larger,
    shape_of,
)


@converts("scaled_dot_product_attention")
def attention(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    query, key, value, *mask = op.operands
    heads = _Heads.of(op)
    scores = _scores(op, k, heads, query, key, mask)
    shape, last = shape_of(scores), len(shape_of(scores)) - 1
    whole = Read(scores, lambda *d: d)
    top = k.fold([whole], shape, [last], f32, LOWEST, lambda b, x, acc: b.max(acc, x), larger)
    row = Read(top, lambda *d: d[:-1])
    weights = k.map([whole, row], Shaped(shape, f32), lambda b, x, top: b.exp(b.sub(x, top)))
    total = k.fold([Read(weights, lambda *d: d)], shape, [last], f32, 0, lambda b, x, acc: b.add(acc, x), added)
    return [_result(op, k, heads, weights, total, value)]


class _Heads:
    """The batch dimensions of the stages: those of the result, with the query heads as (key head, query) if grouped."""

    def __init__(self, batch: Shape, group: int) -> None:
        self.batch = batch
        self.group = group
        self.dims: Shape = (*batch[:-1], batch[-1] // group, group) if group > 1 else batch
        self.count = len(self.dims)

    @staticmethod
    def of(op: SambaOp) -> _Heads:
        query, key, value = (shape_of(v) for v in op.operands[:3])
        if not op.attr("enable_gqa"):
            return _Heads(broadcast(query[:-2], key[:-2], value[:-2]), 1)
        batch = (*broadcast(query[:-3], key[:-3], value[:-3]), query[-3])
        return _Heads(batch, query[-3] // key[-3])

    def coordinates(self, dims: Sequence[AffineExpr]) -> list[AffineExpr]:
        """The result's batch coordinates of a domain point."""
        if self.group == 1:
            return list(dims[: self.count])
        return [*dims[: self.count - 2], dims[self.count - 2] * self.group + dims[self.count - 1]]

    def read(self, shape: Shape, dims: Sequence[AffineExpr], shared: bool = False) -> list[AffineExpr | int]:
        """The batch coordinates of a tensor with batch dimensions `shape`; `shared`: its heads are key heads."""
        places = self.coordinates(dims)
        if shared and self.group > 1:
            places[-1] = dims[self.count - 2]
        last = places[len(places) - len(shape) :]
        return [0 if size == 1 else place for size, place in zip(shape, last, strict=True)]


def _scores(
    op: SambaOp, k: StageBuilder, heads: _Heads, query: SSAValue, key: SSAValue, mask: Sequence[SSAValue]
) -> SSAValue:
    n, scale = heads.count, op.attr("scale")
    factor = 1 / math.sqrt(shape_of(query)[-1]) if scale is None else scale
    causal = op.attr("is_causal")
    shape = (*heads.dims, shape_of(query)[-2], shape_of(key)[-2])

    def finish(b: Body, q: SSAValue, key: SSAValue, *rest: SSAValue) -> SSAValue:
        score = b.mul(rest[-1], b.const(factor))
        if not (causal or mask):
            return score
        if mask and dtype_of(mask[0]) != i1:
            return b.add(score, rest[0])
        hidden = b.const(-math.inf)
        visible = b.cmp("le", b.index(n + 1), b.index(n)) if causal else b.cmp("ne", rest[0], b.const(0.0))
        if causal and len(shape_of(query)) == 4:
            return b.select(visible, score, hidden)
        # as PyTorch: an infinite score that is hidden is NaN
        return b.add(score, b.select(visible, b.const(0.0), hidden))

    reads = [
        Read(query, lambda *d: [*heads.read(shape_of(query)[:-2], d), d[n], d[n + 2]]),
        Read(key, lambda *d: [*heads.read(shape_of(key)[:-2], d, shared=True), d[n + 1], d[n + 2]]),
        *(Read(value, _mask_coordinates(shape_of(value), heads)) for value in mask),
    ]
    domain = Domain.of(parallel=shape, reduction=shape_of(query)[-1:])
    return contract(k, reads, domain, Shaped(shape, f32), lambda *d: d[:-1], finish)


def _mask_coordinates(shape: Shape, heads: _Heads) -> Coordinates:
    """A mask is broadcast to (batch, queries, keys)."""

    def at(*d: AffineExpr) -> Sequence[AffineExpr | int]:
        places = [*heads.coordinates(d), d[heads.count], d[heads.count + 1]]
        last = places[len(places) - len(shape) :]
        return [0 if size == 1 else place for size, place in zip(shape, last, strict=True)]

    return at


def _result(
    op: SambaOp, k: StageBuilder, heads: _Heads, weights: SSAValue, total: SSAValue, value: SSAValue
) -> SSAValue:
    n, out = heads.count, shaped_of(op.results[0])
    keys, size = shape_of(value)[-2:]

    def finish(b: Body, weight: SSAValue, value: SSAValue, total: SSAValue, acc: SSAValue) -> SSAValue:
        nothing = b.cmp("eq", total, b.const(0.0))
        return b.select(nothing, b.const(0.0), b.div(acc, total))

    # domain: batch, query, column of the value, key
    reads = [
        Read(weights, lambda *d: [*d[: n + 1], d[n + 2]]),
        Read(value, lambda *d: [*heads.read(shape_of(value)[:-2], d, shared=True), d[n + 2], d[n + 1]]),
        Read(total, lambda *d: d[: n + 1]),
    ]
    domain = Domain.of(parallel=(*heads.dims, out.shape[-2], size), reduction=(keys,))
    return contract(k, reads, domain, out, lambda *d: [*heads.coordinates(d), d[n], d[n + 1]], finish)
