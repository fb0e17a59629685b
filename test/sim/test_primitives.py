"""An instruction gives the same bits for an element whatever stands beside it: in a tile, in a shard, in the whole."""

from __future__ import annotations

import pytest
import torch

from sambaflow.machine.opcodes import BY_NAME
from sambaflow.sim.primitives import FUNCTIONS, apply

FLOATS = [name for name, row in BY_NAME.items() if name in FUNCTIONS and "f32" in row.dtypes and name != "select"]
POSITIVE = ("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "pow", "fpowi")


def operands(name: str, dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(203, generator=generator) * 3 for _ in range(BY_NAME[name].arity)]
    if name in POSITIVE:
        values[0] = values[0].abs()
    elif name == "acosh":
        values[0] = values[0].abs() + 1
    elif name in ("asin", "acos", "atanh"):
        values[0] = torch.tanh(values[0])
    return [value.to(dtype) for value in values]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", FLOATS)
def test_an_element_does_not_depend_on_its_neighbours(name: str, dtype: str):
    if dtype not in BY_NAME[name].dtypes:
        pytest.skip("not in this type")
    values = operands(name, torch.float32 if dtype == "f32" else torch.float64)
    whole = apply(name, dtype, values)
    for size in (1, 7, 64):
        parts = [apply(name, dtype, [value[start : start + size] for value in values]) for start in range(0, 203, size)]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=0, equal_nan=True)
    strided = apply(name, dtype, [torch.stack([value, value], 1).flatten()[::2] for value in values])
    torch.testing.assert_close(strided, whole, rtol=0, atol=0, equal_nan=True)
