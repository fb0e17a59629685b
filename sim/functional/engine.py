"""The functional engine: runs the schedules of an Image in torch, and nothing else than an Image.

    engine = Engine(image)
    engine.load({"fc.weight": w})              # whole tensors; each chip gets its shard
    outputs = engine.run("forward", [x])       # whole tensors, sharded on the way in, assembled on the way out

Memory is real (`memory.py`): a symbol is a window of its chip's memory, so a wrong address or lifetime gives wrong
numbers. The units of a section run in the order of their streams, all firings of a unit in one call (`tiled=True`
walks the tile grids instead and gives the same bits). All chips of a launch go through a section unit by unit, in
lockstep, so a collective finds the operands of every chip.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property

import torch

from sambaflow.backends.rdu.image import Image, Launch, Repeat, Schedule, Shard, Symbol
from sambaflow.errors import InputError, PefError, WeightError
from sambaflow.sim.functional.dtypes import TORCH_DTYPES
from sambaflow.sim.functional.memory import Memory
from sambaflow.sim.functional.section import SectionProgram

LASTING = ("param", "buffer", "state")
"""Roles of symbols whose contents outlive a call."""


@contextmanager
def plain_torch() -> Generator[None]:
    """torch as the numeric contract needs it, whatever the caller has switched on: no autocast (products in bf16), no
    default device but the CPU."""
    elsewhere = torch.get_default_device().type != "cpu"  # asked first: the context slows every call of torch
    with torch.autocast("cpu", enabled=False), torch.device("cpu") if elsewhere else nullcontext():
        yield


class Engine:
    """The memory of every chip and the decoded sections of one Image."""

    def __init__(self, image: Image, tiled: bool = False) -> None:
        self.image = image
        self.tiled = tiled
        self.chips = max(1, image.target.chips)
        self.programs: dict[int, SectionProgram] = {}
        self.launches = 0
        self.loaded: set[str] = set()
        unplaced = [symbol.name for symbol in image.symbols if symbol.address < 0 or not symbol.tier]
        if unplaced:
            raise PefError(
                f"symbol '{unplaced[0]}' has no address: memory has not been planned", levers=["rdu-plan-memory"]
            )
        self.memory = Memory(image.symbols, self.chips)
        for number, symbol in enumerate(image.symbols):
            if symbol.data is not None:
                raw = torch.frombuffer(bytearray(symbol.data), dtype=TORCH_DTYPES[symbol.dtype])
                for chip in range(self.chips):
                    self.storage(number, chip).copy_(raw)

    def storage(self, number: int, chip: int) -> torch.Tensor:
        """The flat storage of a symbol on a chip: a view, so writing it writes the chip's memory."""
        return self.memory.of(number, chip)

    # -- whole tensors in and out ------------------------------------------------------------------------------------

    @cached_property
    def by_name(self) -> Mapping[str, int]:
        return {symbol.name: number for number, symbol in enumerate(self.image.symbols)}

    def load(self, tensors: Mapping[str, torch.Tensor], roles: Iterable[str] = LASTING) -> None:
        """Writes named weights and state. Names that no symbol of `roles` has are ignored.

        Raises WeightError, naming every tensor, when a shape or dtype differs from the symbol's.
        """
        wanted = set(roles)
        problems: list[str] = []
        for name, tensor in tensors.items():
            number = self.by_name.get(name)
            if number is None or self.image.symbols[number].role not in wanted:
                continue
            symbol = self.image.symbols[number]
            if tuple(tensor.shape) != whole_shape(symbol) or tensor.dtype != TORCH_DTYPES[symbol.dtype]:
                problems.append(
                    f"'{name}' is {_type_text(tensor.shape, tensor.dtype)}, the PEF has "
                    f"{_type_text(whole_shape(symbol), TORCH_DTYPES[symbol.dtype])}"
                )
                continue
            self.write(number, tensor)
        if problems:
            raise WeightError("weights do not fit the PEF: " + "; ".join(problems))

    def check_weights(self) -> None:
        """Raises WeightError, listing the names, when a parameter or buffer has not been loaded."""
        missing = [s.name for s in self.image.symbols if s.role in ("param", "buffer") and s.name not in self.loaded]
        if missing:
            shown = ", ".join(f"'{name}'" for name in missing[:8]) + (", ..." if len(missing) > 8 else "")
            raise WeightError(
                f"missing {len(missing)} of the weights that the PEF needs: {shown}",
                levers=["give the safetensors file that was saved beside the PEF (--weights)"],
            )

    def write(self, number: int, tensor: torch.Tensor) -> None:
        """Puts a whole tensor into a symbol, each chip's shard into its memory."""
        symbol = self.image.symbols[number]
        for chip in range(self.chips):
            local = shard_of(tensor.detach(), symbol.shard, chip)
            self.storage(number, chip).copy_(local.reshape(-1))
        self.loaded.add(symbol.name)

    def read(self, number: int) -> torch.Tensor:
        """The whole tensor of a symbol: a copy."""
        symbol = self.image.symbols[number]
        shape = [int(n) for n in symbol.shape]
        parts = [self.storage(number, chip).reshape(shape) for chip in range(self.chips)]
        return assemble(parts, symbol.shard)

    # -- schedules ---------------------------------------------------------------------------------------------------

    def schedule(self, graph: str | None = None) -> Schedule:
        """The named graph, or the only one; see `schedule_of`."""
        return schedule_of(self.image, graph)

    def run(self, graph: str | None, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """One call of a graph: `inputs` are the tensors of its "input" symbols, in order.

        Returns the outputs that are not tied to an input; state is updated in place, or after an error as it was.
        Raises InputError for a wrong number of inputs, shape, dtype or index, WeightError when a weight is missing.
        """
        schedule = self.schedule(graph)
        self.check_weights()
        self._write_inputs(schedule, inputs)
        before: dict[int, list[torch.Tensor]] = {}
        try:
            with plain_torch():
                for step in schedule.steps:
                    self._step(step, before)
        except BaseException:
            for number, contents in before.items():
                for chip, content in enumerate(contents):
                    self.storage(number, chip).copy_(content)
            raise
        outputs: list[torch.Tensor] = []
        for number, tied in zip(schedule.outputs, schedule.tied, strict=True):
            if tied < 0:
                outputs.append(self.read(int(number)))
                continue
            target = int(schedule.inputs[tied])
            if target != int(number):
                for chip in range(self.chips):
                    self.storage(target, chip).copy_(self.storage(int(number), chip))
        return outputs

    def _write_inputs(self, schedule: Schedule, inputs: Sequence[torch.Tensor]) -> None:
        numbers = [int(n) for n in schedule.inputs if self.image.symbols[int(n)].role == "input"]
        if len(numbers) != len(inputs):
            raise InputError(
                f"graph '{schedule.graph}' takes {len(numbers)} inputs, got {len(inputs)}",
                demand=", ".join(self.image.symbols[n].name for n in numbers),
            )
        for number, tensor in zip(numbers, inputs, strict=True):
            symbol = self.image.symbols[number]
            if tuple(tensor.shape) != whole_shape(symbol) or tensor.dtype != TORCH_DTYPES[symbol.dtype]:
                raise InputError(
                    f"input '{symbol.name}' of graph '{schedule.graph}' is {_type_text(tensor.shape, tensor.dtype)}, "
                    f"compiled for {_type_text(whole_shape(symbol), TORCH_DTYPES[symbol.dtype])}"
                )
            self.write(number, tensor)

    def _step(self, step: Launch | Repeat, before: dict[int, list[torch.Tensor]]) -> None:
        if isinstance(step, Launch):
            self._launch(step, [int(n) for n in step.symbols], before)
            return
        for turn in range(step.count):
            for launch in step.launches:
                self._launch(launch, [int(n) for n in launch.symbols[turn]], before)

    def _launch(self, launch: Launch, symbols: Sequence[int], before: dict[int, list[torch.Tensor]]) -> None:
        """Runs a section; what it may change of what outlives the call is first kept in `before`."""
        program = self.programs.get(launch.section)
        if program is None:
            program = self.programs[launch.section] = SectionProgram(self.image, launch.section)
        self.launches += 1
        chips = [int(chip) for chip in launch.chips]
        for slot in program.stored:
            number = symbols[slot]
            if number not in before and self.image.symbols[number].role in LASTING:
                before[number] = [self.storage(number, chip).clone() for chip in range(self.chips)]
        names = [self.image.symbols[number].name for number in symbols]
        program.run([[self.storage(number, chip) for number in symbols] for chip in chips], self.tiled, names)


def schedule_of(image: Image, graph: str | None = None) -> Schedule:
    """The named graph, or the only one. Raises InputError when there is none or a choice."""
    names = [schedule.graph for schedule in image.schedules]
    if graph is None and len(names) == 1:
        return image.schedules[0]
    for schedule in image.schedules:
        if schedule.graph == graph:
            return schedule
    what = f"no graph '{graph}' in this PEF" if graph is not None else "this PEF holds several graphs"
    raise InputError(what, limit=f"graphs: {', '.join(names)}", levers=["name one of them (graph=, --graph)"])


def whole_shape(symbol: Symbol) -> tuple[int, ...]:
    """The shape over all chips of a sharded symbol."""
    shape = [int(n) for n in symbol.shape]
    if symbol.shard is not None:
        shape[symbol.shard.dim] *= symbol.shard.chips
    return tuple(shape)


def shard_of(tensor: torch.Tensor, shard: Shard | None, chip: int) -> torch.Tensor:
    """What chip `chip` holds of a whole tensor: [:, chip, :] of the dimension seen as [outer, chips, inner]."""
    if shard is None:
        return tensor
    view = tensor.unflatten(shard.dim, (shard.outer, shard.chips, -1))
    return view.select(shard.dim + 1, chip % shard.chips).flatten(shard.dim, shard.dim + 1)


def assemble(parts: Sequence[torch.Tensor], shard: Shard | None) -> torch.Tensor:
    """The whole tensor from every chip's part; replicated: chip 0's."""
    if shard is None:
        return parts[0].clone()
    views = [part.unflatten(shard.dim, (shard.outer, -1)) for part in parts[: shard.chips]]
    return torch.stack(views, shard.dim + 1).flatten(shard.dim, shard.dim + 2)


def _type_text(shape: Iterable[int], dtype: torch.dtype) -> str:
    return f"{str(dtype).removeprefix('torch.')}[{', '.join(str(int(n)) for n in shape)}]"
