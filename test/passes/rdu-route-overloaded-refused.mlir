// With `strict`, traffic that some side of a switch cannot carry in time is an error: nine streams that come at once to the
// four sides of one switch, each with two tracks.
// RUN: samba-opt --pass-pipeline='rdu-route{strict=true}' --verify-diagnostics %s

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{to (10, 10) is the bottleneck of 1 overloaded ones}}
  // expected-note@below {{needs 96 bytes, has 64 bytes, short by 32 bytes}}
  // expected-note@below {{try: lower a par factor}}
  // expected-note@below {{try: allow a cut}}
  // expected-note@below {{try: give rdu-route more rounds and steps}}
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 0]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %1 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 2]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %2 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 5]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %3 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 7]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %4 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 10]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %5 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 12]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %6 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 15]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %7 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 17]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %8 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, coordinates = dense<[[-1, 20]]> : tensor<1x2xi64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %9 = rdu.pcu(%0, %1, %2, %3, %4, %5, %6, %7, %8) {mode = "simd", domain = array<i64: 8>, kinds = array<i64: 0>, tile = array<i64: 8>, par = array<i64: 1>, split = array<i64: 1>, order = array<i64: 0>, inits = array<i64>, depths = array<i64: 2, 2, 2, 2, 2, 2, 2, 2, 2>, count = 1 : i64, coordinates = dense<[[10, 10]]> : tensor<1x2xi64>} : (!rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>, !rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1> body {
    ^bb0(%x0 : f32, %x1 : f32, %x2 : f32, %x3 : f32, %x4 : f32, %x5 : f32, %x6 : f32, %x7 : f32, %x8 : f32):
      rdu.yield %x0 : f32
    }
  }
}
