"""passes/rewriting/driver.py: what the driver visits and when, what it keeps, and where it stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i32, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from sambaflow.diagnostics import location_of
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import PassError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.verification import verify_module
from sambaflow.passes.rewriting.driver import Pattern, Replacement, Rewriter, pattern, rewrite


def parsed(*lines: str) -> ModuleOp:
    """A function of %x and %y that returns %r, or the last op; the first line is line 2 of the text."""
    last = "%r" if any(line.startswith("%r ") for line in lines) else lines[-1].split(" ")[0]
    text = "\n".join(["func.func @f(%x: i32, %y: i32) -> i32 {", *lines, f"return {last} : i32", "}"])
    return parse_module(text, "f.mlir", SambaContext(allow_unregistered=True))


def ops_of(module: ModuleOp, kind: type[Operation] = Operation) -> list[Operation]:
    """The ops inside of functions, of one kind."""
    return [op for op in module.walk() if isinstance(op, kind) and not isinstance(op, ModuleOp | FuncOp | ReturnOp)]


def constant(value: SSAValue) -> int | None:
    owner = value.owner
    number = owner.value if isinstance(owner, arith.ConstantOp) else None
    return number.value.data if isinstance(number, IntegerAttr) else None


@pattern(arith.AddiOp)
def add_zero(op: arith.AddiOp, rewriter: Rewriter) -> Replacement:
    """x + 0 is x."""
    return [op.lhs] if constant(op.rhs) == 0 else None


@pattern(arith.AddiOp)
def double(op: arith.AddiOp, rewriter: Rewriter) -> Replacement:
    """x + x is 2 * x."""
    if op.lhs is not op.rhs:
        return None
    two = rewriter.insert(arith.ConstantOp.from_int_and_width(2, i32))
    return rewriter.insert(arith.MuliOp(op.lhs, two.result))


@pattern(arith.SubiOp)
def subtract_itself(op: arith.SubiOp, rewriter: Rewriter) -> Replacement:
    """x - x is 0."""
    return rewriter.insert(arith.ConstantOp.from_int_and_width(0, i32)) if op.lhs is op.rhs else None


# ---- what is kept


def test_new_ops_have_the_place_and_the_name_of_the_op_they_replace():
    module = parsed("%sum = arith.addi %x, %x : i32")
    assert rewrite(module, [double]).counts == {"double": 1}
    verify_module(module)
    (two, product) = ops_of(module)
    assert (str(location_of(two)), str(location_of(product))) == ("f.mlir:2:8", "f.mlir:2:8")
    assert product.results[0].name_hint == "sum"


def test_dead_ops_stay_unless_they_are_to_go():
    lines = ("%z = arith.constant 0 : i32", "%unused = arith.muli %y, %y : i32", "%sum = arith.addi %x, %z : i32")
    module = parsed(*lines, "%r = arith.muli %sum, %sum : i32")
    assert rewrite(module, [add_zero]).erased == 0
    assert [op.name for op in ops_of(module)] == ["arith.constant", "arith.muli", "arith.muli"]
    assert rewrite(module, [add_zero], erase_dead=True).erased == 2
    assert [op.name for op in ops_of(module)] == ["arith.muli"]


# A chain dies from its end, also where its start was visited long before.
def test_what_a_rewrite_leaves_dead_goes_with_all_that_led_to_it():
    chain = [f"%{i + 1} = arith.muli %{i}, %y : i32" for i in range(20)]
    module = parsed("%0 = arith.muli %x, %x : i32", *chain, "%r = arith.subi %20, %20 : i32")
    done = rewrite(module, [subtract_itself], erase_dead=True)
    assert (done.erased, done.count) == (21, 22)
    assert [op.name for op in ops_of(module)] == ["arith.constant"]


def test_nothing_outside_of_the_root_is_touched():
    module = parsed('%a = arith.addi %x, %x : i32', '%r = "test.loop"() ({', '%b = arith.addi %a, %a : i32',
                    '"test.end"(%b) : (i32) -> ()', '}) : () -> i32')  # fmt: skip
    loop = next(op for op in ops_of(module) if op.regions)
    assert rewrite(loop, [double], erase_dead=True).counts == {"double": 1}
    assert [op.name for op in ops_of(module)].count("arith.addi") == 1


# ---- what is visited, and when


def visits(module: ModuleOp, *patterns: Pattern, **options: bool) -> list[str]:
    """The name hints of the results of all ops in the order in which they were visited."""
    seen: list[str] = []

    @pattern(arith.AddiOp, arith.MuliOp, benefit=9)
    def watch(op: Operation, rewriter: Rewriter) -> Replacement:
        seen.append(op.results[0].name_hint or "new")
        return None

    rewrite(module, [watch, *patterns], **options)
    return seen


def test_ops_are_visited_in_the_order_of_the_program_then_what_changed():
    lines = ("%a = arith.muli %x, %y : i32", "%b = arith.addi %a, %a : i32", "%c = arith.muli %b, %a : i32")
    assert visits(parsed(*lines)) == ["a", "b", "c"]
    # %b becomes a product: that (which has %b's name) and then its user %c; %a, which lost uses to it, has others left
    assert visits(parsed(*lines), double) == ["a", "b", "b", "c"]


# One rewrite in the middle of a long program makes the driver look at its neighbours again, not at the program.
def test_a_rewrite_costs_its_neighbourhood():
    chain = [f"%{i + 1} = arith.muli %{i}, %y : i32" for i in range(400)]
    chain[200] = "%201 = arith.addi %200, %200 : i32"
    module = parsed("%0 = arith.muli %x, %x : i32", *chain)
    assert len(visits(module, double)) <= 401 + 3


def test_an_op_whose_operand_changed_is_tried_again():
    # %b is visited before %c becomes 0; only that lets it fit
    @pattern(arith.MuliOp)
    def times_zero(op: arith.MuliOp, rewriter: Rewriter) -> Replacement:
        return op.rhs.owner if isinstance(op.rhs.owner, Operation) and constant(op.rhs) == 0 else None

    module = parsed("%a = arith.subi %x, %x : i32", "%b = arith.muli %y, %a : i32", "%c = arith.muli %x, %b : i32")
    rewrite(module, [times_zero, subtract_itself])
    assert constant(ops_of(module)[-1].results[0]) == 0 and not ops_of(module, arith.MuliOp)


def product_of_four(op: arith.MuliOp, rewriter: Rewriter) -> Replacement:
    """Fits a product of a product of a product of a product: it looks three edges up."""
    makers = [op.lhs.owner]
    while isinstance(last := makers[-1], arith.MuliOp):
        makers.append(last.lhs.owner)
    return [op.rhs] if len(makers) > 3 else None


# %p becomes a product when %d, at the end, is visited; three edges below it stands %g, which was tried before.
@pytest.mark.parametrize(("depth", "applied"), [(1, 0), (3, 1)])
def test_below_a_change_ops_are_tried_as_deep_as_patterns_look(depth: int, applied: int):
    @pattern(arith.XOrIOp)
    def late(op: arith.XOrIOp, rewriter: Rewriter) -> Replacement:
        """Turns the sum that it reads into a product."""
        total = op.lhs.owner
        if not isinstance(total, arith.AddiOp):
            return None
        rewriter.replace(total, arith.MuliOp(total.lhs, total.rhs))
        return op

    deep = pattern(arith.MuliOp, depth=depth)(product_of_four)
    module = parsed(
        "%p = arith.addi %x, %y : i32", "%e = arith.muli %p, %x : i32", "%f = arith.muli %e, %x : i32",
        "%g = arith.muli %f, %x : i32", "%d = arith.xori %p, %g : i32",
    )  # fmt: skip
    assert rewrite(module, [late, deep]).counts.get("product_of_four", 0) == applied


def test_a_maker_is_tried_again_when_one_use_of_it_is_left():
    @pattern(arith.MuliOp)
    def only_used_once(op: arith.MuliOp, rewriter: Rewriter) -> Replacement:
        return rewriter.insert(arith.AddiOp(op.lhs, op.rhs)) if op.result.has_one_use() else None

    module = parsed("%a = arith.muli %x, %y : i32", "%b = arith.subi %a, %a : i32", "%c = arith.ori %a, %b : i32")
    done = rewrite(module, [only_used_once, subtract_itself])
    assert done.counts == {"subtract_itself": 1, "only_used_once": 1}


def test_an_op_changed_in_place_is_visited_again_and_what_it_no_longer_reads_may_die():
    @pattern(arith.MuliOp)
    def read_x(op: arith.MuliOp, rewriter: Rewriter) -> Replacement:
        if not isinstance(op.lhs.owner, arith.AddiOp):
            return None
        op.operands = [op.lhs.owner.lhs, op.rhs]
        return op

    module = parsed("%a = arith.addi %x, %y : i32", "%b = arith.addi %a, %y : i32", "%c = arith.muli %b, %y : i32")
    done = rewrite(module, [read_x], erase_dead=True)
    assert (done.counts, done.erased) == ({"read_x": 2}, 2)
    assert [op.name for op in ops_of(module)] == ["arith.muli"]


def test_regions_are_visited_and_what_is_erased_with_an_op_is_not():
    @pattern()
    def drop(op: Operation, rewriter: Rewriter) -> Replacement:
        return op.operands if "drop" in op.attributes else None

    lines = ('%r = "test.op"(%x) ({', "%a = arith.addi %x, %x : i32", "}) ATTRIBUTES : (i32) -> i32")
    plain = parsed(*(line.replace("ATTRIBUTES", "") for line in lines))
    assert rewrite(plain, [drop, double]).counts == {"double": 1}
    dropped = parsed(*(line.replace("ATTRIBUTES", "{drop}") for line in lines))
    assert rewrite(dropped, [drop, double]).counts == {"drop": 1}


def test_ops_of_an_inlined_block_are_visited_again():
    @pattern(benefit=2)
    def inline(op: Operation, rewriter: Rewriter) -> Replacement:
        if not op.regions or not isinstance(op.parent_op(), FuncOp):
            return None
        block = op.regions[0].block
        end = block.last_op
        assert end is not None
        values = list(end.operands)
        rewriter.erase(end)
        rewriter.inline_block(block, rewriter.insertion_point, op.operands)
        return values

    @pattern(arith.AddiOp)
    def in_function(op: arith.AddiOp, rewriter: Rewriter) -> Replacement:
        fits = op.lhs is op.rhs and isinstance(op.parent_op(), FuncOp)
        return rewriter.insert(arith.MuliOp(op.lhs, op.rhs)) if fits else None

    lines = ('%r = "test.op"(%x) ({', "^bb0(%e: i32):", "%a = arith.addi %e, %e : i32", '"test.end"(%a) : (i32) -> ()',
             "}) : (i32) -> i32")  # fmt: skip
    module = parsed(*lines)
    assert rewrite(module, [inline, in_function]).counts == {"inline": 1, "in_function": 1}
    verify_module(module)
    assert [op.name for op in ops_of(module)] == ["arith.muli"]


# ---- which pattern


def test_the_greatest_benefit_goes_first_then_the_order_given():
    def named(name: str, benefit: int = 1) -> Pattern:
        def one(op: arith.AddiOp, rewriter: Rewriter) -> Replacement:
            return [op.lhs]

        one.__name__ = name
        return pattern(arith.AddiOp, benefit=benefit)(one)

    def first(*patterns: Pattern) -> str:
        (name,) = rewrite(parsed("%a = arith.addi %x, %y : i32"), patterns).counts
        return name

    assert first(named("a"), named("b", 2), named("c", 2)) == "b"
    assert first(named("a"), named("b")) == "a"


class XorToOr(RewritePattern):
    """A pattern of xDSL."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: arith.XOrIOp, rewriter: PatternRewriter, /) -> None:
        rewriter.replace(op, arith.OrIOp(op.lhs, op.rhs))


