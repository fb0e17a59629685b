"""lit: the tests in `test/**/*.mlir`. Run all with `lit test`, one with `lit test/passes/samba-fuse.mlir`."""

import os
import sys

import lit.formats

config.name = "sambaflow"  # noqa: F821
config.test_format = lit.formats.ShTest(execute_external=False)  # noqa: F821
config.suffixes = [".mlir", ".test"]  # noqa: F821
config.excludes = ["fixtures"]  # noqa: F821

root = os.path.dirname(os.path.abspath(__file__))
config.test_source_root = root  # noqa: F821
config.test_exec_root = root  # noqa: F821

# samba-opt, samba-translate and filecheck are those installed beside the interpreter that runs lit.
tools = os.path.dirname(os.path.abspath(sys.executable))
config.environment["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", "")])  # noqa: F821
config.environment["OMP_NUM_THREADS"] = "1"  # noqa: F821
