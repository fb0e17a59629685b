"""Files of tensors that cannot be read: what they are, what was to be read, and what helps."""

from __future__ import annotations

import json
import os
import re
import struct
from pathlib import Path

import pytest
import torch

from sambaflow.errors import WeightError
from sambaflow.frontends.checkpoints import read_checkpoint
from sambaflow.frontends.weights import load_weights, save_weights


def write(path: Path, header: object, data: bytes = b"") -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_what_is_no_file_is_refused_at_once(tmp_path: Path):
    """The library maps files: it would wait for a FIFO, deaf to signals."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "model.safetensors").mkdir()
    (tmp_path / "link").symlink_to("fifo")
    for path, kind in (
        ("fifo", "a FIFO"),
        ("link", "a FIFO"),
        ("model.safetensors", "a folder"),
        ("/dev/zero", "a device"),
    ):
        said = f"{path}: cannot read the inputs: it is {kind}, and only files hold safetensors"
        with pytest.raises(WeightError, match=re.escape(said)):
            load_weights(tmp_path / path, "inputs")
    with pytest.raises(WeightError, match="cannot read the weights: it is a FIFO"):
        read_checkpoint(tmp_path / "fifo")
    with pytest.raises(WeightError, match="cannot read the weights: it is a folder"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(("path", "said"), [("nope", "No such file or directory"), ("a\0b", "null byte")])
def test_what_is_not_there(path: str, said: str, tmp_path: Path):
    with pytest.raises(WeightError, match=f"cannot read the state: .*{said}"):
        load_weights(tmp_path / path, "state")


def test_a_sound_file_of_another_dtype_is_not_called_cut(tmp_path: Path):
    header = {"x": {"dtype": "F6_E2M3", "shape": [4, 16], "data_offsets": [0, 48]}}
    with pytest.raises(WeightError, match="Dtype not understood: F6_E2M3") as caught:
        load_weights(write(tmp_path / "six.safetensors", header, bytes(48)))
    assert list(caught.value.levers) == ["convert the tensors to a dtype that PyTorch has, for example bfloat16"]
    with pytest.raises(WeightError) as caught:
        load_weights(write(tmp_path / "cut.safetensors", header, bytes(47)))
    assert list(caught.value.levers) == ["copy the file again: it is cut, or is no safetensors file"]


def test_an_altered_tensor_is_refused_at_its_file(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save_weights(path, {"w": torch.ones(4)})
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(WeightError, match=r"w\.safetensors: weight 'w' is altered"):
        load_weights(path)
