"""A section of which tiles, windows and transfers stand: what is left to choose are par factors and depths."""

from __future__ import annotations

from dataclasses import dataclass

from sambaflow.passes.planning.resources import Resources
from sambaflow.passes.planning.section_graph import SectionGraph
from sambaflow.passes.planning.section_transfers import Transfers
from sambaflow.passes.planning.section_windows import Windows
from sambaflow.passes.planning.stage_tilings import TiledStage
from sambaflow.passes.planning.standing import Standing


@dataclass(frozen=True, eq=False)
class TiledSection:
    """`tiled`: the stage of every node, with its candidates. `standing`: decisions about its edges that are kept."""

    graph: SectionGraph
    tiled: tuple[TiledStage, ...]
    windows: Windows
    transfers: Transfers
    standing: Standing
    resources: Resources
