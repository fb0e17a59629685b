"""Image -> PEF bytes.

    .pef.header     JSON: format version, target, resolved machine
    .pef.symbols    words: the tensors (names, dtypes, shapes, tiers, addresses, roles, lifetimes)
    .rdu.<section>  words: slots, units, streams, routes of one section; then the coordinates of its units
    .schedule       words: launches of every graph
    .debug          JSON: op names and source locations; may be left out (`strip`)
    .symtab .strtab ELF symbols: OBJECT for a tensor (address, bytes), FUNC for a section
    .pef.checksum   words: CRC-32 of each section before it, in order; then of what their ELF headers say

Words are those of `codec.py`. Same image, same bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from sambaflow.backends.rdu import codec
from sambaflow.backends.rdu import image as im
from sambaflow.backends.rdu.elf import (
    SHN_ABS,
    SHT_STRTAB,
    SHT_SYMTAB,
    STT_FUNC,
    STT_OBJECT,
    ElfSection,
    ElfSymbol,
    StringTable,
    symbol_bytes,
    symbol_table,
    write_elf,
)
from sambaflow.backends.rdu.to_ir import canonical_json
from sambaflow.errors import PefError

FIXED_BEFORE = 3
"""ELF number of the first configuration section: after the null section, the header and the symbols."""


def encode(image: im.Image) -> bytes:
    """The PEF file of a complete image. PefError where a physical fact is missing or a number does not fit."""
    refuse_incomplete(image)
    names = StringTable()
    config = [_words(codec.SECTION, section, names, coordinates(section)) for section in image.sections]
    sections = [
        ElfSection(".pef.header", _header(image)),
        ElfSection(".pef.symbols", _words(codec.SYMBOLS, image.symbols, names)),
        *(ElfSection(f".rdu.{s.name}", data) for s, data in zip(image.sections, config, strict=True)),
        ElfSection(".schedule", _words(codec.SCHEDULES, image.schedules, names)),
    ]
    if image.debug.strings:
        sections.append(ElfSection(".debug", _debug(image)))
    table = symbol_table(_symbols(image, config, names))
    link = len(sections) + 2
    sections.append(ElfSection(".symtab", table, SHT_SYMTAB, link=link, info=1, entry=symbol_bytes()))
    sections.append(ElfSection(".strtab", bytes(names.data), SHT_STRTAB))
    sections.append(ElfSection(".pef.checksum", checksums(sections)))
    return write_elf(sections)


def strip(image: im.Image) -> im.Image:
    """The same program without names and locations: it runs the same."""
    from dataclasses import replace

    sections = [replace(s, units=[replace(u, name=-1, location=-1) for u in s.units]) for s in image.sections]
    return replace(image, sections=sections, debug=im.Debug())


def checksums(sections: Sequence[ElfSection]) -> bytes:
    """CRC-32 of every section's bytes, then of all sections' names, types and links: a 64-bit word each."""
    headers = repr([(s.name, s.type, s.link, s.info, s.entry) for s in sections]).encode()
    crcs = [*(zlib.crc32(section.data) for section in sections), zlib.crc32(headers)]
    return b"".join(crc.to_bytes(8, "little") for crc in crcs)


def coordinates(section: im.Section) -> list[im.Ints]:
    return [unit.coordinates for unit in section.units]


def refuse_incomplete(image: im.Image) -> None:
    """PefError unless every pass of the rdu level has run."""
    for symbol in image.symbols:
        if not symbol.tier or symbol.address < 0:
            raise PefError(f"symbol '{symbol.name}' has no place in memory", levers=["run rdu-plan-memory"])
    for section in image.sections:
        if any(len(unit.coordinates) != unit.count for unit in section.units):
            raise PefError(f"section '{section.name}' is not placed", levers=["run rdu-place"])
        if section.streams and not section.nets:
            raise PefError(f"section '{section.name}' is not routed", levers=["run rdu-route"])
        if not section.config_bytes or any(net.flow < 0 for net in section.nets):
            raise PefError(f"section '{section.name}' is not finished", levers=["run rdu-finalize"])
    for schedule in image.schedules:
        if not schedule.orchestration:
            raise PefError(f"graph '{schedule.graph}' has no orchestration", levers=["run rdu-schedule"])


def _words(kind: codec.Codec, value: object, names: StringTable, places: list[im.Ints] | None = None) -> bytes:
    writer = codec.Writer(names.add)
    kind.write(writer, value)
    if places is not None:
        codec.COORDINATES.write(writer, places)
    return writer.words().astype("<u8").tobytes()


def _header(image: im.Image) -> bytes:
    target = {"machine": image.target.machine, "tiles": image.target.tiles, "chips": image.target.chips}
    return canonical_json({"version": list(image.version), "target": target, "machine": image.machine}).encode()


def _debug(image: im.Image) -> bytes:
    units = [[[unit.name, unit.location] for unit in section.units] for section in image.sections]
    # bytes of a path that are no UTF-8 stand in Python as half a surrogate pair, which JSON writes as an escape
    return canonical_json({"strings": image.debug.strings, "units": units}).encode(errors="backslashreplace")


def _symbols(image: im.Image, config: Sequence[bytes], names: StringTable) -> list[ElfSymbol]:
    tensors = [ElfSymbol(names.add(s.name), STT_OBJECT, SHN_ABS, s.address, s.bytes) for s in image.symbols]
    sections = [
        ElfSymbol(names.add(section.name), STT_FUNC, FIXED_BEFORE + i, 0, len(data))
        for i, (section, data) in enumerate(zip(image.sections, config, strict=True))
    ]
    return tensors + sections
