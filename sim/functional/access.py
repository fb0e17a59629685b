"""Access patterns as tensors: what a load, a store or a PMU port delivers at every point of its domain.

An access is linear in the counters of its domain, so in range it is a strided view of flat storage and nothing moves.
A pattern that leaves its tensor (a convolution's halo) is a strided view too, of a padded copy, as long as every bound
row owns its counters; everything else is index arithmetic with a mask.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sambaflow.errors import InputError
from sambaflow.sim.functional.dtypes import TORCH_DTYPES, from_bits

if TYPE_CHECKING:
    from sambaflow.backends.rdu.image import Access

_NAMES = {dtype: name for name, dtype in TORCH_DTYPES.items()}

Tensors = Sequence[torch.Tensor]


@dataclass(frozen=True)
class Bound:
    """One row of `Access.bounds`: in range iff 0 <= base + strides . x < extent."""

    base: int
    strides: tuple[int, ...]
    extent: int

    def span(self, extents: Sequence[int]) -> tuple[int, int]:
        """Smallest and largest value over the domain."""
        low = self.base + sum(min(0, s * (e - 1)) for s, e in zip(self.strides, extents, strict=True))
        high = self.base + sum(max(0, s * (e - 1)) for s, e in zip(self.strides, extents, strict=True))
        return low, high


class IndexOutOfRangeError(InputError):
    """An index that a program was given, or computed, leaves the tensor that it indexes."""

    def __init__(self, index: int, first: int, last: int, port: int) -> None:
        super().__init__(
            f"index {index} is out of range",
            demand=f"index {index}",
            limit=f"indices {first} to {last}",
            levers=["check the indices (token ids, positions) against the sizes that the program was compiled for"],
        )
        self.index, self.first, self.last, self.port = index, first, last, port

    def of(self, tensor: str, source: str) -> IndexOutOfRangeError:
        """The same, with the name of the tensor and of what the index was read from (unknown: empty)."""
        self.message = f"index {self.index}{source and f' of {source}'} is out of range{tensor and f' of {tensor}'}"
        return self


def read(access: Access, extents: Sequence[int], storage: torch.Tensor, indices: Tensors = ()) -> torch.Tensor:
    """The element at every point: a tensor of shape `extents`, a view of the flat `storage` where the pattern allows.

    `indices` are the values of the index ports (access.index_ports already looked up), each broadcastable to `extents`.
    Raises InputError when the pattern leaves the storage without a pad value, IndexOutOfRangeError when an index does.
    """
    shape = tuple(int(e) for e in extents)
    if 0 in shape:
        return storage.new_empty(shape)
    strides = [int(s) for s in access.strides]
    if not len(indices):
        rows = _live_bounds(access, shape)
        if not rows:
            view = _strided(storage, int(access.base), strides, shape)
            if view is not None:
                return view
        elif (padded := _padded_view(access, rows, shape, storage)) is not None:
            return padded
    if access.pad is None:
        _check_indices(access, shape, indices)
    address, inside = _addresses(access, shape, indices)
    if inside is None or (access.pad is None and bool(inside.all())):
        _check_range(address, storage)
        return storage[address].expand(shape)
    address, inside = torch.broadcast_tensors(address, inside)
    _check_range(torch.where(inside, address, 0), storage)
    return torch.where(inside, storage[torch.where(inside, address, 0)], _pad(access, storage.dtype)).expand(shape)


def write(
    access: Access,
    extents: Sequence[int],
    storage: torch.Tensor,
    values: torch.Tensor,
    indices: Tensors = (),
    conflict: str = "overwrite",
    mask: torch.Tensor | None = None,
) -> None:
    """Writes `values` (shape `extents`) into the flat `storage`; what is out of range or masked out is dropped.

    An index out of range is no point to drop: IndexOutOfRangeError, and nothing is written. Two points of one address:
    the later in row-major order wins, or with conflict "add" both add, in that order, in f32 rounded once (integers in
    their type).
    """
    shape = tuple(int(e) for e in extents)
    if 0 in shape:
        return
    values = values.expand(shape)
    strides = [int(s) for s in access.strides]
    if not len(indices) and mask is None and conflict == "overwrite" and not _live_bounds(access, shape):
        last = tuple(slice(-1, None) if s == 0 else slice(None) for s in strides)
        target = _strided(storage, int(access.base), strides, shape)
        if target is not None and _injective(strides, shape):
            target[last].copy_(values[last])
            return
    _check_indices(access, shape, indices, mask)
    address, inside = _addresses(access, shape, indices)
    if mask is not None:
        inside = mask if inside is None else inside & mask
    address = address.expand(shape).reshape(-1)
    flat = values.reshape(-1)
    if inside is not None:
        is_inside = inside.expand(shape).reshape(-1)
        address, flat = address[is_inside], flat[is_inside]
    if not address.numel():
        return
    _check_range(address, storage)
    if conflict == "add":
        total = storage.float() if storage.dtype.is_floating_point else storage.clone()
        storage.copy_(total.index_add_(0, address, flat.to(total.dtype)))
        return
    order = torch.arange(address.numel())
    last_writer = torch.zeros(storage.numel(), dtype=torch.int64).scatter_reduce_(0, address, order, "amax")
    winners = last_writer[address] == order
    storage[address[winners]] = flat[winners]


def _pad(access: Access, dtype: torch.dtype) -> torch.Tensor:
    if access.pad is None:
        raise InputError("an access leaves its tensor and has no pad value", levers=["recompile the PEF"])
    return from_bits(int(access.pad), _NAMES[dtype])


def _strided(storage: torch.Tensor, base: int, strides: Sequence[int], shape: Sequence[int]) -> torch.Tensor | None:
    """A view, or None when a stride is negative (torch has no such views)."""
    steps = [s if e > 1 else 0 for s, e in zip(strides, shape, strict=True)]
    if min(steps, default=0) < 0:
        return None
    top = base + sum(s * (e - 1) for s, e in zip(steps, shape, strict=True))
    if base < 0 or top >= storage.numel():
        raise InputError(
            "an access reads or writes outside its storage",
            demand=f"elements {base}..{top}",
            limit=f"{storage.numel()} elements",
        )
    return storage.as_strided(tuple(shape), steps, storage.storage_offset() + base)


def _bounds(access: Access) -> list[Bound]:
    return [Bound(int(r[0]), tuple(int(v) for v in r[1:-1]), int(r[-1])) for r in access.bounds]


def _live_bounds(access: Access, shape: Sequence[int]) -> list[Bound]:
    """The bound rows that some point of the domain violates."""

    def violated(row: Bound) -> bool:
        low, high = row.span(shape)
        return low < 0 or high >= row.extent

    return [row for row in _bounds(access) if violated(row)]


def _padded_view(
    access: Access, rows: list[Bound], shape: tuple[int, ...], storage: torch.Tensor
) -> torch.Tensor | None:
    """The pattern as a strided view of a padded copy.

    With w_b the storage stride of bound row b, the address is base + sum of free counters + sum of w_b * row_b(x): the
    copy has one dimension for each free counter that moves and one for each row's range.
    """
    strides = [int(s) for s in access.strides]
    owner: dict[int, int] = {}
    weights: list[int] = []
    for number, row in enumerate(rows):
        support = [d for d, s in enumerate(row.strides) if s and shape[d] > 1]
        if not support or any(d in owner for d in support):
            return None
        first = support[0]
        weight, rest = divmod(strides[first], row.strides[first])
        if rest or any(strides[d] != weight * row.strides[d] or row.strides[d] < 0 for d in support):
            return None
        owner.update((d, number) for d in support)
        weights.append(weight)
    if min(weights) < 0 or any(s < 0 for d, s in enumerate(strides) if d not in owner and shape[d] > 1):
        return None
    free = [d for d, s in enumerate(strides) if d not in owner and s and shape[d] > 1]
    spans = [row.span(shape) for row in rows]
    sizes = [shape[d] for d in free] + [high - low + 1 for low, high in spans]
    if math.prod(sizes) > 4 * math.prod(shape):
        return None
    padded = _pad(access, storage.dtype).expand(sizes).clone()
    inside = [(max(low, 0), min(high, row.extent - 1)) for (low, high), row in zip(spans, rows, strict=True)]
    if all(a <= b for a, b in inside):
        origin = int(access.base) + sum(
            w * (a - row.base) for w, row, (a, _) in zip(weights, rows, inside, strict=True)
        )
        source = _strided(
            storage,
            origin,
            [strides[d] for d in free] + weights,
            [shape[d] for d in free] + [b - a + 1 for a, b in inside],
        )
        if source is None:
            return None
        window = tuple(
            [slice(None)] * len(free) + [slice(a - s[0], b - s[0] + 1) for (a, b), s in zip(inside, spans, strict=True)]
        )
        padded[window] = source
    steps = [0] * len(shape)
    for position, d in enumerate(free):
        steps[d] = padded.stride(position)
    for d, number in owner.items():
        steps[d] = rows[number].strides[d] * padded.stride(len(free) + number)
    offset = sum(
        (row.base - low) * padded.stride(len(free) + b)
        for b, (row, (low, _)) in enumerate(zip(rows, spans, strict=True))
    )
    return padded.as_strided(shape, steps, offset)


def linear_form(base: int, strides: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """base + strides . x over the domain, of size 1 along counters that do not matter."""
    total = torch.full((1,) * len(shape), base, dtype=torch.int64)
    for d, (stride, extent) in enumerate(zip(strides, shape, strict=True)):
        if stride and extent > 1:
            line = torch.arange(extent, dtype=torch.int64) * stride
            total = total + line.reshape([-1 if i == d else 1 for i in range(len(shape))])
    return total


def _addresses(access: Access, shape: Sequence[int], indices: Tensors) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Address and in-range mask (None: everywhere), broadcastable to the domain."""
    address = linear_form(int(access.base), [int(s) for s in access.strides], shape)
    indices = [value.clamp(-_FAR, _FAR) if value.dtype == torch.int64 else value for value in indices]
    for value, stride in zip(indices, access.index_strides, strict=True):
        address = address + value.to(torch.int64) * int(stride)
    inside: torch.Tensor | None = None
    for number, row in enumerate(_bounds(access)):
        terms = [int(t) for t in access.bound_index[number]] if len(indices) else []
        low, high = row.span(shape)
        if not any(terms) and low >= 0 and high < row.extent:
            continue
        form = linear_form(row.base, row.strides, shape)
        for value, term in zip(indices, terms, strict=True):
            if term:
                form = form + value.to(torch.int64) * term
        ok = (form >= 0) & (form < row.extent)
        inside = ok if inside is None else inside & ok
    return address, inside


