// RUN: samba-opt --pass-pipeline=samba-shard --split-input-file %s | filecheck %s

// An MLP: the first weight by output features, the second by input features; the bias after the sum stays whole.
// CHECK-LABEL: @mlp
// CHECK-SAME: samba.name = "up", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: samba.name = "up_bias", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: samba.name = "down", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: samba.name = "down_bias"}
// CHECK-SAME: samba.name = "x"}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @mlp(%up: tensor<8x4xf32> {samba.role = "param", samba.name = "up"},
                 %ub: tensor<8xf32> {samba.role = "param", samba.name = "up_bias"},
                 %down: tensor<4x8xf32> {samba.role = "param", samba.name = "down"},
                 %db: tensor<4xf32> {samba.role = "param", samba.name = "down_bias"},
                 %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> {
    %0 = samba.linear %x, %up, %ub : (tensor<3x4xf32>, tensor<8x4xf32>, tensor<8xf32>) -> tensor<3x8xf32>
    %1 = samba.gelu %0 : tensor<3x8xf32>
    %2 = samba.linear %1, %down, %db : (tensor<3x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<3x4xf32>
    func.return %2 : tensor<3x4xf32>
  }
}

// -----

// The parts of a fused projection are split each by itself: [3 parts, 2 chips, inner].
// CHECK-LABEL: @fused
// CHECK-SAME: samba.name = "qkv", samba.shard = #samba.shard<1, 3, 2>
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @fused(%w: tensor<4x12xf32> {samba.role = "param", samba.name = "qkv"},
                   %b: tensor<12xf32> {samba.role = "param", samba.name = "bias"},
                   %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> {
    %0 = samba.addmm %b, %x, %w : (tensor<12xf32>, tensor<3x4xf32>, tensor<4x12xf32>) -> tensor<3x12xf32>
    %1 = samba.view %0 {size = [1, 3, 12]} : (tensor<3x12xf32>) -> tensor<1x3x12xf32>
    %q, %k, %v = samba.split %1 {split_size = [4], dim = 2} : (tensor<1x3x12xf32>) -> (tensor<1x3x4xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>)
    %2 = samba.mul %q, %k : tensor<1x3x4xf32>
    %3 = samba.view %2 {size = [3, 4]} : (tensor<1x3x4xf32>) -> tensor<3x4xf32>
    func.return %3 : tensor<3x4xf32>
  }
}

// -----

// State takes the sharding of what is written to it: the cache by head.
// CHECK-LABEL: @cache
// CHECK-SAME: samba.name = "k_proj", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: samba.name = "key_cache", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: samba.name = "position"}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @cache(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "k_proj"},
                   %c: tensor<1x2x5x4xf32> {samba.role = "state", samba.name = "key_cache"},
                   %p: tensor<1xi64> {samba.name = "position"},
                   %x: tensor<1x1x4xf32> {samba.name = "x"}) -> (tensor<1x2x5x4xf32> {samba.tied = 1 : i64}) {
    %0 = samba.linear %x, %w : (tensor<1x1x4xf32>, tensor<8x4xf32>) -> tensor<1x1x8xf32>
    %1 = samba.view %0 {size = [1, 1, 2, 4]} : (tensor<1x1x8xf32>) -> tensor<1x1x2x4xf32>
    %2 = samba.transpose %1 {dim0 = 1, dim1 = 2} : (tensor<1x1x2x4xf32>) -> tensor<1x2x1x4xf32>
    %3 = samba.index_copy %c, %p, %2 {dim = 2} : (tensor<1x2x5x4xf32>, tensor<1xi64>, tensor<1x2x1x4xf32>) -> tensor<1x2x5x4xf32>
    func.return %3 : tensor<1x2x5x4xf32>
  }
}

// -----

