"""passes/rewriting/matcher.py on small graphs: what a pattern matches, and the order in which it is found."""

import pytest
from xdsl.ir import Block, Operation

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError
from sambaflow.passes.framework.base import functions_of
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.fusion.rules import parse_rules
from sambaflow.passes.rewriting.matcher import GraphPattern, Node, OpGraph, Search, operator_name
from sambaflow.passes.samba_fuse import is_transparent

T = "tensor<4x4xf32>"


def block_of(*ops: str) -> Block:
    """A function of one argument %x; each op as `name operands...`, its result %0, %1, ..."""
    lines: list[str] = []
    for i, op in enumerate(ops):
        name, *operands = op.split()
        attributes = {"transpose": " {dim0 = 0, dim1 = 1}"}.get(name, "")
        kinds = ", ".join(T for _ in operands)
        lines.append(f"%v{i} = samba.{name} {', '.join('%' + o for o in operands)}{attributes} : ({kinds}) -> {T}")
    text = f"func.func @f(%x: {T}) {{\n" + "\n".join(lines) + "\nreturn\n}"
    (function,) = functions_of(parse_module(text, "f.mlir", SambaContext()))
    return function.body.block


def matches(pattern: str, block: Block) -> list[dict[str, int]]:
    """All matches: node name to the op's number, over all variants in order."""
    (rule,) = parse_rules(f"rule: {{pattern: {{{pattern}}}}}", "f")
    return found(rule.pattern, block)


def found(pattern: GraphPattern, block: Block) -> list[dict[str, int]]:
    """The same, for a pattern that is data."""
    graph = OpGraph(block, operator_name, is_transparent)
    number = {op: i for i, op in enumerate(block.ops)}
    return [
        {name: number[op] for name, op in binding.items()}
        for variant in pattern.variants
        for anchor in graph.candidates(variant.anchor)
        if graph.fits(variant.anchor, anchor)
        for binding in Search(graph, variant, anchor)
    ]


def test_an_edge_sees_through_casts_and_views():
    block = block_of("exp x", "transpose v0", "contiguous v1", "tanh v2")
    assert matches("a: {op_type: exp, child: b}, b: {op_type: tanh}", block) == [{"a": 0, "b": 3}]


def test_an_edge_does_not_see_through_arithmetic():
    block = block_of("exp x", "neg v0", "tanh v1")
    assert matches("a: {op_type: exp, child: b}, b: {op_type: tanh}", block) == []


def test_a_view_can_be_a_node():
    block = block_of("exp x", "transpose v0", "tanh v1")
    assert matches("a: {op_type: exp, child: b}, b: {op_type: transpose}", block) == [{"a": 0, "b": 1}]


def test_all_children_must_be_there_and_be_different_ops():
    pattern = "a: {op_type: exp, children: [b, c]}, b: {op_type: tanh}, c: {op_type: [tanh, neg]}"
    assert matches(pattern, block_of("exp x", "tanh v0")) == []
    assert matches(pattern, block_of("exp x", "tanh v0", "neg v0")) == [{"a": 0, "b": 1, "c": 2}]


def test_other_users_do_not_matter():
    block = block_of("exp x", "tanh v0", "neg v0", "add v0 v2")
    assert matches("a: {op_type: exp, child: b}, b: {op_type: tanh}", block) == [{"a": 0, "b": 1}]


def test_a_node_with_two_parents_uses_both():
    pattern = "a: {op_type: exp, child: c}, b: {op_type: tanh, child: c}, c: {op_type: add}"
    assert matches(pattern, block_of("exp x", "tanh x", "add v0 x", "add v1 v0")) == [{"a": 0, "b": 1, "c": 3}]


def test_an_optional_node_is_taken_if_there_and_bridged_if_not():
    pattern = "a: {op_type: exp, child: b}, b: {op_type: neg, child: c, required: false}, c: {op_type: tanh}"
    assert matches(pattern, block_of("exp x", "neg v0", "tanh v1")) == [{"a": 0, "b": 1, "c": 2}]
    assert matches(pattern, block_of("exp x", "tanh v0")) == [{"a": 0, "c": 1}]


def test_options_are_tried_in_order_and_lead_on_to_the_children():
    pattern = """a: {op_type: exp, child: act}, act: {match_first_option: [two, one], child: end},
        two: {op_type: neg, child: then}, then: {op_type: relu}, one: {op_type: [neg, abs]}, end: {op_type: tanh}"""
    assert matches(pattern, block_of("exp x", "abs v0", "tanh v1")) == [{"a": 0, "one": 1, "end": 2}]
    both = block_of("exp x", "neg v0", "relu v1", "tanh v2", "tanh v1")
    assert matches(pattern, both) == [{"a": 0, "two": 1, "then": 2, "end": 3}, {"a": 0, "one": 1, "end": 4}]


def test_matches_come_in_the_order_of_the_program():
    block = block_of("exp x", "tanh v0", "exp x", "tanh v2", "tanh v0")
    bindings = matches("a: {op_type: exp, child: b}, b: {op_type: tanh}", block)
    assert bindings == [{"a": 0, "b": 1}, {"a": 0, "b": 4}, {"a": 2, "b": 3}]


