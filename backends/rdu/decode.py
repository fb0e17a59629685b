"""PEF bytes -> Image. A file that cannot be trusted is refused with a PefError that says where and why."""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

from sambaflow.backends.rdu import codec
from sambaflow.backends.rdu import image as im
from sambaflow.backends.rdu.check import check
from sambaflow.backends.rdu.elf import ElfSection, read_elf, string_at
from sambaflow.backends.rdu.encode import checksums
from sambaflow.errors import Location, PefError

_FIXED = (".pef.header", ".pef.symbols", ".schedule", ".symtab", ".strtab", ".pef.checksum")


def decode(data: bytes, name: str = "") -> im.Image:
    """The image that the bytes of a PEF hold; `name` is the file, for errors.

    Raises PefError for a file that is no PEF, is cut off, was altered, is of another major version or a later minor
    one, or whose contents contradict themselves.
    """
    try:
        return _decode(bytes(data))
    except PefError as error:
        if name and error.location is None:
            error.location = Location(name)
        raise


def _decode(data: bytes) -> im.Image:
    sections = read_elf(data)
    named = {section.name: section for section in sections}
    for name in _FIXED:
        if name not in named:
            raise PefError(f"has no section '{name}'")
    for section in sections:
        if section.name not in (*_FIXED, ".debug") and not section.name.startswith(".rdu."):
            raise PefError(f"has a section '{section.name}', which this version of PEF does not know")
    _verify_checksums(sections)
    header = _json(named[".pef.header"])
    version = _version(header)
    reading = _Reading(named[".strtab"].data)
    config = [section for section in sections if section.name.startswith(".rdu.")]
    try:
        image = im.Image(
            version=version,
            machine=header["machine"],
            target=_target(header),
            symbols=reading.words(named[".pef.symbols"], codec.SYMBOLS),
            sections=[reading.section(section) for section in config],
            schedules=reading.words(named[".schedule"], codec.SCHEDULES),
        )
        if ".debug" in named:
            _add_debug(image, _json(named[".debug"]))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise PefError(f"holds contents that make no sense ({type(error).__name__}: {error})") from None
    check(image)
    return image


def _verify_checksums(sections: list[ElfSection]) -> None:
    *covered, last = sections
    if last != ElfSection(".pef.checksum", last.data) or len(last.data) != 8 * (len(covered) + 1):
        raise PefError("section '.pef.checksum' does not belong to the other sections")
    stated, actual = named_words(last).tolist(), named_words(ElfSection("", checksums(covered))).tolist()
    names = [*(f"section '{section.name}' was" for section in covered), "the section headers were"]
    for name, expected, crc in zip(names, stated, actual, strict=True):
        if crc != expected:
            raise PefError(f"{name} altered: the checksum is {expected:#010x}, the bytes give {crc:#010x}")


def _json(section: ElfSection) -> dict[str, Any]:
    try:
        value = json.loads(section.data.decode("utf-8"), parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        raise PefError(f"section '{section.name}' is no JSON of finite numbers") from None
    if not isinstance(value, dict):
        raise PefError(f"section '{section.name}' holds no object")
    return value


def _finite(text: str) -> float:
    """The number of a JSON text; ValueError for `NaN`, `Infinity` and what is too large, which Python would read."""
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is not finite")
    return value


def _target(header: dict[str, Any]) -> im.Target:
    machine, tiles, chips = (header["target"][key] for key in ("machine", "tiles", "chips"))
    if not isinstance(machine, str) or type(tiles) is not int or type(chips) is not int:
        raise PefError("section '.pef.header' names no target: a machine, tiles and chips")
    return im.Target(machine, tiles, chips)


def _version(header: dict[str, Any]) -> tuple[int, int]:
    version = header.get("version")
    major, minor = im.FORMAT_VERSION
    if not isinstance(version, list) or len(version) != 2 or not all(type(v) is int for v in version):
        raise PefError("section '.pef.header' states no version")
    if version[0] != major or version[1] > minor:
        raise PefError(
            f"is of PEF version {version[0]}.{version[1]}; this reader knows {major}.0 to {major}.{minor}",
            demand=f"{version[0]}.{version[1]}",
            limit=f"{major}.{minor}",
            levers=["compile the model again", "use the release that wrote the file"],
        )
    return version[0], version[1]


def named_words(section: ElfSection) -> im.Words:
    """The words of a section. PefError if its size is no multiple of 8."""
    import numpy as np

    if len(section.data) % 8:
        raise PefError(f"section '{section.name}' has {len(section.data)} bytes, which is no whole number of words")
    return np.frombuffer(section.data, dtype="<u8").astype(np.uint64)


class _Reading:
    def __init__(self, names: bytes) -> None:
        self.names = names

    def words(self, section: ElfSection, kind: codec.Codec) -> Any:
        reader = codec.Reader(named_words(section), self.name)
        return self._read(section, reader, kind)

    def section(self, section: ElfSection) -> im.Section:
        reader = codec.Reader(named_words(section), self.name)
        decoded: im.Section = self._read(section, reader, codec.SECTION, whole=False)
        places: list[im.Ints] = self._read(section, reader, codec.COORDINATES)
        if len(places) != len(decoded.units) or section.name != f".rdu.{decoded.name}":
            raise PefError(f"section '{section.name}' holds section '{decoded.name}' and {len(places)} lists of places")
        for unit, coordinates in zip(decoded.units, places, strict=True):
            unit.coordinates = coordinates
        decoded.checksum = zlib.crc32(section.data)
        return decoded

    def name(self, offset: int) -> str:
        return string_at(self.names, offset)

    def _read(self, section: ElfSection, reader: codec.Reader, kind: codec.Codec, whole: bool = True) -> Any:
        try:
            value = kind.read(reader)
            if whole:
                reader.end()
        except PefError as error:
            error.message = f"section '{section.name}': {error.message}"
            raise
        return value


def _add_debug(image: im.Image, debug: dict[str, Any]) -> None:
    strings = debug["strings"]
    if not isinstance(strings, list) or not all(isinstance(text, str) for text in strings):
        raise PefError("section '.debug' holds no strings")
    image.debug.strings = strings
    for section, rows in zip(image.sections, debug["units"], strict=True):
        for unit, (name, location) in zip(section.units, rows, strict=True):
            if not all(type(n) is int and -1 <= n < len(strings) for n in (name, location)):
                raise PefError(f"section '.debug' gives {name} and {location} as places of its {len(strings)} strings")
            unit.name, unit.location = name, location
