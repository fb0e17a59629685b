// RUN: samba-opt --pass-pipeline='kernel-size-fifos' %s | filecheck %s

// Two ways meet in the last map. The short one has to hold the whole first result, because the other one, a sum over all
// rows, gives nothing before it has seen the last row: with less than 8 windows the section deadlocks. The buffer in front
// of the sum reads once what is written in eight windows, and stays as it is. Between the two maps of the chain a token takes 8 + 18 cycles at a pace of 8, so 7
// windows are more than the 1 + 26 / 8, rounded up, that keep the pace. What is behind a load keeps its depth. A store takes one window a firing, and the next may wait.
// CHECK-LABEL: kernel.section @s
// CHECK: kernel.buffer %{{.*}} {depth = 5 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"}
// CHECK: kernel.buffer %{{.*}} {depth = 5 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"}
// CHECK: kernel.buffer %{{.*}} {depth = 8 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, handed = 8 : i64, banks = 1 : i64, decided_by = "search"}
// CHECK: kernel.buffer %{{.*}} {depth = 8 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"}
// CHECK: kernel.buffer %{{.*}} {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"}
// CHECK: kernel.store %{{.*}} {agcus = 16 : i64, tile = array<i64: 8, 32>, depth = 2 : i64, decided_by = "search"}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a {agcus = 16 : i64, tile = array<i64: 8, 32>} : tensor<64x32xf32>
      %b0 = kernel.buffer %l {depth = 5 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"} : tensor<64x32xf32>
      %2 = kernel.map ins(%b0 : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [8, 32], par = [1, 2], order = [0, 1], hold = [1]> windows [8] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %b1 = kernel.buffer %2 {depth = 7 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"} : tensor<64x32xf32>
      %3 = kernel.map ins(%b1 : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [8, 32], par = [1, 2], order = [0, 1], hold = [1]> windows [8] body {
      ^bb0(%e: f32):
        %n = math.tanh %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %b2 = kernel.buffer %3 {depth = 8 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, handed = 8 : i64, banks = 1 : i64, decided_by = "search"} : tensor<64x32xf32>
      %4 = kernel.reduce ins(%b2 : tensor<64x32xf32>) domain #kernel.domain<32 parallel, 64 reduction> maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] mapping #kernel.mapping<tile = [32, 64], par = [2, 1], order = [0, 1], hold = [0]> windows [1] body {
      ^bb0(%e: f32, %acc: f32):
        %n = arith.addf %acc, %e : f32
        kernel.yield %n : f32
      } : tensor<32xf32>
      %b3 = kernel.buffer %3 {depth = 2 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"} : tensor<64x32xf32>
      %b4 = kernel.buffer %4 {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"} : tensor<32xf32>
      %5 = kernel.map ins(%b3, %b4 : tensor<64x32xf32>, tensor<32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [8, 32], par = [1, 2], order = [0, 1], hold = [1, 0]> windows [8] body {
      ^bb0(%e: f32, %s: f32):
        %n = arith.divf %e, %s : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %5 {agcus = 16 : i64, tile = array<i64: 8, 32>, decided_by = "search"} : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}
