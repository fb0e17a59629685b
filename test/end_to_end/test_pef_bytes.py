"""The same input gives the same bytes: from two checkouts, in two processes, under two hash seeds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import torch

import sambaflow

ROOT = Path(__file__).resolve().parents[2]

MODES = ("o1", "o3")


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(24, 24) for _ in range(3))
        self.norm = torch.nn.LayerNorm(24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = x + torch.softmax(self.norm(torch.relu(layer(x))), -1)
        return x


def write(folder: Path) -> None:
    """A PEF of the network for each mode."""
    for mode in MODES:
        torch.manual_seed(0)
        sambaflow.compile(Network().eval(), (torch.zeros(4, 24),), mode=mode, chips=2).save(folder / f"{mode}.pef")


def test_two_checkouts_and_two_hash_seeds(tmp_path: Path):
    """Ours in this process, and a copy of it in another, which runs this file as a program."""
    here, there, copy = tmp_path / "here", tmp_path / "there", tmp_path / "elsewhere" / "checkout"
    ignored = shutil.ignore_patterns(".*", "test", "docs", "*.egg-info", "build", "out")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignored)
    for folder in (here, there):
        folder.mkdir()
    write(here)
    seed = "18" if os.environ.get("PYTHONHASHSEED") != "18" else "19"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(copy / "typecheck")}
    done = subprocess.run(
        [sys.executable, "-B", __file__, str(there)], check=True, env=environment, cwd=tmp_path, stdout=subprocess.PIPE
    )
    assert Path(done.stdout.decode().strip()).is_relative_to(copy)
    for mode in MODES:
        assert (here / f"{mode}.pef").read_bytes() == (there / f"{mode}.pef").read_bytes()


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, torch.Tensor, torch.Tensor]:
    """A saved model, an input, and what the model makes of it."""
    torch.manual_seed(0)
    module, x = torch.nn.Linear(8, 5), torch.randn(3, 8)
    exe = sambaflow.compile(module, (x,))
    exe.save(tmp_path / "m.pef")
    return tmp_path / "m.pef", x, exe(x)


def test_a_saved_executable_gives_the_same_result(saved: tuple[Path, torch.Tensor, torch.Tensor]):
    path, x, y = saved
    loaded = sambaflow.load(path)  # with the weights beside it
    assert torch.equal(loaded(x), y)
    assert loaded.timing().seconds > 0


def test_wrong_weights_are_refused(saved: tuple[Path, torch.Tensor, torch.Tensor]):
    path, x, _ = saved
    with pytest.raises(sambaflow.WeightError, match=r"missing 2 of the weights.*'weight'"):
        sambaflow.load(path, weights={})(x)
    with pytest.raises(sambaflow.WeightError, match=r"'weight' is float32\[5, 9\], the PEF has float32\[5, 8\]"):
        sambaflow.load(path, weights={"weight": torch.zeros(5, 9), "bias": torch.zeros(5)})(x)


def test_nothing_is_written_when_saving_fails(saved: tuple[Path, torch.Tensor, torch.Tensor]):
    path, *_ = saved
    before = sorted(path.parent.iterdir())
    exe = sambaflow.load(path, weights=path.with_suffix(".safetensors"))
    with pytest.raises(OSError):
        exe.save(path.parent / "missing" / "m.pef")
    assert sorted(path.parent.iterdir()) == before


def test_torch_compile_finds_the_backend():
    """By the entry point of the installed package, which is all that tells PyTorch of it."""
    (entry,) = entry_points(group="torch_dynamo_backends", name="samba")
    assert entry.value == "sambaflow.samba.dynamo:backend"
    module, x = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU()).eval(), torch.randn(2, 6)
    with torch.no_grad():
        assert torch.allclose(torch.compile(module, backend="samba")(x), module(x), atol=1e-6)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    print(sambaflow.__file__)
