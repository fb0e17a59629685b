// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// A row-parallel linear layer on two chips: each contracts its half of k to f32 partial sums, a collective adds them, a map adds
// the bias and rounds once. The collective is a stage like any other, so all three sit in one section.
// CHECK: kernel.section @row_parallel
// CHECK: kernel.contract
// CHECK: kernel.collective ins(%{{.*}}) op "all_reduce"
// CHECK-SAME: chips 2 wire f32
// CHECK: kernel.map
func.func @row_parallel(%x: tensor<4x64xbf16>, %w: tensor<16x64xbf16>, %b: tensor<16xbf16>) -> tensor<4x16xbf16> {
  %0 = kernel.section @row_parallel (%xs = %x : tensor<4x64xbf16>, %ws = %w : tensor<16x64xbf16>, %bs = %b : tensor<16xbf16>)
      -> (tensor<4x16xbf16>) {
    %part = kernel.contract ins(%xs, %ws : tensor<4x64xbf16>, tensor<16x64xbf16>)
      domain #kernel.domain<4 parallel, 16 parallel, 64 reduction>
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      inits [0.0 : f32]
      mapping #kernel.mapping<tile = [2, 16, 64], par = [1, 1, 1], order = [0, 1, 2], hold = [1, 0]>
      body {
      ^bb0(%xe: bf16, %we: bf16, %acc: f32):
        %2 = arith.extf %xe : bf16 to f32
        %3 = arith.extf %we : bf16 to f32
        %4 = arith.mulf %2, %3 : f32
        %5 = arith.addf %acc, %4 : f32
        kernel.yield %5 : f32
      } : tensor<4x16xf32>
    %sum = kernel.collective ins(%part : tensor<4x16xf32>) op "all_reduce" domain #kernel.domain<4 parallel, 16 parallel>
      maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>] chips 2 wire f32
      mapping #kernel.mapping<tile = [2, 16], par = [1, 1], order = [0, 1], hold = [1]> : tensor<4x16xf32>
    %y = kernel.map ins(%sum, %bs : tensor<4x16xf32>, tensor<16xbf16>) domain #kernel.domain<4 parallel, 16 parallel>
      maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>]
      mapping #kernel.mapping<tile = [2, 16], par = [1, 1], order = [0, 1], hold = [1, 0]>
      body {
      ^bb0(%s: f32, %be: bf16):
        %2 = arith.extf %be : bf16 to f32
        %3 = arith.addf %s, %2 : f32
        %4 = arith.truncf %3 : f32 to bf16
        kernel.yield %4 : bf16
      } : tensor<4x16xbf16>
    kernel.yield %y : tensor<4x16xbf16>
  }
  func.return %0 : tensor<4x16xbf16>
}
