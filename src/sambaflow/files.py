"""Files that are read and written: inputs in bounds, outputs whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

from sambaflow.errors import InputError, Location

Content: TypeAlias = str | bytes | Callable[[str], object]
"""What a file holds, or what writes it, given the path of an empty file."""

STANDARD = "-"
"""The path that means standard input or output."""
MOST_STREAMED = 1 << 28
"""Bytes that are read of what is no file, and so may never end."""
MOST_JSON = 1 << 24
"""Bytes of a file of settings or names: what comes with the largest models has a hundredth of it."""

_temporaries: set[str] = set()


def read_input(path: str | Path, most: int | None = None) -> bytes:
    """`read_bytes`, or of standard input for `-`; InputError, at the path, when they cannot be read."""
    try:
        return _read_standard(most) if path == STANDARD else read_bytes(path, most)
    except (OSError, ValueError) as error:  # a ValueError for what no path may hold
        reason = getattr(error, "strerror", None) or error
        raise InputError(str(reason), location=Location(str(path))) from None


def read_bytes(path: str | Path, most: int | None = None) -> bytes:
    """The bytes of a file: at most `most` of them, and of what is no file, and so may never end, `MOST_STREAMED`.

    Raises OSError, also for a file that has more, and ValueError for what no path may hold. Whatever is read here that
    somebody gave us is read by this function.
    """
    with open(path, "rb") as stream:
        return _read_bounded(stream, str(path), most)


def _read_standard(most: int | None) -> bytes:
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - None when it was closed
        raise OSError(errno.EBADF, "standard input is closed")
    return _read_bounded(sys.stdin.buffer, STANDARD, most)


def _read_bounded(stream: BinaryIO, path: str, most: int | None) -> bytes:
    if most is None and _is_file(stream):
        return stream.read()
    bound = MOST_STREAMED if most is None else most
    data = stream.read(bound + 1)
    if len(data) > bound:
        raise OSError(errno.EFBIG, f"gives more than {bound} bytes", path)
    return data


def _is_file(stream: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:  # what stands in for a stream and has no number
        return False


def write_output(path: str, content: str | bytes) -> None:
    """`write_file`, or standard output for `-`. Raises OSError, about the path or the stream."""
    if path != STANDARD:
        write_file(path, content)
        return
    try:
        if isinstance(content, str):
            sys.stdout.write(content)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None


def remedies(error: OSError) -> list[str]:
    """What to do about a file that cannot be written."""
    known = {
        errno.ENOSPC: "free some space, or write to another place",
        errno.EDQUOT: "free some space, or write to another place",
        errno.ENOENT: "make its folder first",
        errno.ENOTDIR: "make its folder first",
        errno.EISDIR: "name a file in that folder",
        errno.EACCES: "write to another place",
        errno.EPERM: "write to another place",
        errno.EROFS: "write to another place",
        errno.ENAMETOOLONG: "give a shorter name",
    }
    return [known[error.errno]] if error.errno in known else []


def write_file(path: str | Path, content: Content) -> None:
    """`write_files` of one file."""
    write_files([(path, content)])


def write_files(files: Sequence[tuple[str | Path, Content]]) -> None:
    """Write files beside their places and then move all of them there: a failure leaves everything as it was.

    What stands at a path stays what it is: a link leads to the new contents, devices and FIFOs are written to, a file
    keeps its permissions. Raises OSError, about the path.
    """
    moves: list[tuple[str, str]] = []
    try:
        for path, content in files:
            moves += _written(str(path), content)
        for temporary, final in moves:
            os.replace(temporary, final)
            _temporaries.discard(temporary)
    except OSError as error:
        about = next((final for temporary, final in moves if error.filename == temporary), error.filename)
        raise OSError(error.errno, error.strerror, about) from None
    finally:
        for temporary, _ in moves:
            _discard(temporary)


def is_plain(path: str | Path) -> bool:
    """Whether a path is that of a file, or of none yet: not of a device, a FIFO or a folder."""
    return os.path.isfile(path) or not os.path.exists(path)


def discard_temporaries() -> None:
    """Remove what `write_files` has not moved to its place: for who ends the process in the midst of it."""
    for temporary in list(_temporaries):
        _discard(temporary)


def _written(path: str, content: Content) -> list[tuple[str, str]]:
    """A file with the content, and where it belongs; none when it was written where it belongs."""
    try:
        mode = _mode(path)
        if mode is None:
            _write_through(path, content)
            return []
        final = os.path.realpath(path)
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(final), prefix=".samba-")
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    _temporaries.add(temporary)
    try:
        with os.fdopen(handle, "wb") as stream:
            if not callable(content):
                stream.write(_bytes(content))
        if callable(content):
            content(temporary)
        os.chmod(temporary, mode)
    except BaseException as error:
        _discard(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, path) from None
        raise
    return [(temporary, final)]


def _mode(path: str) -> int | None:
    """The permissions of the file at a path, or of a new one; None for what is written to as it is.

    Raises OSError for a folder, also one that is not there, and for a file that may not be written.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not os.path.basename(path):  # `x/` means a folder: a file `x` is not what was asked for
            raise
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        return None
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return stat.S_IMODE(mode)


def _write_through(path: str, content: Content) -> None:
    if callable(content):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, os.path.basename(path))
            content(file)
            data = Path(file).read_bytes()
    else:
        data = _bytes(content)
    with open(path, "wb", buffering=0) as stream:
        view = memoryview(data)
        while view:
            view = view[stream.write(view) or 0 :]


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _discard(temporary: str) -> None:
    if temporary in _temporaries:
        _temporaries.discard(temporary)
        Path(temporary).unlink(missing_ok=True)
