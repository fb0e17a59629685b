"""The answer of the search as data: `SectionPlan`."""

from __future__ import annotations

from math import ceil

from sambaflow.machine import PICOSECONDS, Budget, Demand, Shortfall, shortfalls
from sambaflow.machine.capacity import LEVERS
from sambaflow.passes.planning.facts import EdgePlan, SectionPlan, StagePlan, TransferPlan
from sambaflow.passes.planning.section_graph import Node
from sambaflow.passes.planning.section_search import Solution
from sambaflow.passes.planning.section_transfers import Transfer
from sambaflow.passes.planning.tiled_section import TiledSection
from sambaflow.passes.planning.windows import store_tile

CONFIG_BYTES = 1024
"""Configuration of one unit, for the estimate of a program load; the true size is known after rdu-finalize."""


def launch_picoseconds(solution: Solution) -> int:
    """The modelled time of one launch of a section: launch, program load, and the section itself."""
    resources, demand = solution.section.resources, solution.demand
    machine, units = resources.machine, demand.pcus + demand.pmus + demand.agcus
    load = ceil(units * CONFIG_BYTES / (machine.agcu.port_bytes * resources.budget.agcus))
    return solution.picoseconds + ceil(machine.launch.hardware * PICOSECONDS) + machine.picoseconds(load)


def plan_of(solution: Solution) -> SectionPlan:
    """The plan that a solution is; of an infeasible one, what is short."""
    section, demand = solution.section, solution.demand
    short = () if solution.is_feasible else _shortfalls(demand, section.resources.budget)
    nodes = {node.index: number for number, node in enumerate(section.graph.nodes)}
    return SectionPlan(
        stages=tuple(
            _stage_plan(solution, nodes[index]) if index in nodes else None
            for index in range(len(section.graph.stages))
        ),
        edges=tuple(_edge_plan(solution, number) for number in section.graph.buffers),
        transfers=tuple(_transfer_plan(section, transfer) for transfer in section.transfers.rows),
        demand=demand,
        picoseconds=launch_picoseconds(solution) if solution.is_feasible else 0,
        off_chip_bytes=section.graph.off_chip_bytes,
        shortfalls=short,
        levers=tuple(LEVERS[row.resource] for row in short),
    )


def _shortfalls(demand: Demand, budget: Budget) -> tuple[Shortfall, ...]:
    """What is short; where all fits, the deeper buffers did not."""
    return shortfalls(demand, budget) or (Shortfall("PMUs", demand.pmus, budget.pmus),)


def _stage_plan(solution: Solution, number: int) -> StagePlan:
    section, times = solution.section, solution.times
    node, tiled, candidate = section.graph.nodes[number], section.tiled[number], solution.choice[number]
    hold = [0] * len(node.stage.operands)
    for edge in node.edges:
        hold[section.graph.edges[edge].operand] = section.windows.hold[edge]
    chosen, tiling = tiled.candidates[candidate], tiled.tiling
    return StagePlan(
        tiling.tile, chosen.par, tiling.order, tuple(hold), _windows(section, node), chosen.pcus, tiled.firings,
        interval=tiled.intervals[candidate] if times is not None else 0,
        latency=tiled.latencies[candidate] if times is not None else 0,
        start=times.starts[number] if times is not None else 0,
        finish=times.finishes[number] if times is not None else 0,
    )  # fmt: skip


def _windows(section: TiledSection, node: Node) -> tuple[int, ...]:
    """Per result of a stage that makes a stream the windows in which it leaves: as many as one of its readers wants."""
    stage = node.stage
    if stage.join or any(section.graph.edges[number].operand == stage.passes for number in node.edges):
        return ()
    asked = section.standing.windows.get(node.index)
    if asked is not None:
        return asked
    return tuple(section.windows.wanted.get(result.value, 1) for result in stage.results)


def _edge_plan(solution: Solution, number: int) -> EdgePlan:
    graph, windows, room = solution.section.graph, solution.section.windows, solution.room
    edge, depth = graph.edges[number], solution.depths[number]
    return EdgePlan(
        source=graph.nodes[edge.source].index if edge.source is not None else -1,
        value=edge.value,
        target=graph.nodes[edge.target].index if edge.target is not None else -1,
        operand=edge.operand,
        tokens=windows.tokens[number],
        handed=windows.handed[number],
        depth=room.windows(number, depth),
        part_bytes=windows.part_bytes[number],
        pmus=room.pmus(number, depth, solution.choice),
        banks=room.room(number, depth).banks,
    )


def _transfer_plan(section: TiledSection, transfer: Transfer) -> TransferPlan:
    value = transfer.value
    tile = _store_tile(section, value) if transfer.store else section.windows.load_tiles[value]
    return TransferPlan(value, transfer.reader, transfer.bytes, transfer.store, tile, transfer.agcus)


def _store_tile(section: TiledSection, value: int) -> tuple[int, ...]:
    """What one firing stores: as the stage makes it, or the whole tensor from a buffer."""
    graph = section.graph
    asked = section.standing.transfer(value, -1, True).tile
    if asked is not None:
        return asked
    if value in graph.updated:
        return section.tiled[graph.updated[value]].tiling.tile or (1,)
    edge = next(edge for edge in graph.edges[graph.store_edges.start :] if graph.outputs[edge.operand] == value)
    if edge.is_buffer or edge.source is None:
        index, result = graph.producers[value]
        return graph.stages[index].results[result].shape or (1,)
    return store_tile(graph.nodes[edge.source].stage, edge.result, section.tiled[edge.source].tiling.tile)