@pytest.mark.parametrize(
    ("ops", "reason"),
    [
        (("exp x", "relu x"), "no user of 'a' is a tanh ('b')"),
        (("exp x", "tanh v0"), "no user of 'b' is a add ('c')"),
        (("exp x", "tanh v0", "add v1 x"), "the add for 'c' already belongs to 'other'"),
    ],
)
def test_a_refusal_says_what_is_missing(ops: tuple[str, ...], reason: str):
    (rule,) = parse_rules(
        "r: {pattern: {a: {op_type: exp, child: b}, b: {op_type: tanh, child: c}, c: {op_type: add}}}", "f"
    )
    block = block_of(*ops)
    graph = OpGraph(block, operator_name, is_transparent)

    def owner(op: Operation) -> str | None:
        return "other" if op.name == "samba.add" else None

    (variant,) = rule.pattern.variants
    search = Search(graph, variant, next(iter(block.ops)), owner)
    assert list(search) == []
    assert search.refusal.reason == reason


# ---- operands in their places


def pattern(*nodes: Node) -> GraphPattern:
    return GraphPattern({node.name: node for node in nodes})


DIFFERENCE = pattern(Node("a", ("exp",)), Node("b", ("tanh",)), Node("c", ("sub",), operands=("a", "b")))


def test_operands_stand_in_their_places():
    assert found(DIFFERENCE, block_of("exp x", "tanh x", "sub v0 v1")) == [{"a": 0, "b": 1, "c": 2}]
    assert found(DIFFERENCE, block_of("exp x", "tanh x", "sub v1 v0")) == []


def test_operands_are_seen_through_casts_and_views():
    assert found(DIFFERENCE, block_of("exp x", "tanh x", "transpose v0", "contiguous v2", "sub v3 v1")) == [
        {"a": 0, "b": 1, "c": 4}
    ]
    assert found(DIFFERENCE, block_of("exp x", "tanh x", "neg v0", "sub v2 v1")) == []


def test_edges_with_and_without_places_can_be_mixed():
    mixed = pattern(Node("a", ("exp",), ("c",)), Node("b", ("tanh",)), Node("c", ("sub",), operands=("b", "_")))
    assert found(mixed, block_of("exp x", "tanh x", "sub v1 v0")) == [{"a": 0, "b": 1, "c": 2}]
    assert found(mixed, block_of("exp x", "tanh x", "sub v0 v1")) == []
    assert found(mixed, block_of("exp x", "tanh x", "sub v1 x")) == []


def test_a_value_of_one_name_is_one_value():
    same = pattern(Node("a", ("exp",), operands=("$x",)), Node("b", ("sub",), operands=("a", "$x")))
    assert found(same, block_of("exp x", "sub v0 x")) == [{"a": 0, "b": 1}]
    assert found(same, block_of("exp x", "tanh x", "sub v0 v1")) == []


def test_as_many_operands_as_are_named():
    assert found(pattern(Node("a", ("cat",), operands=("$x",))), block_of("exp x", "sub v0 x")) == []
    two = pattern(Node("a", ("sub",), operands=("$x",)))
    assert found(two, block_of("exp x", "sub v0 x")) == []
    rest = pattern(Node("a", ("sub",), operands=("$x", "$rest*")))
    assert found(rest, block_of("exp x", "sub v0 x")) == [{"a": 1}]


def test_an_optional_node_is_bridged_in_its_place():
    bridged = pattern(
        Node("c", ("sub",), operands=("$y", "b")),
        Node("b", ("tanh",), required=False, operands=("a",)),
        Node("a", ("exp",), operands=("$x",)),
    )
    assert found(bridged, block_of("exp x", "tanh v0", "sub x v1")) == [{"c": 2, "b": 1, "a": 0}]
    assert found(bridged, block_of("exp x", "sub x v0")) == [{"c": 1, "a": 0}]
    assert found(bridged, block_of("exp x", "sub v0 x")) == []


def test_an_option_stands_in_the_place_of_its_node():
    chosen = pattern(
        Node("c", ("sub",), operands=("act", "$x")),
        Node("act", options=("one", "two"), operands=("$x",)),
        Node("one", ("tanh",), operands=("$x",)),
        Node("two", ("exp",), operands=("$x",)),
    )
    assert found(chosen, block_of("exp x", "sub v0 x")) == [{"c": 1, "two": 0}]
    assert found(chosen, block_of("tanh x", "sub v0 x")) == [{"c": 1, "one": 0}]
    assert found(chosen, block_of("exp x", "sub x v0")) == []


def test_a_condition_holds_for_the_op():
    once = Node("a", ("exp",), ("b",), where=lambda op: op.results[0].has_one_use())
    joined = pattern(once, Node("b", ("tanh",)))
    assert found(joined, block_of("exp x", "tanh v0")) == [{"a": 0, "b": 1}]
    assert found(joined, block_of("exp x", "tanh v0", "neg v0")) == []


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Node("a", ("exp",), operands=("b",)), "'b': neither a node nor a value"),
        (Node("a", ("cat",), operands=("$x*", "$y")), "only the last operand"),
        (Node("a", ("cat",), operands=("$y", "$x*"), any_order=True), "only the last operand"),
        (Node("a", ("exp",), operands=("a",)), "its own descendant"),
    ],
)
def test_wrong_operands_are_refused(node: Node, message: str):
    with pytest.raises(InputError, match=message):
        _ = pattern(node).variants
