"""Tensors that share memory: what a tensor of the graph sees of a storage, and how a value is put there through it.

Every tensor has a *geometry*: a tensor on the meta device with the shape, strides and offset that PyTorch gives it and,
as its storage, that of all its aliases. So PyTorch itself says what is a view and what a copy: `contiguous` of a
contiguous tensor shares the storage of its operand, of a transposed one it does not.

A storage holds one functional value, in the geometry of the tensor that made it. A view is written in one of two ways:

* backwards through the operators that made it, each by its counterpart (`WRITE_BACK`):

      rows = slice(base, 0, 1, 3)             // rows' = select_scatter(rows, new, 1, 0)
      view = select(rows, 1, 0)               // base' = slice_scatter(base, rows', 0, 1, 3)

* if one of them has none, at the places of its elements in the storage, which strides and offset tell:

      view = diagonal(base)                   // base' = index_put(flat base, places, new)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

import torch
from torch._ops import OpOverload

from sambaflow.errors import InputError, Location
from sambaflow.frontends.calls import (
    Call,
    Value,
    aten,
    can_decompose,
    constant,
    leaves_of,
    run_on_meta,
    shell,
    signature,
)
from sambaflow.frontends.conversions import DTYPES
from sambaflow.frontends.refusals import dtype_lever


class Storage:
    """Memory: its contents as one value, laid out as `geometry`; `version` counts the writes."""

    def __init__(self, value: Value, geometry: torch.Tensor | None = None) -> None:
        self.value = value
        self.version = 0
        self._geometry = geometry

    @property
    def geometry(self) -> torch.Tensor:
        if self._geometry is None:
            self._geometry = shell(self.value)
        return self._geometry


class FxTensor:
    """A tensor of the FX graph: what it sees of a storage.

    `value` is what it saw at `version` of the storage. A view has a `parent`, the tensor that it was made of, and, if
    it is what one operator makes of the parent alone, that call as `view`.
    """

    def __init__(
        self,
        value: Value,
        storage: Storage | None = None,
        geometry: torch.Tensor | None = None,
        parent: FxTensor | None = None,
        view: Call | None = None,
    ) -> None:
        self.value = value
        self.storage = storage if storage is not None else Storage(value, geometry)
        self.parent, self.view = parent, view
        self.version = self.storage.version
        self._geometry = geometry

    @property
    def geometry(self) -> torch.Tensor:
        return self._geometry if self._geometry is not None else self.storage.geometry

    @property
    def is_whole(self) -> bool:
        """Whether it sees the storage as it is."""
        return same_geometry(self.geometry, self.storage.geometry)

    def seen_as(self, geometry: torch.Tensor) -> FxTensor:
        """The alias that `geometry` describes; its value is read when it is asked for."""
        alias = FxTensor(Value(tuple(geometry.shape), geometry.dtype), self.storage, geometry, self)
        alias.version = -1
        return alias


def same_geometry(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two aliases see the same elements in the same places."""
    if a is b:
        return True
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and a.storage_offset() == b.storage_offset()
        and all(n < 2 or s == t for n, s, t in zip(a.shape, a.stride(), b.stride(), strict=True))
    )


def source_of(geometry: torch.Tensor, tensors: list[FxTensor]) -> FxTensor | None:
    """The tensor whose memory a result shares, or None for memory of its own."""
    memory = _memory(geometry)
    return next((tensor for tensor in tensors if _memory(tensor.geometry) == memory), None)


@cache
def may_share(target: OpOverload[..., Any]) -> bool:
    """Whether results may share memory with operands: by the schema, or unsaid (composites and `unsafe` ones)."""
    own = signature(target)
    return own.gives_view or own.base.startswith(("unsafe_", "_unsafe_")) or can_decompose(target)


def _memory(geometry: torch.Tensor) -> int:
    storage: Any = geometry.untyped_storage()
    return getattr(storage, "_cdata")  # noqa: B009, meta tensors all have the address 0


