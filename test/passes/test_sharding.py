"""A sharded and partitioned program, run on all its chips in lockstep, computes what one chip computes."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Region

from sambaflow.dialects.samba import OPERATORS, Row, Shaped, ShardAttr, Trait, build, tensor_type
from sambaflow.dialects.samba.conventions import argument_attributes, verify_conventions
from sambaflow.dialects.samba.inference import is_float
from sambaflow.dialects.samba.table import shaped
from sambaflow.errors import InputError
from sambaflow.frontends import hf
from sambaflow.frontends.imported import Imported
from sambaflow.frontends.torch_export import import_model
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.parallel.factors import Shard, local_shape, reshaped
from sambaflow.sim.reference.samba_reference import run, shard

EXAMPLES = Path(__file__).parents[2] / "examples"


def _load_examples() -> Any:
    spec = importlib.util.spec_from_file_location("example_models_for_sharding", EXAMPLES / "models.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_tensor(value: Shaped, seed: int, high: int = 2) -> torch.Tensor:
    """Normal floats, integers below `high`, bools."""
    generator = torch.Generator().manual_seed(seed)
    if is_float(value.dtype):
        return torch.randn(value.shape, generator=generator).to(
            {"f32": torch.float32, "bf16": torch.bfloat16}[str(value.dtype)]
        )
    integers = torch.randint(high, value.shape, generator=generator)
    return integers.bool() if str(value.dtype) == "i1" else integers


# Reshapes


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], Shard, int]:
    """Two shapes of the same elements, and a split of the first."""
    primes = draw(st.lists(st.sampled_from([1, 2, 2, 2, 3]), min_size=1, max_size=7))
    cuts = st.lists(st.integers(0, len(primes)), max_size=3).map(sorted)

    def shape() -> tuple[int, ...]:
        ends = [0, *draw(cuts), len(primes)]
        return tuple(math.prod(primes[a:b]) for a, b in pairwise(ends))

    source, target, chips = shape(), shape(), draw(st.sampled_from([2, 3, 4]))
    dim = draw(st.integers(0, len(source) - 1))
    outer = draw(st.sampled_from([1, 2, 3]))
    return source, target, Shard(dim, outer), chips


@hypothesis.given(reshapes())
@hypothesis.settings(max_examples=300, deadline=None)
def test_reshape_on_each_chip_is_the_split_of_the_reshape(
    case: tuple[tuple[int, ...], tuple[int, ...], Shard, int],
) -> None:
    source, target, split, chips = case
    if source[split.dim] % (split.outer * chips):
        return
    moved = reshaped(source, target, split, chips)
    if moved is None:
        return
    whole = torch.arange(math.prod(source)).reshape(source)
    before = shard(whole, ShardAttr.get(*split, chips), chips)
    after = shard(whole.reshape(target), ShardAttr.get(*moved, chips), chips)
    for a, b in zip(before, after, strict=True):
        assert torch.equal(a.reshape(local_shape(target, moved, chips)), b)


def test_a_split_moves_through_heads() -> None:
    assert reshaped((2, 5, 32), (2, 5, 8, 4), Shard(2, 1), 4) == Shard(2, 1)
    assert reshaped((2, 5, 8, 4), (2, 5, 32), Shard(2, 1), 4) == Shard(2, 1)
    assert reshaped((1, 4, 2, 5, 8), (1, 8, 5, 8), Shard(1, 1), 2) == Shard(1, 1)
    assert reshaped((5, 96), (1, 5, 96), Shard(1, 3), 2) == Shard(2, 3)
    assert reshaped((5, 32), (5, 4, 8), Shard(1, 1), 8) is None  # half a head


# Every operator with every operand split along every dimension


def _samples(row: Row) -> list[tuple[list[Shaped], Mapping[str, Any]]]:
    """The row's sample, the same with all sizes doubled where the operator takes that, and some of ours."""
    sample = [shaped(text) for text in row.sample]
    doubled = [Shaped(tuple(2 * size for size in value.shape), value.dtype) for value in sample]
    more = [([shaped(text) for text in texts], settings) for texts, settings in MORE_SAMPLES.get(row.name, [])]
    return [(sample, row.settings), (doubled, row.settings), *more]


