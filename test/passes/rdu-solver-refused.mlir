// A solver that nobody wrote is refused, with those that there are.
// RUN: samba-opt --pass-pipeline='rdu-place{solver=row}' --verify-diagnostics %s
// RUN: not samba-opt --pass-pipeline='rdu-plan-memory{solver=worst-fit}' %s 2>&1 | filecheck %s --check-prefix=MEMORY
// RUN: not samba-opt --pass-pipeline='rdu-place,rdu-route{solver=yx}' %s 2>&1 | filecheck %s --check-prefix=ROUTE

// MEMORY: error: there is no solver 'worst-fit' for memory
// MEMORY: use one of first-fit, best-fit
// ROUTE: error: there is no solver 'yx' for routing
// ROUTE: use one of negotiation, xy
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  // expected-error@below {{there is no solver 'row' for placement; did you mean 'rows'?}}
  // expected-note@below {{try: use one of swaps, rows}}
  rdu.section @s (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<64xf32>) -> !rdu.stream<tensor<64xf32>, 1>
    rdu.store %b(%0) {domain = array<i64: 64>, tile = array<i64: 64>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<64xf32>, !rdu.stream<tensor<64xf32>, 1>) -> ()
  }
}
