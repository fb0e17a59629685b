"""What a package adds may raise anything, anywhere: one error names the package, the line and the exception."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sambaflow import plugins
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError, InternalError, PluginError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline
from sambaflow.passes.framework.verification import verify_module
from sambaflow.tools import samba_opt

SOURCE = """\
from dataclasses import dataclass
from typing import ClassVar
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Data, Dialect
from xdsl.irdl import IRDLOperation, irdl_attr_definition, irdl_op_definition
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.fusion.heuristics.base import Heuristic

@irdl_op_definition
class Read(IRDLOperation):
    name = "odd.read"
    @classmethod
    def parse(cls, parser):
        return [][1]  # reading

@irdl_op_definition
class Verify(IRDLOperation):
    name = "odd.verify"
    def verify_(self):
        int("x")  # verifying

@irdl_op_definition
class Print(IRDLOperation):
    name = "odd.print"
    @classmethod
    def parse(cls, parser):
        return cls()
    def print(self, printer):
        next(iter([]))  # printing

Odd = Dialect("odd", [Read, Verify, Print], [])

@dataclass(frozen=True)
class OddPass(SambaPass):
    name: ClassVar[str] = "odd-pass"
    def apply(self, ctx, op):
        raise StopIteration  # passing

class OddHeuristic(Heuristic):
    names = ("odd",)
    def suits(self, module):
        return True
    def tiling(self, op):
        return {"x": 1 / 0}  # hinting

heuristic = OddHeuristic()
"""

ENTRIES = {
    "dialects": ("odd", "odd_plugin:Odd"),
    "passes": ("odd-pass", "odd_plugin:OddPass"),
    "heuristics": ("odd", "odd_plugin:heuristic"),
    "pipelines": ("odd-mode", "odd_broken:mode"),
    "machines": ("odd-machine", "odd_plugin:missing"),
    "solvers": ("placement.odd", "odd_plugin:missing"),
}


@pytest.fixture(autouse=True)
def package(installed: Callable[..., None]):
    """Two installed modules, one of which cannot be imported."""
    sources = {"odd_plugin": SOURCE, "odd_broken": "\nraise RuntimeError('no licence')\n"}
    installed(sources, {kind: {name: value} for kind, (name, value) in ENTRIES.items()})


def line_of(mark: str) -> int:
    return next(i for i, line in enumerate(SOURCE.splitlines(), 1) if line.endswith(f"# {mark}"))


MODULE = """\
func.func @f(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = samba.module "r"(%a = %x : tensor<2x4xf32>) heuristic = "odd" -> (tensor<2x4xf32>) {
    %1 = samba.relu %a : tensor<2x4xf32>
    samba.yield %1 : tensor<2x4xf32>
  }
  return %0 : tensor<2x4xf32>
}
"""
CASES = {
    "hinting": (MODULE, "samba-heuristics", "ZeroDivisionError: division by zero"),
    "reading": ("odd.read", "", "IndexError: list index out of range"),
    "verifying": ('"odd.verify"() : () -> ()', "", "ValueError: invalid literal"),
    "printing": ("odd.print", "", "StopIteration"),
    "passing": ("module {}", "odd-pass", "StopIteration"),
}


@pytest.mark.parametrize("mark", CASES)
def test_the_plugin_is_named(mark: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    text, pipeline, exception = CASES[mark]
    source = tmp_path / "f.mlir"
    source.write_text(text)
    assert samba_opt.main([str(source), f"--pass-pipeline={pipeline}"]) == 1
    out, said = capsys.readouterr()
    assert not out
    place = f"{tmp_path / 'odd_plugin.py'}:{line_of(mark)}: error: the plug-in of package odd_plugin"
    assert said.startswith(place) and f"raised {exception}" in said
    assert said.count("error:") == 1 and "Traceback" not in said and "internal" not in said


def test_what_cannot_be_imported():
    with pytest.raises(
        InputError, match="'odd-mode' of odd_broken:mode cannot be imported: RuntimeError: no licence"
    ) as error:
        parse_pipeline("odd-mode")
    assert error.value.location is not None and error.value.location.line == 2
    with pytest.raises(InputError, match="'odd-machine' of odd_plugin:missing cannot be imported: AttributeError"):
        plugins.load("machines", "odd-machine", object)


def test_what_is_not_a_plugins_stays():
    with pytest.raises(KeyError), plugins.named_failures():
        raise KeyError
    assert plugins.failure_of(KeyError()) is None
    assert not issubclass(InternalError, PluginError)


@pytest.mark.parametrize("text", ["odd.read", '"odd.verify"() : () -> ()'])
def test_the_library_names_it_too(text: str):
    with pytest.raises(PluginError, match="the plug-in of package odd_plugin raised"):
        verify_module(parse_module(text, "f.mlir", SambaContext()))
