"""Machine files and rule files that somebody spoiled: YAML altered at random. `make fuzz`, or

    python -m sambaflow.testing.forged_files --mutants 1500 --seed 0 --jobs 2

A spoiled file must be refused with a diagnostic, or be used: a module is compiled with it, and its PEF timed, within
`SECONDS` and `MORE_BYTES`. Mutant number n of a seed is always the same one. Prints how many were refused and used, and
every other one with what it did; the exit code is 1 if there was one.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from sambaflow import machine
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import SambaError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.passes.fusion import rules as fusion_rules
from sambaflow.samba.module_compiler import compile_module
from sambaflow.sim.timing.program import time_graph
from sambaflow.testing.forged_pefs import MORE_BYTES, SECONDS, Outcome, soak
from sambaflow.testing.limits import Exceeded, limited

MODULE = """
func.func public @forward(%w: tensor<64x32xbf16> {samba.role = "param", samba.name = "w"},
                          %x: tensor<16x32xbf16> {samba.name = "x"}) -> (tensor<16x64xbf16> {samba.name = "y"}) {
  %0 = samba.linear %x, %w : (tensor<16x32xbf16>, tensor<64x32xbf16>) -> tensor<16x64xbf16>
  %1 = samba.sigmoid %0 : tensor<16x64xbf16>
  %2 = samba.mul %0, %1 : (tensor<16x64xbf16>, tensor<16x64xbf16>) -> tensor<16x64xbf16>
  %3 = samba.neg %2 : tensor<16x64xbf16>
  %4 = samba.add %0, %3 : (tensor<16x64xbf16>, tensor<16x64xbf16>) -> tensor<16x64xbf16>
  func.return %4 : tensor<16x64xbf16>
}
"""
FUSION = """
gated:
  priority: 3
  heuristic: SAFE_GEMM
  pattern:
    linear: {op_type: [linear, matmul], children: [sigmoid, mul]}
    sigmoid: {op_type: sigmoid, child: mul, required: false}
    mul: {op_type: mul}
rest:
  pattern:
    neg: {op_type: neg, child: add}
    add: {op_type: add}
"""
REWRITES = """
silu:
  source:
    product: {op_type: mul, operands: [$x, gate], any_order: true}
    gate: {op_type: sigmoid, operands: [$x]}
  target:
    new: {op_type: silu, operands: [$x]}
subtract:
  priority: 5
  source:
    sum: {op_type: add, operands: [$x, negated], if other: null}
    negated: {op_type: neg, operands: [$y]}
  target:
    new: {op_type: sub, operands: [$x, $y], set alpha: $sum.alpha}
"""
OTHERS = (
    "0", "-1", "1", "2147483648", "65536", "1e400", "9" * 5000, "5e-324", "1e21", "1.5", ".inf", "-.inf", ".nan",
    "true", "null", "", "''", "x", "ö", "[]", "{}", "[1, 2]", "{value: 1}", "*a", "&a 1", "!!python/name:os.system x",
    "!!binary aaaa", "2026-01-01", "2026-99-99", "0x10", "0o17", "1_0", "[" * 3000, "{a: " * 200, "| x", "%x",
    "\0", "\t",
)  # fmt: skip


def _machine_text() -> str:
    own = Path(machine.__file__).parent / "sn40l.yaml"
    return own.read_text(encoding="utf-8")


def _fusion_text() -> str:
    return (Path(fusion_rules.__file__).parent / "default.yaml").read_text(encoding="utf-8")


def _with_machine(path: str) -> None:
    image = compile_module(parse_module(MODULE, "module.mlir", SambaContext()), mode="o1", machine=path)
    time_graph(image)


def _with_rules(path: str) -> None:
    compile_module(parse_module(MODULE, "module.mlir", SambaContext()), mode="o1", rules=path)


def _with_rewrites(path: str) -> None:
    run_pipeline(
        parse_module(MODULE, "module.mlir", SambaContext()), f"samba-canonicalize{{rules={path}}}", SambaContext()
    )


KINDS: Sequence[tuple[Callable[[], str], Callable[[str], None]]] = (
    (_machine_text, _with_machine),
    (lambda: "extends: sn40l\nclock: 1e9\npcu: {count: 64, lanes: 8}\npmu: {count: 64}\n", _with_machine),
    (_fusion_text, _with_rules),
    (lambda: FUSION, _with_rules),
    (lambda: REWRITES, _with_rewrites),
)
"""The text of a file, and what uses one."""


def spoiled(text: str, chosen: random.Random) -> str:
    """A text with one to three things wrong."""
    for _ in range(chosen.choice((1, 1, 1, 2, 3))):
        text = chosen.choice(_WAYS)(text, chosen)
    return text


def _other_value(text: str, chosen: random.Random) -> str:
    """A word, number or bracket becomes another one, of this file or of others."""
    words = list(re.finditer(r"[\w.$*-]+|\{[^{}]*\}|\[[^\[\]]*\]", text))
    if not words:
        return text
    word = chosen.choice(words)
    other = chosen.choice(OTHERS) if chosen.random() < 0.7 else chosen.choice(words).group()
    return text[: word.start()] + other + text[word.end() :]


def _other_lines(text: str, chosen: random.Random) -> str:
    """A line goes, comes twice, elsewhere, or further in."""
    lines = text.split("\n")
    at, other = chosen.randrange(len(lines)), chosen.randrange(len(lines))
    match chosen.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case _:
            lines[at] = "  " + lines[at]
    return "\n".join(lines)


def _other_character(text: str, chosen: random.Random) -> str:
    at = chosen.randrange(len(text) + 1)
    return text[:at] + chosen.choice("{}[]:,#&*!|>'\"%@`\\\n\t\0é-?") + text[at + chosen.randrange(2) :]


def _cut(text: str, chosen: random.Random) -> str:
    return text[: chosen.randrange(len(text) + 1)]


_WAYS: Sequence[Callable[[str, random.Random], str]] = (
    _other_value, _other_value, _other_value, _other_lines, _other_lines, _other_character, _cut,
)  # fmt: skip


def tried(seed: int) -> tuple[int, Outcome]:
    """The outcome of a seed's mutant."""
    chosen = random.Random(seed)
    make, use = chosen.choice(KINDS)
    text = spoiled(make(), chosen)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoiled.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            with limited(SECONDS, MORE_BYTES):
                use(str(path))
        except SambaError as error:
            return seed, Outcome("refused", error.message)
        except Exceeded as error:
            return seed, Outcome("fault", f"{error}\n{text}")
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])
            return seed, Outcome("fault", f"{type(error).__name__}: {str(error)[:300]}\n{where}")
    return seed, Outcome("used")


def main(arguments: Sequence[str] | None = None) -> int:
    return soak("forged_files", "spoiled machine and rule files", 1500, tried, ("refused", "used"), arguments)


if __name__ == "__main__":
    sys.exit(main())
