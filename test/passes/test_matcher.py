"""passes/matcher.py on small graphs: what a pattern matches, and the order in which it is found."""

import pytest
from xdsl.ir import Block, Operation

from sambaflow.passes.base import SambaContext, functions_of
from sambaflow.passes.fusion_rules import parse_rules
from sambaflow.passes.matcher import Graph, Search
from sambaflow.passes.parsing import parse_module
from sambaflow.passes.samba_fuse import is_transparent, operator_name

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
    graph = Graph(block, operator_name, is_transparent)
    number = {op: i for i, op in enumerate(block.ops)}
    (rule,) = parse_rules(f"rule: {{pattern: {{{pattern}}}}}", "f")
    return [
        {name: number[op] for name, op in binding.items()}
        for variant in rule.pattern.variants
        for anchor in graph.candidates(variant.anchor)
        for binding in Search(graph, variant, anchor, lambda op: None)
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
    found = matches("a: {op_type: exp, child: b}, b: {op_type: tanh}", block)
    assert found == [{"a": 0, "b": 1}, {"a": 0, "b": 4}, {"a": 2, "b": 3}]


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
    graph = Graph(block, operator_name, is_transparent)

    def owner(op: Operation) -> str | None:
        return "other" if op.name == "samba.add" else None

    (variant,) = rule.pattern.variants
    search = Search(graph, variant, next(iter(block.ops)), owner)
    assert list(search) == []
    assert search.refusal.reason == reason
