"""Folding gives the reference's bits, for every operator that it knows; canonicalized functions compute the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from xdsl.dialects.builtin import ModuleOp, bf16, f32, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from sambaflow.dialects import samba
from sambaflow.dialects.samba.folding import FOLDERS, constant_of, elements_of, fold
from sambaflow.dialects.samba.inference import Shaped
from sambaflow.dialects.samba.table import shaped
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.samba_canonicalize import SambaCanonicalizePass
from sambaflow.passes.samba_cse import SambaCsePass
from sambaflow.sim.reference.samba_functions import torch_dtype
from sambaflow.sim.reference.samba_reference import apply, dense_tensor, run_chips

torch.set_num_threads(1)

CASES: list[tuple[str, list[str], dict[str, Any]]] = [
    ("add", ["2x9xf32", "9xi64"], {}),
    ("mul", ["2x9xf32"], {"other": 0.1}),
    ("div", ["7xi64"], {"other": 3}),
    ("div", ["7xi64"], {"other": 3, "rounding_mode": "floor"}),
    ("remainder", ["7xi64"], {"other": -3}),
    ("eq", ["9xf32"], {"other": 0.1}),
    ("lt", ["9xf32", "f32"], {}),
    ("pow", ["9xf32"], {"exponent": 2}),
    ("arange", [], {"start": 0.5, "end": 100.0, "step": 0.3, "dtype": f32}),
    ("arange", [], {"end": 300, "dtype": bf16}),
    ("to", ["99xf32"], {"dtype": bf16}),
    ("to", ["99xf32"], {"dtype": i64}),
    ("sum", ["3x4xi1"], {"dim": (0,), "keepdim": True}),
    ("where", ["3x1xi1", "f32", "4xi64"], {}),
    ("cat", ["2x3xf32", "2x3xbf16"], {"dim": -1}),
    ("clamp", ["9xi64"], {"min": 0.5}),
    ("full", [], {"size": (2,), "fill_value": 0.1, "dtype": bf16}),
    ("masked_fill", ["3xf32", "3xi1"], {"value": float("-inf")}),
]
SAMPLES = [(name, list(samba.OPERATORS[name].sample), dict(samba.OPERATORS[name].settings)) for name in FOLDERS]


def random_tensor(value: Shaped, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    dtype = torch_dtype(value.dtype)
    if dtype.is_floating_point:
        return torch.randn(value.shape, generator=generator).mul(3).to(dtype)
    return torch.randint(0, 2, value.shape, generator=generator).to(dtype)


def array_of(tensor: Tensor) -> Any:
    return (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy()


@pytest.mark.parametrize("dtype", ["f32", "bf16", "i64"])
@pytest.mark.parametrize(("name", "texts", "attributes"), SAMPLES + CASES, ids=[c[0] for c in SAMPLES + CASES])
def test_folding_gives_the_references_bits(name: str, texts: list[str], attributes: dict[str, Any], dtype: str) -> None:
    kinds = {"f32": shaped(dtype).dtype}
    if dtype == "i64" and float("-inf") in attributes.values():
        pytest.skip("no integer is infinite")
    operands = [Shaped(v.shape, kinds.get(str(v.dtype), v.dtype)) for v in map(shaped, texts)]
    block = Block(arg_types=[samba.tensor_type(value) for value in operands])
    op = samba.build(name, block.args, attributes)
    tensors = [random_tensor(value, i) for i, value in enumerate(operands)]
    results = fold(op, [array_of(tensor) for tensor in tensors])
    if results is None:
        assert name in ("remainder", "floor_divide", "sum", "cumsum", "pow", "div", "arange")
        return
    for have, want, result in zip(results, apply(op, tensors), op.results, strict=True):
        constant = constant_of(have, samba.shaped_of(result).dtype)
        assert constant.result.type == result.type
        torch.testing.assert_close(dense_tensor(constant.value), want, rtol=0, atol=0, equal_nan=True)
        assert (elements_of(constant) == have).all() or have.dtype.kind == "f"


def function_of(operands: Sequence[Shaped], *steps: tuple[str, Sequence[int], dict[str, Any]]) -> ModuleOp:
    """A function of a chain of ops: each step takes values by number, arguments first."""
    block = Block(arg_types=[samba.tensor_type(value) for value in operands])
    values: list[SSAValue] = [*block.args]
    for name, inputs, attributes in steps:
        op = samba.build(name, [values[i] for i in inputs], attributes)
        block.add_op(op)
        values.extend(op.results)
    block.add_op(ReturnOp(values[-1]))
    return ModuleOp([FuncOp("main", ([*block.arg_types], [values[-1].type]), Region(block))])


def test_grouped_attention_is_the_same_function() -> None:
    q, k = Shaped((2, 6, 3, 4), f32), Shaped((2, 2, 3, 4), f32)
    module = function_of(
        [q, k, k],
        ("unsqueeze", [1], {"dim": 2}), ("expand", [3], {"size": (2, 2, 3, 3, 4)}),
        ("reshape", [4], {"size": (2, 6, 3, 4)}),
        ("unsqueeze", [2], {"dim": 2}), ("expand", [6], {"size": (2, 2, 3, 3, 4)}),
        ("reshape", [7], {"size": (2, 6, 3, 4)}),
        ("ones", [], {"size": (3, 3), "dtype": shaped("i1").dtype}), ("tril", [9], {}),
        ("scaled_dot_product_attention", [0, 5, 8, 10], {}),
    )  # fmt: skip
    tensors = [[torch.randn(value.shape)] for value in (q, k, k)]
    before = run_chips(module, "main", tensors)[0][0]
    SambaCanonicalizePass().apply(SambaContext(), module)
    SambaCsePass().apply(SambaContext(), module)
    module.verify()
    assert [op.name for op in module.walk()].count("samba.scaled_dot_product_attention") == 1
    assert not any(op.name == "samba.expand" for op in module.walk())
    torch.testing.assert_close(run_chips(module, "main", tensors)[0][0], before)


def test_thousands_of_ops_take_well_under_a_second() -> None:
    import time

    steps = [step for i in range(1500) for step in (("clone", [2 * i], {}), ("exp", [2 * i + 1], {}))]
    module = function_of([Shaped((2, 3), f32)], *steps)
    start = time.process_time()
    SambaCanonicalizePass().apply(SambaContext(), module)
    SambaCsePass().apply(SambaContext(), module)
    assert time.process_time() - start < 2.0
    assert sum(op.name == "samba.clone" for op in module.walk()) == 0
