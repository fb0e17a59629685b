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
