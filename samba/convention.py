"""How a graph is called from Python: arguments bound by name and structure, as the module's own signature would.

    convention.bind(args, kwargs)      # the leaves of a call, in the order of the graph's inputs

What was compiled in must be what it was: a number, a flag, a string or None that differs from its value at compile is
refused with both values, and so is another structure.
"""

from __future__ import annotations

import inspect
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, Signature
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from sambaflow.errors import InputError

_NAMED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Convention:
    """How a graph is called, and the structure of what it returns.

    `inputs` and `outputs` run over the flattened structures: the name of a tensor, or None for a leaf that is no
    tensor; `values` and `constants` have, at such a leaf, what was compiled in and what the outputs give.
    """

    graph: str
    inputs: tuple[str | None, ...]
    values: tuple[Any, ...]
    outputs: tuple[str | None, ...]
    constants: tuple[Any, ...]
    in_spec: pytree.TreeSpec
    out_spec: pytree.TreeSpec
    signature: Signature

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], state: Collection[str]) -> dict[str, torch.Tensor]:
        """The tensors of a call by the names that `inputs` gives; those of `state` may be left out.

        Raises InputError for what the signature does not take, a structure that is not the compiled one, a value that
        is not the one compiled in, and for what is no tensor where one is due, or the other way round.
        """
        arguments = self._arguments(args, kwargs)
        tensors: dict[str, torch.Tensor] = {}
        position = 0
        for slot in self._slots:
            names = self.inputs[position : position + slot.spec.num_leaves]
            if slot.name in arguments:
                leaves = list(_leaves(slot.spec, arguments.pop(slot.name), slot.label, self.graph))
                for (label, leaf), name, value in zip(leaves, names, self.values[position:], strict=False):
                    if name is None:
                        self._check_constant(label, value, leaf)
                    else:
                        tensors[name] = self._tensor(label, leaf)
            elif not all(name in state for name in names):
                self._check_default(slot, position)
            position += slot.spec.num_leaves
        self._check_rest(arguments)
        return tensors

    def result(self, leaves: Iterable[Any]) -> Any:
        """What the module returns, of the leaves of the flattened outputs."""
        return _rebuilt(self.out_spec, iter(leaves))

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[Any, Any]:
        """What is given, by parameter; what *args and **kwargs take has a key of (parameter, index or name)."""
        try:
            bound = self.signature.bind_partial(*args, **kwargs).arguments
        except TypeError as error:
            raise self._refused(str(error)) from None
        arguments: dict[Any, Any] = {}
        for name, value in bound.items():
            kind = self.signature.parameters[name].kind
            if kind is Parameter.VAR_POSITIONAL:
                arguments |= {(name, index): item for index, item in enumerate(value)}
            elif kind is Parameter.VAR_KEYWORD:
                arguments |= {(name, key): item for key, item in value.items()}
            else:
                arguments[name] = value
        return arguments

    @cached_property
    def _slots(self) -> tuple[_Slot, ...]:
        """What was given at compile, in the order of the flattened inputs."""
        positional, keywords = _children(self.in_spec)
        parameters = list(self.signature.parameters.values())
        named = [parameter.name for parameter in parameters if parameter.kind in _NAMED]
        rest = next((parameter.name for parameter in parameters if parameter.kind is Parameter.VAR_POSITIONAL), "args")
        others = next((parameter.name for parameter in parameters if parameter.kind is Parameter.VAR_KEYWORD), "kwargs")
        slots: list[_Slot] = []
        for index, spec in enumerate(_children(positional)):
            own = named[index] if index < len(named) else (rest, index - len(named))
            slots.append(_Slot(own, spec))
        for key, spec in zip(keywords.context, _children(keywords), strict=True):
            own = key if key in self.signature.parameters else (others, key)
            slots.append(_Slot(own, spec))
        return tuple(slots)

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        """The values that parameters had at compile because nothing was given for them."""
        taken = {slot.name for slot in self._slots}
        return {
            parameter.name: parameter.default
            for parameter in self.signature.parameters.values()
            if parameter.name not in taken and parameter.default is not Parameter.empty
        }

    def _check_default(self, slot: _Slot, position: int) -> None:
        """An argument that was given at compile and is left out has its default; only what was compiled in will do."""
        parameter = self.signature.parameters.get(slot.name) if isinstance(slot.name, str) else None
        if parameter is None or parameter.default is Parameter.empty:
            raise self._refused(f"missing argument '{slot.label}'")
        leaves = _leaves(slot.spec, parameter.default, slot.label, self.graph)
        names = self.inputs[position:]
        for (label, leaf), name, value in zip(leaves, names, self.values[position:], strict=False):
            if name is not None:
                raise self._refused(f"missing argument '{label}': it was a tensor at compile, its default is {leaf!r}")
            self._check_constant(label, value, leaf)

    def _check_rest(self, arguments: Mapping[Any, Any]) -> None:
        """What is given and was not at compile must be the default, which was compiled in."""
        for name, value in arguments.items():
            if name not in self._defaults:
                label = name if isinstance(name, str) else name[1]
                what = f"argument {label}" if isinstance(label, int) else f"argument '{label}'"
                raise self._refused(f"{what} was not there at compile")
            default, spec = pytree.tree_flatten(self._defaults[name])
            for (label, leaf), constant in zip(_leaves(spec, value, name, self.graph), default, strict=True):
                self._check_constant(label, constant, leaf)

    def _check_constant(self, label: str, compiled: Any, value: Any) -> None:
        if not same_constant(compiled, value):
            raise InputError(
                f"argument '{label}' of graph '{self.graph}' is {_text(value)}, compiled with {_text(compiled)}",
                levers=["compile once for each value", "make it a tensor at compile if it is to vary"],
            )

    def _tensor(self, label: str, leaf: Any) -> torch.Tensor:
        if not isinstance(leaf, torch.Tensor):
            raise InputError(
                f"argument '{label}' of graph '{self.graph}' is {_text(leaf)}, not a tensor as it was at compile"
            )
        return usable(leaf, f"argument '{label}' of graph '{self.graph}'")

    def _refused(self, what: str) -> InputError:
        return InputError(f"graph '{self.graph}': {what}", demand=f"arguments {self.signature}")


