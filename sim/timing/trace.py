"""A timed call as a trace that Perfetto and chrome://tracing open: the trace event format's JSON.

A process a section, with a thread a unit; the first process holds launches and program loads. Times in microseconds.
"""

from __future__ import annotations

import json

from sambaflow.backends.rdu.image import Image
from sambaflow.machine import Machine
from sambaflow.sim.timing.program import Span, trace_graph

_MICROSECOND = 1_000_000


def trace_json(image: Image, graph: str | None = None, machine: Machine | None = None) -> str:
    """The trace of one call. Raises what `time_graph` raises."""
    return json.dumps({"displayTimeUnit": "ns", "traceEvents": events(trace_graph(image, graph, machine))})


def events(spans: list[Span]) -> list[dict[str, object]]:
    """Names of processes and threads in order of appearance, then one complete event a span."""
    tracks = {track: number for number, track in enumerate(dict.fromkeys(span.track for span in spans), 1)}
    threads: dict[tuple[str, str], int] = {}
    for span in spans:
        threads.setdefault((span.track, _thread(span)), len(threads) + 1)
    named: list[dict[str, object]] = [
        {"ph": "M", "name": "process_name", "pid": number, "args": {"name": track}} for track, number in tracks.items()
    ]
    named.extend(
        {"ph": "M", "name": "thread_name", "pid": tracks[track], "tid": number, "args": {"name": name}}
        for (track, name), number in threads.items()
    )
    return named + [
        {
            "ph": "X",
            "name": span.name,
            "pid": tracks[span.track],
            "tid": threads[span.track, _thread(span)],
            "ts": span.start / _MICROSECOND,
            "dur": span.duration / _MICROSECOND,
            "args": {f"{name}_us": time / _MICROSECOND for name, time in _stalls(span)},
        }
        for span in spans
    ]


def _thread(span: Span) -> str:
    """All launches share a thread, each unit has its own."""
    return span.track if span.stalls is None else span.name


def _stalls(span: Span) -> list[tuple[str, int]]:
    return list(span.stalls._asdict().items()) if span.stalls else []
