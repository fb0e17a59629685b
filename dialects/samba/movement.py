"""Shape inference of the operators that move, index and create elements; see `inference`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sambaflow.dialects.samba.inference import (
    Attributes,
    Operands,
    Rule,
    Shape,
    Shaped,
    broadcast,
    dim_index,
    dim_indices,
    fail,
    is_bool,
    replaced,
    require_integer,
    require_rank,
    require_same_dtype,
    require_shape,
    result_dtype,
    sized_dim,
)

MOST_PIECES = 1 << 16
"""Results of one operator."""

# Views and other data movement


def resolved_size(shape: Shape, size: Sequence[int]) -> Shape:
    """The target shape of view, with one -1 filled in."""
    total, known = math.prod(shape), math.prod(s for s in size if s != -1)
    if list(size).count(-1) > 1:
        raise fail(f"size {list(size)} has more than one -1")
    result = tuple((total // known if known else 0) if s == -1 else s for s in size)
    if math.prod(result) != total or any(s < 0 for s in result):
        raise fail(f"cannot view {list(shape)} ({total} elements) as {list(size)}")
    return result


def view(x: Operands, a: Attributes) -> list[Shaped]:
    """The shape `size`, a -1 filled in; the operand's dtype."""
    return [Shaped(resolved_size(x[0].shape, a["size"]), x[0].dtype)]


def flatten(x: Operands, a: Attributes) -> list[Shaped]:
    """Dimensions `start_dim` to `end_dim` as their product."""
    shape = x[0].shape or (1,)
    start, end = (dim_index(a[name], len(shape), name) for name in ("start_dim", "end_dim"))
    if start > end:
        raise fail(f"start_dim = {a['start_dim']} comes after end_dim = {a['end_dim']}")
    return [Shaped((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]), x[0].dtype)]


def unflatten(x: Operands, a: Attributes) -> list[Shaped]:
    """Dimension `dim` as `sizes`, a -1 filled in."""
    shape = x[0].shape
    dim = dim_index(a["dim"], len(shape))
    return [Shaped((*shape[:dim], *resolved_size(shape[dim : dim + 1], a["sizes"]), *shape[dim + 1 :]), x[0].dtype)]


def permutation(shape: Shape, name: str, a: Attributes) -> list[int]:
    """The source dimension of each result dimension of transpose, t and permute."""
    rank = len(shape)
    if name == "permute":
        dims = [dim_index(dim, rank) for dim in a["dims"]]
        if sorted(dims) != list(range(rank)):
            raise fail(f"dims = {list(a['dims'])} is not a permutation of {rank} dimensions")
        return dims
    if name == "t":
        if rank > 2:
            raise fail(f"t needs rank 2 or less, got rank {rank}")
        return list(range(rank))[::-1]
    dims = list(range(rank))
    first, second = dim_index(a["dim0"], rank, "dim0"), dim_index(a["dim1"], rank, "dim1")
    if rank:
        dims[first], dims[second] = second, first
    return dims


def permuted(name: str) -> Rule:
    """The rule of transpose, t and permute: the operand's dimensions in another order."""

    def rule(x: Operands, a: Attributes) -> list[Shaped]:
        return [Shaped(tuple(x[0].shape[dim] for dim in permutation(x[0].shape, name, a)), x[0].dtype)]

    return rule


def unsqueeze(x: Operands, a: Attributes) -> list[Shaped]:
    """A dimension of size 1 at `dim`."""
    dim = dim_index(a["dim"], len(x[0].shape) + 1)
    return [Shaped((*x[0].shape[:dim], 1, *x[0].shape[dim:]), x[0].dtype)]


def squeeze(x: Operands, a: Attributes) -> list[Shaped]:
    """Without dimensions of size 1: all, or those of `dim`."""
    shape = x[0].shape
    dims = range(len(shape)) if a["dim"] is None else [dim_index(dim, len(shape)) for dim in a["dim"]]
    return [Shaped(tuple(size for i, size in enumerate(shape) if size != 1 or i not in dims), x[0].dtype)]


