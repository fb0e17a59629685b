"""Every causal architecture of transformers, tiny, in our graphs against transformers' own eager model.

Windows are 8 over a prompt of 32 tokens, then come 4 tokens of decode. Right is within 1e-5 of the largest logit, in
float32, of the model that transformers builds with `attn_implementation="eager"` from the same weights and runs with
its own cache. What runs is the exported program of each graph, or what a mode of the compiler makes of it.
"""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from sambaflow.frontends import hf
from sambaflow.testing.coverage import workers
from sambaflow.testing.coverage.outcomes import KINDS, Outcome, judged, report
from sambaflow.testing.coverage.tiny_configs import VARIANTS, VOCABULARY, tiny_config
from sambaflow.testing.language_models import (
    Forward,
    compiled,
    difference,
    eager,
    exported,
    graphs_of,
    in_torch,
    lively,
    our_logits,
    their_logits,
    tokens,
)

PROMPT, STEPS, LENGTH = 32, 4, 40
TOLERANCE = 1e-5


def names() -> list[str]:
    """The model types of transformers' auto mapping for causal language models, and variants of some."""
    return sorted([*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *VARIANTS])


def try_architecture(name: str, level: str = "exported") -> Outcome:
    """The outcome of a model type or variant; `level` is exported, module, or a mode of the compiler."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    return judged(partial(_compared, name, level))


def _compared(name: str, level: str) -> str:
    """In what our graphs differ, empty if they do not."""
    config = tiny_config(name)
    architecture: Any = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[VARIANTS.get(name, (name,))[0]]
    config.architectures = [architecture if isinstance(architecture, str) else architecture[0]]
    model = lively(hf.build_model(config, torch.float32, meta=False))
    graphs = graphs_of(model, 1, LENGTH, PROMPT)
    ids = tokens(PROMPT + STEPS, VOCABULARY)
    ours = our_logits(_forward(graphs, level), graphs, ids, PROMPT)
    theirs = their_logits(eager(model), ids[:, : ours.shape[1]], PROMPT)
    worst = difference(ours, theirs)
    if worst <= TOLERANCE:
        return ""
    prompt = difference(ours[:, :PROMPT], theirs[:, :PROMPT])
    return f"differs by {worst:.1e} of the largest logit, by {prompt:.1e} in prefill alone"


def _forward(graphs: Mapping[str, hf.HfGraph], level: str) -> Forward:
    levels = {"module": in_torch, "exported": exported}
    return levels[level](graphs) if level in levels else compiled(graphs, level)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sambaflow.testing.coverage frontend", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this model type, and others given")
    parser.add_argument("--module", action="store_true", help="run the graphs' modules, not what is exported of them")
    parser.add_argument("--compile", metavar="MODE", choices=("o0", "o1", "o3"), help="run what is compiled")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="the I-th of N parts of the model types")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=300.0, help="after which a model type has crashed")
    parser.add_argument("--json", metavar="FILE", help="every outcome")
    options = parser.parse_args(arguments)
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable(logging.WARNING)
    part, parts = map(int, options.part.split("/"))
    chosen = [name for name in names() if not options.only or name in options.only][part - 1 :: parts]
    level = options.compile or ("module" if options.module else "exported")
    outcomes = dict(workers.run(partial(try_architecture, level=level), chosen, options.processes, options.seconds))
    for name, outcome in sorted(outcomes.items(), key=lambda item: (KINDS.index(item[1].kind), item[0])):
        print(f"{outcome.kind:8} {name:28} {outcome.reason}".rstrip())
    return report("model types", outcomes, options.json)
