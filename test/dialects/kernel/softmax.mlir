// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// Softmax is three stages: the maximum, the sum of exponentials, the quotient. Values inside stay f32, the result rounds once.
// CHECK: kernel.reduce
// CHECK: kernel.reduce
// CHECK: kernel.map
func.func @softmax(%x: tensor<5x300xbf16>) -> tensor<5x300xbf16> {
  %max = kernel.reduce ins(%x : tensor<5x300xbf16>) domain #kernel.domain<5 parallel, 300 reduction>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
    inits [0xFF800000 : f32]
    mapping #kernel.mapping<tile = [2, 128], par = [1, 1], order = [0, 1], hold = [2]>
    body {
    ^bb0(%xe: bf16, %acc: f32):
      %0 = arith.extf %xe : bf16 to f32
      %1 = arith.maximumf %acc, %0 : f32
      kernel.yield %1 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.maximumf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<5xf32>
  %sum = kernel.reduce ins(%x, %max : tensor<5x300xbf16>, tensor<5xf32>) domain #kernel.domain<5 parallel, 300 reduction>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>]
    inits [0.0 : f32]
    mapping #kernel.mapping<tile = [3, 256], par = [1, 1], order = [1, 0], hold = [2, 1]>
    body {
    ^bb0(%xe: bf16, %m: f32, %acc: f32):
      %0 = arith.extf %xe : bf16 to f32
      %1 = arith.subf %0, %m : f32
      %2 = math.exp %1 : f32
      %3 = arith.addf %acc, %2 : f32
      kernel.yield %3 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<5xf32>
  %y = kernel.map ins(%x, %max, %sum : tensor<5x300xbf16>, tensor<5xf32>, tensor<5xf32>)
    domain #kernel.domain<5 parallel, 300 parallel>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
    mapping #kernel.mapping<tile = [2, 77], par = [1, 7], order = [0, 1], hold = [2, 1, 1]>
    body {
    ^bb0(%xe: bf16, %m: f32, %s: f32):
      %0 = arith.extf %xe : bf16 to f32
      %1 = arith.subf %0, %m : f32
      %2 = math.exp %1 : f32
      %3 = arith.divf %2, %s : f32
      %4 = arith.truncf %3 : f32 to bf16
      kernel.yield %4 : bf16
    } : tensor<5x300xbf16>
  func.return %y : tensor<5x300xbf16>
}
