"""Files that somebody gives us are read by one function, which knows bounds: `sambaflow.files.read_bytes`."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "machine", "dialects", "frontends", "passes", "backends", "sim", "samba", "tools")

OTHERS = {
    "src/sambaflow/files.py": 3,  # the function, writing to devices, what another library wrote for us
    "tools/entry.py": 1,  # /dev/null
    "machine/loading.py": 1,  # machines and figures that come with the toolkit
    "machine/published.py": 1,
    "frontends/hf/loading.py": 1,  # /proc/meminfo
}
"""Files that read something else, and how often."""


def test_nothing_else_reads_files():
    reads: Counter[str] = Counter()
    for path in (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="open")):
                    reads[str(path.relative_to(ROOT))] += 1
                case ast.Call(func=ast.Attribute(attr="read_bytes" | "read_text")):
                    reads[str(path.relative_to(ROOT))] += 1
                case _:
                    pass
    assert dict(reads) == OTHERS
