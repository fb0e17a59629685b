"""Each conversion of the kernel library computes what the operator does: kernel against samba reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from xdsl.dialects.builtin import ModuleOp, bf16, f32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region

from sambaflow.dialects import kernel, samba
from sambaflow.dialects.samba.inference import Shaped
from sambaflow.dialects.samba.table import shaped
from sambaflow.errors import InputError
from sambaflow.passes.convert_samba_to_kernel import ConvertSambaToKernelPass
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.kernel_library import CONVERSIONS
from sambaflow.sim.reference.kernel_reference import run as run_kernel
from sambaflow.sim.reference.kernel_reference import run_chips as run_kernel_chips
from sambaflow.sim.reference.samba_functions import torch_dtype
from sambaflow.sim.reference.samba_reference import run_chips

torch.set_num_threads(1)

LOCAL = [name for name, row in samba.OPERATORS.items() if samba.Trait.COLLECTIVE not in row.traits]
Case = tuple[str, list[str], dict[str, Any]]

CASES: list[Case] = [
    ("scaled_dot_product_attention", ["1x4x3x8xf32", "1x2x5x8xf32", "1x2x5x8xf32"], {"enable_gqa": True}),
    ("scaled_dot_product_attention", ["2x4x3x8xf32", "2x2x5x8xf32", "2x2x5x8xf32", "2x1x3x5xi1"], {"enable_gqa": True}),
    ("scaled_dot_product_attention", ["2x3x4xf32", "2x5x4xf32", "2x5x6xf32"], {"is_causal": True, "scale": 0.3}),
    ("scaled_dot_product_attention", ["3x4xf32", "5x4xf32", "5x6xf32"], {}),
    ("scaled_dot_product_attention", ["1x2x3x4xf32", "1x2x3x4xf32", "1x2x3x4xf32", "1x1x3x3xi1"], {}),
    ("scaled_dot_product_attention", ["2x2x1x4xf32", "2x2x9x4xf32", "2x2x9x4xf32", "2x1x1x9xf32"], {}),
    ("conv2d", ["1x4x7x6xf32", "6x2x3x2xf32", "6xf32"],
     {"stride": (2, 1), "padding": (1, 0), "dilation": (2, 2), "groups": 2}),
    ("conv2d", ["2x3x4x4xf32", "3x1x3x3xf32"], {"padding": (1, 1), "groups": 3}),
    ("conv1d", ["2x4x9xf32", "6x2x3xf32", "6xf32"], {"stride": (2,), "padding": (1,), "groups": 2}),
    ("max_pool2d", ["1x2x7x7xf32"], {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True}),
    ("max_pool2d", ["2x7x7xf32"], {"kernel_size": (2, 2), "dilation": (2, 2)}),
    ("avg_pool2d", ["1x2x7x7xf32"],
     {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "count_include_pad": False}),
    ("avg_pool2d", ["1x1x6x6xf32"], {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True}),
    ("adaptive_avg_pool2d", ["1x2x7x5xf32"], {"output_size": (3, 2)}),
    ("adaptive_avg_pool2d", ["2x8x6xf32"], {"output_size": (4, 3)}),
    ("matmul", ["4xf32", "4xf32"], {}),
    ("matmul", ["4xf32", "2x4x3xf32"], {}),
    ("matmul", ["2x3x4xf32", "4xf32"], {}),
    ("matmul", ["5x1x3x4xf32", "2x4x6xf32"], {}),
    ("matmul", ["3x4xi64", "4x2xi64"], {}),
    ("linear", ["4xf32", "3x4xf32"], {}),
    ("linear", ["2x300xf32", "3x300xf32"], {}),
    ("index", ["4x3x5xf32", "2x2xi64", "2xi64"], {"dims": (0, 1)}),
    ("index", ["4x3x5xf32", "2xi64", "2xi64"], {"dims": (0, 2)}),
    ("index", ["4x3x5xf32", "2xi64"], {"dims": (1,)}),
    ("index_put", ["4x3x5xf32", "4x2x5xf32", "2xi64"], {"dims": (1,)}),
    ("index_put", ["4x3xf32", "3xf32", "2xi64"], {"dims": (0,), "accumulate": True}),
    ("gather", ["4x3xf32", "4x2xi64"], {"dim": 1}),
    ("index_select", ["4x3x2xf32", "5xi64"], {"dim": -2}),
    ("index_copy", ["1x2x8x4xf32", "1xi64", "1x2x1x4xf32"], {"dim": 2}),
    ("slice", ["9x3xf32"], {"start": -7, "end": 100, "step": 3}),
    ("slice_scatter", ["3x9xf32", "3x3xf32"], {"dim": 1, "start": 1, "step": 3}),
    ("constant_pad_nd", ["2x5xf32"], {"pad": (-1, 2, 1, 0), "value": 0.5}),
    ("cumsum", ["3x4xi64"], {"dim": 0}),
    ("sum", ["2x3xi1"], {}),
    ("sum", ["2x3x4xf32"], {"dim": (0, 2), "keepdim": True}),
    ("sum", ["3x300xf32"], {"dim": (1,)}),
    ("mean", ["2x3x4xf32"], {}),
    ("var", ["2x3x4xf32"], {"dim": (0, 2), "keepdim": True, "correction": 0}),
    ("amax", ["2x3x4xf32"], {}),
    ("amin", ["2x3xi64"], {"dim": (0,)}),
    ("argmax", ["2x3xf32"], {"dim": None}),
    ("argmax", ["2x300xf32"], {"dim": -1, "keepdim": True}),
    ("min", ["3x300xf32"], {"dim": 1, "keepdim": True}),
    ("topk", ["5x3xf32"], {"k": 2, "dim": 0, "largest": False}),
    ("sort", ["5x3xf32"], {"dim": 0, "descending": True}),
    ("addmm", ["3x1xf32", "3x4xf32", "4x5xf32"], {"beta": 2, "alpha": 0.5}),
    ("add", ["2x3xf32", "3xf32"], {"alpha": 2}),
    ("add", ["2x3xi1", "3xi1"], {}),
    ("mul", ["2x3xi64"], {"other": 0.5}),
    ("rsub", ["2x3xf32"], {"other": 1}),
    ("eq", ["2x9xf32"], {"other": -0.1}),
    ("lt", ["3xi64", "2x1xi64"], {}),
    ("div", ["2x3xi64", "3xi64"], {"rounding_mode": "floor"}),
    ("div", ["2x9xf32"], {"other": 0.7, "rounding_mode": "trunc"}),
    ("remainder", ["2x9xf32"], {"other": -0.7}),
    ("remainder", ["2x9xi64"], {"other": -3}),
    ("pow", ["2x9xf32"], {"exponent": 3}),
    ("pow", ["2x3xi64"], {"exponent": 2}),
    ("gelu", ["2x9xf32"], {}),
    ("softplus", ["2x9xf32"], {"beta": 2.0, "threshold": 1.0}),
    ("to", ["2x9xf32"], {"dtype": shaped("i64").dtype}),
    ("to", ["2x3xi1"], {"dtype": f32}),
    ("to", ["2x3xf32"], {"dtype": shaped("i1").dtype}),
    ("where", ["2x1xi1", "3xf32", "2x3xi64"], {}),
    ("masked_fill", ["2x3xf32", "3xi1", "f32"], {}),
    ("arange", [], {"start": 1, "end": 8, "step": 2.5, "dtype": f32}),
    ("chunk", ["7x3xf32"], {"chunks": 3}),
    ("cat", ["2x3xf32", "2x3xbf16", "2x1xf32"], {"dim": -1}),
    ("stack", ["f32", "f32"], {}),
    ("view", ["2x6xf32"], {"size": (3, 2, 2)}),
    ("view", ["1x4x6xf32"], {"size": (4, 2, 3, 1)}),
    ("view", ["6x4xf32"], {"size": (8, 3)}),
    ("view", ["1x1xf32"], {"size": ()}),
    ("squeeze", ["1x1xf32"], {}),
    ("tril", ["2x4x3xf32"], {"diagonal": -1}),
    ("softmax", ["2x3x4xf32"], {"dim": 1}),
    ("log_softmax", ["3x300xf32"], {"dim": 1}),
    ("layer_norm", ["2x3x4xf32"], {"normalized_shape": (3, 4)}),
    ("rms_norm", ["2x3x4xf32"], {"normalized_shape": (4,)}),
    ("group_norm", ["2x4x3x3xf32"], {"num_groups": 4}),
    ("batch_norm", ["2x3xf32", "3xf32", "3xf32"], {}),
    ("cross_entropy_loss", ["5x3xf32", "5xi64", "3xf32"], {"ignore_index": 1, "label_smoothing": 0.1}),
    ("cross_entropy_loss", ["5x3xf32", "5xi64"], {"reduction": "none", "ignore_index": 0}),
    ("cross_entropy_loss", ["3xf32", "i64"], {"reduction": "sum"}),
    ("add", ["f32", "f32"], {}),
    ("relu", ["f32"], {}),
    ("sum", ["f32"], {}),
    ("softmax", ["f32"], {"dim": 0}),
]  # fmt: skip


def random_tensor(value: Shaped, seed: int) -> Tensor:
    """Floats from a normal distribution in 1/8 steps (so equal values occur), small positive integers, bools."""
    generator = torch.Generator().manual_seed(seed)
    dtype = torch_dtype(value.dtype)
    if dtype.is_floating_point:
        return (torch.randn(value.shape, generator=generator) * 8).round().div(8).to(dtype)
    return torch.randint(0, 2, value.shape, generator=generator).to(dtype)


def module_of(name: str, operands: Sequence[Shaped], attributes: dict[str, Any], dtype: Any = None) -> ModuleOp:
    """A function @main of one operator."""
    block = Block(arg_types=[samba.tensor_type(value) for value in operands])
    op = samba.build(name, block.args, attributes, dtype=dtype)
    block.add_ops([op, ReturnOp(*op.results)])
    types = [result.type for result in op.results]
    return ModuleOp([FuncOp("main", ([*block.arg_types], types), Region(block))])


def to_kernel(module: ModuleOp) -> FuncOp:
    ConvertSambaToKernelPass().apply(SambaContext(), module)
    module.verify()
    function = module.body.block.first_op
    assert isinstance(function, FuncOp)
    return function


def check(name: str, operands: Sequence[Shaped], attributes: dict[str, Any], tensors: Sequence[Tensor]) -> None:
    module = module_of(name, operands, attributes)
    expected = [parts[0] for parts in run_chips(module, "main", [[t] for t in tensors])]
    ours = run_kernel(to_kernel(module), tensors)
    exact = samba.Trait.VIEW in samba.OPERATORS[name].traits
    assert len(ours) == len(expected)
    for have, want in zip(ours, expected, strict=True):
        assert have.dtype == want.dtype
        assert have.shape == want.shape
        # f32: sums in another order; bf16: one unit in the last place where f32 values differ next to a tie
        tolerance = 0 if exact or not want.is_floating_point() else 2.0**-8 if want.dtype == torch.bfloat16 else 2e-6
        torch.testing.assert_close(have, want, rtol=tolerance, atol=tolerance, equal_nan=True)


def in_bf16(operands: Sequence[Shaped]) -> list[Shaped]:
    return [Shaped(value.shape, bf16) if value.dtype == f32 else value for value in operands]


def prepared(name: str, tensors: list[Tensor]) -> list[Tensor]:
    """Inputs that the operator is defined on: variances above 0, divisors other than 0."""
    if name == "batch_norm":
        tensors[2] = tensors[2].abs() + 0.5
    if name in ("div", "remainder", "floor_divide") and len(tensors) > 1:
        tensors[1] = tensors[1].abs() + 1
    return tensors


SAMPLES: list[Case] = [
    (name, list(samba.OPERATORS[name].sample), dict(samba.OPERATORS[name].settings)) for name in LOCAL
]


@pytest.mark.parametrize("narrow", [False, True], ids=["f32", "bf16"])
@pytest.mark.parametrize(("name", "texts", "attributes"), SAMPLES + CASES, ids=[c[0] for c in SAMPLES + CASES])
def test_conversion(name: str, texts: list[str], attributes: dict[str, Any], narrow: bool) -> None:
    operands = [shaped(text) for text in texts]
    if narrow:
        operands = in_bf16(operands)
        attributes = {k: bf16 if v == f32 and not operands else v for k, v in attributes.items()}
    check(name, operands, attributes, prepared(name, [random_tensor(value, i) for i, value in enumerate(operands)]))


def test_every_operator_has_a_conversion() -> None:
    assert set(CONVERSIONS) == set(samba.OPERATORS)


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape and another one with as many elements: a permutation of the factors, grouped anew."""
    source = draw(shapes)
    factors = draw(st.permutations([f for size in source for f in ([2, 2] if size == 4 else [size])]))
    target = [1]
    for factor in factors:
        if draw(st.booleans()):
            target.append(factor)
        else:
            target[-1] *= factor
    return source, tuple(target)


