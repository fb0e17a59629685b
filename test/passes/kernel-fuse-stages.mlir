// RUN: samba-opt --pass-pipeline=kernel-fuse-stages --split-input-file %s | filecheck %s
// RUN: samba-opt --pass-pipeline='kernel-fuse-stages{scope=groups}' --split-input-file %s | filecheck %s --check-prefix GROUPS
// RUN: samba-opt --pass-pipeline='kernel-fuse-stages{scope=none}' --split-input-file %s | filecheck %s --check-prefix NONE

// An epilogue joins the contract's `finish`; the rounding between them stays. With scope=groups, functions are left alone.
// CHECK-LABEL: func.func @epilogue
// CHECK: kernel.contract ins(%x, %w, %b : tensor<4x8xbf16>, tensor<16x8xbf16>, tensor<16xf32>)
// CHECK-SAME: affine_map<(d0, d1, d2) -> (d1)>
// CHECK: finish {
// CHECK: arith.truncf
// CHECK-NEXT: arith.extf
// CHECK-NEXT: arith.addf
// CHECK: kernel.yield %{{.*}} : bf16
// CHECK-NOT: kernel.map ins
// CHECK: func.return
// GROUPS-LABEL: func.func @epilogue
// GROUPS: kernel.contract
// GROUPS: kernel.map ins
// NONE-LABEL: func.func @epilogue
// NONE: kernel.contract
// NONE: kernel.map ins
func.func @epilogue(%x: tensor<4x8xbf16>, %w: tensor<16x8xbf16>, %b: tensor<16xf32>) -> tensor<4x16xbf16> {
  %y = kernel.contract ins(%x, %w : tensor<4x8xbf16>, tensor<16x8xbf16>)
    domain #kernel.domain<4 parallel, 16 parallel, 8 reduction>
    maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] inits [0.0 : f32]
    body {
    ^bb0(%a: bf16, %c: bf16, %acc: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.extf %c : bf16 to f32
      %2 = arith.mulf %0, %1 : f32
      %3 = arith.addf %acc, %2 : f32
      kernel.yield %3 : f32
    } : tensor<4x16xbf16>
  %z = kernel.map ins(%y, %b : tensor<4x16xbf16>, tensor<16xf32>) domain #kernel.domain<4 parallel, 16 parallel>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>]
    body {
    ^bb0(%a: bf16, %c: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.addf %0, %c : f32
      %2 = arith.truncf %1 : f32 to bf16
      kernel.yield %2 : bf16
    } : tensor<4x16xbf16>
  func.return %z : tensor<4x16xbf16>
}

// -----

// A chain of maps becomes one map, also inside of a group; a value read twice is read once.
// CHECK-LABEL: func.func @chain
// CHECK: kernel.group "chain"
// CHECK: kernel.map ins(%a : tensor<4xf32>)
// CHECK: math.exp
// CHECK-NEXT: arith.mulf
// CHECK-NOT: kernel.map
// CHECK: func.return
// GROUPS-LABEL: func.func @chain
// GROUPS: kernel.map ins(%a : tensor<4xf32>)
// GROUPS: arith.mulf
// GROUPS-NOT: kernel.map
// GROUPS: func.return
// NONE-LABEL: func.func @chain
// NONE: kernel.map ins(%a : tensor<4xf32>)
// NONE: kernel.map
func.func @chain(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = kernel.group "chain" (%a = %x : tensor<4xf32>) -> (tensor<4xf32>) {
    %e = kernel.map ins(%a : tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
      body {
      ^bb0(%v: f32):
        %0 = math.exp %v : f32
        kernel.yield %0 : f32
      } : tensor<4xf32>
    %m = kernel.map ins(%e, %a : tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel>
      maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
      body {
      ^bb0(%v: f32, %w: f32):
        %0 = arith.mulf %v, %w : f32
        kernel.yield %0 : f32
      } : tensor<4xf32>
    kernel.yield %m : tensor<4xf32>
  }
  func.return %r : tensor<4xf32>
}

// -----

// A transpose and a slice become part of the access map.
// CHECK-LABEL: func.func @moves
// CHECK-NOT: kernel.move
// CHECK: kernel.map ins(%x : tensor<4x8xf32>)
// CHECK-SAME: maps [affine_map<(d0, d1) -> (d1, (d0 + 2))>, affine_map<(d0, d1) -> (d0, d1)>]
// NONE-LABEL: func.func @moves
// NONE: kernel.move
func.func @moves(%x: tensor<4x8xf32>) -> tensor<5x4xf32> {
  %t = kernel.move ins(%x : tensor<4x8xf32>) domain #kernel.domain<8 parallel, 4 parallel>
    maps [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>] : tensor<8x4xf32>
  %s = kernel.move ins(%t : tensor<8x4xf32>) domain #kernel.domain<5 parallel, 4 parallel>
    maps [affine_map<(i, j) -> (i + 2, j)>, affine_map<(i, j) -> (i, j)>] : tensor<5x4xf32>
  %y = kernel.map ins(%s : tensor<5x4xf32>) domain #kernel.domain<5 parallel, 4 parallel>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
    body {
    ^bb0(%v: f32):
      %0 = math.exp %v : f32
      kernel.yield %0 : f32
    } : tensor<5x4xf32>
  func.return %y : tensor<5x4xf32>
}

// -----

// A reshape whose composed map keeps a floordiv stays a move. One that splits a dimension apart again vanishes.
// CHECK-LABEL: func.func @reshapes
// CHECK: %t = kernel.move ins(%x
// CHECK: kernel.map ins(%t : tensor<24xf32>)
// CHECK: kernel.map ins(%x : tensor<4x6xf32>)
func.func @reshapes(%x: tensor<4x6xf32>) -> (tensor<24xf32>, tensor<4x6xf32>) {
  %t = kernel.move ins(%x : tensor<4x6xf32>) domain #kernel.domain<24 parallel>
    maps [affine_map<(i) -> (i floordiv 6, i mod 6)>, affine_map<(i) -> (i)>] : tensor<24xf32>
  %y = kernel.map ins(%t : tensor<24xf32>) domain #kernel.domain<24 parallel> maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
    body {
    ^bb0(%v: f32):
      %0 = math.exp %v : f32
      kernel.yield %0 : f32
    } : tensor<24xf32>
  %z = kernel.map ins(%t : tensor<24xf32>) domain #kernel.domain<4 parallel, 6 parallel>
    maps [affine_map<(i, j) -> (i * 6 + j)>, affine_map<(i, j) -> (i, j)>]
    body {
    ^bb0(%v: f32):
      %0 = math.sin %v : f32
      kernel.yield %0 : f32
    } : tensor<4x6xf32>
  func.return %y, %z : tensor<24xf32>, tensor<4x6xf32>
}

// -----

// Work is not repeated: an exponential that two stages read stays, and so does one that a broadcast would compute 16 times; an
// extension is free and joins the contract, which then reads bf16.
// CHECK-LABEL: func.func @no_repeated_work
// CHECK: %e = kernel.map
// CHECK: kernel.reduce ins(%e
// CHECK: %b = kernel.map
// CHECK: kernel.map ins(%e, %{{.*}}, %b
// CHECK: kernel.contract ins(%h, %w : tensor<4x16xbf16>, tensor<8x16xf32>)
func.func @no_repeated_work(%x: tensor<4x16xf32>, %r: tensor<4xf32>, %h: tensor<4x16xbf16>, %w: tensor<8x16xf32>)
    -> (tensor<4x16xf32>, tensor<4x8xf32>) {
  %e = kernel.map ins(%x : tensor<4x16xf32>) domain #kernel.domain<4 parallel, 16 parallel>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
    body {
    ^bb0(%v: f32):
      %0 = math.exp %v : f32
      kernel.yield %0 : f32
    } : tensor<4x16xf32>
  %s = kernel.reduce ins(%e : tensor<4x16xf32>) domain #kernel.domain<4 parallel, 16 reduction>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32]
    body {
    ^bb0(%v: f32, %acc: f32):
      %0 = arith.addf %acc, %v : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  %b = kernel.map ins(%r : tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
    body {
    ^bb0(%v: f32):
      %0 = math.tanh %v : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  %y = kernel.map ins(%e, %s, %b : tensor<4x16xf32>, tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel, 16 parallel>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
    body {
    ^bb0(%v: f32, %t: f32, %u: f32):
      %0 = arith.divf %v, %t : f32
      %1 = arith.addf %0, %u : f32
      kernel.yield %1 : f32
    } : tensor<4x16xf32>
  %wide = kernel.map ins(%h : tensor<4x16xbf16>) domain #kernel.domain<4 parallel, 16 parallel>
    maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
    body {
    ^bb0(%v: bf16):
      %0 = arith.extf %v : bf16 to f32
      kernel.yield %0 : f32
    } : tensor<4x16xf32>
  %c = kernel.contract ins(%wide, %w : tensor<4x16xf32>, tensor<8x16xf32>) domain #kernel.domain<4 parallel, 8 parallel, 16 reduction>
    maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] inits [0.0 : f32]
    body {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %0 = arith.mulf %p, %q : f32
      %1 = arith.addf %acc, %0 : f32
      kernel.yield %1 : f32
    } : tensor<4x8xf32>
  func.return %y, %c : tensor<4x16xf32>, tensor<4x8xf32>
}

// -----

// The pad of a move that is read through stays, also when it is an integer 0.
// CHECK-LABEL: func.func @integer_pad
// CHECK: kernel.map ins(%x : tensor<3xi64>)
// CHECK-SAME: affine_map<(d0) -> ((d0 + -1))>
// CHECK-SAME: pads [0 : i64]
func.func @integer_pad(%x: tensor<3xi64>) -> tensor<5xi64> {
  %0 = kernel.move ins(%x : tensor<3xi64>) domain #kernel.domain<5 parallel>
    maps [affine_map<(i) -> (i - 1)>, affine_map<(i) -> (i)>] pads [0 : i64] : tensor<5xi64>
  %1 = kernel.map ins(%0 : tensor<5xi64>) domain #kernel.domain<5 parallel>
    maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
    body {
    ^bb0(%a: i64):
      %2 = arith.addi %a, %a : i64
      kernel.yield %2 : i64
    } : tensor<5xi64>
  func.return %1 : tensor<5xi64>
}
