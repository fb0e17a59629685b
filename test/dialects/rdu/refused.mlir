// What no unit, program or schedule can be is refused by its verifier.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // The access pattern has one stride for each dimension of the domain.
    // expected-error@below {{a domain of rank 1 needs as many strides, not 2}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[8, 1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    // A tile lies in the domain.
    // expected-error@below {{tile [9] does not lie in the domain [8]}}
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 9>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<9xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>, %b : tensor<4xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Producer and consumer domains hold the same number of points.
    // expected-error@below {{input port 0 reads 4 points [4], its producer delivers 8}}
    rdu.store %b(%0) {domain = array<i64: 4>, tile = array<i64: 4>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<4xf32>, !rdu.stream<tensor<8xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Coordinates are as many as units.
    // expected-error@below {{2 units have coordinates of shape (2, 2), not (1, 2)}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 2 : i64, coordinates = dense<[[1, 0]]> : tensor<1x2xi64>, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

// A PCU does not stand where a PMU is.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // expected-error@below {{'rdu.pmu' op there is no PMU at (0, 0)}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, coordinates = dense<[[0, 0]]> : tensor<1x2xi64>, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

// Two units do not stand at one place.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, coordinates = dense<[[1, 0]]> : tensor<1x2xi64>, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
    // expected-error@below {{'rdu.pmu' op stands at (1, 0), where unit 1 of the section is}}
    %2 = rdu.pmu(%1) {domain = array<i64: 8>, count = 1 : i64, coordinates = dense<[[1, 0]]> : tensor<1x2xi64>, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

// A buffer fits the PMUs that it has, and a section the PMUs of its target (260 a tile of sn40l).
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  // expected-error@below {{'rdu.section' op PMUs: needs 261, has 260, short of 1}}
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 261 : i64, depth = 2 : i64, window_bytes = 32 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // The tile program has an argument for each input port and accumulator.
    // expected-error@below {{body has arguments (f32), not (f32, f32)}}
    %1 = rdu.pcu(%0, %0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2, 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      // An instruction works on the dtypes of its row in the opcode table.
      // expected-error@below {{works on i1, i8, i16, i32, i64, u8, not on f32}}
      %2 = rdu.addi %x, %x : f32
      rdu.yield %2 : f32
    }
  }
}

// -----

// A launch binds a symbol of the slot's type to each slot.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<9xf32>
  rdu.section @s (%a : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{binds @x of type tensor<9xf32>, slot 0 of @s is tensor<8xf32>}}
    rdu.launch @s [@x] chips [0]
  }
}

// -----

// What is carried is the same symbol on both sides of every round.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.symbol @y output tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>, %b : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [@y] tied [-1] {
    // expected-error@below {{carried slot 1 of round 0 is @y, the next round has @x}}
    rdu.repeat 2 {carried = array<i64: 0, 1, 0, 0>, prefetched = array<i64>} {
      rdu.launch @s [[@x, @y], [@x, @y]] chips [0]
    }
  }
}

// -----

// A schedule runs on chips of its target.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s () {
  }
  rdu.schedule @f inputs [] outputs [] tied [] {
    // expected-error@below {{runs on chips [0, 1], the target has 1}}
    rdu.launch @s [] chips [0, 1]
  }
}

// -----

// A target names a machine that there is.
// expected-error@below {{no_such_machine}}
rdu.program #rdu.target<machine = "no_such_machine", tiles = 4, chips = 1> {
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{role is one of input, param, buffer, state, output, temp, constant, not weight}}
  rdu.symbol @x weight tensor<9xf32>
}

// -----

// expected-error@below {{at least 1 is needed}}
module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 0, chips = 1>} {
}

// -----

// expected-error@below {{a bound of 1 strides has 3 numbers}}
module attributes {a = #rdu.access<[1] bounds [[0, 1]]>} {
}
