"""Reference interpreter of samba modules: what every later level must compute.

Functions, calls, fused modules, constants and collectives are evaluated op by op in torch. Every result is rounded once
to its declared dtype; inside an operator 16-bit floats are f32. With several chips the chips run in lockstep: each
value is one tensor a chip, so collectives are functions of a list.

    run(module, "forward", {"x": x, "fc.weight": w})["output"]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import cast

import torch
from torch import Tensor
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, ModuleOp, StringAttr
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Attribute, Operation

from sambaflow.diagnostics import error_at
from sambaflow.dialects import samba
from sambaflow.dialects.samba.conventions import argument_attributes, result_attributes, shard_of
from sambaflow.dialects.samba.inference import is_float
from sambaflow.errors import InputError, WeightError
from sambaflow.sim.reference.interpreter import BlockInterpreter, PerChip
from sambaflow.sim.reference.samba_functions import FUNCTIONS, NATIVE, torch_dtype

_NARROW = (torch.bfloat16, torch.float16)


def run(module: ModuleOp, function: str, tensors: Mapping[str, Tensor], chips: int = 1) -> dict[str, Tensor]:
    """Evaluates a public function on whole tensors by name; returns its results by name.

    Arguments and results with a samba.shard are cut over the chips and put together again. A name that is missing or a
    tensor of the wrong shape or dtype is a WeightError.
    """
    op = _function(module, function)
    attributes = argument_attributes(op)
    arguments: list[PerChip] = []
    for i, (entry, local) in enumerate(zip(attributes, op.function_type.inputs.data, strict=True)):
        name = _name(entry, f"arg{i}")
        if name not in tensors:
            raise WeightError(f"function @{function} needs a tensor named '{name}'")
        parts = shard(tensors[name], shard_of(entry), chips)
        _check_tensor(name, parts[0], local)
        arguments.append(parts)
    results = run_chips(module, function, arguments)
    entries = result_attributes(op)
    names = [_name(entry, f"result{i}") for i, entry in enumerate(entries)]
    return {name: unshard(r, shard_of(entry)) for name, r, entry in zip(names, results, entries, strict=True)}


def run_chips(module: ModuleOp, function: str, arguments: Sequence[PerChip]) -> list[PerChip]:
    """Evaluates a function on positional arguments, each one tensor a chip."""
    functions = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
    chips = len(arguments[0]) if arguments else 1
    return _Interpreter(functions, chips).call(_function(module, function), arguments)


def _function(module: ModuleOp, name: str) -> FuncOp:
    for op in module.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == name:
            return op
    raise InputError(f"the module has no function @{name}")


def _name(entry: Mapping[str, Attribute], default: str) -> str:
    name = entry.get("samba.name")
    return name.data if isinstance(name, StringAttr) else default


def _check_tensor(name: str, tensor: Tensor, declared: Attribute) -> None:
    shape, dtype = samba.shaped_of(declared)
    if tuple(tensor.shape) != shape or tensor.dtype != torch_dtype(dtype):
        raise WeightError(f"tensor '{name}' is {list(tensor.shape)} of {tensor.dtype}, the function takes {declared}")


def shard(tensor: Tensor, attribute: samba.ShardAttr | None, chips: int) -> PerChip:
    """The part of a tensor on each chip: dimension `dim` as [outer, chips, inner], chip c holds [:, c, :]."""
    if attribute is None:
        return [tensor] * chips
    dim, outer, count = attribute.values
    view = tensor.unflatten(dim, (outer, count, -1))
    return [view.select(dim + 1, c).flatten(dim, dim + 1) for c in range(count)]


def unshard(parts: PerChip, attribute: samba.ShardAttr | None) -> Tensor:
    """The whole tensor of the chips' parts."""
    if attribute is None:
        return parts[0]
    dim, outer, _ = attribute.values
    views = [part.unflatten(dim, (outer, -1)) for part in parts]
    return torch.stack(views, dim + 1).flatten(dim, dim + 2)


