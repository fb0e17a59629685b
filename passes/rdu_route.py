"""rdu-route: lead every stream over the mesh of switches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context

from sambaflow.diagnostics import error_at
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.grid import Grid, Place, grid_of, partners
from sambaflow.dialects.rdu.units import stream
from sambaflow.errors import CapacityError
from sambaflow.passes.framework.base import OperationPass
from sambaflow.passes.physical.routing import Net, Routing


@dataclass(frozen=True)
class RduRoutePass(OperationPass[rdu.ProgramOp]):
    """Choose a tree of hops for what each unit sends, and a vector track for each hop.

        rdu.section @s (...) { ... }
        // becomes
        rdu.section @s (...) attributes {net_sources = dense<..>, net_hops = dense<..>, hops = dense<..>,
                                         tracks = dense<..>} { ... }

    The vector network is packet switched: nets share a track, so what a side of a switch can carry is bytes, not
    nets. In the time in which the busiest net hands over its bytes, a side carries `tracks` times as many. Nets first
    take the better of two dimension-order trees; then, in counted rounds of negotiated congestion, nets on overloaded
    sides are ripped up behind them and led again over a mesh whose busy sides cost more (PathFinder, McMurchie and
    Ebeling 1995). The steps of that search are counted, too, so that a section takes time in proportion to its wires.

    Ends in a proof that no side is overloaded (an analysis remark), or names the bottleneck: its nets slow each other
    down by the stated factor (a missed remark), or, with `strict`, a CapacityError. Needs `rdu-place`.
    """

    name: ClassVar[str] = "rdu-route"
    anchor: ClassVar[str] = "rdu.program"
    needs = ("program", "unfinalized", "placement")
    leaves = ("routes",)

    rounds: int = 8
    """Rounds of negotiated congestion."""
    steps: int = 32
    """Steps of search that each way from a unit to another may take in all rounds, on average."""
    strict: bool = False
    """An overloaded side is an error."""

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        machine = rdu.machine_of(op)
        grid = grid_of(machine, machine.target(chips=op.target.chips.data, tiles=op.target.tiles.data))
        known: dict[tuple[Net, ...], Routing] = {}
        for section in op.sections:
            nets = tuple(nets_of(section, grid))
            if nets not in known:
                known[nets] = Routing(grid, nets, machine.network.tracks, self.steps)
                known[nets].run(self.rounds)
            routing = known[nets]
            section.set_nets([net.source for net in nets], routing.sizes, routing.hops(), routing.all_tracks)
            self._report(ctx, section, routing)

    def _report(self, ctx: Context, section: rdu.SectionOp, routing: Routing) -> None:
        over = routing.overloaded()
        facts = {
            "nets": len(routing.nets),
            "hops": sum(routing.sizes),
            "rounds": routing.rounds,
            "steps": routing.work,
        }
        if not over:
            self.found(
                ctx, section, "no side of a switch is overloaded", peak=routing.peak, limit=routing.limit, **facts
            )
            return
        worst = max(over, key=lambda link: (routing.usage[link], -link))
        x, y, x1, y1 = routing.ends(worst)
        demand = routing.usage[worst]
        message = f"the link from ({x}, {y}) to ({x1}, {y1}) is the bottleneck of {len(over)} overloaded ones"
        if self.strict:
            raise error_at(
                section,
                message,
                CapacityError,
                demand=f"{demand} bytes",
                limit=f"{routing.limit} bytes",
                shortfall=f"{demand - routing.limit} bytes",
                levers=["lower a par factor", "allow a cut", "give rdu-route more rounds and steps"],
            )
        self.missed(ctx, section, message, slowdown=f"{demand / routing.limit:.2f}", **facts)


def nets_of(section: rdu.SectionOp, grid: Grid) -> Iterator[Net]:
    """The nets of a placed section, in the order of units, ports, members."""
    units = section.units
    places = {unit: [grid.switch((place[0], place[1])) for place in unit.places] for unit in units}
    for number, unit in enumerate(units):
        for port, result in enumerate(unit.results):
            type = stream(result)
            demand = max(1, -(-type.tile_bytes * type.count.data // unit.units))
            ends: list[dict[Place, None]] = [{} for _ in range(unit.units)]
            for use in result.uses:
                if isinstance(use.operation, rdu.UnitOp):
                    target = places[use.operation]
                    for i, j in partners(unit.units, len(target)):
                        ends[i][target[j]] = None
            for member, there in enumerate(ends):
                if there:
                    yield Net((number, port, member), places[unit][member], tuple(sorted(there)), demand)
