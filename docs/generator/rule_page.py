"""The reference page of the fusion rules that ship, and of the heuristics that they name."""

from __future__ import annotations

import yaml

from markup import ROOT, anchor, code, docstring, heading, literal, page, source, summary, table
from sambaflow.passes.fusion import rules as fusion_rules
from sambaflow.passes.fusion.heuristics import HEURISTICS, Heuristic
from sambaflow.passes.fusion.rules import DEFAULT_RULES, Rule, load_rules

FILE = f"passes/fusion/rules/{DEFAULT_RULES}.yaml"


def rules_page() -> str:
    """`reference/fusion-rules.md`."""
    rules, texts = load_rules(), _texts((ROOT / FILE).read_text())
    heuristics = table(("heuristic", "also", "parameters", "what it does"), map(_heuristic, HEURISTICS))
    introduction = (
        f"[How to write a rule](../guides/write-a-fusion-rule.md).\n\n{docstring(fusion_rules.__doc__ or '', 'yaml')}"
    )
    return page(
        "Fusion rules",
        introduction,
        heading(2, "Heuristics"),
        heuristics,
        heading(2, "The rules that ship"),
        f"Of {source(FILE)}, in the order in which they are tried.",
        table(("rule", "priority", "heuristic", "operators"), map(_rule, rules)),
        *(part for rule in rules for part in (heading(3, rule.name), code(texts[rule.name], "yaml"))),
    )


def _heuristic(heuristic: Heuristic) -> tuple[str, ...]:
    name, *others = map(literal, heuristic.names)
    return name, ", ".join(others), ", ".join(map(literal, heuristic.parameters)), summary(heuristic.__doc__ or "")


def _rule(rule: Rule) -> tuple[str, ...]:
    operators = dict.fromkeys(name for node in rule.pattern.nodes.values() for name in node.op_types)
    link = f"[{rule.name}](#{anchor(rule.name)})"
    return link, str(rule.priority), rule.heuristic or "", ", ".join(operators)


def _texts(text: str) -> dict[str, str]:
    """The YAML of each rule with the comment above it."""
    lines = text.splitlines()
    root = yaml.compose(text)
    starts: list[tuple[str, int]] = [(key.value, key.start_mark.line) for key, _ in root.value]
    texts: dict[str, str] = {}
    for (name, start), (_, end) in zip(starts, [*starts[1:], ("", len(lines))], strict=True):
        first = start
        while lines[first - 1].startswith("#"):
            first -= 1
        last = max(i for i in range(start, end) if lines[i].startswith((" ", name)))
        texts[name] = "\n".join(lines[first : last + 1])
    return texts
