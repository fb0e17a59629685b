"""Functions that call the next one twice, and functions nested deeply, take no time: they are counted and refused."""

from __future__ import annotations

import pytest

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import CapacityError, InputError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.sim.checking.index_limits import index_limits
from sambaflow.sim.reference.semantics import graphs_of

T = "tensor<4xf32>"


def nested(depth: int, twice: bool, body: str = f"samba.relu %x : {T}", tensor: str = T) -> str:
    """`@main` calls @f0, each @f(i) calls @f(i + 1), once or twice; the last is `body` of %x."""
    functions = [f"func.func private @f{depth}(%x : {tensor}) -> {tensor} {{ %0 = {body} func.return %0 : {tensor} }}"]
    for i in range(depth):
        call = f"func.call @f{i + 1}"
        first = f"%0 = {call}(%x) : ({tensor}) -> {tensor} "
        second = f"%1 = {call}(%0) : ({tensor}) -> {tensor} " if twice else ""
        visibility, name = ("private", f"f{i}") if i else ("public", "main")
        functions.append(
            f"func.func {visibility} @{name}(%x : {tensor}) -> {tensor} "
            f"{{ {first}{second}func.return %{int(twice)} : {tensor} }}"
        )
    return "\n".join(functions)


def lower(text: str, pipeline: str = "o1") -> None:
    context = SambaContext()
    run_pipeline(parse_module(text, "f.mlir", context), pipeline, context)


@pytest.mark.parametrize("pipeline", ["o1", "o1{chips=2}"])
def test_launches_that_nothing_holds_are_counted_and_refused(pipeline: str):
    with pytest.raises(CapacityError) as caught:
        lower(nested(40, twice=True), pipeline)
    assert caught.value.demand == f"{2**40} launches"
    assert "main" in str(caught.value) or caught.value.op == "func.func"


def test_calls_that_are_nested_too_deeply_are_refused():
    """Depth, not number: each of 500 functions calls the next one once."""
    with pytest.raises(InputError, match="calls a function that nests calls deeper"):
        lower(nested(500, twice=False), "o1{chips=2}")


def test_limits_of_indices_follow_calls_once():
    """An embedding at the bottom of 40 doubled calls: its 16 rows limit the input, found without 2^40 walks."""
    tensor = "tensor<16xi64>"
    module = parse_module(
        nested(40, True, f"samba.index_select %x, %x {{dim = 0 : i64}} : ({tensor}, {tensor}) -> {tensor}", tensor),
        "f.mlir",
        SambaContext(),
    )
    assert index_limits(module, graphs_of(module)["main"]) == [16]