MORE_SAMPLES: Mapping[str, list[tuple[list[str], Mapping[str, Any]]]] = {
    "split": [(["4x12xf32"], {"split_size": (4,), "dim": 1}), (["4x12xf32"], {"split_size": (8, 4), "dim": 1})],
    "chunk": [(["4x12xf32"], {"chunks": 3, "dim": 1})],
    "slice": [(["4x8xf32"], {"dim": 1, "start": 4, "end": 8}), (["4x8xf32"], {"dim": 1, "start": 2, "end": 4})],
    "cat": [(["2x8xf32", "2x4xf32"], {"dim": 1}), (["2x4xf32", "2x4xf32"], {"dim": -1})],
    "view": [
        (["2x8x4xf32"], {"size": (2, 2, 4, 4)}),
        (["2x8x4xf32"], {"size": (2, 32)}),
        (["16x4xf32"], {"size": (64,)}),
    ],
    "squeeze": [(["2x1x2xf32"], {})],
    "addmm": [(["4x6xf32", "4x8xf32", "8x6xf32"], {"alpha": 2, "beta": 3}), (["6xf32", "4x8xf32", "8x6xf32"], {})],
    "scaled_dot_product_attention": [
        (["2x4x6x4xf32", "2x2x6x4xf32", "2x2x6x4xf32"], {"enable_gqa": True, "is_causal": True}),
        (["2x4x6x4xf32", "2x1x6x4xf32", "2x1x6x4xf32"], {"enable_gqa": True}),
        (["2x4x6x4xf32", "2x4x8x4xf32", "2x4x8x4xf32", "2x4x6x8xi1"], {"scale": 0.25}),
    ],
    "max_pool2d": [(["2x4x4xf32"], {"kernel_size": (2, 2)})],
    "mean": [(["2x4x4xf32"], {"dim": (0, 2)})],
}


def _program(row: Row, operands: list[Shaped], settings: Mapping[str, Any]) -> FuncOp | None:
    """A function of one operator, or None when the operands do not fit it."""
    block = Block(arg_types=[tensor_type(value) for value in operands])
    try:
        op = build(row.name, block.args, settings)
    except InputError:
        return None
    block.add_ops([op, ReturnOp(*op.results)])
    types = ([a.type for a in block.args], [r.type for r in op.results])
    return FuncOp("f", types, Region(block), arg_attrs=_entries(len(operands), {}, 1))


def _entries(count: int, split: dict[int, Shard], chips: int) -> ArrayAttr[DictionaryAttr]:
    entries: list[dict[str, Attribute]] = [{"samba.name": StringAttr(f"x{i}")} for i in range(count)]
    for i, operand_shard in split.items():
        entries[i]["samba.shard"] = ShardAttr.get(*operand_shard, chips)
    return ArrayAttr([DictionaryAttr(entry) for entry in entries])


def _cases(row: Row, chips: int) -> list[tuple[list[Shaped], Mapping[str, Any], dict[int, Shard]]]:
    """Each operand split alone, and each pair of operands, along each dimension that divides."""
    cases: list[tuple[list[Shaped], Mapping[str, Any], dict[int, Shard]]] = []
    for operands, attributes in _samples(row):
        single = [
            (i, Shard(dim, outer))
            for i, value in enumerate(operands)
            for dim, size in enumerate(value.shape)
            for outer in (1, 2)
            if size % (outer * chips) == 0
        ]
        cases += [(operands, attributes, {i: operand_shard}) for i, operand_shard in single]
        cases += [(operands, attributes, {i: a, j: b}) for i, a in single for j, b in single if i < j]
    return cases


ON_TWO_CHIPS = parse_pipeline("set-target{chips=2},samba-partition")
TESTED = [row for row in OPERATORS.values() if row.sample and Trait.COLLECTIVE not in row.traits]


@pytest.mark.parametrize("row", TESTED, ids=lambda row: row.name)
def test_every_operator_with_split_operands_equals_one_chip(row: Row) -> None:
    ran = 0
    for operands, attributes, split in _cases(row, 2):
        function = _program(row, operands, attributes)
        if function is None:
            continue
        module = ModuleOp([function])
        tensors = {f"x{i}": random_tensor(value, i) for i, value in enumerate(operands)}
        expected = run(module, "f", tensors)
        function.arg_attrs = _entries(len(operands), split, 2)
        run_pipeline(module, ON_TWO_CHIPS)
        module.verify()
        results = run(module, "f", tensors, chips=2)
        for name, value in expected.items():
            torch.testing.assert_close(results[name], value, rtol=1e-5, atol=1e-5, equal_nan=True, msg=f"{split}")
        ran += 1
    assert ran > 0


# Whole models


