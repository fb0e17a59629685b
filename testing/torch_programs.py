"""Random small PyTorch programs, as source text: for tests that compare what is compiled with what PyTorch says.

    @given(torch_programs())
    def test_compiled_is_eager(program):
        module = program.module()
        for args, kwargs in program.calls(): ...

A program is written a statement at a time and carried out by PyTorch as it is written, so shapes, dtypes and what
PyTorch refuses come from PyTorch alone; statements are in `torch_statements`.
"""

from __future__ import annotations

import copy
import linecache
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from sambaflow.testing.scope import Chooser, SeededChooser
from sambaflow.testing.torch_statements import STATEMENTS, Names, Statement

SIZES = (2, 3, 4, 1, 5, 6, 8)
LONG = (127, 128, 129, 130, 257, 300)
"""Extents about the block of 128 in which sums are made."""
MOST_ELEMENTS = 4096
"""Of one tensor of a program."""
LARGEST = 1e4
"""Floats beyond say little: a statement that makes them is not taken."""
LAYOUTS = ("dense", "transposed", "sliced", "offset")
CALLS = 2
ATTEMPTS = 4
"""At a statement, until one is taken."""


@dataclass(frozen=True)
class Spec:
    """A tensor that a program starts from: an input or a buffer.

    `layout`: how it lies in memory ("dense"; "transposed": last two dimensions swapped; "sliced": every second element
    of the last dimension of a larger tensor; "offset": not at the start of its storage). `limit`: integers go from 0 to
    below it, as indices; 0: any small ones.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    layout: str = "dense"
    limit: int = 0
    special: bool = False
    """Whether floats hold infinities, NaN and -0.0."""

    def tensor(self, call: int) -> Tensor:
        """Its elements in a call: multiples of 1/8 up to 2, so that short sums and products of them are exact."""
        seed = zlib.crc32(f"{self.name}:{call}:{self.shape}".encode())
        generator = torch.Generator().manual_seed(seed)
        if self.dtype == torch.bool:
            values = torch.rand(self.shape, generator=generator) < 0.5
        elif not self.dtype.is_floating_point:
            low, high = (0, self.limit) if self.limit else (-4, 5)
            values = torch.randint(low, high, self.shape, generator=generator).to(self.dtype)
        else:
            values = (torch.randint(-16, 17, self.shape, generator=generator) / 8).to(self.dtype)
            if self.special and values.numel():
                places = torch.randint(0, values.numel(), (3,), generator=generator)
                values.view(-1)[places] = torch.tensor([torch.inf, torch.nan, -0.0]).to(self.dtype)
        return _laid_out(values, self.layout)


def _laid_out(values: Tensor, layout: str) -> Tensor:
    if layout == "transposed" and values.dim() > 1:
        return values.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "sliced" and values.dim() > 0:
        return torch.stack([values, torch.zeros_like(values)], -1).flatten(-2)[..., ::2]
    if layout == "offset":
        return torch.cat([values.new_zeros(3), values.reshape(-1)])[3:].view(values.shape)
    return values


@dataclass(frozen=True)
class Program:
    """A module and how it is called: the first `positional` inputs by position, the rest by keyword.

    `order`: the keywords' order in the call, which is another one than the module's.
    """

    inputs: tuple[Spec, ...]
    positional: int
    order: tuple[int, ...]
    buffers: tuple[Spec, ...]
    body: tuple[str, ...]
    returned: str
    """The expression that the module returns."""

    def source(self) -> str:
        """The module's Python text."""
        names = [spec.name for spec in self.inputs]
        parameters = [
            *names[: self.positional],
            *(["*"] if self.positional < len(names) else []),
            *names[self.positional :],
        ]
        lines = ["class Program(nn.Module):"]
        if self.buffers:
            lines += ["    def __init__(self, buffers):", "        super().__init__()"]
            lines += [f"        self.register_buffer({b.name!r}, buffers[{b.name!r}])" for b in self.buffers]
        lines.append(f"    def forward(self, {', '.join(parameters)}):")
        lines += [f"        {statement}" for statement in (*self.body, f"return {self.returned}")]
        return "\n".join(lines) + "\n"

    def module(self) -> nn.Module:
        """A new instance, with the buffers' first values."""
        text = self.source()
        file = f"program_{zlib.crc32(text.encode()):08x}.py"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        scope: dict[str, Any] = {"torch": torch, "nn": nn, "F": nn.functional}
        exec(compile(text, file, "exec"), scope)
        buffers = {spec.name: spec.tensor(0) for spec in self.buffers}
        module: nn.Module = scope["Program"](buffers) if buffers else scope["Program"]()
        return module.eval()

    def calls(self) -> list[tuple[tuple[Tensor, ...], dict[str, Tensor]]]:
        """New arguments of every call, keywords in the order of the call."""
        calls: list[tuple[tuple[Tensor, ...], dict[str, Tensor]]] = []
        for call in range(CALLS):
            named = [(spec.name, spec.tensor(call)) for spec in self.inputs]
            keywords = named[self.positional :]
            kwargs = dict(keywords if call == 0 else [keywords[i] for i in self.order])
            calls.append((tuple(value for _, value in named[: self.positional]), kwargs))
        return calls

    def __str__(self) -> str:
        specs = "\n".join(f"# {spec}" for spec in (*self.inputs, *self.buffers))
        return f"\n{specs}\n{self.source()}"

    __repr__ = __str__


@st.composite
def torch_programs(draw: st.DrawFn, most: int = 9, statements: Sequence[Statement] = STATEMENTS) -> Program:
    """Programs of up to `most` statements on one to three inputs and up to two buffers; a float is f32, seldom bf16."""
    return _ProgramMaker(Chooser(draw), most, statements).program()


