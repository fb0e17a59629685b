"""passes/rewriting/rules.py: what a source graph matches, what a target graph builds, and which rules make no sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation, OpResult, SSAValue

from sambaflow.diagnostics import location_of
from sambaflow.dialects.samba import OPERATORS, SambaOp
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError
from sambaflow.passes.framework.base import functions_of
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.verification import verify_module
from sambaflow.passes.rewriting.driver import rewrite
from sambaflow.passes.rewriting.matcher import GraphPattern, Node
from sambaflow.passes.rewriting.rules import Becomes, Build, RewriteRule, RuleInput, op, rewrite_rule, setting_of

T = "tensor<2x3xi64>"
ATTRIBUTES = {"softmax": " {dim = -1}"}


def parsed(*lines: str, tensor_type: str = T) -> ModuleOp:
    """A function of %x and %y that returns its last value. Each line is `name operands...`, the ops give %0, %1, ...;
    the first one is line 2 of the text."""
    text = [f"func.func @f(%x: {tensor_type}, %y: {tensor_type}) -> {tensor_type} {{"]
    for i, line in enumerate(lines):
        name, *operands = line.split(" ")
        values = ", ".join(f"%{operand}" for operand in operands)
        types = ", ".join(tensor_type for _ in operands)
        text.append(f"%{i} = samba.{name} {values}{ATTRIBUTES.get(name, '')} : ({types}) -> {tensor_type}")
    text += [f"func.return %{len(lines) - 1} : {tensor_type}", "}"]
    return parse_module("\n".join(text), "f.mlir", SambaContext())


def written(module: ModuleOp) -> list[str]:
    """The function's ops as `parsed` takes them."""
    (function,) = functions_of(module)
    names: dict[SSAValue, str] = dict(zip(function.body.block.args, ("x", "y"), strict=True))
    lines: list[str] = []
    for inner in function.body.block.ops:
        lines.append(" ".join([inner.name.partition(".")[2], *(names[operand] for operand in inner.operands)]))
        names.update((result, str(len(lines) - 1)) for result in inner.results)
    return lines


def applied(rule: RewriteRule, *lines: str, erase_dead: bool = True) -> list[str]:
    """What a rule makes of a function."""
    module = parsed(*lines)
    rewrite(module, [rule], erase_dead=erase_dead)
    verify_module(module)
    return written(module)


# ---- what matches


@rewrite_rule
def subtract_from_negated(x: RuleInput) -> Becomes:
    """neg(x) - x, with this one x."""
    return op("sub", op("neg", x), x).becomes(op("abs", x))


# Operands are told apart, and a value of one name is one value.
@pytest.mark.parametrize(
    ("lines", "result"),
    [
        (("neg x", "sub 0 x"), ["abs x", "return 0"]),
        (("neg x", "sub x 0"), ["neg x", "sub x 0", "return 1"]),
        (("neg x", "sub 0 y"), ["neg x", "sub 0 y", "return 1"]),
    ],
)
def test_positions_and_names_count(lines: Sequence[str], result: list[str]):
    assert applied(subtract_from_negated, *lines) == result


@rewrite_rule
def gate(x: RuleInput) -> Becomes:
    """x * abs(x), in either order."""
    return op("mul", x, op("abs", x), any_order=True).becomes(op("relu", x))


@pytest.mark.parametrize("order", ["mul x 0", "mul 0 x"])
def test_operands_may_stand_in_any_order_where_that_is_said(order: str):
    assert applied(gate, "abs x", order) == ["relu x", "return 0"]
    assert applied(gate, "abs y", order) == ["abs y", order, "return 1"]


@rewrite_rule
def negated_sum(x: RuleInput, y: RuleInput) -> Becomes:
    """neg(x + y), where the sum may be wrapped in a relu."""
    return op("neg", op("relu", op("add", x, y), optional=True)).becomes(op("maximum", x, y))


def test_an_optional_op_may_be_absent():
    assert applied(negated_sum, "add x y", "relu 0", "neg 1") == ["maximum x y", "return 0"]
    assert applied(negated_sum, "add x y", "neg 0") == ["maximum x y", "return 0"]
    assert applied(negated_sum, "add x y", "abs 0", "neg 1") == ["add x y", "abs 0", "neg 1", "return 2"]


