"""The search for par factors and depths of a section whose tiles stand.

par factors  exact bisection on the initiation interval: every stage takes the fewest PCUs that meet it. Because a
             section of barriers is a serial chain, the split that minimises the sum of stage times under the same
             budget (bisection on the price of a PCU) is tried too, and the shorter modelled time wins.
depths       double buffers while candidates are compared; then as deep as readers are late and PMUs are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import getitem

from sambaflow.machine import Demand
from sambaflow.passes.planning.balance import Choice, least_interval, least_sum
from sambaflow.passes.planning.buffer_depths import Depths, deepened, double_buffers
from sambaflow.passes.planning.buffer_room import BufferRoom
from sambaflow.passes.planning.section_time import Schedule, schedule
from sambaflow.passes.planning.tiled_section import TiledSection


@dataclass(frozen=True, eq=False)
class Solution:
    """A candidate of every node and a depth of every edge, with what they take and when the nodes run.

    `times` is None when not even the smallest choice fits; `is_feasible` is False, too, when only the depths do not.
    """

    section: TiledSection
    room: BufferRoom
    choice: tuple[int, ...]
    depths: Depths
    times: Schedule | None
    is_feasible: bool

    @property
    def picoseconds(self) -> int:
        """The modelled time without launch and program load."""
        return self.times.picoseconds if self.times is not None else 0

    @property
    def time(self) -> tuple[int, int]:
        """What tells a shorter solution: its picoseconds, then those of its pipeline."""
        return (self.times.picoseconds, self.times.pipeline) if self.times is not None else (0, 0)

    @property
    def demand(self) -> Demand:
        """The units that the section takes."""
        pcus = sum(tiled.pcus[number] for tiled, number in zip(self.section.tiled, self.choice, strict=True))
        return Demand(pcus, self.room.demand(self.depths).of(self.choice), self.section.transfers.agcus)


def solve(section: TiledSection, room: BufferRoom) -> Solution:
    """The shortest of the choices that fit with double buffers, and its depths."""
    depths = double_buffers(section, room)
    choice, times = _shortest(section, room, depths)
    if times is None:
        return Solution(section, room, tuple(choice), depths, None, False)
    depths, fit = deepened(section, room, choice, depths, times)
    return Solution(section, room, tuple(choice), depths, schedule(section, choice, depths), fit)


def _shortest(section: TiledSection, room: BufferRoom, depths: Depths) -> tuple[Choice, Schedule | None]:
    """The choice of the least interval, or that of the least sum where its schedule is shorter.

    The smallest choice, without a schedule, when none fits.
    """
    budget, demand = section.resources.budget, room.demand(depths)
    pcus, cycles = [tiled.pcus for tiled in section.tiled], [tiled.cycles for tiled in section.tiled]

    def fits(choice: Choice) -> bool:
        return sum(map(getitem, pcus, choice)) <= budget.pcus and demand.of(choice) <= budget.pmus

    choice = least_interval(cycles, fits) if section.transfers.agcus <= budget.agcus else None
    if choice is None:
        return [0] * len(section.tiled), None
    times = schedule(section, choice, depths)
    other = least_sum(cycles, pcus, fits)
    if other is not None and other != choice:
        others = schedule(section, other, depths)
        if others.picoseconds < times.picoseconds:
            return other, others
    return choice, times
