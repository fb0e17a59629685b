"""Every rule that a parser, a verifier or a pass enforces has a test that breaks it.

The rules are found in the source: each `raise` and each `parser.raise_error(...)` in the folders below is one. So is
each call of a function named `require...`: a rule that several operators share. The tests are run once more, in this
process: lit tests that expect an error, and, for input that no .mlir holds (rule files, pipelines, the library), tests
with `pytest.raises`. The traceback of an error that a test expects says which rule refused the input.

A new rule that this file complains about needs a case with `expected-error` in a lit file of `test/`; what no input can
lead to is an `assert`, not a rule.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdsl.ir import Attribute, Operation

from sambaflow.dialects.kernel import Kernel
from sambaflow.dialects.rdu import Rdu
from sambaflow.dialects.samba import Samba
from sambaflow.errors import Diagnostic, SambaError
from sambaflow.passes.framework.properties import PROPERTIES
from sambaflow.passes.framework.registry import PASSES, load_own_pass
from sambaflow.tools import samba_opt, samba_translate

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("machine", "dialects", "passes", "backends", "tools")
TOOLS: dict[str, Callable[[Sequence[str]], int]] = {
    "samba-opt": samba_opt.main,
    "samba-translate": samba_translate.main,
}

NO_RULES = ("AssertionError", "NotImplementedError")
"""What is raised where no input leads (so is `assert`), and by methods that subclasses have to write."""

TAKE_ANYTHING = ("YieldOp",)
"""Definitions of ops without a field that could be wrong."""


@dataclass(frozen=True, order=True)
class Site:
    """A place in the source: a file from the root, and a line."""

    file: str
    line: int


# ---- the rules, as the source has them


@cache
def sources() -> Sequence[tuple[str, ast.Module]]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in paths]


def name_of(node: ast.expr | None) -> str:
    """The name of what is called or raised: `fail` of `fail(..)`, `raise_error` of `parser.raise_error(..)`."""
    match node:
        case ast.Call():
            return name_of(node.func)
        case ast.Attribute():
            return node.attr
        case ast.Name():
            return node.id
        case _:
            return ""


@cache
def answers() -> frozenset[str]:
    """Exceptions of ours that are caught here again: a class that is an Exception and nothing more."""
    classes = [node for _, tree in sources() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return frozenset(node.name for node in classes if [name_of(base) for base in node.bases] == ["Exception"])


def is_shared(function: str) -> bool:
    """Whether a function is a rule that several operators share."""
    return function.lstrip("_").startswith("require")


def is_rule(node: ast.AST) -> bool:
    match node:
        case ast.Raise(exc=ast.expr()):
            name = name_of(node.exc)
            return name not in NO_RULES and name not in answers()
        case ast.Call():
            return name_of(node) == "raise_error" or is_shared(name_of(node))
        case _:
            return False


def rules() -> dict[Site, str]:
    """The rules by their place, with their first line."""
    statements: dict[Site, str] = {}
    for file, tree in sources():
        for node in ast.walk(tree):
            if is_rule(node):
                assert isinstance(node, ast.stmt | ast.expr)
                statements[Site(file, node.lineno)] = ast.unparse(node)
    return statements


# ---- the tests


@dataclass(frozen=True)
class Run:
    """A command of a lit test that must refuse its input."""

    file: Path
    tool: str
    arguments: tuple[str, ...]
    fails: bool

    def code(self) -> int:
        """Run it; its exit code. What a tool does to its process is undone: verifiers switched off, passes of files."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Attribute, "__post_init__", Attribute.__post_init__)
            patch.setattr("sambaflow.passes.framework.registry._FROM_FILES", {})
            try:
                return TOOLS[self.tool](self.arguments)
            except SystemExit as usage:
                return int(usage.code or 0)


