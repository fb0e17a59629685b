"""A PEF whose checksums fit is refused all the same when it is no program: one case for each thing that is checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp, UnitAttr

from sambaflow.backends.rdu import codec, elf
from sambaflow.backends.rdu import image as im
from sambaflow.backends.rdu.check import check
from sambaflow.backends.rdu.codec import Reader, Writer
from sambaflow.backends.rdu.decode import decode
from sambaflow.backends.rdu.elf import ElfSection, StringTable, read_elf, string_at, write_elf
from sambaflow.backends.rdu.encode import checksums, encode
from sambaflow.backends.rdu.from_ir import image_of, program_of
from sambaflow.backends.rdu.physical import check_physical
from sambaflow.backends.rdu.words import Kind, Operand, decode_program, decode_word, encode_word
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import PefError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline

PROGRAM = Path(__file__).parents[1] / "dialects" / "rdu" / "program.mlir"
LOAD, SECOND_LOAD, PMU, PCU, COLLECTIVE, STORE = range(6)
"""The units of its section."""


@cache
def pef() -> bytes:
    """The program of the dialect's test (all kinds of units, a repeat, a constant, two chips), finished."""
    ctx = SambaContext()
    module = parse_module(PROGRAM.read_text(), "program.mlir", ctx)
    for pass_ in parse_pipeline("rdu-plan-memory,rdu-place,rdu-route,rdu-schedule,rdu-finalize"):
        pass_.apply(ctx, module)
    return encode(image_of(module))


def resealed(sections: list[ElfSection]) -> bytes:
    """The file of altered sections with checksums that fit them."""
    sections[-1].data = checksums(sections[:-1])
    return write_elf(sections)


def forged(section: str, alter: Callable[[bytes], bytes]) -> bytes:
    """The PEF with other contents of a section."""
    sections = read_elf(pef())
    chosen = next(candidate for candidate in sections if candidate.name == section)
    chosen.data = alter(chosen.data)
    return resealed(sections)


def with_json(section: str, **values: Any) -> bytes:
    return forged(section, lambda data: json.dumps(json.loads(data) | values).encode())


# ---- the image


def unit(number: int, **values: Any) -> Callable[[im.Image], object]:
    """Sets fields of a unit."""
    return lambda image: [setattr(image.sections[0].units[number], k, v) for k, v in values.items()]


def access(number: int, **values: Any) -> Callable[[im.Image], object]:
    def alter(image: im.Image) -> None:
        for key, value in values.items():
            setattr(image.sections[0].units[number].access, key, value)  # pyright: ignore[reportAttributeAccessIssue]

    return alter


def symbol(number: int, **values: Any) -> Callable[[im.Image], object]:
    return lambda image: [setattr(image.symbols[number], k, v) for k, v in values.items()]


def schedule(**values: Any) -> Callable[[im.Image], object]:
    return lambda image: [setattr(image.schedules[0], k, v) for k, v in values.items()]


def section(**values: Any) -> Callable[[im.Image], object]:
    return lambda image: [setattr(image.sections[0], k, v) for k, v in values.items()]


def stream(number: int, **values: Any) -> Callable[[im.Image], object]:
    return lambda image: [setattr(image.sections[0].streams[number], k, v) for k, v in values.items()]


def program(alter: Callable[[list[int]], list[int]], part: str = "body") -> Callable[[im.Image], object]:
    """Alters the words of a part of the PCU's program."""

    def altered(image: im.Image) -> None:
        pcu = image.sections[0].units[PCU]
        setattr(pcu, part, im.words(alter(getattr(pcu, part).tolist())))

    return altered


def word(opcode: str, dtype: str, destination: Operand, *sources: Operand) -> int:
    return encode_word(opcode, dtype, destination, sources)


OUT, REGISTER, IN = Operand(Kind.OUTPUT), Operand(Kind.REGISTER), Operand(Kind.INPUT)

