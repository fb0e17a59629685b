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
from xdsl.universe import Universe

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline
from sambaflow.testing.ir_changes import CHANGES, tokens_of
from sambaflow.testing.ir_corpus import Piece, applies, corpus, printed
from sambaflow.tools import samba_opt

CASES, CHUNKS = 200, 4
SECONDS = 60
"""A case that computes for longer hangs: the slowest take one second."""
BYTES = 1 << 31
"""A case that takes more memory trusts a size in its input: the largest take some megabytes."""


# ---- a case

FORMS: tuple[Callable[[ModuleOp], str] | None, ...] = (
    None,
    None,
    functools.partial(printed, generic=True),
    functools.partial(printed, generic=True, properties=False),
)
"""How a piece is printed before it is changed; None: as it stands in its file."""

PASSES = tuple(pass_.name for pass_ in parse_pipeline("o1"))


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
    here = [pass_.name for pass_ in parse_pipeline(mode) if applies(pass_.name, piece.level)]
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


def kind(message: str | None) -> str:
    """What stays the same when the text becomes smaller."""
    return re.sub(r"\d+|'[^'\n]*'|\"[^\"\n]*\"", "_", (message or "").partition("\n")[0])


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
        if (message := complaint(case, folder)) is not None:
            least = smallest(case, folder)
            yield f"case {number}: samba-opt {' '.join(case.arguments)}\n{message}\non\n{least.text}"


@contextlib.contextmanager
def plugins_read_once() -> Generator[None]:
    """xDSL looks for plug-ins among all installed packages in every run: half of the time of a small one."""
    with pytest.MonkeyPatch.context() as patch:
        multiverse = Universe.get_multiverse()
        patch.setattr(Universe, "get_multiverse", lambda: multiverse)
        yield


# Exit code 0 or 1, a diagnostic with the place for 1, all of the output or none, and nothing that hangs.
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_mutated_input_is_read_or_refused(chunk: int, tmp_path: Path):
    with plugins_read_once():
        reports = list(failures(range(chunk, CASES, CHUNKS), tmp_path))
    assert not reports, "\n\n".join(reports)


def graph(tensor_type: str, body: str) -> str:
    return f"func.func @f(%x: {tensor_type}) -> {tensor_type} {{\n  {body}\n  func.return %x : {tensor_type}\n}}\n"


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
