"""A graph of an Image in time: launches, repeats, program loads, and what each memory tier did.

    launch   launch time (by who sequences: hardware or software) + program load, if another section was resident
             + argument load, then the section from its first load to its last store
    repeat   when its sections can stay resident side by side, all rounds run as one program: every count times n, the
             last results of a launch close onto the next launch, and prefetched loads do not wait for their launch:
             only for room in their buffers. Else its rounds are launches one after the other.

Calls are timed in steady state: what the graph launched last is resident when it starts. Equal sections are timed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from math import ceil
from typing import Any, NamedTuple

from sambaflow.backends.rdu.image import Image, Launch, Repeat, Schedule, Section
from sambaflow.errors import InputError
from sambaflow.machine import PICOSECONDS, Machine, check_same_structure, from_dict
from sambaflow.sim.timing import engine
from sambaflow.sim.timing.graph import Edge, Node, Run, Stalls, TimingGraph
from sambaflow.sim.timing.section import LINKS, SectionGraph, check_section, section_graph

ARGUMENT_BYTES = 8
"""Of a slot: an address."""


@dataclass
class TierUse:
    """What a memory did in one call: bytes, and picoseconds in use."""

    read: int = 0
    written: int = 0
    busy: int = 0


@dataclass
class SectionUse:
    """What the launches of one section took in one call, in picoseconds, and what it needs.

    time: from launch to last store, without what `launch` and `program_load` count. In a repeat that runs as one
    program, time is the section's part of the repeat.
    """

    name: str
    launches: int = 0
    time: int = 0
    launch: int = 0
    program_load: int = 0
    pcus: int = 0
    pmus: int = 0
    agcus: int = 0
    flops: int = 0
    read: dict[str, int] = field(default_factory=dict[str, int])
    written: dict[str, int] = field(default_factory=dict[str, int])
    stalls: dict[str, Stalls] = field(default_factory=dict[str, Stalls])
    """Per unit, by name: what held its firings back."""


@dataclass
class ProgramTime:
    """The time of one call of a graph. All times in picoseconds; `seconds` is the device time of one call."""

    graph: str
    machine: str
    chips: int
    picoseconds: int = 0
    launches: int = 0
    launch_time: int = 0
    program_load_time: int = 0
    flops: int = 0
    """Of one chip."""
    sent: int = 0
    """Bytes that one chip sends to others."""
    link_busy: int = 0
    peak_flops: float = 0.0
    host_bytes: int = 0
    host_seconds: float = 0.0
    """Inputs and outputs over the host link: beside the device time, not in it."""
    tiers: dict[str, TierUse] = field(default_factory=dict[str, TierUse])
    sections: list[SectionUse] = field(default_factory=list[SectionUse])

    @property
    def seconds(self) -> float:
        return self.picoseconds / PICOSECONDS

    @property
    def off_chip_bytes(self) -> int:
        """Bytes between the chip and its memories in one call."""
        return sum(tier.read + tier.written for tier in self.tiers.values())

    @property
    def stalls(self) -> Stalls:
        """All units' stalls together."""
        rows = [stalls for section in self.sections for stalls in section.stalls.values()]
        return Stalls(*(sum(column) for column in zip(*rows, strict=True))) if rows else Stalls(0, 0, 0, 0, 0)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able object: the fields, `seconds`, and stalls by name."""
        plain = asdict(self)
        for section, row in zip(self.sections, plain["sections"], strict=True):
            row["stalls"] = {name: stalls._asdict() for name, stalls in section.stalls.items()}
        return {"graph": self.graph, "seconds": self.seconds, "off_chip_bytes": self.off_chip_bytes, **plain}


class Span(NamedTuple):
    """Something that took time in a call, in picoseconds from its start. `track`: "launches", or a section's name."""

    track: str
    name: str
    start: int
    duration: int
    stalls: Stalls | None = None


def time_graph(image: Image, graph: str | None = None, machine: Machine | None = None) -> ProgramTime:
    """The time of one call of `graph` (the only one, if None). `machine`: other rates, the same structure.

    Raises InputError for a graph that the image does not have, MachineError for another structure.
    """
    return _Program(image, _schedule(image, graph), _machine(image, machine)).time()


def trace_graph(image: Image, graph: str | None = None, machine: Machine | None = None) -> list[Span]:
    """Where the time of one call went: launches and program loads, and per unit the span from first to last firing."""
    program = _Program(image, _schedule(image, graph), _machine(image, machine))
    program.time()
    return program.spans


