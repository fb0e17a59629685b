// The machine decides who sequences the launches, and says what the other would cost (5 launches by the host at 15 us each);
// what an option asks for is a user's decision, and stays when the pass runs without it.
// RUN: samba-opt --pass-pipeline=rdu-schedule %s | filecheck %s
// RUN: samba-opt --pass-pipeline='rdu-schedule{orchestration=software}' %s | filecheck %s --check-prefix=SOFT
// RUN: samba-opt --pass-pipeline='rdu-schedule{orchestration=software},rdu-schedule' %s | filecheck %s --check-prefix=SOFT

// CHECK: rdu.schedule @f inputs [@x, @w] outputs [@y] tied [-1] attributes {orchestration = "hardware", decided_by = "search", next_best = {orchestration = {value = "software", picoseconds = 75000000 : i64}}} {
// CHECK-NEXT: rdu.launch @copy [@x, @t0] chips [0]
// SOFT: attributes {orchestration = "software", decided_by = "user"}
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<64xf32>
  rdu.symbol @w param tensor<64xf32>
  rdu.symbol @t0 temp tensor<64xf32>
  rdu.symbol @t1 temp tensor<64xf32>
  rdu.symbol @t2 temp tensor<64xf32>
  rdu.symbol @t3 temp tensor<64xf32>
  rdu.symbol @y output tensor<64xf32>
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
  rdu.schedule @f inputs [@x, @w] outputs [@y] tied [-1] {
    rdu.launch @copy [@x, @t0] chips [0]
    rdu.launch @copy [@t0, @t1] chips [0]
    rdu.launch @copy [@t1, @t2] chips [0]
    rdu.launch @copy [@t2, @y] chips [0]
    rdu.launch @copy [@w, @t3] chips [0]
  }
}
