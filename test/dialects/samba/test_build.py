"""`samba.build`: it infers results, fills in defaults, and refuses what an operator does not take."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, StringAttr, bf16, f32
from xdsl.ir import Block

from sambaflow.dialects import samba
from sambaflow.dialects.samba.inference import Shaped
from sambaflow.dialects.samba.table import shaped
from sambaflow.errors import InputError, Location


def arguments(*texts: str) -> Block:
    return Block(arg_types=[samba.tensor_type(shaped(text)) for text in texts])


def test_build_infers_results_and_fills_defaults() -> None:
    x, w = arguments("2x4xbf16", "3x4xbf16").args
    linear = samba.build("linear", [x, w])
    linear.verify()
    assert linear.results[0].type == samba.tensor_type(Shaped((2, 3), bf16))
    assert samba.build("linear", [x, w], dtype=f32).results[0].type == samba.tensor_type(Shaped((2, 3), f32))
    assert samba.build("add", [x], {"other": 1}).attr("alpha") == 1
    assert linear.operand("weight") is w
    assert linear.operand("bias") is None


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("frobnicate", {}, "is not in the operator table"),
        ("softmax", {}, "needs the attribute 'dim'"),
        ("softmax", {"dim": 7}, "dim = 7 is out of range for rank 2"),
        ("softmax", {"axis": 1}, "has no attribute 'axis' \\(it has: dim, dtype\\)"),
        ("linear", {}, "takes 2 to 3 operands"),
        ("softmax", {"dim": 0.5}, "attribute 'dim' is of kind int, got 0.5"),
        ("softmax", {"dim": True}, "attribute 'dim' is of kind int, got True"),
        ("permute", {"dims": "same"}, "attribute 'dims' is of kind ints, got 'same'"),
    ],
)
def test_build_refuses_with_the_location(name: str, attributes: dict[str, object], message: str) -> None:
    place = FileLineColLoc(StringAttr("model.py"), IntAttr(7), IntAttr(1))
    with pytest.raises(InputError, match=message) as caught:
        samba.build(name, arguments("2x4xf32").args, attributes, place)
    assert caught.value.location == Location("model.py", 7, 1)
    assert caught.value.op == f"samba.{name}"


def test_build_refuses_partial_sums_of_other_operators() -> None:
    with pytest.raises(InputError, match="not f32"):
        samba.build("exp", arguments("2xbf16").args, dtype=f32)
