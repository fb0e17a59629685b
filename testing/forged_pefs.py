"""PEFs that somebody forged: altered at random, with checksums made anew. `make fuzz`, or

    python -m sambaflow.testing.forged_pefs --mutants 20000 --seed 0 --jobs 2

A forged file must be refused when it is decoded, or be a program: run, timed and read back as IR within `SECONDS` and
`MORE_BYTES`. Mutant number n of a seed is always the same one. Prints how many were refused and how many ran, and
every other one with what it did; the exit code is 1 if there was one.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache
from multiprocessing import get_context
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from sambaflow.backends.rdu.decode import decode
from sambaflow.backends.rdu.elf import ElfSection, read_elf, write_elf
from sambaflow.backends.rdu.encode import checksums, encode
from sambaflow.backends.rdu.image import Image
from sambaflow.backends.rdu.to_ir import module_of
from sambaflow.errors import InputError, PefError
from sambaflow.sim.functional.dtypes import TORCH_DTYPES
from sambaflow.sim.functional.engine import LASTING, Engine, whole_shape
from sambaflow.sim.timing.program import time_graph
from sambaflow.testing.limits import Exceeded, limited

SECONDS = 10
MORE_BYTES = 1 << 30
SEED_STEP = 1_000_000
"""Mutants of one seed."""
NUMBERS = (0, -1, 1, 2, 3, 255, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 40, 1 << 62, (1 << 63) - 1, -(1 << 63))


# ---- the programs that are altered


class _Dense(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(16, 32), nn.LayerNorm(32), nn.Linear(32, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.last(self.norm(self.first(x)).relu()), -1)


class _Convolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(nn.functional.max_pool2d(self.first(x), 2).mean((-1, -2)))


class _Indexed(nn.Module):
    """Look-ups, sorted lists, sums into places, and state that a call changes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 8)
        self.seen = nn.Buffer(torch.zeros(10, 8))

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rows = self.table(ids)
        self.seen.index_add_(0, ids, rows)
        values, places = torch.topk(rows, 3)
        return values, places, self.seen.sum(0)


