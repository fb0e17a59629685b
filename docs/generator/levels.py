"""One small model through the levels: the IR of each for `docs/levels.md` and the README.

The IR is printed by the passes of the `o1` pipeline on `examples/linear_relu.mlir`; nothing here is written by hand.
"""

from __future__ import annotations

import re
import textwrap
from functools import cache

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from markup import ROOT
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline, run_pipeline

SOURCE = ROOT / "examples" / "linear_relu.mlir"
WIDTH = 118
"""Columns of the README's excerpts; longer lines are wrapped there, and are whole in levels.md."""

STOPS: dict[str, tuple[str, str]] = {
    "set-target": (
        "samba: what the model computes",
        "Operators have PyTorch's names. The module names its machine; arguments have roles, `input` if none is given.",
    ),
    "convert-samba-to-kernel": (
        "kernel: each operator as stages, one iteration domain and one body each",
        "The fusion rule `linear_activation` has made a group of the two. The linear layer is a `kernel.contract`: its "
        "body runs at every point (m, n, k) and adds a product to an f32 accumulator, its `finish` adds the bias and "
        "rounds once. The hints are the heuristic's wishes for the planner.",
    ),
    "kernel-size-fifos": (
        "kernel: one section, tiled, balanced and buffered",
        "The relu has moved into the contraction's `finish`. The mapping says how the domain is cut (`tile`), over how "
        "many PCUs it is spread (`par`), in which order tiles come (`order`) and what stays on the chip (`hold`). "
        "Loads, buffers and the store are explicit, with the AGCUs, windows and depths that lowering translates.",
    ),
    "rdu-finalize": (
        "rdu: units with programs and access patterns, placed and routed",
        "Symbols have addresses, each group of units has coordinates, each net a tree of hops, the section the size of "
        "its configuration. Bodies are tile programs, one instruction an op. The schedule launches the section once.",
    ),
}
"""After which pass the IR is shown, what it is then, and what is worth a look."""

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


@cache
def stages() -> dict[str, str]:
    """The printed module after each pass of STOPS."""
    ctx = SambaContext()
    module = parse_module(SOURCE.read_text(), SOURCE.name, ctx)
    shown: dict[str, str] = {}

    def keep(pass_: ModulePass, after: ModuleOp) -> None:
        if pass_.name in STOPS:
            shown[pass_.name] = str(after)

    run_pipeline(module, parse_pipeline("o1"), ctx, keep)
    return shown


def levels_page() -> str:
    """The whole of `docs/levels.md`."""
    parts = [
        "# One model through the levels",
        "",
        "A linear layer and a relu, `examples/linear_relu.mlir`, as `samba-opt --pass-pipeline=o1` sees it at four",
        "points.",
        "`python docs/generator` writes this page; a test compares it with what the compiler prints.",
    ]
    for name, (title, text) in STOPS.items():
        parts += ["", f"## {title}", "", text, "", f"After `{name}`:", "", "```mlir", stages()[name].rstrip(), "```"]
    return "\n".join(parts) + "\n"


def readme() -> str:
    """The README with the excerpts between its markers."""
    text = (ROOT / "README.md").read_text()
    marked = r"(<!-- levels -->\n).*?(\n<!-- /levels -->)"
    return re.sub(marked, lambda m: m[1] + _excerpts() + m[2], text, flags=re.DOTALL)


def _excerpts() -> str:
    """What stands between the markers of the README."""
    parts: list[str] = []
    for name, (title, _) in STOPS.items():
        lines = stages()[name].splitlines()
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
