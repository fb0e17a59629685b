"""Shape and dtype inference of samba operators: pure functions on (shape, dtype), used by builders and verifiers.

Every rule has the form `rule(operands, attributes) -> results`. A rule that cannot be satisfied raises VerifyException
with the shapes that disagree. Promotion is PyTorch's (`torch.result_type`): tensors of rank 0 and Python scalars do not
widen a tensor of the same category (bool, integer, float).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    bf16,
    f16,
    f32,
    f64,
    i1,
    i64,
)
from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException

Shape: TypeAlias = tuple[int, ...]


class Shaped(NamedTuple):
    """Shape and element type of one tensor."""

    shape: Shape
    dtype: Attribute

    def __str__(self) -> str:
        return f"tensor<{''.join(f'{size}x' for size in self.shape)}{self.dtype}>"


Operands: TypeAlias = Sequence[Shaped]
Attributes: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[[Operands, Attributes], list[Shaped]]

_FLOAT_RANK: dict[Attribute, int] = {f16: 0, bf16: 0, f32: 1, f64: 2}


def fail(message: str) -> VerifyException:
    """The error of an inference rule; the verifier adds the op's name."""
    return VerifyException(message)


def is_float(dtype: Attribute) -> bool:
    return isinstance(dtype, BFloat16Type | Float16Type | Float32Type | Float64Type)


def is_bool(dtype: Attribute) -> bool:
    return dtype == i1


def _category(dtype: Attribute) -> int:
    return 2 if is_float(dtype) else 0 if is_bool(dtype) else 1


def promote(a: Attribute, b: Attribute) -> Attribute:
    """PyTorch's promotion of two dtypes of equal standing."""
    if a == b:
        return a
    if is_float(a) and is_float(b):
        rank_a, rank_b = _FLOAT_RANK[a], _FLOAT_RANK[b]
        return f32 if rank_a == rank_b else a if rank_a > rank_b else b
    if _category(a) != _category(b):
        return a if _category(a) > _category(b) else b
    if isinstance(a, IntegerType) and isinstance(b, IntegerType):
        return a if a.width.data > b.width.data else b
    raise fail(f"cannot promote {a} and {b}")


def _combine(higher: Attribute | None, lower: Attribute | None) -> Attribute | None:
    """The standing rule: `higher` wins unless `lower` is of a higher category."""
    if higher is None or lower is None:
        return lower if higher is None else higher
    return promote(higher, lower) if _category(lower) > _category(higher) else higher


def scalar_dtype(value: bool | int | float) -> Attribute:
    """The dtype of a Python scalar in promotion."""
    return i1 if isinstance(value, bool) else i64 if isinstance(value, int) else f32


def result_dtype(operands: Operands, scalars: Sequence[bool | int | float] = ()) -> Attribute:
    """The dtype of an elementwise operator on these operands and Python scalars (`torch.result_type`)."""
    ranked: Attribute | None = None
    zero: Attribute | None = None
    wrapped: Attribute | None = None
    for shape, dtype in operands:
        if shape:
            ranked = dtype if ranked is None else promote(ranked, dtype)
        else:
            zero = dtype if zero is None else promote(zero, dtype)
    for value in scalars:
        dtype = scalar_dtype(value)
        wrapped = dtype if wrapped is None else promote(wrapped, dtype)
    result = _combine(ranked, _combine(zero, wrapped))
    assert result is not None, "every operator that promotes has an operand"
    return result


def as_float(dtype: Attribute) -> Attribute:
    """Integers and bools become f32, floats stay."""
    return dtype if is_float(dtype) else f32


def broadcast(*shapes: Shape) -> Shape:
    """The broadcast of the shapes, aligned at the last dimension."""
    rank = max(map(len, shapes))
    result = [1] * rank
    for shape in shapes:
        for i, size in enumerate(shape, rank - len(shape)):
            if size != 1 and result[i] not in (1, size):
                listed = " and ".join(str(list(s)) for s in shapes)
                raise fail(f"shapes {listed} cannot be broadcast: dimension {i - rank} is {result[i]} and {size}")
            if size != 1:
                result[i] = size
    return tuple(result)


