// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s

// The short form: one type when operand and result agree, attributes at their defaults left out, lists in brackets.
// CHECK-LABEL: func.func @forms
// CHECK-NEXT: %0 = samba.relu %x : tensor<2x4xf32>
// CHECK-NEXT: %1 = samba.linear %0, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: %2, %3 = samba.topk %1 {k = 2} : (tensor<2x3xf32>) -> (tensor<2x2xf32>, tensor<2x2xi64>)
// CHECK-NEXT: %4 = samba.view %x {size = [4, -1]} : (tensor<2x4xf32>) -> tensor<4x2xf32>
// CHECK-NEXT: %5 = samba.mul %x {other = -0.5, note = "kept"} : tensor<2x4xf32>
// CHECK-NEXT: %6 = samba.full {size = [], fill_value = 3, dtype = i64} : tensor<i64>
// CHECK-NEXT: %7 = samba.gelu %x {approximate = "tanh"} : tensor<2x4xf32>
// CHECK-NEXT: %8 = samba.layer_norm %x {normalized_shape = [4], eps = 1.0e-12} : tensor<2x4xf32>
func.func @forms(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) {
  %0 = samba.relu %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %1 = samba.linear %0, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %2:2 = samba.topk %1 {k = 2, dim = -1 : i64, largest = true} : (tensor<2x3xf32>) -> (tensor<2x2xf32>, tensor<2x2xi64>)
  %4 = samba.view %x {size = array<i64: 4, -1>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
  %5 = samba.mul %x {other = -5.0e-01, note = "kept"} : tensor<2x4xf32>
  %6 = samba.full {size = [], fill_value = 3, dtype = i64} : tensor<i64>
  %7 = samba.gelu %x {approximate = "tanh"} : tensor<2x4xf32>
  %8 = samba.layer_norm %x {normalized_shape = [4], eps = 1.0e-12} : tensor<2x4xf32>
  func.return
}

// Infinities keep their bits, as attributes and as constants.
// CHECK-LABEL: func.func @infinite
// CHECK-NEXT: samba.masked_fill %x, %m {value = 0xfff0000000000000 : f64}
// CHECK-NEXT: samba.constant dense<{{.*}}> : tensor<2xi64>
func.func @infinite(%x: tensor<2xf32>, %m: tensor<2xi1>) {
  %0 = samba.masked_fill %x, %m {value = 0xFFF0000000000000 : f64} : (tensor<2xf32>, tensor<2xi1>) -> tensor<2xf32>
  %1 = samba.constant dense<[1, -2]> : tensor<2xi64>
  func.return
}

// Partial sums of 16-bit products may be f32; roles, names, ties and shards are attributes of the function.
// CHECK-LABEL: func.func @partial
// CHECK-SAME: {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<1, 1, 2>}
// CHECK-NEXT: samba.linear %x, %w : (tensor<2x4xbf16>, tensor<3x4xbf16>) -> tensor<2x3xf32>
// CHECK-NEXT: samba.all_reduce %{{.*}} {chips = 2, wire = bf16} : tensor<2x3xf32>
func.func @partial(%x: tensor<2x4xbf16>, %w: tensor<3x4xbf16> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<1, 1, 2>}) {
  %0 = samba.linear %x, %w : (tensor<2x4xbf16>, tensor<3x4xbf16>) -> tensor<2x3xf32>
  %1 = samba.all_reduce %0 {chips = 2, wire = bf16} : tensor<2x3xf32>
  func.return
}

// A fused module has its rule, its heuristic and its own names.
// CHECK-LABEL: func.func @module
// CHECK-NEXT: samba.module "gemm"(%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) heuristic = "SAFE_GEMM" attributes {note} -> (tensor<2x3xf32>) {
// CHECK-NEXT: samba.linear %a, %b
// CHECK-NEXT: samba.yield
// CHECK: samba.module "empty"() -> () {
func.func @module(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> tensor<2x3xf32> {
  %0 = samba.module "gemm"(%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) heuristic = "SAFE_GEMM" attributes {note} -> (tensor<2x3xf32>) {
    %1 = samba.linear %a, %b : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
    samba.yield %1 : tensor<2x3xf32>
  }
  samba.module "empty"() -> () {
    samba.yield
  }
  func.return %0 : tensor<2x3xf32>
}
