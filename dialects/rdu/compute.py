"""The groups of units that compute: PCU groups with their tile programs, collectives between chips."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar

from xdsl.dialects.builtin import (
    I64,
    IntegerAttr,
    StringAttr,
    VectorType,
)
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    AttrSizedRegionSegments,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    opt_region_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import IsolatedFromAbove
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.rdu.attributes import Row, StreamType, array, values
from sambaflow.dialects.rdu.dtypes import dtype_name
from sambaflow.dialects.rdu.instructions import YieldOp, element_dtype
from sambaflow.dialects.rdu.units import (
    COLLECTIVES,
    KINDS,
    MODES,
    REDUCTION,
    SEQUENTIAL,
    Array,
    BufferedUnitOp,
    LoadOp,
    PmuOp,
    StoreOp,
    UnitOp,
    counted,
    number,
    stream,
)


@irdl_op_definition
class PcuOp(BufferedUnitOp):
    """A PCU group and its tile program.

    Example:

    ```mlir
    %y = rdu.pcu(%x) {mode = "simd", domain = array<i64: 16, 128>, kinds = array<i64: 0, 1>, tile = array<i64: 4, 128>,
                      par = array<i64: 2, 1>, split = array<i64: 1, 1>, order = array<i64: 0, 1>, count = 2 : i64,
                      inits = array<i64: 0>, depths = array<i64: 2>}
         : (!rdu.stream<tensor<4x128xf32>, 4>) -> !rdu.stream<tensor<4xbf16>, 4> body {
    ^bb0(%e : f32, %sum : f32):
      %0 = rdu.add %sum, %e : f32
      rdu.yield %0 : f32
    } finish {
    ^bb0(%e : f32, %sum : f32):
      %0 = rdu.truncf %sum : f32 to bf16
      rdu.yield %0 : bf16
    }
    ```

    Body: (inputs, accumulators) -> (accumulators, results per step). Combine: (accumulators a, accumulators b) ->
    accumulators; with it the reduction is cut in blocks of 128 points, without it is one run and not split. Finish:
    (inputs, accumulators) -> results. Without finish the accumulators themselves are results.
    """

    name = "rdu.pcu"
    KIND: ClassVar = "pcu"
    RESOURCE: ClassVar = "pcu"

    streams = var_operand_def(StreamType)
    """The operands."""
    outputs = var_result_def(StreamType)
    """The results."""

    mode = prop_def(StringAttr)
    """`systolic`, `simd`, `reduce` or `tail`."""
    kinds = prop_def(Array)
    """Per dimension 0 (parallel), 1 (reduction) or 2 (sequential)."""
    tile = prop_def(Array)
    """Points of one firing."""
    par = prop_def(Array)
    """PCUs along each dimension."""
    split = prop_def(Array)
    """Parts of each reduction dimension."""
    order = prop_def(Array)
    """Loops of the tile grid, outermost first."""
    inits = prop_def(Array)
    """First values of the accumulators, raw bits."""
    predicate = opt_prop_def(Array)
    """Rows of constant, counters and port values; a point counts where all are at least 0."""

    body = region_def("single_block")
    """At every point: (inputs, accumulators) to accumulators, then results of the step."""
    combine = opt_region_def("single_block")
    """Two partial results to one."""
    finish = opt_region_def("single_block")
    """Once per output point: (inputs, accumulators) to results."""

    traits = traits_def(IsolatedFromAbove())
    irdl_options = (AttrSizedRegionSegments(as_property=True),)
    assembly_format = (
        "`(` $streams `)` attr-dict `:` functional-type(operands, results) `body` $body (`combine` $combine^)?"
        " (`finish` $finish^)?"
    )

    @classmethod
    def create_pcu(
        cls,
        streams: Sequence[SSAValue],
        results: Sequence[StreamType],
        body: Region,
        *,
        mode: str,
        domain: Sequence[int],
        kinds: Sequence[int],
        tile: Sequence[int],
        par: Sequence[int],
        order: Sequence[int],
        depths: Sequence[int],
        split: Sequence[int] | None = None,
        inits: Sequence[int] = (),
        predicate: Sequence[Sequence[int]] = (),
        combine: Region | None = None,
        finish: Region | None = None,
        count: int = 1,
        label: str | None = None,
    ) -> PcuOp:
        """`inits`: raw bits of the accumulators' first values, as unsigned numbers."""
        properties: dict[str, Attribute | None] = {
            "mode": StringAttr(mode),
            "domain": array(domain),
            "kinds": array(kinds),
            "tile": array(tile),
            "par": array(par),
            "split": array(split if split is not None else [1] * len(domain)),
            "order": array(order),
            "inits": array(bits - (1 << 64) if bits >> 63 else bits for bits in inits),
            "depths": array(depths),
            "predicate": array(value for row in predicate for value in row) if predicate else None,
        }
        return cls(
            operands=[streams],
            result_types=[results],
            properties=properties | counted(count, label),
            regions=[body, combine, finish],
        )

    @property
    def init_bits(self) -> Row:
        """The accumulators' first values as unsigned raw bits."""
        return tuple(bits & (1 << 64) - 1 for bits in values(self.inits))

    @property
    def predicate_rows(self) -> list[Row]:
        width = len(self.extents) + 1 + len(self.streams)
        flat = values(self.predicate)
        return [flat[i : i + width] for i in range(0, len(flat), width)]

    @property
    def accumulator_types(self) -> list[Attribute]:
        return [argument.type for argument in self.body.block.args[len(self.streams) :]]

    @property
    def steps(self) -> int:
        """How many of the results the body yields (per step); the rest are final."""
        last = self.body.block.last_op
        yielded = len(last.operands) if last is not None else 0
        return yielded - len(self.accumulator_types)

    def points_of(self, result: int) -> int:
        dropped = (REDUCTION,) if result < self.steps else (REDUCTION, SEQUENTIAL)
        points = prod(e for e, kind in zip(self.extents, values(self.kinds), strict=True) if kind not in dropped)
        return points * self._length_of(result)

    def _length_of(self, result: int) -> int:
        """Elements that a result delivers at a point: k of a sorted list, else one."""
        final, end = result - self.steps, self.body.block.last_op
        yielded = end.operands if end is not None else ()
        types = [value.type for value in yielded[len(self.accumulator_types) :]]
        if final >= 0:
            end = self.finish.block.last_op if self.finish is not None else None
            types += self.accumulator_types if end is None else [value.type for value in end.operands]
        accumulated = types[result] if result < len(types) else None
        return accumulated.get_shape()[0] if isinstance(accumulated, VectorType) else 1

    def verify_unit(self) -> None:
        rank = len(self.extents)
        for field in ("kinds", "tile", "par", "split", "order"):
            if len(values(self.properties[field])) != rank:  # pyright: ignore[reportArgumentType]
                raise VerifyException(f"{field} has {rank} numbers, one per dimension of the domain")
        if self.mode.data not in MODES:
            raise VerifyException(f"mode is one of {', '.join(MODES)}, not {self.mode.data}")
        if any(kind not in range(len(KINDS)) for kind in values(self.kinds)):
            raise VerifyException(f"kinds are {', '.join(f'{i} ({name})' for i, name in enumerate(KINDS))}")
        if {REDUCTION, SEQUENTIAL} <= set(values(self.kinds)):
            raise VerifyException("one program walks sequential dimensions or folds reductions, not both")
        if sorted(values(self.order)) != list(range(rank)):
            raise VerifyException(f"order is a permutation of the dimensions, not {list(values(self.order))}")
        self.require_tile(values(self.tile))
        for par, split, kind, extent in zip(
            values(self.par), values(self.split), values(self.kinds), self.extents, strict=True
        ):
            if par < 1 or split < 1 or (split > 1 and kind != REDUCTION) or split > extent:
                raise VerifyException("par is at least 1; only reduction dimensions are split, in at most extent parts")
        if self.combine is None and any(parts > 1 for parts in values(self.split)):
            raise VerifyException("the reduction is split, but no 'combine' merges its parts")
        if len(values(self.predicate)) % (rank + 1 + len(self.streams)):
            raise VerifyException(
                f"predicate rows have {rank + 1 + len(self.streams)} numbers: constant, counters, ports"
            )
        for port in range(len(self.streams)):
            self.require_port(port, self.extents)
        self._verify_regions()

    def _verify_regions(self) -> None:
        inputs = [stream(value).element_type for value in self.streams]
        if None in inputs:
            raise VerifyException("a tile program reads elements, not tokens")
        accumulators = self.accumulator_types
        if len(accumulators) != len(values(self.inits)):
            raise VerifyException(f"{len(accumulators)} accumulators have {len(values(self.inits))} initial values")
        steps: list[Attribute] = []
        final: list[Attribute] = accumulators if self.finish is None else []
        for name, region, arguments, first in (
            ("body", self.body, [*inputs, *accumulators], accumulators),
            ("combine", self.combine, accumulators * 2, accumulators),
            ("finish", self.finish, [*inputs, *accumulators], []),
        ):
            if region is None:
                continue
            argument_types = [argument.type for argument in region.block.args]
            if argument_types != arguments:
                raise VerifyException(f"{name} has arguments ({_types(argument_types)}), not ({_types(arguments)})")
            end = region.block.last_op
            if not isinstance(end, YieldOp):
                raise VerifyException(f"{name} ends with rdu.yield")
            yielded = [value.type for value in end.arguments]
            if yielded[: len(first)] != first or (name == "combine" and yielded != first):
                raise VerifyException(f"{name} yields ({_types(yielded)}), not the accumulators ({_types(first)})")
            if name == "body":
                steps = yielded[len(first) :]
            elif name == "finish":
                final = yielded
        if self.finish is not None and not accumulators:
            raise VerifyException("finish needs accumulators")
        result_types = [*steps, *final]
        if [element_dtype(result_type) for result_type in result_types] != [
            stream(value).dtype for value in self.outputs
        ]:
            raise VerifyException(f"the program gives ({_types(result_types)}), the results carry other elements")


