"""The saturation dialect: one operator that samba does not have."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import AnyFloat, FloatAttr, TensorType
from xdsl.ir import Dialect
from xdsl.irdl import (
    BaseAttr,
    IRDLOperation,
    ParsePropInAttrDict,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException


@irdl_op_definition
class ClipOp(IRDLOperation):
    """Moves every element into [-limit, limit].

    %y = saturation.clip %x {limit = 6.000000e+00 : f64} : tensor<2x4xf32>
    """

    name = "saturation.clip"

    T: ClassVar = VarConstraint("T", BaseAttr(TensorType))

    input = operand_def(T)
    result = result_def(T)
    limit = prop_def(FloatAttr[AnyFloat])

    assembly_format = "$input attr-dict `:` type($input)"
    irdl_options = (ParsePropInAttrDict(),)

    def verify_(self) -> None:
        if not self.limit.value.data > 0:
            raise VerifyException(f"needs a limit above 0, has {self.limit.value.data}")


Saturation = Dialect("saturation", [ClipOp])
