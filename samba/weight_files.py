"""Where the weights of a program come from: what is given, else the file beside its PEF."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch

from sambaflow.backends.rdu.image import Image, Symbol
from sambaflow.frontends.checkpoints import Checkpoint, read_checkpoint
from sambaflow.frontends.function_builder import CONSTANT
from sambaflow.frontends.weights import load_weights
from sambaflow.sim.functional.engine import TORCH_DTYPES, whole_shape


def weights_of(image: Image, pef: str | Path, source: str | Path | None = None) -> dict[str, torch.Tensor]:
    """The weights of the program in a PEF file.

    `source` is a safetensors file, the index of several, or a folder that transformers wrote, whose names, ties and
    dtypes transformers translates where they are not the program's. Without it they are those of the `.safetensors`
    file beside the PEF, or none if there is no such file. Raises WeightError for weights that cannot be read.
    """
    beside = Path(pef).with_suffix(".safetensors")
    wanted = [symbol for symbol in image.symbols if symbol.role in ("param", "buffer")]
    if source is None:  # what stands there and is no file is refused by name
        return load_weights(beside) if beside.is_file() or (wanted and beside.exists()) else {}
    checkpoint = read_checkpoint(source)
    tensors = checkpoint.tensors
    is_saved = checkpoint.config is not None or checkpoint.path.is_dir()
    if is_saved and not all(_fits(symbol, tensors.get(symbol.name)) for symbol in wanted):
        tensors = _translated(checkpoint, wanted)
    return tensors | _constants(beside, [symbol.name for symbol in wanted if symbol.name not in tensors])


def _fits(symbol: Symbol, tensor: torch.Tensor | None) -> bool:
    return (
        tensor is not None and tuple(tensor.shape) == whole_shape(symbol) and tensor.dtype == TORCH_DTYPES[symbol.dtype]
    )


def _translated(checkpoint: Checkpoint, wanted: list[Symbol]) -> dict[str, torch.Tensor]:
    """By transformers, in the dtype that most of the program's parameters have."""
    from sambaflow.frontends.hf.loading import checkpoint_tensors

    dtypes = Counter(TORCH_DTYPES[symbol.dtype] for symbol in wanted if symbol.role == "param")
    floats = [dtype for dtype, _ in dtypes.most_common() if dtype.is_floating_point]
    return checkpoint_tensors(checkpoint, floats[0] if floats else torch.float32)


def _constants(beside: Path, names: list[str]) -> dict[str, torch.Tensor]:
    """Constants of the model's code, which no checkpoint has: their names are hashes of their bytes."""
    if not any(name.startswith(CONSTANT) for name in names) or not beside.is_file():
        return {}
    known = load_weights(beside)
    return {name: known[name] for name in names if name.startswith(CONSTANT) and name in known}
