"""samba-opt refuses bad input with a diagnostic, never with a traceback: two hundred small modules of all levels, each
with a few bytes, tokens, numbers, types, attributes or lines changed, through no pass, one pass or a whole pipeline.

A case is its number: the piece of the corpus, the form it is printed in, the changes and the pipeline follow from it.
What fails is printed as the smallest text found that fails so. Others, thousands of them, or one case again:

    python test/tools/test_mutated_inputs.py 1000 20000
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer
from xdsl.universe import Universe

from sambaflow.dialects import samba
from sambaflow.dialects.samba.table import shaped
from sambaflow.errors import SambaError
from sambaflow.passes.base import SambaContext
from sambaflow.passes.parsing import parse_module
from sambaflow.passes.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.verification import verify_module
from sambaflow.tools import samba_opt

ROOT = Path(__file__).resolve().parents[2]
CASES, CHUNKS = 200, 4
LARGEST = 6000
"""Characters of a piece."""
SECONDS = 60
"""A case that computes for longer hangs: the slowest take one second."""
BYTES = 1 << 31
"""A case that takes more memory trusts a size in its input: the largest take some megabytes."""

# ---- the corpus


@dataclass(frozen=True)
class Piece:
    """A valid module: where it comes from, its level, its text."""

    name: str
    level: str
    text: str


SOURCES = tuple(
    f"{path}.mlir"
    for path in (
        *("examples/linear_relu", "test/passes/samba-outline-layers", "test/passes/kernel-balance"),
        *(f"test/dialects/kernel/{name}" for name in ("kv_cache", "softmax", "conv2d")),
    )
)
"""Files whose first piece is in the corpus after every pass of o1, too."""


def printed(module: ModuleOp, *, generic: bool = False, properties: bool = True) -> str:
    text = io.StringIO()
    Printer(text, print_generic_format=generic, print_properties_as_attributes=not properties).print_op(module)
    return text.getvalue()


def level_of(text: str) -> str:
    return next((level for level in ("rdu", "kernel") if re.search(rf"\b{level}\.(?!target)", text)), "samba")


@functools.cache
def corpus() -> tuple[Piece, ...]:
    """Every operator by itself, every small valid piece of the lit tests and the examples, some after each pass."""
    pieces = [Piece(f"samba.{name}", "samba", operator_text(row)) for name, row in samba.OPERATORS.items()]
    for path in sorted([*ROOT.glob("test/**/*.mlir"), *ROOT.glob("examples/*.mlir")]):
        name = path.relative_to(ROOT).as_posix()
        for i, text in enumerate(path.read_text().split("// -----")):
            code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))
            try:
                module = parse_module(code, name, SambaContext())
                verify_module(module)
            except SambaError:
                continue
            pieces.append(Piece(f"{name} #{i}", level_of(code), code.strip() + "\n"))
            if i == 0 and name in SOURCES:
                pieces += after_each_pass(name, module)
    return tuple(piece for piece in pieces if len(piece.text) < LARGEST)


def operator_text(row: samba.Row) -> str:
    """A graph of one operator on the operands and with the settings of its sample."""
    types = [samba.tensor_type(shaped(text)) for text in row.sample]
    function = FuncOp("graph", (types, ()))
    op = samba.build(row.name, function.body.block.args, row.settings)
    function.body.block.add_ops([op, ReturnOp(*op.results)])
    function.update_function_type()
    return printed(ModuleOp([function]))


def after_each_pass(name: str, module: ModuleOp) -> list[Piece]:
    pieces: list[Piece] = []

    def keep(one: ModulePass, after: ModuleOp) -> None:
        text = printed(after)
        pieces.append(Piece(f"{name} after {one.name}", level_of(text), text))

    level = level_of(printed(module))
    with contextlib.suppress(SambaError):  # a pass that the piece is not for
        run_pipeline(module, [one for one in parse_pipeline("o1") if applies(one.name, level)], None, keep)
    return pieces


def applies(pass_name: str, level: str) -> bool:
    """Whether a pass of a pipeline has its place at a level or below it."""
    above = {"samba": (), "kernel": ("samba", "convert-samba"), "rdu": ("samba", "kernel", "convert", "set-target")}
    return not pass_name.startswith(above[level])


# ---- the changes

TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[%@#!^]?[A-Za-z_][\w$.]*|%\d+|-?\d+\.\d+(?:[eE][-+]?\d+)?|-?\d+|->|\s+|.')
NUMBER = re.compile(r"-?\d+")
TYPES = ("f32", "bf16", "f64", "f16", "i1", "i8", "i32", "i64", "ui8", "index", "none", "complex<f32>", "tuple<f32>",
         "tensor<f32>", "tensor<0xf32>", "tensor<?xf32>", "tensor<*xf32>", "tensor<4xindex>", "tensor<4x4xf32>",
         "tensor<99999999999xf32>", "vector<4xf32>", "memref<4xf32>", "() -> f32", "!kernel.token",
         "!rdu.stream<none, 1>", "!rdu.stream<tensor<4xf32>, 2>")  # fmt: skip
VALUES = ("0 : i64", "-1 : i64", "1 : i32", "0 : i1", "true", "unit", "1.0 : f32", "0x7f800000 : f32", '"sum"', '""',
          "f32", "[]", "[1, 2]", "[[1], 2]", "{}", "{a = 1 : i64}", "@f", "@f::@g", "array<i64>", "array<i64: 1, 2>",
          "array<i64: -1>", "array<i32: 1>", "dense<0> : tensor<1xi64>", "dense<1.0> : tensor<2x2xf32>",
          "dense<> : tensor<0x4xi64>", "affine_map<(d0) -> (d0)>", "affine_map<() -> ()>",
          "affine_map<(d0) -> (d0 floordiv 0)>", "affine_map<(d0)[s0] -> (d0 * s0)>", "affine_set<(d0) : (d0 >= 0)>",
          "#kernel.domain<>", "#kernel.domain<4 parallel, 0 reduction>", "#kernel.fill<1.0 : f32, tensor<?xf32>>",
          "#kernel.mapping<tile = [0], par = [-1], order = [7], hold = []>", "#samba.shard<0, 1, 2>",
          "#samba.shard<9, 9, 9>", '#rdu.target<machine = "sn10", tiles = 1, chips = 2>', "#rdu.access<[1] base -9>",
          "#rdu.port<[4] : [1]>", "loc(unknown)")  # fmt: skip
SIZE = re.compile(r"(?<=[<x\[ ,])\d+(?=[x\],> ])")
ELEMENT = re.compile(r"\b(?:f32|bf16|f64|i1|i32|i64)\b")
TWO_OPERANDS = re.compile(r"%[\w#.]+, %[\w#.]+")
TYPE = re.compile(r"(?:tensor|vector|!rdu\.stream)<[^<>]*(?:<[^<>]*>[^<>]*)?>|\b(?:f32|bf16|f64|i1|i32|i64)\b")
ENTRY = re.compile(r'(?:[\w.]+|"[^"\n]*") = (?:"[^"\n]*"|(?:[\w#@!.-]+)?(?:<[^{}\n]*?>|\[[^{}\n]*?\])?(?: : \w+)?)')
"""An entry of an attribute dictionary, or of what looks like one: good enough to break it."""


def tokens_of(text: str) -> list[str]:
    return TOKEN.findall(text)


def on_tokens(change: Callable[[Random, list[str], int], None]) -> Callable[[Random, str], str]:
    """A change of the text by one of its list of tokens at the place of a token that is not white space."""

    def apply(random: Random, text: str) -> str:
        tokens = tokens_of(text)
        places = [i for i, token in enumerate(tokens) if not token.isspace()]
        if places:
            change(random, tokens, random.choice(places))
        return "".join(tokens)

    return apply


def on_lines(change: Callable[[Random, list[str], int], None]) -> Callable[[Random, str], str]:
    def apply(random: Random, text: str) -> str:
        lines = text.splitlines(keepends=True)
        if lines:
            change(random, lines, random.randrange(len(lines)))
        return "".join(lines)

    return apply


def on_matches(
    pattern: re.Pattern[str], change: Callable[[Random, str, str], str], *, all: bool = False
) -> Callable[[Random, str], str]:
    """One match of the pattern, or all that are equal, replaced by what `change` makes of it and of another match."""

    def apply(random: Random, text: str) -> str:
        matches = list(pattern.finditer(text))
        if not matches:
            return text
        one, other = random.choice(matches), random.choice(matches)
        made = change(random, one[0], other[0])
        if all:
            return pattern.sub(lambda match: made if match[0] == one[0] else match[0], text)
        return text[: one.start()] + made + text[one.end() :]

    return apply


def flip(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + chr(random.choice([random.randrange(32, 127), random.randrange(256)])) + text[at + 1 :]


def drop(random: Random, items: list[str], at: int) -> None:
    del items[at : at + random.choice((1, 1, 1, 2, 4))]


def duplicate(random: Random, items: list[str], at: int) -> None:
    items[at:at] = [items[at]] * random.choice((1, 1, 2))


def swap(random: Random, items: list[str], at: int) -> None:
    other = random.randrange(len(items))
    items[at], items[other] = items[other], items[at]


def alike(random: Random, items: list[str], at: int) -> None:
    """Another token that begins like this one: value for value, symbol for symbol, type for type."""
    items[at] = random.choice([item for item in items if item[0] == items[at][0]])


def number(random: Random, one: str, other: str) -> str:
    n = int(one)
    near = (n + 1, n - 1, 2 * n, -n, n // 2)
    far = (0, 1, -1, 3, 1000, 1 << 31, -(1 << 31), 1 << 63, 1 << 64, 99999999999, 10**30)
    return random.choice((other, str(random.choice(near)), str(random.choice(near)), str(random.choice(far))))


def type_(random: Random, one: str, other: str) -> str:
    return random.choice((other, other, random.choice(TYPES)))


def element(random: Random, one: str, other: str) -> str:
    return random.choice((other, *TYPES[:8]))


def crossed(random: Random, one: str, other: str) -> str:
    """Two operands in the other order, twice the first, or those of another place."""
    first, second = one.split(", ")
    return random.choice((f"{second}, {first}", f"{first}, {first}", f"{first}, {other.split(', ')[0]}", other))


def entry(random: Random, one: str, other: str) -> str:
    """An attribute with the value of another, with any value, or renamed; or another attribute."""
    name, _, value = one.partition(" = ")
    other_name, _, other_value = other.partition(" = ")
    made = (f"{name} = {other_value}", f"{name} = {random.choice(VALUES)}", f"{other_name} = {value}", other, "")
    return random.choice(made)


CHANGES: tuple[Callable[[Random, str], str], ...] = (
    flip,
    *(on_tokens(change) for change in (drop, duplicate, swap, alike)),
    *(on_lines(change) for change in (drop, duplicate, swap)),
    *(on_matches(NUMBER, number) for _ in range(4)),
    *(on_matches(SIZE, number, all=True) for _ in range(6)),
    *(on_matches(TYPE, type_) for _ in range(2)),
    *(on_matches(TYPE, type_, all=True) for _ in range(2)),
    *(on_matches(ELEMENT, element, all=True) for _ in range(4)),
    *(on_matches(TWO_OPERANDS, crossed) for _ in range(3)),
    *(on_matches(ENTRY, entry) for _ in range(6)),
)
"""Those that change all of a kind at once make modules that are still consistent, which passes see."""

# ---- a case

FORMS: tuple[Callable[[ModuleOp], str] | None, ...] = (
    None,
    None,
    functools.partial(printed, generic=True),
    functools.partial(printed, generic=True, properties=False),
)
"""How a piece is printed before it is changed; None: as it stands in its file."""

PASSES = tuple(one.name for one in parse_pipeline("o1"))


@dataclass(frozen=True)
class Case:
    """A command line without the files, and the text of the input."""

    arguments: tuple[str, ...]
    text: str

    @staticmethod
    def of(number: int) -> Case:
        """The case with this number. It depends on one piece alone, so that a new test does not change all cases."""
        piece = corpus()[number % len(corpus())]
        random = Random(f"{piece.name} {number // len(corpus())}")
        form, text = random.choice(FORMS), piece.text
        if form is not None:
            text = form(parse_module(text, piece.name, SambaContext()))
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            text = random.choice(CHANGES)(random, text)
        return Case((*pipeline(random, piece), *random.choice(FLAGS)), text)


FLAGS = ((), (), (), ("--print-op-generic",), ("--verify-each",), ("--remarks",), ("--split-input-file",))


def pipeline(random: Random, piece: Piece) -> tuple[str, ...]:
    """None, one pass, the rest of a mode from the level on, or whole modes."""
    mode = random.choice(("o0", "o1", "o3"))
    here = [one.name for one in parse_pipeline(mode) if applies(one.name, piece.level)]
    target = "set-target," if piece.level != "rdu" else ""
    choice = random.randrange(8)
    if choice < 2:
        return ()
    if choice < 5:
        return (f"--pass-pipeline={target}{random.choice(here if choice < 4 else PASSES)}",)
    if choice < 6:
        return (f"--pass-pipeline={mode}",)
    return (f"--pass-pipeline={','.join(here)}",)


class Hang(BaseException):
    """A case that takes too long; no handler of `Exception` catches it."""


def complaint(case: Case, folder: Path) -> str | None:
    """What is wrong with how samba-opt takes the case, if anything."""
    source, result = folder / "in.mlir", folder / "out.mlir"
    source.write_bytes(case.text.encode("latin-1", "replace") if "\xff" in case.text else case.text.encode())
    out, said = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), bounded():
            code = samba_opt.main([str(source), "-o", str(result), *case.arguments])
    except (Exception, Hang) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"raised {type(error).__name__}: {error} at {last.filename}:{last.lineno}"
    text = said.getvalue()
    written = sorted(set(os.listdir(folder)) - {source.name})
    result.unlink(missing_ok=True)
    if "internal error" in text or "Traceback" in text:
        return text
    if code not in (0, 1):
        return f"exit code {code}: {text}"
    if out.getvalue() or written != ([result.name] if code == 0 else []):
        return f"exit code {code} leaves {written}, says {out.getvalue()!r}"
    if code == 1 and not re.search(r"^\S+?(:\d+:\d+)?: error: .*\S", text, re.MULTILINE):
        return f"exit code 1 without a place: {text}"
    return None


@contextlib.contextmanager
def bounded() -> Generator[None]:
    """Raise Hang, MemoryError from what takes too long or too much."""

    def late(number: int, frame: FrameType | None) -> None:
        raise Hang(f"computes for more than {SECONDS} seconds")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + BYTES, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def kind(found: str | None) -> str:
    """What stays the same when the text becomes smaller."""
    return re.sub(r"\d+|'[^'\n]*'|\"[^\"\n]*\"", "_", (found or "").partition("\n")[0])


def smallest(case: Case, folder: Path, trials: int = 300) -> Case:
    """The case without the lines, then the tokens, that it fails without."""
    wanted = kind(complaint(case, folder))
    for split in (lambda text: text.splitlines(keepends=True), tokens_of):
        parts: list[str] = split(case.text)
        step = len(parts) // 2
        while step and trials > 0:
            at = 0
            while at < len(parts) and trials > 0:
                fewer = parts[:at] + parts[at + step :]
                trials -= 1
                if kind(complaint(Case(case.arguments, "".join(fewer)), folder)) == wanted:
                    parts = fewer
                else:
                    at += step
            step //= 2
        case = Case(case.arguments, "".join(parts))
    return case


def failures(numbers: Sequence[int], folder: Path) -> Iterator[str]:
    """A report of each case that fails."""
    for number in numbers:
        case = Case.of(number)
        if (found := complaint(case, folder)) is not None:
            least = smallest(case, folder)
            yield f"case {number}: samba-opt {' '.join(case.arguments)}\n{found}\non\n{least.text}"


@contextlib.contextmanager
def plugins_read_once() -> Generator[None]:
    """xDSL looks for plug-ins among all installed packages in every run: half of the time of a small one."""
    with pytest.MonkeyPatch.context() as patch:
        found = Universe.get_multiverse()
        patch.setattr(Universe, "get_multiverse", lambda: found)
        yield


# Exit code 0 or 1, a diagnostic with the place for 1, all of the output or none, and nothing that hangs.
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_mutated_input_is_read_or_refused(chunk: int, tmp_path: Path):
    with plugins_read_once():
        found = list(failures(range(chunk, CASES, CHUNKS), tmp_path))
    assert not found, "\n\n".join(found)


def graph(type: str, body: str) -> str:
    return f"func.func @f(%x: {type}) -> {type} {{\n  {body}\n  func.return %x : {type}\n}}\n"


def nested(opening: str, inside: str, closing: str) -> str:
    """An attribute that is nested a thousand times."""
    return f"module attributes {{a = {opening * 1000}{inside}{closing * 1000}}} {{}}"


EXTREMES = {
    "nothing": "",
    "a byte order mark": "\ufeffmodule {}",
    "regions": "builtin.module {\n" * 1000 + "}\n" * 1000,
    "arrays": nested("[", "", "]"),
    "dictionaries": nested("{a = ", "1", "}"),
    "types": nested("tuple<", "f32", ">"),
    "locations": nested('loc("a"(', "unknown", "))"),
    "parentheses": f"module attributes {{a = affine_map<(d0) -> ({'(' * 1000}d0{')' * 1000})>}} {{}}",
    "terms": f"module attributes {{a = affine_map<(d0) -> ({' + '.join(['d0'] * 1000)})>}} {{}}",
    "a string without its end": '"builtin.module"() ({}) {a = "' + "a" * 1000 + "} : () -> ()",
    "a number": f"module attributes {{a = {'9' * 10000} : i64}} {{}}",
    "an integer type": "module attributes {a = 1 : i99999999999} {}",
    "elements": graph("tensor<99999999999xf32>", "%0 = samba.constant dense<1.0> : tensor<99999999999xf32>"),
    "results": graph("tensor<99999999999xf32>", "%0 = samba.unbind %x : (tensor<99999999999xf32>) -> tensor<f32>"),
    "chips": 'module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 99999999999>} {}',
    "recursion": graph("tensor<4xf32>", "%0 = func.call @f(%x) : (tensor<4xf32>) -> tensor<4xf32>"),
}


# What is deep, long, huge or empty is read or refused, too: nothing recurses, allocates or searches without bound.
@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("arguments", [(), ("--pass-pipeline=o0",)], ids=["read", "o0"])
def test_an_extreme_input_is_read_or_refused(name: str, arguments: tuple[str, ...], tmp_path: Path):
    assert complaint(Case(arguments, EXTREMES[name]), tmp_path) is None


def main() -> None:
    """Run the cases from the first number to the second."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder, plugins_read_once():
        for report in failures(range(first, last), Path(folder)):
            print(report, flush=True)


if __name__ == "__main__":
    main()
