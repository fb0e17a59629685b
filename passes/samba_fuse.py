"""samba-fuse: gather operators into modules by fusion rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from sambaflow.dialects import samba
from sambaflow.dialects.kernel.hints import hints_attr
from sambaflow.passes.framework.base import FunctionPass
from sambaflow.passes.framework.decisions import decide, mark
from sambaflow.passes.framework.properties import SAMBA
from sambaflow.passes.fusion.grouping import HEURISTIC_PARAMETERS, Group, Groups, make_region
from sambaflow.passes.fusion.rules import DEFAULT_RULES, Rule, load_rules
from sambaflow.passes.rewriting.matcher import OpGraph, Refusal, Search, operator_name

FUSION, ALONE = "samba.fusion", StringAttr("none")
"""Discardable attribute of a samba op, and the value with which no rule takes it into a module."""


@dataclass(frozen=True)
class SambaFusePass(FunctionPass):
    """Make a `samba.module` of every group of ops that a fusion rule matches.

    Rules with larger priority choose first, then those that stand earlier in the file; each op belongs to one module at
    most. Matching sees through casts, views and no-ops, and takes those between matched ops into the group; others join
    the only module that uses them, or the one that makes them. A group that a path leaves and enters again is refused.
    A rule's settings stay on the op as hints. An op with `samba.fusion = "none"` stays alone, and a module that stands
    already stays as it is. Every match, and every near miss with its reason, is a remark.

        %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
        %1 = samba.relu %0 : tensor<2x3xf32>
        // becomes
        %1 = samba.module "linear_activation"(%x, %w) heuristic = "SAFE_GEMM" -> (tensor<2x3xf32>) {
          %0 = samba.linear ...
          %1 = samba.relu ...
          samba.yield %1
        }
    """

    name: ClassVar[str] = "samba-fuse"
    needs = SAMBA
    counters = {"modules": "modules made of fusion rules' matches"}

    rules: str = DEFAULT_RULES
    """A file of fusion rules, or the name of one that ships."""

    def apply_to(self, ctx: Context, op: FuncOp) -> None:
        rules = load_rules(self.rules)
        for block in op.body.blocks:
            graph = OpGraph(block, operator_name, is_transparent)
            groups = Groups(graph)
            for inner in block.ops:
                if inner.attributes.get(FUSION) == ALONE:
                    groups.keep_out(inner)
            chosen: dict[str, Rule] = {rule.name: rule for rule in rules}
            for rule in rules:
                self._apply_rule(ctx, rule, graph, groups)
            groups.absorb()
            for group in groups.groups:
                module = make_module(group, chosen[group.name])
                self.count(ctx, "modules")
                self.applied(ctx, module, f"rule '{group.name}' made a module", ops=len(group.members))

    def _apply_rule(self, ctx: Context, rule: Rule, graph: OpGraph, groups: Groups) -> None:
        anchors = {op: None for variant in rule.pattern.variants for op in graph.candidates(variant.anchor)}
        for anchor in sorted(anchors, key=graph.position.__getitem__):
            refusal = self._match_at(rule, anchor, graph, groups)
            if refusal is not None and refusal.bound > 1:
                self.missed(ctx, anchor, f"rule '{rule.name}': {refusal.reason}", matched=refusal.bound, of=refusal.of)

    def _match_at(self, rule: Rule, anchor: Operation, graph: OpGraph, groups: Groups) -> Refusal | None:
        """Make a group of the first variant that fits; else say why the one that came furthest did not."""
        nearest = Refusal(0, 0, "")
        for variant in rule.pattern.variants:
            if not graph.fits(variant.anchor, anchor) or groups.owner(anchor) is not None:
                continue
            search = Search(graph, variant, anchor, groups.owner)
            refusal: Refusal | None = None
            for binding in search:
                ops = [op for name, op in binding.items() if variant.nodes[name].included]
                closed = groups.closure(ops)
                if isinstance(closed, list):
                    groups.add(rule.name, closed, binding)
                    return None
                size = len(binding)
                refusal = Refusal(size, size, f"{closed.name} lies on a path that leaves the group and comes back")
            refusal = refusal or search.refusal
            if refusal.bound > nearest.bound:
                nearest = refusal
        return nearest


def is_transparent(op: Operation) -> bool:
    """Casts, views and no-ops: rules are written without them."""
    if not isinstance(op, samba.SambaOp):
        return False
    return bool(op.row.traits & (samba.Trait.CAST | samba.Trait.VIEW)) or op.is_noop()


def make_module(group: Group, rule: Rule) -> samba.ModuleOp:
    """Put a `samba.module` in the place of the group's ops."""
    write_settings(rule, group.names)
    place = next(iter(group.names.values())).location
    block, behind = group.members[0].parent, group.members[-1].next_op
    outlined = make_region(group.members, samba.YieldOp)
    types = [value.type for value in outlined.outputs]
    module = samba.ModuleOp(rule.name, outlined.inputs, types, outlined.region, rule.heuristic)
    module.location = place
    mark(module, "rule", "rule")
    if rule.heuristic is not None:
        mark(module, "heuristic", "rule")
    if rule.parameters:
        module.attributes[HEURISTIC_PARAMETERS] = hints_attr(rule.parameters)
    if block is not None and behind is not None:
        block.insert_op_before(module, behind)
    outlined.replace_outputs(module.results)
    return module


def write_settings(rule: Rule, binding: Mapping[str, Operation]) -> None:
    """Leave the settings of the rule's nodes as hints on the ops that they matched."""
    for name, op in binding.items():
        for hint, value in hints_attr(rule.pattern.nodes[name].settings).data.items():
            decide(op, hint, value, "rule")
