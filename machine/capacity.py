"""The one capacity model: what a section needs, what there is, and what is short."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil
from typing import NamedTuple

from sambaflow.errors import CapacityError, Location
from sambaflow.machine.model import Budget, Machine


@dataclass(frozen=True)
class Demand:
    """What a section needs at one time. `sram_bytes` is what its buffers hold in all PMUs together."""

    pcus: int = 0
    pmus: int = 0
    agcus: int = 0
    sram_bytes: int = 0

    def __add__(self, other: "Demand") -> "Demand":
        return Demand(
            self.pcus + other.pcus,
            self.pmus + other.pmus,
            self.agcus + other.agcus,
            self.sram_bytes + other.sram_bytes,
        )


@dataclass(frozen=True)
class Shortfall:
    """A resource of which there is not enough."""

    resource: str
    demand: int
    limit: int

    @property
    def missing(self) -> int:
        return self.demand - self.limit

    def __str__(self) -> str:
        return f"{self.resource}: needs {self.demand}, has {self.limit}, short of {self.missing}"


LEVERS: Mapping[str, str] = {
    "PCUs": "lower a par factor, or allow a cut",
    "PMUs": "use smaller tiles or shallower buffers, or allow a cut",
    "AGCUs": "give loads and stores fewer AGCUs, or allow a cut",
    "SRAM bytes": "use smaller tiles, or allow a cut",
}


def shortfalls(demand: Demand, budget: Budget) -> tuple[Shortfall, ...]:
    """What is short, empty if it fits."""
    rows = (
        Shortfall("PCUs", demand.pcus, budget.pcus),
        Shortfall("PMUs", demand.pmus, budget.pmus),
        Shortfall("AGCUs", demand.agcus, budget.agcus),
        Shortfall("SRAM bytes", demand.sram_bytes, budget.sram_bytes),
    )
    return tuple(row for row in rows if row.missing > 0)


def fits(demand: Demand, budget: Budget) -> bool:
    return not shortfalls(demand, budget)


def require(demand: Demand, budget: Budget, *, op: str = "", location: Location | None = None) -> None:
    """Raises CapacityError with demand, limit, shortfall and levers when `demand` does not fit."""
    rows = shortfalls(demand, budget)
    if rows:
        raise capacity_error(rows, [LEVERS[row.resource] for row in rows], op=op, location=location)


def capacity_error(
    rows: Sequence[Shortfall], levers: Sequence[str], *, op: str, location: Location | None
) -> CapacityError:
    """The error that says what is short; the figures are its facts, not in the message."""
    return CapacityError(
        "does not fit the machine",
        op=op,
        location=location,
        demand=", ".join(f"{row.demand} {row.resource}" for row in rows),
        limit=", ".join(f"{row.limit} {row.resource}" for row in rows),
        shortfall=", ".join(f"{row.missing} {row.resource}" for row in rows),
        levers=levers,
    )


def pmus_for(window_bytes: int, depth: int, machine: Machine, *, ports: int = 1) -> int:
    """PMUs of a buffer of `depth` windows; `ports`: PCUs that read or write it at full rate side by side.

    A window may span PMUs. Two windows share a PMU only when they fit its banks whole: a double buffer reads and writes
    different banks.
    """
    pmu = machine.pmu
    bank = max(1, pmu.bytes // pmu.banks)
    banks = depth * max(1, ceil(window_bytes / bank))
    return max(ports, ceil(banks / pmu.banks), ceil(depth * window_bytes / pmu.bytes))


def pmus_holding(window_bytes: int, depth: int, machine: Machine) -> int:
    """PMUs that hold the bytes of `depth` windows."""
    return max(1, ceil(depth * window_bytes / machine.pmu.bytes))


class Room(NamedTuple):
    """What a stage buffer takes: `depth` windows of `window_bytes`, as its maker hands them over, in `pmus` PMUs.

    One window takes `banks` banks of a PMU.
    """

    depth: int
    window_bytes: int
    pmus: int
    banks: int


def window_of(size: int, handed: int) -> int:
    """Bytes of one of the `handed` windows of a tensor of `size` bytes."""
    return max(1, ceil(size / handed))


def room_for(size: int, handed: int, tokens: int, depth: int, machine: Machine, *, ports: int = 1) -> Room:
    """The room of a buffer of a tensor of `size` bytes that its maker hands over in `handed` windows.

    The reader takes it in `tokens` parts, of which `depth` fit; a part is whole windows, never more than there are.
    """
    held = min(handed, depth * ceil(handed / tokens))
    window, pmu = window_of(size, handed), machine.pmu
    parts = pmus_for(max(1, ceil(size / min(tokens, handed))), min(depth, tokens, handed), machine, ports=ports)
    banks = min(pmu.banks, max(1, ceil(window * pmu.banks / pmu.bytes)))
    return Room(held, window, max(parts, pmus_holding(window, held, machine)), banks)


def agcu_counts(
    moved: Sequence[int], exchanges: int, agcus: int, decided_counts: Sequence[int | None] | None = None
) -> list[int]:
    """AGCUs of each load or store of a section: one, and the spare ones by bytes.

    `moved`: bytes of each; `exchanges`: collectives beside them, which take one AGCU each; `decided_counts`: those of
    the transfers where they are decided already, None for the others. Where there are more streams than AGCUs, a stream
    has those that its bytes would fill alone; those with one share what is left (`shared_agcus`).
    """
    fixed = list(decided_counts) if decided_counts is not None else [None] * len(moved)
    open_sizes = [size for size, count in zip(moved, fixed, strict=True) if count is None]
    total, left = max(1, sum(open_sizes)), agcus - exchanges - sum(count or 0 for count in fixed)
    spare = left - len(open_sizes)
    if spare >= 0:
        counts = iter([1 + spare * size // total for size in open_sizes])
    else:
        counts = iter([max(1, max(1, left) * size // total) for size in open_sizes])
    return [count if count is not None else next(counts) for count in fixed]


def agcus_taken(counts: Sequence[int], agcus: int) -> int:
    """The fewest AGCUs on which streams with `counts` AGCUs each run, of `agcus`: streams with one can share it."""
    single = sum(count == 1 for count in counts)
    alone = sum(counts) - single
    return alone + min(single, max(agcus - alone, int(single > 0)))


def shared_agcus(sizes: Sequence[int], agcus: int) -> list[int]:
    """The AGCU of each stream of `sizes` bytes, of `agcus`: the largest first, to the one that carries least."""
    held = [(0, agcu) for agcu in range(agcus)]
    places = [0] * len(sizes)
    for size, stream in sorted(((size, i) for i, size in enumerate(sizes)), key=lambda pair: (-pair[0], pair[1])):
        carried, places[stream] = heappop(held)
        heappush(held, (carried + size, places[stream]))
    return places


def agcus_for(bytes_per_second: float, machine: Machine, tier: str) -> int:
    """AGCUs that a stream of that rate takes, at least one."""
    return max(1, ceil(bytes_per_second / agcu_bandwidth(machine, tier)))


def agcu_bandwidth(machine: Machine, tier: str) -> float:
    """Bytes a second of one AGCU: its port, or what it keeps in flight over the tier's latency."""
    port = machine.agcu.port_bytes * machine.clock
    latency = machine.tiers[tier].latency
    return min(port, machine.agcu.outstanding_bytes / latency) if latency else port
