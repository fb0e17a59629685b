"""How each samba operator runs on several chips: which dimensions may be split together, and what that costs.

An operator's dimensions are named by factors, as in Shardy: operand and result dimensions of one factor are the same
loop. `linear` has x[b, k], w[n, k] -> y[b, n]; splitting n leaves a piece of y on each chip, splitting k (which y
does not have) leaves partial sums that an all-reduce adds. A factor that a rule does not name cannot be split.

`decide` takes how the operands lie and says how the operator runs: solvers of `samba-shard` call it to choose,
`samba-partition` to rewrite, so all follow one set of rules. They know operators as facts.

    Shard(dim, outer): dimension `dim`, viewed as [outer, chips, inner], holds [:, c, :] on chip c; None: on every chip
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

from sambaflow.dialects.samba import Row, SambaOp, Trait, shaped_of
from sambaflow.dialects.samba.inference import dim_index, dim_indices
from sambaflow.dialects.samba.movement import permutation, slice_range, split_sizes

Shape: TypeAlias = tuple[int, ...]


class Shard(NamedTuple):
    """A split dimension; see the module's docstring."""

    dim: int
    outer: int

    def __str__(self) -> str:
        return f"along dimension {self.dim}" + (f" in each of {self.outer} parts" if self.outer > 1 else "")


class Free(Enum):
    """The type of FREE."""

    FREE = "free"


FREE: Final = Free.FREE
"""An argument of the graph that nobody has placed yet: it can be split in any way, because it is loaded so."""

State: TypeAlias = Shard | Free | None


@dataclass(frozen=True, eq=False)
class OperatorFacts:
    """What the rules know of an operator: its row, attributes as Python values, and shapes.

    `settings` is empty where no rule asks for an attribute.
    """

    row: Row
    settings: Mapping[str, Any]
    operands: tuple[Shape, ...]
    results: tuple[Shape, ...]

    def attr(self, name: str) -> Any:
        """The Python value of an attribute; None when absent."""
        return self.settings[name]


@dataclass(frozen=True)
class Decision:
    """How one operator runs: how its operands must lie, how its results then lie, and whether they are partial sums.

    `attributes` are the operator's attributes that differ on a chip, as Python values.
    """

    operands: tuple[Shard | None, ...]
    results: tuple[Shard | None, ...]
    partial: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_split(self) -> bool:
        return any(self.operands) or any(self.results)


Dims: TypeAlias = tuple[int | None, ...]


@dataclass(frozen=True)
class Factors:
    """The factor of each dimension of operands and results; None: this dimension cannot be split.

    `summed`: factors whose split gives partial sums. `column`: (operand, factor) with which a free weight may start
    a split of its own: the output features of a linear.
    """

    operands: tuple[Dims, ...]
    results: tuple[Dims, ...]
    summed: frozenset[int] = frozenset()
    column: tuple[int, int] | None = None


def facts_of(op: SambaOp) -> OperatorFacts:
    """What the rules know of `op`."""
    operands, results = (tuple(shaped_of(value).shape for value in values) for values in (op.operands, op.results))
    return OperatorFacts(op.row, op.settings() if asks(op.row) else {}, operands, results)


def asks(row: Row) -> bool:
    """Whether the rule of an operator asks for its attributes."""
    return row.name in _RULES or row.name in _STRUCTURAL


def decide(op: OperatorFacts, states: Sequence[State], chips: int, outer: int = 1) -> Decision:
    """How `op` runs when its operands lie as `states` say.

    A free operand takes what suits the others. With nothing split yet, a free weight of a linear is split by output
    features in `outer` parts. Operands whose split does not fit are asked for whole.
    """
    structural = _STRUCTURAL.get(op.row.name)
    if structural is not None and any(isinstance(state, Shard) for state in states):
        decision = structural(op, states, chips)
        if decision is not None:
            return decision
    rule = _RULES.get(op.row.name) or (_elementwise if Trait.ELEMENTWISE in op.row.traits else None)
    factors = rule(op) if rule is not None else None
    if factors is not None:
        for factor, parts in _candidates(factors, states, outer):
            decision = _split(op, factors, states, factor, parts, chips)
            if decision is not None:
                return decision
    return Decision((None,) * len(op.operands), (None,) * len(op.results))


def column_of(op: OperatorFacts) -> tuple[int, int] | None:
    """(operand, result dimension) of the weight by whose output features `op` can be split."""
    factors = _RULES[op.row.name](op) if op.row.name in _RULES else None
    if factors is None or factors.column is None:
        return None
    operand, factor = factors.column
    return operand, factors.results[0].index(factor)


