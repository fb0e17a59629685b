"""In-place operators as functional ones, whose results are then written to what they update.

add_(x, y)                       x' = add(x, y)
add.out(x, y, out=z)             z' = add(x, y)
x.t_(), x.unsqueeze_(0)          x is from then on another view of its memory
_foreach_add_([x, y], 1)         x' = add(x, 1); y' = add(y, 1)
batch_norm(training=True)        running statistics are written though its schema does not say so
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch._ops import OpOverload

from sambaflow.errors import InputError
from sambaflow.frontends.aliases import STRIDED, FxTensor, Memory, places, same_geometry
from sambaflow.frontends.calls import (
    Call,
    Value,
    aten,
    constant,
    functional_form,
    leaves_of,
    map_only,
    run_on_meta,
    signature,
)

REFUSED: Mapping[str, str] = {
    "set_": "gives a tensor the memory of another one",
    "resize_": "changes the size of a tensor in place",
    "resize_as_": "changes the size of a tensor in place",
    "resize": "changes the size of a tensor in place",
    "_has_compatible_shallow_copy_type": "assigns to .data, which an exported program does not say",
}
"""Operators that change what memory a tensor has, by what they do."""

_VIEWS = frozenset(
    {"t_", "transpose_", "swapaxes_", "swapdims_", "unsqueeze_", "squeeze_", "as_strided_", "detach_"}
)  # fmt: skip
"""Operators that make another view of the same memory of their operand."""

_WRITES_AT_INDICES = frozenset(
    {"index_put_", "index_copy_", "index_add_", "index_reduce_", "scatter_", "scatter_add_", "scatter_reduce_", "put_",
     "masked_scatter_"}
)  # fmt: skip


def refuse(call: Call) -> None:
    """InputError for an operator that is in `REFUSED`."""
    what = REFUSED.get(signature(call.target).base)
    if what is not None:
        raise InputError(
            what, op=call.name, location=call.location, levers=["copy the elements with .copy_(), or make a new tensor"]
        )


def changes_view(target: OpOverload[..., Any]) -> bool:
    """Whether the operator gives its operand another shape or other strides and leaves the memory as it is."""
    return signature(target).base in _VIEWS


def seen_anew(call: Call) -> FxTensor:
    """What `x.t_()` makes of x: the tensor that x is from then on."""
    old: FxTensor = call.args[0]
    target = functional_form(call.target)
    assert target is not None
    (geometry,) = run_on_meta(target, (old.geometry, *call.args[1:]), call.kwargs)
    if same_geometry(old.geometry, geometry):
        return old
    view = Call(target, (old.value, *call.args[1:]), call.kwargs, call.location)
    value = Value(tuple(geometry.shape), geometry.dtype)
    alias = FxTensor(value, old.storage, geometry, old, None if view.name in STRIDED else view)
    alias.version = -1
    return alias


def carry_out(call: Call, memory: Memory, writes: bool = True) -> Any:
    """What an in-place operator on tensors returns, after it has written; None if it has no functional form.

    `writes` is False when the values are not known, after an error.
    """
    arguments = call.arguments()
    written = [leaf for name in signature(call.target).written for leaf in leaves_of(FxTensor, arguments[name])]
    if _is_same(call, written):
        return written[0]
    _refuse_own_elements(call, written)
    results = _new_values(call, written, memory)
    if results is None:
        return None
    for tensor, new in zip(written, results[len(results) - len(written) :] if writes else (), strict=writes):
        old = memory.read(tensor)
        if new.shape != old.shape:
            raise InputError(
                f"writes {list(new.shape)} into a tensor of {list(old.shape)}", op=call.name, location=call.location
            )
        if new.dtype != old.dtype:
            new = memory.pure(Call(aten.to.dtype, (new, old.dtype), {}, call.location))[0]
        memory.write(tensor, new, call.name, call.location)
    if signature(call.target).gives_view:
        return written[0] if signature(call.target).gives_one else written
    fresh = [FxTensor(value) for value in results[: len(results) - len(written)]]
    return fresh[0] if len(fresh) == 1 and signature(call.target).gives_one else fresh


def _is_same(call: Call, written: list[FxTensor]) -> bool:
    """`x.copy_(x)`: what export writes for `self.x += y`."""
    if signature(call.target).base != "copy_" or not isinstance(call.args[1], FxTensor):
        return False
    source = call.args[1]
    return source.storage is written[0].storage and same_geometry(source.geometry, written[0].geometry)


def _refuse_own_elements(call: Call, written: list[FxTensor]) -> None:
    """InputError for reading elements that are written in another place: what PyTorch reads there depends on the order
    of its loops. An operator that writes where indices say may write anywhere."""
    form = signature(call.target)
    elsewhere = form.base in _WRITES_AT_INDICES
    read = [value for name, value in call.arguments().items() if name not in form.written]
    for source in leaves_of(FxTensor, read):
        for target in written:
            if source.storage is not target.storage:
                continue
            if not elsewhere and same_geometry(source.geometry, target.geometry):
                continue
            if bool(torch.isin(places(source, call.location), places(target, call.location)).any()):
                raise InputError(
                    "reads elements that it writes, in another place", op=call.name, location=call.location,
                    levers=["read from .clone() of the source"],
                )  # fmt: skip


def _new_values(call: Call, written: list[FxTensor], memory: Memory) -> list[Value] | None:
    base = signature(call.target).base
    args, kwargs = map_only(FxTensor, memory.read, (call.args, call.kwargs))
    if base in ("copy_", "fill_", "zero_"):
        return [_filled(memory.read(written[0]), args[1] if len(args) > 1 else 0, call, memory)]
    functional = functional_form(call.target)
    if functional is None:
        return None
    outs = set(signature(call.target).names) - set(signature(functional).names)
    kwargs = {name: value for name, value in kwargs.items() if name not in outs}
    return memory.pure(Call(functional, args, kwargs, call.location))


def _filled(old: Value, source: Any, call: Call, memory: Memory) -> Value:
    """A number or a tensor, converted and broadcast to the tensor that it is copied to."""
    if not isinstance(source, Value):
        return constant(torch.full(old.shape, source, dtype=old.dtype))
    if source.dtype != old.dtype:
        source = memory.pure(Call(aten.to.dtype, (source, old.dtype), {}, call.location))[0]
    if source.shape == old.shape:
        return source
    extra = len(source.shape) - len(old.shape)
    if extra > 0:  # copy_ takes leading dimensions of size 1
        source = memory.pure(Call(aten.view.default, (source, list(source.shape[extra:])), {}, call.location))[0]
    return memory.pure(Call(aten.expand.default, (source, list(old.shape)), {}, call.location))[0]


# -- operators on lists of tensors -----------------------------------------------------------------------------------


def each(call: Call) -> list[Call] | None:
    """`_foreach_add_([x, y], 1)` as `add_(x, 1)` and `add_(y, 1)`; None for other operators."""
    base = signature(call.target).base
    if not base.startswith("_foreach_"):
        return None
    lists = [arg for arg in call.args if isinstance(arg, list | tuple)]
    calls: list[Call] = []
    for number in range(len(lists[0]) if lists else 0):
        args = tuple(arg[number] if isinstance(arg, list | tuple) else arg for arg in call.args)
        bound = next(_bound(base.removeprefix("_foreach_"), args, call.kwargs), None)
        if bound is None:
            return None
        calls.append(Call(*bound, call.location))
    return calls


def _bound(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[tuple[OpOverload[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """Overloads of an operator that take these arguments; positional ones may be its keyword-only arguments."""
    packet = getattr(aten, name, None)
    for overload in packet.overloads() if packet is not None else ():
        target: OpOverload[..., Any] = getattr(packet, overload)
        parameters = getattr(target, "_schema").arguments  # noqa: B009, PyTorch has no public name for it
        if len(args) > len(parameters) or any(a.is_out for a in parameters):
            continue
        pairs = list(zip(parameters, args, strict=False))
        if all(_fits(str(parameter.type), arg) for parameter, arg in pairs):
            places = tuple(arg for parameter, arg in pairs if not parameter.kwarg_only)
            named = {parameter.name: arg for parameter, arg in pairs if parameter.kwarg_only}
            yield target, places, {**named, **kwargs}


def _fits(type_name: str, argument: Any) -> bool:
    if isinstance(argument, FxTensor | Value):
        return "Tensor" in type_name and "List" not in type_name
    return "Tensor" not in type_name


# -- writes that a schema does not say -------------------------------------------------------------------------------


def updates_statistics(call: Call) -> bool:
    """Whether a normalization updates running statistics, of which its schema says nothing."""
    if signature(call.target).base not in ("batch_norm", "instance_norm", "native_batch_norm"):
        return False
    arguments = call.arguments()
    trains = arguments.get("training", arguments.get("use_input_stats"))
    return bool(trains) and arguments.get("running_mean") is not None


def with_written_statistics(call: Call) -> Call:
    """A training-mode batch norm as the overload that says what it writes. InputError for other normalizations."""
    a = call.arguments()
    if signature(call.target).base == "instance_norm":
        raise InputError(
            "updates running statistics", op=call.name, location=call.location,
            levers=["call .eval() on the model, or use track_running_stats=False"],
        )  # fmt: skip
    args = (a["input"], a["weight"], a["bias"], a["running_mean"], a["running_var"])
    return Call(aten._native_batch_norm_legit.default, (*args, True, a["momentum"], a["eps"]), {}, call.location)
