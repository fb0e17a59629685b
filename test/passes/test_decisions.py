"""What stands is honoured: a fixed decision stays, the rest adapts, and the numbers are the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation

from sambaflow.backends.rdu.from_ir import image_of
from sambaflow.dialects import samba
from sambaflow.errors import InternalError, SambaError
from sambaflow.passes.framework.decision_kinds import DECIDING, kind_on
from sambaflow.passes.framework.decisions import decisions_of, fix, origin_of
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.passes.framework.verification import verify_module
from sambaflow.sim.checking.pass_check import SemanticsCheck, SemanticsError
from sambaflow.sim.reference.semantics import graphs_of
from sambaflow.sim.timing.program import time_graph
from sambaflow.testing import Lowering, evaluate, lowerings, random_inputs, samba_modules
from sambaflow.testing.lowered import lowered, modes_with
from sambaflow.testing.operators import NAMES
from sambaflow.testing.other_decisions import dissolve, op_at, other_decisions

torch.set_num_threads(1)

SETTINGS: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}
OPERATORS = tuple(name for name in NAMES if name != "sort")
COUNT = 25
"""Modules on which a decision of each pass is fixed."""

OPERATORS_OF = {
    "samba-heuristics": ("linear", "mm", "bmm", "softmax", "relu"),
    "samba-shard": ("linear", "linear", "addmm", "relu", "add"),
}
"""Operators of the modules for a pass that decides only about some."""

CHANGES_SUMS = re.compile(r"shard_\d+|k_shard_degree")
"""Kinds of decisions that say over how many chips or PCUs a sum is spread: there numbers are held to what each pass
declares, everywhere else to the bit."""


def numbers(module: ModuleOp) -> list[Any]:
    """What every graph of a module computes, on the same inputs."""
    return [evaluate(module, random_inputs(module, graph=graph), graph) for graph in graphs_of(module)]


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and torch.equal(left.nan_to_num(7.0), right.nan_to_num(7.0))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def graphs_that_take_time(module: ModuleOp) -> set[str]:
    """The graphs that launch something, all timed."""
    image = image_of(module)
    return {graph for graph in graphs_of(module) if time_graph(image, graph, None).picoseconds > 0}


class Ledger:
    """What became of the modules with which a pass ran again."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.refusals: list[str] = []


@cache
def ledger_of(pass_name: str) -> Ledger:
    """Run; fix one decision to another legal value; run again."""
    ledger = Ledger()

    modules = samba_modules(1, 4, operators=OPERATORS_OF.get(pass_name, OPERATORS))

    most = 8 if pass_name in OPERATORS_OF else 4

    @hypothesis.settings(max_examples=most * COUNT, phases=[Phase.generate], **SETTINGS)
    @hypothesis.given(st.integers(0, 1 << 16), lowerings(modes_with(pass_name)), modules)
    def check(number: int, lowering: Lowering, module: ModuleOp) -> None:
        if ledger.counts["again"] >= COUNT:
            return
        names = [pass_.name for pass_ in lowering.passes]
        if pass_name not in names:
            return
        at = names.index(pass_name)
        module = lowered(module, lowering.passes[: at + 1])
        again = lowering.passes[at]

        # nothing fixed has changed: running it again changes nothing
        text = str(module)
        twice = module.clone()
        run_pipeline(twice, [again])
        assert str(twice) == text
        ledger.counts["twice"] += 1

        others = list(other_decisions(module, pass_name))
        if not others:
            return
        wanted = min(sorted({kind for _, kind, _ in others}), key=ledger.kinds.__getitem__)
        candidates = [other for other in others if other[1] == wanted]
        place, kind, value = candidates[number % len(candidates)]
        whole = lowered(module.clone(), lowering.passes[at + 1 :])
        fixed = module.clone()
        fix(op_at(fixed, place), kind, value)
        ledger.counts["fixed"] += 1
        promises = SemanticsCheck() if CHANGES_SUMS.fullmatch(kind) else None
        watch = () if promises is None else (promises,)
        try:
            run_pipeline(fixed, [again], instrumentations=watch)
            op = op_at(fixed, place)
            assert kind_on(op, kind).read(op) == value and origin_of(op, kind) == "user"
            verify_module(fixed)
            run_pipeline(fixed, lowering.passes[at + 1 :], instrumentations=watch)
        except SemanticsError:
            raise
        except InternalError:
            raise
        except SambaError as refusal:
            ledger.counts["refused"] += 1
            ledger.refusals.append(f"{kind} of {place}: {refusal}")
            return
        if promises is None:
            assert same(numbers(fixed), numbers(whole))
        else:
            assert promises.checked > 0
        assert graphs_that_take_time(fixed) == graphs_that_take_time(whole)
        ledger.counts["again"] += 1
        ledger.kinds[kind] += 1

    check()
    return ledger


