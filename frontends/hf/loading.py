"""Models of transformers with the weights of a checkpoint: names, ties and conversions are transformers' own.

    loaded = load_model("folder")              # config.json, or a folder with one and with weights
    loaded.model, loaded.diagnostics

The files are read by `checkpoints`, and transformers gets tensors: it opens no file, downloads nothing, and runs no
code of the folder.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from sambaflow.errors import Diagnostic, InputError, Location, WeightError
from sambaflow.frontends.checkpoints import Checkpoint, has_weights, read_checkpoint, some
from sambaflow.frontends.hf.models import META_PARAMETERS, Architecture, build_model, load_config

COPIES = 3
"""Copies of the weights that are in memory at once while a program is written with them: read, held, written."""

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


@dataclass(frozen=True)
class Loaded:
    """A model, and what is to be said of where its weights come from."""

    model: transformers.PreTrainedModel
    diagnostics: tuple[Diagnostic, ...] = ()


def load_model(path: str | Path, dtype: torch.dtype | None = None) -> Loaded:
    """The model of a folder with its weights, or of a configuration alone with random ones or none.

    Without weights they are random, from a fixed seed, up to `META_PARAMETERS` parameters; a larger model has none
    (device meta), and neither has one whose checkpoint does not fit the memory of this computer. Raises InputError for
    a configuration that cannot be built, WeightError for weights that cannot be read or do not fit it.
    """
    path = Path(path)
    config = load_config(path)
    if not path.is_dir() or not has_weights(path):
        model = build_model(config, dtype)
        return Loaded(model, (*_inferred(path, config), _without_weights(path, model)))
    architecture = Architecture.of(config, dtype)
    shell = architecture.build("meta")
    needed, available = COPIES * _size(shell), available_bytes()
    if needed > available:
        return Loaded(shell, (*_inferred(path, config), _too_large(path, needed, available)))
    model, said = with_weights(architecture, read_checkpoint(path))
    return Loaded(model, (*_inferred(path, config), *said))


def with_weights(
    architecture: Architecture, checkpoint: Checkpoint
) -> tuple[transformers.PreTrainedModel, tuple[Diagnostic, ...]]:
    """The model with the tensors of a checkpoint, and a warning if some are not the model's.

    Raises WeightError for tensors that are missing, or have another shape, or are no plain numbers.
    """
    shell = architecture.build("meta")
    name, place = type(shell).__name__, Location(str(checkpoint.path))
    _check_quantized(architecture.config, place)
    _check_dtypes(shell, checkpoint)
    with _report() as lines:
        try:
            model, info = architecture.load(checkpoint.tensors)
        except WeightError:
            raise
        except Exception as error:  # its conversions stack and split tensors, and say what failed in its report only
            raise _not_converted(name, checkpoint, "\n".join(lines), error) from error
    _check_shapes(name, checkpoint, info["mismatched_keys"])
    if missing := sorted(info["missing_keys"]):
        raise WeightError(
            f"the checkpoint lacks {len(missing)} of the weights of {name}: {some(missing)}",
            location=place,
            levers=[
                "copy the whole checkpoint, with all its files",
                f'set "architectures" in config.json to the class that was saved, if that is not {name}',
            ],
        )
    extra = sorted(info["unexpected_keys"])
    return model, (_unexpected(name, checkpoint, extra),) if extra else ()


def tensors_of(model: transformers.PreTrainedModel) -> dict[str, torch.Tensor]:
    """Parameters and buffers under all their names: those of an import are among them."""
    named = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    return {name: tensor.detach() for name, tensor in named.items()}


# -- what is said


def _inferred(path: Path, config: transformers.PretrainedConfig) -> tuple[Diagnostic, ...]:
    if config.architectures:
        return ()
    name = Architecture.of(config).name
    message = f'the configuration has no "architectures": {name} is taken, as if it were ["{name}"]'
    return (Diagnostic("warning", message, Location(str(path))),)


def _without_weights(path: Path, model: transformers.PreTrainedModel) -> Diagnostic:
    beside = path.parent if path.is_file() else path
    flag = f"--hf {beside}" if path.is_file() and has_weights(beside) else "--hf FOLDER, one that save_pretrained wrote"
    if model.device.type == "meta":
        count = sum(parameter.numel() for parameter in model.parameters())
        message = (
            f"a configuration alone has no weights, and for {count / 1e9:.1f} billion none are made up (random ones up "
            f"to {META_PARAMETERS // 10**6} million): give them with {flag}, or run with --weights FOLDER"
        )
    else:
        message = f"a configuration alone has no weights: they are random, from seed 0; give them with {flag}"
    return Diagnostic("warning", message, Location(str(path)))


def _too_large(path: Path, needed: int, available: int) -> Diagnostic:
    gigabytes = [f"{size / 2**30:.1f} GiB" for size in (needed, available)]
    message = f"the weights are not copied beside the PEF: that takes {gigabytes[0]} of memory, of {gigabytes[1]} free"
    return Diagnostic("warning", f"{message}; run with --weights {path}", Location(str(path)))


def _unexpected(name: str, checkpoint: Checkpoint, extra: list[str]) -> Diagnostic:
    files = sorted({checkpoint.file_of(key).name for key in extra})
    return Diagnostic(
        "warning",
        f"{name} has no place for {len(extra)} tensors of the checkpoint, which are left out: {some(extra)} "
        f"(in {', '.join(files[:4])})",
        Location(str(checkpoint.path)),
        facts={"levers": ['set "architectures" in config.json to the class that has them, or delete them']},
    )


# -- what is refused


def _check_quantized(config: Any, place: Location) -> None:
    quantization = getattr(config, "quantization_config", None)
    if quantization is not None:
        method = quantization.get("quant_method", "") if isinstance(quantization, dict) else type(quantization).__name__
        raise WeightError(
            f"the checkpoint is quantized ({method}), and quantized weights are not read",
            location=place,
            levers=["save it in bfloat16: model.dequantize().save_pretrained(folder)"],
        )


def _check_dtypes(shell: transformers.PreTrainedModel, checkpoint: Checkpoint) -> None:
    """transformers converts any number to any other; only floating-point ones of 16 bits or more mean themselves."""
    own = shell.state_dict()
    for name, tensor in checkpoint.tensors.items():
        expected = own.get(name)
        is_weight = name.endswith((".weight", ".bias")) if expected is None else expected.is_floating_point()
        narrow = tensor.is_floating_point() and tensor.dtype not in FLOATS
        if narrow or tensor.is_complex() or (is_weight and tensor.dtype not in FLOATS):
            raise WeightError(
                f"{name!r} has the dtype {str(tensor.dtype).removeprefix('torch.')}",
                location=Location(str(checkpoint.file_of(name))),
                demand="float32, bfloat16, float16 or float64",
                levers=["save the model with one of these: model.to(torch.bfloat16).save_pretrained(folder)"],
            )


def _check_shapes(name: str, checkpoint: Checkpoint, mismatched: Any) -> None:
    for key, shape, expected in sorted(mismatched):
        raise WeightError(
            f"{key!r} has the shape {list(shape)}, {name} of this configuration has {list(expected)}"
            + (f" (and {len(mismatched) - 1} more differ)" if len(mismatched) > 1 else ""),
            location=Location(str(checkpoint.file_of(key))),
            levers=["give the config.json that was saved with these weights"],
        )


def _not_converted(name: str, checkpoint: Checkpoint, report: str, error: Exception) -> WeightError:
    """transformers makes some weights of several tensors (experts); one of another shape is likely the cause."""
    targets = list(dict.fromkeys(re.findall(r"^(\S+)\s+\|\s*CONVERSION", report, re.MULTILINE)))
    odd = _odd_tensors(checkpoint.tensors)
    culprit = f"; {odd[0]!r} has the shape {list(checkpoint.tensors[odd[0]].shape)}, unlike its kind" if odd else ""
    what = f"{some(targets)} of {name}" if targets else name
    reason = (
        "" if targets else f": {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}"
    )
    return WeightError(
        f"the tensors of the checkpoint do not make {what}{reason}{culprit}",
        location=Location(str(checkpoint.file_of(odd[0]) if odd else checkpoint.path)),
        levers=["copy the checkpoint again", "give the config.json that was saved with these weights"],
    )


def _odd_tensors(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Names whose shape is not that of most names which differ in numbers alone."""
    kinds: dict[str, list[str]] = {}
    for name in tensors:
        kinds.setdefault(re.sub(r"\d+", "*", name), []).append(name)
    odd: list[str] = []
    for names in kinds.values():
        shapes = [tensors[name].shape for name in names]
        usual = max(shapes, key=shapes.count)
        odd += [name for name, shape in zip(names, shapes, strict=True) if shape != usual]
    return odd