def places(tensor: FxTensor, location: Location | None) -> torch.Tensor:
    """For each element of `tensor` its row-major position in the storage's value.

    InputError if it sees other memory, or other elements in it.
    """
    base, view = tensor.storage.geometry, tensor.geometry
    if base.dtype != view.dtype:
        foreign = [str(dtype) for dtype in (base.dtype, view.dtype) if dtype not in DTYPES]
        if foreign:
            raise InputError(
                f"tensors of {foreign[0]} are not supported", location=location, levers=[dtype_lever(foreign)]
            )
        raise InputError(
            f"a tensor of {base.dtype} is written or read in place as {view.dtype}",
            location=location,
            levers=["convert a copy of the tensor with .to()"],
        )
    table = torch.full((max(end_of(base), end_of(view)),), -1, dtype=torch.int64)
    positions = torch.arange(base.numel()).reshape(base.shape)
    table.as_strided(base.shape, base.stride(), base.storage_offset()).copy_(positions)
    seen = table.as_strided(view.shape, view.stride(), view.storage_offset())
    if bool((seen < 0).any()):
        raise InputError("a view reads memory that its tensor does not fill", location=location)
    return seen.contiguous()


def refuse_overlap(tensor: FxTensor, operator: str, location: Location | None) -> None:
    """InputError if one element in memory is several elements of a tensor that an operator writes."""
    for geometry in (tensor.geometry, tensor.storage.geometry):
        if overlaps(geometry):
            raise InputError(
                "writes a tensor of which several elements are one in memory (an expanded tensor)",
                op=operator,
                location=location,
                levers=["write a copy: .clone() before it"],
            )


def end_of(geometry: torch.Tensor) -> int:
    """The first position of the storage behind all elements."""
    if geometry.numel() == 0:
        return 0
    reach = sum((n - 1) * s for n, s in zip(geometry.shape, geometry.stride(), strict=True))
    return 1 + int(geometry.storage_offset()) + reach


def overlaps(geometry: torch.Tensor) -> bool:
    """Whether two elements stand at one place. Strides that each step over all of the smaller ones do not."""
    reach = 0
    steps = sorted((s, n) for n, s in zip(geometry.shape, geometry.stride(), strict=True) if n > 1)
    for stride, count in steps:
        if stride <= reach:
            break
        reach += stride * (count - 1)
    else:
        return False
    if any(stride == 0 for stride, _ in steps):
        return True
    table = torch.zeros(end_of(geometry), dtype=torch.bool)
    table.as_strided(geometry.shape, geometry.stride(), geometry.storage_offset()).fill_(True)
    return int(table.sum()) < geometry.numel()


WriteBack: TypeAlias = Callable[[Mapping[str, Any], Value], "tuple[OpOverload[..., Any], tuple[Any, ...]]"]


def write_back(view: Call, parent: Value, new: Value, location: Location | None) -> Call | None:
    """The call whose result is `parent` with `new` in the place of the view; None if no single operator does that."""
    rule = WRITE_BACK.get(view.name)
    if rule is None:
        return None
    target, args = rule(view.arguments(), parent)
    operands = (parent, new) if "scatter" in target.__name__ else (new,)
    return Call(target, (*operands, *args), {}, location)


def _permuted(dims: list[int]) -> tuple[OpOverload[..., Any], tuple[Any, ...]]:
    """The permutation `dims` backwards."""
    order = [dim % len(dims) for dim in dims]
    return aten.permute.default, ([order.index(i) for i in range(len(order))],)


def _transposed(first: str, second: str) -> WriteBack:
    return lambda a, parent: (aten.transpose.int, (a[first], a[second]))


def _moved(a: Mapping[str, Any], parent: Value) -> tuple[OpOverload[..., Any], tuple[Any, ...]]:
    """movedim: the dimensions that are not named keep their order."""
    source, destination = (
        [dim % len(parent.shape) for dim in ([a[name]] if isinstance(a[name], int) else a[name])]
        for name in ("source", "destination")
    )
    rest = iter(dim for dim in range(len(parent.shape)) if dim not in source)
    return _permuted(
        [source[destination.index(dim)] if dim in destination else next(rest) for dim in range(len(parent.shape))]
    )