IMAGES: list[tuple[Callable[[im.Image], object], str]] = [
    # references
    (stream(0, source=(9, 0)), "a stream joins output 0 of unit 9 with unit 2|a stream joins output 0 of unit 9"),
    (stream(0, source=(0, 7)), "a stream joins output 7 of unit 0"),
    (stream(0, target=(0, 0)), "a stream joins output 0 of unit . with unit 0"),
    (lambda image: image.sections[0].streams.append(image.sections[0].streams[0]), "has two streams"),
    (stream(-1, target=(5, 3)), r"unit 5 has a gap in its input ports"),
    (lambda image: image.sections[0].streams.pop(), r"unit 5 \(store\) has 0 streams in"),
    (unit(LOAD, results=[]), "a stream joins output 0 of unit 0"),
    (unit(LOAD, slot=3), "unit 0 uses slot 3 of 3"),
    (schedule(inputs=im.ints([99])), "an input or output is none of the 4 symbols"),
    (schedule(outputs=im.ints([-1])), "an input or output is none of the 4 symbols"),
    (lambda image: setattr(image.schedules[0].steps[0], "section", 5), "there is no section 5 to launch"),
    (lambda image: setattr(image.schedules[0].steps[0], "symbols", im.ints([0, 1, 4])), "a launch binds none of the 4"),
    # the rules of the dialect
    (unit(PCU, extents=im.ints([16, 0])), r"unit 3 of 'dot' \(rdu.pcu\): extents are at least 1"),
    (unit(LOAD, extents=im.ints([1 << 40, 1 << 40])), "points, more than"),
    (unit(LOAD, count=0, coordinates=im.ints((), (0, 2))), "is not placed|at least one unit"),
    (unit(PCU, order=im.ints([0, 0])), "order is a permutation"),
    (unit(STORE, tile=im.ints([17])), r"tile \[17\] does not lie in the domain"),
    (access(LOAD, strides=im.ints([1 << 20, 1])), "names elements 0 to 15728767 of 2048"),
    (access(LOAD, base=-1), "names elements -1 to 2046 of 2048"),
    (access(LOAD, bounds=im.ints([[0, 1, 0, 15]])), r"reads out of range of the bound \[0, 1, 0, 15\], but has no pad"),
    (access(LOAD, base=(1 << 62)), "does not fit 64 bits"),
    (unit(LOAD, results=[im.Window("bf16", im.ints([4, 128]), 1 << 40)]), "too few for"),
    (symbol(0, shape=im.ints([16, 127])), "binds @x of type"),
    (symbol(1, shard=im.Shard(5, 1, 2)), "does not divide"),
    (symbol(1, shape=im.ints([1 << 40, 1 << 40])), "takes .* bytes, more than"),
    (schedule(tied=im.ints([4])), "a tie is the position of an input"),
    (unit(COLLECTIVE, chips=3), "collective of @dot joins 3"),
    (lambda image: setattr(image.schedules[0].steps[1], "count", 7), "every launch has 7 lists of symbols"),
    (lambda image: setattr(image.target, "chips", 0), "at least 1 is needed"),
    (lambda image: setattr(image.sections[0].slots[0], "dtype", "token"), "'token' stand where values are stored"),
    (symbol(3, data=b"\1" * 9), "constant 'k' has 9 bytes"),
    # programs
    (program(lambda words: [*words, word("mov", "f32", REGISTER, IN)]), "stands after a yield"),
    (program(lambda _: [word("neg", "f32", OUT, IN)]), "yields, but is no mov"),
    (program(lambda _: [word("mov", "f32", OUT, Operand(Kind.INPUT, 9))]), "reads in9, which is not there"),
    (program(lambda _: [word("mov", "f32", OUT, Operand(Kind.CONSTANT, 9))]), "there is no constant 9"),
    (
        program(lambda _: [word("insert_sorted", "f32", REGISTER, IN, IN, IN)]),
        "updates no list",
    ),
    (program(lambda _: [word("mov", "f32", OUT, REGISTER)]), "reads r0 before it is written"),
    # what is said twice
    (stream(0, tokens=5), r"sections\[0\].streams\[0\].tokens is 5, its program says 4"),
    (stream(0, tile_bytes=1), "tile_bytes is 1"),
    (symbol(0, bytes=17), r"symbols\[0\].bytes is 17, its program says 4096"),
    (unit(PCU, inputs=["bf16", "f32"]), r"body has arguments|inputs\[1\] is f32"),
    (unit(COLLECTIVE, bytes=1), r"units\[4\].bytes is 1"),
    (lambda image: setattr(image.sections[0].slots[0], "writable", True), r"slots\[0\].writable is True"),
    (unit(PCU, constants=im.words([0x3F800000, 7])), r"units\[3\].constants is"),
    # places, routes, addresses
    (unit(PCU, coordinates=im.ints([[0, 0], [0, 0]])), "stands at|there is no PCU at"),
    (lambda image: image.sections[0].nets.pop(), "has no route"),
    (lambda image: setattr(image.sections[0].nets[0], "hops", im.ints((), (0, 4))), "tracks|does not reach|net_hops"),
    (symbol(0, address=1 << 61), "ends at .* of the"),
    (symbol(0, address=1), "unaligned address"),
    (symbol(0, first=5), "is said to live from launches 5"),
]