def expand(x: Operands, a: Attributes) -> list[Shaped]:
    """The shape `size`, -1 keeping a dimension; the operand must broadcast to it."""
    shape, size = x[0].shape, a["size"]
    lead = len(size) - len(shape)
    if lead < 0:
        raise fail(f"cannot expand {x[0]} to the lower rank of {list(size)}")
    result = tuple(shape[i - lead] if s == -1 and i >= lead else s for i, s in enumerate(size))
    if min(result, default=0) < 0 or broadcast(shape, result) != result:
        raise fail(f"cannot expand {x[0]} to {list(size)}")
    return [Shaped(result, x[0].dtype)]


def slice_range(size: int, start: int | None, end: int | None, step: int) -> range:
    """The indices that slice takes, clamped as in PyTorch."""
    if step < 1:
        raise fail(f"step must be positive, got {step}")
    return range(*slice(start, end, step).indices(size))


def slice_(x: Operands, a: Attributes) -> list[Shaped]:
    """As many elements along `dim` as `start`, `end` and `step` take, clamped as in PyTorch."""
    dim, size = sized_dim(x[0], a["dim"])
    taken = slice_range(size, a["start"], a["end"], a["step"])
    return [Shaped(replaced(x[0].shape, dim, len(taken)), x[0].dtype)]


def _element(size: int, index: int) -> int:
    if not -size <= index < size:
        raise fail(f"index = {index} is out of range for a dimension of {size}")
    return index % size


def select(x: Operands, a: Attributes) -> list[Shaped]:
    """Without dimension `dim`."""
    dim, size = sized_dim(x[0], a["dim"])
    _element(size, a["index"])
    return [Shaped((*x[0].shape[:dim], *x[0].shape[dim + 1 :]), x[0].dtype)]


