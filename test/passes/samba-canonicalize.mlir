// RUN: samba-opt --pass-pipeline=samba-canonicalize --split-input-file %s | filecheck %s
// RUN: samba-opt --pass-pipeline='samba-canonicalize{rules=%S/fixtures/rewrites.yaml}' --split-input-file %s | filecheck %s --check-prefix=RULES
// RUN: samba-opt --pass-pipeline='samba-canonicalize{rules=%S/fixtures/rewrites.yaml}' --split-input-file --remarks %s -o /dev/null 2>&1 | filecheck %s --check-prefix=REMARK
// RUN: not samba-opt --pass-pipeline='samba-canonicalize{rules=missing.yaml}' --split-input-file %s 2>&1 | filecheck %s --check-prefix=MISSING

// MISSING: missing.yaml: error: cannot read rewrite rules: No such file or directory

// No-ops, identity casts and views of views leave nothing; dead ops are erased.
// CHECK-LABEL: func.func @views
// CHECK-NEXT: samba.view %x {size = [6]} : (tensor<2x3xf32>) -> tensor<6xf32>
// CHECK-NEXT: func.return
func.func @views(%x: tensor<2x3xf32>) -> tensor<6xf32> {
  %0 = samba.contiguous %x : tensor<2x3xf32>
  %1 = samba.unsqueeze %0 {dim = 0} : (tensor<2x3xf32>) -> tensor<1x2x3xf32>
  %2 = samba.to %1 {dtype = f32} : tensor<1x2x3xf32>
  %3 = samba.dropout %2 {p = 0.1} : tensor<1x2x3xf32>
  %4 = samba.flatten %3 : (tensor<1x2x3xf32>) -> tensor<6xf32>
  %5 = samba.exp %4 : tensor<6xf32>
  func.return %4 : tensor<6xf32>
}

// -----

// Two transposes that undo each other are nothing; others are one permutation.
// CHECK-LABEL: func.func @permutations
// CHECK-NEXT: %0 = samba.permute %x {dims = [2, 0, 1]}
// CHECK-NEXT: func.return %x, %0
func.func @permutations(%x: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<4x2x3xf32>) {
  %0 = samba.transpose %x {dim0 = 1, dim1 = 2} : (tensor<2x3x4xf32>) -> tensor<2x4x3xf32>
  %1 = samba.transpose %0 {dim0 = -1, dim1 = -2} : (tensor<2x4x3xf32>) -> tensor<2x3x4xf32>
  %2 = samba.transpose %0 {dim0 = 0, dim1 = 1} : (tensor<2x4x3xf32>) -> tensor<4x2x3xf32>
  func.return %1, %2 : tensor<2x3x4xf32>, tensor<4x2x3xf32>
}

// -----

// Neutral elements go; 0.0 + x stays, because it turns -0.0 into 0.0, and so does a product that changes the dtype.
// CHECK-LABEL: func.func @neutral
// CHECK-NEXT: %0 = samba.add %x {other = 0.0}
// CHECK-NEXT: %1 = samba.mul %i {other = 1.0} : (tensor<2xi64>) -> tensor<2xf32>
// CHECK-NEXT: func.return %x, %0, %1
func.func @neutral(%x: tensor<2xf32>, %i: tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %one = samba.ones {size = [1], dtype = f32} : tensor<1xf32>
  %0 = samba.mul %x, %one : (tensor<2xf32>, tensor<1xf32>) -> tensor<2xf32>
  %1 = samba.sub %0 {other = 0} : tensor<2xf32>
  %2 = samba.add %x {other = 0.0} : tensor<2xf32>
  %3 = samba.mul %i {other = 1.0} : (tensor<2xi64>) -> tensor<2xf32>
  func.return %1, %2, %3 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}

// -----

// Zeros before a sum go on integers, where the other side has the sum's type; not where they are not all zeros.
// CHECK-LABEL: func.func @zeros_first
// CHECK: %[[A:.*]] = samba.add %{{.*}}, %i
// CHECK-NEXT: %[[B:.*]] = samba.add %{{.*}}, %x
// CHECK-NEXT: func.return %i, %[[A]], %[[B]]
func.func @zeros_first(%i: tensor<2xi64>, %x: tensor<2xf32>) -> (tensor<2xi64>, tensor<2xi64>, tensor<2xf32>) {
  %zeros = samba.constant dense<0> : tensor<2xi64>
  %mixed = samba.constant dense<[0, 1]> : tensor<2xi64>
  %floats = samba.constant dense<0.0> : tensor<2xf32>
  %0 = samba.add %zeros, %i : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
  %1 = samba.add %mixed, %i : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
  %2 = samba.add %floats, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %0, %1, %2 : tensor<2xi64>, tensor<2xi64>, tensor<2xf32>
}

// -----

