"""samba-opt: read MLIR, run passes on it, print MLIR.

    samba-opt --pass-pipeline=o1 model.mlir
    samba-opt --pass-pipeline='samba-fuse{rules=my.yaml}, kernel-tile' model.mlir -o out.mlir

Exit codes: 0 done; 1 the input is refused, a diagnostic on standard error says why; 2 wrong command-line usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import DiagnosticException, ShrinkException
from xdsl.xdsl_opt_main import xDSLOptMain

from sambaflow import __version__
from sambaflow.diagnostics import render, render_error
from sambaflow.errors import InputError, Location, SambaError
from sambaflow.passes.base import Remark, SambaContext
from sambaflow.passes.parsing import decode, parse_module
from sambaflow.passes.pipelines import PIPELINE_SOURCE, parse_pipeline
from sambaflow.passes.registry import PASSES, load_pass
from sambaflow.passes.verification import verify_module
from sambaflow.tools.expected import Diagnostic, compare, expectations_of
from sambaflow.tools.files import end_with_the_reader, write_atomically

SEPARATOR = "// -----"


@dataclass(frozen=True)
class Piece:
    """A part of the input that is processed by itself, and the line of the file that it starts after."""

    text: str
    line_offset: int


class SambaOpt(xDSLOptMain):
    """xDSL's driver with our dialects, passes, pipelines, locations and diagnostics."""

    version_format: ClassVar[str] = f"samba-opt (sambaflow {__version__}) on xdsl {{xdsl_version}}"

    ctx: SambaContext
    passes: tuple[ModulePass, ...]

    # The hooks that xDSL's constructor calls, in its order.

    def register_all_dialects(self) -> None:
        self.ctx = SambaContext()

    def register_all_passes(self) -> None:
        for name in PASSES:
            self.register_pass(name, partial(load_pass, name))
        super().register_all_passes()

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        super().register_all_arguments(arg_parser)
        add = arg_parser.add_argument
        add(
            "--pass-pipeline",
            default="",
            help="o0, o1, o3, or a list of passes: 'o1{chips=8}', 'samba-fuse,kernel-tile'",
        )
        add("--verify-each", action="store_true", help="verify the module after each pass, not only at the end")
        add("--remarks", action="store_true", help="print what passes did and refused, and why, on standard error")
        add("--remarks-file", metavar="FILE", help="write the remarks to FILE as JSON")
        add("--pass-statistics", action="store_true", help="print the passes' counters on standard error")
        add("--traceback", action="store_true", help="let an internal error end in its Python traceback")

    def setup_pipeline(self) -> None:
        """Options are known, the pipeline's text is read by `run`: a wrong one is refused like any other input."""
        if self.args.passes and self.args.pass_pipeline:
            raise UsageError("-p/--passes and --pass-pipeline are two names of one option: give one")

    def run(self) -> None:
        raise SystemExit(self.main())

    # The story.

    def main(self) -> int:
        """Process the input; returns the exit code."""
        name = self.get_input_name()
        pipeline = self.args.pass_pipeline or self.args.passes
        try:
            self.passes = parse_pipeline(pipeline)
            self.text = self._read_input(name)
        except SambaError as error:
            print(render_error(error, {PIPELINE_SOURCE: pipeline}), file=sys.stderr)
            return 1
        self.sources = {name: self.text}
        outputs, failed = self._process_all(name)
        if self.args.shrink:
            print("Failure, can't shrink")
            return 1
        self._report_journal()
        if failed and self.args.output_file is not None:
            return 1
        self._write(f"{SEPARATOR}\n".join(outputs))
        return int(failed)

    def _read_input(self, name: str) -> str:
        try:
            stream, _ = self.get_input_stream()
            with stream:
                return decode(stream.read(), name)
        except OSError as error:
            raise InputError(error.strerror or str(error), location=Location(name)) from None

    def _process_all(self, name: str) -> tuple[list[str], bool]:
        outputs: list[str] = []
        failed = False
        for piece in self._pieces():
            found: list[Diagnostic] = []
            start = len(self.ctx.journal.remarks)
            output = self._process(piece, name, found)
            if output is not None:
                outputs.append(output)
            if self.args.verify_diagnostics:
                found += [_as_diagnostic(remark) for remark in self.ctx.journal.remarks[start:]]
                problems = compare(expectations_of(piece.text, name, piece.line_offset), found)
                for problem in problems:
                    print(render("error", problem.message, problem.location, self.sources), file=sys.stderr)
                failed |= bool(problems)
            else:
                failed |= output is None and not self.args.parsing_diagnostics
        return outputs, failed

    def _pieces(self) -> list[Piece]:
        if not self.args.split_input_file:
            return [Piece(self.text, 0)]
        pieces: list[Piece] = []
        offset = 0
        for part in self.text.split(SEPARATOR):
            pieces.append(Piece(part, offset))
            offset += part.count("\n")
        return pieces

    def _process(self, piece: Piece, name: str, found: list[Diagnostic]) -> str | None:
        """The printed result of one piece, or None when it was refused; what was wrong goes to `found`."""
        try:
            module = parse_module(
                piece.text,
                name,
                self.ctx,
                line_offset=piece.line_offset,
                implicit_module=not self.args.no_implicit_module,
            )
            self._verify(module)
            self._run_passes(module)
            return self.output_resulting_program(module)
        except SambaError as error:
            found.append(Diagnostic("error", error.headline, error.location))
            found += [Diagnostic("note", note.message, note.location or error.location) for note in error.all_notes]
            if not self.args.verify_diagnostics:
                print(render_error(error, self.sources), file=sys.stderr)
            return None

    def _run_passes(self, module: ModuleOp) -> None:
        for index, one in enumerate(self.passes):
            started = time.perf_counter()
            self._run_pass(one, module)
            if self.args.time_passes:
                print(f"Pass {one.name} took {time.perf_counter() - started:.6f} seconds", file=sys.stderr)
            last = index == len(self.passes) - 1
            if last or self.args.verify_each:
                self._verify(module, one.name)
            if self.args.print_between_passes and not last:
                print(f"// IR after {one.name}:\n{self.output_resulting_program(module)}", file=sys.stderr)

    def _run_pass(self, one: ModulePass, module: ModuleOp) -> None:
        try:
            one.apply(self.ctx, module)
        except (SambaError, ShrinkException):
            raise
        except DiagnosticException as error:
            raise InputError(f"{one.name}: {error}", location=Location(self.get_input_name())) from error
        except Exception as error:
            if self.args.traceback:
                raise
            raise SambaError(
                f"internal error in pass '{one.name}': {type(error).__name__}: {error}",
                location=Location(self.get_input_name()),
                levers=["run again with --traceback, and report it"],
            ) from error

    def _verify(self, module: ModuleOp, after: str = "") -> None:
        if self.args.disable_verify:
            return
        try:
            verify_module(module)
        except SambaError as error:
            if after:
                error.message += f" (after {after})"
            raise

    def _report_journal(self) -> None:
        journal = self.ctx.journal
        if self.args.remarks:
            for remark in journal.remarks:
                print(remark, file=sys.stderr)
        if self.args.remarks_file is not None:
            rows = json.dumps([remark.as_json() for remark in journal.remarks], indent=1)
            write_atomically(self.args.remarks_file, rows + "\n")
        if self.args.pass_statistics:
            for (pass_name, counter), amount in journal.counters.items():
                print(f"{pass_name}: {counter} = {amount}", file=sys.stderr)

    def _write(self, text: str) -> None:
        if self.args.output_file is None or self.args.output_file == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            write_atomically(self.args.output_file, text)


class UsageError(Exception):
    """A command line that contradicts itself."""


def _as_diagnostic(remark: Remark) -> Diagnostic:
    return Diagnostic("remark", f"[{remark.pass_name}] {remark.kind}: {remark.message}", remark.location)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command-line entry point; returns the exit code."""
    if arguments is None:
        end_with_the_reader()
    try:
        return SambaOpt(description="Run passes on a sambaflow module.", args=arguments).main()
    except UsageError as error:
        print(f"samba-opt: error: {error}", file=sys.stderr)
        return 2
    except ShrinkException:
        print("Success, can shrink")
        return 0
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        print(f"samba-opt: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
