"""The generated pages say what the definitions say, every definition says something, and the site builds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from xdsl.ir import Attribute, Dialect, Operation

from sambaflow.dialects.kernel import Kernel
from sambaflow.dialects.rdu import Rdu
from sambaflow.dialects.rdu.instructions import Instruction
from sambaflow.dialects.samba import OPERATORS, Samba
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.machine.model import Machine
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.options import options_of
from sambaflow.passes.framework.registry import PASSES, load_own_pass

ROOT = Path(__file__).resolve().parents[2]
DIALECTS = (Samba, Kernel, Rdu)


def run(*command: str) -> str:
    """What a command of the docs prints; it must end well."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Reference pages, the levels pages and the README's IR are what `python docs/generator` writes.
def test_generated_pages_are_up_to_date() -> None:
    run("docs/generator", "--check")


# Every link, anchor and page of the navigation exists: the strict build turns warnings into errors.
def test_the_site_builds(tmp_path: Path) -> None:
    run("-m", "properdocs", "build", "--quiet", "--strict", "-f", "mkdocs.yml", "-d", str(tmp_path))
    assert (tmp_path / "source" / "passes" / "kernel_balance.py.html").exists()  # links to the source are pages


def operations() -> list[type[Operation]]:
    return [op for dialect in DIALECTS for op in dialect.operations if not issubclass(op, Instruction)]


def sentence(doc: str | None) -> str:
    """The first sentence of a docstring."""
    return " ".join((doc or "").split("\n\n")[0].split())


# An op says what it does in a sentence and shows itself in an example.
@pytest.mark.parametrize("op", operations(), ids=lambda op: op.name)
def test_an_op_is_documented(op: type[Operation]) -> None:
    doc = op.__doc__ or ""
    assert len(sentence(doc).split()) > 1
    examples = re.findall(r"```mlir\n(.*?)```", doc, re.DOTALL) + re.findall(r"`([^`\n]+)`", doc)
    assert any(op.name in example for example in examples)


# A result rule says what it gives.
def test_every_result_rule_is_documented() -> None:
    makers = {(row.rule.__module__, row.rule.__qualname__.split(".")[0]) for row in OPERATORS.values()}
    undocumented = [name for module, name in makers if not getattr(sys.modules[module], name).__doc__]
    assert undocumented == []


def attributes() -> list[type[Attribute]]:
    return [attribute for dialect in DIALECTS for attribute in dialect.attributes]


# The syntax that the docstring of an attribute or type shows parses, and prints as it stands there.
@pytest.mark.parametrize("attribute", attributes(), ids=lambda attribute: attribute.name)
def test_an_attribute_is_documented_with_its_syntax(attribute: type[Attribute]) -> None:
    assert len(sentence(attribute.__doc__).split()) > 2
    shown = re.search(rf"[#!]{re.escape(attribute.name)}(<.*?>)?(?=[`\n])", attribute.__doc__ or "")
    assert shown is not None
    module = parse_module(f'"test.op"() {{a = {shown[0]}}} : () -> ()', "docstring", SambaContext())
    parsed = next(iter(module.ops)).attributes["a"]
    assert isinstance(parsed, attribute)
    assert str(parsed) == shown[0]


# Every operand, result, attribute, region and parameter on the pages of the dialects has a meaning.
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_field_is_documented(dialect: Dialect) -> None:
    page = (ROOT / "docs" / "reference" / f"{dialect.name}.md").read_text()
    sections = re.split(r"^### ", page, flags=re.MULTILINE)
    rows = [(section.split("\n")[0], line) for section in sections for line in section.split("\n")]
    fields = [(of, row) for of, row in rows if re.match(r"\| (operand|result|attribute|region) \|", row)]
    parameters = [(of, row) for of, row in rows if of.startswith(("#", "!")) and row.startswith("| `")]
    assert parameters
    undocumented = [f"{of}: {row}" for of, row in (*fields, *parameters) if row.split(" | ")[-1].strip(" |") == ""]
    assert undocumented == (
        ["kernel.yield: | operand | `arguments` | any, any number |  |"] if dialect is Kernel else []
    )


# A pass says what it does, shows it, and says what its options mean and its counters count.
@pytest.mark.parametrize("name", PASSES)
def test_a_pass_is_documented(name: str) -> None:
    pass_class = load_own_pass(name)
    assert len(sentence(pass_class.__doc__).split()) > 4
    assert re.search(r"^        \S", pass_class.__doc__ or "", re.MULTILINE)
    assert [option.name for option in options_of(pass_class) if not option.summary] == []
    assert all(pass_class.counters.values())
    assert pass_class.semantics.exact or pass_class.semantics.reason


# Every value of a machine file has a meaning on the page of machines.
def test_every_key_of_a_machine_is_documented() -> None:
    keys = (ROOT / "docs" / "reference" / "machines.md").read_text().split("## Keys")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in keys.splitlines() if line.startswith("| `")]
    assert len(rows) > len(Machine.__dataclass_fields__)
    assert [row[0] for row in rows if not row[3].strip(" |")] == []


def test_dialects_are_documented() -> None:
    dialects: tuple[Dialect, ...] = DIALECTS
    assert all(sys.modules[f"sambaflow.dialects.{dialect.name}"].__doc__ for dialect in dialects)