@rewrite_rule
def square(x: RuleInput) -> Becomes:
    """abs(x) * abs(x)."""
    return op("mul", op("abs", x), op("abs", x)).becomes(op("mul", x, x))


def test_two_ops_of_a_source_may_be_one_of_the_program():
    assert applied(square, "abs x", "mul 0 0") == ["mul x x", "return 0"]
    assert applied(square, "abs x", "abs x", "mul 0 1") == ["mul x x", "return 0"]


def test_settings_and_where_are_conditions():
    @rewrite_rule
    def plain(x: RuleInput, y: RuleInput) -> Becomes:
        return op("add", x, y, alpha=2, where=lambda add: add.operands[0] is not add.operands[1]).becomes(op("neg", x))

    def after(attributes: str, operands: str = "%x, %y") -> str:
        text = f"%0 = samba.add {operands} {attributes} : ({T}, {T}) -> {T}"
        module = parse_module(f"func.func @f(%x: {T}, %y: {T}) {{\n{text}\nreturn\n}}", "f", SambaContext())
        rewrite(module, [plain])
        return written(module)[0]

    assert after("{alpha = 2}") == "neg x"
    assert after("{alpha = 3}") == "add x y"
    assert after("") == "add x y"
    assert after("{alpha = 2}", "%x, %x") == "add x x"


def test_a_setting_that_is_not_there_is_none():
    module = parsed("softmax x")
    (softmax,) = (inner for inner in module.walk() if isinstance(inner, SambaOp))
    assert (setting_of(softmax, "dim"), setting_of(softmax, "dtype"), setting_of(softmax, "other")) == (-1, None, None)


# ---- what is built


@rewrite_rule
def merge_negations(x: RuleInput) -> Becomes:
    return op("neg", op("neg", x)).becomes(x)


def test_matched_ops_with_other_users_stay():
    assert applied(merge_negations, "neg x", "neg 0", "add 0 1") == ["neg x", "add 0 x", "return 1"]


def test_matched_ops_stay_where_dead_code_does():
    assert applied(merge_negations, "neg x", "neg 0", "abs 1", erase_dead=False) == ["neg x", "abs x", "return 1"]


def test_new_ops_have_the_place_and_name_of_the_root():
    module = parsed("abs x", "mul x 0")
    (_, root) = (inner for inner in module.walk() if isinstance(inner, SambaOp))
    root.results[0].name_hint = "gated"
    rewrite(module, [gate], erase_dead=True)
    (new,) = (inner for inner in module.walk() if isinstance(inner, SambaOp))
    assert (new.name, new.results[0].name_hint, str(location_of(new))) == ("samba.relu", "gated", "f.mlir:3:6")


def test_settings_come_from_what_was_matched():
    @rewrite_rule
    def weighted(x: RuleInput, y: RuleInput) -> Becomes:
        total = op("add", x, op("neg", y))
        return total.becomes(op("sub", x, y, alpha=total["alpha"]))

    @rewrite_rule
    def doubled(x: RuleInput, y: RuleInput) -> Becomes:
        total = op("sub", x, y)
        return total.becomes(op("add", x, y, alpha=lambda match: 2 * match[total].attr("alpha")))

    text = (f"func.func @f(%x: {T}, %y: {T}) -> {T} {{\n%0 = samba.neg %y : {T}\n"
            f"%1 = samba.add %x, %0 {{alpha = 5}} : ({T}, {T}) -> {T}\nreturn %1 : {T}\n}}")  # fmt: skip
    module = parse_module(text, "f", SambaContext())
    assert rewrite(module, [weighted, doubled], erase_dead=True).counts == {"weighted": 1, "doubled": 1}
    assert f"samba.add %x, %y {{alpha = 10}} : ({T}, {T}) -> {T}" in str(module)


def test_an_op_like_a_matched_one_takes_its_settings_and_notes():
    @rewrite_rule
    def swap(x: RuleInput, y: RuleInput) -> Becomes:
        total = op("add", x, y, where=lambda add: "swap" in add.attributes)
        return total.becomes(op("sub", y, x, like=total))

    module = parsed("add x y")
    (total,) = (inner for inner in module.walk() if isinstance(inner, SambaOp))
    total.properties["alpha"] = OPERATORS["add"].attributes[-1].kind.encode(7)
    total.attributes["swap"] = StringAttr("note")
    rewrite(module, [swap])
    assert f'samba.sub %y, %x {{alpha = 7, swap = "note"}} : ({T}, {T}) -> {T}' in str(module)


