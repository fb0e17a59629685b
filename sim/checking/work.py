"""How much work a run of a graph is, counted before it starts: points of loops and elements of tensors, never time."""

from __future__ import annotations

import math
from collections.abc import Mapping

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Block, Operation

from sambaflow.dialects import kernel, rdu, samba
from sambaflow.dialects.kernel.analysis import nested_stages
from sambaflow.sim.reference.semantics import CallableGraph


def work_of(module: ModuleOp, graph: CallableGraph) -> int:
    """Points that a run of `graph` visits, over all chips: of iteration domains, of products, else of elements."""
    if isinstance(graph.op, rdu.ScheduleOp):
        program = graph.op.parent_op()
        sections = {op.sym_name.data: op for op in program.sections} if isinstance(program, rdu.ProgramOp) else {}
        points = {name: sum(math.prod(unit.extents) for unit in section.units) for name, section in sections.items()}
        return graph.chips * sum(points[launch.section_name] * rounds for launch, rounds in graph.op.launches)
    functions = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
    return graph.chips * _block_work(graph.op.body.block, functions, {})


def _block_work(block: Block, functions: Mapping[str, FuncOp], known: dict[str, int]) -> int:
    return sum(_op_work(op, functions, known) for op in block.ops)


def _op_work(op: Operation, functions: Mapping[str, FuncOp], known: dict[str, int]) -> int:
    match op:
        case CallOp():
            name = op.callee.string_value()
            if name not in known:
                known[name] = _block_work(functions[name].body.block, functions, known) if name in functions else 0
            return known[name]
        case kernel.Stage():
            return math.prod(op.extents) * max(1, sum(_op_work(inner, functions, known) for inner in nested_stages(op)))
        case samba.ModuleOp() | kernel.SectionOp() | kernel.GroupOp():
            return _block_work(op.body.block, functions, known)
        case samba.SambaOp():
            return max(_elements(op), _product(op))
        case _:
            return _elements(op)


def _elements(op: Operation) -> int:
    types = [value.type for value in (*op.operands, *op.results)]
    return sum(math.prod(type_.get_shape()) for type_ in types if isinstance(type_, TensorType))


def _product(op: samba.SambaOp) -> int:
    """Multiplications of a product: elements of the result times the contracted extent."""
    shapes = [samba.shaped_of(value).shape for value in op.operands]
    out = math.prod(samba.shaped_of(op.results[0]).shape) if op.results else 0
    match op.row.name:
        case "linear" | "matmul" | "mm" | "bmm":
            return out * (shapes[0][-1] if shapes[0] else 1)
        case "addmm" | "baddbmm":
            return out * shapes[1][-1]
        case "conv1d" | "conv2d":
            return out * math.prod(shapes[1][1:])
        case "scaled_dot_product_attention":
            return out * shapes[1][-2] * 2
        case _:
            return 0
