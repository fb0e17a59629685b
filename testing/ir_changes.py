"""Random changes of the text of a module: of characters, tokens, lines, numbers, types, operands and attributes."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

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
    pattern: re.Pattern[str], change: Callable[[Random, str, str], str], *, everywhere: bool = False
) -> Callable[[Random, str], str]:
    """One match of the pattern, or all that are equal, replaced by what `change` makes of it and of another match."""

    def apply(random: Random, text: str) -> str:
        matches = list(pattern.finditer(text))
        if not matches:
            return text
        target, other = random.choice(matches), random.choice(matches)
        replacement = change(random, target[0], other[0])
        if everywhere:
            return pattern.sub(lambda match: replacement if match[0] == target[0] else match[0], text)
        return text[: target.start()] + replacement + text[target.end() :]

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


def number(random: Random, text: str, other: str) -> str:
    n = int(text)
    near = (n + 1, n - 1, 2 * n, -n, n // 2)
    far = (0, 1, -1, 3, 1000, 1 << 31, -(1 << 31), 1 << 63, 1 << 64, 99999999999, 10**30)
    return random.choice((other, str(random.choice(near)), str(random.choice(near)), str(random.choice(far))))


def type_(random: Random, text: str, other: str) -> str:
    return random.choice((other, other, random.choice(TYPES)))


def element(random: Random, text: str, other: str) -> str:
    return random.choice((other, *TYPES[:8]))


def crossed(random: Random, text: str, other: str) -> str:
    """Two operands in the other order, twice the first, or those of another place."""
    first, second = text.split(", ")
    return random.choice((f"{second}, {first}", f"{first}, {first}", f"{first}, {other.split(', ')[0]}", other))


def entry(random: Random, text: str, other: str) -> str:
    """An attribute with the value of another, with any value, or renamed; or another attribute."""
    name, _, value = text.partition(" = ")
    other_name, _, other_value = other.partition(" = ")
    choices = (f"{name} = {other_value}", f"{name} = {random.choice(VALUES)}", f"{other_name} = {value}", other, "")
    return random.choice(choices)


CHANGES: tuple[Callable[[Random, str], str], ...] = (
    flip,
    *(on_tokens(change) for change in (drop, duplicate, swap, alike)),
    *(on_lines(change) for change in (drop, duplicate, swap)),
    *(on_matches(NUMBER, number) for _ in range(4)),
    *(on_matches(SIZE, number, everywhere=True) for _ in range(6)),
    *(on_matches(TYPE, type_) for _ in range(2)),
    *(on_matches(TYPE, type_, everywhere=True) for _ in range(2)),
    *(on_matches(ELEMENT, element, everywhere=True) for _ in range(4)),
    *(on_matches(TWO_OPERANDS, crossed) for _ in range(3)),
    *(on_matches(ENTRY, entry) for _ in range(6)),
)
"""Those that change all of a kind at once make modules that are still consistent, which passes see."""
