// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// Dropout with p = 0.25: random bits are a function of the seed and the point's index in the tensor before sharding, so neither
// tiles nor shards change the mask. Dimension 0 is one of 2 chips' shards of 3 rows: `kernel.index` gives the global row.
// CHECK: kernel.random
// CHECK: kernel.index 0 shard 2 x 3
// CHECK: kernel.random_bits
func.func @dropout(%x: tensor<3x100xf32>, %seed: tensor<i64>) -> tensor<3x100xf32> {
  %y = kernel.random ins(%x, %seed : tensor<3x100xf32>, tensor<i64>) domain #kernel.domain<3 parallel, 100 parallel>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>, affine_map<(i, j) -> (i, j)>]
    mapping #kernel.mapping<tile = [2, 33], par = [1, 1], order = [1, 0], hold = [2, 0]>
    body {
    ^bb0(%xe: f32, %s: i64):
      %width = arith.constant 100 : i64
      %limit = arith.constant -1073741824 : i32
      %scale = arith.constant 1.33333337 : f32
      %zero = arith.constant 0.0 : f32
      %i = kernel.index 0 shard 2 x 3
      %j = kernel.index 1
      %row = arith.muli %i, %width : i64
      %at = arith.addi %row, %j : i64
      %bits = kernel.random_bits %s, %at
      %keep = arith.cmpi sge, %bits, %limit : i32
      %scaled = arith.mulf %xe, %scale : f32
      %r = arith.select %keep, %scaled, %zero : f32
      kernel.yield %r : f32
    } : tensor<3x100xf32>
  func.return %y : tensor<3x100xf32>
}
