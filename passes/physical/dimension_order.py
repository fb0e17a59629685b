"""Trees of straight lines: a trunk along one axis of the mesh, and from it lines along the other."""

from __future__ import annotations

from collections.abc import Sequence

from sambaflow.passes.physical.mesh import Net

Line = tuple[int, int, int, int]
"""Hops straight on: the switch that they leave, switches from one to the next, how many, the link of the first."""


def dimension_ordered(net: Net, cols: int) -> list[list[Line]]:
    """Two trees: a trunk from the start along one axis, x first, and from it lines to all ends along the other."""
    if len(net.ends) != 1:
        return [_trunk(net, 0, cols), _trunk(net, 1, cols)]
    (x0, y0), (x1, y1) = net.start, net.ends[0]
    here, across, along = y0 * cols + x0, x1 - x0, y1 - y0
    x_first = [*_line(here, 0, across, cols), *_line(here + across, 1, along, cols)]
    if not across or not along:
        return [x_first]
    return [x_first, [*_line(here, 1, along, cols), *_line(here + cols * along, 0, across, cols)]]


def _trunk(net: Net, first: int, cols: int) -> list[Line]:
    """The tree whose trunk is along axis `first` (0: x, 1: y)."""
    last, start = 1 - first, net.start
    before = start[last]
    ends: dict[int, tuple[int, int]] = {start[first]: (before, before)}
    for end in net.ends:
        at, far = end[first], end[last]
        low, high = ends.get(at, (before, before))
        ends[at] = far if far < low else low, far if far > high else high
    here = start[1] * cols + start[0]
    lines = [line for end in (min(ends), max(ends)) for line in _line(here, first, end - start[first], cols)]
    step, apart = (1, cols)[first], (1, cols)[last]
    for at, (low, high) in ends.items():
        turn = here + step * (at - start[first])
        if low < before:
            lines.append((turn, -apart, before - low, 4 * turn + 2 * last + 1))
        if high > before:
            lines.append((turn, apart, high - before, 4 * turn + 2 * last))
    return lines


def _line(here: int, axis: int, by: int, cols: int) -> tuple[Line, ...]:
    """From switch `here` straight on `by` switches along `axis`, up or down; none if that is 0."""
    if by > 0:
        return ((here, cols if axis else 1, by, 4 * here + 2 * axis),)
    return ((here, -cols if axis else -1, -by, 4 * here + 2 * axis + 1),) if by else ()


def links_of(lines: Sequence[Line]) -> list[int]:
    """The links of lines, one after the other."""
    links: list[int] = []
    for _, step, count, first in lines:
        links += range(first, first + 4 * step * count, 4 * step)
    return links
