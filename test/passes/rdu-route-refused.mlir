// Routes join places: a section that is not placed is refused.
// RUN: samba-opt --pass-pipeline=rdu-route --verify-diagnostics --split-input-file %s

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{'rdu.section' op has units without coordinates: rdu-route needs that every unit has coordinates}}
  // expected-note@below {{run rdu-place first}}
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
}

// -----

// Routes that a configuration was sized for stand: they are not led again.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{'rdu.section' op has a configuration size: rdu-route needs that no section is finalized yet}}
  // expected-note@below {{try: leave rdu-route out}}
  rdu.section @copy (%a : tensor<64xf32>) attributes {config_bytes = 64 : i64} {
  }
}
