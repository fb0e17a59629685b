"""Every model, mode, dtype and number of chips: the numbers against PyTorch, the counters against each other.

fp32: within 1e-4 of the largest magnitude. bf16: the error against an fp64 run of the model is at most 1.5 times
PyTorch's own in bf16, and the top-1 is the same wherever its margin exceeds that error (check C). Errors are the
largest over several inputs: one draw of a scalar such as a loss may be exact by chance. Tile by tile gives the
same bits (check A). No weight keeps its initial value: a bias of zero, a scale of one would hide where they are
applied twice.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from sambaflow.frontends import hf
from sambaflow.frontends.imported import Imported
from sambaflow.frontends.torch_export import import_model
from sambaflow.samba.compiler import compile_imported, import_graphs
from sambaflow.samba.executable import Executable
from sambaflow.sim.timing.program import check_graph

MODES = ("o0", "o1", "o3")
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
PROMPT, LENGTH, VOCABULARY, CLASSES = 6, 16, 48, 10
DRAWS = {"f32": 2, "bf16": 8}

Tensors = tuple[torch.Tensor, ...]
Model = tuple[nn.Module, Callable[[], Tensors]]
"""A module and what draws random inputs for it."""


def example(name: str) -> Any:
    """A class of examples/models.py."""
    path = Path(__file__).resolve().parents[2] / "examples" / "models.py"
    spec = importlib.util.spec_from_file_location("example_models", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


class Mlp(nn.Module):
    """linear, layer norm, tanh, residual add, sigmoid, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 10)
        self.norm = nn.LayerNorm(32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.norm(self.first(x)))
        return self.head(torch.sigmoid(self.norm(self.second(hidden)) + hidden))


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
    return Mlp(), lambda: (torch.randn(4, 16),)


def resffn() -> Model:
    """The model of SambaNova's tutorial: loss and logits."""
    return example("ResFFNLogReg")(16, 32, CLASSES), lambda: (torch.randn(4, 16), torch.randint(CLASSES, (4,)))


def cnn() -> Model:
    module = Cnn()
    module(torch.randn(8, 1, 14, 14))  # running statistics of its own
    return module, lambda: (torch.randn(2, 1, 14, 14),)


def gpt2() -> Model:
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=32, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
    )
    network = transformers.GPT2LMHeadModel(config)
    return Logits(network, use_cache=False), lambda: (torch.randint(VOCABULARY, (1, PROMPT)),)


def bert() -> Model:
    config = transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=LENGTH,
    )  # fmt: skip
    return Logits(transformers.BertForMaskedLM(config)), lambda: (torch.randint(VOCABULARY, (2, PROMPT)),)


def llama_config() -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=LENGTH, architectures=["LlamaForCausalLM"],
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {"mlp": mlp, "resffn": resffn, "cnn": cnn, "gpt2": gpt2, "bert": bert}
CASES = [(name, 1) for name in MODELS if name != "mlp"] + [(name, 2) for name in ("mlp", "gpt2", "bert")]