def split_sizes(size: int, name: str, a: Attributes) -> list[int]:
    """Sizes of the pieces of split (one size or a list), chunk and unbind."""
    if name == "split" and len(a["split_size"]) != 1:
        if sum(a["split_size"]) != size or min(a["split_size"], default=0) < 0:
            raise fail(f"split_size {list(a['split_size'])} does not add up to {size}")
        return list(a["split_size"])
    if name == "chunk" and a["chunks"] < 1:
        raise fail(f"chunks must be 1 or more, got {a['chunks']}")
    step = 1 if name == "unbind" else a["split_size"][0] if name == "split" else -(-size // a["chunks"])
    if step < 1:
        raise fail(f"cannot {name} a dimension of {size}: the size of a piece is {step}")
    if size > step * MOST_PIECES:
        raise fail(f"{name} of a dimension of {size} in pieces of {step} has more than {MOST_PIECES} results")
    return [min(step, size - start) for start in range(0, size, step)]


def pieces(name: str) -> Rule:
    """The rule of split, chunk and unbind: one result a piece along `dim`."""

    def rule(x: Operands, a: Attributes) -> list[Shaped]:
        dim, whole = sized_dim(x[0], a["dim"])
        shape = x[0].shape
        sizes = split_sizes(whole, name, a)
        if name == "unbind":
            return [Shaped((*shape[:dim], *shape[dim + 1 :]), x[0].dtype) for _ in sizes]
        return [Shaped(replaced(shape, dim, size), x[0].dtype) for size in sizes]

    return rule


def cat(x: Operands, a: Attributes) -> list[Shaped]:
    """The sum of the sizes along `dim`; the other dimensions are equal; the promoted dtype."""
    dim, _ = sized_dim(x[0], a["dim"])
    for value in x[1:]:
        if len(value.shape) != len(x[0].shape) or replaced(value.shape, dim, 0) != replaced(x[0].shape, dim, 0):
            raise fail(f"{value} and {x[0]} differ outside dimension {dim}")
    return [Shaped(replaced(x[0].shape, dim, sum(v.shape[dim] for v in x)), result_dtype(x))]


def stack(x: Operands, a: Attributes) -> list[Shaped]:
    """A new dimension at `dim`, as long as there are operands of one shape; the promoted dtype."""
    dim = dim_index(a["dim"], len(x[0].shape) + 1)
    if any(value.shape != x[0].shape for value in x):
        raise fail(f"shapes differ: {', '.join(map(str, x))}")
    return [Shaped((*x[0].shape[:dim], len(x), *x[0].shape[dim:]), result_dtype(x))]


def repeat(x: Operands, a: Attributes) -> list[Shaped]:
    """Each size times its number of repeats; more numbers than dimensions add dimensions in front."""
    lead = len(a["repeats"]) - len(x[0].shape)
    if lead < 0:
        raise fail(f"repeats {list(a['repeats'])} has fewer numbers than {x[0]} has dimensions")
    if min(a["repeats"], default=0) < 0:
        raise fail(f"repeats {list(a['repeats'])} is negative")
    sizes = ((1,) * lead) + x[0].shape
    return [Shaped(tuple(s * r for s, r in zip(sizes, a["repeats"], strict=True)), x[0].dtype)]


def repeat_interleave(x: Operands, a: Attributes) -> list[Shaped]:
    """The size of `dim` times `repeats`."""
    dim, size = sized_dim(x[0], a["dim"])
    if a["repeats"] < 0:
        raise fail(f"repeats {a['repeats']} is negative")
    return [Shaped(replaced(x[0].shape, dim, size * a["repeats"]), x[0].dtype)]


def constant_pad(x: Operands, a: Attributes) -> list[Shaped]:
    """Each dimension plus its two borders, the last dimension first in `pad`."""
    pad, shape = a["pad"], list(x[0].shape)
    if len(pad) % 2 or len(pad) > 2 * len(shape):
        raise fail(f"pad {list(pad)} does not fit {x[0]}")
    for i in range(len(pad) // 2):
        shape[-1 - i] += pad[2 * i] + pad[2 * i + 1]
    if min(shape, default=0) < 0:
        raise fail(f"pad {list(pad)} removes more than {x[0]} has")
    return [Shaped(tuple(shape), x[0].dtype)]


def flip(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape and dtype."""
    dim_indices(a["dims"], len(x[0].shape))
    return [x[0]]


def triangle(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape and dtype; rank 2 or more."""
    if len(x[0].shape) < 2:
        raise fail(f"operand must have rank 2 or more, got {x[0]}")
    return [x[0]]


# Indexing


def embedding(x: Operands, a: Attributes) -> list[Shaped]:
    """The indices' shape and the weight's columns; the weight's dtype."""
    require_rank(x[0], 2, "weight")
    require_integer(x[1], "indices")
    return [Shaped((*x[1].shape, x[0].shape[1]), x[0].dtype)]


def index_select(x: Operands, a: Attributes) -> list[Shaped]:
    """As many slices along `dim` as there are indices."""
    require_rank(x[1], 1, "index")
    require_integer(x[1], "index")
    return [Shaped(replaced(x[0].shape, dim_index(a["dim"], len(x[0].shape)), x[1].shape[0]), x[0].dtype)]


def indexed_shape(value: Shaped, indices: Operands, dims: Sequence[int]) -> Shape:
    """The shape of `value[...]` with index tensors at `dims`; indexed neighbours keep their place, others lead."""
    if len(indices) != len(dims) or not dims:
        raise fail(f"{len(indices)} index tensors for dims {list(dims)}")
    if list(dims) != sorted(set(dims)) or dims[0] < 0 or dims[-1] >= len(value.shape):
        raise fail(f"dims {list(dims)} must be ascending and below the rank of {value}")
    for index in indices:
        require_integer(index, "index")
        if is_bool(index.dtype):
            raise fail("the result of a boolean index depends on data")
    picked = broadcast(*(index.shape for index in indices))
    if dims[-1] - dims[0] + 1 == len(dims):
        return (*value.shape[: dims[0]], *picked, *value.shape[dims[-1] + 1 :])
    return (*picked, *(size for i, size in enumerate(value.shape) if i not in dims))


def index(x: Operands, a: Attributes) -> list[Shaped]:
    """The broadcast shape of the indices in the place of the indexed dimensions, in front if those are apart."""
    return [Shaped(indexed_shape(x[0], x[1:], a["dims"]), x[0].dtype)]


def index_put(x: Operands, a: Attributes) -> list[Shaped]:
    """The shape and dtype of `self`; the values broadcast to what is indexed."""
    require_same_dtype(x[:2], "self and values")
    shape = indexed_shape(x[0], x[2:], a["dims"])
    if broadcast(x[1].shape, shape) != shape:
        raise fail(f"values {x[1]} cannot be broadcast to the indexed {list(shape)}")
    return [x[0]]


def gather(x: Operands, a: Attributes) -> list[Shaped]:
    """The index's shape, the operand's dtype; outside `dim` the index may not exceed the operand."""
    dim = dim_index(a["dim"], len(x[0].shape))
    require_integer(x[1], "index")
    require_rank(x[1], len(x[0].shape), "index")
    if any(n > size for i, (n, size) in enumerate(zip(x[1].shape, x[0].shape, strict=True)) if i != dim):
        raise fail(f"index {x[1]} exceeds {x[0]} outside dimension {dim}")
    return [Shaped(x[1].shape, x[0].dtype)]


def scatter(x: Operands, a: Attributes) -> list[Shaped]:
    """The shape and dtype of `self`; the index fits `src`, and `self` outside `dim`."""
    gather(x, a)
    require_same_dtype([x[0], x[2]], "self and src")
    require_rank(x[2], len(x[1].shape), "src")
    if any(n > size for n, size in zip(x[1].shape, x[2].shape, strict=True)):
        raise fail(f"index {x[1]} exceeds src {x[2]}")
    return [x[0]]


def index_copy(x: Operands, a: Attributes) -> list[Shaped]:
    """The shape and dtype of `self`; the source has a slice for each index."""
    value, positions, source = x
    dim = dim_index(a["dim"], len(value.shape))
    require_rank(positions, 1, "index")
    require_integer(positions, "index")
    require_same_dtype([value, source], "self and source")
    require_shape(source, replaced(value.shape, dim, positions.shape[0]), "source")
    return [value]


def slice_scatter(x: Operands, a: Attributes) -> list[Shaped]:
    """The shape and dtype of `self`; `src` has the slice's shape."""
    require_same_dtype(x, "self and src")
    require_shape(x[1], slice_(x[:1], a)[0].shape, "src")
    return [x[0]]


def select_scatter(x: Operands, a: Attributes) -> list[Shaped]:
    """The shape and dtype of `self`; `src` has the element's shape."""
    require_same_dtype(x, "self and src")
    require_shape(x[1], select(x[:1], a)[0].shape, "src")
    return [x[0]]


# Creation, collectives


def full(x: Operands, a: Attributes) -> list[Shaped]:
    """The shape `size` in the dtype asked for."""
    if min(a["size"], default=0) < 0:
        raise fail(f"size {list(a['size'])} is negative")
    return [Shaped(tuple(a["size"]), a["dtype"])]


def arange(x: Operands, a: Attributes) -> list[Shaped]:
    """Rank 1, ceil((end - start) / step) elements."""
    if not a["step"]:
        raise fail("step must not be zero")
    if not all(math.isfinite(a[name]) for name in ("start", "end", "step")):
        raise fail("start, end and step must be finite")
    return [Shaped((max(0, math.ceil((a["end"] - a["start"]) / a["step"])),), a["dtype"])]


def _chips(a: Attributes) -> int:
    if a["chips"] < 1:
        raise fail(f"chips must be 1 or more, got {a['chips']}")
    return a["chips"]


def all_reduce(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape and dtype."""
    _chips(a)
    return [x[0]]


def all_gather(x: Operands, a: Attributes) -> list[Shaped]:
    """The size of `dim` times the chips."""
    dim, size = sized_dim(x[0], a["dim"])
    return [Shaped(replaced(x[0].shape, dim, size * _chips(a)), x[0].dtype)]


def reduce_scatter(x: Operands, a: Attributes) -> list[Shaped]:
    """The size of `dim` over the chips, which divide it."""
    dim, size = sized_dim(x[0], a["dim"])
    chips = _chips(a)
    if size % chips:
        raise fail(f"dimension {dim} of {x[0]} does not divide over {chips} chips")
    return [Shaped(replaced(x[0].shape, dim, size // chips), x[0].dtype)]


def all_to_all(x: Operands, a: Attributes) -> list[Shaped]:
    """The operand's shape and dtype; the chips divide `dim`."""
    reduce_scatter(x, a)
    return [x[0]]
