"""samba-opt beside xdsl-opt: whole processes, and what they spend their time on, on modules of the same ops.

`python -m benchmarks driver` runs this alone, in two minutes. All figures are CPU time, the least of some runs; the two
sides take turns, and each may take as long as the other. Where xDSL knows no op of ours, it reads the same text as
unregistered ops (generic form), or ops of its own of the same shape (pretty form: tosa and math, declarative assembly).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from sys import executable

from xdsl.context import Context
from xdsl.dialects import get_all_dialects
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.passes import ModulePass
from xdsl.printer import Printer
from xdsl.transforms.canonicalize import CanonicalizePass

from benchmarks.rows import Row, cpu_seconds, cpu_seconds_of_process, in_turn
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.dialects.text.printing import FastPrinter
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.verification import verify_module
from sambaflow.passes.samba_canonicalize import SambaCanonicalizePass

OPS = 10_000
STARTS, RUNS = 15, 3
"""Pairs of runs: of a process that only starts, and of all that takes longer."""


@dataclass(frozen=True)
class Corpus:
    """A module as each side reads it. `flags`: of xdsl-opt, whose parser has to know what the module asks for."""

    name: str
    own: str
    other: str
    generic: bool = False
    flags: tuple[str, ...] = ()

    def context(self) -> Context:
        """xDSL's, without our dialects."""
        ctx = Context(allow_unregistered=bool(self.flags))
        for name, factory in get_all_dialects().items():
            ctx.register_dialect(name, factory)
        return ctx


def driver() -> list[Row]:
    corpora = _corpora()
    steps = [row for corpus in corpora for row in _steps(corpus)]
    return [*_processes(corpora), *steps, *_canonicalization()]


# Whole processes


def _processes(corpora: Sequence[Corpus]) -> list[Row]:
    small = BUILTIN.text(10)
    whole = [_process(corpus, RUNS) for corpus in corpora if corpus.name in ("builtin, pretty", "samba, generic")]
    return [_process(Corpus("start on 10 ops", small, small), STARTS), *whole]


def _process(corpus: Corpus, times: int) -> Row:
    tools = Path(executable).parent
    with tempfile.TemporaryDirectory() as folder:
        own, other = Path(folder, "own.mlir"), Path(folder, "other.mlir")
        own.write_text(corpus.own)
        other.write_text(corpus.other)
        seconds = in_turn(
            lambda: cpu_seconds_of_process([tools / "samba-opt", own]),
            lambda: cpu_seconds_of_process([tools / "xdsl-opt", *corpus.flags, other]),
            times,
        )
    return _row(f"samba-opt: {corpus.name}", "xdsl-opt", *seconds)


def _row(what: str, reference: str, own: float, other: float) -> Row:
    """Ours may take as long as theirs."""
    return Row(what, own * 1e3, "ms", reference, other * 1e3, other * 1e3)


# What processes spend their time on


def _steps(corpus: Corpus) -> list[Row]:
    """Parse, print and verify; xDSL checks nothing of unregistered ops."""
    read: dict[str, ModuleOp] = {}
    steps: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "parse": (lambda: read.update(own=_own(corpus.own)), lambda: read.update(other=_other(corpus))),
        "print": (lambda: _own_text(read["own"], corpus.generic), lambda: _text(read["other"], corpus.generic)),
        "verify": (lambda: verify_module(read["own"]), lambda: read["other"].verify()),
    }
    if corpus.flags:
        del steps["verify"]
    return [
        _row(f"{step}: {corpus.name}", "xDSL", *in_turn(lambda: cpu_seconds(a), lambda: cpu_seconds(b), RUNS))  # noqa: B023
        for step, (a, b) in steps.items()
    ]


def _own(text: str) -> ModuleOp:
    return parse_module(text, "own.mlir", SambaContext())


def _other(corpus: Corpus) -> ModuleOp:
    return Parser(corpus.context(), corpus.other, "other.mlir").parse_module()


def _own_text(module: ModuleOp, generic: bool) -> str:
    printer = FastPrinter(generic=generic)
    printer.print_op(module)
    return printer.text()


def _text(module: ModuleOp, generic: bool) -> str:
    stream = StringIO()
    Printer(stream, print_generic_format=generic).print_op(module)
    return stream.getvalue()


