"""What became of a program, judged once for all sources of programs, and the table of many."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from sambaflow.errors import InternalError, PassError, SambaError, UnsupportedOperators

Kind = Literal["right", "refused", "wrong", "crashed", "skipped"]
KINDS: tuple[Kind, ...] = ("right", "refused", "wrong", "crashed", "skipped")
FAULTS: tuple[Kind, ...] = ("wrong", "crashed")
"""What must not be: one of them makes the exit code 1."""


@dataclass(frozen=True)
class Outcome:
    """What became of one program, and why (empty when it is right)."""

    kind: Kind
    reason: str = ""


def judged(program: Callable[[], str]) -> Outcome:
    """The outcome of a function that compiles, runs and compares: it returns in what the numbers differ.

    A SambaError refuses, unless it says that a pass failed, which no program of PyTorch's may reach.
    """
    try:
        fault = program()
    except UnsupportedOperators as error:
        return Outcome("refused", f"no {', '.join(sorted(operator.name for operator in error.operators))}")
    except SambaError as error:
        crashed = isinstance(error, InternalError | PassError)
        return Outcome("crashed" if crashed else "refused", f"{type(error).__name__}: {error.headline}")
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        return Outcome("crashed", f"{type(error).__name__}: {first}")
    return Outcome("wrong", fault) if fault else Outcome("right")


def shown(results: Iterable[tuple[object, Outcome]]) -> dict[str, Outcome]:
    """Outcomes by name, each fault told on standard error as it comes; those so far when the user interrupts."""
    outcomes: dict[str, Outcome] = {}
    try:
        for program, outcome in results:
            outcomes[str(program)] = outcome
            if outcome.kind in FAULTS:
                print(f"{outcome.kind}: {program}: {outcome.reason}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted: the table is of what has been tried", file=sys.stderr)
    return outcomes


def report(what: str, outcomes: Mapping[str, Outcome], json_file: str | None = None) -> int:
    """Prints the counts, then the reasons by how often they were given; the exit code."""
    console = Console(width=150, soft_wrap=False, highlight=False)
    console.print(_counts(what, outcomes.values()))
    console.print(_reasons(outcomes))
    if json_file:
        data = {name: asdict(outcome) for name, outcome in sorted(outcomes.items())}
        Path(json_file).write_text(json.dumps(data, indent=1) + "\n")
    return int(any(outcome.kind in FAULTS for outcome in outcomes.values()))


def _counts(what: str, outcomes: Iterable[Outcome]) -> Table:
    counts = Counter(outcome.kind for outcome in outcomes)
    table = Table(what, *KINDS)
    table.add_row(str(sum(counts.values())), *(str(counts[kind]) for kind in KINDS))
    return table


def _reasons(outcomes: Mapping[str, Outcome]) -> Table:
    """Reasons with their numbers masked, the most frequent first."""
    counts = Counter(
        (outcome.kind, re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "N", outcome.reason))
        for outcome in outcomes.values()
        if outcome.reason
    )
    table = Table("outcome", "times", "reason")
    for (kind, reason), count in sorted(counts.items(), key=lambda item: (KINDS.index(item[0][0]), -item[1], item[0])):
        table.add_row(kind, str(count), reason[:110])
    return table
