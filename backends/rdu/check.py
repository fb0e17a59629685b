"""What the decoder checks of an Image: that it is a whole program, and says one thing only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast

from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from sambaflow.backends.rdu import image as im
from sambaflow.backends.rdu.from_ir import image_of
from sambaflow.backends.rdu.physical import check_physical
from sambaflow.backends.rdu.to_ir import module_of
from sambaflow.backends.rdu.words import Kind, decode_program
from sambaflow.diagnostics import VerifyExceptionAt, symbols_around
from sambaflow.dialects.rdu.units import UnitOp
from sambaflow.errors import PefError


def check(image: im.Image) -> None:
    """PefError, saying where and why, about an image that is no program which this chip can run.

    The rules are those of the rdu dialect: the image is read as IR and verified. What the image says twice (bytes of a
    symbol, streams beside the units that make them) must be what the IR says once. Then places and routes.
    """
    check_references(image)
    module = module_of(image)
    for op in module.walk(region_first=True):
        try:
            op.verify(verify_nested_ops=False)
        except VerifyException as error:
            place = error.op if isinstance(error, VerifyExceptionAt) else op
            raise PefError(f"{_name_of(place)}: {error}") from None
    for difference in _differences(image, image_of(module), ""):
        raise PefError(difference)
    for problem in check_physical(image):
        raise PefError(problem)


def _name_of(op: Operation) -> str:
    """`unit 3 of section 'layer' (rdu.pcu)`."""
    section = op.parent_op()
    if isinstance(op, UnitOp) and section is not None:
        return f"unit {section.regions[0].block.get_operation_index(op)} of '{symbols_around(section)}' ({op.name})"
    return f"'{symbols_around(op)}' ({op.name})"


def _differences(image: Any, program: Any, path: str) -> Iterator[str]:
    """What an image says of itself that its program does not say: the path of a field, and both values."""
    import numpy as np

    if is_dataclass(image) and type(image) is type(program):
        for field in fields(image):
            if field.compare and not _is_for_people(image, field.name):
                one, other = getattr(image, field.name), getattr(program, field.name)
                yield from _differences(one, other, f"{path}.{field.name}" if path else field.name)
    elif isinstance(image, np.ndarray):
        if image.shape != program.shape or (image != program).any():
            yield f"{path} is {image.tolist()}, of the program that it stands for {program.tolist()}"
    elif isinstance(image, list) and len(cast(list[Any], image)) == len(program):
        for i, (one, other) in enumerate(zip(cast(list[Any], image), program, strict=True)):
            yield from _differences(one, other, f"{path}[{i}]")
    elif image != program:
        yield f"{path} is {image}, of the program that it stands for {program}"


def check_references(image: im.Image) -> None:
    """PefError about the first number that points nowhere, and about tile programs that cannot run."""
    for section in image.sections:
        for problem in _section_problems(section):
            raise PefError(f"section '{section.name}': {problem}")
    for schedule in image.schedules:
        for problem in _schedule_problems(schedule, image):
            raise PefError(f"graph '{schedule.graph}': {problem}")


def _section_problems(section: im.Section) -> Iterator[str]:
    units = section.units
    inputs: dict[tuple[int, int], int] = {}
    for stream in section.streams:
        (source, out), (target, port) = stream.source, stream.target
        if source >= len(units) or out >= len(units[source].results) or target >= len(units) or source >= target:
            yield f"a stream joins output {out} of unit {source} with unit {target}"
            return
        if stream.target in inputs:
            yield f"input port {port} of unit {target} has two streams"
        inputs[stream.target] = port
        window = units[source].results[out]
        if (window.dtype, window.bytes, window.tokens) != (stream.dtype, stream.tile_bytes, stream.tokens):
            yield f"a stream from unit {source} is not what the unit makes"
    counts = [0] * len(units)
    for unit, _ in inputs:
        counts[unit] += 1
    for i, (unit, count) in enumerate(zip(units, counts, strict=True)):
        if any((i, port) not in inputs for port in range(count)):
            yield f"unit {i} has a gap in its input ports"
        for problem in _unit_problems(unit, count, section):
            yield f"unit {i} ({unit.kind}): {problem}"


def _unit_problems(unit: im.Unit, inputs: int, section: im.Section) -> Iterator[str]:
    rank = len(unit.extents)
    if (unit.extents < 1).any() or unit.count < 1:
        yield "its domain or its group is empty"
    match unit:
        case im.Load() | im.Store():
            first = int(isinstance(unit, im.Store))
            if unit.slot >= len(section.slots):
                yield f"there is no slot {unit.slot}"
            if len(unit.tile) != rank or inputs < first + unit.indices:
                yield "its tile or its index streams do not fit its domain"
            yield from _access_problems(unit.access, rank, inputs)
        case im.Pmu():
            if not 1 <= len(unit.writes) <= inputs or len(unit.reads) != len(unit.results):
                yield f"{len(unit.writes)} write and {len(unit.reads)} read ports, {inputs} streams in"
            for port in (*unit.writes, *unit.reads):
                yield from _access_problems(port.access, len(port.extents), inputs)
        case im.Pcu():
            yield from _pcu_problems(unit, inputs)
        case im.Collective():
            if inputs != 1 or len(unit.results) != 1 or unit.dim >= rank:
                yield "a collective has one stream in, one out, and a dimension of its domain"
        case _:
            yield "unknown kind"


def _access_problems(access: im.Access, rank: int, inputs: int) -> Iterator[str]:
    bounds, indices = len(access.bounds), len(access.index_ports)
    fits = (
        access.strides.shape == (rank,)
        and access.bounds.shape == (bounds, rank + 2)
        and access.index_strides.shape == (indices,)
        and access.bound_index.shape == (bounds, indices)
    )
    if not fits:
        yield f"an access pattern does not fit a domain of rank {rank}"
    elif indices and not 0 <= access.index_ports.min() <= access.index_ports.max() < inputs:
        yield "an access pattern names an index port that is not there"


def _pcu_problems(unit: im.Pcu, inputs: int) -> Iterator[str]:
    rank = len(unit.extents)
    if any(len(row) != rank for row in (unit.tile, unit.par, unit.kinds, unit.split, unit.order)):
        yield f"its mapping does not fit a domain of rank {rank}"
        return
    if sorted(unit.order.tolist()) != list(range(rank)) or not set(unit.kinds.tolist()) <= {0, 1, 2}:
        yield "its order is no permutation, or a dimension has no kind"
    if not len(unit.combine) and unit.split.max(initial=1) > 1:
        yield "its reduction is split, but no program combines the parts"
    if inputs != len(unit.inputs) or len(unit.outputs) != len(unit.results):
        yield f"{inputs} streams in for {len(unit.inputs)} operands"
    if unit.predicate.shape != (len(unit.predicate), rank + 1 + inputs):
        yield "its predicate does not fit its domain and ports"
    limits = {
        Kind.INPUT: inputs,
        Kind.CONSTANT: len(unit.constants),
        Kind.COUNTER: rank,
        Kind.ACCUMULATOR: len(unit.accumulators),
        Kind.OTHER: len(unit.accumulators),
        Kind.OUTPUT: len(unit.outputs),
    }
    for words in (unit.body, unit.combine, unit.finish):
        try:
            program = decode_program(words.tolist())
        except PefError as error:
            yield error.message
            return
        for instruction in program:
            for operand in (instruction.destination, *instruction.sources):
                if operand.number >= limits.get(operand.kind, 1 << 9):
                    yield f"'{instruction}' names {operand}, which is not there"


def _schedule_problems(schedule: im.Schedule, image: im.Image) -> Iterator[str]:
    def known(numbers: im.Ints, limit: int) -> bool:
        return not numbers.size or 0 <= int(numbers.min()) <= int(numbers.max()) < limit

    symbols = len(image.symbols)
    if not known(schedule.inputs, symbols) or not known(schedule.outputs, symbols):
        yield "an input or output is no symbol"
    if len(schedule.tied) != len(schedule.outputs) or not known(schedule.tied + 1, len(schedule.inputs) + 1):
        yield "a tied output has no input"
    for step in schedule.steps:
        launches = step.launches if isinstance(step, im.Repeat) else [step]
        for launch in launches:
            if launch.section >= len(image.sections):
                yield f"there is no section {launch.section}"
                return
            slots = len(image.sections[launch.section].slots)
            shape = (step.count, slots) if isinstance(step, im.Repeat) else (slots,)
            if launch.symbols.shape != shape or not known(launch.symbols, symbols):
                yield f"a launch of section {launch.section} does not bind a symbol to each slot"
            if not known(launch.chips, image.target.chips):
                yield f"a launch runs on chips {launch.chips.tolist()}, the target has {image.target.chips}"


def _is_for_people(record: Any, field: str) -> bool:
    """Whether a field changes nothing of what is executed."""
    return field == "debug" or (isinstance(record, im.Unit) and field in ("name", "location"))
