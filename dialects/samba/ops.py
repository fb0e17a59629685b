"""The op classes of the samba dialect: one generated from each row of the table, and the few that are not operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from math import prod
from typing import Any, ClassVar, cast

from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, LocationAttr, StringAttr, TensorType
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import ConstantLike, IsolatedFromAbove, IsTerminator, Pure, SingleBlockImplicitTerminator
from xdsl.utils.exceptions import VerifyException

from sambaflow.diagnostics import location_from_attr
from sambaflow.dialects.samba.attributes import float_text, print_value
from sambaflow.dialects.samba.inference import Shaped, is_float
from sambaflow.dialects.samba.table import OPERATORS, REQUIRED, Row, Trait, shaped
from sambaflow.errors import InputError, Location
from sambaflow.machine.opcodes import MOST_DIMENSIONS, MOST_ELEMENTS


@lru_cache(maxsize=1 << 14)
def tensor_type(value: Shaped) -> TensorType:
    """The builtin tensor type of a shape and dtype; cached, because building one takes 10 us."""
    return TensorType(value.dtype, value.shape)


def shaped_of(value: SSAValue | Attribute) -> Shaped:
    """Shape and dtype of a value or type; VerifyException unless it is a tensor of static shape and of a size that a
    program can address."""
    kind = value.type if isinstance(value, SSAValue) else value
    if not isinstance(kind, TensorType):
        raise VerifyException(f"needs tensors, got {kind}")
    shape = kind.get_shape()
    if min(shape, default=0) < 0:
        raise VerifyException(f"needs static shapes, got {kind}")
    if len(shape) > MOST_DIMENSIONS:
        raise VerifyException(f"needs tensors of at most {MOST_DIMENSIONS} dimensions, got {len(shape)}")
    if prod(shape) > MOST_ELEMENTS or max(shape, default=0) > MOST_ELEMENTS:
        raise VerifyException(f"needs tensors of at most {MOST_ELEMENTS} elements, got {kind}")
    return Shaped(shape, kind.element_type)


class SambaOp(IRDLOperation):
    """Base of all operators: operands, results and attributes as the row says."""

    ROW: ClassVar[Row]
    VERIFY_LOOKS_INSIDE_ONLY: ClassVar[bool] = True
    """`verify_` is a function of the types and attributes: `passes/framework/verification.py` looks at equals once."""

    inputs = var_operand_def(TensorType)
    outputs = var_result_def(TensorType)
    traits = traits_def(Pure())

    @property
    def row(self) -> Row:
        """The operator's row of the table."""
        return self.ROW

    def operand(self, name: str) -> SSAValue | None:
        """The operand of that name in the row; None when it is optional and absent."""
        names = self.row.operand_names(len(self.operands))
        return self.operands[names.index(name)] if name in names else None

    def attr(self, name: str) -> Any:
        """The Python value of an attribute; None when absent."""
        return self.settings()[name]

    def settings(self) -> dict[str, Any]:
        """All attributes of the row as Python values."""
        result: dict[str, Any] = {}
        for spec in self.row.attributes:
            stored = self.properties.get(spec.name)
            try:
                result[spec.name] = None if stored is None else spec.kind.decode(stored)
            except VerifyException as error:
                raise VerifyException(f"attribute '{spec.name}' {error}") from None
        return result

    def is_noop(self) -> bool:
        """The result is the operand, bit for bit."""
        same = len(self.results) == 1 and len(self.operands) == 1 and self.operands[0].type == self.results[0].type
        return same and Trait.NOOP_IF_SAME in self.row.traits

    def verify_(self) -> None:
        _check_operand_count(self.row, len(self.operands))
        try:
            inferred = self.row.rule([shaped_of(value) for value in self.operands], self.settings())
            declared = [shaped_of(value) for value in self.results]
        except VerifyException as error:
            raise VerifyException(f"'{self.name}' {error}") from None
        if len(inferred) != len(declared):
            raise VerifyException(f"'{self.name}' has {len(declared)} results, the operands imply {len(inferred)}")
        for i, (want, have) in enumerate(zip(inferred, declared, strict=True)):
            if want != have and not _is_partial_sum(self.row, want, have):
                which = f"result {i}" if len(declared) > 1 else "result"
                raise VerifyException(f"'{self.name}' {which} is {have}, the operands imply {want}")

    @classmethod
    def parse(cls, parser: Parser) -> SambaOp:
        operands = _parse_operands(parser)
        position = parser.pos
        properties, attributes = cls._split(parser, parser.parse_optional_attr_dict())
        parser.parse_punctuation(":")
        function_type = parser.parse_optional_function_type()
        if function_type is None:
            only = parser.parse_type()
            inputs, outputs = [only] * len(operands), [only]
        else:
            inputs, outputs = function_type.inputs.data, function_type.outputs.data
        values = parser.resolve_operands(operands, inputs, position)
        return cls.create(operands=values, result_types=outputs, properties=properties, attributes=attributes)

    @classmethod
    def _split(
        cls, parser: Parser, attributes: Mapping[str, Attribute]
    ) -> tuple[dict[str, Attribute], dict[str, Attribute]]:
        """The attributes of the row in their stored form, and the others."""
        specs = {spec.name: spec for spec in cls.ROW.attributes}
        properties: dict[str, Attribute] = {}
        for name, attribute in attributes.items():
            if name in specs:
                try:
                    properties[name] = specs[name].kind.encode(specs[name].kind.decode(attribute))
                except VerifyException as error:
                    parser.raise_error(f"attribute '{name}' {error}")
        for spec in cls.ROW.attributes:
            if spec.default is REQUIRED and spec.name not in properties:
                parser.raise_error(f"'{cls.name}' needs the attribute '{spec.name}'")
        return properties, {name: attribute for name, attribute in attributes.items() if name not in specs}

    def print(self, printer: Printer) -> None:
        if self.operands:
            printer.print_string(" ")
            printer.print_list(self.operands, printer.print_ssa_value)
        self._print_attributes(printer)
        printer.print_string(" : ")
        if len(self.results) == 1 and len(self.operands) <= 1 and self.operand_types in ((), self.result_types):
            printer.print_attribute(self.results[0].type)
        else:
            printer.print_function_type(self.operand_types, self.result_types)

    def _print_attributes(self, printer: Printer) -> None:
        defaults = _encoded_defaults(self.row)
        shown = [(name, a) for name, a in self.properties.items() if defaults.get(name) != a]
        shown.extend(self.attributes.items())
        if not shown:
            return
        order = {spec.name: i for i, spec in enumerate(self.row.attributes)}
        shown.sort(key=lambda item: order.get(item[0], len(order)))
        printer.print_string(" {")
        for i, (name, attribute) in enumerate(shown):
            printer.print_string(f"{', ' if i else ''}")
            printer.print_identifier_or_string_literal(name)
            printer.print_string(" = ")
            print_value(printer, attribute)
        printer.print_string("}")


