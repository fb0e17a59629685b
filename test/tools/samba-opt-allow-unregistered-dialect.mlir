// Ops of dialects that nobody knows are read, printed and left alone; without the flag they are refused.
// RUN: samba-opt --allow-unregistered-dialect --pass-pipeline=samba-cse %s | filecheck %s
// RUN: not samba-opt %s 2>&1 | filecheck %s --check-prefix=REFUSED
// REFUSED: samba-opt-allow-unregistered-dialect.mlir:11:8: error: unknown op 'somebody.does'

// CHECK: %0 = samba.exp %x
// CHECK-NOT: samba.exp
// CHECK: "somebody.does"(%0, %0)
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = samba.exp %x : tensor<2xf32>
  %1 = "somebody.does"(%0, %0) {how = "well"} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %2 = samba.exp %x : tensor<2xf32>
  %3 = "somebody.does"(%2, %1) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %3 : tensor<2xf32>
}
