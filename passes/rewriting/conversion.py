"""One-shot conversion from one dialect to the next: every op that has a rule is converted once, in one walk.

    def linear(op: samba.LinearOp, rewriter: Rewriter) -> Converted:
        return rewriter.insert(kernel.ContractOp(...))

    DialectConversion({samba.LinearOp: linear}, legal={"samba": False}).apply(module)

A rule is written as the function of a pattern (`passes/rewriting/driver.py`): what it builds it inserts in front of
the op, and it returns what takes the place of the op's results. Linear in ops, nine times faster than a greedy applier
of a hundred patterns.

Where the conversion changes types, `types` maps old ones to new ones:

    DialectConversion(rules, types=lambda type: i32 if type == IndexType() else type)

A rule then finds the op's operands, and the arguments of the blocks in its regions, in their new types, and gives
values of the new types. Functions, calls and returns follow without a rule. Where converted code meets code that is
left as it is, a `builtin.unrealized_conversion_cast` stands between; one that nobody needs in the end is taken out.

Where an op does not become values that stand in its place, its rule builds elsewhere and the op stays (`Translation`):

    def load(op: kernel.LoadOp, context: SectionContext) -> None:
        context.add(rdu.LoadOp(...))

    Translation({kernel.LoadOp: load}).apply(section.body.block.ops, SectionContext(section))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from xdsl.dialects.builtin import FunctionType, LocationAttr, UnrealizedConversionCastOp
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.rewriter import InsertPoint
from xdsl.utils.exceptions import VerifyException

from sambaflow.diagnostics import error_at, location_of
from sambaflow.errors import InputError, UnsupportedOperator, UnsupportedOperators
from sambaflow.passes.rewriting.driver import Rewriter

Converted: TypeAlias = Operation | Sequence[SSAValue]
"""What takes the place of an op's results: values, an op (its results), or the op itself, changed in place."""

Rule: TypeAlias = Callable[[Any, Rewriter], Converted]
"""Builds what takes the place of an op, in front of it."""

TypeMap: TypeAlias = Callable[[Attribute], Attribute]
"""The new type for an old one; types that stay, and new ones, are their own."""

Legality: TypeAlias = bool | Callable[[Any], bool]
"""Whether an op may be there afterwards; a function says it of each op."""

FOLLOWING: tuple[type[Operation], ...] = (FuncOp, CallOp, ReturnOp)
"""Ops that follow the type map without a rule."""


@dataclass(frozen=True)
class DialectConversion:
    """What becomes of ops and types, and what must not be left."""

    rules: Mapping[type[Operation], Rule]
    types: TypeMap | None = None
    legal: Mapping[str, Legality] = field(default_factory=dict[str, Legality])
    """By op name or dialect, the name first; "*" is all others. Ops of no entry may stay, those that an entry calls
    legal do: they are not converted, even if there is a rule."""
    _entries: dict[str, Legality | None] = field(default_factory=dict[str, "Legality | None"], init=False, repr=False)
    """By op name, what `legal` says of it."""

    def apply(self, root: Operation) -> int:
        """Convert the ops below `root`, outer ops before those in their regions. Returns how many.

        Raises UnsupportedOperators naming all illegal ops that are left, with counts and places, and PassError when a
        rule gives values that do not fit.
        """
        _, *ops = root.walk()
        if not ops:
            return 0
        run = _Run(Rewriter(ops[0]), self.types)
        rules = dict(self.rules)
        for op_type in FOLLOWING if self.types is not None else ():
            rules.setdefault(op_type, run.follow)
        converted = 0
        for op in ops:
            rule = rules.get(type(op))
            if rule is None or not _is_below(op, root) or self.verdict(op):
                continue
            run.convert(op, rule)
            converted += 1
        if self.types is not None:
            resolve_casts(root)
        self.check(root)
        return converted

    def verdict(self, op: Operation) -> bool | None:
        """Whether `op` is legal; None when no entry speaks of it."""
        if op.name not in self._entries:
            keys = (op.name, op.name.partition(".")[0], "*")
            self._entries[op.name] = next((self.legal[key] for key in keys if key in self.legal), None)
        entry = self._entries[op.name]
        return entry(op) if callable(entry) else entry

    def check(self, root: Operation) -> None:
        """Raise UnsupportedOperators when illegal ops are left below `root`."""
        if not self.legal:
            return
        left: dict[str, list[Operation]] = {}
        for op in root.walk():
            if op is not root and self.verdict(op) is False:
                left.setdefault(op.name, []).append(op)
        if left:
            raise UnsupportedOperators([_unsupported(name, ops) for name, ops in left.items()])


class Place(Protocol):
    """What the rules of a translation build into."""

    location: LocationAttr
    """That of the op whose rule runs: what the rule builds has it."""


PlaceT = TypeVar("PlaceT", bound=Place)


