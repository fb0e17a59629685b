"""Random modules of stages, built against the stage interface alone."""

from __future__ import annotations

from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp, bf16, f32
from xdsl.ir import Block

from sambaflow.dialects import kernel
from sambaflow.dialects.samba import Shaped
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.fusion.grouping import make_region
from sambaflow.passes.set_target import SetTargetPass
from sambaflow.testing.graphs import graph
from sambaflow.testing.scope import Chooser
from sambaflow.testing.stages import KernelScope, add_stage


@st.composite
def stage_modules(draw: st.DrawFn, least: int = 1, most: int = 6) -> ModuleOp:
    """Verified modules of one graph of `least` to `most` stages of every kind, some of them in a `kernel.group`.

    The module has a target of one chip, so kernel passes can run on it.
    """
    choose = Chooser(draw)
    scope = KernelScope(choose, Block(), choose.one_of((f32, bf16)))
    scope.new(Shaped(scope.shape(1, 3), scope.dtype), "input")
    choose.repeat(lambda: add_stage(scope), least, most)
    if choose.chance(30):
        _group(scope)
    module = ModuleOp([graph("forward", scope)])
    SetTargetPass().apply(SambaContext(), module)
    return module


def _group(scope: KernelScope) -> None:
    """Put the last stages of the block into a group; what they leave unused is its result, too."""
    stages = list(scope.block.ops)
    members = stages[-scope.choose.between(1, len(stages)) :]
    unused = [result for op in members for result in op.results if result.first_use is None]
    outlined = make_region(members, lambda values: kernel.YieldOp(*values, *unused))
    results = [*outlined.outputs, *unused]
    group = kernel.GroupOp.create(
        operands=outlined.inputs,
        result_types=[value.type for value in results],
        properties={"rule": kernel.string("group")},
        regions=[outlined.region],
    )
    scope.block.add_op(group)
    outlined.replace_outputs(group.results[: len(outlined.outputs)])
    scope.values = [*scope.block.args, *group.results]
