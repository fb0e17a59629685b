"""samba-canonicalize: constants folded, no-ops and chains of views removed, attention in its simplest form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdsl.context import Context
from xdsl.dialects.func import FuncOp
from xdsl.ir import SSAValue
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.samba import OPERATIONS, OPERATORS, ConstantOp, SambaOp, Trait, shaped_of
from sambaflow.dialects.samba.folding import FOLDERS, constant_of, elements_of, fold
from sambaflow.dialects.samba.inference import Shape, is_float
from sambaflow.dialects.samba.movement import permutation
from sambaflow.passes.framework.base import FunctionPass
from sambaflow.passes.framework.properties import SAMBA
from sambaflow.passes.rewriting.driver import Pattern, Replacement, Rewriter, pattern, rewrite
from sambaflow.passes.rewriting.files import load_rewrite_rules
from sambaflow.passes.rewriting.rules import Becomes, Match, Op, RuleInput, op, rewrite_rule, setting_of

if TYPE_CHECKING:
    from sambaflow.dialects.samba.folding import Array


@dataclass(frozen=True)
class SambaCanonicalizePass(FunctionPass):
    """Brings samba functions to one form, so that later passes meet fewer cases.

    Constant subgraphs are folded where numpy gives the reference's bits; no-ops, identity casts, views of views,
    permutations of permutations, additions of 0 and multiplications by 1 go away; operators that broadcast read the
    tensor before an expand; attention with repeated key heads becomes grouped, with a constant causal mask causal;
    unused ops are erased.

    Before:

        %0 = samba.unsqueeze %k {dim = 2} : (tensor<1x2x5x4xf32>) -> tensor<1x2x1x5x4xf32>
        %1 = samba.expand %0 {size = [1, 2, 4, 5, 4]} : (tensor<1x2x1x5x4xf32>) -> tensor<1x2x4x5x4xf32>
        %2 = samba.reshape %1 {size = [1, 8, 5, 4]} : (tensor<1x2x4x5x4xf32>) -> tensor<1x8x5x4xf32>
        ...
        %o = samba.scaled_dot_product_attention %q, %2, %5 : (tensor<1x8x5x4xf32>, ...) -> tensor<1x8x5x4xf32>

    After:

        %o = samba.scaled_dot_product_attention %q, %k, %v {enable_gqa = true} : (...) -> tensor<1x8x5x4xf32>

    Needs nothing, keeps every op's location.
    """

    name = "samba-canonicalize"
    needs = SAMBA
    counters = {"rewrites": "ops that were replaced or erased"}

    rules: str | None = None
    """A file of rewrite rules that are applied as well; they answer for the bits that they change."""

    def apply_to(self, ctx: Context, op: FuncOp) -> None:
        rules = load_rewrite_rules(self.rules) if self.rules else ()
        done = rewrite(op, [*PATTERNS, *rules], erase_dead=True)
        self.count(ctx, "rewrites", done.count)
        for rule in rules:
            if times := done.counts.get(rule.name):
                self.applied(ctx, op, f"rule '{rule.name}' was applied", times=times)


def _with(trait: Trait) -> tuple[str, ...]:
    """The operators with a trait."""
    return tuple(row.name for row in OPERATORS.values() if trait in row.traits)


VIEWS = _with(Trait.IN_ORDER)
PERMUTATIONS = ("transpose", "permute", "t")
ATTENTION = "scaled_dot_product_attention"
BROADCASTING = (*_with(Trait.ELEMENTWISE), "matmul", ATTENTION)


def _operators(names: Sequence[str]) -> list[type[SambaOp]]:
    return [OPERATIONS[name] for name in names]


def _shape(of: Op[SambaOp]) -> Callable[[Match], Shape]:
    """The shape of what an op of the source gives."""
    return lambda match: shaped_of(match[of].results[0]).shape


# ---- constants


@pattern(*_operators(list(FOLDERS)))
def fold_constants(op: SambaOp, rewriter: Rewriter) -> Replacement:
    """An operator on constants is constants."""
    constants = [value.owner for value in op.operands if isinstance(value.owner, ConstantOp)]
    if len(constants) < len(op.operands):
        return None
    results = fold(op, [elements_of(constant) for constant in constants])
    if results is None:
        return None
    folded = [constant_of(array, shaped_of(old).dtype) for array, old in zip(results, op.results, strict=True)]
    return [constant.result for constant in rewriter.insert(folded)]


def _counts_up(rows: ConstantOp) -> bool:
    indices = elements_of(rows).reshape(-1)
    return bool(indices.size) and bool(indices[0] >= 0) and bool((indices[1:] - indices[:-1] == 1).all())


def _element(constant: ConstantOp, index: int) -> int:
    return int(elements_of(constant).reshape(-1)[index])


@rewrite_rule
def slice_constant_rows(weight: RuleInput) -> Becomes:
    """An embedding at the constant indices a, a + 1, ... is a slice of the weight (learned positions)."""
    rows = op(ConstantOp, where=_counts_up)
    embedding = op("embedding", weight, rows)
    taken = op("slice", weight, dim=0, start=lambda m: _element(m[rows], 0), end=lambda m: _element(m[rows], -1) + 1)
    return embedding.becomes(op("view", taken, size=_shape(embedding)))


# ---- what computes nothing


@pattern(*_operators(_with(Trait.NOOP_IF_SAME)))
def remove_noop(op: SambaOp, rewriter: Rewriter) -> Replacement:
    """clone(x), or a view or cast to x's own type, is x."""
    return op.operands if op.is_noop() else None


