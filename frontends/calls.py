"""Values and the calls of ATen operators on them: what a graph is made of once aliases are resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import torch
from torch import fx
from torch._ops import OpOverload
from xdsl.ir import SSAValue

from sambaflow.errors import InputError, Location

aten: Any = torch.ops.aten


@dataclass(frozen=True)
class Signature:
    """What the schema of an ATen overload says: argument names, defaults, and what it does to its operands.

    `positional`: how many arguments may be given by position. `written`: arguments that it changes in place.
    `gives_one`: one tensor, neither a tuple nor a list. `gives_view`: a result may share memory with an operand.
    `gives_tensors`: some result is a tensor, not only numbers (`numel`).
    """

    name: str
    base: str
    names: tuple[str, ...]
    positional: int
    defaults: Mapping[str, Any]
    written: tuple[str, ...]
    is_mutable: bool
    gives_one: bool
    gives_view: bool
    gives_tensors: bool


@cache
def signature(target: OpOverload[..., Any]) -> Signature:
    """The signature of an overload; reading a schema takes 20 us."""
    schema = _schema(target)
    arguments, returns = schema.arguments, schema.returns
    return Signature(
        name=str(target).removesuffix(".default"),
        base=schema.name.split("::")[1],
        names=tuple(argument.name for argument in arguments),
        positional=sum(not argument.kwarg_only for argument in arguments),
        defaults={argument.name: argument.default_value for argument in arguments if argument.has_default_value()},
        written=tuple(argument.name for argument in arguments if _is_written(argument)),
        is_mutable=schema.is_mutable,
        gives_one=len(returns) == 1 and not isinstance(returns[0].type, torch.ListType),
        gives_view=any(result.alias_info is not None for result in returns),
        gives_tensors=not returns or any("Tensor" in str(result.type) for result in returns),
    )


def by_position(
    target: OpOverload[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same arguments with all by position that may be: a graph may name those that come first, too."""
    own, rest = signature(target), dict(kwargs)
    names = own.names[len(args) : own.positional]
    by_keyword = [index for index, name in enumerate(names) if name in rest]
    if not by_keyword:
        return args, rest
    return (*args, *(rest.pop(name, own.defaults.get(name)) for name in names[: by_keyword[-1] + 1])), rest


@cache
def functional_form(target: OpOverload[..., Any]) -> OpOverload[..., Any] | None:
    """The overload that takes what an in-place or `out=` overload takes and writes nothing, found by its schema.

    `aten.pow_.Scalar` -> `aten.pow.Tensor_Scalar`; `aten.add.out` -> `aten.add.Tensor`.
    """
    own = signature(target)
    base = own.base
    if base.startswith("__i"):
        base = f"__{base.removeprefix('__i')}"
    elif base.endswith("_"):
        base = base.removesuffix("_")
    packet = getattr(aten, _FUNCTIONAL_NAMES.get(base, base), None)
    for name in packet.overloads() if packet is not None else ():
        overload: OpOverload[..., Any] = getattr(packet, name)
        if not signature(overload).is_mutable and _takes(overload) == _takes(target):
            return overload
    return None


_FUNCTIONAL_NAMES = {"_native_batch_norm_legit": "_native_batch_norm_legit_functional"}


def _takes(target: OpOverload[..., Any]) -> list[tuple[str, str]]:
    """Names and types of the arguments, without those that only say where results go."""
    arguments = _schema(target).arguments
    return [(a.name, str(a.type)) for a in arguments if not (a.kwarg_only and _is_written(a))]


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def _schema(target: OpOverload[..., Any]) -> Any:
    return getattr(target, "_schema")  # noqa: B009, PyTorch has no public name for it


def can_decompose(target: OpOverload[..., Any]) -> bool:
    """Whether PyTorch defines the overload by other operators (it is composite)."""
    return getattr(target, "_can_decompose")()  # noqa: B009, PyTorch has no public name for it


LeafT = TypeVar("LeafT")


