"""What an RDU is: frozen dataclasses, one field per key of a machine file, all rates in SI units.

Every field declares what it may be (`whole`, `rate`, `fraction`, ...) and whether it is structure or a rate: a PEF is
mapped onto the structure, so a run may change rates only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, isqrt
from types import MappingProxyType
from typing import Any

from sambaflow.errors import MachineError

PICOSECONDS = 1_000_000_000_000
MOST_CHIPS = 1 << 12
"""Chips of a target: every launch lists its own."""
MOST_UNITS = 1 << 16
"""Units of a kind, lanes, banks, tracks: sixty times those of an SN40L; passes walk over every place of a chip."""
MOST_BYTES = 1 << 56
"""Of a memory: what 64-bit addresses of elements reach (`opcodes.MOST_ELEMENTS`)."""
MOST_CYCLES = 1 << 32
MOST_SECONDS = 1e6
"""A latency of eleven days: times are whole picoseconds in 64 bits."""
RATES = (1.0, 1e21)
"""Of what a second holds: a thousand times a zettaflop, and one."""
SMALLEST_SHARE = 1e-6


@dataclass(frozen=True)
class Rule:
    """What a value of a machine file may be, in which unit; `structure`: a PEF depends on it."""

    allowed: str
    accepts: Callable[[Any], bool]
    structure: bool = False
    unit: str = ""


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rule(allowed: str, accepts: Callable[[Any], bool], *, structure: bool, unit: str = "") -> Any:
    return field(metadata={"rule": Rule(allowed, accepts, structure, unit)})


def _within(low: int | float, high: int | float, *, structure: bool, unit: str, integers: bool = True) -> Any:
    accepts = _is_int if integers else _is_number
    allowed = f"{'an integer' if integers else 'a number'} from {low:g} to {high:{'' if integers else 'g'}}"
    return _rule(allowed, lambda v: accepts(v) and low <= v <= high, structure=structure, unit=unit)


def whole(unit: str = "", *, structure: bool = True, most: int = MOST_UNITS) -> Any:
    """A whole number of at least one."""
    return _within(1, most, structure=structure, unit=unit)


def size(*, structure: bool = True) -> Any:
    """Bytes of something, at least one."""
    return whole("B", structure=structure, most=MOST_BYTES)


def whole_or_zero(unit: str, most: int = MOST_UNITS) -> Any:
    """A whole number, zero allowed."""
    return _within(0, most, structure=False, unit=unit)


def cycles() -> Any:
    """A whole number of cycles, zero allowed."""
    return whole_or_zero("cycles", MOST_CYCLES)


def rate(unit: str) -> Any:
    """A number a second."""
    return _within(*RATES, structure=False, unit=unit, integers=False)


def seconds() -> Any:
    """A time, zero allowed."""
    return _within(0, MOST_SECONDS, structure=False, unit="s", integers=False)


def fraction() -> Any:
    """A share, above 0 and at most 1."""
    return _within(SMALLEST_SHARE, 1, structure=False, unit="", integers=False)


def choice(*names: str) -> Any:
    """One of the given names."""
    return _rule("one of " + ", ".join(names), lambda v: v in names, structure=True)


@dataclass(frozen=True)
class Pcu:
    """A compute unit: header (counters), body (`lanes` x `stages` of ALUs, systolic or SIMD), tail (special
    functions)."""

    count: int = whole()
    """PCUs of a chip."""
    lanes: int = whole()
    """Elements side by side."""
    stages: int = whole()
    """ALUs of each lane, one behind the other."""
    port_bytes: int = whole("B/cycle", structure=False)
    """Through each input and output port."""
    fp32_rate: float = fraction()
    """Systolic rate on f32 operands, relative to bf16."""
    tail_lanes: int = whole(structure=False)
    """Transcendental results a cycle."""
    convert_slots: int = whole_or_zero("slots")
    """Instruction slots a format conversion takes; 0: the ports convert."""
    pipeline_cycles: int = cycles()
    """Cycles of header and tail; body stages and the reduction tree come on top."""


@dataclass(frozen=True)
class Pmu:
    """A memory unit: banked scratchpad with concurrent read and write streams."""

    count: int = whole()
    """PMUs of a chip."""
    bytes: int = size()
    """Of one PMU."""
    banks: int = whole()
    """Of one PMU; a buffer takes whole banks."""
    port_bytes: int = whole("B/cycle", structure=False)
    """Each way."""
    latency_cycles: int = cycles()
    """From a request at the port to the first data."""


@dataclass(frozen=True)
class Agcu:
    """A portal from the on-chip network to HBM, DDR, the host and other RDUs."""

    count: int = whole()
    """AGCUs of a chip."""
    port_bytes: int = whole("B/cycle", structure=False)
    """Each way."""
    outstanding_bytes: int = size(structure=False)
    """What one AGCU keeps in flight: its rate is at most this over the memory's latency."""


@dataclass(frozen=True)
class Network:
    """The on-chip mesh of switches."""

    tracks: int = whole()
    """Vector tracks on each side of a switch."""
    hop_cycles: int = cycles()
    """From one switch to the next."""