def disturbed(module: nn.Module) -> nn.Module:
    """The module with a random number added to every parameter."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator) / 16
            parameter.add_(noise.to(parameter.dtype))
    return module


@cache
def model(name: str, dtype: str) -> tuple[nn.Module, list[Tensors]]:
    """The model with its weights, and inputs, rounded to the dtype."""
    torch.manual_seed(0)
    module, draw = MODELS[name]()
    draws = [draw() for _ in range(DRAWS[dtype])]
    rounded = [tuple(x.to(DTYPES[dtype]) if x.is_floating_point() else x for x in inputs) for inputs in draws]
    return disturbed(module.eval()).to(DTYPES[dtype]), rounded


@cache
def imported(name: str, dtype: str) -> Imported:
    if name == "llama":
        return import_graphs(llama_graphs(llama(dtype)))
    module, draws = model(name, dtype)
    return import_model(module, draws[0])


@cache
def compiled(name: str, mode: str, dtype: str, chips: int) -> Executable:
    """Of a copy: compiling changes the module."""
    original = imported(name, dtype)
    return compile_imported(replace(original, module=original.module.clone()), mode=mode, chips=chips)


def run(module: Callable[..., Any], inputs: Tensors) -> Tensors:
    with torch.no_grad():
        out = module(*inputs)
    return out if isinstance(out, tuple) else (out,)


def in_f64(module: nn.Module, inputs: Tensors) -> Tensors:
    """The same weights and inputs, computed in fp64."""
    return run(copy.deepcopy(module).double(), tuple(x.double() if x.is_floating_point() else x for x in inputs))


def check_numbers(ours: Sequence[Tensors], theirs: Sequence[Tensors], exact: Sequence[Tensors], dtype: str) -> None:
    """Every output of some calls: ours, PyTorch's in the same dtype, and in fp64."""
    by_output = (zip(*calls, strict=True) for calls in (ours, theirs, exact))
    for got, same, true in zip(*by_output, strict=True):
        assert [(x.shape, x.dtype) for x in got] == [(x.shape, x.dtype) for x in same]
        if dtype == "f32":
            assert all((a - b).abs().max() <= 1e-4 * b.abs().max() for a, b in zip(got, same, strict=True))
            continue
        errors = [[(a.double() - b).abs().max().item() for a, b in zip(x, true, strict=True)] for x in (got, same)]
        error, bound = map(max, errors)
        assert error <= 1.5 * bound
        for a, b in zip(got, true, strict=True):
            if b.dim() > 1:
                best = b.topk(2, -1)
                clear = best.values[..., 0] - best.values[..., 1] > error
                assert torch.equal(a.argmax(-1)[clear], best.indices[..., 0][clear])


@cache
def wanted(name: str, dtype: str) -> tuple[list[Tensors], list[Tensors]]:
    """What PyTorch computes in the dtype and in fp64."""
    module, draws = model(name, dtype)
    return [run(module, x) for x in draws], [in_f64(module, x) for x in draws]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "chips"), CASES)
def test_numbers(name: str, chips: int, mode: str, dtype: str):
    exe, (_, draws) = compiled(name, mode, dtype, chips), model(name, dtype)
    check_numbers([run(exe, x) for x in draws], *wanted(name, dtype), dtype)


def tile_by_tile(exe: Executable) -> Executable:
    return Executable(exe.image, exe.weights, exe.conventions, tiled=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "chips"), [("resffn", 1), ("cnn", 1), ("bert", 1), ("gpt2", 1), ("gpt2", 2)])
def test_tile_by_tile_has_the_same_bits(name: str, chips: int, mode: str):
    """Check A."""
    exe, inputs = compiled(name, mode, "bf16", chips), model(name, "bf16")[1][0]
    for batched, walked in zip(run(exe, inputs), run(tile_by_tile(exe), inputs), strict=True):
        assert torch.equal(batched, walked)


# ---- Llama: prefill and decode in one PEF


@cache
def llama(dtype: str) -> transformers.PreTrainedModel:
    network = hf.build_model(llama_config(), torch.float32)
    disturbed(network)
    return network.to(DTYPES[dtype])  # pyright: ignore


def llama_graphs(network: transformers.PreTrainedModel) -> dict[str, hf.HfGraph]:
    return {
        "prefill": hf.graph(network, "prefill", 1, LENGTH, PROMPT),
        "decode": hf.graph(network, "decode", 1, LENGTH),
    }


def prompt(seed: int = 3) -> torch.Tensor:
    return torch.randint(VOCABULARY, (1, PROMPT), generator=torch.Generator().manual_seed(seed))


def logits_of(forward: Callable[..., Any], tokens: torch.Tensor) -> list[Tensors]:
    """The last logits of prefill and of every decode step along a fixed sequence of tokens."""
    results = [(forward("prefill", tokens[:, :PROMPT])[:, -1],)]
    for position in range(PROMPT, tokens.shape[1]):
        results.append((forward("decode", tokens[:, position : position + 1], torch.tensor([position]))[:, -1],))
    return results


