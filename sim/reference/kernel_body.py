"""Bodies of kernel stages in torch: every op of a region as a step over tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, cast

import torch
from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr, IntegerAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.analysis import dtype_name, instruction_of
from sambaflow.errors import InputError
from sambaflow.sim.functional import primitives
from sambaflow.sim.functional.dtypes import TORCH_DTYPES
from sambaflow.sim.reference.kernel_access import Box

Tensor = torch.Tensor
Environment = dict[SSAValue, Tensor]
StageRunner = Callable[[kernel.Stage, Sequence[Tensor], Mapping[SSAValue, Tensor]], list[Tensor]]
"""(nested stage, operands, scalars of the scan around it) -> results."""


def _no_stages(stage: kernel.Stage, operands: Sequence[Tensor], scalars: Mapping[SSAValue, Tensor]) -> list[Tensor]:
    raise error_at(stage, "stands where no stage can run", InputError)


@dataclass(frozen=True)
class Place:
    """Where a body runs: the box of the stage's domain, the chip, the scalars of the enclosing scan, nested stages.

    `point`: the box is one point, and scalars are 0-d.
    """

    box: Box
    chip: int = 0
    outer: Mapping[SSAValue, Tensor] = field(default_factory=dict[SSAValue, Tensor])
    run_stage: StageRunner = _no_stages
    point: bool = False

    def index(self, op: kernel.IndexOp) -> Tensor:
        """`kernel.index` over the box."""
        index = self.box.indices[op.dim.value.data]
        index = index.reshape(()) if self.point else index
        if op.shard is None:
            return index
        chips, inner = op.shard
        return index // inner * (chips * inner) + self.chip * inner + index % inner


@dataclass(frozen=True)
class Step:
    """One op: what it reads, what it defines, what it does."""

    operands: tuple[SSAValue, ...]
    results: tuple[SSAValue, ...]
    run: Callable[[Place, Sequence[Tensor]], Sequence[Tensor]]


class Program:
    """The ops of a region's block, ready to run many times."""

    def __init__(self, block: Block):
        self.arguments = tuple(block.args)
        self.steps = [_step(op) for op in block.ops if not isinstance(op, kernel.YieldOp)]
        self.yielded = tuple(cast(Operation, block.last_op).operands)

    def run(self, place: Place, arguments: Sequence[Tensor]) -> list[Tensor]:
        """What the region yields for these arguments."""
        environment: Environment = dict(zip(self.arguments, arguments, strict=True))
        evaluate(self.steps, place, environment)
        return self.values(environment, place)

    def values(self, environment: Environment, place: Place) -> list[Tensor]:
        """The yielded values."""
        return [lookup(value, environment, place) for value in self.yielded]

    def depending(self, values: Iterable[SSAValue]) -> tuple[list[Step], list[Step]]:
        """(steps that do not depend on the values, steps that do)."""
        tainted = dict.fromkeys(values)
        free: list[Step] = []
        bound: list[Step] = []
        for step in self.steps:
            if any(operand in tainted for operand in step.operands):
                tainted.update(dict.fromkeys(step.results))
                bound.append(step)
            else:
                free.append(step)
        return free, bound


def evaluate(steps: Iterable[Step], place: Place, environment: Environment) -> None:
    """Run steps in order; the environment gains their results."""
    for step in steps:
        operands = [lookup(value, environment, place) for value in step.operands]
        environment.update(zip(step.results, step.run(place, operands), strict=True))


def lookup(value: SSAValue, environment: Mapping[SSAValue, Tensor], place: Place) -> Tensor:
    """A value of the region, else a scalar of the enclosing scan."""
    own = environment.get(value)
    return place.outer[value] if own is None else own


def torch_dtype(type_: Attribute) -> torch.dtype:
    """The torch dtype of an element or tensor type."""
    return TORCH_DTYPES[dtype_name(type_)]


def tensor_of(attribute: Attribute) -> Tensor:
    """A constant as a tensor: 0-d for a scalar."""
    match attribute:
        case FloatAttr() | IntegerAttr():
            return torch.tensor(attribute.value.data, dtype=torch_dtype(attribute.type))
        case kernel.FillAttr():
            return tensor_of(attribute.value).expand(attribute.type.get_shape())
        case DenseIntOrFPElementsAttr():
            values = torch.tensor(list(cast(Any, attribute).get_values()), dtype=torch_dtype(attribute.type))
            shape = attribute.type.get_shape()
            return values.reshape(shape) if values.numel() == prod(shape) else values.expand(shape).contiguous()
        case _:
            raise InputError(f"not a constant: {attribute}")


def _step(op: Operation) -> Step:
    match op:
        case arith.ConstantOp():
            value = tensor_of(op.value)
            return Step((), tuple(op.results), lambda place, operands: (value,))
        case kernel.IndexOp():
            return Step((), tuple(op.results), lambda place, operands: (place.index(op),))
        case kernel.InsertSortedOp():
            return Step((op.value, op.index, op.values, op.indices), tuple(op.results), _insert_sorted)
        case kernel.Stage():
            return _nested(op)
        case _:
            return _instruction(op)


def _nested(stage: kernel.Stage) -> Step:
    """A stage in the body of a scan: it also reads the scan's scalars that its regions use."""
    captured = tuple(dict.fromkeys(captures(stage)))
    count = len(stage.operands)

    def run(place: Place, operands: Sequence[Tensor]) -> Sequence[Tensor]:
        scalars = dict(zip(captured, operands[count:], strict=True))
        return place.run_stage(stage, operands[:count], scalars)

    return Step((*stage.operands, *captured), tuple(stage.results), run)


def captures(stage: kernel.Stage) -> Iterator[SSAValue]:
    """The values from outside that the regions of a nested stage use."""
    inner = dict.fromkeys(region for op in stage.walk() for region in op.regions)
    for op in stage.walk():
        if op is stage:
            continue
        for operand in op.operands:
            block = operand.owner if isinstance(operand.owner, Block) else operand.owner.parent
            if block is None or block.parent not in inner:
                yield operand


def _insert_sorted(place: Place, operands: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    return primitives.insert_sorted(*operands)


def _instruction(op: Operation) -> Step:
    row = instruction_of(op)
    if row is None:
        raise error_at(op, "has no instruction", InputError)
    typed = op.operands[0] if row.op_class == "compare" else op.results[0]
    dtype = "i64" if row.name == "random_bits" else dtype_name(typed.type)
    name = row.name

    def run(place: Place, operands: Sequence[Tensor]) -> tuple[Tensor]:
        return (primitives.apply(name, dtype, aligned(operands)),)

    return Step(tuple(op.operands), tuple(op.results), run)


def aligned(values: Sequence[Tensor]) -> Sequence[Tensor]:
    """Elements and blocks in one operation: elements get axes of size 1 behind."""
    depth = max(value.dim() for value in values)
    return [v if v.dim() in (0, depth) else v.reshape((*v.shape, *(1,) * (depth - v.dim()))) for v in values]