def dim_index(dim: int, rank: int, name: str = "dim") -> int:
    """`dim` counted from the front; rank 0 behaves as rank 1, as in PyTorch."""
    bound = max(rank, 1)
    if not -bound <= dim < bound:
        raise fail(f"{name} = {dim} is out of range for rank {rank}")
    return dim % bound


def sized_dim(value: Shaped, dim: int) -> tuple[int, int]:
    """`dim` of a tensor of rank 1 or more, counted from the front, and its size."""
    if not value.shape:
        raise fail(f"needs a dimension to work along, got {value}")
    dim = dim_index(dim, len(value.shape))
    return dim, value.shape[dim]


def dim_indices(dims: Sequence[int] | None, rank: int) -> list[int]:
    """Sorted dimensions of a reduction; None or empty means all."""
    indices = sorted(dim_index(dim, rank) for dim in dims) if dims else list(range(rank))
    if len(set(indices)) != len(indices):
        raise fail(f"dim = {list(dims or ())} names a dimension twice")
    return indices


def reduced(shape: Shape, dims: Sequence[int], keepdim: bool) -> Shape:
    if keepdim:
        return tuple(1 if i in dims else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in dims)


def replaced(shape: Shape, dim: int, size: int) -> Shape:
    return (*shape[:dim], size, *shape[dim + 1 :])


def require_rank(value: Shaped, rank: int, name: str) -> None:
    if len(value.shape) != rank:
        raise fail(f"{name} must have rank {rank}, got {value}")


def require_shape(value: Shaped, shape: Sequence[int], name: str) -> None:
    if value.shape != tuple(shape):
        raise fail(f"{name} must have shape {list(shape)}, got {value}")


def require_integer(value: Shaped, name: str) -> None:
    if not isinstance(value.dtype, IntegerType):
        raise fail(f"{name} must hold integers, got {value}")


def require_same_dtype(operands: Operands, names: str) -> Attribute:
    dtypes = [value.dtype for value in operands]
    if any(dtype != dtypes[0] for dtype in dtypes):
        raise fail(f"{names} must have one dtype, got {', '.join(map(str, dtypes))}")
    return dtypes[0]


def scalars_of(a: Attributes, *names: str) -> list[bool | int | float]:
    return [a[name] for name in names if a.get(name) is not None]


# Elementwise


