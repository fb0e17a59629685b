"""Weights beside the IR: tensors by name in safetensors, each with the SHA-256 of its bytes."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sambaflow.errors import Location, WeightError
from sambaflow.files import write_file


def weight_hash(tensor: torch.Tensor) -> str:
    """SHA-256 over dtype, shape and the bytes of the contiguous tensor, in hex."""
    header = f"{tensor.dtype}{tuple(tensor.shape)}".encode()
    data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(header + data.tobytes()).hexdigest()


def save_weights(path: str | Path, tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Write the tensors, in the order of their names, with their hashes as metadata; returns the hashes by name.

    Raises WeightError for a tensor on the meta device, which has no data, and OSError.
    """
    write, hashes = weights_content(tensors)
    write_file(path, write)
    return hashes


def weights_content(tensors: Mapping[str, torch.Tensor]) -> tuple[Callable[[str], None], dict[str, str]]:
    """What writes the file that `save_weights` writes, and the hashes."""
    for name, tensor in tensors.items():
        if tensor.is_meta:
            raise WeightError(f"weight {name!r} was built without data", levers=["build the model with weights"])
    ordered = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    hashes = {name: weight_hash(tensor) for name, tensor in ordered.items()}

    def write(path: str) -> None:
        try:
            save_file({name: tensor.clone() for name, tensor in ordered.items()}, path, metadata=hashes)
        except SafetensorError as error:  # what the library makes of an OSError
            raise OSError(errno.EIO, str(error), path) from None

    return write, hashes


def load_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file by name.

    Raises WeightError for a file that is not safetensors, or in which a tensor differs from its recorded hash.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            hashes: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightError(
            f"cannot read the weights {path}: {error}",
            location=Location(str(path)),
            levers=_levers_for(path, error),
        ) from error
    for name, tensor in tensors.items():
        if name in hashes and weight_hash(tensor) != hashes[name]:
            raise WeightError(f"weight {name!r} in {path} is altered: its hash differs from the recorded one")
    return tensors


def _levers_for(path: str | Path, error: Exception) -> list[str]:
    """How PyTorch's own files, which are pickles and not read here, become safetensors, or what else may help."""
    if Path(path).suffix in (".bin", ".pt", ".pth", ".ckpt", ".pt2") and Path(path).is_file():
        return [f"convert it: safetensors.torch.save_file(torch.load({Path(path).name!r}, weights_only=True), ...)"]
    cut = isinstance(error, SafetensorError)
    return ["copy the file again: it is cut, or is no safetensors file"] if cut else []
