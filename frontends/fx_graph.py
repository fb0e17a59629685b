"""An FX graph read as a functional program: aliases and in-place operators resolved, nested graphs inlined.

`GraphReader.read` walks a graph in order and calls `emit` once per operator, with pure values only. What it resolves:

* an in-place operator is its functional form, written back through the views between its operand and the storage:

      %row = select(%cache, 0, 3); add_(%row, %x)
      // is read as
      %sum = add(select(%cache, 0, 3), %x); %cache' = select_scatter(%cache, %sum, 0, 3)

* an operator on constants only is computed here, by PyTorch, once (`arange`, masks);
* `wrap_with_set_grad_enabled` and disabled autocast regions are inlined;
* operators that change no value (`dropout` in inference, `contiguous`, `detach`, asserts) disappear.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import fx
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils import _pytree as pytree

from sambaflow.errors import InputError, Location
from sambaflow.frontends.aliases import PLAIN_VIEWS, RESHAPES, STRIDED, FxTensor, Memory, may_share
from sambaflow.frontends.calls import (
    Call,
    Value,
    aten,
    by_position,
    constant,
    leaves_of,
    map_only,
    raised_by_torch,
    refuse_layout,
    result_shells,
    run_on_meta,
    shell,
    signature,
)
from sambaflow.frontends.decompositions import DecompositionTracer, attribute, is_deterministic
from sambaflow.frontends.in_place import (
    carry_out,
    changes_view,
    each,
    refuse,
    seen_anew,
    updates_statistics,
    with_written_statistics,
)
from sambaflow.frontends.masks import masked_put, with_known_masks
from sambaflow.frontends.refusals import Refusal, refusal_of

Convert: TypeAlias = Callable[[Call], Any]
Emit: TypeAlias = Callable[[Call, Any], list[Value]]
Expand: TypeAlias = Callable[[Call, Callable[..., Any]], "list[Value] | None"]


_SAME_VALUE = frozenset(
    f"aten.{name}"
    for name in (
        "alias", "detach", "detach_", "contiguous", "clone", "lift_fresh_copy", "lift_fresh", "lift", "positive",
        "_to_copy", "to.dtype", "to.device", "to.dtype_layout", "to.other", "to.prim_Device", "type_as", "dropout",
        "alpha_dropout", "feature_dropout", "dropout_", "requires_grad_", "resolve_conj", "resolve_neg",
    )
)  # fmt: skip
"""Operators that pass their first operand on when dtype and shape stay (and, for dropout, outside training)."""

_SHAPE_ONLY = frozenset(
    f"aten.{name}" for name in ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
)
"""Operators that read the shape and dtype of their tensor, never its elements."""

_DROPPED = frozenset(
    {
        "aten._assert_tensor_metadata",
        "aten._assert_async.msg",
        "aten._assert_scalar",
        "aten.sym_constrain_range_for_size",
    }
)


@dataclass(frozen=True)
class Assignment:
    """`self.buffer = new`: the buffer is another tensor from then on, and views of the old one stay what they are."""

    buffer: FxTensor
    new: FxTensor
    location: Location


def _assigns(node: fx.Node) -> bool:
    """Whether a node stands for an assignment. torch.export notes one as a copy into the buffer, behind all else; a
    copy that the model makes itself is named after the method, `copy_`."""
    return node.target is aten.copy_.default and not node.users and node.name.startswith("copy__default")


class GraphReader:
    """Reads FX graphs into calls of `emit`; one instance per exported program.

    `convert(call)` says what `emit` will make of a call, or None; `expand(call, apply)` gives its results in terms of
    other operators, or None; what neither takes is decomposed by PyTorch. `unsupported` collects the calls that are
    left, `assigned` what the model assigns to its buffers.
    """

    def __init__(
        self, convert: Convert, emit: Emit, locate: Callable[[fx.Node], Location], expand: Expand | None = None
    ) -> None:
        self.convert, self.emit, self.locate, self.expand = convert, emit, locate, expand
        self.unsupported: list[Refusal] = []
        self.memory = Memory(self._pure)
        self.value = self.memory.read
        self.assigned: list[Assignment] = []
        self._tracks = False
        self._fixed: list[FxTensor] = []
        self._environments: list[dict[fx.Node, Any]] = []
        self._tracer = DecompositionTracer()
        self._open: list[Any] = []  # the overloads that are being expanded or decomposed, outermost first

    def read(self, graph_module: fx.GraphModule, inputs: Sequence[Any]) -> Any:
        """The results of the graph on `inputs` (Tensors and plain Python values), in the structure it returns."""
        self._tracks = any(_sees_memory(m) for m in graph_module.modules() if isinstance(m, fx.GraphModule))
        self._fixed = leaves_of(FxTensor, list(inputs))
        return self._read(graph_module, inputs)

    def _read(self, graph_module: fx.GraphModule, inputs: Sequence[Any]) -> Any:
        env: dict[fx.Node, Any] = {}
        self._environments.append(env)
        waiting = iter(inputs)
        for node in graph_module.graph.nodes:
            if node.op == "placeholder":
                env[node] = next(waiting)
            elif node.op == "get_attr":
                env[node] = _attribute(graph_module, node)
            elif node.op == "call_function":
                env[node] = self._call(node, env)
            elif node.op == "output":
                self._environments.pop()
                return map_only(fx.Node, env.__getitem__, node.args[0])
            else:
                raise InputError(f"an exported graph holds no {node.op} nodes", op=str(node.target))
        raise InputError("the exported graph has no output")

    def _call(self, node: fx.Node, env: dict[fx.Node, Any]) -> Any:
        target: Any = node.target
        args, kwargs = map_only(fx.Node, env.__getitem__, (node.args, node.kwargs))
        if target is operator.getitem:
            return args[0][args[1]]
        location = self.locate(node)
        if _assigns(node):
            self.assigned.append(Assignment(args[0], args[1], location))
            return None
        if isinstance(target, HigherOrderOperator):
            return self._higher_order(target, args, location)
        if not isinstance(target, OpOverload) or target.name().startswith("aten::sym_"):
            return self._number(target, args, location)
        name = signature(target).name
        if name in _DROPPED:
            return None
        if name in ("aten.item", "aten._local_scalar_dense"):
            return self._item(args[0], location)
        args, kwargs = by_position(target, args, kwargs)
        call = Call(target, args, kwargs, location, node)
        refuse(call)
        _refuse_layout(node, location)
        return self._operator(call) if signature(target).gives_tensors else self._plain_result(call)

    def _operator(self, call: Call) -> Any:
        """What an operator on tensors returns; in-place ones have written by then."""
        parts = each(call)
        if parts is not None:
            return [self._operator(part) for part in parts]
        if updates_statistics(call):
            results = self._in_place(with_written_statistics(call))
            return results[0] if signature(call.target).gives_one else results
        if changes_view(call.target):
            return self._seen_anew(call)
        return self._in_place(call) if signature(call.target).is_mutable else self._functional(call)

    def _functional(self, call: Call) -> Any:
        """The tensors of an operator that changes nothing in place; views remember what they look at."""
        tensors = leaves_of(FxTensor, (call.args, call.kwargs))
        if call.name in STRIDED and not self.unsupported:
            return self._strided(call, tensors[0])
        args, kwargs = map_only(FxTensor, self.value, (call.args, call.kwargs))
        pure = Call(call.target, args, kwargs, call.location, call.node)
        results = self._pure(pure)
        if self._tracks and tensors and not self.unsupported:
            tracked = self.memory.alias(call, pure, results, self._geometries(call, results))
        else:
            tracked = [FxTensor(value) for value in results]
        return _in_structure(call, tracked)

    def _geometries(self, call: Call, results: list[Value]) -> list[torch.Tensor]:
        """The results of a call as PyTorch lays them out; aliases of operands share their storage."""
        if may_share(call.target) and not (call.name == "aten.lift_fresh" and results[0].constant is not None):
            args, kwargs = map_only(FxTensor, lambda tensor: tensor.geometry, (call.args, call.kwargs))
            try:
                return run_on_meta(call.target, args, kwargs)
            except Exception as error:  # PyTorch raises what it likes
                if signature(call.target).gives_view:
                    raise InputError(
                        f"cannot tell what memory the result shares: {error}", op=call.name, location=call.location
                    ) from error
        noted = leaves_of(torch.Tensor, call.node.meta.get("val")) if call.node is not None else []
        if len(noted) != len(results) or any(tuple(n.shape) != r.shape for n, r in zip(noted, results, strict=True)):
            return [shell(result) for result in results]
        return [torch.empty_strided(n.shape, n.stride(), dtype=n.dtype, device="meta") for n in noted]

    def _strided(self, call: Call, source: FxTensor) -> FxTensor:
        """`as_strided`, which sees the storage and not the tensor."""
        args = map_only(FxTensor, lambda tensor: tensor.geometry, call.args)
        (geometry,) = run_on_meta(call.target, args, call.kwargs)
        view = FxTensor(Value(tuple(geometry.shape), geometry.dtype), source.storage, geometry, source)
        view.value = self.memory.at_places(view, call.location)
        return view

    def _seen_anew(self, call: Call) -> FxTensor:
        """`x.t_()`: every name of x means the new view from here on."""
        old: FxTensor = call.args[0]
        new = seen_anew(call)
        if new is old:
            return old
        if any(old is held for held in self._fixed):
            raise InputError(
                "changes the shape of an input, parameter or buffer in place", op=call.name, location=call.location,
                levers=["use the operator that returns a new view"],
            )  # fmt: skip
        for env in self._environments:
            for node, held in env.items():
                env[node] = map_only(FxTensor, lambda tensor: new if tensor is old else tensor, held)
        return new

    def _pure(self, call: Call) -> list[Value]:
        """The results of an operator on values: passed on, computed here, emitted, or decomposed, in this order."""
        values = call.values()
        if call.name in _SHAPE_ONLY:
            return _compute(call)
        if _passes_on(call):
            return [values[0]]
        if all(value.constant is not None for value in values) and is_deterministic(call.target):
            return _compute(call)
        call = with_known_masks(call)
        selected = masked_put(call, self._pure)
        if selected is not None:
            return selected
        if empty := _without_elements(call):
            return empty
        converted = self.convert(call)
        if converted is None:
            return self.memory.gather(call) if call.name in PLAIN_VIEWS else self._decompose(call)
        return self.emit(call, converted) if all(value.known for value in values) else self._unknown(call)

    def _decompose(self, call: Call) -> list[Value]:
        """The call in terms of other operators: of its expansion, else of PyTorch's decomposition, else recorded as
        unsupported. One that leads back to itself has none."""
        if call.target not in self._open:
            self._open.append(call.target)
            try:
                expanded = self.expand(call, partial(self._apply, call.location)) if self.expand else None
                if expanded is not None:
                    return expanded
                graph_module = self._tracer.trace(call)
                if graph_module is not None:
                    return self._inline(graph_module, call.values(), call.location)
            finally:
                self._open.pop()
        self.unsupported.append(refusal_of(call))
        return self._unknown(call)

    def _apply(self, location: Location | None, target: OpOverload[..., Any], *args: Any, **kwargs: Any) -> Any:
        """An operator of an expansion: its result, or all of them when it has several."""
        results = self._pure(Call(target, args, kwargs, location))
        return results[0] if signature(target).gives_one else results

    def _inline(self, graph_module: fx.GraphModule, values: list[Value], location: Location | None) -> list[Value]:
        locate, self.locate = self.locate, lambda node: location or Location("")
        tracks, self._tracks = self._tracks, _sees_memory(graph_module)
        try:
            results = pytree.tree_leaves(self._read(graph_module, [FxTensor(value) for value in values]))
            return [
                self.value(result) if isinstance(result, FxTensor) else Value((), torch.float32) for result in results
            ]
        finally:
            self.locate, self._tracks = locate, tracks

    def _unknown(self, call: Call) -> list[Value]:
        return [Value(tuple(result.shape), result.dtype) for result in result_shells(call)]

    def _in_place(self, call: Call) -> Any:
        """`add_(x, y)`: the functional operator, then its result written back to x."""
        returned = carry_out(call, self.memory, writes=not self.unsupported)
        if returned is None:
            args, kwargs = map_only(FxTensor, self.value, (call.args, call.kwargs))
            pure = Call(call.target, args, kwargs, call.location)
            self.unsupported.append(refusal_of(pure))
            unknown = [FxTensor(value) for value in self._unknown(pure)]
            return unknown[0] if signature(call.target).gives_one else unknown
        return returned

    def _plain_result(self, call: Call) -> Any:
        """A number that PyTorch knows from shapes and dtypes (`numel`, `dim`)."""
        args, kwargs = map_only(FxTensor, lambda tensor: shell(self.value(tensor)), (call.args, call.kwargs))
        try:
            return call.target(*args, **kwargs)
        except Exception as error:
            raise _data_dependent(f"{call.name} gives a Python number", call.location, _AS_TENSOR) from error

    def _number(self, target: Any, args: tuple[Any, ...], location: Location | None) -> Any:
        """A Python number that the graph computes; unknown (None) once an unsupported operator has been found."""
        if all(isinstance(arg, int | float | bool) for arg in args) and callable(target):
            try:
                return _of_64_bits(target, args)
            except ArithmeticError as error:
                raise InputError(f"raised {type(error).__name__}: {error}", location=location) from error
        if target is aten.sym_size.int and isinstance(size := args[0].value.shape[args[1]], int):
            return size
        if self.unsupported:
            return None
        name = getattr(target, "__name__", target)
        raise _data_dependent(
            f"{name} computes with numbers that tensors or symbolic shapes give", location, _AS_TENSOR
        )

    def _item(self, tensor: FxTensor, location: Location | None) -> Any:
        constant = self.value(tensor).constant
        if constant is None or constant.numel() != 1 or constant.is_meta:
            raise _data_dependent("a tensor's value is read as a Python number", location, _AS_TENSOR)
        return constant.item()

    def _higher_order(self, target: HigherOrderOperator, args: tuple[Any, ...], location: Location | None) -> Any:
        name = target.name()
        if name == "wrap_with_set_grad_enabled":
            return self._read(args[1], args[2:])
        if name == "wrap_with_autocast" and args[2] is False:
            return self._read(args[4], args[5:])
        if name in ("cond", "while_loop", "map_impl", "scan"):
            raise _data_dependent(
                f"torch.{name} chooses what runs by a tensor's value", location, _BRANCH, "control flow"
            )
        raise InputError(f"the region operator {name} is not supported", op=name, location=location)


_BRANCH = "compute both sides and select with torch.where, or keep the choice outside the model"
_AS_TENSOR = (
    "keep it a tensor: one without dimensions computes as a number does (no .item(), .tolist(), int(), float())"
)


def _data_dependent(what: str, location: Location | None, lever: str, kind: str = "number") -> InputError:
    return InputError(f"data-dependent {kind}: {what}", location=location, levers=[lever])


def _of_64_bits(target: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """What a function on numbers gives. OverflowError for an integer that PyTorch has no place for: a graph of a few
    bytes could ask for one that fills the memory."""
    grows = target in (operator.pow, operator.lshift)
    result = None if grows and abs(args[1]) > _LARGEST_EXPONENT else target(*args)
    if result is None or (isinstance(result, int) and result.bit_length() > 64):
        raise OverflowError(f"the result of {target.__name__} has more than 64 bits")
    return result


_LARGEST_EXPONENT = 1 << 10


def reads_by_strides(graph_module: fx.GraphModule) -> bool:
    """Whether a graph holds an operator that reads the memory of a tensor by strides and offset."""
    targets = (node.target for node in graph_module.graph.nodes if node.op == "call_function")
    return any(isinstance(target, OpOverload) and signature(target).name in STRIDED for target in targets)


def _sees_memory(graph_module: fx.GraphModule) -> bool:
    """Whether a graph holds an operator that tells memory from values: one that writes, or reads by strides."""
    for node in graph_module.graph.nodes:
        if node.op == "call_function" and isinstance(node.target, OpOverload):
            call = Call(node.target, node.args, node.kwargs, None)
            writes = signature(call.target).is_mutable and call.name != "aten.detach_"
            if writes or call.name in STRIDED or updates_statistics(call):
                return True
    return False


def _attribute(graph_module: fx.GraphModule, node: fx.Node) -> Any:
    member = attribute(graph_module, node)
    return FxTensor(constant(member)) if isinstance(member, torch.Tensor) else member


def _in_structure(call: Call, tensors: list[FxTensor]) -> Any:
    """The results of a call as PyTorch nests them (`histogramdd` returns a tensor and a list of tensors)."""
    if signature(call.target).gives_one:
        return tensors[0]
    noted = call.node.meta.get("val") if call.node is not None else None
    if len(leaves_of(torch.Tensor, noted)) != len(tensors):
        return tensors
    following = iter(tensors)
    return map_only(torch.Tensor, lambda shell: next(following), noted)


def _refuse_layout(node: fx.Node, location: Location) -> None:
    """InputError for sparse and nested tensors, which have no strides."""
    for noted in leaves_of(torch.Tensor, node.meta.get("val")):
        refuse_layout(noted, f"the result of {node.target}", location)


def _passes_on(call: Call) -> bool:
    """Whether the call returns its first operand unchanged."""
    name = call.name
    if name not in _SAME_VALUE and name not in RESHAPES and name != "aten.expand":
        return False
    source = call.args[0]
    if name.endswith(("dropout", "dropout_")):
        return not call.arguments()["train"] or call.arguments()["p"] == 0
    result = result_shells(call)[0]
    return tuple(result.shape) == source.shape and result.dtype == source.dtype


def _compute(call: Call) -> list[Value]:
    """The call carried out by PyTorch on the host."""
    kwargs = {name: value for name, value in call.kwargs.items() if name not in ("device", "pin_memory")}
    args, kwargs = map_only(Value, _host_tensor, (call.args, kwargs))
    if call.name == "aten.to.device":
        args = (args[0], torch.device("cpu"), *args[2:])
    try:
        with torch.no_grad():
            results = call.target(*args, **kwargs)
    except Exception as error:  # PyTorch raises what it likes
        raise raised_by_torch(call, error) from error
    tensors = leaves_of(torch.Tensor, results)
    if signature(call.target).base in _UNSET:
        tensors = [torch.zeros_like(tensor) for tensor in tensors]
    return [constant(tensor) for tensor in tensors]


_UNSET = frozenset({"empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided"})
"""Operators whose results have no values yet: zeros, so that one model is one IR."""


def _host_tensor(value: Value) -> torch.Tensor:
    return torch.empty((), dtype=value.dtype).expand(value.shape) if value.constant is None else value.constant


def _without_elements(call: Call) -> list[Value]:
    """Results of which none has elements: they are known, and no operator stands for them."""
    noted = call.node.meta.get("val") if call.node is not None else None
    if noted is None and not any(map(_is_empty, call.values())):
        return []
    results = result_shells(call)
    known = all(map(_is_empty, results))
    return [constant(torch.empty(tuple(shell.shape), dtype=shell.dtype)) for shell in results] if known else []


def _is_empty(tensor: Value | torch.Tensor) -> bool:
    return any(type(size) is int and size == 0 for size in tensor.shape)