def test_the_rest_of_the_operands_may_be_none_or_many():
    @rewrite_rule
    def last_first(x: RuleInput, *rest: RuleInput) -> Becomes:
        return op("cat", op("neg", x), *rest).becomes(op("cat", *rest, x))

    def after(operands: str, count: int) -> str:
        lines = [f"%0 = samba.neg %x : {T}"]
        types = ", ".join([T] * count)
        lines.append(f"%1 = samba.cat {operands} : ({types}) -> tensor<{2 * count}x3xi64>")
        text = "\n".join([f"func.func @f(%x: {T}, %y: {T}) {{", *lines, "return", "}"])
        module = parse_module(text, "f", SambaContext())
        rewrite(module, [last_first])
        verify_module(module)
        return written(module)[1]

    assert after("%0", 1) == "cat x"
    assert after("%0, %y, %x", 3) == "cat y x x"


def test_results_of_ops_are_told_apart_and_roots_may_have_several():
    text = f"""func.func @f(%x: {T}, %y: {T}) -> (tensor<1x3xi64>, tensor<1x3xi64>) {{
      %0 = samba.neg %x : {T}
      %1:2 = samba.chunk %0 {{chunks = 2}} : ({T}) -> (tensor<1x3xi64>, tensor<1x3xi64>)
      %2 = samba.sub %1#1, %1#0 : (tensor<1x3xi64>, tensor<1x3xi64>) -> tensor<1x3xi64>
      %3 = samba.sub %1#0, %1#1 : (tensor<1x3xi64>, tensor<1x3xi64>) -> tensor<1x3xi64>
      return %2, %3 : tensor<1x3xi64>, tensor<1x3xi64>
    }}"""

    @rewrite_rule
    def second_less_first(x: RuleInput) -> Becomes:
        halves = op("chunk", x)
        return op("sub", halves.result(1), halves).becomes(op("abs", halves.result(1)))

    @rewrite_rule
    def swap_halves(x: RuleInput) -> Becomes:
        new = op("chunk", x, chunks=2)
        return op("chunk", op("neg", x)).becomes(new.result(1), new)

    module = parse_module(text, "f", SambaContext())
    assert rewrite(module, [second_less_first]).counts == {"second_less_first": 1}
    (absolute,) = (inner for inner in module.walk() if inner.name == "samba.abs")

    def half() -> int:
        operand = absolute.operands[0]
        assert isinstance(operand, OpResult)
        return operand.index

    assert half() == 1
    rewrite(module, [swap_halves], erase_dead=True)
    verify_module(module)
    assert half() == 0


def test_ops_of_other_dialects_are_given_by_class():
    @rewrite_rule
    def double(x: RuleInput) -> Becomes:
        return op(arith.AddiOp, x, x).becomes(op(arith.MuliOp, x, x))

    text = "func.func @f(%x: i32) -> i32 {\n%0 = arith.addi %x, %x : i32\nreturn %0 : i32\n}"
    module = parse_module(text, "f", SambaContext())
    assert rewrite(module, [double]).count == 1
    assert "arith.muli %x, %x : i32" in str(module)


# ---- where a rule does not apply


def test_a_value_does_not_replace_one_of_another_type_and_nothing_is_left_behind():
    @rewrite_rule
    def too_early(x: RuleInput) -> Becomes:
        """Gives an i1 for an i64, and builds something for it."""
        return op("neg", x).becomes(op("eq", op("abs", x), x))

    module = parsed("neg x")
    x = functions_of(module)[0].body.block.args[0]
    assert rewrite(module, [too_early]).count == 0
    assert written(module) == ["neg x", "return 0"]
    assert x.has_one_use()


