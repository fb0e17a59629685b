"""passes/analyses.py: what is computed once, what is forgotten, and that sharing changes no result."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from sambaflow.errors import CapacityError
from sambaflow.passes.analyses import ALL, Analyses, analyses_of
from sambaflow.passes.base import SambaContext, SambaPass
from sambaflow.passes.parsing import parse_module
from sambaflow.passes.pipelines import parse_pipeline

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
    first = analyses.get(OpCount, module)
    assert analyses.get(OpCount, module) is first
    assert analyses.get(OpCount, function).count == first.count - 1
    assert analyses.get(names, module)[0] == "builtin.module"
    assert (analyses.computed, analyses.reused) == ({"OpCount": 2, "names": 1}, {"OpCount": 1})


def test_what_is_not_preserved_is_forgotten():
    analyses, module = Analyses(), parsed()
    counted, named = analyses.get(OpCount, module), analyses.get(names, module)
    analyses.invalidate(preserved=(OpCount,))
    assert analyses.get(OpCount, module) is counted
    assert analyses.get(names, module) is not named
    analyses.invalidate()
    assert analyses.get(OpCount, module) is not counted


def test_all_preserves_every_analysis():
    analyses, module = Analyses(), parsed()
    counted = analyses.get(OpCount, module)
    analyses.invalidate(ALL)
    assert analyses.get(OpCount, module) is counted


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


# A context without analyses still gets right answers: it shares nothing.
def test_a_plain_context_shares_nothing():
    from xdsl.context import Context

    ctx, module = Context(), parsed()
    assert analyses_of(ctx).get(OpCount, module) is not analyses_of(ctx).get(OpCount, module)


# ---- the plan of sections, shared by the passes that carry it out


@dataclass
class Sharing(SambaContext):
    """A context that carries analyses."""

    analyses: Analyses = field(default_factory=Analyses)


def lowered(mode: str, *, shared: bool) -> str:
    """What o0, o1 or o3 makes of the text; each pass with analyses of its own unless `shared`."""
    module, ctx = parsed(), Sharing()
    for one in parse_pipeline(f"{mode}{{machine=sn40l}}"):
        one.apply(ctx, module)
        ctx.analyses.invalidate(one.preserves if shared and isinstance(one, SambaPass) else ())
    assert (ctx.analyses.reused["sections_of"] > 0) is shared
    return str(module)


# Passes replay the plan; whether each makes it anew or one hands it on, what comes out is the same.
@pytest.mark.parametrize("mode", ["o0", "o1", "o3"])
def test_sharing_plans_changes_nothing(mode: str):
    assert lowered(mode, shared=True) == lowered(mode, shared=False)
