"""The loads and stores of a section, and the AGCUs that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from sambaflow.machine import PICOSECONDS, agcu_bandwidth, agcu_counts, agcus_taken, shared_agcus
from sambaflow.passes.planning.resources import Resources
from sambaflow.passes.planning.section_graph import SectionGraph
from sambaflow.passes.planning.standing import Standing


class Transfer(NamedTuple):
    """A load or store: `TransferPlan` without its tile."""

    value: int
    reader: int
    bytes: int
    store: bool
    agcus: int


@dataclass(frozen=True)
class Transfers:
    """All that a section loads and stores. `agcus`: the fewest that carry it and the collectives.

    `least`: picoseconds that the tier, or the busiest of AGCUs that transfers share, takes with it whatever else runs.
    """

    rows: tuple[Transfer, ...]
    agcus: int
    least: int


def transfers_of(graph: SectionGraph, standing: Standing, resources: Resources) -> Transfers:
    """The transfers of a section, with the AGCUs that stand, or that each has by its bytes."""
    agcus = resources.budget.agcus
    moved = [(value, reader, size, False) for (value, reader), size in graph.loads.items()]
    moved += [(value, -1, size, True) for value, size in graph.stores.items()]
    asked = [standing.transfer(value, reader, store).agcus for value, reader, _, store in moved]
    counts = agcu_counts([size for _, _, size, _ in moved], graph.exchanges, agcus, asked)
    rows = tuple(Transfer(*row, count) for row, count in zip(moved, counts, strict=True))
    least = max(resources.transfer(graph.off_chip_bytes), _shared_picoseconds(rows, graph.exchanges, resources))
    return Transfers(rows, agcus_taken([*counts, *[1] * graph.exchanges], agcus), least)


def _shared_picoseconds(rows: Sequence[Transfer], exchanges: int, resources: Resources) -> int:
    """Picoseconds that the busiest shared AGCU carries loads and stores; 0 when none is shared."""
    agcus = resources.budget.agcus
    if len(rows) + exchanges <= agcus:
        return 0
    single = [row.bytes for row in rows if row.agcus == 1]
    left = agcus - sum(row.agcus for row in rows if row.agcus > 1)
    carried = [0] * max(1, left)
    for size, agcu in zip(single, shared_agcus(single, len(carried)), strict=True):
        carried[agcu] += size
    return ceil(max(carried) * PICOSECONDS / agcu_bandwidth(resources.machine, resources.tier))
