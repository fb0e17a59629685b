"""What can stand around the passes of a pipeline: each file is one `Instrumentation` of the pass manager."""

from sambaflow.passes.framework.instrumentation.ir_printing import IrPrinting
from sambaflow.passes.framework.instrumentation.reproducer import CrashReproducer, read_configuration
from sambaflow.passes.framework.instrumentation.statistics import statistics_text
from sambaflow.passes.framework.instrumentation.timing import Timing
from sambaflow.passes.framework.instrumentation.verifying import VerifyEach

__all__ = ["CrashReproducer", "IrPrinting", "Timing", "VerifyEach", "read_configuration", "statistics_text"]
