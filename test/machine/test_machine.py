"""Machine files, capacity and cost: sources on every value, errors that name the key, and costs worked out by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sambaflow import plugins
from sambaflow.errors import CapacityError, InputError, MachineError
from sambaflow.machine import (
    Demand,
    Firing,
    accessed_bytes,
    agcu_bandwidth,
    agcu_counts,
    agcus_for,
    agcus_taken,
    check_same_structure,
    cost,
    efficiency,
    firing_of,
    fits,
    from_dict,
    load,
    names,
    pmus_for,
    provenance,
    require,
    service_picoseconds,
    shared_agcus,
    to_dict,
)
from sambaflow.machine.opcodes import BY_MLIR, BY_NAME, BY_NUMBER, DTYPES, OP_CLASSES, OPCODES, opcode
from sambaflow.machine.published import token_seconds

SN40L = load("sn40l")


# --- files


@pytest.mark.parametrize("name", names())
def test_every_value_says_where_it_is_from(name: str) -> None:
    for row in provenance(name):
        if row.key != "name":
            assert row.mark in ("published", "derived", "assumed"), row
            assert row.source, row


@pytest.mark.parametrize(
    ("name", "pcus", "grid", "teraflops"),
    [("sn10", 640, (32, 40), 307), ("sn30", 1280, (40, 64), 614), ("sn40l", 1040, (40, 52), 638)],
)
def test_published_peaks(name: str, pcus: int, grid: tuple[int, int], teraflops: float) -> None:
    """SN10: 307-325 TFLOPS (ICPE24); SN30: 614 at 1.25 GHz; SN40L: 638 (P40)."""
    machine = load(name)
    assert machine.pcu.count == machine.pmu.count == pcus
    assert (machine.rows, machine.cols) == grid
    assert machine.flops / 1e12 == pytest.approx(teraflops, rel=2e-3)


@pytest.mark.parametrize("name", names())
def test_an_embedded_machine_is_the_machine(name: str) -> None:
    assert from_dict(to_dict(load(name))) == load(name)


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_a_users_file_extends_a_machine(tmp_path: Path) -> None:
    mine = load(write(tmp_path, "extends: sn40l\nclock: 1.0e9\ntiers: {ddr: null, hbm: {bandwidth: 2e12}}\n"))
    assert (mine.name, mine.clock, list(mine.tiers)) == ("mine", 1e9, ["hbm"])
    assert mine.tiers["hbm"].bandwidth == 2e12
    assert mine.tiers["hbm"].bytes == SN40L.tiers["hbm"].bytes


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("extends: sn40l\npcu: {lanes: 0}", ["mine.yaml", "'pcu.lanes'", "found 0", "an integer from 1 to 65536"]),
        ("extends: sn40l\npcu: {lane: 32}", ["'pcu.lane'", "lanes, stages"]),
        ("extends: sn40l\npcu: 7", ["'pcu'", "found 7", "a mapping of"]),
        ("extends: sn40l\nclock: fast", ["'clock'", "found 'fast'", "a number from 1 to 1e+21"]),
        ("extends: sn40l\nclock: true", ["'clock'", "found True"]),
        ("extends: sn40l\nlinks: {topology: star}", ["'links.topology'", "found 'star'", "full, ring, torus"]),
        ("extends: sn40l\ntiers: {l3: {bytes: 1}}", ["'tiers.l3'", "hbm, ddr"]),
        ("extends: sn40l\ntiers: {hbm: {efficiency: 1.5}}", ["'tiers.hbm.efficiency'", "a number from 1e-06 to 1"]),
        ("extends: sn40l\ntiers: {hbm: null, ddr: null}", ["'tiers'", "at least one of"]),
        ("extends: sn40l\nclock: {value: 1e9, mark: guessed}", ["'clock.mark'", "found 'guessed'", "published"]),
        ("extends: sn40l\nclock: {value: 1e9, mark: derived, unit: Hz}", ["'clock.unit'"]),
        ("extends: sn40l\nname: 7", ["'name'", "found 7", "a string"]),
        ("clock: 1e9", ["'tiles'", "found None"]),
        ("extends: sn99", ["no machine", "sn99"]),
        ("extends: mine.yaml", ["'extends'", "no cycle"]),
        ("extends: [sn40l]", ["'extends'", "name or path"]),
        ("- 1", ["found list", "a mapping"]),
        ("a: [", ["not a YAML file"]),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(MachineError) as caught:
        load(write(tmp_path, text))
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a": "extends: sn40l\n\nclock: -5"}, "a.yaml:3:1: key 'clock': found -5"),
        ({"a": "extends: b.yaml", "b": "extends: sn40l\nclock: -5"}, "b.yaml:2:1: key 'clock': found -5"),
        ({"a": "extends: b.yaml\npcu: {lanes: 0}", "b": "extends: sn40l"}, "a.yaml:2:7: key 'pcu.lanes': found 0"),
        ({"a": "extends: b.yaml\n", "b": "extends: sn40l\nclock: {value: 1, mark: x}"}, "b.yaml:2:19: key 'clock"),
        ({"a": "extends: sn40l\nname: null"}, "a.yaml:2:1: key 'name': found None"),
        ({"a": "extends: sn40l\ncaptial: null"}, "a.yaml:2:1: key 'captial'"),
        ({"a": "extends: sn40l\npcu: {lnaes: null}"}, "a.yaml:2:7: key 'pcu.lnaes'"),
        ({"a": "extends: sn40l\nhbm: null"}, "a.yaml:2:1: key 'hbm'"),
        ({"a": "extends: sn40l\ntiers: {l3: null}"}, "a.yaml:2:9: key 'tiers.l3'"),
        ({"a": "extends: sn40l\ntiers: {hbm: {size: null}}"}, "a.yaml:2:15: key 'tiers.hbm.size'"),
        ({"a": "extends: x/../a.yaml"}, "a.yaml:1:1: key 'extends': found 'x/../a.yaml', allowed: no cycle"),
        ({"a": "extends: b.yaml", "b": "\nextends: ./a.yaml"}, "b.yaml:2:1: key 'extends': found 'a.yaml'"),
        ({"a": "\nextends: nope.yaml"}, "a.yaml:2:1: no machine 'nope.yaml' (No such file or directory)"),
        ({"a": 'extends: "b\\0"'}, "a.yaml:1:1: no machine"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_found_where_it_stands(
    files: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(MachineError) as caught:
        load("a.yaml")
    assert str(caught.value).startswith(said)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"extends: sn40l\nname: \xff\xfe\n")
    with pytest.raises(MachineError, match="not UTF-8 text"):
        load(str(tmp_path / "binary.yaml"))


def test_an_unknown_machine_lists_the_known_ones() -> None:
    with pytest.raises(MachineError, match="sn10, sn30, sn40l"):
        load("sn50")


def test_an_entry_point_leads_to_the_file_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def added(kind: str, name: str, wanted: type) -> object:
        return 7

    monkeypatch.setattr(plugins, "load", added)
    with pytest.raises(MachineError, match="leads to no path but 7"):
        load("mine")


def test_what_was_not_published_is_not_known() -> None:
    with pytest.raises(InputError, match="no published time of llama at length 7, batch 1"):
        token_seconds("llama", 7)


def test_rates_may_change_and_structure_may_not() -> None:
    check_same_structure(SN40L, replace(SN40L, clock=1e9, launch=replace(SN40L.launch, hardware=2e-6)))
    with pytest.raises(MachineError, match=r"pmu\.banks = 8 \(mapped for 16\)"):
        check_same_structure(SN40L, replace(SN40L, pmu=replace(SN40L.pmu, banks=8)))
    with pytest.raises(MachineError, match=r"tiers\.hbm\.bytes = None"):
        check_same_structure(SN40L, load("sn10"))


# --- targets and capacity


def test_part_of_a_chip_has_its_share() -> None:
    half = load("sn30").target(tiles=4)
    assert (half.pcus, half.pmus, half.agcus) == (640, 640, 16)
    assert half.tier_bandwidth["ddr"] == 50e9
    assert half.tier_bytes["ddr"] == 500_000_000_000


@pytest.mark.parametrize("asked", [{"tiles": 5}, {"tiles": 0}, {"chips": 0}])
def test_a_target_that_is_not_there_is_refused(asked: dict[str, int]) -> None:
    with pytest.raises(MachineError, match="allowed"):
        SN40L.target(**asked)


def test_capacity_errors_carry_the_facts() -> None:
    budget = SN40L.target()
    assert fits(Demand(pcus=1040, pmus=1040), budget)
    with pytest.raises(CapacityError) as caught:
        require(Demand(pcus=1041, agcus=40), budget, op="kernel.section")
    assert caught.value.demand == "1041 PCUs, 40 AGCUs"
    assert caught.value.limit == "1040 PCUs, 32 AGCUs"
    assert caught.value.shortfall == "1 PCUs, 8 AGCUs"
    assert len(caught.value.levers) == 2


def test_streams_take_the_spare_agcus_by_bytes() -> None:
    assert agcu_counts([100, 300], exchanges=2, agcus=8) == [2, 4]
    assert agcus_taken([2, 4, 1, 1], 8) == 8


def test_more_streams_than_agcus_share_those_that_none_fills() -> None:
    """Of 6 AGCUs beside a collective's own, 4000 of 4800 bytes fill 5; eight streams of 100 share the rest."""
    counts = agcu_counts([4000, *[100] * 8], exchanges=1, agcus=7)
    assert counts == [5, *[1] * 8]
    assert agcus_taken([*counts, 1], 7) == 7
    assert shared_agcus([100] * 7 + [500], 2) == [1, 1, 1, 1, 1, 0, 1, 0]


