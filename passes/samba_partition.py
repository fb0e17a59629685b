"""samba-partition: rewrite a sharded module to what one chip runs, with collectives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, ModuleOp, UnitAttr, f32
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from sambaflow.diagnostics import error_at
from sambaflow.dialects import samba
from sambaflow.dialects.samba import Shaped, shaped_of, tensor_type
from sambaflow.dialects.samba.conventions import (
    PARTITIONED,
    argument_attributes,
    attribute_array,
    result_attributes,
    shard_of,
)
from sambaflow.dialects.samba.inference import is_float
from sambaflow.errors import InputError
from sambaflow.passes.framework.base import SambaPass, Semantics, functions_of, target_of
from sambaflow.passes.framework.properties import CALLS, SAMBA
from sambaflow.passes.parallel.factors import Decision, Shard, decide, facts_of, fits, local_shape


@dataclass(frozen=True)
class SambaPartitionPass(SambaPass):
    """Make every type local to a chip and insert the collectives that the shardings ask for (SPMD: all chips run this).

    Follows `samba.shard` of the arguments through the rules of `passes/parallel/factors.py`. A product split by its
    contracted dimension gives partial sums in f32; an all-reduce with f32 on the wire adds them, then the bias is
    added and the sum rounded once to the model's dtype. A value that an operator needs whole is gathered, once in its
    block. Results of a graph are whole, except state, which lies as its argument does.

        %1 = samba.linear %0, %down : (tensor<1x8xbf16>, tensor<4x8xbf16>) -> tensor<1x4xbf16>
        // with %0 and %down split by features over 2 chips becomes
        %1 = samba.linear %0, %down : (tensor<1x4xbf16>, tensor<4x4xbf16>) -> tensor<1x4xf32>
        %2 = samba.all_reduce %1 {chips = 2} : tensor<1x4xf32>
        %3 = samba.to %2 {dtype = bf16} : (tensor<1x4xf32>) -> tensor<1x4xbf16>
    """

    name: ClassVar[str] = "samba-partition"
    needs = ("target", *SAMBA, *CALLS)
    semantics = Semantics(2**-16, "partial sums of the chips are added by an all-reduce")
    counters = {
        "all_reduce": "sums over chips",
        "all_gather": "values gathered from chips",
        "reduce_scatter": "sums of which each chip keeps a part",
        "all_to_all": "values dealt out anew",
    }

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        chips = target_of(op).chips.data
        if chips == 1 or PARTITIONED in op.attributes:
            return
        partitioner = _Partitioner(op, chips)
        for function in functions_of(op):
            partitioner.function(function)
        op.attributes[PARTITIONED] = UnitAttr()
        for collective, count in sorted(partitioner.collectives.items()):
            self.count(ctx, collective, count)


@dataclass(frozen=True)
class _Local:
    """A value as one chip has it, and how the chips' values make up the whole."""

    value: SSAValue
    shard: Shard | None


