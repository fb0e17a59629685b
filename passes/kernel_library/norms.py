"""Normalisations and losses: reductions for the statistics, one map for the result, f32 in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from xdsl.dialects.builtin import Float64Type, f32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel import Body
from sambaflow.dialects.samba import SambaOp, shaped_of
from sambaflow.dialects.samba.inference import Shape, Shaped, dim_index
from sambaflow.passes.kernel_library.registry import converts
from sambaflow.passes.kernel_library.stages import (
    LOWEST,
    Coordinates,
    Read,
    StageBuilder,
    added,
    count_of,
    dtype_of,
    folding,
    identity,
    larger,
    parallel,
    scalar,
    shape_of,
    without,
)

Ending: TypeAlias = Callable[[Body, SSAValue], SSAValue]
"""What becomes of a finished sum."""


def mean_of(k: StageBuilder, read: Read, shape: Shape, dims: Sequence[int]) -> SSAValue:
    """The f32 mean over `dims` of a domain `shape`."""
    count = float(count_of(shape, dims))
    return k.fold(
        [read], shape, dims, f32, 0, lambda b, x, acc: b.add(acc, b.ext(x)), added,
        finish=lambda b, x, acc: b.div(acc, b.const(count)),
    )  # fmt: skip


def squares_of(
    k: StageBuilder,
    reads: Sequence[Read],
    shape: Shape,
    dims: Sequence[int],
    ending: Ending,
) -> SSAValue:
    """`ending` of the f32 sum over `dims` of (x - mean)^2, or of x^2 without a second read."""

    def body(b: Body, x: SSAValue, *rest: SSAValue) -> SSAValue:
        centred = b.sub(b.ext(x), rest[0]) if len(reads) > 1 else b.ext(x)
        return b.add(rest[-1], b.mul(centred, centred))

    return k.fold(reads, shape, dims, f32, 0, body, added, finish=lambda b, *values: ending(b, values[-1]))


def _inverse_root(count: int, eps: float) -> Ending:
    """1 / sqrt(sum / count + eps)."""
    return lambda b, total: b.rsqrt(b.add(b.div(total, b.const(float(count))), b.const(eps)))


@converts("layer_norm")
def layer_norm(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """mean, 1 / sqrt(variance about that mean + eps), then one map."""
    x, *parameters = op.operands
    shape, rank = shape_of(x), len(shape_of(x))
    dims = range(rank - len(op.attr("normalized_shape")), rank)
    return [
        _normalised(op, k, Read(x, identity), shape, dims, [Read(p, _last(len(dims))) for p in parameters], identity)
    ]


def _last(count: int) -> Coordinates:
    return lambda *dims: dims[len(dims) - count :]


def _normalised(
    op: SambaOp,
    k: StageBuilder,
    read: Read,
    shape: Shape,
    dims: Sequence[int],
    parameters: Sequence[Read],
    at: Coordinates,
) -> SSAValue:
    """(x - mean) / sqrt(var + eps) * weight + bias over a domain `shape`, whose points are the result's at `at`."""
    out = shaped_of(op.results[0])
    mean = Read(mean_of(k, read, shape, dims), without(dims))
    inverse = squares_of(k, [read, mean], shape, dims, _inverse_root(count_of(shape, dims), op.attr("eps")))

    def body(b: Body, x: SSAValue, mean: SSAValue, inverse: SSAValue, *affine: SSAValue) -> SSAValue:
        value = b.mul(b.sub(b.ext(x), mean), inverse)
        value = b.mul(value, b.ext(affine[0])) if affine else value
        value = b.add(value, b.ext(affine[1])) if len(affine) > 1 else value
        return b.trunc(value, out.dtype)

    reads = [read, mean, Read(inverse, without(dims)), *parameters]
    return k.stage(kernel.MapOp, reads, parallel(shape), [(out, at)], body)[0]


