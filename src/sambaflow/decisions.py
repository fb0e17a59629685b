"""How an op says who made its decisions: the names that every level shares (`passes/framework/decisions.py`)."""

from __future__ import annotations

from typing import Literal, get_args

Origin = Literal["user", "rule", "heuristic", "search"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)

DECIDED_BY = "decided_by"
"""Discardable attribute of an op: who made its decisions."""

NEXT_BEST = "next_best"
"""Discardable attribute of an op: by kind, the best value that was not taken, and what it would have cost."""

SAMBA_HINTS = "samba.hints"
"""Discardable attribute of a samba op: a dictionary of wishes for the kernel planner, each a decision of its own."""
