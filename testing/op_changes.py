"""Random changes of a module's ops: what stands where, between which values, with which types and attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, cast

from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    DictionaryAttr,
    FloatAttr,
    IntAttr,
    IntegerAttr,
    IntegerType,
    ModuleOp,
    StringAttr,
    SymbolRefAttr,
    TensorType,
    UnitAttr,
    f32,
    i1,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, ParametrizedAttribute, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import Rewriter

NUMBERS = (0, -1, 1, 2, 3, 7, 1 << 16, (1 << 31) - 1, 1 << 31, -(1 << 31), 1 << 62, (1 << 63) - 1, 1 << 63, 10**30)
VALUES: tuple[Attribute, ...] = (
    UnitAttr(),
    StringAttr(""),
    StringAttr("sum"),
    SymbolRefAttr("nowhere"),
    IntegerAttr(0, i64),
    IntegerAttr(-1, i64),
    IntegerAttr(1, i1),
    FloatAttr(float("nan"), f32),
    ArrayAttr([]),
    DictionaryAttr({}),
    DenseArrayBase.from_list(i64, []),
    DenseArrayBase.from_list(i64, [0]),
    DenseArrayBase.from_list(i64, [-1, 1 << 62]),
    AffineMapAttr(AffineMap.constant_map(0)),
    AffineMapAttr(AffineMap.identity(2)),
    AffineMapAttr(AffineMap(1, 1, (AffineExpr.dimension(0) + AffineExpr.symbol(0),))),
    TensorType(f32, []),
    TensorType(f32, [0]),
    f32,
)
"""Of any kind, for any place."""

Entry = tuple[dict[str, Attribute], str]


def change(random: Random, module: ModuleOp) -> None:
    """Change the module in place, once; nothing if the change that was drawn has no place in it."""
    ops = [op for op in module.walk() if op is not module]
    if ops:
        random.choice(CHANGES)(random, ops)


# ---- values


def _rewire(random: Random, ops: Sequence[Operation]) -> None:
    """An operand becomes another value of the module, whatever its type."""
    users = [op for op in ops if op.operands]
    if users:
        op = random.choice(users)
        op.operands[random.randrange(len(op.operands))] = random.choice(_values(ops))


def _permute(random: Random, ops: Sequence[Operation]) -> None:
    """The operands of an op in another order, without the last one, or with one twice."""
    users = [op for op in ops if op.operands]
    if users:
        op = random.choice(users)
        operands = list(op.operands)
        op.operands = random.choice(
            (random.sample(operands, len(operands)), operands[:-1], [*operands, random.choice(operands)])
        )


def _exchange(random: Random, ops: Sequence[Operation]) -> None:
    """Two ops exchange their operands."""
    op, other = random.choice(ops), random.choice(ops)
    op.operands, other.operands = list(other.operands), list(op.operands)


def _retype(random: Random, ops: Sequence[Operation]) -> None:
    """A value gets the type of another, or that type altered."""
    values = _values(ops)
    if values:
        type_ = random.choice(values).type
        Rewriter.replace_value_with_new_type(
            random.choice(values),
            random.choice((type_, _other(random, type_), _other(random, random.choice(values).type))),
        )


def _values(ops: Sequence[Operation]) -> list[SSAValue]:
    blocks = [block for op in ops for region in op.regions for block in region.blocks]
    return [*(value for op in ops for value in op.results), *(value for block in blocks for value in block.args)]


# ---- attributes


def _entries(ops: Sequence[Operation]) -> list[Entry]:
    return [(entries, name) for op in ops for entries in (op.properties, op.attributes) for name in entries]


def _alter(random: Random, ops: Sequence[Operation]) -> None:
    """An attribute of an op is altered somewhere inside."""
    if entries := _entries(ops):
        owner, name = random.choice(entries)
        owner[name] = _other(random, owner[name])


def _replace(random: Random, ops: Sequence[Operation]) -> None:
    """An attribute of an op becomes that of another, one of the same name if there is any, or any attribute."""
    if entries := _entries(ops):
        owner, name = random.choice(entries)
        same = [attributes[key] for attributes, key in entries if key == name]
        values = [attributes[key] for attributes, key in entries]
        owner[name] = random.choice(random.choice((same, values, VALUES)))


def _remove(random: Random, ops: Sequence[Operation]) -> None:
    """An attribute of an op goes, or gets another name."""
    if entries := _entries(ops):
        owner, name = random.choice(entries)
        value = owner.pop(name)
        if random.random() < 0.5:
            owner[random.choice(entries)[1]] = value


def _other(random: Random, attribute: Attribute) -> Attribute:
    """The attribute with another number, string, length, order or part; or any other, if its class refuses that."""
    try:
        return _altered(random, attribute)
    except Exception:
        return random.choice(VALUES)


def _altered(random: Random, attribute: Attribute) -> Attribute:
    match attribute:
        case IntegerAttr() | FloatAttr():
            return _number_like(random, attribute)
        case IntAttr():
            return IntAttr(_number(random, attribute.data))
        case StringAttr():
            return StringAttr(random.choice(("", "ö\n\"'", attribute.data + "x", attribute.data[:-1])))
        case SymbolRefAttr():
            return SymbolRefAttr(random.choice(("", "nowhere", attribute.root_reference.data + "_0")))
        case ArrayAttr():
            return ArrayAttr(_list(random, list(attribute.data), lambda item: _other(random, item)))
        case DictionaryAttr():
            return DictionaryAttr({key: _other(random, value) for key, value in attribute.data.items()})
        case AffineMapAttr():
            return AffineMapAttr(_map(random, attribute.data))
        case DenseArrayBase() if isinstance(attribute.elt_type, IntegerType):
            numbers = [int(value) for value in cast(DenseArrayBase[IntegerType], attribute).get_values()]
            return DenseArrayBase.from_list(
                attribute.elt_type, _list(random, numbers, lambda item: _number(random, item))
            )
        case TensorType():
            shape = _list(random, list(attribute.get_shape()), lambda item: _number(random, item))
            return random.choice(
                (
                    TensorType(attribute.element_type, shape),
                    TensorType(attribute.element_type, []),
                    attribute.element_type,
                )
            )
        case ParametrizedAttribute() if attribute.parameters:
            parameters = list(attribute.parameters)
            at = random.randrange(len(parameters))
            parameters[at] = _other(random, parameters[at])
            return type(attribute).new(parameters)
        case _:
            return random.choice(VALUES)


def _number_like(random: Random, attribute: Any) -> Attribute:
    if isinstance(attribute, FloatAttr):
        return FloatAttr(random.choice((0.0, -1.0, 1e300, float("inf"), float("nan"))), cast(Any, attribute.type))
    return IntegerAttr(_number(random, attribute.value.data), random.choice((attribute.type, attribute.type, i64)))


def _number(random: Random, value: int) -> int:
    return random.choice((*NUMBERS, value + 1, value - 1, value * 2, -value, value // 2))


def _list(random: Random, items: list[Any], other: Callable[[Any], Any]) -> list[Any]:
    """Without one, with one twice, in another order, empty, or with one altered."""
    if not items:
        return items
    at = random.randrange(len(items))
    return random.choice(
        (
            items[:at] + items[at + 1 :],
            [*items, items[at]],
            random.sample(items, len(items)),
            [],
            [*items[:at], other(items[at]), *items[at + 1 :]],
            [*items[:at], other(items[at]), *items[at + 1 :]],
        )
    )


def _map(random: Random, map_: AffineMap) -> AffineMap:
    """The map with its results permuted, dropped or shifted, or with another number of dimensions."""
    results = list(map_.results)
    shifted = [result + random.choice((1, -1, 1 << 31, 1 << 62)) for result in results]
    return random.choice(
        (
            AffineMap(map_.num_dims, map_.num_symbols, tuple(random.sample(results, len(results)))),
            AffineMap(map_.num_dims, map_.num_symbols, tuple(results[1:])),
            AffineMap(map_.num_dims, map_.num_symbols, tuple(shifted)),
            AffineMap(map_.num_dims + 1, map_.num_symbols, tuple(results)),
            AffineMap(map_.num_dims, map_.num_symbols + 1, tuple(results)),
        )
    )


# ---- structure


def _delete(random: Random, ops: Sequence[Operation]) -> None:
    """An op goes; what used its results uses other values of their types, if there are some, or is in its stead."""
    op = random.choice(ops)
    inside = set(op.walk())
    left = _values([other for other in ops if other not in inside])
    for result in op.results:
        alike = [value for value in left if value.type == result.type] or left
        if list(result.uses) and not alike:
            return
        if alike:
            result.replace_all_uses_with(random.choice(alike))
    op.detach()
    op.erase(safe_erase=False)


def _duplicate(random: Random, ops: Sequence[Operation]) -> None:
    """An op is there twice: beside itself, or anywhere."""
    op = random.choice(ops)
    place = random.choice((op, random.choice(ops)))
    if place.parent is not None:
        place.parent.insert_op_before(op.clone(), place)


def _move(random: Random, ops: Sequence[Operation]) -> None:
    """An op stands before another, anywhere that is not inside itself."""
    op, place = random.choice(ops), random.choice(ops)
    if place.parent is not None and place not in set(op.walk()):
        op.detach()
        place.parent.insert_op_before(op, place)


def _empty(random: Random, ops: Sequence[Operation]) -> None:
    """A region loses its blocks, its ops or an argument, or gets an argument or a second block."""
    owners = [op for op in ops if op.regions]
    if not owners:
        return
    op = random.choice(owners)
    region = random.choice(op.regions)
    block = region.blocks.first
    way = random.randrange(5)
    if block is None or way == 0:
        op.detach_region(region)
        region.drop_all_references()
        op.add_region(Region())
    elif way == 1:
        for inner in reversed(list(block.ops)):
            if not any(list(result.uses) for result in inner.results):  # by an op outside, after another change
                inner.detach()
                inner.erase()
    elif way == 2:
        region.add_block(Block(arg_types=list(block.arg_types)))
    elif way == 3:
        block.insert_arg(random.choice((f32, TensorType(f32, []), *block.arg_types)), 0)
    elif block.args and not list(block.args[-1].uses):
        block.erase_arg(block.args[-1])


def _rename(random: Random, ops: Sequence[Operation]) -> None:
    """A symbol gets another name: one that is there already, or a new one."""
    symbols = [op for op in ops if "sym_name" in op.properties]
    if symbols:
        names = [op.properties["sym_name"] for op in symbols]
        random.choice(symbols).properties["sym_name"] = random.choice((StringAttr(""), StringAttr("größe"), *names))


CHANGES: tuple[Callable[[Random, Sequence[Operation]], None], ...] = (
    *(_rewire, _rewire, _permute, _exchange, _retype, _retype),
    *(_alter, _alter, _alter, _alter, _replace, _replace, _remove),
    *(_delete, _duplicate, _move, _empty, _rename),
)
