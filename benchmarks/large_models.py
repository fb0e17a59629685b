"""Compiling Llama-3.1-8B and 70B for decode on eight SN40L: time beside torch.export's, memory, token time.

Each model is compiled in a process of its own (`python -m benchmarks.large_models 8b` prints its figures as JSON), from
its configuration in `examples/`, on the meta device: o3, bf16, batch 1, a cache of 1024 positions.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, in_child

LENGTH, CHIPS = 1024, 8
PUBLISHED = {"8b": "Llama-3-8B", "70b": "Llama-3-70B"}
"""By model, the rows of `machine/published.yaml` that it stands beside."""

SECONDS, BYTES, GROWTH = 10.0, 2 << 30, 1.5
"""8B after torch.export on two cores, and its peak of memory; 70B over 8B: layers are compiled once."""

MIB = 1 << 20
PARTS = ("import", "passes", "encode")


def large_models() -> list[Row]:
    small, large = (in_child("benchmarks.large_models", model) for model in ("8b", "70b"))
    ratio = Row("70B: CPU after torch.export", large["cpu"], "s", "8B: the same", small["cpu"], GROWTH * small["cpu"])
    return [*_rows("8b", small), *_rows("70b", large), ratio]


def _rows(model: str, figures: dict[str, Any]) -> list[Row]:
    export, name = figures["export"], model.upper()
    reference = f"torch.export of {name}"
    parts = [Row(f"{name}:   {part}", figures[part], "s", reference, export) for part in PARTS]
    published = f"published, {PUBLISHED[model]}"
    bound = SECONDS if model == "8b" else None
    return [
        Row(f"{name}: after torch.export", figures["total"], "s", reference, export, bound),
        *parts,
        Row(f"{name}: peak memory", figures["peak"] / MIB, "MiB", "torch.export alone", figures["export_peak"] / MIB,
            BYTES / MIB),
        Row(f"{name}: a token", figures["token"] * 1e3, "ms", published, figures["published"] * 1e3,
            2e3 * figures["published"]),
    ]  # fmt: skip


def measure(model: str) -> dict[str, Any]:
    """The figures of one model: wall seconds of each part, CPU seconds after the export (other processes disturb
    them less), peak resident bytes, seconds of a token."""
    import torch

    from sambaflow.backends.rdu.encode import encode
    from sambaflow.frontends import hf, torch_export
    from sambaflow.machine.published import token_seconds
    from sambaflow.samba.compiler import compile_imported

    torch.set_num_threads(1)
    config = hf.load_config(Path(__file__).parents[1] / "examples" / f"llama-3.1-{model}.json")
    graph = hf.graph(hf.build_model(config, torch.bfloat16, meta=True), "decode", 1, LENGTH)
    times = [time.perf_counter()]
    program = torch_export.export(graph.module, graph.args)
    export_peak, start = _peak(), time.process_time()
    times.append(time.perf_counter())
    imported = torch_export.import_model(
        program, graph=graph.name, input_names=graph.input_names, state=graph.state, strip="model."
    )
    times.append(time.perf_counter())
    exe = compile_imported(imported, mode="o3", machine="sn40l", chips=CHIPS)
    times.append(time.perf_counter())
    encode(exe.image)
    times.append(time.perf_counter())
    cpu = time.process_time() - start
    seconds = {name: b - a for name, a, b in zip(("export", *PARTS), times, times[1:], strict=False)}
    total, peak = times[-1] - times[1], _peak()
    token, published = exe.timing().seconds, token_seconds(PUBLISHED[model], LENGTH)
    return {
        **seconds,
        "total": total,
        "cpu": cpu,
        "export_peak": export_peak,
        "peak": peak,
        "token": token,
        "published": published,
    }


def _peak() -> int:
    """Greatest resident size of this process so far, in bytes."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes << 10


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