// A cast back after a widening cast is nothing; after a narrowing one it rounds and stays.
// CHECK-LABEL: func.func @casts
// CHECK-NEXT: %0 = samba.to %y {dtype = bf16}
// CHECK-NEXT: %1 = samba.to %0 {dtype = f32}
// CHECK-NEXT: func.return %x, %1
func.func @casts(%x: tensor<2xbf16>, %y: tensor<2xf32>) -> (tensor<2xbf16>, tensor<2xf32>) {
  %0 = samba.to %x {dtype = f32} : (tensor<2xbf16>) -> tensor<2xf32>
  %1 = samba.to %0 {dtype = bf16} : (tensor<2xf32>) -> tensor<2xbf16>
  %2 = samba.to %y {dtype = bf16} : (tensor<2xf32>) -> tensor<2xbf16>
  %3 = samba.to %2 {dtype = f32} : (tensor<2xbf16>) -> tensor<2xf32>
  func.return %1, %3 : tensor<2xbf16>, tensor<2xf32>
}

// -----

// A whole constant subgraph is one constant: the mask of arange <= arange + 1.
// CHECK-LABEL: func.func @fold
// CHECK-NEXT: samba.constant dense<{{\[\[}}true, true, false], [true, true, true]]> : tensor<2x3xi1>
// CHECK-NEXT: func.return
func.func @fold() -> tensor<2x3xi1> {
  %0 = samba.arange {end = 3, dtype = i64} : tensor<3xi64>
  %1 = samba.arange {end = 2, dtype = i64} : tensor<2xi64>
  %2 = samba.unsqueeze %1 {dim = 1} : (tensor<2xi64>) -> tensor<2x1xi64>
  %3 = samba.add %2 {other = 1} : tensor<2x1xi64>
  %4 = samba.le %0, %3 : (tensor<3xi64>, tensor<2x1xi64>) -> tensor<2x3xi1>
  func.return %4 : tensor<2x3xi1>
}

// -----

// A number in the place of an operand takes part in the folding, in the type that the operator compares in.
// CHECK-LABEL: func.func @fold_numbers
// CHECK-NEXT: samba.constant dense<[false, true]>
// CHECK-NEXT: samba.constant dense<[true, false]>
// CHECK-NEXT: func.return
func.func @fold_numbers() -> (tensor<2xi1>, tensor<2xi1>) {
  %0 = samba.constant dense<[0.0, 0.5]> : tensor<2xf32>
  %1 = samba.logical_or %0 {other = 0} : (tensor<2xf32>) -> tensor<2xi1>
  %2 = samba.logical_xor %0 {other = 2.0} : (tensor<2xf32>) -> tensor<2xi1>
  func.return %1, %2 : tensor<2xi1>, tensor<2xi1>
}

// cos is not folded: its last bit depends on the library. Its constant operand is.
// CHECK-LABEL: func.func @inexact
// CHECK-NEXT: %0 = samba.constant dense<5.000000e-01> : tensor<2xf32>
// CHECK-NEXT: samba.cos %0
func.func @inexact() -> tensor<2xf32> {
  %0 = samba.full {size = [2], fill_value = 1.0, dtype = f32} : tensor<2xf32>
  %1 = samba.div %0 {other = 2} : tensor<2xf32>
  %2 = samba.cos %1 : tensor<2xf32>
  func.return %2 : tensor<2xf32>
}

// -----

// Elementwise operators broadcast by themselves.
// CHECK-LABEL: func.func @broadcast
// CHECK-NEXT: samba.mul %x, %w : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
func.func @broadcast(%x: tensor<4x3xf32>, %w: tensor<3xf32>) -> tensor<4x3xf32> {
  %0 = samba.expand %w {size = [4, 3]} : (tensor<3xf32>) -> tensor<4x3xf32>
  %1 = samba.mul %x, %0 : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  func.return %1 : tensor<4x3xf32>
}

// -----

