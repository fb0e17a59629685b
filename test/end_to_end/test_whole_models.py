"""Every model, mode, dtype and number of chips: the numbers against PyTorch, the counters against each other.

fp32: within 1e-4 of the largest magnitude. bf16: the error against an fp64 run of the model is at most 1.5 times
PyTorch's own in bf16, and the top-1 is the same wherever its margin exceeds that error (check C).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import transformers
from torch import nn

import sambaflow
from sambaflow.frontends import hf
from sambaflow.samba.compiler import compile_imported, import_graphs
from sambaflow.samba.executable import Executable
from sambaflow.sim.timing.program import check_graph

MODES = ("o0", "o1", "o3")
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
PROMPT, LENGTH = 6, 16

Model = tuple[nn.Module, tuple[torch.Tensor, ...]]


class Mlp(nn.Module):
    """linear, layer norm, tanh, residual add, sigmoid, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 10)
        self.norm = nn.LayerNorm(32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.norm(self.first(x)))
        return self.head(torch.sigmoid(self.norm(self.second(hidden)) + hidden))


class ResFFNLogReg(Mlp):
    """The model of SambaNova's tutorial: loss and logits."""

    def forward(self, x: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # pyright: ignore
        out = super().forward(x)
        return nn.functional.cross_entropy(out, target), out


class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
        self.pool1, self.pool2 = nn.MaxPool2d(2), nn.MaxPool2d(3, stride=2, padding=1)
        self.head = nn.Linear(24, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.pool1(torch.relu(self.norm1(self.conv1(image))))
        x = self.pool2(torch.relu(self.norm2(self.conv2(x))))
        return self.head(torch.flatten(x, 1))


class Logits(nn.Module):
    """A transformers model without a cache."""

    def __init__(self, model: nn.Module, **options: Any) -> None:
        super().__init__()
        self.model, self.options = model, options

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids, **self.options).logits


def mlp() -> Model:
    return Mlp(), (torch.randn(4, 16),)


def resffn() -> Model:
    return ResFFNLogReg(), (torch.randn(4, 16), torch.randint(10, (4,)))


def cnn() -> Model:
    module = Cnn()
    module(torch.randn(8, 1, 14, 14))  # running statistics of its own
    return module, (torch.randn(2, 1, 14, 14),)


def gpt2() -> Model:
    config = transformers.GPT2Config(vocab_size=48, n_positions=LENGTH, n_embd=32, n_layer=2, n_head=4)
    return Logits(transformers.GPT2LMHeadModel(config), use_cache=False), (torch.randint(48, (1, PROMPT)),)


def bert() -> Model:
    config = transformers.BertConfig(
        vocab_size=48, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=LENGTH,
    )  # fmt: skip
    return Logits(transformers.BertForMaskedLM(config)), (torch.randint(48, (2, PROMPT)),)


def llama_config() -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        vocab_size=48, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=LENGTH, architectures=["LlamaForCausalLM"],
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {"mlp": mlp, "resffn": resffn, "cnn": cnn, "gpt2": gpt2, "bert": bert}
CASES = [(name, 1) for name in MODELS if name != "mlp"] + [(name, 2) for name in ("mlp", "gpt2", "bert")]


@cache
def model(name: str, dtype: str) -> Model:
    """The model with its weights and floating inputs rounded to the dtype."""
    torch.manual_seed(0)
    module, inputs = MODELS[name]()
    module = module.eval().to(DTYPES[dtype])
    return module, tuple(x.to(DTYPES[dtype]) if x.is_floating_point() else x for x in inputs)


@cache
def compiled(name: str, mode: str, dtype: str, chips: int) -> Executable:
    module, inputs = model(name, dtype)
    return sambaflow.compile(module, inputs, mode=mode, chips=chips)


def run(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    with torch.no_grad():
        out = module(*inputs)
    return list(out) if isinstance(out, tuple) else [out]


def in_f64(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """The same weights and inputs, computed in fp64."""
    return run(copy.deepcopy(module).double(), tuple(x.double() if x.is_floating_point() else x for x in inputs))


def check_numbers(
    got: list[torch.Tensor], torch_same: list[torch.Tensor], exact: list[torch.Tensor], dtype: str
) -> None:
    assert len(got) == len(torch_same)
    for ours, theirs, true in zip(got, torch_same, exact, strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        if dtype == "f32":
            assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()
            continue
        error, bound = ((x.double() - true).abs().max().item() for x in (ours, theirs))
        # a value that PyTorch gets exactly still may differ by one rounding to bf16
        assert error <= max(1.5 * bound, 2**-9 * true.abs().max().item())
        if true.dim() > 1:
            best = true.topk(2, -1)
            clear = best.values[..., 0] - best.values[..., 1] > 2 * max(error, bound)
            assert torch.equal(ours.argmax(-1)[clear], best.indices[..., 0][clear])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "chips"), CASES)
def test_numbers(name: str, chips: int, mode: str, dtype: str):
    module, inputs = model(name, dtype)
    out: Any = compiled(name, mode, dtype, chips)(*inputs)
    check_numbers(list(out) if isinstance(out, tuple) else [out], run(module, inputs), in_f64(module, inputs), dtype)


@pytest.mark.parametrize("name", ["resffn", "cnn", "bert"])
@pytest.mark.parametrize("mode", MODES)
def test_tile_by_tile_has_the_same_bits(name: str, mode: str):
    """Check A."""
    _, inputs = model(name, "bf16")
    exe = compiled(name, mode, "bf16", 1)
    tiled = Executable(exe.image, exe.weights, exe.conventions, tiled=True)
    batched, walked = exe(*inputs), tiled(*inputs)
    pairs = zip(batched, walked, strict=True) if isinstance(batched, tuple) else [(batched, walked)]
    assert all(torch.equal(a, b) for a, b in pairs)


# ---- Llama: prefill and decode in one PEF


@cache
def llama(dtype: str) -> transformers.PreTrainedModel:
    return hf.build_model(llama_config(), DTYPES[dtype])


@cache
def llama_exe(mode: str, dtype: str, chips: int) -> Executable:
    graphs = {
        "prefill": hf.graph(llama(dtype), "prefill", 1, LENGTH, PROMPT),
        "decode": hf.graph(llama(dtype), "decode", 1, LENGTH),
    }
    return compile_imported(import_graphs(graphs), mode=mode, chips=chips)


def prompt() -> torch.Tensor:
    return torch.randint(48, (1, PROMPT), generator=torch.Generator().manual_seed(3))


def logits_of(forward: Callable[..., Any], tokens: torch.Tensor) -> list[torch.Tensor]:
    """The last logits of prefill and of every decode step along a fixed sequence of tokens."""
    results = [forward("prefill", tokens[:, :PROMPT])[:, -1]]
    for position in range(PROMPT, tokens.shape[1]):
        results.append(forward("decode", tokens[:, position : position + 1], torch.tensor([position]))[:, -1])
    return results


def torch_forward(network: transformers.PreTrainedModel) -> Callable[..., torch.Tensor]:
    graphs = {
        "prefill": hf.graph(network, "prefill", 1, LENGTH, PROMPT),
        "decode": hf.graph(network, "decode", 1, LENGTH),
    }
    cache = graphs["prefill"].args[1]

    def forward(graph: str, *inputs: torch.Tensor) -> torch.Tensor:
        nonlocal cache
        with torch.no_grad():
            out = graphs[graph].module(*inputs, cache)
        cache = [out[name] for name in graphs[graph].state]
        return out["logits"]

    return forward


def exe_forward(exe: Executable) -> Callable[..., torch.Tensor]:
    for name in exe.state:
        exe.state[name] = torch.zeros_like(exe.state[name])

    def forward(graph: str, *inputs: torch.Tensor) -> torch.Tensor:
        return exe(*inputs, graph=graph)["logits"]

    return forward


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chips", [1, 2])
def test_llama_numbers(chips: int, mode: str, dtype: str):
    tokens = torch.cat([prompt(), torch.tensor([[5, 40, 17]])], 1)
    got = logits_of(exe_forward(llama_exe(mode, dtype, chips)), tokens)
    same = logits_of(torch_forward(llama(dtype)), tokens)
    exact = logits_of(torch_forward(copy.deepcopy(llama(dtype)).double()), tokens)
    check_numbers(got, same, exact, dtype)


@pytest.mark.parametrize("chips", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_greedy_tokens_are_those_of_transformers(mode: str, chips: int):
    steps = 8
    reference: Any = transformers.LlamaForCausalLM(llama_config()).eval()
    reference.load_state_dict(llama("f32").state_dict())
    want = reference.generate(prompt(), max_new_tokens=steps, do_sample=False, eos_token_id=None, pad_token_id=0)
    forward = exe_forward(llama_exe(mode, "f32", chips))
    tokens = prompt()
    logits = forward("prefill", tokens)
    for position in range(PROMPT, PROMPT + steps):
        token = logits[:, -1].argmax(-1, keepdim=True)
        tokens = torch.cat([tokens, token], 1)
        if position + 1 < PROMPT + steps:
            logits = forward("decode", token, torch.tensor([position]))
    assert torch.equal(tokens, torch.as_tensor(want))


# ---- counters and times


def executables(name: str, mode: str) -> tuple[Executable, list[str]]:
    exe = llama_exe(mode, "bf16", 1) if name == "llama" else compiled(name, mode, "bf16", 1)
    return exe, exe.graphs


@pytest.mark.parametrize("name", ["resffn", "cnn", "gpt2", "bert", "llama"])
def test_launches_and_bytes_fall_with_the_mode(name: str):
    strictly = name in ("gpt2", "bert", "llama")
    for graph in executables(name, "o0")[1]:
        times = [executables(name, mode)[0].timing(graph) for mode in MODES]
        for counter in ("launches", "off_chip_bytes"):
            o0, o1, o3 = (getattr(time, counter) for time in times)
            assert o3 < o1 < o0 if strictly else o3 <= o1 <= o0, (graph, counter, o0, o1, o3)


@pytest.mark.parametrize("name", ["resffn", "cnn", "gpt2", "bert", "llama"])
@pytest.mark.parametrize("mode", MODES)
def test_both_timing_engines_agree(name: str, mode: str):
    """On every section that the graphs launch, to the picosecond."""
    exe, graphs = executables(name, mode)
    assert sum(check_graph(exe.image, graph) for graph in graphs) >= len(graphs)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_the_functional_engine_launches_what_is_timed(name: str):
    exe, graphs = executables(name, "o1")
    before = exe.engine.launches
    if name == "llama":
        exe(prompt(), graph="prefill")
    else:
        exe(*model(name, "bf16")[1])
    assert exe.engine.launches - before == exe.timing(graphs[0]).launches
