"""samba-opt's driver: xDSL's, with our dialects, passes, pipelines, locations, diagnostics and instrumentations."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from traceback import print_exception
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.targets import get_all_targets
from xdsl.utils.exceptions import ShrinkException
from xdsl.xdsl_opt_main import xDSLOptMain

from sambaflow import __version__
from sambaflow.diagnostics import location_of
from sambaflow.dialects.text.older_mlir import OlderPrinter
from sambaflow.dialects.text.parsing import decode, parse_module
from sambaflow.dialects.text.printing import FastPrinter
from sambaflow.errors import Diagnostic, InputError, InternalError, PluginError, SambaError
from sambaflow.files import STANDARD, read_input, write_file, write_output
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.instrumentation import (
    CrashReproducer,
    IrPrinting,
    Timing,
    VerifyEach,
    read_configuration,
    statistics_text,
)
from sambaflow.passes.framework.instrumentation.verifying import verify_after
from sambaflow.passes.framework.manager import Instrumentation, PassManager, Pipeline
from sambaflow.passes.framework.pipeline_text import PIPELINE_SOURCE
from sambaflow.passes.framework.pipelines import parse_pipeline
from sambaflow.passes.framework.registry import PASSES, foreign_passes, load_pass, load_pass_file
from sambaflow.passes.framework.verification import verify_module
from sambaflow.remarks import Remark
from sambaflow.reporting import Reporter
from sambaflow.tools.opt_arguments import UsageError, add_arguments, join_bare_flags, pass_names_of
from sambaflow.tools.paths import Use, check_paths
from sambaflow.tools.report_arguments import collect_decisions, print_remarks, reporter_of, run, write_journal

SEPARATOR = "// -----"


@dataclass(frozen=True)
class Piece:
    """A part of the input that is processed by itself, and the line of the file that it starts after."""

    text: str
    line_offset: int


class SambaOpt(xDSLOptMain):
    """xDSL's driver with our dialects, passes, pipelines, locations, diagnostics and instrumentations."""

    version_format: ClassVar[str] = f"samba-opt (sambaflow {__version__}) on xdsl {{xdsl_version}}"

    ctx: SambaContext
    passes: Pipeline

    # The hooks that xDSL's constructor calls, in its order.

    def register_all_dialects(self) -> None:
        self.ctx = SambaContext()

    def register_all_passes(self) -> None:
        for name in PASSES:
            self.register_pass(name, partial(load_pass, name))
        for name, factory in foreign_passes().items():
            self.register_pass(name, factory)

    def register_all_targets(self) -> None:
        self.available_targets |= get_all_targets()

    def register_all_arguments(self, arg_parser: ArgumentParser) -> None:
        super().register_all_arguments(arg_parser)
        add_arguments(arg_parser)

    def setup_pipeline(self) -> None:
        """Options are known, the pipeline's text is read by `main`: a wrong one is refused like any other input."""
        if self.args.passes and self.args.pass_pipeline:
            raise UsageError("-p/--passes and --pass-pipeline are two names of one option: give one")

    # The story.

    def main(self) -> int:
        """Process the input; returns the exit code."""
        self.timing = Timing()
        self.reporter = reporter_of(self.args, {PIPELINE_SOURCE: self.args.pass_pipeline or self.args.passes})
        return run(self.reporter, self._ended, self.args.output_file or self.get_input_name())

    def _ended(self) -> int:
        """The exit code, also where xDSL's test reducer or the flags of printing end the run."""
        try:
            return self._main()
        except UsageError as error:
            return _misused(error)
        except ShrinkException:
            write_output(STANDARD, "Success, can shrink\n")
            return 0

    def _main(self) -> int:
        self._check_paths()
        for path in self.args.load_pass_plugin:
            load_pass_file(path)
        if self._answered_about_passes():
            return 0
        self.passes = parse_pipeline(self.args.pass_pipeline or self.args.passes)
        if self.args.dump_pass_pipeline:
            print(self.passes, file=sys.stderr)
        self.printed_before, self.printed_after = (pass_names_of(self.args, when) for when in ("before", "after"))
        name = self.get_input_name()
        self.text = self._read_input(name)
        self.reporter.sources.add(name, self.text)
        if self.args.verify_diagnostics is None:
            print_remarks(self.args, self.ctx.journal, self.reporter)
        collect_decisions(self.args, self.ctx.journal)
        outputs, failed = self._process_all(name)
        if self.args.shrink:
            write_output(STANDARD, "Failure, can't shrink\n")
            return 1
        self._report()
        if failed and self.args.output_file is not None:
            return 1
        self._write(f"{SEPARATOR}\n".join(outputs))
        return int(failed)

    def _check_paths(self) -> None:
        args = self.args
        check_paths(
            [
                Use("the result (-o)", args.output_file),
                Use("--remarks-output", args.remarks_output),
                Use("--decisions-output", args.decisions_output),
                Use("--crash-reproducer", args.crash_reproducer),
            ],
            [Use("the input", args.input_file), *(Use("--load-pass-plugin", path) for path in args.load_pass_plugin)],
            in_place=[("the result (-o)", "the input")],
            streamed="the result (-o)",
        )

    def _answered_about_passes(self) -> bool:
        """Whether the run was only for `--list-passes` or `--help-pass`."""
        if not self.args.list_passes and self.args.help_pass is None:
            return False
        from sambaflow.passes.framework.help import help_of_pass, list_of_passes

        text = list_of_passes() if self.args.list_passes else help_of_pass(self.args.help_pass)
        write_output(STANDARD, f"{text}\n")
        return True

    def _instrumentations(self) -> list[Instrumentation]:
        """What the flags ask for around the passes of one module, outermost first."""
        args = self.args
        asked: list[Instrumentation] = []
        if args.crash_reproducer is not None:
            flags = ["--verify-each"] * args.verify_each + ["--check-semantics"] * (args.check_semantics is not None)
            text_of = partial(self.text_of, generic=True, locations=True)
            asked.append(CrashReproducer(args.crash_reproducer, text_of, write_file, flags, args.load_pass_plugin))
        if self.printed_before or self.printed_after or args.print_ir_after_failure:
            asked.append(
                IrPrinting(
                    self.text_of,
                    self.printed_before,
                    self.printed_after,
                    after_change=args.print_ir_after_change,
                    after_failure_only=args.print_ir_after_failure,
                    module_scope=args.print_ir_module_scope,
                    tree_dir=args.print_ir_tree_dir,
                )
            )
        if args.check_semantics is not None:
            from sambaflow.sim.checking.pass_check import SemanticsCheck

            asked.append(SemanticsCheck(self.ctx, range(args.check_semantics)))
        if args.verify_each and not args.disable_verify:
            asked.append(VerifyEach())
        return [*asked, self.timing]

    def _read_input(self, name: str) -> str:
        return decode(read_input(self.args.input_file or STANDARD), name)

    def _process_all(self, name: str) -> tuple[list[str], bool]:
        outputs: list[str] = []
        failed = False
        for piece in self._pieces():
            diagnostics: list[Diagnostic] = []
            start = len(self.ctx.journal.remarks)
            output = self._process(piece, name, diagnostics)
            if output is not None:
                outputs.append(output)
            if self.args.verify_diagnostics is not None:
                diagnostics += [remark.diagnostic for remark in self._wanted(self.ctx.journal.remarks[start:])]
                failed |= not self._are_expected(diagnostics, piece, name)
            else:
                failed |= output is None and not self.args.parsing_diagnostics
        return outputs, failed

    def _wanted(self, remarks: list[Remark]) -> list[Remark]:
        return remarks if self.args.remarks is None else self.args.remarks.select(remarks)

    def _are_expected(self, diagnostics: list[Diagnostic], piece: Piece, name: str) -> bool:
        """Whether the diagnostics are those that the comments of a piece expect; what is not is reported."""
        from sambaflow.tools.expected import compare, expectations_of

        problems = compare(
            expectations_of(piece.text, name, piece.line_offset),
            diagnostics,
            remarks=self.args.remarks is not None,
            only_expected=self.args.verify_diagnostics == "only-expected",
        )
        for problem in problems:
            self.reporter.report(problem)
        return not problems

    def _pieces(self) -> list[Piece]:
        if not self.args.split_input_file:
            return [Piece(self.text, 0)]
        pieces: list[Piece] = []
        offset = 0
        for part in self.text.split(SEPARATOR):
            pieces.append(Piece(part, offset))
            offset += part.count("\n")
        return pieces

    def _process(self, piece: Piece, name: str, diagnostics: list[Diagnostic]) -> str | None:
        """The printed result of one piece, or None when it was refused; what was wrong goes to `diagnostics`."""
        try:
            with self.timing.phase("Parser"):
                module = parse_module(
                    piece.text,
                    name,
                    self.ctx,
                    line_offset=piece.line_offset,
                    implicit_module=not self.args.no_implicit_module,
                )
            with self.timing.phase("Verifier"):
                self._verify(module)
            self._run_passes(module)
            with self.timing.phase("Output"):
                return self.output_resulting_program(module)
        except SambaError as error:
            if self.args.traceback and isinstance(error, InternalError | PluginError):
                print_exception(error.__cause__, file=sys.stderr)
            diagnostics.append(error.diagnostic)
            if self.args.verify_diagnostics is None:
                self.reporter.error(error)
            return None

    def _run_passes(self, module: ModuleOp) -> None:
        PassManager(self.passes, self.ctx, self._instrumentations()).run(module)
        passes = self.passes.passes
        if passes and not self.args.verify_each and not self.args.disable_verify:
            with self.timing.phase("Verifier"):
                verify_after(module, passes[-1])

    def _verify(self, module: ModuleOp) -> None:
        if not self.args.disable_verify:
            verify_module(module)

    def text_of(self, op: Operation, generic: bool = False, locations: bool = False) -> str:
        """`op` as the printing flags ask for."""
        return self._printed(op, generic, locations).text()

    def output_resulting_program(self, prog: ModuleOp) -> str:
        """What xDSL's driver gives, in less time where it is plain MLIR."""
        if self.args.target != "mlir" or self.args.syntax_highlight:
            return self._translated(prog)
        printer = self._printed(prog)
        printer.print_metadata(self.ctx.loaded_dialects)
        return printer.text() + "\n\n"

    def _translated(self, module: ModuleOp) -> str:
        """The module as a target of xDSL's, written by xDSL; InputError with its words when it cannot."""
        try:
            return super().output_resulting_program(module)
        except Exception as error:
            said = str(error).strip().split("\n")[0]
            raise InputError(
                f"xDSL cannot write this module for the target '{self.args.target}': {type(error).__name__}: {said}",
                location=location_of(module),
                levers=[
                    "install the package that it lacks"
                    if isinstance(error, ImportError)
                    else "lower the module to the dialects of that target first"
                ],
            ) from error

    def _printed(self, op: Operation, generic: bool = False, locations: bool = False) -> FastPrinter:
        generic, locations = generic or self.args.print_op_generic, locations or self.args.print_debuginfo
        if generic and self.args.print_no_properties:
            printer = OlderPrinter(locations=locations)
        else:
            printer = FastPrinter(
                generic=generic, properties_as_attributes=self.args.print_no_properties, locations=locations
            )
        printer.print_op(op)
        return printer

    def _report(self) -> None:
        write_journal(self.args, self.ctx.journal)
        if self.args.statistics:
            print(statistics_text(self.passes.passes, self.ctx.journal), file=sys.stderr)
        if self.args.timing is not None:
            print(self.timing.text(self.args.timing), file=sys.stderr)

    def _write(self, text: str) -> None:
        write_output(self.args.output_file or STANDARD, text)


def _with_configuration(arguments: Sequence[str]) -> list[str]:
    """`--run-reproducer FILE` with the flags that the file asks for; any other command line as it is."""
    if "--run-reproducer" not in arguments:
        return list(arguments)
    at = arguments.index("--run-reproducer")
    if at + 1 == len(arguments):
        raise UsageError("--run-reproducer needs the file that --crash-reproducer wrote")
    path = arguments[at + 1]
    flags = read_configuration(decode(read_input(path), path), path)
    return [*arguments[:at], *flags, *arguments[at + 1 :]]


def run_driver(arguments: Sequence[str]) -> int:
    """samba-opt on a command line; returns the exit code."""
    try:
        arguments = join_bare_flags(_with_configuration(arguments))
        return SambaOpt(description="Run passes on a sambaflow module.", args=arguments).main()
    except UsageError as error:
        return _misused(error)
    except SambaError as error:
        Reporter().error(error)
        return 1


def _misused(error: UsageError) -> int:
    print(f"samba-opt: error: {error}", file=sys.stderr)
    return 2
