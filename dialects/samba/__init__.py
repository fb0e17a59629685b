"""The samba dialect: what a model computes, in PyTorch's operators on builtin tensors.

Ops are generated from one table (`OPERATORS`): `samba.linear %a, %w : (T, T) -> T`, `samba.relu %0 : T`.
Use `build(name, operands, attributes, location)` to make one with inferred results.
"""

from __future__ import annotations

from xdsl.ir import Dialect

from sambaflow.dialects.samba.attributes import ShardAttr
from sambaflow.dialects.samba.conventions import ROLES, unfit, verify_conventions
from sambaflow.dialects.samba.inference import Shaped
from sambaflow.dialects.samba.ops import (
    ALL_OPERATIONS,
    OPERATIONS,
    ConstantOp,
    ModuleOp,
    SambaOp,
    YieldOp,
    build,
    infer_results,
    shaped_of,
    tensor_type,
)
from sambaflow.dialects.samba.table import OPERATORS, Attr, Row, Trait

__all__ = [
    "ALL_OPERATIONS",
    "OPERATIONS",
    "OPERATORS",
    "ROLES",
    "Attr",
    "ConstantOp",
    "ModuleOp",
    "Row",
    "Samba",
    "SambaOp",
    "Shaped",
    "ShardAttr",
    "Trait",
    "YieldOp",
    "build",
    "infer_results",
    "shaped_of",
    "tensor_type",
    "unfit",
    "verify_conventions",
]

Samba = Dialect("samba", ALL_OPERATIONS, [ShardAttr])
