"""Weights beside the IR: tensors by name in safetensors, each with the SHA-256 of its bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file

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
        copies = {name: tensor.clone() for name, tensor in ordered.items()}
        try:
            if _is_text(path):
                save_file(copies, path, metadata=hashes)
            else:
                Path(path).write_bytes(save(copies, hashes))
        except SafetensorError as error:  # what the library makes of an OSError
            raise OSError(errno.EIO, str(error), path) from None

    return write, hashes


def load_weights(path: str | Path, what: str = "weights") -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file by name. `what` they are is said when they cannot be read.

    Raises WeightError for a path that is no file (the library maps files, and would wait for a FIFO without an end to
    it), for a file that is not safetensors, and for one in which a tensor differs from its recorded hash.
    """
    place = Location(str(path))
    try:
        _check_regular(path)
        with _named_in_text(path) as readable, safe_open(readable, framework="pt") as file:
            hashes: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, SafetensorError) as error:  # a ValueError for what no path may hold
        reason = getattr(error, "strerror", None) or error
        raise WeightError(
            f"cannot read the {what}: {reason}", location=place, levers=_levers_for(Path(path), error)
        ) from error
    for name, tensor in tensors.items():
        if name in hashes and weight_hash(tensor) != hashes[name]:
            raise WeightError(f"weight {name!r} is altered: its hash differs from the recorded one", location=place)
    return tensors


@contextmanager
def _named_in_text(path: str | Path) -> Generator[str]:
    """A path that the library takes: one of bytes that are no UTF-8 is read through a link."""
    if _is_text(path):
        yield str(path)
        return
    with TemporaryDirectory() as folder:
        link = os.path.join(folder, "weights")
        os.symlink(os.path.abspath(path), link)
        yield link


def _is_text(path: str | Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_regular(path: str | Path) -> None:
    """OSError for a path where no file is."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kinds = {"a folder": stat.S_ISDIR, "a FIFO": stat.S_ISFIFO, "a socket": stat.S_ISSOCK}
        kind = next((name for name, is_one in kinds.items() if is_one(mode)), "a device")
        raise OSError(errno.EINVAL, f"it is {kind}, and only files hold safetensors", str(path))


def _levers_for(path: Path, error: Exception) -> list[str]:
    """How PyTorch's own files, which are pickles and not read here, become safetensors, or what else may help."""
    if path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pt2") and path.is_file():
        return [f"convert it: safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), ...)"]
    if not isinstance(error, SafetensorError):
        return ["write the tensors to a file first"] if getattr(error, "errno", None) == errno.EINVAL else []
    if "Dtype not understood" in str(error):
        return ["convert the tensors to a dtype that PyTorch has, for example bfloat16"]
    return ["copy the file again: it is cut, or is no safetensors file"]
