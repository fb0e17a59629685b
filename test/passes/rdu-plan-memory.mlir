// Symbols get a tier, an address and a lifetime; two share memory when they are never alive together.
// RUN: samba-opt --pass-pipeline=rdu-plan-memory --split-input-file %s | filecheck %s

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // The weight lives through all launches, below everything that comes and goes.
  // CHECK: rdu.symbol @x input tensor<64xf32> {tier = "hbm", address = 256 : i64, first = 0 : i64, last = 0 : i64, decided_by = "search"}
  // CHECK: rdu.symbol @w param tensor<64xf32> {tier = "hbm", address = 0 : i64, first = 0 : i64, last = 4 : i64, decided_by = "search"}
  // CHECK: rdu.symbol @t0 temp tensor<64xf32> {tier = "hbm", address = 512 : i64, first = 0 : i64, last = 1 : i64, decided_by = "search"}
  // CHECK: rdu.symbol @t1 temp tensor<64xf32> {tier = "hbm", address = 256 : i64, first = 1 : i64, last = 2 : i64, decided_by = "search"}
  // @t2 begins when @t0 is dead, so it takes its memory; an output stays to the end of its graph.
  // CHECK: rdu.symbol @t2 temp tensor<64xf32> {tier = "hbm", address = 512 : i64, first = 2 : i64, last = 3 : i64, decided_by = "search"}
  // CHECK: rdu.symbol @t3 temp tensor<64xf32> {tier = "hbm", address = 512 : i64, first = 4 : i64, last = 4 : i64, decided_by = "search"}
  // CHECK: rdu.symbol @y output tensor<64xf32> {tier = "hbm", address = 256 : i64, first = 3 : i64, last = 4 : i64, decided_by = "search"}
  rdu.symbol @x input tensor<64xf32>
  rdu.symbol @w param tensor<64xf32>
  rdu.symbol @t0 temp tensor<64xf32>
  rdu.symbol @t1 temp tensor<64xf32>
  rdu.symbol @t2 temp tensor<64xf32>
  rdu.symbol @t3 temp tensor<64xf32>
  rdu.symbol @y output tensor<64xf32>
  rdu.section @copy (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 16>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<16xf32>, 4>
    %1 = rdu.pmu(%0) {domain = array<i64: 64>, count = 2 : i64, depth = 2 : i64, window_bytes = 64 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>]} : (!rdu.stream<tensor<16xf32>, 4>) -> !rdu.stream<tensor<16xf32>, 4>
    %2 = rdu.pcu(%1) {mode = "simd", domain = array<i64: 64>, kinds = array<i64: 0>, tile = array<i64: 16>, par = array<i64: 2>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2>, count = 2 : i64} : (!rdu.stream<tensor<16xf32>, 4>) -> !rdu.stream<tensor<16xf32>, 4> body {
    ^bb0(%x : f32):
      %3 = rdu.add %x, %x : f32
      %unused = rdu.constant 2.0 : f32
      %one = rdu.constant 1.0 : f32
      %4 = rdu.add %3, %one : f32
      rdu.yield %4 : f32
    }
    rdu.store %b(%2) {domain = array<i64: 64>, tile = array<i64: 16>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<16xf32>, 4>) -> ()
  }
  rdu.schedule @f inputs [@x, @w] outputs [@y] tied [-1] {
    rdu.launch @copy [@x, @t0] chips [0]
    rdu.launch @copy [@t0, @t1] chips [0]
    rdu.launch @copy [@t1, @t2] chips [0]
    rdu.launch @copy [@t2, @y] chips [0]
    rdu.launch @copy [@w, @t3] chips [0]
  }
}

// -----

// A machine without HBM uses DDR.
// CHECK: rdu.symbol @x input tensor<64xf32> {tier = "ddr", address = 0 : i64
rdu.program #rdu.target<machine = "sn10", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<64xf32>
}

// -----

// 64 GiB of HBM hold one of two weights of 48 GiB: the one that launches never touch goes to DDR.
// CHECK: rdu.symbol @idle param tensor<12884901888xf32> {tier = "ddr"
// CHECK: rdu.symbol @busy param tensor<12884901888xf32> {tier = "hbm"
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @idle param tensor<12884901888xf32>
  rdu.symbol @busy param tensor<12884901888xf32>
  rdu.section @read (%a : tensor<12884901888xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 16>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<12884901888xf32>) -> !rdu.stream<tensor<16xf32>, 4>
  }
  rdu.schedule @f inputs [@idle, @busy] outputs [] tied [] {
    rdu.launch @read [@busy] chips [0]
  }
}

// -----

// A state gives way to a weight, even to one that is used less.
// CHECK: rdu.symbol @w param tensor<12884901888xf32> {tier = "hbm"
// CHECK: rdu.symbol @kv state tensor<12884901888xf32> {tier = "ddr"
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @w param tensor<12884901888xf32>
  rdu.symbol @kv state tensor<12884901888xf32>
  rdu.section @read (%a : tensor<12884901888xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 16>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<12884901888xf32>) -> !rdu.stream<tensor<16xf32>, 4>
  }
  rdu.schedule @f inputs [@w, @kv] outputs [] tied [] {
    rdu.launch @read [@kv] chips [0]
  }
}
