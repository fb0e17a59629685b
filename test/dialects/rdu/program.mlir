// A whole program keeps its meaning through pretty and generic text.
// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s

module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  // CHECK: rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 2> {
  rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 2> {
    // CHECK-NEXT: rdu.symbol @x input tensor<16x128xbf16>
    rdu.symbol @x input tensor<16x128xbf16>
    // CHECK-NEXT: rdu.symbol @layers.0.w param tensor<16x128xbf16> {shard = array<i64: 0, 1, 2>, tier = "hbm", address = 4096 : i64, first = 0 : i64, last = 3 : i64}
    rdu.symbol @layers.0.w param tensor<16x128xbf16> {shard = array<i64: 0, 1, 2>, tier = "hbm", address = 4096 : i64, first = 0 : i64, last = 3 : i64}
    rdu.symbol @y output tensor<16xbf16>
    // CHECK: rdu.symbol @k constant tensor<2xi32> {data = dense<[1, 2]> : tensor<2xi32>}
    rdu.symbol @k constant tensor<2xi32> {data = dense<[1, 2]> : tensor<2xi32>}
    // CHECK: rdu.section @dot (%{{.*}}: tensor<16x128xbf16>, %{{.*}}: tensor<16x128xbf16>, %{{.*}}: tensor<16xbf16>) {
    rdu.section @dot (%sx : tensor<16x128xbf16>, %sw : tensor<16x128xbf16>, %sy : tensor<16xbf16>) {
      // CHECK-NEXT: rdu.load %{{.*}}() {{{.*}}label = "x"} :
      %x = rdu.load %sx() {domain = array<i64: 16, 128>, tile = array<i64: 4, 128>, access = #rdu.access<[128, 1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>, label = "x"} : (tensor<16x128xbf16>) -> !rdu.stream<tensor<4x128xbf16>, 4>
      %w = rdu.load %sw() {domain = array<i64: 16, 128>, tile = array<i64: 4, 128>, access = #rdu.access<[128, 1] base 0 bounds [[0, 1, 0, 16]] pad 0>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<16x128xbf16>) -> !rdu.stream<tensor<4x128xbf16>, 4>
      // CHECK: rdu.pmu(%{{.*}}) {{{.*}}writes = [#rdu.port<[16, 128] : [128, 1]>], reads = [#rdu.port<[16, 128] : [128, 1] base 1 bounds {{\[\[}}1, 0, 1, 128]] pad 7>]} : (!rdu.stream
      %b = rdu.pmu(%w) {domain = array<i64: 2048>, count = 1 : i64, depth = 2 : i64, window_bytes = 1024 : i64, banks = 8 : i64, init = 0 : i64, writes = [#rdu.port<[16, 128] : [128, 1]>], reads = [#rdu.port<[16, 128] : [128, 1] base 1 bounds [[1, 0, 1, 128]] pad 7>]} : (!rdu.stream<tensor<4x128xbf16>, 4>) -> !rdu.stream<tensor<4x128xbf16>, 4>
      // CHECK: rdu.pcu(%{{.*}}, %{{.*}}) {{{.*}}mode = "reduce"
      // CHECK: ^{{.*}}(%{{.*}}: bf16, %{{.*}}: bf16, %{{.*}}: f32):
      // CHECK-NEXT: rdu.constant 1.000000e+00 : f32
      // CHECK-NEXT: rdu.counter 1 : i64
      // CHECK-NEXT: rdu.extf %{{.*}}: bf16 to f32
      // CHECK: rdu.lt %{{.*}}, %{{.*}} : f32
      // CHECK: rdu.select %{{.*}}, %{{.*}}, %{{.*}} : f32
      // CHECK: rdu.yield %{{.*}} : f32
      // CHECK: finish {
      // CHECK: rdu.truncf %{{.*}} : f32 to bf16
      %s = rdu.pcu(%x, %b) {mode = "reduce", domain = array<i64: 16, 128>, kinds = array<i64: 0, 1>, tile = array<i64: 4, 128>, par = array<i64: 2, 1>, split = array<i64: 1, 1>, order = array<i64: 0, 1>, inits = array<i64: 0>, depths = array<i64: 2, 2>, count = 2 : i64} : (!rdu.stream<tensor<4x128xbf16>, 4>, !rdu.stream<tensor<4x128xbf16>, 4>) -> !rdu.stream<tensor<4xbf16>, 4> body {
      ^bb0(%ex : bf16, %ew : bf16, %acc : f32):
        %one = rdu.constant 1.0 : f32
        %i = rdu.counter 1
        %0 = rdu.extf %ex : bf16 to f32
        %1 = rdu.extf %ew : bf16 to f32
        %2 = rdu.mul %0, %1 : f32
        %3 = rdu.lt %2, %one : f32
        %4 = rdu.select %3, %2, %one : f32
        %5 = rdu.sitofp %i : i64 to f32
        %6 = rdu.add %4, %5 : f32
        %7 = rdu.add %acc, %6 : f32
        rdu.yield %7 : f32
      } finish {
      ^bb0(%ex : bf16, %ew : bf16, %acc : f32):
        %0 = rdu.truncf %acc : f32 to bf16
        rdu.yield %0 : bf16
      }
      // CHECK: rdu.collective(%{{.*}}) {{{.*}}op = "all_reduce"
      %r = rdu.collective(%s) {op = "all_reduce", dim = 0 : i64, chips = 2 : i64, wire = f32, domain = array<i64: 16>, count = 1 : i64, depths = array<i64: 2>} : (!rdu.stream<tensor<4xbf16>, 4>) -> !rdu.stream<tensor<4xbf16>, 4>
      // CHECK: rdu.store %{{.*}}(%{{.*}}) {
      rdu.store %sy(%r) {domain = array<i64: 16>, tile = array<i64: 4>, access = #rdu.access<[1]>, conflict = "overwrite", count = 1 : i64, indices = 0 : i64, depths = array<i64: 2>} : (tensor<16xbf16>, !rdu.stream<tensor<4xbf16>, 4>) -> ()
    }
    // CHECK: rdu.schedule @forward inputs [@x, @layers.0.w] outputs [@y] tied [-1] attributes {orchestration = "hardware"} {
    rdu.schedule @forward inputs [@x, @layers.0.w] outputs [@y] tied [-1] attributes {orchestration = "hardware"} {
      // CHECK-NEXT: rdu.launch @dot [@x, @layers.0.w, @y] chips [0, 1]
      rdu.launch @dot [@x, @layers.0.w, @y] chips [0, 1]
      // CHECK-NEXT: rdu.repeat 2 {carried = array<i64>, prefetched = array<i64: 0, 1>} {
      // CHECK-NEXT: rdu.launch @dot {{\[\[}}@x, @layers.0.w, @y], [@x, @x, @y]] chips [0, 1]
      rdu.repeat 2 {carried = array<i64>, prefetched = array<i64: 0, 1>} {
        rdu.launch @dot [[@x, @layers.0.w, @y], [@x, @x, @y]] chips [0, 1]
      }
    }
  }
}
