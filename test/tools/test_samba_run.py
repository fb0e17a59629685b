"""samba-compile and samba-run as a user types them: what they write, and how they refuse bad input.

Every refusal: exit code 1, one diagnostic on standard error, no traceback, no output file.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import sambaflow
from sambaflow import machine
from sambaflow.tools import samba_compile, samba_run

MODEL = """
import torch

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(16, 8)
    def forward(self, x):
        return torch.relu(self.linear(x))

class Branching(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x + 1
        return x

class Raising(torch.nn.Module):
    def forward(self, x):
        raise RuntimeError("out of ideas")

class Unsupported(torch.nn.Module):
    def forward(self, x):
        return torch.linalg.qr(x)[0] + torch.linalg.qr(x + 1)[0] + torch.fft.fft(x).real

def network():
    return Network().eval(), (torch.zeros(4, 16),)

def wide():
    return torch.nn.Linear(64, 64), (torch.zeros(8, 64),)

def branching():
    return Branching(), (torch.zeros(4),)

def raising():
    return Raising(), (torch.zeros(4),)

def unsupported():
    return Unsupported(), (torch.zeros(4, 4),)

def raises():
    raise ValueError("no model today")

def wrong():
    return 5
"""


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object) -> Done:
    """Calls the tool's entry point in this process."""
    tool, *rest = (str(argument) for argument in arguments)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = {"samba_run": samba_run, "samba_compile": samba_compile}[tool].main(rest)
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def refused(*arguments: object, output: Path | None = None) -> str:
    """The diagnostic of a refusal."""
    done = run(*arguments)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1, done.stderr
    assert done.stdout == ""
    assert output is None or not output.exists()
    return done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """models.py, and network.pef with its weights and inputs."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "models.py").write_text(MODEL)
    done = run("samba_compile", f"{folder}/models.py:network", "-o", folder / "network.pef")
    assert done.returncode == 0, done.stderr
    save_file({"x": torch.randn(4, 16, generator=torch.Generator().manual_seed(1))}, folder / "x.safetensors")
    return folder


def test_numbers(folder: Path):
    output = folder / "y.safetensors"
    done = run("samba_run", folder / "network.pef", "--inputs", folder / "x.safetensors", "--outputs", output)
    assert done.returncode == 0, done.stderr
    weights, x = load_file(folder / "network.safetensors"), load_file(folder / "x.safetensors")["x"]
    want = torch.relu(x @ weights["linear.weight"].T + weights["linear.bias"])
    assert torch.allclose(load_file(output)["output"], want, atol=1e-5)


def test_timing_as_json(folder: Path):
    report, trace = folder / "report.json", folder / "trace.json"
    done = run("samba_run", folder / "network.pef", "--json", "--report", report, "--trace", trace)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["seconds"] > 0
    assert printed["seconds"] == json.loads(report.read_text())["seconds"]
    assert json.loads(trace.read_text())


def test_timing_needs_no_weights_and_prints_a_table(folder: Path):
    alone = folder / "alone.pef"
    alone.write_bytes((folder / "network.pef").read_bytes())
    done = run("samba_run", alone, "--timing")
    assert done.returncode == 0, done.stderr
    assert "forward" in done.stdout


def test_tile_by_tile(folder: Path):
    results: list[torch.Tensor] = []
    for flags in ([], ["--tiled"]):
        output = folder / f"t{len(flags)}.safetensors"
        done = run(
            "samba_run", folder / "network.pef", "--inputs", folder / "x.safetensors", "--outputs", output, *flags
        )
        assert done.returncode == 0, done.stderr
        results.append(load_file(output)["output"])
    assert torch.equal(*results)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("branching", "data-dependent control flow"),
        ("raising", "out of ideas"),
        ("unsupported", "linalg_qr|fft"),
        ("raises", "raised ValueError: no model today"),
        ("wrong", "returned int, not \\(module, inputs\\)"),
        ("missing", "has no function 'missing'"),
    ],
)
def test_models_that_are_refused(folder: Path, model: str, message: str):
    output = folder / "refused.pef"
    said = refused("samba_compile", f"{folder}/models.py:{model}", "-o", output, output=output)
    assert "models.py" in said or model == "unsupported"
    assert re.search(message, said), said


def test_files_that_are_refused(folder: Path):
    output = folder / "refused.pef"
    (folder / "text.mlir").write_text("this is no MLIR\n")
    (folder / "text.pt2").write_text("nor a program")
    (folder / "text.json").write_text("{")
    (folder / "small.yaml").write_text("name: small\n")
    assert "text.mlir:1" in refused("samba_compile", folder / "text.mlir", "-o", output, output=output)
    assert "text.pt2" in refused("samba_compile", folder / "text.pt2", "-o", output, output=output)
    assert "text.json" in refused("samba_compile", "--hf", folder / "text.json", "-o", output, output=output)
    assert "no such file" in refused("samba_compile", f"{folder}/none.py:f", "-o", output, output=output)
    model = f"{folder}/models.py:network"
    assert "small.yaml" in refused(
        "samba_compile", model, "--machine", folder / "small.yaml", "-o", output, output=output
    )
    assert "sn99" in refused("samba_compile", model, "--machine", "sn99", "-o", output, output=output)
    elsewhere = folder / "none" / "m.pef"
    assert str(elsewhere) in refused("samba_compile", model, "-o", elsewhere, output=elsewhere)


T = "tensor<4x8xf32>"
HEAD = f'func.func @forward(%x: {T} {{samba.name = "x"}}) -> ({T} {{samba.name = "y"}}) {{\n'
END = f"\nfunc.return %x : {T}\n}}\n"


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        (f"%0 = samba.reluu %x : {T}", "bad.mlir:2", "reluu"),
        (f"%0 = samba.add %x, %x : ({T}, {T}) -> tensor<4x9xf32>", "bad.mlir:2", "4x"),
        (f"%0 = samba.relu %1 : {T}\n%1 = samba.tanh %x : {T}", "bad.mlir:2", "before|dominat"),
        (f"%0 = samba.relu %none : {T}", "bad.mlir", "none"),
    ],
    ids=["unknown op", "shape mismatch", "use before definition", "no definition"],
)
def test_ir_that_is_refused(folder: Path, body: str, place: str, message: str):
    source, output = folder / "bad.mlir", folder / "refused.pef"
    source.write_text(HEAD + body + END)
    said = refused("samba_compile", source, "-o", output, output=output)
    assert re.search(message, said), said
    assert place in said


def test_a_machine_that_is_too_small(folder: Path):
    description = yaml.safe_load((Path(machine.__file__).parent / "sn40l.yaml").read_text())
    description["pmu"]["bytes"]["value"] = 2
    (folder / "tiny.yaml").write_text(yaml.safe_dump(description))
    output = folder / "refused.pef"
    said = refused(
        "samba_compile", f"{folder}/models.py:wide", "--machine", folder / "tiny.yaml", "-o", output, output=output
    )
    assert "short by" in said


def test_pefs_that_are_refused(folder: Path):
    data = (folder / "network.pef").read_bytes()
    middle = len(data) // 2
    (folder / "cut.pef").write_bytes(data[:middle])
    (folder / "altered.pef").write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    (folder / "empty.pef").write_bytes(b"")
    for name in ("cut", "altered", "empty", "none"):
        assert f"{name}.pef" in refused("samba_run", folder / f"{name}.pef", "--timing")


def test_weights_that_are_refused(folder: Path):
    output = folder / "refused.safetensors"
    weights = load_file(folder / "network.safetensors")
    cases = {
        "missing": ({"linear.weight": weights["linear.weight"]}, "missing 1 of the weights.*'linear.bias'"),
        "shape": (
            {**weights, "linear.bias": torch.zeros(9)},
            "'linear.bias' is float32\\[9\\], the PEF has float32\\[8\\]",
        ),
        "dtype": ({**weights, "linear.bias": torch.zeros(8).double()}, "float64"),
    }
    for name, (tensors, message) in cases.items():
        save_file(tensors, folder / f"{name}.safetensors")
        said = refused(
            "samba_run", folder / "network.pef", "--inputs", folder / "x.safetensors", "--weights",
            folder / f"{name}.safetensors", "--outputs", output, output=output,
        )  # fmt: skip
        assert re.search(message, said), said
    save_file({"x": torch.zeros(4, 17)}, folder / "wide.safetensors")
    said = refused(
        "samba_run", folder / "network.pef", "--inputs", folder / "wide.safetensors", "--outputs", output, output=output
    )
    assert "input 'x'" in said
    said = refused("samba_run", folder / "network.pef", "--outputs", output, output=output)
    assert "missing x" in said
    assert "no graph" in refused("samba_run", folder / "network.pef", "--graph", "decode")


def test_files_of_tensors_that_are_none(folder: Path, tmp_path: Path):
    """An empty name is a name, and what stands where the weights should is said."""
    pef = tmp_path / "m.pef"
    pef.write_bytes((folder / "network.pef").read_bytes())
    (tmp_path / "m.safetensors").write_bytes((folder / "network.safetensors").read_bytes())
    for name in ("nope", ""):
        assert "cannot read the inputs: No such file or directory" in refused("samba_run", pef, "--inputs", name)
    assert "cannot read the state: it is a folder" in refused("samba_run", pef, "--state-in", tmp_path)
    (tmp_path / "m.safetensors").unlink()
    (tmp_path / "m.safetensors").mkdir()
    said = refused("samba_run", pef, "--outputs", tmp_path / "out")
    assert "m.safetensors: error: cannot read the weights: it is a folder" in said


def test_usage():
    for arguments in (("samba_run",), ("samba_compile", "m.mlir"), ("samba_compile", "-o", "m.pef")):
        done = run(*arguments)
        assert done.returncode == 2
        assert "usage:" in done.stderr


def test_the_commands_themselves(folder: Path):
    """In a process of their own, nothing but the diagnostic comes out."""
    command = [sys.executable, "-m", "sambaflow.tools.samba_run", str(folder / "none.pef"), "--timing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{folder}/none.pef: error:")
    assert "Traceback" not in done.stderr


def test_a_transformers_model_that_does_not_fit_is_refused_with_its_length(folder: Path):
    description = yaml.safe_load((Path(machine.__file__).parent / "sn40l.yaml").read_text())
    description["pmu"]["bytes"]["value"] = 2
    (folder / "none.yaml").write_text(yaml.safe_dump(description))
    config, output = Path(__file__).parents[2] / "examples" / "llama-tiny.json", folder / "refused.pef"
    arguments = ["--hf", config, "--length", "8", "--machine", folder / "none.yaml", "-o", output]
    done = run("samba_compile", *arguments)
    assert done.returncode == 1 and done.stderr.count("error:") == 1 and not output.exists()
    assert "short by" in done.stderr and "try: lower --length or --prompt" in done.stderr


def test_weights_beside_a_pef_do_not_replace_those_that_they_come_from(tmp_path: Path):
    config = Path(__file__).parents[2] / "examples" / "llama-tiny.json"
    (tmp_path / "config.json").write_bytes(config.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"not read")
    for source in (tmp_path, tmp_path / "config.json"):
        said = refused("samba_compile", "--hf", source, "-o", tmp_path / "model.pef", output=tmp_path / "model.pef")
        assert "would replace model.safetensors of the checkpoint" in said and "another folder" in said
    assert weights.read_bytes() == b"not read"


def test_load_takes_the_weights_beside_a_pef_as_samba_run_does(folder: Path):
    x = load_file(folder / "x.safetensors")["x"]
    output = folder / "same.safetensors"
    run("samba_run", folder / "network.pef", "--inputs", folder / "x.safetensors", "--outputs", output)
    assert torch.equal(sambaflow.load(folder / "network.pef")(x), load_file(output)["output"])
