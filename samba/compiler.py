"""From a PyTorch model to an Executable.

exe = sambaflow.compile(model, (x,), mode="o3", machine="sn40l", chips=2)
exe = compile_imported(import_graphs({"prefill": prefill, "decode": decode}))  # weights and state shared by name
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import Signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.export import ExportedProgram

from sambaflow.errors import InputError
from sambaflow.frontends.imported import Imported, ImportedGraph, Leaf
from sambaflow.frontends.locking import compile_lock
from sambaflow.passes.framework.context import SambaContext
from sambaflow.samba import module_compiler
from sambaflow.samba.convention import Convention, plain_signature, signature_of
from sambaflow.samba.executable import Executable, snapshot

if TYPE_CHECKING:
    from sambaflow.frontends.hf import HfGraph

Model = nn.Module | ExportedProgram | str | Path


def compile(  # noqa: A001 - users call it sambaflow.compile
    model: Model,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    mode: str = "o3",
    machine: str = "sn40l",
    chips: int = 1,
    tiles: int | None = None,
    rules: str = "",
    trust: bool = False,
) -> Executable:
    """Compiles a module (with example inputs), an ExportedProgram or a `.pt2` file for `chips` chips of a machine.

    `mode` is o0, o1 or o3; `machine` a name or the path of a YAML file; `rules` a file of fusion rules. A `.pt2` file
    is read as data; `trust` has `torch.export.load` read it, which runs what its pickles say. The weights are taken as
    they are now (a copy, which becomes the program's memory at the first call). Threads may compile: one at a time.
    Raises sambaflow.SambaError: unsupported operators are listed all at once, a machine that is too small says by how
    much.
    """
    from sambaflow.frontends.torch_export import export, import_model

    with compile_lock():
        program = export(model, args, kwargs, trust=trust)
        imported = import_model(program)
        imported.weights = snapshot(imported.weights)
        signatures = {name: signature_of(model, program) for name in imported.graphs}
        return compile_imported(
            imported, mode=mode, machine=machine, chips=chips, tiles=tiles, rules=rules, signatures=signatures
        )


def import_graphs(graphs: Mapping[str, HfGraph]) -> Imported:
    """Several graphs of one transformers model in one module: equal names are one symbol."""
    from sambaflow.frontends.torch_export import import_model

    imported: Imported | None = None
    for name, graph in graphs.items():
        imported = import_model(
            graph.module,
            graph.args,
            graph=name,
            into=imported,
            input_names=graph.input_names,
            state=graph.state,
            strip="model.",
        )
    if imported is None:
        raise InputError("no graph to compile", levers=["--phase prefill, decode or forward"])
    return imported


def import_transformers(
    path: str | Path,
    phases: Sequence[str],
    batch: int = 1,
    length: int | None = None,
    prompt: int | None = None,
    dtype: str | None = None,
) -> Imported:
    """Graphs of a transformers model, one a phase; `dtype` (float32, bfloat16) instead of the configuration's own.

    `path` is a folder that `save_pretrained` wrote, which gives the weights, or a `config.json` alone; what is to be
    said of weights is in the result's `diagnostics`. Raises as `hf.load_model` and `hf.graph` do.
    """
    from sambaflow.frontends import hf

    loaded = hf.load_model(path, None if dtype is None else getattr(torch, dtype))
    imported = import_graphs({phase: hf.graph(loaded.model, phase, batch, length, prompt) for phase in phases})
    imported.diagnostics += loaded.diagnostics
    return imported


def compile_imported(
    imported: Imported,
    *,
    mode: str = "o3",
    machine: str = "sn40l",
    chips: int = 1,
    tiles: int | None = None,
    rules: str = "",
    ctx: SambaContext | None = None,
    signatures: Mapping[str, Signature] | None = None,
    live: bool = False,
) -> Executable:
    """Runs a pipeline on an imported module (in place) and wraps the Image.

    `signatures` are those of the graphs' modules; without one a graph takes its arguments as at compile. `live` weights
    stay the caller's: see `Executable`.
    """
    image = module_compiler.compile_module(
        imported.module, mode=mode, machine=machine, chips=chips, tiles=tiles, rules=rules, ctx=ctx
    )
    known = signatures or {}
    conventions = {name: convention_of(name, graph, known.get(name)) for name, graph in imported.graphs.items()}
    return Executable(image, imported.weights, conventions, live=live)


def convention_of(name: str, graph: ImportedGraph, signature: Signature | None = None) -> Convention:
    """The calling convention of an imported graph; without a signature of its module, arguments as at compile."""

    def names(leaves: tuple[Any, ...]) -> tuple[str | None, ...]:
        return tuple(leaf.name if isinstance(leaf, Leaf) else None for leaf in leaves)

    def values(leaves: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(None if isinstance(leaf, Leaf) else leaf for leaf in leaves)

    return Convention(
        name,
        names(graph.inputs),
        values(graph.inputs),
        names(graph.outputs),
        values(graph.outputs),
        graph.in_spec,
        graph.out_spec,
        signature or plain_signature(graph.in_spec, _argument_names(graph, names(graph.inputs))),
    )


def _argument_names(graph: ImportedGraph, leaves: Sequence[str | None]) -> list[str]:
    """The names of positional arguments: that of an argument's only tensor, else its number."""
    names: list[str] = []
    position = 0
    for index, spec in enumerate(graph.in_spec.child(0).children()):
        name = leaves[position] if spec.is_leaf() else None
        names.append(name if name is not None and name.isidentifier() else f"arg_{index}")
        position += spec.num_leaves
    return names
