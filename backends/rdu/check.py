"""What the decoder checks of an Image: that it is a whole program, says one thing only, and stands on its chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from sambaflow.backends.rdu import image as im
from sambaflow.backends.rdu.from_ir import image_of
from sambaflow.backends.rdu.physical import check_physical
from sambaflow.backends.rdu.to_ir import module_of
from sambaflow.diagnostics import VerifyExceptionAt, symbols_around
from sambaflow.dialects.rdu.units import UnitOp
from sambaflow.errors import PefError


def check(image: im.Image) -> None:
    """PefError, saying where and why, about an image that is no program which its chip can run.

    Every number that points at something points at something. The rules are those of the rdu dialect: the image is
    read as IR and verified. What it says twice (the bytes of a symbol, a stream beside the unit that makes it) is what
    the IR says once. Units, routes and symbols stand on the chip.
    """
    _check_references(image)
    try:
        module = module_of(image)
        _verify(module)
    except VerifyException as error:
        raise PefError(str(error)) from None
    for difference in _differences(image, image_of(module), ""):
        raise PefError(difference)
    for problem in check_physical(image):
        raise PefError(problem)


# ---- references


def _check_references(image: im.Image) -> None:
    for section in image.sections:
        _check_streams(section)
        for i, unit in enumerate(section.units):
            if isinstance(unit, im.Load | im.Store) and unit.slot >= len(section.slots):
                raise PefError(f"section '{section.name}': unit {i} uses slot {unit.slot} of {len(section.slots)}")
    for schedule in image.schedules:
        where = f"graph '{schedule.graph}'"
        if not _all_below(schedule.inputs, len(image.symbols)) or not _all_below(schedule.outputs, len(image.symbols)):
            raise PefError(f"{where}: an input or output is none of the {len(image.symbols)} symbols")
        for step in schedule.steps:
            for launch in step.launches if isinstance(step, im.Repeat) else [step]:
                if launch.section >= len(image.sections):
                    raise PefError(f"{where}: there is no section {launch.section} to launch")
                if not _all_below(launch.symbols, len(image.symbols)):
                    raise PefError(f"{where}: a launch binds none of the {len(image.symbols)} symbols")


def _check_streams(section: im.Section) -> None:
    """Streams join outputs with the ports of later units, one with each port."""
    units = section.units
    ports: list[set[int]] = [set() for _ in units]
    for stream in section.streams:
        (source, out), (target, port) = stream.source, stream.target
        if source >= target or target >= len(units) or out >= len(units[source].results):
            raise PefError(f"section '{section.name}': a stream joins output {out} of unit {source} with unit {target}")
        if port in ports[target]:
            raise PefError(f"section '{section.name}': input port {port} of unit {target} has two streams")
        ports[target].add(port)
    for i, (unit, taken) in enumerate(zip(units, ports, strict=True)):
        if taken != set(range(len(taken))):
            raise PefError(f"section '{section.name}': unit {i} has a gap in its input ports")
        least_in, least_out = isinstance(unit, im.Store | im.Collective), isinstance(unit, im.Load | im.Collective)
        if len(taken) < least_in or len(unit.results) < least_out:
            raise PefError(
                f"section '{section.name}': unit {i} ({unit.kind}) has {len(taken)} streams in, {len(unit.results)} out"
            )


def _all_below(numbers: im.Ints, limit: int) -> bool:
    return not numbers.size or 0 <= int(numbers.min()) <= int(numbers.max()) < limit


# ---- the rules of the dialect


def _verify(module: ModuleOp) -> None:
    for op in module.walk(region_first=True):
        try:
            op.verify(verify_nested_ops=False)
        except VerifyException as error:
            place = error.op if isinstance(error, VerifyExceptionAt) else op
            raise VerifyException(f"{_name_of(place)}: {error}") from None


def _name_of(op: Operation) -> str:
    """`unit 3 of 'layer' (rdu.pcu)`; what stands in a unit is called by it."""
    while not isinstance(op, UnitOp) and (parent := op.parent_op()) is not None and "sym_name" not in op.properties:
        op = parent
    if isinstance(op, UnitOp) and op.parent is not None:
        return f"unit {op.parent.get_operation_index(op)} of '{symbols_around(op)}' ({op.name})"
    return f"'{symbols_around(op)}' ({op.name})"


# ---- what is said twice


def _differences(image: Any, program: Any, path: str) -> Iterator[str]:
    """What an image says of itself that its program does not say: the path of a field, and both values."""
    import numpy as np

    if is_dataclass(image) and type(image) is type(program):
        for field in fields(image):
            if field.compare and not _is_for_people(image, field.name):
                item, said = getattr(image, field.name), getattr(program, field.name)
                yield from _differences(item, said, f"{path}.{field.name}" if path else field.name)
    elif isinstance(image, np.ndarray):
        if image.shape != program.shape or (image != program).any():
            yield f"{path} is {_shown(image.tolist())}, its program says {_shown(program.tolist())}"
    elif isinstance(image, list) and len(cast(list[Any], image)) == len(program):
        for i, (item, said) in enumerate(zip(cast(list[Any], image), program, strict=True)):
            yield from _differences(item, said, f"{path}[{i}]")
    elif image != program:
        yield f"{path} is {_shown(image)}, its program says {_shown(program)}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _is_for_people(record: Any, field: str) -> bool:
    """Whether a field changes nothing of what is executed."""
    return field == "debug" or (isinstance(record, im.Unit) and field in ("name", "location"))
