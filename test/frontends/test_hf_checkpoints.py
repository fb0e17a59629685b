"""Folders that `save_pretrained` wrote: what comes out of them, and how damaged ones are refused.

A refusal names the file, the tensor if one is at fault, and what to do.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import sambaflow
from sambaflow.errors import InputError, WeightError
from sambaflow.frontends import hf
from sambaflow.frontends.checkpoints import INDEX, read_checkpoint
from sambaflow.frontends.hf import loading
from sambaflow.samba.compiler import compile_imported, import_transformers

NORM = "model.norm.weight"
EXPERT = "model.layers.0.block_sparse_moe.experts.1.w1.weight"
SIZES: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 64, "max_position_embeddings": 16,
}  # fmt: skip


def _saved(model: transformers.PreTrainedModel, folder: Path, shard: str = "8KB") -> Path:
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**SIZES, tie_word_embeddings=True)
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def sharded(llama: transformers.PreTrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tied weights once, no buffers, several files."""
    folder = _saved(llama, tmp_path_factory.mktemp("checkpoint") / "llama")
    assert (folder / INDEX).is_file()
    return folder


@pytest.fixture
def damaged(sharded: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(sharded, tmp_path / "damaged"))


def _index(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / INDEX).read_text())
    change(content["weight_map"])
    (folder / INDEX).write_text(json.dumps(content))


def _file_of(folder: Path, name: str) -> Path:
    return folder / json.loads((folder / INDEX).read_text())["weight_map"][name]


