// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// A KV-cache update that is read in the same section: a scatter tied to the cache writes one row, whose place comes from a tensor,
// and moves nothing else; the scores of the new query read the result. The predicate of the contract hides rows that are not
// written yet: they contribute nothing (the score is the initial value, 0).
// CHECK: kernel.section @decode
// CHECK: %cache1 = kernel.scatter
// CHECK-SAME: bindings [1] tied [0] conflict "overwrite"
// CHECK: kernel.contract ins(%qq, %cache1, %at1
// CHECK-SAME: bindings [2]
// CHECK-SAME: predicate affine_set<(d0, d1, d2)[s0] :
func.func @decode(%cache: tensor<2x12x16xbf16>, %new: tensor<2x1x16xbf16>, %at: tensor<1xi64>, %q: tensor<2x16xbf16>)
    -> (tensor<2x12x16xbf16>, tensor<2x12xf32>) {
  %0, %1 = kernel.section @decode (%old = %cache : tensor<2x12x16xbf16>, %row = %new : tensor<2x1x16xbf16>, %at1 = %at : tensor<1xi64>,
      %qq = %q : tensor<2x16xbf16>) -> (tensor<2x12x16xbf16>, tensor<2x12xf32>) {
    %cache1 = kernel.scatter ins(%old, %at1, %row : tensor<2x12x16xbf16>, tensor<1xi64>, tensor<2x1x16xbf16>)
      domain #kernel.domain<2 parallel, 1 parallel, 16 parallel>
      maps [affine_map<(h, t, d)[p] -> (h, t, d)>, affine_map<(h, t, d)[p] -> (0)>, affine_map<(h, t, d)[p] -> (h, t, d)>,
            affine_map<(h, t, d)[p] -> (h, p + t, d)>]
      bindings [1]
      tied [0]
      conflict "overwrite"
      mapping #kernel.mapping<tile = [1, 1, 16], par = [1, 1, 1], order = [0, 1, 2], hold = [3, 0, 1]>
      body {
      ^bb0(%before: bf16, %p: i64, %e: bf16):
        kernel.yield %e : bf16
      } : tensor<2x12x16xbf16>
    %scores = kernel.contract ins(%qq, %cache1, %at1 : tensor<2x16xbf16>, tensor<2x12x16xbf16>, tensor<1xi64>)
      domain #kernel.domain<2 parallel, 12 parallel, 16 reduction>
      maps [affine_map<(h, t, d)[p] -> (h, d)>, affine_map<(h, t, d)[p] -> (h, t, d)>, affine_map<(h, t, d)[p] -> (0)>,
            affine_map<(h, t, d)[p] -> (h, t)>]
      bindings [2]
      predicate affine_set<(h, t, d)[p] : (p - t >= 0)>
      inits [0.0 : f32]
      mapping #kernel.mapping<tile = [1, 5, 16], par = [1, 1, 1], order = [0, 1, 2], hold = [1, 2, 0]>
      body {
      ^bb0(%qe: bf16, %ke: bf16, %p: i64, %acc: f32):
        %2 = arith.extf %qe : bf16 to f32
        %3 = arith.extf %ke : bf16 to f32
        %4 = arith.mulf %2, %3 : f32
        %5 = arith.addf %acc, %4 : f32
        kernel.yield %5 : f32
      } : tensor<2x12xf32>
    kernel.yield %cache1, %scores : tensor<2x12x16xbf16>, tensor<2x12xf32>
  }
  func.return %0, %1 : tensor<2x12x16xbf16>, tensor<2x12xf32>
}
