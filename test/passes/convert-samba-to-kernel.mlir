// RUN: samba-opt --pass-pipeline=convert-samba-to-kernel %s | filecheck %s

// A linear is one contract; the bias is added in its finish, and the result is rounded there.
// CHECK-LABEL: func.func @linear
// CHECK-NEXT: kernel.contract ins(%x, %w, %b
// CHECK-SAME: domain #kernel.domain<2 parallel, 3 parallel, 4 reduction>
// CHECK: finish
// CHECK: arith.truncf
func.func @linear(%x: tensor<2x4xbf16>, %w: tensor<3x4xbf16>, %b: tensor<3xbf16>) -> tensor<2x3xbf16> {
  %0 = samba.linear %x, %w, %b : (tensor<2x4xbf16>, tensor<3x4xbf16>, tensor<3xbf16>) -> tensor<2x3xbf16>
  func.return %0 : tensor<2x3xbf16>
}

// A fused module becomes a group with its rule; a call stays.
// CHECK-LABEL: func.func @module
// CHECK-NEXT: kernel.group "gemm" (%a = %x : tensor<2x4xf32>, %c = %w : tensor<3x4xf32>) -> (tensor<2x3xf32>) attributes {heuristic = "SAFE_GEMM"}
// CHECK-NEXT: kernel.contract
// CHECK: kernel.yield %{{[0-9]+}} : tensor<2x3xf32>
// CHECK-NOT: samba
// CHECK: func.call @layer
func.func @module(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> tensor<2x3xf32> {
  %0 = samba.module "gemm"(%a = %x : tensor<2x4xf32>, %c = %w : tensor<3x4xf32>) heuristic = "SAFE_GEMM" -> (tensor<2x3xf32>) {
    %1 = samba.linear %a, %c : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
    samba.yield %1 : tensor<2x3xf32>
  }
  %2 = func.call @layer(%0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return %2 : tensor<2x3xf32>
}

// Views are moves, no-ops are nothing.
// CHECK-LABEL: func.func private @layer
// CHECK-NEXT: %0 = kernel.move ins(%x : tensor<2x3xf32>) domain #kernel.domain<3 parallel, 2 parallel>
// CHECK-SAME: maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>]
// CHECK-NEXT: kernel.move ins(%0
// CHECK-NEXT: func.return
func.func private @layer(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = samba.t %x : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %1 = samba.contiguous %0 : tensor<3x2xf32>
  %2 = samba.t %1 : (tensor<3x2xf32>) -> tensor<2x3xf32>
  func.return %2 : tensor<2x3xf32>
}

// The update of a KV cache is a scatter tied to the cache: only the new row is moved.
// CHECK-LABEL: func.func @cache
// CHECK-NEXT: kernel.scatter ins(%cache, %i, %new
// CHECK-SAME: domain #kernel.domain<2 parallel, 1 parallel, 4 parallel>
// CHECK-SAME: bindings [1] tied [0] conflict "overwrite"
func.func @cache(%cache: tensor<2x8x4xf32>, %i: tensor<1xi64>, %new: tensor<2x1x4xf32>) -> tensor<2x8x4xf32> {
  %0 = samba.index_copy %cache, %i, %new {dim = 1} : (tensor<2x8x4xf32>, tensor<1xi64>, tensor<2x1x4xf32>) -> tensor<2x8x4xf32>
  func.return %0 : tensor<2x8x4xf32>
}

// Stages keep the location of their operator; a splat constant is a number in the body, others stay tensors.
// CHECK-LABEL: func.func @constants
// CHECK-NEXT: arith.constant dense<[1, 2, 3]> : tensor<3xi64>
// CHECK-NEXT: kernel.map ins(%x : tensor<3xi64>)
// CHECK: arith.constant 7 : i64
func.func @constants(%x: tensor<3xi64>) -> (tensor<3xi64>, tensor<3xi64>) {
  %seven = samba.constant dense<7> : tensor<3xi64>
  %other = samba.constant dense<[1, 2, 3]> : tensor<3xi64>
  %0 = samba.add %x, %seven : (tensor<3xi64>, tensor<3xi64>) -> tensor<3xi64>
  func.return %0, %other : tensor<3xi64>, tensor<3xi64>
}

// An integer pad of 0 is a pad.
// CHECK-LABEL: func.func @pad
// CHECK-NEXT: kernel.move ins(%x : tensor<3xi64>)
// CHECK-SAME: pads [0 : i64] : tensor<5xi64>
func.func @pad(%x: tensor<3xi64>) -> tensor<5xi64> {
  %0 = samba.constant_pad_nd %x {pad = [1, 1]} : (tensor<3xi64>) -> tensor<5xi64>
  func.return %0 : tensor<5xi64>
}
