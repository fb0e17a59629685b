"""rdu-route: lead every stream over the mesh of switches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from xdsl.context import Context

from sambaflow.diagnostics import error_at
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.grid import Grid, Place, grid_of, partners
from sambaflow.dialects.rdu.units import stream
from sambaflow.errors import CapacityError, PassError
from sambaflow.passes.framework.base import OperationPass
from sambaflow.passes.framework.decisions import is_fixed, mark
from sambaflow.passes.physical.mesh import Net, Route
from sambaflow.passes.physical.routing import Routes, RoutingProblem
from sambaflow.passes.physical.solving import solve_for


@dataclass(frozen=True)
class RduRoutePass(OperationPass[rdu.ProgramOp]):
    """Choose a tree of hops for what each unit sends, and a vector track for each hop.

        rdu.section @s (...) { ... }
        // becomes
        rdu.section @s (...) attributes {net_sources = dense<..>, net_hops = dense<..>, hops = dense<..>,
                                         tracks = dense<..>} { ... }

    The vector network is packet switched: nets share a track, so what a side of a switch can carry is bytes, not
    nets. In the time in which the busiest net hands over its bytes, a side carries `tracks` times as many. With
    `negotiation`, nets first take the better of two dimension-order trees; then, in counted rounds of negotiated
    congestion, nets on overloaded sides are ripped up behind them and led again over a mesh whose busy sides cost more
    (PathFinder, McMurchie and Ebeling 1995). The steps of that search are counted, too, so that a section takes time in
    proportion to its wires. With `xy`, every net goes along its row first, whatever else goes there.

    Nets that stand are kept, the others are led around them. Nets that cannot be kept are refused.

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
    solver: str | None = None
    """`negotiation` (the default), `xy`, or one that a package adds."""

    def apply_to(self, ctx: Context, op: rdu.ProgramOp) -> None:
        machine = rdu.machine_of(op)
        grid = grid_of(machine, machine.target(chips=op.target.chips.data, tiles=op.target.tiles.data))
        known: dict[RoutingProblem, Routes] = {}
        for section in op.sections:
            nets = tuple(nets_of(section, grid))
            problem = RoutingProblem(grid.cols, grid.rows, nets, machine.network.tracks, self.rounds, self.steps)
            if section.net_sources is not None and is_fixed(section, "routes"):
                problem = with_standing(problem, section)
            routes = known.get(problem)
            if routes is None:
                routes = known[problem] = solve_for(section, problem, self.solver)
            if any(net.route is None for net in problem.nets) or section.net_sources is None:
                sources, flat = [net.source for net in nets], routes.flat
                section.set_nets(sources, flat.sizes.tolist(), problem.hops(flat.links), flat.tracks)
                if all(net.route is None for net in problem.nets):  # all have one origin: beside a fixed one, fixed
                    mark(section, "routes", "search")
            self._report(ctx, section, problem, routes)

    def _report(self, ctx: Context, section: rdu.SectionOp, problem: RoutingProblem, routes: Routes) -> None:
        usage, limit = problem.usage(routes), problem.limit
        peak = int(usage.max(initial=0))
        facts = {
            "nets": len(problem.nets),
            "hops": len(routes.flat.links),
            **dict(routes.facts),
        }
        if peak <= limit:
            self.found(ctx, section, "no side of a switch is overloaded", peak=peak, limit=limit, **facts)
            return
        x, y, x1, y1 = problem.ends(int(usage.argmax()))
        over = int((usage > limit).sum())
        message = f"the link from ({x}, {y}) to ({x1}, {y1}) is the bottleneck of {over} overloaded ones"
        if self.strict:
            raise error_at(
                section,
                message,
                CapacityError,
                demand=f"{peak} bytes",
                limit=f"{limit} bytes",
                shortfall=f"{peak - limit} bytes",
                levers=["lower a par factor", "allow a cut", "give rdu-route more rounds and steps"],
            )
        self.missed(ctx, section, message, slowdown=f"{peak / limit:.2f}", **facts)


def with_standing(problem: RoutingProblem, section: rdu.SectionOp) -> RoutingProblem:
    """The problem with the nets that stand in a section as they are.

    Raises PassError about what cannot be kept: hops between switches that are no neighbours, a net that starts where
    nothing is sent or stands twice, routes that are no trees to what is fed.
    """
    numbers = {net.source: number for number, net in enumerate(problem.nets)}
    nets = list(problem.nets)
    for (group, port, unit), hops, tracks, _ in section.nets:
        name = f"the net of output {port} of unit {unit} of group {group}"
        number = numbers.pop((group, port, unit), None)
        if number is None:
            raise _refused(section, f"{name} stands twice, or feeds nothing")
        links = tuple(problem.link((x0, y0, x1, y1)) for x0, y0, x1, y1 in hops.tolist())
        if -1 in links:
            x0, y0, x1, y1 = hops.tolist()[links.index(-1)]
            raise _refused(section, f"{name} hops from ({x0}, {y0}) to ({x1}, {y1}), between which there is no link")
        nets[number] = replace(nets[number], route=Route(links, tuple(tracks.tolist())))
    for number, why in problem.broken([net.route for net in nets]):
        group, port, unit = nets[number].source
        raise _refused(section, f"the net of output {port} of unit {unit} of group {group} {why}")
    return replace(problem, nets=tuple(nets))


def _refused(section: rdu.SectionOp, message: str) -> PassError:
    return error_at(section, message, levers=["leave net_sources, net_hops, hops and tracks out"])


def nets_of(section: rdu.SectionOp, grid: Grid) -> Iterator[Net]:
    """The nets of a placed section, in the order of units, ports, members."""
    units = section.units
    places = {unit: [grid.switch((place[0], place[1])) for place in unit.places] for unit in units}
    for number, unit in enumerate(units):
        for port, result in enumerate(unit.results):
            stream_type = stream(result)
            demand = max(1, -(-stream_type.tile_bytes * stream_type.count.data // unit.units))
            ends: list[dict[Place, None]] = [{} for _ in range(unit.units)]
            for use in result.uses:
                if isinstance(use.operation, rdu.UnitOp):
                    target = places[use.operation]
                    for i, j in partners(unit.units, len(target)):
                        ends[i][target[j]] = None
            for member, there in enumerate(ends):
                if there:
                    yield Net((number, port, member), places[unit][member], tuple(sorted(there)), demand)
