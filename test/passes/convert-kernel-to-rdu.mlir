// RUN: samba-opt --pass-pipeline='kernel-tile,kernel-balance,kernel-insert-transfers,kernel-insert-buffers,kernel-size-fifos,convert-kernel-to-rdu' --split-input-file --verify-diagnostics %s | filecheck %s

// A transposition is the read pattern of the PMU in front of its reader, a concatenation two write ports of it: neither is
// a compute. Symbols carry roles and names; what one section gives the next is a temp; equal sections are one, launched twice.
// CHECK-LABEL: rdu.program
// CHECK: rdu.symbol @x input tensor<4x6xf32>
// CHECK: rdu.symbol @w param tensor<2x4xf32>
// CHECK: rdu.symbol @y output tensor<8x4xf32>
// CHECK: rdu.symbol @[[T:f.t[0-9]+]] temp tensor<8x4xf32>
// CHECK: rdu.section @join (%[[X:.*]]: tensor<4x6xf32>, %[[W:.*]]: tensor<2x4xf32>, %[[R:.*]]: tensor<8x4xf32>)
// CHECK: [[LX:%.*]] = rdu.load %[[X]]()
// CHECK: [[LW:%.*]] = rdu.load %[[W]]()
// CHECK: rdu.pmu([[LX]]) {{.*}} writes = [#rdu.port<[4, 6] : [6, 1]>], reads = [#rdu.port<[6, 4] : [1, 6]>]
// CHECK: rdu.pmu([[LW]], %{{.*}}) {{.*}} writes = [#rdu.port<[2, 4] : [4, 1] base 24>, #rdu.port<[6, 4] : [4, 1]>], reads = [#rdu.port<[8, 4] : [4, 1]>]
// CHECK: rdu.pcu(%{{.*}}) {mode = "simd", domain = array<i64: 8, 4>
// CHECK: rdu.exp
// CHECK: rdu.store %[[R]](%{{.*}})
// CHECK: rdu.section @negate
// CHECK-NOT: rdu.section
// CHECK: rdu.schedule @f inputs [@x, @w] outputs [@y] tied [-1] {
// CHECK-NEXT: rdu.launch @join [@x, @w, @[[T]]] chips [0]
// CHECK-NEXT: rdu.launch @negate [@[[T]], @[[U:.*]]] chips [0]
// CHECK-NEXT: rdu.launch @negate [@[[U]], @y] chips [0]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<4x6xf32> {samba.name = "x"}, %w: tensor<2x4xf32> {samba.role = "param", samba.name = "w"}) -> (tensor<8x4xf32> {samba.name = "y"}) {
    %0 = kernel.section @join (%a = %x : tensor<4x6xf32>, %b = %w : tensor<2x4xf32>) -> (tensor<8x4xf32>) {
      %1 = kernel.move ins(%a : tensor<4x6xf32>) domain #kernel.domain<6 parallel, 4 parallel> maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<6x4xf32>
      %2 = kernel.move ins(%1, %b : tensor<6x4xf32>, tensor<2x4xf32>) domain #kernel.domain<8 parallel, 4 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0 - 6, d1)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<8x4xf32>
      %3 = kernel.map ins(%2 : tensor<8x4xf32>) domain #kernel.domain<8 parallel, 4 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<8x4xf32>
      kernel.yield %3 : tensor<8x4xf32>
    }
    %4 = kernel.section @negate (%a = %0 : tensor<8x4xf32>) -> (tensor<8x4xf32>) {
      %5 = kernel.map ins(%a : tensor<8x4xf32>) domain #kernel.domain<8 parallel, 4 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8x4xf32>
      kernel.yield %5 : tensor<8x4xf32>
    }
    %6 = kernel.section @again (%a = %4 : tensor<8x4xf32>) -> (tensor<8x4xf32>) {
      %7 = kernel.map ins(%a : tensor<8x4xf32>) domain #kernel.domain<8 parallel, 4 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8x4xf32>
      kernel.yield %7 : tensor<8x4xf32>
    }
    func.return %6 : tensor<8x4xf32>
  }
}