def test_a_result_that_an_op_does_not_have_is_no_match_and_builds_nothing():
    @rewrite_rule
    def reads_third(x: RuleInput) -> Becomes:
        return op("neg", op(("chunk", "neg"), x).result(2)).becomes(x)

    @rewrite_rule
    def gives_third(x: RuleInput) -> Becomes:
        inner = op("neg", x)
        return op("neg", inner).becomes(inner.result(2))

    module = parsed("neg x", "neg 0")
    assert rewrite(module, [reads_third, gives_third]).count == 0


def test_a_rule_whose_target_does_not_take_the_operands_does_not_apply():
    @rewrite_rule
    def multiplied(x: RuleInput, y: RuleInput) -> Becomes:
        return op("add", x, y).becomes(op("matmul", op("abs", x), y))

    module = parsed("add x y")  # 2x3 times 2x3 is no product
    assert rewrite(module, [multiplied]).count == 0
    assert functions_of(module)[0].body.block.args[0].has_one_use()


# ---- rules that make no sense


def wrong_source_name(x: RuleInput) -> Becomes:
    return op("nge", x).becomes(x)


def wrong_target_name(x: RuleInput) -> Becomes:
    return op("neg", x).becomes(op("nge", x))


def wrong_setting(x: RuleInput) -> Becomes:
    return op("softmax", x).becomes(op("softmax", x, dims=1))


def optional_root(x: RuleInput) -> Becomes:
    return op("neg", x, optional=True).becomes(x)


def rest_in_the_middle(x: RuleInput, *rest: RuleInput) -> Becomes:
    return op("cat", *rest, x).becomes(x)


def like_a_new_one(x: RuleInput) -> Becomes:
    new = op("abs", x)
    return op("neg", x).becomes(op("abs", new, like=new))


