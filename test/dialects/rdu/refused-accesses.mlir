// What an access pattern and the windows of a stream cannot be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A domain has so many points that 64 bits count them.
    // expected-error@below {{the domain has 1099511627776000000 points, more than 72057594037927936}}
    %0 = rdu.load %a() {domain = array<i64: 1099511627776, 1000000>, tile = array<i64: 1, 1>, access = #rdu.access<[0, 0]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<1xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A window stands for a point at least.
    // expected-error@below {{result 0 has 8 points, too few for !rdu.stream<tensor<1xf32>, 9>}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<1xf32>, 9>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // It holds no more elements than there are.
    // expected-error@below {{result 0 has 8 points, too few for !rdu.stream<tensor<9xf32>, 1>}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<9xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A load stays in its slot.
    // expected-error@below {{access: names elements 0 to 14 of 8}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[2]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // So does what a bound leaves.
    // expected-error@below {{access: names elements -1 to 6 of 8}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1] base -1 bounds [[0, 1, 8]] pad 0>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // Who reads out of range has a pad.
    // expected-error@below {{access: reads out of range of the bound [-1, 1, 8], but has no pad}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1] base -1 bounds [[-1, 1, 8]]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // Addresses have 64 bits.
    // expected-error@below {{access: an address or a bound does not fit 64 bits}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[4611686018427387904]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A port has points.
    // expected-error@below {{read port 0: extents are at least 1: [0]}}
    %p = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 1 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[0] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<1xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // They are counted in 64 bits.
    // expected-error@below {{read port 0: the domain has 1099511627776000000 points, more than 72057594037927936}}
    %p = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 1 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[1099511627776, 1000000] : [0, 0]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<1xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A port stays in its buffer.
    // expected-error@below {{read port 0: names elements 1 to 8 of 8}}
    %p = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 1 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1] base 1>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<1xf32>, 1>
  }
}

// -----

// A padded read in range of its bound stays in its slot.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 10>, tile = array<i64: 10>, access = #rdu.access<[1] base -1 bounds [[-1, 1, 8]] pad 0>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<10xf32>, 1>
  }
}

// -----

// A shard divides its tensor.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 2> {
  // expected-error@below {{shard [0, 3, 2] does not divide tensor<8xf32>}}
  rdu.symbol @x input tensor<8xf32> {shard = array<i64: 0, 3, 2>}
}

// -----

// Units handle what a slot holds.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{no unit handles elements of a slot of tensor<8xindex>}}
  rdu.section @s (%a : tensor<8xindex>) {
  }
}

// -----

// A symbol is cut for chips that there are.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 2> {
  // expected-error@below {{is cut for 3 chips, the target has 2}}
  rdu.symbol @x input tensor<8xf32> {shard = array<i64: 0, 1, 3>}
}
