"""One at a time: neither torch.export nor torch.compile can be run by two threads."""

from __future__ import annotations

import threading


def compile_lock() -> threading.RLock:
    """The lock that torch.compile takes itself, so that an export waits for it, and it for an export."""
    from torch._dynamo import convert_frame

    return convert_frame.compile_lock