_NEUTRAL = {"mul": 1, "div": 1, "pow": 1, "sub": 0, "add": 0}


@pattern(*_operators(list(_NEUTRAL)))
def remove_neutral(op: SambaOp, rewriter: Rewriter) -> Replacement:
    """x * 1, x / 1, x ** 1, x - 0, and x + 0 on integers (on floats -0.0 + 0.0 is 0.0) are x."""
    kind, x = op.row.name, op.operands[0]
    if _number(op) != _NEUTRAL[kind] or x.type != op.results[0].type:
        return None
    changes_bits = is_float(shaped_of(x).dtype) if kind == "add" else kind == "div" and op.attr("rounding_mode")
    return None if changes_bits else [x]


@pattern(OPERATIONS["add"])
def remove_zeros(op: SambaOp, rewriter: Rewriter) -> Replacement:
    """A constant of zeros + x is x on integers, as x + 0 is: positions that are counted from the cache's length."""
    zeros, x = op.operands[0].owner, op.operands[-1]
    if not isinstance(zeros, ConstantOp) or x.type != op.results[0].type or is_float(shaped_of(x).dtype):
        return None
    return None if len(op.operands) == 1 or elements_of(zeros).any() else [x]


def _number(op: SambaOp) -> Any:
    """The second operand when it is one number: an attribute, or a constant that fills its tensor."""
    if len(op.operands) == 1:
        return setting_of(op, "exponent" if op.row.name == "pow" else "other")
    constant = op.operands[1].owner
    array = elements_of(constant).reshape(-1) if isinstance(constant, ConstantOp) else None
    return None if array is None or not array.size or (array != array[0]).any() else array[0].item()


# ---- chains


@rewrite_rule
def merge_views(x: RuleInput) -> Becomes:
    """A view of a view is one view of the first tensor."""
    last = op(VIEWS, op(VIEWS, x))
    return last.becomes(op("view", x, size=_shape(last)))


def _order(op: SambaOp) -> list[int]:
    return permutation(shaped_of(op.operands[0]).shape, op.row.name, op.settings())


@pattern(*_operators(PERMUTATIONS))
def remove_permutation(op: SambaOp, rewriter: Rewriter) -> Replacement:
    """A permutation that keeps the order is nothing."""
    return op.operands if (order := _order(op)) == sorted(order) else None


@rewrite_rule
def merge_permutations(x: RuleInput) -> Becomes:
    """A permutation of a permutation is one."""
    first = op(PERMUTATIONS, x)
    last = op(PERMUTATIONS, first)
    return last.becomes(op("permute", x, dims=lambda m: [_order(m[first])[d] for d in _order(m[last])]))


_LOSSLESS = {
    "bf16": ("f32", "f64"),
    "f16": ("f32", "f64"),
    "f32": ("f64",),
    "i1": ("i32", "i64", "f32"),
    "i32": ("i64",),
}


def _is_lossless(cast: SambaOp) -> bool:
    source, target = (str(shaped_of(value).dtype) for value in (cast.operands[0], cast.results[0]))
    return target in _LOSSLESS.get(source, ())


@rewrite_rule
def merge_casts(x: RuleInput) -> Becomes:
    """A cast after a cast that lost nothing is one cast."""
    last = op("to", op("to", x, where=_is_lossless))
    return last.becomes(op("to", x, dtype=last["dtype"]))


