"""Where the commands begin and end: signals, closed streams, exit codes. What a command does stands in its own file.

Ctrl-C, SIGTERM and SIGHUP end a command at once with one line and 128 + the number of the signal, and nothing
half-written. The reader of its output may close it early, as of any filter.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from io import TextIOBase
from types import FrameType
from typing import NoReturn

ENDINGS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "terminated"}
"""What is said of a command that a signal ends."""


def samba_opt() -> NoReturn:
    """The command samba-opt."""
    run_command("samba_opt")


def samba_translate() -> NoReturn:
    """The command samba-translate."""
    run_command("samba_translate")


def samba_compile() -> NoReturn:
    """The command samba-compile."""
    run_command("samba_compile")


def samba_run() -> NoReturn:
    """The command samba-run."""
    run_command("samba_run")


def run_command(module: str) -> NoReturn:
    """Run `main` of `sambaflow.tools.<module>` on the process's arguments, and end the process with what it returns."""
    name = module.replace("_", "-")
    _open_closed_streams()
    _end_on_signals(name)
    try:
        code = import_module(f"sambaflow.tools.{module}").main()
    except SystemExit as usage:  # of argparse: --help, --version, a wrong flag
        code = usage.code if isinstance(usage.code, int) else int(usage.code is not None)
    if not code:
        try:
            sys.stdout.flush()
        except OSError as error:  # of --help: what tools print is flushed by them
            _say(f"{name}: error: cannot write standard output: {error.strerror}")
            code = 1
    leave(code or 0)


def leave(code: int) -> NoReturn:
    """End this process now: freeing its modules and IR one by one would take a sixth of a short run."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # what there was to say of it is said
            stream.flush()
    os._exit(code)


def _end_on_signals(name: str) -> None:
    """Signals end the process without unwinding it: nothing that catches all exceptions can hold one up."""

    def end(number: int, frame: FrameType | None) -> None:
        # not imported here: the import itself may be what the signal stops, and then there is nothing to discard
        discard = getattr(sys.modules.get("sambaflow.files"), "discard_temporaries", None)
        if discard is not None:
            discard()
        _say(f"{name}: {ENDINGS[signal.Signals(number).name]}")
        os._exit(128 + number)

    for signal_name in ENDINGS:
        number = getattr(signal, signal_name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` sets it
            signal.signal(number, end)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _say(line: str) -> None:
    with suppress(OSError):  # of a standard error that is closed or full
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))


class _Closed(TextIOBase):
    """Standard output of a process that was started without one: what is written is not lost in silence."""

    def write(self, text: str, /) -> int:
        if text:
            raise OSError(errno.EBADF, "it is closed", "standard output")
        return 0

    @property
    def buffer(self) -> _Closed:
        return self


def _open_closed_streams() -> None:
    """Streams that are closed at the start are None in Python, and the next file that is opened would take their
    number."""
    missing = [stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)]
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)
    if missing[1]:
        sys.stdout = _Closed()
    if missing[2]:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
