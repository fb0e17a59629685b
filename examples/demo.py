"""What `make demo` runs: a small Llama through the whole path against PyTorch, then Llama-3.1-8B on 8 chips, in time.

(a) Llama (4 layers, grouped-query attention, bf16, random weights) becomes one PEF with the graphs prefill and decode,
    which share weights and KV cache; prefill and greedy decode steps run in the functional simulator, beside PyTorch.
(b) The Llama-3.1-8B architecture, without weights, is compiled for 8 SN40L chips: decode, batch 1, context 1024.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
import yaml

from sambaflow import machine
from sambaflow.frontends import hf
from sambaflow.samba.compiler import compile_imported, import_graphs
from sambaflow.samba.executable import Executable
from sambaflow.sim.timing.program import ProgramTime

HERE = Path(__file__).parent
PROMPT, CACHE, STEPS = 16, 32, 8
CONTEXT, CHIPS = 1024, 8

Forward = Callable[..., torch.Tensor]
"""(graph, *inputs) -> logits of the last position."""


def small_llama() -> transformers.PreTrainedModel:
    """Random weights, drawn wide enough that the greedy tokens are not near ties."""
    config = transformers.LlamaConfig(
        vocab_size=512, hidden_size=256, intermediate_size=512, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=4, max_position_embeddings=CACHE, initializer_range=0.08,
        architectures=["LlamaForCausalLM"],
    )  # fmt: skip
    return hf.build_model(config, torch.bfloat16)


def graphs_of(model: transformers.PreTrainedModel) -> dict[str, hf.HfGraph]:
    return {"prefill": hf.graph(model, "prefill", 1, CACHE, PROMPT), "decode": hf.graph(model, "decode", 1, CACHE)}


def in_torch(graphs: Mapping[str, hf.HfGraph]) -> Forward:
    """The same graphs in PyTorch, carrying their cache."""
    cache: list[torch.Tensor] = list(graphs["prefill"].args[1])

    def forward(graph: str, *inputs: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            out: Any = graphs[graph].module(*inputs, cache)
        cache[:] = [out[name] for name in graphs[graph].state]
        return out["logits"][:, -1]

    return forward


def in_simulator(exe: Executable) -> Forward:
    def forward(graph: str, *inputs: torch.Tensor) -> torch.Tensor:
        return exe(*inputs, graph=graph)["logits"][:, -1]

    return forward


def greedy(forward: Forward, prompt: torch.Tensor) -> tuple[list[int], list[torch.Tensor]]:
    """The token after the prompt and STEPS more, and the logits that each was chosen from."""
    logits = [forward("prefill", prompt)]
    tokens = [int(logits[-1].argmax())]
    for position in range(PROMPT, PROMPT + STEPS):
        logits.append(forward("decode", torch.tensor([tokens[-1:]]), torch.tensor([position])))
        tokens.append(int(logits[-1].argmax()))
    return tokens, logits


def along(forward: Forward, prompt: torch.Tensor, tokens: Sequence[int]) -> list[torch.Tensor]:
    """The logits along given tokens."""
    logits = [forward("prefill", prompt)]
    for position, token in enumerate(tokens[:-1], PROMPT):
        logits.append(forward("decode", torch.tensor([[token]]), torch.tensor([position])))
    return logits


def functional_part() -> None:
    print("(a) Llama, 4 layers, hidden 256, 8 heads over 4 KV heads, bf16: one PEF, two graphs, one chip")
    model = small_llama()
    graphs = graphs_of(model)
    exe = timed("compile (torch.export and o3)", lambda: compile_imported(import_graphs(graphs), mode="o3"))
    state = sum(symbol.role == "state" for symbol in exe.image.symbols)
    weights = sum(symbol.role in ("param", "buffer") for symbol in exe.image.symbols)
    print(f"    {len(exe.image.sections)} sections; {weights} weights and {state} cache tensors shared by {exe.graphs}")
    prompt = torch.randint(512, (1, PROMPT), generator=torch.Generator().manual_seed(0))
    label = f"simulate prefill of {PROMPT} tokens and {STEPS} decode steps"
    ours, our_logits = timed(label, lambda: greedy(in_simulator(exe), prompt))
    theirs, their_logits = greedy(in_torch(graphs), prompt)
    exact = along(in_torch(graphs_of(copy.deepcopy(model).double())), prompt, ours)
    print("    largest error of the logits, of the largest logit, against the model in fp64:")
    for step, (a, b, true) in enumerate(zip(our_logits, their_logits, exact, strict=True)):
        name = "prefill" if step == 0 else f"decode {step}"
        errors = [float((x.double() - true).abs().max() / true.abs().max()) for x in (a, b)]
        same = "same token" if ours[step] == theirs[step] else "OTHER TOKEN"
        print(f"      {name:<9} simulator {errors[0]:.2e}, PyTorch in bf16 {errors[1]:.2e}; {same}")
        if ours[step] != theirs[step]:
            break  # from here on the two see different inputs
    print(f"    tokens, simulator: {ours}\n    tokens, PyTorch:   {theirs}")


def timing_part() -> None:
    print(f"\n(b) Llama-3.1-8B, decode, batch 1, context {CONTEXT}, bf16, {CHIPS} SN40L chips (tensor parallel)")
    config = hf.load_config(HERE / "llama-3.1-8b.json")
    model = hf.build_model(config, torch.bfloat16, meta=True)
    imported = timed(
        "torch.export and import", lambda: import_graphs({"decode": hf.graph(model, "decode", 1, CONTEXT)})
    )
    exe = timed("compile (o3)", lambda: compile_imported(imported, mode="o3", chips=CHIPS))
    result = timed("simulate the time", exe.timing)
    report(exe, result)


def report(exe: Executable, result: ProgramTime) -> None:
    budget = machine.load(exe.image.target.machine).target(chips=CHIPS)
    print(f"    {len(result.sections)} sections, {result.launches} launches a token")
    for section in result.sections:
        share = (section.time + section.launch + section.program_load) / result.picoseconds
        print(
            f"      {section.name:<28} {section.launches:4d} launches, {share:4.0%} of the time, "
            f"{section.pcus / budget.pcus:4.0%} of the PCUs, {section.pmus / budget.pmus:4.0%} of the PMUs"
        )
    busy = ", ".join(f"{name} {tier.busy / result.picoseconds:.0%}" for name, tier in result.tiers.items() if tier.busy)
    print(f"    memory in use: {busy}; links {result.link_busy / result.picoseconds:.0%}")
    print(f"    simulated:  {result.seconds * 1e3:.3f} ms a token, {1 / result.seconds:.0f} tokens/s")
    seconds = published()
    print(
        f"    published:  {seconds * 1e3:.3f} ms a token, {1 / seconds:.0f} tokens/s (Llama-3-8B, whole request, "
        f"L = {CONTEXT}, batch 1: latency / L); simulated / published = {result.seconds / seconds:.2f}"
    )


def published() -> float:
    """Seconds a token: latency of the whole request over its output length."""
    text = resources.files("sambaflow.machine").joinpath("published.yaml").read_text()
    rows = yaml.safe_load(text)["llm_inference_bench"]["rows"]
    (seconds,) = (row[3] for row in rows if row[:3] == ["Llama-3-8B", CONTEXT, 1])
    return seconds / CONTEXT


T = TypeVar("T")


def timed(what: str, run: Callable[[], T]) -> T:
    """Runs and prints the wall time."""
    start = time.perf_counter()
    result = run()
    print(f"    {what}: {time.perf_counter() - start:.1f} s")
    return result


def main() -> None:
    torch.set_num_threads(1)  # the tensors are small
    functional_part()
    timing_part()


if __name__ == "__main__":
    main()
