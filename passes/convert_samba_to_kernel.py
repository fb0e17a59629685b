"""convert-samba-to-kernel: every operator becomes the stages that the kernel library gives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import Float64Type, ModuleOp, TensorType
from xdsl.ir import Operation, Region

from sambaflow.decisions import SAMBA_HINTS
from sambaflow.diagnostics import error_at
from sambaflow.dialects import kernel, samba
from sambaflow.dialects.kernel.hints import dictionary_of, hand_down
from sambaflow.dialects.kernel.origin import mark_operators
from sambaflow.dialects.rdu.dtypes import dtype_name
from sambaflow.dialects.text.dense import is_one_number
from sambaflow.errors import InputError
from sambaflow.passes.framework.base import SambaPass, Semantics
from sambaflow.passes.kernel_library import CONVERSIONS, Conversion, StageBuilder
from sambaflow.passes.rewriting.conversion import Converted, DialectConversion, Rule
from sambaflow.passes.rewriting.driver import Rewriter


@dataclass(frozen=True)
class ConvertSambaToKernelPass(SambaPass):
    """Converts samba operators to kernel stages, by the kernel library.

    Fused modules become groups, other operators stages in the function; calls and private functions stay. Each stage
    has the location of the operator that it came from; those of an operator that becomes several share a number
    (`kernel.operators`), so that a cut can keep them together, and contractions keep its hints (`kernel.hints`).
    Constants that fill a tensor become numbers in the bodies that read them, other constants `arith.constant`.
    Operators without a conversion are all named in one error.

    Before:

        %y = samba.module "gemm"(%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) -> (tensor<2x3xf32>) {
          %0 = samba.linear %a, %b : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
          samba.yield %0 : tensor<2x3xf32>
        }

    After:

        %y = kernel.group "gemm" (%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) -> (tensor<2x3xf32>) {
          %0 = kernel.contract ins(%a, %b : ...) domain #kernel.domain<2 parallel, 3 parallel, 4 reduction> ...
          kernel.yield %0 : tensor<2x3xf32>
        }

    Needs samba ops on static shapes, without f64; leaves no samba op.
    """

    name = "convert-samba-to-kernel"
    needs = ("no-program", "unconverted")
    leaves = ("no-samba",)
    semantics = Semantics(2**-16, "the stages of an operator add up and round in an order of their own")
    counters = {"converted operators": "samba ops that became stages"}

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        converted = DialectConversion(self._rules(ctx), legal={"samba": False}).apply(op)
        self.count(ctx, "converted operators", converted)
        _erase_unused_constants(op)

    def _rules(self, ctx: Context) -> dict[type[Operation], Rule]:
        numbers = count()
        rules: dict[type[Operation], Rule] = {
            samba.OPERATIONS[name]: self._operator_rule(ctx, conversion, numbers)
            for name, conversion in CONVERSIONS.items()
        }
        rules[samba.ConstantOp] = _constant
        rules[samba.ModuleOp] = _group
        rules[samba.YieldOp] = _yield
        return rules

    def _operator_rule(self, ctx: Context, conversion: Conversion, numbers: Iterator[int]) -> Rule:

        def rule(op: samba.SambaOp, rewriter: Rewriter) -> Converted:
            _check_types(op)
            before = op.prev_op
            results = conversion(op, StageBuilder(rewriter))
            stages = _stages_between(before, op)
            if len(stages) > 1:
                number = next(numbers)
                for stage in stages:
                    mark_operators(stage, (number,))
            for refused in hand_down(dictionary_of(op, SAMBA_HINTS), stages):
                self.missed(ctx, op, refused)
            return results

        return rule


def _stages_between(before: Operation | None, op: Operation) -> list[kernel.Stage]:
    """The stages in front of `op`, after `before` (None: the start of the block)."""
    stages: list[kernel.Stage] = []
    current = op.prev_op
    while current is not None and current is not before:
        if isinstance(current, kernel.Stage):
            stages.append(current)
        current = current.prev_op
    return stages


def _check_types(op: samba.SambaOp) -> None:
    for value in (*op.operands, *op.results):
        shape, dtype = samba.shaped_of(value)
        if isinstance(dtype, Float64Type) or dtype_name(dtype) is None:
            levers = ["use f32, or a type of integers up to i64"]
            raise error_at(op, f"works on {value.type}; no unit computes in {dtype}", InputError, levers=levers)
        if 0 in shape:
            raise error_at(op, f"works on {value.type}, which has no elements", InputError)


def _constant(op: samba.ConstantOp, rewriter: Rewriter) -> Converted:
    elements = op.elements()
    if not elements:
        raise error_at(op, f"is {op.result.type}, which has no elements", InputError)
    if is_one_number(op.value):
        return [StageBuilder(rewriter).fill(elements[0], samba.shaped_of(op.result))]
    return rewriter.insert(arith.ConstantOp(op.value))


def _group(op: samba.ModuleOp, rewriter: Rewriter) -> Converted:
    """The region moves as it is; its ops are converted in their turn."""
    body: Region = op.body
    op.detach_region(body)
    attributes = dict(op.attributes)
    if op.heuristic is not None:
        attributes["heuristic"] = op.heuristic
    group = kernel.GroupOp.create(
        operands=op.operands,
        result_types=[result.type for result in op.results],
        properties={"rule": op.rule},
        attributes=attributes,
        regions=[body],
    )
    return rewriter.insert(group)


def _yield(op: samba.YieldOp, rewriter: Rewriter) -> Converted:
    return rewriter.insert(kernel.YieldOp(*op.operands))


def _is_tensor(op: Operation) -> bool:
    return isinstance(op, arith.ConstantOp) and isinstance(op.result.type, TensorType)


def _erase_unused_constants(module: ModuleOp) -> None:
    """Stages without inputs whose number went into the bodies of all readers, and constants that nobody reads."""
    constants = [op for op in module.walk() if (isinstance(op, kernel.MapOp) and not op.operands) or _is_tensor(op)]
    for op in reversed(constants):
        if not any(result.uses for result in op.results):
            op.detach()
            op.erase()