def local_shape(shape: Shape, shard: Shard | None, chips: int) -> Shape:
    """The part of a tensor on one chip."""
    if shard is None:
        return shape
    return (*shape[: shard.dim], shape[shard.dim] // chips, *shape[shard.dim + 1 :])


def divides(size: int, shard: Shard, chips: int) -> bool:
    """Whether a dimension of `size` can be split so."""
    return size % (shard.outer * chips) == 0


def fits(shape: Shape, shard: Shard, chips: int) -> bool:
    """Whether a tensor of `shape` has the dimension, and can be split along it so."""
    return 0 <= shard.dim < len(shape) and shard.outer > 0 and divides(shape[shard.dim], shard, chips)


# Factors


def _candidates(factors: Factors, states: Sequence[State], outer: int) -> list[tuple[int, int]]:
    """Factors worth a try, in order: those by which operands are split already, then the column of a free weight."""
    candidates: dict[tuple[int, int], None] = {}
    for dims, state in zip(factors.operands, states, strict=True):
        if isinstance(state, Shard) and (factor := dims[state.dim]) is not None:
            candidates[factor, state.outer] = None
    if not candidates and factors.column is not None and states[factors.column[0]] is FREE:
        candidates[factors.column[1], outer] = None
    return list(candidates)


def _split(
    op: OperatorFacts, factors: Factors, states: Sequence[State], factor: int, outer: int, chips: int
) -> Decision | None:
    """The decision to split `factor`, or None when an operand that has it lies otherwise or does not divide."""
    operands: list[Shard | None] = []
    for shape, dims, state in zip(op.operands, factors.operands, states, strict=True):
        wanted = Shard(dims.index(factor), outer) if factor in dims else None
        if wanted is not None and (state not in (wanted, FREE) or not divides(shape[wanted.dim], wanted, chips)):
            return None
        operands.append(wanted)
    results: list[Shard | None] = []
    for shape, dims in zip(op.results, factors.results, strict=True):
        wanted = Shard(dims.index(factor), outer) if factor in dims else None
        if wanted is not None and not divides(shape[wanted.dim], wanted, chips):
            return None
        results.append(wanted)
    partial = factor in factors.summed
    if not partial and None in results:
        return None
    attributes = {"size": local_shape(op.results[0], results[0], chips)} if op.row.name == "expand" else {}
    return Decision(tuple(operands), tuple(results), partial, attributes)


def _aligned(shape: Shape, result: Shape, first: int = 0) -> Dims:
    """Factors of an operand that is broadcast to `result`, whose dimension i has the factor first + i."""
    lead = len(result) - len(shape)
    return tuple(first + lead + i if size == result[lead + i] else None for i, size in enumerate(shape))


def _elementwise(op: OperatorFacts) -> Factors:
    result = op.results[0]
    dims = tuple(_aligned(shape, result) for shape in op.operands)
    return Factors(dims, (tuple(range(len(result))),) * len(op.results))


_K, _N, _M = 100, 101, 102
"""Factors of products: contracted, columns, rows; batch dimensions are numbered from 0."""


def _linear(op: OperatorFacts) -> Factors:
    batch = tuple(range(len(op.operands[0]) - 1))
    operands = ((*batch, _K), (_N, _K), (_N,))[: len(op.operands)]
    return Factors(operands, ((*batch, _N),), frozenset([_K]), (1, _N))


def _product(op: OperatorFacts) -> Factors | None:
    """matmul, mm, bmm of matrices, and their sums with a first operand (addmm, baddbmm)."""
    left, right = op.operands[-2:]
    if len(left) < 2 or len(right) < 2:
        return None
    result = op.results[0]
    batch = result[:-2]
    a = (*_aligned(left[:-2], batch), _M, _K)
    b = (*_aligned(right[:-2], batch), _K, _N)
    last = len(op.operands) - 1
    column = (last, _N) if len(right) == 2 else None
    whole = (*range(len(batch)), _M, _N)
    if len(op.operands) == 2:
        return Factors((a, b), (whole,), frozenset([_K]), column)
    added = op.operands[0]
    lead = len(result) - len(added)
    added_dims = tuple(whole[lead + i] if size == result[lead + i] else None for i, size in enumerate(added))
    plain = op.attr("alpha") == 1 and op.attr("beta") == 1
    if not plain:  # partial sums must not be scaled and added to more than once
        a, b = (*a[:-1], None), (*b[:-2], None, _N)
    return Factors((added_dims, a, b), (whole,), frozenset([_K]), column)


def _attention(op: OperatorFacts) -> Factors | None:
    """By batch, head or query; with grouped heads a chip's query heads use its own key heads."""
    shapes = op.operands
    rank = len(shapes[0])
    if rank < 3 or any(len(shape) != rank for shape in shapes[1:3]):
        return None
    result = op.results[0]
    lead = tuple(range(rank - 2))
    batch = result[: rank - 3]

    def dims(shape: Shape, heads: int, row: int | None) -> Dims:
        shared = shape[-3] == 1 and result[-3] > 1
        return (*_aligned(shape[:-3], batch), None if shared else heads, row, None)

    head = lead[-1]
    operands = [dims(shapes[0], head, rank - 2), dims(shapes[1], head, None), dims(shapes[2], head, None)]
    if len(shapes) == 4:
        operands.append((*_aligned(shapes[3][:-1], result[:-1]), None))
    if op.attr("is_causal"):  # a row's place decides what it sees
        operands[0] = dims(shapes[0], head, None)
        return Factors(tuple(operands), ((*lead, None, None),))
    return Factors(tuple(operands), ((*lead, rank - 2, None),))


def _permuted(op: OperatorFacts) -> Factors:
    order = tuple(permutation(op.operands[0], op.row.name, op.settings))
    return Factors((tuple(range(len(order))),), (order,))


def _along(*names: str) -> Callable[[OperatorFacts], Factors]:
    """Operators that keep the rank: every dimension but those that the attributes name."""

    def rule(op: OperatorFacts) -> Factors:
        shape = op.operands[0]
        fixed = {dim for name in names for dim in _listed(op.attr(name), len(shape))}
        dims = tuple(None if i in fixed else i for i in range(len(shape)))
        others = [_where_equal(other, shape, dims) for other in op.operands[1:]]
        return Factors((dims, *others), (dims,) * len(op.results))

    return rule


def _where_equal(shape: Shape, first: Shape, dims: Dims) -> Dims:
    """The factors of an operand beside the first: the same where the sizes are, if the ranks are."""
    if len(shape) != len(first):
        return (None,) * len(shape)
    return tuple(factor if size == other else None for size, other, factor in zip(shape, first, dims, strict=True))


def _listed(value: Any, rank: int) -> list[int]:
    return dim_indices(value, rank) if value is None or not isinstance(value, int) else [dim_index(value, rank)]


def _dropping(op: OperatorFacts) -> Factors:
    """Operators that work along dimensions and may drop them: reductions, select, unbind."""
    shape = op.operands[0]
    fixed = _listed(op.attr("dim"), len(shape))
    dims = tuple(None if i in fixed else i for i in range(len(shape)))
    left = dims if len(op.results[0]) == len(shape) else tuple(d for d in dims if d is not None)
    return Factors((dims,), (left,) * len(op.results))


def _normalized(op: OperatorFacts) -> Factors:
    rank = len(op.operands[0])
    last = rank - len(op.attr("normalized_shape"))
    dims = tuple(i if i < last else None for i in range(rank))
    return Factors((dims, *((None,) * len(other) for other in op.operands[1:])), (dims,))


def _embedding(op: OperatorFacts) -> Factors:
    indices = tuple(range(len(op.operands[1])))
    return Factors(((None, _N), indices), ((*indices, _N),))


def _index_select(op: OperatorFacts) -> Factors:
    shape = op.operands[0]
    dim = dim_index(op.attr("dim"), len(shape))
    dims = tuple(None if i == dim else i for i in range(len(shape)))
    return Factors((dims, (None,)), (dims,))


def _select_scatter(op: OperatorFacts) -> Factors:
    shape = op.operands[0]
    dim = dim_index(op.attr("dim"), len(shape))
    dims = tuple(None if i == dim else i for i in range(len(shape)))
    return Factors((dims, tuple(d for d in dims if d is not None)), (dims,))


def _image(op: OperatorFacts) -> Factors:
    """Convolutions: by image, and by output channel without groups; pooling and batch norm: by image and channel."""
    rank = len(op.operands[0])
    spatial = (None,) * (rank - 2)
    if op.row.name.startswith("conv"):
        out = _N if op.attr("groups") == 1 else None
        operands = ((0, None, *spatial), (out, None, *spatial), (out,))[: len(op.operands)]
        return Factors(operands, ((0, out, *spatial),))
    dims = tuple(range(rank)) if op.row.name == "batch_norm" else (*range(rank - 2), None, None)
    return Factors((dims, *((1,) for _ in op.operands[1:])), (dims,))


Rule: TypeAlias = Callable[[OperatorFacts], Factors | None]


def _rules(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_RULES: Mapping[str, Rule] = {
    "linear": _linear,
    **_rules("matmul mm bmm addmm baddbmm", _product),
    "scaled_dot_product_attention": _attention,
    **_rules("transpose permute t", _permuted),
    **_rules(
        "softmax log_softmax cumsum topk sort index_copy slice_scatter gather scatter slice split chunk cat",
        _along("dim"),
    ),
    **_rules("sum prod mean var amax amin any all max min select unbind", _dropping),
    **_rules("layer_norm rms_norm", _normalized),
    **_rules("flip", _along("dims")),
    "embedding": _embedding,
    "index_select": _index_select,
    "select_scatter": _select_scatter,
    "expand": _elementwise,
    **_rules("conv2d conv1d max_pool2d avg_pool2d batch_norm", _image),
}
"""Factors by operator; elementwise operators need no row, operators without one run whole on every chip."""


# Movement along the split dimension


def reshaped(source: Shape, target: Shape, shard: Shard, chips: int) -> Shard | None:
    """The split of the same elements under another shape, or None when no dimension of `target` holds it.

    In row-major order the chip is a digit with place value inner * (elements after the dimension); it must fall
    inside one dimension of the target.
    """
    place = source[shard.dim] // (shard.outer * chips) * math.prod(source[shard.dim + 1 :])
    after = math.prod(target)
    for dim, size in enumerate(target):
        before, after = after, after // size if size else 0
        if after and place % after == 0 and before % (place * chips) == 0:
            return Shard(dim, before // (place * chips))
    return None


def _reshape(op: OperatorFacts, states: Sequence[State], chips: int) -> Decision | None:
    shard = states[0]
    assert isinstance(shard, Shard)
    source, target = op.operands[0], op.results[0]
    moved = reshaped(source, target, shard, chips)
    if moved is None:
        return None
    local = local_shape(target, moved, chips)
    attributes: dict[str, Any] = {}
    if op.row.name in ("view", "reshape"):
        attributes["size"] = local
    elif op.row.name == "unflatten":
        dim = dim_index(op.attr("dim"), len(source))
        attributes["sizes"] = local[dim : dim + len(op.attr("sizes"))]
    elif op.row.name == "squeeze":  # a dimension whose part on a chip has size 1 stays
        named = dim_indices(op.attr("dim"), len(source)) if source else []
        attributes["dim"] = tuple(dim for dim in named if source[dim] == 1)
    return Decision((shard,), (moved,), attributes=attributes)


def _slice(op: OperatorFacts, states: Sequence[State], chips: int) -> Decision | None:
    """A slice of whole parts of a fused dimension: [outer, chips, inner] -> [fewer, chips, inner]."""
    shard = states[0]
    shape = op.operands[0]
    if not isinstance(shard, Shard) or dim_index(op.attr("dim"), len(shape)) != shard.dim:
        return None
    taken = slice_range(shape[shard.dim], op.attr("start"), op.attr("end"), op.attr("step"))
    part = shape[shard.dim] // shard.outer
    if taken.step != 1 or taken.start % part or len(taken) % part or not taken:
        return None
    ends = {"start": taken.start // chips, "end": taken.stop // chips}
    return Decision((shard,), (Shard(shard.dim, len(taken) // part),), attributes=ends)


def _pieces(op: OperatorFacts, states: Sequence[State], chips: int) -> Decision | None:
    """split and chunk in whole parts of a fused dimension."""
    shard = states[0]
    shape = op.operands[0]
    if not isinstance(shard, Shard) or dim_index(op.attr("dim"), len(shape)) != shard.dim:
        return None
    sizes = split_sizes(shape[shard.dim], op.row.name, op.settings)
    part = shape[shard.dim] // shard.outer
    if any(size % part for size in sizes):
        return None
    results = tuple(Shard(shard.dim, size // part) for size in sizes)
    attributes = {"split_size": tuple(size // chips for size in sizes)} if op.row.name == "split" else {}
    return Decision((shard,), results, attributes=attributes)


def _cat(op: OperatorFacts, states: Sequence[State], chips: int) -> Decision | None:
    """Tensors split alike along the dimension in which they are joined."""
    dim = dim_index(op.attr("dim"), len(op.operands[0]))
    shards = [state for state in states if isinstance(state, Shard) and state.dim == dim]
    if len(shards) != len(states):
        return None
    parts = {shape[dim] // shard.outer for shape, shard in zip(op.operands, shards, strict=True)}
    if len(parts) != 1:
        return None
    return Decision(tuple(shards), (Shard(dim, sum(shard.outer for shard in shards)),))


_STRUCTURAL: Mapping[str, Callable[[OperatorFacts, Sequence[State], int], Decision | None]] = {
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "contiguous", "clone", "alias", "detach",
         "dropout"), _reshape,
    ),
    "slice": _slice,
    "split": _pieces,
    "chunk": _pieces,
    "cat": _cat,
}  # fmt: skip
"""Operators that can keep a split along the dimension that they change."""
