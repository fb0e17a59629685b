"""The reference interpreter agrees with PyTorch, operator by operator, and on random shapes and dtypes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from xdsl.dialects.builtin import ModuleOp, bf16, f32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region

from sambaflow.dialects import samba
from sambaflow.dialects.samba.inference import Shaped
from sambaflow.dialects.samba.table import Row, shaped
from sambaflow.errors import WeightError
from sambaflow.sim.reference.samba_functions import torch_dtype
from sambaflow.sim.reference.samba_reference import apply, run, run_chips, shard, supported, unshard

torch.set_num_threads(1)
aten: Any = torch.ops.aten


def random_tensor(value: Shaped, seed: int) -> Tensor:
    """Floats from a normal distribution (in 1/8 steps, so that equal values occur), small integers, bools."""
    generator = torch.Generator().manual_seed(seed)
    dtype = torch_dtype(value.dtype)
    if dtype.is_floating_point:
        return (torch.randn(value.shape, generator=generator) * 8).round().div(8).to(dtype)
    return torch.randint(0, 2, value.shape, generator=generator).to(dtype)


def build_op(row: Row, operands: Sequence[Shaped], attributes: dict[str, Any]) -> samba.SambaOp:
    block = Block(arg_types=[samba.tensor_type(value) for value in operands])
    return samba.build(row.name, block.args, attributes)


def in_bf16(operands: Sequence[Shaped]) -> list[Shaped]:
    return [Shaped(value.shape, bf16) if value.dtype == f32 else value for value in operands]


def pytorch(name: str, x: Sequence[Tensor], a: dict[str, Any]) -> Any:
    """What PyTorch's own operator gives: by ATen's schema, so the table's attribute names are checked too."""
    special: dict[str, Callable[[], Any]] = {
        "linear": lambda: F.linear(x[0], x[1], x[2] if len(x) > 2 else None),
        "batch_norm": lambda: F.batch_norm(x[0], x[1], x[2], x[3], x[4], False, 0.0, a["eps"]),
        "cross_entropy_loss": lambda: F.cross_entropy(
            x[0], x[1], reduction=a["reduction"], ignore_index=a["ignore_index"]
        ),
        "embedding": lambda: F.embedding(x[1], x[0]),
        "index": lambda: aten.index(x[0], [None] * a["dims"][0] + list(x[1:])),
        "index_put": lambda: aten.index_put(x[0], [None] * a["dims"][0] + list(x[2:]), x[1], a["accumulate"]),
        "cat": lambda: torch.cat(list(x), a["dim"]),
        "stack": lambda: torch.stack(list(x), a["dim"]),
        "hardtanh": lambda: F.hardtanh(x[0], a["min"], a["max"]),
        "var": lambda: torch.var(x[0], list(a["dim"]), correction=a["correction"]),
        "to": lambda: x[0].to(torch_dtype(a["dtype"])),
        "split": lambda: torch.split(x[0], list(a["split_size"]), a["dim"]),
        "unflatten": lambda: x[0].unflatten(a["dim"], a["sizes"]),
        "topk": lambda: torch.topk(x[0], a["k"], a["dim"], a["largest"]),
        "sort": lambda: torch.sort(x[0], dim=a["dim"], descending=a["descending"], stable=True),
        "dropout": lambda: F.dropout(x[0], a["p"], False),
        "contiguous": lambda: x[0].contiguous(),
        "reshape": lambda: x[0].reshape(a["size"]),
        "repeat_interleave": lambda: x[0].repeat_interleave(a["repeats"], a["dim"]),
        "scaled_dot_product_attention": lambda: F.scaled_dot_product_attention(
            *x[:3], attn_mask=x[3] if len(x) > 3 else None, **{k: v for k, v in a.items() if v is not None}
        ),
    }
    if name in special:
        return special[name]()
    keywords = {k: torch_dtype(v) if k == "dtype" else v for k, v in a.items() if v is not None}
    keywords = {k: list(v) if isinstance(v, tuple) else v for k, v in keywords.items()}
    operator = getattr(aten, name)
    for overload in operator.overloads():
        names = [argument.name for argument in getattr(operator, overload)._schema.arguments]
        if set(keywords) <= set(names) and overload not in ("out", "Dimname", "names") and "out" not in names:
            free = [n for n in names if n not in keywords]
            try:
                return getattr(operator, overload)(**dict(zip(free, x, strict=False)), **keywords)
            except (RuntimeError, TypeError, NotImplementedError):
                continue
    raise AssertionError(f"no overload of aten.{name} takes {keywords}")


