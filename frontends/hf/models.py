"""transformers' architectures from a configuration alone."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.auto import modeling_auto

from sambaflow.errors import InputError, Location
from sambaflow.files import MOST_JSON, read_bytes
from sambaflow.frontends.hf.attention import ATTENTION

META_PARAMETERS = 100_000_000
"""Models with more parameters than this are built on the meta device unless the caller asks for weights."""

EXPERTS = "batched_mm"
"""transformers' experts whose shapes do not depend on where tokens go: weights are gathered for every token."""

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load_config(path: str | Path, **changes: Any) -> transformers.PretrainedConfig:
    """The configuration in a `config.json` or a folder, with `changes` (say `num_hidden_layers=2`) applied.

    Raises `InputError` for a file that is not there, not JSON, of a model type transformers does not know, or with
    fields that it does not take.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "config.json"
    fields = {**_fields(file, str(path)), **changes}
    model_type = fields.get("model_type")
    if not isinstance(model_type, str):
        raise _unreadable(
            file, 'it has no "model_type"', 'set "model_type", for example "llama", as save_pretrained does'
        )
    if model_type not in transformers.CONFIG_MAPPING:
        raise _unknown(file, model_type, "auto_map" in fields)
    _check_counts(file, fields)
    try:
        return transformers.AutoConfig.for_model(**fields)
    except Exception as error:  # transformers' configurations check themselves with errors of many kinds
        raise _unreadable(file, _words(error), "correct the configuration") from error


def _fields(file: Path, argument: str) -> dict[str, Any]:
    try:
        fields: Any = json.loads(read_bytes(file, MOST_JSON).decode("utf-8"), object_hook=_number_or_object)
    except (FileNotFoundError, NotADirectoryError) as error:
        what = (
            "no such file"
            if Path(argument).parent.is_dir() or file.name != Path(argument).name
            else "no such file or folder"
        )
        raise _unreadable(
            file,
            f"{what}; only local files are read, nothing is downloaded",
            "give config.json, or a folder that save_pretrained wrote",
            f"download the model first: hf download {argument} --local-dir FOLDER" if argument.count("/") == 1 else "",
        ) from error
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"cannot read the model configuration {file}: it is no JSON: {error.msg}",
            location=Location(str(file), error.lineno, error.colno),
        ) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, f"it is no JSON: {_words(error)}") from error
    if not isinstance(fields, dict):
        raise _unreadable(file, f"it is a JSON {type(fields).__name__}, not an object with fields")
    return fields


_COUNTS = (
    (re.compile(r"(^|_)(layers?|blocks?|depths?|stages)$"), 4096),
    (re.compile(r"(^|_)(experts|heads|layers_per_block)$"), 1 << 16),
    (re.compile(r"^num_labels$"), 1 << 20),
)
"""Fields for each of which transformers makes so many Python objects, whatever the memory they need, and their bounds:
ten times those of the largest models."""


def _check_counts(file: Path, fields: Mapping[str, Any]) -> None:
    """InputError for a field that would keep transformers at work for hours."""
    for name, value in fields.items():
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                _check_counts(file, {str(key): inner for key, inner in entry.items()})
                continue
            limit = next((most for pattern, most in _COUNTS if pattern.search(name)), None)
            if limit is not None and isinstance(entry, int | float) and entry > limit:
                raise _unreadable(file, f"{name!r} is {entry}, and at most {limit} are built", f"lower {name!r}")


def _number_or_object(fields: dict[str, Any]) -> Any:
    """transformers writes infinity, which JSON lacks, as {"__float__": "Infinity"}."""
    text = fields.get("__float__")
    return float(text) if isinstance(text, str) and len(fields) == 1 else fields


def _unreadable(file: Path, reason: str, *levers: str) -> InputError:
    return InputError(
        f"cannot read the model configuration {file}: {reason}",
        location=Location(str(file)),
        levers=[lever for lever in levers if lever],
    )


def _unknown(file: Path, model_type: str, has_code: bool) -> InputError:
    reason = f"transformers {transformers.__version__} has no model type {model_type!r}"
    if has_code:
        reason += ', and code beside the configuration ("auto_map") is not run'
    near = difflib.get_close_matches(model_type, list(transformers.CONFIG_MAPPING), 3)
    return _unreadable(
        file, reason, f"one of its types: {', '.join(near)}" if near else "", "pip install --upgrade transformers"
    )


def build_model(
    config: transformers.PretrainedConfig, dtype: torch.dtype | None = None, meta: bool | None = None, seed: int = 0
) -> transformers.PreTrainedModel:
    """The architecture of `config` with random weights, or on the meta device without any.

    `dtype`: float32 or bfloat16, by default the configuration's own. `meta`: by default true above `META_PARAMETERS`.
    Raises `InputError` for an architecture that transformers does not have, or cannot build from the configuration.
    """
    architecture = Architecture.of(config, dtype)
    shell = architecture.build("meta")
    if meta if meta is not None else sum(p.numel() for p in shell.parameters()) > META_PARAMETERS:
        return shell
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return architecture.build("cpu")


@dataclass(frozen=True)
class Architecture:
    """A class of transformers, with the configuration and the dtype that it is built with."""

    kind: Any
    config: Any
    dtype: torch.dtype

    @property
    def name(self) -> str:
        return self.kind.__name__

    @staticmethod
    def of(config: Any, dtype: torch.dtype | None = None) -> Architecture:
        """What the configuration names, or if it names nothing what transformers' auto classes take first.

        Raises `InputError` for an architecture that transformers does not have, and for other dtypes than float32 and
        bfloat16.
        """
        named: Any = config.architectures or next(_usual(config), None)
        first = named[0] if isinstance(named, list) else named
        kind: Any = getattr(transformers, first, None) if isinstance(first, str) else None
        if not _is_model(kind):
            example = next(_usual(config), "LlamaForCausalLM")
            raise InputError(
                f"the configuration names no architecture that transformers {transformers.__version__} has: {named!r}",
                levers=[f'set "architectures" in the configuration, for example ["{example}"]'],
            )
        wanted = dtype or getattr(config, "dtype", None) or torch.float32
        if wanted not in _DTYPES.values():
            raise InputError(
                f"models are built in {' or '.join(_DTYPES)}, not in {wanted}",
                levers=[f"--dtype {name}" for name in _DTYPES],
            )
        text: Any = config.get_text_config(decoder=True)
        expected: Any = getattr(kind, "config_class", None) or transformers.PretrainedConfig
        if isinstance(text, expected) and not isinstance(config, expected):
            config = text  # the language model of a configuration for several, as transformers' auto classes build it
        return Architecture(kind, config, wanted)

    def build(self, device: str) -> transformers.PreTrainedModel:
        """The model with the weights that its own code gives it, in evaluation mode."""
        previous = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)
        try:
            with torch.device(device):
                model = self.kind._from_config(self.config, dtype=self.dtype, **self._implementations)
        except Exception as error:  # a shape, a missing package, a check of the configuration: the model's own words
            reason = f"{type(error).__name__}: {_words(error)}"
            raise InputError(
                f"transformers cannot build {self.name} from the configuration: {reason}",
                levers=re.findall(r"pip install [\w.\[\]-]*\w", str(error)) or ["correct the configuration"],
            ) from error
        finally:
            torch.set_default_dtype(previous)
        return model.eval()

    def load(self, tensors: Mapping[str, torch.Tensor]) -> tuple[transformers.PreTrainedModel, dict[str, Any]]:
        """The model with tensors of a checkpoint, converted and tied, and transformers' account of what did not fit."""
        return self.kind.from_pretrained(
            None,
            config=self.config,
            state_dict=dict(tensors),
            dtype=self.dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            **self._implementations,
        )

    @property
    def _implementations(self) -> dict[str, str]:
        return {"attn_implementation": _attention_of(self.kind), "experts_implementation": EXPERTS}


def _is_model(kind: Any) -> bool:
    """Whether a class is a model that runs, not one that others are derived from."""
    is_one = isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)
    return is_one and kind.forward is not torch.nn.Module.forward


def _usual(config: Any) -> Iterator[str]:
    """The classes of a model type, the most telling first: what generates, then what fills masks or classifies."""
    of_encoders = (
        modeling_auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )
    masked, causal = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    language = (masked, causal) if getattr(config, "is_decoder", None) is False else (causal, masked)
    others = (
        modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_CTC_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES,
        modeling_auto.MODEL_MAPPING_NAMES,
    )
    for names in (*(of_encoders if config.is_encoder_decoder else ()), *language, *others):
        classes = names.get(config.model_type)
        if classes:
            yield classes if isinstance(classes, str) else classes[0]


def _words(error: BaseException) -> str:
    """What an error of transformers says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _attention_of(architecture: Any) -> str:
    """Ours for a model that looks its attention up by name and takes masks that are None or boolean, else eager."""
    looks_up = hasattr(sys.modules[architecture.__module__], "ALL_ATTENTION_FUNCTIONS")
    return ATTENTION if looks_up and getattr(architecture, "_supports_sdpa", False) else "eager"