def _narrowed(a: Mapping[str, Any], parent: Value) -> tuple[OpOverload[..., Any], tuple[Any, ...]]:
    start = a["start"] + (parent.shape[a["dim"]] if a["start"] < 0 else 0)
    return aten.slice_scatter.default, (a["dim"], start, start + a["length"])


RESHAPES = frozenset(
    f"aten.{name}"
    for name in (
        "view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "squeeze.dim", "squeeze.dims",
        "flatten.using_ints", "unflatten.int", "view_as", "reshape_as", "ravel",
    )
)  # fmt: skip
"""Operators that keep the row-major sequence of the elements."""

WRITE_BACK: Mapping[str, WriteBack] = {
    "aten.transpose.int": _transposed("dim0", "dim1"),
    "aten.swapaxes": _transposed("axis0", "axis1"),
    "aten.swapdims": _transposed("dim0", "dim1"),
    "aten.t": lambda a, parent: _permuted([*range(len(parent.shape))][::-1]),
    "aten.numpy_T": lambda a, parent: _permuted([*range(len(parent.shape))][::-1]),
    "aten.mT": lambda a, parent: (aten.transpose.int, (-2, -1)),
    "aten.permute": lambda a, parent: _permuted(list(a["dims"])),
    "aten.movedim.int": _moved,
    "aten.movedim.intlist": _moved,
    "aten.moveaxis.int": _moved,
    "aten.moveaxis.intlist": _moved,
    "aten.slice.Tensor": lambda a, parent: (
        aten.slice_scatter.default,
        (a["dim"], a["start"], a["end"], a["step"]),
    ),
    "aten.narrow": _narrowed,
    "aten.select.int": lambda a, parent: (aten.select_scatter.default, (a["dim"], a["index"])),
    **{name: (lambda a, parent: (aten.view.default, (list(parent.shape),))) for name in RESHAPES},
}  # fmt: skip
"""For each view the operator, and its arguments after the tensors, that puts the view's new value into its parent.
Scatters take the parent first, the others the value alone."""


def part(view: Call, results: list[Value], number: int) -> Call:
    """The call that makes one of the results by itself: a piece of a split is a slice, one of unbind a selection."""
    dim = view.arguments()["dim"]
    if view.name.startswith("aten.unbind"):
        return Call(aten.select.int, (view.args[0], dim, number), {}, view.location)
    start = sum(result.shape[dim] for result in results[:number])
    end = start + results[number].shape[dim]
    return Call(aten.slice.Tensor, (view.args[0], dim, start, end), {}, view.location)


def parts_are_slices(view: Call) -> bool:
    """Whether `part` knows the operator."""
    return view.name.split(".")[1] in ("split", "split_with_sizes", "chunk", "unbind", "tensor_split", "unsafe_split")


