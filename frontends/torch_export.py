"""PyTorch models into the samba dialect, by torch.export (non-strict).

    imported = import_model(module, (x,), graph="forward")
    imported.module     # builtin.module with one func.func per graph
    imported.weights    # name -> tensor: parameters, buffers and large constants, which the IR names only

Operators stay as exported (`linear`, `scaled_dot_product_attention`); one without a samba operator is decomposed,
alone. What an operator becomes is in `conversions`, how aliases and in-place operators are resolved in `fx_graph`.

    func.func @forward(%w: tensor<3x4xf32> {samba.role = "param", samba.name = "weight"},
                       %x: tensor<2x4xf32> {samba.name = "x"}) -> (tensor<2x3xf32> {samba.name = "output"}) {
      %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
      func.return %0 : tensor<2x3xf32>
    }
"""

from __future__ import annotations

import io
import logging
import re
import sys
import traceback
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec
from torch.utils import _pytree as pytree
from xdsl.dialects.builtin import ModuleOp

from sambaflow.errors import InputError, Location, SambaError, UnsupportedOperator, UnsupportedOperators, WeightError
from sambaflow.frontends.function_builder import FunctionBuilder
from sambaflow.frontends.fx_graph import GraphReader, Tensor, Value
from sambaflow.passes.collection import without_garbage_collection

Model = nn.Module | ExportedProgram | str | Path


@dataclass
class Imported:
    """What came out of an import; several graphs of one model may share a module.

    `inputs` and `outputs` of a graph are its user inputs and results in the order of their flattened structures
    (`in_spec`, `out_spec`): names of arguments and results, or the plain value of a leaf that is no tensor.
    """

    module: ModuleOp
    weights: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    graphs: dict[str, Graph] = field(default_factory=dict[str, "Graph"])


@dataclass(frozen=True)
class Graph:
    """The calling convention of one graph; see `Imported`."""

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    in_spec: pytree.TreeSpec
    out_spec: pytree.TreeSpec


@dataclass(frozen=True)
class Leaf:
    """A leaf of inputs or outputs that is a tensor: the name of the argument or result."""

    name: str


def import_model(
    model: Model,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    graph: str = "forward",
    into: Imported | None = None,
    input_names: Sequence[str] = (),
    state: Sequence[str] = (),
    strip: str = "",
) -> Imported:
    """Export `model` if need be and add it to a module as the function `graph`.

    `args` and `kwargs` are example inputs of an nn.Module. `input_names` renames the flattened inputs; those that are
    in `state` have the role state, and results of the same name are tied to them. `strip` is a prefix that parameter
    names and module paths lose. Raises InputError (a model that cannot be read or exported) and UnsupportedOperators.
    """
    program = export(model, args, kwargs)
    imported = into or Imported(ModuleOp([]))
    if graph in imported.graphs:
        raise InputError(f"the module has a graph named {graph!r} already")
    with without_garbage_collection():
        _Importer(program, imported, graph, tuple(input_names), frozenset(state), strip).run()
    return imported


def import_exported(
    model: Model, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None, graph: str = "forward"
) -> ModuleOp:
    """The module alone; see `import_model`."""
    return import_model(model, args, kwargs, graph=graph).module


def weights(model: nn.Module | ExportedProgram) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, each storage once, under the first of its names."""
    named = _named_tensors(model)
    return {name: named[name] for name in dict.fromkeys(_canonical_names(named).values())}


def export(model: Model, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> ExportedProgram:
    """The ExportedProgram of a module, of a `.pt2` file, or `model` itself."""
    if isinstance(model, ExportedProgram):
        return model
    if isinstance(model, str | Path):
        try:
            with _quiet():
                return torch.export.load(model)
        except Exception as error:
            raise InputError(f"cannot read the exported program {model}: {_first_line(error)}") from error
    try:
        with _quiet(), torch.no_grad():
            return torch.export.export(model, args, dict(kwargs or {}), strict=False)
    except SambaError:
        raise
    except Exception as error:
        raise _export_error(error, model) from error


def _export_error(error: Exception, model: nn.Module) -> InputError:
    """What the model's own code raised, at its own line; guards on tensor values in words a user can act on."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    location = _location_of_frame(frames[-1].filename, frames[-1].lineno or 0) if frames else None
    name, reason = type(model).__name__, _first_line(error)
    if "DataDependent" in type(error).__name__ or "data-dependent" in str(error):
        return InputError(
            f"data-dependent control flow: {name} branches or sizes a tensor by a tensor's value ({reason})",
            location=location,
            levers=["compute both sides and select with torch.where", "move the branch out of the model"],
        )
    return InputError(f"{name} raised {type(error).__name__}: {reason}", location=location)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def _quiet() -> Generator[None]:
    """torch logs tracebacks and prints half a graph about what it then raises; what was written is kept otherwise."""
    disabled, written = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(written):
            yield
    finally:
        logging.disable(disabled)
    sys.stderr.write(written.getvalue())