def runs_of(file: Path) -> Iterator[Run]:
    """The commands of RUN lines that check an error: with `--verify-diagnostics`, or `not` before a filecheck."""
    for line in re.findall(r"RUN: (.*)", file.read_text()):
        command, *rest = line.replace("%s", str(file)).replace("%S", str(file.parent)).split("|")
        words = [word for word in shlex.split(command) if not re.match(r"\d?>", word)]
        negated = words[0] == "not"
        tool, *arguments = words[negated:]
        checked = any("filecheck" in part for part in rest) if negated else "--verify-diagnostics" in arguments
        evaluates = any(argument.startswith("--check-semantics") for argument in arguments)  # with torch
        if checked and tool in TOOLS and not evaluates:
            yield Run(file, tool, tuple(arguments), negated)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    while error is not None:
        yield error
        if error.__cause__ is not None and error.__cause__ is not error.__context__:
            yield from chain(error.__cause__)
        error = error.__context__


def sites_of(error: BaseException) -> Iterator[Site]:
    """Where an error was raised, in our source; in a rule that is shared, the call of the rule too."""
    for link in chain(error):
        frames = [
            (Path(frame.f_code.co_filename).resolve(), line, frame.f_code.co_name)
            for frame, line in traceback.walk_tb(link.__traceback__)
        ]
        ours = [frame for frame in reversed(frames) if frame[0].is_relative_to(ROOT) and ".venv" not in frame[0].parts]
        for path, line, function in ours:
            yield Site(str(path.relative_to(ROOT)), line)
            if not is_shared(function):
                break


def broken_in_lit() -> Iterator[BaseException]:
    """The errors that the lit tests expect."""
    errors: list[SambaError] = []
    diagnostic = SambaError.diagnostic.fget
    assert diagnostic is not None

    def recorded(error: SambaError) -> Diagnostic:
        errors.append(error)
        return diagnostic(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SambaError, "diagnostic", property(recorded))
        for file in sorted((ROOT / "test").rglob("*.mlir")):
            for run in runs_of(file):
                said = io.StringIO()
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                    code = run.code()
                assert bool(code) == run.fails, f"{run.file}: {run.arguments}\n{said.getvalue()}"
    return iter(errors)


def checks_errors(test: ast.stmt) -> bool:
    """Whether a test catches errors to look at them: `pytest.raises(.., match=..)`, or `as`."""
    withs = [node for node in ast.walk(test) if isinstance(node, ast.With)]
    raises = [item for node in withs for item in node.items if name_of(item.context_expr) == "raises"]
    return bool(raises) and all(item.optional_vars or "match=" in ast.unparse(item) for item in raises)


def refusals() -> list[str]:
    """The tests of these folders that look at errors and need no torch, as pytest names them."""
    names: list[str] = []
    for folder in FOLDERS:
        for path in sorted((ROOT / "test" / folder).rglob("test_*.py")):
            if "import torch" not in (text := path.read_text()):
                tests = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
                names += [f"{path}::{test.name}" for test in tests if checks_errors(test)]
    return names


def broken_in_pytest() -> Iterator[BaseException]:
    """The errors that these tests look at."""
    errors: list[BaseException] = []
    raises = pytest.raises

    @contextlib.contextmanager
    def recorded(expected: type[BaseException], **wanted: Any) -> Generator[pytest.ExceptionInfo[BaseException]]:
        with raises(expected, **wanted) as info:
            yield info
        errors.append(info.value)

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
        patch.setattr(pytest, "raises", recorded)
        code = pytest.main(["-n0", "-pno:cacheprovider", "--capture=no", f"--rootdir={ROOT}", *refusals()])
        assert code == 0, said.getvalue()
    return iter(errors)


@cache
def broken() -> tuple[BaseException, ...]:
    """What the tests expect."""
    return (*broken_in_lit(), *broken_in_pytest())


def test_every_rule_has_a_test_that_breaks_it():
    sites = {site for error in broken() for site in sites_of(error)}
    missing = [f"{s.file}:{s.line}: {text}" for s, text in sorted(rules().items()) if s not in sites]
    assert not missing, f"{len(missing)} of {len(rules())} rules have no test:\n" + "\n".join(missing)


