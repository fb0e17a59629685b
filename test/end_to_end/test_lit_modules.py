"""The samba modules of the lit tests and examples, compiled whole: each that a mode accepts also runs and is timed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InternalError, SambaError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.verification import verify_module
from sambaflow.samba import module_compiler

ROOT = Path(__file__).resolve().parents[2]
SEPARATOR = "// -----"


@cache
def samba_modules() -> list[ModuleOp]:
    """Every valid piece of a lit test or example that has samba ops, and none of a lower level."""
    modules: list[ModuleOp] = []
    for path in sorted([*ROOT.glob("test/**/*.mlir"), *ROOT.glob("examples/**/*.mlir")]):
        for text in path.read_text().split(SEPARATOR):
            try:
                module = parse_module(text, path.name, SambaContext())
                verify_module(module)
            except SambaError:
                continue
            dialects = {op.name.partition(".")[0] for op in module.walk()}
            if "samba" in dialects and not dialects & {"kernel", "rdu"}:
                modules.append(module)
    return modules


# What is refused is refused in words; what is not is run and timed by the fixture that looks at every compiled program.
@pytest.mark.parametrize("mode", ["o0", "o3"])
def test_what_compiles_runs(mode: str):
    compiled = 0
    for module in samba_modules():
        try:
            module_compiler.compile_module(module.clone(), mode=mode, machine="sn40l")
            compiled += 1
        except InternalError:
            raise
        except SambaError as error:
            assert str(error)
    assert compiled > 40
