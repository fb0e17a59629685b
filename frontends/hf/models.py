"""transformers' architectures from a configuration alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers

from sambaflow.errors import InputError
from sambaflow.frontends.hf.attention import ATTENTION

META_PARAMETERS = 100_000_000
"""Models with more parameters than this are built on the meta device unless the caller asks for weights."""

EXPERTS = "batched_mm"
"""transformers' experts whose shapes do not depend on where tokens go: weights are gathered for every token."""

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load_config(path: str | Path, **changes: Any) -> transformers.PretrainedConfig:
    """The configuration in a `config.json`, with `changes` (say `num_hidden_layers=2`) applied.

    Raises `InputError` for a file that is not there, not JSON, of a model type transformers does not know, or with
    fields that it does not take.
    """
    try:
        fields = json.loads(Path(path).read_text())
        return transformers.AutoConfig.for_model(**{**fields, **changes})
    except Exception as error:  # transformers' configurations check themselves with errors of many kinds
        raise InputError(f"cannot read the model configuration {path}: {error}") from error


def build_model(
    config: transformers.PretrainedConfig, dtype: torch.dtype | None = None, meta: bool | None = None, seed: int = 0
) -> transformers.PreTrainedModel:
    """The architecture of `config` with random weights, or on the meta device without any.

    `dtype`: float32 or bfloat16, by default the configuration's own. `meta`: by default true above `META_PARAMETERS`.
    Raises `InputError` for an architecture that transformers does not have, or cannot build from the configuration.
    """
    names: list[str] = config.architectures or []
    architecture: Any = getattr(transformers, names[0], None) if names else None
    if not _is_model(architecture):
        raise InputError(
            f"the configuration names no architecture that transformers {transformers.__version__} has: {names}",
            levers=['set "architectures" in the configuration, for example ["LlamaForCausalLM"]'],
        )
    wanted = dtype or getattr(config, "dtype", None) or torch.float32
    if wanted not in _DTYPES.values():
        raise InputError(f"models are built in {' or '.join(_DTYPES)}, not in {wanted}")
    text: Any = config.get_text_config(decoder=True)
    if isinstance(text, architecture.config_class) and not isinstance(config, architecture.config_class):
        config = text  # the language model of a configuration for several, as transformers' auto classes build it
    with torch.device("meta"):
        shell = _instance(architecture, config, wanted)
    if meta if meta is not None else sum(p.numel() for p in shell.parameters()) > META_PARAMETERS:
        return shell
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _instance(architecture, config, wanted)


def _is_model(found: Any) -> bool:
    """Whether a name of transformers is that of a model's class, and not of a function or of a class that makes any."""
    return isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)


def _instance(architecture: Any, config: Any, dtype: torch.dtype) -> transformers.PreTrainedModel:
    previous = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = architecture._from_config(
            config, attn_implementation=_attention_of(architecture), experts_implementation=EXPERTS, dtype=dtype
        )
    except Exception as error:  # a shape, a missing package, a check of the configuration: the model's own words
        raise InputError(
            f"transformers cannot build {architecture.__name__} from the configuration: "
            f"{type(error).__name__}: {error}",
            levers=["correct the configuration"],
        ) from error
    finally:
        torch.set_default_dtype(previous)
    return model.eval()


def _attention_of(architecture: Any) -> str:
    """Ours for a model that looks its attention up by name and takes masks that are None or boolean, else eager."""
    looks_up = hasattr(sys.modules[architecture.__module__], "ALL_ATTENTION_FUNCTIONS")
    return ATTENTION if looks_up and getattr(architecture, "_supports_sdpa", False) else "eager"
