"""rdu-schedule: who sequences the launches, and that their order is sound."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar, Literal

from xdsl.context import Context
from xdsl.dialects.builtin import StringAttr

from sambaflow.diagnostics import error_at
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.lifetimes import launches_of, slot_uses
from sambaflow.errors import PassError
from sambaflow.machine import PICOSECONDS
from sambaflow.passes.framework.base import OperationPass
from sambaflow.passes.framework.decisions import decide, keep, note_next_best


@dataclass(frozen=True)
class RduSchedulePass(OperationPass[rdu.ProgramOp]):
    """Choose hardware or software orchestration for every graph, and check the order of its launches.

        rdu.schedule @forward inputs [@x] outputs [@y] tied [-1] { ... }
        // becomes
        rdu.schedule @forward inputs [@x] outputs [@y] tied [-1] attributes {orchestration = "hardware"} { ... }

    The machine says what a launch costs when the AGCUs sequence it from a static schedule (hardware) and when the host
    does (software); the cheaper one is taken, hardware when they are equal. One that is fixed stays. Launches
    stay in the order in which they stand; a launch that reads a temporary or an output before any launch wrote it is an
    error.
    """

    name: ClassVar[str] = "rdu-schedule"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program",)
    leaves = ("orchestration",)

    orchestration: Literal["hardware", "software"] | None = None
    """Who starts the sections; what the machine does faster if not given."""

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        launch = rdu.machine_of(op).launch
        costs = {"hardware": launch.hardware, "software": launch.software}
        cheaper, other = sorted(costs, key=lambda name: (costs[name], name))
        for schedule in op.schedules:
            _check_order(op, schedule)
            if self.orchestration is not None:
                asked = StringAttr(self.orchestration)
                keep(schedule, "orchestration", asked, "user", "the option of the pass asks for it")
            elif decide(schedule, "orchestration", StringAttr(cheaper), "search"):
                launches = sum(rounds for _, rounds in schedule.launches)
                picoseconds = ceil(launches * costs[other] * PICOSECONDS)
                note_next_best(schedule, "orchestration", StringAttr(other), picoseconds)
            self.decided(ctx, schedule, "orchestration")
            self._report(ctx, schedule)

    def _report(self, ctx: Context, schedule: rdu.ScheduleOp) -> None:
        launches = sum(rounds for _, rounds in schedule.launches)
        repeats = sum(isinstance(step, rdu.RepeatOp) for step in schedule.steps)
        self.found(ctx, schedule, "launches of a call", launches=launches, repeats=repeats)


def _check_order(program: rdu.ProgramOp, schedule: rdu.ScheduleOp) -> None:
    roles = {symbol.sym_name.data: symbol.role.data for symbol in program.symbols}
    uses = {section.sym_name.data: slot_uses(section) for section in program.sections}
    written = set(schedule.input_names)
    for launch, bound in launches_of(schedule):
        slots = list(zip(bound, uses[launch.section_name], strict=True))
        # A section may read what it writes itself (a cache, in one launch): its own tokens order the two.
        written.update(name for name, use in slots if use.writes)
        for name, use in slots:
            if use.reads and roles[name] in ("temp", "output") and name not in written:
                raise error_at(launch, f"reads @{name} before any launch writes it", PassError)
    for name in schedule.output_names:
        if roles[name] in ("temp", "output") and name not in written:
            raise error_at(schedule, f"returns @{name}, which no launch writes", PassError)