class _Interpreter(BlockInterpreter):
    """Evaluates blocks; `functions` are the callees by name."""

    def __init__(self, functions: Mapping[str, FuncOp], chips: int) -> None:
        self.functions = functions
        self.chips = chips

    def call(self, function: FuncOp, arguments: Sequence[PerChip]) -> list[PerChip]:
        block = function.body.block
        if len(arguments) != len(block.args):
            raise InputError(
                f"function @{function.sym_name.data} takes {len(block.args)} tensors, got {len(arguments)}"
            )
        return self.block(block, arguments)

    def op(self, op: Operation, operands: Sequence[PerChip]) -> Sequence[PerChip]:
        match op:
            case samba.SambaOp():
                return evaluate(op, operands, self.chips)
            case samba.ConstantOp():
                return [[dense_tensor(op.value)] * self.chips]
            case samba.ModuleOp():
                return self.block(op.body.block, operands)
            case CallOp():
                return self.call(self.functions[op.callee.string_value()], operands)
            case _:
                raise error_at(op, "cannot be run by the samba reference interpreter", InputError)


def evaluate(op: samba.SambaOp, operands: Sequence[PerChip], chips: int = 1) -> list[PerChip]:
    """One operator on all chips: per result, one tensor a chip."""
    collective = _COLLECTIVES.get(op.row.name)
    if collective is not None:
        outputs = [_rounded(part, op.results[0].type) for part in collective(operands[0], op)]
        return [outputs]
    per_chip = [apply(op, [operand[c] for operand in operands]) for c in range(chips)]
    return [list(parts) for parts in zip(*per_chip, strict=True)]


def apply(op: samba.SambaOp, operands: Sequence[Tensor]) -> list[Tensor]:
    """One operator on one chip, each result rounded once to its dtype."""
    name = op.row.name
    function = FUNCTIONS.get(name)
    if function is None:
        raise error_at(op, "has no reference function", InputError)
    operands = [value.contiguous() for value in operands]  # torch's sigmoid, silu and gelu give other bits on views
    if name not in NATIVE:
        operands = [value.float() if value.dtype in _NARROW else value for value in operands]
    results = function(operands, op.settings())
    listed = [results] if isinstance(results, Tensor) else list(results)
    return [_rounded(value, result.type) for value, result in zip(listed, op.results, strict=True)]


def _rounded(value: Tensor, declared: Attribute) -> Tensor:
    shape, dtype = samba.shaped_of(declared)
    return value.to(torch_dtype(dtype)).reshape(shape)


def dense_tensor(value: DenseIntOrFPElementsAttr) -> Tensor:
    """A dense constant as a tensor, bit for bit."""
    shape, dtype = samba.shaped_of(cast(Attribute, value.type))
    elements = value.get_values()
    if not is_float(dtype):
        return torch.tensor(elements, dtype=torch_dtype(dtype)).reshape(shape)
    return torch.tensor(elements, dtype=torch.float64).to(torch_dtype(dtype)).reshape(shape)


# Collectives: the chips' tensors -> the chips' results. Sums are f32, in ascending order of the chips.


def _on_the_wire(parts: PerChip, op: samba.SambaOp) -> PerChip:
    wire = torch_dtype(op.attr("wire"))
    return [part.to(wire).float() if part.dtype.is_floating_point else part for part in parts]


def _total(parts: PerChip) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _all_reduce(parts: PerChip, op: samba.SambaOp) -> PerChip:
    return [_total(_on_the_wire(parts, op))] * len(parts)


def _all_gather(parts: PerChip, op: samba.SambaOp) -> PerChip:
    return [torch.cat(parts, op.attr("dim"))] * len(parts)


def _reduce_scatter(parts: PerChip, op: samba.SambaOp) -> PerChip:
    return list(_total(_on_the_wire(parts, op)).chunk(len(parts), op.attr("dim")))


def _all_to_all(parts: PerChip, op: samba.SambaOp) -> PerChip:
    sent = [part.chunk(len(parts), op.attr("dim")) for part in parts]
    return [torch.cat([pieces[c] for pieces in sent], op.attr("dim")) for c in range(len(parts))]


_COLLECTIVES: dict[str, Callable[[PerChip, samba.SambaOp], PerChip]] = {
    "all_reduce": _all_reduce,
    "all_gather": _all_gather,
    "reduce_scatter": _reduce_scatter,
    "all_to_all": _all_to_all,
}


@cache
def supported() -> frozenset[str]:
    """Operators that the interpreter evaluates."""
    return frozenset(FUNCTIONS) | frozenset(_COLLECTIVES)


__all__ = ["apply", "dense_tensor", "evaluate", "run", "run_chips", "shard", "supported", "unshard"]
