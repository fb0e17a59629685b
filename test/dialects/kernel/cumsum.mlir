// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// A cumulative sum is a scan: the body yields the carried sum, then the result of the step. `finish` adds a result made from the
// last value.
// CHECK: kernel.scan
// CHECK-SAME: domain #kernel.domain<3 parallel, 50 sequential>
func.func @cumsum(%x: tensor<3x50xbf16>) -> (tensor<3x50xbf16>, tensor<3xf32>) {
  %y, %total = kernel.scan ins(%x : tensor<3x50xbf16>) domain #kernel.domain<3 parallel, 50 sequential>
    maps [affine_map<(i, t) -> (i, t)>, affine_map<(i, t) -> (i, t)>, affine_map<(i, t) -> (i)>]
    inits [0.0 : f32]
    mapping #kernel.mapping<tile = [2, 16], par = [2, 1], order = [1, 0], hold = [2]>
    body {
    ^bb0(%xe: bf16, %acc: f32):
      %0 = arith.extf %xe : bf16 to f32
      %1 = arith.addf %acc, %0 : f32
      %2 = arith.truncf %1 : f32 to bf16
      kernel.yield %1, %2 : f32, bf16
    } finish {
    ^bb0(%xe: bf16, %acc: f32):
      kernel.yield %acc : f32
    } : tensor<3x50xbf16>, tensor<3xf32>
  func.return %y, %total : tensor<3x50xbf16>, tensor<3xf32>
}
