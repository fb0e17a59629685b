"""Depths of the buffers of a section: least bytes that neither stall the pipeline nor deadlock it.

stalls     every stage of a section advances at the pace of its slowest one. If stage v starts `s_v - s_u` after u, an
           edge between them that hands over a token every tau collects (s_v - s_u) / tau tokens. Start times are
           those with the least sum of window bytes times depth.
deadlock   two ways from one stage to another need room for what the longer one holds back. The section is executed on
           token counts alone; where it sticks, a full edge gets a window more.
"""

from __future__ import annotations

from math import ceil

from sambaflow.machine.dataflow import Channel, Network, settle


def size(network: Network) -> None:
    """Set the depth of every channel that is not fixed."""
    if any(channel.tokens > 1 and not channel.fixed for channel in network.channels):
        starts = start_times(network)
        pace = max((actor.time for actor in network.actors), default=1) or 1
        for channel in network.channels:
            if not channel.fixed:
                late = starts[channel.target] - starts[channel.source]
                wanted = 1 + ceil(late * channel.tokens / pace) if channel.tokens > 1 else 1
                channel.depth = min(channel.tokens, max(wanted, 2))
    settle(network)


def start_times(network: Network) -> list[int]:
    """When each actor starts, in picoseconds: as soon as it can, but one without inputs (a load) as late as it may.

    Nothing behind a load starts later for it, and its tokens wait for less long. With the other starts given, each load
    has a latest start of its own, so no solver has to weigh one against another.
    """
    starts = _earliest(network)
    due: dict[int, int] = {}
    for channel in network.channels:
        if not network.actors[channel.source].inputs:
            latest = starts[channel.target] - _first_token(network, channel)
            due[channel.source] = min(latest, due.get(channel.source, latest))
    return [due.get(number, start) for number, start in enumerate(starts)]


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
