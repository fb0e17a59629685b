// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s
// Causal attention, streamed: a scan over blocks of 8 keys that carries the row maximum m, the sum of exponentials l and the
// unnormalised output O of a block of 8 queries (Dao et al., 2022). Its arguments are blocks (the map gives their origin) and its
// body is a DAG of stages. The predicate skips blocks above the diagonal; inside a block the mask compares global indices. The
// 20 queries and keys leave ragged blocks: reads are padded, writes beyond the edge are dropped.
// CHECK: kernel.scan
// CHECK-SAME: domain #kernel.domain<2 parallel, 3 parallel, 3 sequential>
// CHECK-SAME: predicate affine_set
// CHECK: ^{{.*}}(%qb: tensor<8x16xf32>
// CHECK: kernel.contract ins(%qb, %kb
func.func @attention(%q: tensor<2x20x16xf32>, %k: tensor<2x20x16xf32>, %v: tensor<2x20x16xf32>) -> tensor<2x20x16xf32> {
  %y = kernel.scan ins(%q, %k, %v : tensor<2x20x16xf32>, tensor<2x20x16xf32>, tensor<2x20x16xf32>)
    domain #kernel.domain<2 parallel, 3 parallel, 3 sequential>
    maps [affine_map<(h, i, j) -> (h, i * 8, 0)>, affine_map<(h, i, j) -> (h, j * 8, 0)>, affine_map<(h, i, j) -> (h, j * 8, 0)>,
          affine_map<(h, i, j) -> (h, i * 8, 0)>]
    pads [0.0 : f32, 0.0 : f32, 0.0 : f32]
    predicate affine_set<(h, i, j) : (i - j >= 0)>
    inits [#kernel.fill<0xFF800000 : f32, tensor<8xf32>>, #kernel.fill<0.0 : f32, tensor<8xf32>>, #kernel.fill<0.0 : f32, tensor<8x16xf32>>]
    mapping #kernel.mapping<tile = [1, 2, 1], par = [1, 1, 1], order = [0, 1, 2], hold = [2, 3, 3]>
    body {
    ^bb0(%qb: tensor<8x16xf32>, %kb: tensor<8x16xf32>, %vb: tensor<8x16xf32>, %m: tensor<8xf32>, %l: tensor<8xf32>, %o: tensor<8x16xf32>):
      %eight = arith.constant 8 : i64
      %i = kernel.index 1
      %j = kernel.index 2
      %q0 = arith.muli %i, %eight : i64
      %k0 = arith.muli %j, %eight : i64
      %s = kernel.contract ins(%qb, %kb : tensor<8x16xf32>, tensor<8x16xf32>)
        domain #kernel.domain<8 parallel, 8 parallel, 16 reduction>
        maps [affine_map<(a, b, d) -> (a, d)>, affine_map<(a, b, d) -> (b, d)>, affine_map<(a, b, d) -> (a, b)>]
        inits [0.0 : f32]
        mapping #kernel.mapping<tile = [4, 8, 16], par = [1, 1, 1], order = [0, 1, 2], hold = [1, 0]>
        body {
        ^bb1(%qe: f32, %ke: f32, %acc: f32):
          %0 = arith.mulf %qe, %ke : f32
          %1 = arith.addf %acc, %0 : f32
          kernel.yield %1 : f32
        } finish {
        ^bb1(%qe: f32, %ke: f32, %acc: f32):
          %scale = arith.constant 0.25 : f32
          %never = arith.constant 0xFF800000 : f32
          %a = kernel.index 0
          %b = kernel.index 1
          %row = arith.addi %q0, %a : i64
          %column = arith.addi %k0, %b : i64
          %seen = arith.cmpi sle, %column, %row : i64
          %0 = arith.mulf %acc, %scale : f32
          %1 = arith.select %seen, %0, %never : f32
          kernel.yield %1 : f32
        } : tensor<8x8xf32>
      %m1 = kernel.reduce ins(%s, %m : tensor<8x8xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel, 8 reduction>
        maps [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>, affine_map<(a, b) -> (a)>]
        inits [0xFF800000 : f32]
        body {
        ^bb1(%se: f32, %me: f32, %acc: f32):
          %0 = arith.maximumf %acc, %se : f32
          kernel.yield %0 : f32
        } finish {
        ^bb1(%se: f32, %me: f32, %acc: f32):
          %0 = arith.maximumf %me, %acc : f32
          kernel.yield %0 : f32
        } : tensor<8xf32>
      %p = kernel.map ins(%s, %m1 : tensor<8x8xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel, 8 parallel>
        maps [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>, affine_map<(a, b) -> (a, b)>]
        body {
        ^bb1(%se: f32, %me: f32):
          %0 = arith.subf %se, %me : f32
          %1 = math.exp %0 : f32
          kernel.yield %1 : f32
        } : tensor<8x8xf32>
      %c = kernel.map ins(%m, %m1 : tensor<8xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel>
        maps [affine_map<(a) -> (a)>, affine_map<(a) -> (a)>, affine_map<(a) -> (a)>]
        body {
        ^bb1(%old: f32, %new: f32):
          %0 = arith.subf %old, %new : f32
          %1 = math.exp %0 : f32
          kernel.yield %1 : f32
        } : tensor<8xf32>
      %l1 = kernel.reduce ins(%p, %l, %c : tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel, 8 reduction>
        maps [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a)>, affine_map<(a, b) -> (a)>, affine_map<(a, b) -> (a)>]
        inits [0.0 : f32]
        body {
        ^bb1(%pe: f32, %le: f32, %ce: f32, %acc: f32):
          %0 = arith.addf %acc, %pe : f32
          kernel.yield %0 : f32
        } finish {
        ^bb1(%pe: f32, %le: f32, %ce: f32, %acc: f32):
          %0 = arith.mulf %le, %ce : f32
          %1 = arith.addf %0, %acc : f32
          kernel.yield %1 : f32
        } : tensor<8xf32>
      %o1 = kernel.contract ins(%p, %vb, %o, %c : tensor<8x8xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<8xf32>)
        domain #kernel.domain<8 parallel, 16 parallel, 8 reduction>
        maps [affine_map<(a, d, b) -> (a, b)>, affine_map<(a, d, b) -> (b, d)>, affine_map<(a, d, b) -> (a, d)>,
              affine_map<(a, d, b) -> (a)>, affine_map<(a, d, b) -> (a, d)>]
        inits [0.0 : f32]
        body {
        ^bb1(%pe: f32, %ve: f32, %oe: f32, %ce: f32, %acc: f32):
          %0 = arith.mulf %pe, %ve : f32
          %1 = arith.addf %acc, %0 : f32
          kernel.yield %1 : f32
        } finish {
        ^bb1(%pe: f32, %ve: f32, %oe: f32, %ce: f32, %acc: f32):
          %0 = arith.mulf %oe, %ce : f32
          %1 = arith.addf %0, %acc : f32
          kernel.yield %1 : f32
        } : tensor<8x16xf32>
      kernel.yield %m1, %l1, %o1 : tensor<8xf32>, tensor<8xf32>, tensor<8x16xf32>
    } finish {
    ^bb0(%qb: tensor<8x16xf32>, %kb: tensor<8x16xf32>, %vb: tensor<8x16xf32>, %m: tensor<8xf32>, %l: tensor<8xf32>, %o: tensor<8x16xf32>):
      %r = kernel.map ins(%o, %l : tensor<8x16xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel, 16 parallel>
        maps [affine_map<(a, d) -> (a, d)>, affine_map<(a, d) -> (a)>, affine_map<(a, d) -> (a, d)>]
        body {
        ^bb1(%oe: f32, %le: f32):
          %0 = arith.divf %oe, %le : f32
          kernel.yield %0 : f32
        } : tensor<8x16xf32>
      kernel.yield %r : tensor<8x16xf32>
    } : tensor<2x20x16xf32>
  func.return %y : tensor<2x20x16xf32>
}
