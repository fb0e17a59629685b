"""Placing, routing and memory are problems: right solutions are accepted, wrong ones rejected; anyone solves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow import machine as machines
from sambaflow.dialects import rdu
from sambaflow.dialects.rdu.grid import Place, grid_of
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import CapacityError, InputError, InternalError, PluginError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.solvers import Problem, Solver, WrongSolution, solve
from sambaflow.passes.physical.memory import Addresses, MemoryProblem
from sambaflow.passes.physical.mesh import Net, Route
from sambaflow.passes.physical.placement import Placement, PlacementProblem
from sambaflow.passes.physical.routing import Routes, RoutingProblem
from sambaflow.passes.physical.tensors import Tensor, Tier
from sambaflow.passes.physical.units import Group
from sambaflow.passes.rdu_place import RduPlacePass
from sambaflow.passes.rdu_plan_memory import RduPlanMemoryPass
from sambaflow.passes.rdu_route import RduRoutePass
from sambaflow.tools import samba_opt

MACHINE = machines.load("sn40l")
GRID = grid_of(MACHINE, MACHINE.target(tiles=1))
PCU, PMU, AGCU = GRID.pcu, GRID.pmu, GRID.agcu

# ---- hand-made solutions, one for each rule

PLACING = PlacementProblem(
    (
        Group("pcu", 2),
        Group("pmu", 1, places=(PMU[5],)),
        Group("agcu", 1, agcu=0),
        Group("agcu", 1, agcu=0),
        Group("agcu", 1),
        Group("agcu", 1, places=(AGCU[7],)),
        Group("agcu", 2, places=(AGCU[6], AGCU[7])),  # two that are fixed may share an AGCU
    ),
    ((2, 1), (1, 0), (0, 3)),
    GRID,
)
PLACED: tuple[tuple[Place, ...], ...] = (
    (PCU[0], PCU[1]),
    (PMU[5],),
    (AGCU[0],),
    (AGCU[0],),
    (AGCU[1],),
    (AGCU[7],),
    (AGCU[6], AGCU[7]),
)
WRONG_PLACES = {
    "places 6 groups, of 7": PLACED[:6],
    "group 1 has no places": (PLACED[0], (), *PLACED[2:]),
    "group 0 has 1 places for 2 units": (PLACED[0][:1], *PLACED[1:]),
    "unit 0 of group 1 is fixed at .*, not at": (PLACED[0], (PMU[4],), *PLACED[2:]),
    "group 0 stands at .*, where no PCU is": ((PCU[0], PMU[0]), *PLACED[1:]),
    "group 0 has two units at": ((PCU[0], PCU[0]), *PLACED[1:]),
    "group 4 stands at .*, where group 3 is": (*PLACED[:4], (AGCU[0],), *PLACED[5:]),
    "group 5 stands at .*, where group 4 is": (*PLACED[:4], (AGCU[7],), *PLACED[5:]),
    "group 3 stands at .*, but shares the AGCU of group 2": (*PLACED[:3], (AGCU[2],), *PLACED[4:]),
}


def test_a_placement_is_right():
    PLACING.verify(Placement(PLACED))
    wires = [(AGCU[0], PMU[5]), (PMU[5], PCU[0]), (PMU[5], PCU[1]), (PCU[0], AGCU[0]), (PCU[1], AGCU[0])]
    distances = [abs(x0 - x1) + abs(y0 - y1) for (x0, y0), (x1, y1) in wires]
    assert PLACING.length(Placement(PLACED)) == sum(distances)


@pytest.mark.parametrize("rule", WRONG_PLACES)
def test_a_placement_is_wrong(rule: str):
    with pytest.raises(WrongSolution, match=rule):
        PLACING.verify(Placement(WRONG_PLACES[rule]))


def link(x: int, y: int, direction: int) -> int:
    return 4 * (3 * y + x) + direction


RIGHT, LEFT, DOWN, UP = range(4)
ROUTING = RoutingProblem(
    3,
    2,
    (
        Net((0, 0, 0), (0, 0), ((2, 0), (1, 1)), 10),
        Net((1, 0, 0), (0, 1), ((1, 1),), 10, Route((link(0, 1, RIGHT),), (1,))),
        Net((1, 0, 1), (2, 1), ((2, 1),), 10),
    ),
    tracks=2,
)
TREE = Route((link(0, 0, RIGHT), link(1, 0, RIGHT), link(1, 0, DOWN)), (0, 0, 1))
ROUTED = (TREE, Route((link(0, 1, RIGHT),), (1,)), Route((), ()))
WRONG_ROUTES = {
    "leads 2 nets, of 3": ROUTED[:2],
    "net 0 has 2 tracks for 3 hops": (Route(TREE.links, (0, 0)), *ROUTED[1:]),
    r"net 1 is fixed on links \[12\], not \[\]": (TREE, Route((), ()), ROUTED[2]),
    "net 0 takes track 2 of 2": (Route(TREE.links, (0, 2, 1)), *ROUTED[1:]),
    "net 0 takes track -1 of 2": (Route(TREE.links, (0, -1, 1)), *ROUTED[1:]),
    "net 0 takes link 24, which the mesh does not have": (Route((24,), (0,)), *ROUTED[1:]),
    "net 0 takes link 1, which the mesh does not have": (Route((link(0, 0, LEFT),), (0,)), *ROUTED[1:]),
    r"net 0 leaves \(1, 0\) before it comes there": (Route(TREE.links[::-1], TREE.tracks), *ROUTED[1:]),
    r"net 0 comes twice to \(0, 0\)": (
        Route((*TREE.links, link(1, 1, LEFT), link(0, 1, UP)), (0,) * 5),
        *ROUTED[1:],
    ),
    r"net 0 does not come to \(1, 1\)": (Route(TREE.links[:2], (0, 0)), *ROUTED[1:]),
}


def test_routes_are_right():
    ROUTING.verify(Routes(ROUTED))
    assert ROUTING.usage(Routes(ROUTED)).sum() == 40
    assert ROUTING.limit == 20


@pytest.mark.parametrize("rule", WRONG_ROUTES)
def test_routes_are_wrong(rule: str):
    with pytest.raises(WrongSolution, match=rule):
        ROUTING.verify(Routes(WRONG_ROUTES[rule]))


MEMORY = MemoryProblem(
    (
        Tensor("w", 100, 0, 9, is_resident=True),
        Tensor("early", 64, 0, 3),
        Tensor("late", 64, 4, 9),
        Tensor("far", 10, 0, 9, tier=1),
        Tensor("there", 64, 0, 9, tier=0, address=512),
    ),
    (Tier("hbm", 1024), Tier("ddr", 4096)),
    align=64,
)
ADDRESSES = ((0, 0), (0, 128), (0, 128), (1, 0), (0, 512))
WRONG_ADDRESSES = {
    "places 4 tensors, of 5": ADDRESSES[:4],
    "'far' is fixed in ddr, not in tier 0": (*ADDRESSES[:3], (0, 256), ADDRESSES[4]),
    "'there' is fixed at address 512, not at 576": (*ADDRESSES[:4], (0, 576)),
    "'w' is in tier 2 of 2": ((2, 0), *ADDRESSES[1:]),
    "'w' is at address 32, no multiple of 64": ((0, 32), *ADDRESSES[1:]),
    "'w' is at address -64, no multiple of 64": ((0, -64), *ADDRESSES[1:]),
    "'w' ends at 1060 of hbm, which has 1024 bytes": ((0, 960), *ADDRESSES[1:]),
    "'early' overlaps 'w', which is alive with it": (ADDRESSES[0], (0, 64), *ADDRESSES[2:]),
    "'there' overlaps 'w', which is alive with it": ((0, 448), *ADDRESSES[1:]),
    "'late' overlaps 'there', which is alive with it": (*ADDRESSES[:2], (0, 512), *ADDRESSES[3:]),
}


def test_addresses_are_right():
    MEMORY.verify(Addresses(ADDRESSES))


@pytest.mark.parametrize("rule", WRONG_ADDRESSES)
def test_addresses_are_wrong(rule: str):
    with pytest.raises(WrongSolution, match=rule):
        MEMORY.verify(Addresses(WRONG_ADDRESSES[rule]))


# ---- our own solvers, on random problems: `solve` verifies what they give


@st.composite
def placements(draw: st.DrawFn) -> PlacementProblem:
    kinds = st.sampled_from(["pcu", "pmu"])
    sizes = draw(st.lists(st.tuples(kinds, st.integers(1, 9)), min_size=1, max_size=9))
    groups = [Group(kind, count) for kind, count in sizes]
    groups += [Group("agcu", 1, agcu=draw(st.integers(-1, 0))) for _ in range(draw(st.integers(0, 4)))]
    numbers = st.integers(0, len(groups) - 1)
    edges = tuple((a, b) for a, b in draw(st.lists(st.tuples(numbers, numbers), max_size=12)) if a < b)
    return PlacementProblem(tuple(groups), edges, GRID, moves=200)


@settings(max_examples=40, deadline=None)
@given(placements(), st.data())
def test_every_solver_places_around_what_is_fixed(problem: PlacementProblem, data: st.DataObject):
    places = solve(problem, data.draw(st.sampled_from(["swaps", "rows"]))).coordinates
    groups = [
        replace(group, places=there) if data.draw(st.booleans()) else group
        for group, there in zip(problem.groups, places, strict=True)
    ]
    fixed = replace(problem, groups=tuple(groups))
    assert list(fixed.broken([group.places for group in groups])) == []
    for solver in ("swaps", "rows"):
        placement = solve(fixed, solver)
        assert dict(placement.facts)["end"] == fixed.length(placement)


SWITCH = st.tuples(st.integers(0, GRID.cols - 1), st.integers(0, GRID.rows - 1))
NETS = st.lists(st.tuples(SWITCH, st.lists(SWITCH, min_size=1, max_size=5), st.integers(1, 99)), max_size=20)


@settings(max_examples=40, deadline=None)
@given(NETS, st.data())
def test_every_solver_routes_around_what_is_fixed(wanted: list[tuple[Place, list[Place], int]], data: st.DataObject):
    nets = [Net((i, 0, 0), start, tuple(sorted(set(ends))), demand) for i, (start, ends, demand) in enumerate(wanted)]
    problem = RoutingProblem(GRID.cols, GRID.rows, tuple(nets), tracks=2)
    routes = solve(problem, data.draw(st.sampled_from(["negotiation", "xy"])))
    led = [replace(n, route=r) if data.draw(st.booleans()) else n for n, r in zip(nets, routes.nets, strict=True)]
    fixed = replace(problem, nets=tuple(led))
    assert list(fixed.broken([net.route for net in led])) == []
    for solver in ("negotiation", "xy"):
        solve(fixed, solver)


LIVES = st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 9), st.integers(0, 4), st.booleans()), max_size=25)


@settings(max_examples=60, deadline=None)
@given(LIVES, st.data())
def test_every_solver_plans_around_what_is_fixed(lives: list[tuple[int, int, int, bool]], data: st.DataObject):
    tensors = [
        Tensor(f"t{i}", size, 0, 20, size, is_resident=True, is_weight=True)
        if stays
        else Tensor(f"t{i}", size, first, first + span, size)
        for i, (size, first, span, stays) in enumerate(lives)
    ]
    problem = MemoryProblem(tuple(tensors), (Tier("hbm", 20000), Tier("ddr", 1 << 30)), 64)
    plan = solve(problem, data.draw(st.sampled_from(["first-fit", "best-fit"])))
    pinned = [
        replace(tensor, tier=tier, address=address if tier == 0 or data.draw(st.booleans()) else None)
        if data.draw(st.booleans())
        else tensor
        for tensor, (tier, address) in zip(tensors, plan.places, strict=True)
    ]
    fixed = replace(problem, tensors=tuple(pinned))
    standing = [p if t.address is not None else None for t, p in zip(pinned, plan.places, strict=True)]
    assert list(fixed.broken(standing)) == []
    for solver in ("first-fit", "best-fit"):
        solve(fixed, solver)


def test_the_best_fit_is_the_smallest_space():
    """Between two that stay, one left a large space and another a small one: the smaller of the next two fits both."""
    stays = [Tensor(f"s{i}", 64, 0, 9, tier=0, address=address) for i, address in enumerate((256, 384))]
    tensor = Tensor("t", 64, 0, 9)
    problem = MemoryProblem((*stays, tensor), (Tier("hbm", 1024),), 64)
    assert solve(problem, "first-fit").places[2] == (0, 0)
    assert solve(problem, "best-fit").places[2] == (0, 320)


def test_what_is_fixed_in_a_tier_may_be_too_much_for_it():
    tensors = tuple(Tensor(name, 600, 0, 9, tier=0) for name in "ab")
    with pytest.raises(CapacityError, match="does not fit the hbm of a chip; the largest symbol is 'a'") as error:
        solve(MemoryProblem(tensors, (Tier("hbm", 1024), Tier("ddr", 4096)), 64))
    assert error.value.facts["shortfall"] == "256 bytes"


# ---- solvers that packages add

SOURCE = """\
from sambaflow.passes.framework.solvers import Solver
from sambaflow.passes.physical.memory import Addresses, MemoryProblem, first_fit
from sambaflow.passes.physical.placement import Placement, PlacementProblem
from sambaflow.passes.physical.routing import Routes, RoutingProblem, along_x_then_y

