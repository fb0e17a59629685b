"""Other legal values of decisions: what a user might have written instead of what a pass chose.

    for place, kind, value in other_decisions(module, "kernel-tile"):
        fix(op_at(module, place), kind, value)

Legal means: the op verifies with it, and the pass can plan around it; where memory or units are short it may still be
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects import kernel, rdu, samba
from sambaflow.dialects.kernel import MappingAttr
from sambaflow.dialects.kernel.stage import dense
from sambaflow.passes.framework.decision_kinds import Kind, kinds_on, shard_kind
from sambaflow.passes.framework.pipelines import run_pipeline

Place: TypeAlias = tuple[str, int]
"""An op of a module: its name, and which of that name it is."""


def places_of(module: ModuleOp) -> dict[Operation, Place]:
    """Where each op of a module stands."""
    counts: dict[str, int] = {}
    places: dict[Operation, Place] = {}
    for op in module.walk():
        places[op] = op.name, counts.get(op.name, 0)
        counts[op.name] = counts.get(op.name, 0) + 1
    return places


def op_at(module: ModuleOp, place: Place) -> Operation:
    """The op that stands at a place."""
    return next(op for op, other in places_of(module).items() if other == place)


def other_decisions(module: ModuleOp, pass_name: str) -> Iterator[tuple[Place, str, Attribute]]:
    """Places, kinds and other legal values of the decisions that a pass has made."""
    solved = _solved_otherwise(module, pass_name)
    for op, place in places_of(module).items():
        for kind in kinds_on(op):
            if kind.pass_name != pass_name or (value := kind.read(op)) is None:
                continue
            others = [] if place not in solved else [kind.read(solved[place])]
            for other in (*others, *_alternatives(op, kind, value)):
                if other is None:
                    continue
                if other != value and _verifies(op, kind.write, other):
                    yield place, kind.name, other


def _solved_otherwise(module: ModuleOp, pass_name: str) -> dict[Place, Operation]:
    """The ops of the module as another solver of the pass decides about them."""
    if pass_name not in OTHER_SOLVERS:
        return {}
    copy = module.clone()
    run_pipeline(copy, f"{pass_name}{{solver={OTHER_SOLVERS[pass_name]}}}")
    return {place: op for op, place in places_of(copy).items()}


def _verifies(op: Operation, write: Callable[[Operation, Attribute], None], value: Attribute) -> bool:
    copy = op.clone_without_regions() if not op.regions else op.clone()
    write(copy, value)
    try:
        copy.verify_()
    except VerifyException:
        return False
    return True


# ---- by kind


def _tiles(op: Operation, value: Attribute) -> Iterator[Attribute]:
    """A tile with half the extent, or all of it, along one parallel dimension; a transfer's along any."""
    if isinstance(value, MappingAttr) and isinstance(op, kernel.Stage):
        mapping = value.data
        for dim, (tile, kind, extent) in enumerate(zip(mapping.tile, op.kinds, op.extents, strict=True)):
            for other in (-(-tile // 2), extent):
                if kind == "parallel" and other != tile:
                    changed = (*mapping.tile[:dim], other, *mapping.tile[dim + 1 :])
                    yield MappingAttr.of(changed, (), mapping.order, mapping.hold)
    elif isinstance(value, DenseArrayBase):
        tile = value.get_values()
        for dim, part in enumerate(tile):
            if part > 1:
                yield dense([*tile[:dim], -(-part // 2), *tile[dim + 1 :]])


def _pars(op: Operation, value: Attribute) -> Iterator[Attribute]:
    """One PCU, or two along a dimension."""
    assert isinstance(value, DenseArrayBase)
    par = value.get_values()
    yield dense([1] * len(par))
    if isinstance(op, kernel.Stage) and op.tiling is not None:
        for dim, (tile, kind) in enumerate(zip(op.tiling.tile, op.kinds, strict=True)):
            if tile > 1 and kind == "parallel":
                yield dense([2 if other == dim else 1 for other in range(len(par))])


def _windows(op: Operation, value: Attribute) -> Iterator[Attribute]:
    del op
    assert isinstance(value, DenseArrayBase)
    yield dense([1] * len(value))
    yield dense([2 * count for count in value.get_values()])


def _numbers(*changes: Callable[[int], int]) -> Callable[[Operation, Attribute], Iterator[Attribute]]:
    def others(op: Operation, value: Attribute) -> Iterator[Attribute]:
        del op
        assert isinstance(value, IntegerAttr)
        for change in changes:
            if (other := change(value.value.data)) >= 1:
                yield IntegerAttr(other, i64)

    return others


def _names(*names: str) -> Callable[[Operation, Attribute], Iterator[Attribute]]:
    return lambda op, value: (StringAttr(name) for name in names)


def _tiers(op: Operation, value: Attribute) -> Iterator[Attribute]:
    """The other tiers of the machine."""
    del value
    program = op.parent_op()
    assert isinstance(program, rdu.ProgramOp)
    return (StringAttr(name) for name in rdu.machine_of(program).tiers)


def _shards(op: Operation, kind: Kind, value: Attribute) -> Iterator[Attribute]:
    """The argument whole on every chip, or split along any other of its dimensions that divides."""
    assert isinstance(op, FuncOp) and isinstance(value, samba.ShardAttr)
    (argument,) = (number for number in range(len(op.body.block.args)) if shard_kind(number) == kind.name)
    chips = value.values[2]
    yield samba.ShardAttr.get(0, 1, 1)
    for dim, extent in enumerate(samba.shaped_of(op.body.block.args[argument]).shape):
        if extent and extent % chips == 0:
            yield samba.ShardAttr.get(dim, 1, chips)


def _hints(op: Operation, value: Attribute) -> Iterator[Attribute]:
    """Another number, or the name of another dimension or operand."""
    del op
    if isinstance(value, IntegerAttr):
        yield IntegerAttr(2 if value.value.data == 1 else 1, value.type)
    elif isinstance(value, StringAttr):
        yield from map(StringAttr, {"n": ("m",), "m": ("n",)}.get(value.data, ("input", "weight")))


def _none(op: Operation, value: Attribute) -> Iterator[Attribute]:
    del op, value
    return iter(())


def dissolve(op: Operation) -> list[Operation]:
    """Put the ops of a section, a group or a module in its place; these ops."""
    body = op.regions[0].block
    terminator, block = body.last_op, op.parent
    assert terminator is not None and block is not None
    for argument, value in zip(body.args, op.operands, strict=True):
        argument.replace_all_uses_with(value)
    ops = [inner for inner in body.ops if inner is not terminator]
    for inner in ops:
        inner.detach()
        block.insert_op_before(inner, op)
    for result, value in zip(op.results, terminator.operands, strict=True):
        result.replace_all_uses_with(value)
    terminator.detach()
    terminator.erase()
    op.detach()
    op.erase()
    return ops


OTHERS: Mapping[str, Callable[[Operation, Attribute], Iterator[Attribute]]] = {
    "rule": _none,
    "heuristic": _names("SAFE_GEMM", "DEFAULT"),
    "sym_name": _none,
    "tile": _tiles,
    "par": _pars,
    "agcus": _numbers(lambda n: n + 1, lambda n: n - 1, lambda n: 1),
    "windows": _windows,
    "tokens": _numbers(lambda n: 1, lambda n: n // 2 if n % 2 == 0 else 0),
    "pmus": _numbers(lambda n: n + 1),
    "banks": _numbers(lambda n: n + 1),
    "depth": _numbers(lambda n: n + 1, lambda n: n - 1),
    "tier": _tiers,
    "address": _numbers(lambda n: n + (1 << 24)),
    "coordinates": _none,
    "routes": _none,
    "orchestration": _names("hardware", "software"),
}
"""Other values of each kind, beside those of another solver; what is not here is a hint. What is a module or a section
is no value: see `dissolve`."""


def _alternatives(op: Operation, kind: Kind, value: Attribute) -> Iterator[Attribute]:
    if kind.pass_name == "samba-shard":
        return _shards(op, kind, value)
    return OTHERS.get(kind.name, _hints)(op, value)


OTHER_SOLVERS = {"rdu-plan-memory": "best-fit", "rdu-place": "rows", "rdu-route": "xy"}
"""Solvers that give other values than the default ones of their passes."""
