// Zeros of both signs are written element by element, as bits; one number is a splat.
// RUN: samba-opt %s | samba-opt | filecheck %s
// CHECK: %0 = samba.constant dense<"0x0000008000000000"> : tensor<2xf32>
// CHECK: %1 = samba.constant dense<-0.000000e+00> : tensor<2xf32>
func.func @f() -> (tensor<2xf32>, tensor<2xf32>) {
  %0 = samba.constant dense<[-0.0, 0.0]> : tensor<2xf32>
  %1 = samba.constant dense<[-0.0, -0.0]> : tensor<2xf32>
  func.return %0, %1 : tensor<2xf32>, tensor<2xf32>
}
