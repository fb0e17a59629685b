"""The heuristic for modules with attention."""

from __future__ import annotations

from sambaflow.dialects import samba
from sambaflow.passes.fusion.heuristics.base import Heuristic, Hints, operators


class MhaHeuristic(Heuristic):
    """Attention spreads over heads first; queries stay while keys and values stream by, block after block."""

    names = ("MHA", "SDPA")

    def suits(self, module: samba.ModuleOp) -> bool:
        names = [op.name for op in operators(module)]
        return "samba.scaled_dot_product_attention" in names or "samba.softmax" in names

    def distribution(self, op: samba.SambaOp) -> Hints:
        return {"shard_first": "heads"} if _is_product(op) else {}

    def tiling(self, op: samba.SambaOp) -> Hints:
        return {"stationary": "query"} if _is_product(op) else {}


def _is_product(op: samba.SambaOp) -> bool:
    return op.name in ("samba.scaled_dot_product_attention", "samba.matmul", "samba.bmm")