def test_patterns_of_xdsl_are_taken_and_keep_places():
    module = parsed("%a = arith.xori %x, %y : i32")
    assert rewrite(module, [XorToOr(), double]).counts == {"XorToOr": 1}
    (new,) = ops_of(module)
    assert (new.name, str(location_of(new)), new.results[0].name_hint) == ("arith.ori", "f.mlir:2:6", "a")


# ---- where it stops


@pattern(arith.AddiOp)
def to_product(op: arith.AddiOp, rewriter: Rewriter) -> Replacement:
    return rewriter.insert(arith.MuliOp(op.lhs, op.rhs))


@pattern(arith.MuliOp)
def to_sum(op: arith.MuliOp, rewriter: Rewriter) -> Replacement:
    return rewriter.insert(arith.AddiOp(op.lhs, op.rhs))


@pattern(arith.AddiOp)
def grow(op: arith.AddiOp, rewriter: Rewriter) -> Replacement:
    inner = rewriter.insert(arith.AddiOp(op.lhs, op.rhs))
    return rewriter.insert(arith.AddiOp(inner.result, op.rhs))


@pytest.mark.parametrize(
    ("patterns", "fired"), [([to_product, to_sum], "'to_product' 11 times"), ([grow], "'grow' 21")]
)
def test_patterns_without_end_are_an_error_that_names_them(patterns: list[Pattern], fired: str):
    module = parsed("%a = arith.addi %x, %y : i32")
    with pytest.raises(PassError, match="rewritten without end") as caught:
        rewrite(module, patterns, limit=20)
    assert fired in caught.value.message
    assert str(caught.value.location) == "f.mlir:2:6"
    assert caught.value.limit == "20 rewrites"
    assert "guard" in caught.value.levers[0]
    verify_module(module)


