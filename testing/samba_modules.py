"""Random samba modules: graphs of operators, layers that repeat, fused groups, state that is updated in place.

@given(samba_modules())
def test_my_pass_keeps_the_numbers(module):
    check_pass("my-pass", module)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp, StringAttr, bf16, f32
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from sambaflow.dialects import samba
from sambaflow.dialects.samba import Shaped, shaped_of
from sambaflow.dialects.samba.inference import broadcast, is_float
from sambaflow.testing.graphs import function, graph
from sambaflow.testing.operators import NAMES, add_operator
from sambaflow.testing.scope import Chooser, Scope

GRAPHS = ("forward", "decode")


@st.composite
def samba_modules(
    draw: st.DrawFn, least: int = 1, most: int = 8, operators: Sequence[str] = NAMES, constants: int = 12
) -> ModuleOp:
    """Verified modules at the samba level, of one or two graphs.

    A graph has `least` to `most` parts: an operator of `operators` with random operands and attributes, a layer
    (a few operators with a residual) that is called, repeated inline or made a `samba.module`, an update of state to
    which a result is tied. Tensors are small (`scope.py`); floats are f32 or bf16, the rest i64, i32 and i1.
    `constants`: how many in a hundred of the new small tensors are constants instead of arguments.
    """
    return _ModuleMaker(Chooser(draw), least, most, operators, constants).module()


@dataclass
class Layer:
    """A block from a value and its parameters to a value of the first one's type; a template for uses of it."""

    block: Block
    result: SSAValue
    scope: Scope
    function: FuncOp | None = None
    """The private function that it became, once it is called."""

    def copy(self, block: Block, operands: Sequence[SSAValue]) -> SSAValue:
        """Append a copy of its ops, on other operands; its result there."""
        values: dict[SSAValue, SSAValue] = dict(zip(self.block.args, operands, strict=True))
        for op in self.block.ops:
            block.add_op(op.clone(values))
        return values[self.result]


