"""The heuristic for modules whose work is matrix products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from sambaflow.diagnostics import error_at
from sambaflow.dialects import samba
from sambaflow.errors import InputError
from sambaflow.passes.fusion.heuristics.base import Heuristic, Hints, operators


@dataclass(frozen=True)
class Gemm:
    """A product of an [m, k] by a [k, n] matrix."""

    m: int
    n: int
    k: int


def gemm_of(op: samba.SambaOp) -> Gemm | None:
    """The product that `op` is, batches counted in m; None for other operators."""
    operands = {"linear": ("input",), "addmm": ("mat1",), "matmul": ("self",), "mm": ("self",), "bmm": ("self",)}
    name = op.name.removeprefix("samba.")
    if name not in operands or (left := op.operand(operands[name][0])) is None:
        return None
    rows, result = samba.shaped_of(left).shape, samba.shaped_of(op.results[0]).shape
    return Gemm(prod(result[:-1]), result[-1], rows[-1]) if rows and result else None


class GemmHeuristic(Heuristic):
    """Products spread over their outputs, never over k; the operand that is read more often stays on the chip.

    Splitting k changes the order of additions and so the bits: a safe GEMM does not.
    """

    names = ("SAFE_GEMM", "GPT2_QKV")
    parameters = ("tp_dim",)

    def suits(self, module: samba.ModuleOp) -> bool:
        return any(gemm_of(op) for op in operators(module))

    def distribution(self, op: samba.SambaOp) -> Hints:
        gemm = gemm_of(op)
        if gemm is None:
            return {}
        return {"shard_first": "n" if gemm.n >= gemm.m else "m", "k_shard_degree": 1}

    def tiling(self, op: samba.SambaOp) -> Hints:
        """Each weight is used m times, each input element n times: the one with more uses stays."""
        gemm = gemm_of(op)
        return {} if gemm is None else {"stationary": "weight" if gemm.m > gemm.n else "input"}

    def multi_socket_distribution(self, module: samba.ModuleOp, parameters: Mapping[str, object]) -> None:
        """`tp_dim`, the dimension of the weights that chips divide: Auto, which leaves it to samba-shard."""
        wanted = str(parameters.get("tp_dim", "Auto"))
        if wanted != "Auto":
            raise error_at(module, f"asks for tp_dim = {wanted}; only Auto is supported", InputError)
