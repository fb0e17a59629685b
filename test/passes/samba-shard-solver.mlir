// RUN: samba-opt --pass-pipeline=samba-shard %s | filecheck %s --check-prefixes=ANY,GREEDY
// RUN: samba-opt --pass-pipeline='samba-shard{solver=greedy}' %s | filecheck %s --check-prefixes=ANY,GREEDY
// RUN: samba-opt --pass-pipeline='samba-shard{solver=whole}' %s | filecheck %s --check-prefixes=ANY,WHOLE
// RUN: not samba-opt --pass-pipeline='samba-shard{solver=gredy}' %s 2>&1 | filecheck %s --check-prefix=WRONG

// A solver that does not exist is refused with those that do.
// WRONG: there is no solver 'gredy' for sharding; did you mean 'greedy'?
// WRONG: try: use one of greedy, whole

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {

  // By default splits start at a weight and spread; `whole` splits nothing by itself.
  // ANY-LABEL: @mlp
  // GREEDY-SAME: samba.name = "up", samba.shard = #samba.shard<0, 1, 2>
  // GREEDY-SAME: samba.name = "down", samba.shard = #samba.shard<1, 1, 2>
  // WHOLE-SAME: samba.name = "up"}
  // WHOLE-SAME: samba.name = "down"}
  func.func @mlp(%up: tensor<8x4xf32> {samba.role = "param", samba.name = "up"},
                 %down: tensor<4x8xf32> {samba.role = "param", samba.name = "down"},
                 %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> {
    %0 = samba.linear %x, %up : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    %1 = samba.linear %0, %down : (tensor<3x8xf32>, tensor<4x8xf32>) -> tensor<3x4xf32>
    func.return %1 : tensor<3x4xf32>
  }

  // What the user has split stays so with either, and what was asked of a tensor in one graph holds in the others.
  // ANY-LABEL: @given
  // ANY-SAME: samba.name = "w", samba.shard = #samba.shard<1, 1, 2>
  // ANY-LABEL: @later
  // ANY-SAME: samba.name = "w", samba.shard = #samba.shard<1, 1, 2>
  func.func @given(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w"}, %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x8xf32> {
    %0 = samba.linear %x, %w : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    func.return %0 : tensor<3x8xf32>
  }
  func.func @later(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<1, 1, 2>}, %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x8xf32> {
    %0 = samba.linear %x, %w : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    func.return %0 : tensor<3x8xf32>
  }
}
