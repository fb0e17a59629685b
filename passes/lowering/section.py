"""One kernel.section as one rdu.section: loads, buffers, PCU groups, stores.

    kernel.buffer + operand map      a PMU group; its read pattern is the map, linearised over the reader's domain
    move that is an access pattern   part of that read pattern (or of a store's, through a PMU)
    concat                           several write ports of the readers' PMU groups
    map, contract, reduce, ...       a PCU group
    gather of an argument            an indexed load; scatter to an argument: an indexed store
    collective                       a peer-to-peer stream

What a value is at this level is a list of sources: streams, each with the place of every element that it delivers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue
from xdsl.ir.affine import AffineExpr

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu
from sambaflow.dialects.rdu.instructions import bits_of
from sambaflow.dialects.rdu.units import stream as stream_type
from sambaflow.errors import InputError
from sambaflow.machine import window_of
from sambaflow.passes.lowering.body import LoweredBody, predicate_rows, tile_program
from sambaflow.passes.lowering.tensors import (
    LoweredTensor,
    Source,
    access_data,
    identity,
    init_bits,
    points_of,
    refined,
    source_access,
    symbols_of,
    tensor_of,
    tensor_type,
)
from sambaflow.passes.planning.access import Level, LinearAccess, linearise, whole
from sambaflow.passes.planning.analysis import Analysis, element_bytes, passed_on, passes_on
from sambaflow.passes.planning.facts import StageFacts, levels_through, placed
from sambaflow.passes.planning.windows import tiles

KINDS = {"parallel": rdu.PARALLEL, "reduction": rdu.REDUCTION, "sequential": rdu.SEQUENTIAL}


@dataclass(frozen=True)
class LoweredSection:
    """`slots[i]`: what slot i binds: ("input", argument number) or ("result", result number)."""

    op: rdu.SectionOp
    slots: tuple[tuple[str, int], ...]
    results: tuple[int, ...]
    """The slot of each result."""


class SectionLowering:
    """Translates one section: every number that it writes stands in the section, or follows from its maps.

    `units`: the rdu ops of the buffers and stores. `sized`: whether the depths in front of stores are known already.
    Raises InputError where a decision is missing, with the pass that makes it.
    """

    def __init__(self, section: kernel.SectionOp, sized: bool = True) -> None:
        self.section = section
        self.sized = sized
        self.units: dict[Operation, rdu.PmuOp | rdu.StoreOp] = {}
        self.block = Block()
        self.analysis = Analysis(section.body.block.ops)
        self.analysis.check()
        self.stage_of = dict(zip(self.analysis.ops, self.analysis.stages, strict=True))
        self.tensors: dict[SSAValue, LoweredTensor] = {}
        self.delivered: dict[tuple[kernel.Stage, int], tuple[SSAValue, LinearAccess]] = {}
        """What `_operand` has found: an operand that is read for several ends has one buffer."""
        self.location = section.location

    def lower(self) -> LoweredSection:
        """The rdu section and what its slots are."""
        slots: list[tuple[str, int]] = []
        for number, argument in enumerate(self.section.body.block.args):
            slots.append(("input", number))
            self.tensors[argument] = LoweredTensor(
                tensor_type(argument), slot=self.block.insert_arg(argument.type, number)
            )
        results = self._results(slots)
        for op in self.section.body.block.ops:
            self.location = op.location
            match op:
                case kernel.LoadOp():
                    self._load(op)
                case kernel.StoreOp():
                    self._store(op)
                case kernel.Stage():
                    self._stage(op)
                case kernel.BufferOp() if not op.result.uses:
                    raise error_at(op, "buffers what nothing reads", InputError, levers=["drop it"])
                case _:
                    pass
        made = rdu.SectionOp(self.section.label, Region(self.block))
        made.location = self.section.location
        return LoweredSection(made, tuple(slots), results)

    # -- what streams look like --------------------------------------------------------------------------------------

    def _decided(self, op: Operation, name: str, made_by: str) -> int:
        """A number that an earlier pass has written."""
        found = op.properties.get(name)
        if not isinstance(found, IntegerAttr):
            raise error_at(op, f"has no '{name}'", InputError, levers=[f"run {made_by} first"])
        return found.value.data

    def _tile(self, op: kernel.Transfer, rank: int) -> tuple[int, ...]:
        if (tile := op.tiling) is None:
            raise error_at(op, "has no 'tile'", InputError, levers=["run kernel-insert-transfers first"])
        if len(tile) != rank:
            raise error_at(
                op,
                "has a tile of another rank than what it moves",
                InputError,
                demand=f"{len(tile)} dimensions",
                limit=f"{rank}",
                levers=["drop the tile and run kernel-insert-transfers"],
            )
        return tile

    def _windows(self, op: kernel.Stage, number: int) -> int:
        """In how many windows a result leaves the stage."""
        if op.handed is None:
            raise error_at(op, "has no 'windows'", InputError, levers=["run kernel-insert-buffers first"])
        return op.handed[number]

    def _root(self, value: SSAValue) -> tuple[SSAValue, list[kernel.MoveOp]]:
        """The tensor behind buffers and folded moves, and the moves, the nearest to the reader first."""
        moves: list[kernel.MoveOp] = []
        while True:
            owner = value.owner
            if isinstance(owner, kernel.BufferOp):
                value = owner.value
            elif isinstance(owner, kernel.MoveOp) and self.stage_of[owner].fold:
                moves.append(owner)
                value = owner.operands[0]
            else:
                return value, moves

    def _stream(self, element: Attribute, elements: int, tokens: int) -> rdu.StreamType:
        return rdu.StreamType(tensor_of(element, [max(1, ceil(elements / tokens))]), tokens)

    def _add(self, op: Operation) -> None:
        op.location = self.location
        self.block.add_op(op)

    # -- off-chip ----------------------------------------------------------------------------------------------------

    def _results(self, slots: list[tuple[str, int]]) -> tuple[int, ...]:
        """The slot of each result: that of the argument it updates, else one of its own."""
        found: list[int] = []
        made: dict[SSAValue, int] = {}
        for number, value in enumerate(self.section.terminator.operands):
            store = value.owner
            assert isinstance(store, kernel.StoreOp), "sections yield what is stored"
            if value not in made:
                made[value] = self._destination(store, number, slots)
            found.append(made[value])
        return tuple(found)

    def _destination(self, store: kernel.StoreOp, number: int, slots: list[tuple[str, int]]) -> int:
        destination = store.destination
        while destination is not None and isinstance(destination.owner, kernel.StoreOp):
            destination = destination.owner.destination
        if isinstance(destination, BlockArgument):
            return destination.index
        slot = self.block.insert_arg(store.value.type, len(self.block.args))
        self.tensors[store.result] = LoweredTensor(tensor_type(store.value), slot=slot)
        slots.append(("result", number))
        return slot.index

    def _load(self, op: kernel.LoadOp) -> None:
        """Reads a slot in its own order, or through the moves behind the load."""
        root, moves = self._root(op.source)
        tensor = self.tensors[root]
        if tensor.slot is None:
            raise error_at(op, "loads a value that stands in no slot")
        type = tensor_type(op.value)
        extents = type.get_shape() or (1,)
        own = whole(type.get_shape())
        access = linearise(levels_through(own, [self.stage_of[move] for move in moves]), extents)
        tile = self._tile(op, len(extents))
        windows = tiles(extents, tile)
        waits = [tensor.token] if tensor.token is not None else []
        made = rdu.LoadOp.create_load(
            tensor.slot,
            self._stream(type.element_type, prod(type.get_shape()), windows),
            domain=access.extents,
            access=access_data(access),
            tile=refined(tile, extents, access),
            streams=waits,
            depths=[1] * len(waits),
            count=self._decided(op, "agcus", "kernel-insert-transfers"),
            label="load",
        )
        self._add(made)
        self.tensors[op.value] = LoweredTensor(type, [Source(made.result, extents, identity(type.get_shape()))])

    def _store(self, op: kernel.StoreOp) -> None:
        """Writes a slot; of a tensor that a scatter updates there, only the scattered elements."""
        updated = self.tensors.get(op.value)
        if updated is not None and updated.slot is not None:
            self.tensors[op.result] = updated
            return
        slot = self.tensors[op.result].slot if op.result in self.tensors else None
        if slot is None:
            slot = self._slot_of(op)
        source = self._delivered(op, op.value)
        access = source.access(tensor_type(op.value).get_shape())
        token = bool(op.token.uses)
        tile = refined(self._tile(op, len(source.extents)), source.extents, access)
        made = rdu.StoreOp.create_store(
            slot,
            [source.stream],
            domain=access.extents,
            access=access_data(access),
            tile=tile,
            depths=[self._depth(op, source, tiles(access.extents, tile))],
            count=self._decided(op, "agcus", "kernel-insert-transfers"),
            token=token,
            label="store",
        )
        self.units[op] = made
        self._add(made)
        self.tensors[op.result] = LoweredTensor(
            tensor_type(op.value), slot=slot, token=made.token[0] if token else None
        )

    def _depth(self, op: kernel.StoreOp, source: Source, firings: int) -> int:
        """The windows in front of a store; until they are sized, those of one firing and the next.

        A store at places that come beside it (`firings` 0) takes a window with a window of places.
        """
        if self.sized or op.depth is not None:
            return self._decided(op, "depth", "kernel-size-fifos")
        return 1 + ceil(stream_type(source.stream).count.data / firings) if firings else 2

    def _slot_of(self, op: kernel.StoreOp) -> SSAValue:
        tensor = self.tensors.get(op.destination) if op.destination is not None else None
        if tensor is None or tensor.slot is None:
            raise error_at(op, "stores to nothing that a section result or argument stands for")
        return tensor.slot

    def _delivered(self, op: Operation, value: SSAValue) -> Source:
        """One stream that delivers `value`: its own, or through a PMU."""
        root, moves = self._root(value)
        tensor = self.tensors[root]
        plain = len(tensor.sources) == 1 and not tensor.sources[0].indices
        if plain and not moves and not isinstance(value.owner, kernel.BufferOp):
            return tensor.sources[0]
        type = tensor_type(value)
        level = whole(type.get_shape())
        access = linearise(levels_through(level, [self.stage_of[move] for move in moves]), type.get_shape() or (1,))
        stream = self._pmu(op, value, tensor, access, [])
        return Source(stream, type.get_shape() or (1,), identity(type.get_shape()))

    # -- buffers -----------------------------------------------------------------------------------------------------

    def _pmu(
        self,
        reader: Operation,
        value: SSAValue,
        tensor: LoweredTensor,
        access: LinearAccess,
        indices: Sequence[SSAValue],
    ) -> SSAValue:
        """The buffer `value` as a PMU group that all sources of `tensor` write; the stream of its one read port."""
        buffer = value.owner
        if not isinstance(buffer, kernel.BufferOp):
            raise error_at(
                reader,
                "reads what takes a buffer, which is not there",
                InputError,
                levers=["run kernel-insert-buffers first"],
            )
        element, tokens = tensor.type.element_type, buffer.tokens.value.data
        operands = [source.stream for source in tensor.sources]
        handed = max((stream_type(s.stream).count.data for s in tensor.sources), default=1)
        if handed != buffer.windows:
            raise error_at(
                buffer,
                "is written in another number of windows than it says",
                InputError,
                demand=f"{handed} windows",
                limit=f"{buffer.windows}",
                levers=["make 'handed' what its maker hands over", "drop the buffer and run kernel-insert-buffers"],
            )
        ports: list[rdu.PortAttr] = []
        extra: list[SSAValue] = []
        for source in tensor.sources:
            first = len(tensor.sources) + len(extra)
            written = source.access(tensor.shape)
            ports.append(rdu.PortAttr(rdu.PortData(written.extents, access_data(written, first))))
            extra.extend(source.indices)
        first = len(tensor.sources) + len(extra)
        extra.extend(indices)
        size = prod(tensor.shape) * element_bytes(element)
        made = rdu.PmuOp.create_pmu(
            [*operands, *extra],
            [self._stream(element, min(prod(access.extents), prod(tensor.shape)), tokens)],
            elements=prod(tensor.shape),
            writes=ports,
            reads=[rdu.PortAttr(rdu.PortData(access.extents, access_data(access, first)))],
            depth=buffer.depth.value.data,
            window_bytes=window_of(size, handed),
            banks=self._decided(buffer, "banks", "kernel-insert-buffers"),
            init=tensor.init,
            count=self._decided(buffer, "pmus", "kernel-insert-buffers"),
            label="buffer",
        )
        self.units[buffer] = made
        self._add(made)
        return made.outputs[0]

    def _operand(self, op: kernel.Stage, number: int) -> tuple[SSAValue, LinearAccess]:
        """The stream that delivers operand `number` at every point of the stage's domain, and how it is read."""
        if (op, number) not in self.delivered:
            self.delivered[op, number] = self._deliver(op, number)
        return self.delivered[op, number]

    def _deliver(self, op: kernel.Stage, number: int) -> tuple[SSAValue, LinearAccess]:
        stage = self.stage_of[op]
        value = op.operands[number]
        operand = stage.operands[number]
        root, moves = self._root(value)
        tensor = self.tensors[root]
        levels = levels_through(operand.level, [self.stage_of[move] for move in moves])
        extents = stage.extents or (1,)
        access = linearise(levels, extents, operand.num_symbols)
        indices = [self._index(op, symbol) for symbol in symbols_of(access)]
        if tensor.slot is not None:
            return self._indexed_load(op, tensor, tensor.slot, access, indices), access
        return self._pmu(op, value, tensor, access, indices), access

    def _index(self, op: kernel.Stage, symbol: int) -> SSAValue:
        """The stream of the values of a symbol."""
        return self._operand(op, op.bound_inputs[symbol])[0]

    def _indexed_load(
        self, op: kernel.Stage, tensor: LoweredTensor, slot: SSAValue, access: LinearAccess, indices: Sequence[SSAValue]
    ) -> SSAValue:
        waits = [tensor.token] if tensor.token is not None else []
        mapping = op.tiling
        made = rdu.LoadOp.create_load(
            slot,
            self._stream(tensor.type.element_type, prod(access.extents), self._windows(op, 0)),
            domain=access.extents,
            access=access_data(access),
            tile=refined(mapping.tile, op.extents, access) if mapping is not None else access.extents,
            streams=[*indices, *waits],
            indices=len(indices),
            depths=[2] * len(indices) + [1] * len(waits),
            count=self._decided(op, "agcus", "kernel-insert-transfers"),
            label="gather",
        )
        self._add(made)
        return made.result

    # -- stages ------------------------------------------------------------------------------------------------------

    def _stage(self, op: kernel.Stage) -> None:
        stage = self.stage_of[op]
        if stage.fold:
            return
        if isinstance(op, kernel.MoveOp):
            self._join(op, stage) if stage.join else self._copy(op)
        elif isinstance(op, kernel.CollectiveOp):
            self._collective(op)
        elif isinstance(op, kernel.SortOp):
            raise error_at(op, "is not supported at the rdu level yet")
        elif any(op.input_blocks):
            raise error_at(op, "works on blocks, which is not supported at the rdu level yet")
        else:
            self._compute(op)

    def _copy(self, op: kernel.MoveOp) -> None:
        """A layout change that its readers cannot express: a buffer of its own."""
        stream, access = self._operand(op, 0)
        del access
        self.tensors[op.results[0]] = LoweredTensor(
            op.output_types[0], [Source(stream, op.extents or (1,), op.result_maps[0].results)]
        )

    def _join(self, op: kernel.MoveOp, stage: StageFacts) -> None:
        """The first operand in range wins: it is written last."""
        pads = op.pad_constants
        joined = LoweredTensor(op.output_types[0], init=bits_of(pads[0]) if pads[0] is not None else 0)
        for number in range(len(op.operands) - 1, -1, -1):
            joined.sources.append(self._part(op, stage, number))
        self.tensors[op.results[0]] = joined

    def _part(self, op: kernel.MoveOp, stage: StageFacts, number: int) -> Source:
        """Operand `number` of a join: its elements where they go, or, through a buffer, the join's domain as far as it
        is in range."""
        coordinates = op.result_maps[0].results
        point = placed(stage, number)
        if point is None:
            stream, read = self._operand(op, number)
            del read
            level = stage.operands[number].level
            within = (Level(level.coordinates, level.shape, None if level.pad is None else 0),)
            return Source(stream, stage.extents or (1,), coordinates, within=within)
        delivered = self._delivered(op, op.operands[number])
        coordinates = tuple(expr.replace_dims_and_symbols(point, ()) for expr in coordinates)
        coordinates = tuple(expr.replace_dims_and_symbols(delivered.coordinates, ()) for expr in coordinates)
        return Source(delivered.stream, delivered.extents, coordinates, delivered.indices, delivered.within)

    def _collective(self, op: kernel.CollectiveOp) -> None:
        stream, _ = self._operand(op, 0)
        type = op.output_types[0]
        made = rdu.CollectiveOp.create_collective(
            stream,
            self._stream(type.element_type, prod(type.get_shape()), self._windows(op, 0)),
            op=op.op.data,
            dim=op.dim.value.data if op.dim is not None else 0,
            chips=op.chips.value.data,
            wire=op.wire,
            domain=op.extents,
            label=op.op.data,
        )
        self._add(made)
        self.tensors[op.results[0]] = LoweredTensor(
            type, [Source(made.result, type.get_shape(), identity(type.get_shape()))]
        )

    def _compute(self, op: kernel.Stage) -> None:
        """Streams in, the PCU group unless nothing is computed, results as sources or as stores to a slot."""
        if passes_on(op):
            stream, _ = self._operand(op, passed_on(op))
            self._result(op, 0, stream, op.extents or (1,), points_of(op, keep=("parallel", "sequential", "reduction")))
            return
        program = tile_program(op)
        made = self._pcu(op, program)
        for number in range(len(op.results)):
            per_step = number < op.step_results and bool(op.init_constants)
            keep = ("parallel", "sequential") if per_step or not op.init_constants else ("parallel",)
            extents = tuple(e for e, kind in zip(op.extents, op.kinds, strict=True) if kind in keep)
            block = kernel.block_shape(op.yielded[number].type)
            self._result(
                op, number, made.outputs[number], (*(extents or (1,)), *block), points_of(op, keep), len(block)
            )

    def _pcu(self, op: kernel.Stage, program: LoweredBody) -> rdu.PcuOp:
        mapping = op.tiling
        assert mapping is not None, "a stage that takes PCUs is tiled"
        streams = [self._operand(op, port)[0] for port in program.ports]
        scalar = not op.extents
        made = rdu.PcuOp.create_pcu(
            streams,
            self._output_streams(op),
            program.body,
            mode=self.stage_of[op].mode,
            domain=op.extents or (1,),
            kinds=[KINDS[kind] for kind in op.kinds] or [rdu.PARALLEL],
            tile=mapping.tile if not scalar else (1,),
            par=mapping.par if not scalar else (1,),
            order=mapping.order if not scalar else (0,),
            split=op.splits if not scalar else (1,),
            depths=[2] * len(streams),
            inits=[init_bits(init) for init in op.init_constants],
            predicate=[(row[0], 0, *row[1:]) if scalar else row for row in predicate_rows(op, program.ports)],
            combine=program.combine,
            finish=program.finish,
            count=prod(mapping.par),
            label=op.name.removeprefix("kernel."),
        )
        self._add(made)
        return made

    def _output_streams(self, op: kernel.Stage) -> list[rdu.StreamType]:
        """The types of a PCU's output ports; final accumulators that are no results leave by ports nobody reads."""
        made = [kernel.element_type(value.type) for value in op.yielded]  # sums are f32 until they are stored
        scatters = isinstance(op, kernel.ScatterOp)  # hands over what it scatters, not the tensor that it is part of
        adds = scatters and op.conflict.data == "add"
        streams = [
            self._stream(
                made[number] if adds else type.element_type,
                prod(op.extents if scatters else type.get_shape()),
                self._windows(op, number),
            )
            for number, type in enumerate(op.output_types)
        ]
        if op.init_constants and op.step_results == len(op.results):
            outer = prod(e for e, kind in zip(op.extents, op.kinds, strict=True) if kind == "parallel")
            for type in op.accumulator_types:
                elements = outer * prod(kernel.block_shape(type))
                streams.append(self._stream(kernel.element_type(type), elements, 1))
        return streams

    def _result(
        self,
        op: kernel.Stage,
        number: int,
        stream: SSAValue,
        extents: tuple[int, ...],
        points: Sequence[AffineExpr],
        block: int = 0,
    ) -> None:
        """Record where result `number` comes from; one that updates an argument in place is stored at once.

        The last `block` extents run over a block whose first element is where the map says.
        """
        map = op.result_maps[number]
        shape = op.output_types[number].get_shape()
        coordinates = tuple(expr.replace_dims_and_symbols(points, ()) for expr in map.results)
        inner = [AffineExpr.dimension(d) for d in range(len(extents) - block, len(extents))]
        outer = len(shape) - block
        coordinates = (*coordinates[:outer], *(c + d for c, d in zip(coordinates[outer:], inner, strict=True)))
        source = Source(stream, extents, coordinates)
        used = symbols_of(source_access(source, shape, map.num_symbols))
        if used:
            streams = tuple(self._index(op, symbol) for symbol in used)
            renumbered = [
                AffineExpr.symbol(used.index(s)) if s in used else AffineExpr.constant(0)
                for s in range(map.num_symbols)
            ]
            dims = [AffineExpr.dimension(d) for d in range(len(extents))]
            coordinates = tuple(expr.replace_dims_and_symbols(dims, renumbered) for expr in coordinates)
            source = Source(stream, extents, coordinates, streams)
        tied = op.tied_inputs[number]
        if tied < 0:
            self.tensors[op.results[number]] = LoweredTensor(op.output_types[number], [source])
            return
        base, _ = self._root(op.operands[tied])
        before = self.tensors[base]
        if before.slot is None:
            if isinstance(op, kernel.ScatterOp) and op.conflict.data != "overwrite":
                raise error_at(
                    op,
                    f"updates a copy with conflict '{op.conflict.data}', which no buffer does: a buffer overwrites",
                    levers=["return the updated tensor tied to its argument, and do not read the old one afterwards"],
                )
            self.tensors[op.results[number]] = LoweredTensor(
                op.output_types[number], [*before.sources, source], before.init
            )
            return
        self._update(op, number, source, before, before.slot)

    def _update(self, op: kernel.Stage, number: int, source: Source, before: LoweredTensor, slot: SSAValue) -> None:
        """Store the scattered elements into the slot of the tensor that they update."""
        access = source.access(before.shape)
        store = next(
            (use.operation for use in op.results[number].uses if isinstance(use.operation, kernel.StoreOp)), None
        )
        if store is None:
            raise error_at(op, "updates a tensor off the chip without a store", levers=["run kernel-insert-transfers"])
        token = bool(store.token.uses)
        waits = [before.token] if before.token is not None else []
        tile = refined(self._tile(store, len(source.extents)), source.extents, access)
        made = rdu.StoreOp.create_store(
            slot,
            [source.stream, *source.indices, *waits],
            domain=access.extents,
            access=access_data(access, 1),
            tile=tile,
            indices=len(source.indices),
            depths=[self._depth(store, source, 0), *[2] * len(source.indices), *[1] * len(waits)],
            conflict=op.conflict.data if isinstance(op, kernel.ScatterOp) else "overwrite",
            count=self._decided(store, "agcus", "kernel-insert-transfers"),
            token=token,
            label="scatter",
        )
        self.units[store] = made
        self._add(made)
        after = made.token[0] if token else before.token
        self.tensors[op.results[number]] = LoweredTensor(before.type, slot=before.slot, token=after)