// -----

// Calls of one function in a row are a repeat: the activation is carried, the weights may be loaded ahead. A padded read
// has bound rows, a reduction its accumulator, and the cache is updated where it stands: result 1 is tied to it.
// CHECK-LABEL: rdu.program
// CHECK: rdu.section @put (%[[K:.*]]: tensor<16x8xf32>, %[[P:.*]]: tensor<1xi64>, %[[N:.*]]: tensor<8xf32>) {
// CHECK: rdu.store %[[K]](%{{.*}}, %{{.*}}) {domain = array<i64: 1, 8>, access = #rdu.access<[8, 1] bounds {{\[\[}}0, 1, 0, 16]] bound_index {{\[\[}}1]] {{(pad 0 )?}}index_ports [1] index_strides [8]>
// CHECK: rdu.section @layer_0 (%[[H:.*]]: tensor<8xf32>, %[[W:.*]]: tensor<8xf32>, %[[R:.*]]: tensor<8xf32>)
// CHECK: reads = [#rdu.port<[8, 3] : [1, 1] base -1 bounds {{\[\[}}-1, 1, 1, 8]] pad 0>]
// CHECK: rdu.pcu({{.*}}) {mode = "reduce", {{.*}} inits = array<i64: 0>
// CHECK: rdu.schedule @g inputs [@x, @w0, @w1, @kv, @pos] outputs [@h, @kv] tied [-1, 3]
// CHECK-NEXT: rdu.repeat 2 {carried = array<i64: 0, 2, 0, 0>, prefetched = array<i64: 0, 1>} {
// CHECK-NEXT: rdu.launch @layer_0 {{\[\[}}@x, @w0, @[[M:.*]]], [@[[M]], @w1, @h]] chips [0]
// CHECK: rdu.launch @put [@kv, @pos, @h] chips [0]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @g(%x: tensor<8xf32> {samba.name = "x"}, %w0: tensor<8xf32> {samba.role = "param", samba.name = "w0"}, %w1: tensor<8xf32> {samba.role = "param", samba.name = "w1"}, %kv: tensor<16x8xf32> {samba.role = "state", samba.name = "kv"}, %pos: tensor<1xi64> {samba.name = "pos"}) -> (tensor<8xf32> {samba.name = "h"}, tensor<16x8xf32> {samba.name = "kv", samba.tied = 3 : i64}) {
    %0 = func.call @layer(%x, %w0) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %1 = func.call @layer(%0, %w1) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %2 = kernel.section @put (%c = %kv : tensor<16x8xf32>, %p = %pos : tensor<1xi64>, %n = %1 : tensor<8xf32>) -> (tensor<16x8xf32>) {
      %3 = kernel.scatter ins(%c, %p, %n : tensor<16x8xf32>, tensor<1xi64>, tensor<8xf32>) domain #kernel.domain<1 parallel, 8 parallel> maps [affine_map<(d0, d1)[s0] -> (0, d1)>, affine_map<(d0, d1)[s0] -> (0)>, affine_map<(d0, d1)[s0] -> (d1)>, affine_map<(d0, d1)[s0] -> (s0 + d0, d1)>] bindings [1] tied [0] conflict "overwrite" body {
      ^bb0(%old: f32, %q: i64, %v: f32):
        kernel.yield %v : f32
      } : tensor<16x8xf32>
      kernel.yield %3 : tensor<16x8xf32>
    }
    func.return %1, %2 : tensor<8xf32>, tensor<16x8xf32>
  }
  func.func private @layer(%h: tensor<8xf32>, %w: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @layer_0 (%a = %h : tensor<8xf32>, %b = %w : tensor<8xf32>) -> (tensor<8xf32>) {
      %1 = kernel.reduce ins(%a, %b : tensor<8xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel, 3 reduction> maps [affine_map<(d0, d1) -> (d0 + d1 - 1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>] pads [0.0 : f32, unit] inits [0.0 : f32] body {
      ^bb0(%e: f32, %f: f32, %acc: f32):
        %m = arith.addf %acc, %e : f32
        kernel.yield %m : f32
      } finish {
      ^bb0(%e: f32, %f: f32, %acc: f32):
        %m = arith.mulf %acc, %f : f32
        kernel.yield %m : f32
      } : tensor<8xf32>
      kernel.yield %1 : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A sort has no instruction yet: it is refused where it stands, not dropped.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      // expected-error@+1 {{is not supported at the rdu level yet}}
      %1 = kernel.sort ins(%a : tensor<8xf32>) domain #kernel.domain<8 sequential> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] : tensor<8xf32>
      kernel.yield %1 : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A part of a join that no write pattern places is read over the whole domain through a buffer of its own, and what is out
// of its range is not written: every second element of %x in front, and %y again and again behind.
// CHECK-LABEL: rdu.section @parts
// CHECK: [[LX:%.*]] = rdu.load %{{.*}}() {domain = array<i64: 8>
// CHECK: [[LY:%.*]] = rdu.load %{{.*}}() {domain = array<i64: 3>
// CHECK: [[Y:%.*]] = rdu.pmu([[LY]]) {{.*}} reads = [#rdu.port<[4, 3] : [0, 1]>]
// CHECK: [[X:%.*]] = rdu.pmu([[LX]]) {{.*}} reads = [#rdu.port<[12] : [2] bounds {{\[\[}}0, 2, 8]] pad 0>]
// CHECK: rdu.pmu([[Y]], [[X]]) {{.*}} writes = [#rdu.port<[4, 3] : [3, 1]>, #rdu.port<[12] : [1] bounds {{\[\[}}0, 2, 8]] pad 0>]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>, %y: tensor<3xf32>) -> tensor<12xf32> {
    %0 = kernel.section @parts (%a = %x : tensor<8xf32>, %b = %y : tensor<3xf32>) -> (tensor<12xf32>) {
      %1 = kernel.move ins(%a, %b : tensor<8xf32>, tensor<3xf32>) domain #kernel.domain<12 parallel> maps [affine_map<(d0) -> (d0 * 2)>, affine_map<(d0) -> (d0 mod 3)>, affine_map<(d0) -> (d0)>] pads [0.0 : f32, unit] : tensor<12xf32>
      kernel.yield %1 : tensor<12xf32>
    }
    func.return %0 : tensor<12xf32>
  }
}

// -----

// A load, a store and a join read a move in its own order: what no pattern expresses in that order is a buffer, though the
// move alone is a pattern. %x is transposed, then flattened across extents that do not divide each other.
// CHECK-LABEL: rdu.section @reshape
// CHECK: [[L:%.*]] = rdu.load
// CHECK: [[T:%.*]] = rdu.pmu([[L]]) {{.*}} reads = [#rdu.port<[10, 6] : [1, 10]>]
// CHECK: [[R:%.*]] = rdu.pmu([[T]]) {{.*}} reads = [#rdu.port<[4, 15] : [15, 1]>]
// CHECK: rdu.store %{{.*}}([[R]])
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<6x10xf32>) -> tensor<4x15xf32> {
    %0 = kernel.section @reshape (%a = %x : tensor<6x10xf32>) -> (tensor<4x15xf32>) {
      %1 = kernel.move ins(%a : tensor<6x10xf32>) domain #kernel.domain<10 parallel, 6 parallel> maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<10x6xf32>
      %2 = kernel.move ins(%1 : tensor<10x6xf32>) domain #kernel.domain<4 parallel, 15 parallel> maps [affine_map<(d0, d1) -> ((d0 * 15 + d1) floordiv 6, (d0 * 15 + d1) mod 6)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<4x15xf32>
      kernel.yield %2 : tensor<4x15xf32>
    }
    func.return %0 : tensor<4x15xf32>
  }
}