@dataclass(frozen=True)
class Translation(Generic[PlaceT]):
    """What is built elsewhere for ops that stay as they are. What stands for their values is the rules' own affair."""

    rules: Mapping[type[Operation], Callable[[Any, PlaceT], None]]

    def apply(self, ops: Iterable[Operation], place: PlaceT) -> int:
        """Translate `ops` in their order into `place`, passing over those without a rule. Returns how many have one."""
        translated = 0
        for op in ops:
            rule = self.rules.get(type(op))
            if rule is not None:
                place.location = op.location
                rule(op, place)
                translated += 1
        return translated


def _unsupported(name: str, ops: Sequence[Operation]) -> UnsupportedOperator:
    places = tuple(place for op in ops if (place := location_of(op)) is not None)
    return UnsupportedOperator(name, len(ops), places)


def _is_below(op: Operation, root: Operation) -> bool:
    """Whether `op` is still in the program: the rule of an outer op may have taken it out."""
    current = op.parent_op()
    while current is not None and current is not root:
        current = current.parent_op()
    return current is root


class _Run:
    """One run: converts ops one after another, with casts where types change."""

    def __init__(self, rewriter: Rewriter, types: TypeMap | None) -> None:
        self.rewriter = rewriter
        self.types = types
        self._casts: dict[SSAValue, SSAValue] = {}
        """Values of old types in their new ones: one cast each, behind the value, serves all that are converted."""

    def convert(self, op: Operation, rule: Rule) -> None:
        """Put what `rule` builds in the place of `op`; value names are kept."""
        self.rewriter.move_to(op)
        if self.types is not None:
            self._enter(op)
        try:
            replacement = rule(op, self.rewriter)
        except VerifyException as error:
            raise error_at(op, str(error), InputError) from None
        if replacement is op:
            for result in tuple(op.results):
                self._retype(result, InsertPoint.after(op))
            return
        values = replacement.results if isinstance(replacement, Operation) else replacement
        if len(values) != len(op.results):
            raise error_at(op, f"its rule gave {len(values)} values for {len(op.results)} results")
        self.rewriter.put_in_place(op, [self._as(*pair, op) for pair in zip(values, op.results, strict=True)])

    def follow(self, op: Operation, rewriter: Rewriter) -> Operation:
        """The rule of ops that follow the type map: operands, blocks and results do anyhow; here a function's type."""
        for name, attribute in op.properties.items():
            if isinstance(attribute, FunctionType):
                inputs, outputs = (
                    [self._new(value_type) for value_type in types] for types in (attribute.inputs, attribute.outputs)
                )
                op.properties[name] = FunctionType.from_lists(inputs, outputs)
        return op

    def _new(self, value_type: Attribute) -> Attribute:
        return value_type if self.types is None else self.types(value_type)

    def _enter(self, op: Operation) -> None:
        """Give the op operands and block arguments of new types."""
        op.operands = [self._converted(value) for value in op.operands]
        for region in op.regions:
            for block in region.blocks:
                for argument in block.args:
                    self._retype(argument, InsertPoint.at_start(block))

    def _converted(self, value: SSAValue) -> SSAValue:
        """The value in its new type: what was cast back for the users that are not converted, else a cast."""
        new, maker = self._new(value.type), value.owner
        if new == value.type:
            return value
        if isinstance(maker, UnrealizedConversionCastOp) and maker.inputs[0].type == new:
            return maker.inputs[0]
        if value not in self._casts:
            point = InsertPoint.after(maker) if isinstance(maker, Operation) else InsertPoint.at_start(maker)
            self._casts[value] = self._cast(value, new, point)
        return self._casts[value]

    def _as(self, value: SSAValue, old: SSAValue, op: Operation) -> SSAValue:
        """What takes the place of the result `old` of `op`: `value`, cast back for users that are not converted."""
        if value.type == old.type:
            return value
        if value.type != (new := self._new(old.type)):
            raise error_at(op, f"its rule gave a {value.type} for a {old.type}, which becomes {new}")
        return self._cast(value, old.type)

    def _retype(self, value: SSAValue, behind: InsertPoint) -> None:
        """Give `value` its new type, and cast it back for its users."""
        old, new = value.type, self._new(value.type)
        if old == new:
            return
        value = self.rewriter.replace_value_with_new_type(value, new)
        users = list(value.uses)
        if users:
            back = self._cast(value, old, behind)
            for use in users:
                use.operation.operands[use.index] = back

    def _cast(self, value: SSAValue, result_type: Attribute, point: InsertPoint | None = None) -> SSAValue:
        op, result = UnrealizedConversionCastOp.cast_one(value, result_type)
        self.rewriter.insert(op, point)
        return result


def resolve_casts(root: Operation) -> None:
    """Take out the casts below `root` that undo one another, and those that nobody needs."""
    casts = [op for op in root.walk() if isinstance(op, UnrealizedConversionCastOp)]
    for cast in casts:
        maker = cast.inputs[0].owner
        if isinstance(maker, UnrealizedConversionCastOp) and maker.inputs[0].type == cast.outputs[0].type:
            cast.outputs[0].replace_all_uses_with(maker.inputs[0])
    for cast in reversed(casts):
        if cast.outputs[0].first_use is None:
            cast.detach()
            cast.erase()
