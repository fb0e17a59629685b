// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// An embedding is a gather: the map of the table uses a symbol, bound to the value of the ids at the point.
// CHECK: kernel.gather
// CHECK-SAME: affine_map<(d0, d1, d2)[s0] -> (s0, d2)>
// CHECK-SAME: bindings [0]
func.func @embedding(%ids: tensor<2x5xi64>, %table: tensor<11x16xbf16>) -> tensor<2x5x16xbf16> {
  %y = kernel.gather ins(%ids, %table : tensor<2x5xi64>, tensor<11x16xbf16>)
    domain #kernel.domain<2 parallel, 5 parallel, 16 parallel>
    maps [affine_map<(b, t, h)[id] -> (b, t)>, affine_map<(b, t, h)[id] -> (id, h)>, affine_map<(b, t, h)[id] -> (b, t, h)>]
    bindings [0]
    mapping #kernel.mapping<tile = [1, 3, 16], par = [1, 1, 2], order = [0, 1, 2], hold = [3, 3]>
    body {
    ^bb0(%id: i64, %e: bf16):
      kernel.yield %e : bf16
    } : tensor<2x5x16xbf16>
  func.return %y : tensor<2x5x16xbf16>
}

// Its gradient is a scatter that adds: rows of the same id are summed in f32, in row-major order, and rounded once.
// CHECK: kernel.scatter
// CHECK-SAME: conflict "add"
func.func @embedding_backward(%ids: tensor<2x5xi64>, %dy: tensor<2x5x16xbf16>) -> tensor<11x16xbf16> {
  %dw = kernel.scatter ins(%ids, %dy : tensor<2x5xi64>, tensor<2x5x16xbf16>)
    domain #kernel.domain<2 parallel, 5 parallel, 16 parallel>
    maps [affine_map<(b, t, h)[id] -> (b, t)>, affine_map<(b, t, h)[id] -> (b, t, h)>, affine_map<(b, t, h)[id] -> (id, h)>]
    bindings [0]
    conflict "add"
    mapping #kernel.mapping<tile = [1, 3, 8], par = [1, 1, 1], order = [2, 0, 1], hold = [3, 3]>
    body {
    ^bb0(%id: i64, %g: bf16):
      %0 = arith.extf %g : bf16 to f32
      kernel.yield %0 : f32
    } : tensor<11x16xbf16>
  func.return %dw : tensor<11x16xbf16>
}
