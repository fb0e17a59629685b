// RUN: samba-opt --pass-pipeline='kernel-size-fifos' %s | filecheck %s --check-prefixes=ANY,PACE
// RUN: samba-opt --pass-pipeline='kernel-size-fifos{solver=pace}' %s | filecheck %s --check-prefixes=ANY,PACE
// RUN: samba-opt --pass-pipeline='kernel-size-fifos{solver=least}' %s | filecheck %s --check-prefixes=ANY,LEAST
// RUN: not samba-opt --pass-pipeline='kernel-size-fifos{solver=most}' %s 2>&1 | filecheck %s --check-prefix=WRONG

// A solver that does not exist is refused with those that do.
// WRONG: there is no solver 'most' for fifo-sizing
// WRONG: try: use one of pace, least

#row = affine_map<(d0, d1) -> (d0, d1)>

// The second map starts late, so 5 windows between the two keep the pace; one is enough to finish at all. What is loaded
// early keeps its depth with either.
// ANY-LABEL: kernel.section @s
// ANY: kernel.buffer %{{.*}} {depth = 5 : i64, tokens = 8 : i64
// PACE: kernel.buffer %{{.*}} {depth = 5 : i64, tokens = 8 : i64
// LEAST: kernel.buffer %{{.*}} {depth = 1 : i64, tokens = 8 : i64
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8, 32>} : tensor<64x32xf32>
      %b0 = kernel.buffer %l {depth = 5 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"} : tensor<64x32xf32>
      %2 = kernel.map ins(%b0 : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [#row, #row] mapping #kernel.mapping<tile = [8, 32], par = [1, 2], order = [0, 1], hold = [1]> windows [8] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %b1 = kernel.buffer %2 {depth = 7 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"} : tensor<64x32xf32>
      %3 = kernel.map ins(%b1 : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [#row, #row] mapping #kernel.mapping<tile = [8, 32], par = [1, 2], order = [0, 1], hold = [1]> windows [8] body {
      ^bb0(%e: f32):
        %n = math.tanh %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %3 {agcus = 1 : i64, tile = array<i64: 8, 32>} : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}
