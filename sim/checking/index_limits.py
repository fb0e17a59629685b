"""Which integers a graph may be given: how far the values that it indexes with may go.

    index_limits(module, graph)      -> [None, 32000, 16]     per input the first number that is too large, or None

One walk against the flow of values: an embedding of 32000 rows limits its indices, a sum limits its terms, a view or a
cast passes the limit on. Numbers from 0 up to the limit are in range of every gather and scatter that they reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr, IntegerType, ModuleOp, TensorType
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Block, Operation, SSAValue

from sambaflow.dialects import kernel, rdu, samba
from sambaflow.dialects.kernel.affine import full_ranges, interval, linear
from sambaflow.dialects.kernel.analysis import instruction_of
from sambaflow.dialects.rdu.attributes import AccessData
from sambaflow.sim.reference.semantics import CallableGraph

Limits = list[int | None]

_Key = tuple[str | int | None, ...]
"""A function's name and the limits of its results."""


def index_limits(module: ModuleOp, graph: CallableGraph) -> Limits:
    """Per input of `graph`: every integer from 0 to below this is in range; None: any integer is."""
    if isinstance(graph.op, rdu.ScheduleOp):
        program = graph.op.parent_op()
        return _schedule_limits(program, graph.op) if isinstance(program, rdu.ProgramOp) else []
    functions = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
    return _Walk(functions).block(graph.op.body.block, [None] * len(graph.outputs))