def torch_program(seed: int, most: int = 9) -> Program:
    """The program of a seed: for long runs, in which every example is another one."""
    return _ProgramMaker(SeededChooser(seed), most, STATEMENTS).program()


class _ProgramMaker:
    """Writes one program and carries it out as it is written, on the tensors of its first call."""

    def __init__(self, choose: Chooser, most: int, statements: Sequence[Statement]) -> None:
        self.choose, self.most, self.statements = choose, most, statements
        self.float = choose.one_of((torch.float32,) * 7 + (torch.bfloat16,))
        self.special = choose.chance(8)
        self.inputs: list[Spec] = []
        self.values: dict[str, Tensor] = {}
        self.body: list[str] = []

    def program(self) -> Program:
        choose = self.choose
        for _ in range(1 + choose.below(2)):
            self.new_input(self.shape())
        buffers = [self.spec(f"self.b{i}", self.shape()) for i in range(choose.one_of((0, 0, 1, 1, 2)))]
        self.values |= {spec.name: spec.tensor(0) for spec in buffers}
        choose.repeat(self.statement, 1, self.most)
        returned = self.returned()
        used = set(re.findall(r"\bx\d+\b", " ".join((*self.body, returned))))
        self.inputs = [spec for spec in self.inputs if spec.name in used] or self.inputs[:1]
        keywords = choose.below(len(self.inputs)) if choose.chance(40) else 0
        order = tuple(choose.order_of(range(keywords)))
        named = tuple(replace(spec, name=spec.name.removeprefix("self.")) for spec in buffers)
        return Program(tuple(self.inputs), len(self.inputs) - keywords, order, named, tuple(self.body), returned)

    # -- tensors to start from

    def shape(self) -> tuple[int, ...]:
        choose = self.choose
        shape = [choose.one_of(SIZES) for _ in range(choose.one_of((2, 2, 3, 1, 3, 4, 0)))]
        if shape and choose.chance(15):
            shape[choose.below(len(shape))] = choose.one_of(LONG)
        while shape and torch.Size(shape).numel() > MOST_ELEMENTS // 4:
            shape.pop()
        return tuple(shape)

    def spec(self, name: str, shape: tuple[int, ...], dtype: torch.dtype | None = None, limit: int = 0) -> Spec:
        choose = self.choose
        kinds = (self.float,) * 5 + (torch.int64, torch.bool, torch.int32)
        layout = choose.one_of(LAYOUTS) if choose.chance(20) else "dense"
        return Spec(name, shape, dtype or choose.one_of(kinds), layout, limit, self.special)

    def new_input(self, shape: tuple[int, ...], dtype: torch.dtype | None = None, limit: int = 0) -> str:
        """The name of a new input; indices below `limit`, where that is given."""
        spec = self.spec(f"x{len(self.inputs)}", shape, torch.int64 if limit else dtype, limit)
        self.inputs.append(spec)
        self.values[spec.name] = spec.tensor(0)
        return spec.name

    # -- statements

    def names(self) -> Names:
        return Names(self.choose, dict(reversed(self.values.items())), self.float, self.new_input)

    def statement(self) -> None:
        """Add a statement: one that PyTorch takes, and that makes no more than a test should see."""
        for _ in range(ATTEMPTS):
            inputs, values = list(self.inputs), dict(self.values)
            try:
                if self.carry_out(self.choose.one_of(self.statements)(self.names())):
                    return
            except LookupError:
                pass
            self.inputs, self.values = inputs, values

    def carry_out(self, text: str) -> bool:
        scope = Scope(self.values)
        try:
            scope.run(text)
        except (RuntimeError, IndexError, TypeError, ValueError, NotImplementedError):
            return False
        if not all(map(self.is_welcome, scope.values.values())):
            return False
        self.values = scope.values
        self.body.append(text)
        return True

    def is_welcome(self, value: Tensor) -> bool:
        if not 0 < value.numel() <= MOST_ELEMENTS or value.dtype not in WELCOME:
            return False
        if self.special or not value.dtype.is_floating_point:
            return True
        return bool(value.isfinite().all()) and float(value.abs().max()) <= LARGEST

    # -- results

    def returned(self) -> str:
        """A structure of some of the values, of the last one in any case."""
        choose = self.choose
        names = list(self.values)
        taken = [names[-1], *choose.some_of(names[:-1])][:4]
        match choose.below(5):
            case 0:
                return names[-1]
            case 1:
                return "{" + ", ".join(f"{f'k{i}'!r}: {name}" for i, name in enumerate(taken)) + "}"
            case 2:
                return f"[{', '.join(taken)}, 3]"
            case 3:
                return f"({taken[0]}, {{'rest': ({', '.join(taken)},)}})"
            case _:
                return f"({', '.join(taken)},)"


WELCOME = frozenset({torch.float32, torch.bfloat16, torch.int64, torch.int32, torch.bool})


class Scope:
    """Tensors by name, with a statement to be carried out on copies of them that alias each other as they do."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        memo: dict[int, Any] = {}
        self.values = {name: copy.deepcopy(value, memo) for name, value in values.items()}

    def run(self, text: str) -> None:
        """Carry out a statement; names that it binds to tensors are values from then on."""
        buffers = {name.removeprefix("self."): v for name, v in self.values.items() if name.startswith("self.")}
        module = SimpleNamespace(**buffers)
        scope: dict[str, Any] = {"torch": torch, "F": nn.functional, "self": module, **self.values}
        with torch.no_grad():
            exec(text, scope)
        tensors = {name: v for name, v in scope.items() if isinstance(v, Tensor) and not name.startswith("self.")}
        self.values = {**{f"self.{name}": v for name, v in vars(module).items()}, **tensors}
