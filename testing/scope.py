"""Blocks under construction: where random operators take their operands from.

Every choice is one bounded integer of hypothesis, smaller ones first, so that examples shrink: to fewer ops, to the
newest values, to the first of every list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.vendor import pretty
from xdsl.dialects.builtin import DictionaryAttr, StringAttr, bf16, f32, i1, i32, i64
from xdsl.ir import Attribute, Block, SSAValue

from sambaflow.dialects import samba
from sambaflow.dialects.samba import Shaped, shaped_of, tensor_type
from sambaflow.dialects.samba.inference import Shape, is_float
from sambaflow.errors import InputError

T = TypeVar("T")

SIZES = (2, 4, 3, 1, 8, 5, 6, 16)
LONG = (304, 136)
"""Of one dimension now and then: more points than a block of a reduction, and than two."""
"""Extents of new tensors; those that divide over chips come first."""
MOST_ELEMENTS = 1280
"""Of one tensor: larger results are not made."""
MOST_DIMENSIONS = 4

Accepts = Callable[[Shaped], bool]


@cache
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


def _print_module(module: object, printer: pretty.RepresentationPrinter, cycle: bool) -> None:
    printer.text("\n" + str(module))


pretty.for_type_by_name("xdsl.dialects.builtin", "ModuleOp", _print_module)  # examples are shown as IR, not as Python


@st.composite
def _together(draw: st.DrawFn, make: Callable[[], object]) -> object:
    """What `make` draws, as one part of the example, which shrinking leaves out as a whole."""
    draw(st.none())
    return make()


class Chooser:
    """Choices of one example."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def below(self, count: int) -> int:
        """A number from 0 to count - 1."""
        return self._draw(_below(count)) if count > 1 else 0

    def between(self, low: int, high: int) -> int:
        """A number from low to high."""
        return low + self.below(high - low + 1)

    def repeat(self, make: Callable[[], object], least: int, most: int) -> None:
        """Call `make` `least` to `most` times; shrinking leaves calls out."""
        for i in range(most):
            if i >= least and self.below(8) == 0:
                break
            self._draw(_together(make))

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """True in about so many of a hundred cases; shrinks to False."""
        return self.below(100) >= 100 - percent

    def some_of(self, options: Sequence[T], least: int = 0) -> list[T]:
        """A subset in order, of at least so many."""
        taken = [self.chance(50) for _ in options]
        for i in range(len(taken)):
            if sum(taken) < least:
                taken[i] = True
        return [option for option, take in zip(options, taken, strict=True) if take]

    def order_of(self, options: Sequence[T]) -> list[T]:
        """A permutation."""
        left, order = list(options), list[T]()
        while left:
            order.append(left.pop(self.below(len(left))))
        return order

    def factors(self, number: int, most: int) -> list[int]:
        """Up to `most` numbers whose product is `number`."""
        parts: list[int] = []
        for _ in range(self.below(most)):
            divisors = [d for d in range(1, number + 1) if number % d == 0]
            parts.append(self.one_of(divisors))
            number //= parts[-1]
        return [*parts, number]


