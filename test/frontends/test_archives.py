"""`.pt2` archives are read as data: good ones give the numbers of PyTorch, forged ones run nothing and are refused."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import sambaflow
from sambaflow.errors import InputError, SambaError, WeightError
from sambaflow.frontends.archives import read_archive
from sambaflow.frontends.torch_export import import_model
from sambaflow.frontends.weights import load_weights
from sambaflow.tools import samba_compile

Records = dict[str, bytes]
GRAPH, WEIGHTS, CONSTANTS = (
    "models/model.json",
    "data/weights/model_weights_config.json",
    "data/constants/model_constants_config.json",
)
SAMPLES = "data/sample_inputs/model.pt"


class Rich(nn.Module):
    """Tied weights, buffers of both kinds, views of one memory, several dtypes, constants, nested and named inputs."""

    table: torch.Tensor
    turned: torch.Tensor
    rows: torch.Tensor
    mask: torch.Tensor
    shift: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(16, 8)
        self.head = nn.Linear(8, 16, bias=False)
        self.head.weight = self.embed.weight
        self.low = nn.Linear(8, 8, dtype=torch.bfloat16)
        self.register_buffer("shift", torch.arange(16.0))
        self.register_buffer("table", torch.tensor([3, 1, 2, 0]), persistent=False)
        self.register_buffer("mask", torch.tensor([True, False, True, False]).repeat(2))
        self.register_buffer("rows", torch.arange(64.0).view(8, 8)[2:4])
        self.register_buffer("turned", torch.arange(64.0).view(8, 8).t())

    def forward(
        self, tokens: torch.Tensor, rest: dict[str, list[torch.Tensor]], *, scale: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        x = self.embed(tokens[self.table]) + rest["bias"][0] @ self.turned + self.rows[0]
        x = self.low(x.to(torch.bfloat16)).to(torch.float32).masked_fill(self.mask, 2.0)
        return {"logits": self.head(x) * scale + self.shift, "sum": x + torch.tensor([0.5] * 8)}


def rich() -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    torch.manual_seed(0)
    return Rich().eval(), (torch.tensor([5, 1, 9, 3]), {"bias": [torch.rand(4, 8)]}), {"scale": torch.rand(16)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module, args, kwargs = rich()
    path = tmp_path_factory.mktemp("archives") / "rich.pt2"
    torch.export.save(torch.export.export(module, args, kwargs), path)
    return path


def records(path: Path) -> Records:
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def write(path: Path, held: Records, folder: str = "model/") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in held.items():
            archive.writestr(folder + name, data)
    return path


def edited(held: Records, name: str, edit: Callable[[Any], object]) -> Records:
    """The records with one of JSON edited in place."""
    data = json.loads(held[name])
    edit(data)
    return {**held, name: json.dumps(data).encode()}


def test_numbers_equal_pytorch(saved: Path) -> None:
    module, args, kwargs = rich()
    with torch.no_grad():
        expected = module(*args, **kwargs)
    outputs = sambaflow.compile(saved)(*args, **kwargs)
    assert outputs.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(outputs[name], tensor, rtol=1e-4, atol=1e-4)


def test_the_archive_gives_the_ir_and_weights_of_the_program(saved: Path) -> None:
    module, args, kwargs = rich()
    program = torch.export.export(module, args, kwargs)
    from_file, from_memory = import_model(saved), import_model(program)
    assert str(from_file.module) == str(from_memory.module)
    assert from_file.weights.keys() == from_memory.weights.keys()
    assert all(torch.equal(from_file.weights[name], tensor) for name, tensor in from_memory.weights.items())
    assert from_file.graphs["forward"].in_spec == from_memory.graphs["forward"].in_spec


DTYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
    torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.bool,
    torch.complex32, torch.complex64, torch.complex128,
)  # fmt: skip


def test_tensors_of_every_kind_are_as_pytorch_reads_them(tmp_path: Path) -> None:
    class Holder(nn.Module):
        of_float32: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            for dtype in DTYPES:
                tensor = torch.arange(12).to(torch.float32).to(dtype).view(3, 4)
                self.register_buffer(f"of_{str(dtype).removeprefix('torch.')}", tensor, persistent=dtype.itemsize > 1)
            self.register_buffer("empty", torch.empty(0, 3))
            self.register_buffer("scalar", torch.tensor(7))
            self.register_buffer("spread", torch.ones(1).expand(5))
            self.register_buffer("column", torch.rand(4, 4)[1:, 2])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.of_float32

    torch.export.save(torch.export.export(Holder(), (torch.ones(3, 4),)), tmp_path / "all.pt2")
    archive, expected = read_archive(tmp_path / "all.pt2"), torch.export.load(tmp_path / "all.pt2")
    for mine, torchs in ((archive.state_dict, expected.state_dict), (archive.constants, expected.constants)):
        assert list(mine) == list(torchs)
        for name, tensor in torchs.items():
            assert isinstance(tensor, torch.Tensor)
            own: Any = mine[name]
            assert (own.dtype, own.shape, own.stride()) == (tensor.dtype, tensor.shape, tensor.stride())
            assert torch.equal(
                own.contiguous().view(-1).view(torch.uint8), tensor.contiguous().view(-1).view(torch.uint8)
            )


def test_weights_without_data_stay_so(tmp_path: Path) -> None:
    with torch.device("meta"):
        module = nn.Linear(4, 4)
    torch.export.save(torch.export.export(module, (torch.ones(1, 4, device="meta"),)), tmp_path / "meta.pt2")
    assert all(tensor.is_meta for tensor in read_archive(tmp_path / "meta.pt2").state_dict.values())


class Command:
    """Pickled, a command that makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)  # pyright: ignore[reportDeprecated]


