"""Collectives: one stage each, over the local tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects.builtin import IntegerAttr, StringAttr, i64
from xdsl.ir import SSAValue

from sambaflow.dialects import kernel
from sambaflow.dialects.samba import SambaOp, shaped_of
from sambaflow.dialects.samba.inference import dim_index
from sambaflow.passes.kernel_library.registry import converts
from sambaflow.passes.kernel_library.stages import Read, StageBuilder, identity, parallel, shape_of


@converts("all_reduce all_gather reduce_scatter all_to_all")
def collective(op: SambaOp, k: StageBuilder) -> Sequence[SSAValue]:
    value, out, a = op.operands[0], shaped_of(op.results[0]), op.settings()
    fields: dict[str, Any] = {
        "op": StringAttr(op.row.name),
        "chips": IntegerAttr(a["chips"], i64),
        "wire": a["wire"],
    }
    if "dim" in a:
        fields["dim"] = IntegerAttr(dim_index(a["dim"], len(out.shape)), i64)
    domain = parallel(shape_of(value))
    return k.stage(kernel.CollectiveOp, [Read(value, identity)], domain, [(out, identity)], None, **fields)
