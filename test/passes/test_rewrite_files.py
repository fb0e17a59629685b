"""passes/rewriting/files.py: what rule files may say, and where they are wrong; test_rewrite_rules.py: what they do."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import bf16

from sambaflow.errors import InputError
from sambaflow.passes.rewriting.files import load_rewrite_rules, parse_rewrite_rules


def test_rules_come_in_the_order_of_the_file_with_their_priorities():
    text = """
      first: {source: {a: {op_type: neg, operands: [$x]}}, results: [$x]}
      second: {priority: 3, source: {a: {op_type: neg, operands: [$x]}}, results: [$x]}
    """
    assert [(rule.name, rule.benefit) for rule in parse_rewrite_rules(text, "f")] == [("first", 0), ("second", 3)]


def test_an_empty_file_has_no_rules():
    assert parse_rewrite_rules("", "f") == ()


# YAML has numbers, names and lists; a setting takes what its attribute takes.
@pytest.mark.parametrize(
    ("op_type", "setting", "value"),
    [
        ("to", "dtype: bf16", bf16),
        ("permute", "dims: [1, 0]", (1, 0)),
        ("mul", "other: 2", 2),
        ("layer_norm", "eps: 1", 1),
        ("sum", "keepdim: true", True),
        ("div", "rounding_mode: floor", "floor"),
        ("mul", "other: null", None),
    ],
)
def test_settings_are_read_as_their_attributes_are(op_type: str, setting: str, value: object):
    node = f"{{op_type: {op_type}, operands: [$x], set {setting}}}"
    (rule,) = parse_rewrite_rules(f"r: {{source: {{a: {{op_type: neg, operands: [$x]}}}}, target: {{b: {node}}}}}", "f")
    (read,) = rule.target[0].settings.values()
    assert (type(read), read) == (type(value), value)


SOURCE = "source: {a: {op_type: softmax, operands: [$x]}}"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("target: {b: {op_type: neg}}", "1:4: rule 'r' has no source"),
        ("source: {}, results: [$x]", "1:4: rule 'r' needs a node in its source"),
        (SOURCE, "1:4: rule 'r' needs a node in its source, and a target or results"),
        (f"{SOURCE}, result: [$x]", "1:54: rule 'r' has an unknown key 'result'; did you mean 'results'?"),
        ("source: {a: {op_type: softmax, if dims: 1}}", "'dims'; did you mean 'dim'?"),
        ("source: {a: {op_type: softmax, if dim: last}}", "attribute 'dim' takes an integer"),
        ("source: {a: {op_type: to, if dtype: f17}}", "takes an element type (f64, f32, f16, bf16"),
        ("source: {a: {op_type: nge, operands: [$x]}}, results: [$x]", "'nge' is no samba operator"),
        (f"{SOURCE}, target: {{b: {{op_type: [neg, abs]}}}}", "node 'b' needs one op_type"),
        (f"{SOURCE}, target: {{b: {{op_type: neg, operands: [$z]}}}}", "'b' reads '$z', which not every match has"),
        (
            f"{SOURCE}, target: {{b: {{op_type: softmax, operands: [$x], set dim: $c.dim}}}}",
            "'$c.dim' is not a setting",
        ),
        (f"{SOURCE}, target: {{b: {{op_type: softmax, operands: [$x], set dim: $a.dims}}}}", "'$a.dims' is not a set"),
        (f"{SOURCE}, results: [a#1.5]", "'a#1.5'"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(rule: str, message: str):
    with pytest.raises(InputError) as caught:
        parse_rewrite_rules(f"r: {{{rule}}}", "f")
    assert message in str(caught.value)
    assert caught.value.location is not None and caught.value.location.file == "f"


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="cannot read rewrite rules: No such file"):
        load_rewrite_rules("missing.yaml")
