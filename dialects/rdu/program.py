"""The frame of a program: what holds its symbols, sections and schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Attribute, Block, Operation, Region
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, NoTerminator
from xdsl.utils.exceptions import VerifyException

from sambaflow.diagnostics import VerifyExceptionAt
from sambaflow.dialects.rdu.assembly import make_op, parse_attributes, parse_region, print_rest
from sambaflow.dialects.rdu.attributes import TargetAttr
from sambaflow.dialects.rdu.capacity import verify_capacity
from sambaflow.dialects.rdu.schedule import ScheduleOp
from sambaflow.dialects.rdu.sections import SectionOp, SymbolOp
from sambaflow.errors import SambaError

if TYPE_CHECKING:
    from sambaflow.machine import Machine


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """All that one PEF holds: the target, then symbols, sections and schedules.

    Example:

    ```mlir
    rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> { ... }
    ```

    Symbols, sections and schedules have a name space each.
    """

    name = "rdu.program"

    target = prop_def(TargetAttr)
    """Machine, tiles and chips."""
    machine_data = opt_prop_def(StringAttr)
    """The resolved machine as JSON, where it is not what `machine.load` gives for the name."""
    body = region_def("single_block")
    """Symbols, sections and schedules."""

    traits = traits_def(NoTerminator(), IsolatedFromAbove(), HasParent(ModuleOp))
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, target: TargetAttr, ops: Sequence[Operation] = (), machine_data: str | None = None) -> None:
        data = None if machine_data is None else StringAttr(machine_data)
        super().__init__(properties={"target": target, "machine_data": data}, regions=[Region(Block(ops))])

    @property
    def symbols(self) -> list[SymbolOp]:
        return [op for op in self.body.block.ops if isinstance(op, SymbolOp)]

    @property
    def sections(self) -> list[SectionOp]:
        return [op for op in self.body.block.ops if isinstance(op, SectionOp)]

    @property
    def schedules(self) -> list[ScheduleOp]:
        return [op for op in self.body.block.ops if isinstance(op, ScheduleOp)]

    def verify_(self) -> None:
        seen: set[tuple[str, str]] = set()
        for op in self.body.block.ops:
            if not isinstance(op, SymbolOp | SectionOp | ScheduleOp):
                raise VerifyException(f"holds symbols, sections and schedules, not {op.name}")
            key = (op.name, op.sym_name.data)
            if key in seen:
                raise VerifyExceptionAt(op, f"is the second @{op.sym_name.data} of the program")
            seen.add(key)
        symbols = {op.sym_name.data: op for op in self.symbols}
        sections = {op.sym_name.data: op for op in self.sections}
        for schedule in self.schedules:
            schedule.verify_against(symbols, sections)
        self.verify_capacity()

    def verify_capacity(self) -> None:
        """VerifyException unless the program fits the machine that it is for."""
        try:
            verify_capacity(self.target, machine_of(self), self.symbols, self.sections, self.schedules)
        except SambaError as error:
            raise VerifyException(error.message) from None

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_attribute(self.target)
        print_rest(self, printer, ("target",), keyword=" attributes")
        printer.print_string(" ")
        printer.print_region(self.body, print_empty_block=False)

    @classmethod
    def parse(cls, parser: Parser) -> ProgramOp:
        known: dict[str, Attribute] = {"target": parser.parse_attribute()}
        return make_op(cls, known, parse_attributes(parser), [parse_region(parser)])


def machine_of(program: ProgramOp) -> Machine:
    """The machine that a program is for. MachineError when its file is wrong or missing."""
    import json

    from sambaflow import machine

    if program.machine_data is None:
        return machine.load(program.target.machine.data)
    return machine.from_dict(json.loads(program.machine_data.data))
