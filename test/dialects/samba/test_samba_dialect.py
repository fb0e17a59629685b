"""The table makes usable ops: examples parse and print back, `build` infers and refuses, conventions are checked."""

from __future__ import annotations

import io

import pytest
import torch
from xdsl.dialects.builtin import ModuleOp, bf16, i64
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects import samba
from sambaflow.dialects.samba.attributes import float_text
from sambaflow.dialects.samba.inference import Shaped, promote, result_dtype
from sambaflow.dialects.samba.table import DTYPES, shaped
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.passes.framework.context import SambaContext


def parse(text: str) -> ModuleOp:
    module = parse_module(text, "test.mlir", SambaContext())
    module.verify()
    return module


def printed(module: ModuleOp, generic: bool) -> str:
    stream = io.StringIO()
    Printer(stream, print_generic_format=generic).print_op(module)
    return stream.getvalue()


@pytest.mark.parametrize("name", list(samba.OPERATORS))
def test_the_documented_example_is_valid_and_prints_back(name: str) -> None:
    row = samba.OPERATORS[name]
    doc = samba.OPERATIONS[name].__doc__ or ""
    example = doc.split("```mlir\n")[1].split("\n```")[0]
    arguments = ", ".join(f"%{i}: {shaped(text)}" for i, text in enumerate(row.sample))
    module = parse(f"func.func @f({arguments}) {{\n{example}\nfunc.return\n}}")
    assert [op.name for op in module.walk()].count(row.op_name) == 1
    assert example.split(" = ", 1)[1] in printed(module, generic=False)
    for generic in (False, True):
        assert module.is_structurally_equivalent(parse(printed(module, generic)))


@pytest.mark.parametrize("first", list(DTYPES))
@pytest.mark.parametrize("second", list(DTYPES))
def test_promotion_is_pytorchs(first: str, second: str) -> None:
    torch_dtypes = {
        "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "i64": torch.int64,
        "i32": torch.int32, "i8": torch.int8, "i1": torch.bool,
    }  # fmt: skip
    expected = torch.promote_types(torch_dtypes[first], torch_dtypes[second])
    assert torch_dtypes[str(promote(DTYPES[first], DTYPES[second]))] == expected
    # a tensor of rank 0 counts less than one of rank 1
    both = torch.result_type(torch.zeros(1, dtype=torch_dtypes[first]), torch.zeros((), dtype=torch_dtypes[second]))
    assert torch_dtypes[str(result_dtype([Shaped((1,), DTYPES[first]), Shaped((), DTYPES[second])]))] == both


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-5, 0.1, 1e300, 5e-324, 123456789.0, 1e22])
def test_floats_print_exactly(value: float) -> None:
    op_text = f"samba.mul %x {{other = {float_text(value)}}} : tensor<2xf32>"
    module = parse(f"func.func @f(%x: tensor<2xf32>) {{ %0 = {op_text} func.return }}")
    op = next(op for op in module.walk() if isinstance(op, samba.SambaOp))
    assert op.attr("other").hex() == value.hex()


VALID = """
func.func @graph(%w: tensor<4x2xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 2>},
                 %c: tensor<2xf32> {samba.role = "state", samba.name = "c"}) -> (tensor<2xf32> {samba.tied = 1 : i64}) {
  func.return %c : tensor<2xf32>
}"""


def test_conventions_of_functions() -> None:
    samba.verify_conventions(parse(VALID))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"param"', '"weight"', "argument 0: samba.role must be one of input, param, buffer, state"),
        ("shard<0, 1, 2>", "shard<2, 1, 2>", "names a dimension that tensor<4x2xf32> has not"),
        ("tied = 1", "tied = 2", "result 0: samba.tied must be the number of an argument"),
        ("tied = 1", "tied = 0", "result 0 is tensor<2xf32>, tied to an argument of tensor<4x2xf32>"),
        ('samba.name = "c"', 'samba.name = "w"', 'arguments 0 and 1 have the same name "w"'),
    ],
)
def test_broken_conventions_are_named(old: str, new: str, message: str) -> None:
    with pytest.raises(VerifyException, match=f"function @graph: .*{message}"):
        samba.verify_conventions(parse(VALID.replace(old, new)))


def test_constants_with_infinities_print_back() -> None:
    op = samba.ConstantOp.from_values([float("-inf"), 0.1], Shaped((2,), bf16))
    module = ModuleOp([op])
    for generic in (False, True):
        assert module.is_structurally_equivalent(parse(printed(module, generic)))
    assert samba.ConstantOp.from_values([3], Shaped((2, 2), i64)).value.is_splat()
