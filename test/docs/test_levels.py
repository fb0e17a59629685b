"""The IR shown in the README and in docs/levels.md is what the compiler prints."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_shown_ir_is_printed_ir() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "levels.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
