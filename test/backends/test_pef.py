"""A PEF says exactly what its Image says, and a file that was touched is refused."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import warnings
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from hypothesis import given, settings
from hypothesis import strategies as st

from sambaflow.backends.rdu.decode import decode
from sambaflow.backends.rdu.elf import E_MACHINE, ElfSection, read_elf, write_elf
from sambaflow.backends.rdu.encode import checksums, encode, strip
from sambaflow.backends.rdu.from_ir import image_of
from sambaflow.backends.rdu.image import Image, Pcu
from sambaflow.backends.rdu.physical import check_physical
from sambaflow.backends.rdu.to_ir import module_of
from sambaflow.backends.rdu.words import Kind, Operand, decode_word, encode_word
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import PefError
from sambaflow.machine.opcodes import OPCODES, Opcode
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline

PROGRAM = Path(__file__).parents[1] / "dialects" / "rdu" / "program.mlir"
RDU_PASSES = "rdu-plan-memory,rdu-place,rdu-route,rdu-schedule,rdu-finalize"


@cache
def image() -> Image:
    """The program of the dialect's test (all kinds of units, a repeat, a constant), finished, with locations."""
    ctx = SambaContext()
    module = parse_module(PROGRAM.read_text(), "program.mlir", ctx)
    for pass_ in parse_pipeline(RDU_PASSES):
        pass_.apply(ctx, module)
    return image_of(module)


@cache
def pef() -> bytes:
    return encode(image())


def resealed(sections: list[ElfSection]) -> bytes:
    """The file of altered sections with checksums that fit them."""
    sections[-1].data = checksums(sections[:-1])
    return write_elf(sections)


def test_bytes_image_and_ir_say_the_same():
    back = decode(pef())
    assert back == image()
    assert encode(back) == pef()
    module = module_of(back)
    module.verify()
    assert image_of(module) == image()
    assert back.debug.text(back.sections[0].units[0].name) == "x"
    assert back.debug.text(back.sections[0].units[0].location).startswith("program.mlir:18:")


def test_the_finished_program_is_sound():
    assert check_physical(image()) == []


def test_section_checksums_are_those_of_the_file():
    config = {section.name: section.data for section in read_elf(pef())}
    assert decode(pef()).sections[0].checksum == zlib.crc32(config[".rdu.dot"])


def test_strip_drops_names_and_nothing_else():
    small = strip(image())
    back = decode(encode(small))
    assert back == small
    assert not back.debug.strings
    before, after = ({s.name: s.data for s in read_elf(encode(i))} for i in (image(), small))
    assert ".debug" in before
    for name in after.keys() - {".pef.checksum", ".symtab"}:
        assert before[name] == after[name]