def check_graph(image: Image, graph: str | None = None, machine: Machine | None = None) -> int:
    """Runs every section that the graph launches in the plain engine too; the number of sections checked.

    Raises SambaError for the first on which the engines disagree.
    """
    program = _Program(image, _schedule(image, graph), _machine(image, machine))
    seen: dict[tuple[int, tuple[str, ...]], None] = {}
    for launch, tiers in program.all_launches():
        seen[launch.section, tiers] = None
    for number, tiers in seen:
        check_section(image.sections[number], tiers, program.machine, program.budget, program.labels(number))
    return len(seen)


def _machine(image: Image, other: Machine | None) -> Machine:
    own = from_dict(image.machine)
    if other is None:
        return own
    check_same_structure(own, other)
    return other


def _schedule(image: Image, graph: str | None) -> Schedule:
    names = [schedule.graph for schedule in image.schedules]
    if graph is None and len(names) == 1:
        return image.schedules[0]
    for schedule in image.schedules:
        if schedule.graph == graph:
            return schedule
    raise InputError(
        f"no graph '{graph}'" if graph is not None else "several graphs: name one",
        demand=graph or "one graph",
        limit=", ".join(names),
        levers=[f"--graph {name}" for name in names],
    )


Rows = list[list[int]]
"""Of a launch: the symbols of its slots, one row a round."""


@dataclass(frozen=True)
class _Round:
    """Launches that follow each other `count` times; per launch its section and the tiers of its slots."""

    count: int
    sections: tuple[int, ...]
    tiers: tuple[tuple[str, ...], ...]
    prefetched: tuple[tuple[int, int], ...] = ()


