"""Attributes and types of the kernel dialect: iteration domains and mappings.

#kernel.domain<4 parallel, 16 parallel, 8 reduction>
#kernel.mapping<tile = [2, 16, 8], par = [1, 4, 1], order = [0, 1, 2], hold = [1, 2]>
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, TensorType
from xdsl.ir import Data, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

IteratorKind = Literal["parallel", "reduction", "sequential"]
ITERATOR_KINDS: tuple[IteratorKind, ...] = ("parallel", "reduction", "sequential")
_GROUPS: tuple[IteratorKind, ...] = ("parallel", "sequential", "reduction")


@dataclass(frozen=True)
class Domain:
    """An iteration domain: the extent and the kind of each dimension, outermost first."""

    extents: tuple[int, ...]
    """How many points each dimension has."""
    kinds: tuple[IteratorKind, ...]
    """`parallel`, `reduction` or `sequential`, for each dimension."""

    @staticmethod
    def of(parallel: Sequence[int] = (), reduction: Sequence[int] = (), sequential: Sequence[int] = ()) -> Domain:
        """Parallel dimensions first, then the sequential one, then the reduction dimensions."""
        kinds: list[IteratorKind] = []
        for extents, kind in zip((parallel, sequential, reduction), _GROUPS, strict=True):
            kinds.extend(kind for _ in extents)
        return Domain((*parallel, *sequential, *reduction), tuple(kinds))

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.extents)

    def dims(self, *kinds: IteratorKind) -> tuple[int, ...]:
        """The dimensions of the given kinds, ascending."""
        return tuple(d for d, kind in enumerate(self.kinds) if kind in kinds)


@irdl_attr_definition
class DomainAttr(Data[Domain]):
    """`#kernel.domain<4 parallel, 8 reduction>`: an iteration domain."""

    name = "kernel.domain"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Domain:
        """Parse `<4 parallel, 8 reduction>`."""

        def dimension() -> tuple[int, IteratorKind]:
            extent = parser.parse_integer(allow_boolean=False, context_msg=" for the extent of a dimension")
            kind = parser.parse_keyword_in(ITERATOR_KINDS, " for the iterator kind")
            return extent, cast(IteratorKind, kind)

        dims = parser.parse_comma_separated_list(parser.Delimiter.ANGLE, dimension, " in a domain")
        return Domain(tuple(extent for extent, _ in dims), tuple(kind for _, kind in dims))

    def print_parameter(self, printer: Printer) -> None:
        """Print `<4 parallel, 8 reduction>`."""
        dims = (f"{extent} {kind}" for extent, kind in zip(self.data.extents, self.data.kinds, strict=True))
        printer.print_string(f"<{', '.join(dims)}>")


@dataclass(frozen=True)
class Mapping:
    """How a stage's domain is cut and spread. All but `hold` have one entry per dimension of the domain."""

    tile: tuple[int, ...]
    """Points that one firing of the stage takes, over all its PCUs."""
    par: tuple[int, ...]
    """PCUs side by side; each takes ceil(tile / par) points of a firing. Along a reduction at most its `split`."""
    order: tuple[int, ...]
    """The loops of the tile grid, outermost first."""
    hold: tuple[int, ...]
    """Per input, how many outer loops of `order` refill its buffer; 0: loaded once, rank: at every firing."""
    is_balanced: bool = True
    """Whether the par factors are decided; until then one PCU stands for them."""


@irdl_attr_definition
class MappingAttr(Data[Mapping]):
    """`#kernel.mapping<tile = [2, 8], par = [1, 1], order = [0, 1], hold = [2, 1]>`: tiles, PCUs and loop order.

    Without `par` the par factors are still to be decided, by `kernel-balance`.
    """

    name = "kernel.mapping"

    @staticmethod
    def of(
        tile: Sequence[int], par: Sequence[int] = (), order: Sequence[int] = (), hold: Sequence[int] = ()
    ) -> MappingAttr:
        """A mapping whose par factors are open, and in row-major order, unless given."""
        rank = len(tile)
        factors, loops = tuple(par) or (1,) * rank, tuple(order) or tuple(range(rank))
        return MappingAttr(Mapping(tuple(tile), factors, loops, tuple(hold), bool(par) or not rank))

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Mapping:
        """Parse `<tile = [..], par = [..], order = [..], hold = [..]>`; `par` may be absent."""

        def numbers() -> tuple[int, ...]:
            parser.parse_punctuation("=")
            return tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))

        with parser.in_angle_brackets():
            parser.parse_keyword("tile")
            tile = numbers()
            parser.parse_punctuation(",")
            par = numbers() if (is_balanced := parser.parse_optional_keyword("par") is not None) else (1,) * len(tile)
            if is_balanced:
                parser.parse_punctuation(",")
            parser.parse_keyword("order")
            order = numbers()
            parser.parse_punctuation(",")
            parser.parse_keyword("hold")
            hold = numbers()
        return Mapping(tile, par, order, hold, is_balanced)

    def print_parameter(self, printer: Printer) -> None:
        """Print `<tile = [..], par = [..], order = [..], hold = [..]>`, without what is open."""
        names = ("tile", "par", "order", "hold") if self.data.is_balanced else ("tile", "order", "hold")
        fields = ((name, list(getattr(self.data, name))) for name in names)
        printer.print_string(f"<{', '.join(f'{name} = {values}' for name, values in fields)}>")


@irdl_attr_definition
class FillAttr(ParametrizedAttribute):
    """`#kernel.fill<0xff800000 : f32, tensor<8xf32>>`: a block filled with one number, the initial value of an
    accumulator."""

    name = "kernel.fill"

    value: FloatAttr | IntegerAttr
    """Every element."""
    type: TensorType
    """The type of the block."""


@irdl_attr_definition
class TokenType(ParametrizedAttribute, TypeAttribute):
    """`!kernel.token`: orders a load or store after a store of the same tensor."""

    name = "kernel.token"
