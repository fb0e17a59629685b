"""What random modules of the samba and of the kernel level share: the functions that blocks become."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import DictionaryAttr, FunctionType, IntegerAttr, StringAttr, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Region, SSAValue

from sambaflow.dialects.samba.conventions import attribute_array
from sambaflow.testing.scope import Scope

MOST_RESULTS = 4
"""Of a graph, beside its state."""


def graph(name: str, scope: Scope, ties: Sequence[tuple[SSAValue, int]] = ()) -> FuncOp:
    """A public function of updated state (values and the numbers of their arguments), then of what nothing reads."""
    tied = [value for value, _ in ties]
    sinks = [r for op in scope.block.ops if not any(r.uses for r in op.results) for r in op.results]
    results = [value for value in sinks if value not in tied][-MOST_RESULTS:]
    if not results and not tied:
        results = [scope.values[-1]]
    entries = [DictionaryAttr({**_named(f"new{number}"), "samba.tied": IntegerAttr(number, i64)}) for _, number in ties]
    entries += [DictionaryAttr(_named(f"out{i}")) for i in range(len(results))]
    return function(name, scope, [*tied, *results], entries)


def function(
    name: str,
    scope: Scope,
    results: Sequence[SSAValue],
    entries: Sequence[DictionaryAttr],
    private: bool = False,
) -> FuncOp:
    """A function of the scope's block; `entries` are the attributes of its results."""
    block = scope.block
    block.add_op(ReturnOp(*results))
    return FuncOp(
        name,
        FunctionType.from_lists([a.type for a in block.args], [v.type for v in results]),
        Region(block),
        visibility=StringAttr("private") if private else None,
        arg_attrs=attribute_array(scope.arguments),
        res_attrs=attribute_array(entries),
    )


def _named(name: str) -> dict[str, Attribute]:
    return {"samba.name": StringAttr(name)}
