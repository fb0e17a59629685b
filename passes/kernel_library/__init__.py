"""The kernel library: how each samba operator becomes stages. `CONVERSIONS` maps operator names to conversions."""

from __future__ import annotations

from sambaflow.passes.kernel_library import (
    attention,
    collectives,
    elementwise,
    indexing,
    movement,
    norms,
    products,
    reductions,
)
from sambaflow.passes.kernel_library.registry import CONVERSIONS, Conversion
from sambaflow.passes.kernel_library.stages import StageBuilder

__all__ = ["CONVERSIONS", "Conversion", "StageBuilder"]

# importing a module of the library registers its conversions
_MODULES = (attention, collectives, elementwise, indexing, movement, norms, products, reductions)
