"""`python -m sambaflow.testing.coverage SOURCE [OPTIONS]`: the table of a source of programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

SOURCES = ("frontend", "operators")


def main(arguments: Sequence[str] | None = None) -> int:
    source, *options = sys.argv[1:] if arguments is None else [*arguments]
    if source not in SOURCES:
        print(f"no source '{source}' (there are: {', '.join(SOURCES)})", file=sys.stderr)
        return 2
    return import_module(f"sambaflow.testing.coverage.{source}").main(options)


if __name__ == "__main__":
    sys.exit(main())
