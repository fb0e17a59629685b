"""How many parts the buffers of a section hold, for a choice of candidates: a depth by edge."""

from __future__ import annotations

from sambaflow.passes.planning.balance import Choice
from sambaflow.passes.planning.buffer_room import BufferRoom
from sambaflow.passes.planning.section_time import Schedule
from sambaflow.passes.planning.tiled_section import TiledSection

Depths = tuple[int, ...]

DOUBLE = 2
"""One part is written while the other is read."""


def double_buffers(section: TiledSection, room: BufferRoom) -> Depths:
    """What is read in one part needs one, all else two."""
    return tuple(room.depth(n, DOUBLE if tokens > 1 else 1) for n, tokens in enumerate(section.windows.tokens))


def deepened(
    section: TiledSection, room: BufferRoom, choice: Choice, depths: Depths, times: Schedule
) -> tuple[Depths, bool]:
    """Buffers as deep as their reader is late; then weights as deep as PMUs are left. False: they do not fit."""
    depths = _as_late(section, room, choice, depths, times)
    left = section.resources.budget.pmus - room.demand(depths).of(choice)
    if left < 0 and all(node.stage.mapping is not None for node in section.graph.nodes):
        depths, left = _flattened(section, room, choice, depths, left)
    if left < 0:
        return depths, False
    return _prefetching(section, room, choice, depths, left), True


def _as_late(section: TiledSection, room: BufferRoom, choice: Choice, depths: Depths, times: Schedule) -> Depths:
    """Between two stages a buffer collects what the first makes before the second starts."""
    deep, tokens = list(depths), section.windows.tokens
    for number in section.graph.buffers:
        source, target = section.graph.edges[number].source, section.graph.edges[number].target
        if source is None or target is None or tokens[number] == 1:
            continue
        maker = section.tiled[source]
        pace = max(1, maker.firings * maker.intervals[choice[source]] // tokens[number])
        late = max(0, times.starts[target] - times.starts[source])
        deep[number] = room.depth(number, min(tokens[number], DOUBLE + late // pace))
    return tuple(deep)


def _flattened(
    section: TiledSection, room: BufferRoom, choice: Choice, depths: Depths, left: int
) -> tuple[Depths, int]:
    """A section whose tiles are decided is not cut again: its deepest buffers give up windows that keep the pace.

    With the depths the PMUs that are left then, `left` before.
    """
    flat = list(depths)
    for number in sorted(section.graph.buffers, key=lambda number: -room.held(number, depths[number])):
        if left >= 0:
            break
        flat[number] = room.depth(number, min(depths[number], DOUBLE))
        left += room.pmus(number, depths[number], choice) - room.pmus(number, flat[number], choice)
    return tuple(flat), left


def _prefetching(section: TiledSection, room: BufferRoom, choice: Choice, depths: Depths, left: int) -> Depths:
    """The smallest weights are loaded whole, as far as `left` PMUs reach: what is loaded early does not wait later."""
    deep, edges, tokens = list(depths), section.graph.edges, section.windows.tokens
    weights = [n for n in section.graph.buffers if edges[n].source is None and tokens[n] > DOUBLE]
    for number in sorted(weights, key=lambda number: edges[number].bytes):
        whole = room.depth(number, tokens[number])
        more = room.pmus(number, whole, choice) - room.pmus(number, depths[number], choice)
        if more <= left:
            deep[number] = whole
            left -= more
    return tuple(deep)
