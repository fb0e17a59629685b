"""The conversions of samba operators to stages, by operator name: one function each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.ir import SSAValue

from sambaflow.dialects.samba import SambaOp
from sambaflow.passes.kernel_library.stages import StageBuilder

Conversion = Callable[[SambaOp, StageBuilder], Sequence[SSAValue]]
"""Builds the stages of an op and returns one value for each of its results."""

CONVERSIONS: dict[str, Conversion] = {}


def converts(names: str) -> Callable[[Conversion], Conversion]:
    """Registers a conversion for all `names`."""

    def register(conversion: Conversion) -> Conversion:
        for name in names.split():
            if name in CONVERSIONS:
                raise AssertionError(f"operator '{name}' has two conversions")
            CONVERSIONS[name] = conversion
        return conversion

    return register
