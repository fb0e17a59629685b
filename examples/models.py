"""Small models for demos and tests; every function returns `(module, inputs)`, so `examples/models.py:cnn` is a MODEL.

The transformers here come from a configuration with random weights and keep no cache; prefill and decode graphs
with a static cache are made by `sambaflow.frontends.hf` from the `.json` configurations beside this file.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

Model = tuple[nn.Module, tuple[torch.Tensor, ...]]


def basic_weight_init(module: nn.Module) -> None:
    """Linear layers start from a uniform Kaiming distribution with zero bias."""
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


class ResFFNLogReg(nn.Module):
    """Feed Forward Network with two different activation functions and a residual connection"""

    def __init__(self, num_features: int, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.gemm1 = nn.Linear(num_features, hidden_size, bias=True)
        self.gemm2 = nn.Linear(hidden_size, hidden_size, bias=True)
        self.gemm3 = nn.Linear(hidden_size, num_classes, bias=True)

        self.norm1 = nn.LayerNorm(hidden_size)
        self.norm2 = nn.LayerNorm(hidden_size)

        self.tanh1 = nn.Tanh()
        self.sigmoid1 = nn.Sigmoid()

        self.criterion = nn.CrossEntropyLoss()

        self.apply(basic_weight_init)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = self.gemm1(inputs)
        out = self.norm1(out)
        out = self.tanh1(out)
        residual = out
        out = self.gemm2(out)
        out = self.norm2(out)
        out = out + residual
        out = self.sigmoid1(out)
        out = self.gemm3(out)
        loss = self.criterion(out, targets)
        return loss, out


class SmallCNN(nn.Module):
    """Two convolutions with batch norm, relu and max pool, then a classifier, for 1 x 28 x 28 images."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.norm2 = nn.BatchNorm2d(16)
        self.pool2 = nn.MaxPool2d(3, stride=2, padding=1)
        self.head = nn.Linear(16 * 4 * 4, num_classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.pool1(torch.relu(self.norm1(self.conv1(image))))
        x = self.pool2(torch.relu(self.norm2(self.conv2(x))))
        return self.head(torch.flatten(x, 1))


LLAMA_TINY: dict[str, Any] = {
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 64,
}
GPT2_TINY: dict[str, Any] = {"vocab_size": 128, "n_positions": 64, "n_embd": 64, "n_layer": 2, "n_head": 4}
BERT_TINY: dict[str, Any] = {
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}


def _seeded(seed: int = 0) -> torch.Generator:
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def _tokens(vocab: int, batch: int, length: int) -> torch.Tensor:
    return torch.randint(vocab, (batch, length), generator=torch.Generator().manual_seed(1))


def resffn(batch: int = 8, dtype: torch.dtype = torch.float32) -> Model:
    generator = _seeded()
    module = ResFFNLogReg(32, 48, 10).to(dtype).eval()
    inputs = torch.randn(batch, 32, generator=generator).to(dtype)
    return module, (inputs, torch.randint(10, (batch,), generator=generator))


def cnn(batch: int = 2, dtype: torch.dtype = torch.float32) -> Model:
    generator = _seeded()
    module = SmallCNN()
    module(torch.randn(8, 1, 28, 28, generator=generator))  # gives the running statistics values of their own
    return module.to(dtype).eval(), (torch.randn(batch, 1, 28, 28, generator=generator).to(dtype),)


def llama(batch: int = 1, length: int = 16, dtype: torch.dtype = torch.float32) -> Model:
    """LlamaForCausalLM with grouped-query attention; input_ids [batch, length] -> logits [batch, length, vocab]."""
    from transformers import LlamaConfig, LlamaForCausalLM

    _seeded()
    return Logits(LlamaForCausalLM(LlamaConfig(**LLAMA_TINY))).to(dtype).eval(), (_tokens(128, batch, length),)


def gpt2(batch: int = 1, length: int = 16, dtype: torch.dtype = torch.float32) -> Model:
    """GPT2LMHeadModel; input_ids [batch, length] -> logits [batch, length, vocab]."""
    from transformers import GPT2Config, GPT2LMHeadModel

    _seeded()
    return Logits(GPT2LMHeadModel(GPT2Config(**GPT2_TINY))).to(dtype).eval(), (_tokens(128, batch, length),)


def bert(batch: int = 2, length: int = 16, dtype: torch.dtype = torch.float32) -> Model:
    """BertForMaskedLM; input_ids [batch, length] -> logits [batch, length, vocab]."""
    from transformers import BertConfig, BertForMaskedLM

    _seeded()
    return Logits(BertForMaskedLM(BertConfig(**BERT_TINY))).to(dtype).eval(), (_tokens(128, batch, length),)


class Logits(nn.Module):
    """A transformers model that returns its logits alone and keeps no cache."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        options = {} if not getattr(self.model.config, "is_decoder", True) else {"use_cache": False}
        return self.model(input_ids=input_ids, **options).logits
