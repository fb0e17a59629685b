"""Valid modules of all three levels, small ones: every operator by itself, the lit tests, and what passes make of some.

They are read from a checkout's `test` and `examples`.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from sambaflow.dialects import samba
from sambaflow.dialects.samba.table import shaped
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.dialects.text.printing import print_module
from sambaflow.errors import SambaError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.framework.verification import verify_module

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 6000
"""Characters of a piece."""


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


def lowered(name: str) -> tuple[Piece, ...]:
    """The first piece of a file, by its path from the root, and that after every pass of o1."""
    text = (ROOT / name).read_text().split("// -----")[0]
    module = parse_module(text, name, SambaContext())
    return (Piece(name, level_of(text), print_module(module)), *after_each_pass(name, module))


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

    def keep(finished: ModulePass, after: ModuleOp) -> None:
        text = printed(after)
        pieces.append(Piece(f"{name} after {finished.name}", level_of(text), text))

    level = level_of(printed(module))
    with contextlib.suppress(SambaError):  # a pass that the piece is not for
        run_pipeline(module, [pass_ for pass_ in parse_pipeline("o1") if applies(pass_.name, level)], None, keep)
    return pieces


def applies(pass_name: str, level: str) -> bool:
    """Whether a pass of a pipeline has its place at a level or below it."""
    above = {"samba": (), "kernel": ("samba", "convert-samba"), "rdu": ("samba", "kernel", "convert", "set-target")}
    return not pass_name.startswith(above[level])
