"""A module as a graph for Graphviz: one cluster per function or section, one node per op, one edge per use."""

from __future__ import annotations

import json
from collections.abc import Iterator

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Block, Operation, SSAValue

from sambaflow.dialects import rdu


def dot_of(module: ModuleOp) -> str:
    """The DOT text. Sections show their units with counts, edges of streams the tile and how often it is handed
    over."""
    lines = ["digraph module {", "  rankdir = LR;", '  node [shape = box, fontname = "monospace"];']
    for number, (name, block) in enumerate(_clusters(module)):
        lines.append(f"  subgraph cluster_{number} {{")
        lines.append(f"    label = {json.dumps(name)};")
        lines += [f"    {line}" for line in _graph(block, f"n{number}_")]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _clusters(module: ModuleOp) -> Iterator[tuple[str, Block]]:
    frames = [op.body.block.ops if isinstance(op, rdu.ProgramOp) else [op] for op in module.ops]
    for op in (op for ops in frames for op in ops):
        for region in op.regions:
            name = op.get_attr_or_prop("sym_name")
            title = f"{op.name} @{name.data}" if isinstance(name, StringAttr) else op.name
            if region.first_block is not None:
                yield title, region.first_block


def _graph(block: Block, prefix: str) -> Iterator[str]:
    nodes: dict[SSAValue, str] = {}
    for i, argument in enumerate(block.args):
        nodes[argument] = f"{prefix}a{i}"
        yield f"{nodes[argument]} [shape = ellipse, label = {json.dumps(argument.name_hint or f'arg{i}')}];"
    for i, op in enumerate(block.ops):
        node = f"{prefix}{i}"
        yield f"{node} [label = {json.dumps(_label(op))}];"
        for operand in op.operands:
            if operand in nodes:
                yield f"{nodes[operand]} -> {node} [label = {json.dumps(_edge(operand))}];"
        nodes |= dict.fromkeys(op.results, node)


def _label(op: Operation) -> str:
    if isinstance(op, rdu.UnitOp):
        label = f" {op.label.data}" if op.label is not None else ""
        return f"{op.KIND}{label}\n{op.units} {op.RESOURCE.upper()}"
    return op.name


def _edge(value: SSAValue) -> str:
    if isinstance(value.type, rdu.StreamType):
        return f"{value.type.tile} x {value.type.count.data}"
    return str(value.type)