// Repeated key and value heads become grouped queries, a constant causal mask becomes is_causal.
// CHECK-LABEL: func.func @attention
// CHECK-NEXT: samba.scaled_dot_product_attention %q, %k, %v {is_causal = true, enable_gqa = true}
// CHECK-NEXT: func.return
func.func @attention(%q: tensor<1x8x2x4xf32>, %k: tensor<1x2x2x4xf32>, %v: tensor<1x2x2x4xf32>) -> tensor<1x8x2x4xf32> {
  %0 = samba.unsqueeze %k {dim = 2} : (tensor<1x2x2x4xf32>) -> tensor<1x2x1x2x4xf32>
  %1 = samba.expand %0 {size = [1, 2, 4, 2, 4]} : (tensor<1x2x1x2x4xf32>) -> tensor<1x2x4x2x4xf32>
  %2 = samba.reshape %1 {size = [1, 8, 2, 4]} : (tensor<1x2x4x2x4xf32>) -> tensor<1x8x2x4xf32>
  %3 = samba.unsqueeze %v {dim = 2} : (tensor<1x2x2x4xf32>) -> tensor<1x2x1x2x4xf32>
  %4 = samba.expand %3 {size = [1, 2, 4, 2, 4]} : (tensor<1x2x1x2x4xf32>) -> tensor<1x2x4x2x4xf32>
  %5 = samba.reshape %4 {size = [1, 8, 2, 4]} : (tensor<1x2x4x2x4xf32>) -> tensor<1x8x2x4xf32>
  %6 = samba.ones {size = [2, 2], dtype = i1} : tensor<2x2xi1>
  %7 = samba.tril %6 : tensor<2x2xi1>
  %8 = samba.expand %7 {size = [1, 1, 2, 2]} : (tensor<2x2xi1>) -> tensor<1x1x2x2xi1>
  %9 = samba.scaled_dot_product_attention %q, %2, %5, %8 : (tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>, tensor<1x8x2x4xf32>, tensor<1x1x2x2xi1>) -> tensor<1x8x2x4xf32>
  func.return %9 : tensor<1x8x2x4xf32>
}

// -----

// Rows at constant neighbouring indices are a slice; others stay a gather.
// CHECK-LABEL: func.func @positions
// CHECK-NEXT: %0 = samba.slice %w {start = 1, end = 3} : (tensor<8x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: %1 = samba.view %0 {size = [1, 2, 4]}
// CHECK-NEXT: %2 = samba.constant dense<[3, 1]>
// CHECK-NEXT: %3 = samba.embedding %w, %2
// CHECK-NEXT: func.return %1, %3
func.func @positions(%w: tensor<8x4xf32>) -> (tensor<1x2x4xf32>, tensor<2x4xf32>) {
  %0 = samba.arange {start = 1, end = 3, dtype = i64} : tensor<2xi64>
  %1 = samba.unsqueeze %0 {dim = 0} : (tensor<2xi64>) -> tensor<1x2xi64>
  %2 = samba.embedding %w, %1 : (tensor<8x4xf32>, tensor<1x2xi64>) -> tensor<1x2x4xf32>
  %3 = samba.constant dense<[3, 1]> : tensor<2xi64>
  %4 = samba.embedding %w, %3 : (tensor<8x4xf32>, tensor<2xi64>) -> tensor<2x4xf32>
  func.return %2, %4 : tensor<1x2x4xf32>, tensor<2x4xf32>
}

// -----

// Groups are simplified inside; collectives are never folded.
// CHECK-LABEL: func.func @group
// CHECK-NEXT: samba.module "m"(%a = %x : tensor<2xf32>)
// CHECK-NEXT: %{{.*}} = samba.constant dense<1.000000e+00>
// CHECK-NEXT: samba.all_reduce
func.func @group(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = samba.module "m"(%a = %x : tensor<2xf32>) -> (tensor<2xf32>) {
    %1 = samba.alias %a : tensor<2xf32>
    %2 = samba.ones {size = [2], dtype = f32} : tensor<2xf32>
    %3 = samba.all_reduce %2 {chips = 2} : tensor<2xf32>
    %4 = samba.add %1, %3 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    samba.yield %4 : tensor<2xf32>
  }
  func.return %0 : tensor<2xf32>
}

// -----

// Rules of a file are applied as well, and only where they are asked for.
// CHECK-LABEL: func.func @rules
// CHECK: samba.sigmoid
// CHECK: samba.softmax %{{.*}} {dim = 0
// REMARK: remark: [samba-canonicalize] applied: rule 'silu' was applied (times = 2)
// RULES-LABEL: func.func @rules
// RULES-NEXT: %0 = samba.silu %x : tensor<2xf32>
// RULES-NEXT: %1 = samba.silu %y : tensor<2xf32>
// RULES-NEXT: %2 = samba.sub %0, %1 {alpha = 2} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
// RULES-NEXT: %3 = samba.relu %2 : tensor<2xf32>
// RULES-NEXT: %4 = samba.softmax %3 {dim = -1, note = unit} : tensor<2xf32>
// RULES-NEXT: func.return %4
func.func @rules(%x: tensor<2xf32>, %y: tensor<2xf32>) -> tensor<2xf32> {
  %0 = samba.sigmoid %x : tensor<2xf32>
  %1 = samba.mul %x, %0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %2 = samba.sigmoid %y : tensor<2xf32>
  %3 = samba.mul %2, %y : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %4 = samba.neg %3 : tensor<2xf32>
  %5 = samba.add %1, %4 {alpha = 2} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %6 = samba.relu %5 : tensor<2xf32>
  %7 = samba.relu %6 : tensor<2xf32>
  %8 = samba.softmax %7 {dim = 0, note} : tensor<2xf32>
  func.return %8 : tensor<2xf32>
}