// -----

// How partial results merge is written where the operator is known: the blocks of 300 points combine by the op of the body,
// 100 points are one block and need no merge.
// CHECK-LABEL: rdu.section @largest
// CHECK: rdu.pcu({{.*}} domain = array<i64: 2, 300>
// CHECK: rdu.maxi
// CHECK: } combine {
// CHECK-NEXT: ([[A:%.*]]: i64, [[B:%.*]]: i64):
// CHECK-NEXT: [[M:%.*]] = rdu.maxi [[A]], [[B]] : i64
// CHECK-NEXT: rdu.yield [[M]] : i64
// CHECK-LABEL: rdu.section @one_block
// CHECK-NOT: combine
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<2x300xi64>, %y: tensor<2x100xi64>) -> (tensor<2xi64>, tensor<2xi64>) {
    %0 = kernel.section @largest (%a = %x : tensor<2x300xi64>) -> (tensor<2xi64>) {
      %1 = kernel.reduce ins(%a : tensor<2x300xi64>) domain #kernel.domain<2 parallel, 300 reduction> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>] inits [-9223372036854775808 : i64] body {
      ^bb0(%e: i64, %m: i64):
        %n = arith.maxsi %m, %e : i64
        kernel.yield %n : i64
      } combine {
      ^bb0(%p: i64, %q: i64):
        %merged = arith.maxsi %p, %q : i64
        kernel.yield %merged : i64
      } : tensor<2xi64>
      kernel.yield %1 : tensor<2xi64>
    }
    %2 = kernel.section @one_block (%a = %y : tensor<2x100xi64>) -> (tensor<2xi64>) {
      %3 = kernel.reduce ins(%a : tensor<2x100xi64>) domain #kernel.domain<2 parallel, 100 reduction> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>] inits [-9223372036854775808 : i64] body {
      ^bb0(%e: i64, %m: i64):
        %n = arith.maxsi %m, %e : i64
        kernel.yield %n : i64
      } : tensor<2xi64>
      kernel.yield %3 : tensor<2xi64>
    }
    func.return %0, %2 : tensor<2xi64>, tensor<2xi64>
  }
}

