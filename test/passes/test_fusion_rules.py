"""The YAML form of fusion rules: what it takes, and what it refuses with a place."""

from pathlib import Path

import pytest

from sambaflow.errors import InputError
from sambaflow.passes.fusion.rules import load_rules, parse_rules

PUBLISHED = Path(__file__).parent / "fixtures" / "llama2_self_attn_proj.yaml"


def test_the_published_example_parses_as_it_stands():
    (rule,) = load_rules(str(PUBLISHED))
    assert (rule.name, rule.priority, rule.heuristic) == ("llama2_self_attn_proj", 4, "SAFE_GEMM")
    assert list(rule.pattern.nodes) == [
        "linear_48", "add_49", "rms_pow_50", "rms_mean_51", "rms_add_52", "rms_rsqr_53", "rms_mul_54", "rms_mul_56",
    ]  # fmt: skip
    assert rule.pattern.nodes["linear_48"].settings == {"m_shard_degree": 4, "k_shard_degree": 2}
    assert rule.pattern.nodes["add_49"].children == ("rms_pow_50", "rms_mul_54")


def test_larger_priorities_come_first_then_the_order_of_the_file():
    text = "\n".join(
        f"{name}: {{priority: {p}, pattern: {{x: {{op_type: relu}}}}}}" for name, p in [("a", 0), ("b", 5), ("c", 5)]
    )
    assert [rule.name for rule in parse_rules(text, "f")] == ["b", "c", "a"]


def test_a_heuristic_is_a_name_or_a_mapping_with_parameters():
    text = "a: {heuristic: {name: SAFE_GEMM, tp_dim: Auto}, pattern: {x: {op_type: relu}}}"
    (rule,) = parse_rules(text, "f")
    assert (rule.heuristic, rule.parameters) == ("SAFE_GEMM", {"tp_dim": "Auto"})


def test_the_rules_that_ship_have_the_names_and_priorities_of_sambaflow():
    shipped = {rule.name: (rule.priority, rule.heuristic) for rule in load_rules()}
    assert {name: shipped[name] for name in PUBLIC} == PUBLIC


PUBLIC = {
    "base_gemm": (0, "SAFE_GEMM"),
    "llama2_rotary_embedding": (1, None),
    "llama2_self_attn": (3, "MHA"),
    "llama2_self_attn_proj": (4, "SAFE_GEMM"),
    "llama2_qkv": (5, "SAFE_GEMM"),
    "llama2_self_attn_with_3d_attention": (6, "MHA"),
    "llama2_ffn": (7, "SAFE_GEMM"),
    "sdpa": (99, "SDPA"),
    "sdpa_3d_attn_mask": (100, "SDPA"),
}
"""From SambaFlow's public material; heuristics of base_gemm, llama2_ffn and sdpa are ours."""

REFUSED = [
    ("a: {pattern: {x: {op_type: add, child: y}}}", "f:1:4", "node 'x' names 'y', which is not a node"),
    ("a:\n  patern: {}", "f:2:3", "unknown key 'patern'; did you mean 'pattern'?"),
    ("a: {pattern: {x: {op_typ: add}}}", "f:1:19", "unknown key 'op_typ'; did you mean 'op_type'?"),
    ("a: {set x: 1, pattern: {}}", "f:1:5", "rule 'a' has an unknown key 'set x'"),
    ("a: [", "f:2:1", "not YAML"),
    ("a: \x01", "f", "not YAML: control characters are not allowed"),
    ("a: {priority: 1}", "f:1:4", "rule 'a' has no pattern"),
    ("a: {pattern: {x: {op_type: add}, y: {op_type: mul}}}", "f:1:4", "'y' is not connected to 'x'"),
    ("a: {pattern: {x: {op_type: add, child: y}, y: {op_type: mul, child: x}}}", "f:1:4", "its own descendant"),
    ("a: {pattern: {x: {child: x}}}", "f:1:4", "either op_type or match_first_option"),
    ("a: {pattern: {x: {op_type: add, included: false}}}", "f:1:4", "the pattern includes no op"),
    ("[1, 2]", "f:1:1", "a rule file must be a mapping"),
    ("a: {pattern: {x: {op_type: add}}}\na: {}", "f:2:1", "'a' is given twice"),
    ("a: {priority: high, pattern: {x: {op_type: add}}}", "f:1:15", "expected an integer"),
    ("a: {pattern: {x: {op_type: add, required: maybe}}}", "f:1:43", "expected true or false"),
    ("a: {pattern: {x: {op_type: [1]}}}", "f:1:28", "expected a name or a list of names"),
    ("a: {pattern: {x: {op_type: add, set m: [4]}}}", "f:1:40", "expected a number, a flag or a name"),
    ("a: {heuristic: {tp_dim: n}, pattern: {x: {op_type: add}}}", "f:1:16", "a heuristic needs a name"),
    ("a: {pattern: {x: {op_type: !!python/name:os.system }}}", "f:1:28", "tags are not read here"),
    ("a: {priority: .inf, pattern: {x: {op_type: add}}}", "f:1:15", ".inf is no finite number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "message"), REFUSED)
def test_what_is_wrong_is_said_with_its_place(text: str, place: str, message: str):
    with pytest.raises(InputError) as caught:
        parse_rules(text, "f")
    assert message in caught.value.message
    assert str(caught.value.location) == place


def test_a_pattern_may_not_have_more_optional_nodes_than_can_be_tried():
    nodes = [f"n{i}: {{op_type: relu, required: false, child: n{i + 1}}}" for i in range(11)]
    with pytest.raises(InputError, match="more than 10 optional nodes"):
        parse_rules(f"a: {{pattern: {{{', '.join(nodes)}, n11: {{op_type: relu}}}}}}", "f")
