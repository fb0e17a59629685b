"""What a program is made of: symbols in memory, and sections of units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import (
    I64,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
)
from xdsl.ir import Attribute, Block, BlockArgument, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, NoTerminator
from xdsl.utils.exceptions import VerifyException

from sambaflow.dialects.rdu.assembly import (
    InProgram,
    make_op,
    parse_argument,
    parse_attributes,
    print_rest,
    with_rest,
)
from sambaflow.dialects.rdu.attributes import Row, array, numbers_of, row_count, rows, table, table_of, values
from sambaflow.dialects.rdu.dtypes import DTYPE_BYTES, dtype_name
from sambaflow.dialects.rdu.units import Array, StoreOp, UnitOp, number
from sambaflow.machine.opcodes import MOST_DIMENSIONS, MOST_ELEMENTS

if TYPE_CHECKING:
    from sambaflow.dialects.rdu.attributes import Numbers

ROLES = ("input", "param", "buffer", "state", "output", "temp", "constant")
TIERS = ("hbm", "ddr")

Table = DenseIntOrFPElementsAttr


@lru_cache(maxsize=65536)
def symbol_ref(name: str) -> SymbolRefAttr:
    """`@name` (attributes are shared between ops)."""
    return SymbolRefAttr(name)


@irdl_op_definition
class SymbolOp(IRDLOperation):
    """A tensor in memory; the type is what one chip holds.

    Example:

    ```mlir
    rdu.symbol @"model.embed.weight" param tensor<1024x64xbf16> {shard = array<i64: 0, 1, 8>, tier = "hbm",
                                                                address = 4096 : i64, first = 0 : i64, last = 7 : i64}
    ```

    `tier`, `address`, `first` and `last` are set by rdu-plan-memory.
    """

    name = "rdu.symbol"

    sym_name = prop_def(SymbolNameConstraint())
    """Its name, that of the tensor in PyTorch."""
    role = prop_def(StringAttr)
    """`input`, `param`, `buffer`, `state`, `output`, `temp` or `constant`."""
    type = prop_def(TensorType)
    """What one chip holds."""
    shard = opt_prop_def(Array)
    """Dimension, outer, chips."""
    tier = opt_prop_def(StringAttr)
    """`hbm` or `ddr`."""
    address = opt_prop_def(IntegerAttr[I64])
    """Bytes from the start of the tier."""
    first = opt_prop_def(IntegerAttr[I64])
    """The first launch that needs it."""
    last = opt_prop_def(IntegerAttr[I64])
    """The last launch that needs it."""
    data = opt_prop_def(DenseIntOrFPElementsAttr)
    """The elements of a constant."""

    traits = traits_def(InProgram())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(
        self,
        name: str,
        role: str,
        type_: TensorType[Any],
        *,
        shard: Row | None = None,
        data: DenseIntOrFPElementsAttr | None = None,
    ) -> None:
        properties: dict[str, Attribute | None] = {
            "sym_name": StringAttr(name),
            "role": StringAttr(role),
            "type": type_,
            "shard": None if shard is None else array(shard),
            "data": data,
        }
        super().__init__(properties=properties)

    @property
    def shape(self) -> Row:
        return self.type.get_shape()

    @property
    def dtype(self) -> str:
        return dtype_name(self.type.element_type) or ""

    @property
    def bytes(self) -> int:
        """Bytes on one chip."""
        product = DTYPE_BYTES[self.dtype]
        for extent in self.shape:
            product *= extent
        return product

    def place(self, tier: str, address: int, first: int, last: int) -> None:
        """Set where the symbol lives, and from which launch to which."""
        self.properties |= {
            "tier": StringAttr(tier),
            "address": number(address),
            "first": number(first),
            "last": number(last),
        }

    def verify_(self) -> None:
        if self.sym_name.data == "__metadata__":
            raise VerifyException("the name __metadata__ is kept for metadata in safetensors files")
        if self.role.data not in ROLES:
            raise VerifyException(f"role is one of {', '.join(ROLES)}, not {self.role.data}")
        if not self.type.has_static_shape() or not self.dtype:
            raise VerifyException(f"a symbol has a static shape and elements that units handle, not {self.type}")
        if len(self.shape) > MOST_DIMENSIONS:
            raise VerifyException(f"has {len(self.shape)} dimensions, more than {MOST_DIMENSIONS}")
        if self.bytes > MOST_ELEMENTS:
            raise VerifyException(f"takes {self.bytes} bytes, more than {MOST_ELEMENTS}")
        if self.tier is not None and self.tier.data not in TIERS:
            raise VerifyException(f"tier is one of {', '.join(TIERS)}, not {self.tier.data}")
        if self.address is not None and self.address.value.data < 0:
            raise VerifyException("an address is at least 0")
        if (self.role.data == "constant") != (self.data is not None):
            raise VerifyException("a constant has data, other symbols have none")
        if self.data is not None and self.data.type != self.type:
            raise VerifyException(f"data of type {self.data.type} for a constant of type {self.type}")
        if self.shard is not None and len(self.shard) != 3:
            raise VerifyException("a shard is [dimension, outer, chips]")
        if self.shard is not None:
            dim, outer, chips = values(self.shard)
            if dim not in range(len(self.shape)) or outer < 1 or chips < 1 or self.shape[dim] % outer:
                raise VerifyException(f"shard {[dim, outer, chips]} does not divide {self.type}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(f" {self.role.data} ")
        printer.print_attribute(self.type)
        print_rest(self, printer, ("sym_name", "role", "type"))

    @classmethod
    def parse(cls, parser: Parser) -> SymbolOp:
        name = parser.parse_symbol_name()
        role = StringAttr(parser.parse_identifier())
        type_ = parser.parse_type()
        return with_rest(cls, parser, {"sym_name": name, "role": role, "type": type_})


@irdl_op_definition
class SectionOp(IRDLOperation):
    """A pipeline that is on the chip at one time. Arguments are slots: a launch binds a symbol to each.

    Example:

    ```mlir
    rdu.section @linear (%w : tensor<64x64xbf16>, %y : tensor<16x64xbf16>) { units } or, placed and routed,
    rdu.section @linear (...) attributes {config_bytes = 81920 : i64, net_sources = dense<...>, ...} { units }
    ```

    A slot is writable if a store writes it. Units are numbered in the order in which they stand. There is one net per
    sending unit; rdu-route leaves its hops and tracks.
    """

    name = "rdu.section"

    sym_name = prop_def(SymbolNameConstraint())
    """Its name."""
    config_bytes = opt_prop_def(IntegerAttr[I64])
    """Size of the configuration that a launch loads."""
    net_sources = opt_prop_def(Table)
    """[N, 3]: group, output port and unit that each net starts from."""
    net_hops = opt_prop_def(Table)
    """[N]: hops of each net."""
    hops = opt_prop_def(Table)
    """[H, 4]: x0, y0, x1, y1."""
    tracks = opt_prop_def(Table)
    """[H]: the vector track of each hop."""
    flows = opt_prop_def(Table)
    """[N]: flow ids."""
    body = region_def("single_block")
    """One argument per slot; units, makers before readers."""

    traits = traits_def(NoTerminator(), IsolatedFromAbove(), InProgram())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, name: str, body: Region) -> None:
        super().__init__(properties={"sym_name": StringAttr(name)}, regions=[body])

    @property
    def slots(self) -> Sequence[BlockArgument]:
        return self.body.block.args

    @property
    def units(self) -> list[UnitOp]:
        return [op for op in self.body.block.ops if isinstance(op, UnitOp)]

    def writable(self, slot: SSAValue) -> bool:
        """Whether a store writes the slot."""
        return any(isinstance(use.operation, StoreOp) and use.index == 0 for use in slot.uses)

    @property
    def nets(self) -> Iterator[tuple[Row, Numbers, Numbers, int]]:
        """Source (group, port, unit), hops [H, 4], tracks [H] and flow id of every route; nothing before rdu-route."""
        hops, tracks = numbers_of(self.hops, 4), numbers_of(self.tracks, 1)[:, 0]
        flows = [flow for (flow,) in rows(self.flows)]
        at = 0
        for i, (source, (size,)) in enumerate(zip(rows(self.net_sources), rows(self.net_hops), strict=True)):
            yield source, hops[at : at + size], tracks[at : at + size], flows[i] if flows else -1
            at += size

    def set_nets(self, sources: Sequence[Row], sizes: Sequence[int], hops: Numbers, tracks: Numbers) -> None:
        """Set the routes: source (group, port, unit) and number of hops of each net; hops [H, 4] and tracks [H] of all,
        one net's after the other's."""
        self.properties |= {
            "net_sources": table(sources, 3),
            "net_hops": table([(size,) for size in sizes], 1),
            "hops": table_of(hops),
            "tracks": table_of(tracks.reshape(-1, 1)),
        }
        self.properties.pop("flows", None)

    def verify_(self) -> None:
        for slot in self.slots:
            if not isinstance(slot.type, TensorType) or not slot.type.has_static_shape():
                raise VerifyException(f"a slot is a tensor of static shape, not {slot.type}")
            if dtype_name(slot.type.element_type) is None:
                raise VerifyException(f"no unit handles elements of a slot of {slot.type}")
        for op in self.body.block.ops:
            if not isinstance(op, UnitOp):
                raise VerifyException(f"holds units, not {op.name}")
        routed = [self.properties.get(key) is not None for key in ("net_sources", "net_hops", "hops", "tracks")]
        if any(routed) != all(routed):
            raise VerifyException("routes are net_sources, net_hops, hops and tracks together")
        if all(routed):
            self._verify_routes()

    def _verify_routes(self) -> None:
        units = self.units
        sizes = [size for (size,) in rows(self.net_hops)]
        sources = rows(self.net_sources)
        if len(sizes) != len(sources) or not sum(sizes) == row_count(self.hops) == row_count(self.tracks):
            raise VerifyException("net_hops counts the hops of every net")
        if self.flows is not None and row_count(self.flows) != len(sources):
            raise VerifyException("there is one flow id per net")
        for group, port, unit in sources:
            known = group in range(len(units)) and port in range(len(units[group].results))
            if not known or unit not in range(units[group].units):
                raise VerifyException(f"a route begins at output {port} of unit {unit} of group {group}, not there")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(" (")
        printer.print_list(self.slots, printer.print_block_argument)
        printer.print_string(")")
        print_rest(self, printer, ("sym_name",), keyword=" attributes")
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False, print_empty_block=False)

    @classmethod
    def parse(cls, parser: Parser) -> SectionOp:
        name = parser.parse_symbol_name()
        arguments = parser.parse_comma_separated_list(Parser.Delimiter.PAREN, lambda: parse_argument(parser))
        known: dict[str, Attribute] = {"sym_name": name}
        attributes = parse_attributes(parser)
        region = parser.parse_region(arguments)
        if not region.blocks:
            region.add_block(Block(arg_types=[argument.type for argument in arguments]))
        return make_op(cls, known, attributes, [region])
