"""Image -> rdu IR: the inverse of `from_ir`, up to SSA names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import prod
from typing import Any

from xdsl.dialects.builtin import (
    BytesAttr,
    DenseIntOrFPElementsAttr,
    ModuleOp,
    NoneType,
    StringAttr,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

from sambaflow import machine as machines
from sambaflow.backends.rdu import image as im
from sambaflow.backends.rdu.programs import Disassembler, lists_of
from sambaflow.diagnostics import location_attr
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.units import number
from sambaflow.errors import Location, PefError, SambaError

_LOCATION = re.compile(r"(.*):(\d{1,9}):(\d{1,9}) (.*)", re.DOTALL)


def module_of(image: im.Image) -> ModuleOp:
    """A module with `rdu.target` and the rdu.program that the image stands for. PefError if it stands for none."""
    try:
        target = rdu.TargetAttr(image.target.machine, image.target.tiles, image.target.chips)
    except VerifyException as error:
        raise PefError(f"has no target: {error}") from None
    ops = [
        *(_symbol(symbol) for symbol in image.symbols),
        *(_section(section, image.debug) for section in image.sections),
        *(_schedule(schedule, image) for schedule in image.schedules),
    ]
    module = ModuleOp([rdu.ProgramOp(target, ops, _machine_data(image))])
    module.attributes["rdu.target"] = target
    return module


def canonical_json(data: Any) -> str:
    """The one JSON text of plain data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _machine_data(image: im.Image) -> str | None:
    """The embedded machine as JSON, unless its name gives the same machine here."""
    embedded = canonical_json(image.machine)
    try:
        here = canonical_json(machines.to_dict(machines.load(image.target.machine)))
    except SambaError:
        here = ""
    return None if here == embedded else embedded


def _element(dtype: str) -> Attribute:
    if dtype == rdu.TOKEN:
        raise PefError("elements of type 'token' stand where values are stored or computed")
    return rdu.dtype_type(dtype)


def _symbol(symbol: im.Symbol) -> rdu.SymbolOp:
    element = _element(symbol.dtype)
    if symbol.data is not None and len(symbol.data) != im.DTYPE_BYTES[symbol.dtype] * prod(symbol.shape.tolist()):
        raise PefError(f"constant '{symbol.name}' has {len(symbol.data)} bytes, of which {symbol.shape} is no shape")
    type_: TensorType[Any] = TensorType(element, symbol.shape.tolist())
    data = None
    if symbol.data is not None:
        raw = bytes(-b & 0xFF for b in symbol.data) if symbol.dtype == "i1" else symbol.data
        data = DenseIntOrFPElementsAttr(type_, BytesAttr(raw))
    shard = None if symbol.shard is None else (symbol.shard.dim, symbol.shard.outer, symbol.shard.chips)
    op = rdu.SymbolOp(symbol.name, symbol.role, type_, shard=shard, data=data)
    if symbol.tier:
        op.place(symbol.tier, symbol.address, symbol.first, symbol.last)
    return op


def _section(section: im.Section, debug: im.Debug) -> rdu.SectionOp:
    types = [TensorType(_element(slot.dtype), slot.shape.tolist()) for slot in section.slots]
    block = Block(arg_types=types)
    inputs: dict[int, list[im.Stream]] = {}
    for stream in section.streams:
        inputs.setdefault(stream.target[0], []).append(stream)
    results: list[tuple[SSAValue, ...]] = []
    for i, unit in enumerate(section.units):
        streams = sorted(inputs.get(i, []), key=lambda stream: stream.target[1])
        operands = [results[stream.source[0]][stream.source[1]] for stream in streams]
        op = _unit(unit, operands, [stream.depth for stream in streams], block)
        _add_debug(op, unit, debug)
        block.add_op(op)
        results.append(tuple(op.results))
    op = rdu.SectionOp(section.name, Region(block))
    _add_physical(op, section)
    return op


def _add_physical(op: rdu.SectionOp, section: im.Section) -> None:
    import numpy as np

    nets = section.nets
    if nets:
        hops, tracks = np.concatenate([net.hops for net in nets]), np.concatenate([net.tracks for net in nets])
        op.set_nets([(*net.source, net.member) for net in nets], [len(net.hops) for net in nets], hops, tracks)
        if all(net.flow >= 0 for net in nets):
            op.properties["flows"] = rdu.table([(net.flow,) for net in nets], 1)
    if section.config_bytes:
        op.properties["config_bytes"] = number(section.config_bytes)


def _add_debug(op: rdu.UnitOp, unit: im.Unit, debug: im.Debug) -> None:
    if label := debug.text(unit.name):
        op.properties["label"] = StringAttr(label)
        hint = re.sub(r"\W", "_", label, flags=re.ASCII)
        for result in op.results:
            result.name_hint = hint if not hint[:1].isdigit() else f"_{hint}"
    if match := _LOCATION.fullmatch(debug.text(unit.location)):
        file, line, column, module_path = match.groups()
        op.location = location_attr(Location(file, int(line), int(column), module_path))


def _unit(unit: im.Unit, operands: list[SSAValue], depths: list[int], block: Block) -> rdu.UnitOp:
    op = _bare_unit(unit, operands, depths, block)
    if len(unit.coordinates):
        op.properties["coordinates"] = rdu.table(unit.coordinates.tolist(), 2)
    return op


