"""Names that a file gives reach the terminal as text: neither it nor the tables of a report obey them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sambaflow.tools import samba_compile, samba_run, samba_translate

MODEL = r"""
func.func public @"f\1B[31m"(%x: tensor<16x32xbf16> {samba.name = "x"})
    -> (tensor<16x32xbf16> {samba.name = "\1B]0;y"}) {
  %0 = samba.relu %x : tensor<16x32xbf16>
  func.return %0 : tensor<16x32xbf16>
}
func.func public @"[/b] :smile: [red]g"(%x: tensor<16x32xbf16> {samba.name = "x"}) -> tensor<16x32xbf16> {
  %0 = samba.exp %x : tensor<16x32xbf16>
  func.return %0 : tensor<16x32xbf16>
}
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--graph", "f\x1b[31m"],
        ["--graph", "f\x1b[31m", "--inputs", "x.safetensors"],
        ["--graph", "[/b] :smile: [red]g"],
    ],
)
def test_reports_replace_what_a_terminal_would_obey(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    Path("m.mlir").write_text(MODEL)
    Path("k.yaml").write_text('extends: sn40l\nname: "\\e[31mk"\n')
    save_file({"x": torch.zeros(16, 32, dtype=torch.bfloat16)}, "x.safetensors")
    assert samba_compile.main(["m.mlir", "--machine", "k.yaml", "-o", "m.pef"]) == 0
    assert samba_run.main(["m.pef", *arguments]) == 0
    assert samba_translate.main(["--inspect", "m.pef"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"[^\n -~\ufffd]", shown) is None
    assert "\ufffd" in shown and "[/b] :smile: [red]g" in shown
