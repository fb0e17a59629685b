"""No output takes the place of another one, or of what the run reads: refused before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

import sambaflow
from sambaflow.errors import InputError
from sambaflow.tools import samba_compile, samba_opt, samba_run, samba_translate
from sambaflow.tools.paths import Use, check_paths, files_in, with_suffix

TOOLS = {"compile": samba_compile, "opt": samba_opt, "run": samba_run, "translate": samba_translate}
ONE = "would be written to one file"
LOST = "which this run reads"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("compile m.py:f -o x.safetensors", f"the PEF (-o) and the weights beside the PEF {ONE}"),
        ("compile m.py:f -o x.pef --remarks-output x.yaml --rules x.yaml", f"would replace --rules, {LOST}"),
        ("compile a.mlir -o x.pef --decisions-output a.mlir", f"--decisions-output would replace MODEL, {LOST}"),
        ("compile a.mlir -o a.mlir", f"the PEF (-o) would replace MODEL, {LOST}"),
        ("compile a.mlir -o link", f"the PEF (-o) would replace MODEL, {LOST}"),
        ("compile m.py:f -o m.py", f"the PEF (-o) would replace MODEL, {LOST}"),
        ("compile a.mlir --machine x.yaml -o x.yaml", f"the PEF (-o) would replace --machine, {LOST}"),
        ("compile --hf folder -o folder/model.pef", f"would replace model.safetensors of the checkpoint, {LOST}"),
        ("translate --from-torch m.py:f -o a --weights ./a", f"the result (-o) and --weights {ONE}"),
        ("translate --from-torch m.py:f --weights folder/../m.py", f"--weights would replace MODEL, {LOST}"),
        ("translate --strip m.pef -o m.pef", f"the result (-o) would replace MODEL, {LOST}"),
        ("run m.pef --outputs q --state-out q", f"--outputs and --state-out {ONE}"),
        ("run m.pef --report r --trace r", f"--report and --trace {ONE}"),
        ("run m.pef --report m.pef", f"--report would replace the PEF, {LOST}"),
        ("run m.pef --outputs m.safetensors", f"--outputs would replace the weights beside the PEF, {LOST}"),
        ("run m.pef --weights folder --trace folder/config.json", f"would replace config.json of --weights, {LOST}"),
        ("run m.pef --inputs in --outputs in", f"--outputs would replace --inputs, {LOST}"),
        ("run m.pef --inputs in --state-in s --state-out in", f"--state-out would replace --inputs, {LOST}"),
        ("opt a.mlir --crash-reproducer a.mlir", f"--crash-reproducer would replace the input, {LOST}"),
        ("opt a.mlir -o x.yaml --remarks-output x.yaml", f"the result (-o) and --remarks-output {ONE}"),
        ("run m.pef --outputs -", "--outputs writes a file, and '-' stands for standard output"),
        ("compile a.mlir -o new/", "the PEF (-o) writes a file, and 'new/' names a folder"),
        ("opt a.mlir -o folder/", "the result (-o) writes a file, and 'folder/' names a folder"),
        ("compile a.mlir -o -", "the PEF (-o) writes a file, and '-' stands for standard output"),
    ],
)  # fmt: skip
def test_an_output_takes_the_place_of_nothing(
    command: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "folder").mkdir()
    held = (
        "a.mlir",
        "m.py",
        "m.pef",
        "m.safetensors",
        "in",
        "x.yaml",
        "folder/model.safetensors",
        "folder/config.json",
    )
    for name in held:
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a.mlir")
    monkeypatch.chdir(tmp_path)
    tool, *arguments = command.split()
    assert TOOLS[tool].main(arguments) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("error:") == 1
    assert all((tmp_path / name).read_text() == name for name in held)


def test_what_is_no_file_may_be_written_to_twice(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    for path in ("/dev/null", str(tmp_path / "fifo")):
        check_paths([Use("--report", path), Use("--trace", path)], [Use("the PEF", path)])
    check_paths([Use("--report", "a\0b"), Use("--trace", None), Use("-o", "-")], [Use("the PEF", "-")], streamed="-o")
    check_paths([Use("--state-out", "s")], [Use("--state-in", "s")], in_place=[("--state-out", "--state-in")])
    assert files_in("--weights", str(tmp_path / "fifo")) == [Use("--weights", str(tmp_path / "fifo"))]
    assert (with_suffix("a/b.pef", ".x"), with_suffix("a/", ".x"), with_suffix(None, ".x")) == ("a/b.x", None, None)


def test_a_pef_is_not_saved_as_its_own_weights(tmp_path: Path):
    exe = sambaflow.compile(nn.Linear(4, 4), (torch.zeros(2, 4),))
    with pytest.raises(InputError, match="the PEF and the weights beside it would be written to one file"):
        exe.save(tmp_path / "m.safetensors")
    assert not os.listdir(tmp_path)
