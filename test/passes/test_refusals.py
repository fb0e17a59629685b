"""Refusals of input that no .mlir holds: bytes, flags, pipelines of a package, files of passes, entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.rewriter import Rewriter

from sambaflow import plugins
from sambaflow.dialects.text.parsing import decode, parse_module
from sambaflow.errors import InputError, Location
from sambaflow.passes.framework.base import target_of
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.instrumentation.reproducer import read_configuration
from sambaflow.passes.framework.pipelines import Mode, parse_pipeline
from sambaflow.passes.framework.registry import load_pass, load_pass_file
from sambaflow.passes.framework.verification import check_dominance

PASS = """
from xdsl.passes import ModulePass
class Again(ModulePass):
    name = "samba-cse"
    def apply(self, ctx, op): ...
"""

REFUSED: dict[str, tuple[Callable[[], object], str, Location | None]] = {
    "bytes that are no text": (lambda: decode(b"ab\xff", "f"), "byte 2 is not UTF-8", Location("f")),
    "regions without end": (
        lambda: parse_module("module {" * 1000, "f", SambaContext()),
        "regions, attributes or types are nested too deeply",
        None,
    ),
    "flags of a reproducer that do not end": (
        lambda: read_configuration("// configuration: --pass-pipeline='o1", "f"),
        "the configuration cannot be read: No closing quotation",
        Location("f", 1, 1),
    ),
    "a module without a target": (lambda: target_of(ModuleOp([])), "has no rdu.target attribute", None),
    "a mode with passes on functions": (
        lambda: Mode.of("mine", "", "func.func(samba-cse)"),
        "the list of mode 'mine' has a nest",
        None,
    ),
    "a pass without an option that it needs": (
        lambda: parse_pipeline("stencil-unroll"),
        "pass 'stencil-unroll' needs the option 'unroll-factor'",
        None,
    ),
}


@pytest.mark.parametrize(("call", "message", "place"), REFUSED.values(), ids=REFUSED)
def test_input_is_refused_with_its_place(call: Callable[[], object], message: str, place: Location | None):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert place is None or caught.value.location == place


@pytest.mark.parametrize(
    ("text", "message"), [("x = 1", "the file defines no pass"), (PASS, "there is a pass 'samba-cse' already")]
)
def test_a_file_of_passes_brings_new_ones(text: str, message: str, tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_pass_file(str(path))
    assert caught.value.location == Location(str(path))


def test_an_entry_point_leads_to_the_pass_of_its_name(monkeypatch: pytest.MonkeyPatch):
    entry = EntryPoint("other-name", "sambaflow.passes.samba_cse:SambaCsePass", "sambaflow.passes")
    monkeypatch.setattr(plugins, "plugins", lambda kind: {"other-name": entry} if kind == "passes" else {})
    with pytest.raises(InputError, match="does not lead to a pass of that name"):
        load_pass("other-name")


def test_a_result_has_a_type():
    module = parse_module('%0 = "scf.execute_region"() ({ scf.yield }) : () -> i32', "f", SambaContext())
    op = next(iter(module.ops))
    Rewriter.replace_value_with_new_type(op.results[0], UnitAttr())
    with pytest.raises(InputError, match="has a result of unit, which is no type"):
        check_dominance(module)
