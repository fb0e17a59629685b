"""Bad input to every tool that takes it: exit code 1, one diagnostic that names the place, and nothing written.

test/tools has each tool's own refusals; here the same bad file goes through all of them.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from sambaflow import machine
from sambaflow.tools import samba_compile, samba_opt, samba_run, samba_translate

TOOLS: dict[str, Callable[[Sequence[str]], int]] = {
    "samba-compile": samba_compile.main,
    "samba-opt": samba_opt.main,
    "samba-run": samba_run.main,
    "samba-translate": samba_translate.main,
}

MODELS = """import sys, torch
class Branching(torch.nn.Module):
    def forward(self, x):
        return x + 1 if x.sum() > 0 else x
class Sizing(torch.nn.Module):
    def forward(self, x):
        return x * int(x.sum())
class Unsupported(torch.nn.Module):
    def forward(self, x):
        return torch.linalg.qr(x)[0]
def branching(): return Branching(), (torch.zeros(4),)
def sizing(): return Sizing(), (torch.zeros(4),)
def unsupported(): return Unsupported(), (torch.zeros(4, 4),)
def raises(): raise ValueError("no model today")
def leaves(): sys.exit(3)
def misfit(): return torch.nn.Linear(3, 4), (torch.zeros(2, 5),)
"""

T = "tensor<64x64xf32>"
FUNCTION = f'func.func @forward(%x: {T} {{samba.name = "x"}}) -> ({T} {{samba.name = "y"}}) {{\n'
BODIES = {
    "good": f"  %0 = samba.matmul %x, %x : ({T}, {T}) -> {T}\n  func.return %0 : {T}",
    "unknown": f"  %0 = samba.frobnicate %x : {T}\n  func.return %x : {T}",
    "shape": f"  %0 = samba.add %x, %x : ({T}, {T}) -> tensor<4x9xf32>\n  func.return %x : {T}",
    "before": f"  %0 = samba.relu %1 : {T}\n  %1 = samba.tanh %x : {T}\n  func.return %0 : {T}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "models.py").write_text(MODELS)
    (folder / "text.mlir").write_text("this is no MLIR\n")
    for name, body in BODIES.items():
        (folder / f"{name}.mlir").write_text(f"{FUNCTION}{body}\n}}\n")
    description = yaml.safe_load((Path(machine.__file__).parent / "sn40l.yaml").read_text())
    description["pmu"]["bytes"]["value"] = 2
    (folder / "tiny.yaml").write_text(yaml.safe_dump(description))
    assert samba_compile.main([str(folder / "good.mlir"), "-o", str(folder / "good.pef")]) == 0
    data = (folder / "good.pef").read_bytes()
    (folder / "cut.pef").write_bytes(data[: len(data) // 2])
    for name, at in {"contents": len(data) // 2, "headers": len(data) - 200}.items():
        (folder / f"{name}.pef").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    return folder


IR = ("samba-compile {} -o out", "samba-opt --pass-pipeline=o1 {} -o out", "samba-translate --to-pef {} -o out")
PEF = (
    "samba-run {} --timing --report out",
    *(f"samba-translate --{what} {{}} -o out" for what in ("from-pef", "inspect", "strip", "to-dot")),
)
MODEL = ("samba-compile {} -o out", "samba-translate --from-torch {} --weights weights -o out")
CASES: list[tuple[str, Sequence[str], str]] = [
    ("text.mlir", IR, r"^text\.mlir:1:1: error: unknown op 'this'"),
    ("unknown.mlir", IR, r"^unknown\.mlir:2:8: error: .*samba\.frobnicate"),
    ("shape.mlir", IR, r"^shape\.mlir:2:8: error: .*tensor<4x9xf32>"),
    ("before.mlir", IR, r"^before\.mlir:2:8: error: .*before its definition"),
    ("good.mlir", ("samba-translate --to-pef {} -o out",), r"^good\.mlir:1:1: error: .*rdu\.program"),
    (
        "good.mlir",
        ("samba-compile {} --machine tiny.yaml -o out",),
        r"^good\.mlir:2:8: error: .*does not fit the machine\n(.*\n)*.*short by",
    ),
    (
        "good.mlir",
        ("samba-opt --pass-pipeline=o3{{machine=tiny.yaml}} {} -o out",),
        r"^good\.mlir:2:8: error: .*does not fit the machine",
    ),
    ("good.mlir", ("samba-run {} --timing",), r"^good\.mlir: error: is no ELF file"),
    ("cut.pef", PEF, r"^cut\.pef: error: is cut off: its header promises \d+ bytes, it has \d+"),
    ("contents.pef", PEF, r"^contents\.pef: error: section '.*' was altered"),
    ("headers.pef", PEF, r"^headers\.pef: error: (the section headers were altered|has ELF headers)"),
    ("models.py:branching", MODEL, r"^models\.py:4: error: data-dependent control flow"),
    ("models.py:sizing", MODEL, r"^models\.py:7: error: data-dependent control flow"),
    ("models.py:unsupported", MODEL, r"^models\.py:10: error: 1 unsupported operator.*\n(.*\n)*.*linalg_qr"),
    ("models.py:raises", MODEL, r"^models\.py:14: error: .*ValueError: no model today"),
    ("models.py:leaves", MODEL, r"^models\.py:15: error: .*SystemExit: 3"),
    ("models.py:misfit", MODEL, r"^error: Linear raised RuntimeError: .*\[2, 5\] X \[3, 4\]"),
]
COMMANDS = [(command.format(name), message) for name, commands, message in CASES for command in commands]


@pytest.mark.parametrize(("command", "message"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_bad_input_is_refused(command: str, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    before = sorted(os.listdir())
    tool, *arguments = command.split()
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        code = TOOLS[tool](arguments)
    text = said.getvalue()
    assert (code, out.getvalue()) == (1, "")
    assert re.search(message, text), text
    assert len(re.findall(r"\berror: ", text)) == 1 and "Traceback" not in text
    assert sorted(set(os.listdir()) - {"__pycache__"}) == before
