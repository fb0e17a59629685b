// Generic output without properties is MLIR as LLVM 15 reads it; samba-opt reads it back.
// RUN: samba-opt --split-input-file --verify-diagnostics --pass-pipeline=o0 --print-op-generic --print-no-properties %s | filecheck %s
// RUN: samba-opt --pass-pipeline=o0 --print-op-generic --print-no-properties --split-input-file --verify-diagnostics %s | samba-opt | filecheck %s --check-prefix=BACK

// CHECK-NOT: <{
// CHECK: "rdu.load"(%{{[0-9]+}}) {decided_by = "search", domain = [:i64 8],
// CHECK-NOT: array<i64
// BACK: rdu.load %{{[0-9]+}}() {{{.*}}domain = array<i64: 8>,
func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = samba.relu %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// What is no number does not stand in a dense array.
func.func @g() attributes {
  // expected-error@+1 {{a dense array holds integers or floats, not tensor<2xf32>}}
  sizes = [:tensor<2xf32> 1]} {
  return
}
