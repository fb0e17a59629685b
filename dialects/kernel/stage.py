"""The stage interface: one class with the fields, the text form and the builder of all ten stage ops.

    %y = kernel.contract ins(%x, %w : tensor<4x8xbf16>, tensor<16x8xbf16>)
      domain #kernel.domain<4 parallel, 16 parallel, 8 reduction>
      maps [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) ->
          (d0, d1)>]
      inits [0.0 : f32] body {...} finish {...} : tensor<4x16xbf16>

A stage visits the points of its domain. At each point every input delivers the element (or block) at its map's
coordinates; the body makes results or updates accumulators; results are written at their maps' coordinates.
`docs/boundaries.md` lists the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias, cast

from xdsl.dialects.builtin import (
    I64,
    AffineMapAttr,
    AffineSetAttr,
    ArrayAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    LocationAttr,
    StringAttr,
    TensorType,
    UnitAttr,
    i64,
)
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import AffineConstraintExpr, AffineConstraintKind, AffineExpr, AffineMap, AffineSet
from xdsl.irdl import (
    IRDLOperation,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

from sambaflow.dialects.kernel.attributes import Domain, DomainAttr, FillAttr, IteratorKind, Mapping, MappingAttr
from sambaflow.dialects.kernel.body import BodyFunction, build_region, number
from sambaflow.dialects.kernel.body_ops import YieldOp

MapLike: TypeAlias = AffineMap | Callable[..., Sequence[AffineExpr | int]]
"""An affine map, or a function of the domain's dimensions and then the symbols: `lambda m, n, k: (m, k)`."""


@dataclass(frozen=True)
class StageRules:
    """What a stage kind allows; the verifier and every analysis read this, never the op's name."""

    kinds: tuple[IteratorKind, ...] = ("parallel",)
    required: tuple[IteratorKind, ...] = ()
    """Iterator kinds of which there must be one: a reduction for reduce, exactly one sequential for scan and sort."""
    accumulators: bool = False
    body: bool = True
    indexed_results: bool = False
    """Result maps may use symbols, and points may meet (scatter)."""
    local: bool = True
    """Everything happens on one chip (not in a collective)."""
    first_in_range: bool = False
    """A point takes the first input whose access is in range (move)."""


@dataclass(frozen=True)
class _Codec:
    """How a property is printed after its keyword and parsed back."""

    print: Callable[[Printer, Any], None]
    parse: Callable[[Parser], Attribute]


def _print_ints(printer: Printer, attribute: Any) -> None:
    printer.print_string(str(list(attribute.get_values())))


def _parse_ints(parser: Parser) -> Attribute:
    return dense(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))


def _parse_attrs(parser: Parser) -> Attribute:
    return ArrayAttr(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_attribute))


_ATTRIBUTE = _Codec(
    lambda printer, attribute: printer.print_attribute(attribute), lambda parser: parser.parse_attribute()
)
_INTS = _Codec(_print_ints, _parse_ints)
_ATTRS = _Codec(lambda printer, attribute: printer.print_attribute(attribute), _parse_attrs)
_INT = _Codec(
    lambda printer, attribute: printer.print_string(str(attribute.value.data)),
    lambda parser: IntegerAttr(parser.parse_integer(), i64),
)
_FLAG = _Codec(lambda printer, attribute: None, lambda parser: UnitAttr())

CLAUSES: dict[str, _Codec] = {
    "op": _ATTRIBUTE,
    "domain": _ATTRIBUTE,
    "maps": _ATTRS,
    "bindings": _INTS,
    "pads": _ATTRS,
    "predicate": _ATTRIBUTE,
    "inits": _ATTRS,
    "split": _INTS,
    "ordered": _FLAG,
    "tied": _INTS,
    "conflict": _ATTRIBUTE,
    "descending": _FLAG,
    "dim": _INT,
    "chips": _INT,
    "wire": _ATTRIBUTE,
    "mapping": _ATTRIBUTE,
    "windows": _INTS,
    "agcus": _INT,
}
"""Every property of every stage: its keyword, in the order of the text form."""
REGIONS = ("body", "finish", "combine")


def dense(values: Sequence[int]) -> DenseArrayBase[IntegerType]:
    """`array<i64: ...>`."""
    return DenseArrayBase.from_list(i64, list(values))


def pad_array(pads: Sequence[Attribute | None]) -> ArrayAttr[Attribute] | None:
    """`pads [0 : i64, unit]`; None when there is none. (An `IntegerAttr` of 0 is false: only None means no pad.)"""
    entries = [UnitAttr() if pad is None else pad for pad in pads]
    return ArrayAttr(entries) if any(pad is not None for pad in pads) else None


