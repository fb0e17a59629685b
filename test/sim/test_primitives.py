"""An instruction gives the same bits for an element whatever stands beside it: in a tile, in a shard, in the whole."""

from __future__ import annotations

import pytest
import torch

from sambaflow.machine.opcodes import BY_NAME
from sambaflow.sim.functional.primitives import FUNCTIONS, apply

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


@pytest.mark.parametrize("name", [name for name in FLOATS if BY_NAME[name].op_class == "transcendental"])
def test_threads_and_lengths_change_no_bit(name: str):
    """torch cuts long tensors over its threads, and each part ends in a remainder of its own."""
    values = operands(name, torch.float32)
    long = [value.repeat(330) for value in values]  # beyond what torch leaves to one thread
    before = torch.get_num_threads()
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            expected = apply(name, "f32", values)
            for start in (0, 1, 3):
                part = apply(name, "f32", [value[start:] for value in long])
                torch.testing.assert_close(part, expected.repeat(330)[start:], rtol=0, atol=0, equal_nan=True)
    finally:
        torch.set_num_threads(before)