# Canonicalization


def _canonicalization() -> list[Row]:
    """samba-canonicalize beside canonicalize on ops of the same shape, read by our parser."""
    pairs = {
        "nothing to do": (SAMBA.text(), DECLARATIVE.text()),
        "every second op times 1": (SAMBA_TIMES_1.text(), BUILTIN_TIMES_1.text()),
    }
    rows: list[Row] = []
    for name, (own, other) in pairs.items():
        seconds = in_turn(
            lambda: _canonicalize(SambaCanonicalizePass(), own),  # noqa: B023
            lambda: _canonicalize(CanonicalizePass(), other),  # noqa: B023
            RUNS,
        )
        rows.append(_row(f"samba-canonicalize: {name}", "canonicalize", *seconds))
    return rows


def _canonicalize(canonicalize: ModulePass, text: str) -> float:
    ctx, module = SambaContext(), _own(text)
    return cpu_seconds(lambda: canonicalize.apply(ctx, module))


# The modules


@dataclass(frozen=True)
class Chain:
    """A function of `ops` in turn, as often as it takes: `{x}` is the newest value of type `{t}`, `%x` the first."""

    ops: tuple[str, ...]
    type: str = "tensor<4x64x128xf32>"
    constant: str = ""

    def text(self, count: int = OPS) -> str:
        lines, newest = [f"func.func @f(%x: {self.type}, %s: f32) -> {self.type} {{", self.constant], "%x"
        for i in range(count):
            op = self.ops[i % len(self.ops)]
            lines.append(f"  %v{i} = {op.format(x=newest, t=self.type, i=i)}")
            newest = f"%v{i}" if "{x}" in op else newest
        return "\n".join([*lines, f"  func.return {newest} : {self.type}", "}", ""])


BUILTIN = Chain((
    "arith.addf {x}, %x : {t}",
    "arith.constant {i}.0 : f32",
    "arith.mulf {x}, {x} : {t}",
    "tensor.splat %s : {t}",
    "arith.divf {x}, %x : {t}",
    "arith.cmpf olt, %s, %s : f32",
    "arith.maximumf {x}, %x : {t}",
    "tensor.empty() : {t}",
    "arith.subf {x}, %x : {t}",
    "arith.mulf %s, %s : f32",
))  # fmt: skip
SAMBA = Chain((
    "samba.sin {x} : {t}",
    "samba.add {x}, {x} : ({t}, {t}) -> {t}",
    "samba.tanh {x} : {t}",
    "samba.sub {x}, %x : ({t}, {t}) -> {t}",
    "samba.clamp {x} {{min = 0.0, max = 6.0}} : {t}",
))  # fmt: skip
DECLARATIVE = Chain((
    "math.sin {x} : {t}",
    "tosa.add {x}, {x} : ({t}, {t}) -> {t}",
    "math.tanh {x} : {t}",
    "tosa.sub {x}, %x : ({t}, {t}) -> {t}",
    "tosa.clamp {x} {{min_val = 0.0 : f32, max_val = 6.0 : f32}} : ({t}) -> {t}",
))  # fmt: skip

SAMBA_TIMES_1 = Chain(
    ("samba.mul {x}, %one : ({t}, {t}) -> {t}", "samba.abs {x} : {t}"),
    "tensor<i32>", "%one = samba.constant dense<1> : tensor<i32>",
)  # fmt: skip
BUILTIN_TIMES_1 = Chain(
    ("arith.muli {x}, %one : {t}", "math.absi {x} : {t}"), "i32", "%one = arith.constant 1 : i32"
)  # fmt: skip


def _corpora() -> list[Corpus]:
    builtin, samba, declarative = BUILTIN.text(), SAMBA.text(), DECLARATIVE.text()
    generic = [_text(_own(text), generic=True) for text in (builtin, samba)]
    return [
        Corpus("builtin, pretty", builtin, builtin),
        Corpus("builtin, generic", generic[0], generic[0], generic=True),
        Corpus("samba, pretty", samba, declarative),
        Corpus("samba, generic", generic[1], generic[1], generic=True, flags=("--allow-unregistered-dialect",)),
    ]
