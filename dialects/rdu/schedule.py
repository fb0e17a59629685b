"""How the graphs of a program run: schedules of launches, and repeats of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xdsl.dialects.builtin import I64, ArrayAttr, IntegerAttr, StringAttr, SymbolNameConstraint, SymbolRefAttr
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
from sambaflow.dialects.rdu.assembly import (
    InProgram,
    make_op,
    parse_attributes,
    parse_numbers,
    parse_region,
    print_rest,
    with_rest,
)
from sambaflow.dialects.rdu.attributes import Row, array, values
from sambaflow.dialects.rdu.compute import CollectiveOp
from sambaflow.dialects.rdu.sections import SectionOp, SymbolOp, symbol_ref
from sambaflow.dialects.rdu.units import Array, number

ORCHESTRATIONS = ("hardware", "software")


@irdl_op_definition
class ScheduleOp(IRDLOperation):
    """How one graph runs: its inputs and outputs, and the launches in order.

    Example:

    ```mlir
    rdu.schedule @forward inputs [@x, @w] outputs [@y] tied [-1] {orchestration = "hardware"} {
      rdu.launch @linear [@w, @x, @y] chips [0]
    }
    ```

    `orchestration` is set by rdu-schedule.
    """

    name = "rdu.schedule"

    sym_name = prop_def(SymbolNameConstraint())
    """The name of the graph."""
    inputs = prop_def(ArrayAttr)
    """Symbols of the graph's inputs, in order."""
    outputs = prop_def(ArrayAttr)
    """Symbols of its results."""
    tied = prop_def(Array)
    """Per output the input that it updates in place, or -1."""
    orchestration = opt_prop_def(StringAttr)
    """Who sequences launches: `hardware` or `software`."""
    body = region_def("single_block")
    """Launches and repeats, in order."""

    traits = traits_def(NoTerminator(), IsolatedFromAbove(), InProgram())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(
        self,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        tied: Sequence[int],
        steps: Sequence[Operation],
        orchestration: str | None = None,
    ) -> None:
        properties: dict[str, Attribute | None] = {
            "sym_name": StringAttr(name),
            "inputs": ArrayAttr(map(symbol_ref, inputs)),
            "outputs": ArrayAttr(map(symbol_ref, outputs)),
            "tied": array(tied),
            "orchestration": None if orchestration is None else StringAttr(orchestration),
        }
        super().__init__(properties=properties, regions=[Region(Block(steps))])

    @property
    def input_names(self) -> list[str]:
        return _names(self.inputs)

    @property
    def output_names(self) -> list[str]:
        return _names(self.outputs)

    @property
    def updated_names(self) -> list[str]:
        """Inputs that outputs update in place."""
        names = self.input_names
        return [names[tie] for tie in values(self.tied) if tie >= 0]

    @property
    def steps(self) -> list[LaunchOp | RepeatOp]:
        return [op for op in self.body.block.ops if isinstance(op, LaunchOp | RepeatOp)]

    @property
    def launches(self) -> Iterator[tuple[LaunchOp, int]]:
        """Every launch with how many rounds it is launched."""
        for step in self.steps:
            if isinstance(step, RepeatOp):
                yield from ((launch, step.rounds) for launch in step.launches)
            else:
                yield step, 1

    def verify_(self) -> None:
        for attribute in (self.inputs, self.outputs):
            if any(not isinstance(ref, SymbolRefAttr) for ref in attribute):
                raise VerifyException("inputs and outputs are lists of symbols")
        if len(self.tied) != len(self.outputs):
            raise VerifyException(f"{len(self.outputs)} outputs have {len(self.tied)} ties")
        if any(not -1 <= tie < len(self.inputs) for tie in values(self.tied)):
            raise VerifyException("a tie is the position of an input, or -1")
        if self.orchestration is not None and self.orchestration.data not in ORCHESTRATIONS:
            raise VerifyException(f"orchestration is one of {', '.join(ORCHESTRATIONS)}, not {self.orchestration.data}")
        for op in self.body.block.ops:
            if not isinstance(op, LaunchOp | RepeatOp):
                raise VerifyException(f"holds launches and repeats, not {op.name}")

    def verify_against(self, symbols: Mapping[str, SymbolOp], sections: Mapping[str, SectionOp]) -> None:
        """Names exist, launches bind symbols of the right type to every slot, on chips that the target has."""
        for name in (*self.input_names, *self.output_names):
            if name not in symbols:
                raise VerifyExceptionAt(self, f"there is no symbol @{name}")
        for output, tie in zip(self.output_names, values(self.tied), strict=True):
            if tie >= 0 and _whole(symbols[output]) != _whole(updated := symbols[self.input_names[tie]]):
                message = f"output @{output} of type {symbols[output].type} updates @{updated.sym_name.data}, which is "
                raise VerifyExceptionAt(self, f"{message}{updated.type}, or is sharded in another way")
        for launch, rounds in self.launches:
            launch.verify_against(rounds, symbols, sections)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(" inputs ")
        printer.print_attribute(self.inputs)
        printer.print_string(" outputs ")
        printer.print_attribute(self.outputs)
        printer.print_string(" tied [" + ", ".join(map(str, values(self.tied))) + "]")
        print_rest(self, printer, ("sym_name", "inputs", "outputs", "tied"), keyword=" attributes")
        printer.print_string(" ")
        printer.print_region(self.body, print_empty_block=False)

    @classmethod
    def parse(cls, parser: Parser) -> ScheduleOp:
        known: dict[str, Attribute] = {"sym_name": parser.parse_symbol_name()}
        for key in ("inputs", "outputs"):
            parser.parse_keyword(key)
            known[key] = parser.parse_attribute()
        parser.parse_keyword("tied")
        known["tied"] = array(parse_numbers(parser))
        attributes = parse_attributes(parser)
        return make_op(cls, known, attributes, [parse_region(parser)])


