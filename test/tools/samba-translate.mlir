// A PEF keeps what the IR says: back in IR and again in a PEF, the bytes are the same; stripped, too.
// RUN: samba-opt --print-debuginfo --pass-pipeline=rdu-plan-memory,rdu-place,rdu-route,rdu-schedule,rdu-finalize %s -o %t.mlir
// RUN: samba-translate --to-pef %t.mlir -o %t.pef
// RUN: samba-translate --from-pef %t.pef -o %t.back.mlir
// RUN: samba-translate --to-pef %t.back.mlir -o %t.again.pef
// RUN: cmp %t.pef %t.again.pef
// RUN: samba-translate --strip %t.pef -o %t.stripped.pef
// RUN: samba-translate --from-pef %t.stripped.pef -o %t.stripped.mlir
// RUN: samba-translate --to-pef %t.stripped.mlir -o %t.stripped.again.pef
// RUN: cmp %t.stripped.pef %t.stripped.again.pef
// RUN: samba-translate --from-pef %t.pef | filecheck %s
// RUN: samba-translate --inspect %t.pef | filecheck %s --check-prefix=SUMMARY
// RUN: samba-translate --to-dot %t.pef | filecheck %s --check-prefix=DOT
// A program that is not placed is refused, and so is a file that is no PEF.
// RUN: not samba-translate --to-pef %s -o %t.none.pef 2>&1 | filecheck %s --check-prefix=UNPLANNED
// RUN: not samba-translate --from-pef %s 2>&1 | filecheck %s --check-prefix=NOPEF
// RUN: not samba-translate --from-pef %t.missing 2>&1 | filecheck %s --check-prefix=MISSING

// CHECK: rdu.section @copy
// CHECK: rdu.load {{.*}}label = "the load"{{.*}} loc("model.py":3:4)
// CHECK: rdu.schedule @f
// SUMMARY: PEF 1.0 for 1 x sn40l, 4 tiles a chip
// SUMMARY: section copy: 4 groups, 2 PCUs, 2 PMUs, 2 AGCUs, 5 nets
// SUMMARY: graph f: 2 inputs, 1 outputs, 5 launches, hardware orchestration
// DOT: digraph module {
// DOT: label = "rdu.section @copy"
// DOT: label = "load the load\n1 AGCU"
// UNPLANNED: error: symbol 'x' has no place in memory
// NOPEF: is no ELF file, so no PEF
// MISSING: error: No such file or directory
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<64xf32>
  rdu.symbol @w param tensor<64xf32>
  rdu.symbol @t0 temp tensor<64xf32>
  rdu.symbol @t1 temp tensor<64xf32>
  rdu.symbol @t2 temp tensor<64xf32>
  rdu.symbol @t3 temp tensor<64xf32>
  rdu.symbol @y output tensor<64xf32>
  rdu.section @copy (%a : tensor<64xf32>, %b : tensor<64xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 64>, tile = array<i64: 16>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, label = "the load"} : (tensor<64xf32>) -> !rdu.stream<tensor<16xf32>, 4> loc("model.py":3:4)
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
