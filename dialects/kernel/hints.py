"""What fusion rules and heuristics wish for, from the samba op down to the planner.

A rule's `set m_shard_degree: 4` and a heuristic's choices stand on samba ops as `samba.hints`; the contractions that
an op becomes carry them as `kernel.hints`, and `wishes_of` reads them in terms of the stage's own dimensions. A degree
binds the planner, `shard_first` breaks its ties, `stationary` offers it one more plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import DenseArrayBase, DictionaryAttr, FloatAttr, IntegerAttr, StringAttr, f64, i1, i64
from xdsl.ir import Attribute, Operation

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel
from sambaflow.dialects.kernel.analysis import multiply_accumulate
from sambaflow.dialects.kernel.body import build_region
from sambaflow.errors import InputError

Hint = int | float | bool | str

KERNEL_HINTS = "kernel.hints"

DEGREES = {"m_shard_degree": "m", "n_shard_degree": "n", "k_shard_degree": "k"}
"""PCUs side by side along m, n or k of a product."""

STREAMS_WEIGHTS = ("input", "query")
"""What `stationary` may name for the largest operand to stream by."""


@dataclass(frozen=True)
class Wishes:
    """Of one stage: `par` per dimension (0: free), the dimension to spread first (-1: any), and whether the largest
    operand should stream while the others stay."""

    par: tuple[int, ...] = ()
    first: int = -1
    stream_largest: bool = False

    def par_of(self, dim: int) -> int:
        """The par factor that is asked for along `dim`; 0 when it is free."""
        return self.par[dim] if self.par else 0


NO_WISHES = Wishes()


def wishes_of(stage: kernel.Stage) -> Wishes:
    """The hints of a contraction by its own dimensions; none for other stages.

    Raises InputError for a degree that is no number of PCUs.
    """
    hints = dictionary_of(stage, KERNEL_HINTS)
    roles = product_dims(stage) if hints else {}
    if not roles:
        return NO_WISHES
    par = [0] * stage.rank
    for name, role in DEGREES.items():
        if role in roles and name in hints:
            degree = hints[name]
            if not isinstance(degree, int) or degree < 1:
                raise error_at(stage, f"has the hint {name} = {degree}: it is a number of PCUs, at least 1", InputError)
            par[roles[role]] = min(degree, stage.extents[roles[role]])
    first = roles.get(str(hints.get("shard_first", "")), -1)
    return Wishes(tuple(par), first, hints.get("stationary") in STREAMS_WEIGHTS)


def product_dims(stage: kernel.Stage) -> dict[str, int]:
    """The dimensions that are m, n, k and heads of a product a . b: those of a alone, of b alone, summed, of both.

    The largest where there are several; a role that no dimension plays is missing.
    """
    factors = multiply_accumulate(stage)
    if factors is None:
        return {}
    left, right = (set[int]().union(*(expr.used_dims() for expr in stage.input_maps[i].results)) for i in factors)
    roles: dict[str, int] = {}
    for dim, (extent, kind) in enumerate(zip(stage.extents, stage.kinds, strict=True)):
        role = "k" if kind == "reduction" else _ROLES[dim in left, dim in right]
        if role and (role not in roles or extent > stage.extents[roles[role]]):
            roles[role] = dim
    return roles


_ROLES = {(True, False): "m", (False, True): "n", (True, True): "heads", (False, False): ""}


def hand_down(hints: Mapping[str, Hint], stages: Sequence[kernel.Stage]) -> list[str]:
    """Leave the hints of a samba op on the contractions that it became, with k split as `k_shard_degree` asks.

    Returns what could not be granted, in words.
    """
    refused: list[str] = []
    for stage in stages if hints else ():
        if not isinstance(stage, kernel.ContractOp) or not (roles := product_dims(stage)):
            continue
        stage.attributes[KERNEL_HINTS] = hints_attr(hints)
        degree = hints.get("k_shard_degree", 1)
        if isinstance(degree, int) and degree > 1 and "k" in roles:
            k = roles["k"]
            if stage.extents[k] % degree:
                refused.append(f"k_shard_degree {degree} does not divide k = {stage.extents[k]}")
                granted = {name: hint for name, hint in hints.items() if name != "k_shard_degree"}
                stage.attributes[KERNEL_HINTS] = hints_attr(granted)
                continue
            split = [degree if dim == k else 1 for dim in range(stage.rank)]
            stage.properties["split"] = DenseArrayBase.from_list(i64, split)
            if stage.combine.blocks.first is None:
                sums = build_region(stage.accumulator_types * 2, lambda b, x, y: b.add(x, y))
                sums.move_blocks(stage.combine)
    return refused


def hints_attr(hints: Mapping[str, Hint]) -> DictionaryAttr:
    """Hints as an attribute: integers as i64, numbers as f64, flags as i1, names as strings."""
    return DictionaryAttr({name: _value_attr(value) for name, value in sorted(hints.items())})


def dictionary_of(op: Operation, name: str) -> dict[str, Hint]:
    """The values of a dictionary of hints or parameters that `op` carries; none if it carries none."""
    attribute = op.attributes.get(name)
    if not isinstance(attribute, DictionaryAttr):
        return {}
    return {key: _attr_value(value) for key, value in attribute.data.items()}


def _value_attr(value: Hint) -> Attribute:
    if isinstance(value, bool):
        return IntegerAttr(int(value), i1)
    if isinstance(value, int):
        return IntegerAttr(value, i64)
    return FloatAttr(value, f64) if isinstance(value, float) else StringAttr(value)


def _attr_value(attribute: Attribute) -> Hint:
    match attribute:
        case IntegerAttr():
            return bool(attribute.value.data) if attribute.type == i1 else attribute.value.data
        case FloatAttr():
            return attribute.value.data
        case StringAttr():
            return attribute.data
        case _:
            return str(attribute)
