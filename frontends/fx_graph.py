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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias, TypeVar

import torch
from torch import fx
from torch._ops import HigherOrderOperator, OpOverload
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree
from xdsl.ir import SSAValue

from sambaflow.errors import InputError, Location

aten: Any = torch.ops.aten


@dataclass(frozen=True)
class Signature:
    """What the schema of an ATen overload says: argument names, defaults, and what it does to its operands.

    `gives_one`: one tensor, neither a tuple nor a list. `gives_view`: a result may share memory with the first operand.
    """

    name: str
    base: str
    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    is_mutable: bool
    gives_one: bool
    gives_view: bool


@cache
def signature(target: OpOverload[..., Any]) -> Signature:
    """The signature of an overload; reading a schema takes 20 us."""
    schema: Any = getattr(target, "_schema")  # noqa: B009, PyTorch has no public name for it
    arguments, returns = schema.arguments, schema.returns
    return Signature(
        name=str(target).removesuffix(".default"),
        base=schema.name.split("::")[1],
        names=tuple(argument.name for argument in arguments),
        defaults={argument.name: argument.default_value for argument in arguments if argument.has_default_value()},
        is_mutable=schema.is_mutable,
        gives_one=len(returns) == 1 and not isinstance(returns[0].type, torch.ListType),
        gives_view=any(result.alias_info is not None for result in returns),
    )


LeafT = TypeVar("LeafT")


def leaves_of(kind: type[LeafT], tree: Any) -> list[LeafT]:
    """The leaves of one class in tuples, lists and dicts, in order; PyTorch's pytree takes five times as long."""
    if isinstance(tree, kind):
        return [tree]
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in leaves_of(kind, branch)]
    if isinstance(tree, dict):
        return [leaf for branch in tree.values() for leaf in leaves_of(kind, branch)]
    return []


def map_only(kind: type[LeafT], function: Callable[[LeafT], Any], tree: Any) -> Any:
    """The same tree with `function` applied to the leaves of one class."""
    if isinstance(tree, kind):
        return function(tree)
    if isinstance(tree, tuple):
        return tuple([map_only(kind, function, branch) for branch in tree])
    if isinstance(tree, list):
        return [map_only(kind, function, branch) for branch in tree]
    if isinstance(tree, dict):
        return {key: map_only(kind, function, branch) for key, branch in tree.items()}
    return tree