def reads_what_may_be_absent(x: RuleInput) -> Becomes:
    inner = op("relu", x, optional=True)
    return op("neg", inner).becomes(op("abs", inner))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (wrong_source_name, r"'nge' is no samba operator; did you mean '\w+'\?"),
        (wrong_target_name, "'nge' is no samba operator"),
        (wrong_setting, "samba.softmax has no attribute 'dims'; did you mean 'dim'"),
        (optional_root, "root 'neg_0' must always be there"),
        (rest_in_the_middle, "only the last operand, in order, can be all that follow"),
        (like_a_new_one, "is like 'abs_1', which not every match has"),
        (reads_what_may_be_absent, "reads 'relu_1', which not every match has"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(function: Callable[..., Becomes], message: str):
    with pytest.raises(InputError, match=message):
        rewrite_rule(function)


# A rule as data can be wrong in ways that a function cannot write down.
@pytest.mark.parametrize(
    ("nodes", "results", "message"),
    [
        ([Node("a", ("neg",), operands=("b",))], ("$x",), "the operand 'b': neither a node nor a value"),
        ([Node("a", ("neg",), operands=("$x",))], ("$z",), r"the result reads '\$z'"),
        ([Node("a", ("neg",), operands=("$x",))], ("new", "b"), "the result reads 'b'"),
        (
            [Node("a", ("neg",), operands=("b",)), Node("b", ("abs",), ("a", "c")), Node("c", ("abs",))],
            ("new",),
            "'c' does not lead to its root 'a'",
        ),
        ([Node("new", ("neg",), operands=("$x",))], ("$x",), "'new' is an op of the source and of the target"),
        ([Node("a", ("neg",), ("a",), operands=("$x",))], ("$x",), "'a' is its own descendant"),
    ],
)
def test_rules_as_data_are_checked(nodes: list[Node], results: tuple[str, ...], message: str):
    target = Build("new", "relu", ("$x",) if "$x" in (nodes[0].operands or ()) else ())
    with pytest.raises(InputError, match=message):
        RewriteRule("rule", GraphPattern({node.name: node for node in nodes}), (target,), results)


# ---- any program

RULES = [subtract_from_negated, gate, negated_sum, square, merge_negations]


@st.composite
def programs(draw: st.DrawFn) -> list[str]:
    names, lines = ["x", "y"], list[str]()
    for i in range(draw(st.integers(1, 10))):
        name = draw(st.sampled_from(["neg", "abs", "relu", "add", "sub", "mul"]))
        operands = [draw(st.sampled_from(names[-5:])) for _ in range(2 if name in ("add", "sub", "mul") else 1)]
        lines.append(" ".join([name, *operands]))
        names.append(str(i))
    return lines


def expected(rule: RewriteRule, root: Operation, ops: Sequence[Operation]) -> bool:
    """Whether some ops for the nodes of the rule's source, with or without the optional ones, are a match."""
    (root_name, *others) = rule.source.nodes
    optional = [name for name, node in rule.source.nodes.items() if not node.required]
    for left_out in ([], optional):
        names = [name for name in others if name not in left_out]
        for chosen in product(ops, repeat=len(names)):
            if _is_match(rule, {root_name: root, **dict(zip(names, chosen, strict=True))}, left_out):
                return True
    return False


def _is_match(rule: RewriteRule, chosen: dict[str, Operation], left_out: list[str]) -> bool:
    values: dict[str, SSAValue] = {}

    def stands(name: str, value: SSAValue) -> bool:
        if name in left_out:
            return stands(next(iter(rule.source.nodes[name].operands or ())), value)
        if name in chosen:
            return value.owner is chosen[name]
        return values.setdefault(name, value) is value

    for name, chosen_op in chosen.items():
        node = rule.source.nodes[name]
        orders = [node.operands or ()]
        if node.any_order:
            orders.append(orders[0][::-1])
        if chosen_op.name.partition(".")[2] not in node.op_types or len(chosen_op.operands) != len(orders[0]):
            return False
        before = dict(values)
        for order in orders:
            values = dict(before)
            if all(stands(*pair) for pair in zip(order, chosen_op.operands, strict=True)):
                break
        else:
            return False
    return True


# The matcher finds a match at an op exactly where trying all ops for all nodes finds one.
@given(programs(), st.sampled_from(RULES))
@settings(max_examples=80, deadline=None)
def test_matches_are_those_of_trying_everything(lines: list[str], rule: RewriteRule):
    ops = [inner for inner in parsed(*lines).walk() if isinstance(inner, SambaOp)]
    for root in ops:
        matched = rule.takes(type(root)) and next(rule.matches(root), None) is not None
        assert matched == expected(rule, root, ops)


@rewrite_rule
def subtract_negated(x: RuleInput, y: RuleInput) -> Becomes:
    return op("sub", x, op("neg", y)).becomes(op("add", x, y))


@rewrite_rule
def add_negated(x: RuleInput, y: RuleInput) -> Becomes:
    return op("add", x, op("neg", y), any_order=True).becomes(op("sub", x, y))


@rewrite_rule
def absolute_twice(x: RuleInput) -> Becomes:
    return op("abs", op(("abs", "neg"), x)).becomes(op("abs", x))


@rewrite_rule
def multiply_negated(x: RuleInput, y: RuleInput) -> Becomes:
    return op("mul", op("neg", x), op("neg", y)).becomes(op("mul", x, y))


EVALUATE: Mapping[str, Callable[..., int]] = {
    "neg": lambda a: -a, "abs": lambda a: abs(a), "relu": lambda a: max(a, 0),
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
}  # fmt: skip


def run(lines: list[str], x: int, y: int) -> int:
    """What one element of the function's result is, in integers without end."""
    known = {"x": x, "y": y}
    for i, line in enumerate(lines):
        name, *operands = line.split(" ")
        if name == "return":
            return known[operands[0]]
        known[str(i)] = EVALUATE[name](*(known[operand] for operand in operands))
    raise AssertionError("no return")


# Sound rules on any program, in any order: it ends, verifies, keeps places and what is computed, and is a fixed point.
@given(
    programs(),
    st.permutations([merge_negations, subtract_negated, add_negated, absolute_twice, multiply_negated]),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_sound_rules_keep_the_program(lines: list[str], rules: list[RewriteRule], erase: bool):
    module = parsed(*lines)
    points = [(2, -3), (-1, 0), (5, 7)]
    before = [run(written(module), *point) for point in points]
    places = {str(location_of(inner)) for inner in module.walk()}
    assert rewrite(module, rules, erase_dead=erase).converged
    verify_module(module)
    assert [run(written(module), *point) for point in points] == before
    assert {str(location_of(inner)) for inner in module.walk()} <= places
    assert rewrite(module, rules, erase_dead=erase).count == 0
