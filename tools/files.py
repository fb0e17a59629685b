"""Output files that are there whole or not at all, and output that nobody reads to its end."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from typing import NoReturn


def write_atomically(path: str, content: str | bytes) -> None:
    """Write `content` to `path` by way of a file beside it, so that a failure leaves no half-written output.

    Raises OSError, about `path`, when the folder cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".samba-")
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def end_with_the_reader() -> None:
    """Let this program end like any other filter when the reader of its output closes the pipe (`... | head`)."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def leave(code: int) -> NoReturn:
    """End this program now: freeing its modules and IR one by one would take a sixth of a short run."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(code)
