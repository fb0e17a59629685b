// Nets that stand are kept, a detour and its tracks, too; the others are led.
// RUN: samba-opt --pass-pipeline=rdu-route %s --split-input-file | filecheck %s
// RUN: samba-opt --pass-pipeline='rdu-route{solver=xy}' %s --split-input-file | filecheck %s
// RUN: samba-opt --pass-pipeline=rdu-route,rdu-route %s --split-input-file | filecheck %s

// CHECK: rdu.section @s {{.*}}net_hops = dense<4> : tensor<1x1xi64>, hops = dense<{{\[\[}}0, 0, 1, 0], [1, 0, 1, 1], [1, 1, 1, 2], [1, 2, 0, 2]]> : tensor<4x4xi64>, tracks = dense<{{\[\[}}1], [0], [1], [1]]> : tensor<4x1xi64>
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) attributes {net_sources = dense<[[0, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[4]]> : tensor<1x1xi64>, hops = dense<[[0, 0, 1, 0], [1, 0, 1, 1], [1, 1, 1, 2], [1, 2, 0, 2]]> : tensor<4x4xi64>, tracks = dense<[[1], [0], [1], [1]]> : tensor<4x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

// Of three nets the second stands, on a track that is not the first.
// CHECK: rdu.section @s {{.*}}net_sources = dense<{{\[\[}}0, 0, 0], [1, 0, 0], [1, 0, 1]]> : tensor<3x3xi64>, net_hops = dense<{{\[\[}}3], [3], [5]]> : tensor<3x1xi64>
// CHECK-SAME: [1, 0, 0, 0], [0, 0, 0, 1], {{.*}} tracks = dense<{{\[\[}}0], [0], [0], [1], [1], [1], [0]
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) attributes {net_sources = dense<[[1, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[3]]> : tensor<1x1xi64>, hops = dense<[[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 2]]> : tensor<3x4xi64>, tracks = dense<[[1], [1], [1]]> : tensor<3x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %1 = rdu.pmu(%0) {domain = array<i64: 64>, count = 2 : i64, depth = 2 : i64, window_bytes = 256 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>], coordinates = dense<[[1, 0], [3, 0]]> : tensor<2x2xi64>} : (!rdu.stream<tensor<64xf32>, 1>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%1) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}
