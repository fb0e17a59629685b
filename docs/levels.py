"""Follows one small model through the levels and writes the IR of each into `docs/levels.md` and the README.

    python docs/levels.py            # rewrite both
    python docs/levels.py --check    # exit 1 when one of them is not what the compiler prints now

The IR is printed by the passes of the `o1` pipeline on `examples/linear_relu.mlir`; nothing here is written by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from sambaflow.passes.base import SambaContext
from sambaflow.passes.parsing import parse_module
from sambaflow.passes.pipelines import parse_pipeline, run_pipeline

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "examples" / "linear_relu.mlir"
WIDTH = 118
"""Columns of the README's excerpts; longer lines are wrapped there, and are whole in levels.md."""

STOPS: dict[str, str] = {
    "set-target": "samba: what the model computes",
    "convert-samba-to-kernel": "kernel: each operator as stages, one iteration domain and one body each",
    "kernel-size-fifos": "kernel: one section, tiled, balanced and buffered",
    "rdu-finalize": "rdu: units with programs and access patterns, placed and routed",
}
"""After which pass the IR is shown, and what it is then."""

README_LINES: dict[str, tuple[tuple[str, int], ...]] = {
    "set-target": ((r"samba\.linear", 2),),
    "convert-samba-to-kernel": ((r"kernel\.contract", 14),),
    "kernel-size-fifos": (
        (r"kernel\.section", 2),
        (r"kernel\.buffer", 1),
        (r"kernel\.contract", 1),
        (r"kernel\.store", 1),
    ),
    "rdu-finalize": (
        (r"rdu\.section", 2),
        (r"rdu\.pmu", 1),
        (r"rdu\.pcu", 16),
        (r"rdu\.store", 1),
        (r"rdu\.launch", 1),
    ),
}
"""What the README shows of each: the first line that matches and those after it, so many in all."""

MOST = 4
"""Lines of the README that one long line of IR may take."""


def stages() -> dict[str, str]:
    """The printed module after each pass of STOPS."""
    ctx = SambaContext()
    module = parse_module(SOURCE.read_text(), SOURCE.name, ctx)
    shown: dict[str, str] = {}

    def keep(one: ModulePass, after: ModuleOp) -> None:
        if one.name in STOPS:
            shown[one.name] = str(after)

    run_pipeline(module, parse_pipeline("o1"), ctx, keep)
    return shown


def page(shown: dict[str, str]) -> str:
    """The whole of `docs/levels.md`."""
    parts = [
        "# One model through the levels",
        "",
        "A linear layer and a relu, `examples/linear_relu.mlir`, as `samba-opt --pass-pipeline=o1` sees it at four",
        "points.",
        "`python docs/levels.py` writes this page; a test compares it with what the compiler prints.",
    ]
    for name, title in STOPS.items():
        parts += ["", f"## {title}", "", f"After `{name}`:", "", "```mlir", shown[name].rstrip(), "```"]
    return "\n".join(parts) + "\n"


def excerpt(shown: dict[str, str]) -> str:
    """What stands between the markers of the README."""
    parts: list[str] = []
    for name, title in STOPS.items():
        lines = shown[name].splitlines()
        parts.append(f"// {title}")
        indent = ""
        for pattern, count in README_LINES[name]:
            first = next(i for i, line in enumerate(lines) if re.search(pattern, line))
            indent = indent or lines[first][: len(lines[first]) - len(lines[first].lstrip())]
            for line in lines[first : first + count]:
                parts += _wrapped(line.removeprefix(indent))
        parts.append("")
    return "\n".join(["```mlir", *parts[:-1], "```"])


def _wrapped(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines = textwrap.wrap(line, WIDTH, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False)
    return lines if len(lines) <= MOST else [*lines[: MOST - 1], f"{lines[MOST - 1][: WIDTH - 2]} …"]


def _between_markers(readme: str, text: str) -> str:
    return re.sub(r"(<!-- levels -->\n).*?(\n<!-- /levels -->)", lambda m: m[1] + text + m[2], readme, flags=re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the two files; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the IR of each level into the documentation.")
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args(arguments).check
    shown = stages()
    readme = ROOT / "README.md"
    texts = {
        ROOT / "docs" / "levels.md": page(shown),
        readme: _between_markers(readme.read_text(), excerpt(shown)),
    }
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'is out of date' if check else 'written'}")
        if not check:
            path.write_text(texts[path])
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
