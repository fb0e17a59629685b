"""Modules with which random testing found a pass that failed or changed them: the smallest of each, in all modes."""

from __future__ import annotations

import pytest
import torch

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.verification import verify_module
from sambaflow.testing import check_pass

torch.set_num_threads(1)

SAMBA = {
    "a slice that leaves its section was never loaded": """
func.func @f(%x: tensor<2xf32>) -> (tensor<f32>, tensor<1xf32>) {
  %0, %1 = samba.unbind %x {dim = -1} : (tensor<2xf32>) -> (tensor<f32>, tensor<f32>)
  %2 = samba.slice %x {start = 1} : (tensor<2xf32>) -> tensor<1xf32>
  func.return %1, %2 : tensor<f32>, tensor<1xf32>
}""",
    "sums in bf16 state are f32 until they are stored": """
func.func @f(%s: tensor<8xbf16> {samba.role = "state", samba.name = "s"}, %x: tensor<4xbf16>, %i: tensor<4xi64>)
    -> (tensor<8xbf16> {samba.name = "s", samba.tied = 0 : i64}, tensor<8xbf16>) {
  %0 = samba.index_put %s, %x, %i {dims = [0], accumulate = true}
    : (tensor<8xbf16>, tensor<4xbf16>, tensor<4xi64>) -> tensor<8xbf16>
  %1 = samba.tanh %0 : tensor<8xbf16>
  func.return %0, %1 : tensor<8xbf16>, tensor<8xbf16>
}""",
    "a slice of updated state leaves the section": """
func.func @f(
    %s: tensor<3x3x2xf32> {samba.role = "state", samba.name = "s"}, %x: tensor<1x3x2xf32> {samba.name = "i"}
) -> (tensor<3x3x2xf32> {samba.name = "n", samba.tied = 0 : i64}, tensor<3x2x2xf32>) {
  %0 = samba.slice_scatter %s, %x {start = 0, end = 1}
    : (tensor<3x3x2xf32>, tensor<1x3x2xf32>) -> tensor<3x3x2xf32>
  %3, %4 = samba.split %0 {split_size = [1, 2], dim = 1}
    : (tensor<3x3x2xf32>) -> (tensor<3x1x2xf32>, tensor<3x2x2xf32>)
  %5 = func.call @b(%4) : (tensor<3x2x2xf32>) -> tensor<3x2x2xf32>
  func.return %0, %5 : tensor<3x3x2xf32>, tensor<3x2x2xf32>
}
func.func private @b(%y: tensor<3x2x2xf32>) -> tensor<3x2x2xf32> {
  %6 = samba.add %y, %y : (tensor<3x2x2xf32>, tensor<3x2x2xf32>) -> tensor<3x2x2xf32>
  func.return %6 : tensor<3x2x2xf32>
}""",
    "a sorted list delivers k elements": """
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0, %1 = samba.topk %x {k = 2} : (tensor<2xf32>) -> (tensor<2xf32>, tensor<2xi64>)
  %2 = samba.tanh %0 : tensor<2xf32>
  func.return %2 : tensor<2xf32>
}""",
    "a sorted list of one element": """
func.func @f(%x: tensor<5x8x1xf32>, %y: tensor<5x8xbf16>)
    -> (tensor<5x8x1xf32>, tensor<5x8x1xi64>, tensor<1x8xbf16>, tensor<1x8xi64>) {
  %0, %1 = samba.topk %x {k = 1} : (tensor<5x8x1xf32>) -> (tensor<5x8x1xf32>, tensor<5x8x1xi64>)
  %2, %3 = samba.topk %y {k = 1, dim = 0, largest = false} : (tensor<5x8xbf16>) -> (tensor<1x8xbf16>, tensor<1x8xi64>)
  func.return %0, %1, %2, %3 : tensor<5x8x1xf32>, tensor<5x8x1xi64>, tensor<1x8xbf16>, tensor<1x8xi64>
}""",
    "a view in which no extent divides another": """
func.func @f(%x: tensor<5x4x4xbf16>, %y: tensor<6x8x2x1xf32>) -> (tensor<2x40xbf16>, tensor<6xf32>) {
  %0 = samba.view %x {size = [2, 40]} : (tensor<5x4x4xbf16>) -> tensor<2x40xbf16>
  %1 = samba.view %y {size = [16, 6]} : (tensor<6x8x2x1xf32>) -> tensor<16x6xf32>
  %2 = samba.sum %1 {dim = [0]} : (tensor<16x6xf32>) -> tensor<6xf32>
  func.return %0, %2 : tensor<2x40xbf16>, tensor<6xf32>
}""",
    "a pad of a transposed dimension of extent 1 is read outside of it": """
func.func @f(%x: tensor<1x3xf32>) -> (tensor<3x4xf32>, tensor<3x3xf32>) {
  %0 = samba.t %x : (tensor<1x3xf32>) -> tensor<3x1xf32>
  %1 = samba.constant_pad_nd %0 {pad = [2, 1], value = -0.5} : (tensor<3x1xf32>) -> tensor<3x4xf32>
  %2 = samba.abs %0 : tensor<3x1xf32>
  %3 = samba.constant_pad_nd %2 {pad = [1, 1]} : (tensor<3x1xf32>) -> tensor<3x3xf32>
  func.return %1, %3 : tensor<3x4xf32>, tensor<3x3xf32>
}""",
    "topk picks among equal values as torch.topk does": """
func.func @f(%x: tensor<2x4xbf16>) -> tensor<2x3xi64> {
  %0 = samba.mul %x {other = 0} : tensor<2x4xbf16>
  %1, %2 = samba.topk %0 {k = 3, largest = false} : (tensor<2x4xbf16>) -> (tensor<2x3xbf16>, tensor<2x3xi64>)
  func.return %2 : tensor<2x3xi64>
}""",
    "two graphs with parameters of one name and different shapes": """
func.func @f(%x: tensor<1x8xf32>, %w: tensor<6x8xf32> {samba.role = "param", samba.name = "w"}) -> tensor<1x6xf32> {
  %0 = samba.linear %x, %w : (tensor<1x8xf32>, tensor<6x8xf32>) -> tensor<1x6xf32>
  func.return %0 : tensor<1x6xf32>
}
func.func @g(%x: tensor<4xf32>, %w: tensor<4xf32> {samba.role = "param", samba.name = "w"}) -> tensor<4xf32> {
  %0 = samba.add %x, %w : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}""",
    "state is returned as it was between two updates": """
func.func @f(%s: tensor<4xf32> {samba.role = "state", samba.name = "s"}, %x: tensor<1xf32>, %i: tensor<1xi64>,
             %j: tensor<1xi64>) -> (tensor<4xf32> {samba.name = "s", samba.tied = 0 : i64}, tensor<4xf32>) {
  %0 = samba.index_put %s, %x, %i {dims = [0], accumulate = true}
    : (tensor<4xf32>, tensor<1xf32>, tensor<1xi64>) -> tensor<4xf32>
  %1 = samba.index_copy %0, %j, %x {dim = 0} : (tensor<4xf32>, tensor<1xi64>, tensor<1xf32>) -> tensor<4xf32>
  func.return %0, %1 : tensor<4xf32>, tensor<4xf32>
}""",
    "logical operators with a number are folded": """
func.func @f() -> tensor<2xi1> {
  %0 = samba.constant dense<[0.0, 0.5]> : tensor<2xf32>
  %1 = samba.logical_or %0 {other = 0} : (tensor<2xf32>) -> tensor<2xi1>
  func.return %1 : tensor<2xi1>
}""",
    "an integer pad of 0 is a pad": """
func.func @f(%x: tensor<3xi64>) -> tensor<5xi64> {
  %0 = samba.constant_pad_nd %x {pad = [1, 1]} : (tensor<3xi64>) -> tensor<5xi64>
  %1 = samba.add %0 {other = 1} : tensor<5xi64>
  func.return %1 : tensor<5xi64>
}""",
}

