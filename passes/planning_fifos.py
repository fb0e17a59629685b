"""Depths of the buffers of a section: least bytes that neither stall the pipeline nor deadlock it.

stalls     every stage of a section advances at the pace of its slowest one. If stage v starts `s_v - s_u` after u, an
           edge between them that hands over a token every tau collects (s_v - s_u) / tau tokens. A linear program over
           the start times minimises the sum of window bytes times depth (HiGHS).
deadlock   two ways from one stage to another need room for what the longer one holds back. The section is executed on
           token counts alone; where it sticks, a full edge gets a window more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from sambaflow.machine.dataflow import Channel, Network, settle


def size(network: Network) -> None:
    """Set the depth of every channel that is not fixed."""
    if any(channel.tokens > 1 and not channel.fixed for channel in network.channels):
        starts = _starts(network)
        pace = max((actor.time for actor in network.actors), default=1) or 1
        for channel in network.channels:
            if not channel.fixed:
                late = starts[channel.target] - starts[channel.source]
                wanted = 1 + ceil(late * channel.tokens / pace) if channel.tokens > 1 else 1
                channel.depth = min(channel.tokens, max(wanted, 2))
    settle(network)


def _starts(network: Network) -> list[float]:
    """When each actor should start: the linear program's answer, or as soon as possible when there is only one way."""
    earliest = _earliest(network)
    sized = [c for c in network.channels if c.tokens > 1 and not c.fixed]
    count = len(network.actors)
    pace = max((actor.time for actor in network.actors), default=1) or 1
    from numpy import array, zeros
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    # minimise sum of bytes a picosecond of lateness costs, subject to s_v - s_u >= what u needs for a first token
    weights = zeros(count)
    for channel in sized:
        rate = channel.window_bytes * channel.tokens / pace
        weights[channel.target] += rate
        weights[channel.source] -= rate
    weights += 1e-9  # of equal costs, the earliest start
    rows, columns, entries, bounds = [], [], [], []
    for row, channel in enumerate(network.channels):
        rows += [row, row]
        columns += [channel.source, channel.target]
        entries += [1.0, -1.0]
        bounds.append(-float(_first_token(network, channel)))
    limits = [(float(earliest[v]), float(_latest(network, earliest, v))) for v in range(count)]
    if not network.channels:
        return [float(start) for start in earliest]
    matrix = csr_array((array(entries), (array(rows), array(columns))), shape=(len(network.channels), count))
    answer = linprog(weights, A_ub=matrix, b_ub=array(bounds), bounds=limits, method="highs-ds")
    return [round(float(start)) for start in answer.x] if answer.success else [float(start) for start in earliest]


def _first_token(network: Network, channel: Channel) -> int:
    source = network.actors[channel.source]
    return -(-source.firings // channel.tokens) * source.interval + source.latency


def _earliest(network: Network) -> list[int]:
    starts = [0] * len(network.actors)
    for number, actor in enumerate(network.actors):
        for index in actor.inputs:
            channel = network.channels[index]
            starts[number] = max(starts[number], starts[channel.source] + _first_token(network, channel))
    return starts


def _latest(network: Network, earliest: Sequence[int], actor: int) -> int:
    """Only what nothing else is late for may wait: an actor without inputs (a load); the rest starts when it can."""
    return earliest[actor] if network.actors[actor].inputs else max(earliest)
