// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// Layer norm: one reduce with three accumulators (mean, sum of squared deviations, count), whose `combine` merges blocks and the
// two parts of its split (Chan, Golub and LeVeque, 1979); `finish` makes two results of them. Then a map.
// CHECK: kernel.reduce
// CHECK-SAME: split [1, 2]
// CHECK: combine {
func.func @layer_norm(%x: tensor<3x512xbf16>, %w: tensor<512xbf16>, %b: tensor<512xbf16>) -> tensor<3x512xbf16> {
  %mean, %rstd = kernel.reduce ins(%x : tensor<3x512xbf16>) domain #kernel.domain<3 parallel, 512 reduction>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>]
    inits [0.0 : f32, 0.0 : f32, 0.0 : f32]
    split [1, 2]
    mapping #kernel.mapping<tile = [2, 256], par = [1, 2], order = [0, 1], hold = [2]>
    body {
    ^bb0(%xe: bf16, %mean: f32, %m2: f32, %n: f32):
      %one = arith.constant 1.0 : f32
      %v = arith.extf %xe : bf16 to f32
      %n1 = arith.addf %n, %one : f32
      %d = arith.subf %v, %mean : f32
      %step = arith.divf %d, %n1 : f32
      %mean1 = arith.addf %mean, %step : f32
      %d1 = arith.subf %v, %mean1 : f32
      %q = arith.mulf %d, %d1 : f32
      %m21 = arith.addf %m2, %q : f32
      kernel.yield %mean1, %m21, %n1 : f32, f32, f32
    } finish {
    ^bb0(%xe: bf16, %mean: f32, %m2: f32, %n: f32):
      %eps = arith.constant 1.000000e-05 : f32
      %var = arith.divf %m2, %n : f32
      %safe = arith.addf %var, %eps : f32
      %rstd = math.rsqrt %safe : f32
      kernel.yield %mean, %rstd : f32, f32
    } combine {
    ^bb0(%mean0: f32, %a0: f32, %n0: f32, %mean1: f32, %a1: f32, %n1: f32):
      %n = arith.addf %n0, %n1 : f32
      %d = arith.subf %mean1, %mean0 : f32
      %part = arith.divf %n1, %n : f32
      %step = arith.mulf %d, %part : f32
      %mean = arith.addf %mean0, %step : f32
      %dd = arith.mulf %d, %d : f32
      %nw = arith.mulf %n0, %part : f32
      %extra = arith.mulf %dd, %nw : f32
      %a = arith.addf %a0, %a1 : f32
      %m2 = arith.addf %a, %extra : f32
      kernel.yield %mean, %m2, %n : f32, f32, f32
    } : tensor<3xf32>, tensor<3xf32>
  %y = kernel.map ins(%x, %mean, %rstd, %w, %b : tensor<3x512xbf16>, tensor<3xf32>, tensor<3xf32>, tensor<512xbf16>, tensor<512xbf16>)
    domain #kernel.domain<3 parallel, 512 parallel>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (j)>,
          affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>]
    mapping #kernel.mapping<tile = [2, 100], par = [1, 4], order = [1, 0], hold = [2, 2, 2, 1, 1]>
    body {
    ^bb0(%xe: bf16, %mean1: f32, %rstd1: f32, %we: bf16, %be: bf16):
      %0 = arith.extf %xe : bf16 to f32
      %1 = arith.subf %0, %mean1 : f32
      %2 = arith.mulf %1, %rstd1 : f32
      %3 = arith.extf %we : bf16 to f32
      %4 = arith.mulf %2, %3 : f32
      %5 = arith.extf %be : bf16 to f32
      %6 = arith.addf %4, %5 : f32
      %7 = arith.truncf %6 : f32 to bf16
      kernel.yield %7 : bf16
    } : tensor<3x512xbf16>
  func.return %y : tensor<3x512xbf16>
}