// -----

// A conversion of a constant is a constant: `true` is one as a number without sign, and -1 as one with a sign; 0.1 is
// rounded to bf16, where it is 0x3DCD = 0.100097656.
// CHECK-LABEL: rdu.section @constants
// CHECK: rdu.pcu
// CHECK-DAG: rdu.constant 1 : i64
// CHECK-DAG: rdu.constant -1 : i64
// CHECK-DAG: rdu.constant 3.000000e+00 : f32
// CHECK-DAG: rdu.constant 1.000980e-01 : bf16
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<4xi64> {samba.name = "x"}) -> (tensor<4xi64> {samba.name = "y"}, tensor<4xi64> {samba.name = "z"}, tensor<4xf32> {samba.name = "u"}, tensor<4xbf16> {samba.name = "v"}) {
    %0, %1, %2, %3 = kernel.section @constants (%a = %x : tensor<4xi64>) -> (tensor<4xi64>, tensor<4xi64>, tensor<4xf32>, tensor<4xbf16>) {
      %4, %5, %6, %7 = kernel.map ins(%a : tensor<4xi64>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
      ^bb0(%e: i64):
        %yes = arith.constant true
        %one = arith.extui %yes : i1 to i64
        %minus = arith.extsi %yes : i1 to i64
        %three = arith.constant 3 : i64
        %float = arith.sitofp %three : i64 to f32
        %tenth = arith.constant 0.1 : f32
        %short = arith.truncf %tenth : f32 to bf16
        %p = arith.xori %one, %e : i64
        %q = arith.xori %minus, %e : i64
        kernel.yield %p, %q, %float, %short : i64, i64, f32, bf16
      } : tensor<4xi64>, tensor<4xi64>, tensor<4xf32>, tensor<4xbf16>
      kernel.yield %4, %5, %6, %7 : tensor<4xi64>, tensor<4xi64>, tensor<4xf32>, tensor<4xbf16>
    }
    func.return %0, %1, %2, %3 : tensor<4xi64>, tensor<4xi64>, tensor<4xf32>, tensor<4xbf16>
  }
}