def _inputs(imported: Imported, graph: str) -> dict[str, torch.Tensor]:
    function = next(op for op in imported.module.ops if isinstance(op, FuncOp) and op.sym_name.data == graph)
    tensors: dict[str, torch.Tensor] = {}
    for i, (entry, value) in enumerate(zip(argument_attributes(function), function.body.block.args, strict=True)):
        name = entry["samba.name"]
        assert isinstance(name, StringAttr)
        if name.data not in imported.weights:
            kind: Any = value.type
            tensors[name.data] = random_tensor(Shaped(kind.get_shape(), kind.element_type), i, high=10)
    return tensors


def _collectives(module: ModuleOp, graph: str) -> dict[str, int]:
    function = next(op for op in module.ops if isinstance(op, FuncOp) and op.sym_name.data == graph)
    names = [op.name for op in function.walk()]
    return {name: names.count(f"samba.{name}") for name in ("all_reduce", "all_gather")}


FOLD = "samba-canonicalize,samba-cse,samba-outline-layers,samba-fuse,samba-heuristics,"
"""What mode o1 does before it shards: layers are functions then, and operators stand in modules."""


def _check(imported: Imported, chips: int, before: str = "") -> SambaContext:
    """Every graph on `chips` chips against one chip."""
    ctx = SambaContext()
    tensors = {graph: {**imported.weights, **_inputs(imported, graph)} for graph in imported.graphs}
    expected = {graph: run(imported.module, graph, values) for graph, values in tensors.items()}
    run_pipeline(imported.module, f"set-target{{chips={chips}}},{before}samba-shard,samba-partition", ctx)
    imported.module.verify()
    verify_conventions(imported.module)
    for graph, values in tensors.items():
        results = run(imported.module, graph, values, chips=chips)
        for name, value in expected[graph].items():
            scale = float(value.abs().max())
            error = float((results[name].double() - value.double()).abs().max())
            assert error <= (2**-8 if value.dtype == torch.bfloat16 else 1e-5) * max(scale, 1e-6), (graph, name)
    return ctx


@cache
def _imported(config: str, dtype: torch.dtype, layers: int) -> Imported:
    """Both graphs of a decoder, the one of an encoder."""
    model = hf.build_model(hf.load_config(EXAMPLES / config, num_hidden_layers=layers), dtype)
    imported: Imported | None = None
    for phase in ("forward",) if config == "bert-tiny.json" else ("prefill", "decode"):
        imported = hf.import_graph(hf.graph(model, phase, 1, 16), into=imported)
    assert imported is not None
    return imported


def _hf(config: str, dtype: torch.dtype, layers: int = 2) -> Imported:
    """A copy, which passes may change."""
    imported = _imported(config, dtype, layers)
    return replace(imported, module=imported.module.clone())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
@pytest.mark.parametrize("chips", [2, 4])
def test_llama_has_two_sums_a_layer_and_one_gather(chips: int, dtype: torch.dtype) -> None:
    imported = _hf("llama-tiny.json", dtype)
    _check(imported, chips)
    for graph in ("prefill", "decode"):
        assert _collectives(imported.module, graph) == {"all_reduce": 4, "all_gather": 1}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
def test_gpt2_with_its_fused_projection(dtype: torch.dtype) -> None:
    imported = _hf("gpt2-tiny.json", dtype)
    _check(imported, 2)
    assert _collectives(imported.module, "decode") == {"all_reduce": 4, "all_gather": 0}
    assert "#samba.shard<1, 3, 2>" in str(imported.module)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
def test_bert(dtype: torch.dtype) -> None:
    imported = _hf("bert-tiny.json", dtype)
    _check(imported, 2)
    assert _collectives(imported.module, "forward")["all_reduce"] == 4


@pytest.mark.parametrize("config", ["llama-tiny.json", "gpt2-tiny.json"])
def test_folded_layers_and_fused_modules(config: str) -> None:
    imported = _hf(config, torch.float32)
    _check(imported, 2, FOLD)
    assert str(imported.module).count("samba.all_reduce") == 4  # two a layer, one layer a graph
    assert "func.call" in str(imported.module) and "samba.module" in str(imported.module)


@pytest.mark.parametrize("name", ["resffn", "cnn", "llama"])
def test_plain_models(name: str) -> None:
    module, inputs = getattr(_load_examples(), name)()
    _check(import_model(module, inputs), 2)


@pytest.mark.parametrize("chips", [3, 8])
def test_heads_that_do_not_divide_are_right_and_remarked(chips: int) -> None:
    ctx = _check(_hf("llama-tiny.json", torch.float32, layers=1), chips)
    messages = [remark.message for remark in ctx.journal.of("samba-shard", "missed")]
    assert any("do not divide" in message or "gathered" in message for message in messages)