def test_what_shares_no_agcu_must_fit() -> None:
    assert agcus_taken([1] * 65, 32) == 32
    assert agcus_taken([30, 3, 1], 32) == 34
    assert agcus_taken([1], 0) == 1


def test_windows_take_whole_banks() -> None:
    """16 banks of 32 KiB: two 40 KiB windows take two banks each, eight of 64 KiB all of one PMU."""
    assert pmus_for(40 << 10, 2, SN40L) == 1
    assert pmus_for(64 << 10, 8, SN40L) == 1
    assert pmus_for(64 << 10, 9, SN40L) == 2
    assert pmus_for(1 << 20, 2, SN40L) == 4
    assert pmus_for(1024, 1, SN40L, ports=3) == 3


def test_agcus_follow_the_rate() -> None:
    assert agcu_bandwidth(SN40L, "hbm") == 64 * 1.6e9  # the port, not 16 KiB over 150 ns
    assert agcus_for(1.8e12, SN40L, "hbm") == 18


# --- cost


def price(mode: str, tile: tuple[int, ...], kinds: str, body: str = "", finish: str = "", dtype: str = "bf16") -> int:
    names = {"p": "parallel", "r": "reduction"}
    firing = firing_of(mode, tile, [names[k] for k in kinds], body.split(), finish.split(), (), dtype)
    return cost(firing, SN40L).cycles


