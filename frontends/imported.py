"""What an import gives: a module, its weights, and how its graphs are called. IR comes without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import ModuleOp

from sambaflow.errors import Diagnostic

if TYPE_CHECKING:
    import torch
    from torch.utils import _pytree as pytree


@dataclass
class Imported:
    """What came out of an import; several graphs of one model may share a module.

    `inputs` and `outputs` of a graph are its user inputs and results in the order of their flattened structures
    (`in_spec`, `out_spec`): names of arguments and results, or the plain value of a leaf that is no tensor.
    `diagnostics` say what the model may not be as it was meant: weights that are random, tensors that are left out.
    """

    module: ModuleOp
    weights: dict[str, torch.Tensor] = field(default_factory=dict[str, "torch.Tensor"])
    graphs: dict[str, ImportedGraph] = field(default_factory=dict[str, "ImportedGraph"])
    diagnostics: list[Diagnostic] = field(default_factory=list[Diagnostic])


@dataclass(frozen=True)
class ImportedGraph:
    """The calling convention of one graph; see `Imported`."""

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    in_spec: pytree.TreeSpec
    out_spec: pytree.TreeSpec


@dataclass(frozen=True)
class Leaf:
    """A leaf of inputs or outputs that is a tensor: the name of the argument or result."""

    name: str