def _saved(marker: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(((Command(marker),), {}), buffer)
    return buffer.getvalue()


def _call(marker: Path) -> str:
    return f"__import__('os').system('touch {marker}')"


def _pickled(record: str, config: str, path: str) -> Callable[[Records, Path], Records]:
    """The first tensor of a configuration as a pickle in a record of another name."""

    def forge(held: Records, marker: Path) -> Records:
        def edit(data: Any) -> None:
            payload = next(iter(data["config"].values()))
            payload.update(path_name=path, use_pickle=True)

        data = pickle.dumps(Command(marker)) if "opaque" in path else _saved(marker)
        return edited({**held, record + path: data}, config, edit)

    return forge


def _held(name: str, data: Callable[[Path], bytes]) -> Callable[[Records, Path], Records]:
    """A record has other bytes."""
    return lambda held, marker: {**held, name: data(marker)}


def _graph(edit: Callable[[Any, Path], object]) -> Callable[[Records, Path], Records]:
    """The program's JSON edited in place."""
    return lambda held, marker: edited(held, GRAPH, lambda data: edit(data["graph_module"], marker))


def _target(target: str, *arguments: Any) -> Callable[[Records, Path], Records]:
    """The first node calls another function."""

    def edit(graph: Any, marker: Path) -> None:
        inputs = [
            {"name": "", "arg": argument(marker) if callable(argument) else argument, "kind": 1}
            for argument in arguments
        ]
        graph["graph"]["nodes"][0].update({"target": target} | ({"inputs": inputs} if inputs else {}))

    return _graph(edit)


def _named(name: Callable[[Path], str]) -> Callable[[Records, Path], Records]:
    """The input `tokens` has another name."""

    def forge(held: Records, marker: Path) -> Records:
        text = held[GRAPH].decode()
        return {**held, GRAPH: text.replace('"tokens"', json.dumps(name(marker))).encode()}

    return forge


def _tree(tree: Callable[[Path], dict[str, Any]]) -> Callable[[Records, Path], Records]:
    """The structure of the results is another one."""

    def edit(graph: Any, marker: Path) -> None:
        leaf = {"type": None, "context": None, "children_spec": []}
        structure = {**tree(marker), "children_spec": [leaf, leaf]}
        graph["module_call_graph"][0]["signature"]["out_spec"] = json.dumps([1, structure])

    return _graph(edit)


def _size(value: Callable[[Path], str]) -> Callable[[Records, Path], Records]:
    """The first size of the first tensor is an expression."""

    def edit(graph: Any, marker: Path) -> None:
        meta = next(iter(graph["graph"]["tensor_values"].values()))
        meta["sizes"][0] = {"as_expr": {"expr_str": value(marker), "hint": {"as_int": 4}}}

    return _graph(edit)


FORGED: dict[str, tuple[Callable[[Records, Path], Records], str]] = {
    "sample inputs": (_held(SAMPLES, _saved), r"pickle that calls (posix|nt|os)\.system"),
    "bare pickle": (_held(SAMPLES, lambda marker: pickle.dumps(Command(marker))), "holds no sample inputs"),
    "weight": (_pickled("data/weights/", WEIGHTS, "weight_0"), "saved as a pickle"),
    "constant": (_pickled("data/constants/", CONSTANTS, "tensor_0"), "saved as a pickle"),
    "object": (_pickled("data/constants/", CONSTANTS, "opaque_obj_0"), "saved as a pickle"),
    "script object": (_pickled("data/constants/", CONSTANTS, "custom_obj_0"), "saved as a pickle"),
    "old weights": (_held("data/weights/model.pt", _saved), "is a pickle, of an older"),
    "old constants": (_held("data/constants/model.pt", _saved), "is a pickle, of an older"),
    "function": (
        _target("torch.os.system", lambda marker: {"as_string": f"touch {marker}"}),
        r"target is not allowed: 'torch\.os",
    ),
    "other module": (_target("math.__loader__.load_module"), "target is not allowed"),
    "operator's insides": (_target("torch.ops.aten.__class__.__init__"), "target is not allowed"),
    "region's insides": (_target("torch.ops.higher_order.__class__"), "target is not allowed"),
    "other library": (_target("torch.ops.debugprims.load_tensor.default"), "target is not allowed"),
    "writes a file": (
        _target("torch.ops.aten.save.default", {"as_int": 1}, lambda marker: {"as_string": str(marker)}),
        r"not allowed: 'torch\.ops\.aten\.save",
    ),
    "maps a file": (
        _target(
            "torch.ops.aten.from_file.default",
            lambda marker: {"as_string": str(marker)}, {"as_bool": True}, {"as_int": 4},
        ),
        r"not allowed: 'torch\.ops\.aten\.from_file",
    ),
    "operator as argument": (
        _target("torch.ops.aten.add.Tensor", {"as_operator": "torch.os.abort"}), "as_operator is not allowed",
    ),
    "expression": (_size(_call), "expr_str is not allowed"),
    "expression in a symbol": (_size(lambda marker: f'Symbol("{_call(marker)}")'), "expr_str is not allowed"),
    "expression of attributes": (_size(lambda marker: "Integer(1).__class__"), "expr_str is not allowed"),
    "large power": (_size(lambda marker: "Pow(Integer(9), Pow(Integer(9), Integer(99)))"), "expr_str is not allowed"),
    "name": (_named(lambda marker: f"tokens={_call(marker)}"), "is not allowed: .tokens="),
    "name of two lines": (_named(lambda marker: f"tokens):\n  pass\n{_call(marker)}\ndef f("), "is not allowed"),
    "factory": (
        _tree(
            lambda marker: {
                "type": "collections.defaultdict",
                "context": {
                    "default_factory_module": "marking", "default_factory_name": "made", "dict_context": ["a", "b"],
                },
            }
        ),
        "out_spec is not allowed",
    ),
    "enumeration": (
        _tree(
            lambda marker: {
                "type": "builtins.dict",
                "context": json.dumps([{"__enum__": True, "fqn": "marking:Made", "name": "A"}, "b"]),
            }
        ),
        "out_spec is not allowed",
    ),
    "unknown class": (_tree(lambda marker: {"type": "marking.Made", "context": "null"}), "out_spec is not allowed"),
}  # fmt: skip


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a forgery would make, also by the module `marking`, which can be imported."""
    path = tmp_path / "ran"
    (tmp_path / "marking.py").write_text(f"open({str(path)!r}, 'w')\nmade = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    return path


@pytest.mark.parametrize("kind", FORGED)
def test_forged_archives_run_nothing_and_are_refused(kind: str, saved: Path, tmp_path: Path, marker: Path) -> None:
    forge, reason = FORGED[kind]
    path = write(tmp_path / "forged.pt2", forge(records(saved), marker))
    with pytest.raises(InputError, match=rf"forged\.pt2: cannot read the exported program: .*{reason}"):
        import_model(path)
    assert not marker.exists()


def test_numbers_that_fill_the_memory_are_refused(saved: Path, tmp_path: Path) -> None:
    def edit(graph: Any, _: Path) -> None:
        inputs = [{"name": "", "arg": {"as_int": (1 << 62) + place}, "kind": 1} for place in range(2)]
        node = {
            "target": "_operator.pow",
            "inputs": inputs,
            "outputs": [{"as_sym_int": {"as_name": "n"}}],
            "metadata": {},
        }
        graph["graph"]["nodes"].insert(0, node)
        graph["graph"]["sym_int_values"]["n"] = {"as_int": 1}

    path = write(tmp_path / "large.pt2", _graph(edit)(records(saved), tmp_path))
    with pytest.raises(InputError, match="more than 64 bits"):
        import_model(path)


@pytest.mark.parametrize("field", ["source_fn_stack", "custom", "from_node"])
def test_what_is_not_needed_is_not_read(field: str, saved: Path, tmp_path: Path, marker: Path) -> None:
    def edit(graph: Any, _: Path) -> None:
        graph["graph"]["nodes"][0]["metadata"][field] = "x,marking.made"
        graph["metadata"] = {"custom": "{"}
        graph["module_call_graph"].append({"fqn": "sub", "signature": {"in_spec": "marking"}})

    held = _graph(edit)(records(saved), marker)
    held = edited(held, GRAPH, lambda data: data.update(guards_code=[_call(marker)]))
    assert str(import_model(write(tmp_path / "more.pt2", held)).module) == str(import_model(saved).module)
    assert not marker.exists()


def test_trust_reads_the_file_as_pytorch_does(saved: Path, tmp_path: Path, marker: Path) -> None:
    path = write(tmp_path / "forged.pt2", {**records(saved), SAMPLES: _saved(marker)})
    with pytest.raises(SambaError, match="--trust FILE"):
        sambaflow.compile(path)
    assert not marker.exists()
    assert samba_compile.main([str(path), "--trust", str(path), "-o", str(tmp_path / "m.pef")]) == 0
    assert marker.exists()
    assert import_model(path, trust=True).weights.keys() == import_model(saved).weights.keys()
    with pytest.raises(SystemExit, match="2"):
        samba_compile.main([str(path), "--trust", "other.pt2", "-o", str(tmp_path / "m.pef")])


def test_checkpoints_that_are_pickles_are_not_loaded(tmp_path: Path, marker: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(_saved(marker))
    with pytest.raises(WeightError, match=r"pytorch_model\.bin(.|\n)*convert it: safetensors"):
        load_weights(tmp_path / "pytorch_model.bin")
    assert not marker.exists()


def test_older_formats_are_refused(tmp_path: Path, marker: Path) -> None:
    old = {"version": b"8.1", "serialized_exported_program.json": b"{}", "serialized_state_dict.pt": _saved(marker)}
    with pytest.raises(InputError, match=r"PyTorch 2\.7 and older(.|\n)*save it by torch\.export\.save"):
        import_model(write(tmp_path / "old.pt2", old, folder=""))
    assert not marker.exists()


def _flipped(data: bytes) -> bytes:
    """One bit of the first weight is another."""
    place = data.index(b"weight_0") + 200
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "no archive of torch.export.save"),
    "cut": (lambda data: data[: len(data) // 2], "no archive of torch.export.save"),
    "without its head": (lambda data: data[400:], "damaged|no archive"),
    "a bit": (_flipped, "is damaged"),
}


@pytest.mark.parametrize("kind", BYTES)
def test_damaged_files_are_refused(kind: str, saved: Path, tmp_path: Path) -> None:
    damage, reason = BYTES[kind]
    (tmp_path / "damaged.pt2").write_bytes(damage(saved.read_bytes()))
    with pytest.raises(InputError, match=rf"damaged\.pt2: .*({reason})"):
        import_model(tmp_path / "damaged.pt2")


def _changed(record: str, edit: Callable[[Any], object]) -> Callable[[Records], Records]:
    """A record of JSON is edited."""
    return lambda held: edited(held, record, edit)


def _meta(config: str, **fields: Any) -> Callable[[Records], Records]:
    """The first tensor of a configuration has other sizes, strides or offset."""

    return _changed(config, lambda data: next(iter(data["config"].values()))["tensor_meta"].update(fields))


def _ints(*values: int) -> list[dict[str, int]]:
    return [{"as_int": value} for value in values]


LAYOUTS: dict[str, tuple[Callable[[Records], Records], str]] = {
    "leads out": (lambda held: {**held, "../../outside": b""}, "leads out of the archive"),
    "absolute": (lambda held: {**held, "a:\\b": b""}, "leads out of the archive"),
    "big end first": (lambda held: {**held, "byteorder": b"big"}, "byte order is 'big'"),
    "version": (lambda held: {**held, "archive_version": b"1"}, "version is '1'"),
    "not text": (lambda held: {**held, "archive_version": b"\xff"}, "not UTF-8"),
    "format": (lambda held: {**held, "archive_format": b"pt3"}, "no archive of torch.export.save"),
    "no format": (lambda held: {GRAPH: held[GRAPH]}, "no archive of torch.export.save"),
    "other program": (
        lambda held: {name.replace("models/model", "models/other"): data for name, data in held.items()},
        "programs of other names: models/other.json",
    ),
    "compiled": (
        lambda held: {name.replace("models/", "data/aotinductor/"): data for name, data in held.items()},
        "only code compiled by AOTInductor",
    ),
    "no JSON": (lambda held: {**held, GRAPH: b"{"}, "is no JSON"),
    "deep JSON": (lambda held: {**held, GRAPH: b"[" * 100_000}, "is no JSON"),
    "no program": (lambda held: {**held, GRAPH: b"[]"}, "is no ExportedProgram"),
    "half a program": (_changed(GRAPH, lambda data: data.pop("schema_version")), "has no 'schema_version'"),
    "no call": (
        _changed(GRAPH, lambda data: data["graph_module"].update(module_call_graph=[])), "how the model is called",
    ),
    "union": (
        _changed(GRAPH, lambda data: data["graph_module"]["graph"]["inputs"][0].clear()), "none of what a Argument can",
    ),
    "no weights": (lambda held: {name: data for name, data in held.items() if name != WEIGHTS}, "has no record"),
    "no weight": (_changed(WEIGHTS, lambda data: data["config"].popitem()), "is not in the state dict"),
    "other shape": (_meta(WEIGHTS, sizes=_ints(8, 16), strides=_ints(16, 1)), "not of the type and shape"),
    "long": (_meta(WEIGHTS, sizes=_ints(1600, 8)), "needs 51200 bytes"),
    "far": (_meta(WEIGHTS, storage_offset={"as_int": 1 << 40}), "needs [0-9]+ bytes"),
    "wide": (_meta(WEIGHTS, strides=_ints(1 << 40, 1)), "needs [0-9]+ bytes"),
    "backwards": (_meta(WEIGHTS, strides=_ints(-8, 1)), "no number of elements"),
    "symbolic": (
        _meta(WEIGHTS, sizes=[{"as_expr": {"expr_str": "Symbol('s0')"}}, {"as_int": 8}]), "no number of elements",
    ),
    "huge": (_meta(WEIGHTS, sizes=_ints(1 << 62, 1 << 62), strides=_ints(0, 0)), "record .* [0-9]+$"),
    "larger than numbers": (_meta(WEIGHTS, sizes=_ints(1 << 64, 8)), "is no int"),
    "strides": (_meta(WEIGHTS, strides=_ints(8)), "2 sizes and 1 strides"),
    "sparse": (_meta(WEIGHTS, layout=1), "layout SparseCoo"),
    "unknown dtype": (_meta(WEIGHTS, dtype=0), "unknown type"),
    "no dtype": (_meta(WEIGHTS, dtype=99), "is no ScalarType"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LAYOUTS)
def test_archives_that_contradict_themselves_are_refused(kind: str, saved: Path, tmp_path: Path) -> None:
    change, reason = LAYOUTS[kind]
    path = write(tmp_path / "changed.pt2", change(records(saved)))
    with pytest.raises(InputError, match=rf"changed\.pt2: cannot read the exported program: .*({reason})"):
        import_model(path)


def test_other_zips_are_refused(saved: Path, tmp_path: Path) -> None:
    held = records(saved)
    path = tmp_path / "zip.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/archive_format", bytes(1 << 20))
    with pytest.raises(InputError, match="is compressed"):
        import_model(path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(write(path, held), "a") as archive:
        archive.writestr(f"model/{GRAPH}", held[GRAPH])
    with pytest.raises(InputError, match="more than once"):
        import_model(path)
    with zipfile.ZipFile(write(path, held), "a") as archive:
        archive.writestr("elsewhere/x", b"")
    with pytest.raises(InputError, match="in 2 folders"):
        import_model(path)


def test_a_compressed_archive_inside_is_not_inflated(saved: Path, tmp_path: Path) -> None:
    """Sample inputs are an archive in the archive: 1 MiB of zeros in 1 KB, and no reason to trust the file."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", bytes(1 << 20))
    path = write(tmp_path / "bomb.pt2", {**records(saved), SAMPLES: inner.getvalue()})
    with pytest.raises(InputError, match=r"in record 'data/sample_inputs/model\.pt': .* is compressed") as caught:
        import_model(path)
    assert not any("trust" in lever for lever in caught.value.levers)