class _Importer:
    """Turns one exported program into one function of the module."""

    def __init__(
        self,
        program: ExportedProgram,
        imported: Imported,
        graph: str,
        names: tuple[str, ...],
        state: frozenset[str],
        strip: str,
    ) -> None:
        self.program, self.imported, self.graph, self.strip, self.state = program, imported, graph, strip, state
        self.named = _named_tensors(program)
        self.canonical = _canonical_names(self.named)
        self.user_names = iter(names)
        self.renamed = bool(names)
        self.builder = FunctionBuilder()
        self.arguments: dict[str, Tensor] = {}
        self.inputs: list[Any] = []

    def run(self) -> None:
        reader = GraphReader(self.builder.convert, self.builder.emit, self._locate)
        placeholders = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        specs = self.program.graph_signature.input_specs
        values = [self._input(node, spec) for node, spec in zip(placeholders, specs, strict=True)]
        results = pytree.tree_leaves(list(reader.read(self.program.graph_module, values)), is_leaf=lambda x: x is None)
        if reader.unsupported:
            raise _unsupported(reader.unsupported)
        outputs = self._outputs(reader, results)
        function = self.builder.finish(self.graph)
        self.imported.module.body.block.add_op(function)
        self.imported.weights |= self.builder.constants
        call = self.program.call_spec
        assert call.in_spec is not None and call.out_spec is not None
        self.imported.graphs[self.graph] = Graph(tuple(self.inputs), tuple(outputs), call.in_spec, call.out_spec)

    def _input(self, node: fx.Node, spec: InputSpec) -> Any:
        """The argument for a placeholder; a parameter or constant that nothing uses gets none."""
        meta = node.meta.get("val")
        if spec.kind == InputKind.USER_INPUT:
            return self._user_input(node, meta)
        if spec.kind not in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            raise InputError(f"inputs of kind {spec.kind.name} are not supported", op=str(node.target))
        assert spec.target is not None
        name = self.canonical[spec.target]
        tensor = self.named[name]
        if not node.users:
            return None
        if spec.kind == InputKind.CONSTANT_TENSOR or self._is_table(spec, tensor, node):
            if tensor.is_meta:
                raise WeightError(f"constant {name!r} was built on the meta device, its data are not known")
            return Tensor(Value(tuple(tensor.shape), tensor.dtype, constant=tensor.detach()))
        name = name.removeprefix(self.strip)
        if name not in self.arguments:
            role = "param" if spec.kind == InputKind.PARAMETER else "buffer"
            self.arguments[name] = self._argument(tensor, name, role)
            self.imported.weights[name] = tensor.detach()
        return self.arguments[name]

    def _is_table(self, spec: InputSpec, tensor: torch.Tensor, node: fx.Node) -> bool:
        """Index tables of the code (BERT's position_ids): non-persistent integer buffers that nobody writes."""
        table = spec.kind == InputKind.BUFFER and not spec.persistent and not tensor.is_floating_point()
        return table and not tensor.is_meta and all(not _writes(user) for user in node.users)

    def _user_input(self, node: fx.Node, meta: Any) -> Any:
        if not isinstance(meta, torch.Tensor):
            if isinstance(meta, torch.SymInt | torch.SymFloat | torch.SymBool):
                raise InputError(f"input {node.name!r} is a symbolic number: export with constant numbers")
            self.inputs.append(meta)
            return meta
        name = next(self.user_names, None) if self.renamed else node.name
        if name is None:
            raise InputError(f"fewer input names than inputs: none for {node.name!r}")
        self.inputs.append(Leaf(name))
        self.arguments[name] = self._argument(meta, name, "state" if name in self.state else "input")
        return self.arguments[name]

    def _argument(self, meta: torch.Tensor, name: str, role: str) -> Tensor:
        shape = tuple(meta.shape)
        if not all(type(size) is int for size in shape):
            raise InputError(
                f"{name!r} has the symbolic shape [{', '.join(map(str, shape))}]",
                levers=["export without dynamic_shapes: one graph per shape"],
            )
        return Tensor(Value(shape, meta.dtype, ssa=self.builder.argument(shape, meta.dtype, name, role)))

    def _outputs(self, reader: GraphReader, results: list[Any]) -> list[Any]:
        """Results of the function: what the model returns, then arguments that it updated and does not return."""
        names = _output_names(self.program, len(results))
        outputs: list[Any] = []
        for result, name in zip(results, names, strict=True):
            if isinstance(result, Tensor):
                tied = name if name in self.state and name in self.arguments else None
                self.builder.result(reader.value(result), name, tied)
                outputs.append(Leaf(name))
            else:
                outputs.append(result)
        for name, argument in self.arguments.items():
            if argument.version > 0:
                self.builder.result(argument.value, name, name)
        return outputs

    def _locate(self, node: fx.Node) -> Location:
        frame = _frame_of(node.meta.get("stack_trace") or "")
        stack = node.meta.get("nn_module_stack")
        path = next(reversed(stack.values()))[0] if stack else ""
        path = re.sub(r"^L__self__\.?", "", path)
        return Location(frame.file, frame.line, 0, f"{path}.".removeprefix(self.strip)[:-1])