@pytest.mark.parametrize(("alter", "said"), IMAGES, ids=[said for _, said in IMAGES])
def test_an_image_that_is_no_program_is_refused(alter: Callable[[im.Image], object], said: str):
    image = decode(pef())
    alter(image)
    with pytest.raises(PefError, match=said):
        check(decode(encode(image)))


def test_symbols_that_share_bytes_are_never_alive_together():
    image = decode(pef())
    image.symbols[2].address = image.symbols[0].address
    with pytest.raises(PefError, match=r"'y' and 'x' share the bytes at 0x[0-9a-f]+ while both are alive"):
        check(image)


def hops_of(image: im.Image) -> im.Net:
    return next(net for net in image.sections[0].nets if len(net.hops) > 1)


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda image: image.sections[0].nets.append(image.sections[0].nets[0]), "two routes have one source"),
        (lambda image: hops_of(image).hops.__setitem__((0, 2), 99), "a hop goes from"),
        (lambda image: hops_of(image).hops.__setitem__(0, hops_of(image).hops[-1]), "does not grow its tree"),
        (lambda image: hops_of(image).tracks.__setitem__(0, 1 << 20), "track 1048576 of"),
        (lambda image: setattr(image.symbols[0], "tier", "sram"), "stands in no memory of the machine"),
        (lambda image: setattr(image.sections[0].units[0], "coordinates", im.ints((), (0, 2))), "not every unit has"),
        (lambda image: setattr(image, "machine", {}), "key 'name'"),
    ],
)
def test_the_physical_checker_says_what_is_wrong_and_raises_nothing(alter: Callable[[im.Image], object], said: str):
    image = decode(pef())
    assert check_physical(image) == []
    alter(image)
    assert any(said in problem for problem in check_physical(image)), check_physical(image)


# ---- the records


def reader(*numbers: int) -> Reader:
    return Reader(im.words(numbers), lambda offset: "")


@pytest.mark.parametrize(
    ("kind", "numbers", "said"),
    [
        (codec.INT, [], "ends after 0 words, in the middle of a record"),
        (codec.INTS, [1 << 60], "does not fit the 1 that are there"),
        (codec.COUNT, [1 << 62], "count 4611686018427387904 at word 0 is not in 0 to"),
        (codec.FLAG, [2], "flag 2 at word 0 is not in 0 to 1"),
        (codec.DTYPE, [77], "element type at word 0 is 77, which means nothing"),
        (codec.MATRIX, [1 << 40, 0], "an array of 1099511627776 x 0 at word 0 is not believable"),
        (codec.SYMBOLS, [1 << 40], "a list of 1099511627776 at word 0 is not believable"),
        (codec.UNIT, [9], "unit at word 0 has the unknown tag 9"),
    ],
)
def test_words_that_are_no_record_are_refused(kind: codec.Codec, numbers: list[int], said: str):
    with pytest.raises(PefError, match=said):
        kind.read(reader(*numbers))


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (codec.COUNT, -1, "count -1 does not fit its field"),
        (codec.DTYPE, "f8", "element type is 'f8', not one of"),
        (codec.PLACES, np.array([[1 << 20, 0]]), "a coordinate does not fit its 16 bits"),
    ],
)
def test_values_that_no_word_holds_are_refused(kind: codec.Codec, value: Any, said: str):
    with pytest.raises(PefError, match=said):
        kind.write(Writer(lambda name: 0), value)