@settings(max_examples=150, deadline=None)
@given(reshapes())
def test_reshape_keeps_the_row_major_order(pair: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    source = Shaped(pair[0], f32)
    check("view", [source], {"size": pair[1]}, [torch.arange(float(torch.Size(pair[0]).numel())).reshape(pair[0])])


@settings(max_examples=60, deadline=None)
@given(shapes, st.data())
def test_slices_and_permutations(shape: tuple[int, ...], data: st.DataObject) -> None:
    tensor = random_tensor(Shaped(shape, f32), 1)
    dim = data.draw(st.integers(0, len(shape) - 1))
    start = data.draw(st.integers(-shape[dim], shape[dim] - 1))
    step = data.draw(st.integers(1, 3))
    check("slice", [Shaped(shape, f32)], {"dim": dim, "start": start, "step": step}, [tensor])
    order = data.draw(st.permutations(range(len(shape))))
    check("permute", [Shaped(shape, f32)], {"dims": tuple(order)}, [tensor])


@pytest.mark.parametrize("name", ["all_reduce", "all_gather", "reduce_scatter", "all_to_all"])
def test_collectives(name: str) -> None:
    """Two chips exchange the same data at both levels."""
    attributes = {"chips": 2, **({} if name == "all_reduce" else {"dim": 0})}
    tensors = [torch.randn(4, 3), torch.randn(4, 3)]
    module = module_of(name, [Shaped((4, 3), f32)], attributes)
    expected = run_chips(module, "main", [tensors])[0]
    ours = run_kernel_chips(to_kernel(module), [[t] for t in tensors])
    for chip in range(2):
        assert torch.equal(ours[chip][0], expected[chip])


def test_partial_sums_stay_f32() -> None:
    """A linear of bf16 operands with an f32 result is not rounded to bf16."""
    operands = [shaped("2x64xbf16"), shaped("3x64xbf16")]
    tensors = [torch.randn(2, 64).bfloat16(), torch.randn(3, 64).bfloat16()]
    function = to_kernel(module_of("linear", operands, {}, dtype=f32))
    (result,) = run_kernel(function, tensors)
    assert result.dtype == torch.float32
    assert not torch.equal(result, result.bfloat16().float())


def test_linear_equals_the_reference_bit_for_bit() -> None:
    """Both follow the numeric contract: blocks of 128 along k."""
    operands = [shaped("5x300xf32"), shaped("17x300xf32"), shaped("17xf32")]
    tensors = [torch.randn(value.shape) for value in operands]
    module = module_of("linear", operands, {})
    expected = run_chips(module, "main", [[t] for t in tensors])[0][0]
    assert torch.equal(run_kernel(to_kernel(module), tensors)[0], expected)


def test_grouped_queries_repeat_nothing() -> None:
    """Key and value heads are shared by the maps: no move, no gather."""
    operands = [shaped("1x8x3x4xf32"), shaped("1x2x5x4xf32"), shaped("1x2x5x4xf32")]
    function = to_kernel(module_of("scaled_dot_product_attention", operands, {"enable_gqa": True}))
    names = [op.name for op in function.body.block.ops]
    assert names == [
        "kernel.contract", "kernel.reduce", "kernel.map", "kernel.reduce", "kernel.contract", "func.return"
    ]  # fmt: skip


def test_splat_operands_become_numbers() -> None:
    """x + full(0.5) reads x only."""
    block = Block(arg_types=[samba.tensor_type(Shaped((2, 3), f32))])
    half = samba.build("full", [], {"size": (), "fill_value": 0.5, "dtype": f32})
    total = samba.build("add", [block.args[0], half.results[0]])
    block.add_ops([half, total, ReturnOp(total.results[0])])
    function = to_kernel(ModuleOp([FuncOp("main", ([*block.arg_types], [total.results[0].type]), Region(block))]))
    stages: list[Operation] = [op for op in function.body.block.ops if isinstance(op, kernel.Stage)]
    assert [len(stage.operands) for stage in stages] == [1]
    assert torch.equal(run_kernel(function, [torch.ones(2, 3)])[0], torch.full((2, 3), 1.5))


def test_negative_indices_count_from_the_end() -> None:
    operands = [shaped("4x3xf32"), shaped("2xi64")]
    check("index", operands, {"dims": (0,)}, [torch.randn(4, 3), torch.tensor([-1, 1])])


def test_rows_without_keys_give_zero() -> None:
    operands = [shaped(text) for text in ("1x2x4xf32", "1x3x4xf32", "1x3x4xf32", "2x3xi1")]
    tensors = [*(torch.randn(value.shape) for value in operands[:3]), torch.tensor([[True] * 3, [False] * 3])]
    check("scaled_dot_product_attention", operands, {}, tensors)


def test_f64_is_refused() -> None:
    with pytest.raises(InputError, match="no unit computes in f64"):
        to_kernel(module_of("exp", [shaped("2xf64")], {}))