def _check_indices(access: Access, shape: Sequence[int], indices: Tensors, mask: torch.Tensor | None = None) -> None:
    """Refuses the first index with which a bound row leaves its extent at a point that counts."""
    for row, terms in zip(_bounds(access), access.bound_index, strict=True) if len(indices) else ():
        used = [(port, int(term)) for port, term in enumerate(terms) if term]
        if not used:
            continue
        offset = form = linear_form(row.base, row.strides, shape)
        for port, term in used:
            form = form + indices[port].to(torch.int64).clamp(-_FAR, _FAR) * term
        outside = (form < 0) | (form >= row.extent)
        if mask is not None:
            outside = outside & mask
        if not bool(outside.any()):
            continue
        point = torch.nonzero(outside.expand(shape))[0]
        at = [value.expand(shape)[tuple(point)] for value in (offset, *indices)]
        port, term = used[0]
        rest = int(at[0]) + sum(int(at[1 + other]) * factor for other, factor in used[1:])
        ends = sorted((-rest / term, (row.extent - 1 - rest) / term))
        raise IndexOutOfRangeError(int(at[1 + port]), math.ceil(ends[0]), math.floor(ends[1]), port)


_FAR = 1 << 40
"""An index beyond any tensor, whose address does not overflow."""


def _check_range(address: torch.Tensor, storage: torch.Tensor) -> None:
    low, high = int(address.min()), int(address.max())
    if low < 0 or high >= storage.numel():
        raise InputError(
            "an indexed access leaves its tensor",
            demand=f"elements {low}..{high}",
            limit=f"{storage.numel()} elements",
            levers=["check the index inputs (token ids, positions) against the sizes the PEF was compiled for"],
        )


def _injective(strides: Sequence[int], shape: Sequence[int]) -> bool:
    """No two points share an address, sorting the moving counters by stride (stride-0 counters are handled apart)."""
    reach = 0
    for stride, extent in sorted((s, e) for s, e in zip(strides, shape, strict=True) if s and e > 1):
        if stride <= reach:
            return False
        reach += stride * (extent - 1)
    return True
