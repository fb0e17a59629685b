"""What samba-opt loads for a module that is none of ours: what xdsl-opt loads, and no dialect of our own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from sambaflow.tools.samba_opt import main

assert "xdsl" not in sys.modules  # main turns garbage collection off before it imports xDSL
code = main([sys.argv[1]])
floors = tuple(f"sambaflow.{floor}" for floor in sys.argv[2:])
print(code, *sorted(name for name in sys.modules if f"{name}.".startswith(tuple(f"{floor}." for floor in floors))))
"""
MODULE = """
func.func @f(%x: tensor<4x?xf32>, %s: f32) -> tensor<4x?xf32> {
  %0 = arith.addf %x, %x : tensor<4x?xf32>
  func.return %0 : tensor<4x?xf32>
}
"""


def test_own_dialects_are_not_loaded_for_other_modules(tmp_path: Path) -> None:
    source = tmp_path / "builtin.mlir"
    source.write_text(MODULE)
    own = ("dialects.samba", "dialects.kernel", "dialects.rdu", "machine", "frontends", "backends", "sim", "samba")
    command = [sys.executable, "-c", PROGRAM, str(source), *own]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")