def test_the_limit_can_be_a_result_and_as_many_rewrites_as_it_are_no_error():
    assert not rewrite(parsed("%a = arith.addi %x, %y : i32"), [to_product, to_sum], must_converge=False).converged
    chain = [f"%{i + 1} = arith.addi %{i}, %y : i32" for i in range(20)]
    assert rewrite(parsed("%0 = arith.muli %x, %y : i32", *chain), [to_product], limit=20).converged


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda op, rewriter: [], "gave 0 values for 1 results"),
        (lambda op, rewriter: rewriter.insert(arith.ExtSIOp(op.lhs, i64)), "gave a i64 for a i32"),
        (lambda op, rewriter: rewriter.erase(op, safe_erase=False), "changed the program, then said"),
    ],
)
def test_a_wrong_pattern_is_an_error_about_its_op(function: Callable[..., Replacement], message: str):
    with pytest.raises(PassError, match=message) as caught:
        rewrite(parsed("%a = arith.addi %x, %y : i32"), [pattern(arith.AddiOp)(function)])
    assert str(caught.value.location) == "f.mlir:2:6"


# ---- any program, any set of patterns


@pattern(arith.MuliOp)
def multiply_by_one(op: arith.MuliOp, rewriter: Rewriter) -> Replacement:
    return [op.lhs] if constant(op.rhs) == 1 else None