def constant(value: float, value_type: Attribute) -> Attribute:
    """A scalar constant, or one that fills a tensor type: for `inits` and `pads`."""
    if isinstance(value_type, TensorType):
        return FillAttr(cast(Any, constant(value, value_type.element_type)), value_type)
    return number(value, value_type)


def constant_type(attribute: Attribute) -> Attribute:
    """The type of a constant of `inits` or `pads`."""
    match attribute:
        case FloatAttr() | IntegerAttr() | FillAttr():
            return attribute.type
        case _:
            return attribute


def element_type(value_type: Attribute) -> Attribute:
    """A tensor's element type; a scalar type itself."""
    return value_type.element_type if isinstance(value_type, TensorType) else value_type


def block_shape(value_type: Attribute) -> tuple[int, ...]:
    """The shape of a block argument; () for an element."""
    return value_type.get_shape() if isinstance(value_type, TensorType) else ()


def affine_map(rank: int, coordinates: MapLike, symbols: int = 0) -> AffineMap:
    """A map over `rank` dimensions from a function of them (and of the symbols)."""
    if isinstance(coordinates, AffineMap):
        return coordinates
    variables = [AffineExpr.dimension(d) for d in range(rank)] + [AffineExpr.symbol(s) for s in range(symbols)]
    results = (AffineExpr.constant(r) if isinstance(r, int) else r for r in coordinates(*variables))
    return AffineMap(rank, symbols, tuple(results))


def nonnegative(rank: int, forms: Callable[..., Sequence[AffineExpr]], symbols: int = 0) -> AffineSetAttr:
    """The predicate `form >= 0` for every form: `nonnegative(2, lambda i, j: (i - j,))`."""
    zero = AffineExpr.constant(0)
    results = affine_map(rank, forms, symbols).results
    rows = tuple(AffineConstraintExpr(AffineConstraintKind.ge, form, zero) for form in results)
    return AffineSetAttr(AffineSet(rank, symbols, rows))


