// RUN: samba-opt --pass-pipeline=samba-partition --verify-diagnostics --split-input-file %s

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  // expected-error@+1 {{argument 0: #samba.shard<1, 1, 2> does not fit tensor<3x7xf32> on 2 chips}}
  func.func @odd(%x: tensor<3x7xf32> {samba.name = "x", samba.shard = #samba.shard<1, 1, 2>}) -> tensor<3x7xf32> {
    func.return %x : tensor<3x7xf32>
  }
}

// -----

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  // expected-error@+1 {{does not fit tensor<3x8xf32> on 2 chips}}
  func.func @chips(%x: tensor<3x8xf32> {samba.name = "x", samba.shard = #samba.shard<1, 1, 4>}) -> tensor<3x8xf32> {
    func.return %x : tensor<3x8xf32>
  }
}

// -----

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @state(%c: tensor<2x8xf32> {samba.role = "state", samba.name = "c", samba.shard = #samba.shard<1, 1, 2>},
                   %x: tensor<2x8xf32> {samba.name = "x"}) -> (tensor<2x8xf32> {samba.tied = 0 : i64}) {
    // expected-error@below {{needs an operand split along dimension 1, which is whole}}
    // expected-note@below {{try: remove samba.shard from the argument, or run samba-shard}}
    func.return %x : tensor<2x8xf32>
  }
}

// -----

// A result is whole on every chip: one that is asked for in parts is refused, not put together of whole ones.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  // expected-error@below {{result 0 has #samba.shard<0, 1, 2>, but results are whole on every chip, and state lies as its argument does}}
  // expected-note@below {{try: remove samba.shard from the result}}
  func.func @f(%x: tensor<8x4xf32> {samba.name = "x"}) -> (tensor<8x4xf32> {samba.name = "y", samba.shard = #samba.shard<0, 1, 2>}) {
    %0 = samba.relu %x : tensor<8x4xf32>
    func.return %0 : tensor<8x4xf32>
  }
}
