"""Fusion rules: YAML files in SambaFlow's form, which operators make one module.

    llama2_qkv:
      priority: 5                        # larger wins when several rules match the same op; 0 if not given
      heuristic: {name: SAFE_GEMM, tp_dim: Auto}   # or a plain string; optional
      pattern:
        ln_pow:  {op_type: pow, child: ln_mean}
        ln_mean: {op_type: mean, children: [ln_add]}
        ...

Node keys: `op_type` (a name or a list of alternatives), `child`, `children`, `required: false` (optional),
`included: false` (context that is not fused), `match_first_option: [a, b]` (alternative sub-patterns), and settings:
`set m_shard_degree: 4`. What they mean to the matcher is told in `passes/rewriting/matcher.py`; a setting becomes a
hint on its op. A file given by `rules=` stands in the place of the one that ships, `default.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sambaflow.errors import Location
from sambaflow.passes.rewriting.matcher import GraphPattern, Node
from sambaflow.passes.rewriting.yaml_reader import Setting, YamlReader, read_text

if TYPE_CHECKING:
    from yaml import Node as YamlNode

DEFAULT_RULES = "default"
"""The name of the rule file that ships: Llama, GPT-2, BERT, CNNs, MLPs."""

_RULE_KEYS = ("priority", "heuristic", "pattern")
_NODE_KEYS = ("op_type", "child", "children", "required", "included", "match_first_option", "set ")


@dataclass(frozen=True)
class Rule:
    """One fusion rule: which ops make a module, and the heuristic that it asks for."""

    name: str
    pattern: GraphPattern
    priority: int = 0
    heuristic: str | None = None
    parameters: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    """The heuristic's parameters: `{name: SAFE_GEMM, tp_dim: Auto}` has `tp_dim`."""
    location: Location | None = None


def load_rules(name: str = DEFAULT_RULES) -> tuple[Rule, ...]:
    """The rules of a file, by path or by the name of one that ships, in the order in which they are tried.

    Larger priorities first, then the order of the file. Raises InputError with the place of what is wrong.
    """
    shipped = Path(__file__).parent / f"{name}.yaml"
    path = Path(name) if name != DEFAULT_RULES and not shipped.exists() else shipped
    return parse_rules(read_text(path, "fusion rules"), shipped.name if path == shipped else name)


@lru_cache(maxsize=16)
def parse_rules(text: str, file: str) -> tuple[Rule, ...]:
    """The rules that YAML `text` holds, in the order in which they are tried; `file` names it in errors."""
    rules = _Reader(file).rules(text)
    return tuple(sorted(rules, key=lambda rule: -rule.priority))


class _Reader(YamlReader):
    def rules(self, text: str) -> list[Rule]:
        return [self.rule(name, node) for name, node in self.entries(text, "a rule file").items()]

    def rule(self, name: str, node: YamlNode) -> Rule:
        entries = self.mapping(node, f"rule '{name}'", _RULE_KEYS)
        if "pattern" not in entries:
            raise self.error(f"rule '{name}' has no pattern", node)
        nodes = self.mapping(entries["pattern"], "a pattern")
        pattern = GraphPattern({key: self.node(key, value) for key, value in nodes.items()}, self.place(node))
        assert pattern.variants, "a pattern that includes an op matches something"
        priority = self.integer(entries["priority"]) if "priority" in entries else 0
        heuristic, parameters = self.heuristic(entries["heuristic"]) if "heuristic" in entries else (None, {})
        return Rule(name, pattern, priority, heuristic, parameters, self.place(node))

    def heuristic(self, node: YamlNode) -> tuple[str, Mapping[str, Setting]]:
        value = self.value(node)
        if isinstance(value, str):
            return value, {}
        entries = self.mapping(node, "a heuristic")
        if "name" not in entries:
            raise self.error("a heuristic needs a name", node)
        parameters = {key: self.setting(entry) for key, entry in entries.items() if key != "name"}
        return str(self.value(entries["name"])), parameters

    def node(self, name: str, node: YamlNode) -> Node:
        entries = self.mapping(node, f"node '{name}'", _NODE_KEYS)
        settings = {key: self.setting(entry) for key, entry in self.prefixed(entries, "set ").items()}
        names = {key: self.names(entry) for key, entry in entries.items() if key not in ("required", "included")}
        flags = {key: self.flag(entries[key]) for key in ("required", "included") if key in entries}
        return Node(
            name,
            names.get("op_type", ()),
            tuple(dict.fromkeys((*names.get("child", ()), *names.get("children", ())))),
            required=flags.get("required", True),
            included=flags.get("included", True),
            options=names.get("match_first_option", ()),
            settings=settings,
        )
