"""Groups of units, as placing sees them."""

from __future__ import annotations

from dataclasses import dataclass

from sambaflow.dialects.rdu.grid import Place


@dataclass(frozen=True)
class Group:
    """`count` equal units of a kind: `pcu`, `pmu` or `agcu`."""

    kind: str
    count: int
    agcu: int = -1
    """The AGCU that it shares: groups with the same number stand at the same place. -1: it shares none."""
    places: tuple[Place, ...] = ()
    """Where its units are fixed; empty where that is open."""