def test_readers_of_elf_files_read_it_without_warnings(tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        elf = ELFFile(io.BytesIO(pef()))
        names = [section.name for section in elf.iter_sections()]
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = {s.name: s["st_size"] for s in table.iter_symbols() if s.name}
    assert elf["e_machine"] == E_MACHINE
    assert names[1:5] == [".pef.header", ".pef.symbols", ".rdu.dot", ".schedule"]
    assert symbols["layers.0.w"] == 16 * 128 * 2
    if shutil.which("readelf"):
        file = tmp_path / "m.pef"
        file.write_bytes(pef())
        done = subprocess.run(["readelf", "-a", "-W", str(file)], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert "layers.0.w" in done.stdout


def test_every_flipped_byte_is_refused():
    """Headers, paddings and tables of the ELF file byte by byte; of each section's contents every seventh byte."""
    data = pef()
    elf = ELFFile(io.BytesIO(data))
    contents = [(s["sh_offset"], s["sh_size"]) for s in elf.iter_sections() if s.name.startswith((".rdu", ".debug"))]
    sampled = {at for start, size in contents for at in range(start, start + size) if at % 7}
    for at in (at for at in range(len(data)) if at not in sampled):
        for bit in (1, 0x80):
            broken = bytearray(data)
            broken[at] ^= bit
            with pytest.raises(PefError):
                decode(bytes(broken))
                pytest.fail(f"byte {at} of {len(data)} was altered unseen")


def test_every_cut_is_refused():
    data = pef()
    for length in [*range(200), *range(200, len(data), 37)]:
        with pytest.raises(PefError):
            decode(data[:length])
    with pytest.raises(PefError, match="after its end"):
        decode(data + bytes(8))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(0, 7), st.integers(0, (1 << 64) - 1))
def test_a_forged_word_is_an_image_or_a_refusal(place: int, section: int, word: int):
    """Even with fitting checksums nothing but a PefError comes out of the decoder, and what is decoded is IR."""
    sections = read_elf(pef())
    target = sections[section % (len(sections) - 1)]
    at = place % max(1, len(target.data) // 8)
    target.data = target.data[: 8 * at] + word.to_bytes(8, "little") + target.data[8 * at + 8 :]
    try:
        decoded = decode(resealed(sections))
    except PefError:
        return
    assert isinstance(decoded, Image)


def test_a_wrong_checksum_is_named():
    sections = read_elf(pef())
    sections[2].data = sections[2].data[:-1] + b"\x7f"
    with pytest.raises(PefError, match=r"section '\.rdu\.dot' was altered: the checksum is 0x"):
        decode(write_elf(sections), "m.pef")


@pytest.mark.parametrize(
    ("version", "refused"), [("[1,0]", False), ("[1,1]", True), ("[2,0]", True), ("[0,9]", True), ("[1]", True)]
)
def test_a_reader_knows_its_versions(version: str, refused: bool):
    sections = read_elf(pef())
    header = sections[0].data.replace(b'"version":[1,0]', f'"version":{version}'.encode())
    sections[0].data = header
    data = resealed(sections)
    if refused:
        with pytest.raises(PefError, match=r"version"):
            decode(data)
    else:
        assert decode(data) == image()


def test_an_unfinished_program_is_refused():
    ctx = SambaContext()
    module = parse_module(PROGRAM.read_text(), "program.mlir", ctx)
    for pass_name, lever in (
        ("rdu-plan-memory", "rdu-plan-memory"),
        ("rdu-place", "rdu-place"),
        ("rdu-route", "rdu-route"),
        ("rdu-finalize", "rdu-finalize"),
    ):
        with pytest.raises(PefError) as caught:
            encode(image_of(module))
        assert caught.value.levers == (f"run {lever}",) or list(caught.value.levers) == [f"run {lever}"]
        for pass_ in parse_pipeline(pass_name):
            pass_.apply(ctx, module)
    encode(image_of(module))


def test_the_same_input_gives_the_same_bytes_in_any_process(tmp_path: Path):
    """Hash seeds differ between processes; nothing in a PEF depends on them."""
    pefs: list[bytes] = []
    for seed in ("1", "2"):
        finished, file = tmp_path / f"{seed}.mlir", tmp_path / f"{seed}.pef"
        tools = Path(sys.executable).parent
        for command in (
            [tools / "samba-opt", f"--pass-pipeline={RDU_PASSES}", PROGRAM, "-o", finished],
            [tools / "samba-translate", "--to-pef", finished, "-o", file],
        ):
            subprocess.run(list(map(str, command)), check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        pefs.append(file.read_bytes())
    assert pefs[0] == pefs[1]


def test_a_stripped_file_gives_the_same_results_and_times():
    import torch

    from sambaflow.sim.functional.engine import Engine
    from sambaflow.sim.timing.program import time_graph

    runs: list[tuple[bytes, int]] = []
    for program in (image(), strip(image())):
        engine = Engine(decode(encode(program)))
        whole = torch.linspace(-1, 1, 32 * 128).reshape(32, 128).to(torch.bfloat16)
        engine.load({"layers.0.w": whole})
        (result,) = engine.run("forward", [whole[:16]])
        runs.append((result.view(torch.uint8).numpy().tobytes(), time_graph(program, "forward").picoseconds))
    assert runs[0] == runs[1]


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(PefError, match="register number 512"):
        encode_word("mov", "f32", Operand(Kind.REGISTER, 512), [Operand(Kind.INPUT)])
    wide = decode(pef())
    wide.sections[0].units[0].coordinates = np.array([[40000, 0]])
    with pytest.raises(PefError, match="16 bits"):
        encode(wide)


@st.composite
def instructions(draw: st.DrawFn) -> tuple[Opcode, str, Operand, list[Operand]]:
    row = draw(st.sampled_from(OPCODES))
    number = st.integers(0, 511)
    target = Operand(draw(st.sampled_from([Kind.REGISTER, Kind.ACCUMULATOR, Kind.OUTPUT])), draw(number))
    readable = [kind for kind in Kind if kind not in (Kind.OUTPUT, Kind.NONE)]
    sources = [Operand(draw(st.sampled_from(readable)), draw(number)) for _ in range(row.arity)]
    return row, draw(st.sampled_from(row.dtypes)), target, sources


@given(instructions())
def test_words_and_instructions_are_one_to_one(instruction: tuple[Opcode, str, Operand, list[Operand]]):
    row, dtype, destination, sources = instruction
    decoded = decode_word(encode_word(row.name, dtype, destination, sources))
    assert (decoded.opcode, decoded.dtype, decoded.destination, list(decoded.sources)) == instruction
    assert str(decoded).startswith(f"{destination} = {row.name}.{dtype} ")


def test_every_mode_of_a_program_is_in_the_words():
    unit = image().sections[0].units[3]
    assert isinstance(unit, Pcu)
    finish = [str(decode_word(int(word))) for word in unit.finish]
    assert finish == ["r0 = truncf.bf16 acc0", "out0 = mov.bf16 r0"]
    assert unit.constants.tolist() == [0x3F800000]
