"""What a model's `forward` takes and how large it is: found by the names of its arguments, and by running it.

    inputs_of(model, batch=1, tokens=16)     # {"input_features": [1, 80, 3000], "decoder_input_ids": [1, 16]}

Tokens are `input_ids` and `decoder_input_ids` [batch, tokens]; images `pixel_values` [batch, channels, height, width]
of the configuration's `image_size`; sound `input_features` or `input_values`, whose layout a model's code alone knows:
the first of the usual ones with which it runs.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
import transformers
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from sambaflow.errors import InputError, Note
from sambaflow.frontends.hf.loading import available_bytes
from sambaflow.frontends.quiet import without_logs

IMAGE = 224
"""Height and width of images for a model that takes any, as most image processors of transformers resize them."""

FRAMES = 16
"""Frames of a video where the configuration does not say."""

Shape = tuple[int, ...]


def accepts(model: transformers.PreTrainedModel, keyword: str) -> bool:
    """Whether `forward` names the keyword."""
    return keyword in inspect.signature(model.forward).parameters


def has_two_sequences(model: transformers.PreTrainedModel) -> bool:
    """Whether the model reads one sequence and writes another."""
    return bool(getattr(model.config, "is_encoder_decoder", False)) and accepts(model, "decoder_input_ids")


def main_input(model: transformers.PreTrainedModel) -> str:
    name: Any = model.main_input_name
    return name if isinstance(name, str) else str(name[0])


def token_inputs(model: transformers.PreTrainedModel) -> tuple[str, ...]:
    """The arguments of the model that are tokens [batch, tokens]."""
    main = main_input(model)
    return (("input_ids",) if main == "input_ids" else ()) + (
        ("decoder_input_ids",) if has_two_sequences(model) else ()
    )


MOST_ELEMENTS = 1 << 40
"""Of all inputs and state of a graph together, where none of them has data: a hundred times those of a large model."""


def check_elements(model: transformers.PreTrainedModel, shapes: Iterable[Shape]) -> None:
    """InputError for inputs and state that are larger than memory, before there are any."""
    elements = sum(map(math.prod, shapes))
    limit = MOST_ELEMENTS if model.device.type == "meta" else available_bytes() // 8
    if elements > limit:
        raise InputError(
            f"the inputs and the state of {type(model).__name__} are too large",
            demand=f"{elements} elements",
            limit=f"{limit} elements",
            shortfall=f"{elements - limit} elements",
            levers=["lower --batch, --length or --prompt"],
        )


def inputs_of(model: transformers.PreTrainedModel, batch: int, tokens: int) -> dict[str, torch.Tensor]:
    """Zeros of the arguments that the model needs, with shapes that it runs on.

    Raises InputError, with the model's own words, when it runs on none of those that are known.
    """
    reason: Exception | None = None
    tried: list[str] = []
    for shapes in _candidates(model, batch, tokens):
        check_elements(model, shapes.values())
        inputs = {name: _zeros(model, name, shape) for name, shape in shapes.items()}
        try:
            with without_logs(), torch.no_grad():
                _on_fake_tensors(model, inputs)
            return inputs
        except Exception as error:  # the model's own code: an input it misses, a shape that does not fit
            reason = reason or error
            tried.append(", ".join(f"{name} {list(shape)}" for name, shape in shapes.items()))
    name = type(model).__name__
    export = "export it with its inputs: samba-compile file.py:function, a function that returns (model, inputs)"
    if reason is None:
        known = f"inputs {', '.join(_SHAPES)}"
        raise InputError(
            f"{name} takes {main_input(model)!r}, of which the size is not known", limit=known, levers=[export]
        )
    image = main_input(model).startswith("pixel_values")
    size = "correct the configuration, image_size for one" if image else "a longer input: --length"
    raise InputError(
        f"{name} does not run on {tried[0]} alone: {words(reason)}",
        notes=[Note(f"nor on {names}") for names in tried[1:4]],
        levers=[size, export],
    ) from reason


def words(error: Exception) -> str:
    """What a model's own code says, in one line."""
    if "DataDependent" in type(error).__name__:
        return "it branches or sizes a tensor by a tensor's value"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _candidates(model: transformers.PreTrainedModel, batch: int, tokens: int) -> Iterator[Mapping[str, Shape]]:
    """Sets of inputs: what the model needs by its own account, then all that it takes."""
    main = main_input(model)
    least = [main, *(["decoder_input_ids"] if has_two_sequences(model) else [])]
    every = [*least, *(name for name in _SHAPES if name not in least and accepts(model, name))]
    if main not in _SHAPES:
        return
    for names in (least, every) if len(every) > len(least) else (least,):
        options = [[(batch, *rest) for rest in _SHAPES[name](model, tokens)] for name in names]
        for shapes in itertools.product(*options):
            yield dict(zip(names, shapes, strict=True))


