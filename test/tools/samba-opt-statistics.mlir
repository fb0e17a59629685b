// --statistics prints the counters that the passes declare, in the order of the pipeline; one not touched is 0.
// RUN: samba-opt %s --pass-pipeline=samba-cse,samba-fuse,samba-outline-layers --statistics 2>&1 >/dev/null | filecheck %s
// CHECK: ... Pass statistics report ...
// CHECK: {{^}}samba-cse
// CHECK-NEXT: (S) 1 merged ops - ops that became another one
// CHECK-NEXT: {{^}}samba-fuse
// CHECK-NEXT: (S) 0 modules - modules made of fusion rules' matches
// CHECK-NEXT: {{^}}samba-outline-layers
// CHECK-NEXT: (S) 0 layers - calls that took the place of a layer

func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = samba.exp %x : tensor<2xf32>
  %1 = samba.exp %x : tensor<2xf32>
  %2 = samba.add %0, %1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}
