// RUN: samba-opt --pass-pipeline=samba-cse %s | filecheck %s

// Equal ops are computed once, with their users merged in turn.
// CHECK-LABEL: func.func @equal
// CHECK-NEXT: %0 = samba.softmax %x {dim = -1}
// CHECK-NEXT: %1 = samba.exp %0
// CHECK-NEXT: %2 = samba.add %1, %1
// CHECK-NEXT: func.return %2
func.func @equal(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = samba.softmax %x {dim = -1} : tensor<2x3xf32>
  %1 = samba.softmax %x {dim = -1} : tensor<2x3xf32>
  %2 = samba.exp %0 : tensor<2x3xf32>
  %3 = samba.exp %1 : tensor<2x3xf32>
  %4 = samba.add %2, %3 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return %4 : tensor<2x3xf32>
}

// Different attributes, a different dtype or a directive keep ops apart.
// CHECK-LABEL: func.func @different
// CHECK-COUNT-3: samba.softmax
// CHECK: samba.linear %x, %w : (tensor<2x3xbf16>, tensor<3x3xbf16>) -> tensor<2x3xbf16>
// CHECK: samba.linear %x, %w : (tensor<2x3xbf16>, tensor<3x3xbf16>) -> tensor<2x3xf32>
func.func @different(%x: tensor<2x3xbf16>, %w: tensor<3x3xbf16>) -> (tensor<2x3xbf16>, tensor<2x3xbf16>, tensor<2x3xbf16>, tensor<2x3xbf16>, tensor<2x3xf32>) {
  %0 = samba.softmax %x {dim = -1} : tensor<2x3xbf16>
  %1 = samba.softmax %x {dim = 0} : tensor<2x3xbf16>
  %2 = samba.softmax %x {dim = -1, annotation = "keep"} : tensor<2x3xbf16>
  %3 = samba.linear %x, %w : (tensor<2x3xbf16>, tensor<3x3xbf16>) -> tensor<2x3xbf16>
  %4 = samba.linear %x, %w : (tensor<2x3xbf16>, tensor<3x3xbf16>) -> tensor<2x3xf32>
  func.return %0, %1, %2, %3, %4 : tensor<2x3xbf16>, tensor<2x3xbf16>, tensor<2x3xbf16>, tensor<2x3xbf16>, tensor<2x3xf32>
}

// Constants are merged; zeros of either sign are different.
// CHECK-LABEL: func.func @constants
// CHECK-NEXT: %0 = samba.constant dense<0.000000e+00>
// CHECK-NEXT: %1 = samba.constant dense<-0.000000e+00>
// CHECK-NEXT: func.return %0, %0, %1
func.func @constants() -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0 = samba.constant dense<0.0> : tensor<f32>
  %1 = samba.constant dense<0.0> : tensor<f32>
  %2 = samba.constant dense<-0.0> : tensor<f32>
  func.return %0, %1, %2 : tensor<f32>, tensor<f32>, tensor<f32>
}
