"""One execution of a kernel stage: the boxes it visits, what they read, where they write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import ceil

import torch
from xdsl.ir import SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel
from sambaflow.errors import InputError
from sambaflow.sim.reference.kernel_access import Box, Destination, read
from sambaflow.sim.reference.kernel_body import Place, StageRunner, tensor_of, torch_dtype

Tensor = torch.Tensor


@dataclass
class Execution:
    """A stage, its operands, and its results as they are written. `run_stage` carries out nested stages."""

    stage: kernel.Stage
    inputs: Sequence[Tensor]
    chip: int
    tiled: bool
    outer: Mapping[SSAValue, Tensor]
    run_stage: StageRunner
    destinations: list[Destination] = field(default_factory=list[Destination])

    def __post_init__(self) -> None:
        self.destinations = [self._destination(i) for i in range(len(self.stage.results))]

    def results(self) -> list[Tensor]:
        """The results as they stand, in their types."""
        pairs = zip(self.destinations, self.stage.results, strict=True)
        return [destination.tensor.to(torch_dtype(result.type)) for destination, result in pairs]

    def _destination(self, result: int) -> Destination:
        """The tensor that a result starts from: the tied input, else zeros. Added values stay f32 until the end."""
        stage = self.stage
        conflict = stage.conflict.data if isinstance(stage, kernel.ScatterOp) else ""
        tied = stage.tied_inputs[result]
        type_ = stage.output_types[result]
        dtype = torch_dtype(type_)
        if conflict == "add" and dtype in (torch.bfloat16, torch.float16):
            dtype = torch.float32
        start = self.inputs[tied].to(dtype, copy=True) if tied >= 0 else torch.zeros(type_.get_shape(), dtype=dtype)
        return Destination(start.contiguous(), conflict)

    # ---- boxes

    def tiles(self, whole: Sequence[int] = ()) -> Iterator[Box]:
        """The tiles of the mapping in its order, ragged edges clamped; one box when not tiled. `whole`: dims not
        cut."""
        extents, mapping = self.stage.extents, self.stage.tiling
        if not self.tiled or mapping is None:
            yield Box.whole(extents)
            return
        tile = [extents[d] if d in whole else size for d, size in enumerate(mapping.tile)]
        yield from boxes(extents, tile, mapping.order)

    def place(self, box: Box) -> Place:
        """Where a body runs."""
        return Place(box, self.chip, self.outer, self.run_stage)

    def symbols(self, box: Box) -> list[Tensor]:
        """The values of the map symbols over a box."""
        return [self.read(i, box, ()).to(torch.int64) for i in self.stage.bound_inputs]

    def read(self, i: int, box: Box, symbols: Sequence[Tensor]) -> Tensor:
        """What input i delivers over a box, compact."""
        stage = self.stage
        pad = stage.pad_constants[i]
        value = None if pad is None else tensor_of(pad).item()
        try:
            return read(self.inputs[i], stage.input_maps[i], box, symbols, stage.input_blocks[i], value)
        except InputError as error:
            raise error_at(stage, f"input {i}: {error.args[0]}", InputError) from None

    def read_all(self, box: Box, symbols: Sequence[Tensor]) -> list[Tensor]:
        """What every input delivers over a box. The tensor behind a tied result is read where it stands."""
        return [self.read(i, box, symbols) for i in range(len(self.inputs))]

    def write(self, number: int, value: Tensor, box: Box, symbols: Sequence[Tensor], mask: Tensor | None) -> None:
        """Write result `number` over a box; `value` is compact and has the axes of its block behind."""
        block = tuple(value.shape[len(box.sizes) :])
        self.destinations[number].write(value, self.stage.result_maps[number], box, symbols, block, mask)


def boxes(extents: Sequence[int], tile: Sequence[int], order: Sequence[int]) -> Iterator[Box]:
    """The tile grid of a domain, outermost loop first in `order`."""
    for step in product(*(range(ceil(extents[d] / tile[d])) for d in order)):
        starts = [0] * len(extents)
        for d, number in zip(order, step, strict=True):
            starts[d] = number * tile[d]
        yield Box(tuple(starts), tuple(min(t, e - s) for t, e, s in zip(tile, extents, starts, strict=True)))