@irdl_op_definition
class RepeatOp(IRDLOperation):
    """The same launches round after round (layers). In it a launch has one list of symbols per round.

    Example:

    ```mlir
    rdu.repeat 2 {carried = array<i64: 0, 1, 0, 0>, prefetched = array<i64: 0, 2>} {
      rdu.launch @layer [[@x0, @x1, @w0], [@x1, @x2, @w1]] chips [0]
    }
    ```
    """

    name = "rdu.repeat"

    count = prop_def(IntegerAttr[I64])
    """Rounds."""
    carried = prop_def(Array)
    """Rows of launch, slot, launch of the next round, its slot."""
    prefetched = prop_def(Array)
    """Rows of launch, slot: loads that may run ahead of the round."""
    body = region_def("single_block")
    """The launches of a round."""

    traits = traits_def(NoTerminator(), HasParent(ScheduleOp))
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(
        self,
        count: int,
        launches: Sequence[LaunchOp],
        carried: Sequence[Row] = (),
        prefetched: Sequence[Row] = (),
    ) -> None:
        properties: dict[str, Attribute] = {
            "count": number(count),
            "carried": array(value for row in carried for value in row),
            "prefetched": array(value for row in prefetched for value in row),
        }
        super().__init__(properties=properties, regions=[Region(Block(launches))])

    @property
    def rounds(self) -> int:
        return self.count.value.data

    @property
    def launches(self) -> list[LaunchOp]:
        return [op for op in self.body.block.ops if isinstance(op, LaunchOp)]

    @property
    def carried_rows(self) -> list[Row]:
        flat = values(self.carried)
        return [flat[i : i + 4] for i in range(0, len(flat), 4)]

    @property
    def prefetched_rows(self) -> list[Row]:
        flat = values(self.prefetched)
        return [flat[i : i + 2] for i in range(0, len(flat), 2)]

    def verify_(self) -> None:
        if self.rounds < 1:
            raise VerifyException(f"repeats at least once, not {self.rounds} times")
        if any(not isinstance(op, LaunchOp) for op in self.body.block.ops):
            raise VerifyException("holds launches only")
        tables = [launch.table for launch in self.launches]
        if any(len(rounds) != self.rounds for rounds in tables):
            raise VerifyException(f"every launch has {self.rounds} lists of symbols")
        if len(self.carried) % 4 or len(self.prefetched) % 2:
            raise VerifyException("carried has rows of 4 numbers, prefetched rows of 2")
        ends = [row[i : i + 2] for row in self.carried_rows for i in (0, 2)] + self.prefetched_rows
        for launch, slot in ends:
            if launch not in range(len(tables)) or slot not in range(len(tables[launch][0])):
                raise VerifyException(f"there is no slot {slot} of launch {launch}")
        for a, slot, b, next_slot in self.carried_rows:
            for i in range(self.rounds - 1):
                if tables[a][i][slot] != tables[b][i + 1][next_slot]:
                    raise VerifyException(
                        f"carried slot {slot} of round {i} is @{tables[a][i][slot]}, "
                        f"the next round has @{tables[b][i + 1][next_slot]}"
                    )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.rounds}")
        print_rest(self, printer, ("count",))
        printer.print_string(" ")
        printer.print_region(self.body, print_empty_block=False)

    @classmethod
    def parse(cls, parser: Parser) -> RepeatOp:
        known: dict[str, Attribute] = {"count": number(parser.parse_integer(allow_boolean=False))}
        attributes = parser.parse_optional_attr_dict()
        return make_op(cls, known, dict(attributes), [parse_region(parser)])


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """One execution of a section on a set of chips, with a symbol for each slot (in a repeat: a list per round).

    Example:

    ```mlir
    rdu.launch @linear [@w, @x, @y] chips [0, 1]
    ```
    """

    name = "rdu.launch"

    section = prop_def(SymbolRefAttr)
    """What is launched."""
    symbols = prop_def(ArrayAttr)
    """A symbol for each slot; in a repeat a list for each round."""
    chips = prop_def(Array)
    """On which chips."""

    traits = traits_def(HasParent(ScheduleOp, RepeatOp))
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, section: str, symbols: Sequence[str] | Sequence[Sequence[str]], chips: Sequence[int]) -> None:
        rounds = [symbol_ref(s) if isinstance(s, str) else ArrayAttr(map(symbol_ref, s)) for s in symbols]
        properties: dict[str, Attribute] = {
            "section": symbol_ref(section),
            "symbols": ArrayAttr(rounds),
            "chips": array(chips),
        }
        super().__init__(properties=properties)

    @property
    def section_name(self) -> str:
        return self.section.root_reference.data

    @property
    def table(self) -> list[list[str]]:
        """Names of the symbols, a list per round (one outside of a repeat)."""
        nested = [_names(entry) for entry in self.symbols if isinstance(entry, ArrayAttr)]
        return nested if isinstance(self.parent_op(), RepeatOp) else [_names(self.symbols)]

    def verify_(self) -> None:
        inside = isinstance(self.parent_op(), RepeatOp)
        entry = ArrayAttr if inside else SymbolRefAttr
        if any(not isinstance(item, entry) for item in self.symbols):
            raise VerifyException("binds a symbol to each slot, in a repeat a list of them for each round")
        if not self.chips or sorted(set(values(self.chips))) != list(values(self.chips)):
            raise VerifyException("chips are numbers in ascending order")

    def verify_against(self, rounds: int, symbols: Mapping[str, SymbolOp], sections: Mapping[str, SectionOp]) -> None:
        section = sections.get(self.section_name)
        if section is None:
            raise VerifyExceptionAt(self, f"there is no section @{self.section_name}")
        for unit in section.units:
            if isinstance(unit, CollectiveOp) and unit.chips.value.data != len(self.chips):
                joined = f"a collective of @{self.section_name} joins {unit.chips.value.data}"
                raise VerifyExceptionAt(self, f"runs on {len(self.chips)} chips, {joined}")
        types = [slot.type for slot in section.slots]
        for bound in self.table:
            if len(bound) != len(types):
                message = f"binds {len(bound)} symbols, @{self.section_name} has {len(types)} slots"
                raise VerifyExceptionAt(self, message)
            for slot, (name, slot_type) in enumerate(zip(bound, types, strict=True)):
                symbol = symbols.get(name)
                if symbol is None:
                    raise VerifyExceptionAt(self, f"there is no symbol @{name}")
                if symbol.type != slot_type:
                    message = f"binds @{name} of type {symbol.type}, slot {slot} of @{self.section_name} is {slot_type}"
                    raise VerifyExceptionAt(self, message)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_attribute(self.section)
        printer.print_string(" ")
        printer.print_attribute(self.symbols)
        printer.print_string(" chips [" + ", ".join(map(str, values(self.chips))) + "]")
        print_rest(self, printer, ("section", "symbols", "chips"))

    @classmethod
    def parse(cls, parser: Parser) -> LaunchOp:
        known: dict[str, Attribute] = {"section": parser.parse_attribute(), "symbols": parser.parse_attribute()}
        parser.parse_keyword("chips")
        known["chips"] = array(parse_numbers(parser))
        return with_rest(cls, parser, known)


def _whole(symbol: SymbolOp) -> tuple[Attribute, Row]:
    """What a symbol is over all chips."""
    return symbol.type, values(symbol.shard)


def _names(attribute: ArrayAttr[Any]) -> list[str]:
    return [ref.root_reference.data for ref in attribute]
