"""Element types of an Image as torch dtypes."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch

TORCH_DTYPES: Mapping[str, torch.dtype] = {
    "i1": torch.bool,
    "i8": torch.int8,
    "u8": torch.uint8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "bf16": torch.bfloat16,
    "f16": torch.float16,
    "f32": torch.float32,
    "f64": torch.float64,
}


@functools.cache
def from_bits(bits: int, dtype: str) -> torch.Tensor:
    """A 0-d tensor from the raw bits of one element, low bytes first; shared, so never written in place.

    >>> from_bits(0x3F80, "bf16")
    tensor(1., dtype=torch.bfloat16)
    """
    if dtype == "i1":
        return torch.tensor(bool(bits & 1))
    kind = TORCH_DTYPES[dtype]
    raw = bytearray((int(bits) & (1 << 64) - 1).to_bytes(8, "little")[: kind.itemsize])
    return torch.frombuffer(raw, dtype=kind).clone()[0]