def last(problem):  # from the last place of each kind on
    free = {kind: list(problem.grid.places(kind)) for kind in ("pcu", "pmu", "agcu")}
    return Placement(tuple(tuple(free[g.kind].pop() for _ in range(g.count)) for g in problem.groups))

def high(problem):  # a unit of alignment above the first fit
    places = first_fit(problem).places
    return Addresses(tuple((tier, address + 4096 * problem.align) for tier, address in places))

LAST = Solver("last", PlacementProblem, last)
PLAIN = Solver("plain", RoutingProblem, along_x_then_y)
HIGH = Solver("high", MemoryProblem, high)
STACK = Solver("stack", PlacementProblem, lambda p: Placement(tuple((p.grid.pcu[0],) * g.count for g in p.groups)))
NOTHING = Solver("nothing", RoutingProblem, lambda p: Routes(()))
ZERO = Solver("zero", MemoryProblem, lambda p: Addresses(((0, 0),) * len(p.tensors)))
"""
ENTRIES = {
    "placement.last": "LAST",
    "placement.stack": "STACK",
    "placement.plain": "PLAIN",
    "routing.plain": "PLAIN",
    "routing.nothing": "NOTHING",
    "memory.high": "HIGH",
    "memory.zero": "ZERO",
}
PROGRAM = """\
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.symbol @a input tensor<64xf32>
  rdu.symbol @b output tensor<64xf32>
  rdu.section @copy (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 16>, access = #rdu.access<[1]>, count = 1 : i64,
                        indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<16xf32>, 4>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 16>, access = #rdu.access<[1]>, count = 1 : i64,
                      conflict = "overwrite", indices = 0 : i64, depths = array<i64: 2>}
                     : (tensor<64xf32>, !rdu.stream<tensor<16xf32>, 4>) -> ()
  }
  rdu.schedule @f inputs [@a] outputs [@b] tied [-1] {
    rdu.launch @copy [@a, @b] chips [0]
  }
}
"""


@pytest.fixture
def package(installed: Callable[..., None]):
    """An installed package that adds solvers."""
    entries = {name: f"odd_solvers:{value}" for name, value in ENTRIES.items()}
    installed({"odd_solvers": SOURCE}, {"solvers": entries})


def program() -> rdu.ProgramOp:
    (program_op,) = parse_module(PROGRAM, "f.mlir", SambaContext()).ops
    assert isinstance(program_op, rdu.ProgramOp)
    return program_op


@pytest.mark.usefixtures("package")
def test_a_solver_of_a_package_is_used():
    op, ctx = program(), SambaContext()
    RduPlanMemoryPass(solver="high").apply_to(ctx, op)
    RduPlacePass(solver="last").apply_to(ctx, op)
    RduRoutePass(solver="plain").apply_to(ctx, op)
    addresses = [symbol.address.value.data for symbol in op.symbols if symbol.address is not None]
    assert sorted(addresses) == [4096 * 64, 4096 * 64 + 256]
    (section,) = op.sections
    assert [unit.places for unit in section.units] == [[AGCU[-1]], [AGCU[-2]]]
    assert section.net_sources is not None


@pytest.mark.usefixtures("package")
def test_a_wrong_solution_of_a_package_is_refused():
    op, ctx = program(), SambaContext()
    with pytest.raises(PluginError, match="the memory of solver 'zero' is wrong: 'b' overlaps 'a'") as error:
        RduPlanMemoryPass(solver="zero").apply_to(ctx, op)
    assert error.value.location is not None and error.value.location.line == 1
    assert error.value.facts["levers"] == ["correct the plug-in", "use one of first-fit, best-fit"]
    with pytest.raises(PluginError, match=r"the placement of solver 'stack' is wrong: .*, where no AGCU is") as error:
        RduPlacePass(solver="stack").apply_to(ctx, op)
    assert error.value.location is not None and error.value.location.line == 4
    RduPlacePass().apply_to(ctx, op)
    with pytest.raises(PluginError, match="the routing of solver 'nothing' is wrong: leads 0 nets, of 1"):
        RduRoutePass(solver="nothing").apply_to(ctx, op)


@pytest.mark.usefixtures("package")
def test_a_solver_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(InputError, match="there is no solver 'row' for placement; did you mean 'rows'") as error:
        RduPlacePass(solver="row").apply_to(SambaContext(), program())
    assert error.value.facts["levers"] == ["use one of swaps, rows, last, plain, stack"]
    with pytest.raises(InputError, match=r"'placement\.plain' solves problems of routing, not of placement"):
        RduPlacePass(solver="plain").apply_to(SambaContext(), program())
    source = tmp_path / "f.mlir"
    source.write_text(PROGRAM)
    assert samba_opt.main([str(source), "--pass-pipeline=rdu-plan-memory{solver=worst-fit}"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{source}:1:1: error: there is no solver 'worst-fit' for memory")
    assert "try: use one of first-fit, best-fit, high, zero" in said


def test_a_wrong_solution_of_our_own_is_our_bug(monkeypatch: pytest.MonkeyPatch):
    def wrong(problem: Problem[Placement]) -> Placement:
        return Placement(())

    solvers = (Solver("wrong", PlacementProblem, wrong),)
    monkeypatch.setattr(PlacementProblem, "solvers", classmethod(lambda cls: solvers))
    with pytest.raises(InternalError, match="the placement of solver 'wrong' is wrong: places 0 groups, of 7"):
        solve(PLACING)
