"""Every flag that samba-opt has beyond xdsl-opt stands in the RUN line of a lit test."""

import re
from argparse import ArgumentParser
from pathlib import Path

import pytest

from sambaflow.tools.opt_arguments import add_arguments

TESTS = Path(__file__).parent
FROM_XDSL = ("--split-input-file", "--verify-diagnostics", "--allow-unregistered-dialect", "--print-debuginfo")
"""Flags of xdsl-opt that samba-opt carries out itself."""


def own_flags() -> list[str]:
    parser = ArgumentParser(add_help=False, conflict_handler="resolve")
    add_arguments(parser)
    return [flag for action in parser._actions for flag in action.option_strings]  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("flag", sorted({*own_flags(), *FROM_XDSL}))
def test_a_flag_has_a_lit_test(flag: str):
    files = [path for path in TESTS.glob("*") if path.suffix in (".mlir", ".test")]
    runs = [line for path in files for line in path.read_text().splitlines() if "RUN:" in line]
    assert any(re.search(rf"samba-opt .*{re.escape(flag)}(?![\w-])", line) for line in runs)
