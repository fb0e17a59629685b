"""xDSL's private names stand in one file, and whoever moves to another xDSL is told which of them moved."""

import ast
import inspect
import runpy
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
import xdsl
from xdsl.context import Context
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.lexer import Input
from xdsl.utils.mlir_lexer import MLIRLexer

from sambaflow.dialects.text import xdsl_private
from sambaflow.dialects.text.older_mlir import OlderPrinter
from sambaflow.dialects.text.parsing import LocatedParser
from sambaflow.dialects.text.xdsl_private import (
    HOOKS,
    STEPS,
    XDSL_VERSION,
    OpenLexer,
    OpenParser,
    OpenPrinter,
    missing_hooks,
)
from sambaflow.passes.framework.context import SambaContext

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("src", "dialects", "machine", "frontends", "passes", "backends", "sim", "samba", "tools", "testing", "test")


def test_the_hooks_are_those_of_this_xdsl() -> None:
    assert version("xdsl").startswith(f"{XDSL_VERSION}."), (
        f"the hooks of dialects/text/xdsl_private.py were written for xDSL {XDSL_VERSION}; when all tests pass with "
        f"{version('xdsl')}, change XDSL_VERSION"
    )


# Names that moved are all listed, methods and fields, and nothing is imported by halves.
def test_hooks_that_moved_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_hooks() == []
    monkeypatch.delattr(Parser, "_parse_block")
    monkeypatch.delitem(Printer.__annotations__, "_ssa_values")
    assert missing_hooks() == ["Parser._parse_block", "Printer._ssa_values"]
    with pytest.raises(ImportError, match=r"for xDSL 0\.74; .* lacks Parser\._parse_block, Printer\._ssa_values"):
        runpy.run_path(xdsl_private.__file__)


@pytest.mark.parametrize("opened", STEPS)
def test_a_step_takes_the_arguments_that_xdsl_gives_it(opened: str) -> None:
    ours, theirs = (
        inspect.signature(getattr(cls, name)) for cls, name in ((LocatedParser, opened), (Parser, STEPS[opened]))
    )
    assert list(ours.parameters) == list(theirs.parameters)


# What a subclass makes of a step is what xDSL calls, also of one that is overridden twice.
def test_an_overridden_step_is_taken() -> None:
    read: list[str] = []

    class Outer(OpenParser):
        def op_class(self, name: str):
            read.append(f"outer {name}")
            return super().op_class(name)

    class Inner(Outer):
        def op_class(self, name: str):
            read.append(f"inner {name}")
            return super().op_class(name)

    Inner(SambaContext(), OpenLexer(Input("builtin.module {}", "text")), "text").parse_module()
    assert read == ["inner builtin.module", "outer builtin.module"]


def test_every_step_is_a_hook() -> None:
    assert set(STEPS.values()) <= set(HOOKS[Parser])


@cache
def private_names_of_xdsl() -> frozenset[str]:
    """The private methods, classes and fields that xDSL defines."""
    names: set[str] = set()
    for path in Path(xdsl.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                    names.add(name)
                case ast.Attribute(attr=name, ctx=ast.Store()):
                    names.add(name)
                case _:
                    pass
    return frozenset(name for name in names if name.startswith("_") and not name.startswith("__"))


def uses_of_private_names(path: Path) -> Iterator[str]:
    """Accesses of names that xDSL defines and this file does not."""
    tree = ast.parse(path.read_text())
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in private_names_of_xdsl() - own:
            yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


# No other file that imports xDSL reaches for a name that xDSL keeps to itself.
def test_private_names_are_used_in_one_file() -> None:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if "xdsl" in path.read_text()]
    files.remove(Path(inspect.getfile(xdsl_private)).resolve())
    assert [use for path in files for use in uses_of_private_names(path)] == []


# Nor does a class override one by accident or by design.
@pytest.mark.parametrize("cls", [LocatedParser, OlderPrinter, OpenPrinter, OpenLexer, SambaContext])
def test_private_names_are_overridden_in_one_file(cls: type) -> None:
    theirs = {
        name for base in (Parser, Printer, MLIRLexer, Context) if issubclass(cls, base) for name in all_names(base)
    }
    for ours in cls.__mro__:
        if ours.__module__.startswith("sambaflow") and ours.__module__ != xdsl_private.__name__:
            steps = {STEPS[opened] for opened in STEPS if opened in vars(ours)}
            private = {name for name in vars(ours) if name.startswith("_") and not name.startswith("__")}
            assert private & theirs - steps == set(), ours


def all_names(cls: type) -> set[str]:
    return {name for base in cls.__mro__[:-1] for name in (*vars(base), *inspect.get_annotations(base))}
