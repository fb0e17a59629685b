"""One section in torch: its units in the order of their streams, one value per output port and chip."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import torch

from sambaflow.backends.rdu.image import Collective, Image, Load, Pcu, Pmu, Section, Store, Unit
from sambaflow.errors import Location, PefError, SambaError
from sambaflow.sim.functional.access import IndexOutOfRangeError, read, write
from sambaflow.sim.functional.dtypes import TORCH_DTYPES, from_bits
from sambaflow.sim.functional.program import PortValue, TileProgram

Storages = Sequence[torch.Tensor]
"""The flat storage of every slot, on one chip."""


Extents: TypeAlias = tuple[int, ...]
Delivery: TypeAlias = tuple[PortValue, Extents]
"""A value and the domain on which its producer delivers it."""

Ports: TypeAlias = Mapping[int, Delivery]
"""What arrives at the input ports of a unit."""


class SectionProgram:
    """A section decoded once, run once per launch."""

    def __init__(self, image: Image, number: int) -> None:
        self.image = image
        self.section: Section = image.sections[number]
        units = self.section.units
        self.sources: list[dict[int, tuple[int, int]]] = [{} for _ in units]
        self.consumers: dict[tuple[int, int], int] = {}
        for stream in self.section.streams:
            self.consumers[stream.source] = self.consumers.get(stream.source, 0) + 1
            self.sources[stream.target[0]][stream.target[1]] = stream.source
        self.order = self._topological()
        self.programs = {n: TileProgram(unit) for n, unit in enumerate(units) if isinstance(unit, Pcu)}
        self.stored = list(dict.fromkeys(unit.slot for unit in units if isinstance(unit, Store)))

    def _topological(self) -> list[int]:
        """Units after what feeds them; of those that could run, loads first, then by number.

        A load without a token must see memory as it was before any store of the section.
        """
        units = self.section.units
        waiting = [len({source[0] for source in ports.values()}) for ports in self.sources]
        followers: list[list[int]] = [[] for _ in units]
        for number, ports in enumerate(self.sources):
            for source in dict.fromkeys(port[0] for port in ports.values()):
                followers[source].append(number)
        ready = [(not isinstance(unit, Load), n) for n, unit in enumerate(units) if not waiting[n]]
        heapq.heapify(ready)
        order: list[int] = []
        while ready:
            _, number = heapq.heappop(ready)
            order.append(number)
            for follower in followers[number]:
                waiting[follower] -= 1
                if not waiting[follower]:
                    heapq.heappush(ready, (not isinstance(units[follower], Load), follower))
        if len(order) != len(units):
            raise PefError(f"the streams of section '{self.section.name}' form a cycle")
        return order

    def run(self, slots: Sequence[Storages], tiled: bool = False, names: Sequence[str] = ()) -> None:
        """Executes the section on every chip; `slots[chip][slot]` are flat storages, written in place. `names` of the
        symbols that the slots are bound to are for errors."""
        chips = range(len(slots))
        values: list[dict[tuple[int, int], Delivery]] = [{} for _ in chips]
        uses = dict(self.consumers)
        for number in self.order:
            unit = self.section.units[number]
            operands = [self._operands(number, values[chip]) for chip in chips]
            try:
                results = self._execute(number, unit, operands, slots, tiled)
            except SambaError as error:
                if isinstance(error, IndexOutOfRangeError):
                    error = self._named(error, number, names)
                raise self._located(error, unit) from error
            for chip in chips:
                for port, result in enumerate(results[chip]):
                    values[chip][number, port] = result
            for source in self.sources[number].values():
                uses[source] -= 1
                if not uses[source]:
                    for chip in chips:
                        values[chip].pop(source, None)

    def _operands(self, number: int, values: Mapping[tuple[int, int], Delivery]) -> dict[int, Delivery]:
        return {port: values[source] for port, source in self.sources[number].items() if source in values}

    def _execute(
        self,
        number: int,
        unit: Unit,
        operands: Sequence[Ports],
        slots: Sequence[Storages],
        tiled: bool,
    ) -> list[list[Delivery]]:
        match unit:
            case Load():
                return [[self._load(unit, ports, slots[chip])] for chip, ports in enumerate(operands)]
            case Store():
                for chip, ports in enumerate(operands):
                    self._store(unit, ports, slots[chip])
                return [[] for _ in operands]
            case Pmu():
                return [self._pmu(unit, ports) for ports in operands]
            case Pcu():
                return [self._pcu(self.programs[number], unit, ports, tiled) for ports in operands]
            case Collective():
                return self._collective(unit, operands)
            case _:
                raise PefError(f"a unit of kind '{unit.kind}' cannot be executed")

    def _named(self, error: IndexOutOfRangeError, number: int, names: Sequence[str]) -> IndexOutOfRangeError:
        """The error with the names of the indexed tensor and of the symbols that the index comes from."""
        unit = self.section.units[number]
        tensor = names[unit.slot] if isinstance(unit, Load | Store) and names else ""
        accesses = [unit.access] if isinstance(unit, Load | Store) else []
        if isinstance(unit, Pmu):
            accesses = [port.access for port in (*unit.writes, *unit.reads)]
        ports = dict.fromkeys(
            int(access.index_ports[error.port]) for access in accesses if len(access.index_ports) > error.port
        )
        tables: dict[str, None] = {}
        pending = [self.sources[number][port][0] for port in ports]
        while pending:
            source = pending.pop()
            maker = self.section.units[source]
            if isinstance(maker, Load) and names:
                tables[f"'{names[maker.slot]}'"] = None
            pending += [stream[0] for stream in self.sources[source].values()]
        return error.of(f"'{tensor}'" if tensor else "", " and ".join(tables))

    def _located(self, error: SambaError, unit: Unit) -> SambaError:
        """The error with the name and place of the unit, when the PEF still has them."""
        debug = self.image.debug
        if not error.op:
            error.op = debug.text(unit.name, unit.kind)
        place = debug.text(unit.location)
        if error.location is None and place:
            error.location = Location(place)
        return error

    # -- units ------------------------------------------------------------------------------------------------------

    def _load(self, unit: Load, ports: Ports, storages: Storages) -> Delivery:
        extents = _shape(unit.extents)
        indices = [delivered(*ports[int(port)], extents).data for port in unit.access.index_ports]
        value = compact(read(unit.access, extents, storages[unit.slot], indices))
        return PortValue(value.clone() if self.stored else value), extents

    def _store(self, unit: Store, ports: Ports, storages: Storages) -> None:
        extents = _shape(unit.extents)
        value = delivered(*ports[0], extents)
        indices = [delivered(*ports[int(port)], extents).data for port in unit.access.index_ports]
        write(unit.access, extents, storages[unit.slot], value.data, indices, unit.conflict, value.mask)

    def _pmu(self, unit: Pmu, ports: Ports) -> list[Delivery]:
        buffer = from_bits(unit.init, unit.dtype).expand(unit.elements).clone()
        for number, port in enumerate(unit.writes):
            extents = _shape(port.extents)
            value = delivered(*ports[number], extents)
            indices = [delivered(*ports[int(p)], extents).data for p in port.access.index_ports]
            write(port.access, extents, buffer, value.data, indices, mask=value.mask)
        results: list[Delivery] = []
        for port in unit.reads:
            extents = _shape(port.extents)
            indices = [delivered(*ports[int(p)], extents).data for p in port.access.index_ports]
            results.append((PortValue(compact(read(port.access, extents, buffer, indices))), extents))
        return results

    def _pcu(self, program: TileProgram, unit: Pcu, ports: Ports, tiled: bool) -> list[Delivery]:
        extents = _shape(unit.extents)
        inputs = [delivered(*ports[number], extents).data for number in range(len(unit.inputs))]
        outputs = program.run(inputs, extents, tiled)
        return [(value, program.output_extents(value.data, port, extents)) for port, value in enumerate(outputs)]

    def _collective(self, unit: Collective, operands: Sequence[Ports]) -> list[list[Delivery]]:
        """The exchange among every `unit.chips` neighbouring chips of the launch."""
        extents = _shape(unit.extents)
        locals_ = [delivered(*ports[0], extents).data.expand(extents) for ports in operands]
        if len(locals_) % unit.chips:
            raise PefError(f"a collective over {unit.chips} chips cannot run in a launch over {len(locals_)}")
        results: list[list[Delivery]] = []
        for first in range(0, len(locals_), unit.chips):
            for value in _EXCHANGES[unit.op](locals_[first : first + unit.chips], unit.dim, unit.wire):
                results.append([(PortValue(compact(value)), tuple(value.shape))])
        return results


def _shape(extents: Iterable[int]) -> Extents:
    return tuple(int(e) for e in extents)


def compact(value: torch.Tensor) -> torch.Tensor:
    """Dimensions along which a view repeats one element, cut to size 1."""
    for d, (size, stride) in enumerate(zip(value.shape, value.stride(), strict=True)):
        if stride == 0 and size > 1:
            value = value.narrow(d, 0, 1)
    return value


def delivered(value: PortValue, source: Extents, target: Extents) -> PortValue:
    """A value of domain `source` on the domain `target` of the same points in row-major order, still compact.

    Runs of dimensions with equal products correspond; a run in which the value does not move keeps size 1.
    """
    if source == target:
        return value
    if math.prod(source) != math.prod(target):
        raise PefError(
            "a stream joins two domains of different sizes",
            demand=f"{math.prod(target)} points",
            limit=f"{math.prod(source)} points",
        )
    mask = None if value.mask is None else _regroup(value.mask, source, target)
    return PortValue(_regroup(value.data, source, target), mask)


def _regroup(data: torch.Tensor, source: Extents, target: Extents) -> torch.Tensor:
    if 0 in source:
        return data.new_empty(target)
    shape: list[int] = []
    sizes: list[int] = []
    for ours, theirs in _runs(source, target):
        moves = any(data.shape[d] > 1 for d in ours)
        sizes += [source[d] if moves else 1 for d in ours]
        shape += [target[d] if moves else 1 for d in theirs]
    return data.expand(sizes).reshape(shape)


def _runs(source: Extents, target: Extents) -> list[tuple[list[int], list[int]]]:
    """The finest split of both domains into runs of dimensions with equal products."""
    runs: list[tuple[list[int], list[int]]] = []
    a = b = 0
    while a < len(source) or b < len(target):
        ours, theirs = list[int](), list[int]()
        left = right = 1
        while (not ours and not theirs) or left != right:
            if left <= right and a < len(source):
                ours.append(a)
                left, a = left * source[a], a + 1
            else:
                theirs.append(b)
                right, b = right * target[b], b + 1
        runs.append((ours, theirs))
    return runs


def _all_reduce(values: Sequence[torch.Tensor], dim: int, wire: str) -> list[torch.Tensor]:
    """Sum in f32, chips ascending; what travels has the wire's dtype."""
    total = _wired(values[0], wire)
    for value in values[1:]:
        total = total + _wired(value, wire)
    return [total.to(values[0].dtype)] * len(values)