@dataclass(frozen=True)
class _Slot:
    """One argument that was given at compile: a parameter, or (parameter, index or key) of *args and **kwargs."""

    name: Any
    spec: pytree.TreeSpec

    @property
    def label(self) -> str:
        return self.name if isinstance(self.name, str) else f"{self.name[0]}[{self.name[1]!r}]"


def signature_of(model: object, program: ExportedProgram) -> Signature:
    """The signature by which a model is called: the module's own, else that which an ExportedProgram remembers."""
    if isinstance(model, nn.Module):
        return inspect.signature(model.forward)
    own = next((entry.signature for entry in program.module_call_graph if entry.fqn == ""), None)
    assert program.call_spec.in_spec is not None
    return plain_signature(program.call_spec.in_spec, None if own is None else own.forward_arg_names)


def plain_signature(spec: pytree.TreeSpec, names: Sequence[str] | None = None) -> Signature:
    """Parameters as arguments were given, without defaults; where their names are known, by position or name."""
    positional, keywords = _children(spec)
    count = positional.num_children
    known = names is not None and len(names) >= count
    first = list(names or ())[:count] if known else [f"arg_{index}" for index in range(count)]
    kind, others = (
        (Parameter.POSITIONAL_OR_KEYWORD, Parameter.POSITIONAL_OR_KEYWORD)
        if known
        else (Parameter.POSITIONAL_ONLY, Parameter.KEYWORD_ONLY)
    )
    return Signature(
        [*(Parameter(name, kind) for name in first), *(Parameter(key, others) for key in keywords.context)]
    )


def same_constant(compiled: Any, value: Any) -> bool:
    """Whether two leaves that are no tensors are one value: 0 is not False, 1 not 1.0, NaN is NaN, 0.0 not -0.0."""
    if isinstance(compiled, torch.Tensor) or isinstance(value, torch.Tensor):
        return compiled is value
    if _kind(compiled) is not _kind(value):
        return False
    if isinstance(compiled, float):
        return _same_float(compiled, value)
    if isinstance(compiled, complex):
        return _same_float(compiled.real, value.real) and _same_float(compiled.imag, value.imag)
    try:
        return compiled is value or bool(compiled == value)
    except Exception:  # whatever a class does to compare: not known to be equal
        return False


def _same_float(a: float, b: float) -> bool:
    return a == b and math.copysign(1, a) == math.copysign(1, b) if a == a else b != b


def _kind(value: Any) -> type:
    """The class, but the plain one of numbers and strings that derive from it (numpy's float64, an IntEnum)."""
    return next((kind for kind in (bool, int, float, complex, str) if isinstance(value, kind)), type(value))


def usable(tensor: torch.Tensor, what: str) -> torch.Tensor:
    """The tensor, if its elements can be read. Raises InputError for one without data or not strided."""
    if tensor.is_meta:
        raise InputError(f"{what} has no data (device meta)")
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
        raise InputError(f"{what} is no dense tensor ({tensor.layout})", levers=["give a strided tensor: to_dense()"])
    return tensor.resolve_conj().resolve_neg() if tensor.is_conj() or tensor.is_neg() else tensor


