"""Statements of random PyTorch programs: views, in-place writes, arithmetic, reductions, indexing, products, state.

A statement is a function from the names in scope to a line of Python; it raises LookupError where no operand fits.
PyTorch decides whether the line is taken, so a statement may be wrong for its operands now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from sambaflow.testing.scope import Chooser

Accepts: TypeAlias = Callable[[Tensor], bool]


@dataclass(frozen=True)
class Names:
    """What a statement may use: tensors by name, the newest first, and new inputs of the program."""

    choose: Chooser
    tensors: Mapping[str, Tensor]
    float: torch.dtype
    new_input: Callable[..., str]

    def pick(self, accepts: Accepts = lambda t: True) -> str:
        """The name of a tensor; LookupError if none is accepted."""
        fitting = [name for name, value in self.tensors.items() if accepts(value)]
        if not fitting:
            raise LookupError("no tensor fits")
        return self.choose.one_of(fitting)

    def ranked(self, least: int = 1, accepts: Accepts = lambda t: True) -> str:
        """A tensor of at least so many dimensions."""
        return self.pick(lambda t: t.dim() >= least and accepts(t))

    def floats(self, least: int = 0) -> str:
        return self.ranked(least, lambda t: t.is_floating_point())

    def numbers(self, least: int = 0) -> str:
        """Anything but bools."""
        return self.ranked(least, lambda t: t.dtype != torch.bool)

    def new(self) -> str:
        """A name that is free."""
        numbers = [int(name[1:]) for name in self.tensors if name.startswith("v")]
        return f"v{max(numbers, default=-1) + 1}"

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name].shape)

    def dim(self, name: str) -> int:
        """A dimension, counted from the front or the back."""
        rank = max(1, self.tensors[name].dim())
        return self.choose.below(2 * rank) - rank

    def index(self, size: int) -> int:
        """A position below `size`, counted from the front or the back."""
        return self.choose.below(2 * size) - size if size else 0

    def number(self) -> str:
        """A Python number."""
        return self.choose.one_of(("2", "0.5", "-1", "3", "-1.5", "0", "True", "0.25"))

    def beside(self, name: str, accepts: Accepts = lambda t: True) -> str:
        """A tensor that broadcasts with `name`, a new input that does, or a number."""
        if self.choose.chance(35):
            return self.number()
        shape = self.shape(name)
        fitting = [n for n, t in self.tensors.items() if accepts(t) and _broadcasts(shape, tuple(t.shape))]
        if fitting and not self.choose.chance(15):
            return self.choose.one_of(fitting)
        sizes = tuple(1 if self.choose.chance(25) else size for size in shape)
        return self.new_input(sizes[self.choose.below(len(sizes) + 1) :])

    def indices(self, shape: tuple[int, ...], limit: int) -> str:
        """Integers below `limit`: an input, a tensor made in the program, or the remainder of one that is there."""
        fitting = [n for n, t in self.tensors.items() if t.dtype == torch.int64 and tuple(t.shape) == shape]
        if fitting and self.choose.chance(25):
            return f"{self.choose.one_of(fitting)}.remainder({limit})"
        if len(shape) == 1 and self.choose.chance(25):
            return f"torch.tensor({[self.choose.below(limit) for _ in range(shape[0])]})"
        return self.new_input(shape, None, limit)


Statement: TypeAlias = Callable[[Names], str]


def _broadcasts(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        return torch.Size(torch.broadcast_shapes(shape, other)).numel() <= 4 * max(1, torch.Size(shape).numel())
    except RuntimeError:
        return False


# -- views and copies ------------------------------------------------------------------------------------------------


def _place(names: Names, name: str) -> str:
    """A basic index of a tensor: `[1]`, `[:, 0:3:2]`, `[..., None]`."""
    choose, parts = names.choose, list[str]()
    for size in names.shape(name)[: 1 + choose.below(3)]:
        match choose.below(5):
            case 0:
                parts.append(str(names.index(size)))
            case 1:
                parts.append(f"{choose.below(size)}:")
            case 2:
                parts.append(f":{1 + choose.below(size)}")
            case 3:
                parts.append(f"{choose.below(size)}::{1 + choose.below(3)}")
            case _:
                parts.append(":")
    if choose.chance(15):
        parts.append("None")
    return f"[{', '.join(parts) or '...'}]"


def view(names: Names) -> str:
    """A view of a tensor, or a copy of it that looks like one."""
    a = names.ranked()
    choose, shape, d, e = names.choose, names.shape(a), names.dim(a), names.dim(a)
    size = shape[d]
    start = choose.below(size)
    axes = choose.order_of(range(len(shape)))
    forms = (
        f"{a}{_place(names, a)}",
        f"{a}.transpose({d}, {e})",
        f"{a}.T" if len(shape) == 2 else f"{a}.mT",
        f"{a}.permute({', '.join(map(str, axes))})",
        f"{a}.movedim({d}, {e})",
        f"{a}.narrow({d}, {start}, {1 + choose.below(size - start)})",
        f"{a}.select({d}, {names.index(size)})",
        f"{a}.unsqueeze({d})",
        f"{a}.squeeze()",
        f"{a}.squeeze({d})",
        f"{a}.flatten({choose.below(len(shape))})",
        f"{a}.reshape({', '.join(map(str, choose.factors(torch.Size(shape).numel(), 3)))})",
        f"{a}.view({', '.join(map(str, choose.factors(torch.Size(shape).numel(), 3)))})",
        f"{a}.unflatten({d}, {tuple(choose.factors(size, 2))})",
        f"{a}.contiguous()",
        f"{a}.clone()",
        f"{a}.detach()",
        f"{a}.expand({choose.between(1, 3)}, {', '.join(['-1'] * len(shape))})",
        f"{a}.diagonal(0, {d}, {e})",
        f"{a}.chunk({1 + choose.below(3)}, {d})[-1]",
        f"{a}.split({1 + choose.below(size)}, {d})[0]",
        f"{a}.unbind({d})[{names.index(size)}]",
        f"{a}.tensor_split({1 + choose.below(3)}, {d})[0]",
        f"{a}.unfold({d}, {1 + start}, {1 + choose.below(2)})",
        f"{a}.swapaxes({d}, {e})",
        f"{a}.ravel()",
        f"torch.atleast_3d({a})",
        f"{a}.to({_dtype(names)})",
        f"{a}.to({_dtype(names)}, copy=True)",
        f"{a}.view_as({a})",
    )
    return f"{names.new()} = {choose.one_of(forms)}"


def _dtype(names: Names) -> str:
    return names.choose.one_of(("torch.float32", "torch.int64", "torch.bool", "torch.int32", str(names.float)))


def move(names: Names) -> str:
    """New tensors with elements of others."""
    a = names.ranked()
    choose, d, shape = names.choose, names.dim(a), names.shape(a)
    b = names.pick(lambda t: tuple(t.shape) == shape)
    forms = (
        f"torch.cat([{a}, {b}], {d})",
        f"torch.stack([{a}, {b}], {d})",
        f"{a}.flip({d})",
        f"{a}.roll({names.index(shape[d])}, {d})",
        f"{a}.repeat({', '.join(str(1 + choose.below(2)) for _ in shape)})",
        f"{a}.repeat_interleave(2, {d})",
        f"F.pad({a}, ({choose.below(3)}, {choose.below(3)}), value={choose.one_of(('0', '1', '-0.5'))})",
        f"{a}.tril({choose.below(3) - 1})",
        f"{a}.triu({choose.below(3) - 1})",
        f"torch.zeros_like({a})",
    )
    return f"{names.new()} = {choose.one_of(forms)}"


# -- in-place writes -------------------------------------------------------------------------------------------------


def write(names: Names) -> str:
    """An in-place operator on a tensor or on a part of it."""
    a = names.pick()
    target = f"{a}{_place(names, a)}" if names.shape(a) and names.choose.chance(50) else a
    other = names.beside(a)
    forms = (
        f"{a}.add_({other})",
        f"{target} += {other}",
        f"{target} *= {other}",
        f"{target} -= {other}",
        f"{target}.copy_({other})",
        f"{target}.fill_({names.number()})",
        f"{target}.zero_()",
        f"{target}.mul_({names.number()})",
        f"{a}.clamp_(-1, 1)",
        f"{a}.relu_()",
        f"{a}.sigmoid_()",
        f"{a}.neg_()",
        f"{a}.pow_(2)",
        f"{a} **= 2",
        f"{a}.masked_fill_({a} > 0, {names.number()})",
        f"{a}[{a} < 0] = {names.number()}",
        f"{a}.logical_not_()",
    )
    text = names.choose.one_of(forms)
    return text if "[" not in text.split("=")[0] or "= " in text or "_(" in text else f"{target} = {other}"


def assign(names: Names) -> str:
    """`a[1:, 0] = b`: a part of a tensor assigned."""
    a = names.ranked()
    place = _place(names, a)
    value = names.number() if names.choose.chance(40) else names.pick()
    return f"{a}{place} = {value}"


def write_at_indices(names: Names) -> str:
    """An in-place operator at positions that are data."""
    a = names.ranked()
    d, shape = names.dim(a), names.shape(a)
    count = 1 + names.choose.below(3)
    source_shape = tuple(count if i == d % len(shape) else size for i, size in enumerate(shape))
    where = names.indices((count,), shape[d])
    source = names.new_input(source_shape, names.tensors[a].dtype)
    whole = names.indices(source_shape, shape[d])
    forms = (
        f"{a}.index_add_({d}, {where}, {source})",
        f"{a}.index_fill_({d}, {where}, {names.number()})",
        f"{a}.scatter_add_({d}, {whole}, {source})",
        f"{a}.index_put_(({names.indices((count,), shape[0])},), {a}[0], accumulate=True)",
        f"{a}[{names.indices((1,), shape[0])}] = {names.number()}",
        f"{a}.index_copy_({d}, {names.indices((1,), shape[d])}, {a}.select({d}, 0).unsqueeze({d}))",
    )
    return names.choose.one_of(forms)


# -- arithmetic ------------------------------------------------------------------------------------------------------


UNARY = (
    "torch.relu", "torch.tanh", "torch.sigmoid", "torch.neg", "torch.abs", "torch.sign", "torch.floor",
    "torch.ceil", "torch.trunc", "torch.round", "torch.exp", "torch.sin", "torch.cos", "torch.square",
    "torch.logical_not", "F.gelu", "F.silu", "F.softplus", "F.elu", "torch.erf", "torch.log1p", "torch.expm1",
    "torch.bitwise_not", "F.leaky_relu", "F.hardtanh", "torch.isnan", "torch.frac", "F.hardswish", "F.mish",
    "F.selu", "torch.signbit", "torch.reciprocal", "torch.rsqrt", "torch.isfinite",
)  # fmt: skip


def unary(names: Names) -> str:
    a = names.pick()
    form = names.choose.one_of(UNARY)
    return f"{names.new()} = {form}({a})"


def binary(names: Names) -> str:
    """Two operands of any dtypes: what they promote to is part of what is tested."""
    a = names.pick()
    b = names.beside(a)
    forms = (
        f"{a} + {b}",
        f"{a} - {b}",
        f"{a} * {b}",
        f"{b} - {a}",
        f"{a} / {b}",
        f"{a} // {b}",
        f"{a} % {b}",
        f"torch.add({a}, {b}, alpha=2)",
        f"torch.maximum({a}, {b})",
        f"torch.fmin({a}, {b})",
        f"torch.div({a}, {b}, rounding_mode='trunc')",
        f"torch.fmod({a}, {b})",
        f"{a} ** 2",
        f"2 ** {a}",
        f"{a} ** 0.5",
        f"torch.atan2({a}, {b})",
        f"torch.rsub({a}, {b})",
        f"torch.lerp({a}, {b}, 0.25)",
    )
    return f"{names.new()} = {names.choose.one_of(forms)}"


def compare(names: Names) -> str:
    a = names.pick()
    b = names.beside(a)
    operator = names.choose.one_of(("<", "<=", "==", "!=", ">", ">="))
    forms = (
        f"{a} {operator} {b}",
        f"torch.logical_and({a}, {a})",
        f"{a}.isclose({a})",
        f"({a} > 0) ^ ({a} {operator} {b})",
    )
    return f"{names.new()} = {names.choose.one_of(forms)}"


def select(names: Names) -> str:
    a = names.pick()
    condition = names.beside(a, lambda t: t.dtype == torch.bool)
    mask = condition if condition in names.tensors else f"{a} > 0"
    b = names.beside(a)
    low, high = names.choose.one_of((("-1", "0.5"), ("None", "1"), ("0", "None"), ("-0.5", "2")))
    forms = (
        f"torch.where({mask}, {a}, {b})",
        f"torch.where({mask}, {names.number()}, {a})",
        f"{a}.masked_fill({mask}, {names.number()})",
        f"{a}.clamp({low}, {high})",
        f"torch.clamp({a}, {a}.amin(), {a}.amax())",
        f"torch.clamp_min({a}, {b})",
        f"torch.addcmul({a}, {a}, {a}, value=0.5)",
    )
    return f"{names.new()} = {names.choose.one_of(forms)}"


# -- reductions ------------------------------------------------------------------------------------------------------


REDUCTIONS = (
    "sum", "mean", "amax", "amin", "any", "all", "argmax", "argmin", "prod", "var", "std", "logsumexp", "cumsum",
    "cumprod", "count_nonzero", "norm",
)  # fmt: skip


def reduce(names: Names) -> str:
    a = names.pick()
    d, keep = names.dim(a), names.choose.one_of(("", ", keepdim=True"))
    name = names.choose.one_of(REDUCTIONS)
    if name in ("cumsum", "cumprod", "count_nonzero"):
        return f"{names.new()} = {a}.{name}({d})"
    if name == "norm":
        return f"{names.new()} = torch.linalg.vector_norm({a}, dim={d})"
    forms = (f"{a}.{name}({d}{keep})", f"{a}.{name}()", f"{a}.{name}(({d},))")
    return f"{names.new()} = {names.choose.one_of(forms)}"


def ordered(names: Names) -> str:
    """Values with their places: largest, sorted."""
    a = names.numbers(1)
    d, size = names.dim(a), 0
    size = names.shape(a)[d]
    forms = (
        f"{a}.max({d})[0]",
        f"{a}.min({d})[1]",
        f"{a}.topk({1 + names.choose.below(size)}, {d})[0]",
        f"{a}.sort({d})[0]",
        f"{a}.sort({d}, descending=True, stable=True)[1]",
        f"{a}.argsort({d}, stable=True)",
        f"{a}.cummax({d})[0]",
        f"{a}.softmax({d})",
        f"{a}.log_softmax({d})",
        f"{a}.median({d})[0]",
    )
    return f"{names.new()} = {names.choose.one_of(forms)}"


# -- indexing --------------------------------------------------------------------------------------------------------


def index(names: Names) -> str:
    a = names.ranked()
    d, shape = names.dim(a), names.shape(a)
    count = 1 + names.choose.below(4)
    like = tuple(count if i == d % len(shape) else size for i, size in enumerate(shape))
    where, first = names.indices((count,), shape[d]), names.indices((count,), shape[0])
    forms = (
        f"{a}.index_select({d}, {where})",
        f"{a}[{first}]",
        f"{a}[..., {names.indices((count,), shape[-1])}]",
        f"{a}.gather({d}, {names.indices(like, shape[d])})",
        f"torch.take_along_dim({a}, {names.indices(like, shape[d])}, {d})",
        f"F.embedding({names.indices((2, count), shape[0])}, {a})",
        f"{a}.index_add({d}, {where}, {a}.index_select({d}, {where}))",
        f"{a}[{first}, ..., {names.indices((count,), shape[-1])}]",
        f"{a}.index_fill({d}, {where}, 1)",
    )
    return f"{names.new()} = {names.choose.one_of(forms)}"


# -- products and layers ---------------------------------------------------------------------------------------------


def product(names: Names) -> str:
    a = names.floats(2)
    shape, choose = names.shape(a), names.choose
    dtype = names.tensors[a].dtype
    n = choose.one_of((1, 3, 4, 5))
    forms = (
        lambda: f"{a} @ {names.new_input((shape[-1], n), dtype)}",
        lambda: f"F.linear({a}, {names.new_input((n, shape[-1]), dtype)}, {names.new_input((n,), dtype)})",
        lambda: f"{a} @ {a}.mT",
        lambda: f"torch.addmm({names.new_input((n,), dtype)}, {a}, {names.new_input((shape[-1], n), dtype)}, beta=0.5)",
        lambda: f"torch.einsum('...ij,kj->...ik', {a}, {names.new_input((n, shape[-1]), dtype)})",
        lambda: f"F.layer_norm({a}, ({shape[-1]},))",
        lambda: f"F.rms_norm({a}, ({shape[-1]},))",
        lambda: f"F.scaled_dot_product_attention({a}, {a}, {a}, is_causal={choose.chance(50)})",
        lambda: f"F.avg_pool1d({a}, 2)",
        lambda: f"F.conv1d({a}, {names.new_input((n, shape[-2], 2), dtype)}, padding=1)",
        lambda: f"F.max_pool1d({a}, 2, ceil_mode=True)",
        lambda: f"F.normalize({a}, dim={names.dim(a)})",
    )
    return f"{names.new()} = {choose.one_of(forms)()}"


# -- state -----------------------------------------------------------------------------------------------------------


def _state(names: Names) -> str:
    buffers = [name for name in names.tensors if name.startswith("self.")]
    if not buffers:
        raise LookupError("no buffer")
    return names.choose.one_of(buffers)


def update(names: Names) -> str:
    """A buffer that changes: in place, through a view, assigned, or kept as it was before it does."""
    b = _state(names)
    other = names.beside(b)
    shape = names.shape(b)
    forms = [
        f"{b}.add_({other})",
        f"{b} += {other}",
        f"{b}.copy_({other})",
        f"{b} = {b} + {other}",
        f"{names.new()} = {b}.clone()",
        f"{names.new()} = {b}",
        f"{b}.mul_(0.5)",
    ]
    if shape:
        forms += [f"{b}[0] = {names.number()}", f"{names.new()} = {b}[0]", f"{b}[..., 0] += {names.number()}"]
        forms += [f"{b}.index_copy_(0, {names.indices((1,), shape[0])}, {b}[:1] * 2)"]
    return names.choose.one_of(forms)


STATEMENTS: tuple[Statement, ...] = (
    view, view, write, binary, assign, reduce, unary, index, update, compare, select, ordered, move, product,
    write_at_indices, binary, view, write,
)  # fmt: skip
"""As often as they are drawn."""