def test_systolic_blocks() -> None:
    assert price("systolic", (32, 6, 100), "ppr") == 100
    assert price("systolic", (6, 32, 100), "ppr") == 100  # the array the other way round
    assert price("systolic", (33, 7, 100), "ppr") == 4 * 100
    assert price("systolic", (1, 64, 4096), "ppr") == 2 * 4096  # one row: columns take the lanes
    assert price("systolic", (32, 6, 100), "ppr", dtype="f32") == 200


def test_a_full_array_reaches_the_published_peak() -> None:
    firing = firing_of("systolic", (32, 192, 512), ("parallel", "parallel", "reduction"), (), (), (), "bf16")
    paid = cost(firing, SN40L)
    assert paid.ops / paid.cycles * SN40L.clock * SN40L.pcu.count == pytest.approx(638e12, rel=2e-3)


def test_simd_passes_and_tail() -> None:
    assert price("simd", (64,), "p", "alu") == 2
    assert price("simd", (64,), "p", "alu " * 7) == 4
    assert price("simd", (64,), "p", "convert alu convert free") == 2
    assert price("simd", (64,), "p", "transcendental " * 3) == 6  # the tail makes 32 a cycle
    assert price("simd", (64,), "p", "alu transcendental") == 2  # body and tail side by side


def test_reduce_takes_the_better_direction() -> None:
    assert price("reduce", (64, 100), "pr", "alu") == 2 * 100  # lanes along outputs
    assert price("reduce", (1, 4096), "pr", "alu") == 128  # lanes along the reduction, then the tree
    assert price("reduce", (1, 4096), "pr", "alu", "alu transcendental") == 129


