// How often a stage fires does not matter: only what is handed over is counted.
// RUN: samba-opt --pass-pipeline=kernel-size-fifos %s | filecheck %s

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8388608xf32>) -> tensor<8388608xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8388608xf32>) -> (tensor<8388608xf32>) {
      %l = kernel.load %a {agcus = 1 : i64, tile = array<i64: 2097152>} : tensor<8388608xf32>
      // CHECK: kernel.buffer {{.*}}depth = 2 : i64, tokens = 4 : i64
      %b = kernel.buffer %l {depth = 2 : i64, tokens = 4 : i64, tier = "sram", pmus = 32 : i64, banks = 16 : i64} : tensor<8388608xf32>
      %1 = kernel.map ins(%b : tensor<8388608xf32>) domain #kernel.domain<8388608 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [1], par = [1], order = [0], hold = [1]> windows [8388608] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<8388608xf32>
      %2, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 1>} : tensor<8388608xf32>
      kernel.yield %2 : tensor<8388608xf32>
    }
    func.return %0 : tensor<8388608xf32>
  }
}
