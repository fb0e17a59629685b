"""The timing engine beside the plain event-by-event engine, which it must equal to the picosecond.

`python benchmarks/timing_engine.py` has the same in firings a second, and the compiled loop on a large graph.
"""

from __future__ import annotations

from benchmarks.rows import Row, fastest
from benchmarks.timing_engine import layer
from sambaflow.sim.timing import engine, reference

ROUNDS = 2


def timing_engines() -> list[Row]:
    graph = layer(ROUNDS)
    small = layer(1)  # another graph than the one that is timed: an engine runs equal graphs once
    if reference.run(small) != engine.run(small, compiled=True):
        raise SystemExit("the timing engines disagree")
    plain = fastest(lambda: reference.run(graph), times=1)
    runs = {"work-list": False, "compiled work-list": True}
    return [Row(f"timing engine: {name}", _milliseconds(compiled), "ms", "event by event", plain * 1e3)
            for name, compiled in runs.items()]  # fmt: skip


def _milliseconds(compiled: bool) -> float:
    """Of one run; equal graphs are run once, so the first run of this way is the one that counts."""
    return 1e3 * fastest(lambda: engine.run(layer(ROUNDS), compiled=compiled), times=1)
