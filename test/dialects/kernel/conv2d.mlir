// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// A convolution is a contract whose input map overlaps: stride 2, padding 1. Reads out of range give the pad; the halo of a
// tile follows from the map.
// CHECK: kernel.contract
// CHECK-SAME: affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, (((d2 * 2) + d5) + -1), (((d3 * 2) + d6) + -1))>
// CHECK-SAME: pads [0.000000e+00 : f32, unit, unit]
func.func @conv2d(%x: tensor<2x3x9x8xf32>, %w: tensor<4x3x3x3xf32>, %b: tensor<4xf32>) -> tensor<2x4x5x4xf32> {
  %y = kernel.contract ins(%x, %w, %b : tensor<2x3x9x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>)
    domain #kernel.domain<2 parallel, 4 parallel, 5 parallel, 4 parallel, 3 reduction, 3 reduction, 3 reduction>
    maps [affine_map<(n, o, h, w, c, kh, kw) -> (n, c, h * 2 + kh - 1, w * 2 + kw - 1)>,
          affine_map<(n, o, h, w, c, kh, kw) -> (o, c, kh, kw)>,
          affine_map<(n, o, h, w, c, kh, kw) -> (o)>,
          affine_map<(n, o, h, w, c, kh, kw) -> (n, o, h, w)>]
    pads [0.0 : f32, unit, unit]
    inits [0.0 : f32]
    mapping #kernel.mapping<tile = [1, 4, 2, 3, 3, 3, 3], par = [1, 2, 1, 1, 1, 1, 1], order = [0, 2, 1, 3, 4, 5, 6], hold = [4, 0, 0]>
    body {
    ^bb0(%xe: f32, %we: f32, %be: f32, %acc: f32):
      %0 = arith.mulf %xe, %we : f32
      %1 = arith.addf %acc, %0 : f32
      kernel.yield %1 : f32
    } finish {
    ^bb0(%xe: f32, %we: f32, %be: f32, %acc: f32):
      %0 = arith.addf %acc, %be : f32
      kernel.yield %0 : f32
    } : tensor<2x4x5x4xf32>
  func.return %y : tensor<2x4x5x4xf32>
}
