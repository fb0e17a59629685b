"""What modules compute, at every level, and where two runs differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64

from sambaflow.dialects import rdu, samba
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError, WeightError
from sambaflow.passes.framework.base import EXACT, SambaPass, Semantics
from sambaflow.passes.framework.context import SambaContext, journal_of
from sambaflow.passes.framework.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.framework.verification import verify_module
from sambaflow.sim.checking.conditioning import rounding_spread
from sambaflow.sim.checking.index_limits import index_limits
from sambaflow.sim.checking.work import work_of
from sambaflow.sim.reference.semantics import compare, evaluate, graph_of, graphs_of, run
from sambaflow.testing import SemanticsCheck, SemanticsError, check_pass, random_inputs

torch.set_num_threads(1)


def parsed(text: str) -> ModuleOp:
    module = parse_module(text, "module.mlir", SambaContext())
    verify_module(module)
    return module


MLP = """
func.func @mlp(%x: tensor<4x8xf32> {samba.name = "x"},
               %up: tensor<16x8xf32> {samba.name = "up", samba.role = "param"},
               %down: tensor<8x16xf32> {samba.name = "down", samba.role = "param"},
               %seen: tensor<8xi64> {samba.name = "seen", samba.role = "state"})
    -> (tensor<4x8xf32> {samba.name = "y"}, tensor<8xi64> {samba.name = "seen", samba.tied = 3 : i64}) {
  %0 = samba.linear %x, %up : (tensor<4x8xf32>, tensor<16x8xf32>) -> tensor<4x16xf32>
  %1 = samba.relu %0 : tensor<4x16xf32>
  %2 = samba.linear %1, %down : (tensor<4x16xf32>, tensor<8x16xf32>) -> tensor<4x8xf32>
  %3 = samba.add %seen {other = 1} : tensor<8xi64>
  func.return %2, %3 : tensor<4x8xf32>, tensor<8xi64>
}
"""


def mlp(x: Tensor, up: Tensor, down: Tensor, seen: Tensor) -> dict[str, Tensor]:
    return {"y": torch.relu(x @ up.T) @ down.T, "seen": seen + 1}


# evaluate gives PyTorch's numbers and the updated state after every pass, on one chip and on two.


@pytest.mark.parametrize("chips", [1, 2])
def test_evaluate_at_every_level(chips: int):
    module = parsed(MLP)
    inputs = random_inputs(module, seed=3)
    expected = mlp(**inputs)
    levels: set[str] = set()
    for pass_ in parse_pipeline(f"o1{{chips={chips}}}"):
        run_pipeline(module, [pass_])
        levels.update(op.name.split(".")[0] for op in module.walk())
        for tiled in (False, True):
            outputs = evaluate(module, inputs, tiled=tiled)
            assert list(outputs) == ["y", "seen"]
            torch.testing.assert_close(outputs["y"], expected["y"], rtol=1e-5, atol=1e-5)
            assert torch.equal(outputs["seen"], expected["seen"])
    assert {"samba", "kernel", "rdu"} <= levels


# A function may hold samba operators, stages and sections side by side.


def test_evaluate_a_mixture_of_levels():
    module = parsed("""
      func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
        %0 = samba.neg %x : tensor<4xf32>
        %1 = kernel.section @s (%a = %0 : tensor<4xf32>) -> (tensor<4xf32>) {
          %3 = kernel.map ins(%a : tensor<4xf32>) domain #kernel.domain<4 parallel>
            maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
            body {^bb0(%e: f32): %4 = arith.addf %e, %e : f32 kernel.yield %4 : f32} : tensor<4xf32>
          kernel.yield %3 : tensor<4xf32>
        }
        %2 = samba.module "m"(%b = %1 : tensor<4xf32>) -> (tensor<4xf32>) {
          %5 = samba.add %b {other = 1} : tensor<4xf32>
          samba.yield %5 : tensor<4xf32>
        }
        func.return %2 : tensor<4xf32>
      }""")
    x = torch.tensor([0.0, 1.0, 2.0, -3.0])
    assert torch.equal(evaluate(module, {"arg0": x})["result0"], 1 - 2 * x)


# A planned program runs in its plan: symbols that share memory while both are alive give wrong numbers.


def test_a_wrong_memory_plan_gives_wrong_numbers():
    module = parsed(MLP)
    inputs = random_inputs(module)
    run_pipeline(module, "o1")
    before = evaluate(module, inputs)
    program = next(op for op in module.ops if isinstance(op, rdu.ProgramOp))
    for symbol in program.symbols:
        symbol.address = IntegerAttr(0, i64)
    assert compare(before, evaluate(module, inputs)) is not None


# What is asked for must be there, and fit.


def test_refusals():
    module = parsed(MLP + MLP.replace("@mlp", "@other"))
    inputs = random_inputs(module, graph="mlp")
    assert list(graphs_of(module)) == ["mlp", "other"]
    with pytest.raises(InputError, match="several graphs"):
        evaluate(module, inputs)
    with pytest.raises(InputError, match="no graph 'third'"):
        evaluate(module, inputs, "third")
    with pytest.raises(WeightError, match="needs a tensor named 'x'"):
        evaluate(module, {}, "mlp")
    with pytest.raises(WeightError, match=r"'x' of graph 'mlp' is float32\[4\], the graph takes float32\[4, 8\]"):
        evaluate(module, {**inputs, "x": torch.zeros(4)}, "mlp")
    foreign = parsed("func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
                     "%0 = math.exp %x : tensor<4xf32>\nfunc.return %0 : tensor<4xf32>}")  # fmt: skip
    with pytest.raises(InputError, match=r"math.exp"):
        evaluate(foreign, random_inputs(foreign))


# Integers that index are in range wherever they come from; variances are positive; weights of one name are one tensor.


def limits_of(module: ModuleOp) -> Mapping[str, int | None]:
    graph = graph_of(module)
    return {port.name: limit for port, limit in zip(graph.inputs, index_limits(module, graph), strict=True)}


LOOKUP = """
func.func private @look(%w: tensor<7x4xf32>, %i: tensor<3xi64>) -> tensor<3x4xf32> {
  %0 = samba.embedding %w, %i : (tensor<7x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  func.return %0 : tensor<3x4xf32>
}
func.func @f(%w: tensor<7x4xf32>, %i: tensor<3xi64>, %p: tensor<1xi64>, %free: tensor<3xi64>)
    -> (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3xi64>) {
  %0 = func.call @look(%w, %i) : (tensor<7x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  %1 = samba.arange {end = 3, dtype = i64} : tensor<3xi64>
  %2 = samba.add %1, %p : (tensor<3xi64>, tensor<1xi64>) -> tensor<3xi64>
  %3 = samba.index_select %w, %2 {dim = 0} : (tensor<7x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  func.return %0, %3, %free : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3xi64>
}
"""


def test_indices_are_in_range_at_every_level():
    module = parsed(LOOKUP)
    assert limits_of(module) == {"arg0": None, "arg1": 7, "arg2": 5, "arg3": None}
    for pass_ in parse_pipeline("o0"):
        run_pipeline(module, [pass_])
        limits = list(limits_of(module).values())
        assert limits[1] == 7 and 1 <= (limits[2] or 0) <= 5, pass_.name
        for seed in range(4):
            evaluate(module, random_inputs(module, seed))


def test_random_inputs_depend_on_seed_and_name():
    module = parsed(MLP)
    first, again, other = random_inputs(module, 1), random_inputs(module, 1), random_inputs(module, 2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["x"], other["x"])
    variance = parsed("func.func @f(%v: tensor<64xbf16> {samba.name = \"bn.running_var\"}) -> tensor<64xbf16> {"
                      "func.return %v : tensor<64xbf16>}")  # fmt: skip
    assert bool((random_inputs(variance)["bn.running_var"] > 0).all())


# compare: bits, bounds, and what is no number.


def outputs(*values: float, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    return {"y": torch.tensor(values, dtype=dtype)}


LOOSE = Semantics(2**-10, "for tests")


def test_compare_bits():
    assert compare(outputs(1.0, math.nan, math.inf), outputs(1.0, math.nan, math.inf)) is None
    assert compare(outputs(0.0), outputs(-0.0)) is not None
    difference = compare(outputs(1.0, 2.0, 3.0), outputs(1.0, 2.0 + 2**-22, 4.0))
    assert difference is not None
    assert (difference.output, difference.index, difference.before, difference.elements) == ("y", (1,), 2.0, 2)
    assert (difference.error, difference.bound) == (2**-22, 0.0)


def test_compare_within_a_bound():
    """Relative to the largest finite magnitude, not to the element."""
    assert compare(outputs(8.0, 0.0, math.inf), outputs(8.0, 0.007, math.inf), LOOSE) is None
    assert compare(outputs(8.0, 0.0), outputs(8.0, 0.009), LOOSE) is not None
    assert compare(outputs(8.0, 0.0), outputs(8.0, math.nan), LOOSE) is not None
    assert compare(outputs(8.0, math.inf), outputs(8.0, -math.inf), LOOSE) is not None
    one_rounding = outputs(1.0, dtype=torch.bfloat16), outputs(1.0078125, dtype=torch.bfloat16)
    assert compare(*one_rounding, LOOSE) is None
    assert compare(*one_rounding) is not None


def test_integers_have_no_bound_but_their_spread():
    before, after = outputs(1, 2, dtype=torch.int64), outputs(1, 3, dtype=torch.int64)
    assert compare(before, after, LOOSE) is not None
    assert compare(before, after, LOOSE, {"y": torch.tensor([0.0, math.inf], dtype=torch.float64)}) is None
    assert compare(before, after, EXACT, {"y": torch.tensor([0.0, math.inf], dtype=torch.float64)}) is not None


def test_outputs_of_another_form_differ():
    assert "there are 2 outputs, there were 1" in str(compare(outputs(1.0), {**outputs(1.0), "z": torch.zeros(1)}))
    assert "is float32[2], was float32[1]" in str(compare(outputs(1.0), outputs(1.0, 1.0)))
    assert "is int64[1], was float32[1]" in str(compare(outputs(1.0), outputs(1, dtype=torch.int64)))


# Rounding alone moves the index of a maximum that two equal sums share, and no other.


def test_spread_finds_what_is_ill_conditioned():
    module = parsed("""
      func.func @f(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> (tensor<2xi64>, tensor<2x3xf32>) {
        %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
        %1 = samba.argmax %0 {dim = -1} : (tensor<2x3xf32>) -> tensor<2xi64>
        func.return %1, %0 : tensor<2xi64>, tensor<2x3xf32>
      }""")
    graph = graph_of(module)
    x = torch.tensor([[0.3, 0.7, 0.1, 0.9], [1.0, 0.0, 0.0, 0.0]])
    w = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4], [0.9, 0.0, 0.0, 0.0]])
    results = dict(zip("ab", run(module, graph, [x, w]), strict=True))
    spread = rounding_spread(module, graph, [x, w], results)
    assert spread is not None
    assert spread["a"].tolist() == [math.inf, 0.0]
    assert 0 < float(spread["b"].max()) < 1e-3


# A pass that changes more than it says is named, with the output, the element and the error.


@dataclass(frozen=True)
class Wrong(SambaPass):
    """Adds a number to what every relu gives."""

    name = "samba-wrong"
    amount: float = 1.0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in list(op.walk()):
            if isinstance(inner, samba.SambaOp) and inner.row.name == "relu":
                added = samba.build("add", inner.results, {"other": self.amount})
                block = inner.parent
                assert block is not None
                block.insert_op_after(added, inner)
                inner.results[0].replace_uses_with_if(added.results[0], lambda use, a=added: use.operation is not a)


@dataclass(frozen=True)
class Rounding(Wrong):
    name = "samba-rounding"
    semantics = Semantics(2**-10, "a number is added")


@dataclass(frozen=True)
class Different(Wrong):
    name = "samba-different"
    semantics = Semantics(math.inf, "it is wrong on purpose")


def test_a_wrong_pass_is_found():
    with pytest.raises(SemanticsError) as caught:
        check_pass(Wrong(), parsed(MLP))
    text = str(caught.value)
    assert "pass 'samba-wrong', which keeps every bit, changes what graph 'mlp' computes" in text
    assert "output 'y'[0, 0] is" in text and "bound 0 (32 elements differ)" in text
    assert caught.value.difference.index == (0, 0) and caught.value.seed == 0
    with pytest.raises(SemanticsError, match=r"'samba-rounding', which is within 0\.000976562"):
        check_pass(Rounding(), parsed(MLP))


def test_a_small_error_is_allowed_where_it_is_declared():
    assert check_pass(Rounding(1e-6), parsed(MLP)).checked == 2
    with pytest.raises(SemanticsError):
        check_pass(Wrong(1e-6), parsed(MLP))


def test_the_first_wrong_pass_of_a_pipeline_is_named():
    pipeline = [*parse_pipeline("samba-canonicalize,samba-cse"), Wrong(), *parse_pipeline("samba-cse")]
    with pytest.raises(SemanticsError, match="samba-wrong"):
        check_pass(pipeline, parsed(MLP))


# What is not checked is said: a pass that computes something else, a run that visits too many points.


def test_skipped_checks_are_remarked():
    ctx = SambaContext()
    assert check_pass([Different(), *parse_pipeline("samba-cse")], parsed(MLP), seeds=(0,), ctx=ctx).checked == 1
    module = parsed(MLP)
    work = work_of(module, graph_of(module))
    assert work >= 2 * 4 * 8 * 16
    check = SemanticsCheck(ctx, most_work=work - 1)
    run_pipeline(module, [Wrong()], ctx, instrumentations=(check,))
    assert check.checked == 0
    messages = [remark.message for remark in journal_of(ctx).of("check-semantics")]
    assert messages == [
        "'samba-different' is not checked: it is wrong on purpose",
        f"'mlp' is not checked: a run visits {work} points, more than {work - 1}",
    ]


# Work is counted alike at every level: a model of a billion parameters is refused before anything is allocated.


def test_large_modules_are_not_run():
    module = parsed("""
      func.func @f(%x: tensor<4096x65536xf32>, %w: tensor<65536x65536xf32>) -> tensor<4096x65536xf32> {
        %0 = samba.linear %x, %w : (tensor<4096x65536xf32>, tensor<65536x65536xf32>) -> tensor<4096x65536xf32>
        func.return %0 : tensor<4096x65536xf32>
      }""")
    assert work_of(module, graph_of(module)) >= 4096 * 65536 * 65536
    assert check_pass("samba-canonicalize", module).checked == 0


def test_work_at_every_level():
    module = parsed(MLP)
    products = 2 * 4 * 8 * 16
    for pass_ in parse_pipeline("o0"):
        run_pipeline(module, [pass_])
        assert products <= work_of(module, graph_of(module)) < 8 * products, pass_.name