def test_records_that_overlap_are_refused(saved: Path, tmp_path: Path) -> None:
    """Two entries of the directory that share the bytes of one record, as a small bomb has them."""
    path = write(tmp_path / "bomb.pt2", {**records(saved), "x1": bytes(100_000), "x2": b""})
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        first, second = archive.getinfo("model/x1"), archive.getinfo("model/x2")
    entry = data.rindex(b"model/x2") - 46
    size = (100_000).to_bytes(4, "little")
    path.write_bytes(data[: entry + 20] + size + size + data[entry + 28 :])
    assert (first.file_size, second.file_size) == (100_000, 0)
    with pytest.raises(InputError, match=r"bomb\.pt2: .*larger than the file"):
        import_model(path)


MUTANTS = 60


ODD = (None, -1, 0, 1, 7, 1 << 40, 0.5, True, "", "x", "tokens", [], {}, [[]], "torch.ops.aten.mul.Tensor")


def _mutate(data: Any, chance: random.Random) -> None:
    """One value in plain data is lost, repeated, another one, or what stands elsewhere under the same name."""
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            collect(node[key])

    collect(data)
    holder, key = chance.choice(places)
    kind = chance.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = chance.choice(ODD)
    elif kind == 2 and isinstance(holder, list):
        holder.append(holder[key])
    elif kind == 3 and type(holder[key]) is int:
        holder[key] += chance.choice([-1, 1, 3, 1 << 32])
    else:
        others = [other[place] for other, place in places if place == key and type(other[place]) is type(holder[key])]
        holder[key] = copy.deepcopy(chance.choice(others))


@pytest.mark.parametrize("start", range(0, MUTANTS, 20))
def test_mutants_are_imported_or_refused(start: int, saved: Path, tmp_path: Path) -> None:
    held = records(saved)
    refused = 0
    for seed in range(start, start + 20):
        chance = random.Random(seed)
        name = chance.choice([GRAPH, GRAPH, GRAPH, WEIGHTS, CONSTANTS])
        path = write(tmp_path / "mutant.pt2", edited(held, name, lambda data, chance=chance: _mutate(data, chance)))
        try:
            import_model(path).module.verify()
        except SambaError as error:
            refused += 1
            assert "mutant.pt2" in str(error) or error.location, f"{seed}: {error}"
    assert refused > 5
