"""The functional simulator beside eager PyTorch: the small Llama of `examples/`, prefill and decode, fp32, one chip."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import Row, fastest

PROMPT, LENGTH = 16, 32


def functional_simulation() -> list[Row]:
    import torch

    from sambaflow.frontends import hf
    from sambaflow.samba.compiler import compile_imported, import_graphs

    torch.set_num_threads(1)
    model = hf.build_model(hf.load_config(Path(__file__).parents[1] / "examples" / "llama-tiny.json"), torch.float32)
    graphs = {"prefill": hf.graph(model, "prefill", 1, LENGTH, PROMPT), "decode": hf.graph(model, "decode", 1, LENGTH)}
    exe = compile_imported(import_graphs(graphs), mode="o3")
    inputs = {
        "prefill": (torch.arange(PROMPT)[None],),
        "decode": (torch.ones(1, 1, dtype=torch.long), torch.tensor([PROMPT])),
    }
    rows: list[Row] = []
    for name, arguments in inputs.items():
        cache, module = graphs[name].args[-1], graphs[name].module
        with torch.no_grad():
            module(*arguments, cache)
            eager = fastest(lambda: module(*arguments, cache))  # noqa: B023, called at once
        exe(*arguments, graph=name)
        simulated = fastest(lambda: exe(*arguments, graph=name))  # noqa: B023
        rows.append(Row(f"small Llama: {name}", simulated * 1e3, "ms", "eager PyTorch", eager * 1e3))
    return rows
