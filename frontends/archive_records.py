"""The container of a `.pt2` archive: an uncompressed zip of records in one folder, read without extracting anything."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath


class Unreadable(ValueError):
    """Why an archive is refused, and what its owner can do about it."""

    def __init__(self, reason: str, levers: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.levers = tuple(levers)


class Records:
    """The records of an archive by name, without the name of its folder.

    What `torch.export.save` and `torch.save` write is stored as it is, so no record can be larger than the file, and
    records that overlap would be larger than it together. Raises Unreadable for bytes that are no such zip.
    """

    def __init__(self, data: bytes | bytearray) -> None:
        self._file = io.BytesIO(data)
        try:
            self._zip = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, ValueError, RuntimeError, EOFError) as error:
            raise Unreadable(f"it is no archive of torch.export.save ({error})") from error
        entries = self._zip.infolist()
        names = [entry.filename for entry in entries]
        for entry in entries:
            _check(entry)
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        if repeated:
            raise Unreadable(f"it holds the record {repeated[0]!r} more than once")
        if sum(entry.file_size for entry in entries) > self._file.getbuffer().nbytes:
            raise Unreadable("its records are larger than the file")
        folders = {name.split("/")[0] for name in names}
        if len(folders) > 1 and all("/" in name for name in names):
            raise Unreadable(f"it holds records in {len(folders)} folders, not in one")
        self._entries = {name.partition("/")[2] or name: entry for name, entry in zip(names, entries, strict=True)}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def size(self, name: str) -> int:
        """Bytes of a record."""
        return self._entry(name).file_size

    def read(self, name: str) -> bytearray:
        """The bytes of a record, checked against its checksum."""
        entry = self._entry(name)
        try:
            data = bytearray(self._zip.read(entry))
        except (zipfile.BadZipFile, ValueError, RuntimeError, EOFError) as error:
            raise Unreadable(f"record {name!r} is damaged ({error})") from error
        if len(data) != entry.file_size:
            raise Unreadable(f"record {name!r} is cut short: {len(data)} of {entry.file_size} bytes")
        return data

    def text(self, name: str) -> str:
        """A record of text. Raises Unreadable for one that is not UTF-8."""
        try:
            return self.read(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unreadable(f"record {name!r} is not UTF-8 text") from error

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self._entries:
            raise Unreadable(f"it has no record {name!r}")
        return self._entries[name]


def _check(entry: zipfile.ZipInfo) -> None:
    """Unreadable for a record that PyTorch does not write."""
    parts = PurePosixPath(entry.filename).parts
    if ".." in parts or entry.filename.startswith("/") or re.search(r"[\\:\0]", entry.filename):
        raise Unreadable(f"it holds a record of the name {entry.filename!r}, which leads out of the archive")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise Unreadable(f"record {entry.filename!r} is compressed, PyTorch compresses none")
    if entry.flag_bits & 1:
        raise Unreadable(f"record {entry.filename!r} is encrypted")
