"""The one cost function: what a firing costs on a PCU.

A firing is one tile through one PCU (the PCUs of a group work side by side on equal tiles). Kernel stages and decoded
PCU programs both become a `Firing` through `firing_of`, so passes and simulator cannot disagree about time.

    stage, decoded program -> firing_of -> Firing -> cost(firing, machine) -> Cost

Model. The body of a PCU is `lanes` x `stages` of ALUs. `convert` instructions take `convert_slots` (0: the ports
convert), `free` ones nothing; the others take one stage each, transcendentals run on the tail beside the body.

    systolic   one output block is lanes x stages, k steps each: ceil(m/lanes) * ceil(n/stages) * k or, with the array
               the other way round, ceil(m/stages) * ceil(n/lanes) * k, whichever is less (one row: n takes the lanes).
               f32 operands at `fp32_rate`. (32 x 6: DFM; output-stationary: P40)
    simd       ceil(points/lanes) * ceil(instructions/stages)
    reduce     lanes along outputs: ceil(outputs/lanes) * points/outputs, or along the reduction with the cross-lane
    tree:
               outputs * ceil(points/outputs/lanes); each times ceil(instructions/stages), whichever is less (ISCA17)
    tail       ceil(points * transcendentals / tail_lanes)
    finish     as simd, once per output; its transcendentals join the tail's

The initiation interval is the greatest of compute, tail and, for each port, its bytes over its bytes a cycle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, prod
from types import MappingProxyType

from sambaflow.machine.model import Machine

MODES = ("systolic", "simd", "reduce", "tail")
REDUCTION = "reduction"


def _no_ops() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Firing:
    """One tile through one PCU."""

    mode: str
    """"systolic" | "simd" | "reduce" | "tail"."""
    trips: int
    """Points of the tile: innermost element operations."""
    ops: Mapping[str, int]
    """Instructions per point by class (`opcodes.OP_CLASSES`)."""
    port_bytes: tuple[int, ...]
    """Bytes that cross each input and output port."""
    dtype: str
    """Element type of the operands: it sets the rate of the systolic array."""
    shape: tuple[int, int, int] = (1, 1, 1)
    """systolic only: m, n, k of the tile."""
    outputs: int = 0
    """reduce and systolic: output points of the tile (points of its parallel dimensions); 0: one per point."""
    finish: Mapping[str, int] = field(default_factory=_no_ops)
    """Instructions per output point by class, after the reduction."""

    def __hash__(self) -> int:
        key = (tuple(self.ops.items()), tuple(self.finish.items()), self.port_bytes, self.shape)
        return hash((self.mode, self.trips, self.dtype, self.outputs, key))


@dataclass(frozen=True)
class Cost:
    """A firing's cost on one PCU. A tile is handed over `cycles + latency` cycles after its firing starts."""

    cycles: int
    """Initiation interval: cycles between the starts of two firings."""
    latency: int
    """Cycles from the first point in to the first result out."""
    ops: int
    """Operations carried out, a multiply-accumulate counting two; moves and conversions not counted."""
    bytes: int
    """Bytes through all ports."""
    bound: str
    """Which term set the interval: "compute", "tail" or "port"."""


def cost(firing: Firing, machine: Machine) -> Cost:
    """What one firing costs; the module's docstring has the formulas."""
    pcu = machine.pcu
    outputs = firing.outputs or firing.trips
    finish = ceil(outputs / pcu.lanes) * _passes(firing.finish, machine)
    special = firing.trips * firing.ops.get("transcendental", 0) + outputs * firing.finish.get("transcendental", 0)
    terms = {
        "compute": _COMPUTE[firing.mode](firing, machine) + finish,
        "tail": ceil(special / pcu.tail_lanes),
        "port": ceil(max(firing.port_bytes, default=0) / pcu.port_bytes),
    }
    bound = max(terms, key=lambda name: terms[name])
    return Cost(
        cycles=max(1, terms[bound]),
        latency=_latency(firing, machine),
        ops=firing.trips * _operations(firing.ops) + outputs * _operations(firing.finish),
        bytes=sum(firing.port_bytes),
        bound=bound,
    )


def systolic_cycles(m: int, n: int, k: int, machine: Machine) -> int:
    """Steps of the output-stationary array on an m x n x k tile at the bf16 rate."""
    lanes, stages = machine.pcu.lanes, machine.pcu.stages
    return min(ceil(m / lanes) * ceil(n / stages), ceil(m / stages) * ceil(n / lanes)) * k


def _passes(ops: Mapping[str, int], machine: Machine) -> int:
    """Times that a vector goes through the stages: the tail's instructions are not in the body."""
    slots = ops.get("mac", 0) + ops.get("alu", 0) + ops.get("compare", 0)
    slots += ops.get("convert", 0) * machine.pcu.convert_slots
    return ceil(slots / machine.pcu.stages)


def _systolic(firing: Firing, machine: Machine) -> int:
    steps = systolic_cycles(*firing.shape, machine)
    return ceil(steps / machine.pcu.fp32_rate) if firing.dtype == "f32" else steps


def _simd(firing: Firing, machine: Machine) -> int:
    return ceil(firing.trips / machine.pcu.lanes) * max(1, _passes(firing.ops, machine))


def _reduce(firing: Firing, machine: Machine) -> int:
    lanes, outputs = machine.pcu.lanes, max(1, firing.outputs)
    length = ceil(firing.trips / outputs)
    vectors = min(ceil(outputs / lanes) * length, outputs * ceil(length / lanes))
    return vectors * max(1, _passes(firing.ops, machine))


_COMPUTE = {"systolic": _systolic, "simd": _simd, "reduce": _reduce, "tail": _simd}


def _latency(firing: Firing, machine: Machine) -> int:
    pcu = machine.pcu
    tree = (pcu.lanes - 1).bit_length() if firing.mode == "reduce" else 0
    skew = pcu.lanes if firing.mode == "systolic" else 0  # operands enter the array's rows one cycle apart
    return pcu.pipeline_cycles + pcu.stages + tree + skew


def _operations(ops: Mapping[str, int]) -> int:
    return 2 * ops.get("mac", 0) + sum(ops.get(name, 0) for name in ("alu", "compare", "transcendental"))


def firing_of(
    mode: str,
    tile: Sequence[int],
    kinds: Sequence[str],
    body: Iterable[str],
    finish: Iterable[str],
    port_bytes: Iterable[int],
    dtype: str,
) -> Firing:
    """The firing of a stage or of a PCU program.

    tile: what one PCU processes in one firing, per dimension; kinds: "parallel" | "reduction" | "sequential", per
    dimension; body, finish: the op class of every instruction; port_bytes: per input, then per output, the bytes of
    one PCU's part of a tile; dtype: of the operands. A systolic body is one multiply-accumulate a point whatever
    instructions spell it; its tile is m = the last parallel dimension but one and all before it, n = the last
    parallel dimension, k = the reduction.
    """
    trips = prod(tile)
    parallel = [extent for extent, kind in zip(tile, kinds, strict=True) if kind != REDUCTION]
    outputs = prod(parallel)
    ops = {"mac": 1} if mode == "systolic" else _histogram(body)
    shape = (1, 1, 1)
    if mode == "systolic":
        n = parallel[-1] if parallel else 1
        shape = (outputs // n, n, trips // outputs)
    return Firing(mode, trips, ops, tuple(port_bytes), dtype, shape, outputs, _histogram(finish))


def _histogram(classes: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for name in sorted(classes):
        counts[name] = counts.get(name, 0) + 1
    return counts