class SeededChooser(Chooser):
    """Choices of a pseudo-random sequence, without hypothesis: as many different examples as there are seeds."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, count: int) -> int:
        return self._random.randrange(count) if count > 1 else 0

    def repeat(self, make: Callable[[], object], least: int, most: int) -> None:
        for _ in range(self.between(least, most)):
            make()


@dataclass
class Scope:
    """A block that random operators are added to.

    Operands are values of the block or new ones: arguments (with a role), or constants where `constants` allows it.
    """

    choose: Chooser
    block: Block
    dtype: Attribute
    """The float type of new tensors, unless another is asked for."""
    values: list[SSAValue] = field(default_factory=list[SSAValue])
    arguments: list[DictionaryAttr] = field(default_factory=list[DictionaryAttr])
    """The attributes of the block's arguments."""
    labels: list[str] = field(default_factory=list[str])
    """The names that its arguments were asked to have, without numbers."""
    named: bool = True
    """Whether arguments have PyTorch names: in graphs, not in layers."""
    constants: int = 12
    """In percent: how many of the small new tensors are constants."""

    # -- values that are there

    def pick(self, accepts: Accepts, otherwise: Callable[[], SSAValue]) -> SSAValue:
        """One of the values, newest first, or (rarely, or when none fits) a new one."""
        fitting = [value for value in reversed(self.values) if accepts(shaped_of(value))]
        if not fitting or self.choose.chance(10):
            return otherwise()
        return self.choose.one_of(fitting)

    def any(self, accepts: Accepts = lambda s: True, least: int = 0, most: int = MOST_DIMENSIONS) -> SSAValue:
        """A value of `least` to `most` dimensions."""

        def fits(shaped: Shaped) -> bool:
            return least <= len(shaped.shape) <= most and accepts(shaped)

        def new() -> SSAValue:
            dtypes = [dtype for dtype in (self.dtype, f32, bf16, i64, i1, i32) if accepts(Shaped((), dtype))]
            return self.new(Shaped(self.shape(least, most), self.choose.one_of(dtypes)))

        return self.pick(fits, new)

    def float(self, least: int = 0, most: int = MOST_DIMENSIONS) -> SSAValue:
        return self.any(lambda s: is_float(s.dtype), least, most)

    def number(self, least: int = 0, most: int = MOST_DIMENSIONS) -> SSAValue:
        """Anything but bools."""
        return self.any(lambda s: s.dtype != i1, least, most)

    def like(self, shaped: Shaped) -> SSAValue:
        """A value of exactly this type."""
        return self.pick(lambda s: s == shaped, lambda: self.new(shaped))

    def beside(self, value: SSAValue, accepts: Accepts = lambda s: True, dtype: Attribute | None = None) -> SSAValue:
        """A value that broadcasts with `value`, to no more elements than allowed."""
        shape = shaped_of(value).shape

        def fits(other: Shaped) -> bool:
            wide = _broadcast(shape, other.shape)
            return accepts(other) and wide is not None and math.prod(wide) <= MOST_ELEMENTS

        def new() -> SSAValue:
            sizes = [1 if self.choose.chance(25) else size for size in shape]
            part = tuple(sizes[self.choose.below(len(shape) + 1) :])
            mine = shaped_of(value).dtype
            options = [d for d in (dtype, mine, self.dtype, i64, i1) if d is not None and accepts(Shaped(part, d))]
            return self.new(Shaped(part, self.choose.one_of(options)))

        return self.pick(fits, new)

    # -- values that are new

    def shape(self, least: int = 0, most: int = MOST_DIMENSIONS) -> Shape:
        """A shape of few elements."""
        shape: list[int] = []
        for _ in range(self.choose.between(least, most)):
            room = max(1, MOST_ELEMENTS // 4 // math.prod(shape))
            shape.append(self.choose.one_of([size for size in (*SIZES, *LONG) if size <= room]))
        return tuple(shape)

    def size(self, most: int = 16) -> int:
        return self.choose.one_of([size for size in SIZES if size <= most])

    def new(self, shaped: Shaped, role: str | None = None) -> SSAValue:
        """A new tensor of this type: mostly an argument, sometimes a small constant."""
        if role is None and math.prod(shaped.shape) <= 16 and self.choose.chance(self.constants):
            return self.constant(shaped)
        role = role or self.choose.one_of(
            ("param", "input", "buffer") if is_float(shaped.dtype) else ("input", "buffer")
        )
        return self.argument(shaped, role)

    def argument(self, shaped: Shaped, role: str, label: str = "") -> SSAValue:
        """A new argument of the block, named `label` (else the role's first letter) and its number."""
        number = len(self.block.args)
        value = self.block.insert_arg(tensor_type(shaped), number)
        facts: dict[str, Attribute] = {} if role == "input" else {"samba.role": StringAttr(role)}
        if self.named:
            facts["samba.name"] = StringAttr(f"{label or role[0]}{number}")
        self.arguments.append(DictionaryAttr(facts))
        self.labels.append(label)
        self.values.append(value)
        return value

    def constant(self, shaped: Shaped) -> SSAValue:
        count = 1 if self.choose.chance(30) else math.prod(shaped.shape)
        if is_float(shaped.dtype):
            numbers: list[Any] = [self.choose.one_of((1.0, 0.5, -2.0, 0.0, 3.25, -0.0)) for _ in range(count)]
        else:
            high = 2 if shaped.dtype == i1 else 5
            numbers = [self.choose.below(high) for _ in range(count)]
        return self.add(samba.ConstantOp.from_values(numbers, shaped))

    def indices(self, shape: Shape, limit: int) -> SSAValue:
        """Integers below `limit`: an input, constants, or the remainder of integers that are there."""
        wanted = Shaped(shape, i64)
        fitting = [v for v in self.values if shaped_of(v) == wanted]
        way = self.choose.below(4)
        if way == 1 and fitting:
            return self.build("remainder", [self.choose.one_of(fitting)], other=limit)
        if way == 2 and math.prod(shape) <= 16:
            numbers = [self.choose.below(limit) for _ in range(math.prod(shape))]
            return self.add(samba.ConstantOp.from_values(numbers, wanted))
        return self.argument(wanted, "input")

    # -- ops

    def add(self, op: samba.SambaOp | samba.ConstantOp) -> SSAValue:
        """Append an op; its results can be picked from now on."""
        self.block.add_op(op)
        self.values.extend(op.results)
        return op.results[0]

    def build(self, name: str, operands: Sequence[SSAValue], **attributes: Any) -> SSAValue:
        """Append an operator; its first result."""
        return self.add(samba.build(name, operands, attributes))

    def try_build(self, name: str, operands: Sequence[SSAValue], attributes: Mapping[str, Any]) -> bool:
        """Append an operator unless its operands do not fit, or a result is empty or too large."""
        try:
            op = samba.build(name, operands, attributes)
        except InputError:
            return False
        shapes = [shaped_of(result).shape for result in op.results]
        if any(not 0 < math.prod(shape) <= MOST_ELEMENTS or len(shape) > MOST_DIMENSIONS for shape in shapes):
            op.erase()
            return False
        self.add(op)
        return True


def _broadcast(a: Shape, b: Shape) -> Shape | None:
    rank = max(len(a), len(b))
    pairs = list(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))
    if any(x != y and 1 not in (x, y) for x, y in pairs):
        return None
    return tuple(max(x, y) for x, y in pairs)