# -- transformers' report, and memory


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(re.sub(r"\x1b\[[0-9;]*m", "", record.getMessage()))


@contextmanager
def _report() -> Generator[list[str]]:
    """What transformers logs inside, which is not shown: all of it is said here in one diagnostic."""
    logger, handler = logging.getLogger("transformers"), _Lines()
    handlers, propagate = list(logger.handlers), logger.propagate
    bars: Any = transformers.logging
    shown = bars.is_progress_bar_enabled()
    logger.handlers[:], logger.propagate = [handler], False
    bars.disable_progress_bar()
    try:
        yield handler.lines
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate
        if shown:
            bars.enable_progress_bar()


def _size(model: transformers.PreTrainedModel) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())


def available_bytes() -> int:
    """Memory that is free or can be freed, as Linux says; elsewhere half of all there is."""
    try:
        text = Path("/proc/meminfo").read_text()
        return int(re.findall(r"^MemAvailable:\s*(\d+) kB", text, re.MULTILINE)[0]) * 1024
    except (OSError, IndexError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def checkpoint_tensors(checkpoint: Checkpoint, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint under the model's names, as an import in `dtype` names them.

    Raises InputError for a checkpoint without a configuration beside it, and as `load_model` does.
    """
    if checkpoint.config is None:
        raise InputError(
            f"{checkpoint.folder} has no config.json, by which its tensors would be found in the program",
            location=Location(str(checkpoint.path)),
            levers=["copy config.json to the weights, as save_pretrained writes it"],
        )
    architecture = Architecture.of(load_config(checkpoint.config), dtype)
    return tensors_of(with_weights(architecture, checkpoint)[0])