class _Program:
    def __init__(self, image: Image, schedule: Schedule, machine: Machine) -> None:
        self.image = image
        self.schedule = schedule
        self.machine = machine
        self.budget = machine.target(chips=image.target.chips, tiles=image.target.tiles)
        self.graphs: dict[tuple[int, tuple[str, ...]], SectionGraph] = {}
        self.runs: dict[_Round, tuple[TimingGraph, list[int], Run]] = {}
        self.uses: dict[int, SectionUse] = {}
        launch = machine.launch
        seconds = launch.hardware if schedule.orchestration == "hardware" else launch.software
        self.launch = ceil(seconds * PICOSECONDS)
        self.spans: list[Span] = []
        self.result = ProgramTime(schedule.graph, machine.name, image.target.chips)
        self.result.tiers = {name: TierUse() for name in machine.tiers}

    def time(self) -> ProgramTime:
        rounds = list(self._rounds())
        resident = self._resident_after(rounds[-1]) if rounds else frozenset[int]()
        for row in rounds:
            self._time_round(row, resident)
            resident = self._resident_after(row)
        result = self.result
        result.sections = [self.uses[number] for number in sorted(self.uses)]
        share = self.budget.tiles / self.machine.tiles
        result.peak_flops = self.machine.flops * share
        ends = [*self.schedule.inputs.tolist(), *self.schedule.outputs.tolist()]
        result.host_bytes = sum(
            self.image.symbols[number].bytes
            for number in ends
            if self.image.symbols[number].role in ("input", "output")
        )
        result.host_seconds = result.host_bytes / (self.machine.host.bandwidth * self.machine.host.links)
        return result

    # --- the schedule as rounds

    def _rounds(self) -> Iterator[_Round]:
        for step in self.schedule.steps:
            if isinstance(step, Launch):
                yield _Round(1, (step.section,), (self._tiers(step.symbols.tolist()),))
            else:
                yield from self._repeat_rounds(step)

    def _repeat_rounds(self, repeat: Repeat) -> Iterator[_Round]:
        """One round row, or several if the tiers of its symbols change on the way."""
        sections = tuple(launch.section for launch in repeat.launches)
        tables = [launch.symbols.reshape(repeat.count, -1).tolist() for launch in repeat.launches]
        prefetched = tuple((int(launch), int(slot)) for launch, slot in repeat.prefetched.reshape(-1, 2).tolist())
        rows = [tuple(self._tiers(table[i]) for table in tables) for i in range(repeat.count)]
        for tiers, same in groupby(rows):
            yield _Round(len(list(same)), sections, tiers, prefetched)

    def all_launches(self) -> Iterator[tuple[Launch, tuple[str, ...]]]:
        """Every launch with the tiers of its slots, a repeat's once per distinct row."""
        for step in self.schedule.steps:
            launches = [step] if isinstance(step, Launch) else step.launches
            for launch in launches:
                slots = len(self.image.sections[launch.section].slots)
                rows: Rows = launch.symbols.reshape(-1, slots).tolist() if slots else [[]]
                for tiers in dict.fromkeys(self._tiers(row) for row in rows):
                    yield launch, tiers

    def _tiers(self, symbols: Sequence[int]) -> tuple[str, ...]:
        for symbol in symbols:
            if self.image.symbols[symbol].tier not in self.machine.tiers:
                raise InputError(
                    f"symbol '{self.image.symbols[symbol].name}' stands in no memory of {self.machine.name}",
                    demand=self.image.symbols[symbol].tier or "no tier: its memory is not planned",
                    limit=", ".join(self.machine.tiers),
                )
        return tuple(self.image.symbols[symbol].tier for symbol in symbols)

    # --- sections

    def graph(self, number: int, tiers: tuple[str, ...]) -> SectionGraph:
        key = (number, tiers)
        if key not in self.graphs:
            section = self.image.sections[number]
            self.graphs[key] = section_graph(section, tiers, self.machine, self.budget, self.labels(number))
        return self.graphs[key]

    def labels(self, number: int) -> list[str]:
        """A name for every unit: the debug name, or kind and number."""
        section = self.image.sections[number]
        debug = self.image.debug
        names = [debug.text(unit.name) or unit.kind for unit in section.units]
        return [f"{name} {i}" if names.count(name) > 1 else name for i, name in enumerate(names)]

    def _program_load(self, section: Section) -> int:
        """Configuration is shifted in by all AGCUs of the target at their ports' rate."""
        rate = self.budget.agcus * self.machine.agcu.port_bytes
        return self.machine.picoseconds(ceil(section.config_bytes / rate))

    def _argument_load(self, section: Section) -> int:
        """A slot's address is a word on one AGCU's port (US 12072836: registers are written directly)."""
        return self.machine.picoseconds(ceil(len(section.slots) * ARGUMENT_BYTES / self.machine.agcu.port_bytes))

    def _side_by_side(self, numbers: Sequence[int]) -> bool:
        """Whether sections are placed on different units, so that they can stay resident together."""
        distinct = list(dict.fromkeys(numbers))
        if len(distinct) == 1:
            return True
        taken: set[tuple[str, int, int]] = set()
        for number in distinct:
            for unit in self.image.sections[number].units:
                places = {(unit.resource, x, y) for x, y in unit.coordinates.tolist()}
                if not places or places & taken:
                    return False
                taken |= places
        return True

    def _resident_after(self, row: _Round) -> frozenset[int]:
        return frozenset(row.sections) if self._side_by_side(row.sections) else frozenset(row.sections[-1:])

    # --- time

    def _time_round(self, row: _Round, resident: frozenset[int]) -> None:
        if not self._side_by_side(row.sections):
            for number in range(row.count):
                for position, section in enumerate(row.sections):
                    before = resident if number + position == 0 else frozenset((row.sections[position - 1],))
                    self._time_launches(_Round(1, (section,), (row.tiers[position],)), before)
            return
        self._time_launches(row, resident)

    def _time_launches(self, row: _Round, resident: frozenset[int]) -> None:
        """Time the rounds of `row` as one program."""
        parts = [self.graph(number, tiers) for number, tiers in zip(row.sections, row.tiers, strict=True)]
        overheads = [self.launch + self._argument_load(self.image.sections[n]) for n in row.sections]
        if row not in self.runs:
            graph, offsets = _chained(parts, overheads, row)
            self.runs[row] = graph, offsets, engine.run(graph, rounds=row.count)
        graph, offsets, run = self.runs[row]
        loads = {n: self._program_load(self.image.sections[n]) for n in row.sections if n not in resident}
        result = self.result
        launched = result.picoseconds + sum(loads.values())
        self._trace(row, parts, offsets, run, loads)
        result.picoseconds = launched + run.finish
        result.launches += row.count * len(parts)
        result.launch_time += row.count * sum(overheads)
        result.program_load_time += sum(loads.values())
        for resource, busy in zip(graph.resources, run.occupied, strict=True):
            if resource.name == LINKS:
                result.link_busy += busy
            else:
                result.tiers[resource.name].busy += busy
        work = [max(1, part.graph.firings) for part in parts]
        active = run.finish - row.count * sum(overheads)
        for part, number, offset, overhead, weight in zip(parts, row.sections, offsets, overheads, work, strict=True):
            use = self._use(number, part)
            use.launches += row.count
            use.launch += row.count * overhead
            use.program_load += loads.pop(number, 0)
            use.time += max(0, active) * weight // sum(work)
            self._count(use, part, row.count)
            stalls = run.stalls[offset : offset + len(part.graph.nodes)]
            for label, more in zip(part.graph.labels, stalls, strict=True):
                old = use.stalls.get(label, Stalls(0, 0, 0, 0, 0))
                use.stalls[label] = Stalls(*(a + b for a, b in zip(old, more, strict=True)))

    def _trace(
        self,
        row: _Round,
        parts: Sequence[SectionGraph],
        offsets: Sequence[int],
        run: Run,
        loads: dict[int, int],
    ) -> None:
        now = self.result.picoseconds
        for number, duration in loads.items():
            self.spans.append(Span("launches", f"load {self.image.sections[number].name}", now, duration))
            now += duration
        names = [self.image.sections[number].name for number in row.sections]
        title = " + ".join(names) + (f" x {row.count}" if row.count > 1 else "")
        self.spans.append(Span("launches", title, now, run.finish))
        for name, part, offset in zip(names, parts, offsets, strict=True):
            for number, node in enumerate(part.graph.nodes, offset):
                end = run.last[number] + max(node.interval, node.latency)
                label = part.graph.label(number - offset)
                self.spans.append(
                    Span(name, label, now + run.first[number], end - run.first[number], run.stalls[number])
                )

    def _use(self, number: int, part: SectionGraph) -> SectionUse:
        if number not in self.uses:
            name = self.image.sections[number].name
            self.uses[number] = SectionUse(name, pcus=part.pcus, pmus=part.pmus, agcus=part.agcus)
        return self.uses[number]

    def _count(self, use: SectionUse, part: SectionGraph, launches: int) -> None:
        use.flops += launches * part.flops
        self.result.flops += launches * part.flops
        self.result.sent += launches * part.traffic.sent
        for tier, moved in part.traffic.read.items():
            use.read[tier] = use.read.get(tier, 0) + launches * moved
            self.result.tiers[tier].read += launches * moved
        for tier, moved in part.traffic.written.items():
            use.written[tier] = use.written.get(tier, 0) + launches * moved
            self.result.tiers[tier].written += launches * moved


