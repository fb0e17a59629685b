// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// Max pooling is a reduce with two accumulators, the greatest value and where it was; its map overlaps and pads with -inf.
// The order of the fold is part of the IR: the first of equal values wins, as in PyTorch.
// CHECK: kernel.reduce
// CHECK-SAME: pads [0xff800000 : f32]
// CHECK-SAME: inits [0xff800000 : f32, 0 : i64]
func.func @max_pool(%x: tensor<2x2x7x6xf32>) -> (tensor<2x2x4x3xf32>, tensor<2x2x4x3xi64>) {
  %y, %where = kernel.reduce ins(%x : tensor<2x2x7x6xf32>)
    domain #kernel.domain<2 parallel, 2 parallel, 4 parallel, 3 parallel, 3 reduction, 3 reduction>
    maps [affine_map<(n, c, h, w, kh, kw) -> (n, c, h * 2 + kh - 1, w * 2 + kw - 1)>,
          affine_map<(n, c, h, w, kh, kw) -> (n, c, h, w)>, affine_map<(n, c, h, w, kh, kw) -> (n, c, h, w)>]
    pads [0xFF800000 : f32]
    inits [0xFF800000 : f32, 0 : i64]
    mapping #kernel.mapping<tile = [1, 2, 3, 2, 1, 3], par = [1, 1, 1, 1, 1, 1], order = [0, 1, 2, 3, 4, 5], hold = [4]>
    body {
    ^bb0(%xe: f32, %best: f32, %at: i64):
      %two = arith.constant 2 : i64
      %one = arith.constant 1 : i64
      %width = arith.constant 6 : i64
      %h = kernel.index 2
      %w = kernel.index 3
      %kh = kernel.index 4
      %kw = kernel.index 5
      %0 = arith.muli %h, %two : i64
      %1 = arith.addi %0, %kh : i64
      %2 = arith.subi %1, %one : i64
      %3 = arith.muli %2, %width : i64
      %4 = arith.muli %w, %two : i64
      %5 = arith.addi %4, %kw : i64
      %6 = arith.subi %5, %one : i64
      %here = arith.addi %3, %6 : i64
      %more = arith.cmpf ugt, %xe, %best : f32
      %7 = arith.select %more, %xe, %best : f32
      %8 = arith.select %more, %here, %at : i64
      kernel.yield %7, %8 : f32, i64
    } : tensor<2x2x4x3xf32>, tensor<2x2x4x3xi64>
  func.return %y, %where : tensor<2x2x4x3xf32>, tensor<2x2x4x3xi64>
}

// Its backward scatters the gradients to those places and adds where windows overlap. What no point writes is zero.
// CHECK: kernel.scatter
// CHECK-SAME: bindings [1] conflict "add"
func.func @max_pool_backward(%dy: tensor<2x2x4x3xf32>, %where: tensor<2x2x4x3xi64>) -> tensor<2x2x7x6xf32> {
  %flat = kernel.scatter ins(%dy, %where : tensor<2x2x4x3xf32>, tensor<2x2x4x3xi64>)
    domain #kernel.domain<2 parallel, 2 parallel, 4 parallel, 3 parallel>
    maps [affine_map<(n, c, h, w)[at] -> (n, c, h, w)>, affine_map<(n, c, h, w)[at] -> (n, c, h, w)>,
          affine_map<(n, c, h, w)[at] -> (n, c, at)>]
    bindings [1]
    conflict "add"
    mapping #kernel.mapping<tile = [1, 2, 3, 3], par = [1, 1, 1, 1], order = [1, 0, 2, 3], hold = [4, 4]>
    body {
    ^bb0(%g: f32, %at: i64):
      kernel.yield %g : f32
    } : tensor<2x2x42xf32>
  %dx = kernel.move ins(%flat : tensor<2x2x42xf32>)
    domain #kernel.domain<2 parallel, 2 parallel, 7 parallel, 6 parallel>
    maps [affine_map<(n, c, h, w) -> (n, c, h * 6 + w)>, affine_map<(n, c, h, w) -> (n, c, h, w)>]
    mapping #kernel.mapping<tile = [1, 1, 4, 6], par = [1, 1, 1, 1], order = [0, 1, 2, 3], hold = [4]>
    : tensor<2x2x7x6xf32>
  func.return %dx : tensor<2x2x7x6xf32>
}
