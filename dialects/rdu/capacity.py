"""Does a program fit its target: units, bytes of buffers, places."""

from __future__ import annotations

from collections.abc import Sequence

from sambaflow.diagnostics import VerifyExceptionAt
from sambaflow.dialects.rdu.attributes import Row, TargetAttr, values
from sambaflow.dialects.rdu.grid import Grid, grid_of
from sambaflow.dialects.rdu.schedule import ScheduleOp
from sambaflow.dialects.rdu.sections import SectionOp, SymbolOp
from sambaflow.dialects.rdu.units import PmuOp
from sambaflow.machine import Budget, Demand, Machine, agcus_taken, shortfalls


def demand_of(section: SectionOp, budget: Budget) -> Demand:
    """Units and buffer bytes that a section takes of a budget; loads and stores of one AGCU share them when they are
    more."""
    counts: dict[str, list[int]] = {"pcu": [], "pmu": [], "agcu": []}
    held = 0
    for unit in section.units:
        counts[unit.RESOURCE].append(unit.units)
        if isinstance(unit, PmuOp):
            held += unit.depth.value.data * unit.window_bytes.value.data
    return Demand(sum(counts["pcu"]), sum(counts["pmu"]), agcus_taken(counts["agcu"], budget.agcus), held)


def verify_capacity(
    target: TargetAttr,
    machine: Machine,
    symbols: Sequence[SymbolOp],
    sections: Sequence[SectionOp],
    schedules: Sequence[ScheduleOp],
) -> None:
    """Every section of a program fits its part of a chip, every launch its chips. VerifyException about the first thing
    that does not; MachineError when the machine has no such part."""
    budget = machine.target(chips=target.chips.data, tiles=target.tiles.data)
    for symbol in symbols:
        if symbol.shard is not None and budget.chips % (chips := values(symbol.shard)[2]):
            raise VerifyExceptionAt(symbol, f"is cut for {chips} chips, the target has {budget.chips}")
    grid = grid_of(machine, budget)
    for section in sections:
        _verify_section(section, budget, grid)
    for schedule in schedules:
        for launch, _ in schedule.launches:
            chips = values(launch.chips)
            if any(chip not in range(budget.chips) for chip in chips):
                raise VerifyExceptionAt(launch, f"runs on chips {list(chips)}, the target has {budget.chips}")


def _verify_section(section: SectionOp, budget: Budget, grid: Grid) -> None:
    for short in shortfalls(demand_of(section, budget), budget):
        raise VerifyExceptionAt(section, str(short))
    taken: dict[Row, int] = {}
    shared: dict[Row, int] = {}
    """AGCUs carry several streams, each stream over an AGCU once."""
    for i, unit in enumerate(section.units):
        if isinstance(unit, PmuOp):
            held, room = unit.depth.value.data * unit.window_bytes.value.data, unit.units * budget.pmu_bytes
            if held > room:
                raise VerifyExceptionAt(unit, f"holds {held} bytes in {unit.units} PMUs of {budget.pmu_bytes}")
        for place in unit.places:
            if place not in grid.sites[unit.RESOURCE]:
                raise VerifyExceptionAt(unit, f"there is no {unit.RESOURCE.upper()} at {place}")
            others = shared if unit.RESOURCE == "agcu" else taken
            if place in others and (others is taken or others[place] == i):
                raise VerifyExceptionAt(unit, f"stands at {place}, where unit {others[place]} of the section is")
            others[place] = i