class Memory:
    """Reads and writes tensors, their aliases included; `pure` gives the results of a call on values."""

    def __init__(self, pure: Callable[[Call], list[Value]]) -> None:
        self.pure = pure

    def read(self, tensor: FxTensor) -> Value:
        """The value that `tensor` has now."""
        storage = tensor.storage
        if tensor.version != storage.version:
            tensor.value = self._seen(tensor)
            tensor.version = storage.version
        return tensor.value

    def write(self, tensor: FxTensor, value: Value, operator: str, location: Location | None) -> None:
        """Give `tensor`, and all that share memory with it, a new value. InputError where PyTorch writes no tensor."""
        refuse_overlap(tensor, operator, location)
        self._write(tensor, value, location)

    def alias(self, call: Call, pure: Call, results: list[Value], geometries: list[torch.Tensor]) -> list[FxTensor]:
        """The results of a call on tensors (`pure`: on their values), each an alias of the one whose storage it has."""
        tensors = leaves_of(FxTensor, (call.args, call.kwargs))
        aliases: list[FxTensor] = []
        for number, (value, geometry) in enumerate(zip(results, geometries, strict=True)):
            source = source_of(geometry, tensors)
            if source is None:
                aliases.append(FxTensor(value, geometry=geometry))
            else:
                first = bool(call.args) and call.args[0] is source
                view = _view(pure, results, number, source, geometry) if first else None
                aliases.append(FxTensor(value, source.storage, geometry, source, view))
        return aliases

    def gather(self, view: Call) -> list[Value]:
        """The result of a view, which PyTorch itself makes of the positions of its operand's elements."""
        source: Value = view.args[0]
        positions = torch.arange(math.prod(source.shape)).reshape(source.shape)
        indices = constant(view.target(positions, *view.args[1:], **view.kwargs).contiguous())
        flat = self._flat(source, view.location)
        return self.pure(Call(aten.index.Tensor, (flat, [indices]), {}, view.location))

    def at_places(self, tensor: FxTensor, location: Location | None = None) -> Value:
        """What `tensor` sees of its storage, gathered from the places of its elements."""
        indices = constant(places(tensor, location))
        flat = self._flat(tensor.storage.value, location)
        return self.pure(Call(aten.index.Tensor, (flat, [indices]), {}, location))[0]

    def _seen(self, tensor: FxTensor) -> Value:
        if tensor.is_whole:
            return tensor.storage.value
        parent, view = tensor.parent, tensor.view
        if parent is not None and same_geometry(parent.geometry, tensor.geometry):
            return self.read(parent)
        if parent is None or view is None:
            return self.at_places(tensor)
        return self.pure(Call(view.target, (self.read(parent), *view.args[1:]), view.kwargs, view.location))[0]

    def _write(self, tensor: FxTensor, value: Value, location: Location | None) -> None:
        storage, parent = tensor.storage, tensor.parent
        if tensor.is_whole:
            storage.value = value
            storage.version += 1
        elif parent is not None and same_geometry(parent.geometry, tensor.geometry):
            self._write(parent, value, location)
        else:
            back = None  # a parent of which elements are one in memory would keep the old value in some of them
            if parent is not None and tensor.view is not None and not overlaps(parent.geometry):
                back = write_back(tensor.view, self.read(parent), value, location)
            if parent is not None and back is not None:
                self._write(parent, self.pure(back)[0], location)
            else:
                storage.value = self._put(tensor, value, location)
                storage.version += 1
        tensor.value, tensor.version = value, storage.version

    def _put(self, tensor: FxTensor, value: Value, location: Location | None) -> Value:
        """The storage's value with `value` at the places of the tensor's elements."""
        whole = tensor.storage.value
        indices = constant(places(tensor, location).reshape(-1))
        arguments = (self._flat(whole, location), [indices], self._flat(value, location))
        flat = self.pure(Call(aten.index_put.default, arguments, {}, location))[0]
        return self.pure(Call(aten.view.default, (flat, list(whole.shape)), {}, location))[0]

    def _flat(self, value: Value, location: Location | None) -> Value:
        return self.pure(Call(aten.view.default, (value, [-1]), {}, location))[0]


def _view(call: Call, results: list[Value], number: int, source: FxTensor, geometry: torch.Tensor) -> Call | None:
    """The call that makes one result of its first operand, if that does not depend on strides."""
    if call.name in STRIDED:
        return None
    if signature(call.target).gives_one:
        return call
    if not parts_are_slices(call):
        return None
    view = part(call, results, number)
    (alone,) = run_on_meta(view.target, (source.geometry, *view.args[1:]), view.kwargs)
    return view if same_geometry(alone, geometry) else None


PLAIN_VIEWS = frozenset({"aten.diagonal", "aten.unfold", "aten.diagonal_copy", "aten.unfold_copy"})
"""Views that are no other operators, and whose elements do not depend on strides."""

STRIDED = frozenset({"aten.as_strided", "aten.as_strided_"})
"""Operators that see the storage, not the tensor."""