@dataclass
class _ModuleMaker:
    choose: Chooser
    least: int
    most: int
    operators: Sequence[str]
    constants: int
    layers: list[Layer] = field(default_factory=list[Layer])
    functions: list[Operation] = field(default_factory=list[Operation])

    def module(self) -> ModuleOp:
        dtype = self.choose.one_of((f32, bf16))
        graphs = [self.graph(name, dtype) for name in GRAPHS[: 2 if self.choose.chance(20) else 1]]
        return ModuleOp([*self.functions, *graphs])

    # -- graphs

    def graph(self, name: str, dtype: Attribute) -> FuncOp:
        scope = Scope(self.choose, Block(), dtype, constants=self.constants)
        scope.new(Shaped(scope.shape(1, 3), dtype), "input")
        ties: list[tuple[SSAValue, int]] = []
        self.choose.repeat(lambda: self.part(scope, ties), self.least, self.most)
        return graph(name, scope, ties)

    def part(self, scope: Scope, ties: list[tuple[SSAValue, int]]) -> None:
        kind = self.choose.below(12)
        if kind < 8:
            add_operator(scope, self.choose.one_of(self.operators))
        elif kind < 11:
            self.use_layer(scope)
        else:
            self.update_state(scope, ties)

    # -- state

    def update_state(self, scope: Scope, ties: list[tuple[SSAValue, int]]) -> None:
        """A state argument and its new value, which takes its place; a result will be tied to it."""
        old = scope.argument(Shaped(scope.shape(1, 3), scope.dtype), "state")
        scope.values.remove(old)
        values_before, scope.values = scope.values, [old, *scope.values]
        before = len(values_before)
        row = self.choose.one_of(("index_copy", "slice_scatter", "index_put", "select_scatter", "add", "mul"))
        shape, dtype = shaped_of(old)
        match row:
            case "index_copy":
                count = self.choose.between(1, shape[0])
                source = scope.like(Shaped((count, *shape[1:]), dtype))
                scope.build(row, [old, scope.indices((count,), shape[0]), source], dim=0)
            case "index_put":
                source = scope.like(Shaped((1, *shape[1:]), dtype))
                scope.build(row, [old, source, scope.indices((1,), shape[0])], dims=(0,), accumulate=True)
            case "slice_scatter":
                end = self.choose.between(1, shape[0])
                scope.build(row, [old, scope.like(Shaped((end, *shape[1:]), dtype))], dim=0, start=0, end=end)
            case "select_scatter":
                scope.build(row, [old, scope.like(Shaped(shape[1:], dtype))], dim=0, index=shape[0] - 1)
            case _:
                scope.build(row, [old, scope.like(Shaped(shape, dtype))])
        ties.append((scope.values[-1], old.index))  # pyright: ignore[reportAttributeAccessIssue]
        scope.values = [*values_before[:before], *(v for v in scope.values if v is not old and v not in values_before)]

    # -- layers

    def use_layer(self, scope: Scope) -> None:
        """A chain of one layer: calls of a function, copies of its ops, or a fused group."""
        value = scope.float(1, 3)
        if self.choose.chance(70) or not (layers := [m for m in self.layers if m.block.args[0].type == value.type]):
            layer = self.layer(shaped_of(value))
        else:
            layer = layers[-1]
        way = self.choose.below(3)
        for _ in range(1 if way == 2 else self.choose.between(1, 4)):
            operands = [value, *self.parameters(scope, layer)]
            if way == 0:
                value = self.called(scope, layer, operands)
            elif way == 1:
                value = layer.copy(scope.block, operands)
            else:
                value = self.grouped(scope, layer, operands)
        scope.values.append(value)

    def layer(self, shaped: Shaped) -> Layer:
        """x + f(x), or f(x) where it has the type of x."""
        scope = Scope(self.choose, Block(), shaped.dtype, named=False, constants=self.constants)
        first = scope.argument(shaped, "input")
        self.choose.repeat(lambda: add_operator(scope, self.choose.one_of(self.operators)), 1, 5)
        layer = Layer(scope.block, self.residual(scope, first), scope)
        self.layers.append(layer)
        return layer

    def residual(self, scope: Scope, first: SSAValue) -> SSAValue:
        shaped, last = shaped_of(first), scope.values[-1]
        if last.type == first.type and last is not first and self.choose.chance(50):
            return last
        shape_of_last = shaped_of(last)
        try:
            fits = broadcast(shaped.shape, shape_of_last.shape) == shaped.shape
        except Exception:
            fits = False
        if not fits:
            last = scope.build("mean" if is_float(shape_of_last.dtype) else "sum", [last], dim=None)
        last = last if shaped_of(last).dtype == shaped.dtype else scope.build("to", [last], dtype=shaped.dtype)
        return scope.build("add", [first, last])

    def parameters(self, scope: Scope, layer: Layer) -> list[SSAValue]:
        """New arguments of the graph for those of a layer, behind the first."""
        arguments: list[SSAValue] = []
        for argument, entry, label in zip(layer.block.args, layer.scope.arguments, layer.scope.labels, strict=True):
            role = entry.data.get("samba.role")
            if argument.index:
                name = role.data if isinstance(role, StringAttr) else "input"
                arguments.append(scope.argument(shaped_of(argument), name, label))
        return arguments

    def called(self, scope: Scope, layer: Layer, operands: Sequence[SSAValue]) -> SSAValue:
        if layer.function is None:
            body = Block(arg_types=[a.type for a in layer.block.args])
            result = layer.copy(body, body.args)
            inside = Scope(self.choose, body, layer.scope.dtype, arguments=layer.scope.arguments)
            name = f"block_{len(self.functions)}"
            layer.function = function(name, inside, [result], [DictionaryAttr({})], private=True)
            self.functions.append(layer.function)
        call = CallOp(layer.function.sym_name.data, operands, [layer.result.type])
        scope.block.add_op(call)
        return call.results[0]

    def grouped(self, scope: Scope, layer: Layer, operands: Sequence[SSAValue]) -> SSAValue:
        body = Block(arg_types=[a.type for a in layer.block.args])
        body.add_op(samba.YieldOp([layer.copy(body, body.args)]))
        module = samba.ModuleOp("group", operands, [layer.result.type], Region(body))
        scope.block.add_op(module)
        return module.results[0]
