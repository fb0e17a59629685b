"""A reproducer is data: what it may ask for, and what belongs on the command line of whoever replays it."""

from __future__ import annotations

import pytest

from sambaflow.errors import InputError
from sambaflow.passes.framework.instrumentation import read_configuration


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("--load-pass-plugin=evil.py", "--load-pass-plugin"),
        ("--load-pass-plugin evil.py", "--load-pass-plugin"),
        ("--load-pass-plug=evil.py", "--load-pass-plug"),
        ("-o x", "-o"),
        ("-ox", "-ox"),
        ("--print-ir-tree-dir=x", "--print-ir-tree-dir"),
        ("--remarks-output=x.yaml", "--remarks-output"),
        ("--decisions-output=x.json", "--decisions-output"),
        ("--crash-reproducer=x", "--crash-reproducer"),
        ("--disable-verify", "--disable-verify"),
        ("other.mlir", "other.mlir"),
    ],
)
def test_a_file_sets_no_flag_that_runs_code_or_writes(flags: str, named: str):
    with pytest.raises(InputError, match=f"may not set '{named}', which belongs on the command line") as caught:
        read_configuration(f"// configuration: --pass-pipeline=samba-cse {flags}\n", "rep.mlir")
    assert str(caught.value.location) == "rep.mlir:1:1"


@pytest.mark.parametrize("pipeline", ["mlir-opt", "builtin.module(samba-cse,mlir-opt{executable=x})"])
def test_a_file_runs_no_program(pipeline: str):
    with pytest.raises(InputError, match="may not run the pass 'mlir-opt', which starts a program"):
        read_configuration(f"// configuration: '--pass-pipeline={pipeline}'\n", "rep.mlir")


def test_a_file_names_passes_and_their_checks():
    flags = ["--pass-pipeline=func.func(samba-cse)", "--verify-each", "--check-semantics", "--check-semantics=3"]
    quoted = " ".join(f"'{flag}'" for flag in flags)
    assert read_configuration(f"// configuration: {quoted}\nmodule {{}}", "rep.mlir") == flags
