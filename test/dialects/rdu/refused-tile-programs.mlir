// What PCU groups and their tile programs cannot be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Every field has a number for each dimension.
    // expected-error@below {{par has 1 numbers, one per dimension of the domain}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1, 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A mode is one of four.
    // expected-error@below {{mode is one of systolic, simd, reduce, tail, not vliw}}
    %1 = rdu.pcu(%0) {mode = "vliw", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A dimension is of one of three kinds.
    // expected-error@below {{kinds are 0 (parallel), 1 (reduction), 2 (sequential)}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 3>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Every dimension has its place in the order.
    // expected-error@below {{order is a permutation of the dimensions, not [1]}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 1>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A tile lies in the domain.
    // expected-error@below {{tile [9] does not lie in the domain [8]}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 9>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A scan reduces nothing.
    // expected-error@below {{one program walks sequential dimensions or folds reductions, not both}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 4, 2>, kinds = array<i64: 1, 2>, tile = array<i64: 4, 2>, par = array<i64: 1, 1>, split = array<i64: 1, 1>, order = array<i64: 0, 1>, inits = array<i64: 0>, depths = array<i64: 1>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32, %s : f32):
      %sum = rdu.add %x, %s : f32
      rdu.yield %sum : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Only what is reduced is split.
    // expected-error@below {{par is at least 1; only reduction dimensions are split, in at most extent parts}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 2>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A predicate is rows of a constant, counters and port values.
    // expected-error@below {{predicate rows have 3 numbers: constant, counters, ports}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64, predicate = array<i64: 0, 1>} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A port reads what its producer delivers.
    // expected-error@below {{input port 0 reads 4 points [4], its producer delivers 8}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 4>, kinds = array<i64: 0>, tile = array<i64: 4>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %t = rdu.store %a(%0) {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<8xf32>, !rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<none, 1>
    // A token has no value.
    // expected-error@below {{a tile program reads elements, not tokens}}
    %1 = rdu.pcu(%t) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<none, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // Accumulators start from something.
    // expected-error@below {{1 accumulators have 0 initial values}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32, %s : f32):
      %2 = rdu.add %s, %x : f32
      rdu.yield %2 : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A program ends.
    // expected-error@below {{body ends with rdu.yield}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      samba.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A program passes its accumulators on.
    // expected-error@below {{body yields (bf16), not the accumulators (f32)}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64: 0>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32, %s : f32):
      %2 = rdu.truncf %s : f32 to bf16
      rdu.yield %2 : bf16
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // What finishes a fold follows one.
    // expected-error@below {{finish needs accumulators}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    } finish {
    ^bb0(%x : f32):
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // A program makes what its results carry.
    // expected-error@below {{the program gives (bf16), the results carry other elements}}
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      %2 = rdu.truncf %x : f32 to bf16
      rdu.yield %2 : bf16
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32):
      // An instruction has the sources of its opcode.
      // expected-error@below {{'rdu.add' takes 2 sources}}
      %2 = rdu.add %x : f32
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
      // In the generic form too.
      // expected-error@below {{takes 2 sources, has 1}}
      %2 = "rdu.add"(%x) : (f32) -> f32
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
      %1 = rdu.constant 1.0 : f32
      // A conversion converts what is computed.
      // expected-error@below {{converts a constant: fold it, or move it to a register first}}
      %2 = rdu.truncf %1 : f32 to bf16
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %1 = rdu.pcu(%0) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x : f32, %i : i64, %v : vector<4xf32>):
      // A sorted list stays the list that it is.
      // expected-error@below {{updates a list of type vector<4xf32>, not vector<8xf32>}}
      %2, %3 = rdu.insert_sorted %x, %i, %v : (f32, i64, vector<4xf32>) -> (vector<8xf32>, vector<8xi64>)
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
      // A choice is between two of a kind.
      // expected-error@below {{selects between two values of the result's type by an i1}}
      %2 = "rdu.select"(%x, %x, %x) : (f32, f32, f32) -> f32
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
      %1 = rdu.counter 0
      // Sources are of one type.
      // expected-error@below {{sources have one type, here f32, i64}}
      %2 = "rdu.add"(%x, %1) : (f32, i64) -> f32
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
      // A result has the type of the sources.
      // expected-error@below {{gives f32, not bf16}}
      %2 = "rdu.add"(%x, %x) : (f32, f32) -> bf16
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
      // A comparison gives a bool.
      // expected-error@below {{gives i1, not f32}}
      %2 = "rdu.lt"(%x, %x) : (f32, f32) -> f32
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
      // A constant is a number.
      // expected-error@below {{a constant is a number and its type, not "one"}}
      %1 = rdu.constant "one"
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
      // Of the type of its result.
      // expected-error@below {{is no number of type f64}}
      %1 = "rdu.constant"() <{value = 1.0 : f32}> : () -> f64
      rdu.yield %x : f32
    }
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // The parts of a split have to be merged, and only the program says how.
    // expected-error@below {{the reduction is split, but no 'combine' merges its parts}}
    %1 = rdu.pcu(%0) {mode = "reduce", domain = array<i64: 8>, kinds = array<i64: 1>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 2>, order = array<i64: 0>, inits = array<i64: 0>, depths = array<i64: 2>, count = 1 : i64} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<1xf32>, 1> body {
    ^bb0(%x : f32, %sum : f32):
      %2 = rdu.add %sum, %x : f32
      rdu.yield %2 : f32
    }
  }
}