def _all_gather(values: Sequence[torch.Tensor], dim: int, wire: str) -> list[torch.Tensor]:
    whole = torch.cat([_wired(value, wire) for value in values], dim)
    return [whole.to(values[0].dtype)] * len(values)


def _reduce_scatter(values: Sequence[torch.Tensor], dim: int, wire: str) -> list[torch.Tensor]:
    return list(_all_reduce(values, dim, wire)[0].chunk(len(values), dim))


def _all_to_all(values: Sequence[torch.Tensor], dim: int, wire: str) -> list[torch.Tensor]:
    parts = [_wired(value, wire).chunk(len(values), dim) for value in values]
    return [torch.cat([part[chip] for part in parts], dim).to(values[0].dtype) for chip in range(len(values))]


def _wired(value: torch.Tensor, wire: str) -> torch.Tensor:
    """What a value becomes on the links: rounded to the wire's dtype, held in f32; integers travel as they are."""
    return value.to(TORCH_DTYPES[wire]).float() if value.dtype.is_floating_point else value


_EXCHANGES: Mapping[str, Callable[[Sequence[torch.Tensor], int, str], list[torch.Tensor]]] = {
    "all_reduce": _all_reduce,
    "all_gather": _all_gather,
    "reduce_scatter": _reduce_scatter,
    "all_to_all": _all_to_all,
}