@dataclass(eq=False)
class Value:
    """A functional tensor: a value of the IR, a constant that no op stands for yet, or unknown (after an error)."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    ssa: SSAValue | None = None
    constant: torch.Tensor | None = None

    @property
    def known(self) -> bool:
        return self.ssa is not None or self.constant is not None


@dataclass(frozen=True)
class Call:
    """One operator on values: `arguments` by the names of its ATen schema, defaults filled in."""

    target: OpOverload[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    location: Location | None
    node: fx.Node | None = None

    @property
    def name(self) -> str:
        return signature(self.target).name

    def arguments(self) -> dict[str, Any]:
        schema = signature(self.target)
        return {**schema.defaults, **dict(zip(schema.names, self.args, strict=False)), **self.kwargs}

    def values(self) -> list[Value]:
        return leaves_of(Value, (self.args, self.kwargs))


Convert: TypeAlias = Callable[[Call], Any]
Emit: TypeAlias = Callable[[Call, Any], list[Value]]


@dataclass(eq=False)
class Tensor:
    """A tensor of the FX graph: an alias of a storage, which in-place operators give new values.

    The root of a storage has no parent; a view knows the call that makes it from its parent. `version` says which
    version of the root `value` belongs to.
    """

    value: Value
    parent: Tensor | None = None
    view: Call | None = None
    version: int = 0
    root: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.root = self if self.parent is None else self.parent.root


_SAME_VALUE = frozenset(
    f"aten.{name}"
    for name in (
        "alias", "detach", "detach_", "contiguous", "clone", "lift_fresh_copy", "lift_fresh", "lift", "positive",
        "_to_copy", "to.dtype", "to.device", "to.dtype_layout", "to.other", "to.prim_Device", "type_as", "dropout",
        "alpha_dropout", "feature_dropout", "dropout_", "requires_grad_", "resolve_conj", "resolve_neg",
    )
)  # fmt: skip
"""Operators that pass their first operand on when dtype and shape stay (and, for dropout, outside training)."""

_ALIASES = frozenset({"aten.alias", "aten.detach", "aten.detach_", "aten.contiguous", "aten.lift_fresh"}) | {
    name for name in _SAME_VALUE if name.startswith("aten.to.")
}

_RESHAPES = frozenset(
    f"aten.{name}"
    for name in (
        "view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "squeeze.dim", "squeeze.dims",
        "flatten.using_ints", "unflatten.int", "view_as", "reshape_as", "ravel",
    )
)  # fmt: skip

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


def _undo(target: OpOverload[..., Any], args: tuple[Any, ...]) -> tuple[OpOverload[..., Any], tuple[Any, ...]]:
    """The same permutation backwards."""
    order = [dim % len(args[0]) for dim in args[0]]
    return target, ([order.index(i) for i in range(len(order))],)


_WRITE_BACK: Mapping[str, Callable[[Call, Value], tuple[OpOverload[..., Any], tuple[Any, ...]]]] = {
    "aten.transpose.int": lambda view, parent: (view.target, view.args[1:]),
    "aten.t": lambda view, parent: (view.target, ()),
    "aten.permute": lambda view, parent: _undo(view.target, view.args[1:]),
    "aten.slice.Tensor": lambda view, parent: (aten.slice_scatter.default, view.args[1:]),
    "aten.select.int": lambda view, parent: (aten.select_scatter.default, view.args[1:]),
    **{name: (lambda view, parent: (aten.view.default, (list(parent.shape),))) for name in _RESHAPES},
}
"""For each view the operator, and its arguments after the tensors, that puts the view's new value into its parent.
Scatters take the parent first, the others the value alone."""


class GraphReader:
    """Reads FX graphs into calls of `emit`; one instance per exported program.

    `convert(call)` says what `emit` will make of a call, or None; `unsupported` collects the calls that end there.
    """

    def __init__(self, convert: Convert, emit: Emit, locate: Callable[[fx.Node], Location]) -> None:
        self.convert, self.emit, self.locate = convert, emit, locate
        self.unsupported: list[tuple[str, Location | None]] = []
        self.mutates = False
        self._decompositions: Mapping[Any, Callable[..., Any]] = {}

    def read(self, graph_module: fx.GraphModule, inputs: Sequence[Any]) -> Any:
        """The results of the graph on `inputs` (Tensors and plain Python values), in the structure it returns."""
        self.mutates = self.mutates or any(_mutates(m) for m in graph_module.modules() if isinstance(m, fx.GraphModule))
        return self._read(graph_module, inputs)

    def value(self, tensor: Tensor) -> Value:
        """The value that `tensor` has now."""
        if tensor.version != tensor.root.version:
            assert tensor.parent is not None and tensor.view is not None
            parent = self.value(tensor.parent)
            view = tensor.view
            tensor.value = self._pure(Call(view.target, (parent, *view.args[1:]), view.kwargs, view.location))[0]
            tensor.version = tensor.root.version
        return tensor.value

    def _read(self, graph_module: fx.GraphModule, inputs: Sequence[Any]) -> Any:
        env: dict[fx.Node, Any] = {}
        waiting = iter(inputs)
        for node in graph_module.graph.nodes:
            if node.op == "placeholder":
                env[node] = next(waiting)
            elif node.op == "get_attr":
                env[node] = _attribute(graph_module, node)
            elif node.op == "call_function":
                env[node] = self._call(node, env)
            elif node.op == "output":
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
        if isinstance(target, HigherOrderOperator):
            return self._higher_order(target, args, location)
        if not isinstance(target, OpOverload) or target.name().startswith("aten::sym_"):
            return self._number(target, args, location)
        name = signature(target).name
        if name in _DROPPED:
            return None
        if name in ("aten.item", "aten._local_scalar_dense"):
            return self._item(args[0], location)
        if signature(target).is_mutable and name != "aten.detach_":
            return self._in_place(Call(target, args, kwargs, location, node))
        return self._functional(Call(target, args, kwargs, location, node))

    def _functional(self, call: Call) -> Any:
        """The tensors of an operator that changes nothing in place; views remember what they look at."""
        tensors = leaves_of(Tensor, (call.args, call.kwargs))
        args, kwargs = map_only(Tensor, self.value, (call.args, call.kwargs))
        pure = Call(call.target, args, kwargs, call.location, call.node)
        results = self._pure(pure)
        if self.mutates and tensors and _is_view(pure):
            parent = tensors[0]
            made = [
                Tensor(v, parent, part, parent.root.version)
                for v, part in zip(results, _parts(pure, results), strict=True)
            ]
        else:
            made = [Tensor(value) for value in results]
        return made[0] if signature(call.target).gives_one else made

    def _pure(self, call: Call) -> list[Value]:
        """The results of an operator on values: passed on, computed here, emitted, or decomposed, in this order."""
        values = call.values()
        if call.name in _SHAPE_ONLY:
            return _compute(call)
        if _passes_on(call):
            return [values[0]]
        if all(value.constant is not None for value in values) and _is_deterministic(call.target):
            return _compute(call)
        converted = self.convert(call)
        if converted is None:
            return self._decompose(call)
        return self.emit(call, converted) if all(value.known for value in values) else self._unknown(call)

    def _decompose(self, call: Call) -> list[Value]:
        """The call in terms of the operators of its decomposition, or recorded as unsupported if it has none."""
        self._decompositions = self._decompositions or dict(torch.export.default_decompositions().items())
        rule = self._decompositions.get(call.target)
        if rule is None and _can_decompose(call.target):
            rule = call.target.decompose
        leaves, spec = pytree.tree_flatten((call.args, call.kwargs))
        positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Value)]

        def function(*tensors: torch.Tensor) -> Any:
            filled = list(leaves)
            for position, tensor in zip(positions, tensors, strict=True):
                filled[position] = tensor
            args, kwargs = pytree.tree_unflatten(filled, spec)
            assert rule is not None
            return rule(*args, **kwargs)

        if rule is not None:
            shells = [_shell(leaves[i]) for i in positions]
            graph_module = make_fx(function)(*shells)
            if all(node.target is not call.target for node in graph_module.graph.nodes):
                return self._inline(graph_module, [leaves[i] for i in positions], call.location)
        self.unsupported.append((call.name, call.location))
        return self._unknown(call)

    def _inline(self, graph_module: fx.GraphModule, values: list[Value], location: Location | None) -> list[Value]:
        locate, self.locate = self.locate, lambda node: location or Location("")
        mutates, self.mutates = self.mutates, _mutates(graph_module)
        try:
            results = self._read(graph_module, [Tensor(value) for value in values])
            return [self.value(tensor) for tensor in pytree.tree_leaves(results)]
        finally:
            self.locate, self.mutates = locate, mutates

    def _unknown(self, call: Call) -> list[Value]:
        return [Value(tuple(result.shape), result.dtype) for result in result_shells(call)]

    def _in_place(self, call: Call) -> Any:
        """`add_(x, y)`: the functional operator, then its result written back to x."""
        written = call.args[0]
        args, kwargs = map_only(Tensor, self.value, (call.args, call.kwargs))
        functional = _functional_form(call.target)
        if not isinstance(written, Tensor) or functional is None:
            self.unsupported.append((call.name, call.location))
            return written
        old = self.value(written)
        if functional is aten.copy.default:
            new = self._copied(args[1], old, call)
        elif functional is aten.zero.default:
            new = _constant(torch.zeros(old.shape, dtype=old.dtype))
        elif functional is aten.fill.Scalar:
            new = _constant(torch.full(old.shape, args[1], dtype=old.dtype))
        else:
            new = self._pure(Call(functional, args, kwargs, call.location))[0]
        if new.dtype != old.dtype:
            new = self._pure(Call(aten.to.dtype, (new, old.dtype), {}, call.location))[0]
        self._write(written, new, call.location)
        return written

    def _copied(self, source: Value, old: Value, call: Call) -> Value:
        if source.shape == old.shape:
            return source
        return self._pure(Call(aten.expand.default, (source, list(old.shape)), {}, call.location))[0]

    def _write(self, tensor: Tensor, value: Value, location: Location | None) -> None:
        if tensor.parent is not None and tensor.view is not None:
            name = tensor.view.name
            parent = self.value(tensor.parent)
            if name in _ALIASES:
                self._write(tensor.parent, value, location)
            elif name in _WRITE_BACK:
                target, args = _WRITE_BACK[name](tensor.view, parent)
                scatter = "scatter" in target.__name__
                operands = (parent, value) if scatter else (value,)
                kwargs = tensor.view.kwargs if scatter else {}
                self._write(tensor.parent, self._pure(Call(target, (*operands, *args), kwargs, location))[0], location)
            else:
                raise InputError(f"writes through {name} are not supported", location=location)
        else:
            tensor.root.version += 1
        tensor.value, tensor.version = value, tensor.root.version

    def _number(self, target: Any, args: tuple[Any, ...], location: Location | None) -> Any:
        """A Python number that the graph computes; unknown (None) once an unsupported operator has been found."""
        if all(isinstance(arg, int | float | bool) for arg in args) and callable(target):
            return target(*args)
        if target is aten.sym_size.int and isinstance(size := args[0].value.shape[args[1]], int):
            return size
        if self.unsupported:
            return None
        name = getattr(target, "__name__", target)
        raise _data_dependent(
            f"the graph computes {name} on numbers that come from tensors or symbolic shapes", location
        )

    def _item(self, tensor: Tensor, location: Location | None) -> Any:
        constant = self.value(tensor).constant
        if constant is None:
            raise _data_dependent("a tensor's value is read as a Python number", location)
        return constant.item()

    def _higher_order(self, target: HigherOrderOperator, args: tuple[Any, ...], location: Location | None) -> Any:
        name = target.name()
        if name == "wrap_with_set_grad_enabled":
            return self._read(args[1], args[2:])
        if name == "wrap_with_autocast" and args[2] is False:
            return self._read(args[4], args[5:])
        if name in ("cond", "while_loop", "map_impl", "scan"):
            raise _data_dependent(f"torch.{name} chooses what runs by a tensor's value", location)
        raise InputError(f"the region operator {name} is not supported", op=name, location=location)


def _can_decompose(target: Any) -> bool:
    return getattr(target, "_can_decompose")()  # noqa: B009, PyTorch has no public name for it


def _data_dependent(what: str, location: Location | None) -> InputError:
    lever = "compute both sides and select with torch.where, or keep the choice outside the model"
    return InputError(f"data-dependent control flow: {what}", location=location, levers=[lever])


def _mutates(graph_module: fx.GraphModule) -> bool:
    targets = (node.target for node in graph_module.graph.nodes if node.op == "call_function")
    return any(isinstance(t, OpOverload) and signature(t).is_mutable and t is not aten.detach_.default for t in targets)


def _attribute(graph_module: fx.GraphModule, node: fx.Node) -> Any:
    found: Any = graph_module
    for part in str(node.target).split("."):
        found = getattr(found, part)
    return Tensor(_constant(found)) if isinstance(found, torch.Tensor) else found


def _constant(tensor: torch.Tensor) -> Value:
    return Value(tuple(tensor.shape), tensor.dtype, constant=tensor)


def _shell(value: Value) -> torch.Tensor:
    return torch.empty(value.shape, dtype=value.dtype, device="meta")


def result_shells(call: Call) -> list[torch.Tensor]:
    """The results of a call as tensors without data: as export noted at the node, else computed on the meta device."""
    noted = call.node.meta.get("val") if call.node is not None else None
    if noted is None:
        args, kwargs = map_only(Value, _shell, (call.args, dict(call.kwargs)))
        if "device" in kwargs:
            kwargs["device"] = "meta"
        noted = call.target(*args, **kwargs)
    return leaves_of(torch.Tensor, noted)


def _passes_on(call: Call) -> bool:
    """Whether the call returns its first operand unchanged."""
    name = call.name
    if name not in _SAME_VALUE and name not in _RESHAPES and name != "aten.expand":
        return False
    source = call.args[0]
    if name.endswith(("dropout", "dropout_")):
        return not call.arguments()["train"] or call.arguments()["p"] == 0
    result = result_shells(call)[0]
    return tuple(result.shape) == source.shape and result.dtype == source.dtype


def _is_view(call: Call) -> bool:
    """Whether the first result of the call shares memory with its first operand (exact for contiguous operands)."""
    name = call.name
    if name in _ALIASES:
        return _passes_on(call)
    return name in _RESHAPES or signature(call.target).gives_view


def _parts(view: Call, results: list[Value]) -> list[Call]:
    """The calls that make each result by itself: the pieces of a split are slices, those of unbind selections."""
    if signature(view.target).gives_one:
        return [view]
    dim = view.arguments()["dim"]
    if view.name.startswith("aten.unbind"):
        return [Call(aten.select.int, (view.args[0], dim, i), {}, view.location) for i in range(len(results))]
    parts: list[Call] = []
    start = 0
    for result in results:
        end = start + result.shape[dim]
        parts.append(Call(aten.slice.Tensor, (view.args[0], dim, start, end), {}, view.location))
        start = end
    return parts


def _is_deterministic(target: OpOverload[..., Any]) -> bool:
    return torch.Tag.nondeterministic_seeded not in target.tags


def _compute(call: Call) -> list[Value]:
    """The call carried out by PyTorch on the host."""
    kwargs = {name: value for name, value in call.kwargs.items() if name not in ("device", "pin_memory")}
    args, kwargs = map_only(Value, _host_tensor, (call.args, kwargs))
    if call.name == "aten.to.device":
        args = (args[0], torch.device("cpu"), *args[2:])
    with torch.no_grad():
        results = call.target(*args, **kwargs)
    return [_constant(leaf) for leaf in pytree.tree_leaves(results)]


def _host_tensor(value: Value) -> torch.Tensor:
    return torch.empty((), dtype=value.dtype).expand(value.shape) if value.constant is None else value.constant


def _functional_form(target: OpOverload[..., Any]) -> OpOverload[..., Any] | None:
    """`aten.add_.Tensor` -> `aten.add.Tensor`."""
    name = signature(target).base
    packet = getattr(aten, name.removesuffix("_"), None) if name.endswith("_") else None
    return getattr(packet, str(target).split(".")[-1], None) if packet is not None else None