def check_written(written: Mapping[str, torch.Tensor], inputs: Mapping[str, torch.Tensor]) -> None:
    """Whether the inputs that a graph updates in place can be updated: each has elements and memory of its own.

    Raises InputError: a program has a memory for each input, so what is written through one is not seen in another.
    """
    for name, tensor in written.items():
        for other, also in inputs.items():
            if other != name and _share(tensor, also):
                raise InputError(
                    f"inputs '{name}' and '{other}' share memory, and the graph updates '{name}' in place",
                    levers=[f"give a copy as '{other}'"],
                )
        if any(stride == 0 and size > 1 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
            raise InputError(
                f"input '{name}' is updated in place, and elements of it share memory (expanded)",
                levers=["give a contiguous copy"],
            )


def _share(tensor: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors reach into the same bytes of one storage; an upper bound where they interleave."""
    if (
        tensor.untyped_storage().data_ptr() != other.untyped_storage().data_ptr()
        or not tensor.numel()
        or not other.numel()
    ):
        return False
    first, last = zip(_span(tensor), _span(other), strict=True)
    return max(first) < min(last)


def _span(tensor: torch.Tensor) -> tuple[int, int]:
    """The bytes of the storage from the first element to the end of the last."""
    start = int(tensor.storage_offset())
    reach = sum((int(size) - 1) * int(stride) for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return start * tensor.element_size(), (start + reach + 1) * tensor.element_size()


def _children(spec: pytree.TreeSpec) -> list[pytree.TreeSpec]:
    return [spec.child(index) for index in range(spec.num_children)]


def _rebuilt(spec: pytree.TreeSpec, leaves: Iterator[Any]) -> Any:
    """The structure of the leaves as the module returned it: PyTorch's own tree_unflatten makes a tuple of a size."""
    if spec.is_leaf():
        return next(leaves)
    parts = [_rebuilt(child, leaves) for child in _children(spec)]
    return (
        torch.Size(parts)
        if spec.type is torch.Size
        else pytree.SUPPORTED_NODES[spec.type].unflatten_fn(parts, spec.context)
    )


def _leaves(spec: pytree.TreeSpec, value: Any, label: str, graph: str) -> Iterator[tuple[str, Any]]:
    """The leaves of `value` with their places, in the order of `spec`: entries of dicts are found by their keys."""
    kind = pytree._get_node_type(value)  # pyright: ignore[reportPrivateUsage]
    if spec.is_leaf():
        if kind in pytree.SUPPORTED_NODES:
            raise _other_structure(spec, value, label, graph)
        yield label, value
        return
    dictionaries = spec.type in pytree.STANDARD_DICT_TYPES and kind in pytree.STANDARD_DICT_TYPES
    if kind is not spec.type and not dictionaries:
        raise _other_structure(spec, value, label, graph)
    if dictionaries:
        if set(value) != set(_keys(spec)):
            raise _other_structure(spec, value, label, graph)
        for key, child in zip(_keys(spec), _children(spec), strict=True):
            yield from _leaves(child, value[key], f"{label}[{key!r}]", graph)
        return
    parts, context = pytree.SUPPORTED_NODES[kind].flatten_fn(value)
    parts = list(parts)
    if len(parts) != spec.num_children or context != spec.context:
        raise _other_structure(spec, value, label, graph)
    for index, (part, child) in enumerate(zip(parts, _children(spec), strict=True)):
        yield from _leaves(child, part, f"{label}[{index}]", graph)


def _keys(spec: pytree.TreeSpec) -> list[Any]:
    """The keys of a dict; those of a defaultdict stand behind its factory."""
    context: Any = spec.context
    return list(context[1] if spec.type is defaultdict else context)


def _other_structure(spec: pytree.TreeSpec, value: Any, label: str, graph: str) -> InputError:
    structure = pytree.tree_structure(value)
    return InputError(
        f"argument '{label}' of graph '{graph}' is {_structure(structure)}, compiled for {_structure(spec)}",
        levers=["give the structure that the example inputs had"],
    )


def _structure(spec: pytree.TreeSpec) -> str:
    """`{'a': *, 'b': (*, *)}`; a star is a leaf."""
    return repr(pytree.tree_unflatten([_LEAF] * spec.num_leaves, spec))


class _Leaf:
    def __repr__(self) -> str:
        return "*"


_LEAF = _Leaf()


def _text(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor {str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