def _types(types: Sequence[Attribute | None]) -> str:
    return ", ".join(map(str, types))


@irdl_op_definition
class CollectiveOp(BufferedUnitOp):
    """A peer-to-peer exchange with the other chips of the launch; the domain is that of the local operand.

    Example:

    ```mlir
    %s = rdu.collective(%x) {op = "all_reduce", dim = 0 : i64, chips = 8 : i64, wire = f32, domain = array<i64: 16,
    128>,
                             count = 1 : i64, depths = array<i64: 2>}
         : (!rdu.stream<tensor<4x128xf32>, 4>) -> !rdu.stream<tensor<4x128xf32>, 4>
    ```
    """

    name = "rdu.collective"
    KIND: ClassVar = "collective"
    RESOURCE: ClassVar = "agcu"

    streams = operand_def(StreamType)
    """What this chip gives."""
    result = result_def(StreamType)
    """What it gets."""

    op = prop_def(StringAttr)
    """`all_reduce`, `all_gather`, `reduce_scatter` or `all_to_all`."""
    dim = prop_def(IntegerAttr[I64])
    """The dimension that is gathered, scattered or dealt out."""
    chips = prop_def(IntegerAttr[I64])
    """How many chips take part."""
    wire = prop_def(Attribute)
    """The element type on the links."""

    assembly_format = "`(` $streams `)` attr-dict `:` functional-type(operands, results)"

    @classmethod
    def create_collective(
        cls,
        value: SSAValue,
        result: StreamType,
        *,
        op: str,
        dim: int,
        chips: int,
        wire: Attribute,
        domain: Sequence[int],
        depth: int = 2,
        count: int = 1,
        label: str | None = None,
    ) -> CollectiveOp:
        properties = {
            "op": StringAttr(op),
            "dim": number(dim),
            "chips": number(chips),
            "wire": wire,
            "domain": array(domain),
            "depths": array((depth,)),
        } | counted(count, label)
        return cls.create(operands=[value], result_types=[result], properties=properties)

    def points_of(self, result: int) -> int:
        points, chips = prod(self.extents), self.chips.value.data
        return {"all_gather": points * chips, "reduce_scatter": points // chips}.get(self.op.data, points)

    def verify_unit(self) -> None:
        if self.op.data not in COLLECTIVES:
            raise VerifyException(f"op is one of {', '.join(COLLECTIVES)}, not {self.op.data}")
        dim, chips = self.dim.value.data, self.chips.value.data
        if dim not in range(len(self.extents)) or chips < 1:
            raise VerifyException(f"dimension {dim} over {chips} chips does not lie in the domain {list(self.extents)}")
        if self.op.data in ("reduce_scatter", "all_to_all") and self.extents[dim] % chips:
            raise VerifyException(f"{chips} chips do not divide dimension {dim} of {list(self.extents)}")
        if dtype_name(self.wire) is None:
            raise VerifyException(f"no link carries {self.wire}")
        self.require_port(0, self.extents)
        if stream(self.streams).element_type != stream(self.result).element_type:
            raise VerifyException("operand and result of a collective have one element type")


UNIT_OPS: tuple[type[UnitOp], ...] = (LoadOp, StoreOp, PmuOp, PcuOp, CollectiveOp)
