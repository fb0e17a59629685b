"""The examples of the kernel dialect, compiled to an Image: the engines agree on them, and so do plan and simulator."""

from pathlib import Path

import pytest

from sambaflow.backends.rdu.from_ir import image_of
from sambaflow.backends.rdu.image import Image, Pcu
from sambaflow.dialects import kernel
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.machine import cost, load
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.passes.planning.facts import StagePlan
from sambaflow.passes.planning.sections import sections_of
from sambaflow.sim.timing.program import check_graph, time_graph
from sambaflow.sim.timing.section import pcu_firings

EXAMPLES = Path(__file__).parents[2] / "dialects" / "kernel"
TO_BUFFERS = (
    "set-target,kernel-cut-sections{mode=o3},kernel-tile,kernel-balance,"
    "kernel-insert-transfers,kernel-insert-buffers,kernel-size-fifos"
)
NAMES = (
    "all_reduce", "conv2d", "cumsum", "embedding", "kv_cache", "layer_norm", "linear", "lstm_step", "max_pool",
    "softmax",
)  # fmt: skip


def compiled(name: str) -> tuple[list[list[StagePlan]], Image]:
    """Per section the plans of the stages that take PCUs, and the Image; every symbol in HBM."""
    context = SambaContext()
    path = EXAMPLES / f"{name}.mlir"
    module = parse_module(path.read_text(), path.name, context)
    chips = max((op.chips.value.data for op in module.walk() if isinstance(op, kernel.CollectiveOp)), default=1)
    run_pipeline(module, TO_BUFFERS.replace("set-target", f"set-target{{chips={chips}}}"), context)
    plans = [[plan for _, plan in section.planned() if plan.pcus] for section in sections_of(module)]
    run_pipeline(module, "convert-kernel-to-rdu", context)
    image = image_of(module)
    for symbol in image.symbols:
        symbol.tier = "hbm"
    return plans, image


@pytest.mark.parametrize("name", NAMES)
def test_engines_agree_and_plan_and_program_fire_alike(name: str) -> None:
    """One cost function: a planned stage and the decoded program it became have the same interval and latency."""
    plans, image = compiled(name)
    for schedule in image.schedules:
        assert check_graph(image, schedule.graph) >= 1
        time = time_graph(image, schedule.graph)
        assert time.picoseconds > time.launch_time > 0
        assert time.off_chip_bytes > 0
    machine = load("sn40l")
    assert len(plans) == len(image.sections)
    for section, stages in zip(image.sections, plans, strict=True):
        prices = [cost(firing, machine) for firing in pcu_firings(section).values()]
        units = [unit for unit in section.units if isinstance(unit, Pcu)]
        assert [unit.count for unit in units] == [plan.pcus for plan in stages]
        times = [(machine.picoseconds(p.cycles), machine.picoseconds(p.latency)) for p in prices]
        assert times == [(plan.interval, plan.latency) for plan in stages]
