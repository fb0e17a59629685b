"""The rdu dialect: what sits where on the chip.

A program is symbols in memory, sections of units joined by streams, and a schedule of launches per graph.
`docs/boundaries.md`
says what the fields mean; `backends/rdu/image.py` is the same thing in numpy.
"""

from xdsl.ir import Dialect

from sambaflow.dialects.rdu.attributes import (
    AccessAttr,
    AccessData,
    PortAttr,
    PortData,
    Row,
    StreamType,
    TargetAttr,
    array,
    rows,
    table,
    values,
)
from sambaflow.dialects.rdu.compute import UNIT_OPS, CollectiveOp, PcuOp
from sambaflow.dialects.rdu.dtypes import DTYPE_BYTES, TOKEN, dtype_name, dtype_type
from sambaflow.dialects.rdu.instructions import (
    INSTRUCTIONS,
    RESULTS,
    ConstantOp,
    CounterOp,
    Instruction,
    YieldOp,
    bits_of,
    number_of,
)
from sambaflow.dialects.rdu.program import ProgramOp, machine_of
from sambaflow.dialects.rdu.schedule import LaunchOp, RepeatOp, ScheduleOp
from sambaflow.dialects.rdu.sections import SectionOp, SymbolOp, symbol_ref
from sambaflow.dialects.rdu.units import (
    KINDS,
    MODES,
    PARALLEL,
    REDUCTION,
    SEQUENTIAL,
    LoadOp,
    PmuOp,
    StoreOp,
    TransferOp,
    UnitOp,
)

__all__ = [
    "DTYPE_BYTES",
    "INSTRUCTIONS",
    "KINDS",
    "MODES",
    "PARALLEL",
    "REDUCTION",
    "RESULTS",
    "SEQUENTIAL",
    "TOKEN",
    "UNIT_OPS",
    "AccessAttr",
    "AccessData",
    "CollectiveOp",
    "ConstantOp",
    "CounterOp",
    "Instruction",
    "LaunchOp",
    "LoadOp",
    "PcuOp",
    "PmuOp",
    "PortAttr",
    "PortData",
    "ProgramOp",
    "Rdu",
    "RepeatOp",
    "Row",
    "ScheduleOp",
    "SectionOp",
    "StoreOp",
    "StreamType",
    "SymbolOp",
    "TargetAttr",
    "TransferOp",
    "UnitOp",
    "YieldOp",
    "array",
    "bits_of",
    "dtype_name",
    "dtype_type",
    "machine_of",
    "number_of",
    "rows",
    "symbol_ref",
    "table",
    "values",
]

Rdu = Dialect(
    "rdu",
    [
        ProgramOp,
        SymbolOp,
        SectionOp,
        ScheduleOp,
        RepeatOp,
        LaunchOp,
        *UNIT_OPS,
        ConstantOp,
        CounterOp,
        YieldOp,
        *INSTRUCTIONS.values(),
    ],
    [TargetAttr, StreamType, AccessAttr, PortAttr],
)
