"""kernel-fuse-stages changes no bit: random DAGs of stages, before and after, by the reference interpreter."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import Float32Type, ModuleOp, TensorType, bf16, f32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, SSAValue

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel import Body, Domain
from sambaflow.passes.framework.context import SambaContext, journal_of
from sambaflow.passes.kernel_fuse_stages import KernelFuseStagesPass
from sambaflow.sim.reference.kernel_reference import run

torch.set_num_threads(1)
Draw = st.DrawFn


@dataclass
class Graph:
    """A function under construction; every stage adds a value."""

    block: Block
    values: list[SSAValue] = field(default_factory=list[SSAValue])

    def add(self, op: kernel.Stage) -> None:
        self.block.add_op(op)
        self.values.extend(op.results)


def shape_of(value: SSAValue) -> tuple[int, ...]:
    return kernel.block_shape(value.type)


def element(value: SSAValue) -> Attribute:
    return kernel.element_type(value.type)


def unary(graph: Graph, draw: Draw, value: SSAValue) -> None:
    target = draw(st.sampled_from([bf16, f32]))
    name = draw(st.sampled_from(["exp", "tanh", "neg", "cast", "index"]))

    def body(b: Body, x: SSAValue) -> SSAValue:
        wide = b.ext(x)
        if name == "index":
            wide = b.add(wide, b.cast(b.index(0), f32))
        elif name != "cast":
            wide = getattr(b, name)(b.min(wide, b.const(3.0)))
        return b.trunc(wide, target)

    shape = shape_of(value)
    identity = [lambda *d: d] * 2
    graph.add(kernel.MapOp.make([value], Domain.of(shape), identity, [TensorType(target, shape)], body))


def binary(graph: Graph, draw: Draw, value: SSAValue) -> None:
    shape = shape_of(value)
    others = [v for v in graph.values if shape_of(v) in (shape, shape[:1], shape[1:])]
    other = draw(st.sampled_from(others))
    choices: list[kernel.MapLike] = [lambda *d: d]
    if shape_of(other) == shape and len(shape) == 2 and shape[0] == shape[1]:
        choices.append(lambda i, j: (j, i))
    elif shape_of(other) != shape:
        choices = [(lambda *d: d[:1]) if shape_of(other) == shape[:1] else (lambda *d: d[1:])]
    access = choices[draw(st.integers(0, len(choices) - 1))]
    kind = draw(st.sampled_from(["add", "mul", "max"]))

    def body(b: Body, x: SSAValue, y: SSAValue) -> SSAValue:
        return b.trunc(getattr(b, kind)(b.ext(x), b.ext(y)), element(value))

    maps: list[kernel.MapLike] = [lambda *d: d, access, lambda *d: d]
    graph.add(kernel.MapOp.make([value, other], Domain.of(shape), maps, [value.type], body))


def move(graph: Graph, draw: Draw, value: SSAValue) -> None:
    shape, zero = shape_of(value), kernel.constant(0.5, element(value))
    kind = draw(st.sampled_from(["permute", "slice", "pad", "flatten", "broadcast"]))
    pads = [None]
    if kind == "permute":
        shape, access = shape[::-1], lambda *d: d[::-1]
    elif kind == "slice" and shape[0] > 1:
        shape, access = (shape[0] - 1, *shape[1:]), lambda i, *d: (i + 1, *d)
    elif kind == "pad":
        shape, access, pads = (shape[0] + 2, *shape[1:]), lambda i, *d: (i - 1, *d), [zero]
    elif kind == "flatten" and len(shape) == 2:
        columns = shape[1]
        shape, access = (shape[0] * columns,), lambda i: (i // columns, i % columns)
    else:
        shape, access = (2, *shape[:1]), lambda i, j: (j, *([0] * (len(shape_of(value)) - 1)))
    domain = Domain.of(shape)
    maps = [access, lambda *d: d]
    graph.add(kernel.MoveOp.make([value], domain, maps, [TensorType(element(value), shape)], pads=pads))


def reduce(graph: Graph, draw: Draw, value: SSAValue) -> None:
    shape = shape_of(value)
    domain = Domain(shape, ("reduction",) + ("parallel",) * (len(shape) - 1))
    if len(shape) == 1:
        domain = Domain((1, *shape), ("parallel", "reduction"))
    finish = draw(st.booleans())

    def body(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        return b.add(acc, b.ext(x))

    def end(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
        return b.trunc(b.mul(acc, b.const(0.25)), bf16)

    inner = (lambda i, j: (j,)) if len(shape) == 1 else (lambda *d: d)
    outer = (lambda i, j: (i,)) if len(shape) == 1 else (lambda *d: d[1:])
    result_type = TensorType(bf16 if finish else f32, (1,) if len(shape) == 1 else shape[1:])
    init = [kernel.constant(0.0, f32)]
    graph.add(
        kernel.ReduceOp.make(
            [value], domain, [inner, outer], [result_type], body, inits=init, finish=end if finish else None
        )
    )


def contract(graph: Graph, draw: Draw, value: SSAValue) -> None:
    shape = shape_of(value)
    others = [v for v in graph.values if len(shape_of(v)) == 2 and shape_of(v)[1] == shape[-1]]
    if len(shape) != 2 or not others:
        return
    other = draw(st.sampled_from(others))
    rows, columns = shape[0], shape_of(other)[0]

    def body(b: Body, x: SSAValue, y: SSAValue, acc: SSAValue) -> SSAValue:
        return b.add(acc, b.mul(b.ext(x), b.ext(y)))

    maps = [lambda m, n, k: (m, k), lambda m, n, k: (n, k), lambda m, n, k: (m, n)]
    domain = Domain.of((rows, columns), reduction=(shape[1],))
    result_type = TensorType(draw(st.sampled_from([bf16, f32])), (rows, columns))
    init = [kernel.constant(0.0, f32)]
    graph.add(kernel.ContractOp.make([value, other], domain, maps, [result_type], body, inits=init))


@st.composite
def graphs(draw: Draw) -> FuncOp:
    """A function of two inputs whose results are all values that no stage reads."""
    types = [TensorType(f32, (4, 6)), TensorType(bf16, (6, 4)), TensorType(f32, (1, 4))]
    function = FuncOp("f", (types, []))
    graph = Graph(function.body.block, list(function.body.block.args))
    for _ in range(draw(st.integers(2, 9))):
        value = draw(st.sampled_from(graph.values[-3:]))
        draw(st.sampled_from([unary, unary, binary, binary, move, reduce, contract]))(graph, draw, value)
    results = [v for v in graph.values if v.first_use is None and v not in function.body.block.args]
    returned = draw(st.sampled_from(graph.values))
    graph.block.add_op(ReturnOp(*results, returned))
    function.properties["function_type"] = type(function.function_type).from_lists(
        types, [v.type for v in (*results, returned)]
    )
    return function


@settings(max_examples=150, deadline=None, print_blob=True)
@given(graphs())
def test_fusion_changes_no_bit(function: FuncOp) -> None:
    module = ModuleOp([function])
    module.verify()
    inputs = [
        torch.randn(shape_of(a), generator=torch.Generator().manual_seed(i)).to(
            torch.float32 if isinstance(element(a), Float32Type) else torch.bfloat16
        )
        for i, a in enumerate(function.body.block.args)
    ]
    before, count = run(function, inputs), stages(function)
    KernelFuseStagesPass().apply(SambaContext(), module)
    module.verify()
    after = run(function, inputs)
    assert stages(function) <= count
    for a, b in zip(before, after, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(torch.nan_to_num(a, 12345.0), torch.nan_to_num(b, 12345.0))


def stages(function: FuncOp) -> int:
    return sum(isinstance(op, kernel.Stage) for op in function.walk())


def test_every_step_is_a_remark() -> None:
    """A chain of three maps is two steps, both in the journal."""
    function = FuncOp("f", ([TensorType(f32, (4,))], [TensorType(f32, (4,))]))
    value: SSAValue = function.body.block.args[0]
    for _ in range(3):
        op = kernel.MapOp.make([value], Domain.of((4,)), [lambda i: (i,)] * 2, [value.type], lambda b, x: b.exp(x))
        function.body.block.add_op(op)
        value = op.results[0]
    function.body.block.add_op(ReturnOp(value))
    ctx = SambaContext()
    KernelFuseStagesPass().apply(ctx, ModuleOp([function]))
    assert stages(function) == 1
    assert len(journal_of(ctx).of("kernel-fuse-stages", "applied")) == 2