def _check_operand_count(row: Row, count: int) -> None:
    least, most = row.operand_limits
    if not least <= count <= most:
        bounds = f"{least}" if least == most else f"{least} or more" if most >= 1 << 30 else f"{least} to {most}"
        raise VerifyException(f"'{row.op_name}' takes {bounds} operands ({', '.join(row.operands)}), got {count}")


def _is_partial_sum(row: Row, inferred: Shaped, declared: Shaped) -> bool:
    """f32 sums of 16-bit products, added up by a collective before they are rounded."""
    wider = is_float(inferred.dtype) and str(declared.dtype) == "f32" and str(inferred.dtype) in ("bf16", "f16")
    return Trait.PARTIAL in row.traits and wider and inferred.shape == declared.shape


def _parse_operands(parser: Parser) -> list[Any]:
    first = parser.parse_optional_unresolved_operand()
    operands = [] if first is None else [first]
    while operands and parser.parse_optional_punctuation(","):
        operands.append(parser.parse_unresolved_operand())
    return operands


@cache
def _encoded_defaults_by_name(name: str) -> dict[str, Attribute]:
    specs = OPERATORS[name].attributes
    return {s.name: s.kind.encode(s.default) for s in specs if s.default is not REQUIRED and s.default is not None}


def _encoded_defaults(row: Row) -> dict[str, Attribute]:
    return _encoded_defaults_by_name(row.name)


