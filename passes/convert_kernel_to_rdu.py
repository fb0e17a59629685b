"""convert-kernel-to-rdu: sections become units joined by streams, functions become schedules."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr

from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, rdu
from sambaflow.errors import InputError
from sambaflow.passes.framework.base import SambaPass, functions_of, target_of
from sambaflow.passes.framework.properties import CALLS, KERNEL
from sambaflow.passes.lowering.schedule import GraphLowering, Symbols
from sambaflow.passes.lowering.section import LoweredSection, SectionLowering


@dataclass(frozen=True)
class ConvertKernelToRduPass(SambaPass):
    """Replaces the module's functions by one `rdu.program`.

        func.func @forward(%x, %w) {                     rdu.program #rdu.target<..> {
          %0 = kernel.section @s (%a = %x, %b = %w) {      rdu.symbol @x input tensor<16x128xbf16> ...
            %1 = kernel.load %a                            rdu.section @s (%a, %b, %r) {
            %2 = kernel.buffer %1 {..}                       %1 = rdu.load %a() {..}
            %3 = kernel.map ins(%2) ..             ->        %2 = rdu.pmu(%1) {..}
            %4, %t = kernel.store %3                         %3 = rdu.pcu(%2) {..} body {..}
            kernel.yield %4 }                                rdu.store %r(%3) {..} }
          func.return %0 }                                 rdu.schedule @forward inputs [..] outputs [..] {
          rdu.launch @s [..] } }

    Nothing is decided here: every count, tile, window and depth stands in the section, so the machine's capacities do
    not matter. Buffers become PMU groups whose read patterns carry the operand maps and the moves behind them; stages
    become PCU groups with a tile program; equal sections become one. A layer function that is called N times in a row
    becomes a repeat with a table of symbols. Needs `kernel-size-fifos`; places, routes and addresses are left open.
    """

    name = "convert-kernel-to-rdu"
    needs = (
        "target",
        *KERNEL,
        "functions",
        "graphs",
        *CALLS,
        "sections",
        "tiles",
        "balance",
        "transfers",
        "buffers",
        "fifos",
    )
    leaves = ("program",)
    counters = {
        "sections": "distinct sections",
        "symbols": "tensors in memory",
    }

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = target_of(op)
        functions = {function.sym_name.data: function for function in functions_of(op)}
        lowered: dict[kernel.SectionOp, LoweredSection] = {}
        names: dict[kernel.SectionOp, str] = {}
        distinct = DistinctSections()
        for function in functions.values():
            for section in function.body.block.ops:
                if isinstance(section, kernel.SectionOp):
                    _check_collectives(section, target.chips.data)
                    lowered[section] = SectionLowering(section).lower()
                    names[section] = distinct.first_like(lowered[section].op).sym_name.data
        symbols = Symbols()
        chips = range(target.chips.data)
        schedules = [
            GraphLowering(function, functions, lowered, names, symbols, chips).lower()
            for function in functions.values()
            if function.sym_visibility is None or function.sym_visibility.data == "public"
        ]
        program = rdu.ProgramOp(target, [*symbols.ops.values(), *distinct.sections, *schedules])
        for old in list(op.ops):
            op.body.block.erase_op(old, safe_erase=False)
        op.body.block.add_op(program)
        op.attributes = {name: value for name, value in op.attributes.items() if name == "rdu.target"}
        for note in [name for name in op.attributes if name.startswith(("samba.", "kernel."))]:
            del op.attributes[note]  # notes of the levels above: they have no place in a PEF
        self.count(ctx, "sections", len(distinct.sections))
        self.count(ctx, "symbols", len(symbols.ops))


def _check_collectives(section: kernel.SectionOp, chips: int) -> None:
    """A launch runs on all chips of the target, so that is how many a collective can join."""
    for op in section.body.block.ops:
        if isinstance(op, kernel.CollectiveOp) and op.chips.value.data != chips:
            raise error_at(
                op,
                "joins other chips than its launch runs on",
                InputError,
                demand=f"{op.chips.value.data} chips",
                limit=f"{chips} in the target",
                levers=[f"compile for {op.chips.value.data} chips"],
            )


class DistinctSections:
    """Sections that do different things, each once."""

    def __init__(self) -> None:
        self.sections: list[rdu.SectionOp] = []
        self._texts: dict[rdu.SectionOp, str] = {}

    def first_like(self, section: rdu.SectionOp) -> rdu.SectionOp:
        """The section that was here first and does the same; if there is none, `section`, which is kept.

        Raises InputError if another one has its name.
        """
        size = len(section.body.block.ops)
        for other in self.sections:
            if len(other.body.block.ops) == size and self._text(other) == self._text(section):
                return other
        if any(other.sym_name == section.sym_name for other in self.sections):
            raise error_at(section, f"@{section.sym_name.data} is the name of another section, too", InputError)
        self.sections.append(section)
        return section

    def _text(self, section: rdu.SectionOp) -> str:
        """The text of a section without its name, made only where another has as many ops."""
        if section not in self._texts:
            name = section.sym_name
            section.properties["sym_name"] = StringAttr("_")
            self._texts[section] = str(section)
            section.properties["sym_name"] = name
        return self._texts[section]
