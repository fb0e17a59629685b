"""samba-opt beside xdsl-opt on the same ops: how long a process takes that reads, verifies and prints a small file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rows import Row, fastest

OPS = 300


def tool_start() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        empty, small = Path(folder, "empty.mlir"), Path(folder, "small.mlir")
        empty.write_text("builtin.module {}\n")
        small.write_text(_module())
        rows = {"start, an empty module": empty, f"{OPS} ops": small}
        return [
            Row(f"samba-opt: {what}", _seconds("samba-opt", path), "s", "xdsl-opt", _seconds("xdsl-opt", path))
            for what, path in rows.items()
        ]


def _seconds(tool: str, path: Path) -> float:
    command = [Path(sys.executable).with_name(tool), path]
    return fastest(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def _module() -> str:
    """A chain of arith ops in a function: ops that both tools know."""
    lines = [f"  %{i + 1} = arith.addf %{i}, %{i} : f32" for i in range(OPS)]
    return "\n".join(["func.func @f(%0: f32) -> f32 {", *lines, f"  func.return %{OPS} : f32", "}", ""])
