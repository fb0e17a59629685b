// samba-compile takes samba-level IR through a whole pipeline to a PEF, and samba-run times it: one section in o3, one
// per operator in o0.
// RUN: samba-compile %s --mode o3 -o %t.o3.pef
// RUN: samba-run %t.o3.pef --timing | filecheck %s --check-prefix=O3
// RUN: samba-compile %s --mode o0 -o %t.o0.pef
// RUN: samba-run %t.o0.pef --timing | filecheck %s --check-prefix=O0

// O3: forward on 1 sn40l chip(s)
// O3-NEXT: 1 launches
// O0: forward on 1 sn40l chip(s)
// O0-NEXT: 2 launches

func.func @forward(%x: tensor<8x16xf32> {samba.name = "x"}, %w: tensor<4x16xf32> {samba.role = "param", samba.name = "w"})
    -> (tensor<8x4xf32> {samba.name = "y"}) {
  %0 = samba.linear %x, %w : (tensor<8x16xf32>, tensor<4x16xf32>) -> tensor<8x4xf32>
  %1 = samba.softmax %0 {dim = 1 : i64} : tensor<8x4xf32>
  func.return %1 : tensor<8x4xf32>
}
