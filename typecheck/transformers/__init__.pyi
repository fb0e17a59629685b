# What this project names of transformers, for the type checker: its own modules, which import every architecture,
# would take a fifth of a check.
from typing import Any

from torch import nn

class PretrainedConfig:
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...

class PreTrainedModel(nn.Module):
    config: Any
    def __getattr__(self, name: str) -> Any: ...

def __getattr__(name: str) -> Any: ...