def test_words_after_the_last_record_are_refused():
    with pytest.raises(PefError, match=r"section '\.schedule': 1 words are left over"):
        decode(forged(".schedule", lambda data: data + bytes(8)))


def test_words_that_are_no_instruction_are_refused():
    with pytest.raises(PefError, match="names no known opcode"):
        decode_word(0xFF << 56)
    with pytest.raises(PefError, match="is no instruction: 'mov' does not take these operands"):
        decode_word(word("mov", "f32", OUT, IN) | 0xFFF)
    with pytest.raises(PefError, match="input number 512 does not fit an instruction word"):
        word("mov", "f32", OUT, Operand(Kind.INPUT, 512))
    with pytest.raises(PefError, match="reads r0 before it is written"):
        decode_program([word("mov", "f32", OUT, REGISTER)])


# ---- the sections


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: with_json(".pef.header", version=[2, 0]), r"is of PEF version 2\.0"),
        (lambda: with_json(".pef.header", version="1"), "states no version"),
        (lambda: with_json(".pef.header", target={"machine": 1, "tiles": 1, "chips": 1}), "names no target"),
        (lambda: with_json(".pef.header", target=[]), r"make no sense \(TypeError"),
        (lambda: forged(".pef.header", lambda _: b"[]"), "section '.pef.header' holds no object"),
        (lambda: forged(".pef.header", lambda _: b"{"), "is no JSON of finite numbers"),
        (lambda: forged(".pef.header", lambda data: data.replace(b'"tiles":4', b'"tiles":1e999')), "finite numbers"),
        (lambda: with_json(".debug", strings=[1]), "section '.debug' holds no strings"),
        (lambda: with_json(".debug", units=[[[77, 0]] * 6]), "gives 77 and 0 as places of its"),
        (lambda: forged(".rdu.dot", lambda data: data[:-3]), "which is no whole number of words"),
        (lambda: forged(".rdu.dot", lambda data: data[:-8]), "in the middle of a record|does not fit"),
        (lambda: resealed(read_elf(pef())[1:]), "has no section '.pef.header'"),
        (lambda: resealed([ElfSection("x", b""), *read_elf(pef())]), "has a section 'x', which this version"),
        (lambda: write_elf(read_elf(pef())[1:]), "has no section '.pef.header'"),
    ],
)
def test_sections_that_are_none_of_a_pef_are_refused(data: Callable[[], bytes], said: str):
    with pytest.raises(PefError, match=said):
        decode(data())


def test_a_section_says_its_own_name():
    sections = read_elf(pef())
    next(section for section in sections if section.name == ".rdu.dot").name = ".rdu.other"
    with pytest.raises(PefError, match=r"section '\.rdu\.other' holds section 'dot' and 6 lists of places"):
        decode(resealed(sections))


def test_checksums_are_those_of_the_sections():
    sections = read_elf(pef())
    sections[0].data += b" "
    with pytest.raises(PefError, match=r"section '\.pef\.header' was altered: the checksum is"):
        decode(write_elf(sections))
    with pytest.raises(PefError, match=r"section '\.pef\.checksum' does not belong to the other sections"):
        decode(write_elf([*read_elf(pef())[:-1], ElfSection(".pef.checksum", b"")]))


