"""lit: the tests of the package. Run them with `lit examples/plugin/test`."""

import os
import sys

import lit.formats

config.name = "saturation"  # noqa: F821
config.test_format = lit.formats.ShTest(execute_external=False)  # noqa: F821
config.suffixes = [".mlir"]  # noqa: F821
tools = os.path.dirname(os.path.abspath(sys.executable))
config.environment["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", "")])  # noqa: F821
