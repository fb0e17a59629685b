// The solver is chosen by its name: `xy` leads every net along its row first. No stream is led around another.
// RUN: samba-opt --pass-pipeline='rdu-route{solver=xy}' %s | filecheck %s --check-prefix=XY
// RUN: samba-opt --pass-pipeline='rdu-route{solver=xy}' --remarks %s 2>&1 | filecheck %s --check-prefix=REMARK

// REMARK: remark: [rdu-route] analysis: no side of a switch is overloaded
// XY: rdu.section @s {{.*}}hops = dense<{{\[\[}}0, 0, 1, 0], [1, 0, 2, 0], [2, 0, 3, 0], [3, 0, 3, 1], [3, 1, 3, 2]
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    %1 = rdu.pmu(%0) {domain = array<i64: 64>, count = 1 : i64, depth = 2 : i64, window_bytes = 256 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[64] : [1]>], reads = [#rdu.port<[64] : [1]>], coordinates = dense<[[3, 2]]> : tensor<1x2xi64>} : (!rdu.stream<tensor<64xf32>, 1>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%1) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}
