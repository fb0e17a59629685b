"""What an `rdu.program` computes, at any point after `convert-kernel-to-rdu`.

    run(program, "forward", [x, w])     the graph's inputs in the order of its schedule; all its outputs, tied ones too

The functional engine does the work, on an Image without physical facts. A program whose memory is not planned gets
memory in which nothing overlaps; a planned one runs in its plan, so a wrong plan gives wrong numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from sambaflow.backends.rdu.from_ir import image_of_program
from sambaflow.backends.rdu.image import Image, Symbol
from sambaflow.dialects import rdu
from sambaflow.errors import InputError
from sambaflow.sim.functional.engine import Engine

ALIGNMENT = 64
"""Bytes: symbols without addresses stand at multiples of it."""


def run(program: rdu.ProgramOp, graph: str, inputs: Sequence[Tensor], *, tiled: bool = False) -> list[Tensor]:
    """The outputs of one call of `graph`, from a fresh memory. `inputs`: whole tensors, one per input of the schedule.

    Raises InputError for a wrong number of inputs, shape or dtype, PefError for a program that cannot be executed.
    """
    image = addressed(image_of_program(program))
    engine = Engine(image, tiled)
    schedule = engine.schedule(graph)
    numbers = [int(number) for number in schedule.inputs]
    if len(numbers) != len(inputs):
        raise InputError(f"graph '{graph}' takes {len(numbers)} tensors, got {len(inputs)}")
    engine.load({image.symbols[n].name: tensor for n, tensor in zip(numbers, inputs, strict=True)})
    engine.loaded.update(symbol.name for symbol in image.symbols)  # other graphs' weights are not needed
    plain = [t for n, t in zip(numbers, inputs, strict=True) if image.symbols[n].role == "input"]
    fresh = iter(engine.run(graph, plain))
    return [next(fresh) if tied < 0 else engine.read(numbers[tied]) for tied in schedule.tied]


def addressed(image: Image) -> Image:
    """The image itself when its memory is planned, else one in which every symbol has memory of its own."""
    if all(symbol.address >= 0 and symbol.tier for symbol in image.symbols):
        return image
    symbols: list[Symbol] = []
    top = 0
    for symbol in image.symbols:
        symbols.append(replace(symbol, tier="hbm", address=top))
        top += -(-symbol.bytes // ALIGNMENT) * ALIGNMENT
    return replace(image, symbols=symbols)
