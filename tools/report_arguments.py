"""What the tools share: the flags of diagnostics and remarks, and how a run ends.

--color=auto|always|never   --diagnostics-format=text|json
--remarks[=PASSES]          --remarks-output FILE          --decisions-output FILE
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from traceback import extract_tb
from typing import TYPE_CHECKING

from sambaflow.errors import InputError, InternalError, Location, Note, SambaError
from sambaflow.files import STANDARD, remedies, write_file, write_output
from sambaflow.plugins import named_failures
from sambaflow.remarks import FORMATS, Remark, RemarkFilter, remarks_text
from sambaflow.reporting import Reporter

if TYPE_CHECKING:
    from sambaflow.passes.framework.context import Journal

BARE = {"--color": "always", "--remarks": ""}
"""Flags whose value may be left out, and the value that they have then. A value stands behind `=`: what follows a bare
flag is the next argument."""


def join_bare_flags(arguments: Sequence[str], bare: Mapping[str, str] = BARE) -> list[str]:
    """`--remarks FILE` means `--remarks= FILE`."""
    return [f"{word}={bare[word]}" if word in bare else word for word in arguments]


def parse_command_line(parser: ArgumentParser, arguments: Sequence[str] | None) -> Namespace:
    """`arguments`, or if they are None those that the process was started with."""
    return parser.parse_args(join_bare_flags(sys.argv[1:] if arguments is None else arguments))


def add_diagnostics_arguments(parser: ArgumentParser) -> None:
    """Add `--color` and `--diagnostics-format`."""
    add = parser.add_argument_group("diagnostics").add_argument
    add(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours in diagnostics: on terminals (unless the environment sets NO_COLOR), always, never",
    )
    add(
        "--diagnostics-format",
        choices=("text", "json"),
        default="text",
        help="diagnostics for people, or a JSON object a line",
    )


def add_remarks_arguments(parser: ArgumentParser) -> None:
    """Add `--remarks`, `--remarks-output` and `--decisions-output`."""
    add = parser.add_argument_group("remarks").add_argument
    add(
        "--remarks",
        metavar="PASSES",
        type=_filter,
        help="print what passes did and refused, and why, on standard error: of all, or with --remarks=PASSES of these "
        "(names or regular expressions, between commas)",
    )
    add(
        "--remarks-output",
        metavar="FILE",
        type=_remarks_file,
        help="write all remarks to FILE: .yaml, as LLVM's passes do, or .json",
    )
    add(
        "--decisions-output",
        metavar="FILE",
        help="write to FILE, as JSON, what every pass decided, where, and who or what decided it",
    )


def _filter(text: str) -> RemarkFilter:
    try:
        return RemarkFilter(text)
    except InputError as error:
        raise ArgumentTypeError(error.message) from None


def _remarks_file(path: str) -> str:
    if not path.endswith(tuple(FORMATS)):
        raise ArgumentTypeError(f"'{path}' does not end with one of {', '.join(FORMATS)}")
    return path


def reporter_of(args: Namespace, sources: Mapping[str, str] | None = None) -> Reporter:
    """The reporter that the flags ask for; `sources`: texts of files that are not on disk."""
    return Reporter(form=args.diagnostics_format, color=args.color, sources=sources)


def print_remarks(args: Namespace, journal: Journal, reporter: Reporter) -> None:
    """From now on print those that `--remarks` asks for as they come."""
    wanted: RemarkFilter | None = args.remarks

    def print_one(remark: Remark) -> None:
        if wanted is not None and wanted.wants(remark.pass_name):
            reporter.report(remark.diagnostic)

    journal.listeners.append(print_one)


def collect_decisions(args: Namespace, journal: Journal) -> None:
    """From now on keep what passes decide, if `--decisions-output` asks for it."""
    if args.decisions_output is not None:
        journal.decisions = []


def write_journal(args: Namespace, journal: Journal) -> None:
    """Write the files of `--remarks-output` and `--decisions-output`."""
    if args.remarks_output is not None:
        write_file(args.remarks_output, remarks_text(journal.remarks, args.remarks_output))
    if args.decisions_output is not None:
        rows = [decision.as_json() for decision in journal.decisions or ()]
        write_file(args.decisions_output, json.dumps(rows, indent=1) + "\n")


def run(reporter: Reporter, work: Callable[[], int | None], file: str) -> int:
    """Do the work; the exit code: what it returns (None: 0), or 1 when it is refused, which is reported.

    `file`: what an OSError without a file name is about.
    """
    try:
        with named_failures():
            code = work() or 0
        write_output(STANDARD, "")
        return code
    except SambaError as error:
        reporter.error(error)
    except OSError as error:
        place = Location(str(error.filename or file))
        reporter.error(InputError(error.strerror or str(error), location=place, levers=remedies(error)))
    except Exception as error:
        reporter.error(_unforeseen(error))
    return 1


def _unforeseen(error: Exception) -> InternalError:
    """The diagnostic of a failure that is ours, with the line that raised it."""
    frame = extract_tb(error.__traceback__)[-1]
    return InternalError(
        f"this is a mistake of sambaflow, not of the input: {type(error).__name__}: {error}",
        notes=[Note("raised here", Location(frame.filename, frame.lineno or 0))],
        levers=["report it, with the command and the input"],
    )
