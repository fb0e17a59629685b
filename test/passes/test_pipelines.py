"""The text form of pipelines: what it means, and how a wrong one is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from sambaflow.errors import InputError
from sambaflow.passes.framework import pipelines
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.context import Journal, SambaContext
from sambaflow.passes.framework.manager import Pipeline
from sambaflow.passes.framework.pipelines import MODES, mode_pipeline, parse_pipeline, run_pipeline
from sambaflow.passes.framework.registry import PASSES
from sambaflow.passes.samba_fuse import SambaFusePass
from sambaflow.passes.set_target import SetTargetPass


@dataclass(frozen=True)
class ProbePass(SambaPass):
    """All kinds of options."""

    name: ClassVar[str] = "probe"
    depth: int | None = None
    rate: float = 1.0
    mode: Literal["fast", "good"] = "fast"
    flag: bool = False
    names: tuple[str, ...] = ()
    counters = {"runs": "how often it ran"}

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        self.count(ctx, "runs", 2)
        self.applied(ctx, op, "probed", rate=self.rate)


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pipelines.load_pass

    def load(name: str, also: Callable[[], tuple[str, ...]] = tuple) -> type[ModulePass]:
        return ProbePass if name == "probe" else real(name, also)

    monkeypatch.setattr(pipelines, "load_pass", load)


def test_options_are_typed_by_the_fields_of_the_pass():
    (probe,) = parse_pipeline('probe { depth = 3 rate=1e-3 mode=good flag names=[a, "b c"] }')
    assert probe == ProbePass(3, 0.001, "good", True, ("a", "b c"))


def test_an_optional_number_can_be_none_and_a_flag_false():
    assert parse_pipeline("probe{depth=none flag=false names=a,b}").passes == (ProbePass(names=("a", "b")),)


@settings(max_examples=40, deadline=None)
@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text_is_a_value_and_stays_what_it_is(text: str, texts: list[str]):
    """A path may hold quotes, braces, commas, `none`: the text form of a pipeline quotes it."""
    passes = SetTargetPass(machine=text), ProbePass(names=tuple(texts))
    printed = str(Pipeline(items=passes))
    assert parse_pipeline(printed).passes == passes
    assert "\n" not in printed, "a pipeline is one line, which reproducers stand on"


@pytest.mark.parametrize(
    "text",
    [
        "set-target,samba-fuse",
        " set-target , samba-fuse ",
        "builtin.module(set-target, samba-fuse)",
        "set-target{},samba-fuse",
    ],
)
def test_lists_take_spaces_and_the_anchor_of_mlir(text: str):
    assert parse_pipeline(text).passes == (SetTargetPass(), SambaFusePass())


def test_the_empty_pipeline_has_no_passes():
    assert parse_pipeline("  ").passes == ()


def test_the_options_of_a_mode_go_to_the_passes_that_take_them():
    passes = {pass_.name: pass_ for pass_ in parse_pipeline("o1{rules=my.yaml chips=8 tiles=2 machine=sn30}")}
    assert passes["set-target"] == SetTargetPass("sn30", 2, 8)
    assert passes["samba-fuse"] == SambaFusePass("my.yaml")


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_is_made_of_registered_passes_in_their_order(mode: str):
    order = [PASSES.index(step.name) for step in MODES[mode].steps]
    assert order == sorted(order)


REFUSED = [
    ("samba-fuze", None, "unknown pass 'samba-fuze'; did you mean 'samba-fuse'?"),
    ("o11", None, "unknown pass 'o11'; did you mean 'o1'?"),
    ("canonicalise", None, "did you mean 'canonicalize'?"),
    ("o1{chip=8}", None, "pipeline 'o1' has no option 'chip'; did you mean 'chips'?"),
    ("o0{rules=x}", None, "pipeline 'o0' has no option 'rules'"),
    ("probe{detph=1}", None, "pass 'probe' has no option 'detph'; did you mean 'depth'?"),
    ("probe{depth=many}", None, "option 'depth' of pass 'probe': expected an integer, got 'many'"),
    ("probe{rate=x}", None, "expected a number, got 'x'"),
    ("probe{mode=best}", None, "expected one of fast, good, got 'best'"),
    ("probe{flag=yes}", None, "expected true or false, got 'yes'"),
    ("probe{rate=1,2}", None, "expected one value, got 2"),
    ("probe{depth=1 depth=2}", 20, "option 'depth' is given twice"),
    ("probe{depth=}", 13, "expected a value"),
    ("probe{depth=1", 14, "expected an option or '}'"),
    ("probe,", 7, "expected a pass after ','"),
    ("probe probe", 7, "unexpected 'probe'"),
    ("func.func(probe)", 1, "pass 'probe' runs on builtin.module, not on func.func"),
    ("func.func(samba-cse", 20, "expected ')'"),
    ('probe{names="a}', 13, "unterminated string"),
]


@pytest.mark.parametrize(("text", "column", "message"), REFUSED)
def test_a_wrong_pipeline_is_refused_with_its_place(text: str, column: int | None, message: str):
    with pytest.raises(InputError) as caught:
        parse_pipeline(text)
    assert message in caught.value.message
    place = caught.value.location
    assert (place.column if place else None) == column


def test_an_unknown_mode_lists_the_known_ones():
    with pytest.raises(InputError, match="unknown mode 'o7'") as caught:
        mode_pipeline("o7", {})
    assert caught.value.limit == f"modes: {', '.join(MODES)}"


def test_running_gives_the_journal_of_what_the_passes_did():
    module = ModuleOp([])
    seen: list[str] = []
    journal = run_pipeline(module, "probe{rate=2.5}, probe", SambaContext(), lambda pass_, _: seen.append(pass_.name))
    assert isinstance(journal, Journal)
    assert seen == ["probe", "probe"]
    assert journal.counters == {("probe", "runs"): 4}
    assert [remark.facts for remark in journal.of("probe", "applied")] == [{"rate": 2.5}, {"rate": 1.0}]
