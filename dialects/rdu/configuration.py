"""How large the configuration of a section is: what a program load shifts into the chip."""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, IntegerAttr, StringAttr
from xdsl.ir import Attribute

from sambaflow.dialects.rdu.attributes import AccessAttr, AccessData, PortAttr, row_count
from sambaflow.dialects.rdu.instructions import ConstantOp, Instruction, YieldOp
from sambaflow.dialects.rdu.sections import SectionOp
from sambaflow.dialects.rdu.units import UnitOp

WORD = 8
"""Bytes of a configuration register or instruction word."""

NOT_CONFIGURED = ("coordinates", "label")


def config_bytes(section: SectionOp) -> int:
    """Bytes of all units and switches: each unit has its own copy of its group's configuration, each hop a word.

    (Sizes of real configuration files are not published; this counts a word per number and per instruction.)
    """
    units = sum(unit.units * unit_words(unit) for unit in section.units)
    return WORD * (units + row_count(section.hops))


def unit_words(unit: UnitOp) -> int:
    """Words of configuration of one unit of a group."""
    numbers = sum(_words(value) for key, value in unit.properties.items() if key not in NOT_CONFIGURED)
    program = 0
    for op in (op for region in unit.regions for block in region.blocks for op in block.ops):
        if isinstance(op, Instruction | ConstantOp):
            program += 1
        elif isinstance(op, YieldOp):
            program += len(op.arguments)
    return 1 + numbers + program


def _words(value: Attribute) -> int:
    match value:
        case DenseArrayBase():
            return len(value)
        case IntegerAttr() | StringAttr():
            return 1
        case ArrayAttr():
            return sum(map(_words, value))
        case AccessAttr():
            return _access_words(value.data)
        case PortAttr():
            return len(value.data.extents) + _access_words(value.data.access)
        case _:
            return 1


def _access_words(access: AccessData) -> int:
    nested: Iterable[tuple[int, ...]] = (*access.bounds, *access.bound_index)
    flat = len(access.strides) + len(access.index_ports) + len(access.index_strides)
    return 1 + flat + sum(map(len, nested)) + (access.pad is not None)
