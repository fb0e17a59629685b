"""PyTorch's fast paths in inference that give other numbers than the operators that it exports."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from sambaflow.errors import InputError


@contextmanager
def fast_paths_refused(model: nn.Module) -> Generator[None]:
    """Export runs the model: InputError where eager PyTorch may take a path that torch.export does not.

    An encoder that is given a padding mask makes a nested tensor of its input when no gradient is asked for, and what
    is padded comes out as 0.
    """

    def check(encoder: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        mask = kwargs.get("src_key_padding_mask", args[2] if len(args) > 2 else None)
        if mask is not None and not encoder.training and getattr(encoder, "use_nested_tensor", False):
            raise InputError(
                "nn.TransformerEncoder with src_key_padding_mask gives 0 at padded places without gradients and other"
                " values with them",
                levers=["nn.TransformerEncoder(..., enable_nested_tensor=False)"],
            )

    encoders = [module for module in model.modules() if isinstance(module, nn.TransformerEncoder)]
    hooks = [encoder.register_forward_pre_hook(check, with_kwargs=True) for encoder in encoders]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