def test_files_that_are_no_elf_file_of_ours_are_refused():
    data = pef()
    with pytest.raises(PefError, match="is no ELF file, so no PEF"):
        read_elf(b"#!/bin/sh\n")
    with pytest.raises(PefError, match="is cut off: 10 bytes, an ELF header alone has 64"):
        read_elf(data[:10])
    with pytest.raises(PefError, match="is an ELF file for machine 0x3e"):
        read_elf(data[:18] + b"\x3e\x00" + data[20:])
    with pytest.raises(PefError, match="is cut off: its header promises"):
        read_elf(data[:-1])
    with pytest.raises(PefError, match="has no table of section names"):
        read_elf(data[:62] + b"\xff\xff" + data[64:])
    with pytest.raises(PefError, match="has ELF headers that do not belong to its contents"):
        read_elf(data[:8] + b"\x01" + data[9:])
    table = int.from_bytes(data[40:48], "little")
    first = table + 64 + 24  # the offset of section 1
    with pytest.raises(PefError, match="section 1 lies beyond the end of the file"):
        read_elf(data[:first] + b"\xff" * 4 + data[first + 4 :])


def test_names_that_no_table_holds_are_refused(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(PefError, match="holds a zero byte"):
        StringTable().add("a\0b")
    with pytest.raises(PefError, match="there is no name at offset 9 of a string table of 3 bytes"):
        string_at(b"\0a\0", 9)
    with pytest.raises(PefError, match="the name at offset 1 is not UTF-8"):
        string_at(b"\0\xff\0", 1)
    monkeypatch.setattr(elf, "_SECTION_LIMIT", 3)
    with pytest.raises(PefError, match="too many sections for one file"):
        write_elf([ElfSection("a", b"")])


# ---- IR that is no PEF


def test_what_a_pef_has_no_place_for_is_refused():
    with pytest.raises(PefError, match=r"a PEF is made from exactly one rdu\.program, here are 0 ops"):
        program_of(ModuleOp([]))


def test_an_unfinished_program_is_refused():
    ctx = SambaContext()
    module = parse_module(PROGRAM.read_text(), "program.mlir", ctx)
    with pytest.raises(PefError, match="symbol 'x' has no place in memory"):
        encode(image_of(module))
    for name, said in (
        ("rdu-plan-memory", "section 'dot' is not placed"),
        ("rdu-place", "section 'dot' is not routed"),
        ("rdu-route", "section 'dot' is not finished"),
        ("rdu-finalize", "graph 'forward' has no orchestration"),
    ):
        for pass_ in parse_pipeline(name):
            pass_.apply(ctx, module)
        for schedule in program_of(module).schedules:
            schedule.properties.pop("orchestration", None)
        with pytest.raises(PefError, match=said):
            encode(image_of(module))


def parsed(old: str = "", new: str = "") -> ModuleOp:
    """The program of the dialect's test with a piece of its text replaced."""
    text = PROGRAM.read_text()
    assert old in text
    return parse_module(text.replace(old, new) if old else text, "program.mlir", SambaContext())


def test_what_ir_has_and_a_pef_has_not_is_refused_at_its_place():
    module = parsed()
    program_of(module).attributes["note"] = UnitAttr()
    with pytest.raises(PefError, match="has the attribute 'note': a PEF has no place for it"):
        image_of(module)
    other = parsed(
        'rdu.target = #rdu.target<machine = "sn40l", tiles = 4', 'rdu.target = #rdu.target<machine = "sn40l", tiles = 2'
    )
    with pytest.raises(PefError, match=r"is for #rdu\.target<.*tiles = 4.*>, its module for #rdu\.target<.*tiles = 2"):
        image_of(other)
    with pytest.raises(PefError, match=r"program\.mlir:43:14: 'arith\.addf' op is no instruction of a tile"):
        image_of(parsed("rdu.add %acc, %6", "arith.addf %acc, %6"))


def test_a_program_of_too_many_registers_is_refused_at_its_place():
    lines = "\n".join(f"%r{i} = rdu.neg %6 : f32" for i in range(512))
    with pytest.raises(PefError, match="register number 512 does not fit an instruction word"):
        image_of(parsed("rdu.add %acc, %6", f"rdu.add %6, %6 : f32\n{lines}\n%9 = rdu.add %r511, %acc"))
