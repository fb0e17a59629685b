"""What a model does to its own attributes when it is called: an exported graph keeps none of it.

Buffers are state, and what a call assigns to them is carried over. A tensor that is an attribute but no buffer, and a
number, are compiled in as they were: a model that changes one would compute something else in its second call.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from sambaflow.errors import InputError

_HELD = frozenset({"_parameters", "_buffers", "_modules", "training"})
"""Attributes of every module that are looked after otherwise."""

Attributes = Mapping[tuple[str, str], Any]
_Buffers = Mapping[tuple[nn.Module, str], torch.Tensor]


@contextmanager
def attributes_kept(model: nn.Module) -> Generator[None]:
    """Export runs the model: tensors that it writes get their values back, and attributes that it assigns are refused.

    InputError for an attribute that was a tensor, a number or None and is another value after the call. One that the
    call makes, a list it appends to, and objects of other classes are not looked at.
    """
    tensors = [value for value in attributes_of(model).values() if type(value) is torch.Tensor]
    values_before = [(tensor, tensor._version, tensor.clone()) for tensor in tensors]
    before: dict[tuple[str, str], Any] = {}
    changed: dict[tuple[str, str], tuple[Any, Any]] = {}
    buffers: dict[tuple[nn.Module, str], torch.Tensor] = {}
    inputs: list[torch.Tensor] = []

    def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
        before.update(attributes_of(module))
        buffers.update(_buffers_of(module))
        inputs.extend(leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor))

    def leave(module: nn.Module, args: Any, result: Any) -> None:
        after = attributes_of(module)
        changed.update({key: (before[key], after[key]) for key in before if _differs(before[key], after.get(key))})
        _see_assigned(buffers, _buffers_of(module), [*inputs, *module.parameters()])

    hooks = [model.register_forward_pre_hook(enter, with_kwargs=True), model.register_forward_hook(leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for tensor, version, value in values_before:
            if tensor._version != version:
                tensor.copy_(value)
    for (path, name), (old, new) in changed.items():
        where = f"self.{path}.{name}" if path else f"self.{name}"
        raise InputError(
            f"{type(model).__name__} sets {where} from {_text(old)} to {_text(new)} when it is called: a compiled graph"
            " would not, and its next call would compute something else",
            levers=["make it a buffer: self.register_buffer(...)", "pass it in and return it"],
        )


def _buffers_of(model: nn.Module) -> _Buffers:
    return {
        (module, name): value
        for module in model.modules()
        for name, value in module.named_buffers(recurse=False, remove_duplicate=False)
    }


def _see_assigned(before: _Buffers, after: _Buffers, others: Sequence[torch.Tensor]) -> None:
    """Make what a call assigned to a buffer a view of it where it is an input, a parameter or another buffer as it was
    given: torch.export's own check refuses the copy that it adds for it otherwise."""
    known = {id(tensor) for tensor in (*before.values(), *others)}
    for (module, name), value in after.items():
        if id(value) in known and value is not before.get((module, name)):
            setattr(module, name, value.view_as(value))


def attributes_of(model: nn.Module) -> Attributes:
    """The attributes of a model and its modules that are no parameters, buffers or modules, by path and name."""
    return {
        (path, name): value
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if name not in _HELD
    }


def _differs(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        return isinstance(after, torch.Tensor) and after is not before
    if before is None:
        return isinstance(after, torch.Tensor | int | float)
    if not isinstance(before, bool | int | float | str):
        return False
    return type(after) is not type(before) or (after != before and before == before)


def _text(value: Any) -> str:
    return "a tensor" if isinstance(value, torch.Tensor) else repr(value)
