"""A reader that closes the pipe ends a tool as it ends any filter: by the signal, without a word."""

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
