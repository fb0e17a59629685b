"""How far rounding errors alone may move the outputs of a module: the yardstick of passes that are not exact.

    spread = rounding_spread(module, graph, inputs, outputs)

Monte Carlo arithmetic (D. S. Parker, 1997): the module runs again with small random relative errors in the operands and
results of every op whose float result depends on the order or the library of its arithmetic. What moves is
ill-conditioned: a difference of nearly equal sums, an index of a maximum that two elements share, a floor of what is
almost whole. Runs come in pairs of opposite signs, so that a value near a threshold crosses it in one of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from sambaflow.dialects import kernel, samba
from sambaflow.sim.reference.interpreter import PerChip
from sambaflow.sim.reference.samba_reference import shard, unshard
from sambaflow.sim.reference.semantics import CallableGraph, Interpreter, error_of

JITTER = 2.0**-20
"""Relative error of one operation: eight units in the last place of f32."""
PAIRS = 2
"""Runs of opposite signs."""
SAFETY = 8
"""Observed movement is multiplied by this."""

_EXACT_OPERATORS = (
    "add sub rsub mul div neg abs sign relu floor ceil round trunc clamp hardtanh maximum minimum where masked_fill "
    "eq ne lt le gt ge logical_and logical_or logical_xor logical_not isnan bitwise_and bitwise_or bitwise_xor "
    "bitwise_not square sqrt reciprocal amax amin max min any all argmax argmin topk sort max_pool2d tril triu "
    "embedding index_select index gather scatter index_copy full zeros ones arange"
)
"""Operators whose result is one correctly rounded operation of each element, or no arithmetic at all."""


def rounding_spread(
    module: ModuleOp, graph: CallableGraph, inputs: Sequence[Tensor], outputs: Mapping[str, Tensor]
) -> dict[str, Tensor] | None:
    """Per output and element how far it may move (f64); infinity where it jumps: another integer, no number any more.

    `outputs`: what `graph` gives on `inputs`. None for a graph of an rdu program, which nothing perturbs.
    """
    if not isinstance(graph.op, FuncOp):
        return None
    functions = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
    parts = [shard(tensor, port.shard, graph.chips) for port, tensor in zip(graph.inputs, inputs, strict=True)]
    spread = {name: torch.zeros(tensor.shape, dtype=torch.float64) for name, tensor in outputs.items()}
    for pair in range(PAIRS):
        for sign in (1.0, -1.0):
            perturbed = Perturbed(functions, graph.chips, sign, seed=pair).block(graph.op.body.block, parts)
            for (name, base), port, values in zip(outputs.items(), graph.outputs, perturbed, strict=True):
                torch.maximum(spread[name], _movement(base, unshard(values, port.shard)), out=spread[name])
    return spread


def _movement(base: Tensor, moved: Tensor) -> Tensor:
    if base.is_floating_point():
        return SAFETY * error_of(base, moved)
    return torch.where(base == moved, 0.0, math.inf).double()


class Perturbed(Interpreter):
    """Evaluates with a small error in what goes into and comes out of every op that is not exact."""

    def __init__(self, functions: Mapping[str, FuncOp], chips: int, sign: float, seed: int) -> None:
        super().__init__(functions, chips)
        self.scale = sign * JITTER
        self.generator = torch.Generator().manual_seed(seed)

    def op(self, op: Operation, operands: Sequence[PerChip]) -> list[PerChip]:
        if not rounds(op):
            return super().op(op, operands)
        widen = isinstance(op, samba.SambaOp)
        results = super().op(op, [self._jittered(values, widen) for values in operands])
        return [self._jittered(values, widen=False) for values in results]

    def _jittered(self, values: PerChip, widen: bool) -> PerChip:
        """f32 values with errors; narrower ones only where an operator takes them as f32 (it rounds its result)."""
        dtype = values[0].dtype
        if not dtype.is_floating_point or (dtype != torch.float32 and not widen):
            return values
        return [
            value.float() * (1 + self.scale * (2 * torch.rand(value.shape, generator=self.generator) - 1))
            for value in values
        ]


def rounds(op: Operation) -> bool:
    """Whether another order of additions, or another library, may give other floats."""
    match op:
        case samba.SambaOp():
            if op.row.traits & (samba.Trait.VIEW | samba.Trait.CAST):
                return False
            settings = op.settings()
            one_step = settings.get("alpha", 1) == 1 and settings.get("rounding_mode") is None
            return not one_step or op.row.name not in _EXACT_OPERATORS.split()
        case kernel.ContractOp() | kernel.ReduceOp() | kernel.ScanOp() | kernel.CollectiveOp():
            return True
        case _:
            return False
