// Nets that stand and cannot be kept are refused, with what stands against them.
// RUN: samba-opt --pass-pipeline=rdu-route --verify-diagnostics --split-input-file %s

rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  // expected-error@below {{'rdu.section' op the net of output 0 of unit 0 of group 0 hops from (0, 0) to (0, 2), between which there is no link}}
  // expected-note@below {{try: leave net_sources, net_hops, hops and tracks out}}
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) attributes {net_sources = dense<[[0, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[1]]> : tensor<1x1xi64>, hops = dense<[[0, 0, 0, 2]]> : tensor<1x4xi64>, tracks = dense<[[0]]> : tensor<1x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  // expected-error@below {{'rdu.section' op the net of output 0 of unit 0 of group 0 does not come to (0, 2)}}
  // expected-note@below {{try: leave net_sources, net_hops, hops and tracks out}}
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) attributes {net_sources = dense<[[0, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[1]]> : tensor<1x1xi64>, hops = dense<[[0, 0, 0, 1]]> : tensor<1x4xi64>, tracks = dense<[[0]]> : tensor<1x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  // expected-error@below {{'rdu.section' op the net of output 0 of unit 0 of group 0 leaves (1, 0) before it comes there}}
  // expected-note@below {{try: leave net_sources, net_hops, hops and tracks out}}
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) attributes {net_sources = dense<[[0, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[1]]> : tensor<1x1xi64>, hops = dense<[[1, 0, 0, 0]]> : tensor<1x4xi64>, tracks = dense<[[0]]> : tensor<1x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  // expected-error@below {{'rdu.section' op the net of output 0 of unit 0 of group 0 takes track 9 of }}
  // expected-note@below {{try: leave net_sources, net_hops, hops and tracks out}}
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) attributes {net_sources = dense<[[0, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[2]]> : tensor<1x1xi64>, hops = dense<[[0, 0, 0, 1], [0, 1, 0, 2]]> : tensor<2x4xi64>, tracks = dense<[[0], [9]]> : tensor<2x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  // expected-error@below {{'rdu.section' op the net of output 0 of unit 0 of group 0 stands twice, or feeds nothing}}
  // expected-note@below {{try: leave net_sources, net_hops, hops and tracks out}}
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) attributes {net_sources = dense<[[0, 0, 0], [0, 0, 0]]> : tensor<2x3xi64>, net_hops = dense<[[4], [4]]> : tensor<2x1xi64>, hops = dense<[[0, 0, 1, 0], [1, 0, 1, 1], [1, 1, 1, 2], [1, 2, 0, 2], [0, 0, 1, 0], [1, 0, 1, 1], [1, 1, 1, 2], [1, 2, 0, 2]]> : tensor<8x4xi64>, tracks = dense<[[1], [0], [1], [1], [1], [0], [1], [1]]> : tensor<8x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}