def same(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape and dtype."""
    return [x[0]]


def float_unary(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape; its dtype if that is a float, else f32."""
    return [Shaped(x[0].shape, as_float(x[0].dtype))]


def floats_only(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape and dtype, which must be a float."""
    if not is_float(x[0].dtype):
        raise fail(f"operand must be a float tensor, got {x[0]}")
    return [x[0]]


def bool_unary(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape, i1."""
    return [Shaped(x[0].shape, i1)]


def _binary_shape(x: Operands, a: Attributes, scalar: str) -> Shape:
    if (len(x) == 2) == (a.get(scalar) is not None):
        raise fail(f"needs either a second operand or the attribute '{scalar}'")
    return broadcast(*(value.shape for value in x))


def binary(x: Operands, a: Attributes) -> list[Shaped]:
    """The broadcast shape; the promoted dtype of the operands, or of the operand and the number."""
    shape = _binary_shape(x, a, "other")
    return [Shaped(shape, result_dtype(x, scalars_of(a, "other")))]


def power(x: Operands, a: Attributes) -> list[Shaped]:
    """The broadcast shape; the promoted dtype of base and exponent."""
    shape = _binary_shape(x, a, "exponent")
    return [Shaped(shape, result_dtype(x, scalars_of(a, "exponent")))]


def divide(x: Operands, a: Attributes) -> list[Shaped]:
    """The broadcast shape; the promoted dtype, integers as f32 unless a rounding mode keeps them."""
    result = binary(x, a)[0]
    if a.get("rounding_mode") not in (None, "floor", "trunc"):
        raise fail(f'rounding_mode must be "floor" or "trunc", got "{a["rounding_mode"]}"')
    return [result if a.get("rounding_mode") else Shaped(result.shape, as_float(result.dtype))]


def bitwise(x: Operands, a: Attributes) -> list[Shaped]:
    """The broadcast shape; the promoted dtype, which must be an integer or i1."""
    result = binary(x, a)[0] if len(x) == 2 or a.get("other") is not None else x[0]
    if is_float(result.dtype):
        raise fail(f"bitwise operators need integers or bools, got {result}")
    return [result]


def compare(x: Operands, a: Attributes) -> list[Shaped]:
    """The broadcast shape, i1."""
    result_dtype(x, scalars_of(a, "other"))
    return [Shaped(_binary_shape(x, a, "other"), i1)]


def where(x: Operands, a: Attributes) -> list[Shaped]:
    """The broadcast shape of all three; the promoted dtype of the last two. The condition is i1."""
    if not is_bool(x[0].dtype):
        raise fail(f"condition must be i1, got {x[0]}")
    return [Shaped(broadcast(*(v.shape for v in x)), result_dtype(x[1:]))]


def masked_fill(x: Operands, a: Attributes) -> list[Shaped]:
    """The broadcast shape of operand and mask, the operand's dtype. The mask is i1, the value of rank 0."""
    if not is_bool(x[1].dtype):
        raise fail(f"mask must be i1, got {x[1]}")
    if (len(x) == 3) == (a.get("value") is not None):
        raise fail("needs either a value operand or the attribute 'value'")
    if len(x) == 3:
        require_rank(x[2], 0, "value")
    return [Shaped(broadcast(x[0].shape, x[1].shape), x[0].dtype)]


def clamp(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape; its dtype promoted with the numbers."""
    return [Shaped(x[0].shape, result_dtype(x, scalars_of(a, "min", "max")))]


def to(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape in the dtype asked for."""
    return [Shaped(x[0].shape, a["dtype"])]


# Matrix products


def linear(x: Operands, a: Attributes) -> list[Shaped]:
    """[..., in] by [out, in] gives [..., out]; all operands have one dtype."""
    dtype = require_same_dtype(x, "operands")
    value, weight = x[0], x[1]
    require_rank(weight, 2, "weight")
    if not value.shape or value.shape[-1] != weight.shape[1]:
        raise fail(f"last dimension of {value} must be the weight's {weight.shape[1]}")
    if len(x) == 3:
        require_shape(x[2], weight.shape[:1], "bias")
    return [Shaped((*value.shape[:-1], weight.shape[0]), dtype)]


def matmul(x: Operands, a: Attributes) -> list[Shaped]:
    """[..., m, k] by [..., k, n] gives the broadcast batch and [m, n]; rank 1 counts as a row, or a column."""
    dtype = require_same_dtype(x, "operands")
    (left, _), (right, _) = x
    if not left or not right:
        raise fail("operands must have rank 1 or more")
    inner = right[-2:][0]
    if left[-1] != inner:
        raise fail(f"contracted dimensions differ: {left[-1]} of {x[0]} and {inner} of {x[1]}")
    batch = broadcast(left[:-2], right[:-2]) if len(left) > 2 or len(right) > 2 else ()
    rows = left[-2:-1] if len(left) > 1 else ()
    columns = right[-1:] if len(right) > 1 else ()
    return [Shaped((*batch, *rows, *columns), dtype)]


def mm(x: Operands, a: Attributes) -> list[Shaped]:
    """[m, k] by [k, n] gives [m, n]; one dtype."""
    require_rank(x[0], 2, "left operand")
    require_rank(x[1], 2, "right operand")
    return matmul(x, a)


def bmm(x: Operands, a: Attributes) -> list[Shaped]:
    """[b, m, k] by [b, k, n] gives [b, m, n]; one dtype."""
    require_rank(x[0], 3, "left operand")
    require_rank(x[1], 3, "right operand")
    if x[0].shape[0] != x[1].shape[0]:
        raise fail(f"batch sizes differ: {x[0]} and {x[1]}")
    return matmul(x, a)


def addmm(x: Operands, a: Attributes) -> list[Shaped]:
    """[m, n], the product of [m, k] and [k, n]; `self` is broadcast to it."""
    return _plus_product(x, mm(x[1:], a)[0])


def baddbmm(x: Operands, a: Attributes) -> list[Shaped]:
    """[b, m, n], the product of [b, m, k] and [b, k, n]; `self` is broadcast to it."""
    return _plus_product(x, bmm(x[1:], a)[0])


def _plus_product(x: Operands, product: Shaped) -> list[Shaped]:
    require_same_dtype(x, "operands")
    if broadcast(x[0].shape, product.shape) != product.shape:
        raise fail(f"{x[0]} cannot be broadcast to the product {product}")
    return [product]


def _windows(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool = False) -> int:
    """Output positions of a sliding window (PyTorch: a window must start inside the input or its left padding)."""
    if min(kernel, stride, dilation) < 1 or padding < 0:
        sizes = f"kernel {kernel}, stride {stride}, dilation {dilation}, padding {padding}"
        raise fail(f"window sizes must be positive, the padding not negative: {sizes}")
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if span < 0:
        raise fail(f"window of {dilation * (kernel - 1) + 1} does not fit {size} + 2 * {padding}")
    count = (-(-span // stride) if ceil else span // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= size + padding else count


def pair(values: Sequence[int]) -> tuple[int, int]:
    """A kernel size, stride or padding given as one number or two."""
    if len(values) not in (1, 2):
        raise fail(f"expected one or two numbers, got {list(values)}")
    return (values[0], values[-1])


def _single(values: Sequence[int]) -> int:
    if len(values) != 1:
        raise fail(f"expected one number, got {list(values)}")
    return values[0]


def _check_groups(channels: int, weight: Shaped, groups: int) -> None:
    out, per_group, *_ = weight.shape
    if groups < 1 or channels != per_group * groups or out % groups:
        raise fail(f"weight {weight} does not fit {channels} input channels in {groups} groups")


def conv2d(x: Operands, a: Attributes) -> list[Shaped]:
    """[n, out, h, w] with the window positions that stride, padding and dilation leave; one dtype."""
    dtype = require_same_dtype(x, "operands")
    require_rank(x[0], 4, "input")
    require_rank(x[1], 4, "weight")
    (n, c, *image), (out, _, *kernel) = x[0].shape, x[1].shape
    _check_groups(c, x[1], a["groups"])
    if len(x) == 3:
        require_shape(x[2], (out,), "bias")
    settings = zip(image, kernel, pair(a["stride"]), pair(a["padding"]), pair(a["dilation"]), strict=True)
    return [Shaped((n, out, *(_windows(*setting) for setting in settings)), dtype)]


def conv1d(x: Operands, a: Attributes) -> list[Shaped]:
    """[n, out, l] with the window positions that stride, padding and dilation leave; one dtype."""
    dtype = require_same_dtype(x, "operands")
    require_rank(x[0], 3, "input")
    require_rank(x[1], 3, "weight")
    (n, c, length), (out, _, kernel) = x[0].shape, x[1].shape
    _check_groups(c, x[1], a["groups"])
    if len(x) == 3:
        require_shape(x[2], (out,), "bias")
    stride, padding, dilation = (_single(a[name]) for name in ("stride", "padding", "dilation"))
    return [Shaped((n, out, _windows(length, kernel, stride, padding, dilation)), dtype)]


def attention(x: Operands, a: Attributes) -> list[Shaped]:
    """[..., queries, value size]: the broadcast batch, with grouped heads the query's; one dtype."""
    (query, dtype), (key, _), (value, _) = x[:3]
    require_same_dtype(x[:3], "query, key and value")
    if min(len(query), len(key), len(value)) < 2:
        raise fail("query, key and value must have rank 2 or more")
    if query[-1] != key[-1]:
        raise fail(f"head sizes differ: {query[-1]} of query and {key[-1]} of key")
    if key[-2] != value[-2]:
        raise fail(f"lengths differ: {key[-2]} of key and {value[-2]} of value")
    if a["enable_gqa"]:
        if len(query) < 3 or key[-3] != value[-3] or not key[-3] or query[-3] % key[-3]:
            raise fail(f"query heads must be a multiple of the key heads: {x[0]} and {x[1]}")
        batch = (*broadcast(query[:-3], key[:-3], value[:-3]), query[-3])
    else:
        batch = broadcast(query[:-2], key[:-2], value[:-2])
    if len(x) == 4:
        if a["is_causal"]:
            raise fail("attn_mask and is_causal exclude each other")
        scores = (*batch, query[-2], key[-2])
        if broadcast(x[3].shape, scores) != scores:
            raise fail(f"attn_mask {x[3]} cannot be broadcast to the scores {list(scores)}")
    return [Shaped((*batch, query[-2], value[-1]), dtype)]


# Normalisation, reductions, losses


def _normalized(x: Operands, a: Attributes) -> list[Shaped]:
    """The input's shape and dtype; `normalized_shape` is its end, and the parameters' shape."""
    shape = tuple(a["normalized_shape"])
    if not shape or x[0].shape[-len(shape) :] != shape:
        raise fail(f"normalized_shape {list(shape)} is not the end of {x[0]}")
    for parameter, name in zip(x[1:], ("weight", "bias"), strict=False):
        require_shape(parameter, shape, name)
    return floats_only(x, a)


layer_norm = _normalized


def rms_norm(x: Operands, a: Attributes) -> list[Shaped]:
    """The input's shape; the promoted dtype of input and weight."""
    return [Shaped(_normalized(x, a)[0].shape, result_dtype(x))]


def channel_norm(x: Operands, a: Attributes) -> list[Shaped]:
    """The input's shape and dtype; parameters are one number a channel (dimension 1)."""
    if len(x[0].shape) < 2:
        raise fail(f"input must have rank 2 or more, got {x[0]}")
    for parameter in x[1:]:
        require_shape(parameter, x[0].shape[1:2], "a parameter")
    groups = a.get("num_groups", 1)
    if groups < 1 or x[0].shape[1] % groups:
        raise fail(f"{x[0].shape[1]} channels do not divide in {groups} groups")
    return floats_only(x, a)


def softmax(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape; `dtype` if given, else the operand's, which must be a float."""
    dim_index(a["dim"], len(x[0].shape))
    return [Shaped(x[0].shape, a["dtype"] or floats_only(x, a)[0].dtype)]


def reduce_float(x: Operands, a: Attributes) -> list[Shaped]:
    """The kept dimensions; `dtype` if given, else the operand's, which must be a float."""
    shape = reduced(x[0].shape, dim_indices(a["dim"], len(x[0].shape)), a["keepdim"])
    return [Shaped(shape, a.get("dtype") or floats_only(x, a)[0].dtype)]


def reduce_sum(x: Operands, a: Attributes) -> list[Shaped]:
    """The kept dimensions; `dtype` if given, else the operand's, integers as i64."""
    shape = reduced(x[0].shape, dim_indices(a["dim"], len(x[0].shape)), a["keepdim"])
    return [Shaped(shape, a["dtype"] or (x[0].dtype if is_float(x[0].dtype) else i64))]


def reduce_prod(x: Operands, a: Attributes) -> list[Shaped]:
    """As `reduce_sum`, along one dimension or all."""
    return reduce_sum(x, {**a, "dim": None if a["dim"] is None else (a["dim"],)})


def reduce_same(x: Operands, a: Attributes) -> list[Shaped]:
    """The kept dimensions, those of `dim` as 1 with `keepdim`; the operand's dtype."""
    return [Shaped(reduced(x[0].shape, dim_indices(a["dim"], len(x[0].shape)), a["keepdim"]), x[0].dtype)]


def reduce_bool(x: Operands, a: Attributes) -> list[Shaped]:
    """The kept dimensions, i1."""
    return [Shaped(reduce_same(x, a)[0].shape, i1)]


def reduce_with_index(x: Operands, a: Attributes) -> list[Shaped]:
    """The kept dimensions: values, and i64 indices."""
    shape = reduced(x[0].shape, [dim_index(a["dim"], len(x[0].shape))], a["keepdim"])
    return [Shaped(shape, x[0].dtype), Shaped(shape, i64)]


def arg_reduce(x: Operands, a: Attributes) -> list[Shaped]:
    """The kept dimensions, i64; a scalar when no dimension is named."""
    if a["dim"] is None:
        return [Shaped((1,) * len(x[0].shape) if a["keepdim"] else (), i64)]
    return [Shaped(reduced(x[0].shape, [dim_index(a["dim"], len(x[0].shape))], a["keepdim"]), i64)]


def cumulative(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape; `dtype` if given, else the operand's, integers as i64."""
    dim_index(a["dim"], len(x[0].shape))
    return [Shaped(x[0].shape, a["dtype"] or (x[0].dtype if is_float(x[0].dtype) else i64))]


def topk(x: Operands, a: Attributes) -> list[Shaped]:
    """Values and i64 indices: the operand's shape with `k` at the dimension."""
    dim = dim_index(a["dim"], len(x[0].shape))
    if not x[0].shape or not 0 < a["k"] <= x[0].shape[dim]:
        raise fail(f"k = {a['k']} is out of range for dimension {dim} of {x[0]}")
    shape = replaced(x[0].shape, dim, a["k"])
    return [Shaped(shape, x[0].dtype), Shaped(shape, i64)]


def sort(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape: values, and i64 indices."""
    dim_index(a["dim"], len(x[0].shape))
    return [x[0], Shaped(x[0].shape, i64)]


def cross_entropy(x: Operands, a: Attributes) -> list[Shaped]:
    """A scalar, or one loss a target without reduction; logits are [classes] or [batch, classes]."""
    if len(x[0].shape) not in (1, 2):
        raise fail(f"logits must have shape [classes] or [batch, classes], got {x[0]}")
    if is_float(x[1].dtype):
        raise fail("targets must be class numbers, class probabilities are not supported")
    require_integer(x[1], "target")
    require_shape(x[1], x[0].shape[:-1], "target")
    if len(x) == 3:
        require_shape(x[2], x[0].shape[-1:], "weight")
    if a["reduction"] not in ("none", "mean", "sum"):
        raise fail(f'reduction must be "none", "mean" or "sum", got "{a["reduction"]}"')
    return [Shaped(x[1].shape if a["reduction"] == "none" else (), floats_only(x, a)[0].dtype)]


# Pooling


def _pooled(x: Operands, a: Attributes, dilation: tuple[int, int]) -> list[Shaped]:
    if len(x[0].shape) not in (3, 4):
        raise fail(f"input must have rank 3 or 4, got {x[0]}")
    kernel, padding = pair(a["kernel_size"]), pair(a["padding"])
    stride = pair(a["stride"] or a["kernel_size"])
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise fail(f"padding {list(padding)} is more than half of the kernel {list(kernel)}")
    image = zip(x[0].shape[-2:], kernel, stride, padding, dilation, strict=True)
    sizes = (_windows(*setting, ceil=a["ceil_mode"]) for setting in image)
    return [Shaped((*x[0].shape[:-2], *sizes), x[0].dtype)]


def max_pool2d(x: Operands, a: Attributes) -> list[Shaped]:
    """The positions of the window in the last two dimensions; the operand's dtype."""
    return _pooled(x, a, pair(a["dilation"]))


def avg_pool2d(x: Operands, a: Attributes) -> list[Shaped]:
    """The positions of the window in the last two dimensions; the operand's dtype, a float."""
    floats_only(x, a)
    return _pooled(x, a, (1, 1))


def adaptive_pool2d(x: Operands, a: Attributes) -> list[Shaped]:
    """`output_size` as the last two dimensions; the operand's dtype, a float."""
    if len(x[0].shape) not in (3, 4):
        raise fail(f"input must have rank 3 or 4, got {x[0]}")
    size = pair(a["output_size"])
    if min(size) < 0:
        raise fail(f"output_size {list(size)} is negative")
    return [Shaped((*x[0].shape[:-2], *size), floats_only(x, a)[0].dtype)]
