// RUN: samba-opt --pass-pipeline='kernel-tile' %s | filecheck %s

// Every stage gets a tile, a loop order and how long its operands are held. The chain shares its row loop: the reduction
// and the map that reads it take the same rows at a time. The transposition at the end is an access pattern and gets none.
// CHECK-LABEL: kernel.section @s
// CHECK: kernel.reduce {{.*}} mapping #kernel.mapping<tile = [[[ROWS:[0-9]+]], 32], order = [0, 1], hold = [1]>
// CHECK: kernel.map {{.*}} mapping #kernel.mapping<tile = [[[ROWS]], 32], order = [0, 1], hold = [1, 1]>
// CHECK: decided_by = "search"
// CHECK: kernel.move
// CHECK-NOT: mapping
// CHECK-SAME: : tensor<32x64xf32>

// A mapping that nobody says a pass has chosen is fixed: it is kept.
// CHECK: kernel.map {{.*}} mapping #kernel.mapping<tile = [64, 8], order = [1, 0], hold = [0]>
// CHECK-NOT: decided_by
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> (tensor<32x64xf32>, tensor<64x32xf32>) {
    %0, %1 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<32x64xf32>, tensor<64x32xf32>) {
      %2 = kernel.reduce ins(%a : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 reduction> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] body {
      ^bb0(%e: f32, %acc: f32):
        %n = arith.addf %acc, %e : f32
        kernel.yield %n : f32
      } : tensor<64xf32>
      %3 = kernel.map ins(%a, %2 : tensor<64x32xf32>, tensor<64xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32, %s: f32):
        %n = arith.divf %e, %s : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %4 = kernel.move ins(%3 : tensor<64x32xf32>) domain #kernel.domain<32 parallel, 64 parallel> maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<32x64xf32>
      %5 = kernel.map ins(%a : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [64, 8], order = [1, 0], hold = [0]> body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      kernel.yield %4, %5 : tensor<32x64xf32>, tensor<64x32xf32>
    }
    func.return %0, %1 : tensor<32x64xf32>, tensor<64x32xf32>
  }
}