def compare(ours: Sequence[Tensor], theirs: Any, exact: bool) -> None:
    expected = [theirs] if isinstance(theirs, Tensor) else list(theirs)
    assert len(ours) == len(expected)
    for have, want in zip(ours, expected, strict=True):
        assert have.shape == want.shape
        assert have.dtype == want.dtype
        if exact or not want.is_floating_point():
            torch.testing.assert_close(have, want, rtol=0, atol=0)
        else:
            # PyTorch rounds intermediate results of some 16-bit operators; one unit in the last place is 2^-7
            tolerance = 1e-6 if want.dtype == torch.float32 else 2.0**-7
            torch.testing.assert_close(have, want, rtol=tolerance, atol=tolerance, equal_nan=True)


LOCAL = [name for name, row in samba.OPERATORS.items() if samba.Trait.COLLECTIVE not in row.traits]


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize("narrow", [False, True], ids=["f32", "bf16"])
def test_operator_agrees_with_pytorch(name: str, narrow: bool) -> None:
    row = samba.OPERATORS[name]
    operands = [shaped(text) for text in row.sample]
    operands = in_bf16(operands) if narrow else operands
    attributes = dict(row.settings)
    if narrow and not operands:
        attributes["dtype"] = bf16
    op = build_op(row, operands, attributes)
    tensors = [random_tensor(value, seed) for seed, value in enumerate(operands)]
    if name == "batch_norm":
        tensors[2] = tensors[2].abs() + 0.5  # a variance
    ours = apply(op, tensors)
    compare(ours, pytorch(name, tensors, op.settings()), exact=samba.Trait.VIEW in row.traits)


def test_every_operator_has_a_reference() -> None:
    assert set(samba.OPERATORS) == set(supported())


shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)
dtypes = st.sampled_from(["f32", "bf16", "i64", "i32", "i1"])


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast: one with some dimensions set to 1 and leading ones dropped."""
    full = draw(shapes)
    keep = [draw(st.booleans()) for _ in full]
    other = tuple(size if keeps_size else 1 for size, keeps_size in zip(full, keep, strict=True))
    other = other[draw(st.integers(0, len(other))) :]
    return (full, other) if draw(st.booleans()) else (other, full)


@settings(max_examples=300, deadline=None)
@given(broadcastable(), dtypes, dtypes, st.sampled_from(["add", "mul", "div", "maximum", "eq", "lt", "where"]))
def test_promotion_and_broadcast_are_pytorchs(
    pair: tuple[tuple[int, ...], tuple[int, ...]], first: str, second: str, name: str
) -> None:
    operands = [Shaped(pair[0], shaped(first).dtype), Shaped(pair[1], shaped(second).dtype)]
    tensors = [random_tensor(value, seed) for seed, value in enumerate(operands)]
    if name == "where":
        operands.insert(0, Shaped(pair[0], shaped("i1").dtype))
        tensors.insert(0, random_tensor(operands[0], 2))
    compare(apply(build_op(samba.OPERATORS[name], operands, {}), tensors), getattr(torch, name)(*tensors), exact=False)


@settings(max_examples=200, deadline=None)
@given(shapes, dtypes, st.sampled_from([True, 3, -0.1]), st.sampled_from(["add", "mul", "div", "eq", "lt"]))
def test_python_scalars_promote_as_in_pytorch(shape: tuple[int, ...], dtype: str, scalar: Any, name: str) -> None:
    value = Shaped(shape, shaped(dtype).dtype)
    tensor = random_tensor(value, 0)
    ours = apply(build_op(samba.OPERATORS[name], [value], {"other": scalar}), [tensor])
    compare(ours, getattr(torch, name)(tensor, scalar), exact=False)


CASES: list[tuple[str, list[str], dict[str, Any]]] = [
    ("scaled_dot_product_attention", ["1x4x3x8xf32", "1x2x5x8xf32", "1x2x5x8xf32"], {"enable_gqa": True}),
    ("scaled_dot_product_attention", ["2x3x4xf32", "2x5x4xf32", "2x5x6xf32"], {"is_causal": True, "scale": 0.3}),
    ("scaled_dot_product_attention", ["1x2x3x4xf32", "1x2x3x4xf32", "1x2x3x4xf32", "1x1x3x3xi1"], {}),
    ("conv2d", ["1x4x7x6xf32", "6x2x3x2xf32", "6xf32"],
     {"stride": (2, 1), "padding": (1, 0), "dilation": (2, 2), "groups": 2}),
    ("max_pool2d", ["1x2x7x7xf32"], {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True}),
    ("max_pool2d", ["2x7x7xf32"], {"kernel_size": (2, 2), "dilation": (2, 2)}),
    ("avg_pool2d", ["1x2x7x7xf32"],
     {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "count_include_pad": False}),
    ("avg_pool2d", ["1x1x6x6xf32"], {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True}),
    ("adaptive_avg_pool2d", ["1x2x7x5xf32"], {"output_size": (3, 2)}),
    ("matmul", ["4xf32", "4xf32"], {}),
    ("matmul", ["4xf32", "2x4x3xf32"], {}),
    ("matmul", ["5x1x3x4xf32", "2x4x6xf32"], {}),
    ("linear", ["4xf32", "3x4xf32"], {}),
    ("linear", ["2x300xf32", "3x300xf32"], {}),
    ("index", ["4x3x5xf32", "2x2xi64", "2xi64"], {"dims": (0, 1)}),
    ("gather", ["4x3xf32", "4x2xi64"], {"dim": 1}),
    ("slice", ["9x3xf32"], {"start": -7, "end": 100, "step": 3}),
    ("constant_pad_nd", ["2x5xf32"], {"pad": (-1, 2, 1, 0), "value": 0.5}),
    ("cumsum", ["3x4xi64"], {"dim": 0}),
    ("sum", ["2x3xi1"], {"dim": (0, 1)}),
    ("argmax", ["2x3xf32"], {"dim": None}),
    ("addmm", ["3x1xf32", "3x4xf32", "4x5xf32"], {"beta": 2, "alpha": 0.5}),
    ("add", ["2x3xf32", "3xf32"], {"alpha": 2}),
    ("gelu", ["2x9xf32"], {}),
    ("softplus", ["2x9xf32"], {"beta": 2.0, "threshold": 1.0}),
    ("div", ["5xi64", "5xf32"], {"rounding_mode": "floor"}),
    ("arange", [], {"start": 1, "end": 8, "step": 2.5, "dtype": f32}),
    ("chunk", ["7x3xf32"], {"chunks": 3}),
    ("group_norm", ["2x4x3x3xf32"], {"num_groups": 4}),
    ("index_put", ["4x3xf32", "3xf32", "2xi64"], {"dims": (0,), "accumulate": True}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operands", "attributes"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_settings_beyond_the_samples(name: str, operands: list[str], attributes: dict[str, Any]) -> None:
    row = samba.OPERATORS[name]
    values = [shaped(text) for text in operands]
    tensors = [random_tensor(value, seed) for seed, value in enumerate(values)]
    if name == "div":
        tensors[1] = tensors[1].abs() + 0.3
    op = build_op(row, values, attributes)
    compare(apply(op, tensors), pytorch(name, tensors, op.settings()), exact=False)


def test_a_row_that_no_key_may_reach_gives_zero() -> None:
    row = samba.OPERATORS["scaled_dot_product_attention"]
    values = [shaped(text) for text in ("1x2x4xf32", "1x3x4xf32", "1x3x4xf32", "2x3xi1")]
    tensors = [*(random_tensor(value, 0) for value in values[:3]), torch.tensor([[True] * 3, [False] * 3])]
    (result,) = apply(build_op(row, values, {}), tensors)
    assert torch.equal(result[0, 1], torch.zeros(4))
    assert torch.isfinite(result).all()


def two_layer_module() -> ModuleOp:
    """y = relu(x @ w.T), called through a private function, summed over the chips."""
    x, w = samba.tensor_type(Shaped((2, 4), f32)), samba.tensor_type(Shaped((3, 4), f32))
    inner = Block(arg_types=[x, w])
    linear = samba.build("linear", inner.args)
    total = samba.build("all_reduce", linear.results, {"chips": 2})
    inner.add_ops([linear, total, ReturnOp(total.results[0])])
    function = FuncOp("main", ([x, w], [total.results[0].type]), Region(inner))
    return ModuleOp([function])


def test_chips_run_in_lockstep() -> None:
    """A linear sharded along k over two chips and summed equals the whole one."""
    x, w = torch.randn(2, 8), torch.randn(3, 8)
    split = samba.ShardAttr.get(1, 1, 2)
    arguments = [shard(x, split, 2), shard(w, split, 2)]
    (result,) = run_chips(two_layer_module(), "main", arguments)
    torch.testing.assert_close(result[0], F.linear(x, w))
    assert torch.equal(result[0], result[1])


def test_shard_with_an_outer_dimension() -> None:
    """outer = 2: each half of a fused gate and up projection is cut by itself."""
    whole = torch.arange(8)
    attribute = samba.ShardAttr.get(0, 2, 2)
    parts = shard(whole, attribute, 2)
    assert parts[0].tolist() == [0, 1, 4, 5]
    assert torch.equal(unshard(parts, attribute), whole)


def test_wrong_tensors_are_refused() -> None:
    module = two_layer_module()
    with pytest.raises(WeightError, match="needs a tensor named 'arg1'"):
        run(module, "main", {"arg0": torch.zeros(2, 4)})
    with pytest.raises(WeightError, match=r"'arg0' is \[2, 5\]"):
        run(module, "main", {"arg0": torch.zeros(2, 5), "arg1": torch.zeros(3, 4)})


def test_softmax_of_minus_infinity() -> None:
    values = [shaped("3xf32")]
    (result,) = apply(build_op(samba.OPERATORS["softmax"], values, {"dim": -1}), [torch.tensor([0.0, -math.inf, 0.0])])
    assert result.tolist() == [0.5, 0.0, 0.5]