class Stage(IRDLOperation):
    """Base of all stage ops: fields, text form, builder, verifier. Subclasses say what their kind allows (`RULES`)."""

    RULES: ClassVar[StageRules]

    inputs = var_operand_def()
    """Tensors that are read."""
    outputs = var_result_def()
    """Tensors that are written."""
    domain = prop_def(DomainAttr)
    """The points: extents and iterator kinds."""
    maps = prop_def(ArrayAttr[AffineMapAttr])
    """One map per input, then one per result: point to element, or to the origin of a block."""
    bindings = opt_prop_def(DenseArrayBase[I64])
    """Symbol j of the maps is the value of input `bindings[j]` at the point."""
    pads = opt_prop_def(ArrayAttr)
    """Per input what is read where its map leaves it, or unit: it never does."""
    predicate = opt_prop_def(AffineSetAttr)
    """Points outside of it contribute nothing."""
    inits = opt_prop_def(ArrayAttr)
    """First values of the accumulators."""
    split = opt_prop_def(DenseArrayBase[I64])
    """Parts per reduction dimension, merged by a balanced tree: the one choice that may change bits."""
    ordered = opt_prop_def(UnitAttr)
    """Points are folded one after the other, ascending, as one run: nothing merges partial results (top k)."""
    tied = opt_prop_def(DenseArrayBase[I64])
    """Per result the input that it updates in place, or -1."""
    mapping = opt_prop_def(MappingAttr)
    """Tiles, PCUs and loop order; absent until `kernel-tile`."""
    windows = opt_prop_def(DenseArrayBase[I64])
    """Per result the windows in which it is handed over; absent until `kernel-insert-buffers`, and where the stage only
    passes on what it reads."""
    agcus = opt_prop_def(IntegerAttr[I64])
    """How many AGCUs read a tensor that is accessed where it stands off the chip; absent until
    `kernel-insert-transfers`."""
    body = region_def()
    """At every point: (an element per input, accumulators) to accumulators, or to results."""
    finish = region_def()
    """Once per output point: (inputs, accumulators) to results."""
    combine = region_def()
    """Two partial results to one: (accumulators a, accumulators b) to accumulators."""

    traits = traits_def(Pure())

    # ---- fields as plain values

    @property
    def adds_conflicts(self) -> bool:
        """Whether values that meet at an element of a result are added (scatter)."""
        return False

    @property
    def extents(self) -> tuple[int, ...]:
        """The extents of the domain."""
        return self.domain.data.extents

    @property
    def kinds(self) -> tuple[IteratorKind, ...]:
        """The iterator kinds of the domain."""
        return self.domain.data.kinds

    @property
    def rank(self) -> int:
        """The number of dimensions of the domain."""
        return len(self.domain.data.extents)

    @property
    def input_maps(self) -> tuple[AffineMap, ...]:
        """One map per input."""
        return tuple(m.data for m in self.maps.data[: len(self.operands)])

    @property
    def result_maps(self) -> tuple[AffineMap, ...]:
        """One map per result."""
        return tuple(m.data for m in self.maps.data[len(self.operands) :])

    @property
    def bound_inputs(self) -> tuple[int, ...]:
        """Symbol j is the value of input `bound_inputs[j]`."""
        return _values(self.bindings)

    @property
    def pad_constants(self) -> tuple[Attribute | None, ...]:
        """Per input the constant read out of range, or None."""
        if self.pads is None:
            return (None,) * len(self.operands)
        return tuple(None if isinstance(pad, UnitAttr) else pad for pad in self.pads.data)

    @property
    def init_constants(self) -> tuple[Attribute, ...]:
        """The accumulators' initial constants."""
        return tuple(cast(Sequence[Attribute], self.inits.data)) if self.inits is not None else ()

    @property
    def accumulator_types(self) -> tuple[Attribute, ...]:
        """The accumulators' types."""
        return tuple(constant_type(init) for init in self.init_constants)

    @property
    def splits(self) -> tuple[int, ...]:
        """Per dimension the number of parts that are reduced apart (1: not split)."""
        return _values(self.split) or (1,) * self.rank

    @property
    def tied_inputs(self) -> tuple[int, ...]:
        """Per result the input that it updates, or -1."""
        return _values(self.tied) or (-1,) * len(self.results)

    @property
    def tiling(self) -> Mapping | None:
        """The mapping, once `kernel-tile` has run."""
        return self.mapping.data if self.mapping is not None else None

    @property
    def handed(self) -> tuple[int, ...] | None:
        """Per result the windows in which it is handed over, once `kernel-insert-buffers` has run."""
        return None if self.windows is None else _values(self.windows)

    @property
    def input_types(self) -> tuple[TensorType[Attribute], ...]:
        """The operands' tensor types."""
        return tuple(cast(TensorType[Attribute], operand.type) for operand in self.operands)

    @property
    def output_types(self) -> tuple[TensorType[Attribute], ...]:
        """The results' tensor types."""
        return tuple(cast(TensorType[Attribute], result.type) for result in self.results)

    @property
    def body_block(self) -> Block | None:
        """The body's block; None for stages without a body."""
        return self.body.blocks.first

    @property
    def input_blocks(self) -> tuple[tuple[int, ...], ...]:
        """Per input the shape of what one point reads: () is one element."""
        block = self.body.blocks.first
        if block is None:
            return ((),) * len(self.operands)
        return tuple(block_shape(arg.type) for arg in block.args[: len(self.operands)])

    @property
    def step_results(self) -> int:
        """How many results are written at every point; the rest are written once, from the accumulators."""
        accumulators = len(self.init_constants)
        if not accumulators:
            return len(self.results)
        return len(region_yield(self.body).operands) - accumulators

    @property
    def yielded(self) -> tuple[SSAValue, ...]:
        """Per result the value that is written: of the body, of `finish`, or (no `finish`) the accumulators."""
        if not self.body.blocks.first:
            return ()
        accumulators = len(self.init_constants)
        steps = region_yield(self.body).operands[accumulators:]
        if not accumulators:
            return tuple(steps)
        if self.finish.blocks.first is not None:
            return (*steps, *region_yield(self.finish).operands)
        last = region_yield(self.body).operands[:accumulators] if len(self.results) > len(steps) else ()
        return (*steps, *last)

    # ---- builder

    @classmethod
    def make(
        cls,
        inputs: Sequence[SSAValue],
        domain: Domain | DomainAttr,
        maps: Sequence[MapLike],
        result_types: Sequence[Attribute],
        body: BodyFunction | None = None,
        *,
        inits: Sequence[Attribute] = (),
        finish: BodyFunction | None = None,
        combine: BodyFunction | None = None,
        blocks: Sequence[Sequence[int] | None] = (),
        bindings: Sequence[int] = (),
        pads: Sequence[Attribute | None] = (),
        predicate: AffineSetAttr | None = None,
        split: Sequence[int] = (),
        ordered: bool = False,
        tied: Sequence[int] = (),
        mapping: MappingAttr | None = None,
        location: LocationAttr | None = None,
        **properties: Attribute,
    ) -> Self:
        """A stage. `maps` takes functions of the dimensions; `blocks` the shape that an input delivers at a point
        when it is not one element; `body(b, *elements, *accumulators)`, `finish(b, *elements, *accumulators)` and
        `combine(b, *first, *second)` build the regions.
        """
        domain = domain if isinstance(domain, DomainAttr) else DomainAttr(domain)
        rank = domain.data.rank
        shapes = tuple(blocks) or (None,) * len(inputs)
        elements = [_argument_type(value.type, shape) for value, shape in zip(inputs, shapes, strict=True)]
        accumulators = [constant_type(init) for init in inits]
        fields: dict[str, Attribute | None] = {
            "domain": domain,
            "maps": ArrayAttr([AffineMapAttr(affine_map(rank, m, len(bindings))) for m in maps]),
            "bindings": dense(bindings) if bindings else None,
            "pads": pad_array(pads),
            "predicate": predicate,
            "inits": ArrayAttr(inits) if inits else None,
            "split": dense(split) if any(part > 1 for part in split) else None,
            "ordered": UnitAttr() if ordered else None,
            "tied": dense(tied) if any(t >= 0 for t in tied) else None,
            "mapping": mapping,
        }
        op = cls.create(
            operands=inputs,
            result_types=result_types,
            properties={k: v for k, v in fields.items() if v is not None} | properties,
            regions=[
                build_region([*elements, *accumulators], body),
                build_region([*elements, *accumulators], finish),
                build_region([*accumulators, *accumulators], combine),
            ],
        )
        if location is not None:
            op.location = location
        return op

    # ---- text form

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        """Parse `ins(..) clauses regions : types`."""
        operands: Sequence[SSAValue] = ()
        if parser.parse_optional_keyword("ins") is not None:
            position = parser.pos
            with parser.in_parens():
                names = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
                parser.parse_punctuation(":")
                types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
            operands = parser.resolve_operands(names, types, position)
        allowed = cls.get_irdl_definition().properties
        properties: dict[str, Attribute] = {}
        position = parser.pos
        while (keyword := parser.parse_optional_keyword_in(CLAUSES)) is not None:
            if keyword in properties:
                parser.raise_error(f"'{keyword}' is given twice", position)
            if keyword not in allowed:
                parser.raise_error(f"'{keyword}' is not for {cls.name}", position)
            properties[keyword] = CLAUSES[keyword].parse(parser)
            position = parser.pos
        regions = {name: Region() for name in REGIONS}
        while (keyword := parser.parse_optional_keyword_in(REGIONS)) is not None:
            regions[keyword] = parser.parse_region()
        attributes = parser.parse_optional_attr_dict_with_keyword()
        result_types: Sequence[Attribute] = ()
        if parser.parse_optional_punctuation(":") is not None:
            result_types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        return cls.create(
            operands=operands,
            result_types=result_types,
            properties=properties,
            attributes=dict(attributes.data) if attributes is not None else {},
            regions=[regions[name] for name in REGIONS],
        )

    def print(self, printer: Printer) -> None:
        """Print `ins(..) clauses regions : types`."""
        if self.operands:
            printer.print_string(" ins(")
            printer.print_list(self.operands, printer.print_ssa_value)
            printer.print_string(" : ")
            printer.print_list([operand.type for operand in self.operands], printer.print_attribute)
            printer.print_string(")")
        for keyword, codec in CLAUSES.items():
            if (attribute := self.properties.get(keyword)) is not None:
                printer.print_string(f" {keyword}" if codec is _FLAG else f" {keyword} ")
                codec.print(printer, attribute)
        for keyword, region in zip(REGIONS, self.regions, strict=True):
            if region.blocks.first is not None:
                printer.print_string(f" {keyword} ")
                printer.print_region(region)
        if self.attributes:
            printer.print_op_attributes(self.attributes, print_keyword=True)
        if self.results:
            printer.print_string(" : ")
            printer.print_list([result.type for result in self.results], printer.print_attribute)

    def verify_kind(self) -> None:
        """Raise VerifyException for what only this kind of stage demands."""


def region_yield(region: Region) -> YieldOp:
    """The `kernel.yield` that ends a region."""
    return cast(YieldOp, cast(Block, region.blocks.first).last_op)


def string(text: str) -> StringAttr:
    """A string attribute, for the properties of `make`."""
    return StringAttr(text)


def _values(attribute: Any) -> tuple[int, ...]:
    return attribute.get_values() if attribute is not None else ()


def _argument_type(value_type: Attribute, shape: Sequence[int] | None) -> Attribute:
    element = element_type(value_type)
    return element if shape is None else TensorType(cast(Any, element), shape)