class _Partitioner:
    """Rebuilds function bodies; callees first, because calls take their results' shardings."""

    def __init__(self, module: ModuleOp, chips: int) -> None:
        self.chips = chips
        self.functions = {function.sym_name.data: function for function in functions_of(module)}
        self.arguments = {name: _argument_shards(f, chips) for name, f in self.functions.items()}
        self.results: dict[str, list[Shard | None]] = {}
        self.collectives: dict[str, int] = {}
        self.env: dict[SSAValue, _Local] = {}
        self.gathered: dict[SSAValue, SSAValue] = {}

    def function(self, function: FuncOp) -> None:
        name = function.sym_name.data
        if name in self.results:
            return
        wanted = self._result_shards(function)
        old = function.body.block
        new = self._block(old, self.arguments[name], wanted)
        region = Region(new)
        function.body.detach_block(old)
        last = new.last_op
        assert last is not None
        if wanted is None:
            self.results[name] = self._returned
        else:
            self.results[name] = wanted
            function.res_attrs = _result_entries(function, wanted, self.chips)
        types = ([a.type for a in new.args], [v.type for v in last.operands])
        function.function_type = type(function.function_type).from_lists(*types)
        region.move_blocks(function.body)
        old.erase(safe_erase=False)

    def _result_shards(self, function: FuncOp) -> list[Shard | None] | None:
        """How results must lie: as their tied argument, else whole; None for a callee, whose results may lie anyhow."""
        if function.sym_visibility is not None and function.sym_visibility.data == "private":
            return None
        arguments = self.arguments[function.sym_name.data]
        ties = [entry.get("samba.tied") for entry in result_attributes(function)]
        return [arguments[tie.value.data] if isinstance(tie, IntegerAttr) else None for tie in ties]

    def _block(self, old: Block, shards: Sequence[Shard | None], results: list[Shard | None] | None) -> Block:
        """The block as one chip runs it; `results` says how the terminator's values must lie (None: as they come)."""
        new = Block(arg_types=[self._local_type(a, s) for a, s in zip(old.args, shards, strict=True)])
        for before, after, shard in zip(old.args, new.args, shards, strict=True):
            after.name_hint = before.name_hint
            self.env[before] = _Local(after, shard)
        for op in old.ops:
            if isinstance(op, ReturnOp | samba.YieldOp):
                self._terminate(op, new, results)
            else:
                local_results = self._operation(op, new)
                for before, after in zip(op.results, local_results, strict=True):
                    after.value.name_hint = before.name_hint
                    self.env[before] = after
        return new

    def _terminate(self, op: Operation, block: Block, results: list[Shard | None] | None) -> None:
        local_operands = [self.env[value] for value in op.operands]
        wanted = [local.shard for local in local_operands] if results is None else results
        values = [self._lay(v, shard, op, block) for v, shard in zip(op.operands, wanted, strict=True)]
        block.add_op(type(op).create(operands=values, attributes=dict(op.attributes), location=op.location))
        self._returned = list(wanted)

    def _operation(self, op: Operation, block: Block) -> list[_Local]:
        match op:
            case samba.SambaOp():
                return self._operator(op, block)
            case samba.ModuleOp():
                return self._module(op, block)
            case CallOp():
                return self._call(op, block)
            case _:
                copy = op.clone({value: self._lay(value, None, op, block) for value in op.operands})
                block.add_op(copy)
                return [_Local(result, None) for result in copy.results]

    def _operator(self, op: samba.SambaOp, block: Block) -> list[_Local]:
        decision = decide(facts_of(op), [self.env[value].shard for value in op.operands], self.chips)
        operands = [self._lay(v, s, op, block) for v, s in zip(op.operands, decision.operands, strict=True)]
        if decision.partial:
            return [_Local(self._partial_sum(op, operands, block), None)]
        if not decision.is_split:
            copy = type(op).create(
                operands=operands, result_types=list(op.result_types), properties=dict(op.properties),
                attributes=dict(op.attributes), location=op.location,
            )  # fmt: skip
            block.add_op(copy)
            return [_Local(result, None) for result in copy.results]
        copy = self._localised(op, operands, decision)
        block.add_op(copy)
        return [_Local(result, shard) for result, shard in zip(copy.results, decision.results, strict=True)]

    def _localised(self, op: samba.SambaOp, operands: Sequence[SSAValue], decision: Decision) -> samba.SambaOp:
        """The operator on a chip's parts; its inferred results must be the parts of the whole results."""
        settings = {**op.settings(), **decision.attributes}
        copy = samba.build(op.row.name, operands, settings, op.location, dtype=_widened(op, operands))
        copy.attributes.update(op.attributes)
        for result, whole, shard in zip(copy.results, op.results, decision.results, strict=True):
            assert result.type == self._local_type(whole, shard), f"{op.name} splits to {result.type}"
        return copy

    def _partial_sum(self, op: samba.SambaOp, operands: Sequence[SSAValue], block: Block) -> SSAValue:
        """Product of the chip's parts in f32, sum over the chips, bias, one rounding."""
        place = op.location
        dtype = shaped_of(op.results[0]).dtype
        name, factors, bias = _without_bias(op, operands)
        wide = f32 if is_float(dtype) and dtype != f32 else None
        product = samba.build(name, factors, {}, place, dtype=wide)
        product.attributes |= op.attributes
        value = self._add(product, block)
        value = self._add(samba.build("all_reduce", [value], {"chips": self.chips, "wire": f32}, place), block)
        if bias is not None:
            if wide is not None:
                bias = self._add(samba.build("to", [bias], {"dtype": f32}, place), block)
            value = self._add(samba.build("add", [value, bias], {}, place), block)
        if wide is not None:
            value = self._add(samba.build("to", [value], {"dtype": dtype}, place), block)
        assert value.type == op.results[0].type, f"{op.name} sums to {value.type}"
        return value

    def _module(self, op: samba.ModuleOp, block: Block) -> list[_Local]:
        local_operands = [self.env[value] for value in op.operands]
        outer = self.gathered
        self.gathered = {}
        body = self._block(op.body.block, [local.shard for local in local_operands], None)
        self.gathered = outer
        last = body.last_op
        assert last is not None
        heuristic = None if op.heuristic is None else op.heuristic.data
        operands = [local.value for local in local_operands]
        copy = samba.ModuleOp(op.rule.data, operands, [v.type for v in last.operands], Region(body), heuristic)
        copy.attributes.update(op.attributes)
        copy.location = op.location
        block.add_op(copy)
        return [_Local(result, shard) for result, shard in zip(copy.results, self._returned, strict=True)]

    def _call(self, op: CallOp, block: Block) -> list[_Local]:
        name = op.callee.string_value()
        if name not in self.results:
            saved, self.gathered = self.gathered, {}
            self.function(self.functions[name])
            self.gathered = saved
        callee = self.functions[name]
        operands = [self._lay(v, s, op, block) for v, s in zip(op.operands, self.arguments[name], strict=True)]
        copy = CallOp(name, operands, callee.function_type.outputs.data)
        copy.attributes.update(op.attributes)
        copy.location = op.location
        block.add_op(copy)
        return [_Local(result, shard) for result, shard in zip(copy.results, self.results[name], strict=True)]

    def _lay(self, value: SSAValue, wanted: Shard | None, user: Operation, block: Block) -> SSAValue:
        """`value` on this chip as `wanted`: as it is, or gathered."""
        local = self.env[value]
        if local.shard == wanted:
            return local.value
        if wanted is not None:
            have = "whole" if local.shard is None else f"split {local.shard}"
            raise error_at(
                user, f"needs an operand split {wanted}, which is {have}", InputError,
                levers=["remove samba.shard from the argument, or run samba-shard"],
            )  # fmt: skip
        if local.value not in self.gathered:
            assert local.shard is not None
            self.gathered[local.value] = self._gather(local.value, local.shard, user, block)
        return self.gathered[local.value]

    def _gather(self, value: SSAValue, shard: Shard, user: Operation, block: Block) -> SSAValue:
        """All chips' parts along the split dimension; parts of a fused dimension are put in order by two views."""
        shape, dtype = shaped_of(value)
        dim, outer = shard
        settings = {"dim": dim, "chips": self.chips, "wire": dtype}
        if outer == 1:
            return self._add(samba.build("all_gather", [value], settings, user.location), block)
        parts = (*shape[:dim], outer, shape[dim] // outer, *shape[dim + 1 :])
        view = self._add(samba.build("view", [value], {"size": parts}, user.location), block)
        gathered = self._add(samba.build("all_gather", [view], {**settings, "dim": dim + 1}, user.location), block)
        whole = (*shape[:dim], shape[dim] * self.chips, *shape[dim + 1 :])
        return self._add(samba.build("view", [gathered], {"size": whole}, user.location), block)

    def _add(self, op: samba.SambaOp, block: Block) -> SSAValue:
        if samba.Trait.COLLECTIVE in op.row.traits:
            self.collectives[op.row.name] = self.collectives.get(op.row.name, 0) + 1
        block.add_op(op)
        return op.results[0]

    def _local_type(self, value: SSAValue, shard: Shard | None) -> Attribute:
        if shard is None:
            return value.type
        shape, dtype = shaped_of(value)
        return tensor_type(Shaped(local_shape(shape, shard, self.chips), dtype))


def _widened(op: samba.SambaOp, operands: Sequence[SSAValue]) -> Attribute | None:
    """f32 for a product that gives f32 from narrower operands already."""
    dtype = shaped_of(op.results[0]).dtype
    wider = samba.Trait.PARTIAL in op.row.traits and dtype == f32 and shaped_of(operands[0]).dtype != f32
    return dtype if wider else None


def _without_bias(op: samba.SambaOp, operands: Sequence[SSAValue]) -> tuple[str, Sequence[SSAValue], SSAValue | None]:
    """A product and the term that is added to it, once, after the sum over the chips."""
    match op.row.name:
        case "linear":
            return "linear", operands[:2], operands[2] if len(operands) == 3 else None
        case "addmm" | "baddbmm":
            return {"addmm": "mm", "baddbmm": "bmm"}[op.row.name], operands[1:], operands[0]
        case name:
            return name, operands, None


def _argument_shards(function: FuncOp, chips: int) -> list[Shard | None]:
    shards: list[Shard | None] = []
    for i, (entry, value) in enumerate(zip(argument_attributes(function), function.body.block.args, strict=True)):
        shard = shard_of(entry)
        if shard is None:
            shards.append(None)
            continue
        dim, outer, count = shard.values
        if count != chips or not fits(shaped_of(value).shape, Shard(dim, outer), chips):
            raise error_at(function, f"argument {i}: {shard} does not fit {value.type} on {chips} chips", InputError)
        shards.append(Shard(dim, outer))
    return shards


def _result_entries(function: FuncOp, shards: Sequence[Shard | None], chips: int) -> ArrayAttr[DictionaryAttr] | None:
    """The attributes of results that lie so. Raises InputError where the text says that one lies otherwise."""
    entries: list[DictionaryAttr] = []
    for number, (entry, shard) in enumerate(zip(result_attributes(function), shards, strict=True)):
        lies = None if shard is None else samba.ShardAttr.get(shard.dim, shard.outer, chips)
        if "samba.shard" in entry and shard_of(entry) != lies:
            raise error_at(
                function, f"result {number} has {entry['samba.shard']}, but results are whole on every chip, and state "
                "lies as its argument does", InputError, levers=["remove samba.shard from the result"],
            )  # fmt: skip
        entries.append(DictionaryAttr(dict(entry) if lies is None else {**entry, "samba.shard": lies}))
    return attribute_array(entries)