def test_every_property_of_a_module_that_passes_need_is_missed_in_a_test():
    needed = {name for pass_name in PASSES for name in load_own_pass(pass_name).needs}
    messages = [error.message for error in broken() if isinstance(error, SambaError)]
    assert [name for name in sorted(needed) if not any(PROPERTIES[name].lacking + ":" in m for m in messages)] == []


def definition_of(op: type[Operation]) -> type[Operation]:
    """The class that stands in the source; a class that is made from a row of a table stands for the one it extends."""
    return next(base for base in op.__mro__ if (base.__module__, base.__name__) in written_classes())


@cache
def written_classes() -> frozenset[tuple[str, str]]:
    """Module and name of each class in the source."""
    modules = [("sambaflow." + file.removesuffix(".py").replace("/", "."), tree) for file, tree in sources()]
    return frozenset(
        (module, n.name) for module, tree in modules for n in ast.walk(tree) if isinstance(n, ast.ClassDef)
    )


def breaks_definition(error: BaseException) -> bool:
    """Whether xDSL raised it when it compared an op with its definition."""
    frames = [frame for link in chain(error) for frame, _ in traceback.walk_tb(link.__traceback__)]
    return any(Path(frame.f_code.co_filename).match("xdsl/irdl/*.py") for frame in frames)


def test_every_definition_of_an_op_has_a_test_that_breaks_it():
    """What xDSL checks without us: that fields are there, and their types."""
    ops = [op for dialect in (Kernel, Rdu, Samba) for op in dialect.operations]
    refused = {error.op for error in broken() if isinstance(error, SambaError) and breaks_definition(error)}
    tested = {definition_of(op) for op in ops if op.name in refused}
    left = {definition_of(op).__name__ for op in ops if definition_of(op) not in tested}
    assert left == set(TAKE_ANYTHING)


def invariants() -> dict[str, int]:
    """How many places of each file say that no input leads there."""
    counts: dict[str, int] = {}
    for file, tree in sources():
        raised = [name_of(node.exc) for node in ast.walk(tree) if isinstance(node, ast.Raise)]
        asserted = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        if count := len(asserted) + raised.count("AssertionError"):
            counts[file] = count
    return counts


def test_no_rule_hides_among_the_invariants():
    """Who adds one says here that it is no rule: an input that leads there is a bug of ours, reported as such."""
    assert invariants() == {
        "backends/rdu/from_ir.py": 3,
        "backends/rdu/to_ir.py": 1,
        "dialects/kernel/affine.py": 2,
        "dialects/kernel/analysis.py": 1,
        "dialects/kernel/body.py": 1,
        "dialects/kernel/verify.py": 1,
        "dialects/rdu/instructions.py": 2,
        "dialects/rdu/units.py": 2,
        "dialects/samba/inference.py": 1,
        "passes/planning/access.py": 1,
        "passes/framework/base.py": 1,
        "passes/framework/decision_kinds.py": 4,
        "passes/fusion/rules/__init__.py": 1,
        "passes/kernel_library/registry.py": 1,
        "passes/kernel_insert_transfers.py": 2,
        "passes/lowering/body.py": 1,
        "passes/lowering/dataflow.py": 2,
        "passes/lowering/schedule.py": 1,
        "passes/lowering/section.py": 1,
        "passes/lowering/stages.py": 1,
        "passes/framework/manager.py": 1,
        "passes/planning/analysis.py": 1,
        "passes/framework/properties.py": 1,
        "passes/framework/registry.py": 1,
        "passes/planning/result_copies.py": 9,
        "passes/samba_outline_layers.py": 1,
        "passes/samba_partition.py": 5,
        "passes/parallel/factors.py": 1,
        "passes/parallel/sharding.py": 2,
    }
