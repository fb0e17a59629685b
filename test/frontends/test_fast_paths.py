"""PyTorch's fast paths in inference: refused where they give other numbers, otherwise as eager PyTorch."""

from typing import Any

import pytest
import torch
from torch import nn

import sambaflow
from sambaflow.errors import InputError


def encoder(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1, **options).eval()


@torch.no_grad()
def test_a_padded_encoder_is_refused_or_right() -> None:
    x, mask = torch.randn(2, 3, 8), torch.tensor([[False, False, True], [False, False, False]])
    assert not encoder()(x, src_key_padding_mask=mask)[0, 2].any(), "what PyTorch does without gradients"
    with pytest.raises(InputError, match="enable_nested_tensor=False"):
        sambaflow.compile(encoder(), (x, None, mask), mode="o1")
    plain = encoder(enable_nested_tensor=False)
    exe = sambaflow.compile(plain, (x,), {"src_key_padding_mask": mask}, mode="o1")
    torch.testing.assert_close(
        exe(x, src_key_padding_mask=mask), plain(x, src_key_padding_mask=mask), atol=1e-5, rtol=1e-5
    )


@torch.no_grad()
def test_an_encoder_without_a_mask_is_right() -> None:
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(sambaflow.compile(encoder(), (x,), mode="o1")(x), encoder()(x), atol=1e-5, rtol=1e-5)
