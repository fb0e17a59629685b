"""Published measurements, to put beside simulated ones (`published.yaml` has the rows and their sources)."""

from functools import cache
from pathlib import Path
from typing import Any

from sambaflow.errors import InputError


@cache
def published() -> dict[str, Any]:
    """The file as it stands."""
    import yaml

    return yaml.safe_load((Path(__file__).parent / "published.yaml").read_text())


def token_seconds(model: str, length: int, batch: int = 1) -> float:
    """Published seconds of a token on eight SN40L: latency of a request over its output length. InputError if
    unknown."""
    rows: list[tuple[str, int, int, float]] = published()["llm_inference_bench"]["rows"]
    for name, tokens, size, seconds in rows:
        if (name, tokens, size) == (model, length, batch):
            return seconds / tokens
    raise InputError(
        f"no published time of {model} at length {length}, batch {batch}",
        limit=", ".join(f"{name} {tokens} x {size}" for name, tokens, size, _ in rows),
    )