// A layer that is called twice is sharded once, and all its calls agree.
// CHECK-LABEL: func.func private @layer
// CHECK-SAME: samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: samba.shard = #samba.shard<1, 1, 2>
// CHECK-LABEL: @twice
// CHECK-SAME: samba.name = "up0", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: samba.name = "down0", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: samba.name = "up1", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: samba.name = "down1", samba.shard = #samba.shard<1, 1, 2>
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func private @layer(%up: tensor<8x4xf32> {samba.role = "param"}, %down: tensor<4x8xf32> {samba.role = "param"},
                           %x: tensor<3x4xf32>) -> tensor<3x4xf32> {
    %0 = samba.linear %x, %up : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    %1 = samba.linear %0, %down : (tensor<3x8xf32>, tensor<4x8xf32>) -> tensor<3x4xf32>
    func.return %1 : tensor<3x4xf32>
  }
  func.func @twice(%u0: tensor<8x4xf32> {samba.role = "param", samba.name = "up0"},
                   %d0: tensor<4x8xf32> {samba.role = "param", samba.name = "down0"},
                   %u1: tensor<8x4xf32> {samba.role = "param", samba.name = "up1"},
                   %d1: tensor<4x8xf32> {samba.role = "param", samba.name = "down1"},
                   %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> {
    %0 = func.call @layer(%u0, %d0, %x) : (tensor<8x4xf32>, tensor<4x8xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    %1 = func.call @layer(%u1, %d1, %0) : (tensor<8x4xf32>, tensor<4x8xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    func.return %1 : tensor<3x4xf32>
  }
}

// -----

// A first call with a split argument does not bind a later call whose argument is whole: the argument is whole at all calls.
// CHECK-LABEL: func.func private @square
// CHECK-SAME: %a: tensor<3x8xf32>)
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func private @square(%a: tensor<3x8xf32>) -> tensor<3x8xf32> {
    %0 = samba.mul %a, %a : tensor<3x8xf32>
    func.return %0 : tensor<3x8xf32>
  }
  func.func @mixed(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w"}, %x: tensor<3x4xf32> {samba.name = "x"},
                   %y: tensor<3x8xf32> {samba.name = "y"}) -> (tensor<3x8xf32>, tensor<3x8xf32>) {
    %0 = samba.linear %x, %w : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    %1 = func.call @square(%0) : (tensor<3x8xf32>) -> tensor<3x8xf32>
    %2 = func.call @square(%y) : (tensor<3x8xf32>) -> tensor<3x8xf32>
    func.return %1, %2 : tensor<3x8xf32>, tensor<3x8xf32>
  }
}

// -----

// What does not divide stays whole; so does a table that an embedding reads.
// CHECK-LABEL: @odd
// CHECK-NOT: samba.shard
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @odd(%e: tensor<6x4xf32> {samba.role = "param", samba.name = "table"},
                 %w: tensor<7x4xf32> {samba.role = "param", samba.name = "w"},
                 %i: tensor<3xi64> {samba.name = "i"}) -> tensor<3x7xf32> {
    %0 = samba.embedding %e, %i : (tensor<6x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
    %1 = samba.linear %0, %w : (tensor<3x4xf32>, tensor<7x4xf32>) -> tensor<3x7xf32>
    func.return %1 : tensor<3x7xf32>
  }
}

// -----

// The user's own sharding comes first, and fused modules are seen through.
// CHECK-LABEL: @given
// CHECK-SAME: samba.name = "w", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: samba.name = "x", samba.shard = #samba.shard<1, 1, 2>
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @given(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w"},
                   %x: tensor<3x4xf32> {samba.name = "x", samba.shard = #samba.shard<1, 1, 2>}) -> tensor<3x8xf32> {
    %0 = samba.module "gemm"(%a = %x : tensor<3x4xf32>, %b = %w : tensor<8x4xf32>) -> (tensor<3x8xf32>) {
      %1 = samba.linear %a, %b : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
      samba.yield %1 : tensor<3x8xf32>
    }
    func.return %0 : tensor<3x8xf32>
  }
}

// -----

// One chip: nothing to do.
// CHECK-LABEL: @alone
// CHECK-NOT: samba.shard
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @alone(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w"}, %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x8xf32> {
    %0 = samba.linear %x, %w : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    func.return %0 : tensor<3x8xf32>
  }
}