def leaves_of(kind: type[LeafT], tree: Any) -> list[LeafT]:
    """The leaves of one class in tuples, lists and dicts, in order; PyTorch's pytree takes five times as long."""
    if isinstance(tree, kind):
        return [tree]
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in leaves_of(kind, branch)]
    if isinstance(tree, dict):
        return [leaf for branch in tree.values() for leaf in leaves_of(kind, branch)]
    return []


def map_only(kind: type[LeafT], function: Callable[[LeafT], Any], tree: Any) -> Any:
    """The same tree with `function` applied to the leaves of one class."""
    if isinstance(tree, kind):
        return function(tree)
    if isinstance(tree, tuple):
        return tuple([map_only(kind, function, branch) for branch in tree])
    if isinstance(tree, list):
        return [map_only(kind, function, branch) for branch in tree]
    if isinstance(tree, dict):
        return {key: map_only(kind, function, branch) for key, branch in tree.items()}
    return tree


@dataclass(eq=False)
class Value:
    """A functional tensor: a value of the IR, a constant that no op stands for yet, or unknown (after an error)."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    ssa: SSAValue | None = None
    constant: torch.Tensor | None = None

    @property
    def known(self) -> bool:
        return self.ssa is not None or self.constant is not None


def constant(tensor: torch.Tensor) -> Value:
    """The value of a tensor whose elements are known; they are kept in row-major order, whatever its strides."""
    tensor = tensor.detach()
    if tensor.stride() != torch.empty(tensor.shape, device="meta").stride():
        tensor = tensor.clone(memory_format=torch.contiguous_format)
    return Value(tuple(tensor.shape), tensor.dtype, constant=tensor)


@dataclass(frozen=True)
class Call:
    """One operator on values: `arguments` by the names of its ATen schema, defaults filled in."""

    target: OpOverload[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    location: Location | None
    node: fx.Node | None = None

    @property
    def name(self) -> str:
        return signature(self.target).name

    def arguments(self) -> dict[str, Any]:
        schema = signature(self.target)
        return {**schema.defaults, **dict(zip(schema.names, self.args, strict=False)), **self.kwargs}

    def values(self) -> list[Value]:
        return leaves_of(Value, (self.args, self.kwargs))


def shell(value: Value) -> torch.Tensor:
    """A tensor of the value's shape and dtype without data."""
    return torch.empty(value.shape, dtype=value.dtype, device="meta")


def refuse_layout(tensor: torch.Tensor, what: str, location: Location | None = None) -> None:
    """InputError for a tensor whose elements are not at strides in one memory: sparse, nested or of oneDNN."""
    if tensor.layout != torch.strided or tensor.is_nested:
        layout = "nested" if tensor.is_nested else tensor.layout
        raise InputError(
            f"{what} is a tensor of layout {layout}", location=location, levers=["use dense tensors (.to_dense())"]
        )


def run_on_meta(target: OpOverload[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The results of an operator on tensors of the meta device, wherever the call says that they should be."""
    meta = torch.device("meta")
    args, named = map_only(torch.device, lambda device: meta, (args, dict(kwargs)))
    if "device" in named:
        named["device"] = meta
    with torch.no_grad():
        return leaves_of(torch.Tensor, target(*args, **named))


def result_shells(call: Call) -> list[torch.Tensor]:
    """The results of a call as tensors without data: as export noted at the node, else computed on the meta device."""
    noted = call.node.meta.get("val") if call.node is not None else None
    if noted is not None:
        return leaves_of(torch.Tensor, noted)
    args, kwargs = map_only(Value, shell, (call.args, dict(call.kwargs)))
    try:
        return run_on_meta(call.target, args, kwargs)
    except Exception as error:  # PyTorch raises what it likes
        raise raised_by_torch(call, error) from error


def raised_by_torch(call: Call, error: Exception) -> InputError:
    """What PyTorch's own operator says to a call, as a refusal of the call."""
    reason = (str(error).strip().splitlines() or [""])[0]
    return InputError(f"raised {type(error).__name__} in PyTorch: {reason}", op=call.name, location=call.location)
