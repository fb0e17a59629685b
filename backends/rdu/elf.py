"""ELF64 files, as much of them as a PEF needs: sections and symbols, no segments.

Layout: file header, section contents (each aligned to 8 bytes, gaps zero), section header table at the very end. Little
endian. `e_type` is ET_EXEC; `e_machine` is 0x5244 ("RD"), a number that the ELF registry gives to nobody: no vendor's
machine is claimed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sambaflow.errors import PefError

E_MACHINE = 0x5244
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB = 1, 2, 3
SHN_ABS = 0xFFF1
STT_OBJECT, STT_FUNC = 1, 2

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_IDENT = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
_SECTION_LIMIT = 0xFF00


@dataclass
class ElfSection:
    name: str
    data: bytes
    type: int = SHT_PROGBITS
    link: int = 0
    info: int = 0
    entry: int = 0


@dataclass(frozen=True)
class ElfSymbol:
    """`section`: index of the section that it lies in, or SHN_ABS."""

    name: int  # offset in .strtab
    type: int
    section: int
    value: int
    size: int


class StringTable:
    """Names one after the other, each ended by a zero byte; the first is empty."""

    def __init__(self) -> None:
        self.data = bytearray(1)
        self._offsets: dict[str, int] = {"": 0}

    def add(self, text: str) -> int:
        """The offset of `text`."""
        if text not in self._offsets:
            if "\0" in text:
                raise PefError(f"the name {text!r} holds a zero byte")
            self._offsets[text] = len(self.data)
            self.data += text.encode("utf-8") + b"\0"
        return self._offsets[text]


def string_at(table: bytes, offset: int) -> str:
    """The name at an offset of a string table. PefError if there is none."""
    end = table.find(b"\0", offset) if 0 <= offset < len(table) else -1
    if end < 0:
        raise PefError(f"there is no name at offset {offset} of a string table of {len(table)} bytes")
    try:
        return table[offset:end].decode("utf-8")
    except UnicodeDecodeError:
        raise PefError(f"the name at offset {offset} is not UTF-8") from None


def symbol_table(symbols: Sequence[ElfSymbol]) -> bytes:
    """The contents of .symtab: the null symbol, then global ones."""
    entries = [_SYMBOL.pack(0, 0, 0, 0, 0, 0)]
    entries += [_SYMBOL.pack(s.name, 1 << 4 | s.type, 0, s.section, s.value, s.size) for s in symbols]
    return b"".join(entries)


def symbol_bytes() -> int:
    return _SYMBOL.size


def write_elf(sections: Sequence[ElfSection]) -> bytes:
    """The file. `.shstrtab` is added; section numbers begin at 1. PefError when there are too many sections."""
    if len(sections) + 2 >= _SECTION_LIMIT:
        raise PefError("too many sections for one file", demand=str(len(sections)), limit=str(_SECTION_LIMIT - 3))
    names = StringTable()
    offsets = [names.add(section.name) for section in sections]
    offsets.append(names.add(".shstrtab"))
    all_sections = [*sections, ElfSection(".shstrtab", bytes(names.data), SHT_STRTAB)]
    out = bytearray(_HEADER.size)
    headers = [bytes(_SECTION.size)]
    for section, name in zip(all_sections, offsets, strict=True):
        out += bytes(-len(out) % 8)
        headers.append(
            _SECTION.pack(
                name, section.type, 0, 0, len(out), len(section.data), section.link, section.info, 8, section.entry
            )
        )
        out += section.data
    out += bytes(-len(out) % 8)
    count = len(headers)
    out[: _HEADER.size] = _HEADER.pack(
        _IDENT, 2, E_MACHINE, 1, 0, 0, len(out), 0, _HEADER.size, 0, 0, _SECTION.size, count, count - 1
    )
    return bytes(out) + b"".join(headers)


def read_elf(data: bytes) -> list[ElfSection]:
    """The sections of a file that `write_elf` wrote, without .shstrtab. PefError, saying why, for any other file."""
    if data[:4] != b"\x7fELF":
        raise PefError("is no ELF file, so no PEF")
    if len(data) < _HEADER.size:
        raise PefError(f"is cut off: {len(data)} bytes, an ELF header alone has {_HEADER.size}")
    _, _, machine, _, _, _, table, _, _, _, _, _, count, names_at = _HEADER.unpack_from(data)
    if machine != E_MACHINE:
        raise PefError(f"is an ELF file for machine {machine:#x}, a PEF has {E_MACHINE:#x}")
    end = table + count * _SECTION.size
    if end != len(data):
        problem = "is cut off" if end > len(data) else "has bytes after its end"
        raise PefError(f"{problem}: its header promises {end} bytes, it has {len(data)}")
    rows = [_SECTION.unpack_from(data, table + i * _SECTION.size) for i in range(count)]
    if not 0 < names_at < count:
        raise PefError("has no table of section names")
    contents = [_content(data, row, i) for i, row in enumerate(rows)]
    sections = [
        ElfSection(string_at(contents[names_at], row[0]), content, row[1], row[6], row[7], row[9])
        for row, content in zip(rows[1:], contents[1:], strict=True)
    ]
    if sections[-1].name != ".shstrtab" or write_elf(sections[:-1]) != data:
        raise PefError("has ELF headers that do not belong to its contents: it was altered")
    return sections[:-1]


def _content(data: bytes, row: tuple[int, ...], index: int) -> bytes:
    offset, size = row[4], row[5]
    if offset + size > len(data):
        raise PefError(f"section {index} lies beyond the end of the file")
    return data[offset : offset + size]
