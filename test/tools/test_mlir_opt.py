"""Our generic output is MLIR: upstream's mlir-opt reads it at every level, and samba-opt reads what mlir-opt prints.

Without properties (`--print-op-generic --print-no-properties`), because mlir-opt takes those of ops that it does not
know as attributes. It has to be of LLVM 18 or later: dense arrays, `arith.maximumf` and their like are not older.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from sambaflow.errors import SambaError
from sambaflow.passes.base import SambaContext
from sambaflow.passes.parsing import parse_module
from sambaflow.passes.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.printing import FastPrinter
from sambaflow.passes.verification import verify_module
from sambaflow.tools import samba_opt

ROOT = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = 18, 30
"""Releases of LLVM whose mlir-opt is looked for."""
SEPARATOR = "// -----"

PASSES = {"samba": r"set-target|samba-", "kernel": r"set-target|kernel-", "rdu": r"rdu-"}
"""The passes of each level, of which the IR is taken before the first and after each."""


@pytest.fixture(scope="module")
def mlir_opt() -> str:
    for name in (*(f"mlir-opt-{release}" for release in range(NEWEST, OLDEST - 1, -1)), "mlir-opt"):
        if (path := shutil.which(name)) is not None:
            version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            found = re.search(r"LLVM version (\d+)", version)
            if found is not None and int(found[1]) >= OLDEST:
                return path
    if "CI" in os.environ:
        pytest.fail("mlir-opt is not installed: apt-get install mlir-19-tools")
    pytest.skip("mlir-opt is not installed")


def read_by_mlir(mlir_opt: str, texts: list[str]) -> list[str]:
    """What mlir-opt prints of each text, in generic form; it must find nothing wrong with them."""
    flags = ("--allow-unregistered-dialect", "--split-input-file", "--mlir-print-op-generic")
    joined = f"\n{SEPARATOR}\n".join(texts)
    done = subprocess.run([mlir_opt, *flags], input=joined, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split(SEPARATOR)


def generic(module: ModuleOp, locations: bool = False) -> str:
    printer = FastPrinter(generic=True, properties_as_attributes=True, locations=locations)
    printer.print_op(module)
    return printer.text()


def level_of(module: ModuleOp) -> str:
    dialects = {op.name.partition(".")[0] for op in module.walk()}
    return next((level for level in ("rdu", "kernel") if level in dialects), "samba")


@cache
def valid_pieces() -> dict[str, list[ModuleOp]]:
    """The valid modules among the lit tests and the examples, by level."""
    found: dict[str, list[ModuleOp]] = {level: [] for level in PASSES}
    for path in sorted([*ROOT.glob("test/**/*.mlir"), *ROOT.glob("examples/**/*.mlir")]):
        for text in path.read_text().split(SEPARATOR):
            try:
                module = parse_module(text, path.name, SambaContext())
                verify_module(module)
            except SambaError:
                continue
            found[level_of(module)].append(module)
    return found


def forms(module: ModuleOp, level: str) -> list[str]:
    """Its text, with locations too, and its text after each pass of its level in o1 on two chips."""
    texts = [generic(module), generic(module, locations=True)]

    def keep(one: ModulePass, after: ModuleOp) -> None:
        texts.append(generic(after))

    passes = [one for one in parse_pipeline("o1{chips=2}") if re.match(PASSES[level], one.name)]
    with contextlib.suppress(SambaError):  # what a test of a refusal is for, or what is for one chip alone
        run_pipeline(module.clone(), passes, None, keep)
    return texts


# mlir-opt parses and verifies every module of every level, before and after every pass.
@pytest.mark.parametrize("level", PASSES)
def test_mlir_opt_reads_generic_output(level: str, mlir_opt: str):
    texts = list(dict.fromkeys(text for module in valid_pieces()[level] for text in forms(module, level)))
    assert len(texts) > 50
    read_by_mlir(mlir_opt, texts)


# What mlir-opt prints of a module is that module: samba-opt reads it back, and mlir-opt prints the same of the result.
# (mlir-opt turns affine expressions round, so its text is compared, not ours.)
@pytest.mark.parametrize("level", PASSES)
def test_samba_opt_reads_what_mlir_opt_prints(level: str, mlir_opt: str):
    longest = 20_000
    pieces = [text for module in valid_pieces()[level] if len(text := forms(module, level)[-1]) < longest]
    printed = read_by_mlir(mlir_opt, pieces)
    back = [parse_module(text, "printed.mlir", SambaContext()) for text in printed]
    for module in back:
        verify_module(module)
    assert [level_of(module) for module in back].count(level) > len(back) // 2
    assert read_by_mlir(mlir_opt, [generic(module) for module in back]) == printed


# The same through the tool.
def test_the_flags_of_samba_opt(mlir_opt: str, capsys: pytest.CaptureFixture[str]):
    flags = ("--print-op-generic", "--print-no-properties", "--pass-pipeline=o1")
    assert samba_opt.main([str(ROOT / "examples" / "linear_relu.mlir"), *flags]) == 0
    (printed,) = read_by_mlir(mlir_opt, [capsys.readouterr().out])
    assert '"rdu.program"' in printed
