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

import inspect
import io
import logging
import re
import sys
import traceback
from collections.abc import Generator, Mapping, Sequence, Set
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, OutputKind
from torch.utils import _pytree as pytree
from xdsl.dialects.builtin import ModuleOp

from sambaflow.collection import without_garbage_collection
from sambaflow.errors import InputError, Location, SambaError, WeightError
from sambaflow.frontends.aliases import FxTensor, end_of, overlaps
from sambaflow.frontends.archives import read_archive
from sambaflow.frontends.attributes import attributes_kept
from sambaflow.frontends.calls import Value, constant, refuse_layout
from sambaflow.frontends.conversions import DTYPES
from sambaflow.frontends.fast_paths import fast_paths_refused
from sambaflow.frontends.function_builder import FunctionBuilder
from sambaflow.frontends.fx_graph import GraphReader, reads_by_strides
from sambaflow.frontends.imported import Imported, ImportedGraph, Leaf
from sambaflow.frontends.refusals import dtype_lever, unsupported
from sambaflow.frontends.without_data import export_without_data, is_without_data

Model = nn.Module | ExportedProgram | str | Path


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
    trust: bool = False,
) -> Imported:
    """Export `model` if need be and add it to a module as the function `graph`.

    `args` and `kwargs` are example inputs of an nn.Module. `input_names` renames the flattened inputs; those that are
    in `state` have the role state, and results of the same name are tied to them. `strip` is a prefix that parameter
    names and module paths lose. A `.pt2` file is read as data unless `trust` lets `torch.export.load` run what it
    holds. Raises InputError (a model that cannot be read or exported) and UnsupportedOperators.
    """
    program = _of_operators(export(model, args, kwargs, trust=trust))
    imported = into or Imported(ModuleOp([]))
    if graph in imported.graphs:
        raise InputError(f"the module has a graph named {graph!r} already")
    with without_garbage_collection():
        importer = _Importer(program, imported, graph, tuple(input_names), frozenset(state), strip)
        while not importer.read():
            importer = importer.again()
        importer.finish()
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


def export(
    model: Model, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None, *, trust: bool = False
) -> ExportedProgram:
    """The ExportedProgram of a module, of a `.pt2` file (`trust` lets it run its code), or `model` itself."""
    if isinstance(model, ExportedProgram):
        return model
    if isinstance(model, str | Path):
        with _quiet():
            return read_archive(model, trust=trust)
    args, kwargs = _separate(args, dict(kwargs or {}), model)
    try:
        with _quiet(), torch.no_grad(), attributes_kept(model), fast_paths_refused(model):
            if is_without_data(model):
                return export_without_data(model, args, kwargs, partial(torch.export.export, model, strict=False))
            return torch.export.export(model, args, kwargs, strict=False)
    except SambaError:
        raise
    except Exception as error:
        raise _export_error(error, model) from error


def _of_operators(program: ExportedProgram) -> ExportedProgram:
    """The program without calls of PyTorch's functions around operators (torch.vmap leaves such), by its own means."""
    targets = [node.target for node in program.graph.nodes if node.op == "call_function"]
    if not any(str(getattr(target, "__module__", "")).startswith("torch._functorch") for target in targets):
        return program
    try:
        with _quiet(), torch.no_grad():
            return program.run_decompositions({})
    except Exception as error:
        reason = _first_line(error)
        raise InputError(f"torch.export cannot lower what torch.func made: {type(error).__name__}: {reason}") from error


