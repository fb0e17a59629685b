// RUN: samba-opt --split-input-file --verify-diagnostics %s

// Symbols have fewer bytes than a 64-bit address reaches.
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  // expected-error@below {{takes 79999999999999992 bytes, more than 72057594037927936}}
  rdu.symbol @x input tensor<9999999999999999xf64>
}

// -----

// Every launch lists its chips: there are thousands at most.
// expected-error@below {{chips = 99999999999, allowed: 1 to 4096}}
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 99999999999> {
}

// -----

// expected-error@+1 {{a stream hands over 4 elements 4611686018427387904 times: 72057594037927936 at most}}
func.func @f(%x: !rdu.stream<tensor<4xf32>, 4611686018427387904>) {
  func.return
}

// -----

// What safetensors keep for something else is no name.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{the name __metadata__ is kept for metadata in safetensors files}}
  rdu.symbol @__metadata__ input tensor<4xf32>
}

// -----

// The simulator computes with PyTorch, whose tensors have 64 dimensions at most.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{has 65 dimensions, more than 64}}
  rdu.symbol @x input tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>
}
