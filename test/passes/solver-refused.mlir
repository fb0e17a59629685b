// A solver that does not exist is refused with those that do.
// RUN: not samba-opt --pass-pipeline='samba-shard{solver=gredy}' %s 2>&1 | filecheck %s --check-prefix=SHARD
// RUN: not samba-opt --pass-pipeline='kernel-cut-sections{solver=best}' %s 2>&1 | filecheck %s --check-prefix=CUT
// RUN: not samba-opt --pass-pipeline='kernel-cut-sections,kernel-tile,kernel-balance,kernel-insert-transfers,kernel-insert-buffers,kernel-size-fifos{solver=most}' %s 2>&1 | filecheck %s --check-prefix=FIFO

// SHARD: there is no solver 'gredy' for sharding; did you mean 'greedy'?
// SHARD: try: use one of greedy, whole
// CUT: there is no solver 'best' for cuts
// CUT: try: use one of shortest, greedy
// FIFO: there is no solver 'most' for fifos
// FIFO: try: use one of pace, least
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.map ins(%x : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%e: f32):
      %f = math.exp %e : f32
      kernel.yield %f : f32
    } : tensor<8xf32>
    func.return %0 : tensor<8xf32>
  }
}