def _zeros(model: transformers.PreTrainedModel, name: str, shape: Shape) -> torch.Tensor:
    dtype = torch.long if name.endswith("_ids") else model.dtype
    return torch.zeros(shape, dtype=dtype, device=next(model.parameters()).device)


def call_once(model: transformers.PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> Mapping[str, Any]:
    """The model's outputs by name; it keeps nothing for a next call."""
    options: dict[str, Any] = {"use_cache": False} if accepts(model, "use_cache") else {}
    if "input_ids" in inputs:
        options |= token_types(model, inputs["input_ids"])
    return model(**inputs, return_dict=True, **options)


def token_types(model: nn.Module, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Zeros for a model that looks these, the default, up in a buffer: said outright, no lookup is left."""
    looked_up = any(name.endswith("embeddings.token_type_ids") for name, _ in model.named_buffers())
    return {"token_type_ids": torch.zeros_like(input_ids)} if looked_up else {}


def _on_fake_tensors(model: transformers.PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        call_once(model, pytree.tree_map(fake.from_tensor, dict(inputs)))


# -- sequences that a model's code walks token by token

OPERATORS = 40_000
"""Calls of PyTorch in a graph; one that has more of them, some for each token, takes minutes to trace and compile."""


def check_unrolled(model: transformers.PreTrainedModel, batch: int, tokens: int) -> None:
    """InputError for a model whose code loops over tokens (a recurrence) when that makes a graph of too many operators.

    Two short inputs tell: their graphs have as many operators if there is no loop.
    """
    short, long = 4, 8
    if tokens <= long:
        return
    try:
        few, many = (_operators(model, inputs_of(model, batch, count)) for count in (short, long))
    except InputError:  # it does not run on so little, and is not measured
        return
    each = (many - few) / (long - short)
    expected = many + each * (tokens - long)
    if each > 0 and expected > OPERATORS:
        fits = int(long + max(0, OPERATORS - many) / each)
        raise InputError(
            f"{type(model).__name__} computes one token after the other: its code is unrolled",
            demand=f"{expected:.0f} operators for {tokens} tokens",
            limit=f"{OPERATORS} operators",
            levers=[f"--length {fits}"],
        )


class _Counter(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def _operators(model: transformers.PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> int:
    with without_logs(), torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True) as fake, _Counter() as counter:
        fakes = pytree.tree_map(fake.from_tensor, dict(inputs))
        counter.count = 0
        call_once(model, fakes)
        return counter.count


# -- shapes without the batch


def _tokens(model: transformers.PreTrainedModel, tokens: int) -> Sequence[Shape]:
    return [(tokens,)]


def _images(model: transformers.PreTrainedModel, tokens: int) -> Sequence[Shape]:
    size: Any = _field(model, "image_size") or IMAGE
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    channels: int = _field(model, "num_channels") or 3
    frames: int = _field(model, "num_frames") or FRAMES
    return [(channels, height, width), (frames, channels, height, width)]


def _features(model: transformers.PreTrainedModel, tokens: int) -> Sequence[Shape]:
    """Mel bins over time, Whisper's way or time first."""
    bins = [_field(model, name) for name in ("num_mel_bins", "input_feat_per_channel", "feature_size", "input_dim")]
    mel_bins: list[int] = [size for size in bins if isinstance(size, int)] or [80]
    positions = _field(model, "max_source_positions")
    mels = [(mel_bins[0], 2 * positions)] if isinstance(positions, int) else []
    return [*mels, (tokens, mel_bins[0]), (mel_bins[0], tokens)]


def _samples(model: transformers.PreTrainedModel, tokens: int) -> Sequence[Shape]:
    """Samples of a wave; with channels; or a spectrogram of the configuration's length."""
    shapes: list[Shape] = [(tokens,), (int(_field(model, "audio_channels") or 1), tokens)]
    length, bins = _field(model, "max_length"), _field(model, "num_mel_bins")
    return [(length, bins), *shapes] if isinstance(length, int) and isinstance(bins, int) else shapes


_SHAPES: dict[str, Callable[[transformers.PreTrainedModel, int], Sequence[Shape]]] = {
    "input_ids": _tokens,
    "pixel_values": _images,
    "pixel_values_videos": _images,
    "input_features": _features,
    "input_values": _samples,
    "decoder_input_ids": _tokens,
}


def _field(model: transformers.PreTrainedModel, name: str) -> Any:
    """A field of the configuration, or of the part of it that is about images or sound."""
    config: Any = model.config
    parts = [config, *(getattr(config, part, None) for part in ("vision_config", "audio_config", "encoder"))]
    return next((value for part in parts if (value := getattr(part, name, None)) is not None), None)