def torch_forward(network: transformers.PreTrainedModel) -> Callable[..., torch.Tensor]:
    graphs = llama_graphs(network)
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


SEQUENCE = torch.cat([prompt(), torch.tensor([[5, 40, 17]])], 1)


@cache
def wanted_of_llama(dtype: str) -> list[list[Tensors]]:
    """What PyTorch computes in the dtype and in fp64."""
    network = llama(dtype)
    return [logits_of(torch_forward(model), SEQUENCE) for model in (network, copy.deepcopy(network).double())]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chips", [1, 2])
def test_llama_numbers(chips: int, mode: str, dtype: str):
    ours = logits_of(exe_forward(compiled("llama", mode, dtype, chips)), SEQUENCE)
    same, exact = wanted_of_llama(dtype)
    for part in (slice(1), slice(1, None)):  # prefill, decode
        check_numbers(ours[part], same[part], exact[part], dtype)


@pytest.mark.parametrize(("mode", "chips"), [("o1", 1), ("o3", 1), ("o1", 2)])
def test_llama_tile_by_tile_has_the_same_bits(mode: str, chips: int):
    """Check A."""
    exe = compiled("llama", mode, "bf16", chips)
    runs = [logits_of(exe_forward(executable), SEQUENCE[:, : PROMPT + 2]) for executable in (exe, tile_by_tile(exe))]
    assert all(torch.equal(batched, walked) for (batched,), (walked,) in zip(*runs, strict=True))


@pytest.mark.parametrize("chips", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_greedy_tokens_are_those_of_transformers(mode: str, chips: int):
    steps = 8
    reference: Any = transformers.LlamaForCausalLM(llama_config()).eval()
    reference.load_state_dict(llama("f32").state_dict())
    want = reference.generate(prompt(), max_new_tokens=steps, do_sample=False, eos_token_id=None, pad_token_id=0)
    forward = exe_forward(compiled("llama", mode, "f32", chips))
    tokens = prompt()
    logits = forward("prefill", tokens)
    for position in range(PROMPT, PROMPT + steps):
        token = logits[:, -1].argmax(-1, keepdim=True)
        tokens = torch.cat([tokens, token], 1)
        if position + 1 < PROMPT + steps:
            logits = forward("decode", token, torch.tensor([position]))
    assert torch.equal(tokens, torch.as_tensor(want))


# ---- counters and times


PARTS = [*CASES, ("llama", 1), ("llama", 2)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "chips"), PARTS)
def test_launches_and_bytes_fall_with_the_mode(name: str, chips: int, dtype: str):
    strictly = name in ("gpt2", "bert", "llama")
    for graph in compiled(name, "o0", dtype, chips).graphs:
        times = [compiled(name, mode, dtype, chips).timing(graph) for mode in MODES]
        for counter in ("launches", "off_chip_bytes"):
            o0, o1, o3 = (getattr(time, counter) for time in times)
            assert o3 < o1 < o0 if strictly else o3 <= o1 <= o0, (graph, counter, o0, o1, o3)


@pytest.mark.parametrize(("name", "chips"), PARTS)
@pytest.mark.parametrize("mode", MODES)
def test_both_timing_engines_agree(name: str, chips: int, mode: str):
    """On every section that the graphs launch, to the picosecond."""
    exe = compiled(name, mode, "bf16", chips)
    assert sum(check_graph(exe.image, graph) for graph in exe.graphs) >= len(exe.graphs)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_the_functional_engine_launches_what_is_timed(name: str):
    exe = compiled(name, "o1", "bf16", 1)
    before = exe.engine.launches
    if name == "llama":
        exe(prompt(), graph="prefill")
    else:
        exe(*model(name, "bf16")[1][0])
    assert exe.engine.launches - before == exe.timing(exe.graphs[0]).launches
