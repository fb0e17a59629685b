"""Runs the benchmarks that are named (all, if none) and prints a table, or JSON.

    python -m benchmarks                     # all
    python -m benchmarks driver --json

Every row has its reference from the same run. The exit code is 1 when a row exceeds its bound.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.driver import driver
from benchmarks.functional_simulation import functional_simulation
from benchmarks.large_models import large_models
from benchmarks.rows import Row
from benchmarks.timing_engines import timing_engines

BENCHMARKS: Mapping[str, Callable[[], list[Row]]] = {
    function.__name__: function for function in (large_models, driver, functional_simulation, timing_engines)
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measurements beside a reference")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark '{name}' (there are: {', '.join(BENCHMARKS)})")
    results = {name: BENCHMARKS[name]() for name in options.names or BENCHMARKS}
    if options.json:
        print(json.dumps({name: [row.to_dict() for row in rows] for name, rows in results.items()}, indent=1))
    else:
        _print(results)
    return int(not all(row.kept for rows in results.values() for row in rows))


def _print(results: Mapping[str, Sequence[Row]]) -> None:
    table = Table("what", "value", "ratio", "reference", "its value", "at most")
    for rows in results.values():
        for row in rows:
            bound = "" if row.bound is None else f"{row.bound:.4g} {row.unit}{'' if row.kept else ' EXCEEDED'}"
            own, other = f"{row.value:.4g} {row.unit}", f"{row.reference_value:.4g} {row.unit}"
            table.add_row(row.what, own, f"{row.ratio:.3g}", row.reference, other, bound)
        table.add_section()
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    sys.exit(main())
