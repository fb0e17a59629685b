"""Rewrite rules in YAML, written as fusion rules are: for rewrites that need no Python.

    silu:                                                  # x * sigmoid(x)
      source:
        product: {op_type: mul, operands: [$x, gate], any_order: true}
        gate: {op_type: sigmoid, operands: [$x]}
      target:
        new: {op_type: silu, operands: [$x]}

    subtract:                                              # x + alpha * -y
      priority: 5
      source:
        sum: {op_type: add, operands: [$x, negated], if other: null}
        negated: {op_type: neg, operands: [$y]}
      target:
        new: {op_type: sub, operands: [$x, $y], set alpha: $sum.alpha}

The first node of the source is the root, which is replaced. Its nodes have `op_type` (a name or a list of
alternatives), `operands`, `any_order: true`, `required: false`, `match_first_option`, and conditions, `if dim: -1`.
`$x` is any value, the same wherever it stands, `$rest*` all operands that follow, `_` anything, `inner#1` a node's
second result. Those of the target have `op_type`, `operands`, `set NAME: value` (`$node.NAME`: as the matched op has
it), and `like: node`, the matched op whose settings and discardable attributes it takes. `results` says what takes the
place of the root's results; if it is left out, the last op of the target. Of the rules that fit an op the one of the
largest `priority` is applied, then the one that stands first. What it all means: `passes/rewriting/rules.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambaflow.dialects.samba import OPERATORS, Attr
from sambaflow.dialects.samba.table import DTYPES
from sambaflow.errors import did_you_mean
from sambaflow.passes.rewriting.matcher import GraphPattern, Node
from sambaflow.passes.rewriting.rules import Build, Match, RewriteRule, condition, setting_of
from sambaflow.passes.rewriting.yaml_reader import YamlReader, read_text

if TYPE_CHECKING:
    from yaml import Node as YamlNode

_RULE_KEYS = ("priority", "source", "target", "results")
_SOURCE_KEYS = ("op_type", "operands", "any_order", "required", "match_first_option", "if ")
_TARGET_KEYS = ("op_type", "operands", "like", "set ")


def load_rewrite_rules(name: str) -> tuple[RewriteRule, ...]:
    """The rules of a file, in its order. Raises InputError with the place of what is wrong."""
    return parse_rewrite_rules(read_text(Path(name), "rewrite rules"), name)


@lru_cache(maxsize=16)
def parse_rewrite_rules(text: str, file: str) -> tuple[RewriteRule, ...]:
    """The rules that YAML `text` holds, in its order; `file` names it in errors."""
    reader = _Reader(file)
    return tuple(reader.rule(name, node) for name, node in reader.entries(text, "a rule file").items())


class _Reader(YamlReader):
    def rule(self, name: str, node: YamlNode) -> RewriteRule:
        entries = self.mapping(node, f"rule '{name}'", _RULE_KEYS)
        if "source" not in entries:
            raise self.error(f"rule '{name}' has no source", node)
        matched = self.mapping(entries["source"], "a source")
        source = GraphPattern({key: self.source(key, value) for key, value in matched.items()}, self.place(node))
        built = self.mapping(entries["target"], "a target") if "target" in entries else {}
        target = tuple(self.target(key, value, source) for key, value in built.items())
        if not source.nodes or not (target or "results" in entries):
            raise self.error(f"rule '{name}' needs a node in its source, and a target or results", node)
        results = self.names(entries["results"]) if "results" in entries else (target[-1].name,)
        priority = self.integer(entries["priority"]) if "priority" in entries else 0
        return RewriteRule(name, source, target, results, benefit=priority)

    def source(self, name: str, node: YamlNode) -> Node:
        entries = self.mapping(node, f"node '{name}'", _SOURCE_KEYS)
        conditions = self.prefixed(entries, "if ")
        op_types = self.names(entries["op_type"]) if "op_type" in entries else ()
        flags = {key: self.flag(entries[key]) for key in ("any_order", "required") if key in entries}
        return Node(
            name,
            op_types,
            required=flags.get("required", True),
            options=self.names(entries["match_first_option"]) if "match_first_option" in entries else (),
            operands=self.operands(entries),
            any_order=flags.get("any_order", False),
            where=condition({key: self.setting_value(key, value, op_types) for key, value in conditions.items()}),
        )

    def target(self, name: str, node: YamlNode, source: GraphPattern) -> Build:
        entries = self.mapping(node, f"node '{name}'", _TARGET_KEYS)
        settings = self.prefixed(entries, "set ")
        op_types = self.names(entries["op_type"]) if "op_type" in entries else ()
        if len(op_types) != 1:
            raise self.error(f"node '{name}' needs one op_type", node)
        values = {key: self.target_value(key, value, op_types, source) for key, value in settings.items()}
        like = self.names(entries["like"]) if "like" in entries else (None,)
        return Build(name, op_types[0], self.operands(entries) or (), values, like[0])

    def operands(self, entries: Mapping[str, YamlNode]) -> tuple[str, ...] | None:
        """The operands that are named; none at all where the key is absent or its list empty."""
        if "operands" not in entries:
            return None
        return () if self.value(entries["operands"]) == [] else self.names(entries["operands"])

    def target_value(self, name: str, node: YamlNode, op_types: Sequence[str], source: GraphPattern) -> Any:
        """A setting of a new op: a value, or a function of the match for `$node.setting`."""
        value = self.value(node)
        if not isinstance(value, str) or not value.startswith("$"):
            return self.setting_value(name, node, op_types)
        of, _, setting = value[1:].partition(".")
        if of not in source.nodes or setting not in _specs(source.nodes[of].op_types):
            raise self.error(f"'{value}' is not a setting of a node of the source", node)

        def matched(match: Match) -> Any:
            return setting_of(match.ops[of], setting)

        return matched

    def setting_value(self, name: str, node: YamlNode, op_types: Sequence[str]) -> Any:
        """A value as operators of `op_types` have it in this setting; None for null."""
        specs = _specs(op_types)
        if name not in specs:
            near = did_you_mean(name, list(specs))
            raise self.error(f"{' and '.join(op_types)} have no attribute '{name}'{near}", node)
        value, kind = self.value(node), specs[name].kind.name
        read = None if value is None else _READ[kind](value)
        if read is None and value is not None:
            raise self.error(f"attribute '{name}' takes {_MEANT[kind]}", node)
        return read


def _specs(op_types: Sequence[str]) -> dict[str, Attr]:
    """The attributes of some operators by name."""
    rows = [OPERATORS[op_type] for op_type in op_types if op_type in OPERATORS]
    return {attribute.name: attribute for row in rows for attribute in row.attributes}


def _one_of(*types: type) -> Callable[[Any], Any]:
    return lambda value: value if type(value) in types else None


def _integers(value: Any) -> tuple[int, ...] | None:
    return tuple(value) if isinstance(value, list) and all(type(element) is int for element in value) else None


_READ: Mapping[str, Callable[[Any], Any]] = {
    "int": _one_of(int),
    "float": _one_of(int, float),
    "bool": _one_of(bool),
    "str": _one_of(str),
    "ints": _integers,
    "dtype": lambda value: DTYPES.get(value) if isinstance(value, str) else None,
    "scalar": _one_of(bool, int, float),
}
"""A value of YAML as an attribute of each kind; None when it is none."""

_MEANT = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "str": "a name",
    "ints": "a list of integers",
    "dtype": f"an element type ({', '.join(DTYPES)})",
    "scalar": "a number or a flag",
}
