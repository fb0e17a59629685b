// samba-opt reads MLIR, checks it, and prints it; without passes it changes nothing.
// RUN: samba-opt %s | filecheck %s
// RUN: samba-opt %s --print-op-generic | filecheck %s --check-prefix=GENERIC
// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt %s --print-debuginfo | filecheck %s --check-prefix=PLACE

// CHECK:      func.func @f
// CHECK-NEXT:   arith.addi %{{.*}}, %{{.*}} : i32
// GENERIC:    "func.func"
// GENERIC:    "arith.addi"
// The place of an op is where its name stands.
// PLACE:      arith.addi {{.*}} loc("{{.*}}samba-opt.mlir":14:8)
func.func @f(%a: i32) -> i32 {
  %0 = arith.addi %a, %a : i32
  return %0 : i32
}
