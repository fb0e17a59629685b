"""samba-outline-layers: fold repeated layers into one function that is called many times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, FunctionType, ModuleOp, StringAttr
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, BlockArgument, Operation, OpResult, Region, SSAValue

from sambaflow.diagnostics import location_of
from sambaflow.dialects import samba
from sambaflow.dialects.samba.attributes import INT
from sambaflow.dialects.samba.conventions import argument_attributes, attribute_array, result_attributes
from sambaflow.passes.framework.base import SambaPass, functions_of
from sambaflow.passes.framework.properties import SAMBA
from sambaflow.passes.fusion.grouping import tensor_bytes
from sambaflow.passes.layers.repetition import Run, find_runs

MAX_STACKS = 16
"""Stacks of layers that are looked for in one function."""


@dataclass(frozen=True)
class SambaOutlineLayersPass(SambaPass):
    """Find the repeated layers of each graph by structure, and make of each stack one private function and N calls.

    Two ops are equal when name, attributes and types are, two layers if their ops are equal in order and joined alike.
    What a layer takes from outside (activations, parameters, its state, masks and tables that all layers share) becomes
    an argument, what is used outside of it a result. The period may be longer than what the model calls a layer. Ops
    that only the first layer has, because the others share their result, are moved before it. Module paths only break
    ties between equally good places to cut.

        %1 = samba.linear %0, %w0 : ...          func.func private @layer_0(%x: T, %w: T {samba.role = "param"}) -> T {
        %2 = samba.relu %1 : ...                   ...
        %3 = samba.linear %2, %w1 : ...          }
        %4 = samba.relu %3 : ...         =>      %2 = func.call @layer_0(%0, %w0)
                                                 %4 = func.call @layer_0(%2, %w1)
    """

    name: ClassVar[str] = "samba-outline-layers"
    needs = SAMBA
    counters = {"layers": "calls that took the place of a layer"}

    min_ops: int = 8
    """The shortest period, in ops, that is worth a call."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        library = _Library(op)
        for function in functions_of(op):
            for _ in range(MAX_STACKS):
                stack = find_stack(function, self.min_ops)
                if stack is None:
                    break
                callee = library.fold(stack)
                instances, size = len(stack.instances), len(stack.instances[0].ops)
                self.count(ctx, "layers", instances)
                self.applied(ctx, callee, f"folded {instances} layers into @{callee.sym_name.data}", ops=size)


@dataclass
class Instance:
    """One layer: its ops in order, and ops among them that do not depend on it and go before it."""

    ops: list[Operation]
    moved: list[Operation] = field(default_factory=list[Operation])


@dataclass
class Stack:
    """Equal layers of one function, in order."""

    function: FuncOp
    instances: list[Instance]
    signature: Signature


Signature = tuple[object, ...]
"""What makes two layers equal: per op its token, and for each operand where it comes from."""


class Tokens:
    """Numbers for ops: equal for ops of the same name, attributes and types."""

    def __init__(self) -> None:
        self._attributes: dict[int, tuple[Attribute, int]] = {}
        self._numbers: dict[object, int] = {}

    def of(self, op: Operation) -> int:
        """The number of `op`; one of its own if it has regions or is no samba op, so that no layer contains it."""
        if op.regions or not isinstance(op, samba.SambaOp | samba.ConstantOp):
            return self._number(("alone", len(self._numbers)))
        key = (
            op.name,
            tuple((name, self._attribute(a)) for name, a in sorted(op.properties.items())),
            tuple((name, self._attribute(a)) for name, a in sorted(op.attributes.items())),
            tuple(self._attribute(operand.type) for operand in op.operands),
            tuple(self._attribute(result.type) for result in op.results),
        )
        return self._number(key)

    def _attribute(self, attribute: Attribute) -> int:
        """The attribute's number; attributes are hashed once per object, for hashing one takes microseconds."""
        known = self._attributes.get(id(attribute))
        if known is None:
            known = self._attributes[id(attribute)] = (attribute, self._number(attribute))
        return known[1]

    def _number(self, key: object) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def find_stack(function: FuncOp, min_ops: int) -> Stack | None:
    """The stack of equal layers that folds the most ops of `function`, if there is one."""
    if len(function.body.blocks) != 1:
        return None
    view = _View(function)
    for run in find_runs(view.tokens, min_ops):
        best = max(view.cuts(run), key=len, default=None)
        if best is not None:
            instances, signature = view.longest_equal(best)
            if len(instances) > 1:
                return Stack(function, instances, signature)
    return None


