"""Every samba and kernel pass keeps what random modules compute, to what the pass declares.

Each of 200 random samba modules goes through all passes in the order of the registry; its outputs after one pass are
those before the next. Kernel passes see 200 modules of directly made stages besides. A pass may refuse few of them.
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
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.errors import InternalError, SambaError
from sambaflow.passes.base import SambaContext
from sambaflow.passes.manager import Instrumentation
from sambaflow.passes.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.registry import PASSES
from sambaflow.passes.verification import verify_module
from sambaflow.sim.pass_check import SemanticsCheck, SemanticsError
from sambaflow.testing import samba_modules, stage_modules

torch.set_num_threads(1)
warnings.filterwarnings("ignore", message="var.*degrees of freedom")

MODULES = 200
REFUSED = 10
"""How many of them a pass may refuse."""
SAMBA = tuple(name for name in PASSES if name.startswith(("set-", "samba-", "convert-samba-")))
KERNEL = tuple(name for name in PASSES if name.startswith("kernel-"))
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
        return [one for name in names for one in parse_pipeline(name + options.get(name, ""))]

    def __repr__(self) -> str:
        return f"chips={self.chips} mode={self.mode}\n{self.module}"


CHIPS, MODES = st.sampled_from([1, 2, 4]), st.sampled_from(["o3", "o1", "o0"])
EXAMPLES: Mapping[str, st.SearchStrategy[Example]] = {
    "samba": st.builds(Example, samba_modules(least=2, most=9), CHIPS, MODES),
    "constants": st.builds(Example, samba_modules(least=2, most=9, constants=90), st.just(1), st.just("o3")),
    "stages": st.builds(Example, stage_modules(least=2, most=6), st.just(1), MODES),
}
CHAINS = {"samba": SAMBA + KERNEL, "constants": ("samba-canonicalize", "samba-cse"), "stages": KERNEL}
SETTINGS: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


@dataclass
class Ledger:
    """What became of the modules, by pass."""

    checked: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    changed: set[str] = field(default_factory=set[str])
    failed: dict[str, Exception] = field(default_factory=dict[str, Exception])
    elements: int = 0
    uncertain: int = 0
    """Elements of outputs that rounding alone may move by more than 1 % of the largest magnitude."""


def run_chain(example: Example, names: Sequence[str], ledger: Ledger) -> None:
    """Run the passes with a check after each, up to the first that refuses the module or fails."""
    module, ctx = example.module.clone(), SambaContext()
    check = SemanticsCheck(ctx)
    for one in example.passes(names):
        check.tiled = one.name in MAPPINGS
        before = str(module) if one.name not in ledger.changed else ""
        try:
            run_pipeline(module, [one], ctx, instrumentations=(check, Uncertain(check, ledger)))
        except (SemanticsError, InternalError) as error:
            ledger.failed.setdefault(one.name, error)
            return
        except SambaError:
            ledger.refused[one.name] += 1
            return
        try:
            verify_module(module)
        except SambaError as error:
            ledger.failed.setdefault(one.name, error)
            return
        ledger.checked[one.name] += 1
        if before and str(module) != before:
            ledger.changed.add(one.name)


@dataclass
class Uncertain(Instrumentation):
    """Counts what a check cannot say much about."""

    check: SemanticsCheck
    ledger: Ledger

    def before_pass(self, one: ModulePass, op: Operation) -> None:
        for case in self.check.cases or ():
            for name, spread in (case.spread or {}).items():
                value = case.outputs[name].double().abs().nan_to_num(0, 0, 0)
                largest = float(value.max()) if value.numel() else 0.0
                self.ledger.elements += value.numel()
                self.ledger.uncertain += int((spread > 0.01 * largest).sum())


@cache
def ledger_of(kind: str) -> Ledger:
    """The chain of every module of a kind. Hypothesis repeats itself: equal modules are left out."""
    ledger, seen = Ledger(), set[str]()

    @hypothesis.settings(max_examples=3 * MODULES, phases=[Phase.generate], **SETTINGS)
    @hypothesis.given(EXAMPLES[kind])
    def draw(example: Example) -> None:
        text = str(example.module)
        if text not in seen and len(seen) < MODULES:
            seen.add(text)
            run_chain(example, CHAINS[kind], ledger)

    draw()
    assert len(seen) == MODULES
    return ledger


def smallest(kind: str, name: str) -> Example:
    """The smallest module with which the pass fails."""

    def fails(example: Example) -> bool:
        ledger = Ledger()
        run_chain(example, CHAINS[kind][: CHAINS[kind].index(name) + 1], ledger)
        return name in ledger.failed

    return hypothesis.find(EXAMPLES[kind], fails, settings=hypothesis.settings(max_examples=3 * MODULES, **SETTINGS))


CASES = [(kind, name) for kind, names in CHAINS.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_pass_keeps_what_random_modules_compute(kind: str, name: str):
    ledger = ledger_of(kind)
    if name in ledger.failed:
        pytest.fail(f"{ledger.failed[name]}\n{smallest(kind, name)}")
    refused_before = sum(ledger.refused[one] for one in CHAINS[kind][: CHAINS[kind].index(name)])
    assert ledger.refused[name] <= REFUSED
    assert ledger.checked[name] == MODULES - refused_before - ledger.refused[name]


# A check of a pass that never did anything, or of numbers that say nothing, would be no check.


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_pass_changed_some_of_the_modules(kind: str, name: str):
    assert name in ledger_of(kind).changed


def test_few_elements_are_uncertain():
    ledger = ledger_of("samba")
    assert ledger.elements > 10_000
    assert ledger.uncertain < 0.1 * ledger.elements


def test_every_samba_and_kernel_pass_is_checked():
    below = [name for name in PASSES if not name.startswith(("convert-kernel-", "rdu-"))]
    assert sorted(CHAINS["samba"]) == sorted(below)
