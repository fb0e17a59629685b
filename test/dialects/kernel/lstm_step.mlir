// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// One LSTM step: two contracts (the second adds the first and the biases in `finish`), then a map with two results that reads the
// four gates from one tensor by four maps of it.
// CHECK-COUNT-2: kernel.contract
// CHECK: kernel.map ins(%g, %g
// CHECK-SAME: affine_map<(d0, d1) -> (d0, (d1 + 10))>
func.func @lstm_step(%x: tensor<3x6xf32>, %h: tensor<3x10xf32>, %c: tensor<3x10xf32>, %wi: tensor<40x6xf32>,
    %wh: tensor<40x10xf32>, %bi: tensor<40xf32>, %bh: tensor<40xf32>) -> (tensor<3x10xf32>, tensor<3x10xf32>) {
  %gx = kernel.contract ins(%x, %wi, %bi : tensor<3x6xf32>, tensor<40x6xf32>, tensor<40xf32>)
    domain #kernel.domain<3 parallel, 40 parallel, 6 reduction>
    maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>]
    inits [0.0 : f32]
    mapping #kernel.mapping<tile = [3, 16, 6], par = [1, 4, 1], order = [0, 1, 2], hold = [0, 2, 2]>
    body {
    ^bb0(%a: f32, %b: f32, %bias: f32, %acc: f32):
      %0 = arith.mulf %a, %b : f32
      %1 = arith.addf %acc, %0 : f32
      kernel.yield %1 : f32
    } finish {
    ^bb0(%a: f32, %b: f32, %bias: f32, %acc: f32):
      %0 = arith.addf %acc, %bias : f32
      kernel.yield %0 : f32
    } : tensor<3x40xf32>
  %g = kernel.contract ins(%h, %wh, %bh, %gx : tensor<3x10xf32>, tensor<40x10xf32>, tensor<40xf32>, tensor<3x40xf32>)
    domain #kernel.domain<3 parallel, 40 parallel, 10 reduction>
    maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>,
          affine_map<(m, n, k) -> (m, n)>]
    inits [0.0 : f32]
    mapping #kernel.mapping<tile = [2, 16, 10], par = [1, 4, 1], order = [1, 0, 2], hold = [2, 1, 1, 2]>
    body {
    ^bb0(%a: f32, %b: f32, %bias: f32, %other: f32, %acc: f32):
      %0 = arith.mulf %a, %b : f32
      %1 = arith.addf %acc, %0 : f32
      kernel.yield %1 : f32
    } finish {
    ^bb0(%a: f32, %b: f32, %bias: f32, %other: f32, %acc: f32):
      %0 = arith.addf %acc, %bias : f32
      %1 = arith.addf %0, %other : f32
      kernel.yield %1 : f32
    } : tensor<3x40xf32>
  %h1, %c1 = kernel.map ins(%g, %g, %g, %g, %c : tensor<3x40xf32>, tensor<3x40xf32>, tensor<3x40xf32>, tensor<3x40xf32>, tensor<3x10xf32>)
    domain #kernel.domain<3 parallel, 10 parallel>
    maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n + 10)>, affine_map<(m, n) -> (m, n + 20)>,
          affine_map<(m, n) -> (m, n + 30)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>]
    mapping #kernel.mapping<tile = [2, 4], par = [1, 4], order = [0, 1], hold = [2, 2, 2, 2, 2]>
    body {
    ^bb0(%i: f32, %f: f32, %u: f32, %o: f32, %old: f32):
      %one = arith.constant 1.0 : f32
      %i0 = arith.negf %i : f32
      %i1 = math.exp %i0 : f32
      %i2 = arith.addf %one, %i1 : f32
      %is = arith.divf %one, %i2 : f32
      %f0 = arith.negf %f : f32
      %f1 = math.exp %f0 : f32
      %f2 = arith.addf %one, %f1 : f32
      %fs = arith.divf %one, %f2 : f32
      %o0 = arith.negf %o : f32
      %o1 = math.exp %o0 : f32
      %o2 = arith.addf %one, %o1 : f32
      %os = arith.divf %one, %o2 : f32
      %ut = math.tanh %u : f32
      %keep = arith.mulf %fs, %old : f32
      %add = arith.mulf %is, %ut : f32
      %cell = arith.addf %keep, %add : f32
      %ct = math.tanh %cell : f32
      %hidden = arith.mulf %os, %ct : f32
      kernel.yield %hidden, %cell : f32, f32
    } : tensor<3x10xf32>, tensor<3x10xf32>
  func.return %h1, %c1 : tensor<3x10xf32>, tensor<3x10xf32>
}
