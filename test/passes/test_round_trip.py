"""What is printed says all there is: IR of every level parses back to itself, and a PEF gives its own bytes again.

Two tiny models through every mode; after the last pass of the samba level, of the kernel level, and at the end. What
does not depend on how operators were cut into sections is seen in one mode: generic text, stripped files.
"""

from __future__ import annotations

import re
from functools import cache
from io import StringIO

import pytest
import torch
import transformers
from torch import nn
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from sambaflow.backends.rdu.decode import decode
from sambaflow.backends.rdu.encode import encode, strip
from sambaflow.backends.rdu.from_ir import image_of
from sambaflow.backends.rdu.to_ir import module_of
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.frontends import hf
from sambaflow.frontends.imported import Imported
from sambaflow.frontends.torch_export import import_model
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.samba.compiler import import_graphs

LEVELS = {"samba-partition": "samba", "kernel-size-fifos": "kernel", "rdu-finalize": "rdu"}
"""The last pass of each level."""

TEXT_FILE = "round_trip.mlir"
PLACE_IN_TEXT = re.compile(r'loc\("round_trip\.mlir":\d+:\d+\)')
"""What the parser gives an op without a location: the place of its text."""


def cnn() -> Imported:
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1))
    return import_model(nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 5)).eval(), (torch.zeros(2, 1, 8, 8),))


def llama_decode() -> Imported:
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=8, architectures=["LlamaForCausalLM"],
    )  # fmt: skip
    return import_graphs({"decode": hf.graph(hf.build_model(config, torch.bfloat16), "decode", 1, 8)})


MODELS = {"cnn": cnn, "llama_decode": llama_decode}
ONE_MODE = "o1"
CASES = [(name, mode) for name in MODELS for mode in ("o0", "o1", "o3")]


def printed(module: ModuleOp, generic: bool = False) -> str:
    text = StringIO()
    Printer(stream=text, print_generic_format=generic, print_debuginfo=True).print_op(module)
    return text.getvalue()


@cache
def imported(name: str) -> ModuleOp:
    return MODELS[name]().module


@cache
def levels(name: str, mode: str) -> dict[str, ModuleOp]:
    """The model's IR at the end of each level."""
    modules: dict[str, ModuleOp] = {}

    def keep(pass_: ModulePass, module: ModuleOp) -> None:
        if pass_.name in LEVELS:
            modules[LEVELS[pass_.name]] = module.clone()

    run_pipeline(imported(name).clone(), f"{mode}{{chips=2}}" if name == "llama_decode" else mode, None, keep)
    assert list(modules) == list(LEVELS.values())
    return modules


@pytest.mark.parametrize("level", LEVELS.values())
@pytest.mark.parametrize(("name", "mode"), CASES)
def test_printed_ir_parses_back(name: str, mode: str, level: str):
    """The same IR and, printed again, the same text with the same locations; pretty and, in one mode, generic."""
    module = levels(name, mode)[level]
    assert any(op.name.startswith(f"{level}.") for op in module.walk())
    for generic in (False, True) if mode == ONE_MODE else (False,):
        text = printed(module, generic)
        back = parse_module(text, TEXT_FILE, SambaContext())
        assert module.is_structurally_equivalent(back), (level, generic)
        assert PLACE_IN_TEXT.sub("loc(unknown)", printed(back, generic)) == text


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_pef_to_text_to_pef(name: str, mode: str):
    """A stripped PEF, too, in one mode."""
    image = image_of(levels(name, mode)["rdu"])
    for variant in (image, strip(image)) if mode == ONE_MODE else (image,):
        data = encode(variant)
        text = printed(module_of(decode(data)))
        back = parse_module(text, TEXT_FILE, SambaContext())
        assert encode(image_of(back, text_file=TEXT_FILE)) == data
