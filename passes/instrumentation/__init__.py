"""What can stand around the passes of a pipeline: each file is one `Instrumentation` of the pass manager."""

from sambaflow.passes.instrumentation.ir_printing import IrPrinting
from sambaflow.passes.instrumentation.reproducer import CrashReproducer, read_configuration
from sambaflow.passes.instrumentation.statistics import statistics_text
from sambaflow.passes.instrumentation.timing import Timing
from sambaflow.passes.instrumentation.verifying import VerifyEach

__all__ = ["CrashReproducer", "IrPrinting", "Timing", "VerifyEach", "read_configuration", "statistics_text"]
