// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// The k greatest: a reduce whose accumulators are k pairs (value, index), sorted descending. The pair of a point is inserted; of
// equal values the first stays ahead. Nothing merges two lists: the fold is one run, in order. The accumulators are blocks of the results, rounded to the results' types.
// CHECK: kernel.reduce
// CHECK-SAME: inits [#kernel.fill<0xff800000 : f32, tensor<4xf32>>, #kernel.fill<0 : i64, tensor<4xi64>>]
// CHECK: kernel.insert_sorted
func.func @topk(%x: tensor<3x200xbf16>) -> (tensor<3x4xbf16>, tensor<3x4xi64>) {
  %values, %indices = kernel.reduce ins(%x : tensor<3x200xbf16>) domain #kernel.domain<3 parallel, 200 reduction>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, 0)>, affine_map<(i, j) -> (i, 0)>]
    inits [#kernel.fill<0xFF800000 : f32, tensor<4xf32>>, #kernel.fill<0 : i64, tensor<4xi64>>]
    ordered
    mapping #kernel.mapping<tile = [2, 60], par = [1, 1], order = [0, 1], hold = [2]>
    body {
    ^bb0(%xe: bf16, %v: tensor<4xf32>, %i: tensor<4xi64>):
      %0 = arith.extf %xe : bf16 to f32
      %j = kernel.index 1
      %v1, %i1 = kernel.insert_sorted %v, %i, %0, %j : tensor<4xf32>, tensor<4xi64>
      kernel.yield %v1, %i1 : tensor<4xf32>, tensor<4xi64>
    } : tensor<3x4xbf16>, tensor<3x4xi64>
  func.return %values, %indices : tensor<3x4xbf16>, tensor<3x4xi64>
}
