"""The steps of a plan, each on its own: graph, windows, room, schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir.affine import AffineExpr

from sambaflow.machine import load
from sambaflow.passes.framework.base import functions_of
from sambaflow.passes.planning.access import Level
from sambaflow.passes.planning.analysis import Analysis
from sambaflow.passes.planning.buffer_depths import double_buffers
from sambaflow.passes.planning.buffer_room import BufferRoom
from sambaflow.passes.planning.facts import Operand, Result, StageFacts
from sambaflow.passes.planning.resources import Resources
from sambaflow.passes.planning.section_graph import SectionGraph, section_graph
from sambaflow.passes.planning.section_time import schedule
from sambaflow.passes.planning.section_transfers import transfers_of
from sambaflow.passes.planning.section_windows import windows_of
from sambaflow.passes.planning.stage_tilings import StageTilings
from sambaflow.passes.planning.standing import NOTHING, Standing, StandingBuffer
from sambaflow.passes.planning.tiled_section import TiledSection
from sambaflow.testing import stage_modules

MACHINE = load("sn40l")
RESOURCES = Resources.of(MACHINE)
ROWS, COLUMNS = 64, 32
BYTES = ROWS * COLUMNS * 2
CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
SETTINGS = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=CHECKS)


def stage(value: int, *reads: int, shape: tuple[int, int] = (ROWS, COLUMNS), **facts: Any) -> StageFacts:
    """A stage that makes tensor `value` of others, point by point."""
    dims = tuple(AffineExpr.dimension(d) for d in range(2))
    operands = tuple(Operand(read, Level(dims, shape), 2) for read in reads)
    result = Result(value, dims, shape, 2, over=(0, 1))
    return StageFacts("stage", shape, ("parallel", "parallel"), operands, (result,), "simd", ("alu",), **facts)


def slice_of(value: int, read: int, rows: int) -> StageFacts:
    """A folded move that takes the first rows."""
    move = stage(value, read, shape=(rows, COLUMNS), fold=True)
    (operand,) = move.operands
    return replace(move, operands=(replace(operand, level=replace(operand.level, shape=(ROWS, COLUMNS))),))


def graph_of(*stages: StageFacts, stored: Sequence[int]) -> SectionGraph:
    return section_graph(stages, stored, StageTilings(RESOURCES))


def tiled_section(
    stages: Sequence[StageFacts], stored: Sequence[int], grain: int, standing: Standing = NOTHING
) -> tuple[TiledSection, BufferRoom]:
    tilings = StageTilings(RESOURCES)
    graph = section_graph(stages, stored, tilings)
    tiled = tuple(tilings.tiled(tilings.tiling(node.stage, 0, grain), node.reads) for node in graph.nodes)
    transfers = transfers_of(graph, standing, RESOURCES)
    section = TiledSection(graph, tiled, windows_of(graph, tiled, standing, tilings), transfers, standing, RESOURCES)
    return section, BufferRoom.of(section, tilings)


# Value 0 is loaded, 1 and 2 are made: a node a stage, an edge an operand and an output.


def test_stages_are_nodes_and_operands_are_edges():
    graph = graph_of(stage(1, 0), stage(2, 1, 0), stored=[2])
    assert [(edge.source, edge.value, edge.target, edge.operand) for edge in graph.edges] == [
        (None, 0, 0, 0),
        (0, 1, 1, 0),
        (None, 0, 1, 1),
        (1, 2, None, 0),
    ]
    assert graph.buffers == (0, 1, 2), "the store takes the stage's result as it comes"
    assert (graph.loads, graph.stores) == ({(0, -1): BYTES}, {2: BYTES})


# A folded move is no node: its reader has an edge from the tensor behind it, of which it reads half.


def test_an_edge_leads_from_behind_a_folded_move():
    graph = graph_of(stage(1, 0), slice_of(2, 1, ROWS // 2), stage(3, 2, shape=(ROWS // 2, COLUMNS)), stored=[3])
    edge = graph.edges[1]
    assert [node.index for node in graph.nodes] == [0, 2]
    assert (edge.source, edge.value, edge.target) == (0, 1, 1)
    assert (edge.bytes, edge.tensor_bytes) == (BYTES // 2, BYTES)


# Of what is loaded only the slice crosses the memory's port.


def test_a_slice_of_an_argument_is_what_is_loaded():
    graph = graph_of(slice_of(1, 0, 8), stage(2, 1, shape=(8, COLUMNS)), stored=[2])
    assert graph.loads == {(1, -1): 8 * COLUMNS * 2}
    assert graph.shapes == {1: (8, COLUMNS)}


# A move between a stage and its store needs a buffer; so does a result that is only loaded.


def test_a_store_behind_a_move_has_a_buffer():
    behind = graph_of(stage(1, 0), slice_of(2, 1, 8), stored=[2])
    loaded = graph_of(slice_of(1, 0, 8), stored=[1])
    assert behind.buffers == (0, 1) and behind.edges[1].source == 0
    assert loaded.buffers == (0,) and loaded.edges[0].source is None


# Equal tiles follow each other: as many tokens as there are tiles, and as many as stand where some do.


def test_tokens_are_tiles_unless_others_stand():
    stages = stage(1, 0), stage(2, 1)
    section, _ = tiled_section(stages, [2], 16)
    assert section.windows.tokens == (16, 16, 16)
    standing = Standing(windows={0: (8,)}, buffers={(1, 0): StandingBuffer(tokens=4)})
    section, _ = tiled_section(stages, [2], 16, standing)
    assert section.windows.tokens[1] == 4 and section.windows.handed[1] == 8


# A reader may take less than all of a tensor; the load moves all of it, and its AGCUs are for that.


def test_a_load_moves_all_of_its_tensor():
    reader = stage(1, 0, shape=(8, COLUMNS))
    (operand,) = reader.operands
    first_rows = replace(operand, level=replace(operand.level, shape=(ROWS, COLUMNS)))
    graph = graph_of(replace(reader, operands=(first_rows,)), stored=[1])
    assert graph.edges[0].bytes == 8 * COLUMNS * 2
    assert graph.loads == {(0, -1): BYTES}


# The first reader takes all of a tensor at once, so it is loaded at once: parts would only be more transfers.


def test_a_load_goes_as_its_first_reader_takes_it():
    tilings = StageTilings(RESOURCES)
    graph = graph_of(stage(1, 0), stage(2, 1, 0), stored=[2])
    for first, parts in ((1, 1), (16, 16)):
        grains = (first, 16)
        tiled = [
            tilings.tiled(tilings.tiling(node.stage, 0, grain), node.reads)
            for node, grain in zip(graph.nodes, grains, strict=True)
        ]
        assert windows_of(graph, tiled, NOTHING, tilings).handed[2] == parts


# One stage, loaded in 4 or in 16 parts: transfers take all the time with both, and less is left at the end with 16.


def test_what_is_left_on_the_last_part_tells_between_tiles():
    shape = (64, 1 << 16)
    coarse, fine = (
        schedule(section, [len(section.tiled[0].candidates) - 1], double_buffers(section, room))
        for section, room in (tiled_section([stage(1, 0, shape=shape)], [1], grain) for grain in (4, 16))
    )
    assert coarse.picoseconds == fine.picoseconds
    assert coarse.pipeline > fine.pipeline > fine.picoseconds


# What stands of a buffer is its depth in windows, and its PMUs whatever its reader could use.


def test_a_buffer_keeps_what_stands():
    standing = Standing(windows={0: (8,)}, buffers={(1, 0): StandingBuffer(tokens=4, depth=6, pmus=5)})
    section, room = tiled_section((stage(1, 0), stage(2, 1)), [2], 16, standing)
    assert room.depth(1, 2) == 3, "six windows are three parts"
    assert room.windows(1, 3) == 6
    assert room.pmus(1, 3, [0, len(section.tiled[1].candidates) - 1]) == 5


# A stage on many PCUs behind one on one PCU: it ends a part after it, not when its own firings would be done.


def test_a_fast_stage_waits_for_a_slow_one():
    section, room = tiled_section((stage(1, 0), stage(2, 1)), [2], 16)
    choice = [0, len(section.tiled[1].candidates) - 1]
    times = schedule(section, choice, double_buffers(section, room))
    work = section.tiled[1].firings * section.tiled[1].intervals[choice[1]]
    assert times.finishes[1] == times.finishes[0] + work // 16


@st.composite
def sections(draw: st.DrawFn) -> tuple[TiledSection, BufferRoom, list[int], list[int]]:
    """A random section with a candidate of every node and a depth of every edge."""
    module: ModuleOp = draw(stage_modules(1, 8))
    analysis = Analysis((op for function in functions_of(module) for op in function.body.block.ops), MACHINE)
    inside = {operand.value for stage in analysis.stages for operand in stage.operands}
    results = [result.value for stage in analysis.stages for result in stage.results]
    stored = [value for value in results if value not in inside or draw(st.booleans())]
    section, room = tiled_section(analysis.stages, stored, draw(st.sampled_from([4, 16, 64])))
    choice = [draw(st.integers(0, len(tiled.candidates) - 1)) for tiled in section.tiled]
    depths = [draw(st.integers(1, tokens)) for tokens in section.windows.tokens]
    return section, room, choice, depths


# No reader takes more parts of what a stage makes than it is handed over in, and the parts are all that it reads.


@SETTINGS
@given(sections())
def test_parts_are_windows_and_cover_what_is_read(case: tuple[TiledSection, BufferRoom, list[int], list[int]]):
    section, *_ = case
    windows = section.windows
    for number, edge in enumerate(section.graph.edges):
        assert edge.source is None or windows.tokens[number] <= windows.handed[number]
        assert windows.tokens[number] * windows.part_bytes[number] >= edge.bytes


# The demand that the search adds up is the sum of what the buffers of the plan say.


@SETTINGS
@given(sections())
def test_the_demand_is_the_sum_of_the_buffers(case: tuple[TiledSection, BufferRoom, list[int], list[int]]):
    section, room, choice, depths = case
    total = sum(room.pmus(number, depths[number], choice) for number in section.graph.buffers)
    assert room.demand(depths).of(choice) == total


# A stage starts when its sources have a part, ends a part after them, and nothing ends before all bytes are moved.


@SETTINGS
@given(sections())
def test_a_stage_follows_its_sources(case: tuple[TiledSection, BufferRoom, list[int], list[int]]):
    section, _, choice, depths = case
    times = schedule(section, choice, depths)
    latencies = [tiled.latencies[number] for tiled, number in zip(section.tiled, choice, strict=True)]
    work = [tiled.firings * tiled.intervals[number] for tiled, number in zip(section.tiled, choice, strict=True)]
    for edge, tokens in zip(section.graph.edges, section.windows.tokens, strict=True):
        if edge.source is not None and edge.target is not None:
            assert times.starts[edge.target] >= times.starts[edge.source] + latencies[edge.source]
            assert times.finishes[edge.target] >= times.finishes[edge.source] + work[edge.target] // tokens
    assert times.picoseconds >= max(times.finishes, default=0)
    assert times.picoseconds >= RESOURCES.transfer(section.graph.off_chip_bytes)
