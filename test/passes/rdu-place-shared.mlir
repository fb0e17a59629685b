// A quarter of the chip has 8 AGCUs. A load that takes 7 leaves one: the loads and stores of one AGCU share it, at one place.
// RUN: samba-opt --pass-pipeline=rdu-place %s | filecheck %s
// CHECK-LABEL: rdu.section @shared
// CHECK: rdu.load {{.*}} count = 7 : i64, {{.*}} : tensor<7x2xi64>
// CHECK: rdu.load {{.*}} coordinates = [[AT:dense<[^>]*>]]
// CHECK: rdu.store {{.*}} coordinates = [[AT]]
// CHECK: rdu.load {{.*}} coordinates = [[AT]]
// CHECK: rdu.store {{.*}} coordinates = [[AT]]
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @shared (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %w = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 7 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
    %1 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%1) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
    %2 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%2) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
    %3 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%3) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}
