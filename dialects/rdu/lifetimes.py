"""When each symbol of a program is alive, and how many bytes launches move for it.

Launches are numbered through the whole program: schedule after schedule, round after round of a repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sambaflow.dialects.rdu.program import ProgramOp
from sambaflow.dialects.rdu.schedule import LaunchOp, RepeatOp, ScheduleOp
from sambaflow.dialects.rdu.sections import SectionOp
from sambaflow.dialects.rdu.units import LoadOp, StoreOp

RESIDENT = ("param", "buffer", "state", "constant")
"""Roles that live as long as the program: other graphs, and the next call, find them where they were."""


@dataclass
class Life:
    """`first`, `last`: launch numbers, inclusive; `transfer`: bytes that all launches of all graphs read and write."""

    first: int
    last: int
    transfer: int = 0


@dataclass(frozen=True)
class SlotUse:
    reads: bool
    writes: bool


def slot_uses(section: SectionOp) -> list[SlotUse]:
    """Which slots a section loads and stores."""
    uses: list[SlotUse] = []
    for slot in section.slots:
        ops = [use.operation for use in slot.uses]
        uses.append(SlotUse(any(isinstance(op, LoadOp) for op in ops), any(isinstance(op, StoreOp) for op in ops)))
    return uses


def launches_of(schedule: ScheduleOp) -> Iterator[tuple[LaunchOp, list[str]]]:
    """Every launch with the symbols that it binds, in the order of execution."""
    for step in schedule.steps:
        if isinstance(step, RepeatOp):
            tables = [(launch, launch.table) for launch in step.launches]
            for i in range(step.rounds):
                yield from ((launch, table[i]) for launch, table in tables)
        else:
            yield step, step.table[0]


def lives_of(program: ProgramOp) -> dict[str, Life]:
    """The life of every symbol, by name, in the order of the symbols.

    Inputs live from the start of their graph, outputs and inputs that outputs update to its end, temporaries from the
    first launch that binds them to the last; resident roles through the whole program.
    """
    symbols = {op.sym_name.data: op for op in program.symbols}
    uses = {section.sym_name.data: slot_uses(section) for section in program.sections}
    spans: dict[str, Life] = {}
    number = 0
    for schedule in program.schedules:
        start = number
        for launch, bound in launches_of(schedule):
            for name, use in zip(bound, uses[launch.section_name], strict=True):
                life = spans.setdefault(name, Life(number, number))
                life.last = number
                life.transfer += symbols[name].bytes * (use.reads + use.writes)
            number += 1
        end = max(start, number - 1)
        for name in schedule.input_names:
            life = spans.setdefault(name, Life(start, start))
            life.first = min(life.first, start)
        for name in (*schedule.output_names, *schedule.updated_names):
            life = spans.setdefault(name, Life(end, end))
            life.last = max(life.last, end)
    total = max(0, number - 1)
    lives: dict[str, Life] = {}
    for name, op in symbols.items():
        life = spans.get(name, Life(0, total))
        if op.role.data in RESIDENT:
            life = Life(0, total, life.transfer)
        lives[name] = life
    return lives