def _separate(args: Any, kwargs: Any, model: nn.Module) -> tuple[Any, Any]:
    """The example inputs, each a tensor of its own: one that is given twice would be one input of the graph."""
    seen = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}

    def alone(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        known = id(leaf) in seen
        seen.add(id(leaf))
        return leaf.detach().clone() if known else leaf

    return pytree.tree_map(alone, (args, kwargs))


def _export_error(error: Exception, model: nn.Module) -> InputError:
    """What torch.export or the model's own code raised, at its own line, in words a user can act on."""
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    users = _innermost(frames) or _definition_of(model)
    location = users or _of_pytorch(frames)
    name, reason, kind = type(model).__name__, _first_line(error), type(error).__name__
    if kind == "PendingUnbackedSymbolNotFound":
        return InputError(
            f"data-dependent shape: {name} views a tensor by offsets or sizes that data decide", location=location,
            levers=["gather by index (torch.index_select, torch.gather), which keeps the shape", _BRANCH_LEVERS[1]],
        )  # fmt: skip
    if kind == "DynamicOutputShapeException":
        return InputError(
            f"data-dependent shape: data decide how large the result of {reason} is", location=location,
            levers=["keep the shape: select with torch.where, or multiply by a mask", "move the call out of the model"],
        )  # fmt: skip
    if kind == "DataDependentOutputException":
        return InputError(
            f"data-dependent control flow: {name} reads what {reason} gives as a Python value", location=location,
            levers=_BRANCH_LEVERS,
        )  # fmt: skip
    if "DataDependent" in kind or "data-dependent" in str(error):
        return InputError(
            f"data-dependent control flow: {name} branches or sizes a tensor by a tensor's value",
            location=location,
            levers=[*_BRANCH_LEVERS, *_levers_of(model)],
        )
    if kind == "UnsupportedOperatorException":
        return InputError(
            f"{name} calls {reason}, which torch.export cannot trace", location=location,
            levers=["write it by other operators", "move the call out of the model"],
        )  # fmt: skip
    levers = ["call the model in PyTorch; if it runs, torch.export.draft_export(model, args) tells what it cannot take"]
    return InputError(f"{name} raised {kind}: {reason}", location=users, levers=levers)


_BRANCH_LEVERS = ["compute both sides and select with torch.where", "move the branch out of the model"]


def _levers_of(model: nn.Module) -> list[str]:
    """transformers' mixtures of experts loop over what the router chose, and training reads statistics."""
    has_experts = any("experts" in name for name, _ in model.named_modules()) and hasattr(model, "config")
    experts = ['set model.config._experts_implementation = "batched_mm" before'] if has_experts else []
    return [*experts, *(["call model.eval() first"] if model.training else [])]


def _definition_of(model: nn.Module) -> Location | None:
    """Where the model's forward is written."""
    code = getattr(inspect.unwrap(type(model).forward), "__code__", None)
    if code is None or not _is_users(code.co_filename):
        return None
    return _location_of_frame(code.co_filename, code.co_firstlineno)


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


@dataclass(frozen=True)
class _Writes:
    """What a graph turned out to write when it was read: named constants, and memory that several names share.

    A graph that reads by strides sees all that is in the memory of a tensor, as if it was written.
    """

    constants: frozenset[str] = frozenset()
    families: frozenset[int] = frozenset()


class _Importer:
    """Turns one exported program into one function of the module.

    What is constant and which tensors share memory matters where the graph writes, which reading it tells; if it writes
    what was taken to be constant, or to be a tensor's own memory, `read` is False and `again` reads it better.
    """

    def __init__(
        self,
        program: ExportedProgram,
        imported: Imported,
        graph: str,
        names: tuple[str, ...],
        state: frozenset[str],
        strip: str,
        writes: _Writes | None = None,
    ) -> None:
        self.program, self.imported, self.graph, self.strip, self.state = program, imported, graph, strip, state
        self.named = _named_tensors(program)
        self.canonical = _canonical_names(self.named)
        handles = {_handle(tensor) for tensor in self.named.values()} if reads_by_strides(program.graph_module) else ()
        self.writes = writes or _Writes(
            families=frozenset(handle for handle in handles if len(self._family(handle)) > 1)
        )
        self.names = names
        self.user_names = iter(names)
        self.builder = FunctionBuilder()
        self.reader = GraphReader(self.builder.convert, self.builder.emit, self._locate, self.builder.expand)
        self.arguments: dict[str, FxTensor] = {}
        self.constants: dict[str, FxTensor] = {}
        self.weights: dict[str, torch.Tensor] = {}
        self.placeholders: dict[str, Any] = {}
        self.targets: dict[str, FxTensor] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def read(self) -> bool:
        """Build the function; False if the graph writes other things than `self.writes` says. UnsupportedOperators."""
        placeholders = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        specs = self.program.graph_signature.input_specs
        for node, spec in zip(placeholders, specs, strict=True):
            self.placeholders[node.name] = value = self._input(node, spec)
            if spec.target is not None and isinstance(value, FxTensor):
                self.targets[spec.target] = value
        results = list(self.reader.read(self.program.graph_module, list(self.placeholders.values())))
        if self.reader.unsupported:
            raise unsupported(self.reader.unsupported)
        self._results(results)
        return self._written() == self.writes

    def again(self) -> _Importer:
        """The same import that knows what the graph writes."""
        names = (self.program, self.imported, self.graph, self.names, self.state, self.strip)
        return _Importer(*names, self._written())

    def finish(self) -> None:
        """Add the function to the module."""
        function = self.builder.finish(self.graph)
        self.imported.module.body.block.add_op(function)
        self.imported.weights |= self.weights | self.builder.constants
        call = self.program.call_spec
        assert call.in_spec is not None and call.out_spec is not None
        self.imported.graphs[self.graph] = ImportedGraph(
            tuple(self.inputs), tuple(self.outputs), call.in_spec, call.out_spec
        )

    def _written(self) -> _Writes:
        """What `self.writes` says, and what was found to be written besides."""
        constants = {name for name, tensor in self.constants.items() if tensor.storage.version > 0}
        written = {name for name, tensor in self.targets.items() if tensor.storage.version > 0}
        families = {_handle(self.named[self.canonical[name]]) for name in written}
        shared = {family for family in families if len(self._family(family)) > 1}
        return _Writes(self.writes.constants | constants, self.writes.families | shared)

    def _family(self, handle: int) -> list[str]:
        """The canonical names of the tensors that are in one memory."""
        names = dict.fromkeys(self.canonical.values())
        return [name for name in names if _handle(self.named[name]) == handle]

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
        if _handle(tensor) in self.writes.families:
            return self._member(tensor)
        is_constant = spec.kind == InputKind.CONSTANT_TENSOR or self._is_table(spec, tensor, node)
        if is_constant and name not in self.writes.constants:
            if tensor.is_meta:
                raise WeightError(f"constant {name!r} was built on the meta device, its data are not known")
            known = self.constants.get(name) or FxTensor(constant(tensor.detach()), geometry=_layout(tensor))
            self.constants[name] = known
            return known
        return self._weight(name, tensor, "param" if spec.kind == InputKind.PARAMETER else "buffer")

    def _weight(self, name: str, tensor: torch.Tensor, role: str) -> FxTensor:
        """The argument for a parameter or buffer."""
        name = name.removeprefix(self.strip)
        if name not in self.arguments:
            self.arguments[name] = self._argument(tensor, name, role)
            self.weights[name] = tensor.detach()
        return self.arguments[name]

    def _member(self, tensor: torch.Tensor) -> FxTensor:
        """A tensor that shares memory with others, one of which is written: a view of the argument for all of them."""
        names = self._family(_handle(tensor))
        members = [self.named[name].detach() for name in names]
        if len({member.dtype for member in members}) > 1:
            raise InputError(f"{', '.join(names)} share memory as tensors of several dtypes, and the model writes it")
        start = min(int(member.storage_offset()) for member in members)
        size = max(end_of(member) for member in members) - start
        cover = next((name for name in names if _fills(self.named[name], start, size)), None)
        whole = members[0].as_strided((size,), (1,), start) if cover is None else self.named[cover]
        base = self._weight(cover or f"{names[0]}.storage", whole, "buffer")
        offset = base.geometry.storage_offset() + tensor.storage_offset() - whole.storage_offset()
        geometry = base.geometry.as_strided(tensor.shape, tensor.stride(), offset)
        return base.seen_as(geometry)

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
        name = next(self.user_names, None) if self.names else node.name
        if name is None:
            raise InputError(f"fewer input names than inputs: none for {node.name!r}")
        self.inputs.append(Leaf(name))
        first = self._locate(next(iter(node.users))) if node.users else None
        self.arguments[name] = self._argument(meta, name, "state" if name in self.state else "input", first)
        return self.arguments[name]

    def _argument(self, meta: torch.Tensor, name: str, role: str, first: Location | None = None) -> FxTensor:
        """A new argument; `first` is where an input is used first."""
        refuse_layout(meta, f"{role} {name!r}", first)
        if meta.dtype not in DTYPES:
            raise InputError(
                f"{role} {name!r}: tensors of {meta.dtype} are not supported", location=first,
                levers=[dtype_lever([str(meta.dtype)])],
            )  # fmt: skip
        shape = tuple(meta.shape)
        if not all(type(size) is int for size in shape):
            raise InputError(
                f"{name!r} has the symbolic shape [{', '.join(map(str, shape))}]",
                location=first,
                levers=["export without dynamic_shapes: one graph per shape"],
            )
        value = Value(shape, meta.dtype, ssa=self.builder.argument(shape, meta.dtype, name, role))
        return FxTensor(value, geometry=_layout(meta))

    def _results(self, results: list[Any]) -> None:
        """Results of the function: what the model returns, then arguments that it updated and does not return."""
        specs = self.program.graph_signature.output_specs
        pairs = list(zip(specs, results, strict=True))
        returned = [result for spec, result in pairs if spec.kind == OutputKind.USER_OUTPUT]
        values = [self.reader.value(leaf) if isinstance(leaf, FxTensor) else leaf for leaf in returned]
        self._assign()
        for spec, result in pairs:
            self._update(spec.kind, spec.target, result)
        names = _distinct(_output_names(self.program, len(returned)), self.arguments.keys() - self.state)
        tied: set[str] = set()
        for value, name in zip(values, names, strict=True):
            if isinstance(value, Value):
                is_state = name in self.state and name in self.arguments
                self.builder.result(value, name, name if is_state else None)
                tied |= {name} if is_state else set()
                self.outputs.append(Leaf(name))
            else:
                self.outputs.append(value)
        for name, argument in self.arguments.items():
            value = argument.storage.value
            if argument.storage.version > 0 and name not in tied and not self.builder.is_argument(value, name):
                self.builder.result(value, name, name)

    def _assign(self) -> None:
        """Buffers get the values that the model assigns to them, all at once. InputError for one of another type."""
        news = [self.reader.value(assignment.new) for assignment in self.reader.assigned]
        for assignment, new in zip(self.reader.assigned, news, strict=True):
            old = assignment.buffer.geometry
            if (new.dtype, new.shape) != (old.dtype, tuple(old.shape)):
                raise InputError(
                    f"a buffer of {old.dtype}{list(old.shape)} is assigned a tensor of {new.dtype}{list(new.shape)}",
                    location=assignment.location,
                    levers=["convert it to the buffer's type, or register the buffer with the type of the tensor"],
                )
            self.reader.memory.write(assignment.buffer, new, "an assignment", assignment.location)

    def _update(self, kind: OutputKind, target: str | None, result: Any) -> None:
        """A functional program returns the new values of what it updates."""
        if kind == OutputKind.USER_OUTPUT:
            return
        held = self.placeholders if kind == OutputKind.USER_INPUT_MUTATION else self.targets
        updates = (OutputKind.USER_INPUT_MUTATION, OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION)
        updated = held.get(target or "")
        if kind not in updates or not isinstance(updated, FxTensor):
            raise InputError(f"outputs of kind {kind.name} are not supported", op=target or "")
        self.reader.memory.write(updated, self.reader.value(result), "the exported program", None)

    def _locate(self, node: fx.Node) -> Location:
        trace = node.meta.get("stack_trace") or ""
        frame = _frame_of(trace)
        stack = node.meta.get("nn_module_stack")
        path = next(reversed(stack.values()))[0] if stack else ""
        path = re.sub(r"^L(__self__|\['\w+'\])\.?", "", path)
        path = f"{path}.".removeprefix(self.strip)[:-1]
        if not path and not frame.file:
            frame = _of_pytorch([(file, int(line)) for file, line in _FRAME.findall(trace)]) or frame
        return Location(frame.file, frame.line, 0, path)


def _writes(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is None or schema.is_mutable


def _named_tensors(model: nn.Module | ExportedProgram) -> dict[str, torch.Tensor]:
    """Parameters, buffers and constants; InputError for one that is not dense."""
    if isinstance(model, ExportedProgram):
        constants = {name: c for name, c in model.constants.items() if isinstance(c, torch.Tensor)}
        named = {**model.state_dict, **constants}
    else:
        named = dict(model.named_parameters(remove_duplicate=False))
        named |= dict(model.named_buffers(remove_duplicate=False))
    transforms: Any = torch._C._functorch  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    for name, tensor in named.items():
        refuse_layout(tensor, repr(name))
        if transforms.is_functorch_wrapped_tensor(tensor):
            raise InputError(
                "the model calls a transform of torch.func (grad, jvp, ...), of which torch.export keeps no operators",
                levers=["call the transform outside the model, on a function that runs on the host"],
            )
    return named


def _canonical_names(named: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """For each name the first name of the same tensor: tied weights are one argument."""
    first: dict[Any, str] = {}
    canonical: dict[str, str] = {}
    for name, tensor in named.items():
        key = (_handle(tensor), tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)
        canonical[name] = first.setdefault(key, name)
    return canonical


def _handle(tensor: torch.Tensor) -> int:
    """What tensors in one memory have in common."""
    storage: Any = tensor.untyped_storage()
    return getattr(storage, "_cdata")  # noqa: B009, meta tensors all have the address 0


def _layout(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor without data, of the same shape, strides and offset, in memory of its own."""
    memory = torch.empty(end_of(tensor), dtype=tensor.dtype, device="meta")
    return memory.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def _fills(tensor: torch.Tensor, start: int, size: int) -> bool:
    """Whether the elements of a tensor are all of a stretch of memory, each once."""
    is_dense = tensor.numel() == size == end_of(tensor) - start and not overlaps(tensor)
    return tensor.storage_offset() == start and is_dense


def _distinct(names: Sequence[str], taken: Set[str]) -> list[str]:
    """The names with a number behind those that are taken or come again."""
    used, distinct = set(taken), list[str]()
    for name in names:
        candidate, number = name, 1
        while candidate in used or (number > 1 and candidate in names):
            number += 1
            candidate = f"{name}.{number}"
        used.add(candidate)
        distinct.append(candidate)
    return distinct


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
    return _innermost([(file, int(line)) for file, line in _FRAME.findall(stack_trace)]) or Location("")


def _innermost(frames: Sequence[tuple[str, int]]) -> Location | None:
    """The user's innermost line; of this frontend, which has models of its own, only where there is no other."""
    users = [frame for frame in frames if _is_users(frame[0])]
    own = [frame for frame in users if Path(frame[0]).parent != Path(__file__).parent] or users
    return _location_of_frame(*own[-1]) if own else None


def _of_pytorch(frames: Sequence[tuple[str, int]]) -> Location | None:
    """The innermost line of torch.nn, of a model that is nothing else."""
    lines = [frame for frame in frames if "/torch/nn/" in frame[0] and not frame[0].endswith("/modules/module.py")]
    return _location_of_frame(*lines[-1]) if lines else None


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


_RUNNERS = (Path(__file__), Path(__file__).parents[1] / "samba" / "dynamo.py")
"""Files of ours that call the user's model: a line of theirs says nothing."""


def _is_users(file: str) -> bool:
    return not file.startswith("<") and "/torch/" not in file and Path(file) not in _RUNNERS