class _View:
    """The ops of a function by position."""

    def __init__(self, function: FuncOp) -> None:
        self.ops = list(function.body.block.ops)
        self.position = {op: i for i, op in enumerate(self.ops)}
        numbers = Tokens()
        self.tokens = [numbers.of(op) for op in self.ops]
        self._argument_attributes = argument_attributes(function)

    def cuts(self, run: Run) -> list[list[Instance]]:
        """The ways to cut a run into layers where the fewest bytes cross; those at module borders first."""
        end = run.start + run.length
        starts = range(run.start, min(run.start + run.period, end - run.period + 1))
        widths = self._widths(run.period)
        in_the_middle = {start: start + run.period * ((end - start) // run.period // 2) for start in starts}
        thinnest = min(widths[at] for at in in_the_middle.values())
        best = [start for start, at in in_the_middle.items() if widths[at] == thinnest]
        best.sort(key=lambda start: not self._is_module_border(in_the_middle[start]))
        return [self._instances(run, start) for start in best]

    def _instances(self, run: Run, start: int) -> list[Instance]:
        """Layers from `start` to the end of the run, and before it as far as they go."""
        count = (run.start + run.length - start) // run.period
        starts = [start + i * run.period for i in range(count)]
        instances = [Instance(self.ops[at : at + run.period]) for at in starts]
        while (earlier := self._instance_before(start, self.tokens[starts[0] : starts[0] + run.period])) is not None:
            instances.insert(0, earlier)
            start = self.position[earlier.ops[0]]
        return instances

    def _instance_before(self, end: int, tokens: Sequence[int]) -> Instance | None:
        """The layer that ends before position `end`, with ops between that do not depend on it, or None.

        Going backwards, an op that is not the next of the layer is taken for one that the layers share.
        """
        ops: list[Operation] = []
        moved: list[Operation] = []
        at = end
        while len(ops) < len(tokens) and at > 0 and len(moved) <= len(tokens):
            at -= 1
            wanted = tokens[len(tokens) - 1 - len(ops)]
            (ops if self.tokens[at] == wanted else moved).append(self.ops[at])
        members = dict.fromkeys(ops)
        depends = any(operand.owner in members for op in moved for operand in op.operands)
        if len(ops) < len(tokens) or depends:
            return None
        return Instance(ops[::-1], moved[::-1])

    def _widths(self, period: int) -> list[int]:
        """For each position, the bytes made in the period before it and used in the one behind it.

        Values that wait longer cross every cut, wherever it is, and do not count: results, shared tables.
        """
        change = [0] * (len(self.ops) + 2)
        for at, op in enumerate(self.ops):
            for result in op.results:
                uses = (self.position.get(use.operation, 0) for use in result.uses)
                last = max((use for use in uses if use - at <= period), default=at)
                change[at + 1] += tensor_bytes(result.type)
                change[last + 1] -= tensor_bytes(result.type)
        return list(accumulate(change))

    def _is_module_border(self, at: int) -> bool:
        return at == 0 or _layer_path(self.ops[at - 1]) != _layer_path(self.ops[at])

    def longest_equal(self, instances: Sequence[Instance]) -> tuple[list[Instance], Signature]:
        """The longest row of neighbours that are joined alike inside."""
        signatures = [self.signature(instance) for instance in instances]
        best, start = (0, 1), 0
        for i in range(1, len(instances) + 1):
            if i == len(instances) or signatures[i] != signatures[start]:
                if i - start > best[1] - best[0]:
                    best = (start, i)
                start = i
        return list(instances[slice(*best)]), signatures[best[0]]

    def signature(self, instance: Instance) -> Signature:
        """See `Signature`; an argument of the graph counts with its attributes, but without its name."""
        place = {op: i for i, op in enumerate(instance.ops)}
        return tuple(
            (self.tokens[self.position[op]], tuple(self._source(operand, place) for operand in op.operands))
            for op in instance.ops
        )

    def _source(self, value: SSAValue, place: dict[Operation, int]) -> object:
        if isinstance(value, BlockArgument):
            return nameless(self._argument_attributes[value.index])
        if not isinstance(value, OpResult) or (inside := place.get(value.op)) is None:
            return ()
        return inside, value.index


def nameless(attributes: Mapping[str, Attribute]) -> tuple[tuple[str, Attribute], ...]:
    """Argument attributes without the PyTorch name, which differs from layer to layer."""
    return tuple((key, value) for key, value in sorted(attributes.items()) if key != "samba.name")


def _layer_path(op: Operation) -> str:
    """The module path up to its last number: `model.layers.3.mlp.up_proj` is in `model.layers.3`."""
    place = location_of(op)
    match = re.match(r"(.*\.)?\d+(?=\.|$)", place.module_path) if place else None
    return match[0] if match else ""


class _Library:
    """The private functions of a module; equal layers of different graphs share one."""

    def __init__(self, module: ModuleOp) -> None:
        self.module = module
        self.names = {op.sym_name.data for op in module.ops if isinstance(op, FuncOp)}
        self.known: dict[object, FuncOp] = {}

    def fold(self, stack: Stack) -> FuncOp:
        """Put calls in the place of the layers; returns the function that they call."""
        border = _Border(stack)
        key = (stack.signature, border.slots, border.outputs, border.argument_dicts, border.result_dicts)
        for instance in stack.instances:
            for op in instance.moved:
                op.detach()
                _block_of(instance).insert_op_before(op, instance.ops[0])
        callee = self.known.get(key)
        name = callee.sym_name.data if callee is not None else self._new_name()
        calls = [border.call(i, name) for i in range(len(stack.instances))]
        for instance, call in zip(stack.instances, calls, strict=True):
            _block_of(instance).insert_op_before(call, instance.ops[0])
        border.use_results(calls)
        first, *copies = stack.instances
        if callee is None:
            callee = self.known[key] = border.function(name, first)
            self.module.body.block.insert_op_after(callee, stack.function)
        else:
            copies = stack.instances
        for instance in copies:
            for op in reversed(instance.ops):
                op.detach()
                op.erase()
        return callee

    def _new_name(self) -> str:
        number = 0
        while f"layer_{number}" in self.names:
            number += 1
        self.names.add(f"layer_{number}")
        return f"layer_{number}"


def _block_of(instance: Instance) -> Block:
    block = instance.ops[0].parent
    assert block is not None, "layers are found in functions"
    return block


class _Border:
    """What crosses the border of a stack's layers: arguments and results of the function that they become."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.actuals: list[tuple[SSAValue, ...]] = []
        """Per argument the value that each layer passes."""
        self.slots: tuple[tuple[int, int, int], ...] = ()
        """(op, operand, argument): which operands are arguments."""
        self._find_arguments()
        self.outputs = tuple(self._find_outputs())
        graph = stack.function
        self._of_argument = argument_attributes(graph)
        self._ties = _ties_of(graph)
        self.argument_dicts = tuple(self._argument_dict(values) for values in self.actuals)
        self.result_dicts = tuple(self._result_dict(*output) for output in self.outputs)

    def _find_arguments(self) -> None:
        """Operands are one argument when they are one value in every layer."""
        members = [dict.fromkeys(instance.ops) for instance in self.stack.instances]
        number: dict[tuple[SSAValue, ...], int] = {}
        slots: list[tuple[int, int, int]] = []
        for i, row in enumerate(zip(*(instance.ops for instance in self.stack.instances), strict=True)):
            for j, operand in enumerate(row[0].operands):
                if operand.owner in members[0]:
                    continue
                values = tuple(op.operands[j] for op in row)
                slots.append((i, j, number.setdefault(values, len(number))))
        self.actuals, self.slots = list(number), tuple(slots)

    def _find_outputs(self) -> Iterator[tuple[int, int]]:
        """(op, result) of what any layer's outside uses."""
        members = [dict.fromkeys(instance.ops) for instance in self.stack.instances]
        for i, row in enumerate(zip(*(instance.ops for instance in self.stack.instances), strict=True)):
            for r in range(len(row[0].results)):
                used = (
                    use.operation not in inside
                    for op, inside in zip(row, members, strict=True)
                    for use in op.results[r].uses
                )
                if any(used):
                    yield i, r

    def _argument_dict(self, values: Sequence[SSAValue]) -> DictionaryAttr:
        """Role and sharding that all layers' values have; none when one of them is no argument of the graph."""
        entries = {
            nameless(self._of_argument[value.index]) if isinstance(value, BlockArgument) else () for value in values
        }
        return DictionaryAttr(dict(entries.pop()) if len(entries) == 1 else {})

    def _result_dict(self, op: int, result: int) -> DictionaryAttr:
        """The tie to an argument, when every layer's result is tied by the graph to what it passes there."""
        tied = [self._ties.get(instance.ops[op].results[result]) for instance in self.stack.instances]
        if all(value is not None for value in tied) and tuple(tied) in self.actuals:
            return DictionaryAttr({"samba.tied": INT.encode(self.actuals.index(tuple(tied)))})  # pyright: ignore[reportArgumentType]
        return DictionaryAttr({})

    def call(self, instance: int, name: str) -> CallOp:
        types = [self.stack.instances[0].ops[op].results[result].type for op, result in self.outputs]
        call = CallOp(name, [values[instance] for values in self.actuals], types)
        call.location = self.stack.instances[instance].ops[0].location
        return call

    def use_results(self, calls: Sequence[CallOp]) -> None:
        """Let everything outside of each layer use its call's results; later layers' arguments too."""
        new: dict[SSAValue, SSAValue] = {}
        for instance, call in zip(self.stack.instances, calls, strict=True):
            inside = dict.fromkeys(instance.ops)
            for (op, result), value in zip(self.outputs, call.results, strict=True):
                old = instance.ops[op].results[result]
                value.name_hint = old.name_hint
                new[old] = value
                old.replace_uses_with_if(value, lambda use, inside=inside: use.operation not in inside)
        self.actuals = [tuple(new.get(value, value) for value in values) for values in self.actuals]

    def function(self, name: str, instance: Instance) -> FuncOp:
        """The function, made of the ops of `instance`."""
        block = Block(arg_types=[values[0].type for values in self.actuals])
        for argument, values in zip(block.args, self.actuals, strict=True):
            argument.name_hint = _common_name([value.name_hint for value in values])
        for op, operand, argument in self.slots:
            instance.ops[op].operands[operand] = block.args[argument]
        for op in instance.ops:
            op.detach()
            block.add_op(op)
        results = [instance.ops[op].results[result] for op, result in self.outputs]
        block.add_op(ReturnOp(*results))
        kind = FunctionType.from_lists([argument.type for argument in block.args], [value.type for value in results])
        function = FuncOp(
            name,
            kind,
            Region(block),
            visibility=StringAttr("private"),
            arg_attrs=attribute_array(self.argument_dicts),
            res_attrs=attribute_array(self.result_dicts),
        )
        function.location = instance.ops[0].location
        return function


def _ties_of(graph: FuncOp) -> dict[SSAValue, SSAValue]:
    """By returned value, the argument of the graph that it updates."""
    ties: dict[SSAValue, SSAValue] = {}
    terminator = graph.body.block.last_op
    if terminator is not None:
        for returned, attributes in zip(terminator.operands, result_attributes(graph), strict=True):
            if (tied := attributes.get("samba.tied")) is not None:
                ties.setdefault(returned, graph.body.block.args[INT.decode(tied)])
    return ties


def _common_name(names: Sequence[str | None]) -> str | None:
    """One name for the values of all layers: without the numbers that differ, none when more than numbers differ.

    `layers_0_ln_1_weight` and `layers_1_ln_1_weight` give `layers_ln_1_weight`.
    """
    split = [re.split(r"(_?\d+)", name) for name in names if name is not None]
    if len(split) < len(names) or any(len(parts) != len(split[0]) for parts in split):
        return None
    common_parts: list[str] = []
    for i, parts in enumerate(zip(*split, strict=True)):
        if all(part == parts[0] for part in parts):
            common_parts.append(parts[0])
        elif i % 2 == 0:
            return None
    return "".join(common_parts)
