"""Export of models on the meta device: tensors with shapes and no data.

While a model is traced its tensors stand for ones on the CPU, so that constants of its code (`x[:, [-2]]`,
`torch.tensor(...)` on the device of a weight) keep their numbers; on the meta device they would be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree


def is_without_data(model: nn.Module) -> bool:
    """Whether all parameters are on the meta device."""
    parameters = list(model.parameters())
    return bool(parameters) and all(parameter.is_meta for parameter in parameters)


def export_without_data(
    model: nn.Module, args: Any, kwargs: Any, export: Callable[[Any, Any], ExportedProgram]
) -> ExportedProgram:
    """What `export` makes of the inputs, with the model's own tensors in the program."""
    held = [
        (module, name, tensor)
        for module in model.modules()
        for named in (module.named_parameters, module.named_buffers)
        for name, tensor in named(recurse=False, remove_duplicate=False)
    ]
    stand_ins: dict[int, torch.Tensor] = {}
    own: dict[int, torch.Tensor] = {}
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:

        def stand_in(tensor: Any) -> Any:
            if not isinstance(tensor, torch.Tensor) or not tensor.is_meta:
                return tensor
            if id(tensor) not in stand_ins:
                substitute = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")
                substitute = (
                    nn.Parameter(substitute, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else substitute
                )
                stand_ins[id(tensor)] = substitute
                own[id(substitute)] = tensor
            return stand_ins[id(tensor)]

        inputs = pytree.tree_map(stand_in, (args, kwargs))
        for module, name, tensor in held:
            setattr(module, name, stand_in(tensor))
    try:
        with mode:
            program = export(*inputs)
    finally:
        for module, name, tensor in held:
            setattr(module, name, tensor)
    for tensors in (program.state_dict, program.constants):
        for name, tensor in tensors.items():
            if isinstance(tensor, FakeTensor) or id(tensor) in own:
                tensors[name] = own.get(id(tensor), tensor)
    return program
