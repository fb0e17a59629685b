"""samba-canonicalize: constants folded, no-ops and chains of views removed, attention in its simplest form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects import samba
from sambaflow.dialects.samba import SambaOp, Trait, shaped_of
from sambaflow.dialects.samba.inference import Shape, is_float
from sambaflow.dialects.samba.movement import permutation
from sambaflow.passes.base import SambaPass, functions_of
from sambaflow.passes.samba_folding import constant_of, elements_of, fold

if TYPE_CHECKING:
    from sambaflow.passes.samba_folding import Array


@dataclass(frozen=True)
class SambaCanonicalizePass(SambaPass):
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
    counters = {"rewrites": "ops that were replaced or erased"}

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in functions_of(op):
            for block in function.body.blocks:
                self.count(ctx, "rewrites", canonicalize(block))


def canonicalize(block: Block) -> int:
    """Simplifies a block, and the fused modules in it; returns the number of ops that were replaced or erased."""
    rewrites = 0
    known: dict[SSAValue, Array] = {}
    for op in list(block.ops):
        if isinstance(op, samba.ModuleOp):
            rewrites += canonicalize(op.body.block)
        elif isinstance(op, samba.ConstantOp):
            known[op.result] = elements_of(op)
        elif isinstance(op, SambaOp):
            rewrites += _simplify(op, known)
    _materialise(block, known)
    return rewrites + erase_unused(block)


def _simplify(op: SambaOp, known: dict[SSAValue, Array]) -> int:
    """Folds the op, or replaces it by what the first rule that applies makes, until none applies."""
    if _fold(op, known):
        return 0
    for rule in RULES:
        values = rule(op, known)
        if values is None:
            continue
        for old, new in zip(op.results, values, strict=True):
            new.name_hint = new.name_hint or old.name_hint
            old.replace_all_uses_with(new)
        made = [value.owner for value in values]
        return 1 + sum(_simplify(new, known) for new in made if isinstance(new, SambaOp) and new is not op)
    return 0


def _fold(op: SambaOp, known: dict[SSAValue, Array]) -> bool:
    """Whether all operands are known, and the results could be computed."""
    if Trait.COLLECTIVE in op.row.traits or not all(value in known for value in op.operands):
        return False
    results = fold(op, [known[value] for value in op.operands])
    if results is not None:
        known.update(zip(op.results, results, strict=True))
    return results is not None


def _materialise(block: Block, known: dict[SSAValue, Array]) -> None:
    """Makes constants of known values that other ops read; what only led to them is left unused."""
    for value, array in known.items():
        op = value.owner
        if not isinstance(op, SambaOp) or op.parent is not block or not _read_by_others(value, known):
            continue
        constant = constant_of(array, shaped_of(value).dtype)
        constant.location = op.location
        constant.result.name_hint = value.name_hint
        block.insert_op_before(constant, op)
        value.replace_all_uses_with(constant.result)


def _read_by_others(value: SSAValue, known: dict[SSAValue, Array]) -> bool:
    return any(not use.operation.results or use.operation.results[0] not in known for use in value.uses)


def erase_unused(block: Block) -> int:
    """Erases pure ops whose results nobody reads."""
    erased = 0
    for op in reversed(list(block.ops)):
        pure = isinstance(op, SambaOp | samba.ConstantOp | samba.ModuleOp)
        if pure and not any(result.uses for result in op.results):
            op.detach()
            op.erase()
            erased += 1
    return erased


# The rules: the values that replace the op's results, or None

Known = dict[SSAValue, "Array"]
Rule = Callable[[SambaOp, Known], "Sequence[SSAValue] | None"]


def _build(before: Operation, name: str, operands: Sequence[SSAValue], attributes: dict[str, Any]) -> SSAValue:
    new = samba.build(name, operands, attributes, before.location)
    block = before.parent
    if block is not None:
        block.insert_op_before(new, before)
    return new.results[0]


def _producer(value: SSAValue) -> SambaOp | None:
    return value.owner if isinstance(value.owner, SambaOp) else None


def remove_noop(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """clone(x), or a view or cast to x's own type, is x."""
    return [op.operands[0]] if op.is_noop() else None


