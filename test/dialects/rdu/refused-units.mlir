// What loads, stores, buffers and collectives cannot be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A domain has points.
    // expected-error@below {{extents are at least 1: [0]}}
    %0 = rdu.load %a() {domain = array<i64: 0>, tile = array<i64: 0>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A group has units.
    // expected-error@below {{a group has at least one unit, not 0}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 0 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Every input port has its depth.
    // expected-error@below {{1 input ports have 2 depths}}
    rdu.store %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2, 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // It holds a window.
    // expected-error@below {{a port buffers at least one window}}
    rdu.store %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 0>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // An index comes by a port for indices.
    // expected-error@below {{access: input port 0 delivers no index (ports none do)}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1] index_ports [0] index_strides [1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // It is an integer.
    // expected-error@below {{access: an index is an integer, port 0 delivers !rdu.stream<tensor<8xf32>, 1>}}
    %1 = rdu.load %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1] index_ports [0] index_strides [1]>, count = 1 : i64, indices = 1 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A load has the index streams that it counts.
    // expected-error@below {{0 value and 1 index streams, but 0 streams}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 1 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // There is no negative number of index streams.
    // expected-error@below {{0 value and -1 index streams, but 0 streams}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = -1 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>, %b : tensor<8xi32>) {
    %i = rdu.load %b() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xi32>) -> !rdu.stream<tensor<8xi32>, 1>
    // It reads an index at every point.
    // expected-error@below {{input port 0 reads 4 points [4], its producer delivers 8}}
    %0 = rdu.load %a(%i) {domain = array<i64: 4>, tile = array<i64: 4>, access = #rdu.access<[1]>, count = 1 : i64, indices = 1 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xi32>, 1>) -> !rdu.stream<tensor<4xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Other streams of a load are tokens.
    // expected-error@below {{streams after value and indices are tokens: !rdu.stream<none, n>}}
    %1 = rdu.load %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A load delivers what the slot holds.
    // expected-error@below {{a slot of tensor<8xf32> holds no elements of !rdu.stream<tensor<8xbf16>, 1>}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xbf16>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A store has the index streams that it counts.
    // expected-error@below {{1 value and 1 index streams, but 1 streams}}
    rdu.store %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 1 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Its tile lies in the domain.
    // expected-error@below {{tile [16] does not lie in the domain [8]}}
    rdu.store %a(%0) {domain = array<i64: 8>, tile = array<i64: 16>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // It strides over the domain.
    // expected-error@below {{access: a domain of rank 1 needs as many strides, not 2}}
    rdu.store %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[8, 1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Points that meet overwrite each other, or add up.
    // expected-error@below {{conflict is one of overwrite, add, not max}}
    rdu.store %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "max", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A store says at most that it is done.
    // expected-error@below {{gives at most one token: !rdu.stream<none, n>}}
    %t = rdu.store %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Streams after the value and its indices are tokens.
    // expected-error@below {{streams after value and indices are tokens: !rdu.stream<none, n>}}
    rdu.store %a(%0, %0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2, 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>, %b : tensor<8xi32>) {
    %i = rdu.load %b() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xi32>) -> !rdu.stream<tensor<8xi32>, 1>
    // A store writes what the slot holds.
    // expected-error@below {{a slot of tensor<8xf32> holds no elements of !rdu.stream<tensor<8xi32>, 1>}}
    rdu.store %a(%i) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xi32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A buffer has read and write ports.
    // expected-error@below {{writes and reads are lists of #rdu.port}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [1]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Its elements are in one row.
    // expected-error@below {{the domain of a buffer is linear: [elements], not [2, 4]}}
    %1 = rdu.pmu(%0) {domain = array<i64: 2, 4>, count = 1 : i64, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Each port has its stream.
    // expected-error@below {{1 write and 2 read ports have 1 operands and 1 results}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>, #rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // What is read is what was written.
    // expected-error@below {{all ports of a buffer have one element type}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xbf16>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A buffer holds something.
    // expected-error@below {{a buffer holds at least one window of at least one byte}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 0 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A write port takes no more index streams than there are.
    // expected-error@below {{write port 0: input port 1 delivers no index (ports none do)}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1] index_ports [1] index_strides [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Nor does a read port.
    // expected-error@below {{read port 0: input port 1 delivers no index (ports none do)}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1] index_ports [1] index_strides [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A write port takes what its producer delivers.
    // expected-error@below {{input port 0 reads 4 points [4], its producer delivers 8}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[4] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A collective is one of four.
    // expected-error@below {{op is one of all_reduce, all_gather, reduce_scatter, all_to_all, not broadcast}}
    %1 = rdu.collective(%0) {op = "broadcast", dim = 0 : i64, chips = 2 : i64, wire = f32, domain = array<i64: 8>, count = 1 : i64, depths = array<i64: 2>} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // It runs along a dimension of the domain.
    // expected-error@below {{dimension 1 over 2 chips does not lie in the domain [8]}}
    %1 = rdu.collective(%0) {op = "all_reduce", dim = 1 : i64, chips = 2 : i64, wire = f32, domain = array<i64: 8>, count = 1 : i64, depths = array<i64: 2>} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Chips share it equally.
    // expected-error@below {{3 chips do not divide dimension 0 of [8]}}
    %1 = rdu.collective(%0) {op = "reduce_scatter", dim = 0 : i64, chips = 3 : i64, wire = f32, domain = array<i64: 8>, count = 1 : i64, depths = array<i64: 2>} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Links carry numbers.
    // expected-error@below {{no link carries index}}
    %1 = rdu.collective(%0) {op = "all_reduce", dim = 0 : i64, chips = 2 : i64, wire = index, domain = array<i64: 8>, count = 1 : i64, depths = array<i64: 2>} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // It takes what its producer delivers.
    // expected-error@below {{input port 0 reads 4 points [4], its producer delivers 8}}
    %1 = rdu.collective(%0) {op = "all_reduce", dim = 0 : i64, chips = 2 : i64, wire = f32, domain = array<i64: 4>, count = 1 : i64, depths = array<i64: 2>} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // It changes no element type.
    // expected-error@below {{operand and result of a collective have one element type}}
    %1 = rdu.collective(%0) {op = "all_reduce", dim = 0 : i64, chips = 2 : i64, wire = f32, domain = array<i64: 8>, count = 1 : i64, depths = array<i64: 2>} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xbf16>, 1>
  }
}
