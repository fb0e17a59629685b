"""Checks of a whole module: the ops' own verifiers, and that every value is defined before it is used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from functools import cache, partial
from math import prod

from xdsl.dialects.builtin import ModuleOp, StringAttr, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, BlockArgument, Operation, Region, SSAValue, TypeAttribute
from xdsl.irdl import IRDLOperation
from xdsl.traits import NoTerminator, OpTrait, SameOperandsAndResultType
from xdsl.utils.exceptions import VerifyException

from sambaflow import plugins
from sambaflow.diagnostics import VerifyExceptionAt, error_at, location_from_attr, location_of
from sambaflow.errors import InputError, Note, SambaError

VISIBILITIES = ("public", "private", "nested")
"""Of symbols, as in MLIR."""


def verify_module(module: ModuleOp) -> None:
    """Run every verifier, innermost ops first, then the dominance check and the rules of samba functions.

    Raises InputError about the first op that fails: the op alone, where xDSL's own error carries the whole module.
    """
    passed: set[Hashable] = set()
    for op in module.walk(region_first=True):
        signature = _signature(op)
        if signature in passed:
            continue
        try:
            _verify(op, partial(op.verify, verify_nested_ops=False))
        except SambaError:
            raise
        except Exception:
            # A verifier reads fields of the ops around its own and in it: perhaps one of those is wrong.
            _verify_fields(module)
            raise
        if signature is not None:
            passed.add(signature)
        if op.regions and not op.has_trait(NoTerminator):
            _check_blocks_end(op)
        if op.regions:
            _check_visibility(op)
    check_dominance(module)
    _check_samba_functions(module)


def _verify(op: Operation, verifier: Callable[[], None]) -> None:
    try:
        verifier()
    except SambaError:
        raise
    except Exception as error:
        if not isinstance(error, VerifyException):
            where = Note(f"while this '{op.name}' was verified", location_of(op))
            if (failure := plugins.failure_of(error, where)) is not None:
                raise failure from error
        if not isinstance(error, VerifyException | ValueError):
            raise
        place = error.op if isinstance(error, VerifyExceptionAt) else op
        raise error_at(place, str(error), InputError) from None


def _verify_fields(module: ModuleOp) -> None:
    """Check every op against its definition alone, outermost ops first."""
    for op in module.walk():
        if isinstance(op, IRDLOperation):
            _verify(op, partial(op.get_irdl_definition().verify, op))


def _signature(op: Operation) -> Hashable:
    """All that the verifiers of `op` look at, by identity, when they look at nothing outside the op; else None.

    Ops of one signature need one verification. Verifiers change nothing, so no identity is used twice meanwhile.
    """
    if op.regions or op.successors or op.next_op is None or not _looks_inside_only(type(op)):
        return None
    properties, attributes = op.properties, op.attributes
    return (
        type(op),
        tuple([id(value.type) for value in op.operands]),
        tuple([id(value.type) for value in op.results]),
        *properties,
        *map(id, properties.values()),
        None,
        *attributes,
        *map(id, attributes.values()),
    )


@cache
def _looks_inside_only(kind: type[Operation]) -> bool:
    """Whether what verifies an op of this class is a function of its types and attributes: not of users or parents."""
    # irdl_op_definition wraps the verifier that the class was written with, and keeps it under this name.
    written = inspect.getclosurevars(kind.verify_).nonlocals.get("custom_verify")
    of_class = written is Operation.verify_ or getattr(kind, "VERIFY_LOOKS_INSIDE_ONLY", False)
    return of_class and all(_is_local(trait) for trait in kind.traits)


def _is_local(trait: OpTrait) -> bool:
    kind = type(trait)
    return kind.verify in (OpTrait.verify, SameOperandsAndResultType.verify) or kind.__module__ == "xdsl.interfaces"


def check_dominance(module: ModuleOp) -> None:
    """Check that every operand is defined on all paths to its use (xDSL's verifier does not).

    Raises InputError about the first use that is not dominated. Linear in ops for regions of one block.
    """
    for region in module.regions:
        _check_region(region, set())


def _check_region(region: Region, visible: set[SSAValue]) -> None:
    """Check the blocks along the dominator tree; `visible` holds what encloses and dominates, and is left as found."""
    if region.first_block is None:
        return
    children = _dominator_tree(region)
    # Each entry is a block to enter, or the values to forget when its subtree is done.
    pending: list[Block | list[SSAValue]] = [region.first_block]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            visible.difference_update(item)
            continue
        defined = _check_block(item, visible)
        pending.append(defined)
        pending.extend(reversed(children.get(item, [])))


def _check_block(block: Block, visible: set[SSAValue]) -> list[SSAValue]:
    defined: list[SSAValue] = list(block.args)
    visible.update(defined)
    for op in block.ops:
        for index, operand in enumerate(op.operands):
            if operand not in visible:
                raise _not_dominated(op, index, operand)
        for region in op.regions:
            _check_region(region, visible)
        for result in op.results:
            if not isinstance(result.type, TypeAttribute):  # xDSL takes any attribute; no text has one there
                raise error_at(op, f"has a result of {result.type}, which is no type", InputError)
        visible.update(op.results)
        defined.extend(op.results)
    return defined


def _not_dominated(op: Operation, index: int, operand: SSAValue) -> InputError:
    owner = operand.owner
    if isinstance(operand, BlockArgument):
        place = location_from_attr(operand.location)
    else:
        place = location_of(owner) if isinstance(owner, Operation) else None
    return error_at(
        op,
        f"operand #{index} is used before its definition",
        InputError,
        notes=[Note("the operand is defined here", place)] if place else (),
    )


def _dominator_tree(region: Region) -> dict[Block, list[Block]]:
    """The blocks that each block immediately dominates; unreachable blocks are in no list."""
    blocks = list(region.blocks)
    if len(blocks) == 1:
        return {}
    order = _reverse_postorder(blocks[0])
    number = {block: i for i, block in enumerate(order)}
    predecessors: list[list[int]] = [[] for _ in order]
    for block in order:
        for successor in _successors(block):
            predecessors[number[successor]].append(number[block])
    idom = _immediate_dominators(predecessors)
    tree: dict[Block, list[Block]] = {}
    for i in range(1, len(order)):
        tree.setdefault(order[idom[i]], []).append(order[i])
    return tree


def _immediate_dominators(predecessors: list[list[int]]) -> list[int]:
    """Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm", on blocks numbered in reverse postorder."""
    idom = [-1] * len(predecessors)
    idom[0] = 0
    changed = True
    while changed:
        changed = False
        for i in range(1, len(predecessors)):
            known = [p for p in predecessors[i] if idom[p] >= 0]
            new = known[0]
            for other in known[1:]:
                new = _meet(new, other, idom)
            changed |= idom[i] != new
            idom[i] = new
    return idom


def _meet(a: int, b: int, idom: list[int]) -> int:
    while a != b:
        a, b = (idom[a], b) if a > b else (a, idom[b])
    return a


def _reverse_postorder(entry: Block) -> list[Block]:
    order: list[Block] = []
    seen = {entry}
    stack: list[tuple[Block, list[Block]]] = [(entry, list(_successors(entry)))]
    while stack:
        block, left = stack[-1]
        if not left:
            order.append(block)
            stack.pop()
        elif (successor := left.pop(0)) not in seen:
            seen.add(successor)
            stack.append((successor, list(_successors(successor))))
    return order[::-1]


def _successors(block: Block) -> Sequence[Block]:
    return block.last_op.successors if block.last_op is not None else ()


def _check_visibility(op: Operation) -> None:
    """xDSL takes any string, which the text of a function has no place for."""
    visibility = op.properties.get("sym_visibility")
    if isinstance(visibility, StringAttr) and visibility.data not in VISIBILITIES:
        raise error_at(op, f"has the visibility '{visibility.data}', not one of {', '.join(VISIBILITIES)}", InputError)


def _check_blocks_end(op: Operation) -> None:
    for region in op.regions:
        if len(region.blocks) == 1 and region.block.is_empty:
            raise error_at(op, "contains an empty block where a terminator is needed", InputError)


def _check_samba_functions(module: ModuleOp) -> None:
    """Roles, shardings and ties stand on functions as discardable attributes, which no verifier of an op looks at."""
    functions = [op for op in module.ops if isinstance(op, FuncOp) and _concerns_samba(op)]
    if not functions:
        return
    from sambaflow.dialects.samba import verify_conventions

    for function in functions:
        try:
            verify_conventions(function)
        except VerifyException as error:
            raise error_at(function, str(error), InputError) from None


def _concerns_samba(function: FuncOp) -> bool:
    """Whether the dialect, whose import takes as long as all the rest of a short run, can find fault with it."""
    types = function.function_type
    shapes = [kind.get_shape() for kind in (*types.inputs.data, *types.outputs.data) if isinstance(kind, TensorType)]
    large = any(max((prod(shape), *shape)) > _MANY or len(shape) > _DEEP for shape in shapes)
    return large or function.arg_attrs is not None or function.res_attrs is not None


_MANY, _DEEP = 1 << 40, 32
"""Elements of a tensor, or along a dimension of it, and dimensions, that are perhaps more than the dialect allows."""