def remove_neutral(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """x * 1, x / 1, x ** 1, x - 0, and x + 0 on integers (on floats -0.0 + 0.0 is 0.0) are x."""
    neutral = _NEUTRAL.get(op.row.name)
    if neutral is None or op.operands[0].type != op.results[0].type or op.settings().get("rounding_mode"):
        return None
    if op.row.name == "add" and is_float(shaped_of(op.results[0]).dtype):
        return None
    return [op.operands[0]] if _number(op, known) == neutral else None


_NEUTRAL = {"mul": 1, "div": 1, "pow": 1, "sub": 0, "add": 0}


def _number(op: SambaOp, known: Known) -> Any:
    """The second operand when it is one number: an attribute, or a constant that fills its tensor."""
    settings = op.settings()
    scalar = settings.get("other", settings.get("exponent"))
    if scalar is not None or len(op.operands) < 2:
        return scalar
    array = known.get(op.operands[1])
    if array is None or not array.size or not (array == array.reshape(-1)[0]).all():
        return None
    return array.reshape(-1)[0].item()


def merge_views(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """A view of a view is one view of the first tensor."""
    inner = _producer(op.operands[0]) if Trait.IN_ORDER in op.row.traits else None
    if inner is None or Trait.IN_ORDER not in inner.row.traits:
        return None
    source, shape = inner.operands[0], shaped_of(op.results[0]).shape
    if source.type == op.results[0].type:
        return [source]
    return [_build(op, "view", [source], {"size": shape})]


def merge_permutations(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """A permutation of a permutation is one, and the identity is nothing."""
    order = _order(op)
    if order is None:
        return None
    if order == sorted(order):
        return [op.operands[0]]
    inner = _producer(op.operands[0])
    first = None if inner is None else _order(inner)
    if inner is None or first is None:
        return None
    total = [first[d] for d in order]
    if total == sorted(total):
        return [inner.operands[0]]
    return [_build(op, "permute", [inner.operands[0]], {"dims": total})]


def _order(op: SambaOp) -> list[int] | None:
    if op.row.name not in ("transpose", "permute", "t"):
        return None
    return permutation(shaped_of(op.operands[0]).shape, op.row.name, op.settings())


def merge_casts(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """A cast after a cast that lost nothing is one cast."""
    inner = _producer(op.operands[0]) if Trait.CAST in op.row.traits else None
    if inner is None or Trait.CAST not in inner.row.traits or not _lossless(inner):
        return None
    source, dtype = inner.operands[0], op.attr("dtype")
    return [source] if source.type == op.results[0].type else [_build(op, "to", [source], {"dtype": dtype})]


_LOSSLESS = {
    "bf16": ("f32", "f64"),
    "f16": ("f32", "f64"),
    "f32": ("f64",),
    "i1": ("i32", "i64", "f32"),
    "i32": ("i64",),
}


def _lossless(cast: SambaOp) -> bool:
    source, target = (str(shaped_of(value).dtype) for value in (cast.operands[0], cast.results[0]))
    return target in _LOSSLESS.get(source, ())


def read_before_expand(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """Operators that broadcast take an operand of expand, when the result keeps its shape and dtype."""
    if Trait.ELEMENTWISE not in op.row.traits and op.row.name not in ("matmul", "scaled_dot_product_attention"):
        return None
    for i, value in enumerate(op.operands):
        inner = _producer(value)
        if inner is None or inner.row.name != "expand":
            continue
        operands = [*op.operands[:i], inner.operands[0], *op.operands[i + 1 :]]
        if _keeps_result(op, operands):
            return [_rebuilt(op, operands, op.settings())]
    return None


def _keeps_result(op: SambaOp, operands: Sequence[SSAValue]) -> bool:
    try:
        inferred = op.row.rule([shaped_of(value) for value in operands], op.settings())
    except VerifyException:
        return False
    return inferred == [shaped_of(result) for result in op.results]


def _rebuilt(op: SambaOp, operands: Sequence[SSAValue], settings: dict[str, Any]) -> SSAValue:
    value = _build(op, op.row.name, operands, settings)
    if isinstance(value.owner, Operation):
        value.owner.attributes.update(op.attributes)
    return value


def group_queries(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """Attention on key and value heads that were repeated for each group of queries reads them before the repeat."""
    if op.row.name != "scaled_dot_product_attention" or op.attr("enable_gqa"):
        return None
    query, key, value, *mask = op.operands
    keys, values = _before_repeat(key), _before_repeat(value)
    if keys is None or values is None or keys[1][:-2] != values[1][:-2]:
        return None
    settings = op.settings() | {"enable_gqa": True}
    views = [_collapsed(_build(op, "view", [source], {"size": shape}), known) for source, shape in (keys, values)]
    return [_rebuilt(op, [query, *views, *mask], settings)]


def _before_repeat(value: SSAValue) -> tuple[SSAValue, Shape] | None:
    """For view(expand(x)) from [.., h, 1, s, d] over [.., h, g, s, d] to [.., h * g, s, d]: x and [.., h, s, d]."""
    view = _producer(value)
    expand = _producer(view.operands[0]) if view is not None and Trait.IN_ORDER in view.row.traits else None
    if expand is None or expand.row.name != "expand":
        return None
    narrow, wide = shaped_of(expand.operands[0]).shape, shaped_of(expand.results[0]).shape
    if len(wide) < 4 or len(narrow) != len(wide) or narrow[-3] != 1:
        return None
    rest = [*wide[:-3], *wide[-2:]]
    merged = (*wide[:-4], wide[-4] * wide[-3], *wide[-2:])
    if (*narrow[:-3], *narrow[-2:]) != tuple(rest) or shaped_of(value).shape != merged:
        return None
    return expand.operands[0], tuple(rest)


def _collapsed(view: SSAValue, known: Known) -> SSAValue:
    """The view, or what it is a view of when that undoes it."""
    op = _producer(view)
    if op is None:
        return view
    found = remove_noop(op, known) or merge_views(op, known)
    return found[0] if found else view


def simplify_mask(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """A constant mask that hides nothing goes away, one that hides what comes after the query becomes is_causal."""
    if op.row.name != "scaled_dot_product_attention" or len(op.operands) < 4 or op.operands[3] not in known:
        return None
    mask = known[op.operands[3]]
    shown = mask if mask.dtype == bool else mask == 0
    hidden = ~mask if mask.dtype == bool else mask <= -1e30
    if not (shown | hidden).all():
        return None
    settings = op.settings()
    if not shown.all():
        if not _is_causal(shown, shaped_of(op.operands[0]).shape[-2], shaped_of(op.operands[1]).shape[-2]):
            return None
        settings["is_causal"] = True
    return [_rebuilt(op, op.operands[:3], settings)] if _keeps_result(op, op.operands[:3]) else None


def _is_causal(shown: Array, queries: int, keys: int) -> bool:
    """Whether query i sees exactly the keys 0..i, in every batch."""
    import numpy

    if shown.shape[-2:] != (queries, keys):
        return False
    return bool((shown == numpy.tril(numpy.ones((queries, keys), dtype=bool))).all())


def slice_constant_rows(op: SambaOp, known: Known) -> Sequence[SSAValue] | None:
    """An embedding at the constant indices a, a + 1, ... is a slice of the weight (learned positions)."""
    if op.row.name != "embedding" or op.operands[1] not in known:
        return None
    rows = known[op.operands[1]].reshape(-1)
    first, last = int(rows[0]), int(rows[-1])
    if rows.size != last - first + 1 or not (rows[1:] - rows[:-1] == 1).all() or first < 0:
        return None
    taken = _build(op, "slice", [op.operands[0]], {"dim": 0, "start": first, "end": last + 1})
    return [_build(op, "view", [taken], {"size": shaped_of(op.results[0]).shape})]


RULES: tuple[Rule, ...] = (
    remove_noop,
    remove_neutral,
    merge_views,
    merge_permutations,
    merge_casts,
    read_before_expand,
    group_queries,
    simplify_mask,
    slice_constant_rows,
)
