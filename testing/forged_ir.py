"""IR that somebody forged: modules of all three levels, altered at random. `make fuzz`, or

    python -m sambaflow.testing.forged_ir --mutants 4000 --seed 0 --jobs 2

A forged module must be refused with a diagnostic, or be a module: what is printed reads back and prints the same, and
the rest of the pipeline makes a PEF of it or refuses it, within `SECONDS` and `MORE_BYTES`. It is altered as text, or
op by op and then judged both as it is in memory and as text. Mutant number n of a seed is always the same one. Prints
how many were refused, went as far as a PEF or stopped on the way, and every fault; the exit code is 1 if there was one.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from random import Random

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp
from xdsl.dialects.func import FuncOp

from sambaflow.backends.rdu.check import check
from sambaflow.backends.rdu.encode import encode
from sambaflow.backends.rdu.from_ir import image_of
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.dialects.text.printing import print_module
from sambaflow.errors import InternalError, SambaError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.framework.verification import verify_module
from sambaflow.testing import ir_changes, op_changes
from sambaflow.testing.ir_corpus import Piece, applies, corpus
from sambaflow.testing.limits import Exceeded, limited

SECONDS = 10
MORE_BYTES = 1 << 30
SEED_STEP = 1_000_000
"""Mutants of one seed."""
LEVELS = ("samba", "kernel", "rdu")
MODES = ("o0", "o1", "o3")


# ---- a mutant


@dataclass(frozen=True)
class Forged:
    """A mutant: the level of what was altered, the mode of the pipeline for the rest, the text, and, if ops were
    altered, what makes the module as it is in memory."""

    level: str
    mode: str
    text: str
    in_memory: Callable[[], ModuleOp] | None = None


def forged(seed: int, pieces: Sequence[Piece] | None = None) -> Forged:
    """The mutant of a seed, of one of `pieces` (default: of the whole corpus)."""
    random = Random(seed)
    pieces = corpus() if pieces is None else pieces
    level = random.choice(LEVELS)
    piece = random.choice([candidate for candidate in pieces if candidate.level == level])
    mode = random.choice(MODES)
    if random.random() < 0.5:
        make = partial(_altered_ops, piece, random.random())
        return Forged(level, mode, print_module(make(), generic=True), make)
    text = piece.text
    if random.random() < 0.5:
        text = print_module(parse_module(text, piece.name, SambaContext()), generic=True)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        text = random.choice(ir_changes.CHANGES)(random, text)
    return Forged(level, mode, text)


def _altered_ops(piece: Piece, seed: float) -> ModuleOp:
    random = Random(seed)
    module = parse_module(piece.text, piece.name, SambaContext())
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        op_changes.change(random, module)
    return module


# ---- what becomes of it


@dataclass(frozen=True)
class Outcome:
    """kind: "refused" (when read or verified), "stopped" (refused on the way to a PEF), "done" or "fault"."""

    kind: str
    why: str = ""


def outcome_of(mutant: Forged) -> Outcome:
    """Verify, print, read back and compile a mutant, in bounds."""
    try:
        with limited(SECONDS, MORE_BYTES):
            if mutant.in_memory is not None and _is_module(module := mutant.in_memory()):
                _print_and_read(module)
            return _tried(mutant)
    except Exceeded as error:
        return Outcome("fault", str(error))
    except Exception as error:
        cause = error.__cause__ if isinstance(error, InternalError) and error.__cause__ is not None else error
        where = "".join(traceback.format_tb(cause.__traceback__)[-4:])
        return Outcome("fault", f"{type(cause).__name__}: {str(cause)[:1000]}\n{where}")


def _is_module(module: ModuleOp) -> bool:
    """Whether what is in memory verifies."""
    try:
        verify_module(module)
    except SambaError as error:
        _refused("refused", error)
        return False
    return True


def _refused(kind: str, error: SambaError) -> Outcome:
    if isinstance(error, InternalError):
        raise error
    return Outcome(kind, error.message)


def _tried(mutant: Forged) -> Outcome:
    try:
        module = _read(mutant.text)
    except SambaError as error:
        return _refused("refused", error)
    _print_and_read(module)
    try:
        if mutant.level != "rdu" or not _is_finished(module):
            _run_rest(module, mutant)
            _check_pef(module)
    except SambaError as error:
        return _refused("stopped", error)
    return Outcome("done")


def _read(text: str) -> ModuleOp:
    module = parse_module(text, "forged.mlir", SambaContext())
    verify_module(module)
    return module


def _print_and_read(module: ModuleOp) -> None:
    """Each form of the text, read again, is the same module, which its generic form says in full."""
    _normalize(module)
    whole = print_module(module, generic=True)
    for generic in (False, True):
        try:
            again = _read(text := print_module(module, generic))
        except SambaError as error:
            raise AssertionError(f"{'generic ' if generic else ''}text that is not read back: {error}") from None
        _normalize(again)
        _compare("what is read back prints differently", print_module(again, generic), text)
        _compare("what is read back is another module", print_module(again, generic=True), whole)


def _normalize(module: ModuleOp) -> None:
    """Properties by name, as the order says nothing; empty attributes of arguments and results are none."""
    for op in module.walk():
        properties = dict(sorted(op.properties.items()))
        if isinstance(op, FuncOp):
            for name in ("arg_attrs", "res_attrs"):
                entries = properties.get(name)
                if isinstance(entries, ArrayAttr) and all(entry == DictionaryAttr({}) for entry in entries):
                    del properties[name]
        op.properties = properties


def _compare(what: str, actual: str, wanted: str) -> None:
    lines = zip(actual.splitlines(), wanted.splitlines(), strict=False)
    difference = next((pair for pair in lines if pair[0] != pair[1]), ())
    assert actual == wanted, "\n".join((what, *difference))


def _is_finished(module: ModuleOp) -> bool:
    """Whether a program is a PEF as it is."""
    try:
        _check_pef(module)
    except SambaError:
        return False
    return True


def _run_rest(module: ModuleOp, mutant: Forged) -> None:
    passes = [pass_ for pass_ in parse_pipeline(mutant.mode) if applies(pass_.name, mutant.level)]
    run_pipeline(module, passes)
    verify_module(module)


def _check_pef(module: ModuleOp) -> None:
    image = image_of(module)
    encode(image)
    check(image)


# ---- many


def tried(seed: int) -> tuple[int, Outcome]:
    """The outcome of a seed's mutant."""
    return seed, outcome_of(forged(seed))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sambaflow.testing.forged_ir", description="forged IR")
    parser.add_argument("--mutants", type=int, default=4000, help="how many (default: 4000)")
    parser.add_argument("--seed", type=int, default=0, help="which (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--show", type=int, metavar="N", help="print mutant N, what becomes of it, and stop")
    options = parser.parse_args(arguments)
    if options.show is not None:
        mutant = forged(options.show)
        print(mutant.text, f"// {mutant.level}, {mutant.mode}: {outcome_of(mutant)}", sep="\n")
        return 0
    seeds = [options.seed * SEED_STEP + number for number in range(options.mutants)]
    kinds: Counter[str] = Counter()
    with get_context("spawn").Pool(options.jobs) as pool:
        for seed, outcome in pool.imap_unordered(tried, seeds, chunksize=25):
            kinds[outcome.kind] += 1
            if outcome.kind == "fault":
                print(f"-- {seed}: {outcome.why}", flush=True)
    print(", ".join(f"{kinds[kind]} {kind}" for kind in ("refused", "stopped", "done", "fault")))
    return int(kinds["fault"] > 0)


if __name__ == "__main__":
    sys.exit(main())