@dataclass(frozen=True)
class Tier:
    """An off-chip memory of one chip."""

    bytes: int = size()
    """Of one chip."""
    bandwidth: float = rate("B/s")
    """Of the whole chip."""
    efficiency: float = fraction()
    """Share of the bandwidth that long contiguous streams reach."""
    latency: float = seconds()
    """From a request to its first data, without the on-chip network."""
    access_bytes: int = size(structure=False)
    """Transfers are whole accesses."""
    channel_bandwidth: float = rate("B/s")
    """Of one memory channel."""
    activate_window: float = seconds()
    """tFAW: four rows are opened per channel in this time."""


@dataclass(frozen=True)
class Links:
    """The connections between the chips of a node."""

    chips: int = whole(most=MOST_CHIPS)
    """Chips of a node."""
    topology: str = choice("full", "ring", "torus")
    """Which chips a link joins: all pairs, neighbours in a ring, or in a torus."""
    bandwidth: float = rate("B/s")
    """Of one link, in each direction."""
    step_latency: float = seconds()
    """Of one step of a collective."""


@dataclass(frozen=True)
class Launch:
    """Seconds between the end of a section and the start of the next, by who sequences them."""

    hardware: float = seconds()
    """By the AGCUs, from a static schedule."""
    software: float = seconds()
    """By the host."""


@dataclass(frozen=True)
class Host:
    """The link to the host."""

    links: int = whole(structure=False)
    """Links of a chip to the host."""
    bandwidth: float = rate("B/s")
    """Of one link."""


@dataclass(frozen=True)
class Budget:
    """The part of a machine that a program may use. Tier figures are of one chip's part: a target of some of a chip's
    tiles has its share of units, of memory and of memory bandwidth."""

    chips: int
    tiles: int
    pcus: int
    pmus: int
    agcus: int
    pmu_bytes: int
    tier_bytes: Mapping[str, int]
    tier_bandwidth: Mapping[str, float]

    @property
    def sram_bytes(self) -> int:
        """Bytes of all PMUs together."""
        return self.pmus * self.pmu_bytes


@dataclass(frozen=True)
class Machine:
    """One RDU chip, and how chips stand together."""

    name: str
    clock: float = rate("Hz")
    """Of PCUs, PMUs and network."""
    tiles: int = whole()
    """Equal parts of a chip's units that a target may ask for."""
    pcu: Pcu = field(kw_only=True)
    pmu: Pmu = field(kw_only=True)
    agcu: Agcu = field(kw_only=True)
    network: Network = field(kw_only=True)
    tiers: Mapping[str, Tier] = field(kw_only=True)
    """"hbm", "ddr": fastest first."""
    links: Links = field(kw_only=True)
    launch: Launch = field(kw_only=True)
    host: Host = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiers", MappingProxyType(dict(self.tiers)))

    @property
    def rows(self) -> int:
        """Rows of the unit grid: PCUs and PMUs in a checkerboard, as square as the unit counts allow."""
        units = self.pcu.count + self.pmu.count
        side = isqrt(units)
        exact = next((rows for rows in range(side, 0, -1) if units % rows == 0), 1)
        return exact if units // exact <= 2 * exact else side

    @property
    def cols(self) -> int:
        """Columns of the unit grid; the last places of the last row may be empty."""
        return ceil((self.pcu.count + self.pmu.count) / self.rows)

    @property
    def flops(self) -> float:
        """Peak bf16 floating-point operations a second."""
        return 2.0 * self.pcu.count * self.pcu.lanes * self.pcu.stages * self.clock

    def picoseconds(self, cycles: int) -> int:
        """Time of that many cycles, rounded up to a whole picosecond."""
        return ceil(cycles * PICOSECONDS / self.clock)

    def target(self, *, chips: int = 1, tiles: int | None = None) -> Budget:
        """What `chips` chips, or `tiles` of each one's tiles, offer. Raises MachineError when there are not as many."""
        tiles = self.tiles if tiles is None else tiles
        for key, asked, limit in (("chips", chips, MOST_CHIPS), ("tiles", tiles, self.tiles)):
            if not 1 <= asked <= limit:
                allowed = f"1 to {limit}"
                raise MachineError(
                    f"{self.name}: {key} = {asked}, allowed: {allowed}",
                    demand=str(asked),
                    limit=allowed,
                    levers=(f"ask for {allowed} {key}",),
                )
        share = tiles / self.tiles
        return Budget(
            chips=chips,
            tiles=tiles,
            pcus=self.pcu.count * tiles // self.tiles,
            pmus=self.pmu.count * tiles // self.tiles,
            agcus=self.agcu.count * tiles // self.tiles,
            pmu_bytes=self.pmu.bytes,
            tier_bytes=MappingProxyType({name: tier.bytes * tiles // self.tiles for name, tier in self.tiers.items()}),
            tier_bandwidth=MappingProxyType({name: tier.bandwidth * share for name, tier in self.tiers.items()}),
        )
