"""From a module of the samba level to an Image, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import VerifyException

from sambaflow.collection import without_garbage_collection
from sambaflow.diagnostics import VerifyExceptionAt, error_at, location_of
from sambaflow.dialects.rdu import ProgramOp, machine_of
from sambaflow.dialects.rdu.capacity import demand_of
from sambaflow.errors import PassError
from sambaflow.machine import require
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import mode_pipeline, run_pipeline

if TYPE_CHECKING:
    from sambaflow.backends.rdu.image import Image


def compile_module(
    module: ModuleOp,
    *,
    mode: str = "o3",
    machine: str | None = None,
    chips: int | None = None,
    tiles: int | None = None,
    rules: str = "",
    ctx: SambaContext | None = None,
) -> Image:
    """The Image of a samba-level module, which the passes lower in place; None keeps what the module's target says."""
    from sambaflow.backends.rdu.from_ir import image_of

    pipeline = mode_pipeline(mode, {"machine": machine, "chips": chips, "tiles": tiles, "rules": rules or None})
    context = ctx or SambaContext()
    with without_garbage_collection():
        run_pipeline(module, pipeline, context)
        _refuse_what_does_not_fit(module)
        return image_of(module)


def _refuse_what_does_not_fit(module: ModuleOp) -> None:
    """CapacityError when a finished program asks more of the chip than it has; PassError for what is wrongly placed."""
    for program in module.ops:
        if not isinstance(program, ProgramOp):
            continue
        budget = machine_of(program).target(chips=program.target.chips.data, tiles=program.target.tiles.data)
        for section in program.sections:
            require(demand_of(section, budget), budget, op=section.name, location=location_of(section))
        try:
            program.verify_capacity()
        except VerifyException as error:
            place = error.op if isinstance(error, VerifyExceptionAt) else program
            raise error_at(place, str(error), PassError) from None
