// Coordinates that stand are kept, whatever the solver, and the other units are placed around them.
// RUN: samba-opt --pass-pipeline=rdu-place %s --split-input-file | filecheck %s
// RUN: samba-opt --pass-pipeline='rdu-place{solver=rows}' %s --split-input-file | filecheck %s
// What is placed stands: placing it once more changes nothing.
// RUN: samba-opt --pass-pipeline='rdu-place, rdu-place{seed=1}' %s --split-input-file | filecheck %s

// CHECK: rdu.load {{.*}}coordinates = dense<{{\[\[}}{{-?[0-9]+}}, {{[0-9]+}}]]>
// CHECK: rdu.pmu({{.*}}coordinates = dense<{{\[\[}}1, 0], [50, 9]]>
// CHECK: rdu.store {{.*}}coordinates = dense<{{\[\[}}-1, 5]]>
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %1 = rdu.pmu(%0) {domain = array<i64: 64>, count = 2 : i64, depth = 2 : i64, window_bytes = 256 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>], coordinates = dense<[[1, 0], [50, 9]]> : tensor<2x2xi64>} : (!rdu.stream<tensor<64xf32>, 1>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%1) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 5]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

// The quarter of a chip has 8 AGCUs, and all are given: who has none yet shares the one that carries the fewest bytes.
// CHECK: rdu.store {{.*}}coordinates = dense<{{\[\[}}52, 5]]>
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %1 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[52, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %2 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %3 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[52, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %4 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 5]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %5 = rdu.load %a() {domain = array<i64: 32>, tile = array<i64: 32>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[52, 5]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<32xf32>, 1>
    %6 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 7]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %7 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[52, 7]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}

// -----

// Two that stand at one AGCU stay together, and leave the others free.
// CHECK: rdu.load {{.*}}coordinates = dense<{{\[\[}}-1, 2]]>
// CHECK: rdu.store {{.*}}coordinates = dense<{{\[\[}}-1, 2]]>
// CHECK: rdu.load {{.*}}count = 7 : i64, {{.*}} : tensor<7x2xi64>
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
    %1 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 7 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
  }
}
