"""Saved programs: the `.pt2` archives of `torch.export.save`, read as data.

    program = read_archive("model.pt2")                 # nothing in the file runs
    program = read_archive("model.pt2", trust=True)     # torch.export.load, which unpickles what the file holds

An archive holds the graph as JSON, weights and constants as bytes with their shapes in JSON, and the sample inputs as a
pickle, which is not loaded: shapes and structure of the inputs are in the graph. That it names functions which sample
inputs have no use for is a sign of forgery and refused, so that no other program loads the file unwarned. Objects and
tensor subclasses are pickles too; an archive that needs one is refused.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import fx
from torch._export.serde import schema
from torch._export.serde.serialize import ExportedProgramDeserializer
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.export.pt2_archive import constants as layout
from torch.serialization import get_unsafe_globals_in_checkpoint
from torch.utils import _pytree as pytree

from sambaflow.errors import InputError, Location
from sambaflow.files import read_bytes
from sambaflow.frontends.archive_records import Records, Unreadable
from sambaflow.frontends.archive_schema import read_as
from sambaflow.frontends.calls import leaves_of, map_only

MODEL = "model"
"""The name under which `torch.export.save` writes its program."""

_SAVE_AGAIN = "load it with the PyTorch that wrote it and save it by torch.export.save of PyTorch 2.13"
_TRUST = "if you wrote the file: --trust FILE, or trust=True, loads it as PyTorch does, running what it holds"

_EXPANDED_BYTES = 1 << 30
"""How much larger than its record a tensor may be whose strides repeat elements."""


def read_archive(path: str | Path, *, trust: bool = False) -> ExportedProgram:
    """The program that `torch.export.save` wrote to a file.

    Nothing that the file holds is run, imported or unpickled, unless `trust` says that it may: then
    `torch.export.load` reads it. Raises InputError, at the file, for one that cannot be read.
    """
    try:
        return torch.export.load(path) if trust else _read(Records(read_bytes(path)))
    except Exception as error:  # PyTorch's own checks of a program raise what they like
        reason = error.strerror if isinstance(error, OSError) else _first_line(error.__cause__ or error)
        if isinstance(error, Unreadable):
            reason, levers = str(error), error.levers
        else:
            levers = () if isinstance(error, OSError) else (_SAVE_AGAIN,)
        raise InputError(
            f"cannot read the exported program: {reason}", location=Location(str(path)), levers=levers
        ) from error


def _first_line(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"nothing in it is named {error}"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _read(records: Records) -> ExportedProgram:
    _check_format(records)
    _check_sample_inputs(records)
    name = layout.MODELS_FILENAME_FORMAT.format(MODEL)
    data = _json(records, name)
    if isinstance(data, dict) and isinstance(graph := data.get("graph_module"), dict):
        _keep_call_of_root(graph)
    program: schema.ExportedProgram = read_as(schema.ExportedProgram, data, name)
    _keep_data_alone(program)
    tensors: dict[str, torch.Tensor] = {}
    weights = _tensors(records, layout.WEIGHTS_DIR, layout.WEIGHTS_CONFIG_FILENAME_FORMAT, tensors)
    constants = _tensors(records, layout.CONSTANTS_DIR, layout.CONSTANTS_CONFIG_FILENAME_FORMAT, tensors)
    exported = ExportedProgramDeserializer().deserialize(program, weights, constants)
    _check_tensors(exported)
    _check_calls(exported.graph_module)
    return exported


def _check_format(records: Records) -> None:
    """Unreadable for other formats than the archive of today, with what to do about them."""
    names = list(records)
    if any(name.startswith("serialized_") for name in names):
        raise Unreadable("it has the format of PyTorch 2.7 and older, whose weights are pickles", [_SAVE_AGAIN, _TRUST])
    if layout.ARCHIVE_FORMAT_PATH not in records or records.text(layout.ARCHIVE_FORMAT_PATH) != "pt2":
        raise Unreadable("it is no archive of torch.export.save")
    version = records.text(layout.ARCHIVE_VERSION_PATH)
    if version != layout.ARCHIVE_VERSION_VALUE:
        raise Unreadable(f"its version is {version!r}, not {layout.ARCHIVE_VERSION_VALUE!r}", [_SAVE_AGAIN])
    if "byteorder" in records and records.text("byteorder") != "little":
        raise Unreadable(f"its byte order is {records.text('byteorder')!r}, not 'little'", [_SAVE_AGAIN])
    for folder in (layout.WEIGHTS_DIR, layout.CONSTANTS_DIR):
        if f"{folder}{MODEL}.pt" in records:
            raise Unreadable(f"record '{folder}{MODEL}.pt' is a pickle, of an older PyTorch", [_SAVE_AGAIN, _TRUST])
    if layout.MODELS_FILENAME_FORMAT.format(MODEL) not in records:
        held = [name for name in names if name.startswith(layout.MODELS_DIR)]
        compiled = any(name.startswith(layout.AOTINDUCTOR_DIR) for name in names)
        what = f"programs of other names: {', '.join(held)}" if held else "no exported program"
        what += ", only code compiled by AOTInductor" if compiled and not held else ""
        raise Unreadable(f"it holds {what}", ["save the ExportedProgram by torch.export.save"])


def _check_sample_inputs(records: Records) -> None:
    """Unreadable for sample inputs whose pickle, taken apart and not run, names more than tensors and containers."""
    name = layout.SAMPLE_INPUTS_FILENAME_FORMAT.format(MODEL)
    data = records.read(name) if name in records else b""
    if not data:
        return
    try:
        named = set(get_unsafe_globals_in_checkpoint(_pickle_alone(data)))
    except Unreadable as error:
        raise Unreadable(f"in record {name!r}: {error}", [_SAVE_AGAIN]) from error
    except Exception as error:  # PyTorch's parser of pickles raises what it likes
        raise Unreadable(
            f"record {name!r} holds no sample inputs as torch.export.save writes them", [_TRUST]
        ) from error
    containers = {f"{container.__module__}.{container.__qualname__}" for container in pytree.SUPPORTED_NODES}
    unknown = sorted(named - containers - _NAMED_IN_SAMPLES)
    if unknown:
        raise Unreadable(
            f"record {name!r} is a pickle that calls {', '.join(unknown[:3])}",
            ["save the program without sample inputs (program.example_inputs = None)", _TRUST],
        )


def _pickle_alone(data: bytearray) -> io.BytesIO:
    """What `torch.save` wrote, without its tensors: PyTorch opens a zip that was made here, of a pickle in bounds.

    Raises Unreadable for a zip with compressed records, which may be thousands of times larger than the file.
    """
    if not data.startswith(b"PK"):
        raise ValueError("not written by torch.save")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(Records(data).read("data.pkl")))
        archive.writestr("archive/version", "3\n")
    buffer.seek(0)
    return buffer


_NAMED_IN_SAMPLES = frozenset(
    {"torch._export.serde.serialize._reconstruct_fake_tensor", "builtins.slice", "builtins.range"}
)
"""What PyTorch's list of harmless functions lacks of those in sample inputs."""