class _Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(4, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cell(x)[0]


PROGRAMS: tuple[tuple[Callable[[], nn.Module], Callable[[], torch.Tensor], dict[str, Any]], ...] = (
    (_Dense, lambda: torch.randn(8, 16), {"mode": "o3"}),
    (_Indexed, lambda: torch.arange(6) % 5, {"mode": "o1"}),
    (_Dense, lambda: torch.randn(8, 16), {"mode": "o3", "chips": 2}),
    (_Convolution, lambda: torch.randn(1, 2, 6, 6), {"mode": "o1"}),
    (_Recurrent, lambda: torch.randn(1, 3, 4), {"mode": "o3"}),
)
"""Module, input and options of `sambaflow.compile`."""


@cache
def original(number: int) -> bytes:
    """The PEF of a program, as it was compiled."""
    from sambaflow.samba.compiler import compile

    module, inputs, options = PROGRAMS[number]
    torch.manual_seed(0)
    return encode(compile(module().eval(), (inputs(),), **options).image)


# ---- altering them


def forged(seed: int, programs: int = len(PROGRAMS)) -> bytes:
    """The mutant of a seed, of one of the first `programs` programs, with checksums that fit."""
    chosen = random.Random(seed)
    data = start = original(chosen.randrange(programs))
    ways: Sequence[Callable[[bytes, random.Random], bytes]] = (
        _alter_image,
        _alter_image,
        _alter_image,
        _alter_words,
        _alter_header,
        _alter_sections,
    )
    while True:
        for _ in range(chosen.choice((1, 1, 1, 2, 4))):
            data = chosen.choice(ways)(data, chosen)
        if data != start:
            return data


def resealed(sections: Sequence[ElfSection]) -> bytes:
    """The file of altered sections, with the checksums that they need."""
    *covered, last = sections
    last.data = checksums(covered)
    return write_elf([*covered, last])


Setter = Callable[[Any], None]


def _children(node: Any, put: Setter) -> list[tuple[Any, Setter]]:
    """What a record, list, array or object consists of, each with what puts another value in its place."""
    if is_dataclass(node):
        names = [field.name for field in fields(node) if field.name not in ("machine", "version")]
        return [(getattr(node, name), _attribute(node, name)) for name in names]
    if isinstance(node, np.ndarray):
        flat = node.reshape(-1)
        return [(int(flat[i]), _item(flat, i)) for i in range(len(flat))]
    if isinstance(node, tuple):
        whole = cast(tuple[Any, ...], node)
        return [(child, lambda v, i=i: put((*whole[:i], v, *whole[i + 1 :]))) for i, child in enumerate(whole)]
    if isinstance(node, list | dict):
        items: Any = node.items() if isinstance(node, dict) else enumerate(cast(list[Any], node))
        return [(child, _item(node, key)) for key, child in items]
    return []


def _place(root: Any, chosen: random.Random) -> tuple[Any, Setter]:
    """A value somewhere under `root`, found by going down at random, with what puts another one in its place."""
    value, put = root, cast(Setter, lambda value: None)
    while children := _children(value, put):
        if value is not root and chosen.random() < 0.15:
            break
        value, put = chosen.choice(children)
    return value, put


def _attribute(node: Any, name: str) -> Setter:
    return lambda value: setattr(node, name, value)


def _item(node: Any, key: Any) -> Setter:
    def put(value: Any) -> None:
        node[key] = value

    return put


def _alter_image(data: bytes, chosen: random.Random) -> bytes:
    """A field of a record gets another value, or that of another field of its kind."""
    if (start := _image_of(data)) is None:
        return data
    for _ in range(20):
        image = copy.deepcopy(start)
        value, put = _place(image, chosen)
        others = [other for other, _ in (_place(start, chosen) for _ in range(10)) if type(other) is type(value)]
        try:
            put(_other_value(value, others, chosen))
            altered = encode(image)
        except Exception:  # what no file can hold: the encoder says so, or numpy does
            continue
        if altered != data:
            return altered
    return data


@lru_cache(maxsize=8)
def _image_of(data: bytes) -> Image | None:
    try:
        return decode(data)
    except PefError:
        return None


def _other_value(value: Any, others: Sequence[Any], chosen: random.Random) -> Any:
    if others and chosen.random() < 0.4:
        return copy.deepcopy(chosen.choice(others))
    match value:
        case bool():
            return not value
        case int():
            return chosen.choice((*NUMBERS, value + 1, value - 1, value * 2, -value))
        case str():
            return chosen.choice(("", "ö\n\"'", value + "x", value * 1000))
        case list():
            return _other_list(cast(list[Any], value), chosen)
        case np.ndarray():
            return value[: chosen.randrange(len(value) + 1)] if value.ndim and len(value) else value
        case None:
            return chosen.choice((0, 1))
        case _:
            return None


def _other_list(value: list[Any], chosen: random.Random) -> list[Any]:
    """Without an element, with one twice, or in another order."""
    if not value:
        return value
    at = chosen.randrange(len(value))
    way = chosen.randrange(3)
    if way == 0:
        return value[:at] + value[at + 1 :]
    if way == 1:
        return [*value, copy.deepcopy(value[at])]
    return chosen.sample(value, len(value))


def _alter_words(data: bytes, chosen: random.Random) -> bytes:
    """A word of a section becomes another number, or that of another place."""
    sections = read_elf(data)
    worded = [s for s in sections if s.name.startswith(".rdu.") or s.name in (".pef.symbols", ".schedule")]
    worded = [s for s in worded if s.data and len(s.data) % 8 == 0]
    if not worded:
        return data
    section = chosen.choice(worded)
    words = np.frombuffer(section.data, "<u8").copy()
    at = chosen.randrange(len(words))
    choices = (*NUMBERS, int(words[at]) + 1, int(words[at]) - 1, int(words[chosen.randrange(len(words))]))
    words[at] = np.uint64(chosen.choice(choices) & (1 << 64) - 1)
    section.data = words.tobytes()
    return resealed(sections)


_JSON_VALUES: tuple[Any, ...] = (
    *NUMBERS, 10**30, 10**400, 1e308, -1.5, 5e-324, float("nan"), float("inf"), True, None, "", "x", [], {}, [1, 1],
)  # fmt: skip


def _alter_header(data: bytes, chosen: random.Random) -> bytes:
    """A value of the header or of the debug section becomes another one, or goes."""
    sections = read_elf(data)
    section = chosen.choice([s for s in sections if s.name in (".pef.header", ".pef.header", ".debug")] or sections)
    try:
        content = json.loads(section.data)
    except ValueError:
        return data
    value, put = _place(content, chosen)
    if isinstance(value, dict) and value and chosen.random() < 0.5:
        cast(dict[str, Any], value).pop(chosen.choice(list(cast(dict[str, Any], value))))
    else:
        put(chosen.choice(_JSON_VALUES))
    section.data = json.dumps(content).encode()
    return resealed(sections)


def _alter_sections(data: bytes, chosen: random.Random) -> bytes:
    """A section is cut, doubled, swapped with another, renamed or gone."""
    sections = read_elf(data)
    at, other = chosen.randrange(len(sections) - 1), chosen.randrange(len(sections) - 1)
    section = sections[at]
    match chosen.randrange(5):
        case 0:
            section.data = section.data[: chosen.randrange(len(section.data) + 1) // 8 * 8]
        case 1:
            section.data += section.data
        case 2:
            section.data, sections[other].data = sections[other].data, section.data
        case 3:
            sections.insert(other, copy.deepcopy(section))
        case _:
            del sections[at]
    return resealed(sections)


# ---- what becomes of a mutant


@dataclass(frozen=True)
class Outcome:
    """kind: "refused", "ran", "stopped" (it decoded, and was refused when run or timed) or "fault"; `why` says more."""

    kind: str
    why: str = ""


def outcome_of(data: bytes) -> Outcome:
    """Decode a file; if that is not refused, read it back as IR, run it on random tensors and time it, in bounds."""
    try:
        with limited(SECONDS, MORE_BYTES):
            return _tried(data)
    except Exceeded as error:
        return Outcome("fault", str(error))
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__)[-3:])
        return Outcome("fault", f"{type(error).__name__}: {str(error)[:300]}\n{where}")


