// A fixed tile of a load, and a fixed depth behind one: the rest adapts, or is refused where they cannot be.
// RUN: samba-opt --pass-pipeline=kernel-tile,kernel-balance,kernel-insert-transfers,kernel-insert-buffers,kernel-size-fifos --verify-diagnostics --split-input-file %s | filecheck %s

// The load brings twice what a firing reads: its reader takes the buffer's two windows in as many parts.
// CHECK: kernel.load {{.*}}tile = array<i64: 32, 32>
// CHECK: kernel.buffer {{.*}}tokens = 2 : i64
// CHECK: mapping #kernel.mapping<tile = [16, 32]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a {tile = array<i64: 32, 32>} : tensor<64x32xf32>
      %1 = kernel.map ins(%l : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [16, 32], order = [0, 1], hold = [1]> body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %1 : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}

// -----

// Four windows are no eight.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a : tensor<64x32xf32>
      // expected-error@below {{'depth' is fixed at 8, and has to be 4: there are not so many windows}}
      // expected-note@below {{try: give 'depth' a value that fits}}
      // expected-note@below {{try: leave 'depth' to kernel-size-fifos: drop it}}
      %b = kernel.buffer %l {depth = 8 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = {tokens = "search", pmus = "search", banks = "search", depth = "user"}} : tensor<64x32xf32>
      %1 = kernel.map ins(%b : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [16, 32], order = [0, 1], hold = [1]> body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %1 : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}
