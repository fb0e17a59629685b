"""Every pass keeps what random modules compute, to what the pass declares.

Each of 75 random samba modules goes through all samba and kernel passes in the order of the registry; its outputs
after one pass are those before the next. Folding sees 75 modules of constants besides, kernel passes 75 of directly
made stages; rdu passes see 30 small modules. A pass may refuse few of them.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.errors import InternalError, SambaError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.manager import Instrumentation
from sambaflow.passes.framework.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.framework.registry import PASSES
from sambaflow.passes.framework.verification import verify_module
from sambaflow.sim.checking.pass_check import SemanticsCheck, SemanticsError
from sambaflow.testing import samba_modules, stage_modules
from sambaflow.testing.operators import NAMES

torch.set_num_threads(1)
warnings.filterwarnings("ignore", message="var.*degrees of freedom")

REFUSED = 0.05
"""How many of the modules a pass may refuse."""
SAMBA = tuple(name for name in PASSES if name.startswith(("set-", "samba-", "convert-samba-")))
KERNEL = tuple(name for name in PASSES if name.startswith("kernel-"))
RDU = tuple(name for name in PASSES if name.startswith(("convert-kernel-", "rdu-")))
LOWERED = tuple(name for name in NAMES if name != "sort")
"""Operators of modules that go down to the rdu level, where no tile program sorts yet."""
MAPPINGS = ("kernel-tile", "kernel-balance")
"""After these, stages run tile by tile."""


@dataclass(frozen=True)
class Example:
    """A module and the options of the passes that it goes through."""

    module: ModuleOp
    chips: int
    mode: str

    def passes(self, names: Sequence[str]) -> list[ModulePass]:
        options = {
            "set-target": f"{{chips={self.chips}}}",
            "samba-outline-layers": "{min-ops=3}",  # random layers are short
            "kernel-cut-sections": f"{{mode={self.mode}}}",
        }
        return [pass_ for name in names for pass_ in parse_pipeline(name + options.get(name, ""))]

    def __repr__(self) -> str:
        return f"chips={self.chips} mode={self.mode}\n{self.module}"


CHIPS, MODES = st.sampled_from([2, 1, 4, 2]), st.sampled_from(["o3", "o1", "o0"])
SETTINGS: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


@dataclass(frozen=True)
class Kind:
    """Modules that passes are checked on: how many, and what runs before without a check."""

    modules: st.SearchStrategy[ModuleOp]
    count: int
    passes: tuple[str, ...]
    before: tuple[str, ...] = ()
    chips: st.SearchStrategy[int] = CHIPS
    refused: Mapping[str, float] = field(default_factory=dict[str, float])
    """The largest share of the modules that a pass refuses, where it is more than `REFUSED`."""

    @property
    def examples(self) -> st.SearchStrategy[Example]:
        return st.builds(Example, self.modules, self.chips, MODES)


KINDS: Mapping[str, Kind] = {
    "samba": Kind(samba_modules(least=2, most=9), 75, SAMBA + KERNEL),
    "constants": Kind(samba_modules(least=2, most=9, constants=90), 75, ("samba-canonicalize", "samba-cse")),
    # kernel-size-fifos runs the units that stages become: a sort, and a body on blocks, become none
    "stages": Kind(stage_modules(least=2, most=6), 75, KERNEL, chips=st.just(1), refused={"kernel-size-fifos": 0.2}),
    "rdu": Kind(samba_modules(least=2, most=4, operators=LOWERED), 30, RDU, before=SAMBA + KERNEL),
}


@dataclass
class Ledger:
    """What became of the modules, by pass."""

    checked: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    changed: set[str] = field(default_factory=set[str])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    """What the first module that a pass failed on is, and how."""
    elements: int = 0
    uncertain: int = 0
    """Elements of outputs that rounding alone may move by more than 1 % of the largest magnitude."""


def run_chain(example: Example, kind: Kind, ledger: Ledger, last: str = "") -> None:
    """Run the passes with a check after each, up to the first that refuses the module or fails, or to `last`."""
    module, ctx = example.module.clone(), SambaContext()
    try:
        run_pipeline(module, example.passes(kind.before), ctx)
    except SambaError:
        ledger.refused["before"] += 1
        return
    check = SemanticsCheck(ctx)
    for pass_ in example.passes(kind.passes):
        check.tiled = pass_.name in MAPPINGS
        before = str(module) if pass_.name not in ledger.changed else ""
        try:
            run_pipeline(module, [pass_], ctx, instrumentations=(check, Uncertain(check, ledger)))
        except (SemanticsError, InternalError) as error:
            ledger.failed.setdefault(pass_.name, f"{error}\n{example}")
            return
        except SambaError:
            ledger.refused[pass_.name] += 1
            return
        try:
            verify_module(module)
        except SambaError as error:
            ledger.failed.setdefault(pass_.name, f"{error}\n{example}")
            return
        ledger.checked[pass_.name] += 1
        if before and str(module) != before:
            ledger.changed.add(pass_.name)
        if pass_.name == last:
            return


@dataclass
class Uncertain(Instrumentation):
    """Counts what a check cannot say much about."""

    check: SemanticsCheck
    ledger: Ledger

    def before_pass(self, pass_: ModulePass, op: Operation) -> None:
        for case in self.check.cases or ():
            for name, spread in (case.spread or {}).items():
                value = case.outputs[name].double().abs().nan_to_num(0, 0, 0)
                largest = float(value.max()) if value.numel() else 0.0
                self.ledger.elements += value.numel()
                self.ledger.uncertain += int((spread > 0.01 * largest).sum())


@cache
def ledger_of(name: str) -> Ledger:
    """The chain of every module of a kind. Hypothesis repeats itself: equal modules are left out."""
    kind, ledger, seen = KINDS[name], Ledger(), set[str]()

    @hypothesis.settings(max_examples=3 * kind.count, phases=[Phase.generate], **SETTINGS)
    @hypothesis.given(kind.examples)
    def draw(example: Example) -> None:
        text = str(example.module)
        if text not in seen and len(seen) < kind.count:
            seen.add(text)
            run_chain(example, kind, ledger)

    draw()
    assert len(seen) == kind.count
    return ledger


def smallest(kind: Kind, name: str) -> Example | str:
    """The smallest module with which the pass fails, if a search of its own finds one."""

    def fails(example: Example) -> bool:
        ledger = Ledger()
        run_chain(example, kind, ledger, last=name)
        return name in ledger.failed

    settings = hypothesis.settings(max_examples=3 * kind.count, **SETTINGS)
    try:
        return hypothesis.find(kind.examples, fails, settings=settings)
    except NoSuchExample:
        return "no other module was found"


CASES = [(name, pass_name) for name, kind in KINDS.items() for pass_name in kind.passes]


@pytest.mark.parametrize(("name", "pass_name"), CASES)
def test_pass_keeps_what_random_modules_compute(name: str, pass_name: str):
    kind, ledger = KINDS[name], ledger_of(name)
    if pass_name in ledger.failed:
        pytest.fail(f"{ledger.failed[pass_name]}\n{smallest(kind, pass_name)}")
    refused = [ledger.refused[earlier] for earlier in ("before", *kind.passes[: kind.passes.index(pass_name)])]
    assert ledger.refused[pass_name] <= max(1, kind.refused.get(pass_name, REFUSED) * kind.count)
    assert ledger.checked[pass_name] == kind.count - sum(refused) - ledger.refused[pass_name]


# A check of a pass that never did anything, or of numbers that say nothing, would be no check.


@pytest.mark.parametrize(("name", "pass_name"), CASES)
def test_pass_changed_some_of_the_modules(name: str, pass_name: str):
    """Of its kind, or of another: equal ops are seldom where modules are drawn from all operators."""
    others = [other for other, kind in KINDS.items() if pass_name in kind.passes and other != name]
    assert any(pass_name in ledger_of(kind).changed for kind in (name, *others))


def test_few_elements_are_uncertain():
    ledger = ledger_of("samba")
    assert ledger.elements > 10_000
    assert ledger.uncertain < 0.1 * ledger.elements


def test_every_pass_is_checked():
    assert set(KINDS["samba"].passes + KINDS["rdu"].passes) == set(PASSES)
