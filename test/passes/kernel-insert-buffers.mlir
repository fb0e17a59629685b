// RUN: samba-opt --split-input-file --pass-pipeline='kernel-tile,kernel-balance,kernel-insert-transfers,kernel-insert-buffers' %s | filecheck %s
// RUN: samba-opt --split-input-file --pass-pipeline='kernel-tile,kernel-balance,kernel-insert-transfers,kernel-insert-buffers' --remarks --statistics %s 2>&1 >/dev/null | filecheck %s --check-prefix=REMARK

// Each edge gets a buffer. Rows flow in eight tokens of 8 rows from the load through both stages. A firing takes 8 cycles
// (128 f32 for each of two PCUs, 64 B a cycle) and gives its token 8 + 18 cycles after it starts, so 2 + 26 / 8 windows are on
// their way; 1024 B in 8 cycles are two PMU ports. What is loaded early is held as far as there are PMUs. The column sums
// read all rows: their buffer holds the whole tensor, once, as it is written: in 8 windows, each of which takes one of a PMU's
// banks. The stores take the stages' results as they come, the first one in the windows that its other reader wants.
// CHECK-LABEL: kernel.section @s
// CHECK: [[L:%.*]] = kernel.load %a
// CHECK-NEXT: [[B0:%.*]] = kernel.buffer [[L]] {depth = 8 : i64, tokens = 8 : i64, tier = "sram", pmus = 2 : i64, banks = 1 : i64, decided_by = "search"}
// CHECK-NEXT: [[M0:%.*]] = kernel.map ins([[B0]] :
// CHECK: [[B1:%.*]] = kernel.buffer [[M0]] {depth = 5 : i64, tokens = 8 : i64, tier = "sram", pmus = 2 : i64, banks = 1 : i64, decided_by = "search"}
// CHECK-NEXT: [[M1:%.*]] = kernel.map ins([[B1]] :
// CHECK: [[B2:%.*]] = kernel.buffer [[M1]] {depth = 8 : i64, tokens = 1 : i64, tier = "sram", pmus = 2 : i64, banks = 1 : i64, handed = 8 : i64, decided_by = "search"}
// CHECK-NEXT: [[R:%.*]] = kernel.reduce ins([[B2]] :
// CHECK-NOT: kernel.buffer
// CHECK: kernel.store [[M1]]
// CHECK-NOT: kernel.buffer
// CHECK: kernel.store [[R]]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> (tensor<64x32xf32>, tensor<32xf32>) {
    %0, %1 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>, tensor<32xf32>) {
      %l = kernel.load %a : tensor<64x32xf32>
      %2 = kernel.map ins(%l : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [8, 32], par = [1, 2], order = [0, 1], hold = [1]> body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %3 = kernel.map ins(%2 : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [8, 32], par = [1, 2], order = [0, 1], hold = [1]> body {
      ^bb0(%e: f32):
        %n = math.tanh %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %4 = kernel.reduce ins(%3 : tensor<64x32xf32>) domain #kernel.domain<32 parallel, 64 reduction> maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] mapping #kernel.mapping<tile = [8, 64], par = [2, 1], order = [0, 1], hold = [0]> body {
      ^bb0(%e: f32, %acc: f32):
        %n = arith.addf %acc, %e : f32
        kernel.yield %n : f32
      } : tensor<32xf32>
      %r, %t = kernel.store %3 : tensor<64x32xf32>
      %u, %v = kernel.store %4 : tensor<32xf32>
      kernel.yield %r, %u : tensor<64x32xf32>, tensor<32xf32>
    }
    func.return %0, %1 : tensor<64x32xf32>, tensor<32xf32>
  }
}

// -----

// A move that is no access pattern of its reader gets a buffer, and that is said: a flattened transposition across extents
// that do not divide each other.
// REMARK: missed: is no access pattern of its readers: it goes through a buffer (operand = 0, windows = 4, bytes = 240)
// REMARK-NOT: is no access pattern
// REMARK: 1 moves - buffers of moves that are no access pattern
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<6x10xf32>) -> tensor<4x15xf32> {
    %0 = kernel.section @reshape (%a = %x : tensor<6x10xf32>) -> (tensor<4x15xf32>) {
      %1 = kernel.move ins(%a : tensor<6x10xf32>) domain #kernel.domain<10 parallel, 6 parallel> maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<10x6xf32>
      %2 = kernel.move ins(%1 : tensor<10x6xf32>) domain #kernel.domain<4 parallel, 15 parallel> maps [affine_map<(d0, d1) -> ((d0 * 15 + d1) floordiv 6, (d0 * 15 + d1) mod 6)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<4x15xf32>
      kernel.yield %2 : tensor<4x15xf32>
    }
    func.return %0 : tensor<4x15xf32>
  }
}
