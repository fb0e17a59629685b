"""What a timed call looks like to people, and as one JSON object.

print(render(time))          # tables: the program, its memories, its sections, what held them back
json.dumps(to_dict(time))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sambaflow.machine import PICOSECONDS
from sambaflow.sim.timing.graph import Stalls
from sambaflow.sim.timing.program import ProgramTime, SectionUse

STALL_ROWS = 10
"""Units in the table of stalls: those that were held back longest."""

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def to_dict(time: ProgramTime) -> dict[str, Any]:
    """One JSON-able object: times in picoseconds, `seconds` of the call, counters, sections with stalls by unit."""
    return time.to_dict()


def quantity(value: float, unit: str) -> str:
    """`1.50 GB`: three digits and an SI prefix."""
    scale, prefix = next(((s, p) for s, p in _PREFIXES if abs(value) >= s), (1.0, ""))
    digits = f"{value / scale:.3g}" if value / scale < 1000 else f"{value / scale:.0f}"
    return f"{digits} {prefix}{unit}"


def duration(picoseconds: int) -> str:
    """`12.3 us`: three digits in the largest unit that is not above it."""
    for scale, unit in ((10**12, "s"), (10**9, "ms"), (10**6, "us"), (10**3, "ns")):
        if picoseconds >= scale:
            return f"{picoseconds / scale:.3g} {unit}" if picoseconds < 1000 * scale else f"{picoseconds // scale} s"
    return f"{picoseconds} ps"


def render(time: ProgramTime, width: int = 120) -> str:
    """The report as text."""
    import io

    from rich.console import Console

    # names are those of a file: none of them is markup
    plain: dict[str, Any] = {"color_system": None, "markup": False, "emoji": False, "highlight": False}
    console = Console(file=io.StringIO(), width=width, **plain)
    console.print(_summary(time))
    for title, head, rows in (_memories(time), _sections(time), _stalls(time)):
        if rows:
            console.print(_table(title, head, rows))
    file = console.file
    return file.getvalue() if isinstance(file, io.StringIO) else ""


def _summary(time: ProgramTime) -> str:
    seconds = time.seconds or 1.0
    busy = 100 * time.flops / seconds / time.peak_flops if time.peak_flops else 0.0
    return "\n".join(
        (
            f"{time.graph} on {time.chips} {time.machine} chip(s): {duration(time.picoseconds)} a call",
            f"  {time.launches} launches: {duration(time.launch_time)} launching, "
            f"{duration(time.program_load_time)} loading programs",
            f"  a chip: {quantity(time.flops, 'flop')} ({quantity(time.flops / seconds, 'flop/s')}, "
            f"{busy:.1f} % of peak), "
            f"{quantity(time.sent, 'B')} sent to other chips",
            f"  host: {quantity(time.host_bytes, 'B')} a chip, {time.host_seconds * 1e6:.3g} us beside the call",
        )
    )


Table = tuple[str, Sequence[str], list[Sequence[str]]]


def _memories(time: ProgramTime) -> Table:
    seconds = time.seconds or 1.0
    rows = [
        (
            name,
            quantity(use.read, "B"),
            quantity(use.written, "B"),
            quantity((use.read + use.written) / seconds, "B/s"),
            f"{100 * use.busy / max(1, time.picoseconds):.1f} %",
        )
        for name, use in time.tiers.items()
    ]
    return "memories", ("tier", "read", "written", "rate", "in use"), list(rows)


def _sections(time: ProgramTime) -> Table:
    total = max(1, time.picoseconds)
    rows = [
        (
            section.name,
            str(section.launches),
            duration(section.time),
            f"{100 * section.time / total:.1f} %",
            f"{section.pcus} / {section.pmus} / {section.agcus}",
            quantity(sum(section.read.values()), "B"),
            quantity(sum(section.written.values()), "B"),
            quantity(section.flops * PICOSECONDS / max(1, section.time), "flop/s"),
        )
        for section in time.sections
    ]
    head = ("section", "launches", "time", "share", "PCU / PMU / AGCU", "read", "written", "rate")
    return "sections", head, list(rows)


def _stalls(time: ProgramTime) -> Table:
    longest = sorted(_units(time.sections), key=lambda row: (-sum(row[2][1:]), row[0], row[1]))[:STALL_ROWS]
    rows = [(section, unit, *map(duration, stalls)) for section, unit, stalls in longest if sum(stalls[1:])]
    return "held back longest", ("section", "unit", "at work", "data", "space", "tier", "link"), list(rows)


def _units(sections: Iterable[SectionUse]) -> Iterable[tuple[str, str, Stalls]]:
    for section in sections:
        for unit, stalls in section.stalls.items():
            yield section.name, unit, stalls


def _table(title: str, head: Sequence[str], rows: list[Sequence[str]]) -> Any:
    from rich.table import Table as RichTable

    table = RichTable(title=title, title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number > 1 else "left", no_wrap=number > 1)
    for row in rows:
        table.add_row(*row)
    return table
