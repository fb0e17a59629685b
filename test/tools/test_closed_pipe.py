"""How a tool ends when its output has no reader, and when it has no output: as any other filter, without a word."""

import os
import signal
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "examples" / "linear_relu.mlir"


def test_samba_opt_ends_with_its_reader() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    tool = Path(sys.executable).parent / "samba-opt"
    run = subprocess.run([str(tool), str(SOURCE)], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (run.returncode, run.stderr) == (-signal.SIGPIPE, "")


def test_samba_opt_needs_no_open_output(tmp_path: Path) -> None:
    tool = Path(sys.executable).parent / "samba-opt"
    command = 'exec "$0" "$1" -o "$2" <&- >&- 2>&-'
    run = subprocess.run(["sh", "-c", command, str(tool), str(SOURCE), str(tmp_path / "out.mlir")], check=False)
    assert run.returncode == 0
    assert (tmp_path / "out.mlir").read_text().startswith("builtin.module {")