def _json(records: Records, name: str) -> Any:
    try:
        return json.loads(records.text(name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"record {name!r} is no JSON ({error})") from error


def _keep_call_of_root(graph: dict[str, Any]) -> None:
    """Calls of submodules, which only unflattening needs, may have structures of classes that are not known here."""
    entries = graph.get("module_call_graph")
    if isinstance(entries, list):
        graph["module_call_graph"] = [entry for entry in entries if isinstance(entry, dict) and entry.get("fqn") == ""]


_METADATA = frozenset({"stack_trace", "nn_module_stack", "torch_fn"})


def _keep_data_alone(program: schema.ExportedProgram) -> None:
    """Without what PyTorch would look up, compile or keep for itself, and this compiler has no use for."""
    program.guards_code = []
    program.graph_module.metadata = {}
    if [entry.signature is not None for entry in program.graph_module.module_call_graph] != [True]:
        raise Unreadable("it does not say once how the model is called")
    _plain_nodes(program.graph_module.graph)


def _plain_nodes(graph: schema.Graph) -> None:
    for node in graph.nodes:
        node.metadata = {name: text for name, text in node.metadata.items() if name in _METADATA}
        for argument in node.inputs:
            if argument.arg.type == "as_graph":
                _plain_nodes(argument.arg.as_graph.graph)


def _tensors(
    records: Records, folder: str, config_format: str, storages: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The tensors of a folder by name; those of one record share its memory."""
    record = config_format.format(MODEL)
    config: schema.PayloadConfig = read_as(schema.PayloadConfig, _json(records, record), record)
    loaded: dict[str, torch.Tensor] = {}
    for name, payload in config.config.items():
        if payload.use_pickle or payload.tensor_meta is None:
            raise Unreadable(
                f"{name!r} is a Python object or a tensor subclass, which is saved as a pickle",
                ["give the model plain tensors only", _TRUST],
            )
        tensor = _tensor(records, folder + payload.path_name, payload.tensor_meta, name, storages)
        loaded[name] = torch.nn.Parameter(tensor, requires_grad=False) if payload.is_param else tensor
        if payload.tensor_meta.requires_grad and (tensor.is_floating_point() or tensor.is_complex()):
            loaded[name].requires_grad_()
    return loaded


def _tensor(
    records: Records, record: str, meta: schema.TensorMeta, name: str, storages: dict[str, torch.Tensor]
) -> torch.Tensor:
    """One tensor on the memory of its record, on the host; without data (meta) when it was saved without."""
    dtype = _dtype(meta.dtype, name)
    if meta.layout != schema.Layout.Strided:
        raise Unreadable(f"{name!r} is a tensor of layout {meta.layout.name}", ["use dense tensors (.to_dense())"])
    sizes, strides, offset = (
        _numbers(meta.sizes, name),
        _numbers(meta.strides, name),
        _numbers([meta.storage_offset], name)[0],
    )
    if len(sizes) != len(strides):
        raise Unreadable(f"{name!r} has {len(sizes)} sizes and {len(strides)} strides")
    reach = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True)) + 1
    reach = 0 if 0 in sizes else reach
    held, item = records.size(record), dtype.itemsize
    needed = item
    for size in sizes:
        needed *= size
    if held == 0 and reach > 0:
        memory = torch.empty(reach, dtype=dtype, device="meta")
        return memory.as_strided(sizes, strides, offset)
    if reach * item > held:
        raise Unreadable(f"{name!r} needs {reach * item} bytes, record {record!r} has {held}")
    if needed > held + _EXPANDED_BYTES:
        raise Unreadable(f"{name!r} has {needed} bytes, record {record!r} {held}")
    if record not in storages:
        data = records.read(record)
        storages[record] = torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
    return torch.empty(0, dtype=dtype).set_(storages[record].untyped_storage(), offset, sizes, strides)


def _numbers(values: list[schema.SymInt], name: str) -> list[int]:
    """Sizes, strides or offsets of a saved tensor. Unreadable for a symbolic or negative one."""
    if any(size.type != "as_int" or size.as_int < 0 for size in values):
        raise Unreadable(f"{name!r} has a size, stride or offset that is no number of elements")
    return [size.as_int for size in values]


def _dtype(kind: schema.ScalarType, name: str) -> torch.dtype:
    dtype = getattr(torch, _DTYPES.get(kind, ""), None)
    if not isinstance(dtype, torch.dtype):
        raise Unreadable(f"{name!r} has elements of an unknown type ({kind.name})")
    return dtype


_DTYPES: Mapping[schema.ScalarType, str] = {
    schema.ScalarType.BYTE: "uint8",
    schema.ScalarType.CHAR: "int8",
    schema.ScalarType.SHORT: "int16",
    schema.ScalarType.INT: "int32",
    schema.ScalarType.LONG: "int64",
    schema.ScalarType.HALF: "float16",
    schema.ScalarType.FLOAT: "float32",
    schema.ScalarType.DOUBLE: "float64",
    schema.ScalarType.COMPLEXHALF: "complex32",
    schema.ScalarType.COMPLEXFLOAT: "complex64",
    schema.ScalarType.COMPLEXDOUBLE: "complex128",
    schema.ScalarType.BOOL: "bool",
    schema.ScalarType.BFLOAT16: "bfloat16",
    schema.ScalarType.UINT16: "uint16",
    schema.ScalarType.UINT32: "uint32",
    schema.ScalarType.UINT64: "uint64",
    schema.ScalarType.FLOAT8E4M3FN: "float8_e4m3fn",
    schema.ScalarType.FLOAT8E5M2: "float8_e5m2",
    schema.ScalarType.FLOAT8E4M3FNUZ: "float8_e4m3fnuz",
    schema.ScalarType.FLOAT8E5M2FNUZ: "float8_e5m2fnuz",
    schema.ScalarType.FLOAT8E8M0FNU: "float8_e8m0fnu",
}


def _check_tensors(program: ExportedProgram) -> None:
    """Unreadable for a weight or constant that is not there, or is another tensor than the graph takes."""
    held = {**program.state_dict, **program.constants}
    placeholders = [node for node in program.graph.nodes if node.op == "placeholder"]
    specs = program.graph_signature.input_specs
    if len(placeholders) != len(specs):
        raise Unreadable(f"its graph takes {len(placeholders)} values, its signature names {len(specs)}")
    for node, spec in zip(placeholders, specs, strict=True):
        if spec.kind not in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            continue
        tensor, noted = held.get(spec.target or ""), node.meta.get("val")
        if not isinstance(tensor, torch.Tensor):
            raise Unreadable(f"it holds no tensor {spec.target!r}")
        if not isinstance(noted, torch.Tensor) or noted.shape != tensor.shape or noted.dtype != tensor.dtype:
            raise Unreadable(f"its tensor {spec.target!r} is not of the type and shape that the graph takes")


def _check_calls(graph_module: fx.GraphModule) -> None:
    """Unreadable for a call that PyTorch would not carry out, or whose results are others than the graph says."""
    modules = [module for module in graph_module.modules() if isinstance(module, fx.GraphModule)]
    with torch.no_grad(), FakeTensorMode():
        for node in (node for module in modules for node in module.graph.nodes):
            if not isinstance(node.target, OpOverload) or _is_symbolic(node.meta.get("val")):
                continue
            noted = [(tuple(tensor.shape), tensor.dtype) for tensor in leaves_of(torch.Tensor, node.meta.get("val"))]
            results = _results(node, node.target)
            if results is not None and [(tuple(tensor.shape), tensor.dtype) for tensor in results] != noted:
                raise Unreadable(f"{node.name!r} is not what {node.target} gives")


def _results(node: fx.Node, target: OpOverload[..., Any]) -> list[torch.Tensor] | None:
    """The results of a call as torch.export infers them, on tensors without data; None where it needs the data."""
    args, kwargs = map_only(fx.Node, lambda argument: argument.meta.get("val"), (node.args, dict(node.kwargs)))
    if _is_symbolic((args, kwargs)):
        return None
    host = torch.device("cpu")
    args, kwargs = map_only(torch.Tensor, _on_host, map_only(torch.device, lambda device: host, (args, kwargs)))
    try:
        return leaves_of(torch.Tensor, target(*args, **kwargs))
    except NotImplementedError:
        return None
    except Exception as error:  # PyTorch raises what it likes
        raise Unreadable(f"{node.name!r} cannot be: {target}: {_first_line(error)}") from error


def _on_host(noted: torch.Tensor) -> torch.Tensor:
    return torch.empty_strided(noted.shape, noted.stride(), dtype=noted.dtype)


def _is_symbolic(noted: Any) -> bool:
    """Whether a number or size in noted values is not known."""
    symbols = torch.SymInt | torch.SymFloat | torch.SymBool
    if isinstance(noted, torch.Tensor):
        return any(isinstance(size, symbols) for size in (*noted.shape, *noted.stride()))
    if isinstance(noted, tuple | list | dict):
        return any(_is_symbolic(part) for part in (noted.values() if isinstance(noted, dict) else noted))
    return isinstance(noted, symbols)
