"""passes/framework/analyses.py: what is computed once, what is forgotten, and that sharing changes no result."""

from __future__ import annotations

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import CapacityError
from sambaflow.passes.framework.analyses import ALL, Analyses, analyses_of
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.manager import PassManager
from sambaflow.passes.framework.pipelines import parse_pipeline

TEXT = """func.func @f(
    %x: tensor<4x8xf32>, %w: tensor<6x8xf32>, %v: tensor<3x6xf32>, %c: tensor<9x6xf32>, %p: tensor<4xi64>
) -> (tensor<9x3xf32>, tensor<9x6xf32>) {
  %0 = samba.linear %x, %w : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  %1 = samba.softmax %0 {dim = -1} : tensor<4x6xf32>
  %2 = samba.index_copy %c, %p, %1 {dim = 0} : (tensor<9x6xf32>, tensor<4xi64>, tensor<4x6xf32>) -> tensor<9x6xf32>
  %3 = samba.linear %2, %v : (tensor<9x6xf32>, tensor<3x6xf32>) -> tensor<9x3xf32>
  func.return %3, %2 : tensor<9x3xf32>, tensor<9x6xf32>
}"""


def parsed() -> ModuleOp:
    return parse_module(TEXT, "f.mlir", SambaContext())


class OpCount:
    """Ops below one, counted when it is made."""

    def __init__(self, op: Operation) -> None:
        self.count = sum(1 for _ in op.walk())


def names(op: Operation) -> list[str]:
    return [inner.name for inner in op.walk()]


def test_an_analysis_runs_once_for_each_op_and_kind():
    analyses, module = Analyses(), parsed()
    (function,) = module.ops
    with analyses.shared():
        first = analyses.get(OpCount, module)
        assert analyses.get(OpCount, module) is first
        assert analyses.get(OpCount, function).count == first.count - 1
        assert analyses.get(names, module)[0] == "builtin.module"
    assert (analyses.computed, analyses.reused) == ({"OpCount": 2, "names": 1}, {"OpCount": 1})


def test_what_is_not_preserved_is_forgotten():
    analyses, module = Analyses(), parsed()
    with analyses.shared():
        counted, named = analyses.get(OpCount, module), analyses.get(names, module)
        analyses.invalidate(preserved=(OpCount,))
        assert analyses.get(OpCount, module) is counted
        assert analyses.get(names, module) is not named
        analyses.invalidate()
        assert analyses.get(OpCount, module) is not counted


def test_all_preserves_every_analysis():
    analyses, module = Analyses(), parsed()
    with analyses.shared():
        counted = analyses.get(OpCount, module)
        analyses.invalidate(ALL)
        assert analyses.get(OpCount, module) is counted


# Passes that are called by hand change modules without a word: there, every answer is about the module as it is.
def test_nothing_is_kept_outside_of_the_pass_manager():
    analyses, module = Analyses(), parsed()
    with analyses.shared():
        counted = analyses.get(OpCount, module)
    assert analyses.get(OpCount, module) is not counted
    assert analyses.get(OpCount, module) is not analyses.get(OpCount, module)


def test_an_error_is_not_remembered():
    analyses, module = Analyses(), parsed()
    raised: list[Operation] = []

    def once(op: Operation) -> int:
        if not raised:
            raised.append(op)
            raise CapacityError("does not fit")
        return 1

    with pytest.raises(CapacityError):
        analyses.get(once, module)
    assert analyses.get(once, module) == 1


def test_a_context_without_analyses_shares_nothing():
    ctx, module = Context(), parsed()
    assert analyses_of(ctx).get(OpCount, module) is not analyses_of(ctx).get(OpCount, module)


# ---- the plan of sections, shared by the passes that carry it out


# Passes replay the plan; whether each makes it anew or one hands it on, what comes out is the same.
@pytest.mark.parametrize("mode", ["o0", "o1", "o3"])
def test_sharing_plans_changes_nothing(mode: str):
    pipeline = parse_pipeline(f"{mode}{{machine=sn40l}}")
    by_hand, managed, ctx = parsed(), parsed(), SambaContext()
    for pass_ in pipeline:
        pass_.apply(SambaContext(), by_hand)
    PassManager(pipeline, ctx).run(managed)
    assert ctx.analyses.reused["sections_of"] > 0
    assert str(managed) == str(by_hand)
