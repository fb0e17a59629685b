"""Dense elements: what xDSL does not tell apart."""

from __future__ import annotations

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr


def is_one_number(value: DenseIntOrFPElementsAttr) -> bool:
    """Whether all elements have the same bits; `is_splat` takes 0.0 and -0.0 for one number."""
    data, count = value.data.data, len(value)
    return count > 0 and data == data[: len(data) // count] * count


def mixes_zeros(value: DenseIntOrFPElementsAttr) -> bool:
    """Whether xDSL prints a splat where there are zeros of both signs."""
    return len(value) > 1 and value.is_splat() and not is_one_number(value)
