"""Llama-3.1-8B and 70B, decode at batch 1, context 1024, eight SN40L: folded by layer, legal, near published times.

Of 70B there are 8 layers here: torch.export takes as long as there are layers. `make bench` has all 80 of them.

The published times are rows of `machine/published.yaml` (argonne-lcf/LLM-Inference-Bench, SN40L, 8 chips, bf16: latency
of a whole request over its output length); the machine file holds no constant that was fitted to them. Both models are
compiled from `examples/*.json` on the meta device by a process of its own, this file run as a program, so that its peak
of memory is that of torch, transformers and both compiles.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sambaflow.machine.published import token_seconds

ROOT = Path(__file__).resolve().parents[2]
LENGTH, CHIPS, GIB = 1024, 8, 1 << 30
MODELS = {"8b": 32, "70b": 8}
"""By model its layers."""

Facts = dict[str, Any]


def facts_of(model: str) -> Facts:
    """What the compiler and the simulator say about one model."""
    import torch

    from sambaflow.backends.rdu.image import Repeat
    from sambaflow.backends.rdu.physical import check_physical
    from sambaflow.frontends import hf
    from sambaflow.samba.compiler import compile_imported, import_graphs
    from sambaflow.sim.timing.program import check_graph

    config = hf.load_config(ROOT / "examples" / f"llama-3.1-{model}.json")
    config.num_hidden_layers = MODELS[model]
    graph = hf.graph(hf.build_model(config, torch.bfloat16, meta=True), "decode", 1, LENGTH)
    exe = compile_imported(import_graphs({"decode": graph}), mode="o3", machine="sn40l", chips=CHIPS)
    (schedule,) = exe.image.schedules
    return {
        "sections": [[unit.kind for unit in section.units] for section in exe.image.sections],
        "repeats": [step.count for step in schedule.steps if isinstance(step, Repeat)],
        "problems": check_physical(exe.image),
        "checked": check_graph(exe.image),
        "launches": exe.timing().launches,
        "token": exe.timing().seconds,
    }


def peak_bytes() -> int:
    """Greatest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


@pytest.fixture(scope="module")
def facts() -> dict[str, Facts]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, __file__], stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_token_takes_what_is_published_within_a_factor_of_two(facts: dict[str, Facts]):
    published = token_seconds("Llama-3-8B", LENGTH)
    assert published / 2 <= facts["8b"]["token"] <= 2 * published


@pytest.mark.parametrize("model", MODELS)
def test_all_layers_are_rounds_of_one_repeat(facts: dict[str, Facts], model: str):
    assert facts[model]["repeats"] == [MODELS[model]]


def test_what_is_compiled_does_not_grow_with_the_layers(facts: dict[str, Facts]):
    """The same units in the same sections: 32 layers of one width and 8 of another differ in sizes and counts only."""
    assert facts["8b"]["sections"] == facts["70b"]["sections"]
    assert facts["8b"]["launches"] - facts["70b"]["launches"] == 32 - 8


@pytest.mark.parametrize("model", MODELS)
def test_places_and_routes_are_legal(facts: dict[str, Facts], model: str):
    assert facts[model]["problems"] == []


@pytest.mark.parametrize("model", MODELS)
def test_both_timing_engines_agree_on_every_section(facts: dict[str, Facts], model: str):
    """`check_graph` raises when they do not."""
    assert facts[model]["checked"] >= len(facts[model]["sections"])


def test_two_gibibytes_are_enough(facts: dict[str, Facts]):
    assert facts["process"]["peak"] < 2 * GIB


if __name__ == "__main__":
    print(json.dumps({**{model: facts_of(model) for model in MODELS}, "process": {"peak": peak_bytes()}}))