STRUCTURE = ("samba-fuse", "kernel-cut-sections")
"""Passes that decide which ops stand together: no value of an attribute says that."""


@pytest.mark.parametrize("pass_name", [name for name in DECIDING if name not in STRUCTURE])
def test_what_is_fixed_stands_and_the_rest_adapts(pass_name: str):
    ledger = ledger_of(pass_name)
    assert ledger.counts["again"] >= COUNT // 2, (ledger.counts, ledger.refusals)
    assert ledger.counts["refused"] <= ledger.counts["again"] // 2, ledger.refusals


# What stands together is fixed by standing there: a section of a user stays, with what was in it, and the rest is cut
# around it; an op that is to stay alone is in no module.


def structures(pass_name: str, op_name: str) -> Iterator[tuple[ModuleOp, ModuleOp, Operation, Lowering]]:
    """Modules after a pass, a copy of each, an op of that name in the copy, and what the modules went through."""
    drawn: list[tuple[ModuleOp, ModuleOp, Operation, Lowering]] = []

    @hypothesis.settings(max_examples=4 * COUNT, phases=[Phase.generate], **SETTINGS)
    @hypothesis.given(lowerings(modes_with(pass_name)), samba_modules(2, 5, operators=OPERATORS))
    def draw(lowering: Lowering, module: ModuleOp) -> None:
        if len(drawn) >= COUNT or pass_name not in [pass_.name for pass_ in lowering.passes]:
            return
        module = lowered(module, [*lowering.before(pass_name), lowering.passes[len(lowering.before(pass_name))]])
        copy = module.clone()
        ops = [op for op in copy.walk() if op.name == op_name]
        if ops:
            drawn.append((module, copy, ops[len(ops) // 2], lowering))

    draw()
    assert len(drawn) >= COUNT // 2
    return iter(drawn)


def test_an_op_that_stays_alone_is_in_no_module():
    for module, copy, fused, lowering in structures("samba-fuse", "samba.module"):
        again = lowering.passes[len(lowering.before("samba-fuse"))]
        alone = dissolve(fused)
        for op in alone:
            op.attributes["samba.fusion"] = StringAttr("none")
        run_pipeline(copy, [again])
        assert all(not isinstance(op.parent_op(), samba.ModuleOp) for op in alone)
        verify_module(copy)
        text = str(copy)
        run_pipeline(copy, [again])
        assert str(copy) == text
        assert same(numbers(copy), numbers(module))


def test_a_section_that_stands_stays():
    behind = 0
    for module, copy, section, lowering in structures("kernel-cut-sections", "kernel.section"):
        again = lowering.passes[len(lowering.before("kernel-cut-sections"))]
        others = [op for op in copy.walk() if op.name == "kernel.section" and op is not section]
        section.attributes.pop("decided_by")
        text = str(section)
        for other in others:
            dissolve(other)
        run_pipeline(copy, [again])
        assert str(section) == text
        verify_module(copy)
        cut = str(copy)
        run_pipeline(copy, [again])
        assert str(copy) == cut
        try:
            run_pipeline(copy, lowering.behind("kernel-cut-sections"))
        except InternalError:
            raise
        except SambaError:
            continue
        run_pipeline(module, lowering.behind("kernel-cut-sections"))
        assert same(numbers(copy), numbers(module))
        behind += 1
    assert behind >= COUNT // 2


def test_decisions_are_read_from_the_ir():
    @hypothesis.settings(max_examples=5, **SETTINGS)
    @hypothesis.given(lowerings(["o3"]), samba_modules(2, 4, operators=OPERATORS))
    def check(lowering: Lowering, module: ModuleOp) -> None:
        lowered(module, lowering.before("convert-kernel-to-rdu"))
        for decision in decisions_of(module):
            assert decision.origin in ("rule", "heuristic", "search") and not decision.is_fixed

    check()