def _tensors(folder: Path, name: str, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    file = _file_of(folder, name)
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


def test_a_folder_compiles_and_runs_with_its_weights_wherever_they_are_read(
    llama: transformers.PreTrainedModel, sharded: Path, tmp_path: Path
) -> None:
    ids = torch.arange(8)[None]
    with torch.no_grad():
        theirs = llama(ids, use_cache=False).logits
    imported = import_transformers(sharded, ["prefill"], length=8)
    assert imported.diagnostics == []
    compile_imported(imported, mode="o1").save(tmp_path / "m.pef")
    unsharded = _saved(llama, tmp_path / "one", "1GB")
    for weights in (None, sharded, sharded / INDEX, unsharded, unsharded / "model.safetensors"):
        ours = sambaflow.load(tmp_path / "m.pef", weights)(ids)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    (tmp_path / "m.safetensors").unlink()
    with pytest.raises(WeightError, match="missing"):
        sambaflow.load(tmp_path / "m.pef")(ids)
    torch.testing.assert_close(sambaflow.load(tmp_path / "m.pef", sharded)(ids), theirs, rtol=1e-4, atol=1e-5)


def test_names_of_experts_are_translated(tmp_path: Path) -> None:
    config = transformers.MixtralConfig(**SIZES, num_local_experts=2)
    model = transformers.MixtralForCausalLM(config)
    folder = _saved(model, tmp_path / "mixtral")
    assert EXPERT in read_checkpoint(folder).tensors
    loaded = hf.load_model(folder)
    own = model.state_dict()
    assert all(torch.equal(tensor, own[name]) for name, tensor in loaded.model.state_dict().items())
    _tensors(folder, EXPERT, lambda tensors: tensors.update({EXPERT: torch.ones(3, 3)}))
    with pytest.raises(WeightError, match=rf"do not make .*gate_up_proj.*{EXPERT}' has the shape \[3, 3\]") as refused:
        hf.load_model(folder)
    assert str(refused.value.location) == str(_file_of(folder, EXPERT))


def test_weights_of_another_dtype_are_those_that_were_compiled_in(sharded: Path) -> None:
    assert hf.load_model(sharded, torch.bfloat16).model.dtype == torch.bfloat16
    tensors = loading.checkpoint_tensors(read_checkpoint(sharded), torch.bfloat16)
    assert tensors[NORM].dtype == torch.bfloat16
    assert tensors["lm_head.weight"] is not None and "model.rotary_emb.inv_freq" in tensors


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: _file_of(f, NORM).write_bytes(_file_of(f, NORM).read_bytes()[:-9]), "cannot read the weights"),
        (lambda f: _file_of(f, NORM).write_bytes(b""), "cannot read the weights"),
        (lambda f: _file_of(f, NORM).unlink(), "files that the index names are missing: 'model-0"),
        (lambda f: _index(f, lambda w: w.update({NORM: "../x.safetensors"})), r"'\.\./x.*outside its folder"),
        (lambda f: _index(f, lambda w: w.update({NORM: "/etc/hosts"})), "'/etc/hosts', which is outside its folder"),
        (lambda f: _index(f, lambda w: w.update({NORM: ""})), "outside its folder"),
        (lambda f: _index(f, lambda w: w.update({"b": "model.bin"})), "model.bin is pickled weights"),
        (lambda f: _tensors(f, NORM, lambda t: t.pop(NORM)), f"the index says that '{NORM}' is in model-0"),
        (lambda f: (f / INDEX).write_text("{"), "the index is no JSON"),
        (lambda f: (f / INDEX).write_text("[]"), 'has no "weight_map"'),
        (lambda f: (f / INDEX).unlink(), "neither model.safetensors nor model.safetensors.index.json"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(damaged: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(damaged)
    with pytest.raises(WeightError, match=message) as refused:
        hf.load_model(damaged)
    assert refused.value.location is not None and str(damaged) in refused.value.location.file
    assert refused.value.levers


def test_a_link_of_the_index_stays_in_the_folder(damaged: Path, tmp_path: Path) -> None:
    """Those of a hub cache lead to its blobs."""
    file = _file_of(damaged, NORM)
    hub = tmp_path / "models--a--b"
    for place, message in ((tmp_path / "elsewhere", "outside its folder"), (hub / "blobs" / "0", "")):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.resolve(), place)
        file.unlink()
        file.symlink_to(place)
        if message:
            with pytest.raises(WeightError, match=message):
                read_checkpoint(damaged)
        else:
            snapshot = hub / "snapshots" / "1"
            snapshot.parent.mkdir()
            damaged.rename(snapshot)
            assert NORM in read_checkpoint(snapshot).tensors


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.ones(33), rf"'{NORM}' has the shape \[33\], LlamaForCausalLM of this configuration has \[32\]"),
        (torch.ones(32, dtype=torch.int8), f"'{NORM}' has the dtype int8"),
        (torch.ones(32).to(torch.float8_e4m3fn), f"'{NORM}' has the dtype float8_e4m3fn"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(damaged: Path, tensor: torch.Tensor, message: str) -> None:
    _tensors(damaged, NORM, lambda tensors: tensors.update({NORM: tensor}))
    with pytest.raises(WeightError, match=message) as refused:
        hf.load_model(damaged)
    assert refused.value.location is not None and refused.value.location.file == str(_file_of(damaged, NORM))


def test_a_missing_tensor_is_refused_and_one_too_many_is_said(damaged: Path) -> None:
    _tensors(damaged, NORM, lambda tensors: tensors.update({"other.weight": torch.ones(2)}))
    (said,) = hf.load_model(damaged).diagnostics
    assert (
        said.severity == "warning" and "'other.weight'" in said.message and _file_of(damaged, NORM).name in said.message
    )
    _tensors(damaged, NORM, lambda tensors: tensors.pop(NORM))
    _index(damaged, lambda names: names.pop(NORM))
    with pytest.raises(WeightError, match=f"lacks 1 of the weights of LlamaForCausalLM: '{NORM}'"):
        hf.load_model(damaged)


def test_pickled_and_quantized_weights_are_refused(damaged: Path) -> None:
    content = json.loads((damaged / "config.json").read_text())
    (damaged / "config.json").write_text(json.dumps({**content, "quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(WeightError, match=r"quantized \(gptq\)"):
        hf.load_model(damaged)
    for file in damaged.glob("*.safetensors*"):
        file.unlink()
    with pytest.raises(WeightError, match="holds no weights"):
        read_checkpoint(damaged)
    (damaged / "pytorch_model.bin").write_bytes(b"not read")
    with pytest.raises(WeightError, match=r"pytorch_model\.bin is pickled weights") as refused:
        hf.load_model(damaged)
    assert "safe_serialization=True" in refused.value.levers[0]


def test_weights_away_from_their_configuration_are_not_guessed(sharded: Path, damaged: Path) -> None:
    (damaged / "config.json").unlink()
    with pytest.raises(InputError, match=r"has no config\.json"):
        loading.checkpoint_tensors(read_checkpoint(damaged), torch.float32)


def test_a_configuration_alone_says_where_weights_come_from(sharded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (said,) = hf.load_model(sharded / "config.json").diagnostics
    assert "random" in said.message and f"--hf {sharded}" in said.message
    monkeypatch.setattr(loading, "build_model", lambda config, dtype: hf.build_model(config, dtype, meta=True))
    loaded = hf.load_model(sharded / "config.json")
    assert loaded.model.device.type == "meta" and "none are made up" in loaded.diagnostics[0].message


def test_weights_that_do_not_fit_memory_are_left_where_they_are(sharded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "available_bytes", lambda: 1000)
    loaded = hf.load_model(sharded)
    assert loaded.model.device.type == "meta" and f"--weights {sharded}" in loaded.diagnostics[0].message
