"""Builds one `func.func` of samba ops from bound operators; attributes, types and locations are made once."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache

import torch
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, LocationAttr, StringAttr, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from sambaflow.diagnostics import location_attr
from sambaflow.dialects.samba import ConstantOp, Shaped, build, shaped_of, tensor_type, unfit
from sambaflow.errors import InputError, WeightError
from sambaflow.frontends.calls import Call, Value, result_shells
from sambaflow.frontends.conversions import DTYPES, TORCH_DTYPES, Bound, bind
from sambaflow.frontends.expansions import Apply, expand

SMALL_CONSTANT = 256
"""Constants of at most this many elements are dense in the IR, larger ones are buffers among the weights."""


CONSTANT = "constant_"
"""What the names of large constants begin with; a hash of the bytes follows."""


class FunctionBuilder:
    """A function under construction.

    `constants` collects the data of large constants by name; a name is a hash of its bytes, so graphs share them.
    """

    def __init__(self) -> None:
        self.block = Block()
        self.constants: dict[str, torch.Tensor] = {}
        self._argument_attributes: list[DictionaryAttr] = []
        self._argument_index: dict[str, int] = {}
        self._results: list[SSAValue] = []
        self._result_attributes: list[DictionaryAttr] = []
        self._constant_values: dict[str, SSAValue] = {}

    def argument(self, shape: tuple[int, ...], dtype: torch.dtype, name: str, role: str) -> SSAValue:
        """A new argument with PyTorch's name and a role (`input` needs no mark).

        Raises InputError for a name that no file can hold: weights, inputs and results are stored by name.
        """
        _check_name(name, role)
        entries: dict[str, Attribute] = {} if role == "input" else {"samba.role": StringAttr(role)}
        entries["samba.name"] = StringAttr(name)
        self._argument_index[name] = len(self._argument_attributes)
        self._argument_attributes.append(DictionaryAttr(entries))
        value = self.block.insert_arg(tensor_type(Shaped(shape, element_type(dtype))), len(self.block.args))
        value.name_hint = _hint(name)
        return value

    def is_argument(self, value: Value, name: str) -> bool:
        """Whether a value is the argument of that name."""
        return value.ssa is self.block.args[self._argument_index[name]]

    def convert(self, call: Call) -> Bound | None:
        """The samba operator for a call, or None."""
        return bind(call)

    def expand(self, call: Call, apply: Apply) -> list[Value] | None:
        """The results of a call in terms of other operators, or None."""
        return expand(call, apply)

    def emit(self, call: Call, bound: Bound) -> list[Value]:
        """Append the operator; its results have the shapes that PyTorch computed."""
        location = _location(call.location) if call.location else None
        operands = [self.materialize(value, location) for value in bound.operands]
        wanted = [Shaped(_static(shell, call), element_type(shell.dtype)) for shell in result_shells(call)]
        op = build(bound.row.name, operands, bound.attributes, location)
        for result, want in zip(op.results, wanted, strict=True):
            if (have := shaped_of(result)) != want:
                raise InputError(f"gives {have} in samba, {want} in PyTorch", op=call.name, location=call.location)
        self.block.add_op(op)
        return [Value(w.shape, TORCH_DTYPES[w.dtype], ssa=r) for w, r in zip(wanted, op.results, strict=True)]

    def materialize(self, value: Value, location: LocationAttr | None) -> SSAValue:
        """The value in the IR: a constant becomes dense, a fill, or a buffer argument."""
        if value.ssa is not None:
            return value.ssa
        tensor = value.constant
        if tensor is None or tensor.is_meta:
            raise WeightError("a constant was built on the meta device, its data are not known")
        element = element_type(tensor.dtype)
        tensor = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())  # dense: strides may be 0
        raw = tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        digest = hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode() + raw).hexdigest()[:16]
        if digest not in self._constant_values:
            self._constant_values[digest] = self._constant(
                tensor, raw, f"{CONSTANT}{digest}", Shaped(tuple(tensor.shape), element), location
            )
        return self._constant_values[digest]

    def _constant(
        self, tensor: torch.Tensor, raw: bytes, name: str, shaped: Shaped, location: LocationAttr | None
    ) -> SSAValue:
        splat = tensor.numel() > 1 and raw == raw[: tensor.element_size()] * tensor.numel()
        if splat:
            attributes = {"size": shaped.shape, "fill_value": tensor.reshape(-1)[0].item(), "dtype": shaped.dtype}
            op: Operation = build("full", [], attributes, location)
        elif tensor.numel() <= SMALL_CONSTANT:
            op = ConstantOp.from_values(tensor.reshape(-1).tolist(), shaped, location)
        else:
            self.constants[name] = tensor
            return self.argument(shaped.shape, tensor.dtype, name, "buffer")
        first = self.block.first_op
        if first is None:
            self.block.add_op(op)
        else:
            self.block.insert_op_before(op, first)
        return op.results[0]

    def result(self, value: Value, name: str, tied: str | None) -> None:
        """A new result; `tied` names the argument that it is the new value of.

        Raises InputError for a name that no file can hold.
        """
        _check_name(name, "result")
        entries: dict[str, Attribute] = {"samba.name": StringAttr(name)}
        if tied is not None:
            entries["samba.tied"] = IntegerAttr(self._argument_index[tied], i64)
        self._results.append(self.materialize(value, None))
        self._result_attributes.append(DictionaryAttr(entries))

    def finish(self, name: str) -> FuncOp:
        """The public function `name`."""
        self.block.add_op(ReturnOp(*self._results))
        inputs, outputs = [a.type for a in self.block.args], [r.type for r in self._results]
        return FuncOp(
            name, (inputs, outputs), Region(self.block), visibility="public",
            arg_attrs=ArrayAttr(self._argument_attributes), res_attrs=ArrayAttr(self._result_attributes),
        )  # fmt: skip


@cache
def element_type(dtype: torch.dtype) -> Attribute:
    """The element type; raises InputError for a dtype that samba does not have."""
    if dtype not in DTYPES:
        raise InputError(f"tensors of {dtype} are not supported", levers=[f"one of {', '.join(map(str, DTYPES))}"])
    return DTYPES[dtype]


_location = cache(location_attr)


def _static(shell: torch.Tensor, call: Call) -> tuple[int, ...]:
    shape = tuple(shell.shape)
    if all(type(size) is int for size in shape):
        return shape
    raise InputError(
        f"the result's shape [{', '.join(map(str, shape))}] depends on data or is symbolic", op=call.name,
        location=call.location, levers=["export with constant shapes, one graph per shape"],
    )  # fmt: skip


def _check_name(name: str, role: str) -> None:
    is_text = not any(unicodedata.category(char) == "Cs" for char in name)
    reason = unfit(name) if is_text else "is no text: it has half a surrogate pair"
    if reason:
        raise InputError(f"the name {name!a} of the {role} {reason}", levers=["rename it"])


def _hint(name: str) -> str | None:
    hint = re.sub(r"\W", "_", name, flags=re.ASCII)
    return hint if not hint[:1].isdigit() else f"_{hint}"
