// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// A linear layer is a contract; its bias is added, and the sum rounded, once per output point in `finish`.
// CHECK: kernel.contract ins(%x, %w, %b
// CHECK-SAME: domain #kernel.domain<5 parallel, 24 parallel, 200 reduction>
func.func @linear(%x: tensor<5x200xbf16>, %w: tensor<24x200xbf16>, %b: tensor<24xbf16>) -> tensor<5x24xbf16> {
  %y = kernel.contract ins(%x, %w, %b : tensor<5x200xbf16>, tensor<24x200xbf16>, tensor<24xbf16>)
    domain #kernel.domain<5 parallel, 24 parallel, 200 reduction>
    maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (n)>,
          affine_map<(m, n, k) -> (m, n)>]
    inits [0.0 : f32]
    mapping #kernel.mapping<tile = [2, 16, 128], par = [1, 2, 1], order = [0, 1, 2], hold = [3, 3, 2]>
    body {
    ^bb0(%xe: bf16, %we: bf16, %be: bf16, %acc: f32):
      %0 = arith.extf %xe : bf16 to f32
      %1 = arith.extf %we : bf16 to f32
      %2 = arith.mulf %0, %1 : f32
      %3 = arith.addf %acc, %2 : f32
      kernel.yield %3 : f32
    } finish {
    ^bb0(%xe: bf16, %we: bf16, %be: bf16, %acc: f32):
      %0 = arith.extf %be : bf16 to f32
      %1 = arith.addf %acc, %0 : f32
      %2 = arith.truncf %1 : f32 to bf16
      kernel.yield %2 : bf16
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<5x24xbf16>
  func.return %y : tensor<5x24xbf16>
}
