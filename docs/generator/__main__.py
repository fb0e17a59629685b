"""Writes the generated pages of the documentation.

python docs/generator            # rewrite them
python docs/generator --check    # exit 1 when one of them is not what the definitions say now
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from dialect_pages import kernel_page, rdu_page, samba_page
from house import architecture, picture
from kernel_examples import kernel_levels_page
from levels import levels_page, readme
from machine_pages import machines_page, opcodes_page
from markup import ROOT
from pass_pages import passes_page, pipelines_page
from rule_page import rules_page
from tool_page import tools_page

PAGES: Mapping[str, Callable[[], str]] = {
    "README.md": readme,
    "docs/architecture.md": architecture,
    "docs/architecture.svg": picture,
    "docs/levels.md": levels_page,
    "docs/levels/kernel.md": kernel_levels_page,
    "docs/reference/samba.md": samba_page,
    "docs/reference/kernel.md": kernel_page,
    "docs/reference/rdu.md": rdu_page,
    "docs/reference/passes.md": passes_page,
    "docs/reference/pipelines.md": pipelines_page,
    "docs/reference/tools.md": tools_page,
    "docs/reference/machines.md": machines_page,
    "docs/reference/opcodes.md": opcodes_page,
    "docs/reference/fusion-rules.md": rules_page,
}
"""Every generated file and the function that gives its text."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the pages; returns the exit code."""
    parser = argparse.ArgumentParser(prog="docs/generator", description="Write the generated pages of the docs.")
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args(arguments).check
    stale = {name: text for name, render in PAGES.items() if _read(name) != (text := render())}
    for name, text in stale.items():
        print(f"{name} {'is out of date: run python docs/generator' if check else 'written'}")
        if not check:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text)
    return int(check and bool(stale))


def _read(name: str) -> str | None:
    path = ROOT / name
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
