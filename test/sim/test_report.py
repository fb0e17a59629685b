"""The report says what was counted, as text and as JSON."""

import json

from sambaflow.sim.report import duration, quantity, render, to_dict
from sambaflow.sim.timing.graph import Stalls
from sambaflow.sim.timing.program import ProgramTime, SectionUse, TierUse

TIME = ProgramTime(
    "decode", "sn40l", 8, picoseconds=2_000_000_000, launches=3, flops=4 * 10**9, peak_flops=638e12,
    tiers={"hbm": TierUse(read=10**9, written=10**6, busy=10**9)},
    sections=[
        SectionUse(
            "layer", 3, 10**9, pcus=4, pmus=5, agcus=2, read={"hbm": 10**9},
            stalls={"gemm": Stalls(5, 7 * 10**6, 0, 0, 0), "load": Stalls(5, 0, 0, 8 * 10**6, 0)},
        )
    ],
)  # fmt: skip


def test_text_shows_time_memories_sections_and_the_worst_stall_first() -> None:
    text = render(TIME)
    assert "decode on 8 sn40l chip(s): 2 ms a call" in text
    assert "50.0 %" in text  # of the time that hbm was in use
    assert "4 / 5 / 2" in text
    assert text.index("load") < text.rindex("gemm")


def test_json_keeps_every_counter() -> None:
    data = json.loads(json.dumps(to_dict(TIME)))
    assert data["seconds"] == 2e-3
    assert data["off_chip_bytes"] == 1_001_000_000
    assert data["sections"][0]["stalls"]["load"]["tier"] == 8_000_000


def test_numbers_are_readable() -> None:
    assert quantity(1.5e9, "B") == "1.5 GB"
    assert quantity(0, "B") == "0 B"
    assert duration(1_230_000) == "1.23 us"
    assert duration(999) == "999 ps"