def _writes(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is None or schema.is_mutable


def _unsupported(calls: list[tuple[str, Location | None]]) -> UnsupportedOperators:
    """All at once, the most used first; each with its places of use."""
    places: dict[str, list[Location | None]] = {}
    for name, location in calls:
        places.setdefault(name, []).append(location)
    operators = [
        UnsupportedOperator(name, len(found), tuple(dict.fromkeys(place for place in found if place)))
        for name, found in sorted(places.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return UnsupportedOperators(operators)


def _named_tensors(model: nn.Module | ExportedProgram) -> dict[str, torch.Tensor]:
    if isinstance(model, ExportedProgram):
        constants = {name: c for name, c in model.constants.items() if isinstance(c, torch.Tensor)}
        return {**model.state_dict, **constants}
    named = dict(model.named_parameters(remove_duplicate=False))
    return {**named, **dict(model.named_buffers(remove_duplicate=False))}


def _canonical_names(named: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """For each name the first name of the same tensor: tied weights are one argument."""
    first: dict[Any, str] = {}
    canonical: dict[str, str] = {}
    for name, tensor in named.items():
        storage: Any = tensor.untyped_storage()
        handle = getattr(storage, "_cdata")  # noqa: B009, meta tensors all have the address 0
        key = (handle, tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)
        canonical[name] = first.setdefault(key, name)
    return canonical


def _output_names(program: ExportedProgram, count: int) -> list[str]:
    """`logits` for a dict's or dataclass's entry, `output_0.1` for nested tuples, `output` for a single tensor."""
    assert program.call_spec.out_spec is not None
    leaves = [object() for _ in range(count)]
    tree = pytree.tree_unflatten(leaves, program.call_spec.out_spec)
    names = [".".join(_key(entry) for entry in path) for path, _ in pytree.tree_flatten_with_path(tree)[0]]
    return [name if name[:1].isalpha() else f"output_{name}".removesuffix("_") for name in names]


def _key(entry: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(entry, attribute):
            return str(getattr(entry, attribute))
    return str(entry)


_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


@cache
def _frame_of(stack_trace: str) -> Location:
    """The innermost line outside torch and this package, relative to its package."""
    frames = [frame for frame in _FRAME.findall(stack_trace) if _is_users(frame[0])]
    own = [frame for frame in frames if Path(frame[0]).parent != Path(__file__).parent] or frames
    return _location_of_frame(own[-1][0], int(own[-1][1])) if own else Location("")


def _location_of_frame(file: str, line: int) -> Location:
    return Location(_relative(file), line)


@cache
def _relative(file: str) -> str:
    """`transformers/models/llama/modeling_llama.py`: the path from the outermost package on, else the bare name."""
    path = Path(file)
    root = path.parent
    while (root / "__init__.py").exists() and root != root.parent:
        root = root.parent
    return path.relative_to(root).as_posix()


def _is_users(file: str) -> bool:
    return not file.startswith("<") and "/torch/" not in file and file != __file__