@dataclass
class _Walk:
    """The walk over one block, last op first; `limits` has the values met so far."""

    functions: Mapping[str, FuncOp]
    known: dict[_Key, Limits] = field(default_factory=dict[_Key, Limits])
    """Of the arguments of a function, given those of its results: a function that is called often is walked once."""
    limits: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])

    def block(self, block: Block, yielded: Limits) -> Limits:
        """The limits of the block's arguments, given those of what its terminator takes."""
        last = block.last_op
        if last is not None:
            self.lower_all(last.operands, yielded)
        for op in reversed(block.ops):
            if op is not last:
                self.op(op)
        return [self.limits.get(argument) for argument in block.args]

    def lower(self, value: SSAValue, limit: int | None) -> None:
        if limit is not None and _is_integer(value):
            self.limits[value] = max(1, min(limit, self.limits.get(value, limit)))

    def lower_all(self, values: Sequence[SSAValue], limits: Limits) -> None:
        for value, limit in zip(values, limits, strict=True):
            self.lower(value, limit)

    def of_results(self, op: Operation) -> Limits:
        return [self.limits.get(result) for result in op.results]

    def op(self, op: Operation) -> None:
        match op:
            case samba.SambaOp():
                for operand, limit in _indexed(op).items():
                    self.lower(op.operands[operand], limit)
                if (limit := _least(self.of_results(op))) is not None:
                    self._through(op, limit)
            case samba.ModuleOp() | kernel.SectionOp() | kernel.GroupOp():
                inner = _Walk(self.functions, self.known).block(op.body.block, self.of_results(op))
                self.lower_all(op.operands, inner)
            case CallOp() if op.callee.string_value() in self.functions:
                self.lower_all(op.operands, self._callee(op.callee.string_value(), self.of_results(op)))
            case kernel.Stage():
                self.lower_all(op.operands, _stage_limits(op, self.of_results(op)))
            case kernel.LoadOp() | kernel.StoreOp() | kernel.BufferOp():
                for operand in op.operands:
                    self.lower(operand, self.limits.get(op.results[0]))
            case _:
                pass

    def _callee(self, name: str, results: Limits) -> Limits:
        key = (name, *results)
        if key not in self.known:
            self.known[key] = _Walk(self.functions, self.known).block(self.functions[name].body.block, results)
        return self.known[key]

    def _through(self, op: samba.SambaOp, limit: int) -> None:
        """The limits of operands that make a result below `limit`."""
        settings = op.settings()
        match op.row.name, settings.get("other"):
            case "remainder" | "clamp" | "hardtanh", _:
                return  # in range whatever goes in
            case "add", int(other):
                self.lower(op.operands[0], limit - other)
            case "add", None:
                self._through_sum(op.operands, limit)
            case "mul", int(other) if other > 0:
                self.lower(op.operands[0], (limit - 1) // other + 1)
            case _:
                for operand in op.operands:
                    self.lower(operand, limit)

    def _through_sum(self, terms: Sequence[SSAValue], limit: int) -> None:
        known = [greatest(term) for term in terms]
        free = known.count(None)
        rest = limit - 1 - sum(value for value in known if value is not None)
        for term, value in zip(terms, known, strict=True):
            if value is None:
                self.lower(term, rest // free + 1)


def _is_integer(value: SSAValue) -> bool:
    element = value.type.element_type if isinstance(value.type, TensorType) else value.type
    return isinstance(element, rdu.StreamType) or (isinstance(element, IntegerType) and element.width.data > 1)


def _least(limits: Limits) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def greatest(value: SSAValue) -> int | None:
    """The greatest element of an integer tensor that is known before anything runs; None otherwise."""
    op = value.owner
    if isinstance(op, samba.ConstantOp):
        return max((int(e) for e in op.elements()), default=0)
    if not isinstance(op, samba.SambaOp):
        return None
    settings = op.settings()
    if op.row.name == "arange":
        return max(0, math.ceil(settings["end"]) - 1)
    if op.row.name in ("full", "zeros", "ones"):
        return int(settings.get("fill_value", op.row.name == "ones"))
    below = greatest(op.operands[0]) if len(op.operands) == 1 else None
    if below is None:
        return None
    if op.row.name == "add" and isinstance(settings["other"], int):
        return below + settings["other"]
    return below if op.row.traits & (samba.Trait.VIEW | samba.Trait.CAST) else None


# -- samba: operands that index, and the size that they index

_Indexing = Callable[[samba.SambaOp], Mapping[int, int]]


def _size(op: samba.SambaOp, operand: int, dim: int) -> int:
    shape = samba.shaped_of(op.operands[operand]).shape
    return shape[dim] if shape else 1


def _at_dims(first: int) -> _Indexing:
    return lambda op: {first + i: _size(op, 0, dim) for i, dim in enumerate(op.attr("dims"))}


_INDEXED: Mapping[str, _Indexing] = {
    "embedding": lambda op: {1: _size(op, 0, 0)},
    "cross_entropy_loss": lambda op: {1: _size(op, 0, -1)},
    "index": _at_dims(1),
    "index_put": _at_dims(2),
    **dict.fromkeys(("index_select", "gather", "scatter", "index_copy"), lambda op: {1: _size(op, 0, op.attr("dim"))}),
}


def _indexed(op: samba.SambaOp) -> Mapping[int, int]:
    """Operands that index and their limits. An operator that is not known gets zeros: they are always in range."""
    limits_of = _INDEXED.get(op.row.name)
    if limits_of is not None:
        return limits_of(op)
    names = op.row.operand_names(len(op.operands))
    return {i: 1 for i, name in enumerate(names) if name.split("*")[0] in ("index", "indices", "target", "position")}


# -- stages: symbols of access maps, and what a body adds up


def _stage_limits(stage: kernel.Stage, results: Limits) -> Limits:
    ranges = full_ranges(stage.extents)
    limits: Limits = [None] * len(stage.operands)
    accesses = [*zip(stage.input_maps, stage.input_types, strict=True)]
    accesses += zip(stage.result_maps, stage.output_types, strict=True)
    for map_, type_ in accesses:
        for expr, extent in zip(map_.results, type_.get_shape(), strict=True):
            form = linear(expr, ranges)
            rest = interval(replace(form, symbols=()), ranges) or (0, 0)
            for symbol, factor in form.symbols:
                port = stage.bound_inputs[symbol]
                below = (extent - 1 - max(rest[1], 0)) // factor + 1 if factor > 0 else 1
                limits[port] = max(1, min(below, limits[port] or below))
    last = stage.body_block.last_op if stage.body_block is not None else None
    if stage.body_block is None:
        own: Limits = [_least(results)] * len(stage.operands)
    else:
        yielded = len(last.operands) if last is not None else 0
        wanted: Limits = [_least(results)] * yielded if stage.init_constants else results
        own = _body_limits(stage.body_block, wanted, stage.extents)[: len(stage.operands)]
    return [_least([a, b]) for a, b in zip(limits, own, strict=True)]


def _body_limits(block: Block, yielded: Limits, extents: Sequence[int]) -> Limits:
    """The limits of a body's arguments. Bodies of stages and tile programs have the same instructions."""
    limits: dict[SSAValue, int] = {}

    def lower(value: SSAValue, limit: int | None) -> None:
        if limit is not None:
            limits[value] = max(1, min(limit, limits.get(value, limit)))

    last = block.last_op
    for value, limit in zip(last.operands if last is not None else (), yielded, strict=True):
        lower(value, limit)
    for op in reversed(block.ops):
        limit = _least([limits.get(result) for result in op.results])
        if limit is None:
            continue
        match _instruction(op):
            case "addi":
                known = [_scalar(value, extents) for value in op.operands]
                rest = limit - 1 - sum(value for value in known if value is not None)
                for value, constant in zip(op.operands, known, strict=True):
                    lower(value, rest // max(1, known.count(None)) + 1 if constant is None else None)
            case "muli":
                factor = next((f for f in (_scalar(v, extents) for v in op.operands) if f), 1)
                for value in op.operands:
                    lower(value, (limit - 1) // factor + 1)
            case "remi" | "remui" | "":
                pass
            case _:
                for value in op.operands:
                    lower(value, limit)
    return [limits.get(argument) for argument in block.args]


def _instruction(op: Operation) -> str:
    if isinstance(op, rdu.Instruction):
        return op.OPCODE.name
    row = instruction_of(op)
    return row.name if row is not None else ""


def _scalar(value: SSAValue, extents: Sequence[int]) -> int | None:
    """The greatest value of a constant or a counter of a body; None for anything else."""
    match value.owner:
        case arith.ConstantOp() | rdu.ConstantOp() as op if isinstance(op.value, IntegerAttr):
            return op.value.value.data
        case kernel.IndexOp() as op:
            chips = 1 if op.shard is None else op.shard[0]
            return extents[op.dim.value.data] * chips - 1
        case rdu.CounterOp() as op:
            return extents[op.dim.value.data] - 1
        case _:
            return None


# -- programs: index ports of access patterns


def _schedule_limits(program: rdu.ProgramOp, schedule: rdu.ScheduleOp) -> Limits:
    sections = {section.sym_name.data: section for section in program.sections}
    symbols: dict[str, int] = {}
    launches = [(sections[launch.section_name], row) for launch, _ in schedule.launches for row in launch.table]
    for section, bound in reversed(launches):
        known = [symbols.get(name) for name in bound]
        for name, limit in zip(bound, _section_limits(section, known), strict=True):
            if limit is not None:
                symbols[name] = min(limit, symbols.get(name, limit))
    return [symbols.get(name) for name in schedule.input_names]


def _section_limits(section: rdu.SectionOp, slots: Limits) -> Limits:
    """The limits of what a section reads, given those of what is read from its slots later."""
    limits: dict[SSAValue, int] = {}

    def lower(value: SSAValue, limit: int | None) -> None:
        if limit is not None:
            limits[value] = max(1, min(limit, limits.get(value, limit)))

    for slot, limit in zip(section.slots, slots, strict=True):
        lower(slot, limit)
    for unit in reversed(section.units):
        result_limit = _least([limits.get(result) for result in unit.results])
        match unit:
            case rdu.LoadOp() | rdu.StoreOp():
                elements = math.prod(unit.slot.type.get_shape()) if isinstance(unit.slot.type, TensorType) else 0
                _lower_ports(lower, unit, unit.access.data, unit.extents, elements)
                if isinstance(unit, rdu.StoreOp):
                    lower(unit.ports[0], limits.get(unit.slot))
                lower(unit.slot, result_limit)
            case rdu.PmuOp():
                for port in (*unit.write_ports, *unit.read_ports):
                    _lower_ports(lower, unit, port.data.access, port.data.extents, unit.extents[0])
                for write, value in enumerate(unit.ports[: len(unit.write_ports)]):
                    lower(value, result_limit if write < len(unit.write_ports) else None)
            case rdu.PcuOp():
                end = unit.body.block.last_op
                wanted: Limits = [result_limit] * (len(end.operands) if end is not None else 0)
                port_limits = _body_limits(unit.body.block, wanted, unit.extents)
                for value, limit in zip(unit.ports, port_limits, strict=False):
                    lower(value, limit)
            case _:
                for value in unit.ports:
                    lower(value, result_limit)
    return [limits.get(slot) for slot in section.slots]


def _lower_ports(
    lower: Callable[[SSAValue, int | None], None],
    unit: rdu.UnitOp,
    access: AccessData,
    extents: Sequence[int],
    elements: int,
) -> None:
    """What an access pattern asks of the ports that index it: bound rows where they say so, else its memory."""
    for i, port in enumerate(access.index_ports):
        rows = [(row, terms[i]) for row, terms in zip(access.bounds, access.bound_index, strict=False) if terms[i] > 0]
        for (base, *strides, extent), factor in rows:
            lower(unit.ports[port], (extent - 1 - _highest(base, strides, extents)) // factor + 1)
        if not rows and access.index_strides[i] > 0:
            room = elements - 1 - _highest(access.base, access.strides, extents)
            lower(unit.ports[port], room // access.index_strides[i] + 1)


def _highest(base: int, strides: Sequence[int], extents: Sequence[int]) -> int:
    return base + sum(max(0, stride * (extent - 1)) for stride, extent in zip(strides, extents, strict=True))
