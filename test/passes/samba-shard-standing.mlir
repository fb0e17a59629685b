// What a user wrote about the layout of an argument stands; what the pass wrote is decided again when something fixed has
// changed, and says who decided it.
// RUN: samba-opt --pass-pipeline=samba-shard --verify-diagnostics --split-input-file %s | filecheck %s
// RUN: samba-opt --pass-pipeline=samba-shard,samba-shard --verify-diagnostics --split-input-file %s | filecheck %s

// Nobody fixed anything: all that the pass chose is its own.
// CHECK-LABEL: @open
// CHECK-SAME: samba.name = "up", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: samba.name = "down", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: attributes {decided_by = "search"}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @open(%up: tensor<8x4xf32> {samba.role = "param", samba.name = "up"},
                  %down: tensor<4x8xf32> {samba.role = "param", samba.name = "down"},
                  %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> {
    %0 = samba.linear %x, %up : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    %1 = samba.linear %0, %down : (tensor<3x8xf32>, tensor<4x8xf32>) -> tensor<3x4xf32>
    func.return %1 : tensor<3x4xf32>
  }
}

// -----

// Another layout that was searched before is no wish: the same again.
// CHECK-LABEL: @searched
// CHECK-SAME: samba.name = "up", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: samba.name = "down", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: attributes {decided_by = "search"}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @searched(%up: tensor<8x4xf32> {samba.role = "param", samba.name = "up", samba.shard = #samba.shard<1, 1, 2>},
                      %down: tensor<4x8xf32> {samba.role = "param", samba.name = "down"},
                      %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> attributes {decided_by = "search"} {
    %0 = samba.linear %x, %up : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    %1 = samba.linear %0, %down : (tensor<3x8xf32>, tensor<4x8xf32>) -> tensor<3x4xf32>
    func.return %1 : tensor<3x4xf32>
  }
}

// -----

// The first weight is split by input features, as the user wrote; the second adapts: its input is whole, and it starts a
// split itself.
// CHECK-LABEL: @fixed
// CHECK-SAME: samba.name = "up", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: samba.name = "down", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: attributes {decided_by = {shard_0 = "user", shard_1 = "search"}}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @fixed(%up: tensor<8x4xf32> {samba.role = "param", samba.name = "up", samba.shard = #samba.shard<1, 1, 2>},
                   %down: tensor<4x8xf32> {samba.role = "param", samba.name = "down", samba.shard = #samba.shard<1, 1, 2>},
                   %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> attributes {decided_by = {shard_0 = "user", shard_1 = "search"}} {
    %0 = samba.linear %x, %up : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    %1 = samba.linear %0, %down : (tensor<3x8xf32>, tensor<4x8xf32>) -> tensor<3x4xf32>
    func.return %1 : tensor<3x4xf32>
  }
}

// -----

// A weight that is to stay whole stays whole, and what is computed with it is whole.
// CHECK-LABEL: @whole
// CHECK-SAME: samba.name = "up", samba.shard = #samba.shard<0, 1, 1>
// CHECK-SAME: samba.name = "down", samba.shard = #samba.shard<0, 1, 2>
// CHECK-SAME: attributes {decided_by = {shard_1 = "search"}}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @whole(%up: tensor<8x4xf32> {samba.role = "param", samba.name = "up", samba.shard = #samba.shard<0, 1, 1>},
                   %down: tensor<4x8xf32> {samba.role = "param", samba.name = "down"},
                   %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> {
    %0 = samba.linear %x, %up : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    %1 = samba.linear %0, %down : (tensor<3x8xf32>, tensor<4x8xf32>) -> tensor<3x4xf32>
    func.return %1 : tensor<3x4xf32>
  }
}

// -----

// What a user wrote on an argument of a layer holds for the tensors that its calls pass.
// CHECK-LABEL: func.func private @layer
// CHECK-SAME: samba.shard = #samba.shard<1, 1, 2>
// CHECK-NOT: decided_by
// CHECK-LABEL: @twice
// CHECK-SAME: samba.name = "w0", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: samba.name = "w1", samba.shard = #samba.shard<1, 1, 2>
// CHECK-SAME: attributes {decided_by = "search"}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func private @layer(%w: tensor<4x4xf32> {samba.role = "param", samba.shard = #samba.shard<1, 1, 2>}, %x: tensor<3x4xf32>) -> tensor<3x4xf32> {
    %0 = samba.linear %x, %w : (tensor<3x4xf32>, tensor<4x4xf32>) -> tensor<3x4xf32>
    func.return %0 : tensor<3x4xf32>
  }
  func.func @twice(%w0: tensor<4x4xf32> {samba.role = "param", samba.name = "w0"}, %w1: tensor<4x4xf32> {samba.role = "param", samba.name = "w1"},
                   %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> {
    %0 = func.call @layer(%w0, %x) : (tensor<4x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    %1 = func.call @layer(%w1, %0) : (tensor<4x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    func.return %1 : tensor<3x4xf32>
  }
}

// -----

// An activation that a call passes is whole, and cannot be taken split.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func private @relu(%x: tensor<3x4xf32> {samba.shard = #samba.shard<1, 1, 2>}) -> tensor<3x4xf32> {
    %0 = samba.relu %x : tensor<3x4xf32>
    func.return %0 : tensor<3x4xf32>
  }
  func.func @passed(%x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x4xf32> {
    // expected-error@below {{argument 0 of @relu has a samba.shard: it is split along dimension 1, but whole here}}
    // expected-note@below {{try: remove samba.shard from argument 0 of @relu}}
    // expected-note@below {{try: write a samba.shard on what is passed that agrees}}
    %0 = func.call @relu(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
    func.return %0 : tensor<3x4xf32>
  }
}

// -----

// A split over two chips needs two.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  // expected-error@below {{#samba.shard<0, 1, 2> does not fit tensor<8x4xf32> on 1 chip}}
  // expected-note@below {{try: change samba.shard or the number of chips}}
  func.func @one_chip(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 2>}) -> tensor<8x4xf32> {
    %0 = samba.relu %w : tensor<8x4xf32>
    func.return %0 : tensor<8x4xf32>
  }
}

// -----

// What was searched for other chips is decided anew: on one there is nothing to split.
// CHECK-LABEL: @searched_for_two
// CHECK-NOT: samba.shard
// CHECK: samba.relu
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @searched_for_two(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 2>}) -> tensor<8x4xf32> attributes {decided_by = "search"} {
    %0 = samba.relu %w : tensor<8x4xf32>
    func.return %0 : tensor<8x4xf32>
  }
}

// -----

// After samba-partition every chip's part is cut out: the pass leaves what it finds.
// CHECK-LABEL: @partitioned
// CHECK-SAME: tensor<4x4xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 2>}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>, samba.partitioned} {
  func.func @partitioned(%w: tensor<4x4xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 2>}) -> tensor<4x4xf32> {
    %0 = samba.relu %w : tensor<4x4xf32>
    func.return %0 : tensor<4x4xf32>
  }
}