@pattern(*_operators(BROADCASTING))
def read_before_expand(op: SambaOp, rewriter: Rewriter) -> Replacement:
    """Operators that broadcast take an operand of expand, when the result keeps its shape and dtype."""
    for i, value in enumerate(op.operands):
        if isinstance(value.owner, OPERATIONS["expand"]):
            operands = [*op.operands[:i], value.owner.operands[0], *op.operands[i + 1 :]]
            if _keeps_result(op, operands):
                op.operands = operands
                return op
    return None


def _keeps_result(op: SambaOp, operands: Sequence[SSAValue]) -> bool:
    try:
        inferred = op.row.rule([shaped_of(value) for value in operands], op.settings())
    except VerifyException:
        return False
    return inferred == [shaped_of(result) for result in op.results]


# ---- attention


def _heads(view: SambaOp) -> Shape | None:
    """For view(expand(x)) from [.., h, 1, s, d] over [.., h, g, s, d] to [.., h * g, s, d]: [.., h, s, d]."""
    expand = view.operands[0].owner
    if not isinstance(expand, SambaOp):
        return None
    narrow, wide = shaped_of(expand.operands[0]).shape, shaped_of(expand.results[0]).shape
    if len(wide) < 4 or len(narrow) != len(wide) or narrow[-3] != 1:
        return None
    heads = (*wide[:-3], *wide[-2:])
    merged = (*wide[:-4], wide[-4] * wide[-3], *wide[-2:])
    return heads if (*narrow[:-3], *narrow[-2:]) == heads and shaped_of(view.results[0]).shape == merged else None


@rewrite_rule
def group_queries(query: RuleInput, key: RuleInput, value: RuleInput, *mask: RuleInput) -> Becomes:
    """Attention on key and value heads that were repeated for each group of queries reads them before the repeat."""
    keys, values = (op(VIEWS, op("expand", x), where=lambda op: _heads(op) is not None) for x in (key, value))
    attention = op(ATTENTION, query, keys, values, *mask, enable_gqa=False)
    few_keys = op("view", key, size=lambda m: _heads(m[keys]))
    few_values = op("view", value, size=lambda m: _heads(m[values]))
    return attention.becomes(op(ATTENTION, query, few_keys, few_values, *mask, like=attention, enable_gqa=True))


def _shown(mask: ConstantOp) -> Array | None:
    """Where a mask shows keys; None when it neither shows nor hides some of them."""
    array = elements_of(mask)
    shown, hidden = (array, ~array) if array.dtype == bool else (array == 0, array <= -1e30)
    return shown if (shown | hidden).all() else None


def _shows_all(mask: ConstantOp) -> bool:
    shown = _shown(mask)
    return shown is not None and bool(shown.all())


def _is_causal(mask: ConstantOp, queries: int, keys: int) -> bool:
    """Whether query i sees exactly the keys 0..i, in every batch."""
    import numpy

    shown = _shown(mask)
    if shown is None or shown.shape[-2:] != (queries, keys):
        return False
    return bool((shown == numpy.tril(numpy.ones((queries, keys), dtype=bool))).all())


@rewrite_rule
def remove_mask(query: RuleInput, key: RuleInput, value: RuleInput) -> Becomes:
    """A constant mask that hides nothing goes away."""
    attention = op(ATTENTION, query, key, value, op(ConstantOp, where=_shows_all))
    return attention.becomes(op(ATTENTION, query, key, value, like=attention))


@rewrite_rule
def make_causal(query: RuleInput, key: RuleInput, value: RuleInput) -> Becomes:
    """A constant mask that hides from each query the keys behind it, and nothing else, becomes is_causal."""
    mask = op(ConstantOp)
    attention = op(ATTENTION, query, key, value, mask)
    return attention.becomes(
        op(ATTENTION, query, key, value, like=attention, is_causal=True),
        where=lambda m: _is_causal(m[mask], shaped_of(m[query]).shape[-2], shaped_of(m[key]).shape[-2]),
    )


PATTERNS: tuple[Pattern, ...] = (
    fold_constants,
    remove_noop,
    remove_neutral,
    remove_zeros,
    merge_views,
    remove_permutation,
    merge_permutations,
    merge_casts,
    read_before_expand,
    group_queries,
    remove_mask,
    make_causal,
    slice_constant_rows,
)
