"""Matrix products and convolutions: one contract each; bias, scale and residual are in its `finish`.

Products of integers, which no systolic array takes, are reductions with the same maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel import Body, Domain
from sambaflow.dialects.samba import SambaOp, shaped_of
from sambaflow.dialects.samba.inference import Shape, Shaped, is_float, pair
from sambaflow.passes.kernel_library.registry import converts
from sambaflow.passes.kernel_library.stages import Coordinates, Read, StageBuilder, added, shape_of

Finish: TypeAlias = Callable[..., SSAValue]
"""(body, elements of the inputs, accumulator) -> result, in the accumulator's type."""


def contract(
    k: StageBuilder,
    reads: Sequence[Read],
    domain: Domain,
    out: Shaped,
    at: Coordinates,
    finish: Finish | None = None,
) -> SSAValue:
    """Sums the products of the first two reads; `finish(b, *elements, acc)` gets f32 and its result is rounded once."""
    floats = is_float(out.dtype)
    kind = kernel.ContractOp if floats else kernel.ReduceOp
    accumulator = f32 if floats else out.dtype

    def body(b: Body, x: SSAValue, y: SSAValue, *rest: SSAValue) -> SSAValue:
        return b.add(rest[-1], b.mul(b.cast(x, accumulator), b.cast(y, accumulator)))

    def rounded(b: Body, *values: SSAValue) -> SSAValue:
        widened = [b.cast(value, accumulator) for value in values[2:]]
        result = finish(b, *values[:2], *widened) if finish else widened[-1]
        return b.cast(result, out.dtype)

    ending = rounded if finish is not None or out.dtype != accumulator else None
    inits = [kernel.constant(0, accumulator)]
    return k.stage(kind, reads, domain, [(out, at)], body, finish=ending, combine=added, inits=inits, fold=False)[0]


def _plus_bias(b: Body, x: SSAValue, w: SSAValue, bias: SSAValue, acc: SSAValue) -> SSAValue:
    return b.add(acc, bias)


@converts("linear")
def linear(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """x[..., k] * w[n, k] + bias[n]: parallel (..., n), reduction k."""
    x, w, *bias = op.operands
    lead, n = shape_of(x)[:-1], len(shape_of(x)) - 1
    reads = [
        Read(x, lambda *d: [*d[:n], d[n + 1]]),
        Read(w, lambda *d: [d[n], d[n + 1]]),
        *(Read(value, lambda *d: [d[n]]) for value in bias),
    ]
    domain = Domain.of(parallel=(*lead, shape_of(w)[0]), reduction=shape_of(w)[1:])
    finish = _plus_bias if bias else None
    return [contract(k, reads, domain, shaped_of(op.results[0]), lambda *d: d[: n + 1], finish)]


def batched(shape: Shape, batch: int) -> Coordinates:
    """Coordinates of a tensor's batch dimensions, broadcast to the first `batch` dimensions of the domain."""
    lead = batch - len(shape)

    def at(*dims: AffineExpr) -> Sequence[AffineExpr | int]:
        return [0 if size == 1 else dims[lead + i] for i, size in enumerate(shape)]

    return at


def product(
    k: StageBuilder,
    left: SSAValue,
    right: SSAValue,
    out: Shaped,
    extra: Sequence[Read] = (),
    finish: Finish | None = None,
) -> SSAValue:
    """left[..., m, k] @ right[..., k, n], vectors without m or n: parallel (batch, m, n), reduction k."""
    a, b = shape_of(left), shape_of(right)
    rank = len(out.shape)
    batch = rank - (len(a) > 1) - (len(b) > 1)
    rows, columns = batch, rank - 1
    in_left, in_right = batched(a[:-2], batch), batched(b[:-2], batch)

    def at_left(*d: AffineExpr) -> Sequence[AffineExpr | int]:
        return [*in_left(*d), *([d[rows]] if len(a) > 1 else []), d[-1]]

    def at_right(*d: AffineExpr) -> Sequence[AffineExpr | int]:
        return [*in_right(*d), d[-1], *([d[columns]] if len(b) > 1 else [])]

    domain = Domain.of(parallel=out.shape, reduction=a[-1:])
    reads = [Read(left, at_left), Read(right, at_right), *extra]
    at: Coordinates = lambda *d: d[:rank]  # noqa: E731
    return contract(k, reads, domain, out, at, finish)


@converts("matmul mm bmm")
def matmul(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    return [product(k, op.operands[0], op.operands[1], shaped_of(op.results[0]))]


@converts("addmm baddbmm")
def addmm(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """beta * self + alpha * product, in the finish of the contract; with beta 0 the addend, NaN or not, is not read."""
    addend, left, right = op.operands
    out, alpha, beta = shaped_of(op.results[0]), op.attr("alpha"), op.attr("beta")
    rank, shape = len(out.shape), shape_of(addend)

    def at(*d: AffineExpr) -> Sequence[AffineExpr | int]:
        return [0 if size == 1 else d[rank - len(shape) + i] for i, size in enumerate(shape)]

    def finish(b: Body, x: SSAValue, y: SSAValue, *rest: SSAValue) -> SSAValue:
        *addend, acc = rest
        scaled = acc if alpha == 1 else b.mul(b.const(alpha, acc.type), acc)
        if not addend:
            return scaled
        return b.add(addend[0] if beta == 1 else b.mul(b.const(beta, acc.type), addend[0]), scaled)

    return [product(k, left, right, out, [Read(addend, at)] if beta != 0 else [], finish)]


@converts("conv2d conv1d")
def convolution(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    """Parallel (n, group, channel of the group, *output), reduction (input channel of the group, *kernel).

    The input is read at output * stride + tap * dilation - padding, 0 outside; windows overlap, so halos follow from
    the maps. Without groups that dimension is left out.
    """
    x, w, *bias = op.operands
    a, out, groups = op.settings(), shaped_of(op.results[0]), op.attr("groups")
    taps = shape_of(w)[2:]
    stride, padding, dilation = (_per_dimension(a[name], len(taps)) for name in ("stride", "padding", "dilation"))
    grouped = 1 if groups > 1 else 0
    channels, inputs = out.shape[1] // groups, shape_of(w)[1]
    first = 2 + grouped  # the first output dimension
    last = first + len(taps)  # the input channel

    def channel(*d: AffineExpr) -> AffineExpr:
        return d[1] * channels + d[2] if grouped else d[1]

    def at_input(*d: AffineExpr) -> Sequence[AffineExpr]:
        source = d[1] * inputs + d[last] if grouped else d[last]
        places = [d[first + i] * stride[i] + d[last + 1 + i] * dilation[i] - padding[i] for i in range(len(taps))]
        return [d[0], source, *places]

    reads = [
        Read(x, at_input, kernel.constant(0, out.dtype if not is_float(out.dtype) else shaped_of(x).dtype)),
        Read(w, lambda *d: [channel(*d), *d[last:]]),
        *(Read(value, lambda *d: [channel(*d)]) for value in bias),
    ]
    parallel = (out.shape[0], *([groups] if grouped else []), channels, *out.shape[2:])
    domain = Domain.of(parallel=parallel, reduction=(inputs, *taps))
    finish = _plus_bias if bias else None
    return [contract(k, reads, domain, out, lambda *d: [d[0], channel(*d), *d[first:last]], finish)]


def _per_dimension(values: Sequence[int], count: int) -> Sequence[int]:
    return pair(values) if count == 2 else values[:1]
