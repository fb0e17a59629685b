// Coordinates that stand and cannot be kept are refused, with what stands against them, and never replaced.
// RUN: samba-opt --disable-verify --pass-pipeline=rdu-place --verify-diagnostics --split-input-file %s

rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    // expected-error@below {{'rdu.pmu' op stands at (0, 0), where no PMU is}}
    // expected-note@below {{try: leave its coordinates out}}
    %1 = rdu.pmu(%0) {domain = array<i64: 64>, count = 2 : i64, depth = 2 : i64, window_bytes = 256 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>], coordinates = dense<[[1, 0], [0, 0]]> : tensor<2x2xi64>} : (!rdu.stream<tensor<64xf32>, 1>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%1) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    // expected-error@below {{has two units at (1, 0)}}
    // expected-note@below {{try: leave its coordinates out}}
    %1 = rdu.pmu(%0) {domain = array<i64: 64>, count = 2 : i64, depth = 2 : i64, window_bytes = 256 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>], coordinates = dense<[[1, 0], [1, 0]]> : tensor<2x2xi64>} : (!rdu.stream<tensor<64xf32>, 1>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%1) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %1 = rdu.pmu(%0) {domain = array<i64: 64>, count = 2 : i64, depth = 2 : i64, window_bytes = 256 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>], coordinates = dense<[[1, 0], [3, 0]]> : tensor<2x2xi64>} : (!rdu.stream<tensor<64xf32>, 1>) -> !rdu.stream<tensor<64xf32>, 1>
    // expected-error@below {{stands at (3, 0), where group 1 is}}
    // expected-note@below {{try: leave its coordinates out}}
    %2 = rdu.pmu(%1) {domain = array<i64: 64>, count = 2 : i64, depth = 2 : i64, window_bytes = 256 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>], coordinates = dense<[[5, 0], [3, 0]]> : tensor<2x2xi64>} : (!rdu.stream<tensor<64xf32>, 1>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%2) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

// Of 8 AGCUs seven are given: a load with two has no place, and those that stand do not give way.
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %1 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[52, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %2 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %3 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[52, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %4 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 5]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %5 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[52, 5]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %6 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 7]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    // expected-error@below {{'rdu.load' op finds no AGCU beside those that are fixed}}
    // expected-note@below {{needs 2 AGCUs, has 1 AGCUs, short by 1 AGCUs}}
    // expected-note@below {{try: leave coordinates of AGCUs out}}
    %x = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 2 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
  }
}
