"""The one function that decides how a section runs: tiles, par factors, buffers, and what they cost.

    plan(stages, live_out, resources) -> SectionPlan

`kernel-cut-sections` asks it about every interval that it considers; the passes after it replay its answer. What is
known flows one way, and nothing changes once it is built:

    section_graph      who makes, who reads, what is loaded and stored: the same whatever is chosen
    section_transfers  AGCUs of loads and stores
    section_windows    for a tiling of every stage: in how many tokens an edge hands its tensor over, as many as the
                       producer's and the consumer's loops share
    buffer_room        PMUs of every buffer, by its depth and its reader's par factors
    section_time       start and finish of every stage, by par factors and depths, in whole picoseconds; stage costs are
                       `machine.cost` of a firing and nothing else
    section_search     par factors and depths (`buffer_depths`)
    section_plan       the answer as data

What is searched here are tilings: fine and coarse ones, and other loop orders where a heuristic asks for one or where
a stage holds more than fits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sambaflow.passes.planning.buffer_room import BufferRoom
from sambaflow.passes.planning.facts import SectionPlan, StageFacts
from sambaflow.passes.planning.resources import Resources
from sambaflow.passes.planning.section_graph import section_graph
from sambaflow.passes.planning.section_plan import launch_picoseconds, plan_of
from sambaflow.passes.planning.section_search import Solution, solve
from sambaflow.passes.planning.section_transfers import transfers_of
from sambaflow.passes.planning.section_windows import windows_of
from sambaflow.passes.planning.stage_tilings import StageTilings
from sambaflow.passes.planning.standing import NOTHING, Standing
from sambaflow.passes.planning.tiled_section import TiledSection
from sambaflow.passes.planning.tiling import Tiling

GRAINS = (64, 16, 4)
"""Most firings of a stage along its parallel dimensions: fine tiles fill a pipeline, coarse ones feed more PCUs."""


class Estimate(NamedTuple):
    """The modelled time of one launch of a section, and the bytes that it loads and stores."""

    picoseconds: int
    off_chip_bytes: int


def plan(
    stages: Sequence[StageFacts], live_out: Collection[int], resources: Resources, standing: Standing = NOTHING
) -> SectionPlan:
    """The plan of a section of `stages` (in topological order) that must store the values `live_out`.

    It keeps the decisions about its edges that stand.
    """
    return Planner(resources).plan(stages, live_out, standing)


class Planner:
    """`plan` with a memory: what depends on one stage or on two neighbours alone is computed once."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.machine = resources.machine
        self._tilings = StageTilings(resources)

    def plan(
        self, stages: Sequence[StageFacts], live_out: Collection[int], standing: Standing = NOTHING
    ) -> SectionPlan:
        """See `sambaflow.passes.planning.planner.plan`."""
        return plan_of(self._best(stages, live_out, standing))

    def estimate(self, stages: Sequence[StageFacts], live_out: Collection[int]) -> Estimate | None:
        """What `plan` would say about time and traffic; None when the section does not fit."""
        best = self._best(stages, live_out, NOTHING)
        if not best.is_feasible:
            return None
        return Estimate(launch_picoseconds(best), best.section.graph.off_chip_bytes)

    def _best(self, stages: Sequence[StageFacts], live_out: Collection[int], standing: Standing) -> Solution:
        """The grain with the least time, and where transfers take all of it that with the shortest pipeline; another
        loop order, where a heuristic asks for it and it is faster."""
        search = _TilingSearch(stages, live_out, standing, self.resources, self._tilings)
        plain = (0,) * len(stages)
        asked = tuple(int(stage.wishes.stream_largest) for stage in stages)
        solutions = [
            min(
                (search.fitting(grain, variants) for grain in GRAINS),
                key=lambda solution: (not solution.is_feasible, *solution.time),
            )
            for variants in dict.fromkeys((plain, asked))
        ]
        return min(solutions, key=lambda solution: (not solution.is_feasible, solution.picoseconds))


class _TilingSearch:
    """The solutions of one section by the tilings of its nodes, on which grains and variants often agree."""

    def __init__(
        self,
        stages: Sequence[StageFacts],
        live_out: Collection[int],
        standing: Standing,
        resources: Resources,
        tilings: StageTilings,
    ) -> None:
        self.standing, self.resources, self.tilings = standing, resources, tilings
        self.graph = section_graph(stages, live_out, tilings)
        self.transfers = transfers_of(self.graph, standing, resources)
        self.solutions: dict[tuple[Tiling, ...], Solution] = {}

    def fitting(self, grain: int, variants: Sequence[int]) -> Solution:
        """The solution of a grain and of loop orders (by stage): while it does not fit, the heaviest operand flows."""
        orders = list(variants)
        while True:
            solution = self._solution(grain, orders)
            heaviest = None if solution.is_feasible else self._heaviest_held(solution.section, orders)
            if heaviest is None:
                return solution
            orders[heaviest] = 1

    def _solution(self, grain: int, variants: Sequence[int]) -> Solution:
        tilings = tuple(self.tilings.tiling(node.stage, variants[node.index], grain) for node in self.graph.nodes)
        if tilings not in self.solutions:
            section = self._tiled(tilings)
            self.solutions[tilings] = solve(section, BufferRoom.of(section, self.tilings))
        return self.solutions[tilings]

    def _tiled(self, tilings: tuple[Tiling, ...]) -> TiledSection:
        graph = self.graph
        tiled = tuple(self.tilings.tiled(tiling, node.reads) for tiling, node in zip(tilings, graph.nodes, strict=True))
        windows = windows_of(graph, tiled, self.standing, self.tilings)
        return TiledSection(graph, tiled, windows, self.transfers, self.standing, self.resources)

    def _heaviest_held(self, section: TiledSection, variants: Sequence[int]) -> int | None:
        """The stage that would profit most from letting its largest operand flow: the one that holds the most bytes."""
        held = [
            (max((section.windows.part_bytes[number] for number in node.edges), default=0), -node.index)
            for node in self.graph.nodes
            if not variants[node.index] and node.stage.mode
        ]
        size, index = max(held, default=(0, 0))
        return -index if size > self.resources.budget.pmu_bytes else None
