// What --verify-diagnostics refuses, in MLIR's words: the missing, the unexpected (notes too), the wrong severity, and
// comments that cannot be read.
// RUN: not samba-opt --verify-diagnostics --split-input-file %s 2>&1 | filecheck %s
// RUN: not samba-opt --verify-diagnostics=only-expected --split-input-file %s 2>&1 | filecheck %s --check-prefix=ONLY
// RUN: not samba-opt --verify-diagnostics --split-input-file --remarks --pass-pipeline=samba-fuse %s 2>&1 | filecheck %s --check-prefix=REMARK

// CHECK:      fails.mlir:[[#]]:6: error: expected error "never comes" was not produced
// CHECK-NEXT:   // expected-error@+1 {{.*}}never comes
// CHECK-NEXT:      ^~~~~~~~
// ONLY:       fails.mlir:[[#]]:6: error: expected error "never comes" was not produced
func.func @missing(%a: i32) -> i32 {
  // expected-error@+1 {{never comes}}
  return %a : i32
}

// -----

// CHECK-NEXT: fails.mlir:[[#]]:8: error: unexpected error: 'arith.addi' op operand #0 is used before its definition
// CHECK-NEXT:   %0 = arith.addi %1, %a : i32
// CHECK-NEXT:        ^~~~~~~~~~
// CHECK-NEXT: fails.mlir:[[#]]:8: error: unexpected note: the operand is defined here
// CHECK-NEXT:   %1 = arith.addi %a, %a : i32
// CHECK-NEXT:        ^~~~~~~~~~
// ONLY-NOT: unexpected
func.func @unexpected(%a: i32) -> i32 {
  %0 = arith.addi %1, %a : i32
  %1 = arith.addi %a, %a : i32
  return %0 : i32
}

// -----

// CHECK-NEXT: fails.mlir:[[#]]:6: error: 'error' diagnostic emitted when expecting a 'warning'
// CHECK:      fails.mlir:[[#]]:6: error: expected warning "is used before" was not produced
func.func @severity(%a: i32) -> i32 {
  // expected-warning@+1 {{is used before}}
  %0 = arith.addi %1, %a : i32
  // expected-note@+1 {{the operand}}
  %1 = arith.addi %a, %a : i32
  return %0 : i32
}

// -----

// CHECK: error: expected error "is used before" was not produced 2 times, but 1
// CHECK: error: this is not the form of an expected diagnostic
// CHECK: error: invalid regex: {{.*}}
// ONLY: error: this is not the form of an expected diagnostic
func.func @forms(%a: i32) -> i32 {
  // expected-error@+1 2 {{is used before}}
  %0 = arith.addi %1, %a : i32
  // expected-note@+1 {{the operand}}
  %1 = arith.addi %a, %a : i32
  // expected-error@blow {{no such place}}
  // expected-error-re@unknown {{a {{(}} b}}
  return %0 : i32
}

// -----

// Remarks count when they are asked for; a remark that is expected asks for them, too.
// REMARK: error: unexpected remark: [samba-fuse] applied: rule 'base_gemm' made a module (ops = 1)
// CHECK-NOT: unexpected remark
func.func @remarks(%a: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> tensor<2x3xf32> {
  %0 = samba.linear %a, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
