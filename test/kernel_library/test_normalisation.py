"""Norms at the edges of their arguments, against PyTorch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import sambaflow


# A norm without eps takes that of the type it computes in: f32 for bf16, too. At 2^-10 it differs by a factor of 30.
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rms_norm_without_eps(dtype: torch.dtype):
    norm = nn.RMSNorm(4, elementwise_affine=False)
    x = (torch.tensor([[1.0, -2.0, 0.5, 3.0], [0.25, 1.0, -1.0, 0.0]]) * 2.0**-10).to(dtype)
    got = sambaflow.compile(norm, (x,), mode="o1")(x)
    torch.testing.assert_close(got, norm(x), rtol=2.0**-7 if dtype == torch.bfloat16 else 1e-5, atol=0)
