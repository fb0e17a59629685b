// What samba-shard cannot place.
// RUN: samba-opt --pass-pipeline=samba-shard --verify-diagnostics --split-input-file %s

// A sharding that is asked for is for the chips of the target.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  // expected-error@below {{#samba.shard<0, 1, 4> does not fit tensor<8xf32> on 2 chips}}
  // expected-note@below {{try: change samba.shard or the number of chips}}
  func.func @f(%x: tensor<8xf32> {samba.shard = #samba.shard<0, 1, 4>}) -> tensor<8xf32> {
    func.return %x : tensor<8xf32>
  }
}

// -----

// State lies as it is returned.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  // expected-error@below {{argument c has a samba.shard, the result that is tied to it lies otherwise}}
  // expected-note@below {{try: remove samba.shard from the argument}}
  func.func @f(%c: tensor<8xf32> {samba.role = "state", samba.name = "c", samba.shard = #samba.shard<0, 1, 2>}, %x: tensor<8xf32>) -> (tensor<8xf32> {samba.tied = 0 : i64}) {
    func.return %x : tensor<8xf32>
  }
}

// -----

// One tensor lies in one way, in all graphs.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @prefill(%w: tensor<8x8xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 2>}) -> tensor<8x8xf32> {
    %0 = samba.relu %w : tensor<8x8xf32>
    func.return %0 : tensor<8x8xf32>
  }
  // expected-error@below {{w is to be split along dimension 1, and split along dimension 0 in @prefill}}
  // expected-note@below {{try: give one tensor one samba.shard}}
  func.func @decode(%w: tensor<8x8xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<1, 1, 2>}) -> tensor<8x8xf32> {
    %0 = samba.relu %w : tensor<8x8xf32>
    func.return %0 : tensor<8x8xf32>
  }
}

// -----

// Calls end.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error@below {{is part of a recursion: samba-shard needs that no function leads back to itself}}
    %0 = func.call @f(%x) : (tensor<8xf32>) -> tensor<8xf32>
    func.return %0 : tensor<8xf32>
  }
}