@pattern(arith.AddiOp, arith.MuliOp)
def constant_right(op: arith.AddiOp | arith.MuliOp, rewriter: Rewriter) -> Replacement:
    if constant(op.lhs) is None or constant(op.rhs) is not None:
        return None
    op.operands = [op.rhs, op.lhs]
    return op


@pattern(arith.AddiOp, arith.MuliOp, arith.SubiOp)
def fold(op: Operation, rewriter: Rewriter) -> Replacement:
    numbers = [constant(value) for value in op.operands]
    if None in numbers:
        return None
    result = EVALUATE[op.name](*numbers) % 1000
    return rewriter.insert(arith.ConstantOp.from_int_and_width(result, i32))


@pattern(arith.SubiOp, depth=2)
def subtract_sum(op: arith.SubiOp, rewriter: Rewriter) -> Replacement:
    """(x + y) - y is x."""
    total = op.lhs.owner
    return [total.lhs] if isinstance(total, arith.AddiOp) and total.rhs is op.rhs else None


@pattern(arith.MuliOp, depth=2)
def distribute(op: arith.MuliOp, rewriter: Rewriter) -> Replacement:
    """(x + c) * d is x * d + c * d, for constants, which the sum does not share: code grows, but not without end."""
    total = op.lhs.owner
    if not isinstance(total, arith.AddiOp) or constant(total.rhs) is None or constant(op.rhs) is None:
        return None
    left, right = (rewriter.insert(arith.MuliOp(part, op.rhs)) for part in (total.lhs, total.rhs))
    return rewriter.insert(arith.AddiOp(left.result, right.result))


