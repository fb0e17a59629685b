"""The ten stage kinds. All have the fields of `Stage`; a class says what its kind allows and adds what only it has."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr, UnitAttr
from xdsl.ir import Attribute
from xdsl.irdl import irdl_op_definition, opt_prop_def, prop_def
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.kernel.analysis import combined_by, multiply_accumulate
from sambaflow.dialects.kernel.stage import Stage, StageRules, element_type
from sambaflow.dialects.kernel.verify import verify_stage

CONFLICTS = ("overwrite", "add")
COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")


class StageOp(Stage):
    """The base of the ten: a stage whose fields agree with one another."""

    def verify_(self) -> None:
        verify_stage(self)


@irdl_op_definition
class MapOp(StageOp):
    """A function of the elements at each point.

    Example:

    ```mlir
    %y = kernel.map ins(%x : tensor<4xf32>) domain #kernel.domain<4 parallel>
           maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>]
           body {^bb0(%a: f32): %e = math.exp %a : f32  kernel.yield %e : f32} : tensor<4xf32>
    ```
    """

    name = "kernel.map"
    RULES: ClassVar[StageRules] = StageRules()


@irdl_op_definition
class ContractOp(StageOp):
    """A sum of products over the reduction dimensions: matrix multiply, convolution, attention scores.

    One f32 accumulator; the body is `acc + a * b`, the product is not rounded (exact for bf16 operands). Other inputs
    than a and b are read by `finish` only.

    Example:

    ```mlir
    %y = kernel.contract ins(%x, %w : tensor<4x8xf32>, tensor<16x8xf32>)
           domain #kernel.domain<4 parallel, 16 parallel, 8 reduction>
           maps [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1,
               d2) -> (d0, d1)>]
           inits [0.0 : f32]
           body {^bb0(%a: f32, %b: f32, %acc: f32): %p = arith.mulf %a, %b : f32  %s = arith.addf %acc, %p : f32
               kernel.yield %s : f32}
           : tensor<4x16xf32>
    ```
    """

    name = "kernel.contract"
    RULES: ClassVar[StageRules] = StageRules(
        kinds=("parallel", "reduction"), required=("reduction",), accumulators=True
    )

    def verify_kind(self) -> None:
        if multiply_accumulate(self) is None:
            raise VerifyException(
                "the body of a contract is 'acc + a * b' on one f32 accumulator (operands extended to f32)"
            )
        if combined_by(self) not in ((), ("add",)):
            raise VerifyException("the 'combine' of a contract adds two partial sums")


@irdl_op_definition
class ReduceOp(StageOp):
    """A fold over the reduction dimensions with any number of accumulators: sums, extrema, moments, pooling, top k.

    Example:

    ```mlir
    %s = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
           maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32]
           body {^bb0(%a: f32, %acc: f32): %n = arith.addf %acc, %a : f32  kernel.yield %n : f32} : tensor<4xf32>
    ```
    """

    name = "kernel.reduce"
    RULES: ClassVar[StageRules] = StageRules(
        kinds=("parallel", "reduction"), required=("reduction",), accumulators=True
    )


@irdl_op_definition
class ScanOp(StageOp):
    """Carries accumulators along one sequential dimension; the body yields them, then the results of the step.

    Arguments and accumulators may be blocks; then the body is a DAG of stages.

    Example:

    ```mlir
    %c = kernel.scan ins(%x : tensor<8xf32>) domain #kernel.domain<8 sequential>
           maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] inits [0.0 : f32]
           body {^bb0(%a: f32, %acc: f32): %n = arith.addf %acc, %a : f32  kernel.yield %n, %n : f32, f32} :
               tensor<8xf32>
    ```
    """

    name = "kernel.scan"
    RULES: ClassVar[StageRules] = StageRules(
        kinds=("parallel", "sequential"), required=("sequential",), accumulators=True
    )


@irdl_op_definition
class GatherOp(StageOp):
    """A map whose inputs are read at coordinates that other inputs give (symbols): embedding, index_select.

    Example:

    ```mlir
    %y = kernel.gather ins(%ids, %table : tensor<5xi64>, tensor<100x8xf32>) domain #kernel.domain<5 parallel, 8
        parallel>
           maps [affine_map<(d0, d1)[s0] -> (d0)>, affine_map<(d0, d1)[s0] -> (s0, d1)>, affine_map<(d0, d1)[s0] ->
               (d0, d1)>]
           bindings [0] body {^bb0(%i: i64, %v: f32): kernel.yield %v : f32} : tensor<5x8xf32>
    ```
    """

    name = "kernel.gather"
    RULES: ClassVar[StageRules] = StageRules()


@irdl_op_definition
class ScatterOp(StageOp):
    """A map whose results are written at coordinates that inputs give: cache update, index_put, embedding gradient.

    `conflict` says what happens when points meet: the last in row-major order stays ("overwrite"), or values are
    added in row-major order in f32 (integers in their type) and rounded once ("add"). A point out of range is not
    written.

    Example:

    ```mlir
    %c = kernel.scatter ins(%cache, %pos, %new : tensor<64x8xf32>, tensor<1xi64>, tensor<1x8xf32>)
           domain #kernel.domain<1 parallel, 8 parallel>
           maps [affine_map<(d0, d1)[s0] -> (0, d1)>, affine_map<(d0, d1)[s0] -> (0)>, affine_map<(d0, d1)[s0] ->
               (d0, d1)>,
                 affine_map<(d0, d1)[s0] -> (s0 + d0, d1)>]
           bindings [1] tied [0] conflict "overwrite"
           body {^bb0(%old: f32, %p: i64, %v: f32): kernel.yield %v : f32} : tensor<64x8xf32>
    ```
    """

    name = "kernel.scatter"
    RULES: ClassVar[StageRules] = StageRules(indexed_results=True)

    conflict = prop_def(StringAttr)
    """What happens where points meet: `overwrite` or `add`."""

    @property
    def adds_conflicts(self) -> bool:
        return self.conflict.data == "add"

    def verify_kind(self) -> None:
        if self.conflict.data not in CONFLICTS:
            raise VerifyException(f'conflict "{self.conflict.data}" is not one of {", ".join(CONFLICTS)}')


@irdl_op_definition
class SortOp(StageOp):
    """Sorts along the sequential dimension, stably; the first input is the key, the others move along.

    Example:

    ```mlir
    %v, %i = kernel.sort ins(%x, %iota : tensor<4x8xf32>, tensor<4x8xi64>) domain #kernel.domain<4 parallel, 8
        sequential>
           maps [affine_map<(d0, d1) -> (d0, d1)>, ...] descending : tensor<4x8xf32>, tensor<4x8xi64>
    ```
    """

    name = "kernel.sort"
    RULES: ClassVar[StageRules] = StageRules(kinds=("parallel", "sequential"), required=("sequential",), body=False)

    descending = opt_prop_def(UnitAttr)
    """From the largest key to the smallest."""

    def verify_kind(self) -> None:
        if [o.type for o in self.operands] != [r.type for r in self.results]:
            raise VerifyException("the results do not have the types of the inputs")
        if any(access.results != self.input_maps[0].results for access in (*self.input_maps, *self.result_maps)):
            raise VerifyException("the maps of a sort are all the same")


@irdl_op_definition
class RandomOp(StageOp):
    """A map whose body draws random bits (`kernel.random_bits`): dropout, random initialisation.

    Example:

    ```mlir
    %y = kernel.random ins(%seed : tensor<i64>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> ()>,
        affine_map<(d0) -> (d0)>]
           body {^bb0(%s: i64): %i = kernel.index 0  %b = kernel.random_bits %s, %i  kernel.yield %b : i32} :
               tensor<8xi32>
    ```
    """

    name = "kernel.random"
    RULES: ClassVar[StageRules] = StageRules()


@irdl_op_definition
class MoveOp(StageOp):
    """A change of layout without arithmetic: permute, reshape, slice, concat, pad, broadcast.

    The result at a point is the element of the first operand whose access is in range, else the pad of operand 0.

    Example:

    ```mlir
    %t = kernel.move ins(%x : tensor<4x8xf32>) domain #kernel.domain<8 parallel, 4 parallel>
           maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<8x4xf32>
    ```
    """

    name = "kernel.move"
    RULES: ClassVar[StageRules] = StageRules(body=False, first_in_range=True)

    def verify_kind(self) -> None:
        if len(self.results) != 1 or not self.operands:
            raise VerifyException("has one result and at least one input")
        types = {element_type(value.type) for value in (*self.operands, *self.results)}
        if len(types) > 1:
            raise VerifyException(f"changes the element type: {', '.join(sorted(map(str, types)))}")


@irdl_op_definition
class CollectiveOp(StageOp):
    """Exchanges a tensor with the other chips: op "all_reduce", "all_gather", "reduce_scatter" or "all_to_all".

    The domain runs over the input's elements, the maps are identities. Sums are f32 in ascending order of the chips;
    `wire` is the dtype on the link.

    Example:

    ```mlir
    %y = kernel.collective ins(%x : tensor<4x8xf32>) op "all_reduce" domain #kernel.domain<4 parallel, 8 parallel>
           maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] chips 2 wire f32 :
               tensor<4x8xf32>
    ```
    """

    name = "kernel.collective"
    RULES: ClassVar[StageRules] = StageRules(body=False, local=False)

    op = prop_def(StringAttr)
    """`all_reduce`, `all_gather`, `reduce_scatter` or `all_to_all`."""
    dim = opt_prop_def(IntegerAttr[I64])
    """The dimension that is gathered, scattered or dealt out."""
    chips = prop_def(IntegerAttr[I64])
    """How many chips take part."""
    wire = prop_def(Attribute)
    """The element type on the links."""

    def verify_kind(self) -> None:
        kind, chips = self.op.data, self.chips.value.data
        if kind not in COLLECTIVES:
            raise VerifyException(f'op "{kind}" is not one of {", ".join(COLLECTIVES)}')
        if len(self.operands) != 1 or len(self.results) != 1:
            raise VerifyException("has one input and one result")
        source, target = list(self.input_types[0].get_shape()), list(self.output_types[0].get_shape())
        if tuple(source) != self.extents:
            raise VerifyException(f"the domain is {self.extents}, the input {self.input_types[0]}")
        dim = self.dim.value.data if self.dim is not None else None
        if (dim is None) != (kind == "all_reduce"):
            raise VerifyException(f"{kind} {'needs a' if dim is None else 'takes no'} 'dim'")
        if dim is not None and not 0 <= dim < len(source):
            raise VerifyException(f"dim {dim} of {self.input_types[0]}")
        expected = list(source)
        if dim is not None and kind == "all_gather":
            expected[dim] *= chips
        if dim is not None and kind in ("reduce_scatter", "all_to_all"):
            if source[dim] % chips:
                raise VerifyException(f"dimension {dim} of {source[dim]} does not split over {chips} chips")
            if kind == "reduce_scatter":
                expected[dim] //= chips
        if target != expected:
            raise VerifyException(
                f"the result is {self.output_types[0]}, {kind} over {chips} chips makes {'x'.join(map(str, expected))}"
            )


STAGES = (MapOp, ContractOp, ReduceOp, ScanOp, GatherOp, ScatterOp, SortOp, RandomOp, MoveOp, CollectiveOp)
