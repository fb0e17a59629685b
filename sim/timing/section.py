"""A section of an Image as a timing graph.

    Pcu          a node: interval = machine.cost of its firing, or what the PMUs around it deliver, if that is slower
    Load, Store  a node that shares its slot's tier: it fires once a request, as large as its AGCUs keep in flight;
                 service = its bytes at the tier's rate, interval = the AGCUs' rate; of an AGCU that several share,
                 each has an equal part of the time
    Pmu          no node: every stream into it joins every stream out of it as one edge of its depth; its latency and
                 the routes on both sides add to the producer's. A stream from PMU to PMU is a node that copies
    Collective   a chain of nodes, one a step, that share the chip's links

Chips run the same section with parts of equal size, so one chip is timed for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from sambaflow.backends.rdu.image import (
    DTYPE_BYTES,
    Collective,
    Load,
    Pcu,
    Pmu,
    PmuPort,
    Section,
    Store,
    Stream,
    Unit,
)
from sambaflow.errors import SambaError
from sambaflow.machine import (
    PICOSECONDS,
    Budget,
    Firing,
    Machine,
    agcu_bandwidth,
    collectives,
    cost,
    service_picoseconds,
)
from sambaflow.machine.dataflow import handover
from sambaflow.sim.timing import engine, reference
from sambaflow.sim.timing.firing import Reads, Transfer, firings, footprint, pcu_firing, transfer, whole_firing
from sambaflow.sim.timing.graph import Edge, Node, Resource, Run, TimingGraph

LINKS = "links"


@dataclass(frozen=True)
class Traffic:
    """Bytes that one execution moves off the chip, per tier and over the links of one chip."""

    read: dict[str, int] = field(default_factory=dict[str, int])
    written: dict[str, int] = field(default_factory=dict[str, int])
    sent: int = 0

    def total(self, tier: str) -> int:
        return self.read.get(tier, 0) + self.written.get(tier, 0)

    def write_share(self, tier: str) -> float:
        total = self.total(tier)
        return self.written.get(tier, 0) / total if total else 0.0


@dataclass(frozen=True)
class SectionGraph:
    """The timing graph of a section, and what is known of it without running it.

    units: per node, the unit it stands for. slots: per node, the slot that it loads or stores, or -1.
    """

    graph: TimingGraph
    units: tuple[int, ...]
    slots: tuple[int, ...]
    loads: tuple[int, ...]
    """Nodes of loads."""
    sources: tuple[int, ...]
    """Nodes that wait for no other node: what a launch starts."""
    sinks: tuple[int, ...]
    """Nodes that no other node waits for: what a launch ends with."""
    traffic: Traffic
    flops: int
    """Operations of all PCUs; a multiply-accumulate counts two."""
    pcus: int
    pmus: int
    agcus: int


def section_graph(
    section: Section, tiers: Sequence[str], machine: Machine, budget: Budget, labels: Sequence[str] = ()
) -> SectionGraph:
    """`tiers`: for every slot, the tier of the symbol bound to it; `labels`: a name for every unit."""
    return _Lowering(section, tuple(tiers), machine, budget, labels).lower()


def check_section(
    section: Section, tiers: Sequence[str], machine: Machine, budget: Budget, labels: Sequence[str] = ()
) -> Run:
    """Runs the section in the plain engine and in both paths of the fast one. Raises SambaError if they differ."""
    graph = section_graph(section, tiers, machine, budget, labels).graph
    expected = reference.run(graph)
    for compiled in (False, True):
        run = engine.run(graph, compiled=compiled)
        if run != expected:
            raise SambaError(
                f"section {section.name}: the timing engines disagree",
                demand=f"{expected.finish} ps (event by event)",
                limit=f"{run.finish} ps ({'compiled' if compiled else 'plain'} work-list)",
            )
    return expected


def pcu_firings(section: Section) -> dict[int, Firing]:
    """What one PCU of every PCU group does in a firing, by unit number, as the configuration says."""
    reads: dict[int, list[Reads | None]] = {}
    for number, unit in enumerate(section.units):
        if isinstance(unit, Pcu):
            reads[number] = [None] * len(unit.inputs)
    for stream in section.streams:
        number, port = stream.target
        if number in reads and port < len(reads[number]):
            reads[number][port] = _reads(section, stream)
    return {
        number: pcu_firing(unit, reads[number]) for number, unit in enumerate(section.units) if isinstance(unit, Pcu)
    }


def _reads(section: Section, stream: Stream) -> Reads | None:
    """How the consumer of a stream reads what it stands for; None: as it comes."""
    unit = section.units[stream.source[0]]
    if isinstance(unit, Pmu):
        port: PmuPort = unit.reads[stream.source[1]]
        return Reads.of(port.extents, port.access, unit.elements)
    if isinstance(unit, Load) and not len(unit.access.index_strides):
        return Reads.of(unit.extents, unit.access, int(section.slots[unit.slot].shape.prod()))
    return None


class _Lowering:
    def __init__(
        self, section: Section, tiers: tuple[str, ...], machine: Machine, budget: Budget, labels: Sequence[str]
    ) -> None:
        self.section = section
        self.tiers = tiers
        self.machine = machine
        self.budget = budget
        self.labels = labels
        self.into: list[list[Stream]] = [[] for _ in section.units]
        self.out: list[list[Stream]] = [[] for _ in section.units]
        for stream in section.streams:
            self.out[stream.source[0]].append(stream)
            self.into[stream.target[0]].append(stream)
        self.hops: dict[tuple[int, int], int] = {}
        for net in section.nets:
            self.hops[net.source] = max(self.hops.get(net.source, 0), _longest(net.hops.tolist()))
        self.resources = (*(Resource(name, "tier") for name in machine.tiers), Resource(LINKS, "link"))
        self.numbers = {resource.name: number for number, resource in enumerate(self.resources)}
        self.moved = {
            number: transfer(unit, DTYPE_BYTES[section.slots[unit.slot].dtype])
            for number, unit in enumerate(section.units)
            if isinstance(unit, Load | Store)
        }
        self.sharing = section.agcus()
        self.firings = pcu_firings(section)
        self.traffic = self._traffic()
        self.nodes: list[Node] = []
        self.units: list[int] = []
        self.names: list[str] = []
        self.edges: list[Edge] = []
        self.first: dict[int, int] = {}  # the node of a unit that takes its inputs
        self.last: dict[int, int] = {}  # the node of a unit that gives its outputs
        self.copies: dict[tuple[tuple[int, int], tuple[int, int]], int] = {}

    def lower(self) -> SectionGraph:
        for number, unit in enumerate(self.section.units):
            self._add_unit(number, unit)
        for stream in self.section.streams:
            if not self._is_pmu(stream.source[0]) and not self._is_pmu(stream.target[0]):
                self._join(self.last[stream.source[0]], self.first[stream.target[0]], stream, stream)
        for number, unit in enumerate(self.section.units):
            if isinstance(unit, Pmu):
                self._add_buffer(number)
        section = self.section
        targets = {edge.target for edge in self.edges if not edge.initial}
        sources = {edge.source for edge in self.edges if not edge.initial}
        slots = [unit.slot if isinstance(unit := section.units[n], Load | Store) else -1 for n in self.units]
        return SectionGraph(
            graph=TimingGraph(tuple(self.nodes), tuple(self.edges), self.resources, tuple(self.names)),
            units=tuple(self.units),
            slots=tuple(slots),
            loads=tuple(i for i, n in enumerate(self.units) if isinstance(section.units[n], Load)),
            sources=tuple(i for i in range(len(self.nodes)) if i not in targets),
            sinks=tuple(i for i in range(len(self.nodes)) if i not in sources),
            traffic=self.traffic,
            flops=sum(cost(whole_firing(unit), self.machine).ops for unit in section.units if isinstance(unit, Pcu)),
            pcus=sum(unit.pcus for unit in section.units),
            pmus=sum(unit.pmus for unit in section.units),
            agcus=len(self.sharing),
        )

    # --- nodes

    def _add_unit(self, number: int, unit: Unit) -> None:
        if isinstance(unit, Pcu):
            self._add_node(number, self._pcu(number, unit))
        elif isinstance(unit, Load | Store):
            self._add_node(number, self._memory(number, unit))
        elif isinstance(unit, Collective):
            self._add_collective(number, unit)
        elif not isinstance(unit, Pmu):
            raise SambaError(f"section {self.section.name}: no timing of a unit of kind '{unit.kind}'")

    def _add_node(self, unit: int, node: Node, suffix: str = "") -> int:
        index = len(self.nodes)
        self.nodes.append(node)
        self.units.append(unit)
        name = self.labels[unit] if unit < len(self.labels) else f"{self.section.units[unit].kind} {unit}"
        self.names.append(name + suffix)
        self.first.setdefault(unit, index)
        self.last[unit] = index
        return index

    def _pcu(self, number: int, unit: Pcu) -> Node:
        group = tuple(int(t) for t in unit.tile)
        domain = tuple(int(e) for e in unit.extents)
        count = firings(unit)
        price = cost(self.firings[number], self.machine)
        cycles = price.cycles
        for stream in self.into[number]:
            wanted = footprint(domain, group, _reads(self.section, stream)) * DTYPE_BYTES[stream.dtype]
            cycles = max(cycles, self._pmu_cycles(stream.source[0], wanted))
        for stream in self.out[number]:
            window_bytes = ceil(stream.tile_bytes * stream.tokens / count)
            cycles = max(cycles, self._pmu_cycles(stream.target[0], window_bytes))
        picoseconds = self.machine.picoseconds
        return Node(count, picoseconds(cycles), picoseconds(cycles + price.latency + self._after(number)))

    def _pmu_cycles(self, unit: int, moved: int) -> int:
        """Cycles in which the PMUs of a buffer read or write that many bytes; 0 for another kind of unit."""
        pmu = self.section.units[unit]
        return ceil(moved / (pmu.count * self.machine.pmu.port_bytes)) if isinstance(pmu, Pmu) else 0

    def _memory(self, number: int, unit: Load | Store) -> Node:
        """A window is asked for in requests of what its AGCUs can keep in flight: others' requests come in between."""
        tier_name = self.tiers[unit.slot]
        tier = self.machine.tiers[tier_name]
        moved = self.moved[number]
        windows = firings(unit)
        agcus = self._agcus(unit)
        in_flight = max(1, int(agcus * self.machine.agcu.outstanding_bytes))
        count = windows * max(1, ceil(ceil(moved.bytes / windows) / in_flight))
        part = Transfer(ceil(moved.bytes / count), moved.contiguous)
        service = service_picoseconds(
            tier,
            self.budget.tier_bandwidth[tier_name],
            part.bytes,
            part.contiguous,
            self.traffic.write_share(tier_name),
        )
        rate = agcus * agcu_bandwidth(self.machine, tier_name)
        streams = self.into[number] if isinstance(unit, Store) else self.out[number]
        buffers = [
            self._pmu_cycles(s.source[0] if isinstance(unit, Store) else s.target[0], part.bytes) for s in streams
        ]
        interval = max(
            service,
            ceil(part.bytes * PICOSECONDS / rate),
            self.machine.picoseconds(max(buffers, default=0)),
        )
        latency = interval + ceil(tier.latency * PICOSECONDS) + self.machine.picoseconds(self._after(number))
        return Node(count, interval, latency, self.numbers[tier_name], service)

    def _agcus(self, unit: Unit) -> float:
        """The AGCUs of a unit; of one that several units share it has its part of the time."""
        places = unit.coordinates.tolist()
        return unit.count - len(places) + sum(1 / self.sharing[tuple(place)] for place in places)

    def _add_collective(self, number: int, unit: Collective) -> None:
        """One node a step: each sends its part of a tile over the links, then waits for its neighbours' part."""
        links = self.machine.links
        count = max([stream.tokens for stream in self.into[number]], default=1)
        sent = collectives.steps(unit.op, unit.chips, self._wire_bytes(unit), links)
        rate = links.bandwidth
        if (agcus := self._agcus(unit)) < unit.count:
            rate = min(rate, agcus * self.machine.agcu.port_bytes * self.machine.clock)
        service = ceil(ceil(sent.bytes / count) * PICOSECONDS / rate)
        after = self.machine.picoseconds(self._after(number))
        if not sent.number:
            self._add_node(number, Node(count, 0, after))
        for step in range(sent.number):
            latency = service + ceil(links.step_latency * PICOSECONDS) + (after if step == sent.number - 1 else 0)
            node = Node(count, service, latency, self.numbers[LINKS], service)
            index = self._add_node(number, node, f" step {step + 1}")
            if step:
                self.edges.append(Edge(index - 1, index, count, count))

    def _wire_bytes(self, unit: Collective) -> int:
        points = 1
        for extent in unit.extents:
            points *= int(extent)
        return points * DTYPE_BYTES[unit.wire]

    # --- edges

    def _is_pmu(self, unit: int) -> bool:
        return isinstance(self.section.units[unit], Pmu)

    def _add_buffer(self, pmu: int) -> None:
        """Every writer of the buffer joins every reader of it."""
        for written in self.into[pmu]:
            writer = self._copy(written) if self._is_pmu(written.source[0]) else self.last[written.source[0]]
            for read in self.out[pmu]:
                reader = self._copy(read) if self._is_pmu(read.target[0]) else self.first[read.target[0]]
                self._join(writer, reader, written, read)

    def _join(self, source: int, target: int, written: Stream, read: Stream) -> None:
        """One edge for a buffer: it hands over as many parts as both sides know, in a buffer of as many bytes."""
        self.edges.append(Edge(source, target, *handover(written.tokens, read.tokens, written.depth)))

    def _copy(self, stream: Stream) -> int:
        """The node of a stream from PMU to PMU: made when it is first asked for."""
        key = (stream.source, stream.target)
        if key not in self.copies:
            cycles = max(self._pmu_cycles(unit, stream.tile_bytes) for unit in (stream.source[0], stream.target[0]))
            latency = self.machine.pmu.latency_cycles + cycles + self._after_port(stream.target[0])
            latency += self.hops.get(stream.source, 0) * self.machine.network.hop_cycles
            node = Node(stream.tokens, self.machine.picoseconds(cycles), self.machine.picoseconds(latency))
            self.copies[key] = self._add_node(stream.target[0], node, " copy")
        return self.copies[key]

    def _after(self, unit: int) -> int:
        """Cycles from a result's leaving `unit` to its arrival at the unit that uses it, on the longest way."""
        hop = self.machine.network.hop_cycles
        ways = [self.hops.get(stream.source, 0) * hop + self._after_port(stream.target[0]) for stream in self.out[unit]]
        return max(ways, default=0)

    def _after_port(self, unit: int) -> int:
        """The same from the input of `unit`, if it is a buffer."""
        if not self._is_pmu(unit):
            return 0
        hop = self.machine.network.hop_cycles
        onward = [self.hops.get(stream.source, 0) * hop for stream in self.out[unit]]
        return self.machine.pmu.latency_cycles + max(onward, default=0)

    # --- counters

    def _traffic(self) -> Traffic:
        read: dict[str, int] = {}
        written: dict[str, int] = {}
        sent = 0
        for number, unit in enumerate(self.section.units):
            if isinstance(unit, Load | Store):
                counter = read if isinstance(unit, Load) else written
                tier = self.tiers[unit.slot]
                counter[tier] = counter.get(tier, 0) + self.moved[number].bytes
            elif isinstance(unit, Collective):
                steps = collectives.steps(unit.op, unit.chips, self._wire_bytes(unit), self.machine.links)
                links = unit.chips - 1 if self.machine.links.topology == "full" else 1
                sent += steps.number * steps.bytes * links
        return Traffic(read, written, sent)


def _longest(hops: list[list[int]]) -> int:
    """Switches on the longest way of a route tree whose parents come first."""
    depth: dict[tuple[int, int], int] = {}
    for x0, y0, x1, y1 in hops:
        depth[x1, y1] = depth.get((x0, y0), 0) + 1
    return max(depth.values(), default=0)
