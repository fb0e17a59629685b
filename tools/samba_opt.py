"""samba-opt: read MLIR, run passes on it, print MLIR.

    samba-opt --pass-pipeline=o1 model.mlir
    samba-opt --pass-pipeline='builtin.module(samba-fuse{rules=my.yaml}, func.func(samba-cse))' model.mlir -o out.mlir

Exit codes: 0 done; 1 the input is refused, a diagnostic on standard error says why; 2 wrong command-line usage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sambaflow.collection import without_garbage_collection


def main(arguments: Sequence[str] | None = None) -> int:
    """The command-line entry point; returns the exit code."""
    with without_garbage_collection():
        # Imported here because importing xDSL, too, is a tenth slower with garbage collection.
        from sambaflow.tools.opt_driver import run_driver

        return run_driver(sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
