"""Paths are bytes: those that are no UTF-8 are read and written like others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sambaflow.tools import samba_compile, samba_opt, samba_run, samba_translate

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ODD = os.fsdecode(b"l\xff")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / ODD
    try:
        path.mkdir()
    except OSError:
        pytest.skip(f"no such paths on {sys.platform}")
    monkeypatch.chdir(path)
    return path


def test_ir_at_such_a_path_is_compiled(folder: Path):
    (folder / f"{ODD}.mlir").write_bytes((EXAMPLES / "linear_relu.mlir").read_bytes())
    assert samba_compile.main([f"{ODD}.mlir", "-o", f"{ODD}.pef"]) == 0
    assert samba_translate.main(["--from-pef", f"{ODD}.pef", "-o", f"{ODD}.rdu.mlir"]) == 0
    assert samba_translate.main(["--to-pef", f"{ODD}.rdu.mlir", "-o", f"{ODD}2.pef"]) == 0
    assert samba_opt.main([f"{ODD}.mlir", "--print-debuginfo", "-o", f"{ODD}2.mlir"]) == 0
    assert samba_run.main([f"{ODD}2.pef", "--report", f"{ODD}.json"]) == 0


def test_weights_at_such_a_path_are_read(folder: Path):
    (folder / "m.py").write_text("import torch\ndef f(): return torch.nn.Linear(4, 4), (torch.ones(2, 4),)\n")
    assert samba_compile.main(["m.py:f", "-o", str(folder / f"{ODD}.pef")]) == 0
    save_file({"input": torch.ones(2, 4)}, "in.safetensors")
    os.rename("in.safetensors", f"{ODD}.in")
    assert samba_run.main([f"{ODD}.pef", "--inputs", str(folder / f"{ODD}.in"), "--outputs", "out"]) == 0
    os.rename(f"{ODD}.safetensors", "weights")
    weights = load_file("weights")
    want = torch.ones(2, 4) @ weights["weight"].T + weights["bias"]
    assert torch.allclose(load_file("out")["output"], want, atol=1e-5)