def test_a_port_can_be_the_bound() -> None:
    paid = cost(Firing("simd", 32, {"alu": 1}, (64, 6400), "bf16"), SN40L)
    assert (paid.cycles, paid.bound, paid.bytes) == (100, "port", 6464)


@given(st.tuples(*[st.integers(1, 300)] * 3), st.integers(0, 2))
def test_a_larger_tile_never_costs_less(tile: tuple[int, int, int], dim: int) -> None:
    larger = tuple(t + (d == dim) for d, t in enumerate(tile))
    for mode in ("systolic", "reduce", "simd"):
        assert price(mode, larger, "ppr", "alu") >= price(mode, tile, "ppr", "alu")


# --- memory


def test_dram_efficiency_at_the_fits_points() -> None:
    """From 512 B contiguous HBM2 reaches 80-91 %, at 64 B 24 %; writes at equal share cost 9 %."""
    hbm = SN40L.tiers["hbm"]
    assert 0.80 <= efficiency(hbm, 512) <= 0.91
    assert efficiency(hbm, 64) == pytest.approx(0.24, abs=0.005)
    assert efficiency(hbm) == 0.88
    assert efficiency(hbm, None, 0.5) == pytest.approx(0.88 * 0.91)


def test_transfers_are_whole_accesses() -> None:
    hbm = SN40L.tiers["hbm"]
    assert accessed_bytes(hbm, 100) == 128
    assert accessed_bytes(hbm, 1000, 10) == 100 * 64
    assert service_picoseconds(hbm, 1e12, 880_000_000) == 10**9


# --- opcodes


def test_the_table_has_no_doubles_and_knows_its_classes() -> None:
    assert len(OPCODES) == len(BY_NUMBER) == len(BY_NAME)
    assert len(BY_MLIR) == sum(row.mlir is not None for row in OPCODES)
    for row in OPCODES:
        assert row.op_class in OP_CLASSES
        assert row.dtypes and set(row.dtypes) <= set(DTYPES)
        assert 0 <= row.number < 256 and 1 <= row.arity <= 3


def test_every_row_names_an_op_that_exists_with_as_many_operands() -> None:
    from xdsl.dialects import arith, math
    from xdsl.irdl import IRDLOperation

    known = {op.name: op for dialect in (arith.Arith, math.Math) for op in dialect.operations}
    for row in OPCODES:
        if row.mlir and not row.mlir[0].startswith("kernel."):
            definition = known[row.mlir[0]]
            assert issubclass(definition, IRDLOperation)
            assert len(definition.get_irdl_definition().operands) == row.arity, row


def test_predicates_are_those_of_arith() -> None:
    from xdsl.dialects.arith import CMPF_COMPARISON_OPERATIONS, CMPI_COMPARISON_OPERATIONS

    for name, short in {"olt": "lt", "ole": "le", "ogt": "gt", "oge": "ge", "oeq": "eq", "une": "ne"}.items():
        row = opcode("arith.cmpf", CMPF_COMPARISON_OPERATIONS.index(name))
        assert row is not None and row.name == short
    for number, name in enumerate(CMPI_COMPARISON_OPERATIONS):
        row = opcode("arith.cmpi", number)
        assert row is not None and row.name == f"{name}i"
    assert opcode("arith.cmpf", 0) is None
