"""Machine files are data: read again when they change, and named by any characters that a path may have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sambaflow
from sambaflow import machine
from sambaflow.errors import InputError, MachineError
from sambaflow.passes.framework.pipelines import mode_pipeline, parse_pipeline
from sambaflow.tools import samba_compile, samba_opt, samba_run, samba_translate

OWN = (Path(machine.__file__).parent / "sn40l.yaml").read_text()
IR = """func.func @f(%x: tensor<4x4xf32> {samba.name = "x"}) -> (tensor<4x4xf32> {samba.name = "y"}) {
  %0 = samba.relu %x : tensor<4x4xf32>
  func.return %0 : tensor<4x4xf32>
}
"""
NAMES = ['my "best" chip.yaml', "a{b}, [c]=d.yaml", 'sn40l" chips="2', "größe 日本.yaml", "back\\slash\\n.yaml", "none"]


def test_an_edited_file_is_read_again(tmp_path: Path):
    """Also one that another extends; neither the size nor, on a fast run, the time of the file changes."""
    base, file = tmp_path / "base.yaml", tmp_path / "chip.yaml"
    base.write_text(OWN)
    file.write_text("extends: base.yaml\n")
    assert machine.load(str(file)) is machine.load(str(file)), "what was read before is not built again"
    seconds: list[float] = []
    for clock in ("1.6e+9", "0.4e+9"):
        base.write_text(OWN.replace("1.6e+9", clock))
        exe = sambaflow.compile(torch.nn.ReLU(), (torch.zeros(64, 256),), machine=str(file), mode="o1")
        seconds.append(exe.timing().seconds)
    assert seconds[0] != seconds[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_goes_through_every_tool_and_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(OWN)
    Path("m.mlir").write_text(IR)
    pipeline = mode_pipeline("o1", {"machine": name})
    assert parse_pipeline(str(pipeline)).passes == pipeline.passes
    assert samba_compile.main(["m.mlir", "--mode", "o1", "--machine", name, "-o", "a.pef"]) == 0
    assert samba_opt.main([f"--pass-pipeline={pipeline}", "m.mlir", "-o", "b.mlir"]) == 0
    assert samba_translate.main(["--to-pef", "b.mlir", "-o", "b.pef"]) == 0
    assert samba_translate.main(["--from-pef", "b.pef", "-o", "c.mlir"]) == 0
    assert samba_translate.main(["--to-pef", "c.mlir", "-o", "c.pef"]) == 0
    for pef in ("a.pef", "b.pef", "c.pef"):
        target = sambaflow.load(pef).image.target
        assert (target.machine, target.chips) == (name, 1)
    assert samba_run.main(["a.pef", "--timing", "--machine", name]) == 0


def test_a_pass_that_fails_is_shown_again_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path(NAMES[0]).write_text(OWN)
    Path("m.mlir").write_text(IR)
    pipeline = mode_pipeline("o1", {"machine": NAMES[0], "tiles": 9})
    arguments = [f"--pass-pipeline={pipeline}", "m.mlir", "--crash-reproducer", "again.mlir"]
    assert samba_opt.main(arguments) == 1
    head = Path("again.mlir").read_text().split("\n", 1)[0]
    assert samba_opt.main(["--run-reproducer", "again.mlir", "--dump-pass-pipeline"]) == 1
    assert 'machine="my \\"best\\" chip.yaml"' in head


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"machine": "a\0b"}, MachineError),
        ({"machine": ""}, MachineError),
        ({"machine": "\udcff.yaml"}, MachineError),
        ({"rules": "a\0b"}, InputError),
        ({"chips": "1 tiles=2"}, InputError),
        ({"chips": 1.5}, InputError),
        ({"chips": True}, InputError),
        ({"mode": "o1{chips=2}"}, InputError),
        ({"mode": "o0", "rules": "my.yaml"}, InputError),
    ],
)
def test_an_option_that_is_none_is_refused(options: dict[str, object], error: type[Exception]):
    with pytest.raises(error):
        sambaflow.compile(torch.nn.ReLU(), (torch.zeros(4),), **{"mode": "o1", **options})  # pyright: ignore[reportArgumentType]