KERNEL = {
    "a sum of constants has no inputs": """
func.func @f() -> tensor<f32> {
  %0 = kernel.reduce domain #kernel.domain<4 reduction> maps [affine_map<(i) -> ()>] inits [0.0 : f32]
    body {^bb0(%s: f32): %c = arith.constant 2.0 : f32 %n = arith.addf %s, %c : f32 kernel.yield %n : f32}
    : tensor<f32>
  func.return %0 : tensor<f32>
}""",
    "random bits are i32": """
func.func @f(%seed: tensor<i64>) -> tensor<6xf32> {
  %0 = kernel.random ins(%seed : tensor<i64>) domain #kernel.domain<6 parallel>
    maps [affine_map<(i) -> ()>, affine_map<(i) -> (i)>]
    body {
    ^bb0(%s: i64):
      %i = kernel.index 0
      %b = kernel.random_bits %s, %i
      %f = arith.sitofp %b : i32 to f32
      kernel.yield %f : f32
    } : tensor<6xf32>
  func.return %0 : tensor<6xf32>
}""",
    "a map leaves what it does not write as it was": """
func.func @f(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = kernel.map ins(%x : tensor<4xf32>) domain #kernel.domain<4 parallel>
    maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] predicate affine_set<(i) : (i - 1 >= 0)> tied [0]
    body {^bb0(%a: f32): %n = arith.addf %a, %a : f32 kernel.yield %n : f32} : tensor<4xf32>
  %1 = kernel.map ins(%x, %y : tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel>
    maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
    predicate affine_set<(i) : (i - 1 >= 0)> tied [1]
    body {^bb0(%a: f32, %b: f32): %n = arith.addf %a, %a : f32 kernel.yield %n : f32} : tensor<4xf32>
  func.return %0, %1 : tensor<4xf32>, tensor<4xf32>
}""",
    "a constant of rank 0": """
func.func @f() -> tensor<1xf32> {
  %0 = arith.constant dense<0.5> : tensor<f32>
  %1 = kernel.move ins(%0 : tensor<f32>) domain #kernel.domain<1 parallel>
    maps [affine_map<(i) -> ()>, affine_map<(i) -> (i)>] : tensor<1xf32>
  func.return %1 : tensor<1xf32>
}""",
}

BELOW = (
    "set-target,kernel-fuse-stages,kernel-cut-sections{{mode={mode}}},kernel-tile,kernel-balance,"
    "kernel-insert-transfers,kernel-insert-buffers,kernel-size-fifos,convert-kernel-to-rdu,rdu-plan-memory"
)
CASES = {
    **{f"{name}-{mode}": (text, f"{mode}{{chips=2}}") for name, text in SAMBA.items() for mode in ("o0", "o1", "o3")},
    **{f"{name}-{mode}": (text, BELOW.format(mode=mode)) for name, text in KERNEL.items() for mode in ("o0", "o3")},
}


@pytest.mark.parametrize("name", CASES)
def test_no_pass_changes_what_it_computes(name: str):
    text, pipeline = CASES[name]
    module = parse_module(text, "found.mlir", SambaContext())
    verify_module(module)
    assert check_pass(pipeline, module).checked >= 20
    verify_module(module)
