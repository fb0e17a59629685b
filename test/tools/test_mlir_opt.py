"""Our generic output is MLIR: upstream's mlir-opt reads it at every level, and samba-opt reads what mlir-opt prints.

Without properties (`--print-op-generic --print-no-properties`) it is that of LLVM 15, with properties that of LLVM 18
and later.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from sambaflow.dialects.text.older_mlir import OlderPrinter
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.dialects.text.printing import FastPrinter
from sambaflow.errors import SambaError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.framework.verification import verify_module
from sambaflow.tools import samba_opt

ROOT = Path(__file__).resolve().parents[2]
SEPARATOR = "// -----"

PASSES = {"samba": r"set-target|samba-", "kernel": r"set-target|kernel-", "rdu": r"rdu-"}
"""The passes of each level, of which the IR is taken before the first and after each."""


@dataclass(frozen=True)
class Upstream:
    """A release of mlir-opt, and the form that it reads."""

    path: str
    properties: bool

    def read(self, texts: list[str]) -> list[str]:
        """What it prints of each text, in generic form; it must find nothing wrong with them."""
        flags = ("--allow-unregistered-dialect", "--split-input-file", "--mlir-print-op-generic")
        joined = f"\n{SEPARATOR}\n".join(texts)
        done = subprocess.run([self.path, *flags], input=joined, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split(SEPARATOR)

    def generic(self, module: ModuleOp, locations: bool = False) -> str:
        locate = {"locations": locations}
        printer = FastPrinter(generic=True, **locate) if self.properties else OlderPrinter(**locate)
        printer.print_op(module)
        return printer.text()


@pytest.fixture(scope="module", params=[15, 19], ids=["LLVM 15", "LLVM 19"])
def upstream(request: pytest.FixtureRequest) -> Upstream:
    path = shutil.which(f"mlir-opt-{request.param}")
    if path is None and "CI" in os.environ:
        pytest.fail(f"mlir-opt is not installed: apt-get install mlir-{request.param}-tools")
    if path is None:
        pytest.skip(f"mlir-opt-{request.param} is not installed")
    return Upstream(path, properties=request.param > 15)


def level_of(module: ModuleOp) -> str:
    dialects = {op.name.partition(".")[0] for op in module.walk()}
    return next((level for level in ("rdu", "kernel") if level in dialects), "samba")


@cache
def valid_pieces() -> dict[str, list[ModuleOp]]:
    """The valid modules among the lit tests and the examples, by level."""
    pieces: dict[str, list[ModuleOp]] = {level: [] for level in PASSES}
    for path in sorted([*ROOT.glob("test/**/*.mlir"), *ROOT.glob("examples/**/*.mlir")]):
        for text in path.read_text().split(SEPARATOR):
            try:
                module = parse_module(text, path.name, SambaContext())
                verify_module(module)
            except SambaError:
                continue
            pieces[level_of(module)].append(module)
    return pieces


def forms(module: ModuleOp, level: str, upstream: Upstream) -> list[str]:
    """Its text, with locations too, and its text after each pass of its level in o1 on two chips."""
    texts = [upstream.generic(module), upstream.generic(module, locations=True)]

    def keep(pass_: ModulePass, after: ModuleOp) -> None:
        texts.append(upstream.generic(after))

    passes = [pass_ for pass_ in parse_pipeline("o1{chips=2}") if re.match(PASSES[level], pass_.name)]
    with suppress(SambaError):  # what a test of a refusal is for, or what is for one chip alone
        run_pipeline(module.clone(), passes, None, keep)
    return texts


# mlir-opt parses and verifies every module of every level, before and after every pass.
@pytest.mark.parametrize("level", PASSES)
def test_mlir_opt_reads_generic_output(level: str, upstream: Upstream):
    texts = list(dict.fromkeys(text for module in valid_pieces()[level] for text in forms(module, level, upstream)))
    assert len(texts) > 50
    upstream.read(texts)


# What mlir-opt prints of a module is that module: samba-opt reads it back, and mlir-opt prints the same of the result.
# (mlir-opt turns affine expressions round, so its text is compared, not ours.)
@pytest.mark.parametrize("level", PASSES)
def test_samba_opt_reads_what_mlir_opt_prints(level: str, upstream: Upstream):
    longest = 20_000
    pieces = [text for module in valid_pieces()[level] if len(text := forms(module, level, upstream)[-1]) < longest]
    printed = upstream.read(pieces)
    back = [parse_module(text, "printed.mlir", SambaContext()) for text in printed]
    for module in back:
        verify_module(module)
    assert [level_of(module) for module in back].count(level) > len(back) // 2
    assert upstream.read([upstream.generic(module) for module in back]) == printed


# The same through the tool.
def test_the_flags_of_samba_opt(upstream: Upstream, capsys: pytest.CaptureFixture[str]):
    flags = ["--print-op-generic", "--pass-pipeline=o1"] + ["--print-no-properties"] * (not upstream.properties)
    assert samba_opt.main([str(ROOT / "examples" / "linear_relu.mlir"), *flags]) == 0
    (printed,) = upstream.read([capsys.readouterr().out])
    assert '"rdu.program"' in printed