def _tried(data: bytes) -> Outcome:
    try:
        image = decode(data, "forged.pef")
    except PefError as error:
        return Outcome("refused", error.message)
    module_of(image).verify()
    try:
        for schedule in image.schedules:
            time_graph(image, schedule.graph)
            _run(image, schedule.graph)
    except (PefError, InputError) as error:
        return Outcome("stopped", f"{type(error).__name__}: {error.message}")
    except Exception as error:
        if type(error).__name__ == "DeadlockError":
            return Outcome("stopped", f"DeadlockError: {error}")
        raise
    return Outcome("ran")


def _run(image: Image, graph: str) -> None:
    engine = Engine(image)
    tensors = [_tensor(whole_shape(symbol), symbol.dtype) for symbol in image.symbols]
    engine.load({s.name: t for s, t in zip(image.symbols, tensors, strict=True) if s.role in LASTING})
    inputs = [int(n) for n in engine.schedule(graph).inputs if image.symbols[int(n)].role == "input"]
    engine.run(graph, [tensors[n] for n in inputs])


def _tensor(shape: Sequence[int], dtype: str) -> torch.Tensor:
    kind = TORCH_DTYPES[dtype]
    return torch.randn(shape).to(kind) if kind.is_floating_point else torch.zeros(shape, dtype=kind)


def tried(seed: int) -> tuple[int, Outcome]:
    """The outcome of a seed's mutant."""
    torch.set_num_threads(1)
    return seed, outcome_of(forged(seed))


def main(arguments: Sequence[str] | None = None) -> int:
    return soak("forged_pefs", "forged PEFs", 20_000, tried, ("refused", "ran"), arguments)


def soak(
    name: str,
    what: str,
    mutants: int,
    tried: Callable[[int], tuple[int, Outcome]],
    sound: Sequence[str],
    arguments: Sequence[str] | None,
) -> int:
    """A command that tries many seeds in several processes, and prints every outcome that is not of a `sound` kind; the
    exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m sambaflow.testing.{name}", description=what)
    parser.add_argument("--mutants", type=int, default=mutants, help=f"how many (default: {mutants})")
    parser.add_argument("--seed", type=int, default=0, help="which (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    seeds = [options.seed * SEED_STEP + number for number in range(options.mutants)]
    kinds: Counter[str] = Counter(dict.fromkeys((*sound, "fault"), 0))
    with get_context("spawn").Pool(options.jobs) as pool:
        for seed, outcome in pool.imap_unordered(tried, seeds, chunksize=25):
            kinds[outcome.kind] += 1
            if outcome.kind not in sound:
                print(f"-- {seed}: {outcome.kind}: {outcome.why}", flush=True)
    print(what + ": " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    return int(sum(count for kind, count in kinds.items() if kind not in sound) > 0)


if __name__ == "__main__":
    sys.exit(main())