@converts("group_norm")
def group_norm(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """Layer norm with the channels as (group, channel of the group) in the domain."""
    x, *parameters = op.operands
    n, channels, *places = shape_of(x)
    groups = op.attr("num_groups")
    size = channels // groups
    shape = (n, groups, size, *places)

    def channel(*d: AffineExpr) -> AffineExpr:
        return d[1] * size + d[2]

    def at(*d: AffineExpr) -> Sequence[AffineExpr]:
        return [d[0], channel(*d), *d[3:]]

    reads = [Read(p, lambda *d: [channel(*d)]) for p in parameters]
    return [_normalised(op, k, Read(x, at), shape, range(2, len(shape)), reads, at)]


@converts("rms_norm")
def rms_norm(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    x, *weight = op.operands
    shape, out = shape_of(x), shaped_of(op.results[0])
    size = len(op.attr("normalized_shape"))
    dims = range(len(shape) - size, len(shape))
    eps = op.attr("eps")
    ending = _inverse_root(count_of(shape, dims), _epsilon(dtype_of(x)) if eps is None else eps)
    inverse = squares_of(k, [Read(x, identity)], shape, dims, ending)

    def body(b: Body, x: SSAValue, inverse: SSAValue, *weight: SSAValue) -> SSAValue:
        value = b.mul(b.ext(x), inverse)
        return b.trunc(b.mul(value, b.ext(weight[0])) if weight else value, out.dtype)

    reads = [Read(x, identity), Read(inverse, without(dims)), *(Read(w, _last(size)) for w in weight)]
    return [k.map(reads, out, body)]


def _epsilon(dtype: Any) -> float:
    """The distance from 1 to the next number of the type that PyTorch computes in: f32 for narrower ones, too."""
    return 2.0**-52 if isinstance(dtype, Float64Type) else 2.0**-23


@converts("batch_norm")
def batch_norm(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """One map: (x - mean) * (1 / sqrt(var + eps) * weight) + bias, parameters per channel."""
    x, *parameters = op.operands
    out, eps = shaped_of(op.results[0]), op.attr("eps")

    def body(b: Body, x: SSAValue, mean: SSAValue, variance: SSAValue, *affine: SSAValue) -> SSAValue:
        scale = b.rsqrt(b.add(b.ext(variance), b.const(eps)))
        scale = b.mul(scale, b.ext(affine[0])) if affine else scale
        value = b.mul(b.sub(b.ext(x), b.ext(mean)), scale)
        value = b.add(value, b.ext(affine[1])) if len(affine) > 1 else value
        return b.trunc(value, out.dtype)

    return [k.map([Read(x, identity), *(Read(p, lambda *d: [d[1]]) for p in parameters)], out, body)]


# Softmax and cross entropy


def _top(k: StageBuilder, x: SSAValue, dim: int) -> SSAValue:
    """The f32 maximum along a dimension, at least the lowest finite number."""
    return k.fold(
        [k.broadcast(x)], shape_of(x), [dim], f32, LOWEST, lambda b, x, acc: b.max(acc, b.cast(x, f32)), larger
    )  # fmt: skip


def _exp_sum(k: StageBuilder, x: SSAValue, top: Read, dim: int) -> SSAValue:
    """The sum along a dimension of exp(x - top)."""

    def body(b: Body, x: SSAValue, top: SSAValue, acc: SSAValue) -> SSAValue:
        return b.add(acc, b.exp(b.sub(b.cast(x, f32), top)))

    return k.fold([k.broadcast(x), top], shape_of(x), [dim], f32, 0, body, added)


def _rows(x: SSAValue, dim: int) -> Coordinates:
    """Coordinates of a tensor that lacks the dimension `dim` of x."""
    return without([dim]) if shape_of(x) else scalar


@converts("softmax")
def softmax(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    x, out = op.operands[0], shaped_of(op.results[0])
    dim = dim_index(op.attr("dim"), len(out.shape))
    rows = _rows(x, dim)
    top = Read(_top(k, x, dim), rows)
    wide = Shaped(out.shape, f32)
    powers = k.map([k.broadcast(x), top], wide, lambda b, x, top: b.exp(b.sub(b.cast(x, f32), top)))
    total = k.fold([k.broadcast(powers)], out.shape, [dim], f32, 0, lambda b, x, acc: b.add(acc, x), added)
    reads = [k.broadcast(powers), Read(total, rows)]
    return [k.map(reads, out, lambda b, x, total: b.cast(b.div(x, total), out.dtype))]


@converts("log_softmax")
def log_softmax(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    x, out = op.operands[0], shaped_of(op.results[0])
    dim = dim_index(op.attr("dim"), len(out.shape))
    top = Read(_top(k, x, dim), _rows(x, dim))
    total = Read(_exp_sum(k, x, top, dim), _rows(x, dim))

    def body(b: Body, x: SSAValue, top: SSAValue, total: SSAValue) -> SSAValue:
        return b.cast(b.sub(b.sub(b.cast(x, f32), top), b.log(total)), out.dtype)

    return [k.map([k.broadcast(x), top, total], out, body)]


@converts("cross_entropy_loss")
def cross_entropy(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """Per row: log(sum(exp(x - top))) + top - x[target], smoothed, weighted, 0 where the target is ignored."""
    x, target, *weight = op.operands
    a, out = op.settings(), shaped_of(op.results[0])
    rows, classes = shape_of(target), shape_of(x)[-1]
    dim = len(rows)
    lead = identity if rows else scalar
    of_row: Coordinates = lambda *d: d[:dim]  # noqa: E731
    top = Read(_top(k, x, dim), of_row)
    log_total = k.map(
        [Read(_exp_sum(k, x, top, dim), lead), Read(top.value, lead)],
        Shaped(rows, f32), lambda b, total, top: b.add(b.log(total), top),
    )  # fmt: skip
    places = _places(k, target, a["ignore_index"], lead)
    losses = _target_losses(op, k, places, log_total, lead)
    if a["label_smoothing"]:
        losses = _smoothed(op, k, losses, log_total, classes, of_row, lead)
    if a["reduction"] == "none":
        return [k.cast(losses, out.dtype)]
    return [_reduced_loss(op, k, losses, places, weight)]


def _places(k: StageBuilder, target: SSAValue, ignored: int, lead: Coordinates) -> SSAValue:
    """Where to read for a target: its class, which must be one, or class 0 for a target that is ignored."""

    def body(b: Body, target: SSAValue) -> SSAValue:
        return b.select(b.cmp("eq", target, b.const(ignored, target.type)), b.const(0, target.type), target)

    return k.map([Read(target, lead)], shaped_of(target), body)


def _target_losses(op: SambaOp, k: StageBuilder, places: SSAValue, log_total: SSAValue, lead: Coordinates) -> SSAValue:
    """weight[target] * (log_total - x[target]) per row, 0 where ignored; a gather at the target's class."""
    x, target, *weight = op.operands
    ignored, rows = op.attr("ignore_index"), shape_of(target)
    dims = len(rows)

    def body(b: Body, place: SSAValue, target: SSAValue, total: SSAValue, x: SSAValue, *weight: SSAValue) -> SSAValue:
        loss = b.sub(total, b.ext(x))
        loss = b.mul(loss, b.ext(weight[0])) if weight else loss
        return b.select(b.cmp("eq", target, b.const(ignored, target.type)), b.const(0.0), loss)

    reads = [
        *(Read(value, lambda *d: lead(*d[:-1])) for value in (places, target, log_total)),
        Read(x, lambda *d: [*d[:dims], d[-1]]),
        *(Read(w, lambda *d: [d[-1]]) for w in weight),
    ]
    result = (Shaped(rows, f32), lambda *d: lead(*d[:-1]))
    return k.stage(kernel.GatherOp, reads, parallel(rows), [result], body, bindings=[0], fold=False)[0]


def _smoothed(
    op: SambaOp,
    k: StageBuilder,
    losses: SSAValue,
    log_total: SSAValue,
    classes: int,
    of_row: Coordinates,
    lead: Coordinates,
) -> SSAValue:
    """(1 - s) * loss + s / classes * sum over classes of weight * (log_total - x)."""
    x, target, *weight = op.operands
    smoothing, ignored = op.attr("label_smoothing"), op.attr("ignore_index")

    def body(b: Body, x: SSAValue, total: SSAValue, *rest: SSAValue) -> SSAValue:
        term = b.sub(total, b.ext(x))
        return b.add(rest[-1], b.mul(term, b.ext(rest[0])) if weight else term)

    reads = [Read(x, identity), Read(log_total, of_row), *(Read(w, lambda *d: [d[-1]]) for w in weight)]
    spread = k.fold(reads, shape_of(x), [len(shape_of(x)) - 1], f32, 0, body, added)

    def mixed(b: Body, target: SSAValue, loss: SSAValue, spread: SSAValue) -> SSAValue:
        even = b.mul(spread, b.const(smoothing / classes))
        value = b.add(b.mul(loss, b.const(1 - smoothing)), even)
        return b.select(b.cmp("eq", target, b.const(ignored, target.type)), b.const(0.0), value)

    return k.map([Read(v, lead) for v in (target, losses, spread)], shaped_of(losses), mixed)


def _reduced_loss(
    op: SambaOp, k: StageBuilder, losses: SSAValue, places: SSAValue, weight: Sequence[SSAValue]
) -> SSAValue:
    """The sum of the losses, for "mean" divided by the sum of the weights of the targets that count."""
    target = op.operands[1]
    rows, out, ignored = shape_of(target), shaped_of(op.results[0]), op.attr("ignore_index")
    lead = identity if rows else scalar
    mean = op.attr("reduction") == "mean"

    def shares(b: Body, place: SSAValue, target: SSAValue, *weight: SSAValue) -> SSAValue:
        share = b.ext(weight[0]) if weight else b.const(1.0)
        return b.select(b.cmp("eq", target, b.const(ignored, target.type)), b.const(0.0), share)

    reads = [
        *(Read(value, lambda *d: lead(*d[:-1])) for value in (places, target)),
        *(Read(w, lambda *d: [d[-1]]) for w in weight),
    ]
    result = (Shaped(rows, f32), lambda *d: lead(*d[:-1]))
    each = k.stage(kernel.GatherOp, reads, parallel(rows), [result], shares, bindings=[0], fold=False)[0]

    def body(b: Body, loss: SSAValue, share: SSAValue, total: SSAValue, share_sum: SSAValue) -> Sequence[SSAValue]:
        return [b.add(total, loss), b.add(share_sum, share)]

    def finish(b: Body, loss: SSAValue, share: SSAValue, total: SSAValue, share_sum: SSAValue) -> SSAValue:
        return b.trunc(b.div(total, share_sum) if mean else total, out.dtype)

    def combine(b: Body, *sums: SSAValue) -> Sequence[SSAValue]:
        return [b.add(sums[0], sums[2]), b.add(sums[1], sums[3])]

    zeros = [kernel.constant(0, f32)] * 2
    domain = folding(rows, range(len(rows)))
    reads = [Read(losses, lead), Read(each, lead)]
    return k.stage(
        kernel.ReduceOp, reads, domain, [(out, scalar)], body, finish=finish, combine=combine, inits=zeros, fold=False
    )[0]