def _chained(parts: Sequence[SectionGraph], overheads: Sequence[int], row: _Round) -> tuple[TimingGraph, list[int]]:
    """The launches of all rounds as one graph, and where each launch's nodes begin in it.

        launch 0 --> loads ... stores --> launch 1 --> loads ... stores --+
           ^---------------- one token at the start ----------------------+

    A launch node fires once a round: when all of the launch before it is done. Loads of prefetched slots and what
    hangs on them alone do not wait for it.
    """
    count = row.count
    nodes: list[Node] = []
    edges: list[Edge] = []
    labels: list[str] = []
    offsets: list[int] = []
    ahead = {(launch, slot) for launch, slot in row.prefetched}
    for part in parts:
        base = len(nodes)
        offsets.append(base)
        nodes += [node._replace(firings=node.firings * count) for node in part.graph.nodes]
        labels += part.graph.labels
        for edge in part.graph.edges:
            edges.append(
                edge._replace(source=edge.source + base, target=edge.target + base, tokens=edge.tokens * count)
            )
    for number, (part, overhead) in enumerate(zip(parts, overheads, strict=True)):
        start = len(nodes)
        nodes.append(Node(count, 0, overhead))
        labels.append(f"launch {number}")
        for node in dict.fromkeys((*part.sources, *part.loads)):
            if (number, part.slots[node]) not in ahead:
                edges.append(Edge(start, offsets[number] + node, count, count + 1))
        before = (number - 1) % len(parts)
        for sink in parts[before].sinks:
            edges.append(Edge(offsets[before] + sink, start, count, count + 1, initial=0 if number else 1))
    return TimingGraph(tuple(nodes), tuple(edges), parts[0].graph.resources, tuple(labels)), offsets
