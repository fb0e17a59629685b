"""samba-translate: between the forms of a program.

    samba-translate --from-torch examples/models.py:mlp -o mlp.mlir     a PyTorch model -> samba IR
    samba-translate --to-pef mlp.rdu.mlir -o mlp.pef                    rdu IR -> PEF
    samba-translate --from-pef mlp.pef                                  PEF -> rdu IR, with names and locations
    samba-translate --to-dot mlp.rdu.mlir -o mlp.dot                    IR or PEF -> Graphviz
    samba-translate --inspect mlp.pef                                   PEF -> a summary
    samba-translate --strip mlp.pef -o small.pef                        a PEF without names and locations

Exit codes: 0 done; 1 the input is refused, a diagnostic on standard error says why; 2 wrong command-line usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sambaflow.files import read_input, write_output
from sambaflow.reporting import printable
from sambaflow.tools.models import add_model_arguments, check_model_arguments, import_from, model_file, read_module
from sambaflow.tools.paths import Use, check_paths, files_in
from sambaflow.tools.report_arguments import add_diagnostics_arguments, parse_command_line, reporter_of, run

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

Translation = Callable[[argparse.Namespace], str | bytes]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command_line = argparse.ArgumentParser(
        prog="samba-translate", description="Translate between the forms of a program."
    )
    which = command_line.add_mutually_exclusive_group(required=True)
    for option, (_, text) in TRANSLATIONS.items():
        which.add_argument(f"--{option}", dest="translation", action="store_const", const=option, help=text)
    add_model_arguments(command_line)
    command_line.add_argument(
        "-o", dest="output", metavar="FILE", default="-", help="the file to write (default: standard output)"
    )
    command_line.add_argument("--weights", metavar="FILE", help="of --from-torch: write the weights, as safetensors")
    add_diagnostics_arguments(command_line)
    return command_line


def main(arguments: Sequence[str] | None = None) -> int:
    """The command-line entry point; returns the exit code."""
    command_line = parser()
    args = parse_command_line(command_line, arguments)
    if args.translation == "from-torch":
        check_model_arguments(command_line, args)
    elif args.model is None or args.hf is not None or args.weights is not None or args.trust is not None:
        command_line.error("give one input file")
    translate = TRANSLATIONS[args.translation][0]
    reporter = reporter_of(args)
    reporter.sources.folders.append(os.path.dirname(str(args.model or args.hf)))
    return run(reporter, lambda: _write(args, translate), args.output)


def _write(args: argparse.Namespace, translate: Translation) -> None:
    check_paths(
        [Use("the result (-o)", args.output), Use("--weights", args.weights)],
        [Use("MODEL", model_file(args)), *files_in("the checkpoint", args.hf)],
        streamed="the result (-o)",
    )
    write_output(args.output, translate(args))


def _from_torch(args: argparse.Namespace) -> str:
    imported = import_from(args)
    text = _print(imported.module)
    for diagnostic in imported.diagnostics:
        reporter_of(args).report(diagnostic)
    if args.weights is not None:
        from sambaflow.frontends.weights import save_weights

        save_weights(args.weights, imported.weights)
    return text


def _to_pef(args: argparse.Namespace) -> bytes:
    from sambaflow.backends.rdu.check import check
    from sambaflow.backends.rdu.encode import encode
    from sambaflow.backends.rdu.from_ir import image_of

    image = image_of(read_module(args.model), text_file=args.model)
    data = encode(image)
    check(image)
    return data


def _from_pef(args: argparse.Namespace) -> str:
    from sambaflow.backends.rdu.decode import decode
    from sambaflow.backends.rdu.to_ir import module_of
    from sambaflow.passes.framework.verification import verify_module

    module = module_of(decode(read_input(args.model), args.model))
    verify_module(module)
    return _print(module)


def _to_dot(args: argparse.Namespace) -> str:
    from sambaflow.backends.rdu.dot import dot_of

    data = read_input(args.model)
    if data.startswith(b"\x7fELF"):
        from sambaflow.backends.rdu.decode import decode
        from sambaflow.backends.rdu.to_ir import module_of

        return dot_of(module_of(decode(data, args.model)))
    return dot_of(read_module(args.model))


def _inspect(args: argparse.Namespace) -> str:
    from sambaflow.backends.rdu.decode import decode
    from sambaflow.backends.rdu.inspect import summary

    return printable(summary(decode(read_input(args.model), args.model)))


def _strip(args: argparse.Namespace) -> bytes:
    from sambaflow.backends.rdu.decode import decode
    from sambaflow.backends.rdu.encode import encode, strip

    return encode(strip(decode(read_input(args.model), args.model)))


TRANSLATIONS: dict[str, tuple[Translation, str]] = {
    "from-torch": (_from_torch, "a model to samba IR"),
    "to-pef": (_to_pef, "rdu IR to a PEF"),
    "from-pef": (_from_pef, "a PEF to rdu IR"),
    "to-dot": (_to_dot, "IR or a PEF to Graphviz"),
    "inspect": (_inspect, "a PEF to a summary"),
    "strip": (_strip, "a PEF to one without names and locations"),
}


def _print(module: ModuleOp) -> str:
    from sambaflow.dialects.text.printing import FastPrinter

    printer = FastPrinter(locations=True)
    printer.print_op(module)
    return printer.text() + "\n"


if __name__ == "__main__":
    sys.exit(main())
