"""The command line of samba-opt, beyond what xdsl-opt has."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence

from sambaflow.passes.framework.instrumentation.ir_printing import ALL
from sambaflow.tools import report_arguments


class UsageError(Exception):
    """A command line that contradicts itself."""


BARE = {**report_arguments.BARE, "--timing": "tree", "--check-semantics": "2", "--verify-diagnostics": "all"}


def join_bare_flags(arguments: Sequence[str]) -> list[str]:
    """`--timing FILE` means `--timing=tree FILE`."""
    return report_arguments.join_bare_flags(arguments, BARE)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the flags by group."""
    _passes(parser)
    _printing(parser)
    _checking(parser)
    _reports(parser)
    report_arguments.add_remarks_arguments(parser)
    _diagnostics(parser)


def _passes(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("passes").add_argument
    add(
        "--pass-pipeline",
        default="",
        help="o0, o1, o3, or passes, nested by op: 'o1{chips=8}', 'samba-fuse,kernel-tile', 'func.func(samba-cse)'",
    )
    add("--load-pass-plugin", metavar="FILE", action="append", default=[], help="add the passes of a Python file")
    add("--dump-pass-pipeline", action="store_true", help="print the pipeline with all options on standard error")
    add("--list-passes", action="store_true", help="list pipelines and passes, a line each, and stop")
    add("--help-pass", metavar="NAME", help="say what a pass does, its options, needs and statistics, and stop")


def _printing(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("printing the IR between passes").add_argument
    for when in ("before", "after"):
        add(f"--print-ir-{when}", metavar="PASS", action="append", default=[], help=f"print the IR {when} the pass")
        add(f"--print-ir-{when}-all", action="store_true", help=f"print the IR {when} every pass")
    add("--print-ir-after-change", action="store_true", help="print the IR after passes that changed it")
    add("--print-ir-after-failure", action="store_true", help="print the IR after a pass that failed, and no other")
    add("--print-ir-module-scope", action="store_true", help="print the whole module, where passes run on parts")
    add("--print-ir-tree-dir", metavar="DIR", help="write a file for each print, a folder for each op, not to stderr")


def _checking(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("checking passes").add_argument
    add("--verify-each", action="store_true", help="verify the module after each pass, not only after the last")
    add(
        "--check-semantics",
        type=_positive,
        metavar="SEEDS",
        help="run the module before and after each pass on random inputs (of 2 seeds if not given) and compare",
    )
    add("--crash-reproducer", metavar="FILE", help="when a pass fails, write what shows it again")
    add("--run-reproducer", action="store_true", help="run the input as the reproducer in it says")
    add("--traceback", action="store_true", help="print the Python traceback of an internal error or of a plug-in")


def _reports(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("reports").add_argument
    add("--statistics", action="store_true", help="print the passes' counters on standard error")
    add("--timing", choices=("tree", "list", "json"), help="print where the time goes on standard error; tree alone")


def _diagnostics(parser: ArgumentParser) -> None:
    report_arguments.add_diagnostics_arguments(parser)
    group = parser.add_argument_group("checking diagnostics")
    group.conflict_handler = "resolve"  # xdsl-opt's flag of this name takes no value and only prints
    group.add_argument(
        "--verify-diagnostics",
        choices=("all", "only-expected"),
        help="check that the diagnostics are those that comments in the input expect (all if not given)",
    )


def pass_names_of(args: Namespace, when: str) -> frozenset[str]:
    """The passes around which the IR is printed; InputError for a name that no pass has."""
    from sambaflow.passes.framework.registry import load_pass

    if getattr(args, f"print_ir_{when}_all"):
        return frozenset({ALL})
    names = {name for text in getattr(args, f"print_ir_{when}") for name in text.split(",")}
    for name in names:
        load_pass(name)
    every = args.print_ir_after_change or args.print_between_passes
    return frozenset({ALL}) if when == "after" and every and not names else frozenset(names)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a number of seeds from 1 on, got '{text}'")
    return int(text)
