"""samba-compile: a model in, a PEF out.

    samba-compile model.pt2 -o m.pef
    samba-compile examples/models.py:cnn --mode o1 --chips 2 -o cnn.pef
    samba-compile --hf FOLDER --phase prefill,decode --batch 1 --length 1024 -o llama.pef

The weights, when the model has any, are written beside the PEF as safetensors. Exit codes: 0 done; 1 the input is
refused, a diagnostic on standard error says why; 2 wrong command-line usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from sambaflow.errors import CapacityError
from sambaflow.files import is_plain, write_file
from sambaflow.passes.framework.pipelines import mode_names
from sambaflow.reporting import Reporter
from sambaflow.tools.models import add_model_arguments, check_model_arguments, import_from, model_file
from sambaflow.tools.paths import Use, check_paths, files_in, with_suffix
from sambaflow.tools.report_arguments import (
    add_diagnostics_arguments,
    add_remarks_arguments,
    collect_decisions,
    parse_command_line,
    print_remarks,
    reporter_of,
    run,
    write_journal,
)

if TYPE_CHECKING:
    from sambaflow.frontends.imported import Imported
    from sambaflow.passes.framework.context import SambaContext


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command_line = argparse.ArgumentParser(prog="samba-compile", description="Compile a model to a PEF.")
    add_model_arguments(command_line)
    add = command_line.add_argument
    add(
        "--mode",
        choices=mode_names(),
        default="o3",
        help="o0: every operator its own section; o1: fusion rules; o3: whole graph",
    )
    add("--machine", default="sn40l", help="sn10, sn30, sn40l, or a YAML file")
    add("--chips", type=int, default=1)
    add("--tiles", type=int, help="tiles of each chip (default: all)")
    add("--rules", default="", metavar="FILE", help="fusion rules instead of the default ones")
    add("-o", dest="output", metavar="FILE", required=True, help="the PEF to write")
    add_remarks_arguments(command_line)
    add_diagnostics_arguments(command_line)
    return command_line


def main(arguments: Sequence[str] | None = None) -> int:
    """The command-line entry point; returns the exit code."""
    command_line = parser()
    args = parse_command_line(command_line, arguments)
    check_model_arguments(command_line, args)
    reporter = reporter_of(args)
    reporter.sources.folders.append(os.path.dirname(str(args.model or args.hf)))
    return run(reporter, lambda: _compile(args, reporter), args.output)


def _compile(args: argparse.Namespace, reporter: Reporter) -> None:
    from sambaflow.passes.framework.context import SambaContext

    _check_paths(args)
    ctx = SambaContext()
    imported = import_from(args)
    for diagnostic in imported.diagnostics:
        reporter.report(diagnostic)
    print_remarks(args, ctx.journal, reporter)
    collect_decisions(args, ctx.journal)
    try:
        save = _compiled(imported, args, ctx)
    except CapacityError as error:
        error.levers += ("lower --length or --prompt",) if args.hf is not None else ()
        raise
    finally:
        write_journal(args, ctx.journal)
    save()
    if imported.weights and not is_plain(args.output):
        reporter.warning(f"the weights are not written: {args.output} is no file that they could stand beside")


def _check_paths(args: argparse.Namespace) -> None:
    """The weights beside the PEF are an output too, and must not take the place of those that they come from."""
    source = files_in("the checkpoint", args.hf)
    if args.hf is not None and os.path.isfile(args.hf):
        source += files_in("the checkpoint", os.path.dirname(args.hf) or ".")
    beside = None if str(args.model).endswith(".mlir") else with_suffix(args.output, ".safetensors")
    check_paths(
        [
            Use("the PEF (-o)", args.output),
            Use("the weights beside the PEF", beside if is_plain(args.output) else None),
            Use("--remarks-output", args.remarks_output),
            Use("--decisions-output", args.decisions_output),
        ],
        [
            Use("MODEL", model_file(args)),
            *source,
            Use("--machine", args.machine if args.machine.endswith(".yaml") else None),
            Use("--rules", args.rules or None),
        ],
    )


def _compiled(imported: Imported, args: argparse.Namespace, ctx: SambaContext) -> Callable[[], None]:
    """What writes the files. IR has no weights and needs no torch."""
    options = {"mode": args.mode, "machine": args.machine, "chips": args.chips, "tiles": args.tiles}
    if imported.graphs:
        from sambaflow.samba.compiler import compile_imported

        return partial(compile_imported(imported, **options, rules=args.rules, ctx=ctx).save, args.output)

    from sambaflow.backends.rdu.encode import encode
    from sambaflow.samba import module_compiler

    image = module_compiler.compile_module(imported.module, **options, rules=args.rules, ctx=ctx)
    return lambda: write_file(args.output, encode(image))


if __name__ == "__main__":
    sys.exit(main())
