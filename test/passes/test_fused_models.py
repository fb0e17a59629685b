"""Folding and fusing keep every bit of real models, and take the modules that the default rules are written for."""

from collections import Counter
from functools import cache
from typing import Any

import pytest
import torch
import transformers
from torch.utils import _pytree as pytree
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import CallOp

from sambaflow.dialects import samba
from sambaflow.frontends import hf, torch_export
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.passes.framework.verification import verify_module
from sambaflow.sim.reference import samba_reference

SMALL: dict[str, Any] = {"vocab_size": 32, "max_position_embeddings": 32}
CONFIGS = {
    "llama": transformers.LlamaConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        architectures=["LlamaForCausalLM"], **SMALL,
    ),
    "gpt2": transformers.GPT2Config(
        vocab_size=32, n_positions=32, n_embd=16, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0,
        architectures=["GPT2LMHeadModel"],
    ),
    "bert": transformers.BertConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4, architectures=["BertModel"],
        **SMALL,
    ),
}  # fmt: skip
LAYER = {
    "llama": ["llama2_qkv", "sdpa_rotary", "llama2_self_attn_proj", "llama2_ffn"],
    "gpt2": ["gpt2_qkv", "sdpa", "transformer_proj", "gpt2_ffn"],
    "bert": ["bert_qkv", "sdpa", "transformer_proj", "transformer_ffn"],
}
CASES = [
    ("llama", "prefill", torch.float32),
    ("llama", "prefill", torch.bfloat16),
    ("llama", "decode", torch.float32),
    ("llama", "decode", torch.bfloat16),
    ("gpt2", "prefill", torch.float32),
    ("gpt2", "decode", torch.bfloat16),
    ("bert", "forward", torch.float32),
]


@cache
def imported(name: str, phase: str, dtype: torch.dtype) -> tuple[ModuleOp, dict[str, torch.Tensor]]:
    """The module of a graph, and a tensor for every argument."""
    torch.set_num_threads(1)
    graph = hf.graph(hf.build_model(CONFIGS[name], dtype, seed=3), phase, batch=1, length=8, prompt=5)
    result = torch_export.import_model(
        graph.module, graph.args, graph=phase, input_names=graph.input_names, state=graph.state, strip="model."
    )
    generator = torch.Generator().manual_seed(5)
    inputs: dict[str, torch.Tensor] = {"input_ids": torch.randint(32, graph.args[0].shape, generator=generator)}
    if phase == "decode":
        inputs["position"] = torch.tensor([4])
    flat = pytree.tree_leaves(graph.args)
    for key, tensor in zip(graph.input_names, flat, strict=True):
        inputs.setdefault(key, torch.randn(tensor.shape, generator=generator).to(tensor.dtype))
    return result.module, {**result.weights, **inputs}


@pytest.mark.parametrize(("name", "phase", "dtype"), CASES)
def test_folded_and_fused_models_compute_the_same_bits(name: str, phase: str, dtype: torch.dtype):
    module, tensors = imported(name, phase, dtype)
    fused = module.clone()
    run_pipeline(fused, "samba-outline-layers, samba-fuse, samba-heuristics")
    verify_module(fused)
    expected = samba_reference.run(module, phase, tensors)
    computed = samba_reference.run(fused, phase, tensors)
    assert expected.keys() == computed.keys()
    assert [key for key in expected if not torch.equal(expected[key], computed[key])] == []


@pytest.mark.parametrize(("name", "phase", "dtype"), CASES)
def test_all_layers_fold_and_each_is_four_modules(name: str, phase: str, dtype: torch.dtype):
    fused = imported(name, phase, dtype)[0].clone()
    run_pipeline(fused, "samba-outline-layers, samba-fuse")
    graph, layer = fused.ops
    assert sum(isinstance(op, CallOp) for op in graph.walk()) == 3
    rules = [op.rule.data for op in layer.walk() if isinstance(op, samba.ModuleOp)]
    assert rules == LAYER[name]
    loose = [op.name for op in layer.regions[0].block.ops if isinstance(op, samba.SambaOp)]
    assert loose == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_published_rule_matches_every_layer_of_llama(dtype: torch.dtype, request: pytest.FixtureRequest):
    """Three layers, each with a projection and the norm after it."""
    rules = request.path.parent / "fixtures" / "llama2_self_attn_proj.yaml"
    fused = imported("llama", "prefill", dtype)[0].clone()
    run_pipeline(fused, f'samba-fuse{{rules="{rules}"}}')
    modules = [op for op in fused.walk() if isinstance(op, samba.ModuleOp)]
    projections = [op for op in modules if "self_attn_o_proj" in " ".join(str(v.name_hint) for v in op.operands)]
    assert len(projections) == 3
    ops = Counter(op.name.removeprefix("samba.") for op in projections[0].body.block.ops)
    wanted = Counter({"linear": 1, "add": 2, "pow": 1, "mean": 1, "rsqrt": 1, "mul": 2, "yield": 1})
    casts = 2 if dtype == torch.bfloat16 else 0
    assert ops - Counter({"to": casts, "transpose": 1, "reshape": 1}) == wanted
