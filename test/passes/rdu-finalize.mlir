// A finished section has flow ids and the size of its configuration; programs are in canonical form.
// RUN: samba-opt --pass-pipeline=rdu-place,rdu-route,rdu-finalize %s | filecheck %s

// CHECK: rdu.section @copy ({{.*}}) attributes {{{.*}}flows = dense<{{.*}}> : tensor<5x1xi64>, config_bytes = {{[1-9][0-9]*}} : i64, decided_by = "search"}
// CHECK: ^{{.*}}(%{{.*}}: f32):
// CHECK-NEXT: rdu.constant 1.000000e+00 : f32
// CHECK-NEXT: rdu.add
// CHECK-NEXT: rdu.add
// CHECK-NEXT: rdu.yield
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
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
