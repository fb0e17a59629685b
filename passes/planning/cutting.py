"""Which stages run together: a run of stages is cut into sections, each of which fits the chip.

    problem = CuttingProblem(parts, stages, live_out, Planner(resources))
    for section in solve(problem, "shortest"):
        section.stages                             # numbers of stages, in the order in which they stand

shortest   the least modelled time, then off-chip bytes, then sections, by a dynamic program over all intervals of
           parts. Of more than `CUT_POINTS` parts the lightest neighbours are joined first.
greedy     every section takes parts as long as they fit. No time is compared, so it plans far fewer sections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sambaflow.machine import capacity_error
from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution
from sambaflow.passes.planning.facts import SectionPlan, StageFacts, made_by
from sambaflow.passes.planning.planner import Estimate, Planner

CUT_POINTS = 16
"""Parts between which the dynamic program may cut a run."""


@dataclass(frozen=True)
class Part:
    """Stages of one operator, or of one group: they stay together if they fit one section.

    `pieces`: its stages by number, each with the moves that go with it. They stay together if they fit, whatever
    becomes of the part. `rule`: the group's.
    """

    pieces: tuple[tuple[int, ...], ...]
    rule: str = ""

    @cached_property
    def stages(self) -> tuple[int, ...]:
        return tuple(number for piece in self.pieces for number in piece)


@dataclass(frozen=True)
class Section:
    """Stages that run together, by number. `rule`: that of the group that they are, or are a piece of."""

    stages: tuple[int, ...]
    rule: str = ""


Cut = tuple[Section, ...]
"""The solution: the sections in the order in which they run."""


@dataclass(frozen=True)
class CuttingProblem(Problem[Cut]):
    """Into which sections a run of `stages` (between two calls) is cut.

    The parts hold every stage once, in an order in which they can run. `live_out`: tensors that something outside of
    the run reads. `planner` says what fits, and what it costs. `joined`: whether a section may hold several parts.
    """

    kind = "cutting"

    parts: tuple[Part, ...]
    stages: tuple[StageFacts, ...]
    live_out: frozenset[int]
    planner: Planner
    joined: bool = True
    _estimates: dict[tuple[int, ...], Estimate | None] = field(
        default_factory=dict[tuple[int, ...], Estimate | None], init=False, repr=False, compare=False
    )

    @classmethod
    def solvers(cls) -> tuple[Solver, ...]:
        return SHORTEST, GREEDY

    def estimate(self, numbers: tuple[int, ...]) -> Estimate | None:
        """What a section of these stages costs; None when it does not fit. Each section is planned once."""
        if numbers not in self._estimates:
            self._estimates[numbers] = self.planner.estimate(*self._section(numbers))
        return self._estimates[numbers]

    def fits(self, numbers: tuple[int, ...]) -> bool:
        """Whether these stages fit one section."""
        return self.estimate(numbers) is not None

    def plan(self, numbers: tuple[int, ...]) -> SectionPlan:
        """The whole plan of a section of these stages: why it does not fit."""
        return self.planner.plan(*self._section(numbers))

    def atoms(self, part: Part) -> list[tuple[int, ...]]:
        """The pieces of a part, and the single stages of pieces that do not fit: a move that leaves, or a join of many,
        may need more buffers than there are."""
        return [
            atom for piece in part.pieces for atom in ([piece] if self.fits(piece) else [(number,) for number in piece])
        ]

    def _section(self, numbers: tuple[int, ...]) -> tuple[list[StageFacts], list[int]]:
        """The stages of a section, and the tensors that others read of them."""
        inside = set(numbers)
        stages = [self.stages[number] for number in numbers]
        live = [
            result.value
            for stage in stages
            for result in stage.results
            if result.value in self.live_out or not inside.issuperset(self._readers.get(result.value, ()))
        ]
        return stages, live

    @cached_property
    def _readers(self) -> dict[int, list[int]]:
        """Tensor -> the stages that read it."""
        readers: dict[int, list[int]] = {}
        for number, stage in enumerate(self.stages):
            for operand in stage.operands:
                readers.setdefault(operand.value, []).append(number)
        return readers

    # -- verification ------------------------------------------------------------------------------------------------

    def verify(self, solution: Cut) -> None:
        home = self._verify_cover(solution)
        self._verify_order(solution)
        for number, section in enumerate(solution):
            if not self.fits(section.stages):
                short = ", ".join(map(str, self.plan(section.stages).shortfalls))
                raise WrongSolution(f"section {number} does not fit: {short}")
        for part in self.parts:
            self._verify_together(part.stages, home, "come from one operator or group, which fits one section")
            for piece in part.pieces:
                self._verify_together(piece, home, "are a stage and its moves, which fit one section")
        for number, section in enumerate(solution):
            self._verify_parts(number, section)

    def _verify_cover(self, solution: Cut) -> dict[int, int]:
        """Every stage stands in one section; stage -> section."""
        home: dict[int, int] = {}
        for number, section in enumerate(solution):
            if not section.stages:
                raise WrongSolution(f"section {number} is empty")
            for stage in section.stages:
                if not 0 <= stage < len(self.stages):
                    raise WrongSolution(f"there is no stage {stage}, which section {number} holds")
                if stage in home:
                    raise WrongSolution(f"stage {stage} stands twice, in sections {home[stage]} and {number}")
                home[stage] = number
        missing = [number for number in range(len(self.stages)) if number not in home]
        if missing:
            raise WrongSolution(f"stage {missing[0]} stands in no section")
        return home

    def _verify_order(self, solution: Cut) -> None:
        makers = made_by(self.stages)
        seen: set[int] = set()
        for number in (number for section in solution for number in section.stages):
            for operand in self.stages[number].operands:
                maker = makers.get(operand.value)
                if maker is not None and maker[0] not in seen:
                    raise WrongSolution(f"stage {number} stands before stage {maker[0]}, whose result it reads")
            seen.add(number)

    def _verify_together(self, numbers: tuple[int, ...], home: dict[int, int], why: str) -> None:
        apart = [number for number in numbers if home[number] != home[numbers[0]]]
        if apart and self.fits(numbers):
            raise WrongSolution(f"stages {numbers[0]} and {apart[0]} stand in different sections, but {why}")

    def _verify_parts(self, number: int, section: Section) -> None:
        held = set(section.stages)
        parts = [part for part in self.parts if not held.isdisjoint(part.stages)]
        if len(parts) > 1 and not self.joined:
            raise WrongSolution(f"section {number} holds several operators or groups, of which each is to be its own")
        if section.rule and any(part.rule != section.rule for part in parts):
            raise WrongSolution(f"section {number} is called a '{section.rule}', but holds stages of something else")


# -- solvers ---------------------------------------------------------------------------------------------------------

Joining = Callable[[CuttingProblem, Sequence[Section]], list[Section]]
"""Joins neighbouring sections as long as they fit."""


def _solver(join: Joining) -> Callable[[CuttingProblem], Cut]:
    """Split the parts that do not fit into as few pieces as `join` makes, then join parts if they may be."""

    def solve(problem: CuttingProblem) -> Cut:
        """Raises CapacityError for a stage that does not fit on its own."""
        pieces = [piece for part in problem.parts for piece in fitting(problem, part)]
        return tuple(join(problem, pieces) if problem.joined else pieces)

    def fitting(problem: CuttingProblem, part: Part) -> list[Section]:
        if problem.fits(part.stages):
            return [Section(part.stages, part.rule)]
        atoms = problem.atoms(part)
        for atom in atoms:
            if not problem.fits(atom):
                plan = problem.plan(atom)
                raise capacity_error(plan.shortfalls, plan.levers, op=problem.stages[atom[0]].name, location=None)
        return join(problem, [Section(atom, part.rule) for atom in atoms])

    return solve


def _shortest(problem: CuttingProblem, sections: Sequence[Section]) -> list[Section]:
    """The cheapest cut into intervals that fit: least time, then bytes, then sections."""
    parts = _coarsened(problem, sections)
    best: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)]
    for end in range(1, len(parts) + 1):
        choices: list[tuple[int, int, int, int]] = []
        stages: tuple[int, ...] = ()
        for start in range(end - 1, -1, -1):
            stages = parts[start].stages + stages
            estimate = problem.estimate(stages)
            if estimate is None:
                break
            time, size, count, _ = best[start]
            choices.append((time + estimate.picoseconds, size + estimate.off_chip_bytes, count + 1, start))
        best.append(min(choices))
    cuts: list[Section] = []
    end = len(parts)
    while end:
        start = best[end][3]
        cuts.append(_joined(parts[start:end]))
        end = start
    return cuts[::-1]


def _coarsened(problem: CuttingProblem, sections: Sequence[Section]) -> list[Section]:
    """At most `CUT_POINTS` parts: neighbours with little work between them are not worth a cut, nor its search."""
    rest = list(sections)
    times = [estimate.picoseconds if (estimate := problem.estimate(section.stages)) else 0 for section in rest]
    barred = [False] * len(rest)  # found not to fit one section with its successor
    while len(rest) > CUT_POINTS:
        pairs = [(times[i] + times[i + 1], i) for i in range(len(rest) - 1) if not barred[i]]
        if not pairs:
            break
        _, at = min(pairs)
        first, second = rest[at : at + 2]
        estimate = problem.estimate(first.stages + second.stages)
        if estimate is None:
            barred[at] = True
            continue
        rule = first.rule if first.rule == second.rule else ""
        rest[at : at + 2] = [Section(first.stages + second.stages, rule)]
        times[at : at + 2] = [estimate.picoseconds]
        barred[at : at + 2] = [False]
    return rest


def _longest(problem: CuttingProblem, sections: Sequence[Section]) -> list[Section]:
    """Every section takes what follows as long as it fits."""
    cuts: list[Section] = []
    for section in sections:
        if cuts and problem.fits(cuts[-1].stages + section.stages):
            cuts[-1] = _joined([cuts[-1], section])
        else:
            cuts.append(section)
    return cuts


def _joined(sections: Sequence[Section]) -> Section:
    """One section of several; only one that stays as it is keeps its rule."""
    rule = sections[0].rule if len(sections) == 1 else ""
    return Section(tuple(number for section in sections for number in section.stages), rule)


SHORTEST = Solver("shortest", CuttingProblem, _solver(_shortest))
GREEDY = Solver("greedy", CuttingProblem, _solver(_longest))
