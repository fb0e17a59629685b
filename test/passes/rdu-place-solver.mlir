// The solver is chosen by its name: `rows` takes the first places of each kind, row by row.
// RUN: samba-opt --pass-pipeline='rdu-place{solver=rows}' %s | filecheck %s
// `swaps` is the default.
// RUN: samba-opt --pass-pipeline=rdu-place %s -o %t.default
// RUN: samba-opt --pass-pipeline='rdu-place{solver=swaps}' %s -o %t.swaps
// RUN: cmp %t.default %t.swaps
// It ends with wires of a stated length.
// RUN: samba-opt --pass-pipeline='rdu-place{solver=rows}' --remarks %s 2>&1 | filecheck %s --check-prefix=REMARK

// REMARK: remark: [rdu-place] analysis: wire length in hops
// CHECK: rdu.load {{.*}}coordinates = dense<{{\[\[}}-1, 0]]>
// CHECK: rdu.pmu({{.*}}coordinates = dense<{{\[\[}}1, 0], [3, 0], [5, 0]]>
// CHECK: rdu.store {{.*}}coordinates = dense<{{\[\[}}52, 0]]>
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %1 = rdu.pmu(%0) {domain = array<i64: 64>, count = 3 : i64, depth = 2 : i64, window_bytes = 256 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>]} : (!rdu.stream<tensor<64xf32>, 1>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%1) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}