def _docstring(row: Row) -> str:
    """The row's sentence and its sample as an example."""
    operands = [shaped(text) for text in row.sample]
    results = row.rule(operands, row.defaults(row.settings))
    names = ", ".join(f"%{i}" for i in range(len(operands)))
    settings = ", ".join(f"{key} = {_python_text(value)}" for key, value in row.settings.items())
    types = f"({', '.join(map(str, operands))}) -> {_group([str(result) for result in results])}"
    if len(results) == 1 and operands in ([], results):
        types = str(results[0])
    parts = [row.op_name, names, f"{{{settings}}}" if settings else "", ":", types]
    return f"{row.doc}\n\nExample:\n\n```mlir\n%r{_count(results)} = {' '.join(p for p in parts if p)}\n```\n"


def _count(results: Sequence[Shaped]) -> str:
    return f":{len(results)}" if len(results) > 1 else ""


def _group(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _python_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        numbers: tuple[int, ...] = value
        return str(list(numbers))
    if isinstance(value, float):
        return float_text(value)
    return f'"{value}"' if isinstance(value, str) else str(value)


def _define(row: Row) -> type[SambaOp]:
    """The op class of a row: `linear` gives LinearOp, `scaled_dot_product_attention` ScaledDotProductAttentionOp."""
    fields: dict[str, Any] = {
        "name": row.op_name,
        "ROW": row,
        "__annotations__": {"ROW": ClassVar[Row]},
        "__doc__": _docstring(row),
        "__module__": __name__,
    }
    defaults = _encoded_defaults(row)
    for spec in row.attributes:
        if spec.default is None:
            fields[f"{spec.name}_"] = opt_prop_def(AnyAttr(), prop_name=spec.name)
        else:
            fields[f"{spec.name}_"] = prop_def(AnyAttr(), prop_name=spec.name, default_value=defaults.get(spec.name))
    class_name = "".join(part.capitalize() for part in row.name.split("_")) + "Op"
    return irdl_op_definition(type(class_name, (SambaOp,), fields))


OPERATIONS: dict[str, type[SambaOp]] = {name: _define(row) for name, row in OPERATORS.items()}
"""Op classes by ATen name."""


def build(
    name: str,
    operands: Sequence[SSAValue],
    attributes: Mapping[str, Any] | None = None,
    location: LocationAttr | None = None,
    *,
    dtype: Attribute | None = None,
) -> SambaOp:
    """A samba op with inferred result types: `build("softmax", [x], {"dim": -1}, loc)`.

    `attributes` are Python values by the row's names; those left out take their defaults. `dtype` asks for f32 partial
    sums of a linear or matmul. Raises InputError, with the location, if the operator is unknown or operands do not fit.
    """
    row = OPERATORS.get(name)
    values = {key: value for key, value in (attributes or {}).items() if value is not None}
    try:
        if row is None:
            raise VerifyException("is not in the operator table")
        encoded, inferred = _inferred(row, [shaped_of(value) for value in operands], values)
    except VerifyException as error:
        raise InputError(str(error), op=f"samba.{name}", location=_place(location)) from None
    results = [value if dtype is None else Shaped(value.shape, dtype) for value in inferred]
    if any(have != want and not _is_partial_sum(row, want, have) for want, have in zip(inferred, results, strict=True)):
        raise InputError(f"gives {inferred[0]}, not {dtype}", op=f"samba.{name}", location=_place(location))
    return OPERATIONS[name].create(
        operands=operands,
        result_types=[tensor_type(value) for value in results],
        properties=dict(encoded),
        location=location,
    )


Inferred = tuple[dict[str, Attribute], Sequence[Shaped]]

_INFERRED: dict[object, Inferred] = {}
"""What `_inferred` found: the layers of a model ask the same of it again and again. Emptied when it is full."""
_MOST_INFERRED = 4096


def _inferred(row: Row, operands: Sequence[Shaped], attributes: Mapping[str, Any]) -> Inferred:
    """The attributes of a new op as IR, and the shapes of its results; VerifyException if they do not fit."""
    _check_attributes(row, attributes)
    key = (row.name, tuple(operands), tuple((name, exact_key(value)) for name, value in attributes.items()))
    if (known := _INFERRED.get(key)) is not None:
        return known
    _check_operand_count(row, len(operands))
    encoded = {spec.name: spec.kind.encode(attributes[spec.name]) for spec in row.attributes if spec.name in attributes}
    values = {spec.name: spec.kind.decode(encoded[spec.name]) for spec in row.attributes if spec.name in attributes}
    if len(_INFERRED) == _MOST_INFERRED:
        _INFERRED.clear()
    entry = _INFERRED[key] = (encoded, row.rule(operands, row.defaults(values)))
    return entry


def infer_results(row: Row, operands: Sequence[Shaped], attributes: Mapping[str, Any]) -> Sequence[Shaped]:
    """The results that `build` would give an operator; raises VerifyException if the operands do not fit."""
    return _inferred(row, operands, {key: value for key, value in attributes.items() if value is not None})[1]


def exact_key(value: Any) -> object:
    """A key that tells apart what Python calls equal: 1, 1.0 and True, 0.0 and -0.0."""
    if isinstance(value, list | tuple):
        return tuple(exact_key(part) for part in cast(Sequence[Any], value))
    return type(value), value.hex() if isinstance(value, float) else value


def _place(location: LocationAttr | None) -> Location | None:
    return None if location is None else location_from_attr(location)


def _check_attributes(row: Row, attributes: Mapping[str, Any]) -> None:
    names = [spec.name for spec in row.attributes]
    for name in attributes:
        if name not in names:
            raise VerifyException(f"has no attribute '{name}' (it has: {', '.join(names) or 'none'})")
    for spec in row.attributes:
        if spec.name not in attributes:
            if spec.default is REQUIRED:
                raise VerifyException(f"needs the attribute '{spec.name}'")
        elif not spec.kind.accepts(attributes[spec.name]):
            raise VerifyException(f"attribute '{spec.name}' is of kind {spec.kind.name}, got {attributes[spec.name]!r}")


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """A small constant tensor; weights are never constants.

    Example:

    ```mlir
    %c = samba.constant dense<[1, 2]> : tensor<2xi64>
    ```
    """

    name = "samba.constant"

    value = prop_def(DenseIntOrFPElementsAttr)
    """The elements."""
    result = result_def(TensorType)
    """Of the type of the elements."""
    traits = traits_def(Pure(), ConstantLike())

    @classmethod
    def parse(cls, parser: Parser) -> ConstantOp:
        attributes = parser.parse_optional_attr_dict()
        position = parser.pos
        value = parser.parse_attribute()
        if not isinstance(value, DenseIntOrFPElementsAttr):
            parser.raise_error(f"a constant holds dense elements, not {value}", position)
        return ConstantOp.create(result_types=[value.type], properties={"value": value}, attributes=attributes)

    def print(self, printer: Printer) -> None:
        printer.print_op_attributes(self.attributes)
        printer.print_string(" ")
        printer.print_attribute(self.value)

    def elements(self) -> Sequence[int] | Sequence[float]:
        """The elements in row-major order."""
        values: Any = self.value.get_values()
        return values

    @staticmethod
    def from_values(
        values: Sequence[int] | Sequence[float], shaped: Shaped, location: LocationAttr | None = None
    ) -> ConstantOp:
        """A constant from its elements in row-major order; one element fills the tensor."""
        kind = tensor_type(shaped)
        value: Attribute = DenseIntOrFPElementsAttr.from_list(kind, values)  # pyright: ignore[reportArgumentType, reportCallIssue]
        return ConstantOp.create(result_types=[kind], properties={"value": value}, location=location)

    def verify_(self) -> None:
        if self.value.type != self.result.type:
            raise VerifyException(f"'samba.constant' holds {self.value.type}, its result is {self.result.type}")


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Ends a samba.module with its results.

    Example:

    ```mlir
    samba.yield %r : tensor<2x3xf32>
    ```
    """

    name = "samba.yield"

    values = var_operand_def()
    """The module's results."""
    assembly_format = "attr-dict ($values^ `:` type($values))?"
    traits = traits_def(IsTerminator(), Pure())

    def __init__(self, values: Sequence[SSAValue] = ()) -> None:
        super().__init__(operands=[list(values)])


@irdl_op_definition
class ModuleOp(IRDLOperation):
    """A fused group of operators: what a fusion rule or an annotation made, isolated from above.

    `rule` names the rule that matched, `heuristic` the heuristic that the group got (absent until samba-heuristics).

    Example:

    ```mlir
    %y = samba.module "gemm_relu"(%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) heuristic = "SAFE_GEMM"
        -> (tensor<2x3xf32>) {
      %0 = samba.linear %a, %b : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
      %1 = samba.relu %0 : tensor<2x3xf32>
      samba.yield %1 : tensor<2x3xf32>
    }
    ```
    """

    name = "samba.module"

    rule = prop_def(StringAttr)
    """Which fusion rule made it."""
    heuristic = opt_prop_def(StringAttr)
    """Which heuristic it got; absent before samba-heuristics."""
    inputs = var_operand_def(TensorType)
    """What the operators inside read."""
    outputs = var_result_def(TensorType)
    """What others read of them."""
    body = region_def("single_block")
    """One argument per input; the operators; `samba.yield`."""
    traits = traits_def(IsolatedFromAbove(), SingleBlockImplicitTerminator(YieldOp), Pure())

    def __init__(
        self, rule: str, inputs: Sequence[SSAValue], result_types: Sequence[Attribute], body: Region,
        heuristic: str | None = None,
    ) -> None:  # fmt: skip
        properties = {"rule": StringAttr(rule), "heuristic": None if heuristic is None else StringAttr(heuristic)}
        super().__init__(
            operands=[list(inputs)], result_types=[list(result_types)], properties=properties, regions=[body]
        )

    def verify_(self) -> None:
        block = self.body.block
        if tuple(block.arg_types) != tuple(self.operand_types):
            raise VerifyException("'samba.module' region arguments must have the operands' types")
        last = block.last_op
        if not isinstance(last, YieldOp) or tuple(last.operand_types) != tuple(self.result_types):
            raise VerifyException("'samba.module' must yield values of its result types")

    @classmethod
    def parse(cls, parser: Parser) -> ModuleOp:
        rule = parser.parse_str_literal()

        def binding() -> tuple[Parser.Argument, SSAValue]:
            name = parser.parse_argument(expect_type=False)
            parser.parse_punctuation("=")
            operand = parser.parse_unresolved_operand()
            parser.parse_punctuation(":")
            kind = parser.parse_type()
            return name.resolve(kind), parser.resolve_operand(operand, kind)

        bindings = parser.parse_comma_separated_list(parser.Delimiter.PAREN, binding)
        heuristic = None
        if parser.parse_optional_keyword("heuristic"):
            parser.parse_punctuation("=")
            heuristic = parser.parse_str_literal()
        attributes = parser.parse_optional_attr_dict_with_keyword()
        parser.parse_punctuation("->")
        types = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
        body = parser.parse_region([argument for argument, _ in bindings])
        op = ModuleOp(rule, [value for _, value in bindings], types, body, heuristic)
        op.attributes = {} if attributes is None else dict(attributes.data)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.rule.data)
        printer.print_string("(")
        for i, (argument, operand) in enumerate(zip(self.body.block.args, self.operands, strict=True)):
            printer.print_string(", " if i else "")
            printer.print_ssa_value(argument)
            printer.print_string(" = ")
            printer.print_ssa_value(operand)
            printer.print_string(" : ")
            printer.print_attribute(argument.type)
        printer.print_string(")")
        if self.heuristic is not None:
            printer.print_string(" heuristic = ")
            printer.print_string_literal(self.heuristic.data)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" -> (")
        printer.print_list(self.result_types, printer.print_attribute)
        printer.print_string(") ")
        printer.print_region(self.body, print_entry_block_args=False, print_block_terminators=True)


ALL_OPERATIONS: list[type[Operation]] = [*OPERATIONS.values(), ConstantOp, ModuleOp, YieldOp]
