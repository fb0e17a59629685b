"""Checkpoints: weights by name in one safetensors file, in several with an index, or in a folder that
transformers' `save_pretrained` wrote.

    read_checkpoint("folder").tensors["model.norm.weight"]       # mapped from its file, read when it is used

A checkpoint is data: nothing is unpickled, and an index names only files that lie in its folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sambaflow.errors import Location, WeightError
from sambaflow.files import MOST_JSON, read_bytes
from sambaflow.frontends.weights import load_weights

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
"""The names that transformers gives: one file, or the index of several. The first that is there is read."""

PICKLED = (".bin", ".pt", ".pth", ".ckpt")
OTHER = (*PICKLED, ".h5", ".msgpack", ".gguf")
"""Suffixes of weights that are not read."""

CONVERT = "convert to safetensors: model.save_pretrained(folder, safe_serialization=True)"
SHOWN = 4
"""Names in a message."""


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by their names in the files, and the file of each."""

    path: Path
    """What was read: a file, an index or a folder."""
    tensors: dict[str, torch.Tensor]
    files: dict[str, Path]

    @property
    def folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def config(self) -> Path | None:
        """transformers' configuration beside the weights, if it is there."""
        path = self.folder / "config.json"
        return path if path.is_file() else None

    def file_of(self, name: str) -> Path:
        """Where a tensor is, or would be."""
        return self.files.get(name, self.path)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """The checkpoint in a `.safetensors` file, an index `.json`, or a folder.

    Raises WeightError, naming the file and what to do, for what is not there, not safetensors, cut, or named by an
    index and not in its folder.
    """
    path = Path(path)
    source = _weights_in(path) if path.is_dir() else path
    if source.suffix == ".json":
        return _read_shards(path, source)
    if source.suffix in OTHER:
        raise _not_read(source, source.name)
    tensors = load_weights(source)
    return Checkpoint(path, tensors, dict.fromkeys(tensors, source))


def has_weights(folder: Path) -> bool:
    """Whether a folder holds weights, readable or not."""
    return any(folder.glob("model*.safetensors*")) or bool(_unread(folder))


def some(names: list[str]) -> str:
    """The first names of many, quoted."""
    return ", ".join(repr(name) for name in names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _weights_in(folder: Path) -> Path:
    for name in (WEIGHTS, INDEX):
        if (folder / name).exists():
            return folder / name
    alike = sorted(path.name for path in folder.glob("model*.safetensors*"))
    if alike:
        raise WeightError(
            f"{folder} has {some(alike)}, and neither {WEIGHTS} nor {INDEX}",
            location=Location(str(folder)),
            levers=[f"copy {INDEX} from where the files come from", f"rename a single file to {WEIGHTS}"],
        )
    if unread := _unread(folder):
        raise _not_read(folder, unread[0])
    adapter = (folder / "adapter_config.json").exists()
    raise WeightError(
        f"{folder} holds no weights: {WEIGHTS} or {INDEX} is not there",
        location=Location(str(folder)),
        levers=["merge the adapter: model.merge_and_unload().save_pretrained(folder)" if adapter else
                "write them: model.save_pretrained(folder)"],
    )  # fmt: skip


def _unread(folder: Path) -> list[str]:
    """The files of weights in formats that are not read."""
    known = sorted(
        path.name for path in folder.iterdir() if path.suffix in OTHER or f"{path}".endswith(".bin.index.json")
    )
    return [name for name in known if not name.startswith(("training_args", "optimizer", "scheduler", "rng_state"))]


def _not_read(path: Path, name: str) -> WeightError:
    pickled = name.removesuffix(".index.json").endswith(PICKLED)
    what = "pickled weights, which may run code when they are read" if pickled else "no safetensors file"
    return WeightError(f"{name} is {what}", location=Location(str(path)), levers=[CONVERT])


def _read_shards(path: Path, index: Path) -> Checkpoint:
    places = _weight_map(index)
    pickled = [name for name in places.values() if name.endswith(OTHER)]
    if pickled:
        raise _not_read(index, pickled[0])
    shards = list(dict.fromkeys(places.values()))
    for shard in shards:
        _check_inside(index, shard)
    missing = [shard for shard in shards if not (index.parent / shard).is_file()]
    if missing:
        raise WeightError(
            f"{len(missing)} of {len(shards)} files that the index names are missing: {some(missing)}",
            location=Location(str(index)),
            levers=[f"copy {missing[0]} to {index.parent}", CONVERT.replace("convert", "write all again")],
        )
    read = {shard: load_weights(index.parent / shard) for shard in shards}
    tensors = {name: tensor for content in read.values() for name, tensor in content.items()}
    files = {name: index.parent / shard for shard, content in read.items() for name in content}
    for name, shard in places.items():
        if name not in read[shard]:
            raise WeightError(
                f"the index says that {name!r} is in {shard}, and it is not",
                location=Location(str(index.parent / shard)),
                levers=["copy the index and the files from one place", CONVERT.replace("convert", "write all again")],
            )
        tensors[name], files[name] = read[shard][name], index.parent / shard
    return Checkpoint(path, tensors, files)


def _weight_map(index: Path) -> dict[str, str]:
    """The file of each tensor as the index says."""
    place = Location(str(index))
    try:
        content: Any = json.loads(read_bytes(index, MOST_JSON).decode("utf-8"))
    except OSError as error:
        raise WeightError(f"cannot read the index: {error.strerror or error}", location=place) from error
    except (ValueError, RecursionError) as error:
        raise WeightError(
            f"the index is no JSON: {error}", location=place, levers=[f"copy {index.name} again"]
        ) from error
    places: Any = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise WeightError(
            'the index has no "weight_map" of tensor names and files',
            location=place,
            levers=["give a .safetensors file, the index of several, or their folder"],
        )
    return places


def _check_inside(index: Path, shard: str) -> None:
    """Whether a file that the index names lies in its folder; links of a hub cache lead into that cache."""
    folder = index.parent.resolve()
    cache = folder.parent.parent if folder.parent.name == "snapshots" else folder
    target = (index.parent / shard).resolve()
    plain = Path(shard)
    inside = target.is_relative_to(folder) or target.is_relative_to(cache / "blobs")
    if not shard or plain.is_absolute() or ".." in plain.parts or "\0" in shard or not inside:
        raise WeightError(
            f"the index names {shard!r}, which is outside its folder",
            location=Location(str(index)),
            levers=["copy the file into the folder and name it without a path"],
        )
