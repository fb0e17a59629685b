"""rdu IR -> Image."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from xdsl.dialects.builtin import ModuleOp, TensorType, VectorType
from xdsl.ir import Operation, SSAValue

from sambaflow import machine as machines
from sambaflow.backends.rdu import image as im
from sambaflow.backends.rdu.programs import Assembler
from sambaflow.decisions import DECIDED_BY, NEXT_BEST
from sambaflow.diagnostics import error_at, location_from_attr
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.instructions import element_dtype
from sambaflow.dialects.rdu.units import stream
from sambaflow.errors import PefError


def image_of(module: ModuleOp, *, text_file: str = "") -> im.Image:
    """The Image of the program in `module`.

    Physical facts that no pass has set yet are empty: tier "", address -1, no coordinates, no nets, config_bytes 0.
    `text_file`: the name of the IR text that `module` was read from; a location in it is no source location.
    Raises PefError if there is not exactly one program, or where an op carries a discardable attribute.
    """
    program = program_of(module)
    refuse_attributes(module, program)
    return image_of_program(program, text_file=text_file)


def image_of_program(program: rdu.ProgramOp, *, text_file: str = "") -> im.Image:
    """The same of a program that is not ready for a PEF: beside other ops, with discardable attributes."""
    return _Builder(text_file).image(program)


def program_of(module: ModuleOp) -> rdu.ProgramOp:
    """The one program of a module. PefError if there is none, or something beside it."""
    ops = list(module.ops)
    if len(ops) == 1 and isinstance(ops[0], rdu.ProgramOp):
        return ops[0]
    other = next((op for op in ops if not isinstance(op, rdu.ProgramOp)), module)
    raise error_at(
        other,
        f"a PEF is made from exactly one rdu.program, here are {len(ops)} ops",
        PefError,
        levers=["run a whole pipeline first: samba-opt --pass-pipeline=o1"],
    )


def refuse_attributes(module: ModuleOp, program: rdu.ProgramOp) -> None:
    """PefError about the first discardable attribute: a PEF has no place for it.

    Who made a decision, and what was the next best, stays behind: what a PEF says is fixed.
    """
    target = module.attributes.get("rdu.target")
    if target is not None and target != program.target:
        raise error_at(program, f"is for {program.target}, its module for {target}", PefError)
    for op in (module, *program.walk()):
        for key in op.attributes:
            if (op is not module or key != "rdu.target") and key not in (DECIDED_BY, NEXT_BEST):
                raise error_at(
                    op, f"has the attribute '{key}': a PEF has no place for it", PefError, levers=["drop it"]
                )


@dataclass
class _Builder:
    text_file: str
    strings: dict[str, int] = field(default_factory=dict[str, int])

    def image(self, program: rdu.ProgramOp) -> im.Image:
        symbols, sections, schedules = program.symbols, program.sections, program.schedules
        self.symbols = {op.sym_name.data: number for number, op in enumerate(symbols)}
        self.sections = {op.sym_name.data: number for number, op in enumerate(sections)}
        target = program.target
        built = im.Image(
            version=im.FORMAT_VERSION,
            machine=_machine(program),
            target=im.Target(target.machine.data, target.tiles.data, target.chips.data),
            symbols=[_symbol(op) for op in symbols],
            sections=[self._section(op) for op in sections],
            schedules=[self._schedule(op) for op in schedules],
        )
        built.debug.strings = list(self.strings)
        return built

    # Sections.

    def _section(self, op: rdu.SectionOp) -> im.Section:
        slots: dict[SSAValue, int] = {slot: number for number, slot in enumerate(op.slots)}
        numbers = {unit: number for number, unit in enumerate(op.units)}
        nets = [
            im.Net((source[0], source[1]), source[2], im.ints(hops), im.ints(tracks), flow)
            for source, hops, tracks, flow in op.nets
        ]
        return im.Section(
            name=op.sym_name.data,
            slots=[_slot(op, slot) for slot in op.slots],
            units=[self._unit(unit, slots) for unit in numbers],
            streams=[s for unit in numbers for s in _streams(unit, numbers)],
            nets=nets,
            config_bytes=op.config_bytes.value.data if op.config_bytes is not None else 0,
        )

    def _unit(self, op: rdu.UnitOp, slots: dict[SSAValue, int]) -> im.Unit:
        common: dict[str, Any] = {
            "extents": im.ints(op.extents),
            "count": op.units,
            "coordinates": im.ints(op.places, (len(op.places), 2)),
            "results": [_window(result) for result in op.results],
            "name": self._string(op.label.data if op.label is not None else ""),
            "location": self._string(self._location(op)),
        }
        if isinstance(op, rdu.TransferOp):
            common["slot"] = slots[op.slot]
            common["access"] = _access(op.access.data)
            common["tile"] = im.ints(rdu.values(op.tile))
            common["indices"] = op.indices.value.data
        match op:
            case rdu.LoadOp():
                return im.Load(**common)
            case rdu.StoreOp():
                return im.Store(conflict=op.conflict.data, **common)
            case rdu.PmuOp():
                return im.Pmu(
                    elements=op.extents[0],
                    dtype=stream((*op.streams, *op.outputs)[0]).dtype,
                    depth=op.depth.value.data,
                    window_bytes=op.window_bytes.value.data,
                    banks=op.banks.value.data,
                    init=op.init.value.data & (1 << 64) - 1,
                    writes=[_port(port) for port in op.write_ports],
                    reads=[_port(port) for port in op.read_ports],
                    **common,
                )
            case rdu.PcuOp():
                return _pcu(op, common)
            case _:
                assert isinstance(op, rdu.CollectiveOp), "the last kind of unit"
                window = stream(op.streams)
                return im.Collective(
                    op=op.op.data,
                    dim=op.dim.value.data,
                    chips=op.chips.value.data,
                    wire=rdu.dtype_name(op.wire) or "",
                    bytes=window.tile_bytes * window.count.data,
                    **common,
                )

    def _location(self, op: Operation) -> str:
        location = location_from_attr(op.location)
        if location is None or (self.text_file and location.file == self.text_file):
            return ""
        return f"{location.file}:{location.line}:{location.column} {location.module_path}"

    def _string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings)) if text else -1

    # Schedules.

    def _schedule(self, op: rdu.ScheduleOp) -> im.Schedule:
        return im.Schedule(
            graph=op.sym_name.data,
            inputs=self._numbers(op.input_names),
            outputs=self._numbers(op.output_names),
            tied=im.ints(rdu.values(op.tied)),
            orchestration=op.orchestration.data if op.orchestration is not None else "",
            steps=[self._step(step) for step in op.steps],
        )

    def _step(self, op: rdu.LaunchOp | rdu.RepeatOp) -> im.Launch | im.Repeat:
        if isinstance(op, rdu.LaunchOp):
            return self._launch(op, self._numbers(op.table[0]))
        launches = [self._launch(launch, im.ints([self._row(row) for row in launch.table])) for launch in op.launches]
        carried, prefetched = op.carried_rows, op.prefetched_rows
        return im.Repeat(
            op.rounds, launches, im.ints(carried, (len(carried), 4)), im.ints(prefetched, (len(prefetched), 2))
        )

    def _launch(self, op: rdu.LaunchOp, symbols: im.Ints) -> im.Launch:
        return im.Launch(self.sections[op.section_name], symbols, im.ints(rdu.values(op.chips)))

    def _row(self, names: Iterable[str]) -> list[int]:
        return [self.symbols[name] for name in names]

    def _numbers(self, names: Iterable[str]) -> im.Ints:
        return im.ints(self._row(names))


def _machine(program: rdu.ProgramOp) -> dict[str, Any]:
    if program.machine_data is not None:
        return json.loads(program.machine_data.data)
    return machines.to_dict(rdu.machine_of(program))


def _symbol(op: rdu.SymbolOp) -> im.Symbol:
    shard = rdu.values(op.shard)
    numbers = [-1 if a is None else a.value.data for a in (op.address, op.first, op.last)]
    data = None
    if op.data is not None:
        data = bytes(b & 1 for b in op.data.data.data) if op.dtype == "i1" else bytes(op.data.data.data)
    return im.Symbol(
        name=op.sym_name.data,
        role=op.role.data,
        dtype=op.dtype,
        shape=im.ints(op.shape),
        shard=im.Shard(*shard) if shard else None,
        tier=op.tier.data if op.tier is not None else "",
        address=numbers[0],
        bytes=op.bytes,
        first=numbers[1],
        last=numbers[2],
        data=data,
    )


def _slot(section: rdu.SectionOp, value: SSAValue) -> im.Slot:
    tensor = value.type
    assert isinstance(tensor, TensorType), "slots are tensors"
    return im.Slot(rdu.dtype_name(tensor.element_type) or "", im.ints(tensor.get_shape()), section.writable(value))


def _window(value: SSAValue) -> im.Window:
    window = stream(value)
    shape = window.tile.get_shape() if isinstance(window.tile, TensorType) else ()
    return im.Window(window.dtype, im.ints(shape), window.count.data)


def _streams(op: rdu.UnitOp, numbers: dict[rdu.UnitOp, int]) -> Iterable[im.Stream]:
    for port, value in enumerate(op.ports):
        source = value.owner
        assert isinstance(source, rdu.UnitOp), "streams are results of units of the section"
        carried = stream(value)
        yield im.Stream(
            source=(numbers[source], value.index),  # pyright: ignore[reportAttributeAccessIssue]
            target=(numbers[op], port),
            dtype=carried.dtype,
            tile_bytes=carried.tile_bytes,
            tokens=carried.count.data,
            depth=op.depth_of(port),
        )


def _access(data: rdu.AccessData) -> im.Access:
    rank, bounds, indices = len(data.strides), len(data.bounds), len(data.index_ports)
    return im.Access(
        base=data.base,
        strides=im.ints(data.strides),
        bounds=im.ints(data.bounds, (bounds, rank + 2)),
        pad=data.pad,
        index_ports=im.ints(data.index_ports),
        index_strides=im.ints(data.index_strides),
        bound_index=im.ints(data.bound_index or [[0] * indices] * bounds, (bounds, indices)),
    )


def _port(port: rdu.PortAttr) -> im.PmuPort:
    return im.PmuPort(im.ints(port.data.extents), _access(port.data.access))


def _pcu(op: rdu.PcuOp, common: dict[str, Any]) -> im.Pcu:
    inputs = [stream(value).dtype for value in op.streams]
    types = op.accumulator_types
    assembler = Assembler(len(inputs), len(types), op.steps)
    body, combine, finish = assembler.body(op.body), assembler.combine(op.combine), assembler.finish(op.finish)
    predicate = op.predicate_rows
    return im.Pcu(
        mode=op.mode.data,
        tile=im.ints(rdu.values(op.tile)),
        par=im.ints(rdu.values(op.par)),
        kinds=im.ints(rdu.values(op.kinds)),
        split=im.ints(rdu.values(op.split)),
        order=im.ints(rdu.values(op.order)),
        predicate=im.ints(predicate, (len(predicate), len(op.extents) + 1 + len(inputs))),
        constants=im.words(assembler.constants),
        accumulators=[
            im.Accumulator(
                bits,
                element_dtype(accumulator) or "",
                accumulator.get_shape()[0] if isinstance(accumulator, VectorType) else 1,
            )
            for bits, accumulator in zip(op.init_bits, types, strict=True)
        ],
        body=im.words(body),
        combine=im.words(combine),
        finish=im.words(finish),
        inputs=inputs,
        outputs=[stream(value).dtype for value in op.outputs],
        **common,
    )
