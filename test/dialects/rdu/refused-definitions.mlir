// What the definitions of the rdu ops say by themselves: which fields there are, and of what kind.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A program has a target.
// expected-error@below {{property 'target' expected}}
"rdu.program"() ({
^bb0:
}) : () -> ()

// -----

// A symbol has a name.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{property 'sym_name' expected}}
  "rdu.symbol"() : () -> ()
}

// -----

// A section has a name.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{property 'sym_name' expected}}
  "rdu.section"() ({
  ^bb0:
  }) : () -> ()
}

// -----

// A schedule has a name.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{property 'sym_name' expected}}
  "rdu.schedule"() ({
  ^bb0:
  }) : () -> ()
}

// -----

// A repeat says how often.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.schedule @f inputs [] outputs [] tied [] {
    // expected-error@below {{property 'count' expected}}
    "rdu.repeat"() ({
    ^bb0:
    }) : () -> ()
  }
}

// -----

// A launch launches a section.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.schedule @f inputs [] outputs [] tied [] {
    // expected-error@below {{property 'section' expected}}
    "rdu.launch"() : () -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : f32) {
    // A load reads a tensor.
    // expected-error@below {{f32 should be of base attribute tensor}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (f32) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // It delivers a stream.
    // expected-error@below {{tensor<8xf32> should be of base attribute rdu.stream}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> tensor<8xf32>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A store writes streams.
    // expected-error@below {{tensor<8xf32> should be of base attribute rdu.stream}}
    rdu.store %a(%a) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<8xf32>, tensor<8xf32>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A buffer has a depth.
    // expected-error@below {{property 'depth' expected}}
    "rdu.pmu"() : () -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A PCU group has a mode.
    // expected-error@below {{property 'mode' expected}}
    "rdu.pcu"() <{regionSegmentSizes = array<i32: 1, 0, 0>}> ({
    ^bb0:
      rdu.yield
    }) : () -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A collective takes a stream.
    // expected-error@below {{tensor<8xf32> should be of base attribute rdu.stream}}
    %0 = "rdu.collective"(%a) <{op = "all_reduce", dim = 0 : i64, chips = 2 : i64, wire = f32, domain = array<i64: 8>, count = 1 : i64, depths = array<i64: 2>}> : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A constant has a value.
    // expected-error@below {{property 'value' expected}}
    %0 = "rdu.constant"() : () -> f32
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A counter counts in i64.
    // expected-error@below {{Expected attribute i64 but got i32}}
    %0 = "rdu.counter"() <{dim = 0 : i64}> : () -> i32
  }
}