def _bare_unit(unit: im.Unit, operands: list[SSAValue], depths: list[int], block: Block) -> rdu.UnitOp:
    results = [_stream_type(window) for window in unit.results]
    domain = unit.extents.tolist()
    match unit:
        case im.Load():
            return rdu.LoadOp.create_load(
                block.args[unit.slot],
                results[0],
                domain=domain,
                access=_access(unit.access),
                tile=unit.tile.tolist(),
                streams=operands,
                indices=unit.indices,
                depths=depths,
                count=unit.count,
            )
        case im.Store():
            op = rdu.StoreOp.create_store(
                block.args[unit.slot],
                operands,
                domain=domain,
                access=_access(unit.access),
                tile=unit.tile.tolist(),
                depths=depths,
                indices=unit.indices,
                conflict=unit.conflict,
                count=unit.count,
            )
            properties: Mapping[str, Attribute] = op.properties
            return rdu.StoreOp.create(operands=op.operands, result_types=results, properties=dict(properties))
        case im.Pmu():
            return rdu.PmuOp.create_pmu(
                operands,
                results,
                elements=unit.elements,
                writes=[_port(port) for port in unit.writes],
                reads=[_port(port) for port in unit.reads],
                depth=unit.depth,
                window_bytes=unit.window_bytes,
                banks=unit.banks,
                init=_signed(unit.init),
                count=unit.count,
            )
        case im.Pcu():
            return _pcu(unit, operands, results, depths)
        case _:
            assert isinstance(unit, im.Collective), "the last kind of unit"
            return rdu.CollectiveOp.create_collective(
                operands[0],
                results[0],
                op=unit.op,
                dim=unit.dim,
                chips=unit.chips,
                wire=_element(unit.wire),
                domain=domain,
                depth=depths[0],
                count=unit.count,
            )


def _pcu(unit: im.Pcu, operands: list[SSAValue], results: list[rdu.StreamType], depths: list[int]) -> rdu.PcuOp:
    lists = lists_of(unit.body.tolist())
    accumulators: list[Attribute] = [
        VectorType(_element(a.dtype), [a.length]) if a.length != 1 or i in lists else _element(a.dtype)
        for i, a in enumerate(unit.accumulators)
    ]
    reader = Disassembler([_element(name) for name in unit.inputs], accumulators, unit.constants.tolist())
    return rdu.PcuOp.create_pcu(
        operands,
        results,
        reader.body(unit.body.tolist()),
        mode=unit.mode,
        domain=unit.extents.tolist(),
        kinds=unit.kinds.tolist(),
        tile=unit.tile.tolist(),
        par=unit.par.tolist(),
        order=unit.order.tolist(),
        depths=depths,
        split=unit.split.tolist(),
        inits=[a.init for a in unit.accumulators],
        predicate=unit.predicate.tolist(),
        combine=reader.combine(unit.combine.tolist()),
        finish=reader.finish(unit.finish.tolist()),
        count=unit.count,
    )


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits


def _stream_type(window: im.Window) -> rdu.StreamType:
    if window.dtype == rdu.TOKEN:
        return rdu.StreamType(NoneType(), window.tokens)
    return rdu.StreamType(TensorType(_element(window.dtype), window.tile.tolist()), window.tokens)


def _access(access: im.Access) -> rdu.AccessData:
    bound_index = tuple(map(tuple, access.bound_index.tolist()))
    return rdu.AccessData(
        strides=tuple(access.strides.tolist()),
        base=access.base,
        bounds=tuple(map(tuple, access.bounds.tolist())),
        pad=access.pad,
        index_ports=tuple(access.index_ports.tolist()),
        index_strides=tuple(access.index_strides.tolist()),
        bound_index=bound_index if access.bound_index.any() else (),
    )


def _port(port: im.PmuPort) -> rdu.PortAttr:
    return rdu.PortAttr(rdu.PortData(tuple(port.extents.tolist()), _access(port.access)))


def _schedule(schedule: im.Schedule, image: im.Image) -> rdu.ScheduleOp:
    names = [symbol.name for symbol in image.symbols]

    def launch(step: im.Launch) -> rdu.LaunchOp:
        row = (
            [names[i] for i in step.symbols]
            if step.symbols.ndim == 1
            else [[names[i] for i in r] for r in step.symbols]
        )
        return rdu.LaunchOp(image.sections[step.section].name, row, step.chips.tolist())

    def op_of(step: im.Launch | im.Repeat) -> rdu.LaunchOp | rdu.RepeatOp:
        if isinstance(step, im.Launch):
            return launch(step)
        carried, prefetched = map(tuple, step.carried.tolist()), map(tuple, step.prefetched.tolist())
        return rdu.RepeatOp(step.count, [launch(entry) for entry in step.launches], list(carried), list(prefetched))

    return rdu.ScheduleOp(
        schedule.graph,
        [names[i] for i in schedule.inputs],
        [names[i] for i in schedule.outputs],
        schedule.tied.tolist(),
        [op_of(step) for step in schedule.steps],
        schedule.orchestration or None,
    )
