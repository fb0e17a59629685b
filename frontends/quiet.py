"""Silence for what libraries log and then raise."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def without_logs() -> Generator[None]:
    """torch and transformers log what they then raise, or what is said here in other words."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