EVALUATE: Mapping[str, Callable[..., int]] = {
    "arith.addi": lambda a, b: a + b,
    "arith.muli": lambda a, b: a * b,
    "arith.subi": lambda a, b: a - b,
}
SOUND = [add_zero, double, subtract_itself, multiply_by_one, constant_right, fold, subtract_sum, distribute]


def run(module: ModuleOp, x: int, y: int) -> int:
    """What the function returns, modulo 1000."""
    (function,) = (op for op in module.ops if isinstance(op, FuncOp))
    known: dict[SSAValue, int] = dict(zip(function.body.block.args, (x, y), strict=True))
    for op in function.body.block.ops:
        if isinstance(op, ReturnOp):
            return known[op.operands[0]]
        number = constant(op.results[0])
        value = EVALUATE[op.name](*(known[operand] for operand in op.operands)) if number is None else number
        known[op.results[0]] = value % 1000
    raise AssertionError("no return")


@st.composite
def programs(draw: st.DrawFn) -> ModuleOp:
    """Sums, products, differences and small constants in any order, on any values before."""
    names, lines = ["x", "y"], list[str]()
    for i in range(draw(st.integers(1, 16))):
        name = draw(st.sampled_from(["addi", "muli", "subi", "constant"]))
        a, b = (draw(st.sampled_from(names[-6:])) for _ in range(2))
        number = draw(st.integers(0, 2))
        lines.append(f"%v{i} = arith.constant {number} : i32" if name == "constant"
                     else f"%v{i} = arith.{name} %{a}, %{b} : i32")  # fmt: skip
        names.append(f"v{i}")
    return parsed(*lines)


# Whatever the patterns and their order: it ends, values are defined before they are used, every op has the place of an
# op of the program, the function computes the same, and afterwards no pattern fits anywhere.
@given(programs(), st.lists(st.sampled_from(SOUND), unique_by=id, min_size=1), st.booleans())
@settings(max_examples=120, deadline=None)
def test_rewriting_ends_and_keeps_dominance_places_and_meaning(module: ModuleOp, patterns: list[Pattern], erase: bool):
    places = {str(location_of(op)) for op in module.walk()}
    points = [(3, 5), (7, 0), (1, 998)]
    before = [run(module, *point) for point in points]
    assert rewrite(module, patterns, erase_dead=erase).converged
    verify_module(module)
    assert {str(location_of(op)) for op in module.walk()} <= places
    assert [run(module, *point) for point in points] == before
    again = rewrite(module, patterns, erase_dead=erase)
    assert again.count == 0, again.counts
    if erase:
        assert all(op.results[0].first_use is not None for op in ops_of(module))
